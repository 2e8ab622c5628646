//! What follows from a command, in one fixed order: log, watchers, tracking, events, waiters; then the counters.

use crate::session::Session;
use crate::shared::{CommandRow, Shared};
use crate::worker::Worker;
use ochre_keyspace::{Context, Effects, Locked};
use ochre_resp::Args as Words;
use std::sync::atomic::Ordering;

/// Hands on what one command did, still under its locks, so that for every key the order is that of execution. Watchers were
/// told by the view itself; keys that became ready are the caller's to look after. `words`: the command as it goes to the log
/// unless it said otherwise; that happens with `seal`. What has been handed on is no effect any more.
#[inline(always)]
pub fn commit(shared: &Shared, thread: usize, data: &mut Locked<'_>, words: Words<'_>) {
    if data.log_wanted() && data.effects.is_logged() {
        let db = data.db();
        data.effects.collect_log(removal(shared), db, words.iter());
    }
    if data.effects.changes > 0 {
        shared.desks[thread].counters.changes.add(data.effects.changes);
        data.effects.changes = 0;
    }
    data.effects.collect_misses();
    if !data.effects.events.is_empty() {
        publish_events(shared, data);
    }
    if !data.effects.tracked_changes.is_empty() {
        crate::tracking::tell_readers(shared, data.effects);
    }
}

/// As `commit`, for a thread that has no counters of its own: answers how much was changed, for the event loop to count.
pub fn commit_elsewhere(shared: &Shared, thread: usize, data: &mut Locked<'_>, words: Words<'_>) -> u64 {
    if data.log_wanted() && data.effects.is_logged() {
        let db = data.db();
        data.effects.collect_log(removal(shared), db, words.iter());
    }
    let changes = std::mem::take(&mut data.effects.changes);
    commit(shared, thread, data, words);
    changes
}

/// Appends to the log what the commands since the locks were taken have committed. A command on its own, a whole transaction, a
/// whole script is one unit: who reads the log sees all of it or nothing. Clients that keep copies of what was changed are told.
#[inline]
pub fn seal(shared: &Shared, data: &mut Locked<'_>) {
    if !data.effects.unit.is_empty() {
        let now_ms = data.now_ms();
        append_unit(shared, data.effects, true, now_ms);
    }
    if data.effects.has_tracked_changes() {
        crate::tracking::tell(shared, data.effects);
    }
}

#[cold]
fn append_unit(shared: &Shared, effects: &mut Effects, whole: bool, now_ms: u64) {
    shared.log.append(&effects.unit, whole, now_ms);
    effects.unit.clear();
    crate::replication::nudge(shared);
}

/// The command that the log has for a key that expired.
fn removal(shared: &Shared) -> &'static [u8] {
    if shared.settings.memory.lazyfree_lazy_expire.get() { b"UNLINK" } else { b"DEL" }
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
    if !worker.effects.garbage.is_empty() {
        free_garbage(worker);
    }
}

#[cold]
fn free_garbage(worker: &mut Worker) {
    for garbage in worker.effects.garbage.drain(..) {
        worker.shared.lazyfree.free(garbage);
    }
}

/// Hands on what the active expiry did to a shard that is still locked.
pub fn commit_background(shared: &Shared, context: &Context, effects: &mut Effects) {
    if effects.is_logged() && context.log_wanted {
        effects.collect_log(removal(shared), 0, std::iter::empty());
        append_unit(shared, effects, false, context.now_ms);
    } else {
        effects.removals.clear();
        effects.log.clear();
    }
    for event in effects.events.drain(..) {
        crate::publish::publish_event(shared, context.notify, &event);
    }
    if !effects.tracked_changes.is_empty() {
        crate::tracking::tell_readers(shared, effects);
    }
    if effects.has_tracked_changes() {
        crate::tracking::tell(shared, effects);
    }
}

/// Counts a command that ran: its calls and time, and the slow log.
#[inline(always)]
pub fn account(worker: &mut Worker, session: &Session, row: &CommandRow, words: Words<'_>, failed: bool) {
    if worker.shared.monitors.any() {
        crate::monitors::show(worker.shared, session, row, words);
    }
    count(worker, session, row, words, failed);
}

/// As [`account`], for a command that a script called.
pub fn account_of_script(worker: &mut Worker, session: &Session, row: &CommandRow, words: Words<'_>, failed: bool) {
    if worker.shared.monitors.any() {
        crate::monitors::show_of_script(worker.shared, session, row, words);
    }
    count(worker, session, row, words, failed);
}

#[inline(always)]
fn count(worker: &mut Worker, session: &Session, row: &CommandRow, words: Words<'_>, failed: bool) {
    let now_ns = ochre_clock::monotonic_ns();
    let took_ns = now_ns.saturating_sub(worker.last_tick_ns);
    worker.last_tick_ns = now_ns;
    let counters = worker.counters();
    counters.commands_processed.add(1);
    let command = &counters.commands[row.id];
    command.calls.add(1);
    command.nanoseconds.add(took_ns);
    if worker.tracks_latency {
        command.record(took_ns);
    }
    if failed {
        command.failed.add(1);
    }
    session.client.commands.store(session.client.commands.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    session.client.last_command.store(row.id + 1, Ordering::Relaxed);
    if took_ns >= worker.slow_ns {
        crate::slow_commands::note_slow(worker, session, row, words, took_ns);
    }
}
