//! Large collections shown piece by piece, as they were when the walk began, while they go on to change.

use crate::hash::Pair;
use crate::{Hash, Object, Set, SortedSet};
use ochre_collections::listpack::Item;
use ochre_collections::{Field, Member};

/// One element of a collection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element<'a> {
    Member(Item<'a>),
    Field(Pair<'a>),
    Scored(Item<'a>, f64),
}

/// What a walk is going to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkShape {
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
}

impl Object {
    /// Begins a walk through a collection in a table of at least `elements_min` elements. `None` for other objects.
    pub fn begin_walk(&mut self, elements_min: usize) -> Option<WalkShape> {
        match self {
            Object::Set(Set::Table(table)) if table.len() >= elements_min => {
                table.begin_walk(Member::new);
                Some(WalkShape::Set { members: table.len() })
            }
            Object::SortedSet(SortedSet::Tree(tree)) if tree.len() >= elements_min => {
                tree.begin_walk();
                Some(WalkShape::SortedSet { members: tree.len() })
            }
            Object::Hash(Hash::Table(fields)) if fields.table.len() >= elements_min => {
                fields.table.begin_walk(|field| Field::new(field.name(), field.value(), field.expiry_ms()));
                let earliest_ms = (fields.deadlines > 0).then(|| fields.table.earliest_deadline_ms());
                Some(WalkShape::Hash { fields: fields.table.len(), earliest_ms })
            }
            _ => None,
        }
    }

    /// Whether `begin_walk` would begin a walk.
    pub fn is_walkable(&self, elements_min: usize) -> bool {
        match self {
            Object::Set(Set::Table(table)) => table.len() >= elements_min,
            Object::SortedSet(SortedSet::Tree(tree)) => tree.len() >= elements_min,
            Object::Hash(Hash::Table(fields)) => fields.table.len() >= elements_min,
            _ => false,
        }
    }

    /// Whether a walk is on.
    pub fn is_walked(&self) -> bool {
        match self {
            Object::Set(Set::Table(table)) => table.is_walked(),
            Object::SortedSet(SortedSet::Tree(tree)) => tree.is_walked(),
            Object::Hash(Hash::Table(fields)) => fields.table.is_walked(),
            _ => false,
        }
    }

    /// Shows the next elements until `room` (what `show` answers, summed) is used up; says whether all have been shown.
    pub fn walk_on(&mut self, room: &mut usize, show: &mut dyn FnMut(Element<'_>) -> usize) -> bool {
        match self {
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
            Object::Set(Set::Table(table)) => table.end_walk(),
            Object::SortedSet(SortedSet::Tree(tree)) => tree.end_walk(),
            Object::Hash(Hash::Table(fields)) => fields.table.end_walk(),
            _ => {}
        }
    }

    /// A copy that the walk goes on with: this object is no longer walked. Takes time in proportion to the collection.
    pub fn split_walked(&mut self) -> Object {
        let mut copy = self.clone();
        match (self, &mut copy) {
            (Object::Set(Set::Table(own)), Object::Set(Set::Table(copy))) => own.hand_walk_to(copy),
            (Object::SortedSet(SortedSet::Tree(own)), Object::SortedSet(SortedSet::Tree(copy))) => {
                own.hand_walk_to(copy);
            }
            (Object::Hash(Hash::Table(own)), Object::Hash(Hash::Table(copy))) => {
                own.table.hand_walk_to(&mut copy.table)
            }
            _ => {}
        }
        copy
    }
}
