//! FAILOVER: a primary hands its part over to one of its replicas. Writes wait until that one has everything; then it leads, and
//! this server follows it.

use super::follow::follow_as_successor;
use super::sync::loops_know;
use super::{Link, lead, lock, tell_replicas};
use crate::log;
use crate::pause::Hold;
use crate::shared::{Message, Shared};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A hand-over on its way.
#[derive(Clone, Debug, Default)]
pub struct Failover {
    /// The replica that is to lead; any if there is none.
    pub target: Option<(String, u16)>,
    /// When it is given up, or forced, Unix ms.
    pub deadline_ms: Option<u64>,
    /// Then it happens even though the replica has not got everything.
    pub forced: bool,
    /// The replica has been asked to lead.
    pub is_asked: bool,
}

/// As INFO calls it.
pub fn state_name(shared: &Shared) -> &'static str {
    match &*lock(&shared.replication.failover) {
        None => "no-failover",
        Some(failover) if failover.is_asked => "failover-in-progress",
        Some(_) => "waiting-for-sync",
    }
}

/// Whether one is on its way.
pub fn is_on(shared: &Shared) -> bool {
    lock(&shared.replication.failover).is_some()
}

/// Begins one; the caller has looked whether it makes sense.
pub fn begin(shared: &Shared, failover: Failover) {
    log::notice(format_args!("FAILOVER requested to {:?}.", failover.target));
    *lock(&shared.replication.failover) = Some(failover);
    shared.pause.hold(Hold::Failover);
    // Once the loops have taken note of that, no write is on its way any more.
    shared.settings_changed();
    tell_replicas(shared, [&b"REPLCONF"[..], b"GETACK", b"*"].into_iter());
}

/// Ends it, well or not: writes go on.
pub fn end(shared: &Shared) {
    if lock(&shared.replication.failover).take().is_some() {
        shared.pause.release(Hold::Failover);
        shared.tell_all(|| Message::PauseChanged);
    }
}

/// Calls it off. Says no when there is none.
pub fn abort(shared: &'static Shared) -> bool {
    let Some(failover) = lock(&shared.replication.failover).clone() else { return false };
    log::notice(format_args!("Failover aborted."));
    if failover.is_asked {
        lead(shared);
    }
    end(shared);
    true
}

/// What is due: called by the first loop many times a second.
pub fn run_cron(shared: &'static Shared, now_ms: u64) {
    let Some(failover) = lock(&shared.replication.failover).clone() else { return };
    let is_late = failover.deadline_ms.is_some_and(|deadline_ms| now_ms >= deadline_ms);
    if failover.is_asked {
        if is_late && !failover.forced {
            log::warning(format_args!("Failover target did not answer in time."));
            abort(shared);
        }
        return;
    }
    if !loops_know(shared) || shared.aside.load(Ordering::SeqCst) > 0 {
        return;
    }
    let is_target = |link: &&Arc<Link>| match &failover.target {
        Some((host, port)) => link.ip() == host && link.facts.port == *port,
        None => true,
    };
    let end = shared.log.end();
    let links = shared.replication.links();
    let has_all = |link: &&Arc<Link>| link.is_online() && link.acknowledged(false) >= end;
    let ready = links.iter().filter(is_target).find(has_all);
    let chosen = match (ready, is_late, &failover.target) {
        (Some(link), ..) => Some((link.ip().to_owned(), link.facts.port)),
        (None, true, Some(target)) if failover.forced => {
            log::notice(format_args!("Failover target {}:{} time out exceeded, failing over.", target.0, target.1));
            Some(target.clone())
        }
        (None, true, _) => {
            log::warning(format_args!("Replica never caught up before the timeout; failover aborted."));
            abort(shared);
            return;
        }
        (None, false, _) => None,
    };
    let Some((host, port)) = chosen else { return };
    if let Some(failover) = &mut *lock(&shared.replication.failover) {
        failover.is_asked = true;
        // From here on only a new deadline could end it.
        if failover.forced {
            failover.deadline_ms = None;
        }
    }
    log::notice(format_args!("Failover target is {host}:{port}: it is asked to lead."));
    if let Err(error) = follow_as_successor(shared, &host, port) {
        log::warning(format_args!("{error}"));
        abort(shared);
    }
    shared.replication.asked_at.store(u64::MAX, Ordering::SeqCst);
}
