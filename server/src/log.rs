//! The server's log, in the lines that tools of the peers read: `pid:role date time.ms level message`.

use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// How much a line matters, `loglevel`'s words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
    Nothing,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);
static FILE: Mutex<Option<File>> = Mutex::new(None);

/// Lines below `level` are not written from now on.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Writes to `path` from now on, to the standard output when it is empty.
///
/// # Errors
/// When the file cannot be opened for appending.
pub fn set_file(path: &str) -> std::io::Result<()> {
    let file = match path {
        "" => None,
        path => Some(OpenOptions::new().create(true).append(true).open(path)?),
    };
    *FILE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = file;
    Ok(())
}

pub fn debug(message: Arguments<'_>) {
    write(Level::Debug, message);
}

pub fn verbose(message: Arguments<'_>) {
    write(Level::Verbose, message);
}

pub fn notice(message: Arguments<'_>) {
    write(Level::Notice, message);
}

pub fn warning(message: Arguments<'_>) {
    write(Level::Warning, message);
}

/// Writes a line if its level is wanted.
pub fn write(level: Level, message: Arguments<'_>) {
    if (level as u8) < LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let mark = match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning | Level::Nothing => '#',
    };
    let time = crate::calendar::local_text(ochre_clock::now_ms());
    let line = format!("{}:M {time} {mark} {message}\n", std::process::id());
    let mut file = FILE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // There is nobody to tell that the log cannot be written.
    let _ = match file.as_mut() {
        Some(file) => file.write_all(line.as_bytes()),
        None => std::io::stdout().write_all(line.as_bytes()),
    };
}
