//! What a stream has beside its entries: counters, groups, consumers and what is pending.

use super::{RELEASED, Writer};
use ochre_values::stream::{Group, Totals};
use ochre_values::{Stream, StreamId};

impl Writer {
    /// What follows the nodes of a stream.
    pub fn stream_end(&mut self, stream: &Stream) {
        self.stream_totals(&stream.totals(), stream.groups().len());
        for (name, group) in stream.groups() {
            self.group(name, group);
        }
    }

    /// What follows the nodes of a stream and goes before its groups, so many of them.
    pub fn stream_totals(&mut self, totals: &Totals, groups: usize) {
        self.length(totals.len);
        self.id(totals.last_id);
        self.id(totals.first_id);
        self.id(totals.max_deleted_id);
        self.length(totals.entries_added);
        self.length(groups as u64);
    }

    /// Begins a group: [`Writer::pending`] for each entry that is pending, [`Writer::consumers`], and the consumers follow.
    pub fn begin_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>, pending: usize) {
        self.text(name);
        self.id(last_id);
        // Redis counts with a sign, and -1 is "nobody knows".
        self.length(entries_read.unwrap_or(u64::MAX));
        self.length(pending as u64);
    }

    /// An entry that is pending in a group.
    pub fn pending(&mut self, id: StreamId, delivered_ms: u64, deliveries: u64) {
        self.out.extend_from_slice(&id.to_be_bytes());
        self.time_ms(delivered_ms as i64);
        self.length(deliveries);
    }

    /// How many consumers a group has.
    pub fn consumers(&mut self, consumers: usize) {
        self.length(consumers as u64);
    }

    /// Begins a consumer, nobody if it has no name: [`Writer::consumer_pending`] for each entry that is pending with it follows.
    pub fn begin_consumer(&mut self, name: Option<&[u8]>, seen_ms: u64, active_ms: Option<u64>, pending: usize) {
        self.text(name.unwrap_or(RELEASED));
        self.time_ms(seen_ms as i64);
        if self.dialect.has_types_of_7_2() {
            self.time_ms(active_ms.map_or(-1, |active| active as i64));
        }
        self.length(pending as u64);
    }

    /// An entry that is pending with a consumer.
    pub fn consumer_pending(&mut self, id: StreamId) {
        self.out.extend_from_slice(&id.to_be_bytes());
    }

    fn id(&mut self, id: StreamId) {
        self.length(id.ms);
        self.length(id.seq);
    }

    fn group(&mut self, name: &[u8], group: &Group) {
        self.begin_group(name, group.last_id, group.entries_read, group.pending_len());
        for (id, pending) in group.pending(..) {
            self.pending(id, pending.delivered_ms, pending.deliveries);
        }
        let released = group.released_len();
        self.consumers(group.consumers().len() + usize::from(released > 0));
        for consumer in group.consumers() {
            let (seen_ms, active_ms) = (consumer.seen_ms, consumer.active_ms);
            self.begin_consumer(Some(consumer.name()), seen_ms, active_ms, consumer.pending_len());
            consumer.pending(..).for_each(|id| self.consumer_pending(id));
        }
        if released > 0 {
            self.begin_consumer(None, 0, None, released);
            let ids = group.pending(..).filter(|(_, pending)| pending.consumer().is_none()).map(|(id, _)| id);
            ids.for_each(|id| self.consumer_pending(id));
        }
    }
}
