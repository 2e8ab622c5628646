//! Time as a parameter: read from the system in one place, then passed on.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970, by the wall clock; zero if that is set to before.
#[inline]
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// Milliseconds since 1970, by the wall clock. Deadlines of keys are in this unit.
#[inline]
pub fn now_ms() -> u64 {
    now_us() / 1_000
}

/// Nanoseconds since some fixed moment of this process; never runs backwards. For durations, timeouts and latencies.
///
/// Reads the processor's time stamp counter where it can be trusted (≈8 ns), because every command is timed; the first call
/// measures the counter's speed, which takes some milliseconds.
#[inline]
pub fn monotonic_ns() -> u64 {
    static COUNTER: OnceLock<(quanta::Clock, u64)> = OnceLock::new();
    let (counter, start) = COUNTER.get_or_init(|| {
        let counter = quanta::Clock::new();
        let start = counter.raw();
        (counter, start)
    });
    counter.delta_as_nanos(*start, counter.raw())
}

/// Both clocks as they were at one moment: an event loop reads them once a turn and passes them to all that it calls.
///
/// Tests and simulations make their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Milliseconds since 1970.
    pub ms: u64,
    /// [`monotonic_ns`] at the same moment.
    pub monotonic_ns: u64,
}

impl Clock {
    /// Reads both clocks of the system, which takes about 50 ns.
    pub fn now() -> Clock {
        Clock { ms: now_ms(), monotonic_ns: monotonic_ns() }
    }

    /// A clock that shows `ms` on both faces.
    pub const fn at_ms(ms: u64) -> Clock {
        Clock { ms, monotonic_ns: ms * 1_000_000 }
    }

    /// Seconds since 1970.
    #[inline]
    pub fn seconds(self) -> u64 {
        self.ms / 1_000
    }

    /// This clock, `ms` milliseconds later.
    #[must_use]
    pub const fn after_ms(self, ms: u64) -> Clock {
        Clock { ms: self.ms + ms, monotonic_ns: self.monotonic_ns + ms * 1_000_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_does_not_run_backwards() {
        let readings: Vec<u64> = (0..1_000).map(|_| monotonic_ns()).collect();
        assert!(readings.is_sorted());
    }

    #[test]
    fn the_wall_clock_is_in_this_century() {
        let (us, ms) = (now_us(), now_ms());
        assert!(us > 1_577_836_800_000_000, "after 2020");
        assert!(us / 1_000 <= ms);
    }

    #[test]
    fn a_made_clock_moves_when_told() {
        let clock = Clock::at_ms(1_500).after_ms(600);
        assert_eq!(clock, Clock { ms: 2_100, monotonic_ns: 2_100_000_000 });
        assert_eq!(clock.seconds(), 2);
    }
}
