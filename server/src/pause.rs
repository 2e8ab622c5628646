//! CLIENT PAUSE, and what else makes commands wait: until when, and which.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which commands wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    Nothing,
    Writes,
    All,
}

/// What the server itself lets clients wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Writes wait until a snapshot has written what it has saved from them.
    Writes,
    /// Writes wait until replicas have all that came before the end of the server.
    WritesAtEnd,
    /// Writes wait until a replica that is to lead has everything.
    Failover,
    /// Everything waits while the last snapshot before the end is taken.
    All,
}

impl Hold {
    const fn bit(self) -> u64 {
        match self {
            Hold::WritesAtEnd => 1 << 61,
            Hold::Failover => 1 << 60,
            Hold::Writes => 1 << 62,
            Hold::All => 1 << 63,
        }
    }
}

const HOLDS: u64 = WRITE_HOLDS | Hold::All.bit();
const WRITE_HOLDS: u64 = Hold::Writes.bit() | Hold::WritesAtEnd.bit() | Hold::Failover.bit();

/// The pause that is on, if any. The lowest bit of the word says whether reads wait too, the highest ones are holds of the server's
/// own; the rest is the end in Unix ms. A hold makes the word larger than any time, so one comparison tells all.
#[derive(Default, Debug)]
pub struct Pause(AtomicU64);

impl Pause {
    /// Pauses until `end_ms`. A pause that is on is never shortened, and one of all commands never weakened, by another.
    pub fn start(&self, end_ms: u64, all: bool, now_ms: u64) {
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
            let (old_end, old_all) = ((word & !HOLDS) >> 1, word & 1 != 0);
            let (end_ms, all) = if old_end > now_ms { (end_ms.max(old_end), all || old_all) } else { (end_ms, all) };
            Some(word & HOLDS | (end_ms << 1) & !HOLDS | u64::from(all))
        });
    }

    pub fn end(&self) {
        self.0.fetch_and(HOLDS, Ordering::SeqCst);
    }

    /// Lets clients wait until `release`.
    pub fn hold(&self, hold: Hold) {
        self.0.fetch_or(hold.bit(), Ordering::SeqCst);
    }

    /// Ends a hold; the loops are to be told.
    pub fn release(&self, hold: Hold) {
        self.0.fetch_and(!hold.bit(), Ordering::SeqCst);
    }

    pub fn is_held(&self, hold: Hold) -> bool {
        self.0.load(Ordering::Relaxed) & hold.bit() != 0
    }

    /// What waits at `now_ms`. One load when nothing is paused.
    #[inline]
    pub fn now(&self, now_ms: u64) -> Paused {
        let word = self.0.load(Ordering::Relaxed);
        if word >> 1 <= now_ms { Paused::Nothing } else { paused(word, now_ms) }
    }

    /// The end of the clients' pause in Unix ms; 0 when nothing was ever paused.
    pub fn end_ms(&self) -> u64 {
        (self.0.load(Ordering::Relaxed) & !HOLDS) >> 1
    }
}

#[cold]
fn paused(word: u64, now_ms: u64) -> Paused {
    let is_on = (word & !HOLDS) >> 1 > now_ms;
    if word & Hold::All.bit() != 0 || (is_on && word & 1 != 0) {
        Paused::All
    } else if is_on || word & WRITE_HOLDS != 0 {
        Paused::Writes
    } else {
        Paused::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lasts_until_it_is_released_and_leaves_the_clients_pause_alone() {
        let pause = Pause::default();
        assert_eq!(pause.now(5), Paused::Nothing);
        pause.hold(Hold::Writes);
        assert_eq!((pause.now(5), pause.end_ms()), (Paused::Writes, 0));
        pause.start(10, true, 5);
        assert_eq!((pause.now(5), pause.now(10), pause.end_ms()), (Paused::All, Paused::Writes, 10));
        pause.release(Hold::Writes);
        assert_eq!((pause.now(5), pause.now(10)), (Paused::All, Paused::Nothing));
        pause.hold(Hold::All);
        pause.end();
        assert_eq!(pause.now(100), Paused::All);
        pause.release(Hold::All);
        assert_eq!(pause.now(5), Paused::Nothing);
    }
}
