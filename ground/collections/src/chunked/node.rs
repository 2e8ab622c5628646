//! One chunk of a long list, and how large it may become.

use crate::listpack::{Item, Listpack, ListpackRef};

/// A run of elements of a long list.
#[derive(Clone)]
pub enum Node {
    /// Any number of elements, packed.
    Packed(Listpack),
    /// One element that is larger than a chunk should be.
    Plain(Box<[u8]>),
}

/// A chunk for reading.
#[derive(Clone, Copy)]
pub enum NodeRef<'a> {
    /// Any number of elements, packed.
    Packed(ListpackRef<'a>),
    /// One large element.
    Plain(&'a [u8]),
}

impl Node {
    /// A chunk of one element. `more` says that others are expected to follow, so that it gets its full size at once.
    pub(super) fn of(text: &[u8], limits: &Limits, more: bool) -> Node {
        if limits.is_large(text.len()) {
            return Node::Plain(text.into());
        }
        let room = if more && limits.elements == usize::MAX { limits.bytes - 7 } else { text.len() + 2 };
        let mut list = Listpack::with_capacity(room.max(text.len() + 2));
        list.push_back(text);
        Node::Packed(list)
    }

    /// The chunk for reading.
    #[inline]
    pub fn view(&self) -> NodeRef<'_> {
        match self {
            Node::Packed(list) => NodeRef::Packed(list.view()),
            Node::Plain(text) => NodeRef::Plain(text),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Node::Packed(list) => list.memory_bytes(),
            Node::Plain(text) => text.len(),
        }
    }
}

impl<'a> NodeRef<'a> {
    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            NodeRef::Packed(list) => list.len(),
            NodeRef::Plain(_) => 1,
        }
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`; a negative one counts from the end.
    pub(super) fn get(&self, index: impl TryInto<isize>) -> Option<Item<'a>> {
        match (self, index.try_into().ok()?) {
            (NodeRef::Packed(list), index) => list.get(index),
            (NodeRef::Plain(text), 0 | -1) => Some(Item::Bytes(text)),
            _ => None,
        }
    }
}

/// How large a chunk may become.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of a packed list. A few less than the round number, so that it fits an allocation of that.
    bytes: usize,
    elements: usize,
    /// Elements from this length on stand alone, whatever room there is; 0 when only the size of a chunk decides.
    plain_from: usize,
}

/// What the block of a packed list takes besides its bytes.
const BLOCK_PREFIX: usize = 4;

impl Limits {
    pub(super) fn of(fill: i16) -> Limits {
        match fill {
            0.. => Limits { bytes: 8192 - BLOCK_PREFIX, elements: fill.max(1) as usize, plain_from: 0 },
            _ => {
                let step = fill.max(-5).unsigned_abs() - 1;
                Limits { bytes: (4096 << step) - BLOCK_PREFIX, elements: usize::MAX, plain_from: 0 }
            }
        }
    }

    /// The same limits, with elements from `length` bytes on standing alone (0: those that are too large for a chunk).
    pub(super) fn with_plain_from(self, length: usize) -> Limits {
        Limits { plain_from: length, ..self }
    }

    /// Whether an element of this length gets a chunk of its own that is not packed.
    #[inline]
    pub(super) fn is_large(&self, length: usize) -> bool {
        if self.plain_from == 0 { length > self.bytes } else { length >= self.plain_from }
    }

    /// Whether a packed list has room for one more element of this length.
    #[inline]
    pub(super) fn have_room(&self, list: &Listpack, length: usize) -> bool {
        !self.is_large(length)
            && list.bytes() + framed(length) <= self.bytes
            && (self.elements == usize::MAX || list.len() < self.elements)
    }

    /// Whether the element at `index` may become one of this length.
    pub(super) fn allow_replacing(&self, list: &Listpack, index: usize, length: usize) -> bool {
        let view = list.view();
        let Some(position) = view.position(index as isize) else { return false };
        let old = view.next(position).unwrap_or(view.end()) - position;
        list.bytes() - old + framed(length) <= self.bytes || list.len() == 1
    }

    /// Whether two packed lists may become one.
    pub(super) fn allow_joining(&self, left: &Listpack, right: &Listpack) -> bool {
        left.bytes() + right.bytes() - 7 <= self.bytes
            && (self.elements == usize::MAX || left.len() + right.len() <= self.elements)
    }
}

/// The bytes that a string of this length takes in a packed list, at most: lengths before and after it take 2 bytes up to
/// 63 of text, and 8 at most below 64 KiB.
#[inline]
fn framed(length: usize) -> usize {
    length + if length < 64 { 2 } else { 8 }
}
