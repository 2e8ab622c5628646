//! ROLE and REPLICAOF: whom a server follows, and who follows it.

use super::{Command, SessionCall};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::{case, number};

pub(super) const ROLE: Command = Command::new(Group::Server, "ROLE", "", role)
    .summary("Replies whether the server is a primary or a replica, and of whom.")
    .cost("O(1)")
    .since("2.8.12")
    .categories(CAT_ADMIN | CAT_DANGEROUS)
    .flags(NOSCRIPT | LOADING | STALE | FAST);

fn role(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let links: Vec<_> = shared.replication.links().into_iter().filter(|link| link.is_online()).collect();
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(shared.log.end() as i64);
    reply.array(links.len());
    for link in links {
        reply.array(3);
        reply.bulk(link.ip().as_bytes());
        reply.bulk_i64(i64::from(link.facts.port));
        reply.bulk_i64(link.acknowledged(false) as i64);
    }
    Ok(())
}

pub(super) const REPLICAOF: Command = Command::new(Group::Server, "REPLICAOF", "<host port | NO ONE>", replicaof)
    .summary("Makes the server a replica of another, or a primary.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING);

pub(super) const SLAVEOF: Command = Command::new(Group::Server, "SLAVEOF", "<host port | NO ONE>", replicaof)
    .summary("Makes the server a replica of another, or a primary.")
    .cost("O(1)")
    .deprecated("5.0.0", "`REPLICAOF`")
    .flags(ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING);

fn replicaof(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.shared().settings.cluster.cluster_enabled.get() {
        return Err(Error::fixed("ERR REPLICAOF not allowed in cluster mode."));
    }
    let (host, port) = (args.word(), args.word());
    if case::is(host, "NO") && case::is(port, "ONE") {
        // It is a primary already.
        reply.ok();
        return Ok(());
    }
    match number::parse_i64(port) {
        Some(0..=65_535) => Err(Error::fixed("ERR this server cannot be a replica yet")),
        _ => Err(Error::fixed("ERR Invalid master port")),
    }
}
