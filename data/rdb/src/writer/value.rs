//! Values in the types of a dialect, at once or piece by piece.

use super::Writer;
use crate::build::{PACKED, PLAIN};
use crate::format::{Dialect, MODULE_TEXT, STRUCTURED, kind};
use ochre_collections::View;
use ochre_collections::chunked::NodeRef;
use ochre_collections::listpack::{Item, ListpackRef};
use ochre_values::hash::{HashRef, Pair};
use ochre_values::list::ListRef;
use ochre_values::set::SetRef;
use ochre_values::sorted_set::SortedSetRef;
use ochre_values::{Collection, Object, Packing, StreamId};

/// A large value that is written piece by piece, and of how many pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// [`Writer::part`] for each part.
    Text,
    /// [`Writer::node`] for each node, or [`Writer::node_part`] for each part of one.
    List { nodes: usize },
    /// [`Writer::member`] for each member.
    Set { members: usize },
    /// [`Writer::scored`] for each member, best in descending order: peers read that fastest.
    SortedSet { members: usize },
    /// [`Writer::field`] for each field, none of which has a deadline.
    Hash { fields: usize },
    /// [`Writer::field`] for each field. No deadline is before `earliest_ms`.
    HashWithDeadlines { fields: usize, earliest_ms: u64 },
    /// [`Writer::stream_node`] for each node, then [`Writer::stream_end`].
    Stream { nodes: usize },
}

impl Shape {
    pub(super) fn kind(self, dialect: Dialect) -> u8 {
        match self {
            Shape::Text => kind::STRING,
            Shape::List { .. } => kind::LIST_NODES,
            Shape::Set { .. } => kind::SET,
            Shape::SortedSet { .. } => kind::SORTED_SET,
            Shape::Hash { .. } => kind::HASH,
            Shape::HashWithDeadlines { .. } if dialect == Dialect::Valkey9 => kind::HASH_2,
            Shape::HashWithDeadlines { .. } => kind::HASH_DUE,
            Shape::Stream { .. } if dialect.has_types_of_7_2() => kind::STREAM_3,
            Shape::Stream { .. } => kind::STREAM_2,
        }
    }
}

/// Longer texts that come in parts are not compressed: what is packed waits in memory until its length is known.
const TEXT_PACKED_MAX: usize = 64 << 20;

/// How a value is written.
enum Form<'a> {
    Int(i64),
    Text(&'a [u8]),
    /// The bytes of a packed value, as a text.
    Packed(u8, &'a [u8]),
    /// A nested value with types.
    Structured(&'a [u8]),
    /// Element by element.
    Pieces(Shape),
}

impl Writer {
    /// The number of the type in which a value is written.
    pub(super) fn kind_of(&self, view: View<'_, Object>) -> u8 {
        match form_of(view, self.dialect) {
            Form::Int(_) | Form::Text(_) => kind::STRING,
            Form::Packed(kind, _) => kind,
            Form::Structured(_) => kind::MODULE,
            Form::Pieces(shape) => shape.kind(self.dialect),
        }
    }

    /// The value alone.
    pub(super) fn value(&mut self, view: View<'_, Object>) {
        let shape = match form_of(view, self.dialect) {
            Form::Int(value) => return self.int(value),
            Form::Text(text) => return self.text(text),
            Form::Packed(_, bytes) => return self.text(bytes),
            Form::Structured(bytes) => return self.structured(bytes),
            Form::Pieces(shape) => shape,
        };
        self.begin(shape);
        match view {
            View::Object(Object::List(list)) => self.list(list.view()),
            View::Object(Object::Set(set)) => self.set(set.view()),
            View::Object(Object::SortedSet(set)) => self.sorted_set(set.as_ref()),
            View::Object(Object::Hash(hash)) => hash.view().iter().for_each(|pair| self.field(pair)),
            View::Object(Object::Stream(stream)) => {
                stream.node_bytes().for_each(|(id, bytes)| self.stream_node(id, bytes));
                self.stream_end(stream);
            }
            View::Packed { kind, bytes } => match Packing::from_byte(kind) {
                Some(Packing::List) => self.list(ListRef::Packed(ListpackRef::new(bytes))),
                _ => self.set(SetRef::Packed(ListpackRef::new(bytes))),
            },
            _ => unreachable!("other forms are not written in pieces"),
        }
    }

    fn structured(&mut self, bytes: &[u8]) {
        self.length(STRUCTURED);
        self.length(MODULE_TEXT);
        self.text(bytes);
        self.length(0);
    }

    fn list(&mut self, list: ListRef<'_>) {
        match list {
            ListRef::Packed(pack) => self.node(NodeRef::Packed(pack)),
            ListRef::Chunked(chunked) => chunked.nodes().for_each(|node| self.node(node)),
        }
    }

    fn set(&mut self, set: SetRef<'_>) {
        set.iter().for_each(|member| self.member(member));
    }

    fn sorted_set(&mut self, set: SortedSetRef<'_>) {
        for member in set.range_rev(0..set.len()) {
            self.scored(member.member, member.score());
        }
    }

    /// What stands before the elements.
    pub(super) fn begin(&mut self, shape: Shape) {
        let count = match shape {
            Shape::Text => return,
            Shape::List { nodes } | Shape::Stream { nodes } => nodes,
            Shape::Set { members } | Shape::SortedSet { members } => members,
            Shape::Hash { fields } => fields,
            Shape::HashWithDeadlines { fields, earliest_ms } => {
                self.earliest_ms = Some(earliest_ms);
                if self.dialect != Dialect::Valkey9 {
                    self.time_ms(earliest_ms as i64);
                }
                fields
            }
        };
        if !matches!(shape, Shape::HashWithDeadlines { .. }) {
            self.earliest_ms = None;
        }
        self.length(count as u64);
    }

    /// A node of a list.
    pub fn node(&mut self, node: NodeRef<'_>) {
        match node {
            NodeRef::Packed(pack) => {
                self.length(PACKED);
                self.text(pack.as_bytes());
            }
            NodeRef::Plain(text) => {
                self.length(PLAIN);
                self.text(text);
            }
        }
    }

    /// A part of a text that is `total` bytes long, from its byte `at` on. A text that is not too long is compressed if its first
    /// part can be; it waits apart until its last part has come.
    pub fn part(&mut self, bytes: &[u8], at: usize, total: usize) {
        if at == 0 {
            let mut packed = Vec::new();
            let is_packed = self.compresses && total <= TEXT_PACKED_MAX && self.compressor.compress(bytes, &mut packed);
            self.packed = is_packed.then_some(packed);
            if !is_packed {
                self.length(total as u64);
            }
        } else if let Some(packed) = &mut self.packed {
            self.compressor.compress_or_copy(bytes, packed);
        }
        match self.packed.take() {
            None => self.out.extend_from_slice(bytes),
            Some(packed) if at + bytes.len() < total => self.packed = Some(packed),
            Some(packed) => {
                self.packed_head(packed.len(), total);
                self.out.extend_from_slice(&packed);
            }
        }
    }

    /// A part of an element that is a node of its own.
    pub fn node_part(&mut self, bytes: &[u8], at: usize, total: usize) {
        if at == 0 {
            self.length(PLAIN);
        }
        self.part(bytes, at, total);
    }

    /// A member of a set.
    pub fn member(&mut self, member: Item<'_>) {
        self.item(member);
    }

    /// A member of a sorted set.
    pub fn scored(&mut self, member: Item<'_>, score: f64) {
        self.item(member);
        self.out.extend_from_slice(&score.to_le_bytes());
    }

    /// A field of a hash.
    pub fn field(&mut self, pair: Pair<'_>) {
        let before = self.earliest_ms.filter(|_| self.dialect != Dialect::Valkey9);
        if let Some(earliest_ms) = before {
            // Counted from one less than the earliest, so that 0 is free to mean none.
            self.length(pair.deadline_ms.map_or(0, |deadline| deadline.saturating_sub(earliest_ms) + 1));
        }
        self.item(pair.name);
        self.item(pair.value);
        if self.earliest_ms.is_some() && before.is_none() {
            self.time_ms(pair.deadline_ms.map_or(-1, |deadline| deadline as i64));
        }
    }

    /// A node of a stream: the id that it is known by, and its bytes.
    pub fn stream_node(&mut self, id: StreamId, bytes: &[u8]) {
        self.text(&id.to_be_bytes());
        self.text(bytes);
    }
}

fn form_of(view: View<'_, Object>, dialect: Dialect) -> Form<'_> {
    match view {
        View::Int(value) => Form::Int(value),
        View::Str { bytes, .. } => Form::Text(bytes),
        View::Packed { kind, bytes } => {
            packed(Packing::from_byte(kind).expect("entries hold known packings"), bytes, dialect)
        }
        View::Object(Object::String(bytes)) => Form::Text(bytes),
        View::Object(Object::WalkedString(text)) => Form::Text(text.bytes()),
        View::Object(Object::List(list)) => {
            let nodes = match list.view() {
                ListRef::Packed(_) => 1,
                ListRef::Chunked(chunked) => chunked.nodes().len(),
            };
            Form::Pieces(Shape::List { nodes })
        }
        View::Object(Object::Set(set)) => match set.pack() {
            Some((packing, bytes)) => packed(packing, bytes, dialect),
            None => Form::Pieces(Shape::Set { members: set.len() }),
        },
        View::Object(Object::SortedSet(set)) => match set.pack() {
            Some((packing, bytes)) => packed(packing, bytes, dialect),
            None => Form::Pieces(Shape::SortedSet { members: set.len() }),
        },
        View::Object(Object::Hash(hash)) => match hash.pack() {
            Some((packing, bytes)) => packed(packing, bytes, dialect),
            None => Form::Pieces(shape_of_hash(hash.view())),
        },
        View::Object(Object::Structured(bytes)) => Form::Structured(bytes),
        View::Object(Object::Stream(stream)) => Form::Pieces(Shape::Stream { nodes: stream.nodes() }),
    }
}

fn packed(packing: Packing, bytes: &[u8], dialect: Dialect) -> Form<'_> {
    match packing {
        Packing::List => Form::Pieces(Shape::List { nodes: 1 }),
        Packing::SetListpack if dialect.has_types_of_7_2() => Form::Packed(kind::SET_LISTPACK, bytes),
        Packing::SetListpack => Form::Pieces(Shape::Set { members: ListpackRef::new(bytes).len() }),
        Packing::SetIntset => Form::Packed(kind::SET_INTSET, bytes),
        Packing::Hash => Form::Packed(kind::HASH_LISTPACK, bytes),
        Packing::SortedSet => Form::Packed(kind::SORTED_SET_LISTPACK, bytes),
    }
}

fn shape_of_hash(hash: HashRef<'_>) -> Shape {
    let fields = hash.len();
    if hash.deadlines() == 0 {
        return Shape::Hash { fields };
    }
    let earliest_ms = hash.iter().filter_map(|pair| pair.deadline_ms).min().unwrap_or(0);
    Shape::HashWithDeadlines { fields, earliest_ms }
}
