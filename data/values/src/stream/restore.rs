//! A stream part by part, as a file has it.

use super::node::Node;
use super::{Stream, StreamId};

/// Bytes that are not those of a node, or numbers that do not fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What a file says about a stream beside its entries and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub len: u64,
    pub last_id: StreamId,
    /// The three that Redis has since 7.0.
    pub first_id: StreamId,
    pub max_deleted_id: StreamId,
    pub entries_added: u64,
}

impl Stream {
    /// The nodes in order: the id of each, and its bytes.
    pub fn node_bytes(&self) -> impl ExactSizeIterator<Item = (StreamId, &[u8])> {
        self.nodes.iter().map(|(master, node)| (*master, node.as_bytes()))
    }

    /// What a file needs to know beside the nodes and the groups.
    pub fn totals(&self) -> Totals {
        Totals {
            len: self.len as u64,
            last_id: self.last_id,
            first_id: self.first_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
        }
    }

    /// Appends a node from a file, after a check of every element: O(elements).
    ///
    /// # Errors
    /// When the bytes are not those of a node that may follow the others, or of one without a live entry.
    pub fn push_node(&mut self, master: StreamId, bytes: &[u8]) -> Result<(), Malformed> {
        let node = Node::from_untrusted(master, bytes).ok_or(Malformed)?;
        let view = node.view(master);
        let live = view.head.ok_or(Malformed)?.live;
        let last = view.last_id().ok_or(Malformed)?;
        let first = view.live().next().ok_or(Malformed)?.1.id;
        if first < master || self.nodes.last_key_value().is_some_and(|_| master <= self.last_id) {
            return Err(Malformed);
        }
        if self.len == 0 {
            self.first_id = first;
        }
        self.walk.note_new(master);
        self.nodes.insert(master, node);
        self.len += live;
        self.last_id = last;
        self.entries_added += live as u64;
        self.exists = true;
        Ok(())
    }

    /// Takes over what a file says about the stream, once all nodes are there. `first_id` is known already and left alone.
    ///
    /// # Errors
    /// When that contradicts the nodes.
    pub fn set_totals(&mut self, totals: &Totals) -> Result<(), Malformed> {
        if totals.len != self.len as u64 || totals.last_id < self.last_id || totals.entries_added < totals.len {
            return Err(Malformed);
        }
        self.last_id = totals.last_id;
        self.max_deleted_id = totals.max_deleted_id;
        self.entries_added = totals.entries_added;
        self.exists = true;
        Ok(())
    }
}
