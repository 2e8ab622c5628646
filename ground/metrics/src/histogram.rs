//! Latencies from a nanosecond to a second and above, in buckets whose width is a fraction of their place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Each power of two is cut into this many buckets, so a value is known to 1 part in 16 (about 3 % off on average).
const PARTS: u64 = 16;
const PARTS_BITS: u32 = PARTS.trailing_zeros();
/// Values from 2^30 ns (about a second) on share the last bucket.
const TOP_BITS: u32 = 30;
const BUCKETS: usize = ((TOP_BITS - PARTS_BITS + 1) as usize) * PARTS as usize + 1;

/// One bucket of a histogram that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The largest value that belongs here, in nanoseconds.
    pub upto_ns: u64,
    /// How many values are here.
    pub count: u64,
}

/// How often which latency was seen: a snapshot that can be merged and asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    sum_ns: u64,
    max_ns: u64,
}

/// A histogram that one thread records into while others may read it; 3.5 KB, nothing is allocated by recording.
///
/// Recording is plain loads and stores, because a locked addition costs several times as much; so if two threads recorded, values
/// would be lost. For the same reason others only ask for a reset, and the recording thread does it.
#[derive(Debug)]
pub struct Recorder {
    counts: Box<[AtomicU64; BUCKETS]>,
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
    /// What was recorded so far is void.
    is_reset: AtomicBool,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new()
    }
}

impl Recorder {
    /// Nothing recorded.
    pub fn new() -> Recorder {
        Recorder {
            counts: Box::new([const { AtomicU64::new(0) }; BUCKETS]),
            sum_ns: AtomicU64::new(0),
            max_ns: AtomicU64::new(0),
            is_reset: AtomicBool::new(false),
        }
    }

    /// Counts one latency. Only one thread may do this.
    #[inline]
    pub fn record(&self, latency_ns: u64) {
        if self.is_reset.load(Relaxed) {
            self.clear();
        }
        let count = &self.counts[bucket_of(latency_ns)];
        count.store(count.load(Relaxed) + 1, Relaxed);
        self.sum_ns.store(self.sum_ns.load(Relaxed).wrapping_add(latency_ns), Relaxed);
        if latency_ns > self.max_ns.load(Relaxed) {
            self.max_ns.store(latency_ns, Relaxed);
        }
    }

    /// What was recorded so far.
    pub fn snapshot(&self) -> Histogram {
        let mut histogram = Histogram::default();
        if self.is_reset.load(Relaxed) {
            return histogram;
        }
        for (to, from) in histogram.counts.iter_mut().zip(self.counts.iter()) {
            *to = from.load(Relaxed);
        }
        histogram.count = histogram.counts.iter().sum();
        histogram.sum_ns = self.sum_ns.load(Relaxed);
        histogram.max_ns = self.max_ns.load(Relaxed);
        histogram
    }

    /// Forgets everything; any thread may do this.
    pub fn reset(&self) {
        self.is_reset.store(true, Relaxed);
    }

    #[cold]
    fn clear(&self) {
        self.counts.iter().for_each(|count| count.store(0, Relaxed));
        self.sum_ns.store(0, Relaxed);
        self.max_ns.store(0, Relaxed);
        self.is_reset.store(false, Relaxed);
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: Box::new([0; BUCKETS]), count: 0, sum_ns: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.counts[bucket_of(latency_ns)] += 1;
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(latency_ns);
        self.max_ns = self.max_ns.max(latency_ns);
    }

    /// Adds what another histogram counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (to, from) in self.counts.iter_mut().zip(other.counts.iter()) {
            *to += from;
        }
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many latencies were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The largest, exactly.
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The latency that `percent` percent of those recorded do not exceed: the upper end of its bucket, or the maximum. Zero without any.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for bucket in self.buckets() {
            seen += bucket.count;
            if seen >= rank {
                return bucket.upto_ns.min(self.max_ns);
            }
        }
        self.max_ns
    }

    /// The buckets that are not empty, lowest first. The last one's bound may be `u64::MAX`.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let bounds = (0..BUCKETS).map(upper_bound);
        let counted = self.counts.iter().zip(bounds).filter(|(count, _)| **count > 0);
        counted.map(|(&count, upto_ns)| Bucket { upto_ns, count })
    }

    /// Running totals for LATENCY HISTOGRAM: how many latencies are below 2^10 ns, 2^11 ns … 2^29 ns, and how many there are at all,
    /// only where the total grows.
    ///
    /// The bounds reported are slightly higher, as Redis's are, so that clients see the same row of microseconds: 1, 2, 4, 8, 16, 33, 66, 132 …
    pub fn powers_of_two(&self) -> Vec<Bucket> {
        let mut totals: Vec<Bucket> = Vec::new();
        let (mut total, mut reported) = (0, 0);
        let mut buckets = self.buckets().peekable();
        for power in 10..=TOP_BITS {
            let bound_ns = 1u64 << power;
            let is_last = power == TOP_BITS;
            while let Some(bucket) = buckets.next_if(|bucket| bucket.upto_ns < bound_ns || is_last) {
                total += bucket.count;
            }
            if total > reported {
                reported = total;
                let upto_ns = if is_last { bound_ns } else { bound_ns + (bound_ns >> 7) - 1 };
                totals.push(Bucket { upto_ns, count: total });
            }
        }
        totals
    }
}

/// Values below `PARTS` have a bucket each; above, the bits behind the highest one choose among `PARTS`.
#[inline]
fn bucket_of(value: u64) -> usize {
    if value < PARTS {
        return value as usize;
    }
    let power = value.ilog2();
    if power >= TOP_BITS {
        return BUCKETS - 1;
    }
    let part = value >> (power - PARTS_BITS) & (PARTS - 1);
    ((u64::from(power - PARTS_BITS + 1) << PARTS_BITS) + part) as usize
}

/// The largest value of a bucket.
fn upper_bound(bucket: usize) -> u64 {
    if bucket == BUCKETS - 1 {
        return u64::MAX;
    }
    let (row, part) = (bucket as u64 / PARTS, bucket as u64 % PARTS);
    match row {
        0 => part,
        _ => ((PARTS + part + 1) << (row - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(latencies_ns: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        latencies_ns.iter().for_each(|&latency_ns| histogram.record(latency_ns));
        histogram
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        let mut bucket = 0;
        for value in 0..100_000 {
            if bucket_of(value) != bucket {
                bucket += 1;
                assert_eq!(upper_bound(bucket - 1), value - 1);
            }
            assert_eq!(bucket_of(value), bucket, "{value}");
        }
        assert_eq!(bucket_of((1 << TOP_BITS) - 1), BUCKETS - 2);
        assert_eq!(upper_bound(BUCKETS - 2), (1 << TOP_BITS) - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    /// The bounds that LATENCY HISTOGRAM of Redis 7.0.15 and Valkey 9.1.2 shows for DEBUG SLEEP of these times.
    #[test]
    fn powers_of_two_are_those_of_the_reference() {
        let microseconds =
            [60, 90, 160, 200, 260, 450, 1_600, 1_700, 3_100, 6_100, 30_000, 900_000, 1_200_000, 2_300_000];
        let totals = of(&microseconds.map(|latency_us| latency_us * 1_000)).powers_of_two();
        let shown: Vec<(u64, u64)> = totals.iter().map(|bucket| (bucket.upto_ns / 1_000, bucket.count)).collect();
        let expected =
            [(66, 1), (132, 2), (264, 5), (528, 6), (2_113, 8), (4_227, 9), (8_454, 10), (33_816, 11), (1_073_741, 14)];
        assert_eq!(shown, expected);
        assert_eq!(
            of(&[5, 1_023, 1_024]).powers_of_two().iter().map(|bucket| bucket.count).collect::<Vec<_>>(),
            [2, 3]
        );
        assert_eq!(of(&[]).powers_of_two(), []);
    }

    #[test]
    fn percentiles_are_upper_ends() {
        let histogram = of(&(1..=1_000).map(|latency_us| latency_us * 1_000).collect::<Vec<_>>());
        for (percent, latency_us) in [(0.0, 1), (50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1_000)] {
            let found = histogram.percentile_ns(percent);
            assert!((latency_us * 1_000..=latency_us * 1_063).contains(&found), "{percent}: {found}");
        }
        assert_eq!(histogram.percentile_ns(100.0), histogram.max_ns());
        assert_eq!(of(&[]).percentile_ns(99.0), 0);
        assert_eq!(of(&[3_000_000_000]).percentile_ns(50.0), 3_000_000_000);
    }

    #[test]
    fn a_recorder_is_read_and_reset_while_it_lives() {
        let recorder = Recorder::new();
        for latency_ns in [5, 70_000, 2_000_000_000] {
            recorder.record(latency_ns);
        }
        assert_eq!(recorder.snapshot(), of(&[5, 70_000, 2_000_000_000]));
        recorder.reset();
        assert_eq!(recorder.snapshot(), Histogram::default());
        recorder.record(7);
        assert_eq!(recorder.snapshot(), of(&[7]));
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value: u64, shift in 0u32..64) {
            let value = value >> shift;
            let bucket = bucket_of(value);
            prop_assert!(value <= upper_bound(bucket));
            prop_assert!(bucket == 0 || value > upper_bound(bucket - 1));
            prop_assert!(bucket == BUCKETS - 1 || upper_bound(bucket) <= value + value / PARTS);
        }

        #[test]
        fn merging_is_recording_both(
            left in proptest::collection::vec(0u64..1 << 40, 0..20),
            right in proptest::collection::vec(0u64..1 << 40, 0..20),
        ) {
            let mut merged = of(&left);
            merged.merge(&of(&right));
            prop_assert_eq!(merged, of(&[left, right].concat()));
        }
    }
}
