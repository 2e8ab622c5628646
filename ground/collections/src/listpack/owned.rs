//! Building and changing a packed list.

use super::codec::{back, decode, encode, encoded_len, is_end};
use super::validate::{Malformed, validate};
use super::{BYTES_MAX, COUNT_UNKNOWN, END, HEADER, Item, Iter, ListpackRef};
use crate::block::Block;

/// A packed list that is owned: one pointer to one heap block, which has room at either end where pushes found it useful.
///
/// A change that would take it past 4 GiB panics; callers stay below `BYTES_MAX`, see `has_room`.
#[derive(Clone)]
pub struct Listpack {
    /// Invariant: its content is a valid packed list.
    block: Block,
}

impl Listpack {
    /// An empty list.
    pub fn new() -> Listpack {
        Listpack::with_capacity(0)
    }

    /// An empty list with room for `bytes` bytes of encoded elements.
    pub fn with_capacity(bytes: usize) -> Listpack {
        const EMPTY: [u8; HEADER + 1] = [HEADER as u8 + 1, 0, 0, 0, 0, 0, END];
        Listpack { block: Block::with_content(&EMPTY, bytes) }
    }

    /// A copy of bytes that are known to be a packed list. If they are not, using it may panic or give nonsense, no worse.
    ///
    /// # Panics
    ///
    /// When the total in the header is not the length of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Listpack {
        debug_assert!(validate(bytes).is_ok());
        Listpack { block: Block::with_content(bytes, 0) }
    }

    /// A copy of bytes from outside, after a check of every element: O(elements).
    pub fn from_untrusted(bytes: &[u8]) -> Result<Listpack, Malformed> {
        validate(bytes)?;
        Ok(Listpack { block: Block::with_content(bytes, 0) })
    }

    /// The same elements, each in the one form in which this crate writes it: look-ups find no other. O(elements).
    pub fn into_canonical(self) -> Listpack {
        let mut items = self.iter();
        loop {
            let position = items.position();
            let Some(item) = items.next() else { return self };
            let canonical = match item {
                Item::Bytes(text) => Item::from_text(text),
                int => int,
            };
            // No two forms of an element take the same number of bytes, but for an integer and its text.
            if canonical != item || encoded_len(&canonical) != items.position() - position {
                break;
            }
        }
        let mut rebuilt = Listpack::with_capacity(self.bytes());
        for item in self.iter() {
            match item {
                Item::Bytes(text) => rebuilt.push_back(text),
                Item::Int(value) => rebuilt.push_back_int(value),
            }
        }
        rebuilt
    }

    /// The bytes, header and end included: what a file holds.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.block.bytes()
    }

    /// The list for reading: everything that does not change it is there.
    #[inline]
    pub fn view(&self) -> ListpackRef<'_> {
        ListpackRef::trusted(self.block.bytes())
    }

    /// The size of the bytes.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.block.len()
    }

    /// The size of the heap block, in bytes.
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.block.capacity()
    }

    /// Whether an element of `length` bytes of text can be added below `BYTES_MAX`.
    #[inline]
    pub fn has_room(&self, length: usize) -> bool {
        length < BYTES_MAX && self.bytes() + length + 10 <= BYTES_MAX
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// The elements from first to last.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        self.view().iter()
    }

    /// Appends an element.
    #[inline]
    pub fn push_back(&mut self, text: &[u8]) {
        self.push_back_item(Item::from_text(text));
    }

    /// Appends an integer element.
    #[inline]
    pub fn push_back_int(&mut self, value: i64) {
        self.push_back_item(Item::Int(value));
    }

    #[inline]
    fn push_back_item(&mut self, item: Item<'_>) {
        let size = encoded_len(&item);
        let Some(body) = self.block.extend_back(size) else {
            return self.insert_item(self.bytes() - 1, item);
        };
        // The new element begins where the list ended.
        let at = body.len() - 1 - size;
        encode(&item, &mut body[at..at + size]);
        body[at + size] = END;
        count_one_more(body);
    }

    /// Puts an element before the first.
    #[inline]
    pub fn push_front(&mut self, text: &[u8]) {
        let item = Item::from_text(text);
        let (size, count) = (encoded_len(&item), *self.count_field());
        let Some(body) = self.block.extend_front(size) else {
            return self.insert_item(HEADER, item);
        };
        // The header has moved, the other elements have not.
        body[..2].copy_from_slice(&count);
        encode(&item, &mut body[2..2 + size]);
        count_one_more(body);
    }

    /// Puts an element before `position`, which is that of an element or the end. The new one stands at `position`.
    #[inline]
    pub fn insert_before(&mut self, position: usize, text: &[u8]) {
        self.insert_item(position, Item::from_text(text));
    }

    /// Puts an element after the one at `position`, and returns where it stands.
    #[inline]
    pub fn insert_after(&mut self, position: usize, text: &[u8]) -> usize {
        let after = self.after(position);
        self.insert_item(after, Item::from_text(text));
        after
    }

    /// Puts an element before `position`, as `insert_before` does. An integer must be given as `Item::Int`.
    #[inline]
    pub fn insert_item(&mut self, position: usize, item: Item<'_>) {
        let gap = self.block.splice(position, 0, encoded_len(&item));
        encode(&item, gap);
        self.add_to_count(1);
    }

    /// Replaces the element at `position`, in place when the new one takes as many bytes. The position stays that of the element.
    #[inline]
    pub fn replace(&mut self, position: usize, text: &[u8]) {
        self.replace_item(position, Item::from_text(text));
    }

    /// As `replace`. An integer must be given as `Item::Int`.
    #[inline]
    pub fn replace_item(&mut self, position: usize, item: Item<'_>) {
        let old = self.after(position) - position;
        let gap = self.block.splice(position, old, encoded_len(&item));
        encode(&item, gap);
    }

    /// Removes up to `count` elements from `position` on, and returns how many there were. What followed them stands at `position` now.
    pub fn remove(&mut self, position: usize, count: usize) -> usize {
        let mut items = self.view().iter_from(position);
        let removed = items.by_ref().take(count).count();
        let after = items.position();
        self.remove_span(position, after, removed);
        removed
    }

    #[inline]
    fn remove_span(&mut self, from: usize, to: usize, elements: usize) {
        self.block.splice(from, to - from, 0);
        self.subtract_from_count(elements);
    }

    /// Removes the first element, after `read` has seen it.
    #[inline]
    pub fn pop_front_with<R>(&mut self, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let bytes = self.block.bytes();
        if is_end(bytes, HEADER) {
            return None;
        }
        let count = u16::from_le_bytes([bytes[4], bytes[5]]);
        let (item, next) = decode(bytes, HEADER);
        let result = read(item);
        if count != COUNT_UNKNOWN
            && let Some(body) = self.block.shorten_front(next - HEADER)
        {
            body[..2].copy_from_slice(&count.saturating_sub(1).to_le_bytes());
        } else {
            self.remove_span(HEADER, next, 1);
        }
        Some(result)
    }

    /// Removes the last element, after `read` has seen it.
    #[inline]
    pub fn pop_back_with<R>(&mut self, read: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let bytes = self.block.bytes();
        let end = bytes.len() - 1;
        if end == HEADER {
            return None;
        }
        let count = u16::from_le_bytes([bytes[4], bytes[5]]);
        let position = back(bytes, end);
        let result = read(decode(bytes, position).0);
        if count != COUNT_UNKNOWN
            && let Some(body) = self.block.shorten_back(end - position)
            && let [low, high, .., last] = body
        {
            [*low, *high] = count.saturating_sub(1).to_le_bytes();
            *last = END;
        } else {
            self.remove_span(position, end, 1);
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

    /// Keeps the first `count` elements.
    pub fn truncate(&mut self, count: usize) {
        let Some(position) = self.index_position(count) else { return };
        let elements = self.len() - count;
        self.remove_span(position, self.bytes() - 1, elements);
    }

    /// Removes up to `count` elements from the one at `index` on; nothing if there is none.
    pub fn remove_at(&mut self, index: usize, count: usize) {
        if let Some(position) = self.index_position(index) {
            self.remove(position, count);
        }
    }

    /// Cuts the list before the element at `index` and returns the rest.
    pub fn split_off(&mut self, index: usize) -> Listpack {
        let Some(position) = self.index_position(index) else { return Listpack::new() };
        let (elements, end) = (self.len() - index, self.bytes() - 1);
        let mut rest = Listpack::with_capacity(end - position);
        rest.append_span(&self.as_bytes()[position..end], elements);
        self.remove_span(position, end, elements);
        rest
    }

    fn index_position(&self, index: usize) -> Option<usize> {
        self.view().position(isize::try_from(index).ok()?)
    }

    /// Removes all elements; the heap block shrinks.
    pub fn clear(&mut self) {
        *self = Listpack::new();
    }

    /// Appends all elements of another list: one copy.
    pub fn append(&mut self, other: ListpackRef<'_>) {
        let elements = other.as_bytes().get(HEADER..other.end()).unwrap_or_default();
        self.block.splice(self.bytes() - 1, 0, elements.len()).copy_from_slice(elements);
        self.add_to_count(other.len());
    }

    /// Keeps the elements for which `keep` says so, in one pass.
    pub fn retain(&mut self, mut keep: impl FnMut(Item<'_>) -> bool) {
        let mut kept = Listpack::with_capacity(0);
        let view = self.view();
        let mut items = view.iter();
        // The current run of kept elements, copied when it ends.
        let (mut run_start, mut run_elements, mut removed) = (HEADER, 0, 0);
        loop {
            let position = items.position();
            let keeps = items.next().map(&mut keep);
            if keeps == Some(true) {
                run_elements += 1;
                continue;
            }
            if run_elements > 0 && (removed > 0 || keeps.is_some()) {
                kept.append_span(&view.as_bytes()[run_start..position], run_elements);
            }
            if keeps.is_none() {
                break;
            }
            (run_start, run_elements, removed) = (items.position(), 0, removed + 1);
        }
        if removed > 0 {
            *self = kept;
        }
    }

    fn append_span(&mut self, encoded: &[u8], elements: usize) {
        self.block.splice(self.bytes() - 1, 0, encoded.len()).copy_from_slice(encoded);
        self.add_to_count(elements);
    }

    /// Makes room for `bytes` more bytes of encoded elements at the end.
    pub fn reserve(&mut self, bytes: usize) {
        if self.block.room_at_end() < bytes {
            self.block.resize(self.bytes() + bytes);
        }
    }

    /// Gives back the slack that pushes and pops have left.
    pub fn shrink_to_fit(&mut self) {
        self.block.resize(0);
    }

    /// The position after the element at `position`.
    #[inline]
    fn after(&self, position: usize) -> usize {
        super::codec::skip(self.block.bytes(), position)
    }

    #[inline]
    fn add_to_count(&mut self, more: usize) {
        let field = self.count_field();
        let count = usize::from(u16::from_le_bytes(*field)).saturating_add(more).min(usize::from(COUNT_UNKNOWN));
        *field = (count as u16).to_le_bytes();
    }

    #[inline]
    fn subtract_from_count(&mut self, less: usize) {
        let field = self.count_field();
        match u16::from_le_bytes(*field) {
            // As in Redis, a list that was once too long to count stays so until it is empty.
            COUNT_UNKNOWN => {}
            count => *field = count.saturating_sub(less as u16).to_le_bytes(),
        }
        if self.bytes() == HEADER + 1 {
            *self.count_field() = [0, 0];
        }
    }

    /// The number of elements, as the header has it.
    #[inline]
    fn count_field(&mut self) -> &mut [u8; 2] {
        self.block.body_mut().first_chunk_mut().expect("a packed list has a header")
    }
}

/// Counts one more element in what follows the length of the list.
#[inline]
fn count_one_more(body: &mut [u8]) {
    if let [low, high, ..] = body {
        // From 65,535 on, which says that it cannot count further, it stays.
        [*low, *high] = u16::from_le_bytes([*low, *high]).saturating_add(1).to_le_bytes();
    }
}

/// Puts `text` in the place of the element at `position` of a list that lies anywhere, if it takes exactly as many bytes;
/// says whether it does. Else nothing is changed.
#[inline]
pub fn overwrite(list: &mut [u8], position: usize, text: &[u8]) -> bool {
    let item = Item::from_text(text);
    let element = &mut list[position..];
    let fits = super::codec::skip(element, 0) == encoded_len(&item);
    if fits {
        encode(&item, &mut element[..encoded_len(&item)]);
    }
    fits
}

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::new()
    }
}

impl PartialEq for Listpack {
    fn eq(&self, other: &Listpack) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Listpack {}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> FromIterator<&'a [u8]> for Listpack {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(texts: I) -> Listpack {
        let mut list = Listpack::new();
        for text in texts {
            list.push_back(text);
        }
        list
    }
}
