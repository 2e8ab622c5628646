//! SIGTERM and SIGINT end the server cleanly; a second one ends it at once.

use crate::shared::Shared;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::atomic::Ordering;

/// Starts the thread that waits for signals.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn watch(shared: &'static Shared) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            if shared.shutting_down.load(Ordering::SeqCst) {
                crate::log::warning(format_args!("Received {name} again, exiting at once"));
                std::process::exit(1);
            }
            crate::log::notice(format_args!("Received {name} scheduling shutdown..."));
            shared.stop();
        }
    })?;
    Ok(())
}
