//! Counters that every thread adds to in its own cache lines.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters 0 to `N` - 1 for each of a fixed number of threads. Users name the counters with consts or an enum.
///
/// Each thread adds to its own copy with a plain load and store, a fifth of the cost of a locked addition; so if two threads used one
/// number, counts would be lost. Reading visits every copy. A sum taken while threads add is of no one moment.
#[derive(Debug)]
pub struct Counters<const N: usize> {
    threads: Box<[Lines<N>]>,
    /// The sums at the last reset: the threads' copies never go back, so that nobody else writes to them.
    base: Lines<N>,
}

/// Aligned to two cache lines, because the processor fetches them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Lines<const N: usize>([AtomicU64; N]);

impl<const N: usize> Lines<N> {
    fn zero() -> Lines<N> {
        Lines([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Counters<N> {
    /// All counters at zero, for threads 0 to `threads` - 1.
    pub fn new(threads: usize) -> Counters<N> {
        Counters { threads: (0..threads).map(|_| Lines::zero()).collect(), base: Lines::zero() }
    }

    /// Adds to a counter in the name of a thread, which must be the only one to use that number.
    ///
    /// # Panics
    /// If there is no such thread or counter.
    #[inline]
    pub fn add(&self, thread: usize, counter: usize, amount: u64) {
        let cell = &self.threads[thread].0[counter];
        cell.store(cell.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// Takes away from a counter that shows a level; the sum over all threads must stay at or above zero.
    #[inline]
    pub fn subtract(&self, thread: usize, counter: usize, amount: u64) {
        self.add(thread, counter, amount.wrapping_neg());
    }

    /// A counter's sum over all threads since the last reset.
    pub fn sum(&self, counter: usize) -> u64 {
        self.total(counter).wrapping_sub(self.base.0[counter].load(Relaxed))
    }

    /// A level may be raised by one thread and lowered by another, so a part alone may have wrapped below zero.
    fn total(&self, counter: usize) -> u64 {
        self.threads.iter().fold(0, |sum, lines| sum.wrapping_add(lines.0[counter].load(Relaxed)))
    }

    /// All sums.
    pub fn sums(&self) -> [u64; N] {
        std::array::from_fn(|counter| self.sum(counter))
    }

    /// Begins to count at zero again (CONFIG RESETSTAT); not for levels. Any thread may do this.
    pub fn reset(&self, counter: usize) {
        self.base.0[counter].store(self.total(counter), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_over_all_threads() {
        let counters = Counters::<3>::new(4);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let counters = &counters;
                scope.spawn(move || (0..1_000).for_each(|_| counters.add(thread, 1, 2)));
            }
        });
        assert_eq!(counters.sums(), [0, 8_000, 0]);
        counters.reset(1);
        assert_eq!(counters.sum(1), 0);
        counters.add(2, 1, 3);
        assert_eq!(counters.sum(1), 3);
    }

    #[test]
    fn a_level_may_rise_and_fall_in_different_threads() {
        let counters = Counters::<1>::new(2);
        counters.add(0, 0, 5);
        counters.subtract(1, 0, 3);
        assert_eq!(counters.sum(0), 2);
    }

    #[test]
    fn threads_share_no_cache_line() {
        assert_eq!(size_of::<Lines<1>>(), 128);
        assert_eq!(size_of::<Lines<17>>(), 256);
    }
}
