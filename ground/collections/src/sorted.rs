//! Sorted set: members by score and then bytes with their ranks, and each member's score by its bytes.
//!
//! One heap block holds a member and its score; the table finds it by its bytes, and a B+ tree that counts what is below each branch
//! keeps its address in order. A million members of 14 bytes take 50 bytes each: 24 for the block, ≈10.5 in the table, ≈15.5 in the tree.

use std::ops::{Bound, Range};

use crate::item::{Scored, ScoredPointer, ScoredRef};
use crate::table::{Home, Lookup, Table};

mod build;
mod iterate;
mod leaf;
mod node;
mod probe;
#[cfg(test)]
mod tests;
mod tree;

pub use build::Builder;
pub use iterate::Iter;

use probe::{Probe, Tie, look};
use tree::Tree;

/// A large sorted set. Ranks count from 0, ascending by score and then by bytes. Scores are never NaN.
///
/// Every operation is O(log n) unless it says otherwise.
pub struct SortedSet {
    /// Owns the members.
    table: Table<Scored>,
    /// Invariant: holds the address of every member in the table, no other, in order. A member leaves the tree before its score changes
    /// or the table frees it.
    tree: Tree,
    /// Bytes of all members' blocks.
    members_bytes: usize,
}

/// What `insert` found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inserted {
    /// The member is new.
    New,
    /// The member was there, with this score.
    Updated(f64),
}

impl SortedSet {
    /// An empty set; allocates nothing.
    pub fn new() -> SortedSet {
        SortedSet { table: Table::new(), tree: Tree::new(), members_bytes: 0 }
    }

    /// The number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a member, or changes its score.
    #[inline]
    pub fn insert(&mut self, member: &[u8], score: f64) -> Inserted {
        match self.upsert(member, |_| Some(score)).0 {
            None => Inserted::New,
            Some(old) => Inserted::Updated(old),
        }
    }

    /// Lets `decide` choose a member's score by the one that it has, if it is there. With `None` all stays as it is. Returns both.
    ///
    /// # Panics
    ///
    /// When `decide` returns NaN.
    pub fn upsert(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> (Option<f64>, Option<f64>) {
        match self.table.entry(crate::hash(member), member) {
            Lookup::Vacant(vacant) => {
                let score = decide(None);
                if let Some(score) = score {
                    assert!(!score.is_nan(), "callers refuse NaN: it has no place in the order");
                    let scored = Scored::new(score, member);
                    self.members_bytes += scored.memory_bytes();
                    let pointer = vacant.insert(scored).item().pointer();
                    // SAFETY: the table keeps the member until it has left the tree, as the tree's invariant says.
                    unsafe { self.tree.insert(pointer) };
                }
                (None, score)
            }
            Lookup::Found(mut slot) => {
                let (old, pointer) = (slot.item().score(), slot.item().pointer());
                let new = decide(Some(old));
                if let Some(score) = new.filter(|score| *score != old) {
                    assert!(!score.is_nan(), "callers refuse NaN: it has no place in the order");
                    match self.tree.rescore(&Probe { score: old, tie: Tie::Before(member) }, score) {
                        Ok(()) => slot.update(|scored| scored.set_score(score)),
                        Err(rank) => {
                            self.tree.remove(rank, rank + 1, &mut |_| {});
                            slot.update(|scored| scored.set_score(score));
                            // SAFETY: as above; the member was out of the tree while its score changed.
                            unsafe { self.tree.insert(pointer) };
                        }
                    }
                }
                (Some(old), new)
            }
        }
    }

    /// Asks the memory for the bucket of a member with this hash; see [`Table::prefetch`].
    #[inline]
    pub fn prefetch(&self, hash: u64) -> Home<'_, Scored> {
        self.table.prefetch(hash)
    }

    /// Asks the memory for the leaf in which a member of this score stands or would stand: O(log n) without waiting for the leaf.
    #[inline]
    pub fn prefetch_score(&self, score: f64) {
        self.tree.prefetch(score);
    }

    /// The score of a member: O(1).
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.table.get(crate::hash(member), member).map(ScoredRef::score)
    }

    /// Whether the member is there: O(1).
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.score(member).is_some()
    }

    /// The rank of a member, from the highest if `reverse`.
    #[inline]
    pub fn rank(&self, member: &[u8], reverse: bool) -> Option<usize> {
        let (rank, _) = self.rank_and_score(member)?;
        Some(if reverse { self.len() - 1 - rank } else { rank })
    }

    /// The rank of a member, and its score.
    #[inline]
    pub fn rank_and_score(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.tree.position(&Probe { score, tie: Tie::Before(member) }), score))
    }

    /// The member of this rank.
    #[inline]
    pub fn by_rank(&self, rank: usize) -> Option<ScoredRef<'_>> {
        if rank >= self.len() {
            return None;
        }
        let (members, index) = self.tree.leaf_at(rank);
        Some(look(members[index]))
    }

    /// The lowest member.
    pub fn first(&self) -> Option<ScoredRef<'_>> {
        self.by_rank(0)
    }

    /// The highest member.
    pub fn last(&self) -> Option<ScoredRef<'_>> {
        self.by_rank(self.len().wrapping_sub(1))
    }

    /// A member chosen by a random number, each with the same chance.
    pub fn random(&self, random: u64) -> Option<ScoredRef<'_>> {
        self.by_rank(((u128::from(random) * self.len() as u128) >> 64) as usize)
    }

    /// All members, ascending; `rev` for descending.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// The members of these ranks, ascending; ranks that do not exist are left out. O(log n) for every leaf of ≈50 members.
    pub fn range(&self, ranks: Range<usize>) -> Iter<'_> {
        Iter::new(&self.tree, ranks)
    }

    /// The members from this rank up.
    pub fn iter_from_rank(&self, rank: usize) -> Iter<'_> {
        self.range(rank..self.len())
    }

    /// The ranks of the members whose scores are within the bounds; their number is the count. Empty when no member is.
    pub fn ranks_by_score(&self, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
        let place = |score, tie| self.tree.position(&Probe { score, tie });
        let from = match min {
            Bound::Unbounded => 0,
            Bound::Included(score) => place(score, Tie::First),
            Bound::Excluded(score) => place(score, Tie::Last),
        };
        let to = match max {
            Bound::Unbounded => self.len(),
            Bound::Included(score) => place(score, Tie::Last),
            Bound::Excluded(score) => place(score, Tie::First),
        };
        from..to.max(from)
    }

    /// The ranks of the members whose bytes are within the bounds, in a set whose scores are all equal. In any other, which
    /// members they are is not specified.
    pub fn ranks_by_lex(&self, min: Bound<&[u8]>, max: Bound<&[u8]>) -> Range<usize> {
        let Some(score) = self.first().map(ScoredRef::score) else { return 0..0 };
        let place = |tie| self.tree.position(&Probe { score, tie });
        let from = match min {
            Bound::Unbounded => 0,
            Bound::Included(member) => place(Tie::Before(member)),
            Bound::Excluded(member) => place(Tie::After(member)),
        };
        let to = match max {
            Bound::Unbounded => self.len(),
            Bound::Included(member) => place(Tie::After(member)),
            Bound::Excluded(member) => place(Tie::Before(member)),
        };
        from..to.max(from)
    }

    /// The rank of the lowest member with at least this score (above it, if `exclusive`).
    pub fn first_at_or_above(&self, score: f64, exclusive: bool) -> Option<usize> {
        let min = if exclusive { Bound::Excluded(score) } else { Bound::Included(score) };
        Some(self.ranks_by_score(min, Bound::Unbounded)).filter(|ranks| !ranks.is_empty()).map(|ranks| ranks.start)
    }

    /// The rank of the highest member with at most this score (below it, if `exclusive`).
    pub fn last_at_or_below(&self, score: f64, exclusive: bool) -> Option<usize> {
        let max = if exclusive { Bound::Excluded(score) } else { Bound::Included(score) };
        self.ranks_by_score(Bound::Unbounded, max).last()
    }

    /// Removes a member and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let slot = self.table.find(crate::hash(member), member)?;
        let score = slot.item().score();
        let rank = self.tree.position(&Probe { score, tie: Tie::Before(member) });
        self.tree.remove(rank, rank + 1, &mut |_| {});
        self.members_bytes -= slot.remove().memory_bytes();
        Some(score)
    }

    /// Removes the lowest member and returns it.
    pub fn pop_min(&mut self) -> Option<Scored> {
        self.pop(0)
    }

    /// Removes the highest member and returns it.
    pub fn pop_max(&mut self) -> Option<Scored> {
        self.pop(self.len().wrapping_sub(1))
    }

    fn pop(&mut self, rank: usize) -> Option<Scored> {
        let pointer = self.by_rank(rank)?.pointer();
        self.tree.remove(rank, rank + 1, &mut |_| {});
        Some(self.free(pointer))
    }

    /// Removes the members of these ranks, after showing each to `visit` in ascending order; ranks that do not exist are
    /// left out. Returns how many there were. O(log n + removed).
    pub fn remove_ranks(&mut self, ranks: Range<usize>, mut visit: impl FnMut(&Scored)) -> usize {
        let to = ranks.end.min(self.len());
        let from = ranks.start.min(to);
        let mut removed = Vec::with_capacity(to - from);
        self.tree.remove(from, to, &mut |member| removed.push(member));
        removed.iter().for_each(|&member| visit(&self.free(member)));
        removed.len()
    }

    /// Takes a member that has left the tree out of the table.
    fn free(&mut self, member: ScoredPointer) -> Scored {
        let bytes = look(member).member();
        let scored = self.table.remove(crate::hash(bytes), bytes).expect("what was in the tree is in the table");
        self.members_bytes -= scored.memory_bytes();
        scored
    }

    /// Visits a few members and returns the cursor for the next ones; begin with 0, which also means the end. See [`Table::scan`].
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(ScoredRef<'_>)) -> u64 {
        self.table.scan(cursor, visit)
    }

    /// Begins a walk that will show all members as they are now, in no order; see [`Table::begin_walk`].
    pub fn begin_walk(&mut self) {
        self.table.begin_walk(|scored| Scored::new(scored.score(), scored.member()));
    }

    /// See [`Table::is_walked`].
    #[inline]
    pub fn is_walked(&self) -> bool {
        self.table.is_walked()
    }

    /// See [`Table::walk_on`].
    pub fn walk_on(&mut self, room: &mut usize, show: &mut dyn FnMut(ScoredRef<'_>) -> usize) -> bool {
        self.table.walk_on(room, show)
    }

    /// See [`Table::end_walk`].
    pub fn end_walk(&mut self) {
        self.table.end_walk();
    }

    /// See [`Table::walk_bytes`].
    pub fn walk_bytes(&self) -> usize {
        self.table.walk_bytes()
    }

    /// Bytes of all that the set owns: O(n / 1,000).
    pub fn memory_bytes(&self) -> usize {
        self.members_bytes + self.table.memory_bytes() + self.tree.memory_bytes()
    }
}

impl Default for SortedSet {
    fn default() -> SortedSet {
        SortedSet::new()
    }
}

impl Clone for SortedSet {
    fn clone(&self) -> SortedSet {
        let mut builder = Builder::with_capacity(self.len());
        for scored in self {
            builder.push(scored.member(), scored.score());
        }
        builder.finish()
    }
}

impl std::fmt::Debug for SortedSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|scored| (scored.member(), scored.score()))).finish()
    }
}

impl<'a> IntoIterator for &'a SortedSet {
    type Item = ScoredRef<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
