//! A new base for the append-only file: the state of one moment, and the files before it are of no use any more.
//!
//! The order makes every crash harmless: the next incremental file is listed before anything is written to it, it begins
//! exactly where the base ends, the base is whole and on the disk before the list names it, and what the list does not name any
//! more is deleted last.

use super::commands_format::CommandsFormat;
use super::folder::Folder;
use super::log::Policy;
use super::rdb_format::{Purpose, RdbFormat};
use super::snapshot::{self, Failure, Outcome, Request, Sink};
use super::writer::Segment;
use super::{aof, writer};
use crate::log;
use crate::shared::Shared;
use ochre_rdb::{Dialect, Writer};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// A file that is written bit by bit is synced each time it has grown by so much, bytes.
const SYNC_BYTES: u64 = 4 << 20;
/// After so many failures in a row rewrites wait for longer and longer before they begin by themselves.
const FAILURES_MAX: u64 = 3;
const RETRY_MS: u64 = 1000;
const DELAY_MINUTES_MAX: u64 = 60;

/// The name under which a base is written, beside the folder of the files.
fn temporary_name() -> String {
    format!("temp-rewriteaof-bg-{}.aof", std::process::id())
}

/// A base while it is written.
struct BaseFile {
    path: PathBuf,
    file: Option<File>,
    is_synced_bit_by_bit: bool,
    unsynced_bytes: u64,
}

impl Sink for BaseFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(&self.path)?),
        };
        file.write_all(bytes)?;
        self.unsynced_bytes += bytes.len() as u64;
        if self.is_synced_bit_by_bit && self.unsynced_bytes >= SYNC_BYTES {
            self.unsynced_bytes = 0;
            file.sync_data()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(file) => file.sync_all(),
            // There was nothing to write.
            None => File::create(&self.path)?.sync_all(),
        }
    }

    fn discard(&mut self) {
        self.file = None;
        // What is not there needs no removing.
        let _ = fs::remove_file(&self.path);
    }
}

/// Begins a rewrite in the background.
///
/// # Errors
/// When one is running.
pub fn begin(shared: &'static Shared) -> Result<(), ()> {
    if shared.aof.rewriting.swap(true, Ordering::SeqCst) {
        return Err(());
    }
    shared.aof.scheduled.store(false, Ordering::SeqCst);
    shared.aof.is_cancelled.store(false, Ordering::SeqCst);
    shared.aof.rewrite_began_s.store(ochre_clock::now_ms() / 1000, Ordering::Relaxed);
    let body = move || {
        if let Err(error) = prepare(shared) {
            log::warning(format_args!("Can't begin to rewrite the append only file: {error}"));
            note_end(shared, false);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("rewrite".into()).spawn(body) {
        log::warning(format_args!("Can't rewrite append only file in background: {error}"));
        note_end(shared, false);
    }
    Ok(())
}

/// Makes the next incremental file and asks for the snapshot.
fn prepare(shared: &'static Shared) -> Result<(), String> {
    let text = |error: io::Error| writer::system_text(&error);
    let (folder, next) = {
        let mut state = shared.aof.state();
        match state.folder.clone() {
            None => {
                // No file is kept: a base alone is made.
                let folder = Folder::of(&shared.settings);
                folder.create()?;
                state.manifest = folder.read_manifest()?.unwrap_or_default();
                (folder, None)
            }
            Some(folder) if state.waits_for_base => {
                folder.create()?;
                let name = folder.names.incremental_temporary();
                log::notice(format_args!("Creating AOF incr file {name} on background rewrite"));
                let segment = folder.create_segment(&name).map_err(text)?;
                (folder, Some(segment))
            }
            Some(folder) => {
                let mut manifest = state.manifest.clone();
                let name = manifest.add_incremental(&folder.names);
                log::notice(format_args!("Creating AOF incr file {name} on background rewrite"));
                let segment = folder.create_segment(&name).map_err(text)?;
                folder.store(&manifest).map_err(text)?;
                state.manifest = manifest;
                (folder, Some(segment))
            }
        }
    };
    shared.wait_for_loops();
    log::notice(format_args!("Background append only file rewriting started by pid {}", std::process::id()));
    let settings = &shared.settings.persistence;
    let keeps_file = next.is_some();
    let next = Arc::new(Mutex::new(next));
    let at_cut = {
        let next = Arc::clone(&next);
        move |job: &Arc<snapshot::Job>| {
            *shared.aof.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(job));
            if shared.aof.is_cancelled.load(Ordering::SeqCst) {
                job.cancel();
            }
            use_next(shared, &next);
        }
    };
    let is_snapshot = settings.aof_use_rdb_preamble.get();
    let base = BaseFile {
        path: folder.scratch(&temporary_name()),
        file: None,
        is_synced_bit_by_bit: settings.aof_rewrite_incremental_fsync.get(),
        unsynced_bytes: 0,
    };
    let request = match is_snapshot {
        true => Request::new(RdbFormat::new(shared, Purpose::AppendOnlyBase), base),
        false => Request::new(CommandsFormat::new(shared), base),
    };
    shared.log.numbers.sync_paused.store(settings.no_appendfsync_on_rewrite.get(), Ordering::Relaxed);
    let request = request.key_delay_us(settings.rdb_key_save_delay_us.get());
    let request = request.at_cut(at_cut).on_end(move |shared, outcome| {
        // Called off before the cut: the file is listed, so it is used all the same.
        use_next(shared, &next);
        shared.log.numbers.sync_paused.store(false, Ordering::Relaxed);
        shared.log.nudge();
        *shared.aof.job.lock().unwrap_or_else(PoisonError::into_inner) = None;
        end(shared, &folder, is_snapshot, keeps_file, &outcome);
    });
    snapshot::start(shared, request);
    Ok(())
}

/// From here on the log goes to the next file.
fn use_next(shared: &'static Shared, next: &Mutex<Option<Segment>>) {
    let Some(segment) = next.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    // It may have been turned off meanwhile.
    if shared.aof.is_on.load(Ordering::SeqCst) {
        shared.log.switch(Some(segment), None);
        let policy = aof::policy(shared);
        if shared.log.policy() != policy {
            shared.log.set_policy(policy);
            shared.settings_changed();
        }
    }
}

/// Puts the new base in its place, or does away with it.
fn end(shared: &'static Shared, folder: &Folder, is_snapshot: bool, keeps_file: bool, outcome: &Outcome) {
    let temporary = folder.scratch(&temporary_name());
    let installed = match outcome {
        Ok(_) => {
            log::notice(format_args!("Background AOF rewrite terminated with success"));
            install(shared, folder, is_snapshot, keeps_file)
        }
        Err(Failure::Cancelled) => {
            log::warning(format_args!("Background AOF rewrite was called off"));
            Ok(false)
        }
        Err(Failure::Busy) => Err("another snapshot is being taken".to_owned()),
        Err(Failure::Sink(error)) => Err(error.clone()),
    };
    let ok = match installed {
        Ok(true) => {
            log::notice(format_args!("Background AOF rewrite finished successfully"));
            remove_history(shared, folder);
            true
        }
        Ok(false) => {
            let _ = fs::remove_file(&temporary);
            give_up_first_base(shared);
            shared.aof.rewriting.store(false, Ordering::SeqCst);
            return;
        }
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            log::warning(format_args!("Background AOF rewrite terminated with error: {error}"));
            give_up_first_base(shared);
            false
        }
    };
    note_end(shared, ok);
}

/// The first base failed: what was appended since is of no use without it, and the next attempt begins anew.
fn give_up_first_base(shared: &Shared) {
    let state = shared.aof.state();
    let Some(folder) = state.folder.as_ref().filter(|_| state.waits_for_base) else { return };
    shared.log.set_policy(Policy::Off);
    shared.log.switch(None, None);
    shared.settings_changed();
    let name = folder.names.incremental_temporary();
    log::notice(format_args!("Removing the temp incr aof file {name}"));
    folder.remove(&name);
}

fn note_end(shared: &Shared, ok: bool) {
    let aof = &shared.aof;
    let now_ms = ochre_clock::now_ms();
    let began_s = aof.rewrite_began_s.load(Ordering::Relaxed);
    aof.last_rewrite_s.store((now_ms / 1000).saturating_sub(began_s) as i64, Ordering::Relaxed);
    aof.last_rewrite_failed.store(!ok, Ordering::Relaxed);
    if ok {
        aof.rewrites.fetch_add(1, Ordering::Relaxed);
        aof.rewrites_failed.store(0, Ordering::Relaxed);
        aof.retry_at_ms.store(0, Ordering::Relaxed);
    } else {
        let failed = aof.rewrites_failed.fetch_add(1, Ordering::Relaxed) + 1;
        let mut wait_ms = RETRY_MS;
        if failed >= FAILURES_MAX {
            let minutes = (1 << (failed - FAILURES_MAX).min(6)).min(DELAY_MINUTES_MAX);
            log::warning(format_args!(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {minutes} minutes"
            ));
            wait_ms = minutes * 60_000;
        }
        aof.retry_at_ms.store(now_ms + wait_ms, Ordering::Relaxed);
    }
    aof.rewriting.store(false, Ordering::SeqCst);
}

/// Makes the new base part of the files; says no when nobody wants it any more.
fn install(shared: &Shared, folder: &Folder, is_snapshot: bool, keeps_file: bool) -> Result<bool, String> {
    let text = |error: io::Error| writer::system_text(&error);
    let mut state = shared.aof.state();
    if keeps_file && state.folder.is_none() {
        return Ok(false);
    }
    let mut manifest = state.manifest.clone();
    let temporary_incremental = folder.names.incremental_temporary();
    let first = state.waits_for_base;
    let name = manifest.supersede(&folder.names, is_snapshot, usize::from(keeps_file && !first));
    folder.take_in(&folder.scratch(&temporary_name()), &name).map_err(text)?;
    let installed = (|| {
        if first {
            let next = manifest.add_incremental(&folder.names);
            folder.link(&temporary_incremental, &next)?;
        }
        folder.store(&manifest)
    })();
    if let Err(error) = installed {
        folder.remove(&name);
        return Err(text(error));
    }
    if first {
        folder.remove(&temporary_incremental);
    }
    let size = folder.size_bytes(&manifest);
    shared.log.numbers.size_bytes.store(size, Ordering::Relaxed);
    shared.log.numbers.base_size_bytes.store(size, Ordering::Relaxed);
    state.manifest = manifest;
    state.waits_for_base = false;
    drop(state);
    shared.log.rewritten();
    Ok(true)
}

/// What is done by the clock: what was scheduled, what failed, and what has grown.
pub fn run_cron(shared: &'static Shared) {
    let aof = &shared.aof;
    if aof.rewriting.load(Ordering::Relaxed) || shared.saves.is_saving() {
        return;
    }
    let may_retry = ochre_clock::now_ms() >= aof.retry_at_ms.load(Ordering::Relaxed);
    let is_wanted = aof.scheduled.load(Ordering::Relaxed)
        || (may_retry && aof.is_on.load(Ordering::Relaxed) && (must_retry(shared) || has_grown(shared)));
    if is_wanted {
        // Only this thread begins one here, and none was running.
        let _ = begin(shared);
    }
}

/// Whether the files are not whole without a new base.
fn must_retry(shared: &Shared) -> bool {
    (shared.log.has_failed() && shared.log.needs_rewrite()) || shared.aof.state().waits_for_base
}

/// Whether the files have grown enough to be rewritten.
fn has_grown(shared: &Shared) -> bool {
    let settings = &shared.settings.persistence;
    let percentage = settings.auto_aof_rewrite_percentage.get();
    let size = shared.log.numbers.size_bytes.load(Ordering::Relaxed);
    if percentage == 0 || size <= settings.auto_aof_rewrite_min_size_bytes.get() {
        return false;
    }
    let base = shared.log.numbers.base_size_bytes.load(Ordering::Relaxed).max(1);
    let growth = (u128::from(size) * 100 / u128::from(base)).saturating_sub(100);
    if growth >= u128::from(percentage) {
        log::notice(format_args!("Starting automatic rewriting of AOF on {growth}% growth"));
        return true;
    }
    false
}

/// Makes the base of a server that has no data.
pub fn write_empty_base(shared: &Shared, folder: &Folder, name: &str, is_snapshot: bool) -> io::Result<()> {
    let temporary = folder.scratch(&temporary_name());
    let mut file = File::create(&temporary)?;
    if is_snapshot {
        let mut writer = Writer::new(Dialect::Portable).with_checksum(shared.settings.persistence.rdbchecksum.get());
        writer.header(&[(b"aof-base", b"1")]);
        writer.end();
        file.write_all(&writer.take())?;
    }
    file.sync_all()?;
    folder.take_in(&temporary, name)
}

/// Deletes the files that a base has superseded.
pub fn remove_history(shared: &Shared, folder: &Folder) {
    let mut state = shared.aof.state();
    if state.manifest.history.is_empty() || shared.settings.persistence.aof_disable_auto_gc.get() {
        return;
    }
    for segment in std::mem::take(&mut state.manifest.history) {
        log::notice(format_args!("Removing the history file {} in the background", segment.name));
        folder.remove(&segment.name);
    }
    if let Err(error) = folder.store(&state.manifest) {
        log::warning(format_args!("Can't write the AOF manifest: {error}"));
    }
}

/// Calls off the rewrite that runs.
pub fn cancel(shared: &Shared) {
    if !shared.aof.rewriting.load(Ordering::SeqCst) {
        return;
    }
    // Some wait for these words of Redis.
    log::notice(format_args!("Killing the running AOF rewrite, which is no child process"));
    // It may not have come to the cut yet.
    shared.aof.is_cancelled.store(true, Ordering::SeqCst);
    if let Some(job) = &*shared.aof.job.lock().unwrap_or_else(PoisonError::into_inner) {
        job.cancel();
    }
}
