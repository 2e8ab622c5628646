//! Reading a set in place, whatever its encoding.

use crate::Encoding;
use ochre_collections::listpack::{self, INTEGER_TEXT_MAX, Item, ListpackRef};
use ochre_collections::{IntSetRef, Member, Random, Table, hash, intset};

/// A borrowed set, to read. Copying it copies the reference.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    /// Integers in ascending order.
    Ints(IntSetRef<'a>),
    /// Members in a packed list.
    Packed(ListpackRef<'a>),
    /// Members in a hash table.
    Table(&'a Table<Member>),
}

impl<'a> SetRef<'a> {
    /// Number of members.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            SetRef::Ints(ints) => ints.len(),
            SetRef::Packed(pack) => pack.len(),
            SetRef::Table(table) => table.len(),
        }
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The encoding that OBJECT ENCODING names.
    pub fn encoding(self) -> Encoding {
        match self {
            SetRef::Ints(_) => Encoding::Intset,
            SetRef::Packed(_) => Encoding::Listpack,
            SetRef::Table(_) => Encoding::Hashtable,
        }
    }

    /// Whether `member` is in the set: O(1) in a table, O(log n) among integers, O(n) in a packed list.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Ints(ints) => match Item::from_text(member) {
                Item::Int(value) => ints.contains(value),
                Item::Bytes(_) => false,
            },
            SetRef::Packed(pack) => pack.find(member, 0).is_some(),
            SetRef::Table(table) => table.get(hash(member), member).is_some(),
        }
    }

    /// As `contains`, for a member that is looked for in several sets.
    #[inline]
    pub fn has(self, probe: &mut Probe<'_>) -> bool {
        match self {
            SetRef::Ints(ints) => probe.item.as_int().is_some_and(|value| ints.contains(value)),
            SetRef::Packed(pack) => pack.find(probe.text(), 0).is_some(),
            SetRef::Table(table) => {
                let hash = probe.hash();
                table.get(hash, probe.text()).is_some()
            }
        }
    }

    /// The members in an order of the set's own: ascending, as they came, or by hash.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        match self {
            SetRef::Ints(ints) => Iter::Ints(ints.iter()),
            SetRef::Packed(pack) => Iter::Packed(pack.iter()),
            SetRef::Table(table) => Iter::Table(table.iter()),
        }
    }

    /// A member by chance, each as likely as the others (in large tables but for a few percent); `None` in an empty set.
    pub fn random(self, random: &mut Random) -> Option<Item<'a>> {
        match self {
            SetRef::Ints(ints) => ints.random(random.next()).map(Item::Int),
            SetRef::Packed(pack) => pack.get(random.below(pack.len()) as isize),
            SetRef::Table(table) => table.random(random.next()).map(Item::Bytes),
        }
    }

    /// Visits some members from `cursor` on and returns the cursor for the next call; begin with 0, which also means the end.
    ///
    /// Small encodings are visited as a whole. In a table it is one bucket, so that every member that is there from the first
    /// call to the last is visited at least once.
    pub fn scan(self, cursor: u64, visit: &mut dyn FnMut(Item<'_>)) -> u64 {
        match self {
            SetRef::Table(table) => table.scan(cursor, &mut |member| visit(Item::Bytes(member))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }
}

impl<'a> IntoIterator for SetRef<'a> {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The members of a set.
pub enum Iter<'a> {
    Ints(intset::Iter<'a>),
    Packed(listpack::Iter<'a>),
    Table(ochre_collections::Iter<'a, Member>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Iter::Ints(ints) => ints.next().map(Item::Int),
            Iter::Packed(items) => items.next(),
            Iter::Table(members) => members.next().map(Item::Bytes),
        }
    }
}

/// A member that is looked for in several sets: its text is written and hashed at most once.
pub struct Probe<'a> {
    item: Item<'a>,
    buffer: [u8; INTEGER_TEXT_MAX],
    hash: Option<u64>,
}

impl<'a> Probe<'a> {
    /// A probe for the member that `item` is.
    #[inline]
    pub fn new(item: Item<'a>) -> Probe<'a> {
        Probe { item, buffer: [0; INTEGER_TEXT_MAX], hash: None }
    }

    /// The member as it was given.
    #[inline]
    pub fn item(&self) -> Item<'a> {
        self.item
    }

    /// The member's text.
    #[inline]
    pub fn text(&mut self) -> &[u8] {
        self.item.as_bytes(&mut self.buffer)
    }

    #[inline]
    fn hash(&mut self) -> u64 {
        if let Some(known) = self.hash {
            return known;
        }
        let computed = hash(self.text());
        self.hash = Some(computed);
        computed
    }
}
