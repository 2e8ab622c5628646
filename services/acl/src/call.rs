//! A call as access control sees it, and the answer.

/// What a call does to a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub reads: bool,
    pub writes: bool,
}

impl Access {
    pub const READ: Access = Access { reads: true, writes: false };
    pub const WRITE: Access = Access { reads: false, writes: true };
    pub const BOTH: Access = Access { reads: true, writes: true };

    /// Whether who may do this may do `wanted`. Nothing wanted, as by EXISTS, is allowed to whoever has any access.
    pub(crate) fn covers(self, wanted: Access) -> bool {
        (self.reads || !wanted.reads) && (self.writes || !wanted.writes)
    }
}

/// A command with its words. The visitors are only called when the answer depends on them, and stop when `visit` says no.
pub trait Call {
    /// Its number in the catalogue.
    fn command(&self) -> usize;

    /// Whether even those may run it who have not logged in: then no right to the command is needed.
    fn is_for_everybody(&self) -> bool;

    /// The word behind the name.
    fn first_argument(&self) -> Option<&[u8]>;

    /// Visits the keys: the number of the word, the key, what is done to it.
    fn keys(&self, visit: &mut dyn FnMut(usize, &[u8], Access) -> bool);

    /// Visits the channels: the number of the word, the name, and whether that is a pattern.
    fn channels(&self, visit: &mut dyn FnMut(usize, &[u8], bool) -> bool);

    /// Visits the databases: the number of the word that names it (0 for the selected one), and its number.
    fn databases(&self, visit: &mut dyn FnMut(usize, u32) -> bool);
}

/// What a user lacks. In this order the more telling reason is shown when several selectors refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Database,
    Command,
    Key,
    Channel,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    pub reason: Reason,
    /// The number of the word that is refused; 0 for the command itself.
    pub at: usize,
}
