//! The memory of grown segments of a large table, without holes.
//!
//! Segments grow in small steps, all at about the same time, so blocks of one size are given back in any order and are not wanted again
//! for long: an allocator is left with pages that are half empty. Here blocks of a size stand in a row of slabs, and one that is given
//! back is filled with the last of the row, so that memory is given back slab by slab. Moving a segment is cheap: one word of a page
//! leads to it, and a copy of 4 KiB takes ≈100 ns.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::collections::BTreeMap;

use super::bucket::Bucket;
use super::segment::{BUCKETS_FULL, BUCKETS_GROWN};

/// Blocks of a slab: 16 to 32 KiB, which are size classes of the allocator.
const BLOCKS: usize = 8;

/// Sizes of grown segments are multiples of so many buckets.
const STEP: usize = 4;

const SIZES: usize = (BUCKETS_FULL - BUCKETS_GROWN) / STEP + 1;

/// Blocks for segments, each with the position at which its segment begins.
#[derive(Default)]
pub(super) struct Pool {
    rows: [Row; SIZES],
    /// What all slabs take.
    pub(super) bytes: usize,
}

/// The blocks of one size. Invariant: the first `taken` blocks of the slabs in a row are taken, and no slab is empty.
#[derive(Default)]
struct Row {
    slabs: Vec<Slab>,
    /// The number of the slab at an address.
    numbers: BTreeMap<u64, usize>,
    taken: usize,
}

struct Slab {
    address: u64,
    positions: [u64; BLOCKS],
}

/// A segment that stands elsewhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relocated {
    pub(super) position: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

fn size_of_blocks(buckets: usize) -> usize {
    buckets * size_of::<Bucket>()
}

fn layout(buckets: usize) -> Layout {
    Layout::from_size_align(BLOCKS * size_of_blocks(buckets), align_of::<Bucket>()).expect("at most 32 KiB")
}

impl Pool {
    /// Whether it has blocks for segments of so many buckets.
    pub(super) fn has_size(buckets: usize) -> bool {
        (BUCKETS_GROWN..=BUCKETS_FULL).contains(&buckets) && buckets.is_multiple_of(STEP)
    }

    fn row(&mut self, buckets: usize) -> &mut Row {
        debug_assert!(Pool::has_size(buckets));
        &mut self.rows[(buckets - BUCKETS_GROWN) / STEP]
    }

    /// A block of zeros for a segment that begins at `position`.
    pub(super) fn take(&mut self, buckets: usize, position: u64) -> u64 {
        let row = self.row(buckets);
        let (slab, index) = (row.taken / BLOCKS, row.taken % BLOCKS);
        if slab == row.slabs.len() {
            // SAFETY: the size is not 0.
            let memory = unsafe { alloc(layout(buckets)) };
            if memory.is_null() {
                handle_alloc_error(layout(buckets));
            }
            let address = memory.expose_provenance() as u64;
            row.slabs.push(Slab { address, positions: [0; BLOCKS] });
            row.numbers.insert(address, slab);
            self.bytes += layout(buckets).size();
        }
        let row = self.row(buckets);
        row.taken += 1;
        row.slabs[slab].positions[index] = position;
        let address = row.slabs[slab].address + (index * size_of_blocks(buckets)) as u64;
        // SAFETY: by the invariant the block is free, and it is inside the slab.
        unsafe { pointer(address).write_bytes(0, size_of_blocks(buckets)) };
        address
    }

    /// Takes a block back. Another may be moved into its place.
    ///
    /// # Safety
    /// `address` came from `take` with the same number of buckets, or from an answer of this function, and is not used again; nor
    /// is where the answer says that a block was.
    pub(super) unsafe fn give_back(&mut self, buckets: usize, address: u64) -> Option<Relocated> {
        let size = size_of_blocks(buckets);
        let row = self.row(buckets);
        let (&start, &slab) = row.numbers.range(..=address).next_back().expect("the block is of a slab");
        let index = (address - start) as usize / size;
        row.taken -= 1;
        let (last_slab, last_index) = (row.taken / BLOCKS, row.taken % BLOCKS);
        let last = row.slabs[last_slab].address + (last_index * size) as u64;
        let relocated = (last != address).then(|| {
            let position = row.slabs[last_slab].positions[last_index];
            row.slabs[slab].positions[index] = position;
            // SAFETY: both are blocks of this size, the last one is taken, and the other one is not used any more.
            unsafe { pointer(address).copy_from_nonoverlapping(pointer(last), size) };
            Relocated { position, from: last, to: address }
        });
        if last_index == 0 {
            let slab = row.slabs.pop().expect("it held the last block");
            row.numbers.remove(&slab.address);
            self.bytes -= layout(buckets).size();
            // SAFETY: `take` allocated it with this layout, and its blocks are not used any more.
            unsafe { dealloc(pointer(slab.address), layout(buckets)) };
        }
        relocated
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for (number, row) in self.rows.iter().enumerate() {
            for slab in &row.slabs {
                // SAFETY: as above; whoever drops the pool uses no segment any more.
                unsafe { dealloc(pointer(slab.address), layout(BUCKETS_GROWN + number * STEP)) };
            }
        }
    }
}

fn pointer(address: u64) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_content_and_leave_no_holes() {
        let mut random = crate::Random::new(1);
        let mut pool = Pool::default();
        // Position, buckets and address of each.
        let mut model: Vec<(u64, usize, u64)> = Vec::new();
        for position in 1..3000_u64 {
            if position % 700 > 350 || model.is_empty() {
                let buckets = BUCKETS_GROWN + STEP * random.below(SIZES);
                let address = pool.take(buckets, position);
                // SAFETY: the block is taken, and large enough.
                unsafe {
                    assert_eq!(pointer(address).cast::<[u64; 256]>().read(), [0; 256]);
                    pointer(address).cast::<u64>().write(position);
                }
                model.push((position, buckets, address));
            } else {
                let (_, buckets, address) = model.swap_remove(random.below(model.len()));
                // SAFETY: it is taken, and forgotten now.
                if let Some(moved) = unsafe { pool.give_back(buckets, address) } {
                    let known = model.iter_mut().find(|known| known.2 == moved.from).expect("what moves is taken");
                    assert_eq!((known.0, known.1, moved.to), (moved.position, buckets, address));
                    known.2 = moved.to;
                }
            }
            // SAFETY: the blocks are taken.
            assert!(model.iter().all(|known| unsafe { pointer(known.2).cast::<u64>().read() } == known.0));
            let sizes: usize = model.iter().map(|known| size_of_blocks(known.1)).sum();
            assert!(pool.bytes <= sizes + SIZES * (BLOCKS - 1) * size_of_blocks(BUCKETS_FULL));
        }
    }
}
