//! Changes of an entry: in place where the size class stays, else in a new block; and the same through a table's slot.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::shape::{self, EPOCH_AT, EXPIRES, EXPIRY_AT, FLAGS_AT, Form, HEADER, KIND_AT, MARKS_AT, Shape};
use super::{Entry, OwnedValue, Value, View};
use crate::{Slot, memory};

impl<V> Entry<V> {
    /// Replaces the value. Key, expiry, clock, epoch and marks stay.
    pub fn set_value(&mut self, value: Value<'_, V>) {
        drop(self.replace_value(value));
    }

    /// Replaces the value; returns the old one if it was an object.
    pub fn replace_value(&mut self, value: Value<'_, V>) -> Option<V> {
        let old = Shape::of::<V>(self.block);
        let new = old.with_value(&value);
        let moves = new.size != old.size && memory::size_class(new.size) != memory::size_class(old.size);
        let block = if moves { memory::allocate(new.size) } else { self.block };
        // From here on nothing panics.
        // SAFETY: the object is owned, and then its place is overwritten or its block freed without dropping it. Header, expiry
        // and key end where the key ends in both blocks, and `block` has the class of the new shape.
        unsafe {
            let object = (old.form == Form::Object).then(|| self.block.add(old.value_at).cast::<V>().read());
            if moves {
                block.as_ptr().copy_from_nonoverlapping(self.block.as_ptr(), old.key_at + old.key_length);
                memory::free(self.block, old.size);
            }
            new.write_value(block, value);
            self.block = block;
            object
        }
    }

    /// Takes the value out and leaves an empty string.
    pub fn take_value(&mut self) -> OwnedValue<V> {
        let value = match self.as_ref().view() {
            View::Int(number) => OwnedValue::Int(number),
            View::Str { bytes, raw } => OwnedValue::Str { bytes: bytes.into(), raw },
            View::Packed { kind, bytes } => OwnedValue::Packed { kind, bytes: bytes.into() },
            View::Object(_) => {
                let object = self.replace_value(Value::Str { bytes: b"", raw: false });
                return OwnedValue::Object(object.expect("it was an object"));
            }
        };
        self.set_value(Value::Str { bytes: b"", raw: false });
        value
    }

    /// Sets the expiry (unix time in ms), or takes it away.
    pub fn set_expiry(&mut self, expiry_ms: Option<u64>) {
        let expires = self.as_ref().expiry_ms().is_some();
        // SAFETY: `move_for_expiry` is told the truth, and if there is an expiry afterwards, it is written.
        unsafe {
            if expires != expiry_ms.is_some() {
                self.move_for_expiry(expires);
            }
            if let Some(expiry_ms) = expiry_ms {
                self.block.add(EXPIRY_AT).cast::<u64>().write(expiry_ms);
            }
        }
    }

    /// Makes room for an expiry, not written yet, or closes the gap of the one that was there. All that follows the header
    /// moves by 8 bytes, so what was aligned stays so.
    ///
    /// # Safety
    /// `expires` says what the flag says; afterwards the caller writes an expiry if there was none.
    unsafe fn move_for_expiry(&mut self, expires: bool) {
        let size = Shape::of::<V>(self.block).size;
        let (from, to, new_size) = if expires { (16, 8, size - 8) } else { (8, 16, size + 8) };
        let mut block = self.block;
        // SAFETY: `size - from` bytes stand behind the header (and the expiry); the new block, or the old one of the same class, has
        // room for them at `to`. An object is moved with its bytes.
        unsafe {
            if memory::size_class(new_size) == memory::size_class(size) {
                block.add(to).as_ptr().copy_from(self.block.add(from).as_ptr(), size - from);
            } else {
                block = memory::allocate(new_size);
                block.as_ptr().copy_from_nonoverlapping(self.block.as_ptr(), HEADER);
                block.add(to).as_ptr().copy_from_nonoverlapping(self.block.add(from).as_ptr(), size - from);
                memory::free(self.block, size);
            }
            let flags = block.add(FLAGS_AT);
            flags.write(flags.read() ^ EXPIRES);
        }
        self.block = block;
    }

    /// Access to what can be changed without moving the entry.
    #[inline]
    pub fn as_mut(&mut self) -> EntryMut<'_, V> {
        EntryMut { block: self.block, owner: PhantomData }
    }
}

/// An exclusive reference to an [`Entry`] that cannot move it.
pub struct EntryMut<'a, V> {
    block: NonNull<u8>,
    owner: PhantomData<&'a mut Entry<V>>,
}

// SAFETY: it is a `&'a mut Entry<V>` that skips one hop.
unsafe impl<V: Send> Send for EntryMut<'_, V> {}
// SAFETY: as above.
unsafe impl<V: Sync> Sync for EntryMut<'_, V> {}

impl<'a, V> EntryMut<'a, V> {
    /// The object, if the value is one.
    #[inline]
    pub fn object(self) -> Option<&'a mut V> {
        let shape = Shape::of::<V>(self.block);
        // SAFETY: by the entry's invariant an object is there, and this is the only access for `'a`.
        (shape.form == Form::Object).then(|| unsafe { self.block.add(shape.value_at).cast::<V>().as_mut() })
    }

    /// The bytes of a string that stands in the entry.
    #[inline]
    pub fn str(self) -> Option<&'a mut [u8]> {
        let shape = Shape::of::<V>(self.block);
        // SAFETY: by the entry's invariant so many bytes are there, and this is the only access for `'a`.
        (shape.form == Form::Str).then(|| unsafe {
            std::slice::from_raw_parts_mut(self.block.add(shape.value_at).as_ptr(), shape.value_length)
        })
    }

    /// Type and bytes of a packed collection that stands in the entry.
    #[inline]
    pub fn packed(self) -> Option<(u8, &'a mut [u8])> {
        let shape = Shape::of::<V>(self.block);
        // SAFETY: by the entry's invariant the type is in the header and so many bytes are there, and this is the only access
        // for `'a`.
        (shape.form == Form::Packed).then(|| unsafe {
            let bytes = std::slice::from_raw_parts_mut(self.block.add(shape.value_at).as_ptr(), shape.value_length);
            (self.block.add(KIND_AT).read(), bytes)
        })
    }

    /// The integer, if the value is one.
    #[inline]
    pub fn int(self) -> Option<&'a mut i64> {
        let shape = Shape::of::<V>(self.block);
        // SAFETY: by the entry's invariant an aligned integer is there, and this is the only access for `'a`.
        (shape.form == Form::Int).then(|| unsafe { self.block.add(shape.value_at).cast::<i64>().as_mut() })
    }

    /// Sets the access clock to the low 24 bits of `clock`.
    #[inline]
    pub fn set_clock(&mut self, clock: u32) {
        shape::touch(self.block, clock);
    }

    /// Sets the snapshot epoch.
    #[inline]
    pub fn set_epoch(&mut self, epoch: u8) {
        // SAFETY: the epoch is in the header of a block that is borrowed alone.
        unsafe { self.block.add(EPOCH_AT).write(epoch) }
    }

    /// Sets the caller's four bits to the low ones of `marks`.
    #[inline]
    pub fn set_marks(&mut self, marks: u8) {
        // SAFETY: the flags are in the header of a block that is borrowed alone.
        unsafe {
            let flags = self.block.add(FLAGS_AT);
            flags.write(flags.read() & !(0xf << MARKS_AT) | marks << MARKS_AT);
        }
    }
}

/// An entry in a table: reads and changes go to the entry, and the slot follows when it moves.
impl<V: 'static> Slot<'_, Entry<V>> {
    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        self.item().key()
    }

    /// The value.
    #[inline]
    pub fn view(&self) -> View<'_, V> {
        self.item().view()
    }

    /// When the key expires, in milliseconds of unix time.
    #[inline]
    pub fn expiry_ms(&self) -> Option<u64> {
        self.item().expiry_ms()
    }

    /// See [`Entry::set_value`].
    #[inline]
    pub fn set_value(&mut self, value: Value<'_, V>) {
        self.update(|entry| entry.set_value(value));
    }

    /// See [`Entry::replace_value`].
    #[inline]
    pub fn replace_value(&mut self, value: Value<'_, V>) -> Option<V> {
        self.update(|entry| entry.replace_value(value))
    }

    /// See [`Entry::take_value`].
    pub fn take_value(&mut self) -> OwnedValue<V> {
        self.update(Entry::take_value)
    }

    /// Sets the expiry, or takes it away, and tells the table of the deadline.
    #[inline]
    pub fn set_expiry(&mut self, expiry_ms: Option<u64>) {
        self.update(|entry| entry.set_expiry(expiry_ms));
        if let Some(expiry_ms) = expiry_ms {
            self.note_deadline(expiry_ms);
        }
    }

    /// Access to what can be changed without moving the entry.
    #[inline]
    pub fn as_mut(&mut self) -> EntryMut<'_, V> {
        EntryMut { block: self.pointer(), owner: PhantomData }
    }

    /// The object, if the value is one.
    #[inline]
    pub fn object_mut(&mut self) -> Option<&mut V> {
        self.as_mut().object()
    }

    /// The bytes of a string that stands in the entry.
    #[inline]
    pub fn str_mut(&mut self) -> Option<&mut [u8]> {
        self.as_mut().str()
    }

    /// Type and bytes of a packed collection that stands in the entry.
    #[inline]
    pub fn packed_mut(&mut self) -> Option<(u8, &mut [u8])> {
        self.as_mut().packed()
    }

    /// The integer, if the value is one.
    #[inline]
    pub fn int_mut(&mut self) -> Option<&mut i64> {
        self.as_mut().int()
    }

    /// See [`EntryMut::set_clock`].
    #[inline]
    pub fn set_clock(&mut self, clock: u32) {
        self.as_mut().set_clock(clock);
    }

    /// See [`EntryMut::set_epoch`].
    #[inline]
    pub fn set_epoch(&mut self, epoch: u8) {
        self.as_mut().set_epoch(epoch);
    }

    /// See [`EntryMut::set_marks`].
    #[inline]
    pub fn set_marks(&mut self, marks: u8) {
        self.as_mut().set_marks(marks);
    }
}
