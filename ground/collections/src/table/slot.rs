//! Handles to one place of a table: an item to change or remove, or room for a new one.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::Table;
use super::directory::pointer;
use super::segment::Spot;
use crate::Keyed;

/// What [`Table::entry`] found.
pub enum Lookup<'a, T: Keyed> {
    /// The item is there.
    Found(Slot<'a, T>),
    /// It is not; here it can be inserted.
    Vacant(VacantSlot<'a, T>),
}

/// A slot of a table that holds an item.
pub struct Slot<'a, T: Keyed> {
    table: &'a mut Table<T>,
    hash: u64,
    /// Invariant: taken by an item whose hash leads to its segment, as long as `table` is borrowed.
    spot: Spot,
}

impl<'a, T: Keyed> Slot<'a, T> {
    #[inline]
    pub(super) fn new(table: &'a mut Table<T>, hash: u64, spot: Spot) -> Slot<'a, T> {
        Slot { table, hash, spot }
    }

    /// The item.
    #[inline]
    pub fn item(&self) -> T::Ref<'_> {
        // SAFETY: the item stays as it is while `self` is borrowed.
        unsafe { T::view(self.pointer()) }
    }

    /// The item, for as long as the table is borrowed.
    #[inline]
    pub fn into_item(self) -> T::Ref<'a> {
        // SAFETY: `self`, which held the table alone, is gone, and the table stays borrowed for `'a`.
        unsafe { T::view(self.pointer()) }
    }

    /// Lets `change` change the item, which may then live elsewhere in memory; the slot follows. Its key must stay, else it
    /// is not found any more.
    #[inline]
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let raw = self.pointer();
        self.table.before_change(self.hash, raw);
        // SAFETY: the slot owns the item, and `&mut` makes this the only access. `Loan` puts it back.
        let mut loan = Loan { item: ManuallyDrop::new(unsafe { T::from_raw(self.pointer()) }), spot: self.spot };
        change(&mut loan.item)
    }

    /// Puts `item`, which has the same key, in the place of the one that is there; returns that one.
    #[inline]
    pub fn replace(&mut self, item: T) -> T {
        self.update(|own| std::mem::replace(own, item))
    }

    /// Takes the item out.
    #[inline]
    pub fn remove(self) -> T {
        let raw = self.pointer();
        self.table.before_change(self.hash, raw);
        // SAFETY: by the invariant the spot belongs to the hash; the item leaves the table, so it is owned once.
        unsafe { T::from_raw(pointer(self.table.directory.remove(self.hash, self.spot, T::hash))) }
    }

    /// The hash by which the item was found.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Notes that the item expires at `deadline_ms`: see [`Table::note_deadline`].
    #[inline]
    pub fn note_deadline(&mut self, deadline_ms: u64) {
        self.table.note_deadline(self.hash, deadline_ms);
    }

    /// The item's block.
    #[inline]
    pub(crate) fn pointer(&self) -> NonNull<u8> {
        self.table.pointer(self.spot)
    }
}

/// An item that is being changed; goes back into its slot when `change` returns or panics.
pub(super) struct Loan<T: Keyed> {
    pub(super) item: ManuallyDrop<T>,
    pub(super) spot: Spot,
}

impl<T: Keyed> Drop for Loan<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken once, as this is the only drop.
        let item = unsafe { ManuallyDrop::take(&mut self.item) };
        let address = item.into_raw().as_ptr().expose_provenance() as u64;
        // SAFETY: whoever made the loan keeps the table borrowed, so the slot is still there.
        unsafe {
            if (*self.spot.bucket).address(self.spot.slot) != address {
                (*self.spot.bucket).set_address(self.spot.slot, address);
            }
        }
    }
}

/// Room for an item that is not there yet.
pub struct VacantSlot<'a, T: Keyed> {
    table: &'a mut Table<T>,
    hash: u64,
}

impl<'a, T: Keyed> VacantSlot<'a, T> {
    #[inline]
    pub(super) fn new(table: &'a mut Table<T>, hash: u64) -> VacantSlot<'a, T> {
        VacantSlot { table, hash }
    }

    /// Inserts `item`, which must have the key that was looked for; returns its slot.
    #[inline]
    pub fn insert(self, item: T) -> Slot<'a, T> {
        let spot = self.table.place(self.hash, item);
        Slot { table: self.table, hash: self.hash, spot }
    }
}
