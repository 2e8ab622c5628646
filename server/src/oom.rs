//! How readily the kernel ends this process when memory is short (`oom-score-adj`).

use crate::log;
use crate::settings::Settings;
use crate::settings::process::OomScoreAdjustment;
use std::sync::Mutex;
use std::sync::PoisonError;

const FILE: &str = "/proc/self/oom_score_adj";
const SCORE_MAX: i64 = 1000;

/// The score that the process had before the settings changed it, while they do.
static BEFORE: Mutex<Option<i64>> = Mutex::new(None);

/// Takes over what the settings say; without them the score goes back to what it was.
///
/// # Errors
/// The reply to CONFIG SET when the kernel refuses; the log says more.
pub fn apply(settings: &Settings) -> Result<(), String> {
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    let choice = settings.process.oom_score_adj.get();
    if choice == OomScoreAdjustment::No {
        return match before.take() {
            Some(score) => write(score),
            None => Ok(()),
        };
    }
    let base = match *before {
        Some(base) => base,
        None => *before.insert(read()),
    };
    // Of the three values the first is that of a primary.
    let value = settings.process.oom_score_adj_values.get().first().copied().unwrap_or(0);
    let score = if choice == OomScoreAdjustment::Absolute { value } else { base + value };
    write(score.clamp(-SCORE_MAX, SCORE_MAX))
}

fn read() -> i64 {
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn write(score: i64) -> Result<(), String> {
    std::fs::write(FILE, score.to_string()).map_err(|error| {
        log::warning(format_args!("Unable to write {FILE}: {error}"));
        "Failed to apply new oom_score_adj configuration, check server logs.".to_owned()
    })
}
