//! Large collections shown piece by piece, as they were when the walk began, while they go on to change.

use crate::hash::Pair;
use crate::stream::Totals;
use crate::{Hash, List, Object, Set, SortedSet, StreamId, WalkedText};
use ochre_collections::chunked::{NodeRef, Shown};
use ochre_collections::listpack::Item;
use ochre_collections::{Field, Member};

/// One element of a collection, or a part of a value.
#[derive(Clone, Copy)]
pub enum Element<'a> {
    Member(Item<'a>),
    Field(Pair<'a>),
    Scored(Item<'a>, f64),
    /// Elements of a list.
    Node(NodeRef<'a>),
    /// A part of a string, or of a long element of a list, which is `total` bytes long, from its byte `at` on.
    Part {
        bytes: &'a [u8],
        at: usize,
        total: usize,
    },
    /// Entries of a stream; behind them come the totals, then the groups. In each group there is what is pending, the number of
    /// consumers, then each of these with the ids of what is pending with it.
    StreamNode(StreamId, &'a [u8]),
    StreamTotals {
        totals: &'a Totals,
        groups: usize,
    },
    Group {
        name: &'a [u8],
        last_id: StreamId,
        entries_read: Option<u64>,
        pending: usize,
    },
    Pending {
        id: StreamId,
        delivered_ms: u64,
        deliveries: u64,
    },
    Consumers(usize),
    /// `name`: `None` for what belongs to nobody.
    Consumer {
        name: Option<&'a [u8]>,
        seen_ms: u64,
        active_ms: Option<u64>,
        pending: usize,
    },
    ConsumerPending(StreamId),
}

/// What a walk is going to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkShape {
    Text {
        bytes: usize,
    },
    List {
        nodes: usize,
    },
    Set {
        members: usize,
    },
    SortedSet {
        members: usize,
    },
    /// `earliest_ms`: no deadline of a field is before it; `None` when no field has one.
    Hash {
        fields: usize,
        earliest_ms: Option<u64>,
    },
    Stream {
        nodes: usize,
    },
}

/// A string is large from so many bytes on, for each element that makes a collection large.
const TEXT_BYTES_PER_ELEMENT: usize = 256;
/// A list or stream is large from one node on for so many elements that make a collection large.
const ELEMENTS_PER_NODE: usize = 64;

impl Object {
    /// Begins a walk through a collection of at least `elements_min` elements, or a value that is as large. `None` for other
    /// objects.
    pub fn begin_walk(&mut self, elements_min: usize) -> Option<WalkShape> {
        if !self.is_walkable(elements_min) {
            return None;
        }
        Some(match self {
            Object::String(bytes) => {
                let text = WalkedText::new(std::mem::take(bytes));
                let bytes = text.bytes().len();
                *self = Object::WalkedString(Box::new(text));
                WalkShape::Text { bytes }
            }
            Object::List(List::Chunked(list)) => WalkShape::List { nodes: list.begin_walk() },
            Object::Set(Set::Table(table)) => {
                table.begin_walk(Member::new);
                WalkShape::Set { members: table.len() }
            }
            Object::SortedSet(SortedSet::Tree(tree)) => {
                tree.begin_walk();
                WalkShape::SortedSet { members: tree.len() }
            }
            Object::Hash(Hash::Table(fields)) => {
                fields.table.begin_walk(|field| Field::new(field.name(), field.value(), field.expiry_ms()));
                let earliest_ms = (fields.deadlines > 0).then(|| fields.table.earliest_deadline_ms());
                WalkShape::Hash { fields: fields.table.len(), earliest_ms }
            }
            Object::Stream(stream) => WalkShape::Stream { nodes: stream.begin_walk() },
            _ => return None,
        })
    }

    /// Whether `begin_walk` would begin a walk.
    pub fn is_walkable(&self, elements_min: usize) -> bool {
        let bytes_min = elements_min.saturating_mul(TEXT_BYTES_PER_ELEMENT);
        let nodes_min = (elements_min / ELEMENTS_PER_NODE).max(1);
        match self {
            Object::String(bytes) => bytes.len() >= bytes_min,
            Object::List(List::Chunked(list)) => {
                list.nodes().len() >= nodes_min || list.memory_bytes_about() >= bytes_min
            }
            Object::Set(Set::Table(table)) => table.len() >= elements_min,
            Object::SortedSet(SortedSet::Tree(tree)) => tree.len() >= elements_min,
            Object::Hash(Hash::Table(fields)) => fields.table.len() >= elements_min,
            Object::Stream(stream) => stream.is_large(nodes_min, elements_min),
            _ => false,
        }
    }

    /// Whether a walk is on.
    pub fn is_walked(&self) -> bool {
        match self {
            Object::WalkedString(_) => true,
            Object::List(List::Chunked(list)) => list.is_walked(),
            Object::Set(Set::Table(table)) => table.is_walked(),
            Object::SortedSet(SortedSet::Tree(tree)) => tree.is_walked(),
            Object::Hash(Hash::Table(fields)) => fields.table.is_walked(),
            Object::Stream(stream) => stream.is_walked(),
            _ => false,
        }
    }

    /// Shows the next elements until `room` (what `show` answers, summed) is used up; says whether all have been shown.
    pub fn walk_on(&mut self, room: &mut usize, show: &mut dyn FnMut(Element<'_>) -> usize) -> bool {
        match self {
            Object::WalkedString(text) => {
                text.walk_on(room, &mut |bytes, at, total| show(Element::Part { bytes, at, total }))
            }
            Object::List(List::Chunked(list)) => list.walk_on(room, &mut |shown| match shown {
                Shown::Node(node) => show(Element::Node(node)),
                Shown::Part { bytes, at, total } => show(Element::Part { bytes, at, total }),
            }),
            Object::Stream(stream) => stream.walk_on(room, show),
            Object::Set(Set::Table(table)) => {
                table.walk_on(room, &mut |member| show(Element::Member(Item::Bytes(member))))
            }
            Object::SortedSet(SortedSet::Tree(tree)) => {
                tree.walk_on(room, &mut |scored| show(Element::Scored(Item::Bytes(scored.member()), scored.score())))
            }
            Object::Hash(Hash::Table(fields)) => {
                let pair = |field: ochre_collections::FieldRef<'_>| {
                    let (name, value) = (Item::Bytes(field.name()), Item::Bytes(field.value()));
                    show(Element::Field(Pair { name, value, deadline_ms: field.expiry_ms() }))
                };
                let mut pair = pair;
                fields.table.walk_on(room, &mut pair)
            }
            _ => true,
        }
    }

    /// Ends the walk.
    pub fn end_walk(&mut self) {
        match self {
            Object::WalkedString(_) => {
                let walked = std::mem::replace(self, Object::String(Vec::new()));
                if let Object::WalkedString(text) = walked {
                    *self = Object::String(text.into_bytes());
                }
            }
            Object::List(List::Chunked(list)) => list.end_walk(),
            Object::Stream(stream) => stream.end_walk(),
            Object::Set(Set::Table(table)) => table.end_walk(),
            Object::SortedSet(SortedSet::Tree(tree)) => tree.end_walk(),
            Object::Hash(Hash::Table(fields)) => fields.table.end_walk(),
            _ => {}
        }
    }
}
