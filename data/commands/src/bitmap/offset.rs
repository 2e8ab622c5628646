//! Places in a bitmap, as clients write them.

use crate::{Error, Locked};
use ochre_text::number;

/// The number of a bit, which must lie in a string that may be made.
///
/// Where `field_bits` is given, `#3` stands for the place behind three fields of so many bits.
pub(super) fn bit_offset(data: &Locked<'_>, word: &[u8], field_bits: Option<u64>) -> Result<u64, Error> {
    let (digits, factor) = match (word, field_bits) {
        ([b'#', digits @ ..], Some(bits)) => (digits, bits),
        _ => (word, 1),
    };
    number::parse_u64(digits)
        .and_then(|offset| offset.checked_mul(factor))
        .filter(|offset| offset / 8 < data.limits().string_max_bytes as u64)
        .ok_or(Error::BIT_OFFSET)
}

/// Which of a byte's bits is number `offset`: 0x80 for the first.
pub(super) fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}
