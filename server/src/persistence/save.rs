//! SAVE, BGSAVE and save points: when snapshots become files, and what came of it.

use super::rdb_format::{Purpose, RdbFormat};
use super::save_file::{SaveFile, temporary_path};
use super::snapshot::{self, Failure, Job, Outcome, Request};
use crate::alerts::Alert;
use crate::shared::Shared;
use crate::{log, pause};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

/// After a snapshot that failed, save points wait so long before they try again, ms.
const RETRY_MS: u64 = 5000;

/// A function that gives the sources of all libraries of functions; they are part of a file.
pub type FunctionSources = Box<dyn Fn() -> Vec<Vec<u8>> + Send + Sync>;

/// What is known of snapshots.
pub struct Saves {
    state: Mutex<State>,
    functions: Mutex<Option<FunctionSources>>,
    /// Whether `current_save_keys_*` and the like have something to show.
    is_saving: AtomicBool,
}

/// What INFO shows, and what decides about the next snapshot.
#[derive(Clone, Default)]
pub struct State {
    /// When the data was last saved (or the server started), Unix ms.
    pub last_save_ms: u64,
    /// `changes` of all loops at the cut of the last good snapshot.
    pub changes_saved: u64,
    /// When a snapshot in the background was last begun, Unix ms.
    pub last_try_ms: u64,
    pub last_background_failed: bool,
    /// Seconds that the last one in the background took.
    pub last_background_s: Option<u64>,
    /// Good snapshots since the start.
    pub saves: u64,
    /// Most bytes that the last snapshot took beside the data.
    pub last_extra_bytes: usize,
    /// BGSAVE SCHEDULE, or BGSAVE in a transaction.
    pub is_scheduled: bool,
    pub current: Option<Current>,
}

/// A snapshot that is being taken.
#[derive(Clone)]
pub struct Current {
    pub job: Option<Arc<Job>>,
    pub kind: Kind,
    /// Unix ms.
    pub began_ms: u64,
    changes: u64,
    pub extra_bytes_peak: usize,
}

/// Who wants a snapshot file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SAVE, DEBUG RELOAD: somebody waits for it.
    Save,
    /// BGSAVE and save points.
    Background,
    /// The last one before the end.
    Shutdown,
}

impl Saves {
    pub fn new(started_ms: u64) -> Saves {
        let state = State { last_save_ms: started_ms, ..State::default() };
        Saves { state: Mutex::new(state), functions: Mutex::default(), is_saving: AtomicBool::new(false) }
    }

    /// What is known now.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file is being written.
    pub fn is_saving(&self) -> bool {
        self.is_saving.load(Ordering::Acquire)
    }

    /// Whether BGSAVE, or a save point, is being carried out.
    pub fn is_background_saving(&self) -> bool {
        self.is_saving() && self.lock().current.as_ref().is_some_and(|current| current.kind == Kind::Background)
    }

    /// Where the sources of functions come from.
    pub fn set_function_sources(&self, sources: FunctionSources) {
        *self.functions.lock().unwrap_or_else(PoisonError::into_inner) = Some(sources);
    }

    pub fn function_sources(&self) -> Vec<Vec<u8>> {
        let functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        functions.as_ref().map(|sources| sources()).unwrap_or_default()
    }

    /// The data has just been loaded, or emptied, as a file has it: nothing has changed since.
    pub fn note_loaded(&self, shared: &Shared) {
        self.lock().changes_saved = changes(shared);
    }

    /// Takes a snapshot in the background as soon as nothing else is going on.
    pub fn schedule(&self) {
        self.lock().is_scheduled = true;
    }

    /// Takes back what was scheduled; says whether there was anything.
    pub fn unschedule(&self) -> bool {
        std::mem::take(&mut self.lock().is_scheduled)
    }

    /// Calls off the snapshot of this kind; says whether there was one.
    pub fn cancel(&self, kind: Kind) -> bool {
        let state = self.lock();
        match &state.current {
            Some(Current { job: Some(job), kind: own, .. }) if *own == kind => {
                job.cancel();
                true
            }
            _ => false,
        }
    }
}

/// Changes since the last good snapshot.
pub fn changes_since_save(shared: &Shared) -> u64 {
    changes(shared).saturating_sub(shared.saves.lock().changes_saved)
}

fn changes(shared: &Shared) -> u64 {
    shared.total(|counters| counters.changes.get())
}

/// A request for a snapshot file. `tell` runs when it is there, or has failed (then it is given the reason).
///
/// # Errors
/// When another file is being written; `tell` does not run then.
pub fn request(
    shared: &'static Shared,
    kind: Kind,
    tell: impl FnOnce(Result<(), Failure>) + Send + 'static,
) -> Result<Request, Failure> {
    let now_ms = ochre_clock::now_ms();
    {
        let mut state = shared.saves.lock();
        if state.current.is_some() {
            return Err(Failure::Busy);
        }
        state.current = Some(Current { job: None, kind, began_ms: now_ms, changes: 0, extra_bytes_peak: 0 });
        shared.saves.is_saving.store(true, Ordering::Release);
        if kind == Kind::Background {
            state.last_try_ms = now_ms;
        }
    }
    let settings = &shared.settings.persistence;
    let file = SaveFile::new(&settings.dbfilename.get(), settings.rdb_save_incremental_fsync.get());
    if kind == Kind::Background {
        log::notice(format_args!("Background saving started by pid {}", std::process::id()));
    }
    let at_cut = move |job: &Arc<Job>| {
        let changes = changes(shared);
        if let Some(current) = &mut shared.saves.lock().current {
            (current.job, current.changes) = (Some(Arc::clone(job)), changes);
        }
    };
    let format = RdbFormat::new(shared, Purpose::Save);
    let request = Request::new(format, file).key_delay_us(settings.rdb_key_save_delay_us.get());
    Ok(request.at_cut(at_cut).on_end(move |shared, outcome| {
        end(shared, &outcome);
        tell(outcome.map(|_| ()));
    }))
}

/// Notes and logs what came of a snapshot.
fn end(shared: &Shared, outcome: &Outcome) {
    let now_ms = ochre_clock::now_ms();
    let mut state = shared.saves.lock();
    let Some(current) = state.current.take() else { return };
    shared.saves.is_saving.store(false, Ordering::Release);
    let is_background = current.kind == Kind::Background;
    state.last_extra_bytes = current.extra_bytes_peak;
    if is_background {
        state.last_background_s = Some(now_ms.saturating_sub(current.began_ms) / 1000);
    }
    match outcome {
        Ok(summary) => {
            state.last_save_ms = now_ms;
            state.changes_saved = current.changes;
            state.last_background_failed = false;
            state.saves += 1;
            log::notice(format_args!("DB saved on disk"));
            log::verbose(format_args!("{} keys in {} bytes", summary.keys, summary.bytes));
            if is_background {
                log::notice(format_args!("Background saving terminated with success"));
            }
        }
        Err(Failure::Busy) => {}
        Err(Failure::Cancelled) => {
            // As in the peers it is no failure to be called off.
            if is_background {
                log::warning(format_args!("Background saving was called off"));
            }
        }
        Err(failure) => {
            if let Failure::Sink(error) = failure {
                log::warning(format_args!("Write error saving DB on disk: {error}"));
            }
            if is_background {
                state.last_background_failed = true;
                log::warning(format_args!("Background saving error"));
            }
        }
    }
    shared.alerts.set(Alert::SnapshotFailed, state.last_background_failed);
}

/// Writes a snapshot file and waits for it; for threads that are no event loop.
///
/// # Errors
/// When it cannot be written, or another snapshot is on its way.
pub fn save_now(shared: &'static Shared) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel();
    let tell = move |result| {
        // Nobody waits any more when the receiver is gone.
        let _ = sender.send(result);
    };
    snapshot::start(shared, request(shared, Kind::Save, tell)?);
    receiver.recv().unwrap_or(Err(Failure::Cancelled))
}

/// Begins a snapshot in the background.
///
/// # Errors
/// As `request`.
pub fn start_in_background(shared: &'static Shared) -> Result<(), Failure> {
    snapshot::start(shared, request(shared, Kind::Background, |_| ())?);
    Ok(())
}

/// What is done by the clock: save points and what was scheduled.
pub fn run_cron(shared: &'static Shared) {
    let saves = &shared.saves;
    if saves.is_saving() {
        if let Some(current) = &mut saves.lock().current
            && let Some(job) = &current.job
        {
            current.extra_bytes_peak = current.extra_bytes_peak.max(job.memory_bytes());
        }
        return;
    }
    if shared.keyspace.is_being_cut() || shared.pause.is_held(pause::Hold::All) {
        return;
    }
    let state = saves.state();
    let now_ms = ochre_clock::now_ms();
    if state.last_background_failed && now_ms.saturating_sub(state.last_try_ms) <= RETRY_MS {
        return;
    }
    let changed = changes(shared).saturating_sub(state.changes_saved);
    let age_s = now_ms.saturating_sub(state.last_save_ms) / 1000;
    let points = shared.settings.persistence.save.get();
    let due = points.iter().find(|point| changed >= point.changes.max(1) && age_s > point.seconds);
    if let Some(point) = due {
        log::notice(format_args!("{} changes in {} seconds. Saving...", point.changes, point.seconds));
    } else if !saves.unschedule() {
        return;
    }
    // What failed has been logged, and is tried again later.
    let _ = start_in_background(shared);
}

/// Removes the file of a snapshot that the end of the server cut short.
pub fn remove_temporary_file() {
    // Nearly always there is none.
    let _ = std::fs::remove_file(temporary_path());
}
