//! A growable run of bytes behind one thin pointer, with room to grow at both ends.
//!
//! The heap block begins with one word: its size class in the low 8 bits, and in the upper 24 bits the offset at which the
//! content starts. The content begins with its own length (a little-endian `u32` that counts itself), as a listpack does, so
//! that nothing is stored twice. Sizes are the allocator's own classes (multiples of 8 to 64 bytes, then four steps for
//! each power of two): the slack that lets a push stay in place is memory that the allocator would have rounded up to anyway.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Bytes before the earliest possible content: the word that describes the block.
const PREFIX: usize = 4;
/// Bytes at the start of the content that hold the length of the content.
const LENGTH: usize = 4;
/// The smallest block.
const BLOCK_MIN: usize = 16;
/// The largest block that size classes are computed for; content ends far below (see `listpack::BYTES_MAX`).
const BLOCK_MAX: usize = 7 << 28;
/// The largest offset of the content: it has 24 bits.
const START_MAX: usize = (1 << 24) - 1;

/// Invariant: `base` owns a block of `class_size(class)` bytes, all initialised. Its first word holds the class and a start of at
/// least `PREFIX`; the `u32` at `start` is the length of the content, at least `LENGTH`, and `start + length` is within the block.
/// Only this module writes the word and the length.
pub(crate) struct Block {
    base: NonNull<u8>,
}

// SAFETY: a block is owned memory without interior mutability, like a `Vec<u8>`.
unsafe impl Send for Block {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Block {}

impl Block {
    /// A block that holds `content`, with room for `slack` more bytes at its end.
    ///
    /// # Panics
    ///
    /// When the first four bytes of `content` are not its length: the invariant that everything here rests on.
    pub(crate) fn with_content(content: &[u8], slack: usize) -> Block {
        assert!(
            content.len() >= LENGTH && stored_length(content) == content.len(),
            "content begins with its own length"
        );
        let mut block = Block::allocate(content.len() + slack, PREFIX);
        // SAFETY: the block has at least `PREFIX + content.len()` bytes, and it is new, so it does not overlap the content.
        unsafe { block.base.as_ptr().add(PREFIX).copy_from_nonoverlapping(content.as_ptr(), content.len()) };
        block.set_word(block.class(), PREFIX);
        block
    }

    /// Zeroed memory for `length` bytes of content, of which nothing is used yet. `start` must leave room for the content.
    fn allocate(length: usize, start: usize) -> Block {
        let class = class_of(PREFIX + length);
        let layout = layout_of(class);
        // SAFETY: the layout's size is at least `BLOCK_MIN`.
        let raw = unsafe { alloc(layout) };
        let Some(base) = NonNull::new(raw) else { handle_alloc_error(layout) };
        // SAFETY: the block has `layout.size()` bytes. Zeroed once here, so that its slack may be lent out as a slice later.
        unsafe { base.as_ptr().write_bytes(0, layout.size()) };
        let mut block = Block { base };
        block.set_word(class, start);
        // SAFETY: `start + LENGTH` is within the block. An empty content, so that the invariant holds from here on.
        unsafe { base.as_ptr().add(start).cast::<u32>().write_unaligned((LENGTH as u32).to_le()) };
        block
    }

    #[inline]
    fn word(&self) -> u32 {
        // SAFETY: by the invariant the block begins with its word, and it is aligned to four bytes.
        unsafe { self.base.cast::<u32>().read() }
    }

    #[inline]
    fn set_word(&mut self, class: u8, start: usize) {
        debug_assert!((PREFIX..=START_MAX).contains(&start));
        // SAFETY: as in `word`; `&mut self` makes it exclusive.
        unsafe { self.base.cast::<u32>().write(u32::from(class) | (start as u32) << 8) };
    }

    #[inline]
    fn class(&self) -> u8 {
        self.word() as u8
    }

    #[inline]
    fn start(&self) -> usize {
        (self.word() >> 8) as usize
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: by the invariant the length stands at the start of the content, within the block.
        u32::from_le(unsafe { self.base.as_ptr().add(self.start()).cast::<u32>().read_unaligned() }) as usize
    }

    /// Moves the content's start, or changes its length, or both.
    #[inline]
    fn set_span(&mut self, start: usize, length: usize) {
        let class = self.class();
        assert!(length >= LENGTH && start + length <= class_size(class));
        self.set_word(class, start);
        // SAFETY: checked above: the length's four bytes are within the block.
        unsafe { self.base.as_ptr().add(start).cast::<u32>().write_unaligned((length as u32).to_le()) };
    }

    /// The size of the heap block in bytes.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        class_size(self.class())
    }

    /// Bytes by which the content can grow at its end without moving.
    pub(crate) fn room_at_end(&self) -> usize {
        self.capacity() - self.start() - self.len()
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: by the invariant the content is within the block and initialised; `&self` keeps it unchanged.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(self.start()), self.len()) }
    }

    /// The content after its length, which only this module may write.
    #[inline]
    pub(crate) fn body_mut(&mut self) -> &mut [u8] {
        let (start, length) = (self.start(), self.len());
        // SAFETY: as in `bytes`, and `&mut self` makes it exclusive; the length is left out.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(start + LENGTH), length - LENGTH) }
    }

    /// Lengthens the content by `more` bytes (leftovers) at its end, if it need not move for that. Returns all after the length.
    #[inline]
    pub(crate) fn extend_back(&mut self, more: usize) -> Option<&mut [u8]> {
        let (word, length) = (self.word(), self.len());
        let start = (word >> 8) as usize;
        if class_size(word as u8) - start - length < more {
            return None;
        }
        // SAFETY: the longer content still ends within the block.
        Some(unsafe { self.span(start, length + more) })
    }

    /// Lengthens the content by `more` bytes at its start, if it need not move for that. Returns all after the length, of which the first
    /// `more` bytes are leftovers.
    #[inline]
    pub(crate) fn extend_front(&mut self, more: usize) -> Option<&mut [u8]> {
        let (word, length) = (self.word(), self.len());
        let start = (word >> 8) as usize;
        if start - PREFIX < more {
            return None;
        }
        self.set_word(word as u8, start - more);
        // SAFETY: the longer content begins after the word and ends where it did.
        Some(unsafe { self.span(start - more, length + more) })
    }

    /// Takes `less` bytes from the end of the content, unless the block would be too large then. Returns all after the length.
    #[inline]
    pub(crate) fn shorten_back(&mut self, less: usize) -> Option<&mut [u8]> {
        let (word, length) = (self.word(), self.len());
        if length < less + LENGTH || is_too_large(class_size(word as u8), length - less) {
            return None;
        }
        // SAFETY: the shorter content is within the old one and has room for its length.
        Some(unsafe { self.span((word >> 8) as usize, length - less) })
    }

    /// Takes `less` bytes from the start of the content, unless the block would be too large then. Returns all after the length.
    #[inline]
    pub(crate) fn shorten_front(&mut self, less: usize) -> Option<&mut [u8]> {
        let (word, length) = (self.word(), self.len());
        let start = (word >> 8) as usize + less;
        if start > START_MAX || length < less + LENGTH || is_too_large(class_size(word as u8), length - less) {
            return None;
        }
        self.set_word(word as u8, start);
        // SAFETY: as above.
        Some(unsafe { self.span(start, length - less) })
    }

    /// Writes the length of the content and returns what follows it.
    ///
    /// # Safety
    ///
    /// The block's word says `start`, the length is at least `LENGTH`, and both together are within the block.
    #[inline]
    unsafe fn span(&mut self, start: usize, length: usize) -> &mut [u8] {
        // SAFETY: by the caller's promise all of the content is within the block, which is initialised and owned alone.
        unsafe {
            let content = self.base.as_ptr().add(start);
            content.cast::<u32>().write_unaligned((length as u32).to_le());
            std::slice::from_raw_parts_mut(content.add(LENGTH), length - LENGTH)
        }
    }

    /// Replaces the `old` bytes at `at` by `new` bytes, which it returns to be filled: they hold leftovers. Moves whichever side
    /// is shorter, and takes another block only when there is no room: O(shorter side), amortised.
    #[inline]
    pub(crate) fn splice(&mut self, at: usize, old: usize, new: usize) -> &mut [u8] {
        let (start, length) = (self.start(), self.len());
        assert!(at >= LENGTH && old <= length && at <= length - old);
        let tail = length - at - old;
        if new > old {
            let more = new - old;
            if at > tail {
                if more <= self.capacity() - start - length {
                    self.shift(start + at + old, start + at + new, tail);
                    self.set_span(start, length + more);
                } else {
                    self.make_room(at, old, new);
                }
            } else if more <= start - PREFIX {
                self.shift(start, start - more, at);
                self.set_span(start - more, length + more);
            } else {
                self.make_room(at, old, new);
            }
        } else if new < old {
            let less = old - new;
            if at < tail && start + less <= START_MAX {
                self.shift(start, start + less, at);
                self.set_span(start + less, length - less);
            } else {
                self.shift(start + at + old, start + at + new, tail);
                self.set_span(start, length - less);
            }
            if is_too_large(self.capacity(), self.len()) {
                self.resize(self.len() + self.len() / 8);
            }
        }
        &mut self.body_mut()[at - LENGTH..][..new]
    }

    /// Opens the gap of a splice whose shorter side has no room: all slack goes to that side, so that the next ones find it there.
    #[cold]
    fn make_room(&mut self, at: usize, old: usize, new: usize) {
        let (start, length) = (self.start(), self.len());
        let tail = length - at - old;
        let (grown, capacity) = (at + new + tail, self.capacity());
        // In place when that is cheap, or frees enough room that the moves are paid for by the pushes that follow.
        if PREFIX + grown <= capacity && (grown <= 256 || capacity - grown >= grown / 8) {
            let target = start_for(capacity, grown, at <= tail);
            if target > start {
                self.shift(start + at + old, target + at + new, tail);
                self.shift(start, target, at);
            } else {
                self.shift(start, target, at);
                self.shift(start + at + old, target + at + new, tail);
            }
            self.set_span(target, grown);
            return;
        }
        let slack = if grown <= 256 { 0 } else { grown / 8 };
        let mut larger = Block::allocate(grown + slack, PREFIX);
        let target = start_for(larger.capacity(), grown, at <= tail);
        larger.set_span(target, grown);
        // SAFETY: `set_span` has checked that `target + grown` is within the new block, and `start + length` is within this one.
        unsafe {
            let (from, to) = (self.base.as_ptr().add(start), larger.base.as_ptr().add(target));
            // The length of the content stays the new one.
            to.add(LENGTH).copy_from_nonoverlapping(from.add(LENGTH), at - LENGTH);
            to.add(at + new).copy_from_nonoverlapping(from.add(at + old), tail);
        }
        *self = larger;
    }

    /// Moves to the block that fits `length` bytes best, unless this is it already.
    #[cold]
    pub(crate) fn resize(&mut self, length: usize) {
        let length = length.max(self.len());
        if class_of(PREFIX + length) != self.class() {
            *self = Block::with_content(self.bytes(), length - self.len());
        }
    }

    /// Moves `count` bytes of the block from one offset to another.
    #[inline]
    fn shift(&mut self, from: usize, to: usize, count: usize) {
        let capacity = self.capacity();
        assert!(from + count <= capacity && to + count <= capacity);
        // SAFETY: both ranges are within the block; `copy_from` allows them to overlap.
        unsafe { self.base.as_ptr().add(to).copy_from(self.base.as_ptr().add(from), count) };
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block was allocated with the layout of its class, and nobody else owns it.
        unsafe { dealloc(self.base.as_ptr(), layout_of(self.class())) };
    }
}

impl Clone for Block {
    fn clone(&self) -> Block {
        Block::with_content(self.bytes(), 0)
    }
}

/// Whether a block should be exchanged for a smaller one: it is half empty.
#[inline]
fn is_too_large(capacity: usize, length: usize) -> bool {
    PREFIX + length <= capacity / 2 && capacity > SHRINK_MIN
}

fn stored_length(content: &[u8]) -> usize {
    u32::from_le_bytes([content[0], content[1], content[2], content[3]]) as usize
}

/// Where content of this length starts when all slack is to be on one side.
fn start_for(capacity: usize, length: usize, slack_in_front: bool) -> usize {
    if slack_in_front { (capacity - length).min(START_MAX) } else { PREFIX }
}

/// The number of the smallest size class that holds `size` bytes.
fn class_of(size: usize) -> u8 {
    assert!(size <= BLOCK_MAX, "packed content is kept far below the largest block");
    let size = if size <= 64 { size.max(BLOCK_MIN).next_multiple_of(8) } else { size };
    let shift = size.ilog2() - 2;
    let quarters = size.div_ceil(1 << shift);
    // Rounding up to 8 quarters gives class `(shift + 1) << 2`, which is the next power of two.
    ((shift << 2) as usize + quarters - 4) as u8
}

#[inline]
fn class_size(class: u8) -> usize {
    (4 + usize::from(class & 3)) << (class >> 2)
}

fn layout_of(class: u8) -> Layout {
    Layout::from_size_align(class_size(class), 8).expect("a size class is below isize::MAX")
}

const SHRINK_MIN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_the_smallest_that_fit() {
        let mut last = 0;
        for size in 1..100_000 {
            let class = class_of(size);
            assert!(class_size(class) >= size && (class == class_of(1) || class_size(class - 1) < size || size <= 64));
            assert!(class_size(class) >= last);
            last = class_size(class);
        }
        assert_eq!((class_size(class_of(17)), class_size(class_of(33)), class_size(class_of(65))), (24, 40, 80));
        assert_eq!(class_size(class_of(BLOCK_MAX)), BLOCK_MAX);
    }
}
