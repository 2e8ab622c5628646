//! Pushing, popping and changing elements, and the changes of encoding that follow.

use super::List;
use crate::Limits;
use ochre_collections::ChunkedList;
use ochre_collections::listpack::{Item, Listpack};
use std::ops::Range;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// LEFT: the first element, index 0.
    Left,
    /// RIGHT: the last element.
    Right,
}

impl List {
    /// Readies the list for `elements` more, of `bytes` bytes of text together: it changes to chunks before they come if it
    /// would not fit into one.
    #[inline]
    pub fn prepare(&mut self, elements: usize, bytes: usize, limits: &Limits) {
        match self {
            List::Packed(pack) => {
                let (bytes_max, elements_max) = chunk_limits(limits.list_max_listpack_size);
                if pack.bytes().saturating_add(bytes) > bytes_max || pack.len().saturating_add(elements) > elements_max
                {
                    self.become_chunked(limits);
                }
            }
            List::Chunked(chunked) => chunked.set_plain_from(limits.list_plain_node_bytes_min),
        }
    }

    /// Packs the list again if it has shrunk to half of what a packed list may be: to be called when elements were removed.
    #[inline]
    pub fn settle(&mut self, limits: &Limits) {
        if let List::Chunked(chunked) = self
            && let Some(pack) = chunked.as_packed()
        {
            let (bytes_max, elements_max) = chunk_limits(limits.list_max_listpack_size);
            // As in the peers the size is not looked at where the number of elements limits a chunk.
            let is_small = match limits.list_max_listpack_size {
                0.. => pack.len() <= elements_max / 2,
                _ => pack.bytes() <= bytes_max / 2,
            };
            if is_small {
                self.become_packed();
            }
        }
    }

    #[cold]
    fn become_chunked(&mut self, limits: &Limits) {
        if let List::Packed(pack) = self {
            let mut chunked = ChunkedList::from_packed(std::mem::take(pack), fill_of(limits));
            chunked.set_plain_from(limits.list_plain_node_bytes_min);
            *self = List::Chunked(Box::new(chunked));
        }
    }

    #[cold]
    fn become_packed(&mut self) {
        let list = std::mem::replace(self, List::Packed(Listpack::new()));
        *self = match list {
            List::Chunked(chunked) => match chunked.into_packed(usize::MAX) {
                Ok(pack) => List::Packed(pack),
                Err(chunked) => List::Chunked(Box::new(chunked)),
            },
            packed => packed,
        };
    }

    /// Adds an element at an end: O(1), amortised. [`List::prepare`] must have been told of it.
    #[inline]
    pub fn push(&mut self, end: End, text: &[u8]) {
        match (self, end) {
            (List::Chunked(chunked), End::Left) => chunked.push_front(text),
            (List::Chunked(chunked), End::Right) => chunked.push_back(text),
            (List::Packed(pack), End::Left) => pack.push_front(text),
            (List::Packed(pack), End::Right) => pack.push_back(text),
        }
    }

    /// Removes the element at an end after `read` has seen it: O(1), amortised.
    #[inline]
    pub fn pop_with<R>(&mut self, end: End, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        match (self, end) {
            (List::Chunked(chunked), End::Left) => chunked.pop_front_with(read),
            (List::Chunked(chunked), End::Right) => chunked.pop_back_with(read),
            (List::Packed(pack), End::Left) => pack.pop_front_with(read),
            (List::Packed(pack), End::Right) => pack.pop_back_with(read),
        }
    }

    /// Puts an element before the one at `index`, which is at most the length. [`List::prepare`] must have been told of it.
    pub fn insert(&mut self, index: usize, text: &[u8]) {
        match self {
            List::Chunked(chunked) => chunked.insert(index, text),
            List::Packed(pack) => {
                let position = pack.view().position(index as isize).unwrap_or(pack.bytes() - 1);
                pack.insert_before(position, text);
            }
        }
    }

    /// Replaces the element at `index` (a negative one counts from the end); `false` if there is none.
    pub fn set(&mut self, index: i64, text: &[u8]) -> bool {
        let Ok(index) = isize::try_from(index) else { return false };
        match self {
            List::Chunked(chunked) => chunked.set(index, text),
            List::Packed(pack) => match pack.view().position(index) {
                Some(position) => {
                    pack.replace(position, text);
                    true
                }
                None => false,
            },
        }
    }

    /// Removes the elements of these indices; those that do not exist are left out.
    pub fn remove_range(&mut self, indices: Range<usize>) {
        match self {
            List::Chunked(chunked) => _ = chunked.remove_range(indices),
            List::Packed(pack) => pack.remove_at(indices.start, indices.len()),
        }
    }

    /// Removes up to `limit` elements that are `text`, beginning at an end, and says how many: O(n).
    pub fn remove_equal(&mut self, text: &[u8], limit: usize, from: End) -> usize {
        let pack = match self {
            List::Chunked(chunked) => return chunked.remove_equal(text, limit, from == End::Right),
            List::Packed(pack) => pack,
        };
        let needle = super::Needle::new(text);
        let found = pack.iter().filter(|item| needle.is(*item)).count();
        let doomed = found.min(limit);
        if doomed > 0 {
            // Of those that are found, the first or the last ones go.
            let mut spared = if from == End::Right { found - doomed } else { 0 };
            let mut left = doomed;
            pack.retain(|item| {
                if left == 0 || !needle.is(item) {
                    return true;
                }
                if spared > 0 {
                    spared -= 1;
                    return true;
                }
                left -= 1;
                false
            });
        }
        doomed
    }
}

/// What one packed list may hold by `list-max-listpack-size`: bytes and elements.
#[inline]
pub(super) fn chunk_limits(size: i64) -> (usize, usize) {
    match size {
        0.. => (8192, usize::try_from(size.max(1)).unwrap_or(usize::MAX)),
        _ => (4096 << (size.max(-5).unsigned_abs() - 1), usize::MAX),
    }
}

/// The limit of a chunk as `ChunkedList` takes it.
pub(super) fn fill_of(limits: &Limits) -> i16 {
    limits.list_max_listpack_size.clamp(-5, i16::MAX.into()) as i16
}
