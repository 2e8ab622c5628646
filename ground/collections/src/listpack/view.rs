//! Reading a packed list in place.

use super::codec::{back, decode, is_end, skip};
use super::item::parse_integer;
use super::validate::{Malformed, validate};
use super::{COUNT_UNKNOWN, HEADER, Item};

/// A packed list that is read where it lies. Copying it copies the reference.
#[derive(Clone, Copy)]
pub struct ListpackRef<'a> {
    bytes: &'a [u8],
}

impl<'a> ListpackRef<'a> {
    /// Reads bytes that are known to be a packed list. If they are not, reading may panic or give nonsense, but stays inside them.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> ListpackRef<'a> {
        debug_assert!(validate(bytes).is_ok());
        ListpackRef { bytes }
    }

    /// As `new`, for bytes that this crate has written: a check in debug builds would make every operation O(n).
    #[inline]
    pub(crate) fn trusted(bytes: &'a [u8]) -> ListpackRef<'a> {
        ListpackRef { bytes }
    }

    /// Reads bytes from outside, after a check of every element: O(elements).
    pub fn from_untrusted(bytes: &'a [u8]) -> Result<ListpackRef<'a>, Malformed> {
        validate(bytes)?;
        Ok(ListpackRef { bytes })
    }

    /// The bytes themselves, header and end included.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number of elements: O(1) up to 65,534, above that they are counted.
    #[inline]
    pub fn len(&self) -> usize {
        match u16::from_le_bytes([self.bytes[4], self.bytes[5]]) {
            COUNT_UNKNOWN => self.count(),
            count => usize::from(count),
        }
    }

    #[cold]
    fn count(&self) -> usize {
        let (mut at, mut count) = (HEADER, 0);
        while !is_end(self.bytes, at) {
            at = skip(self.bytes, at);
            count += 1;
        }
        count
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        is_end(self.bytes, HEADER)
    }

    /// The position after the last element, where the next one would be appended.
    #[inline]
    pub fn end(&self) -> usize {
        self.bytes.len() - 1
    }

    /// The position of the first element.
    #[inline]
    pub fn first_position(&self) -> Option<usize> {
        (!self.is_empty()).then_some(HEADER)
    }

    /// The position of the last element.
    #[inline]
    pub fn last_position(&self) -> Option<usize> {
        self.prev(self.end())
    }

    /// The position of the element after the one at `position`.
    #[inline]
    pub fn next(&self, position: usize) -> Option<usize> {
        let next = skip(self.bytes, position);
        (!is_end(self.bytes, next)).then_some(next)
    }

    /// The element at `position` and the position after it; `None` at the end.
    #[inline]
    pub fn read(&self, position: usize) -> Option<(Item<'a>, usize)> {
        (!is_end(self.bytes, position)).then(|| decode(self.bytes, position))
    }

    /// The position `count` elements after `position`, or the end if that comes first.
    #[inline]
    pub fn skip(&self, position: usize, count: usize) -> usize {
        let (mut at, mut left) = (position, count);
        while left > 0 && !is_end(self.bytes, at) {
            at = skip(self.bytes, at);
            left -= 1;
        }
        at
    }

    /// The position of the element before `position`, which may be the end.
    #[inline]
    pub fn prev(&self, position: usize) -> Option<usize> {
        (position > HEADER).then(|| back(self.bytes, position))
    }

    /// The position of the element at `index`; a negative one counts from the end (-1 is the last). O(distance to the nearer end).
    pub fn position(&self, index: isize) -> Option<usize> {
        let count = self.len();
        let index = if index < 0 { count.checked_sub(index.unsigned_abs())? } else { index as usize };
        if index >= count {
            return None;
        }
        if index <= count / 2 {
            Some((0..index).fold(HEADER, |at, _| skip(self.bytes, at)))
        } else {
            Some((index..count).fold(self.end(), |at, _| back(self.bytes, at)))
        }
    }

    /// The element at a position, which is one of an element.
    #[inline]
    pub fn at(&self, position: usize) -> Item<'a> {
        decode(self.bytes, position).0
    }

    /// The element at `index`; a negative one counts from the end.
    pub fn get(&self, index: isize) -> Option<Item<'a>> {
        self.position(index).map(|position| self.at(position))
    }

    /// The first element.
    #[inline]
    pub fn first(&self) -> Option<Item<'a>> {
        self.first_position().map(|position| self.at(position))
    }

    /// The last element.
    #[inline]
    pub fn last(&self) -> Option<Item<'a>> {
        self.last_position().map(|position| self.at(position))
    }

    /// The position of the first element whose text is `needle`, looking at one element and passing over the `skipped` next. O(n), no allocation.
    #[inline]
    pub fn find(&self, needle: &[u8], skipped: usize) -> Option<usize> {
        self.find_from(HEADER, needle, skipped)
    }

    /// As `find`, from a position on, which may be the end.
    #[inline]
    pub fn find_from(&self, position: usize, needle: &[u8], skipped: usize) -> Option<usize> {
        match skipped {
            0 => find_every(self.bytes, position, needle, 0),
            1 => find_every(self.bytes, position, needle, 1),
            _ => find_every(self.bytes, position, needle, skipped),
        }
    }

    /// The positions of the key that is `key` and of its value, in a list of keys and values by turns.
    #[inline]
    pub fn find_pair(&self, key: &[u8]) -> Option<(usize, usize)> {
        let position = self.find(key, 1)?;
        Some((position, self.next(position)?))
    }

    /// The elements from first to last.
    #[inline]
    pub fn iter(&self) -> Iter<'a> {
        self.iter_from(HEADER)
    }

    /// The elements from the one at `position` on; the end gives none.
    #[inline]
    pub fn iter_from(&self, position: usize) -> Iter<'a> {
        Iter { bytes: self.bytes, position }
    }

    /// The elements from last to first.
    #[inline]
    pub fn iter_rev(&self) -> IterRev<'a> {
        self.iter_rev_from(self.end())
    }

    /// The elements before `position`, from the nearest to the first.
    #[inline]
    pub fn iter_rev_from(&self, position: usize) -> IterRev<'a> {
        IterRev { bytes: self.bytes, position }
    }

    /// The elements two by two: key and value, member and score. A last one without partner is left out.
    #[inline]
    pub fn iter_pairs(&self) -> Pairs<'a> {
        Pairs { items: self.iter() }
    }
}

impl std::fmt::Debug for ListpackRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for ListpackRef<'a> {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The search behind `find`. An integer is compared as such; a string first by its length, which stands in its encoding byte.
#[inline]
fn find_every(bytes: &[u8], mut at: usize, needle: &[u8], skipped: usize) -> Option<usize> {
    let number = parse_integer(needle);
    loop {
        let first = bytes[at];
        if first & 0xC0 == 0x80 {
            let length = usize::from(first & 0x3F);
            if length == needle.len() && same(&bytes[at + 1..at + 1 + length], needle) {
                return Some(at);
            }
            at += length + 2;
        } else if is_end(bytes, at) {
            return None;
        } else {
            let (item, next) = decode(bytes, at);
            let found = match item {
                Item::Int(value) => number == Some(value),
                Item::Bytes(text) => text == needle,
            };
            if found {
                return Some(at);
            }
            at = next;
        }
        for _ in 0..skipped {
            if is_end(bytes, at) {
                return None;
            }
            at = skip(bytes, at);
        }
    }
}

/// Whether two short strings of the same length are equal. A call of `memcmp` costs more than these few loads, and names
/// differ in their last bytes more often than in their first.
#[inline]
fn same(left: &[u8], right: &[u8]) -> bool {
    match (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(left_end), Some(right_end)) => {
            let (mut left_rest, mut right_rest) = (left, right);
            let mut equal = left_end == right_end;
            while let (true, Some((left_head, left_tail)), Some((right_head, right_tail))) =
                (equal, left_rest.split_first_chunk::<8>(), right_rest.split_first_chunk::<8>())
            {
                equal = left_head == right_head;
                (left_rest, right_rest) = (left_tail, right_tail);
            }
            equal
        }
        _ => match (left.last_chunk::<4>(), right.last_chunk::<4>()) {
            (Some(left_end), Some(right_end)) => {
                left_end == right_end && left.first_chunk::<4>() == right.first_chunk::<4>()
            }
            _ => match (left.first_chunk::<2>(), right.first_chunk::<2>()) {
                (Some(left_start), Some(right_start)) => {
                    left_start == right_start && left.last_chunk::<2>() == right.last_chunk::<2>()
                }
                _ => left.first() == right.first(),
            },
        },
    }
}

/// The elements of a list in order.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Iter<'_> {
    /// The position of the element that comes next, or the end.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if is_end(self.bytes, self.position) {
            return None;
        }
        let (item, next) = decode(self.bytes, self.position);
        self.position = next;
        Some(item)
    }

    fn nth(&mut self, skipped: usize) -> Option<Item<'a>> {
        for _ in 0..skipped {
            if is_end(self.bytes, self.position) {
                return None;
            }
            self.position = skip(self.bytes, self.position);
        }
        self.next()
    }
}

impl std::iter::FusedIterator for Iter<'_> {}

/// The elements of a list in reverse.
#[derive(Clone)]
pub struct IterRev<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl IterRev<'_> {
    /// The position of the element that was returned last.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for IterRev<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.position <= HEADER {
            return None;
        }
        self.position = back(self.bytes, self.position);
        Some(decode(self.bytes, self.position).0)
    }
}

impl std::iter::FusedIterator for IterRev<'_> {}

/// The elements of a list two by two.
#[derive(Clone)]
pub struct Pairs<'a> {
    items: Iter<'a>,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Item<'a>, Item<'a>)> {
        Some((self.items.next()?, self.items.next()?))
    }
}

impl std::iter::FusedIterator for Pairs<'_> {}
