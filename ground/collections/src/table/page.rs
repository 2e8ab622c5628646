//! A page of the directory: a power of two of words, with the item count and the earliest deadline behind each.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

use super::segment::Node;

/// A page is indexed by at most so many bits (512 words, 9 KiB), so that doubling one never takes long.
pub(super) const PAGE_BITS_MAX: u32 = 9;

/// A view of a page: `words`, then as many deadlines (`u64`), then as many item counts (`u16`), in one allocation.
///
/// A segment or page that needs fewer than `bits` bits stands in a run of equal words. What belongs to it is kept at
/// the first of them; the others' counts are 0 and their deadlines are never.
#[derive(Clone, Copy)]
pub(super) struct Page {
    words: *mut u64,
    pub(super) bits: u32,
}

/// The deadline of what never expires.
pub(super) const NEVER_MS: u64 = u64::MAX;

impl Page {
    /// A page without words: the caller sets each. Counts are 0, deadlines never.
    pub(super) fn new(bits: u32) -> Page {
        let layout = layout(bits);
        // SAFETY: the size is not 0.
        let words = unsafe { alloc(layout) }.cast::<u64>();
        if words.is_null() {
            handle_alloc_error(layout);
        }
        let page = Page { words, bits };
        for index in 0..page.size() {
            page.set_node(index, Node::nothing());
            page.set_deadline_ms(index, NEVER_MS);
            page.set_items(index, 0);
        }
        page
    }

    #[inline]
    pub(super) fn of(node: Node) -> Page {
        Page { words: std::ptr::with_exposed_provenance_mut(node.address() as usize), bits: node.page_bits() }
    }

    pub(super) fn node(self, skip: u32) -> Node {
        Node::page(self.words, self.bits, skip)
    }

    pub(super) fn bytes(self) -> usize {
        layout(self.bits).size()
    }

    /// Frees the page, not what its words lead to.
    ///
    /// # Safety
    /// The page is not used again.
    pub(super) unsafe fn free(self) {
        // SAFETY: `new` allocated it with this layout.
        unsafe { dealloc(self.words.cast(), layout(self.bits)) }
    }

    /// How many words there are.
    #[inline]
    pub(super) fn size(self) -> usize {
        1 << self.bits
    }

    /// How many equal words lead to `node`, which this page holds.
    pub(super) fn run(self, node: Node) -> usize {
        1 << (self.bits - node.skip())
    }

    #[inline]
    pub(super) fn child(self, index: usize) -> Node {
        debug_assert!(index < self.size());
        // SAFETY: the index is below the size; every word is initialised by `new`.
        Node(unsafe { self.words.add(index).read() })
    }

    pub(super) fn set_node(self, index: usize, node: Node) {
        debug_assert!(index < self.size());
        // SAFETY: the index is below the size.
        unsafe { self.words.add(index).write(node.0) }
    }

    /// Sets the words of the run of `node`, which begins at `first`. Counts and deadlines stay.
    pub(super) fn set_nodes(self, first: usize, node: Node) {
        (first..first + self.run(node)).for_each(|index| self.set_node(index, node));
    }

    /// Sets the whole run of words of `node`, which begins at `first`, with its count and deadline.
    pub(super) fn set_run(self, first: usize, node: Node, items: usize, deadline_ms: u64) {
        for index in first..first + self.run(node) {
            self.set_node(index, node);
            self.set_items(index, 0);
            self.set_deadline_ms(index, NEVER_MS);
        }
        self.set_items(first, items);
        self.set_deadline_ms(first, deadline_ms);
    }

    #[inline]
    pub(super) fn deadline_ms(self, index: usize) -> u64 {
        debug_assert!(index < self.size());
        // SAFETY: the deadlines follow the words; `new` initialised them.
        unsafe { self.words.add(self.size() + index).read() }
    }

    #[inline]
    pub(super) fn set_deadline_ms(self, index: usize, deadline_ms: u64) {
        debug_assert!(index < self.size());
        // SAFETY: the deadlines follow the words.
        unsafe { self.words.add(self.size() + index).write(deadline_ms) }
    }

    /// The earliest deadline of all.
    pub(super) fn deadline_ms_min(self) -> u64 {
        (0..self.size()).map(|index| self.deadline_ms(index)).min().unwrap_or(NEVER_MS)
    }

    #[inline]
    fn counts(self) -> *mut u16 {
        // SAFETY: the counts follow words and deadlines inside the allocation.
        unsafe { self.words.add(2 * self.size()).cast() }
    }

    /// Items in the segment at `index`.
    #[inline]
    pub(super) fn items(self, index: usize) -> usize {
        debug_assert!(index < self.size());
        // SAFETY: the index is below the size; `new` initialised the counts.
        usize::from(unsafe { self.counts().add(index).read() })
    }

    #[inline]
    pub(super) fn set_items(self, index: usize, items: usize) {
        debug_assert!(index < self.size() && items <= usize::from(u16::MAX));
        // SAFETY: the index is below the size.
        unsafe { self.counts().add(index).write(items as u16) }
    }

    /// A page of one bit more with the same content; this one is freed.
    ///
    /// # Safety
    /// This page is not used again.
    pub(super) unsafe fn doubled(self) -> Page {
        let wider = Page::new(self.bits + 1);
        for index in 0..self.size() {
            wider.set_node(2 * index, self.child(index));
            wider.set_node(2 * index + 1, self.child(index));
            wider.set_items(2 * index, self.items(index));
            wider.set_deadline_ms(2 * index, self.deadline_ms(index));
        }
        // SAFETY: by the caller's promise.
        unsafe { self.free() };
        wider
    }

    /// Whether every word stands in a run, so that half the page says the same.
    pub(super) fn can_be_halved(self) -> bool {
        self.bits > 1 && (0..self.size()).all(|index| self.child(index).skip() < self.bits)
    }

    /// A page of one bit less with the same content; this one is freed.
    ///
    /// # Safety
    /// It can be halved, and is not used again.
    pub(super) unsafe fn halved(self) -> Page {
        let narrower = Page::new(self.bits - 1);
        for index in 0..narrower.size() {
            narrower.set_node(index, self.child(2 * index));
            narrower.set_items(index, self.items(2 * index));
            narrower.set_deadline_ms(index, self.deadline_ms(2 * index));
        }
        // SAFETY: by the caller's promise.
        unsafe { self.free() };
        narrower
    }
}

fn layout(bits: u32) -> Layout {
    Layout::from_size_align((1 << bits) * (8 + 8 + 2), 64).expect("a page is small")
}
