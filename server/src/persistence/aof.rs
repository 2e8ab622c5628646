//! The append-only file: loaded at the start, opened, switched on and off while running.

use crate::persistence::folder::{Folder, begins_with_snapshot};
use crate::persistence::load::{LoadOptions, load_rdb};
use crate::persistence::log::{Policy, Reader};
use crate::persistence::replay::{ReplayError, Replayer};
use crate::persistence::{rewrite, snapshot, writer};
use crate::settings::persistence::AppendFsync;
use crate::shared::Shared;
use ochre_persistence::{Annotator, Manifest, Segment};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What is known of the files, beside those that are written to.
pub struct Aof {
    state: Mutex<State>,
    /// A base is being made.
    pub rewriting: AtomicBool,
    /// One is to be made as soon as that is possible.
    pub scheduled: AtomicBool,
    pub rewrites: AtomicU64,
    pub last_rewrite_failed: AtomicBool,
    /// The snapshot that is being written as a base.
    pub job: Mutex<Option<Arc<snapshot::Job>>>,
    /// The rewrite that runs was called off.
    pub is_cancelled: AtomicBool,
    /// A file is kept, or is about to be.
    pub is_on: AtomicBool,
    /// Seconds, -1 when there was none.
    pub last_rewrite_s: AtomicI64,
    /// When the rewrite that runs began, Unix time in seconds.
    pub rewrite_began_s: AtomicU64,
    /// Rewrites that failed in a row.
    pub rewrites_failed: AtomicU64,
    /// Before this no rewrite begins by itself, Unix time in ms.
    pub retry_at_ms: AtomicU64,
}

/// What the folder holds.
#[derive(Default)]
pub struct State {
    pub folder: Option<Folder>,
    pub manifest: Manifest,
    /// The first base is being made: until it is there, what is appended lies in a temporary file.
    pub waits_for_base: bool,
}

/// What has been loaded.
pub struct LoadedFiles {
    folder: Folder,
    manifest: Manifest,
    /// The last file: its size and what its checksums are to cover next.
    last: Option<(String, u64, Annotator)>,
    /// Files that end with something unfinished, and where it begins.
    cut: Vec<(String, u64)>,
    total_bytes: u64,
}

impl Default for Aof {
    fn default() -> Aof {
        Aof {
            state: Mutex::default(),
            rewriting: AtomicBool::new(false),
            scheduled: AtomicBool::new(false),
            rewrites: AtomicU64::new(0),
            last_rewrite_failed: AtomicBool::new(false),
            job: Mutex::default(),
            is_cancelled: AtomicBool::new(false),
            is_on: AtomicBool::new(false),
            last_rewrite_s: AtomicI64::new(-1),
            rewrite_began_s: AtomicU64::new(0),
            rewrites_failed: AtomicU64::new(0),
            retry_at_ms: AtomicU64::new(0),
        }
    }
}

impl Aof {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the settings want the file.
pub fn is_wanted(shared: &Shared) -> bool {
    shared.settings.persistence.appendonly.get()
}

/// What replies wait for while there is a file.
pub fn policy(shared: &Shared) -> Policy {
    match shared.settings.persistence.appendfsync.get() {
        AppendFsync::Always => Policy::Always,
        AppendFsync::EverySecond => Policy::EverySecond,
        AppendFsync::No => Policy::No,
    }
}

/// Starts the thread that writes and syncs.
///
/// # Errors
/// When the system gives no thread.
pub fn start_thread(shared: &'static Shared) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("log".into()).spawn(move || {
        writer::run(&shared.log, || shared.log_closed.load(Ordering::SeqCst), || shared.log_progressed());
    })?;
    let _ = shared.log.syncer.set(thread.thread().clone());
    Ok(())
}

/// Loads the files that the folder lists, in order.
///
/// # Errors
/// What does not check out: file, place and reason.
pub fn load(shared: &'static Shared) -> Result<LoadedFiles, String> {
    let folder = Folder::of(&shared.settings);
    let (manifest, stems) = match folder.read_manifest()? {
        Some(manifest) => (manifest, true),
        None => (Manifest::default(), false),
    };
    let mut manifest = manifest;
    let old_file = folder.old_file();
    let stem = folder.names.stem().to_owned();
    // An upgrade that was interrupted goes on: the list names the old file, which still lies where it was.
    let is_base = manifest.base.as_ref().is_some_and(|base| base.name == stem);
    let is_new = !stems && manifest.is_empty();
    if old_file.is_file() && (is_new || (is_base && !folder.path(&stem).exists())) {
        if is_new {
            manifest.adopt(&stem);
        }
        folder.upgrade(&manifest)?;
    }
    let began = Instant::now();
    let mut loaded = LoadedFiles { folder, manifest, last: None, cut: Vec::new(), total_bytes: 0 };
    shared.loading.note_total(loaded.folder.size_bytes(&loaded.manifest));
    let mut replayer = Replayer::new(shared);
    let segments: Vec<_> = loaded.manifest.loaded().cloned().collect();
    for (at, segment) in segments.iter().enumerate() {
        let file_began = Instant::now();
        // A file that was listed, but not written to before the end, changes nothing.
        let is_empty =
            |segment: &Segment| std::fs::metadata(loaded.folder.path(&segment.name)).is_ok_and(|meta| meta.len() == 0);
        let is_last = segments[at + 1..].iter().all(is_empty);
        let kind = if segment.role == ochre_persistence::Role::Base { "base" } else { "incr" };
        let before = loaded.total_bytes;
        let progress = &mut |bytes| shared.loading.note_bytes(before + bytes);
        let (size, annotator) = load_segment(shared, &loaded.folder, &segment.name, is_last, &mut replayer, progress)?;
        loaded.total_bytes += size;
        if size < loaded.folder.segment_bytes(&segment.name) {
            loaded.cut.push((segment.name.clone(), size));
        }
        if is_last && (size > 0 || at + 1 == segments.len()) {
            loaded.last = Some((segment.name.clone(), size, annotator));
        }
        if size > 0 {
            crate::log::notice(format_args!(
                "DB loaded from {kind} file {}: {:.3} seconds",
                segment.name,
                file_began.elapsed().as_secs_f64()
            ));
        }
    }
    if loaded.total_bytes > 0 {
        let seconds = began.elapsed().as_secs_f64();
        crate::log::notice(format_args!("DB loaded from append only file: {seconds:.3} seconds"));
    }
    if replayer.failed() > 0 {
        crate::log::warning(format_args!(
            "WARNING {} commands of the append only file replied with errors when they were loaded.",
            replayer.failed()
        ));
    }
    Ok(loaded)
}

/// Loads one file; answers its size and what its checksums are to cover next.
fn load_segment(
    shared: &'static Shared,
    folder: &Folder,
    name: &str,
    is_last: bool,
    replayer: &mut Replayer,
    progress: &mut dyn FnMut(u64),
) -> Result<(u64, Annotator), String> {
    let mut file = folder.open(name)?;
    let failed = |error: std::io::Error| format!("Unrecoverable error reading the append only file {name}: {error}");
    let (mut rest, mut offset) = (Vec::new(), 0);
    let size = file.metadata().map_err(failed)?.len();
    if begins_with_snapshot(&mut file).map_err(failed)? {
        crate::log::notice(format_args!("Reading RDB base file on AOF loading..."));
        (rest, offset) = load_preamble(shared, &mut file).map_err(|error| {
            format!("Error reading the RDB preamble of the AOF file {name}, AOF loading aborted: {error}")
        })?;
    }
    let replayed = replayer.run(&mut file, rest, offset, progress).map_err(|error| match error {
        ReplayError::Read(error) => failed(error),
        ReplayError::UnknownCommand(command, offset) => {
            format!("Unknown command '{command}' reading the append only file {name} at offset {offset}")
        }
        ReplayError::Format(reason) => format!(
            "Bad file format reading the append only file {name}: {reason}. Make a backup of your AOF file, then use \
             ochre-check-aof --fix {}",
            folder.names.manifest()
        ),
    })?;
    if !replayed.is_cut {
        return Ok((size, replayed.annotator));
    }
    if !is_last {
        return Err(format!(
            "Fatal error: the truncated file {name} is not the last file (at offset {})",
            replayed.valid_bytes
        ));
    }
    if !shared.settings.persistence.aof_load_truncated.get() {
        return Err(format!(
            "Unexpected end of file reading the append only file {name} at offset {}. You can: 1) Make a backup of your \
             AOF file, then use ochre-check-aof --fix {}. 2) Set aof-load-truncated to yes and restart the server.",
            replayed.valid_bytes,
            folder.names.manifest()
        ));
    }
    crate::log::warning(format_args!("!!! Warning: short read while loading the AOF file {name}!!!"));
    crate::log::warning(format_args!(
        "AOF {name} loaded anyway because aof-load-truncated is enabled; it is cut at offset {}",
        replayed.valid_bytes
    ));
    Ok((replayed.valid_bytes, replayed.annotator))
}

/// Loads the snapshot at the beginning of a file; answers what was read behind it (nothing), and where it ends.
///
/// Keys that have expired are kept: commands that follow may have given them more time.
fn load_preamble(shared: &'static Shared, file: &mut File) -> Result<(Vec<u8>, u64), String> {
    let options = LoadOptions { keeps_expired: true, is_on_loop: true, ..LoadOptions::default() };
    let loaded = load_rdb(shared, &mut *file, options).map_err(|error| error.to_string())?;
    super::load_file::load_functions(shared, &loaded, true).map_err(|error| error.to_string())?;
    file.seek(SeekFrom::Start(loaded.bytes)).map_err(|error| error.to_string())?;
    Ok((Vec::new(), loaded.bytes))
}

/// Says that the snapshot is not loaded when there is one and no append-only file, as when somebody has just switched from the
/// one to the other: the data would seem to be gone, and the next snapshot would replace it.
fn warn_of_snapshot(shared: &Shared) {
    let path = super::load_file::path(shared);
    if std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() > 0) {
        crate::log::warning(format_args!(
            "WARNING: appendonly is set and there is no append only file: the server starts EMPTY. The data of {} is NOT loaded, \
             and the next snapshot replaces that file. To keep it, stop with SHUTDOWN NOSAVE, start with 'appendonly no', \
             and then switch with CONFIG SET appendonly yes.",
            super::load_file::shown_path(shared)
        ));
    }
}

/// Opens the files to append to them, after they were loaded, or because there were none.
///
/// # Errors
/// When a file cannot be made or written.
pub fn open(shared: &'static Shared, loaded: LoadedFiles) -> Result<(), String> {
    let LoadedFiles { folder, mut manifest, last, cut, .. } = loaded;
    folder.create()?;
    let blame = |error: std::io::Error| format!("Can't open the append only file: {error}");
    // Something will follow: what is unfinished must not stand before it, and nothing of it may reach the disk before what an
    // earlier life left to the system.
    for (name, size) in cut {
        folder.cut(&name, size).map_err(blame)?;
    }
    for segment in manifest.loaded() {
        folder.sync(&segment.name).map_err(blame)?;
    }
    let numbers = &shared.log.numbers;
    if manifest.is_empty() {
        // Its mark says that the files are not in use until the list names them.
        warn_of_snapshot(shared);
        let temporary = folder.names.incremental_temporary();
        folder.create_segment(&temporary).map_err(blame)?;
        let is_snapshot = shared.settings.persistence.aof_use_rdb_preamble.get();
        let name = manifest.supersede(&folder.names, is_snapshot, 0);
        crate::log::notice(format_args!("Creating AOF base file {name} on server start"));
        rewrite::write_empty_base(shared, &folder, &name, is_snapshot).map_err(blame)?;
        let name = manifest.add_incremental(&folder.names);
        crate::log::notice(format_args!("Creating AOF incr file {name} on server start"));
        let segment = folder.create_segment(&name).map_err(blame)?;
        folder.store(&manifest).map_err(blame)?;
        folder.remove(&temporary);
        shared.log.switch(Some(segment), None);
    } else {
        folder.remove(&folder.names.incremental_temporary());
        let segment = match (last, manifest.incremental.last()) {
            (Some((name, size, annotator)), Some(segment)) if segment.name == name => {
                crate::log::notice(format_args!("Opening AOF incr file {name} on server start"));
                folder.open_segment(&name, size, annotator).map_err(blame)?
            }
            _ => {
                let name = manifest.add_incremental(&folder.names);
                crate::log::notice(format_args!("Creating AOF incr file {name} on server start"));
                let segment = folder.create_segment(&name).map_err(blame)?;
                folder.store(&manifest).map_err(blame)?;
                segment
            }
        };
        shared.log.switch(Some(segment), None);
    }
    let size = folder.size_bytes(&manifest);
    numbers.size_bytes.store(size, Ordering::Relaxed);
    // As in Redis: what has grown since the last rewrite, in earlier lives too.
    let base = manifest.base.as_ref().map_or(0, |base| folder.segment_bytes(&base.name));
    numbers.base_size_bytes.store(base, Ordering::Relaxed);
    *shared.aof.state() = State { folder: Some(folder.clone()), manifest, waits_for_base: false };
    shared.aof.is_on.store(true, Ordering::SeqCst);
    rewrite::remove_history(shared, &folder);
    apply_settings(shared);
    // Loops that run already have to know that replies wait from now on.
    shared.settings_changed();
    Ok(())
}

/// Takes over what the settings say about writing.
pub fn apply_settings(shared: &Shared) {
    shared.log.set_timestamps(shared.settings.persistence.aof_timestamp_enabled.get());
    let state = shared.aof.state();
    if state.folder.is_some() && !state.waits_for_base {
        shared.log.set_policy(policy(shared));
    }
}

/// Files of up to so many bytes are loaded before the first client comes.
const QUICK_BYTES_MAX: u64 = 1 << 20;

/// Loads and opens the files at the start: on a thread of its own, while clients are told to wait, if there is much to load.
///
/// # Errors
/// What keeps the server from starting.
pub fn start(shared: &'static Shared) -> Result<(), String> {
    shared.log.set_wanted(Reader::File, true);
    let is_alone = shared.desks.len() == 1;
    if is_alone || stored_bytes(&Folder::of(&shared.settings)) <= QUICK_BYTES_MAX {
        open(shared, load(shared)?)?;
        crate::service::ready(shared);
        return Ok(());
    }
    // Before the first client comes.
    shared.loading.begin(shared, 0);
    let body = move || match load(shared).and_then(|loaded| open(shared, loaded)) {
        Ok(()) => {
            shared.wait_for_loops();
            shared.loading.end(shared);
            crate::service::ready(shared);
        }
        Err(_) if shared.shutting_down.load(Ordering::Relaxed) => {}
        Err(error) => {
            crate::log::warning(format_args!("{error}"));
            std::process::exit(1);
        }
    };
    let spawned = std::thread::Builder::new().name("load".into()).spawn(body);
    spawned.map(|_| ()).map_err(|error| format!("Can't start the thread that loads: {error}"))
}

/// Bytes of what is to be loaded, about.
fn stored_bytes(folder: &Folder) -> u64 {
    match folder.read_manifest() {
        Ok(Some(manifest)) => folder.size_bytes(&manifest),
        _ => std::fs::metadata(folder.old_file()).map_or(0, |meta| meta.len()),
    }
}

/// Loads the data anew from the files that are written to, in place of what is there; `empty` throws that away.
///
/// # Errors
/// What does not check out.
pub fn reload(shared: &'static Shared, empty: impl FnOnce()) -> Result<(), String> {
    shared.loading.begin(shared, 0);
    empty();
    // All that was done before is in there, and nothing is done now.
    shared.log.flush(true);
    let result = load(shared);
    shared.loading.end(shared);
    shared.saves.note_loaded(shared);
    result.map(|_| ())
}

/// Begins to keep a file while clients are served: what is there already becomes its base.
pub fn turn_on(shared: &'static Shared) -> Result<(), String> {
    if shared.aof.is_on.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let folder = Folder::of(&shared.settings);
    // A rewrite that began while no file was kept may be bringing in its base: its list comes a moment later.
    let mut state = shared.aof.state();
    let read = folder.create().and_then(|()| folder.read_manifest());
    let manifest = match read {
        Ok(manifest) => manifest.unwrap_or_default(),
        Err(error) => {
            crate::log::warning(format_args!("{error}"));
            shared.aof.is_on.store(false, Ordering::SeqCst);
            return Err("Unable to turn on AOF. Check server logs.".into());
        }
    };
    *state = State { folder: Some(folder), manifest, waits_for_base: true };
    drop(state);
    shared.log.set_timestamps(shared.settings.persistence.aof_timestamp_enabled.get());
    shared.log.set_wanted(Reader::File, true);
    shared.settings_changed();
    shared.aof.retry_at_ms.store(0, Ordering::Relaxed);
    if shared.saves.is_saving() || rewrite::begin(shared).is_err() {
        crate::log::notice(format_args!(
            "AOF was enabled but there is already a background operation. An AOF background was scheduled to start when \
             possible."
        ));
        shared.aof.scheduled.store(true, Ordering::SeqCst);
    }
    Ok(())
}

/// Ends the file: nothing is appended any more. What was is brought to the disk.
pub fn turn_off(shared: &'static Shared) {
    if !shared.aof.is_on.swap(false, Ordering::SeqCst) {
        return;
    }
    rewrite::cancel(shared);
    shared.aof.scheduled.store(false, Ordering::SeqCst);
    shared.log.set_policy(Policy::Off);
    shared.log.set_wanted(Reader::File, false);
    shared.log.switch(None, None);
    let mut state = shared.aof.state();
    if std::mem::take(&mut state.waits_for_base)
        && let Some(folder) = &state.folder
    {
        folder.remove(&folder.names.incremental_temporary());
    }
    state.folder = None;
    drop(state);
    shared.settings_changed();
}
