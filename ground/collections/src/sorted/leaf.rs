//! A leaf of the ordered tree: a row of members in order, with a short form of their scores beside their addresses.

use super::probe::{Probe, Tie, look};
use crate::item::ScoredPointer;
use crate::table::prefetch;

/// Members in a full leaf. With the two words of a reference count that a shared leaf will need, it fills a block of 768 bytes.
/// Tests use small ones, so that few members make a deep tree.
pub(super) const CAPACITY: usize = if cfg!(test) { 16 } else { 61 };

/// A row of members in order.
///
/// A score stands here once more as its distance from `base`, rounded to 32 bits. Both steps keep the order (of two scores, the larger
/// never gets the smaller distance), so a search reads the distances, which are together, and looks at members, which are
/// anywhere in memory, only where distances are equal: about one cache miss instead of six, for 4 bytes per member.
///
/// Invariant: the first `len` of `members` are in order and `distances` belong to them; `base` is finite.
pub(super) struct Leaf {
    base: f64,
    len: u16,
    distances: [f32; CAPACITY],
    members: [ScoredPointer; CAPACITY],
}

const _: () = assert!(size_of::<Leaf>() + 16 <= 768);

impl Leaf {
    /// A leaf of these members, which are in order, at least one and at most `CAPACITY`.
    pub(super) fn of(members: &[ScoredPointer]) -> Box<Leaf> {
        let mut leaf =
            Box::new(Leaf { base: 0.0, len: 0, distances: [0.0; CAPACITY], members: [members[0]; CAPACITY] });
        leaf.refill(members);
        leaf
    }

    /// Puts these members in the place of those that are here, and measures from the first score, where distances are most exact.
    pub(super) fn refill(&mut self, members: &[ScoredPointer]) {
        let first = look(members[0]).score();
        self.base = if first.is_finite() { first } else { 0.0 };
        self.len = 0;
        self.append(members);
    }

    /// Adds members, which follow those that are here and fit.
    fn append(&mut self, members: &[ScoredPointer]) {
        let (from, to) = (self.len(), self.len() + members.len());
        self.members[from..to].copy_from_slice(members);
        self.measure(from, to);
        self.len = to as u16;
    }

    fn measure(&mut self, from: usize, to: usize) {
        for (distance, member) in self.distances[from..to].iter_mut().zip(&self.members[from..to]) {
            *distance = (look(*member).score() - self.base) as f32;
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    pub(super) fn members(&self) -> &[ScoredPointer] {
        &self.members[..self.len()]
    }

    /// Asks the memory for all of it.
    #[inline]
    pub(super) fn prefetch(&self) {
        let address = std::ptr::from_ref(self).addr() as u64;
        (0..size_of::<Leaf>() as u64).step_by(64).for_each(|at| prefetch(address + at));
    }

    /// The number of members before the probe.
    #[inline]
    pub(super) fn position(&self, probe: &Probe<'_>) -> usize {
        let distances = &self.distances[..self.len()];
        let distance = (probe.score - self.base) as f32;
        let below = distances.partition_point(|&other| other < distance);
        // Those at the same distance need a look. They are few, unless many scores are equal.
        let near = distances[below..].partition_point(|&other| other <= distance);
        below + self.members[below..below + near].partition_point(|&member| probe.is_after(member))
    }

    /// Puts a member before the one at `index`. The leaf is not full.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, member: ScoredPointer, score: f64) {
        let len = self.len();
        self.members.copy_within(index..len, index + 1);
        self.distances.copy_within(index..len, index + 1);
        self.members[index] = member;
        self.distances[index] = (score - self.base) as f32;
        self.len += 1;
    }

    /// Removes the members from `index` to `end`.
    #[inline]
    pub(super) fn remove(&mut self, index: usize, end: usize) {
        let len = self.len();
        self.members.copy_within(end..len, index);
        self.distances.copy_within(end..len, index);
        self.len -= (end - index) as u16;
    }

    /// Takes the new score of the member at `index`, if with it the member keeps its place between its neighbours in this leaf.
    #[inline]
    pub(super) fn rescore(&mut self, index: usize, score: f64) -> bool {
        if index == 0 || index + 1 >= self.len() {
            return false;
        }
        let probe = Probe { score, tie: Tie::Before(look(self.members[index]).member()) };
        let keeps_place = probe.is_after(self.members[index - 1]) && !probe.is_after(self.members[index + 1]);
        if keeps_place {
            self.distances[index] = (score - self.base) as f32;
        }
        keeps_place
    }

    /// Moves the last `count` members to the start of the next leaf, which has room.
    pub(super) fn give(&mut self, next: &mut Leaf, count: usize) {
        let (kept, len) = (self.len() - count, next.len());
        next.members.copy_within(..len, count);
        next.distances.copy_within(..len, count);
        next.members[..count].copy_from_slice(&self.members[kept..kept + count]);
        next.measure(0, count);
        next.len += count as u16;
        self.len = kept as u16;
    }

    /// Moves the first `count` members of the next leaf to the end of this one, which has room.
    pub(super) fn take(&mut self, next: &mut Leaf, count: usize) {
        self.append(&next.members[..count]);
        next.remove(0, count);
    }
}

#[cfg(test)]
impl Leaf {
    pub(super) fn audit(&self) {
        assert!(self.base.is_finite());
        for (member, distance) in self.members().iter().zip(&self.distances) {
            assert!((look(*member).score() - self.base) as f32 == *distance);
        }
    }
}
