//! Counters of an event loop: written by its thread alone, read and summed by whoever asks.

use ochre_metrics::Recorder;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

/// A counter that one thread writes: no read-modify-write is needed. Any thread may reset it.
#[derive(Default, Debug)]
pub struct Counter {
    total: AtomicU64,
    /// What `total` was at the last reset: the owner alone writes the one, who resets alone the other.
    base: AtomicU64,
}

impl Counter {
    /// Adds `n`; for the owning thread only.
    #[inline]
    pub fn add(&self, n: u64) {
        self.total.store(self.total.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// The count since the last reset.
    pub fn get(&self) -> u64 {
        self.total.load(Ordering::Relaxed).saturating_sub(self.base.load(Ordering::Relaxed))
    }

    pub fn reset(&self) {
        self.base.store(self.total.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// The largest of many values, noted by one thread.
#[derive(Default, Debug)]
pub struct Peak(AtomicU64);

impl Peak {
    /// Notes a value; for the owning thread only.
    #[inline]
    pub fn note(&self, value: u64) {
        if value > self.0.load(Ordering::Relaxed) {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What INFO commandstats shows of one command.
#[derive(Default)]
pub struct CommandCounters {
    pub calls: Counter,
    pub nanoseconds: Counter,
    /// Refused before it ran.
    pub rejected: Counter,
    /// Ran and replied with an error.
    pub failed: Counter,
    /// Times in ns.
    latency: OnceLock<Recorder>,
}

impl CommandCounters {
    /// Records how long a call took, ns. The histogram is made with the first call: most commands are never used.
    #[inline]
    pub fn record(&self, took_ns: u64) {
        self.latency.get_or_init(Recorder::new).record(took_ns);
    }

    /// Latencies of all calls, if there were any.
    pub fn latency(&self) -> Option<&Recorder> {
        self.latency.get()
    }
}

/// All counters of a loop.
#[repr(align(128))]
pub struct Counters {
    pub commands: Box<[CommandCounters]>,
    pub commands_processed: Counter,
    /// Changes to the data, as `rdb_changes_since_last_save` counts them.
    pub changes: Counter,
    pub connections_received: Counter,
    pub connections_rejected: Counter,
    pub net_input_bytes: Counter,
    pub net_output_bytes: Counter,
    pub keyspace_hits: Counter,
    pub keyspace_misses: Counter,
    pub expired_keys: Counter,
    pub expired_fields: Counter,
    pub evicted_keys: Counter,
    pub evicted_clients: Counter,
    pub error_replies: Counter,
    pub unexpected_errors: Counter,
    /// Times that a client had to wait for a busy shard.
    pub parked: Counter,
    /// Pieces of input received, and buffers of replies handed to the system.
    pub reads: Counter,
    pub writes: Counter,
    pub turns: Counter,
    /// Time that the loop was not asleep, ns.
    pub busy_nanoseconds: Counter,
    /// Of these, time for what is done by the clock.
    pub cron_nanoseconds: Counter,
    /// The most commands, and the longest time, of one turn.
    pub turn_commands_max: Peak,
    pub turn_nanoseconds_max: Peak,
    pub query_buffer_limit_disconnections: Counter,
    pub output_buffer_limit_disconnections: Counter,
    pub protocol_errors: Counter,
    pub panics: Counter,
    /// How late the active expiry removed keys, in ms.
    pub expiry_lag_ms: Recorder,
}

impl Counters {
    pub fn new(commands: usize) -> Self {
        Counters {
            commands: (0..commands).map(|_| CommandCounters::default()).collect(),
            commands_processed: Counter::default(),
            changes: Counter::default(),
            connections_received: Counter::default(),
            connections_rejected: Counter::default(),
            net_input_bytes: Counter::default(),
            net_output_bytes: Counter::default(),
            keyspace_hits: Counter::default(),
            keyspace_misses: Counter::default(),
            expired_keys: Counter::default(),
            expired_fields: Counter::default(),
            evicted_keys: Counter::default(),
            evicted_clients: Counter::default(),
            error_replies: Counter::default(),
            unexpected_errors: Counter::default(),
            parked: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            turns: Counter::default(),
            busy_nanoseconds: Counter::default(),
            cron_nanoseconds: Counter::default(),
            turn_commands_max: Peak::default(),
            turn_nanoseconds_max: Peak::default(),
            query_buffer_limit_disconnections: Counter::default(),
            output_buffer_limit_disconnections: Counter::default(),
            protocol_errors: Counter::default(),
            panics: Counter::default(),
            expiry_lag_ms: Recorder::new(),
        }
    }

    /// Clears everything (CONFIG RESETSTAT).
    pub fn reset(&self) {
        for command in &self.commands {
            command.calls.reset();
            command.nanoseconds.reset();
            command.rejected.reset();
            command.failed.reset();
            if let Some(latency) = command.latency.get() {
                latency.reset();
            }
        }
        for counter in [
            &self.commands_processed,
            &self.connections_received,
            &self.connections_rejected,
            &self.net_input_bytes,
            &self.net_output_bytes,
            &self.keyspace_hits,
            &self.keyspace_misses,
            &self.expired_keys,
            &self.expired_fields,
            &self.evicted_keys,
            &self.evicted_clients,
            &self.error_replies,
            &self.unexpected_errors,
            &self.parked,
            &self.reads,
            &self.writes,
            &self.turns,
            &self.busy_nanoseconds,
            &self.cron_nanoseconds,
            &self.query_buffer_limit_disconnections,
            &self.output_buffer_limit_disconnections,
            &self.protocol_errors,
            &self.panics,
        ] {
            counter.reset();
        }
        self.expiry_lag_ms.reset();
        self.turn_commands_max.reset();
        self.turn_nanoseconds_max.reset();
    }
}

/// Error replies by their code (INFO errorstats), all threads together: errors are rare enough to share a lock.
#[derive(Default)]
pub struct ErrorCounts {
    counts: Mutex<BTreeMap<String, u64>>,
}

/// Codes are counted one by one up to this many; a client could make up any number of them.
const ERROR_CODES_MAX: usize = 128;

impl ErrorCounts {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Counts an error.
    pub fn count(&self, code: &str) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(code) {
            *count += 1;
        } else if counts.len() < ERROR_CODES_MAX {
            counts.insert(code.to_owned(), 1);
        }
    }

    /// All codes and how often each was replied.
    pub fn all(&self) -> Vec<(String, u64)> {
        self.counts().iter().map(|(code, count)| (code.clone(), *count)).collect()
    }

    pub fn reset(&self) {
        self.counts().clear();
    }
}
