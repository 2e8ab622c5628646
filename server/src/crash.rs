//! What a panic does: before a command's first change it is an error reply, after it a report and the end.

use crate::log;
use crate::settings::Settings;
use ochre_keyspace::Effects;
use ochre_resp::Args as Words;
use std::any::Any;
use std::backtrace::Backtrace;

/// Logs every panic where it happens, with the place and the calls that led there, unless `crash-log-enabled` is off.
pub fn report_panics(settings: &Settings) {
    if !settings.logging.crash_log_enabled.get() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no reason given");
        log::warning(format_args!(
            "=== PANIC REPORT === Ochre {} on {}, thread '{}' panicked at {place}: {text}\n{}",
            env!("CARGO_PKG_VERSION"),
            crate::system::name(),
            thread.name().unwrap_or("unnamed"),
            Backtrace::force_capture()
        ));
    }));
}

/// A command's function panicked. Returns when nothing was changed yet; half-changed data is neither served nor saved.
#[cold]
pub fn handler_panicked(effects: &Effects, words: Words<'_>, panic: &Box<dyn Any + Send>) {
    let name = described(words);
    let reason = panic_text(panic);
    if effects.touched {
        log::warning(format_args!(
            "=== CRASH REPORT === {name} failed after it had changed data: {reason}. \
             The process ends, because half-changed data must not be served or saved."
        ));
        std::process::abort();
    }
    log::warning(format_args!("Internal error in {name}, before any change: {reason}"));
}

fn panic_text(panic: &Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".into())
}

/// The command, with its arguments only where user data may be logged.
fn described(words: Words<'_>) -> String {
    const WORDS_MAX: usize = 16;
    const BYTES_MAX: usize = 128;
    let shown = |word: &[u8]| String::from_utf8_lossy(&word[..word.len().min(BYTES_MAX)]).into_owned();
    let mut text = format!("'{}' with {} arguments", shown(words.at(0)), words.len() - 1);
    if !log::hides_user_data() {
        words.from(1).into_iter().take(WORDS_MAX).for_each(|word| text.push_str(&format!(" '{}'", shown(word))));
    }
    text
}
