//! What follows from a command, in one fixed order: log, watchers, tracking, events, waiters; then the counters.

use crate::session::Session;
use crate::shared::{CommandRow, Shared};
use crate::worker::Worker;
use ochre_keyspace::Locked;
use ochre_resp::Args as Words;
use std::sync::atomic::Ordering;

/// Hands on what one command did, still under its locks, so that for every key the order is that of execution. Watchers were
/// told by the view itself; keys that became ready are the caller's to look after.
#[inline]
pub fn commit(shared: &Shared, thread: usize, data: &mut Locked<'_>) {
    let effects = &mut *data.effects;
    if effects.changes > 0 {
        shared.desks[thread].counters.changes.add(effects.changes);
    }
    effects.collect_misses();
    if !effects.events.is_empty() {
        publish_events(shared, data);
    }
}

#[cold]
fn publish_events(shared: &Shared, data: &mut Locked<'_>) {
    let wanted = data.context().notify;
    for event in data.effects.events.drain(..) {
        crate::publish::publish_event(shared, wanted, &event);
    }
}

/// Once the locks are free.
#[inline]
pub fn after_unlock(worker: &mut Worker) {
    for garbage in worker.effects.garbage.drain(..) {
        worker.shared.lazyfree.free(garbage);
    }
}

/// Hands on what the active expiry did.
pub fn commit_background(worker: &mut Worker) {
    let wanted = worker.context.notify;
    for event in worker.effects.events.drain(..) {
        crate::publish::publish_event(worker.shared, wanted, &event);
    }
    worker.effects.clear();
    after_unlock(worker);
}

/// Counts a command that ran: its calls and time, and the slow log.
#[inline]
pub fn account(worker: &mut Worker, session: &Session, row: &CommandRow, words: Words<'_>, failed: bool) {
    let now_ns = ochre_clock::monotonic_ns();
    let took_ns = now_ns.saturating_sub(worker.last_tick_ns);
    worker.last_tick_ns = now_ns;
    let counters = worker.counters();
    counters.commands_processed.add(1);
    let command = &counters.commands[row.id];
    command.calls.add(1);
    command.nanoseconds.add(took_ns);
    command.record(took_ns);
    if failed {
        command.failed.add(1);
    }
    session.client.commands.store(session.client.commands.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    session.client.last_command.store(row.id + 1, Ordering::Relaxed);
    if worker.shared.monitors.any() {
        crate::monitors::show(worker.shared, session, row, words);
    }
    if took_ns >= worker.slow_ns {
        crate::slow_commands::note_slow(worker, session, row, words, took_ns);
    }
}
