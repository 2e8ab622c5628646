//! The end of the server: what is still to be saved is saved while clients wait, then the event loops stop.

use super::save::{self, Kind};
use super::snapshot::{self, Failure};
use crate::log;
use crate::pause::Hold;
use crate::settings::process::{SHUTDOWN_FORCE, SHUTDOWN_NOSAVE, SHUTDOWN_NOW, SHUTDOWN_SAVE};
use crate::shared::{Message, Shared};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

/// Told when the server does not end after all.
type OnFailure = Box<dyn FnOnce() + Send>;

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

/// Ends the server, after a last snapshot where that is wanted. `on_failure` runs when it cannot be written and the server goes on.
pub fn begin(shared: &'static Shared, manner: Manner, on_failure: OnFailure) {
    log::warning(format_args!("User requested shutdown..."));
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
            shared.tell_all(|| Message::PauseChanged);
            if let Some(on_failure) = on_failure {
                on_failure();
            }
        }
    }
}

/// Calls off the end of the server; says whether it was on its way.
pub fn abort(shared: &Shared) -> bool {
    shared.pause.is_held(Hold::All) && shared.saves.cancel(Kind::Shutdown)
}
