//! A set of strings.

use crate::{Collection, Encoding, Kind, Object, Packing};
use ochre_collections::listpack::{Listpack, ListpackRef};

/// A set of strings.
#[derive(Clone)]
pub enum Set {
    Packed(Listpack),
}

/// A borrowed Set, to read.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    Packed(ListpackRef<'a>),
}

impl Collection for Set {
    type Ref<'a> = SetRef<'a>;
    const KIND: Kind = Kind::Set;

    fn new() -> Self {
        Set::Packed(Listpack::new())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn as_ref(&self) -> SetRef<'_> {
        match self {
            Set::Packed(pack) => SetRef::Packed(pack.view()),
        }
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
        (packing == Packing::SetListpack).then(|| SetRef::Packed(ListpackRef::new(bytes)))
    }

    fn unpack(packing: Packing, bytes: &[u8]) -> Option<Self> {
        (packing == Packing::SetListpack).then(|| Set::Packed(Listpack::from_bytes(bytes)))
    }

    fn pack(&self) -> Option<(Packing, &[u8])> {
        match self {
            Set::Packed(pack) => Some((Packing::SetListpack, pack.as_bytes())),
        }
    }

    fn len(&self) -> usize {
        match self {
            Set::Packed(pack) => pack.len(),
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Set::Packed(_) => Encoding::Listpack,
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Set::Packed(pack) => pack.memory_bytes(),
        }
    }
}
