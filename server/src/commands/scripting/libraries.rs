//! FUNCTION: loading, dropping, dumping and restoring libraries.

use crate::commands::{Command, SessionCall};
use crate::scripts::functions::{Libraries, add};
use crate::scripts::run::{Inside, enter};
use crate::scripts::thread::ThreadScripts;
use ochre_collections::ShardSet;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_scripting::{Restore, dump, libraries_of_dump};

const TIPS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

/// Alone in the gate, or in a transaction that is; `None` when the client has to wait.
fn alone(call: &mut SessionCall<'_>) -> Option<Option<Inside>> {
    if call.held.is_some() { Some(None) } else { enter(call).map(Some) }
}

/// Puts the libraries in place and tells the log.
fn commit(call: &mut SessionCall<'_>, libraries: Libraries) {
    call.shared().scripts.functions.replace(libraries);
    call.with_data(ShardSet::new(), |data| data.effects.changes += 1);
}

fn with_scripts<R>(
    call: &mut SessionCall<'_>,
    work: impl FnOnce(&ThreadScripts) -> Result<R, Error>,
) -> Result<R, Error> {
    let scripts = match &mut call.worker.scripts {
        Some(scripts) => scripts,
        none => none.insert(Box::new(ThreadScripts::new()?)),
    };
    work(scripts)
}

pub(super) const LOAD: Command = Command::new(Group::Scripting, "LOAD", "[REPLACE] function-code", load)
    .summary("Loads a library of functions; replies its name.")
    .cost("O(1) (considering compilation time is redundant)")
    .since("7.0.0")
    .flags(WRITE | DENYOOM | NOSCRIPT)
    .tips(TIPS)
    .locks(Locks::All);

fn load(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut replace = false;
    while args.remaining() > 1 {
        if !args.option("REPLACE") {
            let word = String::from_utf8_lossy(args.word());
            return Err(Error::text(format!("ERR Unknown option given: {word}")));
        }
        replace = true;
    }
    if args.remaining() == 0 {
        return Err(Error::fixed("ERR Function code is missing"));
    }
    let code = args.word();
    let Some(_inside) = alone(call) else { return Ok(()) };
    let (library, _) = with_scripts(call, |scripts| scripts.load(code))?;
    let mut libraries = Libraries::clone(&call.shared().scripts.functions.all());
    let name = library.name.clone();
    add(&mut libraries, library, replace).map_err(Error::text)?;
    commit(call, libraries);
    reply.bulk(name.as_bytes());
    Ok(())
}

pub(super) const DELETE: Command = Command::new(Group::Scripting, "DELETE", "library-name", delete)
    .summary("Drops a library and its functions.")
    .cost("O(1)")
    .since("7.0.0")
    .flags(WRITE | NOSCRIPT)
    .tips(TIPS)
    .locks(Locks::All);

fn delete(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = String::from_utf8_lossy(args.word()).into_owned();
    let Some(_inside) = alone(call) else { return Ok(()) };
    let mut libraries = Libraries::clone(&call.shared().scripts.functions.all());
    if libraries.remove(&name).is_none() {
        return Err(Error::fixed("ERR Library not found"));
    }
    commit(call, libraries);
    reply.ok();
    Ok(())
}

pub(super) const FLUSH: Command = Command::new(Group::Scripting, "FLUSH", "[ASYNC | SYNC]", flush)
    .summary("Drops all libraries.")
    .cost("O(N) where N is the number of functions deleted")
    .since("7.0.0")
    .flags(WRITE | NOSCRIPT)
    .tips(TIPS)
    .locks(Locks::All);

fn flush(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.remaining() > 1 {
        return Err(Error::subcommand_syntax(call.words.at(1), "FUNCTION"));
    }
    if args.remaining() == 1 && !args.option("ASYNC") && !args.option("SYNC") {
        return Err(Error::fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    let Some(_inside) = alone(call) else { return Ok(()) };
    commit(call, Libraries::new());
    reply.ok();
    Ok(())
}

pub(super) const DUMP: Command = Command::new(Group::Scripting, "DUMP", "", dump_all)
    .summary("Replies all libraries in a serialized form.")
    .cost("O(N) where N is the number of functions")
    .since("7.0.0")
    .flags(NOSCRIPT);

fn dump_all(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let libraries = call.shared().scripts.functions.all();
    reply.bulk(&dump(libraries.values().map(|library| library.code.as_slice())));
    Ok(())
}

pub(super) const RESTORE: Command =
    Command::new(Group::Scripting, "RESTORE", "serialized-value [FLUSH | APPEND | REPLACE]", restore)
        .summary("Loads the libraries of a serialized form.")
        .cost("O(N) where N is the number of functions on the payload")
        .since("7.0.0")
        .flags(WRITE | DENYOOM | NOSCRIPT)
        .tips(TIPS)
        .locks(Locks::All);

fn restore(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let payload = args.word();
    if args.remaining() > 1 {
        return Err(Error::subcommand_syntax(call.words.at(1), "FUNCTION"));
    }
    let policy = if args.remaining() == 0 || args.option("APPEND") {
        Restore::Append
    } else if args.option("REPLACE") {
        Restore::Replace
    } else if args.option("FLUSH") {
        Restore::Flush
    } else {
        return Err(Error::fixed("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."));
    };
    let codes = libraries_of_dump(payload).map_err(Error::fixed)?;
    let Some(_inside) = alone(call) else { return Ok(()) };
    let mut libraries = match policy {
        Restore::Flush => Libraries::new(),
        _ => Libraries::clone(&call.shared().scripts.functions.all()),
    };
    for code in codes {
        let (library, _) = with_scripts(call, |scripts| scripts.load(&code))?;
        add(&mut libraries, library, policy == Restore::Replace)
            .map_err(|error| Error::text(error.replace('\'', "")))?;
    }
    commit(call, libraries);
    reply.ok();
    Ok(())
}
