//! What follows from a command, in one fixed order: log, watchers, tracking, events, waiters; then the counters.

use crate::session::Session;
use crate::shared::CommandRow;
use crate::worker::Worker;
use ochre_keyspace::Locked;
use ochre_resp::Args as Words;
use std::sync::atomic::Ordering;

/// Still under the locks, so that for every key the order is that of execution. Watchers were told by the view itself.
#[inline]
pub fn under_locks(_data: &mut Locked<'_>, _session: &Session, _words: Words<'_>) {}

/// Once the locks are free.
#[inline]
pub fn after_unlock(worker: &mut Worker) {
    if worker.effects.changes > 0 {
        worker.counters().changes.add(worker.effects.changes);
    }
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
    if took_ns >= worker.slow_ns {
        crate::commands::server::slowlog::note(worker, session, row, words, took_ns);
    }
}
