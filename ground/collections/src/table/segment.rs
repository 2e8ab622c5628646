//! An array of buckets that covers one range of hashes, and the words by which a directory knows segments and pages.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use super::bucket::{Bucket, FAR, NEAR, SLOTS};

/// Buckets of a grown segment (4 KiB): when it is full it splits. Moving its 500 items takes ≈10 µs.
pub(super) const BUCKETS_FULL: usize = 64;

/// Where hashes cannot be split further a segment grows up to this many buckets (18,432 items).
pub(super) const BUCKETS_MAX: usize = 2048;

/// Bits of the rest of the hash that choose the bucket; a segment begins at one of the first 24 bits, so the boundaries
/// between buckets are exact in 48 bits, as the cursor of a scan needs.
const PLACE_BITS: u32 = 24;

/// One item's place.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) bucket: *mut Bucket,
    pub(super) slot: usize,
}

/// The buckets of a segment. A plain view: who owns the memory is the directory's business.
///
/// Hashes are mapped to buckets in order, so every bucket is the home of one range of hashes.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) buckets: *mut Bucket,
    pub(super) count: usize,
}

/// What the directory keeps of a segment or a page in one word.
///
/// Bit 63: it is a page. Bits 59–62: `skip`, the bits of the hash that lead here from the beginning of the page that
/// holds the word. Bits 48–58: buckets minus 1, or of a page the bits that index it. Bits 6–47: the address, a
/// multiple of 64. Bit 0: a pool owns the segment's memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(pub(super) u64);

const IS_PAGE: u64 = 1 << 63;
const SKIP_AT: u32 = 59;
const SIZE_AT: u32 = 48;
const ADDRESS: u64 = 0xffff_ffff_ffc0;
const IS_POOLED: u64 = 1;

/// What an empty table points to, so that a look-up needs no extra question. It is never written.
static NOTHING: Bucket = Bucket::EMPTY;

impl Node {
    /// The segment of an empty table.
    pub(super) fn nothing() -> Node {
        Node((&raw const NOTHING).expose_provenance() as u64)
    }

    pub(super) fn is_nothing(self) -> bool {
        self == Node::nothing()
    }

    /// A new segment with free slots only.
    pub(super) fn new_segment(count: usize, skip: u32) -> Node {
        let layout = segment_layout(count);
        // SAFETY: the size is not 0.
        let base = unsafe { alloc_zeroed(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        let address = base.expose_provenance() as u64;
        debug_assert!(address & !ADDRESS == 0 && count <= BUCKETS_MAX);
        Node(u64::from(skip) << SKIP_AT | (count as u64 - 1) << SIZE_AT | address)
    }

    /// A segment whose memory, all zeros, a pool owns.
    pub(super) fn pooled_segment(address: u64, count: usize, skip: u32) -> Node {
        debug_assert!(address & !ADDRESS == 0);
        Node(u64::from(skip) << SKIP_AT | (count as u64 - 1) << SIZE_AT | address | IS_POOLED)
    }

    #[inline]
    pub(super) fn is_pooled(self) -> bool {
        self.0 & (IS_POOLED | IS_PAGE) == IS_POOLED
    }

    pub(super) fn with_address(self, address: u64) -> Node {
        Node(self.0 & !ADDRESS | address)
    }

    pub(super) fn page(address: *mut u64, bits: u32, skip: u32) -> Node {
        let address = address.expose_provenance() as u64;
        debug_assert!(address & !ADDRESS == 0);
        Node(IS_PAGE | u64::from(skip) << SKIP_AT | u64::from(bits) << SIZE_AT | address)
    }

    #[inline]
    pub(super) fn is_page(self) -> bool {
        self.0 & IS_PAGE != 0
    }

    #[inline]
    pub(super) fn skip(self) -> u32 {
        (self.0 >> SKIP_AT) as u32 & 15
    }

    pub(super) fn with_skip(self, skip: u32) -> Node {
        Node(self.0 & !(15 << SKIP_AT) | u64::from(skip) << SKIP_AT)
    }

    /// Of a page: the bits that index it.
    #[inline]
    pub(super) fn page_bits(self) -> u32 {
        (self.0 >> SIZE_AT) as u32 & 0x7ff
    }

    #[inline]
    pub(super) fn address(self) -> u64 {
        self.0 & ADDRESS
    }

    /// The buckets of a node that is not a page.
    #[inline]
    pub(super) fn segment(self) -> Segment {
        Segment {
            buckets: std::ptr::with_exposed_provenance_mut(self.address() as usize),
            count: (self.0 >> SIZE_AT) as usize % BUCKETS_MAX + 1,
        }
    }

    /// Bytes that the segment takes.
    pub(super) fn segment_bytes(self) -> usize {
        segment_layout(self.segment().count).size()
    }

    /// Frees the segment; its items are moved or freed already.
    ///
    /// # Safety
    /// The node came from `new_segment`, and neither it nor a copy is used again.
    pub(super) unsafe fn free_segment(self) {
        let Segment { buckets, count } = self.segment();
        // SAFETY: `new_segment` allocated this address with this layout.
        unsafe { dealloc(buckets.cast(), segment_layout(count)) }
    }
}

/// Whole cache lines. The allocator has a size class for every number of buckets that grown segments have, and aligns its blocks.
fn segment_layout(count: usize) -> Layout {
    Layout::from_size_align(count * size_of::<Bucket>(), align_of::<Bucket>()).expect("at most 128 KiB")
}

/// From so many buckets on a segment grows by small steps.
pub(super) const BUCKETS_GROWN: usize = 32;

/// The size after `count` buckets. Small steps between 32 and 64 keep grown segments full: between 83 and 94 % where a pool keeps
/// blocks of many sizes without holes, between 75 and 94 % elsewhere. They cost little, because tags tell nearly all new homes
/// (see [`Segment::home_in`]).
pub(super) fn next_size(count: usize, is_pooled: bool) -> usize {
    if !(BUCKETS_GROWN..BUCKETS_FULL).contains(&count) {
        2 * count
    } else if is_pooled {
        count + 4
    } else {
        (count / 8 + 1) * 8
    }
}

/// The size for `items` with some room: at most 72 % full, or 80 % where growing further costs little, or 90 % where growing leaves no
/// holes behind either.
pub(super) fn size_for(items: usize, is_pooled: bool) -> usize {
    let mut count = 1;
    loop {
        let percent = match count {
            ..BUCKETS_GROWN => 72,
            _ if is_pooled => 90,
            _ => 80,
        };
        if items * 100 <= count * SLOTS * percent {
            return count;
        }
        count = next_size(count, is_pooled);
    }
}

/// The tag of a hash whose leading bits, those that lead to the segment, are shifted out: bits 5 to 12, but never 0.
///
/// Together with the bucket, which tells bits 0 to 4 in a grown segment, they tell where a hash stands to 1 in 8,192, so that a segment
/// grows without a look at its items. In a bucket of the largest segments only half of all tags occur.
#[inline]
pub(super) fn tag(rest: u64) -> u8 {
    let tag = (rest >> (64 - POSITION_BITS)) as u8;
    tag + u8::from(tag == 0)
}

/// Bits of the rest of the hash that bucket and tag tell together.
const POSITION_BITS: u32 = 13;

impl Segment {
    /// More items than this and the segment grows: 94 % of its slots where growing costs little, else 89 %. Those that split do so in
    /// good time: the few that would hang on would keep the memory around them from being freed.
    #[inline]
    pub(super) fn limit(self) -> usize {
        match self.count {
            1 => SLOTS,
            BUCKETS_GROWN..BUCKETS_FULL => self.count * SLOTS * 15 / 16,
            count => count * (SLOTS - 1),
        }
    }

    /// Slots.
    pub(super) fn capacity(self) -> usize {
        self.count * SLOTS
    }

    /// The home of a hash whose leading bits, those that lead to this segment, are shifted out.
    #[inline]
    pub(super) fn home(self, rest: u64) -> usize {
        (((rest >> (64 - PLACE_BITS)) * self.count as u64) >> PLACE_BITS) as usize
    }

    /// The first `rest` whose home is behind bucket `home`, in units of 2⁻²⁴ of the segment's range.
    pub(super) fn end_of(self, home: usize) -> u64 {
        ((home as u64 + 1) << PLACE_BITS).div_ceil(self.count as u64)
    }

    #[inline]
    pub(super) fn bucket(self, index: usize) -> *mut Bucket {
        debug_assert!(index < self.count);
        // SAFETY: `index` is below the number of buckets.
        unsafe { self.buckets.add(index) }
    }

    /// The index of the bucket `distance` behind `home`; behind the last comes the first.
    #[inline]
    pub(super) fn behind(self, home: usize, distance: usize) -> usize {
        let index = home + distance;
        if index < self.count { index } else { index - self.count }
    }

    /// Puts an item into its home or near it, if there is room.
    ///
    /// # Safety
    /// The segment is alive and owned by the caller.
    #[inline]
    pub(super) unsafe fn place(self, home: usize, tag: u8, address: u64) -> Option<Spot> {
        let bucket = self.bucket(home);
        // SAFETY: the bucket is in the segment, and nobody else looks at it.
        let free = unsafe { (*bucket).free() };
        if free == 0 {
            // SAFETY: the same promise.
            return unsafe { self.place_near(home, tag, address) };
        }
        let slot = free.trailing_zeros() as usize;
        // SAFETY: as above.
        unsafe { (*bucket).put(slot, tag, address, 0) };
        Some(Spot { bucket, slot })
    }

    /// # Safety
    /// As for `place`.
    unsafe fn place_near(self, home: usize, tag: u8, address: u64) -> Option<Spot> {
        (1..=NEAR.min(self.count - 1)).find_map(|distance| {
            // SAFETY: the bucket is in the segment.
            unsafe { self.place_guest(home, self.behind(home, distance), distance, tag, address) }
        })
    }

    /// Puts an item near its home, where others make room by moving further from their own: the free place that is next behind it
    /// comes nearer move by move.
    ///
    /// # Safety
    /// As for `place`, which has failed.
    #[cold]
    pub(super) unsafe fn place_by_moving(self, home: usize, tag: u8, address: u64) -> Option<Spot> {
        let near = NEAR.min(self.count - 1);
        // SAFETY: all buckets named are in the segment, and the caller owns it; only one reference lives at a time.
        unsafe {
            let mut free = (1..self.count).find(|free| (*self.bucket(self.behind(home, *free))).free() != 0)?;
            while free > near {
                free = (free - near..free).find(|from| self.move_on(home, *from, free, near))?;
            }
            self.place_guest(home, self.behind(home, free), free, tag, address)
        }
    }

    /// Moves an item on, from the bucket `from` behind `home` to the one `to` behind it, which has room, if that is near its own home.
    ///
    /// # Safety
    /// As for `place`.
    unsafe fn move_on(self, home: usize, from: usize, to: usize, near: usize) -> bool {
        let index = self.behind(home, from);
        // SAFETY: both buckets are in the segment; only one reference lives at a time.
        unsafe {
            let bucket = &*self.bucket(index);
            let Some(slot) = (0..SLOTS).find(|slot| bucket.distance(*slot) + to - from <= near) else { return false };
            let (tag, address, distance) = (bucket.tag(slot), bucket.address(slot), bucket.distance(slot));
            // What it leaves behind in the notes of its home is true of it still.
            let moved = self.place_guest(
                self.before(index, distance),
                self.behind(home, to),
                distance + to - from,
                tag,
                address,
            );
            debug_assert!(moved.is_some());
            (*self.bucket(index)).take(slot);
            true
        }
    }

    /// The home in a segment of `count` buckets of the same range of the item in `slot` of bucket `index`, if its tag tells.
    ///
    /// # Safety
    /// The segment is alive and not changed meanwhile; the slot is taken.
    pub(super) unsafe fn home_in(self, count: usize, index: usize, slot: usize) -> Option<usize> {
        // SAFETY: by the caller's promise.
        let (tag, distance) = unsafe { ((*self.bucket(index)).tag(slot), (*self.bucket(index)).distance(slot)) };
        // A tag of 1 may have been 0.
        if distance == FAR || self.count < BUCKETS_GROWN || tag == 1 {
            return None;
        }
        let home = self.before(index, distance);
        let first = if home == 0 { 0 } else { self.end_of(home - 1) };
        let last = self.end_of(home) - 1;
        // The one position of the bucket's range with this tag; a range is no longer than 256 positions.
        const BELOW: u32 = PLACE_BITS - POSITION_BITS;
        let before = first >> BELOW;
        let position = before + (u64::from(tag).wrapping_sub(before) & 0xff);
        let (first, last) = ((position << BELOW).max(first), ((position + 1) << BELOW).min(last + 1).wrapping_sub(1));
        let wider = Segment { buckets: self.buckets, count };
        let home_of = |place: u64| wider.home(place << (64 - PLACE_BITS));
        (first <= last && home_of(first) == home_of(last)).then(|| home_of(first))
    }

    /// The index of the bucket `distance` before `index`; before the first comes the last.
    #[inline]
    fn before(self, index: usize, distance: usize) -> usize {
        if index < distance { index + self.count - distance } else { index - distance }
    }

    /// Puts an item wherever there is room.
    ///
    /// # Safety
    /// As for `place`.
    pub(super) unsafe fn place_far(self, home: usize, tag: u8, address: u64) -> Option<Spot> {
        // SAFETY: the bucket is in the segment.
        (0..self.count).find_map(|index| unsafe { self.place_guest(home, index, FAR, tag, address) })
    }

    /// # Safety
    /// As for `place`.
    unsafe fn place_guest(self, home: usize, index: usize, distance: usize, tag: u8, address: u64) -> Option<Spot> {
        let bucket = self.bucket(index);
        // SAFETY: the caller owns the segment, and both buckets are in it; only one reference lives at a time.
        unsafe {
            let free = (*bucket).free();
            if free == 0 {
                return None;
            }
            let slot = free.trailing_zeros() as usize;
            (*bucket).put(slot, tag, address, distance);
            (*self.bucket(home)).note_guest(tag, distance);
            Some(Spot { bucket, slot })
        }
    }

    /// Frees a slot that is taken; returns the item's address.
    ///
    /// # Safety
    /// The segment is alive and owned by the caller; `spot` is in it.
    #[inline]
    pub(super) unsafe fn take(self, spot: Spot) -> u64 {
        // SAFETY: by the caller's promise.
        unsafe {
            let bucket = &mut *spot.bucket;
            let (address, distance) = (bucket.address(spot.slot), bucket.distance(spot.slot));
            bucket.take(spot.slot);
            if distance != 0 {
                self.forget_guest(spot.bucket.offset_from_unsigned(self.buckets), distance);
            }
            address
        }
    }

    /// An item left bucket `index`, `distance` behind its home: the home notes its other guests anew.
    ///
    /// # Safety
    /// As for `take`.
    #[cold]
    unsafe fn forget_guest(self, index: usize, distance: usize) {
        let home = self.before(index, distance);
        // Where some stand far nobody knows their homes: those notes stay until the segment is made anew.
        // SAFETY: all buckets named are in the segment; only one reference lives at a time.
        unsafe {
            if distance == FAR || (*self.bucket(home)).reach() == FAR {
                return;
            }
            let reach = (*self.bucket(home)).reach();
            (*self.bucket(home)).forget_guests();
            for distance in 1..=reach {
                let bucket = self.bucket(self.behind(home, distance));
                let mut taken = (*bucket).taken();
                while taken != 0 {
                    let slot = taken.trailing_zeros() as usize;
                    taken &= taken - 1;
                    if (*bucket).distance(slot) == distance {
                        let tag = (*bucket).tag(slot);
                        (*self.bucket(home)).note_guest(tag, distance);
                    }
                }
            }
        }
    }

    /// Asks the memory for all items: a walk over them then waits ≈15 ns for each instead of ≈90.
    ///
    /// # Safety
    /// The segment is alive and not changed meanwhile.
    pub(super) unsafe fn prefetch_items(self) {
        for index in 0..self.count {
            // SAFETY: the bucket is in the segment.
            unsafe { (*self.bucket(index)).prefetch_items() };
        }
    }

    /// Calls `visit` with the place of every item.
    ///
    /// # Safety
    /// The segment is alive and not changed by others; `visit` may only take the item that it is shown.
    pub(super) unsafe fn for_each(self, mut visit: impl FnMut(Spot)) {
        for index in 0..self.count {
            let bucket = self.bucket(index);
            // SAFETY: the bucket is in the segment; the reference ends before `visit` begins.
            let mut taken = unsafe { (*bucket).taken() };
            while taken != 0 {
                visit(Spot { bucket, slot: taken.trailing_zeros() as usize });
                taken &= taken - 1;
            }
        }
    }

    /// Calls `visit` with the address of every item whose home is `home`. Those that stand far do not tell: `home_of` is asked.
    ///
    /// # Safety
    /// The segment is alive and not changed meanwhile.
    pub(super) unsafe fn for_each_of_home(
        self,
        home: usize,
        home_of: impl Fn(u64) -> usize,
        mut visit: impl FnMut(u64),
    ) {
        // SAFETY: `home` is in the segment.
        let reach = unsafe { (*self.bucket(home)).reach() };
        let mut visit_bucket = |index: usize, distance: usize| {
            // SAFETY: callers below pass indexes in the segment.
            let bucket = unsafe { &*self.bucket(index) };
            let mut taken = bucket.taken();
            while taken != 0 {
                let slot = taken.trailing_zeros() as usize;
                taken &= taken - 1;
                let address = bucket.address(slot);
                if bucket.distance(slot) == distance && (distance != FAR || home_of(address) == home) {
                    visit(address);
                }
            }
        };
        for distance in 0..=reach.min(NEAR).min(self.count - 1) {
            visit_bucket(self.behind(home, distance), distance);
        }
        if reach == FAR {
            for index in 0..self.count {
                visit_bucket(index, FAR);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_ranges_in_order() {
        for count in [1, 2, 3, 32, 40, 64, 2048] {
            let segment = Segment { buckets: std::ptr::null_mut(), count };
            assert_eq!(segment.home(0), 0);
            assert_eq!(segment.home(u64::MAX), count - 1);
            for home in 0..count {
                let end = segment.end_of(home);
                assert_eq!(segment.home((end - 1) << 40), home);
                if home + 1 < count {
                    assert_eq!(segment.home(end << 40), home + 1);
                } else {
                    assert_eq!(end, 1 << 24);
                }
            }
        }
    }

    #[test]
    fn a_tag_tells_the_home_in_a_segment_of_another_size() {
        let mut random = crate::Random::new(1);
        let mut told = 0;
        for (count, other) in [(32, 40), (40, 48), (48, 56), (56, 64), (64, 128), (64, 32)] {
            let node = Node::new_segment(count, 0);
            let segment = node.segment();
            for _ in 0..10_000 {
                let rest = random.next();
                let home = segment.home(rest);
                // SAFETY: the segment is this test's, and is empty but for this item.
                unsafe {
                    let spot = segment.place(home, tag(rest), 8).expect("it is empty");
                    let index = spot.bucket.offset_from_unsigned(segment.buckets);
                    if let Some(home) = segment.home_in(other, index, spot.slot) {
                        told += 1;
                        assert_eq!(home, Segment { buckets: segment.buckets, count: other }.home(rest));
                    }
                    segment.take(spot);
                }
            }
            // SAFETY: allocated above, used no more.
            unsafe { node.free_segment() };
        }
        assert!(told > 58_000, "{told} of 60,000");
    }

    #[test]
    fn a_node_keeps_what_it_is_told() {
        for count in [1, 2, 32, 40, 64, 2048] {
            let node = Node::new_segment(count, 9);
            assert!(!node.is_page() && !node.is_nothing());
            assert_eq!((node.skip(), node.segment().count), (9, count));
            assert_eq!(node.segment().buckets.addr() % 64, 0);
            let node = node.with_skip(3);
            assert_eq!((node.skip(), node.segment().count), (3, count));
            assert!(node.segment_bytes() >= 64 * count);
            // SAFETY: allocated above, used no more.
            unsafe { node.free_segment() };
        }
    }

    #[test]
    fn sizes_leave_room() {
        assert_eq!([6, 7, 12, 13, 253, 380, 700].map(|items| size_for(items, false)), [1, 2, 2, 4, 40, 56, 128]);
    }
}
