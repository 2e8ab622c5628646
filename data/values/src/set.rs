//! A set of strings: a sorted row of integers, a packed list, or a hash table.
//!
//! A set begins in the smallest encoding that its first member allows and changes to a larger one when a member or a limit asks for it:
//! integers → packed list → table, or integers → table. It goes back only where a command builds the set anew.

mod change;
pub mod combine;
mod restore;
mod sample;
#[cfg(test)]
mod tests;
mod view;

pub use view::{Iter, Probe, SetRef};

use crate::{Collection, Encoding, Kind, Limits, Object, Packing};
use ochre_collections::listpack::{Item, Listpack, ListpackRef};
use ochre_collections::{IntSet, IntSetRef, Member, Table};

/// A set of strings.
pub enum Set {
    /// Integers alone, in ascending order: `intset`.
    Ints(IntSet),
    /// Few short members in the order in which they came: `listpack`.
    Packed(Listpack),
    /// Any members: `hashtable`.
    Table(Box<Table<Member>>),
}

impl Set {
    /// An empty set in the encoding that suits `count` members (as far as the caller knows) of which this is the first.
    pub fn for_members(first: &[u8], count: usize, limits: &Limits) -> Set {
        if count <= limits.set_max_intset_entries && matches!(Item::from_text(first), Item::Int(_)) {
            Set::Ints(IntSet::new())
        } else if count <= limits.set_max_listpack_entries {
            Set::Packed(Listpack::new())
        } else {
            Set::Table(Box::new(Table::new()))
        }
    }

    /// The set for reading.
    #[inline]
    pub fn view(&self) -> SetRef<'_> {
        match self {
            Set::Ints(ints) => SetRef::Ints(ints.view()),
            Set::Packed(pack) => SetRef::Packed(pack.view()),
            Set::Table(table) => SetRef::Table(table),
        }
    }

    /// Whether `member` is in the set.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.view().contains(member)
    }

    /// The members in an order of the set's own.
    pub fn iter(&self) -> Iter<'_> {
        self.view().iter()
    }
}

impl Clone for Set {
    fn clone(&self) -> Set {
        match self {
            Set::Ints(ints) => Set::Ints(ints.clone()),
            Set::Packed(pack) => Set::Packed(pack.clone()),
            Set::Table(table) => {
                let mut copy = Table::with_capacity(table.len());
                for member in table.iter() {
                    copy.insert_new(ochre_collections::hash(member), Member::new(member));
                }
                Set::Table(Box::new(copy))
            }
        }
    }
}

impl Collection for Set {
    type Ref<'a> = SetRef<'a>;
    const KIND: Kind = Kind::Set;

    fn new() -> Self {
        Set::Ints(IntSet::new())
    }

    fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    fn as_ref(&self) -> SetRef<'_> {
        self.view()
    }

    fn into_object(self) -> Object {
        Object::Set(self)
    }

    fn from_object(object: Object) -> Result<Self, Object> {
        match object {
            Object::Set(value) => Ok(value),
            other => Err(other),
        }
    }

    fn in_object(object: &Object) -> Option<&Self> {
        match object {
            Object::Set(value) => Some(value),
            _ => None,
        }
    }

    fn in_object_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Set(value) => Some(value),
            _ => None,
        }
    }

    fn packed_ref(packing: Packing, bytes: &[u8]) -> Option<SetRef<'_>> {
        match packing {
            Packing::SetIntset => Some(SetRef::Ints(IntSetRef::new(bytes))),
            Packing::SetListpack => Some(SetRef::Packed(ListpackRef::new(bytes))),
            _ => None,
        }
    }

    fn unpack(packing: Packing, bytes: &[u8]) -> Option<Self> {
        match packing {
            Packing::SetIntset => Some(Set::Ints(IntSet::from_bytes(bytes))),
            Packing::SetListpack => Some(Set::Packed(Listpack::from_bytes(bytes))),
            _ => None,
        }
    }

    fn pack(&self) -> Option<(Packing, &[u8])> {
        match self {
            Set::Ints(ints) => Some((Packing::SetIntset, ints.as_bytes())),
            Set::Packed(pack) => Some((Packing::SetListpack, pack.as_bytes())),
            Set::Table(_) => None,
        }
    }

    fn len(&self) -> usize {
        self.view().len()
    }

    fn encoding(&self) -> Encoding {
        self.view().encoding()
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.memory_bytes(),
            Set::Packed(pack) => pack.memory_bytes(),
            // As in the peers a sample stands for all, so that asking does not cost a walk over a large set.
            Set::Table(table) => {
                let sampled: usize = table.iter().take(SAMPLED).map(Member::memory_bytes_of).sum();
                let members = sampled * table.len() / table.len().clamp(1, SAMPLED);
                size_of::<Table<Member>>() + table.memory_bytes() + members
            }
        }
    }
}

/// Number of members from which the size of all is told.
const SAMPLED: usize = 64;
