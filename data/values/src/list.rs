//! A list of strings, pushed and popped at both ends: one packed list, or a row of them.
//!
//! A list is packed as long as it fits into one chunk (`list-max-listpack-size`), and is packed again when it has shrunk to half of
//! that, so that one that grows and shrinks by a few elements does not change every time.

mod change;
mod restore;
#[cfg(test)]
mod tests;
mod view;

pub use change::End;
pub use view::{Iter, IterRev, ListRef, Needle};

use crate::{Collection, Encoding, Kind, Object, Packing};
use ochre_collections::ChunkedList;
use ochre_collections::listpack::{Listpack, ListpackRef};

/// A list of strings.
#[derive(Clone)]
pub enum List {
    /// `listpack`.
    Packed(Listpack),
    /// `quicklist`.
    Chunked(Box<ChunkedList>),
}

impl List {
    /// The list for reading.
    #[inline]
    pub fn view(&self) -> ListRef<'_> {
        match self {
            List::Packed(pack) => ListRef::Packed(pack.view()),
            List::Chunked(chunked) => ListRef::Chunked(chunked),
        }
    }
}

impl Collection for List {
    type Ref<'a> = ListRef<'a>;
    const KIND: Kind = Kind::List;

    fn new() -> Self {
        List::Packed(Listpack::new())
    }

    fn is_empty(&self) -> bool {
        match self {
            List::Packed(pack) => pack.is_empty(),
            List::Chunked(chunked) => chunked.is_empty(),
        }
    }

    fn as_ref(&self) -> ListRef<'_> {
        self.view()
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
            List::Chunked(_) => None,
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
            List::Packed(pack) => pack.memory_bytes(),
            List::Chunked(chunked) => size_of::<ChunkedList>() + chunked.memory_bytes(),
        }
    }
}
