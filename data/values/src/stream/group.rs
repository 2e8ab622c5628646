//! A group of consumers: how far it has read, and what was delivered to whom and not yet acknowledged.

use super::tape::PendingWalk;
use super::{EntryPlace, StreamId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

/// Names a consumer of a group while it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerNumber(u32);

/// The number that no consumer has.
pub(super) const NOBODY: u32 = u32::MAX;

/// An entry that was delivered and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was last delivered, Unix ms.
    pub delivered_ms: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    consumer: u32,
}

impl Pending {
    /// The number of its consumer, or `NOBODY`.
    pub(super) fn number(&self) -> u32 {
        self.consumer
    }

    /// The consumer that it was delivered to; `None` when it was given back to the group (XNACK).
    pub fn consumer(&self) -> Option<ConsumerNumber> {
        (self.consumer != NOBODY).then_some(ConsumerNumber(self.consumer))
    }

    /// How long ago it was delivered, ms.
    pub fn idle_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.delivered_ms)
    }
}

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something, Unix ms.
    pub seen_ms: u64,
    /// When it last got something, Unix ms.
    pub active_ms: Option<u64>,
    /// What is pending with it. Invariant: the ids under which the group's `pending` has its number.
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The ids that are pending with it, in order.
    pub fn pending(&self, ids: impl RangeBounds<StreamId>) -> impl Iterator<Item = StreamId> {
        self.pending.range(ids).copied()
    }

    /// How many entries are pending with it.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }
}

/// A group of consumers.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that was delivered to any consumer.
    pub last_id: StreamId,
    /// Where its reading goes on, if it read the last time by itself.
    pub place: Option<EntryPlace>,
    /// How many entries were read up to `last_id`, counting from the stream's beginning; `None` when nobody knows.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    /// Numbers by name.
    names: BTreeMap<Box<[u8]>, u32>,
    /// By number; the numbers of consumers that were deleted are used again.
    consumers: Vec<Option<Box<Consumer>>>,
    /// How many pending entries belong to nobody.
    released: usize,
    /// The pending entries by the time of their last delivery, once somebody has asked for the oldest.
    by_time: Option<BTreeSet<(u64, StreamId)>>,
    pub(super) walk: PendingWalk,
}

impl Group {
    pub(super) fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Group {
            last_id,
            place: None,
            entries_read,
            pending: BTreeMap::new(),
            names: BTreeMap::new(),
            consumers: Vec::new(),
            released: 0,
            by_time: None,
            walk: PendingWalk::default(),
        }
    }

    // ---- consumers ----

    /// The consumers, in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.names.values().map(|number| self.consumer(ConsumerNumber(*number)))
    }

    /// The consumers with their numbers, in the order of their names.
    pub(super) fn numbered_consumers(&self) -> impl ExactSizeIterator<Item = (u32, &Consumer)> {
        self.names.values().map(|number| (*number, self.consumer(ConsumerNumber(*number))))
    }

    /// The number of the consumer with this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.names.get(name).copied().map(ConsumerNumber)
    }

    pub fn consumer(&self, number: ConsumerNumber) -> &Consumer {
        self.consumers[number.0 as usize].as_ref().expect("a consumer's number is that of one that exists")
    }

    pub fn consumer_mut(&mut self, number: ConsumerNumber) -> &mut Consumer {
        self.consumers[number.0 as usize].as_mut().expect("a consumer's number is that of one that exists")
    }

    /// Makes a consumer; `None` when there is one of that name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> Option<ConsumerNumber> {
        if self.names.contains_key(name) {
            return None;
        }
        let is_free = |consumer: &Option<Box<Consumer>>| consumer.is_none();
        let number = match self.names.len() < self.consumers.len() {
            true => self.consumers.iter().position(is_free).expect("fewer names than numbers leave one free"),
            false => {
                self.consumers.push(None);
                self.consumers.len() - 1
            }
        };
        let consumer = Consumer { name: name.into(), seen_ms: now_ms, active_ms: None, pending: BTreeSet::new() };
        self.consumers[number] = Some(Box::new(consumer));
        self.names.insert(name.into(), number as u32);
        Some(ConsumerNumber(number as u32))
    }

    /// Removes a consumer with all that is pending with it, and answers how much that was.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.names.remove(name)?;
        let consumer = self.consumers[number as usize].take().expect("a name stands for a consumer");
        while self.consumers.last().is_some_and(Option::is_none) {
            self.consumers.pop();
        }
        for id in &consumer.pending {
            if let Some(pending) = self.pending.remove(id) {
                self.walk.before_change(*id, Some(&pending));
                self.forget_time(*id, &pending);
            }
        }
        Some(consumer.pending.len())
    }

    // ---- pending entries ----

    /// What is pending, in the order of ids.
    pub fn pending(&self, ids: impl RangeBounds<StreamId>) -> impl DoubleEndedIterator<Item = (StreamId, &Pending)> {
        self.pending.range(ids).map(|(id, pending)| (*id, pending))
    }

    /// The first that is pending from `id` on.
    pub(super) fn pending_from(&self, id: StreamId) -> Option<(StreamId, Pending)> {
        self.pending.range(id..).next().map(|(id, pending)| (*id, *pending))
    }

    pub fn pending_of(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// How many entries are pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// How many pending entries belong to no consumer, because they were given back.
    pub fn released_len(&self) -> usize {
        self.released
    }

    /// Notes that the entry `id` was delivered to `consumer`, whoever had it before. O(log pending).
    pub fn assign(&mut self, id: StreamId, consumer: ConsumerNumber, delivered_ms: u64, deliveries: u64) {
        self.set_pending(id, consumer.0, delivered_ms, deliveries);
    }

    /// Gives the entry `id` back to the group: it belongs to nobody and has been idle for ever.
    pub fn release(&mut self, id: StreamId, deliveries: u64) {
        self.set_pending(id, NOBODY, 0, deliveries);
    }

    fn set_pending(&mut self, id: StreamId, consumer: u32, delivered_ms: u64, deliveries: u64) {
        let pending = Pending { delivered_ms, deliveries, consumer };
        let before = self.pending.insert(id, pending);
        self.walk.before_change(id, before.as_ref());
        if let Some(before) = &before {
            self.forget_time(id, before);
        }
        if let Some(by_time) = &mut self.by_time {
            by_time.insert((delivered_ms, id));
        }
        let before = before.map(|pending| pending.consumer);
        if before == Some(consumer) {
            return;
        }
        if let Some(before) = before {
            self.disown(id, before);
        }
        match consumer {
            NOBODY => self.released += 1,
            number => {
                self.consumer_mut(ConsumerNumber(number)).pending.insert(id);
            }
        }
    }

    fn disown(&mut self, id: StreamId, consumer: u32) {
        match consumer {
            NOBODY => self.released -= 1,
            number => {
                self.consumer_mut(ConsumerNumber(number)).pending.remove(&id);
            }
        }
    }

    fn forget_time(&mut self, id: StreamId, pending: &Pending) {
        if let Some(by_time) = &mut self.by_time {
            by_time.remove(&(pending.delivered_ms, id));
        }
    }

    /// The pending entries in the order in which they were last delivered. The first call takes time in proportion to what is
    /// pending, later ones do not.
    pub fn pending_by_time(&mut self) -> impl Iterator<Item = (StreamId, &Pending)> {
        let pending = &self.pending;
        let by_time = self
            .by_time
            .get_or_insert_with(|| pending.iter().map(|(id, pending)| (pending.delivered_ms, *id)).collect());
        by_time.iter().filter_map(|(_, id)| Some((*id, pending.get(id)?)))
    }

    /// Takes `id` out of what is pending; says whether it was. O(log pending).
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        match self.pending.remove(&id) {
            Some(pending) => {
                self.walk.before_change(id, Some(&pending));
                self.disown(id, pending.consumer);
                self.forget_time(id, &pending);
                true
            }
            None => false,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let pending = self.pending.len() * (size_of::<(StreamId, Pending)>() + size_of::<StreamId>()) * 3 / 2;
        let by_time = self.by_time.as_ref().map_or(0, BTreeSet::len) * size_of::<(u64, StreamId)>() * 3 / 2;
        let consumers: usize = self.names.keys().map(|name| size_of::<Consumer>() + 2 * name.len() + 40).sum();
        size_of::<Group>() + pending + by_time + consumers
    }
}
