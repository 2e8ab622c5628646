//! Nine items in one cache line.

/// Items in a bucket.
pub(super) const SLOTS: usize = 9;

/// How many buckets behind its home an item may stand; found by looking there in turn.
pub(super) const NEAR: usize = 6;

/// Instead of a distance: the item stands anywhere in the segment. Only items whose hashes collide far beyond chance do.
pub(super) const FAR: usize = 7;

/// This many guests are no longer counted.
const GUESTS_MAX: u8 = 31;

/// Mask of all slots.
const ALL: u32 = (1 << SLOTS) - 1;

/// Invariant: bytes 0 to 8 are tags, 0 where the slot is free. Byte 9 tells of this bucket's guests elsewhere, items that
/// should stand here and found it full: in the low 5 bits how many (31: no longer counted), in the high 3 bits how many
/// buckets further on the last of them may be ([`FAR`]: anywhere). Then follow 9 slots of 48 bits: a pointer that is a
/// multiple of 8, and in its low 3 bits how many buckets away its home is.
#[repr(C, align(64))]
pub(super) struct Bucket([u8; 64]);

const GUESTS_AT: usize = SLOTS;
const POINTERS_AT: usize = SLOTS + 1;

impl Bucket {
    pub(super) const EMPTY: Bucket = Bucket([0; 64]);

    /// The slots whose tag is `tag`, as a bit mask.
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> u32 {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_load_si128, _mm_movemask_epi8, _mm_set1_epi8};
            // SAFETY: every x86-64 has SSE2; the bucket is 64 bytes, aligned to 64.
            let equal = unsafe {
                let tags = _mm_load_si128(self.0.as_ptr().cast());
                _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag.cast_signed())))
            };
            equal.cast_unsigned() & ALL
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let mut mask = 0;
            for (slot, &own) in self.0[..SLOTS].iter().enumerate() {
                mask |= u32::from(own == tag) << slot;
            }
            mask
        }
    }

    /// The free slots.
    #[inline]
    pub(super) fn free(&self) -> u32 {
        self.matches(0)
    }

    /// The slots that hold an item.
    #[inline]
    pub(super) fn taken(&self) -> u32 {
        self.free() ^ ALL
    }

    /// The address of the item in `slot`, which is taken.
    #[inline]
    pub(super) fn address(&self, slot: usize) -> u64 {
        self.word(slot) & !7
    }

    /// How many buckets the item in `slot` is away from its home.
    #[inline]
    pub(super) fn distance(&self, slot: usize) -> usize {
        (self.word(slot) & 7) as usize
    }

    #[inline]
    fn word(&self, slot: usize) -> u64 {
        debug_assert!(slot < SLOTS);
        // One load of 8 bytes that begins 2 bytes before the slot; the last one ends with the bucket.
        // SAFETY: `slot` is below 9, so bytes `8 + 6 * slot` to `15 + 6 * slot` are inside the bucket.
        let word = unsafe { self.0.as_ptr().add(POINTERS_AT - 2 + 6 * slot).cast::<u64>().read_unaligned() };
        u64::from_le(word) >> 16
    }

    /// Puts an item into `slot`.
    #[inline]
    pub(super) fn put(&mut self, slot: usize, tag: u8, address: u64, distance: usize) {
        debug_assert!(tag != 0 && distance <= FAR);
        self.0[slot] = tag;
        self.set_word(slot, address | distance as u64);
    }

    /// The item in `slot` has moved in memory.
    #[inline]
    pub(super) fn set_address(&mut self, slot: usize, address: u64) {
        self.set_word(slot, address | self.distance(slot) as u64);
    }

    #[inline]
    fn set_word(&mut self, slot: usize, word: u64) {
        debug_assert!(word >> 48 == 0);
        let at = POINTERS_AT + 6 * slot;
        self.0[at..at + 6].copy_from_slice(&word.to_le_bytes()[..6]);
    }

    /// Frees `slot`.
    #[inline]
    pub(super) fn take(&mut self, slot: usize) {
        self.0[slot] = 0;
    }

    /// How many buckets further on guests of this bucket may be; 0 when it has none, [`FAR`] when they may be anywhere.
    #[inline]
    pub(super) fn reach(&self) -> usize {
        usize::from(self.0[GUESTS_AT] >> 5)
    }

    /// An item that belongs here was put `distance` buckets further on.
    pub(super) fn note_guest(&mut self, distance: usize) {
        let guests = self.0[GUESTS_AT] & GUESTS_MAX;
        let reach = self.reach().max(distance);
        // With far guests about, a count would not say how far the last near one is.
        let guests = if reach == FAR { GUESTS_MAX } else { (guests + 1).min(GUESTS_MAX) };
        self.0[GUESTS_AT] = guests | (reach as u8) << 5;
    }

    /// A guest that was put elsewhere is gone.
    pub(super) fn forget_guest(&mut self) {
        let guests = self.0[GUESTS_AT] & GUESTS_MAX;
        debug_assert!(guests > 0);
        if guests == 1 {
            self.0[GUESTS_AT] = 0;
        } else if guests < GUESTS_MAX {
            self.0[GUESTS_AT] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_cache_line_of_nine() {
        assert_eq!(size_of::<Bucket>(), 64);
        let mut bucket = Bucket::EMPTY;
        for slot in 0..SLOTS {
            assert_eq!(bucket.free().trailing_zeros() as usize, slot);
            bucket.put(slot, 200 + (slot % 3) as u8, 0xffff_1234_5600 + 8 * slot as u64, slot % 8);
        }
        assert_eq!((bucket.free(), bucket.taken()), (0, 0x1ff));
        assert_eq!(bucket.matches(201), 0b010_010_010);
        bucket.set_address(4, 0x8);
        for slot in (0..SLOTS).filter(|&slot| slot != 4) {
            assert_eq!(bucket.address(slot), 0xffff_1234_5600 + 8 * slot as u64);
            assert_eq!(bucket.distance(slot), slot % 8);
        }
        assert_eq!((bucket.address(4), bucket.distance(4)), (8, 4));
        assert_eq!(bucket.reach(), 0);
        bucket.take(4);
        assert_eq!(bucket.free(), 1 << 4);
    }

    #[test]
    fn guests_are_counted_until_there_are_too_many() {
        let mut bucket = Bucket::EMPTY;
        bucket.note_guest(2);
        bucket.note_guest(1);
        assert_eq!(bucket.reach(), 2);
        bucket.forget_guest();
        assert_eq!(bucket.reach(), 2);
        bucket.forget_guest();
        assert_eq!(bucket.reach(), 0);
        for _ in 0..40 {
            bucket.note_guest(3);
        }
        for _ in 0..40 {
            bucket.forget_guest();
        }
        assert_eq!(bucket.reach(), 3, "past the limit it stays");
        bucket.note_guest(FAR);
        bucket.forget_guest();
        assert_eq!(bucket.reach(), FAR);
    }
}
