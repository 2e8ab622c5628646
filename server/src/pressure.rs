//! Memory pressure: what is used stays below `maxmemory`, because keys are evicted before a command runs that finds it full.
//!
//! Every thread looks after itself: it evicts before each of its commands, so all together are over the limit by at most one
//! command each. Far from the limit the look costs a few instructions, see [`Gauge`].

use crate::settings::Settings;
use crate::settings::memory::EvictionPolicy;
use crate::shared::Shared;
use crate::worker::Worker;
use crate::{aftermath, blocking, settings_view};
use ochre_collections::{Gauge, ShardSet};
use ochre_keyspace::{EvictionPool, EvictionRules, Order, Search};
use ochre_resp::Args as Words;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What one event loop knows of the limit.
#[derive(Default)]
pub struct Pressure {
    /// `maxmemory`, `usize::MAX` when there is none.
    limit_bytes: usize,
    /// How keys are evicted, if they are.
    rules: Option<EvictionRules>,
    /// For how long commands wait for evictions at most, ns.
    patience_ns: u64,
    gauge: Gauge,
    pool: EvictionPool,
    /// Memory is full, and nothing can be evicted: commands that need more are refused.
    pub out_of_memory: bool,
    /// Memory is full, and evicting goes on with the next turn.
    pub unfinished: bool,
}

/// What all event loops share.
#[derive(Default)]
pub struct SharedPressure {
    /// Since when memory has been over the limit in spite of evictions, ns of the monotonic clock; 0 when it is not.
    over_since_ns: AtomicU64,
    /// For how long it was over the limit before, ns.
    over_total_ns: AtomicU64,
    /// Buffers for replicas; whoever owns them says how large they are.
    pub replica_buffer_bytes: AtomicUsize,
    /// Messages to those who track keys, ever.
    pub notice_bytes: AtomicUsize,
    /// Those that evictions caused of late.
    echo: Mutex<Echo>,
}

/// What evictions cost before they help: messages to those who track the keys, which take memory until they have been sent. If
/// they counted, each eviction would make several others necessary, until no key were left.
#[derive(Default)]
struct Echo {
    began_ns: u64,
    /// Caused since then, and in the time before of the same length.
    bytes: [usize; 2],
}

impl Echo {
    /// After so long messages have been sent, or count as memory of those who do not read them.
    const SPAN_NS: u64 = 50_000_000;

    fn turn(&mut self, now_ns: u64) {
        let spans = now_ns.saturating_sub(self.began_ns) / Self::SPAN_NS;
        if spans > 0 {
            self.bytes = [0, if spans == 1 { self.bytes[0] } else { 0 }];
            self.began_ns = now_ns;
        }
    }

    fn add(&mut self, now_ns: u64, bytes: usize) {
        self.turn(now_ns);
        self.bytes[0] += bytes;
    }

    /// What does not count now; never so much that the limit would mean nothing.
    fn bytes(&mut self, now_ns: u64, limit_bytes: usize) -> usize {
        self.turn(now_ns);
        (self.bytes[0] + self.bytes[1]).min((limit_bytes / 100).max(1 << 20))
    }
}

impl SharedPressure {
    /// For how many ms memory has been over the limit in spite of evictions: in all, and since the last time it was not.
    pub fn exceeded_ms(&self) -> (u64, u64) {
        let since_ns = self.over_since_ns.load(Ordering::Relaxed);
        let now_ns = ochre_clock::monotonic_ns();
        let current_ns = if since_ns == 0 { 0 } else { now_ns.saturating_sub(since_ns) };
        ((self.over_total_ns.load(Ordering::Relaxed) + current_ns) / 1_000_000, current_ns / 1_000_000)
    }

    /// Counts from zero (CONFIG RESETSTAT).
    pub fn reset(&self) {
        self.over_total_ns.store(0, Ordering::Relaxed);
    }

    fn echo(&self) -> MutexGuard<'_, Echo> {
        self.echo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, is_over: bool) {
        let now_ns = ochre_clock::monotonic_ns().max(1);
        if is_over {
            let _ = self.over_since_ns.compare_exchange(0, now_ns, Ordering::Relaxed, Ordering::Relaxed);
        } else {
            let since_ns = self.over_since_ns.swap(0, Ordering::Relaxed);
            if since_ns != 0 {
                self.over_total_ns.fetch_add(now_ns.saturating_sub(since_ns), Ordering::Relaxed);
            }
        }
    }
}

/// Bytes that do not count against `maxmemory`, though they are in use: buffers for the log and for replicas must not make keys
/// go, since to evict a key makes them larger still.
pub fn uncounted_bytes(shared: &Shared) -> usize {
    log_buffer_bytes(shared) + shared.pressure.replica_buffer_bytes.load(Ordering::Relaxed)
}

/// Bytes of the log that wait to be written.
pub fn log_buffer_bytes(shared: &Shared) -> usize {
    if shared.log.is_wanted() { shared.log.unwritten_bytes() } else { 0 }
}

/// How keys are evicted by these settings; `None` when they are not.
fn rules(settings: &Settings) -> Option<EvictionRules> {
    use EvictionPolicy::*;
    let memory = &settings.memory;
    let policy = memory.maxmemory_policy.get();
    let order = match policy {
        NoEviction => return None,
        AllkeysLru | VolatileLru | AllkeysLfu | VolatileLfu | AllkeysLrm | VolatileLrm => Order::Clock,
        AllkeysRandom | VolatileRandom => Order::Chance,
        VolatileTtl => Order::Deadline,
    };
    Some(EvictionRules {
        order,
        expiring_only: matches!(policy, VolatileLru | VolatileLfu | VolatileLrm | VolatileRandom | VolatileTtl),
        samples: memory.maxmemory_samples.get(),
        logged_as_unlink: memory.lazyfree_lazy_eviction.get(),
        ghost_bytes: (memory.maxmemory_bytes.get() / GHOSTS_SHARE).min(GHOST_BYTES_MAX) as usize,
    })
}

/// One part in so many of `maxmemory` is spent on remembering evicted keys.
const GHOSTS_SHARE: u64 = 128;
const GHOST_BYTES_MAX: u64 = 64 << 20;

/// `maxmemory-eviction-tenacity` as a time: in even steps up to half a millisecond, then growing by 15 % each.
fn patience_ns(tenacity: u64) -> u64 {
    match tenacity {
        0..=10 => 50_000 * tenacity,
        11..=99 => (500_000.0 * 1.15_f64.powi(tenacity as i32 - 10)).round() as u64,
        _ => u64::MAX,
    }
}

impl Pressure {
    /// Takes over the settings.
    pub fn apply_settings(&mut self, settings: &Settings) {
        self.limit_bytes = match settings.memory.maxmemory_bytes.get() {
            0 => usize::MAX,
            bytes => bytes as usize,
        };
        self.rules = rules(settings);
        self.patience_ns = patience_ns(settings.memory.maxmemory_eviction_tenacity.get());
        self.pool.clear();
        // A lower limit is reached though nobody sends a command.
        (self.out_of_memory, self.unfinished) = (false, self.limit_bytes != usize::MAX);
    }

    /// Evictions are another server's to decide.
    pub fn ignore_limit(&mut self) {
        (self.limit_bytes, self.unfinished) = (usize::MAX, false);
    }

    /// Whether more is used than may be, as far as this thread knows, or was when it looked last.
    #[inline]
    fn may_be_over(&mut self) -> bool {
        self.limit_bytes != usize::MAX
            && (self.gauge.bytes() > self.limit_bytes || self.out_of_memory || self.unfinished)
    }

    /// How many bytes what counts is really over the limit. `snapshot_bytes`: what a snapshot keeps beside the data for a while.
    fn excess(&mut self, shared: &Shared, snapshot_bytes: usize) -> usize {
        if self.limit_bytes == usize::MAX {
            return 0;
        }
        // What is on its way to be freed is looked at first: freed in between it counts twice, which only lets somebody in.
        let going_bytes = shared.lazyfree.pending_bytes();
        let uncounted_bytes = uncounted_bytes(shared);
        // Without those who track keys there is none, and nobody to lock it with.
        let echo_bytes = match shared.pressure.notice_bytes.load(Ordering::Relaxed) {
            0 => 0,
            _ => shared.pressure.echo().bytes(ochre_clock::monotonic_ns(), self.limit_bytes),
        };
        let rest_bytes = going_bytes + uncounted_bytes + snapshot_bytes + echo_bytes;
        self.gauge.refresh().saturating_sub(rest_bytes).saturating_sub(self.limit_bytes)
    }
}

/// Evicts keys until memory is below its limit, there is nothing to evict, or it takes too long: then it goes on next time.
/// No lock is held.
#[inline]
pub fn make_room(worker: &mut Worker) {
    if worker.pressure.may_be_over() {
        evict(worker);
    }
}

#[cold]
fn evict(worker: &mut Worker) {
    let shared = worker.shared;
    let snapshot_bytes = worker.walker.as_ref().map_or(0, |walker| walker.memory_bytes());
    let excess = worker.pressure.excess(shared, snapshot_bytes);
    let mut is_over = excess > 0;
    (worker.pressure.out_of_memory, worker.pressure.unfinished) = (false, false);
    // A database that is being freed makes room soon; nobody knows how much.
    if is_over && !shared.lazyfree.frees_databases() {
        is_over = evict_bytes(worker, excess);
    }
    let pressure = &worker.pressure;
    shared.pressure.note(is_over && (pressure.out_of_memory || pressure.unfinished));
}

/// Evicts keys that take so many bytes; says whether some are left. What evictions cost elsewhere, as messages to those who
/// track keys, is not looked at: it would make more keys go, and more messages.
fn evict_bytes(worker: &mut Worker, excess: usize) -> bool {
    let shared = worker.shared;
    let Some(rules) = worker.pressure.rules else {
        worker.pressure.out_of_memory = true;
        return true;
    };
    let began_ns = ochre_clock::monotonic_ns();
    let notice_bytes = || shared.pressure.notice_bytes.load(Ordering::Relaxed);
    let notice_bytes_before = notice_bytes();
    let elapsed_ns = || ochre_clock::monotonic_ns() - began_ns;
    let (mut tries, mut evicted_bytes) = (0_u32, 0);
    let is_over = loop {
        match evict_one(worker, &rules) {
            Evicted::Nothing => {
                worker.pressure.out_of_memory = true;
                break true;
            }
            Evicted::Bytes(bytes) => evicted_bytes += bytes,
            Evicted::NotNow => {}
        }
        if evicted_bytes >= excess {
            break false;
        }
        tries += 1;
        if tries.is_multiple_of(TRIES_BETWEEN_LOOKS) && elapsed_ns() >= worker.pressure.patience_ns {
            worker.pressure.unfinished = true;
            break true;
        }
    };
    let echo_bytes = notice_bytes().wrapping_sub(notice_bytes_before);
    if echo_bytes > 0 {
        shared.pressure.echo().add(began_ns, echo_bytes);
    }
    // The command that runs next begins now.
    if tries >= TRIES_BETWEEN_LOOKS {
        note_latency(worker, elapsed_ns());
        worker.last_tick_ns = ochre_clock::monotonic_ns();
    }
    is_over
}

/// The clock is read after so many evictions.
const TRIES_BETWEEN_LOOKS: u32 = 16;

fn note_latency(worker: &Worker, took_ns: u64) {
    if took_ns >= settings_view::latency_event_ns(&worker.shared.settings) {
        worker.shared.latency_events.add("eviction-cycle", worker.context.now_ms / 1000, took_ns / 1_000_000);
    }
}

enum Evicted {
    /// A key that took so many.
    Bytes(usize),
    /// What was found is used again or busy.
    NotNow,
    Nothing,
}

fn evict_one(worker: &mut Worker, rules: &EvictionRules) -> Evicted {
    let shared = worker.shared;
    let keyspace = &shared.keyspace;
    let candidate = match worker.pressure.pool.search(keyspace, rules, &worker.context) {
        Search::Found(candidate) => candidate,
        Search::Busy => return Evicted::NotNow,
        Search::Nothing => return Evicted::Nothing,
    };
    let mut locks = ShardSet::of(keyspace.shard_of_hash(candidate.hash));
    let Ok(guard) = keyspace.shards().try_lock_at_once(&mut locks) else { return Evicted::NotNow };
    worker.effects.clear();
    let origin = std::mem::take(&mut worker.effects.origin);
    let mut data = keyspace.view(guard, &worker.context, &mut worker.effects, candidate.db);
    let evicted_bytes = data.evict(&candidate, rules);
    if evicted_bytes.is_some() {
        aftermath::commit(shared, worker.id, &mut data, Words::NONE);
        aftermath::seal(shared, &mut data);
        if !data.effects.ready.is_empty() {
            blocking::serve_ready(shared, worker.id, &mut data);
        }
    }
    drop(data);
    aftermath::after_unlock(worker);
    // For the command that runs next nothing has been touched.
    worker.effects.clear();
    worker.effects.origin = origin;
    let Some(bytes) = evicted_bytes else { return Evicted::NotNow };
    worker.counters().evicted_keys.add(1);
    Evicted::Bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Echo, patience_ns};

    #[test]
    fn an_echo_dies_away_and_never_hides_the_limit() {
        let (mut echo, limit) = (Echo::default(), 1 << 30);
        echo.add(0, 700);
        echo.add(Echo::SPAN_NS - 1, 300);
        assert_eq!(echo.bytes(Echo::SPAN_NS - 1, limit), 1000);
        echo.add(Echo::SPAN_NS, 1);
        assert_eq!(echo.bytes(Echo::SPAN_NS, limit), 1001);
        assert_eq!(echo.bytes(2 * Echo::SPAN_NS, limit), 1);
        assert_eq!(echo.bytes(4 * Echo::SPAN_NS, limit), 0);
        echo.add(4 * Echo::SPAN_NS, limit);
        assert_eq!(echo.bytes(4 * Echo::SPAN_NS, limit), limit / 100);
    }

    #[test]
    fn tenacity_is_patience() {
        let microseconds: Vec<_> = [0, 1, 10, 11, 50].iter().map(|tenacity| patience_ns(*tenacity) / 1000).collect();
        assert_eq!(microseconds, [0, 50, 500, 575, 133_931]);
        // How powers are rounded is the compiler's choice.
        assert!((126_000..127_000).contains(&(patience_ns(99) / 1_000_000)));
        assert_eq!(patience_ns(100), u64::MAX);
    }
}
