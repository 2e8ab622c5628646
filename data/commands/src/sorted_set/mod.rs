//! Group sorted_set: members kept in the order of their scores.

mod blocking;
mod bounds;
mod combine;
mod members;
mod options;
mod pops;
mod ranges;
mod ranks;
mod removals;
mod replies;
mod sample;
mod scores;
mod sources;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod walk;

pub(crate) use members::{Pairs, add_pairs};
pub(crate) use options::AddOptions;
pub(crate) use sources::Combined;
pub(crate) use store::store_changes;

use crate::Command;

pub const COMMANDS: &[Command] = &[
    members::ZADD,
    members::ZINCRBY,
    members::ZREM,
    scores::ZCARD,
    scores::ZSCORE,
    scores::ZMSCORE,
    ranks::ZCOUNT,
    ranks::ZLEXCOUNT,
    ranks::ZRANK,
    ranks::ZREVRANK,
    ranges::ZRANGE,
    ranges::ZREVRANGE,
    ranges::ZRANGEBYSCORE,
    ranges::ZREVRANGEBYSCORE,
    ranges::ZRANGEBYLEX,
    ranges::ZREVRANGEBYLEX,
    ranges::ZRANGESTORE,
    removals::ZREMRANGEBYRANK,
    removals::ZREMRANGEBYSCORE,
    removals::ZREMRANGEBYLEX,
    pops::ZPOPMIN,
    pops::ZPOPMAX,
    pops::ZMPOP,
    blocking::BZPOPMIN,
    blocking::BZPOPMAX,
    blocking::BZMPOP,
    sample::ZRANDMEMBER,
    walk::ZSCAN,
    combine::ZUNION,
    combine::ZUNIONSTORE,
    combine::ZINTER,
    combine::ZINTERSTORE,
    combine::ZINTERCARD,
    combine::ZDIFF,
    combine::ZDIFFSTORE,
];
