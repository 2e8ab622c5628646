//! The locks of the keyspace: one word a shard, sets of shards locked together, and clients (never threads) that wait.
//!
//! A thread locks all shards of a command at once, lowest number first, and spins for at most [`SPIN_LIMIT`] on one that is
//! busy. When that fails it has released everything; the client is parked on the busy shard and whoever unlocks that shard
//! wakes it ([`Shards::lock_or_park`]). Nobody waits while holding a lock (but for the one script,
//! [`Guard::extend_waiting`]), so there is no deadlock.
//!
//! **No wake-up is lost.** Everything that can block an acquirer and the hint that somebody is parked are bits of one word,
//! and they are changed by read-modify-write operations only. Who parks publishes the ticket first and sets the hint then;
//! the word that this returns tells whether the shard was still blocked. If it was, whoever unblocks it later sees the hint;
//! if not, the ticket is withdrawn and the client tries again at once.
//!
//! **Nobody starves.** Newcomers may overtake clients that have been woken, because that is the fastest. A client that has
//! failed [`PATIENCE`] times asks for precedence, which one client at a time can have: it reserves all of its shards, newcomers
//! queue behind the reservation, and as the holders of the shards finish, the client gets them. Since only one client has it,
//! two reservations cannot block each other.
//!
//! Locking and unlocking one of 64 shards takes 13 ns with its two atomic operations, 5 ns with plain flags (one thread), and all
//! 64 take 640 ns (a virtual EPYC core). The models: `RUSTFLAGS="--cfg loom" cargo test -p ochre-collections --release loom_`.

#[cfg(all(test, loom))]
mod models;
mod set;
mod shards;
#[cfg(all(test, not(loom)))]
mod tests;
mod word;

pub use set::{SHARDS_MAX, ShardSet};
pub use shards::{Attempt, Guard, PATIENCE, Parked, SPIN_LIMIT, Shards, Ticket};
pub use word::ShardLock;
