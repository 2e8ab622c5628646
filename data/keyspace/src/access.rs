//! The 24-bit access clock of an entry: when it was last used (LRU) or changed (LRM), or how often it is used (LFU).

/// What the access clock of entries means; follows `maxmemory-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Seconds of the last access in the upper 23 bits; the lowest says whether the key was used since it was made.
    #[default]
    Lru,
    /// As LRU, but only changes are accesses.
    Lrm,
    /// Minutes of the last decrement in the upper 16 bits, a logarithmic counter in the lower 8.
    Lfu { log_factor: u32, decay_minutes: u32 },
}

/// The time of an access, in the units of the policy, read once for a command.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessClock {
    policy: Policy,
    /// Unix time, modulo 2^23.
    seconds: u32,
    minutes: u32,
    /// Randomness for the logarithmic counter.
    dice: u32,
}

const MASK_23: u32 = (1 << 23) - 1;
const MASK_16: u32 = (1 << 16) - 1;
/// New keys start with a few accesses, so that they are not evicted at once.
const LFU_INITIAL: u32 = 5;
/// So many accesses of a new key count in full: between keys that were used once and twice lies most of what LFU can tell.
const LFU_COUNTED_IN_FULL: u32 = 3;
/// A key that was never used again after it was made counts as idle so many times as long.
const UNUSED_WEIGHT: u32 = 5;

impl AccessClock {
    pub fn new(policy: Policy, now_ms: u64, dice: u32) -> Self {
        let seconds = (now_ms / 1000) as u32 & MASK_23;
        AccessClock { policy, seconds, minutes: (now_ms / 60_000) as u32 & MASK_16, dice }
    }

    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Whether clocks count accesses and do not tell the time.
    pub fn is_lfu(&self) -> bool {
        matches!(self.policy, Policy::Lfu { .. })
    }

    /// The clock of a new entry.
    #[inline]
    pub fn initial(&self) -> u32 {
        match self.policy {
            Policy::Lru | Policy::Lrm => self.seconds << 1,
            Policy::Lfu { .. } => self.minutes << 8 | LFU_INITIAL,
        }
    }

    /// The clock of a new entry whose key was evicted before, with this level of use.
    #[cold]
    pub fn initial_again(&self, use_level: u8) -> u32 {
        match self.policy {
            Policy::Lru => self.seconds << 1 | 1,
            Policy::Lrm => self.initial(),
            Policy::Lfu { .. } => self.written(self.minutes << 8 | u32::from(use_level).max(LFU_INITIAL)),
        }
    }

    /// What to remember of the use of an evicted key; `None` where its return would change nothing.
    pub fn use_level(&self, clock: u32) -> Option<u8> {
        match self.policy {
            Policy::Lru => Some(0),
            Policy::Lrm => None,
            Policy::Lfu { .. } => Some(self.frequency(clock) as u8),
        }
    }

    /// The clock of an entry with `clock` after it was read once more.
    #[inline]
    pub fn touched(&self, clock: u32) -> u32 {
        if self.policy == Policy::Lrm { clock } else { self.written(clock) }
    }

    /// The clock of an entry with `clock` after it was changed once more.
    #[inline]
    pub fn written(&self, clock: u32) -> u32 {
        match self.policy {
            Policy::Lru | Policy::Lrm => self.seconds << 1 | 1,
            Policy::Lfu { log_factor, .. } => {
                let counter = self.frequency(clock);
                let base = counter.saturating_sub(LFU_INITIAL + LFU_COUNTED_IN_FULL) as u64;
                // One in (base * factor + 1) accesses counts.
                let odds = base * u64::from(log_factor) + 1;
                let dice = u64::from(self.dice.wrapping_add(clock).wrapping_mul(0x9E37_79B1) >> 8);
                let grows = counter < 255 && dice * odds < 1 << 24;
                self.minutes << 8 | (counter + u32::from(grows))
            }
        }
    }

    /// The greater, the better it is to evict an entry with `clock`.
    #[inline]
    pub fn eviction_score(&self, clock: u32) -> u32 {
        match self.policy {
            Policy::Lru if clock & 1 == 0 => (self.idle_seconds(clock) + 1) * UNUSED_WEIGHT,
            Policy::Lru | Policy::Lrm => self.idle_seconds(clock) + 1,
            Policy::Lfu { .. } => 255 - self.frequency(clock),
        }
    }

    /// Seconds since an entry with `clock` was used (LRM: changed).
    pub fn idle_seconds(&self, clock: u32) -> u32 {
        self.seconds.wrapping_sub(clock >> 1) & MASK_23
    }

    /// The logarithmic access counter of an entry with `clock`, after decay.
    pub fn frequency(&self, clock: u32) -> u32 {
        let Policy::Lfu { decay_minutes, .. } = self.policy else {
            return clock & 255;
        };
        let elapsed = self.minutes.wrapping_sub(clock >> 8) & MASK_16;
        let decrements = elapsed.checked_div(decay_minutes).unwrap_or(0);
        (clock & 255).saturating_sub(decrements)
    }

    /// The clock of an entry that has been idle for `seconds`.
    pub fn from_idle_seconds(&self, seconds: u32) -> u32 {
        (self.seconds.wrapping_sub(seconds) & MASK_23) << 1 | 1
    }

    /// The clock of an entry with this access counter.
    pub fn from_frequency(&self, frequency: u8) -> u32 {
        self.minutes << 8 | u32::from(frequency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_that_since_the_last_access_and_reads_do_not_count_for_lrm() {
        let at = |policy, seconds: u64| AccessClock::new(policy, seconds * 1000, 1);
        for policy in [Policy::Lru, Policy::Lrm] {
            let clock = at(policy, 1_700_000_000).initial();
            let later = at(policy, 1_700_000_100);
            assert_eq!(later.idle_seconds(clock), 100);
            assert_eq!(later.idle_seconds(later.written(clock)), 0);
            assert_eq!(later.idle_seconds(later.touched(clock)), if policy == Policy::Lrm { 100 } else { 0 });
            assert_eq!(later.idle_seconds(later.from_idle_seconds(1000)), 1000);
            assert!(later.written(clock) < 1 << 24);
        }
    }

    #[test]
    fn what_was_never_used_again_goes_before_what_was() {
        let made = AccessClock::new(Policy::Lru, 1_000_000, 1);
        let (fresh, used) = (made.initial(), made.touched(made.initial()));
        let later = AccessClock::new(Policy::Lru, 1_010_000, 1);
        assert!(later.eviction_score(fresh) > later.eviction_score(used));
        let much_later = AccessClock::new(Policy::Lru, 1_100_000, 1);
        assert!(much_later.eviction_score(used) > later.eviction_score(fresh));
    }

    #[test]
    fn frequencies_grow_with_use_and_decay_with_time() {
        let policy = Policy::Lfu { log_factor: 10, decay_minutes: 1 };
        let mut clock = AccessClock::new(policy, 0, 1).initial();
        let mut random = ochre_collections::Random::new(1);
        for _ in 0..1000 {
            clock = AccessClock::new(policy, 0, random.next() as u32).touched(clock);
        }
        let after_1000 = AccessClock::new(policy, 0, 1).frequency(clock);
        assert!((14..30).contains(&after_1000), "{after_1000}");
        assert_eq!(AccessClock::new(policy, 5 * 60_000, 1).frequency(clock), after_1000 - 5);
        assert_eq!(AccessClock::new(policy, 600 * 60_000, 1).frequency(clock), 0);
    }
}
