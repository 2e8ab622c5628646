//! The containers of Ochre and the home of its unsafe code: everything here has a safe face.

#![expect(unsafe_code, reason = "thin, packed and shared memory layouts; every block says why it is sound")]

mod allocator;
mod block;
pub mod chunked;
mod claim;
mod door;
mod entry;
mod hash;
pub mod intset;
mod item;
pub mod listpack;
pub mod lock;
pub mod mailbox;
mod memory;
mod ones;
mod random;
pub mod sorted;
mod sync;
mod table;

pub use allocator::{
    Gauge, Mimalloc, allocated_bytes, allocated_bytes_peak, release_free_memory, report as allocator_report,
};
pub use chunked::ChunkedList;
pub use claim::Claim;
pub use door::Door;
pub use entry::{Entry, EntryMut, EntryRef, INLINE_BYTES_MAX, ObjectSlot, OwnedValue, Value, View};
pub use hash::hash;
pub use intset::{IntSet, IntSetRef};
pub use item::{Field, FieldRef, Keyed, Member, Scored, ScoredPointer, ScoredRef};
pub use listpack::{Item, Listpack, ListpackRef};
pub use lock::{Attempt, Guard, Parked, ShardSet, Shards, Ticket};
pub use mailbox::Mailbox;
pub use ones::count_ones;
pub use random::{Random, Sample};
pub use sorted::SortedSet;
pub use table::{Home, IntoIter, Iter, Lookup, Slot, Sweep, Table, VacantSlot};
