//! Group stream: entries in the order of their ids, and groups of consumers that share them.

mod adding;
mod claiming;
mod deletion;
mod entries;
mod groups;
mod idempotence;
mod ids;
mod info;
mod pending;
mod read;
mod read_group;
mod reading;
mod settings;
mod trimming;

use crate::{Command, Reply};

pub const COMMANDS: &[Command] = &[
    adding::XADD,
    entries::XLEN,
    entries::XRANGE,
    entries::XREVRANGE,
    read::XREAD,
    trimming::XTRIM,
    deletion::XDEL,
    deletion::XDELEX,
    deletion::XACKDEL,
    groups::XGROUP,
    read_group::XREADGROUP,
    pending::XACK,
    pending::XNACK,
    pending::XPENDING,
    claiming::XCLAIM,
    claiming::XAUTOCLAIM,
    info::XINFO,
    settings::XSETID,
    idempotence::XCFGSET,
    idempotence::XIDMPRECORD,
];

/// Replies lines of help.
fn reply_help(reply: &mut Reply<'_>, lines: &[&str]) {
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.status(line));
}

/// What the tests of several commands begin with: a stream `s` with the entries 1 to 3.
#[cfg(test)]
fn with_three_entries() -> crate::testing::Db {
    let mut db = crate::testing::Db::new();
    for n in 1..=3 {
        db.run(&format!("XADD s {n} f {n}"));
    }
    db
}
