//! One element to bytes and back.
//!
//! Reading is bounds-checked by slices, so malformed bytes can at worst panic; only what `validate` has passed, or this crate has
//! written, gets here. The checks are branches that never go the other way: they cost less than a cache line does.

use super::{END, Item};

/// The bytes that one element takes (encoding, data and back length) by its first byte, or 0 where that byte does not tell:
/// longer strings, the end, and bytes that begin no element.
const STEP: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte {
            0x00..=0x7F => 2,
            0x80..=0xBF => (byte as u8 & 0x3F) + 2,
            0xC0..=0xDF => 3,
            0xF1 => 4,
            0xF2 => 5,
            0xF3 => 6,
            0xF4 => 10,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// The position after the element at `at`, which must not be the end.
#[inline]
pub(super) fn skip(bytes: &[u8], at: usize) -> usize {
    match STEP[usize::from(bytes[at])] {
        0 => skip_long(bytes, at),
        step => at + usize::from(step),
    }
}

#[cold]
fn skip_long(bytes: &[u8], at: usize) -> usize {
    let (data, length) = long_string(bytes, at);
    at + with_back_length(data - at + length)
}

/// The element at `at`, which must not be the end, and the position after it.
#[inline]
pub(super) fn decode(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    let first = bytes[at];
    match first {
        0x00..=0x7F => (Item::Int(i64::from(first)), at + 2),
        0x80..=0xBF => {
            let length = usize::from(first & 0x3F);
            (Item::Bytes(&bytes[at + 1..at + 1 + length]), at + length + 2)
        }
        0xC0..=0xDF => {
            let value = i16::from_be_bytes([first << 3, bytes[at + 1]]);
            // The 13 bits now stand at the top but for the low byte: bring them together, sign first.
            let upper = i64::from(value >> 11) << 8;
            (Item::Int(upper | i64::from(bytes[at + 1])), at + 3)
        }
        0xE0..=0xEF => {
            let (data, length) = (at + 2, usize::from(first & 0x0F) << 8 | usize::from(bytes[at + 1]));
            (Item::Bytes(&bytes[data..data + length]), at + with_back_length(2 + length))
        }
        0xF1 => (Item::Int(i64::from(i16::from_le_bytes(array(bytes, at + 1)))), at + 4),
        0xF2 => {
            let [low, middle, high] = array(bytes, at + 1);
            (Item::Int(i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)), at + 5)
        }
        0xF3 => (Item::Int(i64::from(i32::from_le_bytes(array(bytes, at + 1)))), at + 6),
        0xF4 => (Item::Int(i64::from_le_bytes(array(bytes, at + 1))), at + 10),
        _ => {
            let (data, length) = long_string(bytes, at);
            (Item::Bytes(&bytes[data..data + length]), at + with_back_length(data - at + length))
        }
    }
}

/// Where the data of a string of more than 63 bytes begins, and its length.
#[inline]
fn long_string(bytes: &[u8], at: usize) -> (usize, usize) {
    match bytes[at] {
        first @ 0xE0..=0xEF => (at + 2, usize::from(first & 0x0F) << 8 | usize::from(bytes[at + 1])),
        0xF0 => (at + 5, u32::from_le_bytes(array(bytes, at + 1)) as usize),
        first => malformed(first),
    }
}

#[cold]
fn malformed(first: u8) -> ! {
    panic!("a packed list holds the byte {first:#04x} where an element should begin")
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes is an array of N bytes")
}

/// What `decode` needs to know of an element from untrusted bytes, or nothing if those end before its data begins or no element
/// begins so: the length of encoding and data together.
pub(super) fn declared_len(bytes: &[u8]) -> Option<usize> {
    Some(match *bytes.first()? {
        0x00..=0x7F => 1,
        first @ 0x80..=0xBF => 1 + usize::from(first & 0x3F),
        0xC0..=0xDF => 2,
        first @ 0xE0..=0xEF => 2 + (usize::from(first & 0x0F) << 8 | usize::from(*bytes.get(1)?)),
        0xF0 => 5 + u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize,
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        _ => return None,
    })
}

/// The position of the element before `at`, which must not be the first: found by the back length that ends there.
#[inline]
pub(super) fn back(bytes: &[u8], at: usize) -> usize {
    let last = bytes[at - 1];
    // The usual single byte has no high bit.
    if last < 0x80 { at - 1 - usize::from(last) } else { back_long(bytes, at) }
}

#[cold]
fn back_long(bytes: &[u8], at: usize) -> usize {
    let (mut length, mut size) = (0, 0);
    loop {
        let byte = bytes[at - 1 - size];
        length |= usize::from(byte & 0x7F) << (7 * size);
        size += 1;
        if byte < 0x80 || size == 5 {
            return at - size - length;
        }
    }
}

/// The bytes of the back length of an element whose encoding and data take `length` bytes. The limits are the
/// format's own: one less than the bits could hold, but for the first.
#[inline]
pub(super) fn back_length_size(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// The bytes of a whole element whose encoding and data take `length` bytes.
#[inline]
pub(super) fn with_back_length(length: usize) -> usize {
    length + back_length_size(length)
}

/// The bytes that `encode` writes for this item.
#[inline]
pub(super) fn encoded_len(item: &Item<'_>) -> usize {
    match *item {
        Item::Int(value) => match value {
            0..=127 => 2,
            -4096..=4095 => 3,
            -32_768..=32_767 => 4,
            -8_388_608..=8_388_607 => 5,
            -2_147_483_648..=2_147_483_647 => 6,
            _ => 10,
        },
        Item::Bytes(bytes) => match bytes.len() {
            length @ 0..=63 => length + 2,
            length @ 64..=4095 => with_back_length(length + 2),
            length => with_back_length(length + 5),
        },
    }
}

/// Writes the element into `out`, which has the length that `encoded_len` says. The smallest encoding that fits is the only one written.
#[inline]
pub(super) fn encode(item: &Item<'_>, out: &mut [u8]) {
    match *item {
        Item::Bytes(bytes) if bytes.len() <= 63 => {
            let length = bytes.len();
            out[0] = 0x80 | length as u8;
            copy_short(&mut out[1..1 + length], bytes);
            out[1 + length] = 1 + length as u8;
        }
        Item::Bytes(bytes) => encode_long(bytes, out),
        Item::Int(value) => match out.len() {
            2 => out.copy_from_slice(&[value as u8, 1]),
            3 => out.copy_from_slice(&[0xC0 | (value >> 8) as u8 & 0x1F, value as u8, 2]),
            length => {
                let data = length - 2;
                // 2, 3, 4 and 8 bytes of data are 0xF1, 0xF2, 0xF3 and 0xF4.
                out[0] = 0xEF + if data == 8 { 5 } else { data as u8 };
                out[1..1 + data].copy_from_slice(&value.to_le_bytes()[..data]);
                out[1 + data] = 1 + data as u8;
            }
        },
    }
}

/// Copies bytes to a place of the same length. Most are short, and for those a call of `memcpy` costs twice as much.
#[inline]
fn copy_short(to: &mut [u8], from: &[u8]) {
    #[inline]
    fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else { return false };
        if let Some(to) = to.first_chunk_mut::<N>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<N>() {
            *to = *last;
        }
        true
    }
    let done = match from.len() {
        4..=7 => ends::<4>(to, from),
        8..=16 => ends::<8>(to, from),
        17..=32 => ends::<16>(to, from),
        _ => false,
    };
    if !done {
        to.copy_from_slice(from);
    }
}

fn encode_long(bytes: &[u8], out: &mut [u8]) {
    let length = bytes.len();
    let data = if length <= 4095 {
        out[..2].copy_from_slice(&[0xE0 | (length >> 8) as u8, length as u8]);
        2
    } else {
        out[0] = 0xF0;
        out[1..5].copy_from_slice(&(length as u32).to_le_bytes());
        5
    };
    out[data..data + length].copy_from_slice(bytes);
    write_back_length(data + length, &mut out[data + length..]);
}

/// Fills `out`, which has the size that `back_length_size` says.
fn write_back_length(length: usize, out: &mut [u8]) {
    let size = out.len();
    for (index, byte) in out.iter_mut().enumerate() {
        let high = if index == 0 { 0 } else { 0x80 };
        *byte = high | (length >> (7 * (size - 1 - index))) as u8 & 0x7F;
    }
}

/// Whether `bytes` begins with exactly the back length of an element of `length` bytes.
pub(super) fn has_back_length(bytes: &[u8], length: usize) -> bool {
    let mut expected = [0; 5];
    let expected = &mut expected[..back_length_size(length)];
    write_back_length(length, expected);
    bytes.starts_with(expected)
}

/// Whether the list ends at this position.
#[inline]
pub(super) fn is_end(bytes: &[u8], at: usize) -> bool {
    bytes[at] == END
}
