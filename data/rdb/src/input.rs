//! Reading numbers and texts from bytes, one after the other.

use crate::error::Fault;
use crate::lzf;
use ochre_text::number::{I64_TEXT_LEN_MAX, format_i64};
use std::borrow::Cow;

/// Bytes, and how far they have been read.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What stands where a length is expected.
enum Length {
    Plain(u64),
    /// The text is an integer of so many bytes.
    Integer(usize),
    Packed,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Input { bytes, at: 0 }
    }

    /// How many bytes have been read.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.bytes[self.at..].get(..count).ok_or(Fault::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn skip(&mut self, count: u64) -> Result<(), Fault> {
        if count > self.left() as u64 {
            return Err(Fault::Truncated);
        }
        self.at += count as usize;
        Ok(())
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let array = *self.bytes[self.at..].first_chunk().ok_or(Fault::Truncated)?;
        self.at += N;
        Ok(array)
    }

    /// Eight bytes, the low one first: a time in ms, -1 for none.
    #[inline]
    pub(crate) fn time_ms(&mut self) -> Result<i64, Fault> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    #[inline]
    fn any_length(&mut self) -> Result<Length, Fault> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Length::Plain(u64::from(first)),
            1 => Length::Plain(u64::from(first & 0x3F) << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            2 if first == 0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            3 if first < 0xC3 => Length::Integer(1 << (first & 3)),
            3 if first == 0xC3 => Length::Packed,
            _ => return Err(Fault::Malformed("Unknown length encoding")),
        })
    }

    /// A length or count, or a number that is written like one.
    #[inline]
    pub(crate) fn length(&mut self) -> Result<u64, Fault> {
        match self.any_length()? {
            Length::Plain(length) => Ok(length),
            _ => Err(Fault::Malformed("A text stands where a length is expected")),
        }
    }

    /// A text as it is written.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Encoded<'a>, Fault> {
        match self.any_length()? {
            Length::Plain(length) => {
                let length = usize::try_from(length).map_err(|_| Fault::Truncated)?;
                Ok(Encoded::Plain(self.take(length)?))
            }
            Length::Integer(1) => Ok(Encoded::Int(i64::from(i8::from_le_bytes(self.array()?)))),
            Length::Integer(2) => Ok(Encoded::Int(i64::from(i16::from_le_bytes(self.array()?)))),
            Length::Integer(_) => Ok(Encoded::Int(i64::from(i32::from_le_bytes(self.array()?)))),
            Length::Packed => {
                let (packed, length) = (self.length()?, self.length()?);
                let packed = usize::try_from(packed).map_err(|_| Fault::Truncated)?;
                Ok(Encoded::Packed { bytes: self.take(packed)?, length })
            }
        }
    }

    /// Passes over a text.
    #[inline]
    pub(crate) fn skip_text(&mut self) -> Result<(), Fault> {
        match self.any_length()? {
            Length::Plain(length) => self.skip(length),
            Length::Integer(bytes) => self.skip(bytes as u64),
            Length::Packed => {
                let (packed, _) = (self.length()?, self.length()?);
                self.skip(packed)
            }
        }
    }

    /// That everything has been read.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        if self.left() == 0 { Ok(()) } else { Err(Fault::Malformed("Bytes are left over after a value")) }
    }
}

/// A text as it is written.
#[derive(Clone, Copy, Debug)]
pub enum Encoded<'a> {
    Plain(&'a [u8]),
    /// The decimal text of an integer.
    Int(i64),
    /// Packed by LZF.
    Packed {
        bytes: &'a [u8],
        /// What it says to unpack to.
        length: u64,
    },
}

impl<'a> Encoded<'a> {
    /// The text, borrowed if it stands there as it is.
    pub fn to_bytes(self) -> Result<Cow<'a, [u8]>, Fault> {
        match self {
            Encoded::Plain(bytes) => Ok(Cow::Borrowed(bytes)),
            other => {
                let mut text = Vec::new();
                other.read_into(&mut text)?;
                Ok(Cow::Owned(text))
            }
        }
    }

    /// The text, written into `space` if it does not stand there as it is.
    #[inline]
    pub(crate) fn read_into<'s>(self, space: &'s mut Vec<u8>) -> Result<&'s [u8], Fault>
    where
        'a: 's,
    {
        match self {
            Encoded::Plain(bytes) => Ok(bytes),
            Encoded::Int(value) => {
                space.clear();
                space.extend_from_slice(format_i64(value, &mut [0; I64_TEXT_LEN_MAX]));
                Ok(space)
            }
            Encoded::Packed { bytes, length } => {
                space.clear();
                lzf::decompress(bytes, length, space)?;
                Ok(space)
            }
        }
    }
}
