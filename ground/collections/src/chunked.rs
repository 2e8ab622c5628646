//! Chunked list: a long list as a row of packed lists of a few kilobytes each; users know it as quicklist.
//!
//! Both ends take and give elements in constant time: the packed list at the front keeps its free room in front. Every chunk knows
//! the coordinate of its first element, on a line on which a push at the front goes below the first and one at the back above the last, so that
//! nothing else moves; an index is found by a binary search. A change in the middle moves the coordinates on its shorter side.

use std::collections::VecDeque;
use std::ops::Range;

use crate::listpack::{Item, Listpack};

mod edit;
mod iterate;
mod node;
mod tape;
#[cfg(test)]
mod tests;

pub use iterate::{Iter, IterRev};
pub use node::{Node, NodeRef};
pub use tape::Shown;

use node::Limits;

/// A list of any length, strings and integers mixed.
#[derive(Clone)]
pub struct ChunkedList {
    /// Invariant: no chunk is empty; `start` of each is that of the one before plus its number of elements.
    chunks: VecDeque<Chunk>,
    /// The coordinate after the last element.
    end: i64,
    limits: Limits,
    walk: tape::Walk,
}

#[derive(Clone)]
struct Chunk {
    /// The coordinate of the first element.
    start: i64,
    node: Node,
    mark: tape::Mark,
}

impl ChunkedList {
    /// An empty list. `fill` limits a chunk as `list-max-listpack-size` does: -1 to -5 are 4, 8, 16, 32 and 64 KiB, and a
    /// positive number is that many elements, in at most 8 KiB.
    pub fn new(fill: i16) -> ChunkedList {
        ChunkedList { chunks: VecDeque::new(), end: 0, limits: Limits::of(fill), walk: tape::Walk::default() }
    }

    /// A list that begins with the elements of a packed list. No element is copied.
    pub fn from_packed(list: Listpack, fill: i16) -> ChunkedList {
        let mut chunked = ChunkedList::new(fill);
        chunked.push_node(Node::Packed(list));
        chunked
    }

    /// From now on elements of `bytes` bytes and more stand alone, also small ones: for tests of such chunks. 0 goes back to those
    /// that are too large for a chunk.
    #[inline]
    pub fn set_plain_from(&mut self, bytes: usize) {
        self.limits = self.limits.with_plain_from(bytes);
    }

    /// Appends a whole chunk, as a file holds it, whatever its size. An empty one is left out.
    pub fn push_node(&mut self, node: Node) {
        let elements = node.view().len();
        if elements > 0 {
            let mark = self.walk.mark_of_new();
            self.chunks.push_back(Chunk { start: self.end, node, mark });
            self.end += elements as i64;
        }
    }

    /// The chunks, for a file.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeRef<'_>> + DoubleEndedIterator {
        self.chunks.iter().map(|chunk| chunk.node.view())
    }

    /// The one packed list that all elements are in, if they are.
    #[inline]
    pub fn as_packed(&self) -> Option<&Listpack> {
        match self.chunks.front() {
            Some(Chunk { node: Node::Packed(list), .. }) if self.chunks.len() == 1 => Some(list),
            _ => None,
        }
    }

    /// The elements as one packed list, if they are all in one chunk of at most `bytes_max` bytes.
    pub fn into_packed(mut self, bytes_max: usize) -> Result<Listpack, ChunkedList> {
        match self.chunks.pop_front() {
            Some(Chunk { node: Node::Packed(list), .. })
                if self.chunks.is_empty() && list.bytes() <= bytes_max && !self.is_walked() =>
            {
                Ok(list)
            }
            Some(chunk) => {
                self.chunks.push_front(chunk);
                Err(self)
            }
            None => Ok(Listpack::new()),
        }
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        (self.end - self.first_coordinate()) as usize
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    #[inline]
    fn first_coordinate(&self) -> i64 {
        self.chunks.front().map_or(self.end, |chunk| chunk.start)
    }

    /// Puts an element before the first: O(1), amortised.
    #[inline]
    pub fn push_front(&mut self, text: &[u8]) {
        if self.is_walked() && self.has_room(0, text.len()) {
            self.before_change(0);
        }
        if let Some(Chunk { start, node: Node::Packed(list), .. }) = self.chunks.front_mut()
            && self.limits.have_room(list, text.len())
        {
            list.push_front(text);
            *start -= 1;
        } else {
            let node = Node::of(text, &self.limits, !self.chunks.is_empty());
            let mark = self.walk.mark_of_new();
            self.chunks.push_front(Chunk { start: self.first_coordinate() - 1, node, mark });
        }
    }

    /// Appends an element: O(1), amortised.
    #[inline]
    pub fn push_back(&mut self, text: &[u8]) {
        if self.is_walked() && self.has_room(self.chunks.len().wrapping_sub(1), text.len()) {
            self.before_change(self.chunks.len() - 1);
        }
        if let Some(Chunk { node: Node::Packed(list), .. }) = self.chunks.back_mut()
            && self.limits.have_room(list, text.len())
        {
            list.push_back(text);
        } else {
            let node = Node::of(text, &self.limits, !self.chunks.is_empty());
            let mark = self.walk.mark_of_new();
            self.chunks.push_back(Chunk { start: self.end, node, mark });
        }
        self.end += 1;
    }

    /// Removes the first element, after `read` has seen it: O(1), amortised.
    #[inline]
    pub fn pop_front_with<R>(&mut self, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        if self.is_walked() {
            self.before_change(0);
        }
        let chunk = self.chunks.front_mut()?;
        chunk.start += 1;
        let (result, is_empty) = match &mut chunk.node {
            Node::Packed(list) => (list.pop_front_with(read)?, list.is_empty()),
            Node::Plain(text) => (read(Item::Bytes(text)), true),
        };
        if is_empty {
            self.drop_chunks(0..1);
        }
        Some(result)
    }

    /// Removes the last element, after `read` has seen it: O(1), amortised.
    #[inline]
    pub fn pop_back_with<R>(&mut self, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        if self.is_walked() {
            self.before_change(self.chunks.len().saturating_sub(1));
        }
        let (result, is_empty) = match &mut self.chunks.back_mut()?.node {
            Node::Packed(list) => (list.pop_back_with(read)?, list.is_empty()),
            Node::Plain(text) => (read(Item::Bytes(text)), true),
        };
        self.end -= 1;
        if is_empty {
            self.drop_chunks(self.chunks.len() - 1..self.chunks.len());
        }
        Some(result)
    }

    /// Removes the first element and returns a copy of its text.
    pub fn pop_front(&mut self) -> Option<Vec<u8>> {
        self.pop_front_with(|item| item.to_vec())
    }

    /// Removes the last element and returns a copy of its text.
    pub fn pop_back(&mut self) -> Option<Vec<u8>> {
        self.pop_back_with(|item| item.to_vec())
    }

    /// The element at `index`; a negative one counts from the end (-1 is the last). O(log chunks) and a walk in one chunk.
    pub fn get(&self, index: isize) -> Option<Item<'_>> {
        let (chunk, offset) = self.find(self.index(index)?);
        self.chunks[chunk].node.view().get(offset)
    }

    /// The first element.
    pub fn first(&self) -> Option<Item<'_>> {
        self.chunks.front()?.node.view().get(0)
    }

    /// The last element.
    pub fn last(&self) -> Option<Item<'_>> {
        self.chunks.back()?.node.view().get(-1)
    }

    /// The elements in order.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// The elements in reverse.
    pub fn iter_rev(&self) -> IterRev<'_> {
        self.range_rev(0..self.len())
    }

    /// The elements from `index` to the last.
    pub fn iter_from(&self, index: usize) -> Iter<'_> {
        self.range(index..self.len())
    }

    /// The elements from `index` back to the first.
    pub fn iter_rev_from(&self, index: usize) -> IterRev<'_> {
        self.range_rev(0..index.saturating_add(1))
    }

    /// The elements of these indices, in order; indices that do not exist are left out.
    pub fn range(&self, indices: Range<usize>) -> Iter<'_> {
        Iter::new(self, indices)
    }

    /// The elements of these indices, in reverse.
    pub fn range_rev(&self, indices: Range<usize>) -> IterRev<'_> {
        IterRev::new(self, indices)
    }

    /// Bytes of all that the list owns: O(chunks).
    pub fn memory_bytes(&self) -> usize {
        let nodes: usize = self.chunks.iter().map(|chunk| chunk.node.memory_bytes()).sum();
        self.chunks.capacity() * size_of::<Chunk>() + nodes
    }

    /// As `memory_bytes`, from a few chunks: O(1).
    pub fn memory_bytes_about(&self) -> usize {
        const LOOKED_AT: usize = 16;
        let nodes: usize = self.chunks.iter().take(LOOKED_AT).map(|chunk| chunk.node.memory_bytes()).sum();
        self.chunks.capacity() * size_of::<Chunk>()
            + nodes * self.chunks.len() / LOOKED_AT.min(self.chunks.len()).max(1)
    }

    /// An index from the start for one that may count from the end, if it exists.
    #[inline]
    fn index(&self, index: isize) -> Option<usize> {
        let index = if index < 0 { self.len().checked_sub(index.unsigned_abs())? } else { index as usize };
        (index < self.len()).then_some(index)
    }

    /// The number of the chunk that holds the element at `index`, which exists, and the index within it.
    #[inline]
    fn find(&self, index: usize) -> (usize, usize) {
        let coordinate = self.first_coordinate() + index as i64;
        // Most accesses are near the ends.
        let chunk = if self.chunks.get(1).is_none_or(|second| coordinate < second.start) {
            0
        } else {
            self.chunks.partition_point(|chunk| chunk.start <= coordinate) - 1
        };
        (chunk, (coordinate - self.chunks[chunk].start) as usize)
    }
}

impl std::fmt::Debug for ChunkedList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a ChunkedList {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
