//! A hash table of thin pointers that grows a segment at a time: short pauses, little overhead, scans that survive growth.
//!
//! ```text
//! hash, top bits → pages of the directory → segment (1 to 64 buckets) → bucket (64 bytes: 9 tags, 9 pointers) → item
//! hash, the bits behind those → tag
//! ```
//!
//! Segments and buckets are ranges of hashes in order, whatever their number. So the cursor of a scan is a hash, "all below have
//! been shown", and splits, merges and resizes between two steps cannot make it miss an item. A new table allocates
//! nothing; its first segment doubles from one bucket (64 bytes) to 64, then segments split.
//!
//! An item that finds its bucket full stands in one of the next six, and the bucket counts such guests, so a look-up reads
//! a second line only where it must. At an average of 88 % full this concerns 7 of 100 items.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::Keyed;

mod bucket;
mod directory;
mod iterate;
mod page;
mod pool;
mod segment;
mod slot;
mod sweep;
mod tape;

pub use iterate::{IntoIter, Iter};
pub use slot::{Lookup, Slot, VacantSlot};
pub use sweep::Sweep;

use bucket::Bucket;
pub(crate) use directory::prefetch;
use directory::{Directory, pointer};
use segment::{Segment, Spot};

/// A hash table of items, each found by its key and the key's [`crate::hash`], which the caller computes once.
///
/// An item is added, found, changed or removed in constant time; one insertion or removal in some hundred moves the pointers of a
/// segment (about 500 items, ≈10 µs), never more.
pub struct Table<T: Keyed> {
    /// Owns the slots; `self` owns the items in them.
    directory: Directory,
    /// The walk that is on, if one is.
    tape: Option<Box<tape::Tape<T>>>,
    items: PhantomData<T>,
}

impl<T: Keyed> Table<T> {
    /// An empty table; allocates nothing.
    pub fn new() -> Table<T> {
        Table { directory: Directory::new(), tape: None, items: PhantomData }
    }

    /// An empty table with room for about `items` items, made in one go.
    pub fn with_capacity(items: usize) -> Table<T> {
        Table { directory: Directory::with_capacity(items), tape: None, items: PhantomData }
    }

    /// Number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.directory.len
    }

    /// Whether there are no items.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the table takes besides itself and its items.
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.directory.bytes
    }

    /// Asks the memory for the bucket of `hash`. Batches do this for all their keys, then [`Home::prefetch_item`] for
    /// all, then look up: the waits overlap.
    #[inline]
    pub fn prefetch(&self, hash: u64) -> Home<'_, T> {
        let (segment, home, tag) = self.directory.locate(hash);
        let bucket = segment.bucket(home);
        prefetch(bucket as u64);
        // SAFETY: `home` is in the segment, and `&self` keeps it from being changed.
        Home { bucket: unsafe { &*bucket }, segment, home, tag, items: PhantomData }
    }

    /// The item with `key`.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<T::Ref<'_>> {
        let spot = self.spot(hash, key)?;
        // SAFETY: the spot is taken, and `&self` keeps the item there unchanged.
        Some(unsafe { T::view(self.pointer(spot)) })
    }

    /// The slot of the item with `key`, through which it can be changed or removed.
    #[inline]
    pub fn find(&mut self, hash: u64, key: &[u8]) -> Option<Slot<'_, T>> {
        let spot = self.spot(hash, key)?;
        Some(Slot::new(self, hash, spot))
    }

    /// The slot of the item with `key`, or where to insert it.
    #[inline]
    pub fn entry(&mut self, hash: u64, key: &[u8]) -> Lookup<'_, T> {
        match self.spot(hash, key) {
            Some(spot) => Lookup::Found(Slot::new(self, hash, spot)),
            None => Lookup::Vacant(VacantSlot::new(self, hash)),
        }
    }

    /// Inserts an item whose key the table does not hold: the caller has looked.
    #[inline]
    pub fn insert_new(&mut self, hash: u64, item: T) -> T::Ref<'_> {
        let spot = self.place(hash, item);
        // SAFETY: the spot was just taken, and the returned reference keeps `self` borrowed.
        unsafe { T::view(self.pointer(spot)) }
    }

    /// Takes the item with `key` out.
    #[inline]
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        Some(self.find(hash, key)?.remove())
    }

    /// Frees all items and all memory.
    pub fn clear(&mut self) {
        *self = Table::new();
    }

    /// Takes all items out, leaving an empty table.
    pub fn drain(&mut self) -> IntoIter<T> {
        std::mem::take(self).into_iter()
    }

    /// Visits all items in the order of their hashes.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// Puts an item into a free slot.
    #[inline]
    fn place(&mut self, hash: u64, item: T) -> Spot {
        let raw = item.into_raw();
        self.before_insertion(hash, raw);
        let address = raw.as_ptr().expose_provenance() as u64;
        // SAFETY: all items are of type `T`, and the hash is that of the new one (else look-ups miss it, no more).
        unsafe { self.directory.insert(hash, address, T::hash) }
    }

    /// Where the item with `key` stands. Not inlined: every look-up comes through here.
    #[inline(never)]
    fn spot(&self, hash: u64, key: &[u8]) -> Option<Spot> {
        let (segment, home, tag) = self.directory.locate(hash);
        // SAFETY: `home` is in the segment, and `&self` keeps it unchanged.
        unsafe {
            if let Some(spot) = find_in::<T>(segment, home, tag, key) {
                return Some(spot);
            }
            if !(*segment.bucket(home)).may_have_guest(tag) {
                return None;
            }
            find_guest::<T>(segment, home, tag, key)
        }
    }

    /// The item at a taken spot.
    #[inline]
    fn pointer(&self, spot: Spot) -> NonNull<u8> {
        // SAFETY: spots are taken slots of segments that live as long as `self` is not changed.
        unsafe { pointer((*spot.bucket).address(spot.slot)) }
    }
}

/// The bucket that a look-up begins with, on its way from memory.
pub struct Home<'a, T: Keyed> {
    bucket: &'a Bucket,
    segment: Segment,
    home: usize,
    tag: u8,
    items: PhantomData<&'a T>,
}

impl<'a, T: Keyed> Home<'a, T> {
    /// The first item that may be the one with the hash: it often is, but nobody has looked at its key. Good for a hint only.
    #[inline]
    pub fn likely_item(&self) -> Option<T::Ref<'a>> {
        let matches = self.bucket.matches(self.tag);
        // SAFETY: slots that match a tag (never 0) hold items of type `T`, and the table stays borrowed for `'a`.
        (matches != 0).then(|| unsafe { T::view(pointer(self.bucket.address(matches.trailing_zeros() as usize))) })
    }

    /// Asks the memory for the first item that may be the one with the hash.
    #[inline]
    pub fn prefetch_item(&self) {
        let mut matches = self.bucket.matches(self.tag);
        let mut bucket = self.bucket;
        if matches == 0 && self.bucket.may_have_guest(self.tag) {
            for distance in 1..=self.bucket.reach().min(bucket::NEAR) {
                // SAFETY: `behind` stays in the segment, which the borrowed table keeps unchanged.
                bucket = unsafe { &*self.segment.bucket(self.segment.behind(self.home, distance)) };
                matches = bucket.matches(self.tag);
                if matches != 0 {
                    break;
                }
            }
        }
        if matches != 0 {
            let address = bucket.address(matches.trailing_zeros() as usize);
            prefetch(address);
            // Half of the 40-byte entries reach into a second line.
            prefetch(address + 32);
            // With a value of 64 bytes they reach into a third one.
            prefetch(address + 80);
        }
    }
}

/// Looks for an item in one bucket.
///
/// # Safety
/// The segment is alive, holds items of type `T`, and is not changed meanwhile; `index` is in it.
#[inline(always)]
unsafe fn find_in<T: Keyed>(segment: Segment, index: usize, tag: u8, key: &[u8]) -> Option<Spot> {
    let bucket = segment.bucket(index);
    // SAFETY: by the caller's promise, and the slots that match a tag (never 0) are taken.
    unsafe {
        let mut matches = (*bucket).matches(tag);
        while matches != 0 {
            let slot = matches.trailing_zeros() as usize;
            if same(T::key(pointer((*bucket).address(slot))), key) {
                return Some(Spot { bucket, slot });
            }
            matches &= matches - 1;
        }
    }
    None
}

/// Looks for an item of a home that has guests elsewhere.
///
/// # Safety
/// As for `find_in`.
#[cold]
unsafe fn find_guest<T: Keyed>(segment: Segment, home: usize, tag: u8, key: &[u8]) -> Option<Spot> {
    // SAFETY: `home` is in the segment.
    let reach = unsafe { (*segment.bucket(home)).reach() };
    let reach = if reach == bucket::FAR { segment.count - 1 } else { reach };
    // SAFETY: the same promise; `behind` stays in the segment.
    (1..=reach).find_map(|distance| unsafe { find_in::<T>(segment, segment.behind(home, distance), tag, key) })
}

/// Whether two keys are equal. Up to 32 bytes, which is most keys, they are compared in a few words without a call.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    let length = a.len();
    if length != b.len() {
        return false;
    }
    let differ = |at: usize| {
        let word = |text: &[u8]| u64::from_ne_bytes(text[at..at + 8].try_into().expect("eight bytes"));
        word(a) ^ word(b)
    };
    match length {
        8..=16 => differ(0) | differ(length - 8) == 0,
        17..=32 => differ(0) | differ(8) | differ(length - 16) | differ(length - 8) == 0,
        4..=7 => {
            let word = |text: &[u8], at: usize| u32::from_ne_bytes(text[at..at + 4].try_into().expect("four bytes"));
            word(a, 0) == word(b, 0) && word(a, length - 4) == word(b, length - 4)
        }
        0..=3 => (0..length).all(|at| a[at] == b[at]),
        _ => a == b,
    }
}

impl<T: Keyed> Default for Table<T> {
    fn default() -> Self {
        Table::new()
    }
}

impl<T: Keyed> Drop for Table<T> {
    fn drop(&mut self) {
        self.directory.for_each_segment(|path| {
            // SAFETY: every taken slot owns an item of type `T`; after this nobody looks at the slots again.
            unsafe {
                path.node.segment().prefetch_items();
                path.node.segment().for_each(|spot| drop(T::from_raw(pointer((*spot.bucket).address(spot.slot)))));
            }
        });
    }
}

#[cfg(test)]
mod tests;
