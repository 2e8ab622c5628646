//! Deadlines: finding the segments in which something expires, without an index of keys.
//!
//! Each segment knows a lower bound of its items' deadlines, and each page above it the lowest of those. A sweep visits a
//! segment whose bound has passed, looks at all its items, takes out those that the caller does not keep, and sets the
//! bound anew. Looking at an item costs ≈10 ns, because a segment's items are fetched together.
//!
//! The caller trades lag for work: with `until_ms` = now, each item that expires costs the visit of a segment (≈5 µs); with
//! `until_ms` = now − lag, a visit takes out all that expired during the lag.

use super::Table;
use super::directory::{is_sparse, pointer};
use super::iterate::Taken;
use super::page::NEVER_MS;
use crate::Keyed;

/// The resume position behind the last segment: no segment begins at the last of all hashes.
const END: u64 = u64::MAX;

/// What decides about items while [`Table::sweep_due`] visits them.
pub trait Sweep<T: Keyed> {
    /// Says whether the item stays: then `Some` of its deadline (`u64::MAX` for none), else `None`.
    fn keep(&mut self, item: T::Ref<'_>) -> Option<u64>;

    /// Receives an item that did not stay.
    fn removed(&mut self, item: T);
}

impl<T: Keyed> Table<T> {
    /// Notes that the item with `hash` expires at `deadline_ms`. To forget a deadline needs no call: it costs one visit.
    #[inline]
    pub fn note_deadline(&mut self, hash: u64, deadline_ms: u64) {
        if !self.is_empty() {
            self.directory.note_deadline(hash, deadline_ms);
        }
    }

    /// A lower bound of all deadlines; `u64::MAX` when nothing expires.
    #[inline]
    pub fn earliest_deadline_ms(&self) -> u64 {
        self.directory.deadline_ms()
    }

    /// Sweeps the next segment, from `resume` on, in which something may expire at or before `until_ms`; returns how many
    /// items it looked at (at most about 500). `None` means that there is no further one; the next call begins anew.
    ///
    /// `resume` is 0 in the beginning and then belongs to this function.
    pub fn sweep_due(&mut self, until_ms: u64, resume: &mut u64, sweep: &mut impl Sweep<T>) -> Option<usize> {
        let due = (*resume != END).then(|| self.directory.next_due(*resume, until_ms.min(NEVER_MS - 1))).flatten();
        let Some(start) = due else {
            *resume = 0;
            return None;
        };
        let (path, end) = self.directory.segment_at(start);
        *resume = end.unwrap_or(END);
        let segment = path.node.segment();
        let items = self.directory.items(&path);
        let mut taken = Taken { table: self, path, count: 0 };
        let mut deadline_ms = NEVER_MS;
        // SAFETY: taken slots own items of type `T`, and `&mut self` makes this the only access. An item is shown only
        // while it is in its slot, and is given away only after it left; `Taken` corrects the counts even after a panic,
        // when the old deadline stays, which is early enough.
        unsafe {
            segment.prefetch_items();
            segment.for_each(|spot| match sweep.keep(T::view(pointer((*spot.bucket).address(spot.slot)))) {
                Some(own_ms) => deadline_ms = deadline_ms.min(own_ms),
                None => {
                    if taken.table.is_walked() {
                        let raw = pointer((*spot.bucket).address(spot.slot));
                        taken.table.before_change(T::hash(raw), raw);
                    }
                    let address = segment.take(spot);
                    taken.count += 1;
                    sweep.removed(T::from_raw(pointer(address)));
                }
            });
        }
        drop(taken);
        self.directory.set_deadline(start, deadline_ms);
        if is_sparse(segment, self.directory.items(&path)) {
            // SAFETY: all items are of type `T`.
            if unsafe { self.directory.shrink(start, T::hash) } {
                // What it was merged with may still be to come, and begins before it now.
                *resume = self.directory.path(start).start(start);
            }
        }
        Some(items)
    }
}
