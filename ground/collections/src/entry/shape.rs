//! Where things stand in an entry's block, told from its header.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

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

/// A byte of the header that is not of the clock: byte by byte, because nothing else compiles to as little on the way of GET.
#[inline]
pub(super) fn header_byte(block: NonNull<u8>, at: usize) -> u8 {
    debug_assert!(at < HEADER && !(CLOCK_AT..CLOCK_AT + 3).contains(&at));
    // SAFETY: every block begins with a header; while it is shared nobody writes to these bytes.
    unsafe { block.add(at).read() }
}

/// The bytes of the clock, which may be stored by others who share the block.
#[inline]
fn clock_bytes<'a>(block: NonNull<u8>) -> [&'a AtomicU8; 3] {
    // SAFETY: the clock is in the header; while the block is shared these bytes are only reached through here.
    [0, 1, 2].map(|at| unsafe { AtomicU8::from_ptr(block.add(CLOCK_AT + at).as_ptr()) })
}

#[inline]
pub(super) fn clock(block: NonNull<u8>) -> u32 {
    let [a, b, c] = clock_bytes(block).map(|byte| byte.load(Ordering::Relaxed));
    u32::from_le_bytes([a, b, c, 0])
}

/// Sets the clock of a block that may be shared. Stores only what differs, so that a line that is read often stays clean.
#[inline]
pub(super) fn touch(block: NonNull<u8>, new: u32) {
    if clock(block) != new & 0xff_ffff {
        for (byte, new) in clock_bytes(block).into_iter().zip(new.to_le_bytes()) {
            byte.store(new, Ordering::Relaxed);
        }
    }
}

/// Where the key begins, and its length.
#[inline]
pub(super) fn key_place(block: NonNull<u8>) -> (usize, usize) {
    let at = HEADER + usize::from(header_byte(block, FLAGS_AT) & EXPIRES);
    let length = header_byte(block, KEY_LENGTH_AT);
    if length == LENGTH_ESCAPE {
        // SAFETY: the escape says that a long length follows the header (and the expiry).
        (at + 4, unsafe { block.add(at).cast::<u32>().read_unaligned() } as usize)
    } else {
        (at, usize::from(length))
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
        let (form, value_length) = match header_byte(block, FLAGS_AT) & FORM {
            1 => (Form::Int, 8),
            3 => (Form::Object, size_of::<V>()),
            form => {
                let length = match header_byte(block, VALUE_LENGTH_AT) {
                    // SAFETY: the escape says that a long length follows the key.
                    LENGTH_ESCAPE => unsafe { block.add(key_at + key_length).cast::<u32>().read_unaligned() as usize },
                    short => usize::from(short),
                };
                (if form == 0 { Form::Str } else { Form::Packed }, length)
            }
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
