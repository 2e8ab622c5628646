//! Walks over the live entries of a stream, either way.

use super::node::{Node, NodeView};
use super::{Entry, Stream, StreamId};
use std::collections::btree_map;

/// A place between two entries of a stream, good as long as nothing moves.
#[derive(Clone, Copy, Debug)]
pub struct EntryPlace {
    /// The stream's `moves` at that time.
    pub(super) moves: u64,
    /// The entry before it.
    pub(super) after: StreamId,
    /// The node, and where the next entry stands in it, counted from the node's first.
    master: StreamId,
    offset: usize,
}

/// Live entries in the order of their ids.
#[derive(Clone)]
pub struct Range<'a> {
    nodes: btree_map::Range<'a, StreamId, Node>,
    /// The node that is walked, and where its next entry stands.
    node: Option<(NodeView<'a>, usize)>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Range<'a> {
    pub(super) fn new(stream: &'a Stream, start: StreamId, end: StreamId) -> Self {
        let first = stream.nodes.range(..=start).next_back().map_or(start, |(master, _)| *master);
        let last = stream.nodes.last_key_value().map(|(master, _)| *master);
        let nodes = if first <= end && start <= stream.last_id {
            stream.nodes.range(first..=end)
        } else {
            stream.nodes.range(..StreamId::MIN)
        };
        let mut range = Range { nodes, node: None, start, end };
        range.enter_next();
        if let Some((node, at)) = &mut range.node
            && first < start
        {
            // Of the last node readers nearly always want what came last.
            *at = if last == Some(first) { node.seek_from_end(start) } else { node.seek(start) };
        }
        range
    }

    /// All from a place on, whose next entry is `start` or a later one.
    pub(super) fn at(stream: &'a Stream, start: StreamId, place: EntryPlace) -> Self {
        let mut range = Range { nodes: stream.nodes.range(place.master..), node: None, start, end: StreamId::MAX };
        range.enter_next();
        if let Some((_, at)) = &mut range.node {
            *at += place.offset;
        }
        range
    }

    /// Nothing.
    pub(super) fn none(stream: &'a Stream) -> Self {
        let nodes = stream.nodes.range(..StreamId::MIN);
        Range { nodes, node: None, start: StreamId::MAX, end: StreamId::MIN }
    }

    /// Where it stands now, behind the entry `after`; `None` at the end.
    pub fn place(&self, stream: &Stream, after: StreamId) -> Option<EntryPlace> {
        let (node, at) = self.node.as_ref()?;
        let offset = at.checked_sub(node.head?.first)?;
        Some(EntryPlace { moves: stream.moves, after, master: node.master(), offset })
    }

    fn enter_next(&mut self) {
        self.node = self.nodes.next().and_then(|(master, node)| {
            let view = node.view(*master);
            Some((view, view.head?.first))
        });
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (node, at) = self.node.as_mut()?;
            let Some(place) = node.read(*at) else {
                self.enter_next();
                continue;
            };
            *at = place.next;
            let id = place.entry.id;
            if id > self.end {
                self.node = None;
                return None;
            }
            if !place.is_deleted && id >= self.start {
                return Some(place.entry);
            }
        }
    }
}

/// Live entries against the order of their ids.
#[derive(Clone)]
pub struct RangeRev<'a> {
    nodes: btree_map::Range<'a, StreamId, Node>,
    /// The node that is walked, and where the entry after the next one stands.
    node: Option<(NodeView<'a>, usize)>,
    start: StreamId,
    end: StreamId,
}

impl<'a> RangeRev<'a> {
    pub(super) fn new(stream: &'a Stream, start: StreamId, end: StreamId) -> Self {
        let first = stream.nodes.range(..=start).next_back().map_or(start, |(master, _)| *master);
        let nodes = if first <= end { stream.nodes.range(first..=end) } else { stream.nodes.range(..StreamId::MIN) };
        let mut range = RangeRev { nodes, node: None, start, end };
        range.enter_next();
        range
    }

    fn enter_next(&mut self) {
        self.node = self.nodes.next_back().map(|(master, node)| {
            let view = node.view(*master);
            (view, view.end())
        });
    }
}

impl<'a> Iterator for RangeRev<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (node, at) = self.node.as_mut()?;
            let Some((before, place)) = node.before(*at).and_then(|before| Some((before, node.read(before)?))) else {
                self.enter_next();
                continue;
            };
            *at = before;
            let id = place.entry.id;
            if id < self.start {
                self.node = None;
                return None;
            }
            if !place.is_deleted && id <= self.end {
                return Some(place.entry);
            }
        }
    }
}
