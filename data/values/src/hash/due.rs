//! Fields whose deadline has passed: when to look for them, and taking them out.

use super::{Fields, Hash};
use ochre_collections::{Field, FieldRef, Sweep};

/// The lag that hashes with many deadlines are given, ms: looking at a segment of the table costs the same for one due field as for many.
const LAG_MS_MAX: u64 = 300;
/// Fields with deadlines, for each ms of lag.
const DEADLINES_PER_LAG_MS: usize = 100;

impl Hash {
    /// When the active expiry is to look at the hash, Unix ms: at the earliest deadline of a field, or soon after it where there
    /// are so many that several are taken out together. O(1); may be too early where a deadline was taken away.
    #[inline]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        match self {
            Hash::Packed(_) => None,
            Hash::Table(fields) => fields.next_expiry_ms(),
        }
    }

    /// Takes out fields whose deadline has passed, naming each to `on_removed`; answers how many.
    ///
    /// Looks at no more than `budget` segments of the table (of at most 500 fields), which is counted down. When that was not
    /// enough, `next_expiry_ms` has passed still.
    pub fn remove_due_fields(&mut self, now_ms: u64, budget: &mut usize, on_removed: &mut dyn FnMut(&[u8])) -> usize {
        match self {
            Hash::Packed(_) => 0,
            Hash::Table(fields) => fields.remove_due(now_ms, budget, on_removed),
        }
    }
}

impl Fields {
    #[inline]
    fn next_expiry_ms(&self) -> Option<u64> {
        if self.deadlines == 0 {
            return None;
        }
        let lag_ms = ((self.deadlines / DEADLINES_PER_LAG_MS) as u64).min(LAG_MS_MAX);
        Some(self.table.earliest_deadline_ms().saturating_add(lag_ms))
    }

    fn remove_due(&mut self, now_ms: u64, budget: &mut usize, on_removed: &mut dyn FnMut(&[u8])) -> usize {
        let mut sweeper = Sweeper { now_ms, on_removed, removed: 0 };
        // The search goes on where the last one stopped, so once more from the beginning unless that was it.
        let mut beginnings = if self.resume == 0 { 1 } else { 2 };
        while *budget > 0 && beginnings > 0 {
            match self.table.sweep_due(now_ms, &mut self.resume, &mut sweeper) {
                Some(_) => *budget -= 1,
                None => beginnings -= 1,
            }
        }
        let removed = sweeper.removed;
        self.deadlines -= removed;
        removed
    }
}

struct Sweeper<'s> {
    now_ms: u64,
    on_removed: &'s mut dyn FnMut(&[u8]),
    removed: usize,
}

impl Sweep<Field> for Sweeper<'_> {
    fn keep(&mut self, field: FieldRef<'_>) -> Option<u64> {
        match field.expiry_ms() {
            Some(deadline_ms) => (deadline_ms > self.now_ms).then_some(deadline_ms),
            None => Some(u64::MAX),
        }
    }

    fn removed(&mut self, field: Field) {
        self.removed += 1;
        (self.on_removed)(field.name());
    }
}
