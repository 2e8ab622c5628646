//! What an event loop does by the clock: active expiry, idle connections, the end of pauses.

use crate::clients::traits;
use crate::worker::Worker;
use ochre_keyspace::ExpiryReport;
use ochre_reactor::Reactor;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Active expiry looks at every shard this often, ms.
const EXPIRY_PERIOD_MS: u64 = 20;
/// Table segments that one pass visits at most, ≈5 µs each.
const EXPIRY_SEGMENTS_MAX: usize = 100;
/// Idle connections are looked for this often, ms.
const IDLE_PERIOD_MS: u64 = 1000;

/// When what is due next.
pub struct Cron {
    id: usize,
    next_expiry_ms: u64,
    next_idle_ms: u64,
    /// `timeout`: seconds of idleness after which a client is disconnected; 0 is never.
    timeout_s: u64,
    /// Seconds since the files of TLS were looked at.
    tls_seconds: u64,
}

impl Cron {
    pub fn new(id: usize) -> Self {
        Cron { id, next_expiry_ms: 0, next_idle_ms: 0, timeout_s: 0, tls_seconds: 0 }
    }

    pub fn apply_settings(&mut self, settings: &crate::settings::Settings) {
        self.timeout_s = settings.network.timeout_s.get();
    }

    /// Looks whether certificates were replaced, when `tls-auto-reload-interval` says so.
    fn look_for_tls_files(&mut self, shared: &'static crate::shared::Shared) {
        let interval_s = shared.settings.tls.tls_auto_reload_interval_s.get();
        self.tls_seconds += 1;
        if interval_s > 0 && self.tls_seconds >= interval_s && shared.settings.tls.tls_port.get() != 0 {
            self.tls_seconds = 0;
            crate::tls::look_for_changes(shared);
        }
    }

    /// How long the loop may sleep, when the next wait ends at `next_wait_ms`.
    pub fn timeout(&self, now_ms: u64, next_wait_ms: Option<u64>) -> Duration {
        let next = self.next_expiry_ms.min(self.next_idle_ms).min(next_wait_ms.unwrap_or(u64::MAX));
        Duration::from_millis(next.saturating_sub(now_ms))
    }
}

/// Does what is due.
pub fn run(worker: &mut Worker, reactor: &mut Reactor) {
    let now_ms = worker.context.now_ms;
    worker.end_waits(reactor);
    worker.sweep_leftovers();
    if worker.shared.debug.cron_paused.load(Ordering::Relaxed) {
        worker.cron.next_expiry_ms = now_ms + EXPIRY_PERIOD_MS;
        worker.cron.next_idle_ms = now_ms + EXPIRY_PERIOD_MS;
        return;
    }
    if now_ms < worker.cron.next_expiry_ms.min(worker.cron.next_idle_ms) {
        return;
    }
    let began_ns = ochre_clock::monotonic_ns();
    if now_ms >= worker.cron.next_expiry_ms {
        let report = expire(worker);
        // A pass that ran out of its budget goes on soon, with a turn for clients in between.
        let pause_ms = if report.more { 1 } else { EXPIRY_PERIOD_MS };
        worker.cron.next_expiry_ms = now_ms + pause_ms;
        if worker.id == 0 {
            crate::persistence::save::run_cron(worker.shared);
            crate::persistence::rewrite::run_cron(worker.shared);
            crate::replication::run_cron(worker.shared);
            worker.expire_local_keys();
            crate::persistence::shutdown::run_cron(worker.shared);
            // For the peak that INFO shows: it is the largest of what is seen.
            ochre_collections::allocated_bytes();
        }
        if worker.has_paused() && worker.shared.pause.now(now_ms) == crate::pause::Paused::Nothing {
            worker.resume_paused();
        }
    }
    if now_ms >= worker.cron.next_idle_ms {
        worker.cron.next_idle_ms = now_ms + IDLE_PERIOD_MS;
        disconnect_idle(worker, reactor);
        worker.give_up_buffers();
        worker.look_after_slow_readers(reactor);
        worker.look_after_stream(reactor);
        if worker.id == 0 {
            worker.shared.rates.sample(worker.shared);
            worker.cron.look_for_tls_files(worker.shared);
        }
    }
    worker.counters().cron_nanoseconds.add(ochre_clock::monotonic_ns() - began_ns);
}

/// Removes what is due from the shards that are this loop's to look after.
fn expire(worker: &mut Worker) -> ExpiryReport {
    let shared = worker.shared;
    let mut total = ExpiryReport::default();
    if !shared.active_expire.load(Ordering::Relaxed) || !worker.context.removes_expired || shared.loading.is_active() {
        return total;
    }
    let threads = shared.desks.len();
    let mut budget = EXPIRY_SEGMENTS_MAX;
    for shard in (worker.cron.id..shared.keyspace.shard_count()).step_by(threads) {
        let histogram = &shared.desks[worker.id].counters.expiry_lag_ms;
        let report = shared.keyspace.expire_shard(
            shard,
            &worker.context,
            &mut worker.effects,
            &mut budget,
            &mut |late_ms| histogram.record(late_ms),
            &mut |effects| crate::aftermath::commit_background(shared, &worker.context, effects),
        );
        total.removed += report.removed;
        total.more |= report.more;
    }
    worker.ready.append(&mut worker.effects.ready);
    worker.effects.clear();
    crate::aftermath::after_unlock(worker);
    let expired = worker.effects.stats.expired_keys.take();
    if expired > 0 {
        worker.counters().expired_keys.add(expired);
    }
    let expired = worker.effects.stats.expired_fields.take();
    if expired > 0 {
        worker.counters().expired_fields.add(expired);
    }
    total
}

fn disconnect_idle(worker: &mut Worker, reactor: &mut Reactor) {
    if worker.cron.timeout_s == 0 {
        return;
    }
    let limit_ms = worker.cron.timeout_s * 1000;
    let now_ms = worker.context.now_ms;
    let idle: Vec<u64> = worker
        .sessions()
        // Who waits for a key or for messages is not idle.
        .filter(|session| !session.is_waiting() && session.subscriptions.is_none())
        // A replica has a time limit of its own.
        .filter(|session| !session.client.has(traits::REPLICA | traits::PRIMARY))
        .filter(|session| now_ms.saturating_sub(session.client.last_used_ms.load(Ordering::Relaxed)) > limit_ms)
        .map(|session| session.id())
        .collect();
    for client in idle {
        crate::log::verbose(format_args!("Closing idle client id={client}"));
        worker.end_client(reactor, client, false);
    }
}
