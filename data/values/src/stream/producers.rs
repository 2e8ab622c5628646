//! What a stream remembers of its producers, so that a message that is sent twice is added once.

use super::StreamId;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The messages of producers of late: each has an id of the producer's own, and got one of the stream.
#[derive(Clone, Debug)]
pub struct Producers {
    /// For so long a message is remembered, s.
    duration_s: u64,
    /// So many messages of each producer are remembered.
    messages_max: usize,
    producers: BTreeMap<Box<[u8]>, Producer>,
    /// Messages that were ever remembered.
    added: u64,
    /// Messages that came again.
    duplicates: u64,
}

#[derive(Clone, Debug, Default)]
struct Producer {
    /// By the producer's ids: the entry, and when the message came, Unix ms.
    entries: HashMap<Box<[u8]>, (StreamId, u64)>,
    /// The producer's ids with the times at which they came, Unix ms; the oldest first.
    order: VecDeque<(u64, Box<[u8]>)>,
}

impl Default for Producers {
    fn default() -> Self {
        Producers {
            duration_s: DURATION_S,
            messages_max: MESSAGES_MAX,
            producers: BTreeMap::new(),
            added: 0,
            duplicates: 0,
        }
    }
}

impl Producers {
    pub fn duration_s(&self) -> u64 {
        self.duration_s
    }

    pub fn messages_max(&self) -> usize {
        self.messages_max
    }

    /// Messages that were ever remembered.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Messages that came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many producers are remembered, and how many messages of them all. O(producers).
    pub fn tracked(&self) -> (usize, usize) {
        (self.producers.len(), self.producers.values().map(|producer| producer.order.len()).sum())
    }

    /// Changes how much is remembered; what is remembered is forgotten unless that stays as it is.
    pub fn configure(&mut self, duration_s: u64, messages_max: usize) {
        if (duration_s, messages_max) != (self.duration_s, self.messages_max) {
            (self.duration_s, self.messages_max) = (duration_s, messages_max);
            self.producers.clear();
        }
    }

    /// The entry that a message was added as, if it is remembered.
    pub fn find(&self, producer: &[u8], message: &[u8], now_ms: u64) -> Option<StreamId> {
        let (id, came_ms) = self.producers.get(producer)?.entries.get(message)?;
        (now_ms < came_ms.saturating_add(self.duration_s * 1000)).then_some(*id)
    }

    /// Counts a message that came again.
    pub fn note_duplicate(&mut self) {
        self.duplicates += 1;
    }

    /// Remembers a message, and forgets those whose time is over. O(1) for each message forgotten, and O(producers) now and then.
    pub fn remember(&mut self, name: &[u8], message: &[u8], id: StreamId, came_ms: u64, now_ms: u64) {
        let (duration_ms, messages_max) = (self.duration_s * 1000, self.messages_max);
        // Producers that say nothing more are found while others speak.
        if self.added.is_multiple_of(SWEEP_EVERY) {
            self.producers.retain(|_, producer| {
                producer.forget_due(duration_ms, now_ms);
                !producer.order.is_empty()
            });
        }
        let producer = self.producers.entry(name.into()).or_default();
        producer.forget_due(duration_ms, now_ms);
        producer.forget(message);
        while producer.order.len() >= messages_max {
            producer.forget_oldest();
        }
        producer.entries.insert(message.into(), (id, came_ms));
        producer.order.push_back((came_ms, message.into()));
        self.added += 1;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let message = |(_, id): &(u64, Box<[u8]>)| 2 * (id.len() + 32) + size_of::<StreamId>();
        let of = |producer: &Producer| size_of::<Producer>() + producer.order.iter().map(message).sum::<usize>();
        size_of::<Producers>() + self.producers.iter().map(|(name, producer)| name.len() + of(producer)).sum::<usize>()
    }
}

impl Producer {
    fn forget_due(&mut self, duration_ms: u64, now_ms: u64) {
        while self.order.front().is_some_and(|(came_ms, _)| now_ms >= came_ms.saturating_add(duration_ms)) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, message)) = self.order.pop_front() {
            self.entries.remove(&message);
        }
    }

    /// Forgets a message that is about to be remembered anew: its time was over.
    fn forget(&mut self, message: &[u8]) {
        if self.entries.remove(message).is_some() {
            self.order.retain(|(_, known)| **known != *message);
        }
    }
}

/// Redis's defaults.
const DURATION_S: u64 = 100;
const MESSAGES_MAX: usize = 100;
/// After so many messages all producers are looked at.
const SWEEP_EVERY: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: StreamId = StreamId { ms: 5, seq: 0 };

    #[test]
    fn a_message_is_remembered_for_its_time_and_while_there_is_room() {
        let mut producers = Producers::default();
        producers.configure(10, 2);
        producers.remember(b"p", b"a", ID, 1000, 1000);
        assert_eq!(producers.find(b"p", b"a", 10_999), Some(ID));
        assert_eq!(producers.find(b"p", b"a", 11_000), None);
        assert_eq!(producers.find(b"q", b"a", 1000), None);
        producers.remember(b"p", b"b", ID, 1000, 1000);
        producers.remember(b"p", b"c", ID, 1000, 1000);
        assert_eq!(producers.find(b"p", b"a", 1000), None);
        assert_eq!(producers.tracked(), (1, 2));
        producers.configure(10, 2);
        assert_eq!(producers.tracked(), (1, 2));
        producers.configure(10, 3);
        assert_eq!(producers.tracked(), (0, 0));
        assert_eq!(producers.added(), 3);
    }

    #[test]
    fn producers_that_have_nothing_more_to_say_are_forgotten() {
        let mut producers = Producers::default();
        for number in 0..2000u64 {
            producers.remember(&number.to_le_bytes(), b"m", ID, number * 1000, number * 1000);
        }
        assert!(producers.tracked().0 < 100 + SWEEP_EVERY as usize, "{:?}", producers.tracked());
    }
}
