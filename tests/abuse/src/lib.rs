//! What must hold for any bytes: each function takes what a fuzzer made up and panics when a promise is broken. `fuzz/` calls them
//! for hours, the tests here call them with the inputs that are kept.

pub mod commands;
pub mod payload;
pub mod requests;
pub mod segment;
pub mod snapshot;

/// A target: the folder of its kept inputs, and what must hold for them.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("aof", segment::check),
    ("commands", commands::check),
    ("rdb", snapshot::check),
    ("requests", requests::check),
    ("restore", payload::check),
];

/// Cuts `bytes` into pieces whose lengths a small generator with this seed gives.
pub(crate) fn pieces(seed: u64, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut random, mut rest) = (ochre_collections::Random::new(seed), bytes);
    std::iter::from_fn(move || {
        let length = match random.below(4) {
            0 => 1,
            1 => 1 + random.below(4),
            2 => 1 + random.below(40),
            _ => 1 + random.below(5000),
        };
        let (piece, left) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}
