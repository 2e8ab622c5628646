//! Random numbers for choosing members, keys and fields by chance: fast, and of no use for secrets.

use std::hash::{BuildHasher, RandomState};

/// A row of random numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The row that belongs to `seed`: the same one every time.
    pub fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// A row that nobody can foretell: seeded by the operating system.
    pub fn from_system() -> Random {
        // The standard library keys each `RandomState` with random bytes of the system.
        Random::new(RandomState::new().hash_one(0_u64))
    }

    /// The next number of the row.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so there is nothing to wrap")]
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, each as likely as the others; 0 when `limit` is 0.
    #[inline]
    pub fn below(&mut self, limit: usize) -> usize {
        // The upper half of the product; the bias is below one in 2³⁰ for anything that fits into memory.
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// Another row, which has nothing in common with the rest of this one.
    #[inline]
    pub fn fork(&mut self) -> Random {
        Random::new(self.next())
    }
}

impl Default for Random {
    fn default() -> Random {
        Random::from_system()
    }
}

/// Chooses `wanted` of `total` things that come by one after the other, each choice of so many being as likely as any other.
#[derive(Clone, Debug)]
pub struct Sample {
    wanted: usize,
    to_come: usize,
    random: Random,
}

impl Sample {
    /// A choice of all when `wanted` is more than `total`.
    pub fn new(wanted: usize, total: usize, random: Random) -> Sample {
        Sample { wanted: wanted.min(total), to_come: total, random }
    }

    /// Whether the next thing is one of those chosen.
    #[inline]
    pub fn takes_next(&mut self) -> bool {
        let takes = self.random.below(self.to_come) < self.wanted;
        self.to_come = self.to_come.saturating_sub(1);
        self.wanted -= usize::from(takes);
        takes
    }

    /// Whether nothing more will be chosen.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.wanted == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_limit_are_spread_evenly() {
        let mut random = Random::new(7);
        let mut seen = [0_u32; 10];
        for _ in 0..100_000 {
            seen[random.below(10)] += 1;
        }
        // Mean 10,000; six standard deviations either way.
        assert!(seen.iter().all(|count| (9_430..=10_570).contains(count)), "{seen:?}");
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
    }

    #[test]
    fn a_sample_has_its_size_and_favours_nothing() {
        let mut random = Random::new(1);
        let mut chosen = [0_u32; 9];
        for _ in 0..9_000 {
            let mut sample = Sample::new(3, 9, random.fork());
            let mut size = 0;
            for count in &mut chosen {
                if sample.takes_next() {
                    *count += 1;
                    size += 1;
                }
            }
            assert!(size == 3 && sample.is_complete());
        }
        // Mean 3,000; six standard deviations either way.
        assert!(chosen.iter().all(|count| (2_730..=3_270).contains(count)), "{chosen:?}");
        let mut all = Sample::new(5, 2, random);
        assert!(all.takes_next() && all.takes_next() && !all.takes_next());
    }
}
