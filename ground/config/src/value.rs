//! Values: what a directive is set to, apart from how it is written.

/// What a directive is set to. Which variant it is depends on the row's kind alone and never changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// yes or no.
    Switch(bool),
    /// A whole number. Wide enough for signed and unsigned 64 bits; a percentage is stored below zero.
    Number(i128),
    /// The place of the chosen name among the kind's names.
    Choice(usize),
    /// A set of names or letters, one bit each.
    Flags(u32),
    /// Bytes, maybe none.
    Text(Vec<u8>),
    /// `save`: when to take a snapshot.
    SavePoints(Vec<SavePoint>),
    /// `client-output-buffer-limit`: normal, replica, pubsub.
    BufferLimits([BufferLimit; 3]),
    /// A few words, such as addresses.
    Words(Vec<Vec<u8>>),
    /// A few integers.
    Integers(Vec<i64>),
    /// A few decimal numbers.
    Decimals(Vec<f64>),
    /// A host and its port; `None` for nobody.
    Address(Option<(Vec<u8>, u16)>),
}

/// Save when at least `changes` were made in `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// At least 1.
    pub seconds: u64,
    /// Writes since the last save.
    pub changes: u64,
}

/// How much output may wait for one client of a class; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// Disconnected at once above this.
    pub hard_bytes: u64,
    /// Disconnected when above this for `soft_seconds`.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: u64,
}
