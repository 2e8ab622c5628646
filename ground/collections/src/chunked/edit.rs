//! Changes in the middle of a long list.

use std::ops::Range;

use super::{Chunk, ChunkedList, Node};
use crate::listpack::{Item, Listpack};

impl ChunkedList {
    /// Puts an element before the one at `index`, which may be the length. O(chunks), but O(1) near either end.
    ///
    /// # Panics
    ///
    /// When `index` is above the length.
    pub fn insert(&mut self, index: usize, text: &[u8]) {
        assert!(index <= self.len(), "an index to insert at is at most the length");
        if index == 0 {
            self.push_front(text);
        } else if index == self.len() {
            self.push_back(text);
        } else {
            let (chunk, offset) = self.find(index);
            self.insert_at(chunk, offset, text);
        }
    }

    /// As `insert`, inside the list: before the element `offset` of a chunk.
    fn insert_at(&mut self, chunk: usize, offset: usize, text: &[u8]) {
        if offset == 0 && self.has_room(chunk - 1, text.len()) {
            self.change_packed(chunk - 1, 1, |list| list.push_back(text));
        } else if self.has_room(chunk, text.len()) {
            self.change_packed(chunk, 1, |list| {
                let position = list.view().position(offset as isize).expect("the chunk has this element");
                list.insert_before(position, text);
            });
        } else {
            let at = if offset == 0 { chunk } else { self.split(chunk, offset) };
            self.insert_node(at, Node::of(text, &self.limits, false));
            self.join_around(at);
        }
    }

    pub(super) fn has_room(&self, chunk: usize, length: usize) -> bool {
        let node = self.chunks.get(chunk).map(|chunk| &chunk.node);
        matches!(node, Some(Node::Packed(list)) if self.limits.have_room(list, length))
    }

    /// Changes a packed chunk, which has `added` more elements then.
    fn change_packed(&mut self, chunk: usize, added: i64, change: impl FnOnce(&mut Listpack)) {
        self.before_change(chunk);
        if let Node::Packed(list) = &mut self.chunks[chunk].node {
            change(list);
            self.shift(chunk, added);
        }
    }

    /// Moves the coordinates of the shorter side of a chunk that has `added` more elements now: those of the chunks up to
    /// it down, or those of the chunks after it up.
    fn shift(&mut self, chunk: usize, added: i64) {
        if chunk < self.chunks.len() / 2 {
            self.chunks.range_mut(..=chunk).for_each(|chunk| chunk.start -= added);
        } else {
            self.chunks.range_mut(chunk + 1..).for_each(|chunk| chunk.start += added);
            self.end += added;
        }
    }

    /// Cuts a chunk before its element `offset`, which is not the first, and returns the number of the second part.
    fn split(&mut self, chunk: usize, offset: usize) -> usize {
        self.before_change(chunk);
        let mark = self.walk.mark_of_new();
        if let Chunk { start, node: Node::Packed(list), .. } = &mut self.chunks[chunk] {
            let start = *start + offset as i64;
            let node = Node::Packed(list.split_off(offset));
            self.chunks.insert(chunk + 1, Chunk { start, node, mark });
        }
        chunk + 1
    }

    /// Puts a chunk of one element before another.
    fn insert_node(&mut self, at: usize, node: Node) {
        let start = self.chunks[at].start;
        let mark = self.walk.mark_of_new();
        self.chunks.insert(at, Chunk { start, node, mark });
        self.shift(at, 1);
    }

    /// Joins a chunk with its neighbours where the result is not too large.
    fn join_around(&mut self, chunk: usize) {
        self.join_with_next(chunk);
        if chunk > 0 {
            self.join_with_next(chunk - 1);
        }
    }

    fn join_with_next(&mut self, chunk: usize) {
        if let (Some(Chunk { node: Node::Packed(left), .. }), Some(Chunk { node: Node::Packed(right), .. })) =
            (self.chunks.get(chunk), self.chunks.get(chunk + 1))
            && self.limits.allow_joining(left, right)
        {
            self.before_change(chunk);
            self.before_change(chunk + 1);
            self.hand_on(chunk + 1..chunk + 2);
            if let Some(Chunk { node: Node::Packed(right), .. }) = self.chunks.remove(chunk + 1)
                && let Node::Packed(left) = &mut self.chunks[chunk].node
            {
                left.append(right.view());
            }
        }
    }

    /// Replaces the element at `index` (a negative one counts from the end); `false` if there is none. O(log chunks) and a
    /// walk in one chunk, unless sizes make it a removal and an insertion.
    pub fn set(&mut self, index: isize, text: &[u8]) -> bool {
        let Some(index) = self.index(index) else { return false };
        let (chunk, offset) = self.find(index);
        let is_large = self.limits.is_large(text.len());
        match &self.chunks[chunk].node {
            Node::Plain(_) if is_large => self.before_replacement(chunk),
            _ => self.before_change(chunk),
        }
        match &mut self.chunks[chunk].node {
            Node::Plain(old) if is_large => *old = text.into(),
            Node::Packed(list) if !is_large && self.limits.allow_replacing(list, offset, text.len()) => {
                let position = list.view().position(offset as isize).expect("the chunk has this element");
                list.replace(position, text);
            }
            _ => {
                self.remove_range(index..index + 1);
                self.insert(index, text);
            }
        }
        true
    }

    /// Removes the elements of these indices and returns how many there were; indices that do not exist are left out.
    /// O(chunks), but O(removed chunks) at either end.
    pub fn remove_range(&mut self, indices: Range<usize>) -> usize {
        let to = indices.end.min(self.len());
        let count = to.saturating_sub(indices.start);
        if count == 0 {
            return 0;
        }
        let (mut chunk, offset) = self.find(indices.start);
        let mut left = count;
        // The first chunk that loses elements keeps those before `offset`, the last one those after the range; between them all go.
        if offset > 0 {
            let removed = left.min(self.chunks[chunk].node.view().len() - offset);
            self.change_packed(chunk, -(removed as i64), |list| list.remove_at(offset, removed));
            left -= removed;
            chunk += 1;
        }
        let first_gone = chunk;
        while let Some(gone) = self.chunks.get(chunk)
            && left >= gone.node.view().len()
            && left > 0
        {
            left -= gone.node.view().len();
            chunk += 1;
        }
        self.remove_chunks(first_gone..chunk);
        if left > 0 {
            self.change_packed(first_gone, -(left as i64), |list| list.remove_at(0, left));
        }
        if first_gone > 0 {
            self.join_with_next(first_gone - 1);
        }
        count
    }

    /// Removes whole chunks and closes the gap between the coordinates, on the shorter side.
    fn remove_chunks(&mut self, numbers: Range<usize>) {
        if numbers.is_empty() {
            return;
        }
        let start = self.chunks[numbers.start].start;
        let elements = self.chunks.get(numbers.end).map_or(self.end, |next| next.start) - start;
        let after = self.chunks.len() - numbers.end;
        if numbers.start < after {
            self.chunks.range_mut(..numbers.start).for_each(|chunk| chunk.start += elements);
        } else {
            self.chunks.range_mut(numbers.end..).for_each(|chunk| chunk.start -= elements);
            self.end -= elements;
        }
        self.drop_chunks(numbers);
    }

    /// Keeps only the elements of these indices.
    pub fn trim(&mut self, indices: Range<usize>) {
        self.remove_range(indices.end.max(indices.start)..self.len());
        self.remove_range(0..indices.start);
    }

    /// Removes up to `limit` elements whose text is `text`, beginning at the front or the back, and returns how many. O(n).
    pub fn remove_equal(&mut self, text: &[u8], limit: usize, from_back: bool) -> usize {
        let equal = |item: &Item<'_>| item.eq_bytes(text);
        let mut indices: Vec<usize> = if from_back {
            let last = self.len().wrapping_sub(1);
            let found = self.iter_rev().enumerate().filter(|(_, item)| equal(item)).take(limit);
            found.map(|(distance, _)| last - distance).collect()
        } else {
            self.iter().enumerate().filter(|(_, item)| equal(item)).take(limit).map(|(index, _)| index).collect()
        };
        indices.sort_unstable();
        self.remove_indices(&indices);
        indices.len()
    }

    /// Removes the elements of these indices, which are ascending and exist: O(n), one pass over each chunk that loses some.
    fn remove_indices(&mut self, indices: &[usize]) {
        if indices.is_empty() {
            return;
        }
        if self.is_walked() {
            for index in indices {
                let (chunk, _) = self.find(*index);
                self.before_change(chunk);
            }
        }
        let (first, end) = (self.first_coordinate(), self.end);
        let mut doomed = indices.iter().map(|index| first + *index as i64).peekable();
        let mut next_start = first;
        let ends: Vec<i64> = self.chunks.iter().skip(1).map(|chunk| chunk.start).chain([end]).collect();
        for (chunk, chunk_end) in self.chunks.iter_mut().zip(ends) {
            let mut coordinate = chunk.start;
            let mut kept = chunk_end - chunk.start;
            if doomed.peek().is_some_and(|next| *next < chunk_end) {
                let mut keeps = |_: Item<'_>| {
                    let goes = doomed.next_if_eq(&coordinate).is_some();
                    coordinate += 1;
                    kept -= i64::from(goes);
                    !goes
                };
                match &mut chunk.node {
                    Node::Packed(list) => list.retain(keeps),
                    Node::Plain(text) => _ = keeps(Item::Bytes(text)),
                }
            }
            chunk.start = next_start;
            next_start += kept;
        }
        self.end = next_start;
        // Chunks without elements begin where the next one does.
        let mut starts =
            self.chunks.iter().skip(1).map(|chunk| chunk.start).chain([next_start]).collect::<Vec<_>>().into_iter();
        let mut keeps = |chunk: &Chunk| starts.next() != Some(chunk.start);
        if self.is_walked() {
            self.retain_handing_on(&mut keeps);
        } else {
            self.chunks.retain(keeps);
        }
    }
}
