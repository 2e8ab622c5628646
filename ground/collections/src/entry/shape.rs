//! Where things stand in an entry's block, told from its header.

use std::ptr::NonNull;

use super::Value;
use crate::item::{LENGTH_ESCAPE, long_length};

pub(super) const HEADER: usize = 8;

pub(super) const KIND_AT: usize = 0;
pub(super) const FLAGS_AT: usize = 1;
pub(super) const CLOCK_AT: usize = 2;
pub(super) const EPOCH_AT: usize = 5;
pub(super) const KEY_LENGTH_AT: usize = 6;
pub(super) const VALUE_LENGTH_AT: usize = 7;
pub(super) const EXPIRY_AT: usize = 8;

/// Mask of the form in the flags.
pub(super) const FORM: u8 = 3;
/// The string was made by a command that leaves it raw.
pub(super) const RAW: u8 = 4;
/// There is an expiry. The flag is as large as the expiry, so the key's place is an addition.
pub(super) const EXPIRES: u8 = 8;
/// Where the caller's four bits begin in the flags.
pub(super) const MARKS_AT: u32 = 4;

/// What kind of value follows the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Str,
    Int,
    Packed,
    Object,
}

/// The layout of an entry.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) form: Form,
    pub(super) key_at: usize,
    pub(super) key_length: usize,
    pub(super) value_at: usize,
    /// Bytes of the value.
    pub(super) value_length: usize,
    /// All bytes; the block is of their size class.
    pub(super) size: usize,
}

/// Where the key begins, and its length.
#[inline]
pub(super) fn key_place(block: NonNull<u8>) -> (usize, usize) {
    // SAFETY: every block begins with a header; the escape says that a long length follows it (and the expiry).
    unsafe {
        let at = HEADER + usize::from(block.add(FLAGS_AT).read() & EXPIRES);
        let length = block.add(KEY_LENGTH_AT).read();
        if length == LENGTH_ESCAPE {
            (at + 4, block.add(at).cast::<u32>().read_unaligned() as usize)
        } else {
            (at, usize::from(length))
        }
    }
}

impl Shape {
    /// The layout for a new entry.
    pub(super) fn new<V>(key_length: usize, expires: bool, value: &Value<'_, V>) -> Shape {
        let long = if key_length < LENGTH_ESCAPE.into() { 0 } else { 4 };
        let key_at = HEADER + if expires { usize::from(EXPIRES) } else { 0 } + long;
        Shape::behind_key(key_at, key_length, value)
    }

    /// The layout of an entry when its value is replaced.
    pub(super) fn with_value<V>(self, value: &Value<'_, V>) -> Shape {
        Shape::behind_key(self.key_at, self.key_length, value)
    }

    fn behind_key<V>(key_at: usize, key_length: usize, value: &Value<'_, V>) -> Shape {
        let (form, value_length) = match value {
            Value::Str { bytes, .. } => (Form::Str, bytes.len()),
            Value::Int(_) => (Form::Int, 8),
            Value::Packed { bytes, .. } => (Form::Packed, bytes.len()),
            Value::Object(_) => (Form::Object, size_of::<V>()),
        };
        // Refused before anything is touched.
        let _ = (long_length(key_length), long_length(value_length));
        Shape::assemble(form, key_at, key_length, value_length)
    }

    /// The layout of an entry.
    #[inline]
    pub(super) fn of<V>(block: NonNull<u8>) -> Shape {
        let (key_at, key_length) = key_place(block);
        // SAFETY: every block begins with a header; the escape says that a long length follows the key.
        let (flags, short, behind_key) =
            unsafe { (block.add(FLAGS_AT).read(), block.add(VALUE_LENGTH_AT).read(), block.add(key_at + key_length)) };
        let (form, value_length) = match flags & FORM {
            0 | 2 => {
                let length = if short == LENGTH_ESCAPE {
                    // SAFETY: as above.
                    unsafe { behind_key.cast::<u32>().read_unaligned() as usize }
                } else {
                    usize::from(short)
                };
                (if flags & FORM == 0 { Form::Str } else { Form::Packed }, length)
            }
            1 => (Form::Int, 8),
            _ => (Form::Object, size_of::<V>()),
        };
        Shape::assemble(form, key_at, key_length, value_length)
    }

    #[inline]
    fn assemble(form: Form, key_at: usize, key_length: usize, value_length: usize) -> Shape {
        let behind_key = key_at + key_length;
        let value_at = match form {
            Form::Int | Form::Object => behind_key.next_multiple_of(8),
            Form::Str | Form::Packed if value_length < LENGTH_ESCAPE.into() => behind_key,
            Form::Str | Form::Packed => behind_key + 4,
        };
        Shape { form, key_at, key_length, value_at, value_length, size: value_at + value_length }
    }

    pub(super) fn key_is_long(self) -> bool {
        self.key_length >= LENGTH_ESCAPE.into()
    }

    /// Writes the value and what the header says of it.
    ///
    /// # Safety
    /// The block has the size class of this shape, which was made for this value; what stood in the value's place is not
    /// needed any more.
    pub(super) unsafe fn write_value<V>(self, block: NonNull<u8>, value: Value<'_, V>) {
        const { assert!(align_of::<V>() <= 8, "blocks are aligned to 8") };
        let (kind, raw) = match &value {
            Value::Packed { kind, .. } => (*kind, 0),
            Value::Str { raw: true, .. } => (0, RAW),
            _ => (0, 0),
        };
        // SAFETY: the block has room for what the shape says at the places that it names, and is not borrowed.
        unsafe {
            block.add(KIND_AT).write(kind);
            let flags = block.add(FLAGS_AT);
            flags.write(flags.read() & !(FORM | RAW) | self.form as u8 | raw);
            block.add(VALUE_LENGTH_AT).write(0);
            let at = block.add(self.value_at);
            match value {
                Value::Int(number) => at.cast::<i64>().write(number),
                Value::Object(object) => at.cast::<V>().write(object),
                Value::Str { bytes, .. } | Value::Packed { bytes, .. } => {
                    block.add(VALUE_LENGTH_AT).write(bytes.len().min(LENGTH_ESCAPE.into()) as u8);
                    if bytes.len() >= LENGTH_ESCAPE.into() {
                        at.sub(4).cast::<u32>().write_unaligned(long_length(bytes.len()));
                    }
                    at.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                }
            }
        }
    }
}
