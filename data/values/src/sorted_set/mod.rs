//! Sorted set: members ordered by score and then by bytes, small ones packed and large ones in a counting tree beside a table.

mod change;
mod members;
mod packed;
mod read;
#[cfg(test)]
mod tests;

pub use members::{Members, Score, ScoredItem};
pub use read::{LexBound, SortedSetRef};

use crate::{Collection, Encoding, Kind, Object, Packing};
use ochre_collections::listpack::{Listpack, ListpackRef};
use ochre_collections::sorted::SortedSet as Tree;

/// Members ordered by score, then by bytes. Scores are never NaN.
///
/// Like the peers, it goes from packed to tree when it has too many members or one that is too long, and never back.
#[derive(Clone)]
pub enum SortedSet {
    /// Member and score by turns, in order. A whole score is kept as an integer, so that minus zero becomes zero here.
    Packed(Listpack),
    Tree(Box<Tree>),
}

impl Collection for SortedSet {
    type Ref<'a> = SortedSetRef<'a>;
    const KIND: Kind = Kind::SortedSet;

    fn new() -> Self {
        SortedSet::Packed(Listpack::new())
    }

    fn is_empty(&self) -> bool {
        match self {
            SortedSet::Packed(list) => list.is_empty(),
            SortedSet::Tree(tree) => tree.is_empty(),
        }
    }

    #[inline]
    fn as_ref(&self) -> SortedSetRef<'_> {
        match self {
            SortedSet::Packed(list) => SortedSetRef::Packed(list.view()),
            SortedSet::Tree(tree) => SortedSetRef::Tree(tree),
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
            SortedSet::Packed(list) => Some((Packing::SortedSet, list.as_bytes())),
            SortedSet::Tree(_) => None,
        }
    }

    fn len(&self) -> usize {
        self.as_ref().len()
    }

    fn encoding(&self) -> Encoding {
        match self {
            SortedSet::Packed(_) => Encoding::Listpack,
            SortedSet::Tree(_) => Encoding::Skiplist,
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            SortedSet::Packed(list) => list.memory_bytes(),
            SortedSet::Tree(tree) => size_of::<Tree>() + tree.memory_bytes(),
        }
    }
}
