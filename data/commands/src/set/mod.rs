//! Group set: members, chance, and what several sets have in common.

mod chance;
mod combine;
mod members;
mod scan;
mod store;

use crate::{Command, Reply};

pub const COMMANDS: &[Command] = &[
    members::SADD,
    members::SREM,
    members::SMOVE,
    members::SISMEMBER,
    members::SMISMEMBER,
    members::SCARD,
    combine::SMEMBERS,
    combine::SINTER,
    combine::SUNION,
    combine::SDIFF,
    combine::SINTERCARD,
    combine::SUNIONCARD,
    combine::SDIFFCARD,
    store::SINTERSTORE,
    store::SUNIONSTORE,
    store::SDIFFSTORE,
    chance::SPOP,
    chance::SRANDMEMBER,
    scan::SSCAN,
];

/// Replies a set without members.
fn reply_empty_set(reply: &mut Reply<'_>) {
    reply.set(0);
}
