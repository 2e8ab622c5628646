//! Members ordered by score, then by bytes.

use crate::{Collection, Encoding, Kind, Object, Packing};
use ochre_collections::listpack::{Listpack, ListpackRef};

/// Members ordered by score, then by bytes.
#[derive(Clone)]
pub enum SortedSet {
    Packed(Listpack),
}

/// A borrowed SortedSet, to read.
#[derive(Clone, Copy)]
pub enum SortedSetRef<'a> {
    Packed(ListpackRef<'a>),
}

impl Collection for SortedSet {
    type Ref<'a> = SortedSetRef<'a>;
    const KIND: Kind = Kind::SortedSet;

    fn new() -> Self {
        SortedSet::Packed(Listpack::new())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn as_ref(&self) -> SortedSetRef<'_> {
        match self {
            SortedSet::Packed(pack) => SortedSetRef::Packed(pack.view()),
        }
    }

    fn into_object(self) -> Object {
        Object::SortedSet(self)
    }

    fn from_object(object: Object) -> Result<Self, Object> {
        match object {
            Object::SortedSet(value) => Ok(value),
            other => Err(other),
        }
    }

    fn in_object(object: &Object) -> Option<&Self> {
        match object {
            Object::SortedSet(value) => Some(value),
            _ => None,
        }
    }

    fn in_object_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::SortedSet(value) => Some(value),
            _ => None,
        }
    }

    fn packed_ref(packing: Packing, bytes: &[u8]) -> Option<SortedSetRef<'_>> {
        (packing == Packing::SortedSet).then(|| SortedSetRef::Packed(ListpackRef::new(bytes)))
    }

    fn unpack(packing: Packing, bytes: &[u8]) -> Option<Self> {
        (packing == Packing::SortedSet).then(|| SortedSet::Packed(Listpack::from_bytes(bytes)))
    }

    fn pack(&self) -> Option<(Packing, &[u8])> {
        match self {
            SortedSet::Packed(pack) => Some((Packing::SortedSet, pack.as_bytes())),
        }
    }

    fn len(&self) -> usize {
        match self {
            SortedSet::Packed(pack) => pack.len() / 2,
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            SortedSet::Packed(_) => Encoding::Listpack,
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            SortedSet::Packed(pack) => pack.memory_bytes(),
        }
    }
}
