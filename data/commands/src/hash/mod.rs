//! Group hash: fields and their values, one by one or as a whole, as counters, by chance, and with deadlines of their own.

mod chance;
mod counters;
mod expiry;
mod fields;
mod named;
mod timed;
mod whole;

use crate::Command;

pub const COMMANDS: &[Command] = &[
    fields::HSET,
    fields::HMSET,
    fields::HSETNX,
    fields::HGET,
    fields::HMGET,
    fields::HDEL,
    fields::HEXISTS,
    fields::HSTRLEN,
    fields::HLEN,
    whole::HGETALL,
    whole::HKEYS,
    whole::HVALS,
    whole::HSCAN,
    chance::HRANDFIELD,
    counters::HINCRBY,
    counters::HINCRBYFLOAT,
    expiry::HEXPIRE,
    expiry::HPEXPIRE,
    expiry::HEXPIREAT,
    expiry::HPEXPIREAT,
    expiry::HTTL,
    expiry::HPTTL,
    expiry::HEXPIRETIME,
    expiry::HPEXPIRETIME,
    expiry::HPERSIST,
    timed::HGETEX,
    timed::HSETEX,
    timed::HGETDEL,
];
