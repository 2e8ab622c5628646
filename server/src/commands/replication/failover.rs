//! FAILOVER: a primary hands its part over to one of its replicas.

use super::{Command, SessionCall};
use crate::replication::failover::{self, Failover};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;

pub(super) const FAILOVER: Command =
    Command::new(Group::Server, "FAILOVER", "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]", failover)
        .summary("Lets a replica take over once it has everything, and follows it.")
        .cost("O(1)")
        .since("6.2.0")
        .flags(ADMIN | NOSCRIPT | STALE);

fn failover(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const NO_TIME: Error = Error::fixed("ERR FAILOVER timeout must be greater than 0");
    let shared = call.shared();
    if shared.settings.cluster.cluster_enabled.get() {
        return Err(Error::fixed("ERR FAILOVER not allowed in cluster mode."));
    }
    let mut wanted = Failover::default();
    while args.remaining() > 0 {
        if args.option("ABORT") {
            args.finish()?;
            if !failover::abort(shared) {
                return Err(Error::fixed("ERR No failover in progress."));
            }
            call.worker.apply_settings();
            reply.ok();
            return Ok(());
        } else if args.option("TIMEOUT") && wanted.deadline_ms.is_none() {
            let timeout_ms = number::parse_i64(args.value()?).ok_or(Error::NOT_AN_INTEGER)?;
            let timeout_ms = u64::try_from(timeout_ms).ok().filter(|timeout_ms| *timeout_ms > 0).ok_or(NO_TIME)?;
            wanted.deadline_ms = Some(ochre_clock::now_ms().saturating_add(timeout_ms));
        } else if args.option("TO") && wanted.target.is_none() {
            let host = String::from_utf8_lossy(args.value()?).into_owned();
            let port = number::parse_i64(args.value()?).and_then(|port| u16::try_from(port).ok());
            wanted.target = Some((host, port.ok_or(Error::NOT_AN_INTEGER)?));
        } else if args.option("FORCE") {
            wanted.forced = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    check(call, &wanted)?;
    failover::begin(shared, wanted);
    reply.ok();
    Ok(())
}

/// Whether it makes sense.
fn check(call: &SessionCall<'_>, wanted: &Failover) -> Result<(), Error> {
    let shared = call.shared();
    if failover::is_on(shared) {
        return Err(Error::fixed("ERR FAILOVER already in progress."));
    }
    if shared.replication.follows() {
        return Err(Error::fixed("ERR FAILOVER is not valid when server is a replica."));
    }
    let links = shared.replication.links();
    if links.is_empty() {
        return Err(Error::fixed("ERR FAILOVER requires connected replicas."));
    }
    if wanted.forced && (wanted.deadline_ms.is_none() || wanted.target.is_none()) {
        return Err(Error::fixed("ERR FAILOVER with force option requires both a timeout and target HOST and IP."));
    }
    if let Some((host, port)) = &wanted.target {
        let link = links.iter().find(|link| link.ip() == host && link.facts.port == *port);
        let link = link.ok_or(Error::fixed("ERR FAILOVER target HOST and PORT is not a replica."))?;
        if !link.is_online() {
            return Err(Error::fixed("ERR FAILOVER target replica is not online."));
        }
    }
    Ok(())
}
