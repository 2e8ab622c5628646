//! Listpack: a row of strings and integers packed into one run of bytes, readable from both ends.
//!
//! The bytes are exactly those that Redis keeps in memory and in its files, so loading and saving is a copy:
//!
//! ```text
//! u32 total bytes │ u16 elements (65535: more than that, count them) │ element … │ 0xFF
//! ```
//!
//! An element is an encoding byte, its data, and the length of both once more ("back length"), so that one can walk backwards:
//!
//! ```text
//! 0vvvvvvv                      integer 0..=127              1111_0001 + 2 bytes   16-bit integer
//! 10llllll  + bytes             string up to 63 bytes        1111_0010 + 3 bytes   24-bit integer
//! 110vvvvv vvvvvvvv             13-bit integer               1111_0011 + 4 bytes   32-bit integer
//! 1110llll llllllll + bytes     string up to 4095 bytes      1111_0100 + 8 bytes   64-bit integer
//! 1111_0000 + 4 bytes + bytes   any longer string            1111_1111             the end
//! ```
//!
//! Strings that are the one decimal form of an `i64` are always stored as integers. Multi-byte data is little-endian, except the two-byte
//! forms, whose first byte holds the upper bits. The back length is big-endian base 128; every byte but the first has its high bit set.
//! Positions are byte offsets from the start of the header; they stay valid until the list is changed before them.

mod codec;
mod item;
mod owned;
#[cfg(test)]
mod tests;
mod validate;
mod view;

pub use item::Item;
pub use ochre_text::number::I64_TEXT_LEN_MAX as INTEGER_TEXT_MAX;
pub use owned::{Listpack, overwrite};
pub use validate::Malformed;
pub use view::{Iter, IterRev, ListpackRef, Pairs};

/// The largest list that a caller should build, in bytes: the format could hold 4 GiB, Redis stops here as well.
pub const BYTES_MAX: usize = 1 << 30;

/// Bytes of the header; the first element stands here.
const HEADER: usize = 6;
/// The last byte.
const END: u8 = 0xFF;
/// The element count that means "more than the header can say".
const COUNT_UNKNOWN: u16 = u16::MAX;
