//! Heap blocks whose size can be told from their content: the allocations behind entries, members and fields.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Every block is aligned so: an allocator of 8-byte steps wastes nothing on it, and a table keeps 3 bits of its own
/// in each pointer.
pub(crate) const ALIGN: usize = 8;

/// Larger blocks take whole pages of 4 KiB.
pub(crate) const CLASSED_BYTES_MAX: usize = 32 * 1024;

/// The size that is allocated for `bytes` of content: the allocator's own classes (`build.rs`), so that content may grow in place
/// without a cost. Steps of 8 bytes up to 128, then 16 steps a doubling up to 1 KiB, then 8; whole pages when it is large.
#[inline]
pub(crate) const fn size_class(bytes: usize) -> usize {
    if bytes <= 128 {
        if bytes == 0 { 8 } else { (bytes + 7) & !7 }
    } else if bytes <= CLASSED_BYTES_MAX {
        let doubling = (bytes - 1).ilog2();
        let steps_log2 = if doubling < 10 { 4 } else { 3 };
        let shift = doubling - steps_log2;
        (((bytes - 1) >> shift) + 1) << shift
    } else {
        bytes.next_multiple_of(4096)
    }
}

/// Allocates `size_class(bytes)` bytes, not initialised. Aborts when memory is out, as `Box` does.
#[inline]
pub(crate) fn allocate(bytes: usize) -> NonNull<u8> {
    let layout = layout(bytes);
    // SAFETY: a size class is never 0.
    match NonNull::new(unsafe { alloc(layout) }) {
        Some(block) => block,
        None => handle_alloc_error(layout),
    }
}

/// Frees a block.
///
/// # Safety
/// `block` came from [`allocate`] with a number of bytes of the same size class, and is not used again.
#[inline]
pub(crate) unsafe fn free(block: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller promises that the block was allocated with this very layout.
    unsafe { dealloc(block.as_ptr(), layout(bytes)) }
}

#[inline]
fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(size_class(bytes), ALIGN).expect("content is smaller than half the address space")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_their_content_and_waste_at_most_a_fifth() {
        for bytes in 1..200_000 {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(ALIGN), "{bytes} in {class}");
            assert!(class - bytes < 8.max(bytes / 4), "{bytes} in {class}");
            assert_eq!(size_class(class), class);
        }
    }
}
