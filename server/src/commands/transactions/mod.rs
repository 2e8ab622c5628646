//! Group transactions: MULTI, EXEC, DISCARD, WATCH and UNWATCH.

use super::{Command, SessionCall};
use crate::transaction;
use ochre_commands::keys::*;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub const COMMANDS: &[Command] = &[MULTI, EXEC, DISCARD, WATCH, UNWATCH];

const MULTI: Command = Command::new(Group::Transactions, "MULTI", "", multi)
    .summary("Begins a transaction: commands are queued until EXEC.")
    .cost("O(1)")
    .since("1.2.0")
    .flags(NOSCRIPT | LOADING | STALE | FAST | NO_MULTI | ALLOW_BUSY);

fn multi(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.session.transaction.is_some() {
        return Err(Error::fixed("ERR MULTI calls can not be nested"));
    }
    transaction::begin(call.session, &mut call.worker.spare_queue);
    reply.ok();
    Ok(())
}

const EXEC: Command = Command::new(Group::Transactions, "EXEC", "", exec)
    .summary("Runs the queued commands as one; null when a watched key has changed.")
    .cost("Depends on commands in the transaction")
    .since("1.2.0")
    .flags(NOSCRIPT | LOADING | STALE | SKIP_COMMANDLOG);

fn exec(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    transaction::exec(call, reply)
}

const DISCARD: Command = Command::new(Group::Transactions, "DISCARD", "", discard)
    .summary("Drops the queued commands and ends the transaction.")
    .cost("O(N), when N is the number of queued commands")
    .since("2.0.0")
    .flags(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY);

fn discard(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.session.transaction.is_none() {
        return Err(Error::fixed("ERR DISCARD without MULTI"));
    }
    transaction::end(call.session, &mut call.worker.leftovers);
    reply.ok();
    Ok(())
}

const WATCH: Command = Command::new(Group::Transactions, "WATCH", "key [key ...]", watch)
    .summary("Lets the next EXEC do nothing when one of the keys has changed by then.")
    .cost("O(1) for every key.")
    .since("2.2.0")
    .keys(&[KeySpec::span(1, -1, 1, RO)])
    .flags(NOSCRIPT | LOADING | STALE | FAST | NO_MULTI | ALLOW_BUSY);

fn watch(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.session.transaction.is_some() {
        return Err(Error::fixed("ERR WATCH inside MULTI is not allowed"));
    }
    transaction::watch(call, args.rest(), reply);
    Ok(())
}

const UNWATCH: Command = Command::new(Group::Transactions, "UNWATCH", "", unwatch)
    .summary("Ends all watches of the connection.")
    .cost("O(1)")
    .since("2.2.0")
    .flags(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY);

fn unwatch(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    transaction::end_watch(call.session, &mut call.worker.leftovers);
    reply.ok();
    Ok(())
}
