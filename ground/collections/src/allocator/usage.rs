//! How much memory is allocated: each thread counts for itself, whoever asks adds up.

use std::cell::Cell;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// One thread's count, alone in its cache lines: two of them, because the processor fetches them in pairs.
#[repr(align(128))]
struct Slot {
    /// Bytes allocated less bytes freed, by this thread and those that had the slot before. A thread may free what others
    /// allocated, so it wraps below zero; the sum of all does not.
    bytes: AtomicUsize,
    taken: AtomicBool,
}

/// Slots for threads of their own. Further threads share one, at the cost of an atomic addition each time.
const SLOTS: usize = 256;

static OWN: [Slot; SLOTS] = [const { Slot { bytes: AtomicUsize::new(0), taken: AtomicBool::new(false) } }; SLOTS];
static SHARED: Slot = Slot { bytes: AtomicUsize::new(0), taken: AtomicBool::new(true) };
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// No slot from this one on has ever been taken.
static SLOTS_USED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's slot, once it has one. Without a destructor, so that to reach it takes one instruction.
    static MINE: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    /// Gives the slot back when the thread ends.
    static LEASE: Lease = const { Lease(Cell::new(None)) };
}

struct Lease(Cell<Option<&'static Slot>>);

impl Drop for Lease {
    fn drop(&mut self) {
        MINE.set(None);
        if let Some(slot) = self.0.take() {
            // Together with `Acquire` where the next thread takes it, so that it goes on from our count.
            slot.taken.store(false, Release);
        }
    }
}

/// Adds to this thread's count; bytes freed are added as their two's complement.
#[inline]
pub(super) fn count(bytes: usize) {
    match MINE.get() {
        Some(slot) => slot.bytes.store(slot.bytes.load(Relaxed).wrapping_add(bytes), Relaxed),
        None => count_first(bytes),
    }
}

/// Takes a slot for this thread, if there is one left and the thread is not about to end.
#[cold]
fn count_first(bytes: usize) {
    if let Some((number, slot)) = OWN.iter().enumerate().find(|(_, slot)| !slot.taken.swap(true, Acquire)) {
        SLOTS_USED.fetch_max(number + 1, Release);
        // First of all: to touch the lease may allocate, which comes back to here.
        MINE.set(Some(slot));
        if LEASE.try_with(|lease| lease.0.set(Some(slot))).is_ok() {
            return count(bytes);
        }
        MINE.set(None);
        slot.taken.store(false, Release);
    }
    SHARED.bytes.fetch_add(bytes, Relaxed);
}

/// Bytes of memory that the program has allocated and not freed, in whole blocks of the allocator. Counts while others
/// allocate, so it is of no one moment. Takes time in proportion to the threads there have been at once.
pub fn allocated_bytes() -> usize {
    let own = &OWN[..SLOTS_USED.load(Acquire)];
    let sum = own.iter().fold(SHARED.bytes.load(Relaxed), |sum, slot| sum.wrapping_add(slot.bytes.load(Relaxed)));
    // Read in between an allocation in one thread and its release in another the sum may be below zero.
    let bytes = if sum > isize::MAX as usize { 0 } else { sum };
    // Mostly it is no new peak, and then the line that all share is not written.
    if bytes > PEAK.load(Relaxed) {
        PEAK.fetch_max(bytes, Relaxed);
    }
    bytes
}

/// Tells a thread how much is allocated nearly for nothing: what it allocates itself is told exactly, what others do is looked
/// at when it has allocated or freed `STALE_BYTES`, or when [`Gauge::refresh`] asks for it.
#[derive(Debug, Default)]
pub struct Gauge {
    /// `allocated_bytes` when it was last asked, and this thread's own count then.
    all: usize,
    own: usize,
}

/// By so much each of the other threads may have allocated more than a gauge tells.
const STALE_BYTES: isize = 16 * 1024;

impl Gauge {
    /// About how many bytes are allocated.
    #[inline]
    pub fn bytes(&mut self) -> usize {
        let changed = own_bytes().wrapping_sub(self.own) as isize;
        if changed.unsigned_abs() > STALE_BYTES as usize || self.all == 0 {
            return self.refresh();
        }
        self.all.saturating_add_signed(changed)
    }

    /// How many bytes are allocated.
    pub fn refresh(&mut self) -> usize {
        self.own = own_bytes();
        self.all = allocated_bytes();
        self.all
    }
}

/// This thread's own count, of which only differences mean something.
#[inline]
fn own_bytes() -> usize {
    MINE.get().map_or(0, |slot| slot.bytes.load(Relaxed))
}

/// The most that `allocated_bytes` has ever told: it is for the caller to ask often.
pub fn allocated_bytes_peak() -> usize {
    allocated_bytes();
    PEAK.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// The counts are the process's, and tests run side by side. (The test program itself allocates elsewhere.)
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn what_one_thread_allocates_another_may_free() {
        let _alone = ALONE.lock().expect("tests do not panic here");
        let before = allocated_bytes();
        count(1 << 40);
        assert!(allocated_bytes() >= before + (1 << 40));
        std::thread::spawn(|| count((1_usize << 40).wrapping_neg())).join().expect("the thread counts");
        assert!(allocated_bytes() < before + (1 << 39));
        assert!(allocated_bytes_peak() >= before + (1 << 40));
    }

    #[test]
    fn a_gauge_follows_its_own_thread_and_the_others_when_it_is_refreshed() {
        let _alone = ALONE.lock().expect("tests do not panic here");
        count(0);
        let mut gauge = Gauge::default();
        let before = gauge.bytes();
        count(1000);
        assert_eq!(gauge.bytes(), before + 1000);
        std::thread::spawn(|| count(1 << 40)).join().expect("the thread counts");
        assert!(gauge.bytes() < before + (1 << 39));
        assert!(gauge.refresh() >= before + (1 << 40));
        count((1_usize << 40).wrapping_neg());
        assert!(gauge.bytes() < before + (1 << 39), "a large change of its own is a reason to look");
        count(1000_usize.wrapping_neg());
    }

    #[test]
    fn slots_are_given_back_and_threads_without_one_are_counted_too() {
        let _alone = ALONE.lock().expect("tests do not panic here");
        let before = allocated_bytes();
        for _ in 0..3 * SLOTS {
            std::thread::spawn(|| count(1 << 40)).join().expect("the thread counts");
        }
        let taken = OWN.iter().filter(|slot| slot.taken.load(Relaxed)).count();
        assert!(taken < SLOTS / 2, "{taken} slots are taken");
        let all = std::sync::Barrier::new(SLOTS + 2);
        std::thread::scope(|scope| {
            for _ in 0..SLOTS + 2 {
                scope.spawn(|| {
                    count(1 << 40);
                    all.wait();
                });
            }
        });
        // Rounded: the other tests of this program may free a little.
        let counted = (allocated_bytes() + (1 << 39) - before) >> 40;
        assert_eq!(counted, 4 * SLOTS + 2);
        count((counted << 40).wrapping_neg());
    }
}
