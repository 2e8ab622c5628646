//! The keyspace: keys cut into shards, reached through a view of the shards that a command has locked.

mod access;
mod edit;
mod effects;
mod events;
mod eviction;
mod expiry;
mod key;
mod keyspace;
mod locked;
mod restore;
mod snapshot;
mod strings;
mod unit;
mod waiters;
mod walk;
mod watch;

pub use access::{AccessClock, Policy};
pub use edit::Edit;
pub use effects::{Effects, Event, Garbage, LogMode, Stats};
pub use events::Class;
pub use eviction::{Candidate, EvictionPool, EvictionRules, Ghosts, Order, Search};
pub use expiry::ExpiryReport;
pub use key::Key;
pub use keyspace::{Context, Database, Keyspace, MemberPlace, Options, Shard};
pub use locked::{Expiry, Locked, WrongType, collection_of, duplicate, kind_of};
pub use restore::entry_of;
pub use snapshot::{Cut, Detached, LargeHead, Saved, Show, Step, Visitor, bytes_of};
pub use strings::Text;
pub use unit::{Unit, write_command, write_select};
pub use waiters::{Block, Waiter, Waiters};
pub use walk::DatabaseSize;
pub use watch::{WatchFlag, Watchers};

/// What the keyspace's tables hold: a key with its header and value in one allocation.
pub type Entry = ochre_collections::Entry<ochre_values::Object>;
