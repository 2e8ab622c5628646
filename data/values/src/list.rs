//! A list of strings, pushed and popped at both ends.

use crate::{Collection, Encoding, Kind, Object, Packing};
use ochre_collections::listpack::{Listpack, ListpackRef};

/// A list of strings, pushed and popped at both ends.
#[derive(Clone)]
pub enum List {
    Packed(Listpack),
}

/// A borrowed List, to read.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    Packed(ListpackRef<'a>),
}

impl Collection for List {
    type Ref<'a> = ListRef<'a>;
    const KIND: Kind = Kind::List;

    fn new() -> Self {
        List::Packed(Listpack::new())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn as_ref(&self) -> ListRef<'_> {
        match self {
            List::Packed(pack) => ListRef::Packed(pack.view()),
        }
    }

    fn into_object(self) -> Object {
        Object::List(self)
    }

    fn from_object(object: Object) -> Result<Self, Object> {
        match object {
            Object::List(value) => Ok(value),
            other => Err(other),
        }
    }

    fn in_object(object: &Object) -> Option<&Self> {
        match object {
            Object::List(value) => Some(value),
            _ => None,
        }
    }

    fn in_object_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::List(value) => Some(value),
            _ => None,
        }
    }

    fn packed_ref(packing: Packing, bytes: &[u8]) -> Option<ListRef<'_>> {
        (packing == Packing::List).then(|| ListRef::Packed(ListpackRef::new(bytes)))
    }

    fn unpack(packing: Packing, bytes: &[u8]) -> Option<Self> {
        (packing == Packing::List).then(|| List::Packed(Listpack::from_bytes(bytes)))
    }

    fn pack(&self) -> Option<(Packing, &[u8])> {
        match self {
            List::Packed(pack) => Some((Packing::List, pack.as_bytes())),
        }
    }

    fn len(&self) -> usize {
        match self {
            List::Packed(pack) => pack.len(),
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            List::Packed(_) => Encoding::Listpack,
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            List::Packed(pack) => pack.memory_bytes(),
        }
    }
}
