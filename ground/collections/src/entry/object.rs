//! A slot whose entry holds an object, found once for many looks and changes.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::Entry;
use crate::Slot;

/// The object of an entry in a table, to read and change, and its slot.
pub struct ObjectSlot<'a, V: 'static> {
    /// Lent out shared only, so that the entry stays where it is.
    slot: Slot<'a, Entry<V>>,
    /// Invariant: the object in the entry of `slot`.
    object: NonNull<V>,
}

impl<'a, V: 'static> Slot<'a, Entry<V>> {
    /// The slot with its object, or the slot again when the value is none.
    #[inline]
    pub fn into_object(mut self) -> Result<ObjectSlot<'a, V>, Slot<'a, Entry<V>>> {
        match self.object_mut().map(NonNull::from) {
            Some(object) => Ok(ObjectSlot { slot: self, object }),
            None => Err(self),
        }
    }
}

impl<'a, V: 'static> ObjectSlot<'a, V> {
    /// The slot, to read what else the entry holds.
    #[inline]
    pub fn slot(&self) -> &Slot<'a, Entry<V>> {
        &self.slot
    }

    /// The slot alone, to change or remove the entry.
    #[inline]
    pub fn into_slot(self) -> Slot<'a, Entry<V>> {
        self.slot
    }
}

impl<V: 'static> Deref for ObjectSlot<'_, V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        // SAFETY: by the invariant the object is there; nothing changes or moves the entry while the slot is held and only
        // lent out shared, and whoever changes the object borrows `self` alone.
        unsafe { self.object.as_ref() }
    }
}

impl<V: 'static> DerefMut for ObjectSlot<'_, V> {
    #[inline]
    fn deref_mut(&mut self) -> &mut V {
        // SAFETY: as above, and `&mut self` makes it the only access.
        unsafe { self.object.as_mut() }
    }
}
