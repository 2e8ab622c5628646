//! A map from fields to values, each field perhaps with a deadline.

use crate::{Collection, Encoding, Kind, Object, Packing};
use ochre_collections::listpack::{Listpack, ListpackRef};

/// A map from fields to values, each field perhaps with a deadline.
#[derive(Clone)]
pub enum Hash {
    Packed(Listpack),
}

/// A borrowed Hash, to read.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    Packed(ListpackRef<'a>),
}

impl Hash {
    /// The earliest deadline of a field, Unix ms.
    pub fn earliest_deadline_ms(&self) -> Option<u64> {
        None
    }

    /// Removes the fields whose deadline has passed, naming each to `on_removed`; answers how many.
    pub fn remove_due_fields(&mut self, _now_ms: u64, _on_removed: &mut dyn FnMut(&[u8])) -> usize {
        0
    }
}

impl Collection for Hash {
    type Ref<'a> = HashRef<'a>;
    const KIND: Kind = Kind::Hash;

    fn new() -> Self {
        Hash::Packed(Listpack::new())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn as_ref(&self) -> HashRef<'_> {
        match self {
            Hash::Packed(pack) => HashRef::Packed(pack.view()),
        }
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
        }
    }

    fn len(&self) -> usize {
        match self {
            Hash::Packed(pack) => pack.len() / 2,
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Hash::Packed(_) => Encoding::Listpack,
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Hash::Packed(pack) => pack.memory_bytes(),
        }
    }
}
