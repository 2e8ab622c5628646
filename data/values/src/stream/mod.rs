//! A log of entries under growing ids, and groups of consumers that share it.

mod group;
mod id;
mod node;
mod producers;
mod progress;
mod radix;
mod range;
mod restore;
mod tape;
#[cfg(test)]
mod tests;
mod trim;

pub use group::{Consumer, ConsumerNumber, Group, Pending};
pub use id::StreamId;
pub use node::Entry;
pub use producers::Producers;
pub use range::{EntryPlace, Range, RangeRev};
pub use restore::{Malformed, Totals};
pub use trim::{References, Threshold, Trim};

use crate::{Collection, Encoding, Kind, Limits, Object, Packing};
use node::Node;
use std::collections::BTreeMap;

/// No node grows beyond this, in bytes, whatever `stream-node-max-bytes` says; no entry may be larger.
const NODE_BYTES_MAX: usize = 1 << 30;
/// Bytes that a new node has room for at first, unless nodes are to be smaller: it will grow.
const NODE_BYTES_FIRST: usize = 512;
/// And at most so many, if the node before it grew as large.
const NODE_BYTES_EXPECTED_MAX: usize = 4096;
/// A node with so many deleted entries, and more than live ones, is written anew.
const DELETED_MIN: usize = 10;

/// A log of entries under growing ids, and groups of consumers that share it.
///
/// Entries lie in nodes of up to `stream-node-max-entries`, ordered by the id of the first entry of each. Unlike other
/// collections a stream lives on when it is empty.
#[derive(Clone, Default)]
pub struct Stream {
    nodes: BTreeMap<StreamId, Node>,
    /// Live entries.
    len: usize,
    /// The id of the first live entry; `0-0` when there is none.
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    /// In the order of their names.
    groups: BTreeMap<Box<[u8]>, Group>,
    /// Grows whenever entries that stay move or a node goes: places in nodes that were noted before mean nothing then.
    moves: u64,
    /// Made when a producer first says who it is.
    producers: Option<Box<Producers>>,
    /// Whether anything was ever done to it: until then there is no stream.
    exists: bool,
    walk: tape::Walk,
}

/// An entry larger than any node may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl Stream {
    /// The id of the last entry that was ever added, or what XSETID said.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The id of the first live entry; `0-0` when there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The highest id of an entry that was deleted one by one (not trimmed); `0-0` when there was none.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Heap blocks behind the stream, about.
    pub fn blocks(&self) -> usize {
        // A tree keeps some six items in a block.
        let groups: usize = self.groups.values().map(|group| 4 + group.pending_len() / 3).sum();
        2 + self.nodes.len() + groups
    }

    /// Bytes behind the stream, from a few nodes and what groups have pending: O(groups).
    pub fn memory_bytes_about(&self) -> usize {
        const LOOKED_AT: usize = 16;
        let nodes: usize = self.nodes.values().take(LOOKED_AT).map(Node::memory_bytes).sum();
        let groups: usize = self.groups.values().map(|group| group.pending_len() * 96).sum();
        nodes * self.nodes.len() / LOOKED_AT.min(self.nodes.len()).max(1) + groups
    }

    /// Whether a walk through it would have at least so many nodes, or so much that is pending. O(groups).
    pub(crate) fn is_large(&self, nodes_min: usize, pending_min: usize) -> bool {
        self.nodes.len() >= nodes_min
            || self.groups.values().any(|group| group.pending_len() >= pending_min)
            || (self.nodes.len() < 16 && self.memory_bytes_about() >= pending_min * 256)
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// An empty stream is one from here on, although nothing was added.
    pub fn make(&mut self) {
        self.exists = true;
    }

    /// Adds an entry with these fields and values (by turns), under an id above the last one. O(log nodes).
    ///
    /// # Errors
    /// When the words are too large for a node; nothing has changed then.
    ///
    /// # Panics
    /// When `id` is not above `last_id`.
    pub fn add<'w>(
        &mut self,
        id: StreamId,
        words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
        limits: &Limits,
    ) -> Result<(), TooLarge> {
        assert!(id > self.last_id, "ids grow");
        let bytes: usize = words.clone().map(<[u8]>::len).sum();
        // An element takes up to ten bytes more than its text.
        if bytes + words.len() * 10 > NODE_BYTES_MAX {
            return Err(TooLarge);
        }
        let bytes_max = match limits.stream_node_max_bytes {
            0 => NODE_BYTES_MAX,
            limit => limit.min(NODE_BYTES_MAX),
        };
        match self.nodes.last_entry() {
            Some(mut last) if last.get().has_room(bytes, bytes_max, limits.stream_node_max_entries) => {
                let master = *last.key();
                self.walk.before_change(master, last.get());
                last.get_mut().push(master, id, words);
            }
            full => {
                // The next node will be as large as this one, as a rule; a stream that has none is perhaps a small one.
                let mut bytes_expected = NODE_BYTES_FIRST;
                if let Some(mut full) = full {
                    bytes_expected = full.get().as_bytes().len().clamp(NODE_BYTES_FIRST, NODE_BYTES_EXPECTED_MAX);
                    full.get_mut().shrink_to_fit();
                }
                let mut node = Node::new(words.clone(), bytes.max(bytes_expected.min(bytes_max)));
                node.push(id, id, words);
                self.walk.note_new(id);
                self.nodes.insert(id, node);
            }
        }
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.entries_added += 1;
        self.last_id = id;
        self.exists = true;
        Ok(())
    }

    /// The entry with this id. O(log nodes + entries of a node).
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let (master, node) = self.nodes.range(..=id).next_back()?;
        Some(node.view(*master).find(id)?.1)
    }

    /// Whether there is a live entry with this id.
    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// Deletes the entry with this id and says whether there was one. O(log nodes + entries of a node).
    pub fn delete(&mut self, id: StreamId) -> bool {
        if !self.delete_entry(id) {
            return false;
        }
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Deletes an entry, and leaves `first_id` and `max_deleted_id` alone.
    fn delete_entry(&mut self, id: StreamId) -> bool {
        // The last node is never written anew, so that nodes begin and end where Redis's do.
        let is_last = self.nodes.last_key_value().is_some_and(|(last, _)| *last <= id);
        let Some((&master, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let Some((at, _)) = node.view(master).find(id) else { return false };
        self.walk.before_change(master, node);
        self.len -= 1;
        if node.delete(&[at]) == 0 {
            self.nodes.remove(&master);
            self.moves += 1;
        } else if !is_last && node.tidy(master) {
            self.moves += 1;
        }
        true
    }

    /// Finds the first live entry anew.
    fn find_first(&mut self) {
        self.first_id = self.range(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MIN, |entry| entry.id);
    }

    /// The live entries from `start` to `end`, both included.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        Range::new(self, start, end)
    }

    /// The live entries after what a group has read, found at once where it went on reading last.
    pub fn news(&self, group: &Group) -> Range<'_> {
        match (group.place, group.last_id.next()) {
            (Some(place), Some(start)) if place.moves == self.moves && place.after == group.last_id => {
                Range::at(self, start, place)
            }
            (_, Some(start)) => self.range(start, StreamId::MAX),
            (_, None) => Range::none(self),
        }
    }

    /// The live entries from `end` back to `start`, both included.
    pub fn range_rev(&self, start: StreamId, end: StreamId) -> RangeRev<'_> {
        RangeRev::new(self, start, end)
    }

    /// How many nodes a radix tree has that finds this stream's nodes by their ids, as Redis keeps one: XINFO shows that.
    /// Takes time in proportion to the nodes, so it is only estimated when these are many.
    pub fn radix_tree_nodes(&self) -> usize {
        const NODES_COUNTED_MAX: usize = 20_000;
        if self.nodes.is_empty() || self.nodes.len() > NODES_COUNTED_MAX {
            return (self.nodes.len() * 4 / 3).max(1);
        }
        radix::tree_nodes(self.nodes.keys().map(|id| id.to_be_bytes()))
    }

    /// The id of the last live entry.
    pub fn last_live_id(&self) -> Option<StreamId> {
        self.range_rev(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id)
    }

    /// Says that the last entry had this id, whether or not there was one.
    pub fn set_last_id(&mut self, id: StreamId) {
        self.last_id = id;
        self.exists = true;
    }

    /// Says how many entries were ever added.
    pub fn set_entries_added(&mut self, entries: u64) {
        self.entries_added = entries;
    }

    /// Says which was the highest id that was deleted.
    pub fn set_max_deleted_id(&mut self, id: StreamId) {
        self.max_deleted_id = id;
    }

    /// What is remembered of producers, if any has ever said who it is.
    pub fn producers(&self) -> Option<&Producers> {
        self.producers.as_deref()
    }

    /// Remembers these producers.
    pub fn set_producers(&mut self, producers: Box<Producers>) {
        self.producers = Some(producers);
    }

    /// What is remembered of producers.
    pub fn producers_mut(&mut self) -> &mut Producers {
        self.producers.get_or_insert_default()
    }

    // ---- groups ----

    /// The groups with their names, in the order of the names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    /// Makes a group that has read up to `last_id`; says no when there is one of that name.
    pub fn create_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> bool {
        if self.groups.contains_key(name) {
            return false;
        }
        self.groups.insert(name.into(), Group::new(last_id, entries_read));
        self.exists = true;
        true
    }

    /// Removes a group, its consumers and what was pending; says whether there was one.
    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        match self.groups.remove(name) {
            Some(group) => {
                drop(self.walk.keep_group(name, group));
                true
            }
            None => false,
        }
    }

    /// Whether no group has `id` pending or could still read it.
    pub fn is_acknowledged(&self, id: StreamId) -> bool {
        self.groups.values().all(|group| id <= group.last_id && group.pending_of(id).is_none())
    }

    /// Takes `id` out of what is pending, in all groups; says whether it was in any.
    pub fn forget_pending(&mut self, id: StreamId) -> bool {
        let had = self.groups.values_mut().map(|group| group.acknowledge(id));
        // Every group is asked, whatever the others had.
        had.filter(|had| *had).count() > 0
    }
}

impl Collection for Stream {
    type Ref<'a> = &'a Stream;
    const KIND: Kind = Kind::Stream;

    fn new() -> Self {
        Stream::default()
    }

    fn is_empty(&self) -> bool {
        !self.exists
    }

    fn as_ref(&self) -> &Stream {
        self
    }

    fn into_object(self) -> Object {
        Object::Stream(Box::new(self))
    }

    fn from_object(object: Object) -> Result<Self, Object> {
        match object {
            Object::Stream(stream) => Ok(*stream),
            other => Err(other),
        }
    }

    fn in_object(object: &Object) -> Option<&Self> {
        match object {
            Object::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn in_object_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn packed_ref(_: Packing, _: &[u8]) -> Option<&Stream> {
        None
    }

    fn unpack(_: Packing, _: &[u8]) -> Option<Self> {
        None
    }

    fn pack(&self) -> Option<(Packing, &[u8])> {
        None
    }

    /// Number of live entries.
    fn len(&self) -> usize {
        self.len
    }

    fn encoding(&self) -> Encoding {
        Encoding::Stream
    }

    /// Takes time in proportion to the number of nodes and groups.
    fn memory_bytes(&self) -> usize {
        let node = size_of::<(StreamId, Node)>() * 3 / 2;
        let nodes: usize = self.nodes.values().map(|stored| stored.memory_bytes() + node).sum();
        let groups: usize = self.groups.iter().map(|(name, group)| name.len() + group.memory_bytes()).sum();
        let producers = self.producers.as_ref().map_or(0, |producers| producers.memory_bytes());
        size_of::<Stream>() + nodes + groups + producers
    }
}
