//! One element of a packed list: bytes, or an integer that stands for its decimal text.

use ochre_text::number::{self, I64_TEXT_LEN_MAX};

/// An element as it is stored. Two items are the same element when their texts are the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Stands for its decimal text.
    Int(i64),
    /// Any bytes; never the decimal text of an `i64` when this crate wrote them.
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The form in which these bytes are stored: an integer if they are the one decimal text of an `i64`.
    #[inline]
    pub fn from_text(text: &'a [u8]) -> Item<'a> {
        match parse_integer(text) {
            Some(value) => Item::Int(value),
            None => Item::Bytes(text),
        }
    }

    /// The length of the text in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Item::Int(value) => number::digits(value.unsigned_abs()) + usize::from(*value < 0),
            Item::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        matches!(self, Item::Bytes([]))
    }

    /// Whether the text is these bytes.
    #[inline]
    pub fn eq_bytes(&self, text: &[u8]) -> bool {
        match self {
            Item::Int(value) => parse_integer(text) == Some(*value),
            Item::Bytes(bytes) => *bytes == text,
        }
    }

    /// Appends the text.
    #[inline]
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes(&mut [0; I64_TEXT_LEN_MAX]));
    }

    /// The text, written into `buffer` if it is an integer.
    #[inline]
    pub fn as_bytes<'b>(&self, buffer: &'b mut [u8; I64_TEXT_LEN_MAX]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Item::Int(value) => number::format_i64(*value, buffer),
            Item::Bytes(bytes) => bytes,
        }
    }

    /// The text as an owned copy.
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes(&mut [0; I64_TEXT_LEN_MAX]).to_vec()
    }

    /// The integer that the text stands for, if it is the decimal text of one.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Item::Int(value) => Some(*value),
            Item::Bytes(bytes) => parse_integer(bytes),
        }
    }
}

/// The integer of which `text` is the one decimal text. Most strings are refused by their first byte.
#[inline]
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    match text.first()? {
        b'0'..=b'9' | b'-' if text.len() <= I64_TEXT_LEN_MAX => parse_digits(text),
        _ => None,
    }
}

fn parse_digits(text: &[u8]) -> Option<i64> {
    number::parse_i64(text)
}
