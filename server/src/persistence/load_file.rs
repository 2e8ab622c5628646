//! Loading the snapshot file: at the start, and again when DEBUG RELOAD asks.

use super::load::{LoadOptions, Loaded, load_rdb};
use crate::log;
use crate::shared::Shared;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Instant;

/// The snapshot file, in the folder that the server works in.
pub fn path(shared: &Shared) -> PathBuf {
    shared.settings.persistence.dbfilename.get().as_str().into()
}

/// The absolute path, to be shown.
pub fn shown_path(shared: &Shared) -> String {
    let path = path(shared);
    std::path::absolute(&path).unwrap_or(path).display().to_string()
}

/// Loads the snapshot file; `None` when there is none.
///
/// # Errors
/// A sentence with the file, the offset and the reason. What was loaded until then stays in the keyspace.
pub fn load(shared: &'static Shared, options: LoadOptions) -> Result<Option<Loaded>, String> {
    let began = Instant::now();
    let shown = shown_path(shared);
    let file = match File::open(path(shared)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("Can't open the RDB file {shown} for reading: {error}")),
    };
    let metadata = file.metadata().map_err(|error| format!("Can't read the RDB file {shown}: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("Can't read the RDB file {shown}: it is not a regular file"));
    }
    shared.loading.begin(shared, metadata.len());
    let result = load_rdb(shared, file, options).and_then(|loaded| {
        load_functions(shared, &loaded, !options.refuses_libraries)?;
        Ok(loaded)
    });
    shared.loading.end(shared);
    shared.saves.note_loaded(shared);
    let loaded = result.map_err(|error| format!("Error loading the RDB file {shown}, {error}"))?;
    log::notice(format_args!(
        "Done loading RDB, keys loaded: {}, keys expired: {}, empty keys skipped: {}.",
        loaded.keys, loaded.expired, loaded.empty
    ));
    log::notice(format_args!("DB loaded from disk: {:.3} seconds", began.elapsed().as_secs_f64()));
    Ok(Some(loaded))
}

/// Hands libraries of functions to whoever runs them; `replaces` those of the same name.
///
/// # Errors
/// When the code of a library does not load.
pub fn load_functions(shared: &Shared, loaded: &Loaded, replaces: bool) -> Result<(), super::load::LoadError> {
    if loaded.functions.is_empty() {
        return Ok(());
    }
    crate::scripts::thread::load_libraries(shared, &loaded.functions, replaces).map_err(|error| {
        super::load::LoadError {
            offset: loaded.bytes,
            reason: format!("a library of functions can't be loaded: {error}"),
        }
    })
}

/// Logs why the data cannot be loaded, and answers the last words.
pub fn fatal(error: String) -> String {
    log::warning(format_args!("{error}"));
    log::warning(format_args!("Terminating server after rdb file reading failure."));
    "Fatal error loading the DB, check server logs. Exiting.".into()
}

/// Loads what was saved: a small file at once, before anybody is served; a larger one on a thread of its own, while the event
/// loops answer -LOADING. The process ends when it cannot be read.
pub fn start(shared: &'static Shared) -> Result<(), String> {
    let persistence = &shared.settings.persistence;
    let bytes = std::fs::metadata(path(shared)).map_or(0, |metadata| metadata.len());
    if bytes <= persistence.loading_process_events_interval_bytes.get() && persistence.key_load_delay_us.get() == 0 {
        load(shared, LoadOptions { is_on_loop: true, ..LoadOptions::default() }).map_err(fatal)?;
        crate::service::ready(shared);
        return Ok(());
    }
    // Before the first client comes.
    shared.loading.begin(shared, 0);
    let body = move || match load(shared, LoadOptions::default()) {
        Ok(_) => crate::service::ready(shared),
        Err(_) if shared.shutting_down.load(std::sync::atomic::Ordering::Relaxed) => {}
        Err(error) => {
            log::warning(format_args!("{}", fatal(error)));
            std::process::exit(1);
        }
    };
    let spawned = std::thread::Builder::new().name("load".into()).spawn(body);
    spawned.map(|_| ()).map_err(|error| format!("Can't start the thread that loads: {error}"))
}
