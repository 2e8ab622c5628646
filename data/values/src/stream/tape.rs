//! A walk that shows a stream as it was when the walk began, in the order of a file, while the stream goes on to change.
//!
//! Nodes are shown in the order of their ids, then the counters, then each group with what is pending. A node that is about to change
//! for the first time is copied, one that leaves is kept, and so is a group that is destroyed; of what is pending in a group
//! each delivery is kept as it was before its first change. While no walk is on, a change costs one test.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::group::{Group, NOBODY, Pending};
use super::node::Node;
use super::{Stream, StreamId, Totals};
use crate::Element;

/// The walk that is on, if any. A copy of a stream is not walked.
#[derive(Default)]
pub(super) struct Walk(Option<Box<Tape>>);

impl Clone for Walk {
    fn clone(&self) -> Walk {
        Walk(None)
    }
}

struct Tape {
    /// Nodes from this id to `last` are still to be shown.
    from: StreamId,
    /// The last node's id when the walk began; `None` once all nodes have been shown.
    last: Option<StreamId>,
    /// Nodes from `from` on that have changed or gone since.
    saved: BTreeMap<StreamId, Node>,
    /// Nodes up to `last` that came since.
    fresh: BTreeSet<StreamId>,
    totals: Totals,
    /// Taken once the counters have been shown.
    totals_left: bool,
    groups: VecDeque<ShownGroup>,
}

/// A group as it was when the walk began; what is pending in it is found in the group itself.
struct ShownGroup {
    name: Box<[u8]>,
    last_id: StreamId,
    entries_read: Option<u64>,
    pending: usize,
    consumers: VecDeque<ShownConsumer>,
    stage: Stage,
    /// The group, once it has been destroyed.
    own: Option<Group>,
    /// What was pending with each consumer, by its number.
    ids: BTreeMap<u32, VecDeque<StreamId>>,
}

struct ShownConsumer {
    number: u32,
    name: Option<Box<[u8]>>,
    seen_ms: u64,
    active_ms: Option<u64>,
    pending: usize,
    is_begun: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Pending,
    Consumers,
}

/// What a group knows of the walk through what is pending in it.
#[derive(Default)]
pub(super) struct PendingWalk(Option<Box<PendingTape>>);

impl Clone for PendingWalk {
    fn clone(&self) -> PendingWalk {
        PendingWalk(None)
    }
}

impl std::fmt::Debug for PendingWalk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "walked" } else { "not walked" })
    }
}

struct PendingTape {
    /// Deliveries from this id on are still to be shown; `None` once all have been.
    from: Option<StreamId>,
    /// As they were before their first change; `None` for those that were not there.
    saved: BTreeMap<StreamId, Option<Pending>>,
}

impl PendingWalk {
    /// Must be called before what is pending under `id`, which is `was`, changes.
    #[inline]
    pub(super) fn before_change(&mut self, id: StreamId, was: Option<&Pending>) {
        if let Some(tape) = &mut self.0
            && tape.from.is_some_and(|from| id >= from)
        {
            tape.saved.entry(id).or_insert_with(|| was.copied());
        }
    }
}

impl Walk {
    /// Must be called before a node changes.
    #[inline]
    pub(super) fn before_change(&mut self, master: StreamId, node: &Node) {
        if let Some(tape) = &mut self.0
            && tape.is_to_come(master)
        {
            tape.saved.insert(master, node.clone());
        }
    }

    /// Must be called for a node that has left the stream.
    #[inline]
    pub(super) fn keep(&mut self, master: StreamId, node: Node) {
        if let Some(tape) = &mut self.0
            && tape.is_to_come(master)
        {
            tape.saved.insert(master, node);
        }
    }

    /// Must be called for a node that is about to join the stream.
    #[inline]
    pub(super) fn note_new(&mut self, master: StreamId) {
        if let Some(tape) = &mut self.0
            && tape.last.is_some_and(|last| master >= tape.from && master <= last)
        {
            tape.fresh.insert(master);
        }
    }

    /// Must be called for a group that has left the stream; gives it back when it is not wanted.
    pub(super) fn keep_group(&mut self, name: &[u8], group: Group) -> Option<Group> {
        let shown = self.0.as_mut().and_then(|tape| {
            tape.groups.iter_mut().find(|shown| shown.own.is_none() && *shown.name == *name && group.walk.0.is_some())
        });
        match shown {
            Some(shown) => {
                shown.own = Some(group);
                None
            }
            None => Some(group),
        }
    }
}

impl Tape {
    /// Whether the node of this id is as it was, and still to be shown.
    fn is_to_come(&self, master: StreamId) -> bool {
        self.last.is_some_and(|last| master >= self.from && master <= last)
            && !self.saved.contains_key(&master)
            && !self.fresh.contains(&master)
    }
}

impl Stream {
    /// Begins a walk that will show the stream as it is now, and says how many nodes it has. One walk at a time. Takes time in
    /// proportion to the groups and their consumers.
    pub fn begin_walk(&mut self) -> usize {
        assert!(self.walk.0.is_none(), "one walk at a time");
        let totals = self.totals();
        let groups = self.groups.iter_mut().map(|(name, group)| shown_group(name, group)).collect();
        self.walk.0 = Some(Box::new(Tape {
            from: StreamId::MIN,
            last: self.nodes.last_key_value().map(|(master, _)| *master),
            saved: BTreeMap::new(),
            fresh: BTreeSet::new(),
            totals,
            totals_left: true,
            groups,
        }));
        self.nodes.len()
    }

    /// Whether a walk has begun and not been ended.
    pub fn is_walked(&self) -> bool {
        self.walk.0.is_some()
    }

    /// Forgets the walk.
    pub fn end_walk(&mut self) {
        self.walk.0 = None;
        self.groups.values_mut().for_each(|group| group.walk = PendingWalk(None));
    }

    /// Shows the next parts until `room` (what `show` answers, summed) is used up; says whether all has been shown.
    pub fn walk_on(&mut self, room: &mut usize, show: &mut dyn FnMut(Element<'_>) -> usize) -> bool {
        let Some(tape) = &mut self.walk.0 else { return true };
        while *room > 0 {
            if let Some(last) = tape.last {
                let saved = tape.saved.first_key_value().map(|(master, _)| *master);
                let own = self.nodes.range(tape.from..=last);
                let own = own
                    .map(|(master, node)| (*master, node))
                    .find(|(master, _)| !tape.fresh.contains(master) && !tape.saved.contains_key(master));
                let shown = match (saved, own) {
                    (Some(saved), own) if own.is_none_or(|(own, _)| saved < own) => {
                        let node = &tape.saved[&saved];
                        *room = room.saturating_sub(show(Element::StreamNode(saved, node.as_bytes())));
                        tape.saved.remove(&saved);
                        Some(saved)
                    }
                    (_, Some((own, node))) => {
                        *room = room.saturating_sub(show(Element::StreamNode(own, node.as_bytes())));
                        Some(own)
                    }
                    _ => None,
                };
                match shown.and_then(StreamId::next).filter(|next| *next <= last) {
                    Some(next) => tape.from = next,
                    None => tape.last = None,
                }
            } else if tape.totals_left {
                tape.totals_left = false;
                let element = Element::StreamTotals { totals: &tape.totals, groups: tape.groups.len() };
                *room = room.saturating_sub(show(element));
            } else if let Some(mut shown) = tape.groups.pop_front() {
                let mut own = shown.own.take();
                let group = match &mut own {
                    Some(own) => own,
                    None => self.groups.get_mut(&shown.name).expect("a group that is destroyed is kept"),
                };
                if shown.walk_on(group, room, show) {
                    group.walk = PendingWalk(None);
                } else {
                    shown.own = own;
                    tape.groups.push_front(shown);
                }
            } else {
                return true;
            }
        }
        tape.last.is_none() && !tape.totals_left && tape.groups.is_empty()
    }
}

fn shown_group(name: &[u8], group: &mut Group) -> ShownGroup {
    group.walk = PendingWalk(Some(Box::new(PendingTape { from: Some(StreamId::MIN), saved: BTreeMap::new() })));
    let of = |(number, consumer): (u32, &super::Consumer)| ShownConsumer {
        number,
        name: Some(consumer.name().into()),
        seen_ms: consumer.seen_ms,
        active_ms: consumer.active_ms,
        pending: consumer.pending_len(),
        is_begun: false,
    };
    let mut consumers: VecDeque<_> = group.numbered_consumers().map(of).collect();
    let pending = group.released_len();
    if pending > 0 {
        let (number, is_begun) = (NOBODY, false);
        consumers.push_back(ShownConsumer { number, name: None, seen_ms: 0, active_ms: None, pending, is_begun });
    }
    ShownGroup {
        name: name.into(),
        last_id: group.last_id,
        entries_read: group.entries_read,
        pending: group.pending_len(),
        consumers,
        stage: Stage::Head,
        own: None,
        ids: BTreeMap::new(),
    }
}

impl ShownGroup {
    /// Shows the next parts of a group; says whether that was the last.
    fn walk_on(&mut self, group: &mut Group, room: &mut usize, show: &mut dyn FnMut(Element<'_>) -> usize) -> bool {
        match self.stage {
            Stage::Head => {
                let (last_id, entries_read, pending) = (self.last_id, self.entries_read, self.pending);
                *room = room.saturating_sub(show(Element::Group { name: &self.name, last_id, entries_read, pending }));
                self.stage = Stage::Pending;
            }
            Stage::Pending => match group.next_shown() {
                Some((id, Some(pending))) => {
                    self.ids.entry(pending.number()).or_default().push_back(id);
                    let (delivered_ms, deliveries) = (pending.delivered_ms, pending.deliveries);
                    *room = room.saturating_sub(show(Element::Pending { id, delivered_ms, deliveries }));
                }
                Some(_) => *room = room.saturating_sub(1),
                None => {
                    *room = room.saturating_sub(show(Element::Consumers(self.consumers.len())));
                    self.stage = Stage::Consumers;
                }
            },
            Stage::Consumers => {
                let Some(consumer) = self.consumers.front_mut() else { return true };
                if !std::mem::replace(&mut consumer.is_begun, true) {
                    *room = room.saturating_sub(show(Element::Consumer {
                        name: consumer.name.as_deref(),
                        seen_ms: consumer.seen_ms,
                        active_ms: consumer.active_ms,
                        pending: consumer.pending,
                    }));
                } else if let Some(id) = self.ids.get_mut(&consumer.number).and_then(VecDeque::pop_front) {
                    *room = room.saturating_sub(show(Element::ConsumerPending(id)));
                } else {
                    self.consumers.pop_front();
                }
            }
        }
        self.stage == Stage::Consumers && self.consumers.is_empty()
    }
}

impl Group {
    /// The next delivery of the walk, as it was: `None` inside for one that was not there, outside at the end.
    fn next_shown(&mut self) -> Option<(StreamId, Option<Pending>)> {
        let tape = self.walk.0.as_mut()?;
        let from = tape.from?;
        let own = self.pending_from(from);
        let tape = self.walk.0.as_mut()?;
        let saved = tape.saved.first_key_value().map(|(id, _)| *id);
        let next = match (saved, own) {
            (Some(saved), own) if own.is_none_or(|(own, _)| saved <= own) => tape.saved.pop_first(),
            (_, own) => own.map(|(id, pending)| (id, Some(pending))),
        };
        tape.from = next.and_then(|(id, _)| id.next());
        next
    }
}
