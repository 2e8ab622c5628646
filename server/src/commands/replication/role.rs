//! ROLE and REPLICAOF: whom a server follows, and who follows it.

use super::{Command, SessionCall};
use crate::log;
use crate::replication;
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
    if let Some(following) = shared.replication.following() {
        reply.array(5);
        reply.bulk(b"slave");
        reply.bulk(following.host.as_bytes());
        reply.integer(i64::from(following.port));
        reply.bulk(following.contact().name().as_bytes());
        reply.integer(if following.is_online() { shared.log.end() as i64 } else { -1 });
        return Ok(());
    }
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
        replication::failover::end(call.shared());
        if call.shared().replication.follows() {
            log::notice(format_args!("MASTER MODE enabled (user request from '{}')", call.session.client.address));
            replication::lead(call.shared());
            // The next command of this client may write.
            call.worker.apply_settings();
        }
        reply.ok();
        return Ok(());
    }
    if call.session.replica.as_ref().is_some_and(|replica| replica.link.is_some()) {
        // A replica must not choose whom its primary follows.
        return Err(Error::fixed("ERR Command is not valid when client is a replica."));
    }
    let port = number::parse_i64(port).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(Error::fixed("ERR Invalid master port"))?;
    let host = std::str::from_utf8(host).map_err(|_| Error::fixed("ERR Invalid host"))?;
    let is_same = |following: &replication::Following| following.host == host && following.port == port;
    if call.shared().replication.following().is_some_and(|following| is_same(&following)) {
        log::notice(format_args!(
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed."
        ));
        reply.status("OK Already connected to specified master");
        return Ok(());
    }
    replication::follow(call.shared(), host, port).map_err(|error| Error::text(format!("ERR {error}")))?;
    log::notice(format_args!("REPLICAOF {host}:{port} enabled (user request from '{}')", call.session.client.address));
    call.worker.apply_settings();
    reply.ok();
    Ok(())
}
