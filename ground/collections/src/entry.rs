//! The keyspace's item: header, key, expiry and value in one heap block.
//!
//! ```text
//! byte  0       kind: of a packed value, opaque here
//!       1       flags: form (2 bits), raw, expires, and 4 marks for the caller
//!       2–4     access clock, 24 bits
//!       5       snapshot epoch
//!       6       length of the key; 255: four bytes of length stand before the key
//!       7       length of the value; 255: four bytes of length stand before the value
//!       8–15    expiry, unix time in ms, when the flag says so
//!               key
//!               value: bytes as they are; an integer or an object at the next multiple of 8
//! ```
//!
//! A block's size is the size class of its content, so it can be told from the header, and a value is written in place
//! whenever the class stays. A 16-byte key with a 16-byte string takes 40 bytes.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::item::{LENGTH_ESCAPE, Shared, long_length};
use crate::{Keyed, memory};

mod change;
mod object;
mod shape;

pub use change::EntryMut;
pub use object::ObjectSlot;
use shape::{EPOCH_AT, EXPIRES, EXPIRY_AT, FLAGS_AT, Form, HEADER, KEY_LENGTH_AT, KIND_AT, MARKS_AT, RAW, Shape};

/// Strings up to so many bytes are meant to stand in the entry; the caller keeps longer ones in an object.
pub const INLINE_BYTES_MAX: usize = 1024;

/// A key with its value and what the keyspace knows of it. `V` is the value that is too big to stand inside: it is stored in
/// place, aligned to 8 at most, and dropped with the entry.
pub struct Entry<V> {
    /// Invariant: a block of the size class of `Shape::of(block).size()`, laid out as the module says; it owns a `V` when its
    /// form is an object.
    block: NonNull<u8>,
    owner: PhantomData<V>,
}

/// A value for an entry to hold. Bytes are copied.
#[derive(Debug, PartialEq)]
pub enum Value<'a, V> {
    /// A string that is an integer in decimal.
    Int(i64),
    /// A string. `raw` is kept for OBJECT ENCODING.
    Str { bytes: &'a [u8], raw: bool },
    /// A small collection in its packed form; `kind` says of which type.
    Packed { kind: u8, bytes: &'a [u8] },
    /// Anything else.
    Object(V),
}

/// The value of an entry, borrowed.
#[derive(Debug, PartialEq)]
pub enum View<'a, V> {
    /// A string that is an integer in decimal.
    Int(i64),
    /// A string.
    Str { bytes: &'a [u8], raw: bool },
    /// A small collection in its packed form.
    Packed { kind: u8, bytes: &'a [u8] },
    /// Anything else.
    Object(&'a V),
}

impl<V> Clone for View<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for View<'_, V> {}

/// The value of an entry, taken out.
#[derive(Debug, PartialEq)]
pub enum OwnedValue<V> {
    /// A string that is an integer in decimal.
    Int(i64),
    /// A string.
    Str { bytes: Box<[u8]>, raw: bool },
    /// A small collection in its packed form.
    Packed { kind: u8, bytes: Box<[u8]> },
    /// Anything else.
    Object(V),
}

// SAFETY: an entry owns bytes and perhaps a `V`, and gives `&V` only for `&self`.
unsafe impl<V: Send> Send for Entry<V> {}
// SAFETY: as above.
unsafe impl<V: Sync> Sync for Entry<V> {}

impl<V> Entry<V> {
    /// Makes an entry; clock, epoch and marks are 0. Key and value have fewer than 2³² bytes; `expiry_ms` is unix time.
    pub fn new(key: &[u8], value: Value<'_, V>, expiry_ms: Option<u64>) -> Entry<V> {
        let shape = Shape::new::<V>(key.len(), expiry_ms.is_some(), &value);
        let block = memory::allocate(shape.size);
        // SAFETY: the block is new and has room for all that the shape counts, at the places that it names.
        unsafe {
            let start = block.as_ptr();
            let mut header = [0_u8; HEADER];
            header[KEY_LENGTH_AT] = key.len().min(LENGTH_ESCAPE.into()) as u8;
            if let Some(expiry_ms) = expiry_ms {
                header[FLAGS_AT] = EXPIRES;
                start.add(EXPIRY_AT).cast::<u64>().write(expiry_ms);
            }
            start.cast::<[u8; HEADER]>().write(header);
            if shape.key_is_long() {
                start.add(shape.key_at - 4).cast::<u32>().write_unaligned(long_length(key.len()));
            }
            start.add(shape.key_at).copy_from_nonoverlapping(key.as_ptr(), key.len());
            shape.write_value(block, value);
        }
        Entry { block, owner: PhantomData }
    }

    /// A shared reference, as look-ups in a table give.
    #[inline]
    pub fn as_ref(&self) -> EntryRef<'_, V> {
        EntryRef(Shared { block: self.block, owner: PhantomData })
    }

    /// Takes the value out and frees the rest.
    pub fn into_value(mut self) -> OwnedValue<V> {
        self.take_value()
    }

    /// The same value, expiry, clock, epoch and marks under another key.
    pub fn with_key(mut self, key: &[u8]) -> Entry<V> {
        let from = self.as_ref();
        let (clock, epoch, marks, expiry_ms) = (from.clock(), from.epoch(), from.marks(), from.expiry_ms());
        let value = match from.view() {
            View::Int(number) => Value::Int(number),
            View::Str { bytes, raw } => Value::Str { bytes, raw },
            View::Packed { kind, bytes } => Value::Packed { kind, bytes },
            View::Object(_) => match self.take_value() {
                OwnedValue::Object(object) => Value::Object(object),
                _ => unreachable!("an object was taken"),
            },
        };
        let mut entry = Entry::new(key, value, expiry_ms);
        let mut own = entry.as_mut();
        own.set_clock(clock);
        own.set_epoch(epoch);
        own.set_marks(marks);
        entry
    }

    /// Frees the block alone.
    fn free(&self) {
        // SAFETY: by the invariant; callers do not use `self` again.
        unsafe { memory::free(self.block, Shape::of::<V>(self.block).size) }
    }
}

impl<V> Drop for Entry<V> {
    fn drop(&mut self) {
        let shape = Shape::of::<V>(self.block);
        if shape.form == Form::Object {
            // SAFETY: by the invariant the entry owns an object there, which is not used again.
            unsafe { self.block.add(shape.value_at).cast::<V>().drop_in_place() };
        }
        self.free();
    }
}

/// A shared reference to an [`Entry`].
pub struct EntryRef<'a, V>(Shared<'a, Entry<V>>);

impl<V> Clone for EntryRef<'_, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for EntryRef<'_, V> {}

impl<'a, V> EntryRef<'a, V> {
    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let (at, length) = shape::key_place(self.0.block);
        // SAFETY: the block is alive and unchanged for `'a`; by the invariant the key is there.
        unsafe { std::slice::from_raw_parts(self.0.block.as_ptr().add(at), length) }
    }

    /// The value.
    #[inline]
    pub fn view(self) -> View<'a, V> {
        let shape = Shape::of::<V>(self.0.block);
        // SAFETY: the block is alive and unchanged for `'a`; by the invariant a value of this form is there.
        unsafe {
            let at = self.0.block.add(shape.value_at);
            let bytes = || std::slice::from_raw_parts(at.as_ptr(), shape.value_length);
            match shape.form {
                Form::Str => View::Str { bytes: bytes(), raw: self.byte(FLAGS_AT) & RAW != 0 },
                Form::Int => View::Int(at.cast::<i64>().read()),
                Form::Packed => View::Packed { kind: self.byte(KIND_AT), bytes: bytes() },
                Form::Object => View::Object(at.cast::<V>().as_ref()),
            }
        }
    }

    /// When the key expires, in milliseconds of unix time.
    #[inline]
    pub fn expiry_ms(self) -> Option<u64> {
        // SAFETY: the block is alive for `'a`; the flag says that the expiry is there.
        (self.byte(FLAGS_AT) & EXPIRES != 0).then(|| unsafe { self.0.block.add(EXPIRY_AT).cast::<u64>().read() })
    }

    /// When it was last used: 24 bits with a meaning of the caller's.
    #[inline]
    pub fn clock(self) -> u32 {
        shape::clock(self.0.block)
    }

    /// Sets the access clock to the low 24 bits of `clock`, through a shared reference: reading a key is an access too.
    #[inline]
    pub fn touch(self, clock: u32) {
        shape::touch(self.0.block, clock);
    }

    /// The snapshot epoch.
    #[inline]
    pub fn epoch(self) -> u8 {
        self.byte(EPOCH_AT)
    }

    /// Four bits with a meaning of the caller's.
    #[inline]
    pub fn marks(self) -> u8 {
        self.byte(FLAGS_AT) >> MARKS_AT
    }

    /// Bytes of memory that the entry takes, without what an object owns elsewhere.
    pub fn memory_bytes(self) -> usize {
        memory::size_class(Shape::of::<V>(self.0.block).size)
    }

    #[inline]
    fn byte(self, at: usize) -> u8 {
        shape::header_byte(self.0.block, at)
    }
}

// SAFETY: `memory::allocate` gives user-space addresses aligned to 8; no method changes the key of an entry.
unsafe impl<V: 'static> Keyed for Entry<V> {
    type Ref<'a> = EntryRef<'a, V>;

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).block
    }

    #[inline]
    unsafe fn from_raw(block: NonNull<u8>) -> Self {
        Entry { block, owner: PhantomData }
    }

    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> EntryRef<'a, V> {
        EntryRef(Shared { block: raw, owner: PhantomData })
    }

    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the same promise.
        unsafe { Self::view(raw) }.key()
    }
}

#[cfg(test)]
mod tests;
