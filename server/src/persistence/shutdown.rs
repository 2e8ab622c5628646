//! The end of the server: what is still to be saved is saved while clients wait, then the event loops stop.

use super::save::{self, Kind};
use super::snapshot::{self, Failure};
use crate::log;
use crate::pause::Hold;
use crate::settings::process::{SHUTDOWN_FORCE, SHUTDOWN_NOSAVE, SHUTDOWN_NOW, SHUTDOWN_SAVE};
use crate::shared::{Message, Shared};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the server is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    pub save: bool,
    pub nosave: bool,
    pub now: bool,
    /// An error does not keep the server from ending.
    pub force: bool,
}

impl Manner {
    /// From the bits of `shutdown-on-sigterm` and its like.
    pub fn from_bits(bits: u32) -> Manner {
        let has = |bit| bits & bit != 0;
        Manner {
            save: has(SHUTDOWN_SAVE),
            nosave: has(SHUTDOWN_NOSAVE),
            now: has(SHUTDOWN_NOW),
            force: has(SHUTDOWN_FORCE),
        }
    }

    fn wants_save(self, shared: &Shared) -> bool {
        !self.nosave && (self.save || !shared.settings.persistence.save.get().is_empty())
    }
}

/// Told when the server does not end after all: `true` when somebody has called that off.
type OnFailure = Box<dyn FnOnce(bool) + Send>;

/// An end of the server that has still to wait.
#[derive(Default)]
pub struct Ending(Mutex<Option<Waiting>>);

struct Waiting {
    manner: Manner,
    on_failure: OnFailure,
    /// Replicas have so long to get what they lack, Unix ms; `None` when only the clock stands still (DEBUG PAUSE-CRON).
    until_ms: Option<u64>,
}

impl Ending {
    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server is going to end.
    pub fn is_on(&self) -> bool {
        self.lock().is_some()
    }

    /// How long it waits for replicas yet, ms.
    pub fn left_ms(&self) -> Option<u64> {
        let until_ms = self.lock().as_ref()?.until_ms?;
        Some(until_ms.saturating_sub(ochre_clock::now_ms()))
    }

    fn wait(&self, manner: Manner, on_failure: OnFailure, until_ms: Option<u64>) {
        let mut waiting = self.lock();
        let on_failure = match waiting.take() {
            None => on_failure,
            Some(before) => Box::new(move |is_called_off| {
                (before.on_failure)(is_called_off);
                on_failure(is_called_off);
            }),
        };
        *waiting = Some(Waiting { manner, on_failure, until_ms });
    }
}

/// Runs something once no loop is in the middle of a command that began before.
pub struct QuietPoint {
    left: AtomicUsize,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl QuietPoint {
    /// A loop has ended the command that it ran.
    pub fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(then) = self.then.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            then();
        }
    }
}

/// Lets `then` run, on one of the loops, once each of them has ended the command that it runs now.
pub fn at_quiet_point(shared: &'static Shared, then: impl FnOnce() + Send + 'static) {
    let left = AtomicUsize::new(shared.desks.len());
    let point = Arc::new(QuietPoint { left, then: Mutex::new(Some(Box::new(then))) });
    shared.tell_all(|| Message::Quiet(Arc::clone(&point)));
}

/// As `begin`, for a signal: that is looked at by the clock.
pub fn begin_by_clock(shared: &'static Shared, manner: Manner, on_failure: OnFailure) {
    if shared.debug.cron_paused.load(Ordering::Relaxed) {
        return shared.ending.wait(manner, on_failure, None);
    }
    begin(shared, manner, on_failure);
}

/// Ends the server, once replicas have what they lack, or have had their time, and after a last snapshot where that is wanted.
/// `on_failure` runs when it cannot be written, or somebody calls it off, and the server goes on.
pub fn begin(shared: &'static Shared, manner: Manner, on_failure: OnFailure) {
    log::warning(format_args!("User requested shutdown..."));
    let timeout_s = shared.settings.process.shutdown_timeout_s.get();
    if manner.now || timeout_s == 0 || lagging_replicas(shared) == 0 {
        return begin_now(shared, manner, on_failure);
    }
    log::notice(format_args!("Waiting for replicas before shutting down."));
    // Else they would never have all.
    shared.pause.hold(Hold::WritesAtEnd);
    shared.tell_all(|| Message::PauseChanged);
    crate::replication::tell_replicas(shared, [&b"REPLCONF"[..], b"GETACK", b"*"].into_iter());
    shared.ending.wait(manner, on_failure, Some(ochre_clock::now_ms().saturating_add(timeout_s * 1000)));
}

/// Replicas that have not said that they have all.
fn lagging_replicas(shared: &Shared) -> usize {
    shared.replication.lacking(shared.log.units_end())
}

/// What is done by the clock: an end of the server that waited.
pub fn run_cron(shared: &'static Shared) {
    let now_ms = ochre_clock::now_ms();
    let lagging = lagging_replicas(shared);
    let is_due = |waiting: &mut Waiting| lagging == 0 || waiting.until_ms.is_none_or(|until_ms| until_ms <= now_ms);
    let Some(waiting) = shared.ending.lock().take_if(is_due) else { return };
    if waiting.until_ms.is_none() {
        return begin(shared, waiting.manner, waiting.on_failure);
    }
    if lagging > 0 {
        log::warning(format_args!("{lagging} replicas are not in sync when shutting down."));
    }
    begin_now(shared, waiting.manner, waiting.on_failure);
}

/// Ends the server, after a last snapshot where that is wanted.
fn begin_now(shared: &'static Shared, manner: Manner, on_failure: OnFailure) {
    // An end that waited is overtaken by this one.
    let on_failure = match shared.ending.lock().take() {
        None => on_failure,
        Some(waiting) => Box::new(move |is_called_off| {
            (waiting.on_failure)(is_called_off);
            on_failure(is_called_off);
        }),
    };
    if shared.saves.cancel(Kind::Background) {
        log::warning(format_args!("A background save is running and is called off."));
    }
    shared.saves.unschedule();
    if !manner.wants_save(shared) {
        return shared.stop();
    }
    log::notice(format_args!("Saving the final RDB snapshot before exiting."));
    // Nothing may be written after the cut that the file would not have.
    shared.pause.hold(Hold::All);
    at_quiet_point(shared, move || save_and_stop(shared, manner, on_failure));
}

fn save_and_stop(shared: &'static Shared, manner: Manner, on_failure: OnFailure) {
    // One of the two runs the end, whichever is first to know.
    let on_failure = Arc::new(Mutex::new(Some(on_failure)));
    let theirs = Arc::clone(&on_failure);
    let tell = move |result: Result<(), Failure>| ended(shared, manner, result, &theirs);
    match save::request(shared, Kind::Shutdown, tell) {
        Ok(request) => snapshot::start(shared, request),
        // What was called off needs a moment to end.
        Err(Failure::Busy) => {
            let mut on_failure = on_failure.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(on_failure) = on_failure.take() {
                at_quiet_point(shared, move || save_and_stop(shared, manner, on_failure));
            }
        }
        Err(failure) => ended(shared, manner, Err(failure), &on_failure),
    }
}

fn ended(shared: &'static Shared, manner: Manner, result: Result<(), Failure>, on_failure: &Mutex<Option<OnFailure>>) {
    let on_failure = on_failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    match result {
        Ok(()) => shared.stop(),
        Err(Failure::Busy) => {
            if let Some(on_failure) = on_failure {
                at_quiet_point(shared, move || save_and_stop(shared, manner, on_failure));
            }
        }
        Err(Failure::Sink(_)) if manner.force => {
            log::warning(format_args!("Error trying to save the DB. Exit anyway."));
            shared.stop();
        }
        Err(failure) => {
            if matches!(failure, Failure::Sink(_)) {
                log::warning(format_args!("Error trying to save the DB, can't exit."));
            }
            shared.pause.release(Hold::All);
            shared.pause.release(Hold::WritesAtEnd);
            shared.tell_all(|| Message::PauseChanged);
            if let Some(on_failure) = on_failure {
                on_failure(matches!(failure, Failure::Cancelled));
            }
        }
    }
}

/// Calls off the end of the server; says whether it was on its way.
pub fn abort(shared: &Shared) -> bool {
    let waiting = shared.ending.lock().take();
    let is_waiting = waiting.is_some();
    if let Some(waiting) = waiting {
        shared.pause.release(Hold::WritesAtEnd);
        shared.tell_all(|| Message::PauseChanged);
        (waiting.on_failure)(true);
    }
    let is_called_off = is_waiting || (shared.pause.is_held(Hold::All) && shared.saves.cancel(Kind::Shutdown));
    if is_called_off {
        log::notice(format_args!("Shutdown manually aborted."));
    }
    is_called_off
}
