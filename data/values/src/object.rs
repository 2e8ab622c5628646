//! A value that is too big, or of too rich a type, to lie inside its key's entry.

use crate::{Encoding, Hash, Kind, List, Set, SortedSet, Stream, WalkedText};
use ochre_collections::sorted::SortedSet as Tree;
use ochre_collections::{Field, Home, Member, Scored, hash};
use std::ops::Range;

/// An object of more heap blocks than this takes longer to free (≈0.1 µs each, as a rule not in the cache) than to hand to another
/// thread.
const BLOCKS_FREED_AT_ONCE_MAX: usize = 64;
/// A single block larger than this goes back to the system when it is freed, which takes ≈0.1 ms for each MiB.
const BLOCK_BYTES_FREED_AT_ONCE_MAX: usize = 1 << 20;

/// What an entry holds when its value is neither an integer nor inline bytes.
pub enum Object {
    /// A string longer than the entry takes inline.
    String(Vec<u8>),
    /// Such a string while a snapshot reads it.
    WalkedString(Box<WalkedText>),
    List(List),
    Set(Set),
    Hash(Hash),
    SortedSet(SortedSet),
    Stream(Box<Stream>),
    /// A nested value with types, in the bytes that it came in.
    Structured(Box<[u8]>),
}

impl Clone for Object {
    /// The copy is not walked, whatever the object is.
    fn clone(&self) -> Object {
        match self {
            Object::String(bytes) => Object::String(bytes.clone()),
            Object::WalkedString(text) => Object::String(text.bytes().to_vec()),
            Object::List(list) => Object::List(list.clone()),
            Object::Set(set) => Object::Set(set.clone()),
            Object::Hash(hash) => Object::Hash(hash.clone()),
            Object::SortedSet(set) => Object::SortedSet(set.clone()),
            Object::Stream(stream) => Object::Stream(stream.clone()),
            Object::Structured(bytes) => Object::Structured(bytes.clone()),
        }
    }
}

impl Object {
    /// The bytes of a string.
    #[inline]
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Object::String(bytes) => Some(bytes),
            Object::WalkedString(text) => Some(text.bytes()),
            _ => None,
        }
    }

    /// A string's bytes to change: those of `changed`, and what comes behind the end.
    #[inline]
    pub fn text_mut(&mut self, changed: &[Range<usize>]) -> Option<&mut Vec<u8>> {
        match self {
            Object::String(bytes) => Some(bytes),
            Object::WalkedString(text) => {
                changed.iter().for_each(|range| text.before_change(range.clone()));
                Some(text.bytes_mut())
            }
            _ => None,
        }
    }

    /// The type of the value.
    pub fn kind(&self) -> Kind {
        match self {
            Object::String(_) | Object::WalkedString(_) => Kind::String,
            Object::List(_) => Kind::List,
            Object::Set(_) => Kind::Set,
            Object::Hash(_) => Kind::Hash,
            Object::SortedSet(_) => Kind::SortedSet,
            Object::Stream(_) => Kind::Stream,
            Object::Structured(_) => Kind::Structured,
        }
    }

    /// The encoding that OBJECT ENCODING names.
    pub fn encoding(&self) -> Encoding {
        match self {
            Object::String(_) | Object::WalkedString(_) => Encoding::Raw,
            Object::List(list) => list.encoding(),
            Object::Set(set) => set.encoding(),
            Object::Hash(hash) => hash.encoding(),
            Object::SortedSet(set) => set.encoding(),
            Object::Stream(stream) => stream.encoding(),
            Object::Structured(_) => Encoding::Raw,
        }
    }

    /// Asks the memory for the bucket of a member or field, if the object is so large that it is hardly in the cache. When that has
    /// been done for all that a batch of commands looks for, [`Nearby::prefetch_item`] comes next.
    #[inline]
    pub fn prefetch(&self, member: &[u8]) -> Option<Nearby<'_>> {
        match self {
            Object::Set(Set::Table(table)) if table.len() >= CACHED_ITEMS => {
                Some(Nearby::Member(table.prefetch(hash(member))))
            }
            Object::Hash(Hash::Table(fields)) if fields.table.len() >= CACHED_ITEMS => {
                Some(Nearby::Field(fields.table.prefetch(hash(member))))
            }
            Object::SortedSet(SortedSet::Tree(tree)) if tree.len() >= CACHED_ITEMS => {
                Some(Nearby::Scored(tree.prefetch(hash(member)), tree))
            }
            _ => None,
        }
    }

    /// When something inside the object is to be looked at because it expires, Unix ms; see `Hash::next_expiry_ms`.
    #[inline]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        match self {
            Object::Hash(hash) => hash.next_expiry_ms(),
            _ => None,
        }
    }

    /// Bytes of memory behind the object, found at once: of lists and streams about as many.
    pub fn memory_bytes_about(&self) -> usize {
        match self {
            Object::List(List::Chunked(list)) => list.memory_bytes_about(),
            Object::Stream(stream) => stream.memory_bytes_about(),
            object => object.memory_bytes(),
        }
    }

    /// Bytes of memory behind the object.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Object::String(bytes) => bytes.capacity(),
            Object::WalkedString(text) => text.memory_bytes(),
            Object::List(list) => list.memory_bytes(),
            Object::Set(set) => set.memory_bytes(),
            Object::Hash(hash) => hash.memory_bytes(),
            Object::SortedSet(set) => set.memory_bytes(),
            Object::Stream(stream) => stream.memory_bytes(),
            Object::Structured(bytes) => bytes.len(),
        }
    }

    /// Whether it takes so long to free that another thread should do it. O(1).
    pub fn frees_slowly(&self) -> bool {
        match self.blocks() {
            1 => self.memory_bytes() > BLOCK_BYTES_FREED_AT_ONCE_MAX,
            blocks => blocks > BLOCKS_FREED_AT_ONCE_MAX,
        }
    }

    /// Heap blocks behind the object, as far as one can tell at once.
    fn blocks(&self) -> usize {
        if matches!(self.encoding(), Encoding::Raw | Encoding::Listpack | Encoding::ListpackEx | Encoding::Intset) {
            return 1;
        }
        match self {
            Object::String(_) | Object::WalkedString(_) | Object::Structured(_) => 1,
            Object::List(List::Chunked(list)) => list.nodes().len(),
            Object::List(list) => list.len(),
            Object::Set(set) => set.len(),
            Object::Hash(hash) => hash.len(),
            Object::SortedSet(set) => set.len(),
            Object::Stream(stream) => stream.blocks(),
        }
    }
}

/// A smaller table is in the cache anyway, or soon is.
const CACHED_ITEMS: usize = 2048;

/// Where a member of a large object stands if it is there, on its way from memory.
pub enum Nearby<'a> {
    Member(Home<'a, Member>),
    Field(Home<'a, Field>),
    Scored(Home<'a, Scored>, &'a Tree),
}

impl Nearby<'_> {
    /// Asks the memory for the member itself.
    #[inline]
    pub fn prefetch_item(&self) {
        match self {
            Nearby::Member(home) => home.prefetch_item(),
            Nearby::Field(home) => home.prefetch_item(),
            Nearby::Scored(home, _) => home.prefetch_item(),
        }
    }

    /// Asks the memory for the place of a member of a sorted set in the order, and for the one that it is to get by `score`.
    #[inline]
    pub fn prefetch_order(&self, score: impl FnOnce() -> Option<f64>) {
        let Nearby::Scored(home, tree) = self else { return };
        if let Some(scored) = home.likely_item() {
            tree.prefetch_score(scored.score());
        }
        if let Some(score) = score() {
            tree.prefetch_score(score);
        }
    }
}

/// How the bytes of a small collection that lies inline in its entry are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Packing {
    List,
    SetListpack,
    SetIntset,
    Hash,
    SortedSet,
}

impl Packing {
    /// The packing stored as `byte`; `None` for a byte that no packing has.
    pub const fn from_byte(byte: u8) -> Option<Packing> {
        Some(match byte {
            0 => Packing::List,
            1 => Packing::SetListpack,
            2 => Packing::SetIntset,
            3 => Packing::Hash,
            4 => Packing::SortedSet,
            _ => return None,
        })
    }

    /// The encoding that OBJECT ENCODING names.
    pub const fn encoding(self) -> Encoding {
        match self {
            Packing::SetIntset => Encoding::Intset,
            _ => Encoding::Listpack,
        }
    }

    /// The type of a collection packed like this.
    pub const fn kind(self) -> Kind {
        match self {
            Packing::List => Kind::List,
            Packing::SetListpack | Packing::SetIntset => Kind::Set,
            Packing::Hash => Kind::Hash,
            Packing::SortedSet => Kind::SortedSet,
        }
    }
}

/// A collection type that a key can hold. The keyspace edits every collection through this face, so that a small one can
/// lie inline in the entry without its module knowing.
pub trait Collection: Sized + 'static {
    /// A borrowed face for reading, over the object or over inline bytes.
    type Ref<'a>: Copy;

    const KIND: Kind;

    /// An empty collection.
    fn new() -> Self;

    fn is_empty(&self) -> bool;

    fn as_ref(&self) -> Self::Ref<'_>;

    fn into_object(self) -> Object;

    /// The collection in `object`, or the object back when it is of another type.
    fn from_object(object: Object) -> Result<Self, Object>;

    fn in_object(object: &Object) -> Option<&Self>;

    fn in_object_mut(object: &mut Object) -> Option<&mut Self>;

    /// The reading face over inline bytes; `None` when `packing` is another type's.
    fn packed_ref(packing: Packing, bytes: &[u8]) -> Option<Self::Ref<'_>>;

    /// An owned collection from inline bytes; `None` when `packing` is another type's.
    fn unpack(packing: Packing, bytes: &[u8]) -> Option<Self>;

    /// The bytes to store inline, when the collection is in a packed encoding.
    fn pack(&self) -> Option<(Packing, &[u8])>;

    /// When some element is to be looked at because it expires, Unix ms; `None` in types whose elements do not.
    #[inline]
    fn next_expiry_ms(&self) -> Option<u64> {
        None
    }

    /// Number of elements (fields, members).
    fn len(&self) -> usize;

    /// The encoding that OBJECT ENCODING names.
    fn encoding(&self) -> Encoding;

    /// Bytes of memory behind the collection, its own header left out.
    fn memory_bytes(&self) -> usize;
}
