//! A hash: a map from fields to values, each field perhaps with a deadline; a packed list of pairs, or a hash table.
//!
//! A hash begins as a packed list. It becomes a table when a limit or the first deadline asks for it, and stays one, as in Valkey
//! 9. A field whose deadline has passed is invisible to whoever asks with the time, and a write over it starts a new life; it is
//! counted in `len` until `remove_due_fields` takes it out.

mod change;
mod due;
mod restore;
mod sample;
#[cfg(test)]
mod tests;
mod view;

pub use change::{Before, Deadline};
pub use view::{HashRef, Iter, Living, Pair};

use crate::{Collection, Encoding, Kind, Object, Packing};
use ochre_collections::listpack::{Listpack, ListpackRef};
use ochre_collections::{Field, FieldRef, Table, hash};

/// A map from fields to values, each field perhaps with a deadline.
#[derive(Clone)]
pub enum Hash {
    /// Few short fields without deadlines, name and value by turns in the order in which they came: `listpack`.
    Packed(Listpack),
    /// Any fields: `hashtable`.
    Table(Box<Fields>),
}

/// The fields of a hash in a table.
///
/// Invariants: `deadlines` is the number of fields with one, and the table has noted them all.
#[derive(Default)]
pub struct Fields {
    pub(crate) table: Table<Field>,
    pub(crate) deadlines: usize,
    /// Where the next search for due fields goes on.
    resume: u64,
}

impl Fields {
    fn with_capacity(fields: usize) -> Fields {
        Fields { table: Table::with_capacity(fields), deadlines: 0, resume: 0 }
    }

    /// Adds a field that is not there yet.
    fn insert_new(&mut self, name: &[u8], value: &[u8], deadline_ms: Option<u64>) {
        let hash = hash(name);
        self.table.insert_new(hash, Field::new(name, value, deadline_ms));
        if let Some(deadline_ms) = deadline_ms {
            self.deadlines += 1;
            self.table.note_deadline(hash, deadline_ms);
        }
    }
}

impl Clone for Fields {
    fn clone(&self) -> Fields {
        let mut copy = Fields::with_capacity(self.table.len());
        for field in self.table.iter() {
            copy.insert_new(field.name(), field.value(), field.expiry_ms());
        }
        copy
    }
}

impl Hash {
    /// The hash for reading.
    #[inline]
    pub fn view(&self) -> HashRef<'_> {
        match self {
            Hash::Packed(pack) => HashRef::Packed(pack.view()),
            Hash::Table(fields) => HashRef::Table(fields),
        }
    }
}

impl Collection for Hash {
    type Ref<'a> = HashRef<'a>;
    const KIND: Kind = Kind::Hash;

    fn new() -> Self {
        Hash::Packed(Listpack::new())
    }

    fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    fn as_ref(&self) -> HashRef<'_> {
        self.view()
    }

    fn into_object(self) -> Object {
        Object::Hash(self)
    }

    fn from_object(object: Object) -> Result<Self, Object> {
        match object {
            Object::Hash(value) => Ok(value),
            other => Err(other),
        }
    }

    fn in_object(object: &Object) -> Option<&Self> {
        match object {
            Object::Hash(value) => Some(value),
            _ => None,
        }
    }

    fn in_object_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Hash(value) => Some(value),
            _ => None,
        }
    }

    fn packed_ref(packing: Packing, bytes: &[u8]) -> Option<HashRef<'_>> {
        (packing == Packing::Hash).then(|| HashRef::Packed(ListpackRef::new(bytes)))
    }

    fn unpack(packing: Packing, bytes: &[u8]) -> Option<Self> {
        (packing == Packing::Hash).then(|| Hash::Packed(Listpack::from_bytes(bytes)))
    }

    fn pack(&self) -> Option<(Packing, &[u8])> {
        match self {
            Hash::Packed(pack) => Some((Packing::Hash, pack.as_bytes())),
            Hash::Table(_) => None,
        }
    }

    #[inline]
    fn next_expiry_ms(&self) -> Option<u64> {
        Hash::next_expiry_ms(self)
    }

    fn len(&self) -> usize {
        self.view().len()
    }

    fn encoding(&self) -> Encoding {
        match self {
            Hash::Packed(_) => Encoding::Listpack,
            Hash::Table(_) => Encoding::Hashtable,
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Hash::Packed(pack) => pack.memory_bytes(),
            // As in the peers a sample stands for all, so that asking does not cost a walk over a large hash.
            Hash::Table(fields) => {
                let table = &fields.table;
                let sampled: usize = table.iter().take(SAMPLED).map(FieldRef::memory_bytes).sum();
                let all = sampled * table.len() / table.len().clamp(1, SAMPLED);
                size_of::<Fields>() + table.memory_bytes() + all
            }
        }
    }
}

/// Number of fields from which the size of all is told.
const SAMPLED: usize = 64;
