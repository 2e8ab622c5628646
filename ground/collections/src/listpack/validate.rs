//! The deep check of packed bytes that come from outside.

use super::codec::{declared_len, has_back_length, with_back_length};
use super::{BYTES_MAX, COUNT_UNKNOWN, END, HEADER};

/// Bytes that are not a packed list or int set: some length, order or mark in them does not agree with the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed packed bytes")
    }
}

impl std::error::Error for Malformed {}

/// Checks that every length, back length, the count and the end agree, so that walking in either direction stays inside and sees the same
/// elements. Returns the number of elements. O(elements).
pub(super) fn validate(bytes: &[u8]) -> Result<usize, Malformed> {
    if !(HEADER + 1..=BYTES_MAX).contains(&bytes.len()) {
        return Err(Malformed);
    }
    let (header, body) = bytes.split_first_chunk::<HEADER>().ok_or(Malformed)?;
    let total = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let count = u16::from_le_bytes([header[4], header[5]]);
    if total as usize != bytes.len() {
        return Err(Malformed);
    }
    let (mut rest, mut elements) = (body, 0);
    while *rest.first().ok_or(Malformed)? != END {
        let length = declared_len(rest).ok_or(Malformed)?;
        let back = rest.get(length..).ok_or(Malformed)?;
        if !has_back_length(back, length) {
            return Err(Malformed);
        }
        rest = &rest[with_back_length(length)..];
        elements += 1;
    }
    if rest.len() != 1 || (count != COUNT_UNKNOWN && usize::from(count) != elements) {
        return Err(Malformed);
    }
    Ok(elements)
}
