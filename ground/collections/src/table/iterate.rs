//! Walks: all items at once, in steps with a cursor, by chance, and with removal.

use super::Table;
use super::bucket::SLOTS;
use super::directory::{is_sparse, pointer};
use super::page::NEVER_MS;
use super::segment::{Segment, Spot};
use super::slot::Loan;
use crate::{Keyed, Random};

impl<T: Keyed> Table<T> {
    /// Visits the items of the bucket at `cursor` and returns the cursor of the next one; begin with 0, which also
    /// means the end. Bounded work: up to 9 items, rarely more.
    ///
    /// Every item that is in the table from the first call to the last is visited at least once, however the table grows and
    /// shrinks between the calls; some may be visited more than once. Cursors are below 2⁴⁸, and any number is accepted as one.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(T::Ref<'_>)) -> u64 {
        // The cursor is a hash without its last 16 bits: buckets begin at multiples of 2¹⁶.
        let position = cursor << 16;
        let (path, _) = self.directory.segment_at(position);
        let segment = path.node.segment();
        let home = segment.home(path.rest);
        // SAFETY: taken slots hold items of type `T`, and `&self` keeps them unchanged.
        unsafe { segment.for_each_of_home(home, |at| self.home_of(at), |at| visit(T::view(pointer(at)))) };
        let end = u128::from(path.start(position)) + ((u128::from(segment.end_of(home)) * path.size()) >> 24);
        // The end of all hashes, 2⁶⁴, becomes 0.
        (end >> 16) as u64 & (u64::MAX >> 16)
    }

    /// The home of the item at an address, in its segment.
    ///
    /// # Safety
    /// An item of the table is there.
    pub(super) unsafe fn home_of(&self, address: u64) -> usize {
        // SAFETY: all items are of type `T`.
        self.directory.locate(unsafe { T::hash(pointer(address)) }).1
    }

    /// An item by chance, evenly but for a few percent (exactly so in tables below 500 items); `random` is any random number.
    pub fn random(&self, random: u64) -> Option<T::Ref<'_>> {
        if self.is_empty() {
            return None;
        }
        let mut row = Random::new(random);
        // A segment in proportion to its range of hashes, then a slot in it: so a bucket that is fuller than others does not
        // make its items rarer. Tables are at least 30 % full nearly everywhere, so few tries are needed.
        for _ in 0..64 {
            let (path, _) = self.directory.segment_at(row.next());
            let items = self.directory.items(&path);
            let segment = path.node.segment();
            for _ in 0..if items == 0 { 0 } else { 64 } {
                let random = row.next();
                let index = ((random >> 32) * segment.count as u64) >> 32;
                let slot = ((random & 0xffff_ffff) * SLOTS as u64) >> 32;
                // SAFETY: the index is below the number of buckets; a slot that is taken holds an item of type `T`.
                unsafe {
                    let bucket = &*segment.bucket(index as usize);
                    if bucket.taken() >> slot & 1 == 1 {
                        return Some(T::view(pointer(bucket.address(slot as usize))));
                    }
                }
            }
        }
        // Nearly empty: the next one in order.
        Iter::from(self, row.next()).next().or_else(|| self.iter().next())
    }

    /// Shows items that stand together at a place by chance, until `visit` has said `wanted` times that it could use one or
    /// there were enough to see: at most a few dozen. Neighbours in hash order have nothing else in common, so they are as
    /// good a sample as any, and their waits for memory overlap.
    pub fn sample(&self, random: u64, wanted: usize, visit: &mut dyn FnMut(T::Ref<'_>) -> bool) {
        if !self.is_empty() {
            self.sample_at(Random::new(random).next(), SAMPLED_BUCKETS_MAX, wanted, visit);
        }
    }

    /// As `sample`, among those segments in which something may expire at some time, where `sample` would have to look for long.
    pub fn sample_expiring(&self, random: u64, wanted: usize, visit: &mut dyn FnMut(T::Ref<'_>) -> bool) {
        let random = Random::new(random).next();
        let after = |position| self.directory.next_due(position, NEVER_MS - 1);
        let mut position = Some(random);
        let mut used = 0;
        // Deadlines of segments are lower bounds: some have nothing left that expires.
        for _ in 0..SAMPLED_SEGMENTS_MAX {
            let Some(start) = position.and_then(after).or_else(|| after(0)) else { return };
            let (path, end) = self.directory.segment_at(start);
            // Any bucket of the segment, so that the first ones are not always those that go.
            let inside = start | random & ((path.size() - 1) as u64);
            self.sample_at(inside, usize::MAX, wanted, &mut |item| {
                let uses = visit(item);
                used += usize::from(uses);
                uses
            });
            if used > 0 {
                return;
            }
            position = end;
        }
    }

    fn sample_at(&self, position: u64, buckets_max: usize, wanted: usize, visit: &mut dyn FnMut(T::Ref<'_>) -> bool) {
        let (path, _) = self.directory.segment_at(position);
        if path.node.is_nothing() {
            return;
        }
        let segment = path.node.segment();
        let home = segment.home(path.rest);
        let mut used = 0;
        for distance in 0..segment.count.min(buckets_max) {
            let index = (home + distance) % segment.count;
            // SAFETY: the index is in the segment, which `&self` keeps unchanged; slots that are taken hold items of type `T`.
            unsafe {
                let bucket = &*segment.bucket(index);
                bucket.prefetch_items();
                let mut taken = bucket.taken();
                while taken != 0 {
                    used += usize::from(visit(T::view(pointer(bucket.address(taken.trailing_zeros() as usize)))));
                    taken &= taken - 1;
                }
            }
            if used >= wanted {
                return;
            }
        }
    }

    /// Keeps the items for which `keep` says so and frees the others. `keep` may change an item, but not its key.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut position = Some(0);
        let mut sparse = Vec::new();
        while let Some(start) = position {
            let (path, end) = self.directory.segment_at(start);
            let segment = path.node.segment();
            let mut taken = Taken { table: self, path, count: 0 };
            // SAFETY: taken slots own items of type `T`, and `&mut self` makes this the only access. `Loan` and `Taken`
            // leave the table whole when `keep` or a drop panics.
            unsafe {
                segment.prefetch_items();
                segment.for_each(|spot| {
                    let raw = pointer((*spot.bucket).address(spot.slot));
                    if taken.table.is_walked() {
                        taken.table.before_change(T::hash(raw), raw);
                    }
                    let item = T::from_raw(raw);
                    let mut loan = Loan { item: std::mem::ManuallyDrop::new(item), spot };
                    let stays = keep(&mut loan.item);
                    drop(loan);
                    if !stays {
                        let address = segment.take(spot);
                        taken.count += 1;
                        drop(T::from_raw(pointer(address)));
                    }
                });
            }
            let went = taken.count > 0;
            drop(taken);
            if went && is_sparse(segment, self.directory.items(&path)) {
                sparse.push(start);
            }
            position = end;
        }
        // Only now, because a merge would mix items that were visited with others.
        for start in sparse {
            // SAFETY: all items are of type `T`.
            unsafe { self.directory.shrink(start, T::hash) };
        }
    }
}

/// Segments that a sample of what expires looks into at most, ≈5 µs each.
const SAMPLED_SEGMENTS_MAX: usize = 32;

/// Buckets that a sample looks into at most: ≈50 items.
const SAMPLED_BUCKETS_MAX: usize = 8;

/// Counts what a walk takes out of a segment, and notes it in the end.
pub(super) struct Taken<'a, T: Keyed> {
    pub(super) table: &'a mut Table<T>,
    pub(super) path: super::directory::Path,
    pub(super) count: usize,
}

impl<T: Keyed> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        self.table.directory.note_taken(&self.path, self.count);
    }
}

/// Where a walk over all slots stands.
struct Walk {
    segment: Segment,
    /// The bucket that comes next.
    next: usize,
    /// The slots of the current one that are still to come.
    taken: u32,
    /// Where the next segment begins.
    position: Option<u64>,
}

impl Walk {
    fn from(position: u64) -> Walk {
        let segment = Segment { buckets: std::ptr::null_mut(), count: 0 };
        Walk { segment, next: 0, taken: 0, position: Some(position) }
    }

    #[inline]
    fn next<T: Keyed>(&mut self, table: &Table<T>) -> Option<Spot> {
        while self.taken == 0 {
            if self.next == self.segment.count {
                let (path, end) = table.directory.segment_at(self.position?);
                self.segment = path.node.segment();
                self.position = end;
                self.next = 0;
            }
            // SAFETY: the bucket is in a segment of the table, which is borrowed unchanged between the calls.
            self.taken = unsafe { (*self.segment.bucket(self.next)).taken() };
            self.next += 1;
            if self.next < self.segment.count {
                // SAFETY: as above.
                unsafe { (*self.segment.bucket(self.next)).prefetch_items() };
            }
        }
        let slot = self.taken.trailing_zeros() as usize;
        self.taken &= self.taken - 1;
        Some(Spot { bucket: self.segment.bucket(self.next - 1), slot })
    }
}

/// All items of a table, in the order of their hashes.
pub struct Iter<'a, T: Keyed> {
    table: &'a Table<T>,
    walk: Walk,
}

// SAFETY: it is a shared borrow of the table; the addresses in `walk` lead nowhere else.
unsafe impl<T: Keyed + Sync> Send for Iter<'_, T> {}

impl<'a, T: Keyed> Iter<'a, T> {
    pub(super) fn new(table: &'a Table<T>) -> Iter<'a, T> {
        Iter::from(table, 0)
    }

    fn from(table: &'a Table<T>, position: u64) -> Iter<'a, T> {
        Iter { table, walk: Walk::from(position) }
    }
}

impl<'a, T: Keyed> Iterator for Iter<'a, T> {
    type Item = T::Ref<'a>;

    #[inline]
    fn next(&mut self) -> Option<T::Ref<'a>> {
        let spot = self.walk.next(self.table)?;
        // SAFETY: the table is borrowed for `'a`, so the item stays as it is.
        Some(unsafe { T::view(self.table.pointer(spot)) })
    }
}

impl<'a, T: Keyed> IntoIterator for &'a Table<T> {
    type Item = T::Ref<'a>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// All items of a table that is taken apart. What is not taken is freed in the end.
pub struct IntoIter<T: Keyed> {
    table: Table<T>,
    walk: Walk,
}

// SAFETY: it owns the table; the addresses in `walk` lead nowhere else.
unsafe impl<T: Keyed + Send> Send for IntoIter<T> {}

impl<T: Keyed> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let spot = self.walk.next(&self.table)?;
        let item = self.table.pointer(spot);
        self.table.directory.len -= 1;
        // SAFETY: the slot owned the item; freed now, it gives it to the caller alone. Guests and segment counts are
        // wrong from here on, but nobody can look anything up or insert any more.
        unsafe {
            (*spot.bucket).take(spot.slot);
            Some(T::from_raw(item))
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.table.len(), Some(self.table.len()))
    }
}

impl<T: Keyed> ExactSizeIterator for IntoIter<T> {}

impl<T: Keyed> IntoIterator for Table<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { table: self, walk: Walk::from(0) }
    }
}
