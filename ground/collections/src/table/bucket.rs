//! Nine items in one cache line.

use super::directory::prefetch;

/// Items in a bucket.
pub(super) const SLOTS: usize = 9;

/// How many buckets behind its home an item may stand; found by looking there in turn.
pub(super) const NEAR: usize = 6;

/// Instead of a distance: the item stands anywhere in the segment. Only items whose hashes collide far beyond chance do.
pub(super) const FAR: usize = 7;

/// Mask of all slots.
const ALL: u32 = (1 << SLOTS) - 1;

/// Invariant: bytes 0 to 8 are tags, 0 where the slot is free. Byte 9 tells of this bucket's guests elsewhere, items that
/// should stand here and found it full: in the low 5 bits which fifths of all tags they have, in the high 3 bits how many
/// buckets further on the last of them may be ([`FAR`]: anywhere). Then follow 9 slots of 48 bits: a pointer that is a
/// multiple of 8, and in its low 3 bits how many buckets away its home is.
///
/// The fifths spare four of five look-ups of absent keys the way to the next bucket, and the processor a wrong guess.
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

    /// The tag of `slot`, 0 when it is free.
    #[inline]
    pub(super) fn tag(&self, slot: usize) -> u8 {
        self.0[slot]
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

    /// Asks the memory for all items.
    #[inline]
    pub(super) fn prefetch_items(&self) {
        let mut taken = self.taken();
        while taken != 0 {
            prefetch(self.address(taken.trailing_zeros() as usize));
            taken &= taken - 1;
        }
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

    /// Whether an item of this bucket with `tag` may be elsewhere.
    #[inline]
    pub(super) fn may_have_guest(&self, tag: u8) -> bool {
        self.0[GUESTS_AT] & fifth(tag) != 0
    }

    /// How many buckets further on guests of this bucket may be; 0 when it has none, [`FAR`] when they may be anywhere.
    #[inline]
    pub(super) fn reach(&self) -> usize {
        usize::from(self.0[GUESTS_AT] >> REACH_AT)
    }

    /// An item with `tag` that belongs here was put `distance` buckets further on.
    pub(super) fn note_guest(&mut self, tag: u8, distance: usize) {
        let reach = self.reach().max(distance) as u8;
        self.0[GUESTS_AT] = self.0[GUESTS_AT] & FIFTHS | fifth(tag) | reach << REACH_AT;
    }

    /// All guests are gone, or about to be noted again.
    pub(super) fn forget_guests(&mut self) {
        self.0[GUESTS_AT] = 0;
    }
}

/// Where the reach begins in the byte of the guests, below it the fifths.
const REACH_AT: u32 = 5;
const FIFTHS: u8 = (1 << REACH_AT) - 1;

/// The bit for the fifth of all tags to which `tag` belongs.
#[inline]
fn fifth(tag: u8) -> u8 {
    // Of its low bits: the high ones are much the same for all items of a bucket.
    1 << ((u32::from(tag & 31) * 5) >> 5)
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
    fn guests_are_known_by_a_fifth_of_the_tags() {
        let mut bucket = Bucket::EMPTY;
        assert!((1..=255).all(|tag| !bucket.may_have_guest(tag)));
        bucket.note_guest(7, 2);
        bucket.note_guest(255, 1);
        assert_eq!(bucket.reach(), 2);
        assert!(bucket.may_have_guest(7) && bucket.may_have_guest(255) && !bucket.may_have_guest(128));
        assert!((80..=112).contains(&(1..=255).filter(|&tag| bucket.may_have_guest(tag)).count()));
        bucket.note_guest(128, FAR);
        assert_eq!(bucket.reach(), FAR);
        assert!(bucket.may_have_guest(7) && bucket.may_have_guest(128));
        bucket.forget_guests();
        assert_eq!((bucket.reach(), bucket.may_have_guest(7)), (0, false));
    }
}
