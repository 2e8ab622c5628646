//! The elements of a long list in either direction.

use std::collections::vec_deque;
use std::iter::{FusedIterator, Rev};
use std::ops::Range;

use super::{Chunk, ChunkedList, NodeRef};
use crate::listpack::{self, Item, ListpackRef};

/// The elements of a list in order.
#[derive(Clone)]
pub struct Iter<'a> {
    /// The chunks after the current one.
    chunks: vec_deque::Iter<'a, Chunk>,
    packed: listpack::Iter<'a>,
    /// The large element of the current chunk, if it is still to come.
    plain: Option<&'a [u8]>,
    left: usize,
}

/// The elements of a list in reverse.
#[derive(Clone)]
pub struct IterRev<'a> {
    chunks: Rev<vec_deque::Iter<'a, Chunk>>,
    packed: listpack::IterRev<'a>,
    plain: Option<&'a [u8]>,
    left: usize,
}

/// What an iterator holds between chunks.
fn nothing() -> ListpackRef<'static> {
    ListpackRef::trusted(&[7, 0, 0, 0, 0, 0, 0xFF])
}

impl<'a> Iter<'a> {
    pub(super) fn new(list: &'a ChunkedList, indices: Range<usize>) -> Iter<'a> {
        let left = indices.end.min(list.len()).saturating_sub(indices.start);
        let mut iter = Iter { chunks: list.chunks.iter(), packed: nothing().iter(), plain: None, left };
        if left > 0 {
            let (chunk, offset) = list.find(indices.start);
            iter.chunks = list.chunks.range(chunk..);
            iter.enter_next();
            if let Some(Chunk { node: super::Node::Packed(packed), .. }) = list.chunks.get(chunk) {
                let position = packed.view().position(offset as isize).expect("the chunk holds the index");
                iter.packed = packed.view().iter_from(position);
            }
        }
        iter
    }

    fn enter_next(&mut self) {
        match self.chunks.next().map(|chunk| chunk.node.view()) {
            Some(NodeRef::Packed(list)) => self.packed = list.iter(),
            Some(NodeRef::Plain(text)) => self.plain = Some(text),
            None => {}
        }
    }

    #[cold]
    fn next_in_another_chunk(&mut self) -> Option<Item<'a>> {
        if self.plain.is_none() {
            self.enter_next();
        }
        self.plain.take().map(Item::Bytes).or_else(|| self.packed.next())
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.packed.next().or_else(|| self.next_in_another_chunk())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

impl<'a> IterRev<'a> {
    pub(super) fn new(list: &'a ChunkedList, indices: Range<usize>) -> IterRev<'a> {
        let end = indices.end.min(list.len());
        let left = end.saturating_sub(indices.start);
        let mut iter = IterRev { chunks: list.chunks.iter().rev(), packed: nothing().iter_rev(), plain: None, left };
        if left > 0 {
            let (chunk, offset) = list.find(end - 1);
            iter.chunks = list.chunks.range(..=chunk).rev();
            iter.enter_next();
            if let Some(Chunk { node: super::Node::Packed(packed), .. }) = list.chunks.get(chunk) {
                let view = packed.view();
                let position = view.position(offset as isize).expect("the chunk holds the index");
                iter.packed = view.iter_rev_from(view.next(position).unwrap_or(view.end()));
            }
        }
        iter
    }

    fn enter_next(&mut self) {
        match self.chunks.next().map(|chunk| chunk.node.view()) {
            Some(NodeRef::Packed(list)) => self.packed = list.iter_rev(),
            Some(NodeRef::Plain(text)) => self.plain = Some(text),
            None => {}
        }
    }

    #[cold]
    fn next_in_another_chunk(&mut self) -> Option<Item<'a>> {
        if self.plain.is_none() {
            self.enter_next();
        }
        self.plain.take().map(Item::Bytes).or_else(|| self.packed.next())
    }
}

impl<'a> Iterator for IterRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.packed.next().or_else(|| self.next_in_another_chunk())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for IterRev<'_> {}
impl FusedIterator for IterRev<'_> {}
