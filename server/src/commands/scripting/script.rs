//! SCRIPT: the cache of scripts, and the end of one that takes too long.

use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use crate::scripts::cache::{hex_of, parse_digest};
use crate::scripts::gate::Kill;
use crate::scripts::run::busy;
use crate::scripts::thread::ThreadScripts;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub(super) const SCRIPT: Command = Command::container(Group::Scripting, "SCRIPT", SUBCOMMANDS)
    .summary("A container for commands on scripts.")
    .cost("Depends on subcommand.")
    .since("2.6.0")
    .not_in(CAT_SCRIPTING);

const SUBCOMMANDS: &[Command] = &[DEBUG, EXISTS, FLUSH, HELP, KILL, LOAD, SHOW];

const DEBUG: Command = Command::new(Group::Scripting, "DEBUG", "<YES | SYNC | NO> [engine]", debug)
    .summary("Would switch the debugger on, which Ochre does not have; NO is taken.")
    .cost("O(1)")
    .since("3.2.0")
    .flags(NOSCRIPT);

fn debug(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.option("NO") {
        reply.ok();
        return Ok(());
    }
    if args.option("YES") || args.option("SYNC") {
        return Err(Error::fixed("ERR Ochre has no debugger for scripts"));
    }
    Err(Error::fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

const EXISTS: Command = Command::new(Group::Scripting, "EXISTS", "sha1 [sha1 ...]", exists)
    .summary("Says which scripts the cache has.")
    .cost("O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).")
    .since("2.6.0")
    .flags(NOSCRIPT | STALE)
    .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"]);

fn exists(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let cache = &call.shared().scripts.cache;
    reply.array(args.remaining());
    while args.remaining() > 0 {
        let known = parse_digest(args.word()).is_some_and(|digest| cache.get(&digest).is_some());
        reply.integer(known.into());
    }
    Ok(())
}

const FLUSH: Command = Command::new(Group::Scripting, "FLUSH", "[ASYNC | SYNC]", flush)
    .summary("Forgets all scripts.")
    .cost("O(N) with N being the number of scripts in cache")
    .since("2.6.0")
    .history(&[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")])
    .arity(-2)
    .flags(NOSCRIPT | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn flush(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let is_mode = args.remaining() == 0 || args.option("ASYNC") || args.option("SYNC");
    if !is_mode || args.remaining() > 0 {
        return Err(Error::fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    call.shared().scripts.cache.flush();
    reply.ok();
    Ok(())
}

const HELP: Command = Command::new(Group::Scripting, "HELP", "", help)
    .summary("Says what SCRIPT can do.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(LOADING | STALE);

const KILL: Command = Command::new(Group::Scripting, "KILL", "", kill)
    .summary("Ends the script that runs for too long, unless it has written.")
    .cost("O(1)")
    .since("2.6.0")
    .flags(NOSCRIPT | ALLOW_BUSY)
    .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]);

fn kill(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    end_script(call, false, reply)
}

/// SCRIPT KILL and FUNCTION KILL.
pub(super) fn end_script(call: &mut SessionCall<'_>, functions: bool, reply: &mut Reply<'_>) -> Result<(), Error> {
    match call.shared().scripts.gate.kill(functions) {
        Kill::Asked => reply.ok(),
        Kill::NothingRuns => return Err(Error::fixed("NOTBUSY No scripts in execution right now.")),
        Kill::OtherKind => return Err(busy(!functions)),
        Kill::HasWritten => {
            return Err(Error::fixed(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait \
                 the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
    }
    Ok(())
}

const LOAD: Command = Command::new(Group::Scripting, "LOAD", "script", load)
    .summary("Keeps a script without running it; replies its digest.")
    .cost("O(N) with N being the length in bytes of the script body.")
    .since("2.6.0")
    .flags(NOSCRIPT | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn load(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let body = args.word();
    let shared = call.shared();
    let digest = ochre_digest::sha1(body);
    let scripts = match &mut call.worker.scripts {
        Some(scripts) => scripts,
        none => none.insert(Box::new(ThreadScripts::new()?)),
    };
    scripts.add(&shared.scripts.cache, digest, body, true)?;
    reply.bulk(hex_of(&digest).as_bytes());
    Ok(())
}

const SHOW: Command = Command::new(Group::Scripting, "SHOW", "sha1", show)
    .summary("Replies a script that the cache has.")
    .cost("O(1).")
    .since("8.0.0")
    .flags(NOSCRIPT | STALE);

fn show(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let digest = parse_digest(args.word());
    let script = digest.and_then(|digest| call.shared().scripts.cache.get(&digest));
    reply.bulk(&script.ok_or(Error::fixed("NOSCRIPT No matching script."))?.body);
    Ok(())
}
