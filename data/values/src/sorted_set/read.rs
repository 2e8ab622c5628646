//! Reading a sorted set: by member, by rank, by score and by bytes, whatever its encoding.

use super::{Members, ScoredItem, Tree, packed};
use ochre_collections::listpack::ListpackRef;
use std::ops::{Bound, Range};

/// A borrowed sorted set, to read. Ranks count from 0, ascending by score and then by bytes.
///
/// What is O(log n) for a tree is a walk over at most a few hundred packed members.
#[derive(Clone, Copy)]
pub enum SortedSetRef<'a> {
    Packed(ListpackRef<'a>),
    Tree(&'a Tree),
}

/// An end of a range of members by their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all members.
    Lowest,
    /// After all members.
    Highest,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
}

impl LexBound<'_> {
    /// Whether a range that begins here has `member` in it or before its end.
    pub(super) fn admits_from_below(&self, member: &[u8]) -> bool {
        match self {
            LexBound::Lowest => true,
            LexBound::Highest => false,
            LexBound::Included(min) => member >= *min,
            LexBound::Excluded(min) => member > *min,
        }
    }

    /// Whether a range that ends here has `member` in it or after its beginning.
    pub(super) fn admits_from_above(&self, member: &[u8]) -> bool {
        match self {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Included(max) => member <= *max,
            LexBound::Excluded(max) => member < *max,
        }
    }

    /// Whether no member can lie between these bounds.
    fn excludes_all(min: LexBound<'_>, max: LexBound<'_>) -> bool {
        use LexBound::*;
        match (min, max) {
            (Highest, _) | (_, Lowest) => true,
            (Lowest, _) | (_, Highest) => false,
            (Included(min), Included(max)) => min > max,
            (Included(min) | Excluded(min), Included(max) | Excluded(max)) => min >= max,
        }
    }
}

impl<'a> SortedSetRef<'a> {
    /// Number of members.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            SortedSetRef::Packed(list) => list.len() / 2,
            SortedSetRef::Tree(tree) => tree.len(),
        }
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of a member: O(1) for a tree.
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            SortedSetRef::Packed(list) => packed::score(list, member),
            SortedSetRef::Tree(tree) => tree.score(member),
        }
    }

    /// Whether there is such a member: O(1) for a tree.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SortedSetRef::Packed(list) => list.find(member, 1).is_some(),
            SortedSetRef::Tree(tree) => tree.contains(member),
        }
    }

    /// The rank of a member and its score: O(log n).
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            SortedSetRef::Packed(list) => packed::rank(list, member),
            SortedSetRef::Tree(tree) => tree.rank_and_score(member),
        }
    }

    /// The member of this rank: O(log n).
    pub fn by_rank(self, rank: usize) -> Option<ScoredItem<'a>> {
        match self {
            SortedSetRef::Packed(_) => self.range(rank..rank.checked_add(1)?).next(),
            SortedSetRef::Tree(tree) => tree.by_rank(rank).map(ScoredItem::from),
        }
    }

    /// All members, ascending.
    pub fn iter(self) -> Members<'a> {
        self.range(0..self.len())
    }

    /// The members of these ranks, ascending; ranks that do not exist are left out.
    pub fn range(self, ranks: Range<usize>) -> Members<'a> {
        match self {
            SortedSetRef::Packed(list) => {
                let ranks = clamp(ranks, list.len() / 2);
                let position = list.position((ranks.start * 2) as isize).unwrap_or(list.end());
                Members::packed(list.iter_from(position), ranks.len())
            }
            SortedSetRef::Tree(tree) => Members::tree(tree.range(ranks)),
        }
    }

    /// The members of these ranks, descending; ranks that do not exist are left out.
    pub fn range_rev(self, ranks: Range<usize>) -> Members<'a> {
        match self {
            SortedSetRef::Packed(list) => {
                let ranks = clamp(ranks, list.len() / 2);
                let end = list.position((ranks.end * 2) as isize).unwrap_or(list.end());
                Members::packed_rev(list.iter_rev_from(end), ranks.len())
            }
            SortedSetRef::Tree(tree) => Members::tree_rev(tree.range(ranks)),
        }
    }

    /// The ranks of the members whose scores are within the bounds: O(log n).
    pub fn ranks_by_score(self, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
        match self {
            SortedSetRef::Packed(list) => packed::ranks_by_score(list, min, max),
            SortedSetRef::Tree(tree) => tree.ranks_by_score(min, max),
        }
    }

    /// The ranks of the members whose bytes are within the bounds, in a set whose scores are all equal: O(log n).
    ///
    /// Where scores differ it is some range, the same as the peers' for a packed set; there `reverse` tells from which end it is
    /// looked for.
    pub fn ranks_by_lex(self, min: LexBound<'_>, max: LexBound<'_>, reverse: bool) -> Range<usize> {
        if LexBound::excludes_all(min, max) {
            return 0..0;
        }
        match self {
            SortedSetRef::Packed(list) => packed::ranks_by_lex(list, min, max, reverse),
            SortedSetRef::Tree(tree) => tree.ranks_by_lex(as_bound(min), as_bound(max)),
        }
    }

    /// One step of a walk over all members: visits a few of them (all, if the set is packed) and answers the next cursor, 0 at the
    /// end. A member that is there from the first step to the last is visited, perhaps twice.
    pub fn scan(self, cursor: u64, mut visit: impl FnMut(ScoredItem<'_>)) -> u64 {
        match self {
            SortedSetRef::Packed(_) => {
                self.iter().for_each(visit);
                0
            }
            SortedSetRef::Tree(tree) => tree.scan(cursor, &mut |scored| visit(scored.into())),
        }
    }
}

fn clamp(ranks: Range<usize>, len: usize) -> Range<usize> {
    let end = ranks.end.min(len);
    ranks.start.min(end)..end
}

/// A bound that is known to be on its own side of the members.
fn as_bound(bound: LexBound<'_>) -> Bound<&[u8]> {
    match bound {
        LexBound::Lowest | LexBound::Highest => Bound::Unbounded,
        LexBound::Included(bytes) => Bound::Included(bytes),
        LexBound::Excluded(bytes) => Bound::Excluded(bytes),
    }
}
