//! SYNC, PSYNC and REPLCONF: what replicas say to the server that they follow.

use super::{Command, SessionCall};
use crate::replication::{self, Facts, Stage};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_replication::Resume;
use ochre_resp::Reply;
use ochre_text::number;

pub(super) const SYNC: Command = Command::new(Group::Server, "SYNC", "", sync)
    .summary("Sends the connection a snapshot and all changes after it.")
    .cost("O(N) where N is the number of keys")
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI);

pub(super) const PSYNC: Command = Command::new(Group::Server, "PSYNC", "replicationid offset", psync)
    .summary("Sends the connection all changes after an offset, after a snapshot if that is too long ago.")
    .cost("O(N) where N is the number of keys")
    .since("2.8.0")
    // A replica that is told to take over says so in another word.
    .arity(-3)
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI);

fn sync(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    begin(call, None, reply)
}

fn psync(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let id = args.word();
    let next = number::parse_i64(args.word()).ok_or(Error::NOT_AN_INTEGER)?;
    if args.option("FAILOVER") {
        take_over(call, id)?;
    }
    begin(call, Some(Resume { id, next }), reply)
}

/// The server that is followed asks this one to lead, and follows it.
fn take_over(call: &mut SessionCall<'_>, id: &[u8]) -> Result<(), Error> {
    let shared = call.shared();
    if !shared.replication.follows() {
        return Err(Error::fixed("ERR PSYNC FAILOVER can't be sent to a master."));
    }
    if !ochre_text::case::eq_ignore_case(id, shared.replication.history().id().as_bytes()) {
        return Err(Error::fixed("ERR PSYNC FAILOVER replid must match my replid."));
    }
    crate::log::warning(format_args!("Failover request received for replid {}.", String::from_utf8_lossy(id)));
    replication::lead(shared);
    call.worker.apply_settings();
    Ok(())
}

fn begin(call: &mut SessionCall<'_>, asked: Option<Resume<'_>>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.held.is_some() {
        return Err(Error::fixed("ERR SYNC and PSYNC are not allowed in a transaction or a script"));
    }
    if call.session.replica.as_ref().is_some_and(|replica| replica.link.is_some()) {
        return Ok(());
    }
    let is_cut_off = |following: &crate::replication::Following| !following.is_online();
    if call.shared().replication.following().is_some_and(|following| is_cut_off(&following)) {
        return Err(Error::fixed("NOMASTERLINK Can't SYNC while not connected with my master"));
    }
    if call.session.subscriptions.is_some() || call.session.tracked.is_some() {
        return Err(Error::fixed("ERR SYNC and PSYNC are invalid with pending output"));
    }
    if let Some(line) = replication::attach(call.worker, call.session, asked) {
        reply.status(&line);
    }
    Ok(())
}

pub(super) const REPLCONF: Command = Command::new(Group::Server, "REPLCONF", "", replconf)
    .summary("Tells the server that is followed about a replica.")
    .cost("O(1)")
    .since("3.0.0")
    .arity(-1)
    .flags(ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn replconf(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if !args.remaining().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    while args.remaining() > 0 {
        if args.option("ACK") {
            acknowledge(call, args);
            return Ok(());
        } else if args.option("GETACK") {
            // Only the server that is followed may ask.
            return Ok(());
        }
        let replica = call.session.replica.get_or_insert_default();
        note(&mut replica.facts, args)?;
    }
    reply.ok();
    Ok(())
}

/// Takes note of one fact about a replica.
fn note(facts: &mut Facts, args: &mut Args<'_>) -> Result<(), Error> {
    if args.option("LISTENING-PORT") {
        facts.port = args.int().ok().and_then(|port| u16::try_from(port).ok()).ok_or(Error::NOT_AN_INTEGER)?;
    } else if args.option("IP-ADDRESS") {
        let word = args.word();
        if word.len() >= IP_BYTES_MAX {
            return Err(Error::text(format!(
                "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                word.len()
            )));
        }
        let text = String::from_utf8_lossy(word).into_owned();
        facts.ip = (!text.is_empty()).then_some(text);
    } else if args.option("CAPA") {
        // Those that are not known are no harm.
        facts.knows_end_mark |= args.option("EOF");
        facts.knows_new_ids |= args.option("PSYNC2");
        facts.is_ochre |= args.option("OCHRE");
        if args.remaining() % 2 == 1 {
            args.next();
        }
    } else if args.option("VERSION") {
        facts.version = version(args.word());
    } else if args.option("RDB-ONLY") {
        facts.only_snapshot = args.int()? == 1;
    } else {
        let name = String::from_utf8_lossy(args.word()).into_owned();
        return Err(Error::text(format!("ERR Unrecognized REPLCONF option: {name}")));
    }
    Ok(())
}

/// No address is longer than the text of an IPv6 one.
const IP_BYTES_MAX: usize = 46;

/// `9.1.2` as one number, two digits of 16 a part; 0 when it is none.
fn version(word: &[u8]) -> u32 {
    let parts = word.split(|byte| *byte == b'.').map(|part| number::parse_u64(part).filter(|part| *part < 256));
    let parts: Option<Vec<u64>> = parts.collect();
    match parts.as_deref() {
        Some([major, minor, patch]) => (major << 16 | minor << 8 | patch) as u32,
        _ => 0,
    }
}

/// A replica says how far it has got; that is not answered.
fn acknowledge(call: &mut SessionCall<'_>, args: &mut Args<'_>) {
    let Some(link) = call.session.replica.as_ref().and_then(|replica| replica.link.clone()) else { return };
    let Some(offset) = number::parse_u64(args.word()) else { return };
    let on_disk = if args.option("FACK") { args.next().and_then(number::parse_u64) } else { None };
    link.note_acknowledged(offset, on_disk, call.worker.context.now_ms);
    if link.stage() == Stage::Loaded {
        replication::put_online(call.shared(), &link);
    }
    replication::answer_waits(call.shared());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version(b"9.1.2"), 0x9_01_02);
        assert!(version(b"9.0.0") > version(b"8.255.1"));
        assert_eq!([version(b"9.1"), version(b"x.1.2"), version(b"1.2.999")], [0, 0, 0]);
    }
}
