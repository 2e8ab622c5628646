//! What a stream has beside its entries: counters, groups, consumers and what is pending.

use super::{RELEASED, Writer};
use ochre_values::stream::Group;
use ochre_values::{Stream, StreamId};

impl Writer {
    /// What follows the nodes of a stream.
    pub fn stream_end(&mut self, stream: &Stream) {
        let totals = stream.totals();
        self.length(totals.len);
        self.id(totals.last_id);
        self.id(totals.first_id);
        self.id(totals.max_deleted_id);
        self.length(totals.entries_added);
        self.length(stream.groups().len() as u64);
        for (name, group) in stream.groups() {
            self.text(name);
            self.group(group);
        }
    }

    fn id(&mut self, id: StreamId) {
        self.length(id.ms);
        self.length(id.seq);
    }

    fn group(&mut self, group: &Group) {
        self.id(group.last_id);
        // Redis counts with a sign, and -1 is "nobody knows".
        self.length(group.entries_read.unwrap_or(u64::MAX));
        self.length(group.pending_len() as u64);
        for (id, pending) in group.pending(..) {
            self.out.extend_from_slice(&id.to_be_bytes());
            self.time_ms(pending.delivered_ms as i64);
            self.length(pending.deliveries);
        }
        let released = group.released_len();
        self.length((group.consumers().len() + usize::from(released > 0)) as u64);
        for consumer in group.consumers() {
            let ids = consumer.pending(..);
            self.consumer(consumer.name(), consumer.seen_ms, consumer.active_ms, consumer.pending_len(), ids);
        }
        if released > 0 {
            let ids = group.pending(..).filter(|(_, pending)| pending.consumer().is_none()).map(|(id, _)| id);
            self.consumer(RELEASED, 0, None, released, ids);
        }
    }

    fn consumer(
        &mut self,
        name: &[u8],
        seen_ms: u64,
        active_ms: Option<u64>,
        pending: usize,
        ids: impl Iterator<Item = StreamId>,
    ) {
        self.text(name);
        self.time_ms(seen_ms as i64);
        if self.dialect.has_types_of_7_2() {
            self.time_ms(active_ms.map_or(-1, |active| active as i64));
        }
        self.length(pending as u64);
        ids.for_each(|id| self.out.extend_from_slice(&id.to_be_bytes()));
    }
}
