//! The field of a hash: name, value and an optional expiry in one heap block.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::{Keyed, Shared, length_bytes, read_length, write_length};
use crate::memory;

/// A field of a hash: a name, a value and perhaps a moment at which it expires.
pub struct Field {
    /// Invariant: a block with one byte [`PLAIN`] or [`EXPIRES`], in the latter case 8 bytes of expiry, then the
    /// lengths of name and value, then both.
    block: NonNull<u8>,
}

const PLAIN: u8 = 0;
const EXPIRES: u8 = 8;

// SAFETY: the block is owned; shared references only read.
unsafe impl Send for Field {}
// SAFETY: as above.
unsafe impl Sync for Field {}

impl Field {
    /// Copies name and value (each fewer than 2³² bytes) into one block; `expiry_ms` is unix time.
    pub fn new(name: &[u8], value: &[u8], expiry_ms: Option<u64>) -> Field {
        let block = memory::allocate(size(name.len(), value.len(), expiry_ms.is_some()));
        // SAFETY: the block has room for everything that is written in turn, and is new, so it overlaps no argument.
        unsafe {
            let mut at = block.as_ptr();
            at.write(if expiry_ms.is_some() { EXPIRES } else { PLAIN });
            at = at.add(1);
            if let Some(expiry_ms) = expiry_ms {
                at.cast::<u64>().write_unaligned(expiry_ms);
                at = at.add(8);
            }
            at = write_length(at, name.len());
            at = write_length(at, value.len());
            at.copy_from_nonoverlapping(name.as_ptr(), name.len());
            at.add(name.len()).copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
        Field { block }
    }

    /// The field's name.
    #[inline]
    pub fn name(&self) -> &[u8] {
        self.shared().name()
    }

    /// The field's value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        self.shared().value()
    }

    /// When the field expires, in milliseconds of unix time.
    #[inline]
    pub fn expiry_ms(&self) -> Option<u64> {
        self.shared().expiry_ms()
    }

    /// Replaces the value; in place where the new one is as long, else in a new block.
    pub fn set_value(&mut self, value: &[u8]) {
        let old = self.value();
        if old.len() == value.len() {
            let offset = old.as_ptr().addr() - self.block.as_ptr().addr();
            // SAFETY: the old value stands at `offset` in the owned block and is as long; `&mut` makes this the only access.
            unsafe { self.block.as_ptr().add(offset).copy_from_nonoverlapping(value.as_ptr(), value.len()) }
        } else {
            *self = Field::new(self.name(), value, self.expiry_ms());
        }
    }

    /// Sets or takes away the expiry; in place where there was one before and is one after.
    pub fn set_expiry_ms(&mut self, expiry_ms: Option<u64>) {
        match (self.expiry_ms(), expiry_ms) {
            // SAFETY: the expiry stands in the owned block after the first byte; `&mut` makes this the only access.
            (Some(_), Some(new)) => unsafe { self.block.as_ptr().add(1).cast::<u64>().write_unaligned(new) },
            (None, None) => {}
            _ => *self = Field::new(self.name(), self.value(), expiry_ms),
        }
    }

    /// Bytes of memory that the field takes.
    pub fn memory_bytes(&self) -> usize {
        self.shared().memory_bytes()
    }

    #[inline]
    fn shared(&self) -> FieldRef<'_> {
        FieldRef(Shared { block: self.block, owner: PhantomData })
    }
}

/// Content bytes of a field's block.
fn size(name: usize, value: usize, expires: bool) -> usize {
    1 + if expires { 8 } else { 0 } + length_bytes(name) + length_bytes(value) + name + value
}

impl Drop for Field {
    fn drop(&mut self) {
        let bytes = self.shared().size();
        // SAFETY: by the invariant this is the size that `new` allocated.
        unsafe { memory::free(self.block, bytes) }
    }
}

/// A shared reference to a [`Field`].
#[derive(Clone, Copy)]
pub struct FieldRef<'a>(Shared<'a, Field>);

impl<'a> FieldRef<'a> {
    /// The field's name.
    #[inline]
    pub fn name(self) -> &'a [u8] {
        self.parts().0
    }

    /// The field's value.
    #[inline]
    pub fn value(self) -> &'a [u8] {
        self.parts().1
    }

    /// When the field expires, in milliseconds of unix time.
    #[inline]
    pub fn expiry_ms(self) -> Option<u64> {
        let at = self.0.block.as_ptr();
        // SAFETY: the block is alive for `'a`; its first byte says whether an expiry follows.
        unsafe { (at.read() == EXPIRES).then(|| at.add(1).cast::<u64>().read_unaligned()) }
    }

    /// Bytes of memory that the field takes.
    pub fn memory_bytes(self) -> usize {
        memory::size_class(self.size())
    }

    fn size(self) -> usize {
        size(self.name().len(), self.value().len(), self.expiry_ms().is_some())
    }

    #[inline]
    fn parts(self) -> (&'a [u8], &'a [u8]) {
        // SAFETY: the block is alive and unchanged for `'a`, and by the invariant holds both lengths and both texts.
        unsafe {
            let at = self.0.block.as_ptr();
            let (name, at) = read_length(at.add(1 + usize::from(at.read())));
            let (value, at) = read_length(at);
            (std::slice::from_raw_parts(at, name), std::slice::from_raw_parts(at.add(name), value))
        }
    }
}

// SAFETY: `memory::allocate` gives user-space addresses aligned to 8; a field's name never changes after `new`.
unsafe impl Keyed for Field {
    type Ref<'a> = FieldRef<'a>;

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).block
    }

    #[inline]
    unsafe fn from_raw(block: NonNull<u8>) -> Self {
        Field { block }
    }

    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> FieldRef<'a> {
        FieldRef(Shared { block: raw, owner: PhantomData })
    }

    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the same promise.
        unsafe { Self::view(raw) }.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..40),
            1 => prop::collection::vec(any::<u8>(), 250..260),
            1 => prop::collection::vec(any::<u8>(), 1000..1100)
        ]
    }

    proptest! {
        #[test]
        fn a_field_remembers_what_it_was_told_last(
            name in text(),
            first in text(),
            changes in prop::collection::vec((prop::option::of(text()), prop::option::of(prop::option::of(any::<u64>()))), 0..12),
        ) {
            let mut field = Field::new(&name, &first, None);
            let (mut value, mut expiry_ms) = (first, None);
            for (new_value, new_expiry) in changes {
                if let Some(new) = new_value {
                    field.set_value(&new);
                    value = new;
                }
                if let Some(new) = new_expiry {
                    field.set_expiry_ms(new);
                    expiry_ms = new;
                }
                prop_assert_eq!(field.name(), &name);
                prop_assert_eq!(field.value(), &value);
                prop_assert_eq!(field.expiry_ms(), expiry_ms);
                prop_assert!(field.memory_bytes() >= 3 + name.len() + value.len());
            }
        }
    }
}
