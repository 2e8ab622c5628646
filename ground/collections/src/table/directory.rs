//! The tree of pages that leads from a hash to its segment, and how segments grow, split, shrink and merge.
//!
//! The leading bits of the hash choose the way: each page takes up to 9 bits. A page doubles when one of its segments must
//! split further; at 9 bits a page of the next level hangs below instead. So no step of growth copies more than a
//! page (9 KiB) and moves the items of a segment (about 500), however large the table is.

use std::ptr::NonNull;

use super::page::{NEVER_MS, PAGE_BITS_MAX, Page};
use super::pool::{Pool, Relocated};
use super::segment::{BUCKETS_FULL, BUCKETS_MAX, Node, Segment, Spot, next_size, size_for, tag};

/// Segments begin at one of the first 24 bits of the hash; 16 million segments hold 7 billion items, and then they grow.
const CONSUMED_MAX: u32 = 24;

/// Two neighbours are merged when they hold so many items together: 56 % of a grown segment.
const MERGED_ITEMS_MAX: usize = 320;

/// The hash of the item at an address.
pub(super) type HashOf = unsafe fn(NonNull<u8>) -> u64;

/// Owns the pages and segments, not the items: `Table` gives those a type.
///
/// Invariants: every hash leads to exactly one segment. A segment's item count is kept in its page (`len` when there is no page), and
/// so is a deadline, which is at most the earliest of its items and of those below it.
pub(super) struct Directory {
    /// The whole tree: a segment, or the first page.
    root: Node,
    /// The deadline of the root.
    root_deadline_ms: u64,
    /// Items in all segments.
    pub(super) len: usize,
    /// What pages and segments take.
    pub(super) bytes: usize,
    /// Owns grown segments once there are many. Whoever gives one back must have put the words in order that lead to new ones, and
    /// hold no segment: any may be moved.
    pool: Option<Box<Pool>>,
}

/// Tables of so many items have a pool: in smaller ones it would take more than it saves. (Tests do not make so many.)
const POOLED_ITEMS_MIN: usize = if cfg!(test) { 1000 } else { 128 * 1024 };

// SAFETY: the nodes are owned like the memory of a `Vec`; there is no interior mutability.
unsafe impl Send for Directory {}
// SAFETY: as above.
unsafe impl Sync for Directory {}

/// A step of the way down: the page, and the first index of the run.
#[derive(Clone, Copy)]
struct Step {
    page: Page,
    index: usize,
}

/// The way to a segment.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// The page that holds that page.
    parent: Option<Step>,
    /// The page that holds the segment.
    last: Option<Step>,
    pub(super) node: Node,
    /// The hash that led here.
    hash: u64,
    /// The hash without the bits that led here.
    pub(super) rest: u64,
    /// How many bits those are.
    pub(super) consumed: u32,
}

impl Path {
    /// How many hashes lead to the segment.
    pub(super) fn size(&self) -> u128 {
        1 << (64 - self.consumed)
    }

    /// The first hash of the segment, which `hash` leads to as well.
    pub(super) fn start(&self, hash: u64) -> u64 {
        hash & !((self.size() - 1) as u64)
    }
}

/// An item on the move.
struct Moved {
    hash: u64,
    address: u64,
}

/// The item whose address a taken slot holds.
///
/// # Safety
/// `address` is one that [`Directory::insert`] was given.
#[inline]
pub(super) unsafe fn pointer(address: u64) -> NonNull<u8> {
    debug_assert!(address != 0);
    // SAFETY: it was a `NonNull`.
    unsafe { NonNull::new_unchecked(std::ptr::with_exposed_provenance_mut(address as usize)) }
}

impl Directory {
    pub(super) fn new() -> Directory {
        Directory { root: Node::nothing(), root_deadline_ms: NEVER_MS, len: 0, bytes: 0, pool: None }
    }

    /// With segments for `items` items, spread evenly.
    pub(super) fn with_capacity(items: usize) -> Directory {
        let mut directory = Directory::new();
        if items > 0 {
            let mut bits = 0;
            while size_for(items >> bits, false) > BUCKETS_FULL && bits < CONSUMED_MAX {
                bits += 1;
            }
            let count = size_for((items >> bits).max(1), false).min(BUCKETS_MAX);
            directory.root = directory.build(bits, count, 0);
        }
        directory
    }

    fn build(&mut self, bits: u32, count: usize, skip: u32) -> Node {
        if bits == 0 {
            return self.new_unpooled(count, skip);
        }
        let page = Page::new(bits.min(PAGE_BITS_MAX));
        self.bytes += page.bytes();
        for index in 0..page.size() {
            page.set_node(index, self.build(bits - page.bits, count, page.bits));
        }
        page.node(skip)
    }

    /// The segment of a hash, and the hash's home and tag in it.
    #[inline]
    pub(super) fn locate(&self, hash: u64) -> (Segment, usize, u8) {
        let (mut node, mut rest) = (self.root, hash);
        while node.is_page() {
            let page = Page::of(node);
            node = page.child((rest >> (64 - page.bits)) as usize);
            rest <<= node.skip();
        }
        let segment = node.segment();
        (segment, segment.home(rest), tag(rest))
    }

    /// The way to the segment of a hash.
    #[inline]
    pub(super) fn path(&self, hash: u64) -> Path {
        let mut path = Path { parent: None, last: None, node: self.root, hash, rest: hash, consumed: 0 };
        while path.node.is_page() {
            let page = Page::of(path.node);
            let index = (path.rest >> (64 - page.bits)) as usize;
            path.node = page.child(index);
            let skip = path.node.skip();
            path.parent = path.last;
            path.last = Some(Step { page, index: index >> (page.bits - skip) << (page.bits - skip) });
            path.rest <<= skip;
            path.consumed += skip;
        }
        path
    }

    /// Items in the segment at the end of `path`.
    #[inline]
    pub(super) fn items(&self, path: &Path) -> usize {
        path.last.map_or(self.len, |step| step.page.items(step.index))
    }

    /// Puts a new item in. At most one segment is moved (or, with hashes that collide beyond chance, split repeatedly).
    ///
    /// # Safety
    /// `hash_of` gives the hash of every item in the table, and `hash` is that of the new one.
    #[inline]
    pub(super) unsafe fn insert(&mut self, hash: u64, address: u64, hash_of: HashOf) -> Spot {
        loop {
            let path = self.path(hash);
            let segment = path.node.segment();
            let items = self.items(&path);
            let home = segment.home(path.rest);
            if items < segment.limit() && !path.node.is_nothing() {
                // SAFETY: the directory owns the segment.
                let spot = unsafe { segment.place(home, tag(path.rest), address) }.or_else(|| {
                    let tag = tag(path.rest);
                    // SAFETY: as above.
                    unsafe { segment.place_by_moving(home, tag, address) }.or_else(|| {
                        // No room nearby in a segment that is half empty: splitting would not part these items.
                        // SAFETY: as above.
                        (2 * items < segment.capacity()).then(|| unsafe { segment.place_far(home, tag, address) })?
                    })
                });
                if let Some(spot) = spot {
                    if let Some(step) = path.last {
                        step.page.set_items(step.index, items + 1);
                    }
                    self.len += 1;
                    return spot;
                }
            }
            // SAFETY: the same promise.
            unsafe { self.grow(&path, items, hash_of) };
        }
    }

    /// Takes an item out; returns its address.
    ///
    /// # Safety
    /// `spot` is taken by an item with this hash, and `hash_of` gives the hash of every item in the table.
    #[inline]
    pub(super) unsafe fn remove(&mut self, hash: u64, spot: Spot, hash_of: HashOf) -> u64 {
        let path = self.path(hash);
        let segment = path.node.segment();
        // SAFETY: the hash leads to the segment that holds its item.
        let address = unsafe { segment.take(spot) };
        let items = self.items(&path) - 1;
        self.len -= 1;
        if let Some(step) = path.last {
            step.page.set_items(step.index, items);
        }
        if is_sparse(segment, items) {
            // SAFETY: the same promise.
            unsafe { self.shrink(hash, hash_of) };
        }
        address
    }

    /// Makes room in a segment that is full.
    #[cold]
    unsafe fn grow(&mut self, path: &Path, items: usize, hash_of: HashOf) {
        let count = path.node.segment().count;
        if path.node.is_nothing() {
            let node = self.new_unpooled(1, 0);
            self.hold(path, node, 0);
        } else if count >= BUCKETS_FULL && path.consumed < CONSUMED_MAX {
            // SAFETY: the same promise.
            unsafe { self.split(path, hash_of) };
        } else {
            assert!(count < BUCKETS_MAX, "18,000 items share 24 bits of a keyed hash: its secret is out");
            // SAFETY: the same promise.
            unsafe { self.resize(path, items, next_size(count, self.is_pooled()), hash_of) };
        }
    }

    /// Moves the items of a segment into one of `count` buckets. Only those whose tags do not tell where to are looked at.
    unsafe fn resize(&mut self, path: &Path, items: usize, count: usize, hash_of: HashOf) {
        let node = self.new_segment(count, path.node.skip(), path.start(path.hash));
        let (from, to) = (path.node.segment(), node.segment());
        let mut untold = Vec::new();
        // SAFETY: the segment is alive; its items are moved once, and it is freed without them.
        unsafe {
            from.for_each(|spot| {
                let address = (*spot.bucket).address(spot.slot);
                let index = spot.bucket.offset_from_unsigned(from.buckets);
                match from.home_in(count, index, spot.slot) {
                    Some(home) => place_surely(to, home, (*spot.bucket).tag(spot.slot), address),
                    None => {
                        prefetch(address);
                        prefetch(address + 16);
                        untold.push(address);
                    }
                }
            });
            for address in untold {
                put(node, path.consumed, &Moved { hash: hash_of(pointer(address)), address });
            }
            self.hold(path, node, items);
            self.free_segment(path.node);
        }
    }

    /// Parts a segment in two by the next bit of the hash.
    unsafe fn split(&mut self, path: &Path, hash_of: HashOf) {
        // SAFETY: the segment is alive, and `hash_of` is as promised.
        let items = unsafe { gather(path.node, self.items(path), hash_of) };
        let is_high = |item: &Moved| (item.hash << path.consumed) >> 63 == 1;
        let high = items.iter().filter(|item| is_high(item)).count();

        // First a page in which the segment has a run of at least two words.
        let (page, first, skip) = match path.last {
            Some(Step { page, index }) if path.node.skip() < page.bits => (page, index, path.node.skip()),
            Some(Step { page, index }) if page.bits < PAGE_BITS_MAX => {
                self.bytes -= page.bytes();
                // SAFETY: the only word that leads to the old page is replaced.
                let wider = unsafe { page.doubled() };
                self.bytes += wider.bytes();
                self.hold_page(path, wider);
                (wider, 2 * index, path.node.skip())
            }
            _ => {
                let page = Page::new(1);
                self.bytes += page.bytes();
                self.hold(path, page.node(path.node.skip()), 0);
                (page, 0, 0)
            }
        };
        let deadline_ms = match path.last {
            Some(step) if skip == 0 => step.page.deadline_ms(step.index),
            Some(_) => page.deadline_ms(first),
            None => self.root_deadline_ms,
        };
        let half = 1 << (page.bits - skip - 1);
        let low_start = path.start(path.hash);
        let high_start = low_start + (path.size() / 2) as u64;
        let parts =
            [(first, items.len() - high, low_start), (first + half, high, high_start)].map(|(first, count, start)| {
                let node = self.new_segment(size_for(count, self.is_pooled()).min(BUCKETS_FULL), skip + 1, start);
                page.set_run(first, node, count, deadline_ms);
                node
            });
        for item in &items {
            // SAFETY: the segments are new and large enough, and the old one is freed without its items.
            unsafe { put(parts[usize::from(is_high(item))], path.consumed + 1, item) };
        }
        // SAFETY: its items have moved.
        unsafe { self.free_segment(path.node) };
    }

    /// Gives memory back while the segment of `hash` is sparse: merges it with its neighbour, or makes it smaller. Returns
    /// whether it was merged.
    ///
    /// # Safety
    /// `hash_of` gives the hash of every item in the table.
    #[cold]
    pub(super) unsafe fn shrink(&mut self, hash: u64, hash_of: HashOf) -> bool {
        let mut merged = false;
        loop {
            let path = self.path(hash);
            let items = self.items(&path);
            if path.node.is_nothing() || !is_sparse(path.node.segment(), items) {
                return merged;
            }
            if let Some((page, index, run)) = self.pair_to_merge(&path, items) {
                // SAFETY: the same promise.
                unsafe { self.merge(&path, page, index, run, hash_of) };
                merged = true;
                continue;
            }
            if path.last.is_none() && items == 0 {
                self.root = Node::nothing();
                // SAFETY: an empty segment owns no items; the root was replaced.
                unsafe { self.free_segment(path.node) };
                self.root_deadline_ms = NEVER_MS;
            } else if size_for(items, false) < path.node.segment().count {
                // SAFETY: the same promise.
                unsafe { self.resize(&path, items, size_for(items, false), hash_of) };
            }
            return merged;
        }
    }

    /// Where the run of words of a segment and its neighbour begins, and the length of each, if they fit into one.
    fn pair_to_merge(&self, path: &Path, items: usize) -> Option<(Page, usize, usize)> {
        let Step { page, index } = path.last?;
        let run = page.run(path.node);
        let neighbour = page.child(index ^ run);
        let fits = !neighbour.is_page()
            && neighbour.skip() == path.node.skip()
            && items + page.items(index ^ run) <= MERGED_ITEMS_MAX;
        fits.then_some((page, index & !run, run))
    }

    /// Makes one segment of the two whose runs of `run` words begin at `first` and behind it.
    unsafe fn merge(&mut self, path: &Path, page: Page, first: usize, run: usize, hash_of: HashOf) {
        let consumed = path.consumed - 1;
        let skip = path.node.skip() - 1;
        let parts = [first, first + run].map(|index| (page.child(index), page.items(index)));
        let deadline_ms = page.deadline_ms(first).min(page.deadline_ms(first + run));
        let items = parts[0].1 + parts[1].1;
        let merged = self.new_segment(size_for(items, false), skip, path.start(path.hash) & !(path.size() as u64));
        for (node, items) in parts {
            // SAFETY: both segments are alive; their items move once.
            unsafe { gather(node, items, hash_of).iter().for_each(|item| put(merged, consumed, item)) };
        }
        if skip > 0 {
            page.set_run(first, merged, items, deadline_ms);
            if page.can_be_halved() {
                self.bytes -= page.bytes();
                // SAFETY: the only word that leads to the old page is replaced.
                let narrower = unsafe { page.halved() };
                self.bytes += narrower.bytes();
                self.hold_page(path, narrower);
            }
            // SAFETY: their items have moved, and so has what led to them.
            unsafe { self.free_both(parts.map(|(node, _)| node)) };
            return;
        }
        // The page has nothing left to choose between: the segment takes its place.
        self.bytes -= page.bytes();
        // SAFETY: the only word that leads to the page is replaced.
        unsafe { page.free() };
        match path.parent {
            Some(above) => above.page.set_run(above.index, merged.with_skip(above.page.bits), items, deadline_ms),
            None => {
                self.root = merged;
                self.root_deadline_ms = deadline_ms;
            }
        }
        // SAFETY: as above.
        unsafe { self.free_both(parts.map(|(node, _)| node)) };
    }

    /// Puts `node` where the path ends. Its deadline stays.
    fn hold(&mut self, path: &Path, node: Node, items: usize) {
        match path.last {
            Some(Step { page, index }) => page.set_run(index, node, items, page.deadline_ms(index)),
            None => self.root = node,
        }
    }

    /// Puts `page` where the path's last page was.
    fn hold_page(&mut self, path: &Path, page: Page) {
        match path.parent {
            // A page hangs only below a page of 9 bits, by all of them, so its run is one word.
            Some(above) => above.page.set_node(above.index, page.node(above.page.bits)),
            None => self.root = page.node(0),
        }
    }

    /// Whether grown segments are made in the pool.
    fn is_pooled(&self) -> bool {
        self.len >= POOLED_ITEMS_MIN
    }

    /// A segment that begins at `start`.
    fn new_segment(&mut self, count: usize, skip: u32, start: u64) -> Node {
        if !self.is_pooled() || !Pool::has_size(count) {
            return self.new_unpooled(count, skip);
        }
        let pool = self.pool.get_or_insert_default();
        self.bytes -= pool.bytes;
        let node = Node::pooled_segment(pool.take(count, start), count, skip);
        self.bytes += pool.bytes;
        node
    }

    fn new_unpooled(&mut self, count: usize, skip: u32) -> Node {
        let node = Node::new_segment(count, skip);
        self.bytes += node.segment_bytes();
        node
    }

    /// Frees a segment to which no word leads any more. The others may move.
    ///
    /// # Safety
    /// Neither the node nor a copy is used again; its items are moved or freed.
    unsafe fn free_segment(&mut self, node: Node) {
        // SAFETY: the same promise.
        if let Some(relocated) = unsafe { self.give_back(node) } {
            self.follow(relocated);
        }
    }

    /// Frees two segments to which no word leads any more: the first may move the second.
    ///
    /// # Safety
    /// As for `free_segment`.
    unsafe fn free_both(&mut self, [first, mut second]: [Node; 2]) {
        // SAFETY: the same promise.
        unsafe {
            match self.give_back(first) {
                Some(relocated) if second.is_pooled() && relocated.from == second.address() => {
                    second = second.with_address(relocated.to);
                }
                Some(relocated) => self.follow(relocated),
                None => {}
            }
            self.free_segment(second);
        }
    }

    /// # Safety
    /// As for `free_segment`; the caller follows the segment that the answer says has moved.
    unsafe fn give_back(&mut self, node: Node) -> Option<Relocated> {
        if !node.is_pooled() {
            self.bytes -= node.segment_bytes();
            // SAFETY: the same promise.
            unsafe { node.free_segment() };
            return None;
        }
        let pool = self.pool.as_mut().expect("a pooled segment has a pool");
        self.bytes -= pool.bytes;
        // SAFETY: the same promise.
        let relocated = unsafe { pool.give_back(node.segment().count, node.address()) };
        self.bytes += pool.bytes;
        relocated
    }

    /// Lets the words that led to a segment lead to where it is now.
    fn follow(&mut self, relocated: Relocated) {
        let path = self.path(relocated.position);
        assert_eq!(path.node.address(), relocated.from, "a segment stands where its position says");
        let node = path.node.with_address(relocated.to);
        match path.last {
            Some(Step { page, index }) => page.set_nodes(index, node),
            None => self.root = node,
        }
    }

    /// The segment that covers `position`, and the first position behind it; `None` when it is the last.
    pub(super) fn segment_at(&self, position: u64) -> (Path, Option<u64>) {
        let path = self.path(position);
        let end = u128::from(path.start(position)) + path.size();
        (path, u64::try_from(end).ok())
    }

    /// Calls `visit` with every segment, in the order of hashes.
    pub(super) fn for_each_segment(&self, mut visit: impl FnMut(Path)) {
        let mut position = Some(0);
        while let Some(start) = position {
            let (path, end) = self.segment_at(start);
            visit(path);
            position = end;
        }
    }

    /// After items were taken out of a segment by other means than `remove`: corrects the counts.
    pub(super) fn note_taken(&mut self, path: &Path, taken: usize) {
        if let Some(step) = path.last {
            step.page.set_items(step.index, step.page.items(step.index) - taken);
        }
        self.len -= taken;
    }

    /// A lower bound of all deadlines.
    pub(super) fn deadline_ms(&self) -> u64 {
        self.root_deadline_ms
    }

    /// Lowers the deadline of the segment of `hash` and of all above it.
    pub(super) fn note_deadline(&mut self, hash: u64, deadline_ms: u64) {
        self.root_deadline_ms = self.root_deadline_ms.min(deadline_ms);
        let (mut node, mut rest) = (self.root, hash);
        while node.is_page() {
            let page = Page::of(node);
            let index = (rest >> (64 - page.bits)) as usize;
            node = page.child(index);
            let first = index & !(page.run(node) - 1);
            if deadline_ms < page.deadline_ms(first) {
                page.set_deadline_ms(first, deadline_ms);
            }
            rest <<= node.skip();
        }
    }

    /// Sets the deadline of the segment of `hash` and corrects those above it.
    pub(super) fn set_deadline(&mut self, hash: u64, deadline_ms: u64) {
        self.root_deadline_ms = set_deadline_below(self.root, hash, deadline_ms);
    }

    /// The beginning of the first segment from `position` on whose deadline is at most `until_ms`.
    pub(super) fn next_due(&self, position: u64, until_ms: u64) -> Option<u64> {
        if self.root_deadline_ms > until_ms {
            None
        } else if self.root.is_page() {
            next_due_below(Page::of(self.root), 0, 64, position, until_ms)
        } else {
            (position == 0).then_some(0)
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: nobody reaches the tree any more; `Table` has freed the items.
        unsafe { free_below(self.root) }
    }
}

/// Less than 30 % full.
pub(super) fn is_sparse(segment: Segment, items: usize) -> bool {
    items * 10 < segment.capacity() * 3
}

unsafe fn free_below(node: Node) {
    if node.is_page() {
        let page = Page::of(node);
        let mut index = 0;
        while index < page.size() {
            let child = page.child(index);
            index += page.run(child);
            // SAFETY: each child is owned by one run of words, of which only the first is followed.
            unsafe { free_below(child) };
        }
        // SAFETY: the same promise.
        unsafe { page.free() };
    } else if !node.is_nothing() && !node.is_pooled() {
        // SAFETY: the same promise.
        unsafe { node.free_segment() };
    }
}

/// Sets the deadline of one segment below `node`; returns the earliest of all below it.
fn set_deadline_below(node: Node, rest: u64, deadline_ms: u64) -> u64 {
    if !node.is_page() {
        return deadline_ms;
    }
    let page = Page::of(node);
    let index = (rest >> (64 - page.bits)) as usize;
    let child = page.child(index);
    let below_ms = set_deadline_below(child, rest << child.skip(), deadline_ms);
    page.set_deadline_ms(index & !(page.run(child) - 1), below_ms);
    page.deadline_ms_min()
}

/// `next_due` in a page that covers the range from `start` of 2^`width` hashes.
fn next_due_below(page: Page, start: u64, width: u32, position: u64, until_ms: u64) -> Option<u64> {
    let width = width - page.bits;
    let first = if position <= start { 0 } else { ((position - start) >> width) as usize };
    (first..page.size()).filter(|&index| page.deadline_ms(index) <= until_ms).find_map(|index| {
        let child = page.child(index);
        let start = start + ((index as u64) << width);
        if child.is_page() { next_due_below(Page::of(child), start, width, position, until_ms) } else { Some(start) }
    })
}

/// The items of a segment with their hashes. Their blocks are fetched together: ≈20 ns each instead of ≈90.
unsafe fn gather(node: Node, items: usize, hash_of: HashOf) -> Vec<Moved> {
    let mut moved = Vec::with_capacity(items);
    // SAFETY: the caller owns the segment; the places shown are taken.
    unsafe {
        node.segment().for_each(|spot| {
            let address = (*spot.bucket).address(spot.slot);
            prefetch(address);
            prefetch(address + 16);
            moved.push(Moved { hash: 0, address });
        });
        for item in &mut moved {
            item.hash = hash_of(pointer(item.address));
        }
    }
    debug_assert_eq!(moved.len(), items);
    moved
}

/// Puts an item into a segment that has room for it.
unsafe fn put(node: Node, consumed: u32, item: &Moved) {
    let segment = node.segment();
    let rest = item.hash << consumed;
    // SAFETY: the caller owns the segment.
    unsafe { place_surely(segment, segment.home(rest), tag(rest), item.address) }
}

/// Puts an item into a segment that has room for it, near its home or wherever that is.
#[inline]
unsafe fn place_surely(segment: Segment, home: usize, tag: u8, address: u64) {
    // SAFETY: the caller owns the segment.
    unsafe {
        segment
            .place(home, tag, address)
            .or_else(|| segment.place_by_moving(home, tag, address))
            .or_else(|| segment.place_far(home, tag, address))
            .expect("a segment is made for the number of its items");
    }
}

/// Asks for the cache line at `address`; never faults.
#[inline]
pub(crate) fn prefetch(address: u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint for any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address as usize));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch is a hint for any address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
