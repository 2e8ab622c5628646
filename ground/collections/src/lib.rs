//! The containers of Ochre and the home of its unsafe code: everything here has a safe face.

#![expect(unsafe_code, reason = "thin, packed and shared memory layouts; every block says why it is sound")]

mod block;
pub mod intset;
pub mod listpack;

pub use intset::{IntSet, IntSetRef};
pub use listpack::{Item, Listpack, ListpackRef};
