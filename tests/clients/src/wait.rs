//! Waiting for what a server does by itself.

use std::time::{Duration, Instant};

/// Long enough for the slowest machine; nothing that works waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until the answer is yes.
///
/// # Panics
/// After [`PATIENCE`], with `what` was waited for.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
