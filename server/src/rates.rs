//! Rates of the last second (INFO's `instantaneous_…` fields).

use crate::shared::Shared;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is measured by the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    Commands,
    InputBytes,
    OutputBytes,
    /// Turns of all event loops.
    Turns,
    /// Time that the loops were not asleep, microseconds.
    BusyMicroseconds,
}

const RATES: usize = 5;

/// Totals of a moment, and the rates that followed from the last two.
#[derive(Default)]
pub struct Rates {
    last: Mutex<Option<(u64, [u64; RATES])>>,
    per_second: [AtomicU64; RATES],
}

impl Rates {
    /// Takes the totals of now. To be called about once a second.
    pub fn sample(&self, shared: &Shared) {
        let totals = [
            shared.total(|counters| counters.commands_processed.get()),
            shared.total(|counters| counters.net_input_bytes.get()),
            shared.total(|counters| counters.net_output_bytes.get()),
            shared.total(|counters| counters.turns.get()),
            shared.total(|counters| counters.busy_nanoseconds.get()) / 1000,
        ];
        self.add(ochre_clock::monotonic_ns(), totals);
    }

    fn add(&self, now_ns: u64, totals: [u64; RATES]) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before_ns, before)) = last.replace((now_ns, totals)) {
            let passed_ns = now_ns.saturating_sub(before_ns).max(1);
            for ((rate, now), before) in self.per_second.iter().zip(totals).zip(before) {
                // A reset in between makes the total smaller.
                let more = now.saturating_sub(before);
                rate.store((u128::from(more) * 1_000_000_000 / u128::from(passed_ns)) as u64, Ordering::Relaxed);
            }
        }
    }

    /// Length of an average turn of the last second, microseconds.
    pub fn turn_us(&self) -> u64 {
        self.per_second(Rate::BusyMicroseconds) / self.per_second(Rate::Turns).max(1)
    }

    /// How much there was in the last second.
    pub fn per_second(&self, rate: Rate) -> u64 {
        self.per_second[rate as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences_over_time() {
        let rates = Rates::default();
        rates.add(0, [0, 100, 0, 0, 0]);
        assert_eq!(rates.per_second(Rate::InputBytes), 0);
        rates.add(2_000_000_000, [50, 1_100, 0, 7, 0]);
        assert_eq!(rates.per_second(Rate::Commands), 25);
        assert_eq!(rates.per_second(Rate::InputBytes), 500);
        rates.add(3_000_000_000, [10, 0, 0, 0, 0]);
        assert_eq!(rates.per_second(Rate::Commands), 0);
    }
}
