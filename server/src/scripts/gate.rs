//! One script runs at a time; and what others may know of it and do to it.

use ochre_collections::Door;
use ochre_collections::lock::{ShardSet, Ticket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// The script that runs has written nothing yet.
const CLEAN: u8 = 0;
/// It has written, so it cannot be ended any more.
const WRITTEN: u8 = 1;
/// Somebody has asked for its end before it wrote.
const KILLED: u8 = 2;

/// The door that one script at a time goes through.
#[derive(Default)]
pub struct Gate {
    door: Door,
    state: AtomicU8,
    /// The script runs for longer than it should: others are told so.
    overdue: Mutex<Option<Overdue>>,
}

/// A script that runs for too long.
pub struct Overdue {
    /// The function's name, for FCALL.
    pub function: Option<String>,
    pub command: Vec<Vec<u8>>,
    pub since_ms: u64,
    pub shards: ShardSet,
}

/// What SCRIPT KILL and FUNCTION KILL came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    Asked,
    NothingRuns,
    /// It runs, but not for so long that it may be ended; or is of the other kind.
    OtherKind,
    HasWritten,
}

impl Gate {
    /// Goes in, or notes the client's ticket, which `leave` answers; then the client has to wait.
    pub fn enter(&self, ticket: Ticket) -> bool {
        let enters = self.door.enter(ticket);
        if enters {
            self.state.store(CLEAN, Ordering::SeqCst);
        }
        enters
    }

    /// Goes out; the answer is who waited.
    #[must_use = "those who wait have to be woken"]
    pub fn leave(&self) -> Vec<Ticket> {
        self.door.leave()
    }

    /// The script is about to write for the first time; no: it has to end instead.
    pub fn begin_write(&self) -> bool {
        if self.has_written() {
            return true;
        }
        let exchanged = self.state.compare_exchange(CLEAN, WRITTEN, Ordering::SeqCst, Ordering::SeqCst);
        exchanged.is_ok() || exchanged == Err(WRITTEN)
    }

    pub fn has_written(&self) -> bool {
        self.state.load(Ordering::SeqCst) == WRITTEN
    }

    pub fn is_killed(&self) -> bool {
        self.state.load(Ordering::SeqCst) == KILLED
    }

    /// Asks the script that runs for too long to end.
    pub fn kill(&self, functions: bool) -> Kill {
        let overdue = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(overdue) = &*overdue else { return Kill::NothingRuns };
        if overdue.function.is_some() != functions {
            return Kill::OtherKind;
        }
        match self.state.compare_exchange(CLEAN, KILLED, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) | Err(KILLED) => Kill::Asked,
            Err(_) => Kill::HasWritten,
        }
    }

    pub fn set_overdue(&self, overdue: Option<Overdue>) {
        *self.overdue.lock().unwrap_or_else(PoisonError::into_inner) = overdue;
    }

    /// Looks at the script that runs for too long, if one does.
    pub fn with_overdue<R>(&self, look: impl FnOnce(Option<&mut Overdue>) -> R) -> R {
        look(self.overdue.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }
}
