//! DEBUG RELOAD: the data is saved, thrown away and loaded again.

use crate::commands::SessionCall;
use crate::dispatch::Flow;
use crate::log;
use crate::persistence::load::LoadOptions;
use crate::persistence::{aof, load_file, save};
use crate::session::Wait;
use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_commands::{Args, Error};
use ochre_keyspace::{Context, Effects, Garbage};
use ochre_resp::Reply;
use std::sync::mpsc;

/// What is done with the data that is there.
#[derive(Clone, Copy)]
struct Manner {
    merge: bool,
    flush: bool,
    save: bool,
}

/// Reloads the data on a thread of its own; the client waits, and while the file is loaded all others are told to.
pub fn reload(call: &mut SessionCall<'_>, args: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    let mut manner = Manner { merge: false, flush: true, save: true };
    while args.remaining() > 0 {
        if args.option("MERGE") {
            manner.merge = true;
        } else if args.option("NOFLUSH") {
            manner.flush = false;
        } else if args.option("NOSAVE") {
            manner.save = false;
        } else {
            return Err(Error::fixed("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."));
        }
    }
    if call.held.is_some() {
        return Err(Error::fixed("ERR DEBUG RELOAD is not allowed in a transaction or a script"));
    }
    let shared = call.shared();
    let (thread, client) = (call.worker.id, call.session.id());
    let body = move || {
        let result = reload_now(shared, manner);
        let write = Box::new(move |reply: &mut Reply<'_>| match result {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.as_str()),
        });
        shared.desks[thread].post(Message::Answer { client, write });
    };
    let spawned = std::thread::Builder::new().name("reload".into()).spawn(body);
    spawned.map_err(|error| Error::text(format!("ERR Can't start a thread: {error}")))?;
    call.session.wait = Wait::Answer;
    call.flow = Flow::Blocked;
    Ok(())
}

fn reload_now(shared: &'static Shared, manner: Manner) -> Result<(), Error> {
    const FAILED: Error = Error::fixed("ERR Error trying to load the RDB dump, check server logs");
    if manner.save {
        save::save_now(shared).map_err(|_| Error::fixed("ERR"))?;
    }
    if !load_file::path(shared).exists() {
        log::warning(format_args!("There is no RDB file {} to reload from", load_file::shown_path(shared)));
        return Err(FAILED);
    }
    // From here on nobody sees data that is only half there.
    shared.loading.begin(shared, 0);
    if manner.flush {
        flush(shared);
    }
    let refuses_libraries = !manner.merge && !manner.flush;
    let options = LoadOptions { merge: manner.merge, refuses_libraries, ..LoadOptions::default() };
    if let Err(error) = load_file::load(shared, options) {
        if manner.flush {
            // What is left is neither the old data nor the file's, and must not be saved over it.
            log::warning(format_args!("{}", load_file::fatal(error)));
            std::process::exit(1);
        }
        log::warning(format_args!("{error}"));
        return Err(FAILED);
    }
    log::warning(format_args!("DB reloaded by DEBUG RELOAD"));
    Ok(())
}

/// DEBUG LOADAOF: loads the data anew from the append-only file, in the same way.
pub fn load_append_only_file(call: &mut SessionCall<'_>, _: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    if call.held.is_some() {
        return Err(Error::fixed("ERR DEBUG LOADAOF is not allowed in a transaction or a script"));
    }
    let (thread, client) = (call.worker.id, call.session.id());
    let answer = move |result: Result<(), String>| {
        match &result {
            Ok(()) => log::warning(format_args!("Append Only File loaded by DEBUG LOADAOF")),
            Err(error) => log::warning(format_args!("{error}")),
        }
        let write = Box::new(move |reply: &mut Reply<'_>| match result {
            Ok(()) => reply.ok(),
            Err(_) => reply.error("ERR Error trying to load the AOF files, check server logs"),
        });
        shared.desks[thread].post(Message::Answer { client, write });
    };
    if shared.desks.len() > 1 {
        let body = move || {
            answer(aof::reload(shared, || empty_all(shared, &Context::default(), &mut Effects::default())));
        };
        let spawned = std::thread::Builder::new().name("reload".into()).spawn(body);
        spawned.map_err(|error| Error::text(format!("ERR Can't start a thread: {error}")))?;
    } else {
        // Only this loop may touch the data.
        let task = move |worker: &mut Worker| {
            answer(aof::reload(shared, || empty_all(shared, &worker.context, &mut worker.effects)));
        };
        shared.desks[thread].post(Message::Do(Box::new(task)));
    }
    call.session.wait = Wait::Answer;
    call.flow = Flow::Blocked;
    Ok(())
}

/// Empties all databases, on the loop's thread when only that may.
pub fn flush(shared: &'static Shared) {
    if shared.desks.len() > 1 {
        return empty_all(shared, &Context::default(), &mut Effects::default());
    }
    let (sender, receiver) = mpsc::channel::<()>();
    let task = move |worker: &mut Worker| {
        empty_all(shared, &worker.context, &mut worker.effects);
        drop(sender);
    };
    shared.desks[0].post(Message::Do(Box::new(task)));
    // It ends when the task has run, or when the loop has ended without it.
    let _ = receiver.recv();
}

fn empty_all(shared: &Shared, context: &Context, effects: &mut Effects) {
    let mut locks = shared.keyspace.all_shards();
    let guard = shared.keyspace.shards().lock_set_blocking(&mut locks);
    let mut data = shared.keyspace.view(guard, context, effects, 0);
    let tables: Vec<_> = (0..data.databases()).flat_map(|db| data.empty(db)).collect();
    drop(data);
    effects.clear();
    tables.into_iter().for_each(|table| shared.lazyfree.free(Garbage::Table(table)));
}
