//! The 24-bit access clock of an entry: when it was last used (LRU), or how often (LFU).

/// What the access clock of entries means; follows `maxmemory-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Seconds of the last access, modulo 2^24.
    #[default]
    Lru,
    /// Minutes of the last decrement in the upper 16 bits, a logarithmic counter in the lower 8.
    Lfu { log_factor: u32, decay_minutes: u32 },
}

/// The time of an access, in the units of the policy, read once for a command.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessClock {
    policy: Policy,
    seconds: u32,
    minutes: u32,
    /// Randomness for the logarithmic counter.
    dice: u32,
}

const MASK_24: u32 = (1 << 24) - 1;
const MASK_16: u32 = (1 << 16) - 1;
/// New keys start with a few accesses, so that they are not evicted at once.
const LFU_INITIAL: u32 = 5;

impl AccessClock {
    pub fn new(policy: Policy, now_ms: u64, dice: u32) -> Self {
        let seconds = (now_ms / 1000) as u32 & MASK_24;
        AccessClock { policy, seconds, minutes: (now_ms / 60_000) as u32 & MASK_16, dice }
    }

    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The clock of a new entry.
    pub fn initial(&self) -> u32 {
        match self.policy {
            Policy::Lru => self.seconds,
            Policy::Lfu { .. } => self.minutes << 8 | LFU_INITIAL,
        }
    }

    /// The clock of an entry with `clock` after one more access.
    pub fn touched(&self, clock: u32) -> u32 {
        match self.policy {
            Policy::Lru => self.seconds,
            Policy::Lfu { log_factor, .. } => {
                let counter = self.frequency(clock);
                let base = counter.saturating_sub(LFU_INITIAL) as u64;
                // One in (base * factor + 1) accesses counts.
                let odds = base * u64::from(log_factor) + 1;
                let dice = u64::from(self.dice.wrapping_add(clock).wrapping_mul(0x9E37_79B1) >> 8);
                let grows = counter < 255 && dice * odds < 1 << 24;
                self.minutes << 8 | (counter + u32::from(grows))
            }
        }
    }

    /// Seconds since an entry with `clock` was used.
    pub fn idle_seconds(&self, clock: u32) -> u32 {
        self.seconds.wrapping_sub(clock) & MASK_24
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
        self.seconds.wrapping_sub(seconds) & MASK_24
    }

    /// The clock of an entry with this access counter.
    pub fn from_frequency(&self, frequency: u8) -> u32 {
        self.minutes << 8 | u32::from(frequency)
    }
}
