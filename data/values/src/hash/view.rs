//! Reading a hash in place, whatever its encoding.
//!
//! Functions that take the time `now_ms` pass over fields whose deadline has come by then; 0 shows all (a replica does so).

use super::Fields;
use ochre_collections::listpack::{Item, ListpackRef, Pairs};
use ochre_collections::{Field, FieldRef, hash};

/// A borrowed hash, to read. Copying it copies the reference.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    /// Name and value by turns in a packed list.
    Packed(ListpackRef<'a>),
    /// Fields in a hash table.
    Table(&'a Fields),
}

/// A field with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    pub name: Item<'a>,
    pub value: Item<'a>,
    /// When the field expires, Unix time in ms.
    pub deadline_ms: Option<u64>,
}

impl<'a> Pair<'a> {
    #[inline]
    pub(super) fn of(field: FieldRef<'a>) -> Pair<'a> {
        Pair { name: Item::Bytes(field.name()), value: Item::Bytes(field.value()), deadline_ms: field.expiry_ms() }
    }

    /// Whether the field is visible at `now_ms`.
    #[inline]
    pub fn lives(&self, now_ms: u64) -> bool {
        self.deadline_ms.is_none_or(|deadline| deadline > now_ms)
    }
}

impl<'a> HashRef<'a> {
    /// Number of fields, those included that are due but not removed yet.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            HashRef::Packed(pack) => pack.len() / 2,
            HashRef::Table(fields) => fields.table.len(),
        }
    }

    /// Whether there is no field.
    #[inline]
    pub fn is_empty(self) -> bool {
        match self {
            HashRef::Packed(pack) => pack.is_empty(),
            HashRef::Table(fields) => fields.table.is_empty(),
        }
    }

    /// Number of fields with a deadline.
    pub fn deadlines(self) -> usize {
        match self {
            HashRef::Packed(_) => 0,
            HashRef::Table(fields) => fields.deadlines,
        }
    }

    /// Whether the deadline of some field may have come; if not, all fields live.
    #[inline]
    pub fn may_be_due(self, now_ms: u64) -> bool {
        match self {
            HashRef::Packed(_) => false,
            HashRef::Table(fields) => fields.deadlines > 0 && fields.table.earliest_deadline_ms() <= now_ms,
        }
    }

    /// Number of fields that live. O(1) unless some may be due.
    pub fn living_len(self, now_ms: u64) -> usize {
        if self.may_be_due(now_ms) { self.living(now_ms).count() } else { self.len() }
    }

    /// The value of the field `name`: O(1) in a table, O(n) in a packed list.
    #[inline]
    pub fn get(self, name: &[u8], now_ms: u64) -> Option<Item<'a>> {
        match self {
            HashRef::Packed(pack) => pack.find_pair(name).map(|(_, at)| pack.at(at)),
            HashRef::Table(fields) => {
                let field = fields.table.get(hash(name), name)?;
                field.expiry_ms().is_none_or(|deadline| deadline > now_ms).then(|| Item::Bytes(field.value()))
            }
        }
    }

    /// As `get`, with the field's deadline.
    pub fn pair(self, name: &'a [u8], now_ms: u64) -> Option<Pair<'a>> {
        match self {
            HashRef::Packed(pack) => {
                let (_, at) = pack.find_pair(name)?;
                Some(Pair { name: Item::Bytes(name), value: pack.at(at), deadline_ms: None })
            }
            HashRef::Table(fields) => {
                let pair = Pair::of(fields.table.get(hash(name), name)?);
                pair.lives(now_ms).then_some(pair)
            }
        }
    }

    /// All fields in an order of the hash's own, due ones included.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        match self {
            HashRef::Packed(pack) => Iter::Packed(pack.iter_pairs()),
            HashRef::Table(fields) => Iter::Table(fields.table.iter()),
        }
    }

    /// The fields that live.
    #[inline]
    pub fn living(self, now_ms: u64) -> Living<'a> {
        Living { fields: self.iter(), now_ms }
    }

    /// Visits some living fields from `cursor` on and returns the cursor for the next call; begin with 0, which also means the end.
    ///
    /// A packed list is visited as a whole. In a table it is one bucket, so that every field that is there from the first
    /// call to the last is visited at least once.
    pub fn scan(self, cursor: u64, now_ms: u64, visit: &mut dyn FnMut(Pair<'_>)) -> u64 {
        match self {
            HashRef::Table(fields) => fields.table.scan(cursor, &mut |field| {
                let pair = Pair::of(field);
                if pair.lives(now_ms) {
                    visit(pair);
                }
            }),
            HashRef::Packed(_) => {
                self.iter().for_each(visit);
                0
            }
        }
    }
}

/// All fields of a hash.
pub enum Iter<'a> {
    Packed(Pairs<'a>),
    Table(ochre_collections::Iter<'a, Field>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        match self {
            Iter::Packed(pairs) => pairs.next().map(|(name, value)| Pair { name, value, deadline_ms: None }),
            Iter::Table(fields) => fields.next().map(Pair::of),
        }
    }
}

/// The fields of a hash that live.
pub struct Living<'a> {
    fields: Iter<'a>,
    now_ms: u64,
}

impl<'a> Iterator for Living<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        self.fields.by_ref().find(|pair| pair.lives(self.now_ms))
    }
}
