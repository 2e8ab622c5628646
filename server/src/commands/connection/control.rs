//! How clients are treated: pauses, replies, eviction, access clocks.

use crate::clients::traits;
use crate::commands::{Command, SessionCall};
use crate::session::ReplyMode;
use crate::shared::Message;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;
use std::sync::PoisonError;

pub(super) const CLIENT_PAUSE: Command =
    Command::new(Group::Connection, "PAUSE", "timeout [WRITE | ALL]", client_pause)
        .summary("Lets the commands of all clients, or those that write, wait for a time.")
        .cost("O(1)")
        .since("3.0.0")
        .history(&[("6.2.0", "WRITE and ALL.")])
        .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn client_pause(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const BAD_TIMEOUT: Error = Error::fixed("ERR timeout is not an integer or out of range");
    const NEGATIVE_TIMEOUT: Error = Error::fixed("ERR timeout is negative");
    const BAD_MODE: Error = Error::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL");
    let timeout = args.word();
    let all = if args.option("WRITE") {
        false
    } else if args.remaining() == 0 || args.option("ALL") {
        true
    } else {
        return Err(BAD_MODE);
    };
    args.finish()?;
    let timeout_ms = number::parse_i64(timeout).ok_or(BAD_TIMEOUT)?;
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| NEGATIVE_TIMEOUT)?;
    let now_ms = call.worker.context.now_ms;
    // A few bits of the word are taken.
    let end_ms = now_ms.checked_add(timeout_ms).filter(|end| *end < 1 << 59).ok_or(BAD_TIMEOUT)?;
    call.worker.shared.pause.start(end_ms, all, now_ms);
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_UNPAUSE: Command = Command::new(Group::Connection, "UNPAUSE", "", client_unpause)
    .summary("Ends a pause of the clients.")
    .cost("O(N) Where N is the number of paused clients")
    .since("6.2.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn client_unpause(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    call.worker.shared.pause.end();
    call.worker.shared.tell_all(|| Message::PauseChanged);
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_REPLY: Command = Command::new(Group::Connection, "REPLY", "<ON | OFF | SKIP>", client_reply)
    .summary("Says which replies the connection gets.")
    .cost("O(1)")
    .since("3.2.0")
    .flags(NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY);

fn client_reply(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mode = &mut call.session.reply_mode;
    if args.option("ON") {
        *mode = ReplyMode::On;
        reply.ok();
    } else if args.option("OFF") {
        *mode = ReplyMode::Off;
    } else if args.option("SKIP") {
        // Where nothing is replied at all there is nothing to skip.
        if *mode != ReplyMode::Off {
            *mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(Error::SYNTAX);
    }
    Ok(())
}

/// Reads `ON` or `OFF`.
fn on_or_off(args: &mut Args<'_>) -> Result<bool, Error> {
    if args.option("ON") {
        Ok(true)
    } else if args.option("OFF") {
        Ok(false)
    } else {
        Err(Error::SYNTAX)
    }
}

pub(super) const CLIENT_NO_EVICT: Command = Command::new(Group::Connection, "NO-EVICT", "<ON | OFF>", client_no_evict)
    .summary("Says whether the connection may be closed when clients take too much memory.")
    .cost("O(1)")
    .since("7.0.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn client_no_evict(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    call.session.client.set(traits::NO_EVICT, on_or_off(args)?);
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_NO_TOUCH: Command = Command::new(Group::Connection, "NO-TOUCH", "<ON | OFF>", client_no_touch)
    .summary("Says whether the connection's reads count for eviction.")
    .cost("O(1)")
    .since("7.2.0")
    .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn client_no_touch(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let on = on_or_off(args)?;
    call.session.client.set(traits::NO_TOUCH, on);
    call.worker.context.no_touch = on;
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_IMPORT_SOURCE: Command =
    Command::new(Group::Connection, "IMPORT-SOURCE", "<ON | OFF>", client_import_source)
        .summary("Marks the connection as one that imports data.")
        .cost("O(1)")
        .since("8.1.0")
        .flags(NOSCRIPT | LOADING | STALE);

fn client_import_source(_: &mut SessionCall<'_>, args: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    on_or_off(args)?;
    // There is no import mode here; this is what a peer replies while its own is off.
    Err(Error::fixed("ERR Server is not in import mode"))
}

pub(super) const CLIENT_UNBLOCK: Command =
    Command::new(Group::Connection, "UNBLOCK", "client-id [TIMEOUT | ERROR]", client_unblock)
        .summary("Ends the wait of a blocked client, as if its time was over or with an error.")
        .cost("O(log N) where N is the number of client connections")
        .since("5.0.0")
        .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn client_unblock(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const BAD_REASON: Error = Error::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    let id = args.word();
    let with_error = if args.option("ERROR") {
        true
    } else if args.remaining() == 0 || args.option("TIMEOUT") {
        false
    } else {
        return Err(BAD_REASON);
    };
    let id = number::parse_i64(id).ok_or(Error::NOT_AN_INTEGER)?;
    let client = u64::try_from(id).ok().and_then(|id| call.worker.shared.registry.get(id));
    let waiter = client.and_then(|client| client.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let unblocked = waiter.filter(|waiter| waiter.claim()).map(|waiter| {
        let protocol = crate::worker::protocol_of_version(waiter.protocol);
        let answer = if with_error {
            call.worker.count_error("UNBLOCKED");
            if let Some(row) = waiter.words.first().and_then(|name| call.worker.shared.commands.find(name)) {
                call.worker.counters().commands[row.id].failed.add(1);
            }
            let mut bytes = Vec::new();
            Reply::new(&mut bytes, protocol).error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
            bytes
        } else {
            crate::blocking::time_out_reply(call.worker.shared, &waiter)
        };
        let desk = &call.worker.shared.desks[waiter.thread as usize];
        desk.post(Message::Unblocked { waiter, reply: answer });
    });
    reply.integer(i64::from(unblocked.is_some()));
    Ok(())
}
