//! The server's log: to the standard output or a file, and to the system's log; in the lines that tools of the peers read, as
//! logfmt or as JSON.

mod line;
mod syslog;

use crate::settings::Settings;
use crate::settings::logging::LogLevel;
use line::Form;
use std::fmt::Arguments;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use syslog::Syslog;

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
/// Whether what clients have sent stays out of the log.
static HIDES_USER_DATA: AtomicBool = AtomicBool::new(true);
static SINK: Mutex<Sink> = Mutex::new(Sink { file: String::new(), form: Form::LEGACY, syslog: None });

struct Sink {
    /// Empty for the standard output.
    file: String,
    form: Form,
    syslog: Option<Syslog>,
}

fn sink() -> MutexGuard<'static, Sink> {
    SINK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines below `level` are not written from now on.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Takes over all settings of the log.
pub fn apply(settings: &Settings) {
    let logging = &settings.logging;
    set_level(match logging.loglevel.get() {
        LogLevel::Debug => Level::Debug,
        LogLevel::Verbose => Level::Verbose,
        LogLevel::Notice => Level::Notice,
        LogLevel::Warning => Level::Warning,
        LogLevel::Nothing => Level::Nothing,
    });
    HIDES_USER_DATA.store(logging.hide_user_data_from_log.get(), Ordering::Relaxed);
    let mut sink = sink();
    sink.file = logging.logfile.get().to_string();
    sink.form = Form { format: logging.log_format.get(), timestamps: logging.log_timestamp_format.get() };
    sink.syslog = logging
        .syslog_enabled
        .get()
        .then(|| Syslog::new(&logging.syslog_ident.get(), syslog::facility(logging.syslog_facility.get())));
}

/// Whether keys, values and the like must not be written.
pub fn hides_user_data() -> bool {
    HIDES_USER_DATA.load(Ordering::Relaxed)
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
    let now_ms = ochre_clock::now_ms();
    let message = message.to_string();
    let mut sink = sink();
    let line = sink.form.line(level, now_ms, &message);
    // There is nobody to tell that the log cannot be written. The file is opened for each line, so that one that was moved away
    // by whoever rotates logs is not written to any more.
    let _ = match sink.file.as_str() {
        "" => std::io::stdout().write_all(line.as_bytes()),
        path => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.and_then(|mut file| file.write_all(line.as_bytes()))
        }
    };
    if let Some(syslog) = &mut sink.syslog {
        syslog.send(level, now_ms, &message);
    }
}
