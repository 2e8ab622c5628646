//! CLIENT PAUSE: until when commands wait, and which.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which commands wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    Nothing,
    Writes,
    All,
}

/// The pause that is on, if any. The lowest bit of the word says whether reads wait too; the rest is the end in Unix ms.
#[derive(Default, Debug)]
pub struct Pause(AtomicU64);

impl Pause {
    /// Pauses until `end_ms`. A pause that is on is never shortened, and one of all commands never weakened, by another.
    pub fn start(&self, end_ms: u64, all: bool, now_ms: u64) {
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
            let (old_end, old_all) = (word >> 1, word & 1 != 0);
            let (end_ms, all) = if old_end > now_ms { (end_ms.max(old_end), all || old_all) } else { (end_ms, all) };
            Some(end_ms << 1 | u64::from(all))
        });
    }

    pub fn end(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// What waits at `now_ms`. One load when nothing is paused.
    #[inline]
    pub fn now(&self, now_ms: u64) -> Paused {
        let word = self.0.load(Ordering::Relaxed);
        if word >> 1 <= now_ms {
            Paused::Nothing
        } else if word & 1 != 0 {
            Paused::All
        } else {
            Paused::Writes
        }
    }

    /// The end in Unix ms; 0 when nothing was ever paused.
    pub fn end_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed) >> 1
    }
}
