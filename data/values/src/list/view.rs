//! Reading a list in place, from either end.

use crate::Encoding;
use ochre_collections::chunked;
use ochre_collections::listpack::{self, Item, ListpackRef};
use ochre_collections::{ChunkedList, listpack::INTEGER_TEXT_MAX};
use std::ops::Range;

/// A borrowed list, to read. Copying it copies the reference.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    Packed(ListpackRef<'a>),
    Chunked(&'a ChunkedList),
}

impl<'a> ListRef<'a> {
    /// Number of elements.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(pack) => pack.len(),
            ListRef::Chunked(chunked) => chunked.len(),
        }
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The encoding that OBJECT ENCODING names.
    pub fn encoding(self) -> Encoding {
        match self {
            ListRef::Packed(_) => Encoding::Listpack,
            ListRef::Chunked(_) => Encoding::Quicklist,
        }
    }

    /// The element at `index`; a negative one counts from the end (-1 is the last).
    pub fn get(self, index: i64) -> Option<Item<'a>> {
        let index = isize::try_from(index).ok()?;
        match self {
            ListRef::Packed(pack) => pack.get(index),
            ListRef::Chunked(chunked) => chunked.get(index),
        }
    }

    /// The elements of these indices in order; indices that do not exist are left out.
    #[inline]
    pub fn range(self, indices: Range<usize>) -> Iter<'a> {
        match self {
            ListRef::Packed(pack) => {
                let left = indices.end.min(pack.len()).saturating_sub(indices.start);
                let start = if left == 0 { None } else { pack.position(indices.start as isize) };
                Iter::Packed { items: pack.iter_from(start.unwrap_or(pack.end())), left }
            }
            ListRef::Chunked(chunked) => Iter::Chunked(chunked.range(indices)),
        }
    }

    /// The elements of these indices in reverse; indices that do not exist are left out.
    pub fn range_rev(self, indices: Range<usize>) -> IterRev<'a> {
        match self {
            ListRef::Packed(pack) => {
                let end = indices.end.min(pack.len());
                let behind = pack.position(end as isize).unwrap_or(pack.end());
                IterRev::Packed { items: pack.iter_rev_from(behind), left: end.saturating_sub(indices.start) }
            }
            ListRef::Chunked(chunked) => IterRev::Chunked(chunked.range_rev(indices)),
        }
    }

    /// The elements in order.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        match self {
            ListRef::Packed(pack) => Iter::Packed { items: pack.iter(), left: usize::MAX },
            ListRef::Chunked(chunked) => Iter::Chunked(chunked.iter()),
        }
    }

    /// The elements in reverse.
    pub fn iter_rev(self) -> IterRev<'a> {
        match self {
            ListRef::Packed(pack) => IterRev::Packed { items: pack.iter_rev(), left: usize::MAX },
            ListRef::Chunked(chunked) => IterRev::Chunked(chunked.iter_rev()),
        }
    }

    /// The index of the first element that is `text`: O(n).
    pub fn find(self, text: &[u8]) -> Option<usize> {
        let needle = Needle::new(text);
        self.iter().position(|item| needle.is(item))
    }
}

impl<'a> IntoIterator for ListRef<'a> {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Elements of a list in order.
#[derive(Clone)]
pub enum Iter<'a> {
    Packed {
        items: listpack::Iter<'a>,
        /// At most so many are still to come.
        left: usize,
    },
    Chunked(chunked::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Iter::Packed { items, left } => {
                *left = left.checked_sub(1)?;
                items.next()
            }
            Iter::Chunked(items) => items.next(),
        }
    }
}

/// Elements of a list in reverse.
#[derive(Clone)]
pub enum IterRev<'a> {
    Packed {
        items: listpack::IterRev<'a>,
        /// At most so many are still to come.
        left: usize,
    },
    Chunked(chunked::IterRev<'a>),
}

impl<'a> Iterator for IterRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            IterRev::Packed { items, left } => {
                *left = left.checked_sub(1)?;
                items.next()
            }
            IterRev::Chunked(items) => items.next(),
        }
    }
}

/// A text to compare elements with: what it is as a number is worked out once.
#[derive(Clone, Copy)]
pub struct Needle<'a> {
    text: &'a [u8],
    number: Option<i64>,
}

impl<'a> Needle<'a> {
    /// A needle for elements that are `text`.
    pub fn new(text: &'a [u8]) -> Needle<'a> {
        let number = if text.len() <= INTEGER_TEXT_MAX { Item::from_text(text).as_int() } else { None };
        Needle { text, number }
    }

    /// Whether `item` is the needle's text.
    #[inline]
    pub fn is(&self, item: Item<'_>) -> bool {
        match item {
            Item::Int(value) => self.number == Some(value),
            Item::Bytes(text) => text == self.text,
        }
    }
}
