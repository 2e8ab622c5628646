//! Running scripts and functions.

use crate::commands::{Command, SessionCall};
use crate::scripts::run::{Name, Work, run};
use crate::scripts::thread::ThreadScripts;
use crate::shared::Shared;
use ochre_commands::keys::*;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

const COST: &str = "Depends on the script that is executed.";
const FUNCTION_COST: &str = "Depends on the function that is executed.";
const NO_SCRIPT: Error = Error::fixed("NOSCRIPT No matching script. Please use EVAL.");

pub(super) const EVAL: Command =
    Command::new(Group::Scripting, "EVAL", "script numkeys [key [key ...]] [arg [arg ...]]", eval)
        .summary("Runs a Lua script.")
        .cost(COST)
        .since("2.6.0")
        .keys(&[KeySpec::counted(2, RW | ACCESS | UPDATE)])
        .flags(NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS)
        .locks(Locks::All);

fn eval(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    run(call, sent, Error::NOT_AN_INTEGER, false, reply)
}

pub(super) const EVAL_RO: Command =
    Command::new(Group::Scripting, "EVAL_RO", "script numkeys [key [key ...]] [arg [arg ...]]", eval_ro)
        .summary("Runs a Lua script that only reads.")
        .cost(COST)
        .since("7.0.0")
        .keys(&[KeySpec::counted(2, RO | ACCESS)])
        .flags(READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS)
        .locks(Locks::All);

fn eval_ro(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    run(call, sent, Error::NOT_AN_INTEGER, true, reply)
}

fn sent(scripts: &mut ThreadScripts, shared: &Shared, body: &[u8]) -> Result<Work, Error> {
    let digest = ochre_digest::sha1(body);
    let cache = &shared.scripts.cache;
    let (source, compiled) = match scripts.known(cache, &digest)? {
        Some(known) => known,
        None => scripts.add(cache, digest, body, false)?,
    };
    Ok(Work { compiled, flags: source.flags, name: Name::Script(digest) })
}

pub(super) const EVALSHA: Command =
    Command::new(Group::Scripting, "EVALSHA", "sha1 numkeys [key [key ...]] [arg [arg ...]]", evalsha)
        .summary("Runs a Lua script that was sent before, by its digest.")
        .cost(COST)
        .since("2.6.0")
        .keys(&[KeySpec::counted(2, RW | ACCESS | UPDATE)])
        .flags(NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS)
        .locks(Locks::All);

fn evalsha(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    run(call, named, Error::NOT_AN_INTEGER, false, reply)
}

pub(super) const EVALSHA_RO: Command =
    Command::new(Group::Scripting, "EVALSHA_RO", "sha1 numkeys [key [key ...]] [arg [arg ...]]", evalsha_ro)
        .summary("Runs a Lua script that was sent before and only reads, by its digest.")
        .cost(COST)
        .since("7.0.0")
        .keys(&[KeySpec::counted(2, RO | ACCESS)])
        .flags(READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS)
        .locks(Locks::All);

fn evalsha_ro(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    run(call, named, Error::NOT_AN_INTEGER, true, reply)
}

fn named(scripts: &mut ThreadScripts, shared: &Shared, hex: &[u8]) -> Result<Work, Error> {
    let (source, compiled) = scripts.named(&shared.scripts.cache, hex)?.ok_or(NO_SCRIPT)?;
    Ok(Work { compiled: compiled.clone(), flags: source.flags, name: Name::Script(source.digest) })
}

pub(super) const FCALL: Command =
    Command::new(Group::Scripting, "FCALL", "function numkeys [key [key ...]] [arg [arg ...]]", fcall)
        .summary("Runs a function of a library.")
        .cost(FUNCTION_COST)
        .since("7.0.0")
        .keys(&[KeySpec::counted(2, RW | ACCESS | UPDATE)])
        .flags(NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS)
        .locks(Locks::All);

const BAD_NUMBER: Error = Error::fixed("ERR Bad number of keys provided");

fn fcall(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    run_function(call, false, reply)
}

/// A function that is not known is the first thing to complain about.
fn run_function(call: &mut SessionCall<'_>, read_only: bool, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = call.words.at(1);
    let result = run(call, function, BAD_NUMBER, read_only, reply);
    if result.is_err() {
        let libraries = call.shared().scripts.functions.all();
        let mut functions = libraries.values().flat_map(|library| &library.functions);
        if !functions.any(|function| function.name.as_bytes().eq_ignore_ascii_case(name)) {
            return Err(NO_FUNCTION);
        }
    }
    result
}

const NO_FUNCTION: Error = Error::fixed("ERR Function not found");

pub(super) const FCALL_RO: Command =
    Command::new(Group::Scripting, "FCALL_RO", "function numkeys [key [key ...]] [arg [arg ...]]", fcall_ro)
        .summary("Runs a function of a library that only reads.")
        .cost(FUNCTION_COST)
        .since("7.0.0")
        .keys(&[KeySpec::counted(2, RO | ACCESS)])
        .flags(READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS)
        .locks(Locks::All);

fn fcall_ro(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    run_function(call, true, reply)
}

fn function(scripts: &mut ThreadScripts, shared: &Shared, name: &[u8]) -> Result<Work, Error> {
    let found = scripts.function(&shared.scripts.functions, name);
    let (name, compiled, flags) = found.ok_or(NO_FUNCTION)?;
    Ok(Work { compiled, flags, name: Name::Function(name) })
}
