//! Latency events (LATENCY LATEST, HISTORY): what took longer than `latency-monitor-threshold`, by kind and second.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Samples kept for each kind of event.
const SAMPLES_MAX: usize = 160;

/// Commands that are not marked as fast.
pub const COMMAND: &str = "command";
/// Commands that are.
pub const FAST_COMMAND: &str = "fast-command";

/// The longest latency of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix time.
    pub time_s: u64,
    pub latency_ms: u64,
}

/// The samples of one kind of event, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    pub samples: VecDeque<Sample>,
    /// The longest since the last reset, even if its sample is gone.
    pub max_ms: u64,
    /// All events since the last reset, and their latencies together.
    pub count: u64,
    pub sum_ms: u64,
}

/// All series by name.
#[derive(Default)]
pub struct LatencyEvents(Mutex<BTreeMap<&'static str, Series>>);

impl LatencyEvents {
    fn series(&self) -> MutexGuard<'_, BTreeMap<&'static str, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an event. Within one second only the longest of a kind is kept.
    pub fn add(&self, event: &'static str, time_s: u64, latency_ms: u64) {
        let mut all = self.series();
        let series = all.entry(event).or_default();
        series.max_ms = series.max_ms.max(latency_ms);
        series.count += 1;
        series.sum_ms = series.sum_ms.saturating_add(latency_ms);
        match series.samples.back_mut() {
            Some(last) if last.time_s == time_s => last.latency_ms = last.latency_ms.max(latency_ms),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(Sample { time_s, latency_ms });
            }
        }
    }

    /// Every series, by name.
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        self.series().iter().map(|(name, series)| (*name, series.clone())).collect()
    }

    /// The series of one kind, whatever the name's case.
    pub fn of(&self, event: &[u8]) -> Option<(&'static str, Series)> {
        self.all().into_iter().find(|(name, _)| event.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Forgets the series called `event`, or all; answers how many there were.
    pub fn reset(&self, event: Option<&[u8]>) -> usize {
        let mut all = self.series();
        let before = all.len();
        all.retain(|name, _| event.is_some_and(|event| !event.eq_ignore_ascii_case(name.as_bytes())));
        before - all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_longest_event() {
        let events = LatencyEvents::default();
        for (time_s, latency_ms) in [(7, 20), (7, 50), (7, 30), (8, 10)] {
            events.add(COMMAND, time_s, latency_ms);
        }
        let (_, series) = events.of(b"Command").expect("there are samples");
        let samples = [Sample { time_s: 7, latency_ms: 50 }, Sample { time_s: 8, latency_ms: 10 }];
        assert_eq!(series, Series { samples: samples.into(), max_ms: 50, count: 4, sum_ms: 110 });
    }

    #[test]
    fn old_samples_make_room_but_the_longest_is_remembered() {
        let events = LatencyEvents::default();
        events.add(COMMAND, 0, 999);
        (1..=SAMPLES_MAX as u64).for_each(|time_s| events.add(COMMAND, time_s, 1));
        let (_, series) = events.of(b"command").expect("there are samples");
        assert_eq!((series.samples.len(), series.samples[0].time_s, series.max_ms), (SAMPLES_MAX, 1, 999));
    }

    #[test]
    fn a_reset_forgets_one_series_or_all() {
        let events = LatencyEvents::default();
        events.add(COMMAND, 1, 1);
        events.add(FAST_COMMAND, 1, 1);
        assert_eq!(events.reset(Some(b"nothing")), 0);
        assert_eq!(events.reset(Some(b"COMMAND")), 1);
        assert_eq!(events.reset(None), 1);
        assert!(events.all().is_empty());
    }
}
