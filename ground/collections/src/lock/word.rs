//! The lock word of a shard.

use crate::sync::{
    atomic::{AtomicU32, Ordering},
    spin_loop,
};
use std::time::{Duration, Instant};

const LOCKED: u32 = 1;
/// A client is parked on this shard: who unlocks it has to look into the queue.
const PARKED: u32 = 2;
/// A client that has failed too often comes first.
const RESERVED: u32 = 4;
/// A script that cannot be undone waits for this shard and comes first.
const ESCALATED: u32 = 8;

/// Who asks for the lock, that is, which of the bits stand in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Claim {
    Newcomer = LOCKED | RESERVED | ESCALATED,
    Precedence = LOCKED | ESCALATED,
    Script = LOCKED,
}

/// A lock of one word that never blocks a thread, with a hint that somebody wants to hear when it is unlocked.
///
/// It is as small as it can be, so that it shares a cache line with what it guards: [`super::Shards`] pads the pair. The
/// hint is the caller's promise to look into a queue of its own; [`super::Shards`] keeps it.
#[derive(Debug)]
pub struct ShardLock {
    word: AtomicU32,
}

impl ShardLock {
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { word: AtomicU32::new(0) }
    }

    #[cfg(loom)]
    pub fn new() -> Self {
        Self { word: AtomicU32::new(0) }
    }

    /// Locks if that is possible at once. A reservation for somebody else counts as busy.
    #[inline]
    pub fn try_lock(&self) -> bool {
        self.word.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
            || self.try_lock_as(Claim::Newcomer)
    }

    /// Locks, trying again for at most `limit`, with pauses that double. `limit` should be a few microseconds: the thread
    /// does nothing else meanwhile.
    #[inline]
    pub fn lock_spinning(&self, limit: Duration) -> bool {
        self.try_lock() || self.spin(limit, Claim::Newcomer)
    }

    /// Unlocks; true when somebody is parked and has to be woken.
    #[inline]
    pub fn unlock(&self) -> bool {
        let before = self.word.fetch_and(!LOCKED, Ordering::Release);
        debug_assert_ne!(before & LOCKED, 0, "only a locked shard is unlocked");
        before & PARKED != 0
    }

    /// Notes that somebody is parked, whose ticket is already where the unlocker will find it. True when the lock is held
    /// or promised to another, so that an unlock is still to come; false when it is free: trying again comes before parking.
    #[must_use]
    pub fn set_parked(&self) -> bool {
        self.set_parked_as(Claim::Newcomer)
    }

    /// Takes the hint back, because the queue is empty or about to be emptied. The caller keeps parkers out meanwhile.
    pub fn clear_parked(&self) {
        self.word.fetch_and(!PARKED, Ordering::AcqRel);
    }

    pub fn is_parked(&self) -> bool {
        self.word.load(Ordering::Relaxed) & PARKED != 0
    }

    #[cold]
    pub(super) fn try_lock_as(&self, claim: Claim) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & claim as u32 == 0 {
            // The script gets what it waited for, so others need not stand back any longer.
            let locked = if claim == Claim::Script { (word | LOCKED) & !ESCALATED } else { word | LOCKED };
            match self.word.compare_exchange_weak(word, locked, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(changed) => word = changed,
            }
        }
        false
    }

    #[cold]
    pub(super) fn spin(&self, limit: Duration, claim: Claim) -> bool {
        if cfg!(loom) || limit.is_zero() {
            return self.try_lock_as(claim);
        }
        let start = Instant::now();
        let mut pauses = 1;
        loop {
            (0..pauses).for_each(|_| spin_loop());
            if self.try_lock_as(claim) {
                return true;
            }
            if start.elapsed() >= limit {
                return false;
            }
            pauses = (pauses * 2).min(32);
        }
    }

    pub(super) fn set_parked_as(&self, claim: Claim) -> bool {
        self.word.fetch_or(PARKED, Ordering::AcqRel) & claim as u32 != 0
    }

    /// Makes newcomers stand back for a client with precedence.
    pub(super) fn reserve(&self) {
        self.word.fetch_or(RESERVED, Ordering::AcqRel);
    }

    /// Ends a reservation; true when somebody is parked and no unlock is to come that would wake them.
    pub(super) fn end_reservation(&self) -> bool {
        self.word.fetch_and(!RESERVED, Ordering::AcqRel) & (PARKED | LOCKED) == PARKED
    }

    /// Makes everybody stand back for the script, which is the next to lock.
    pub(super) fn escalate(&self) {
        self.word.fetch_or(ESCALATED, Ordering::AcqRel);
    }

    /// `try_lock` for the only thread: a plain flag.
    #[inline]
    pub(super) fn try_lock_alone(&self) -> bool {
        let is_free = self.word.load(Ordering::Relaxed) == 0;
        if is_free {
            self.word.store(LOCKED, Ordering::Relaxed);
        }
        is_free
    }

    #[inline]
    pub(super) fn unlock_alone(&self) {
        self.word.store(0, Ordering::Relaxed);
    }
}

impl Default for ShardLock {
    fn default() -> Self {
        Self::new()
    }
}
