//! PING, ECHO, QUIT and SELECT.

use crate::commands::{Command, SessionCall};
use crate::dispatch::Flow;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;

pub const PING: Command = Command::new(Group::Connection, "PING", "[message]", ping)
    .summary("Replies PONG, or the message.")
    .cost("O(1)")
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
    .flags(FAST);

fn ping(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.remaining() > 1 {
        return Err(Error::wrong_arity("ping"));
    }
    if call.session.subscriptions.is_some() && call.session.protocol == 2 {
        // A subscriber takes nothing but arrays.
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(args.word());
        return Ok(());
    }
    match args.next() {
        Some(message) => reply.bulk(message),
        None => reply.status("PONG"),
    }
    Ok(())
}

pub const ECHO: Command = Command::new(Group::Connection, "ECHO", "message", echo)
    .summary("Replies the message.")
    .cost("O(1)")
    .flags(LOADING | STALE | FAST);

fn echo(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.bulk(args.word());
    Ok(())
}

pub const QUIT: Command = Command::new(Group::Connection, "QUIT", "", quit)
    .summary("Closes the connection.")
    .cost("O(1)")
    .deprecated("7.2.0", "just closing the connection")
    .arity(-1) // words behind it are ignored
    .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY);

fn quit(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.ok();
    call.flow = Flow::Close;
    Ok(())
}

pub const SELECT: Command = Command::new(Group::Connection, "SELECT", "index", select)
    .summary("Selects the database that the connection's commands work on.")
    .cost("O(1)")
    .flags(LOADING | STALE | FAST | ALLOW_BUSY);

fn select(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let db = number::parse_i64(args.word()).ok_or(Error::INVALID_DB_INDEX)?;
    let databases = call.worker.shared.keyspace.databases();
    let db = usize::try_from(db).ok().filter(|db| *db < databases).ok_or(Error::DB_INDEX)?;
    call.session.select(db);
    reply.ok();
    Ok(())
}

pub const RESET: Command = Command::new(Group::Connection, "RESET", "", reset)
    .summary("Makes the connection what it was when it was new.")
    .cost("O(1)")
    .since("6.2.0")
    .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY);

fn reset(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    crate::transaction::end(call.session, &mut call.worker.leftovers);
    crate::commands::pubsub::end_all(call.session, call.worker.shared);
    call.worker.shared.monitors.remove(call.session);
    crate::tracking::end(call.session, call.worker.shared);
    call.session.reset(call.worker.shared);
    call.worker.context.no_touch = false;
    reply.set_protocol(ochre_resp::Protocol::Resp2);
    reply.status("RESET");
    Ok(())
}
