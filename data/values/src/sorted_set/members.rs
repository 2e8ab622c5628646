//! Members of a sorted set in order, whatever its encoding.

use super::packed;
use ochre_collections::listpack::{Item, Iter, IterRev};
use ochre_collections::{ScoredRef, sorted};
use std::iter::{FusedIterator, Rev};

/// A member with its score.
#[derive(Clone, Copy, Debug)]
pub struct ScoredItem<'a> {
    /// Integers stand for their decimal text.
    pub member: Item<'a>,
    pub score: Score<'a>,
}

impl ScoredItem<'_> {
    /// The score as a number.
    #[inline]
    pub fn score(&self) -> f64 {
        self.score.value()
    }
}

/// A score as it is kept. A packed one is read only when somebody asks, because many ranges are asked for without scores.
#[derive(Clone, Copy, Debug)]
pub enum Score<'a> {
    Double(f64),
    Packed(Item<'a>),
}

impl Score<'_> {
    /// The score as a number.
    #[inline]
    pub fn value(self) -> f64 {
        match self {
            Score::Double(score) => score,
            Score::Packed(item) => packed::score_of(item),
        }
    }
}

impl<'a> From<ScoredRef<'a>> for ScoredItem<'a> {
    #[inline]
    fn from(scored: ScoredRef<'a>) -> Self {
        ScoredItem { member: Item::Bytes(scored.member()), score: Score::Double(scored.score()) }
    }
}

/// Members in ascending or descending order.
#[derive(Clone)]
pub struct Members<'a>(Walk<'a>);

#[derive(Clone)]
enum Walk<'a> {
    Packed { items: Iter<'a>, left: usize },
    PackedRev { items: IterRev<'a>, left: usize },
    Tree(sorted::Iter<'a>),
    TreeRev(Rev<sorted::Iter<'a>>),
}

impl<'a> Members<'a> {
    /// `left` pairs of the items, which begin with a member.
    pub(super) fn packed(items: Iter<'a>, left: usize) -> Self {
        Members(Walk::Packed { items, left })
    }

    /// `left` pairs of the items, which begin with a score.
    pub(super) fn packed_rev(items: IterRev<'a>, left: usize) -> Self {
        Members(Walk::PackedRev { items, left })
    }

    pub(super) fn tree(items: sorted::Iter<'a>) -> Self {
        Members(Walk::Tree(items))
    }

    pub(super) fn tree_rev(items: sorted::Iter<'a>) -> Self {
        Members(Walk::TreeRev(items.rev()))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = ScoredItem<'a>;

    #[inline]
    fn next(&mut self) -> Option<ScoredItem<'a>> {
        match &mut self.0 {
            Walk::Packed { items, left } => {
                *left = left.checked_sub(1)?;
                let member = items.next()?;
                Some(ScoredItem { member, score: Score::Packed(items.next()?) })
            }
            Walk::PackedRev { items, left } => {
                *left = left.checked_sub(1)?;
                let score = Score::Packed(items.next()?);
                Some(ScoredItem { member: items.next()?, score })
            }
            Walk::Tree(items) => items.next().map(ScoredItem::from),
            Walk::TreeRev(items) => items.next().map(ScoredItem::from),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Walk::Packed { left, .. } | Walk::PackedRev { left, .. } => (*left, Some(*left)),
            Walk::Tree(items) => items.size_hint(),
            Walk::TreeRev(items) => items.size_hint(),
        }
    }
}

impl ExactSizeIterator for Members<'_> {}
impl FusedIterator for Members<'_> {}
