//! CLIENT TRACKING and what belongs to it: the client keeps what it reads, and the server tells it what has changed.

use crate::commands::{Command, SessionCall};
use crate::tracking::{self, Tracked};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;
use ochre_tracking::Bytes;
use std::sync::atomic::Ordering::Relaxed;

pub(super) const CLIENT_TRACKING: Command = Command::new(
    Group::Connection,
    "TRACKING",
    "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    client_tracking,
)
.summary("Says whether the connection is told when keys change that it may hold in a cache of its own.")
.cost("O(1), and O(N) where N is the number of prefixes")
.since("6.0.0")
.flags(NOSCRIPT | LOADING | STALE);

/// Reads what follows ON or OFF.
fn options(call: &SessionCall<'_>, args: &mut Args<'_>) -> Result<Tracked, Error> {
    const SECOND_REDIRECT: Error = Error::fixed("ERR A client can only redirect to a single other client");
    const BAD_ID: Error = Error::fixed("ERR Invalid client ID");
    const NO_SUCH_CLIENT: Error = Error::fixed("ERR The client ID you want redirect to does not exist");
    let mut wanted = Tracked::default();
    while args.remaining() > 0 {
        if args.option("REDIRECT") {
            if wanted.redirect.is_some() {
                return Err(SECOND_REDIRECT);
            }
            let id = number::parse_i64(args.value()?).ok_or(BAD_ID)?;
            let id = u64::try_from(id).map_err(|_| NO_SUCH_CLIENT)?;
            call.worker.shared.registry.get(id).ok_or(NO_SUCH_CLIENT)?;
            wanted.redirect = Some(id);
        } else if args.option("BCAST") {
            wanted.broadcast = true;
        } else if args.option("OPTIN") {
            wanted.opt_in = true;
        } else if args.option("OPTOUT") {
            wanted.opt_out = true;
        } else if args.option("NOLOOP") {
            wanted.no_loop = true;
        } else if args.option("PREFIX") {
            wanted.prefixes.push(args.value()?.into());
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok(wanted)
}

/// Whether one of two prefixes begins with the other: a key could be announced twice.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn check_prefixes(known: &[Bytes], new: &[Bytes]) -> Result<(), Error> {
    let refusal = |one: &[u8], with: &str, other: &[u8]| {
        let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
        Error::text(format!(
            "ERR Prefix '{one}' overlaps with {with} prefix '{other}'. Prefixes for a single client must not overlap."
        ))
    };
    for (at, prefix) in new.iter().enumerate() {
        if let Some(other) = known.iter().find(|known| overlap(prefix, known)) {
            return Err(refusal(prefix, "an existing", other));
        }
        if let Some(other) = new[at + 1..].iter().find(|other| overlap(prefix, other)) {
            return Err(refusal(prefix, "another provided", other));
        }
    }
    Ok(())
}

/// Whether a client that is tracked as `now` may be tracked as `wanted`.
fn check(now: Option<&Tracked>, wanted: &Tracked) -> Result<(), Error> {
    const PREFIX_ALONE: Error = Error::fixed("ERR PREFIX option requires BCAST mode to be enabled");
    const OTHER_MODE: Error = Error::fixed(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with \
         a different mode.",
    );
    const BOTH_OPTIONS: Error = Error::fixed("ERR You can't specify both OPTIN mode and OPTOUT mode");
    const BROADCAST_OPTION: Error = Error::fixed("ERR OPTIN and OPTOUT are not compatible with BCAST");
    const OTHER_OPTION: Error = Error::fixed(
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with \
         a different mode.",
    );
    if !wanted.broadcast && !wanted.prefixes.is_empty() {
        return Err(PREFIX_ALONE);
    }
    if now.is_some_and(|now| now.broadcast != wanted.broadcast) {
        return Err(OTHER_MODE);
    }
    if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
        return Err(BROADCAST_OPTION);
    }
    if wanted.opt_in && wanted.opt_out {
        return Err(BOTH_OPTIONS);
    }
    if now.is_some_and(|now| (wanted.opt_in && now.opt_out) || (wanted.opt_out && now.opt_in)) {
        return Err(OTHER_OPTION);
    }
    Ok(())
}

fn client_tracking(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let on_or_off = args.word();
    let mut wanted = options(call, args)?;
    let shared = call.worker.shared;
    if ochre_text::case::is(on_or_off, "OFF") {
        tracking::end(call.session, shared);
        reply.ok();
        return Ok(());
    }
    if !ochre_text::case::is(on_or_off, "ON") {
        return Err(Error::SYNTAX);
    }
    let now = call.session.tracked.as_deref();
    check(now, &wanted)?;
    let known: &[Bytes] = now.map_or(&[], |now| &now.prefixes);
    check_prefixes(known, &wanted.prefixes)?;
    let mut new = wanted.prefixes.clone();
    if wanted.broadcast && new.is_empty() && known.is_empty() {
        // All keys.
        new.push(Bytes::default());
    }
    wanted.prefixes = known.iter().cloned().chain(new.iter().cloned()).collect();
    {
        let mut registry = shared.tracking.registry();
        registry.begin(call.session.id(), wanted.mode(call.worker.id), new.iter().map(|prefix| &**prefix));
        shared.keyspace.track_changes(true);
    }
    call.session.client.note_tracking(Some(&wanted));
    call.session.tracked = Some(Box::new(wanted));
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_CACHING: Command = Command::new(Group::Connection, "CACHING", "<YES | NO>", client_caching)
    .summary("Says whether the keys of the next command are tracked.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn client_caching(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const NO_OPTION: Error = Error::fixed(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    );
    const NOT_OPT_IN: Error =
        Error::fixed("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    const NOT_OPT_OUT: Error =
        Error::fixed("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    let tracked = call.session.tracked.as_deref_mut().ok_or(NO_OPTION)?;
    let (fits, refusal) = if args.option("YES") {
        (tracked.opt_in, NOT_OPT_IN)
    } else if args.option("NO") {
        (tracked.opt_out, NOT_OPT_OUT)
    } else {
        return Err(Error::SYNTAX);
    };
    if !fits {
        return Err(refusal);
    }
    tracked.caching = true;
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_GETREDIR: Command = Command::new(Group::Connection, "GETREDIR", "", client_getredir)
    .summary("Replies the client that this connection's tracking messages go to; 0 for itself, -1 when it has none.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn client_getredir(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.integer(call.session.client.redirect.load(Relaxed));
    Ok(())
}

pub(super) const CLIENT_TRACKINGINFO: Command =
    Command::new(Group::Connection, "TRACKINGINFO", "", client_trackinginfo)
        .summary("Replies how the connection is told of changes.")
        .cost("O(1)")
        .since("6.2.0")
        .flags(NOSCRIPT | LOADING | STALE);

fn client_trackinginfo(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let tracked = call.session.tracked.as_deref();
    reply.map(3);
    reply.bulk(b"flags");
    match tracked {
        None => {
            reply.set(1);
            reply.bulk(b"off");
        }
        Some(tracked) => {
            let flags = [
                (true, "on"),
                (tracked.broadcast, "bcast"),
                (tracked.opt_in, "optin"),
                (tracked.opt_in && tracked.caching, "caching-yes"),
                (tracked.opt_out, "optout"),
                (tracked.opt_out && tracked.caching, "caching-no"),
                (tracked.no_loop, "noloop"),
                (tracked.redirect_broken, "broken_redirect"),
            ];
            let set = || flags.iter().filter(|(set, _)| *set);
            reply.set(set().count());
            set().for_each(|(_, name)| reply.bulk(name.as_bytes()));
        }
    }
    reply.bulk(b"redirect");
    reply.integer(call.session.client.redirect.load(Relaxed));
    reply.bulk(b"prefixes");
    let prefixes: &[Bytes] = tracked.map_or(&[], |tracked| &tracked.prefixes);
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_may_not_overlap() {
        let prefixes = |names: &[&str]| names.iter().map(|name| Bytes::from(name.as_bytes())).collect::<Vec<_>>();
        assert!(check_prefixes(&prefixes(&["a", "b"]), &prefixes(&["c", "da", "db"])).is_ok());
        let text = |known: &[&str], new: &[&str]| {
            check_prefixes(&prefixes(known), &prefixes(new)).expect_err("they overlap").as_str().to_owned()
        };
        assert!(text(&["foo"], &["foobar"]).starts_with("ERR Prefix 'foobar' overlaps with an existing prefix 'foo'."));
        assert!(text(&[], &["a", "ab"]).starts_with("ERR Prefix 'a' overlaps with another provided prefix 'ab'."));
    }

    #[test]
    fn modes_cannot_be_switched() {
        let plain = Tracked::default();
        let broadcast = Tracked { broadcast: true, ..plain.clone() };
        let opt_in = Tracked { opt_in: true, ..plain.clone() };
        let opt_out = Tracked { opt_out: true, ..plain.clone() };
        assert!(check(None, &broadcast).is_ok() && check(Some(&plain), &opt_in).is_ok());
        assert!(check(Some(&plain), &broadcast).is_err() && check(Some(&broadcast), &plain).is_err());
        assert!(check(Some(&opt_in), &opt_out).is_err());
        assert!(check(None, &Tracked { opt_in: true, ..broadcast }).is_err());
        assert!(check(None, &Tracked { opt_in: true, ..opt_out }).is_err());
    }
}
