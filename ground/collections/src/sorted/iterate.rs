//! Members in order, from either end of a range of ranks.

use std::iter::FusedIterator;
use std::ops::Range;

use super::probe::look;
use super::tree::Tree;
use crate::item::{ScoredPointer, ScoredRef};

/// Members in ascending order, from either end.
#[derive(Clone)]
pub struct Iter<'a> {
    tree: &'a Tree,
    /// What is left. The tree has no links between leaves, so that they can be shared: the next leaf is found by its rank.
    ranks: Range<usize>,
    /// The members from `ranks.start` to the end of their leaf; may go beyond the range.
    front: &'a [ScoredPointer],
    /// The members from the start of their leaf up to `ranks.end`; may begin before the range.
    back: &'a [ScoredPointer],
}

impl<'a> Iter<'a> {
    pub(super) fn new(tree: &'a Tree, ranks: Range<usize>) -> Iter<'a> {
        let end = ranks.end.min(tree.len());
        Iter { tree, ranks: ranks.start.min(end)..end, front: &[], back: &[] }
    }

    #[cold]
    fn front_leaf(&self) -> &'a [ScoredPointer] {
        let (members, index) = self.tree.leaf_at(self.ranks.start);
        &members[index..]
    }

    #[cold]
    fn back_leaf(&self) -> &'a [ScoredPointer] {
        let (members, index) = self.tree.leaf_at(self.ranks.end - 1);
        &members[..=index]
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = ScoredRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ScoredRef<'a>> {
        if self.ranks.is_empty() {
            return None;
        }
        if self.front.is_empty() {
            self.front = self.front_leaf();
        }
        let (first, rest) = self.front.split_first()?;
        self.front = rest;
        self.ranks.start += 1;
        Some(look(*first))
    }

    #[inline]
    fn nth(&mut self, skipped: usize) -> Option<ScoredRef<'a>> {
        self.ranks.start = self.ranks.start.saturating_add(skipped).min(self.ranks.end);
        self.front = self.front.get(skipped..).unwrap_or_default();
        self.next()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl<'a> DoubleEndedIterator for Iter<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<ScoredRef<'a>> {
        if self.ranks.is_empty() {
            return None;
        }
        if self.back.is_empty() {
            self.back = self.back_leaf();
        }
        let (last, rest) = self.back.split_last()?;
        self.back = rest;
        self.ranks.end -= 1;
        Some(look(*last))
    }

    #[inline]
    fn nth_back(&mut self, skipped: usize) -> Option<ScoredRef<'a>> {
        self.ranks.end = self.ranks.end.saturating_sub(skipped).max(self.ranks.start);
        self.back = self.back.get(..self.back.len().saturating_sub(skipped)).unwrap_or_default();
        self.next_back()
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}
