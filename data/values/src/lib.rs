//! The values that keys hold: one module a type, each choosing the encodings that Redis names.

pub mod hash;
pub mod hyperloglog;
pub mod kind;
pub mod limits;
pub mod list;
pub mod object;
mod repeats;
pub mod set;
pub mod sorted_set;
pub mod stream;
mod text;
pub mod walk;

pub use hash::Hash;
pub use kind::{Encoding, Kind};
pub use limits::Limits;
pub use list::List;
pub use object::{Collection, Object, Packing};
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::{Stream, StreamId};
pub use text::WalkedText;
pub use walk::{Element, WalkShape};
