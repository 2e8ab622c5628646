//! What a panic does: before a command's first change it is an error reply, after it a report and the end.

use ochre_keyspace::Effects;
use ochre_resp::Args as Words;
use std::any::Any;

/// A command's function panicked. Returns when nothing was changed yet; half-changed data is neither served nor saved.
#[cold]
pub fn handler_panicked(effects: &Effects, words: Words<'_>, panic: &Box<dyn Any + Send>) {
    let name = String::from_utf8_lossy(words.at(0)).into_owned();
    let reason = panic_text(panic);
    if effects.touched {
        crate::log::warning(format_args!(
            "=== CRASH REPORT === '{name}' with {} arguments failed after it had changed data: {reason}. \
             The process ends, because half-changed data must not be served or saved.",
            words.len() - 1
        ));
        std::process::abort();
    }
    crate::log::warning(format_args!(
        "Internal error in '{name}' with {} arguments, before any change: {reason}",
        words.len() - 1
    ));
}

fn panic_text(panic: &Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".into())
}
