//! SAVE, BGSAVE and LASTSAVE: snapshot files.

use crate::commands::{Command, SessionCall};
use crate::dispatch::Flow;
use crate::persistence::rewrite;
use crate::persistence::save::{self, Kind};
use crate::persistence::snapshot::{self, Failure};
use crate::session::Wait;
use crate::shared::Message;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use std::sync::atomic::Ordering;

const IN_PROGRESS: Error = Error::fixed("ERR Background save already in progress");

pub const SAVE: Command = Command::new(Group::Server, "SAVE", "", save)
    .summary("Saves all data to the snapshot file; the reply comes when it is on the disk.")
    .cost("O(N) in the number of keys")
    .locks(Locks::All)
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI);

fn save(call: &mut SessionCall<'_>, _: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    if shared.saves.is_saving() {
        return Err(IN_PROGRESS);
    }
    let (thread, client) = (call.worker.id, call.session.id());
    let tell = move |result: Result<(), Failure>| {
        let write = Box::new(move |reply: &mut Reply<'_>| match result {
            Ok(()) => reply.ok(),
            Err(failure) => reply.error(failed(&failure).as_str()),
        });
        shared.desks[thread].post(Message::Answer { client, write });
    };
    let request = save::request(shared, Kind::Save, tell).map_err(|failure| failed(&failure))?;
    // Others go on: the file shows one moment after this command came, whatever they write.
    snapshot::start(shared, request);
    call.session.wait = Wait::Answer;
    call.flow = Flow::Blocked;
    Ok(())
}

fn failed(failure: &Failure) -> Error {
    match failure {
        Failure::Busy => IN_PROGRESS,
        Failure::Cancelled => Error::fixed("ERR The save was called off"),
        Failure::Sink(_) => Error::fixed("ERR"),
    }
}

pub const BGREWRITEAOF: Command = Command::new(Group::Server, "BGREWRITEAOF", "", bgrewriteaof)
    .summary("Writes a new base of the append-only file, in the background.")
    .cost("O(1)")
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING);

fn bgrewriteaof(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    if shared.aof.rewriting.load(Ordering::SeqCst) {
        return Err(Error::fixed("ERR Background append only file rewriting already in progress"));
    }
    // In a transaction the others come first.
    if shared.saves.is_saving() || call.held.is_some() || rewrite::begin(shared).is_err() {
        shared.aof.scheduled.store(true, Ordering::SeqCst);
        reply.status("Background append only file rewriting scheduled");
    } else {
        reply.status("Background append only file rewriting started");
    }
    Ok(())
}

pub const BGSAVE: Command = Command::new(Group::Server, "BGSAVE", "[SCHEDULE | CANCEL]", bgsave)
    .summary("Saves all data of this moment to the snapshot file, in the background.")
    .cost("O(1)")
    .history(&[("3.2.2", "Takes `SCHEDULE`."), ("8.1.0", "Takes `CANCEL`.")])
    .locks(Locks::All)
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING);

fn bgsave(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let is_scheduled = match args.remaining() {
        0 => false,
        1 if args.option("SCHEDULE") => true,
        1 if args.option("CANCEL") => return cancel(call, reply),
        _ => return Err(Error::SYNTAX),
    };
    if shared.saves.is_saving() {
        return Err(IN_PROGRESS);
    }
    // A snapshot in the middle of a transaction would show half of it.
    let in_transaction = call.held.is_some();
    if in_transaction || shared.keyspace.is_being_cut() {
        if !is_scheduled && !in_transaction {
            return Err(Error::fixed(
                "ERR Another background job is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                 schedule a BGSAVE whenever possible.",
            ));
        }
        shared.saves.schedule();
        reply.status("Background saving scheduled");
        return Ok(());
    }
    // The cut is taken before the reply: what the client writes next is not in the file.
    let begun = call.with_data(shared.keyspace.all_shards(), |data| {
        let request = save::request(shared, Kind::Background, |_| ())?;
        snapshot::begin(shared, data, request).map(|_| ()).map_err(|request| {
            request.refuse(shared);
            Failure::Busy
        })
    });
    match begun {
        None => Ok(()),
        Some(Ok(())) => {
            reply.status("Background saving started");
            Ok(())
        }
        Some(Err(failure)) => Err(failed(&failure)),
    }
}

fn cancel(call: &mut SessionCall<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let saves = &call.shared().saves;
    if saves.cancel(Kind::Background) {
        reply.status("Background saving cancelled");
    } else if saves.unschedule() {
        reply.status("Scheduled background saving cancelled");
    } else {
        return Err(Error::fixed("ERR Background saving is currently not in progress or scheduled"));
    }
    Ok(())
}

pub const LASTSAVE: Command = Command::new(Group::Server, "LASTSAVE", "", lastsave)
    .summary("Replies when the data was last saved, or the server started: Unix time in seconds.")
    .cost("O(1)")
    .tips(&["nondeterministic_output"])
    .categories(CAT_ADMIN | CAT_DANGEROUS)
    .flags(LOADING | STALE | FAST);

fn lastsave(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.integer((call.shared().saves.state().last_save_ms / 1000) as i64);
    Ok(())
}
