//! SIGTERM and SIGINT end the server cleanly; a second SIGINT ends it at once.

use crate::pause::Hold;
use crate::persistence::save;
use crate::persistence::shutdown::{self, Manner};
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
            let is_ending = shared.shutting_down.load(Ordering::SeqCst) || shared.ending.is_on();
            if is_ending || shared.pause.is_held(Hold::All) {
                // Supervisors may send SIGTERM more than once; only who sits at the keyboard may insist.
                if signal == SIGTERM {
                    crate::log::notice(format_args!("Received {name} again: the server is ending already"));
                    continue;
                }
                crate::log::warning(format_args!("You insist... exiting now."));
                save::remove_temporary_file();
                std::process::exit(1);
            }
            crate::log::notice(format_args!("Received {name} scheduling shutdown..."));
            let process = &shared.settings.process;
            let bits = if signal == SIGINT { &process.shutdown_on_sigint } else { &process.shutdown_on_sigterm };
            let on_failure = move |is_called_off: bool| {
                if !is_called_off {
                    crate::log::warning(format_args!(
                        "{name} received but errors trying to shut down the server, check the logs for more information"
                    ));
                }
            };
            shutdown::begin_by_clock(shared, Manner::from_bits(bits.get()), Box::new(on_failure));
        }
    })?;
    Ok(())
}
