//! The keys that take most of the time or of the network, while somebody asks for them (HOTKEYS).
//!
//! Nothing is done on the way of a command while nobody asks. When somebody does, the limits above which commands are looked at
//! (those of the slow log and of large requests) fall to 0, so that all commands pass by here. Each loop counts for itself; the counts
//! are put together when they are asked for.

use crate::dispatch;
use crate::shared::{CommandRow, Shared};
use crate::system::{self, CpuTime};
use crate::worker::Worker;
use ochre_collections::hash;
use ochre_resp::Args as Words;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Keys by the time that commands on them took.
    pub by_cpu: bool,
    /// Keys by the bytes of requests and replies about them.
    pub by_net: bool,
    /// So many of each.
    pub count: usize,
    /// One key in so many is looked at.
    pub sample_ratio: u64,
    pub duration_ms: Option<u64>,
}

/// A time in which keys are counted.
#[derive(Clone, Debug)]
struct Period {
    wanted: Wanted,
    started_ms: u64,
    started_ns: u64,
    cpu_before: CpuTime,
    /// How long it was, and what the processor had done then.
    ended: Option<(u64, CpuTime)>,
}

/// What HOTKEYS GET tells.
#[derive(Debug)]
pub struct Report {
    pub wanted: Wanted,
    pub is_active: bool,
    pub started_ms: u64,
    pub duration_ms: u64,
    pub cpu_user_ms: u64,
    pub cpu_system_ms: u64,
    pub all_ns: u64,
    pub all_bytes: u64,
    /// The first of all, most first: keys and ns.
    pub by_cpu: Vec<(Box<[u8]>, u64)>,
    /// Keys and bytes.
    pub by_net: Vec<(Box<[u8]>, u64)>,
}

/// The largest sums of very many keys, by and large: when there are too many the smaller half is forgotten, so a sum may lack what
/// its key had before, which for those in front is little.
#[derive(Debug, Default)]
struct Sums(HashMap<Box<[u8]>, u64>);

/// So many keys are kept, and up to twice as many between two clearings.
const KEYS_KEPT: usize = 2048;

impl Sums {
    fn add(&mut self, key: &[u8], amount: u64) {
        if let Some(sum) = self.0.get_mut(key) {
            *sum += amount;
            return;
        }
        if self.0.len() >= 2 * KEYS_KEPT {
            let mut sums: Vec<u64> = self.0.values().copied().collect();
            let (_, middle, _) = sums.select_nth_unstable(KEYS_KEPT);
            let middle = *middle;
            self.0.retain(|_, sum| *sum > middle);
        }
        self.0.insert(key.into(), amount);
    }
}

/// What one loop has counted.
#[derive(Debug, Default)]
struct Counts {
    wanted: Wanted,
    by_cpu: Sums,
    by_net: Sums,
    all_ns: u64,
    all_bytes: u64,
}

pub struct HotKeys {
    /// When counting ends, ns of the monotonic clock; 0 when nothing is counted.
    until_ns: AtomicU64,
    period: Mutex<Option<Period>>,
    /// One for each loop, which takes it nearly always without a wait.
    counts: Box<[Mutex<Counts>]>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HotKeys {
    pub fn new(loops: usize) -> Self {
        HotKeys {
            until_ns: AtomicU64::new(0),
            period: Mutex::default(),
            counts: (0..loops).map(|_| Mutex::default()).collect(),
        }
    }

    /// Whether keys are counted.
    #[inline]
    pub fn is_active(&self) -> bool {
        let until_ns = self.until_ns.load(Ordering::Relaxed);
        until_ns != 0 && ochre_clock::monotonic_ns() < until_ns
    }

    /// Begins to count, anew; says whether it was not counting already. The loops are to be told by `Shared::settings_changed`.
    pub fn start(&self, wanted: Wanted) -> bool {
        let mut period = locked(&self.period);
        if self.is_active() {
            return false;
        }
        for counts in &self.counts {
            *locked(counts) = Counts { wanted, ..Counts::default() };
        }
        let started_ns = ochre_clock::monotonic_ns();
        *period = Some(Period {
            wanted,
            started_ms: ochre_clock::now_ms(),
            started_ns,
            cpu_before: system::cpu_time(),
            ended: None,
        });
        let until_ns =
            wanted.duration_ms.map_or(u64::MAX, |ms| started_ns.saturating_add(ms.saturating_mul(1_000_000)));
        self.until_ns.store(until_ns, Ordering::Relaxed);
        true
    }

    /// Counts no more, and keeps what was counted; says whether it was counting.
    pub fn stop(&self) -> bool {
        let mut period = locked(&self.period);
        let was_active = self.is_active();
        self.until_ns.store(0, Ordering::Relaxed);
        if let Some(period) = period.as_mut().filter(|period| period.ended.is_none()) {
            let lasted_ns = ochre_clock::monotonic_ns() - period.started_ns;
            let lasted_ms = (lasted_ns / 1_000_000).min(period.wanted.duration_ms.unwrap_or(u64::MAX));
            period.ended = Some((lasted_ms, system::cpu_time()));
        }
        was_active
    }

    /// Forgets what was counted; says whether that could be, which it cannot while it goes on.
    pub fn reset(&self) -> bool {
        let mut period = locked(&self.period);
        if self.is_active() {
            return false;
        }
        self.until_ns.store(0, Ordering::Relaxed);
        *period = None;
        self.counts.iter().for_each(|counts| *locked(counts) = Counts::default());
        true
    }

    /// What was counted so far; `None` when nobody has asked for it.
    pub fn report(&self) -> Option<Report> {
        let is_active = self.is_active();
        if !is_active {
            self.stop();
        }
        let period = locked(&self.period).clone()?;
        let now = || ((ochre_clock::monotonic_ns() - period.started_ns) / 1_000_000, system::cpu_time());
        let (duration_ms, cpu) = period.ended.unwrap_or_else(now);
        let ms = |seconds: f64| (seconds * 1000.0).max(0.0) as u64;
        let mut all = Counts::default();
        for counts in &self.counts {
            let counts = locked(counts);
            all.all_ns += counts.all_ns;
            all.all_bytes += counts.all_bytes;
            for (sums, more) in [(&mut all.by_cpu, &counts.by_cpu), (&mut all.by_net, &counts.by_net)] {
                more.0.iter().for_each(|(key, sum)| *sums.0.entry(key.clone()).or_default() += sum);
            }
        }
        let first = |sums: Sums| {
            let mut sums: Vec<_> = sums.0.into_iter().collect();
            sums.sort_unstable_by(|(a, sum_a), (b, sum_b)| sum_b.cmp(sum_a).then_with(|| a.cmp(b)));
            sums.truncate(period.wanted.count);
            sums
        };
        Some(Report {
            wanted: period.wanted,
            is_active,
            started_ms: period.started_ms,
            duration_ms,
            cpu_user_ms: ms(cpu.user_s - period.cpu_before.user_s),
            cpu_system_ms: ms(cpu.system_s - period.cpu_before.system_s),
            all_ns: all.all_ns,
            all_bytes: all.all_bytes,
            by_cpu: first(all.by_cpu),
            by_net: first(all.by_net),
        })
    }

    fn note(&self, thread: usize, row: &CommandRow, words: Words<'_>, took_ns: u64, bytes: u64) {
        if !self.is_active() {
            return;
        }
        let mut counts = locked(&self.counts[thread]);
        let counts = &mut *counts;
        counts.all_ns += took_ns;
        counts.all_bytes += bytes;
        let wanted = counts.wanted;
        let one = [row.only_key];
        let many: Vec<usize>;
        let keys: &[usize] = if row.only_key != 0 {
            &one
        } else {
            let found = dispatch::key_words(row.spec.keys, words);
            many = found.ok().flatten().unwrap_or_default().into_iter().map(|(at, _)| at).collect();
            &many
        };
        // Who names several keys is taken to spend the same on each.
        let share = keys.len().max(1) as u64;
        for key in keys.iter().filter_map(|at| words.get(*at)) {
            if !hash(key).is_multiple_of(wanted.sample_ratio.max(1)) {
                continue;
            }
            if wanted.by_cpu && took_ns > 0 {
                counts.by_cpu.add(key, took_ns / share);
            }
            if wanted.by_net && bytes > 0 {
                counts.by_net.add(key, bytes / share);
            }
        }
    }
}

/// Counts how long a command took, also one of a transaction or a script.
#[cold]
pub fn note_time(shared: &Shared, thread: usize, row: &CommandRow, words: Words<'_>, took_ns: u64) {
    shared.hot_keys.note(thread, row, words, took_ns, 0);
}

/// Counts the bytes of the request and of the reply of a client's command.
#[cold]
pub fn note_bytes(worker: &Worker, row: &CommandRow, words: Words<'_>, bytes: usize) {
    worker.shared.hot_keys.note(worker.id, row, words, 0, bytes as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_sums_stay_while_many_small_ones_pass() {
        let mut sums = Sums::default();
        for number in 0..100_000_u32 {
            sums.add(&number.to_le_bytes(), 1);
            sums.add(if number % 3 == 0 { b"warm" } else { b"hot" }, 10);
        }
        assert!(sums.0.len() <= 2 * KEYS_KEPT);
        assert_eq!(sums.0.get(b"hot".as_slice()), Some(&666_660));
        assert_eq!(sums.0.get(b"warm".as_slice()), Some(&333_340));
    }

    #[test]
    fn a_period_is_started_stopped_and_forgotten() {
        let hot_keys = HotKeys::new(2);
        let wanted = Wanted { by_cpu: true, count: 10, sample_ratio: 1, ..Wanted::default() };
        assert!(!hot_keys.is_active() && !hot_keys.stop() && hot_keys.report().is_none());
        assert!(hot_keys.start(wanted) && !hot_keys.start(wanted) && !hot_keys.reset());
        assert!(hot_keys.is_active() && hot_keys.report().is_some_and(|report| report.is_active));
        assert!(hot_keys.stop() && hot_keys.report().is_some_and(|report| !report.is_active));
        assert!(hot_keys.reset() && hot_keys.report().is_none());
        assert!(hot_keys.start(Wanted { duration_ms: Some(0), ..wanted }) && !hot_keys.is_active());
        assert!(hot_keys.report().is_some_and(|report| report.duration_ms == 0));
    }
}
