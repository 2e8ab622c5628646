//! How a script runs: the gate, the locks of the keys that it names, the run itself, and what follows from it.

use super::cache::{Digest, hex_of};
use super::host::ScriptHost;
use super::thread::ThreadScripts;
use crate::aftermath;
use crate::alerts::Alert;
use crate::blocking::serve_ready;
use crate::commands::SessionCall;
use crate::shared::{CommandRow, Shared};
use ochre_collections::ShardSet;
use ochre_collections::lock::{Attempt, Ticket};
use ochre_commands::{Error, Key, Locked};
use ochre_resp::{Args as Words, Reply};
use ochre_scripting::{Compiled, Engine, Failure, Flags, Outcome};
use ochre_text::number::parse_i64;

/// A script or function that is about to run.
pub struct Work {
    pub compiled: Compiled,
    pub flags: Flags,
    pub name: Name,
}

/// What errors and FUNCTION STATS call it.
pub enum Name {
    Script(Digest),
    Function(String),
}

/// Finds the script that a command names.
pub type Find = fn(&mut ThreadScripts, &Shared, &[u8]) -> Result<Work, Error>;

/// Whether a command runs a script or changes the libraries, so that it has to come in alone.
pub fn needs_gate(row: &CommandRow) -> bool {
    const NAMES: &[&str] = &[
        "eval",
        "evalsha",
        "eval_ro",
        "evalsha_ro",
        "fcall",
        "fcall_ro",
        "function|load",
        "function|delete",
        "function|flush",
        "function|restore",
    ];
    NAMES.contains(&row.full_name.as_str())
}

/// In the gate; leaves it when dropped.
pub struct Inside(&'static Shared);

impl Drop for Inside {
    fn drop(&mut self) {
        wake(self.0, self.0.scripts.gate.leave());
    }
}

#[cold]
fn wake_all(shared: &Shared, tickets: Vec<Ticket>) {
    for ticket in tickets {
        shared.desks[ticket.thread as usize].post(crate::shared::Message::Unpark(ticket.client));
    }
}

fn wake(shared: &Shared, tickets: Vec<Ticket>) {
    if !tickets.is_empty() {
        wake_all(shared, tickets);
    }
}

/// Goes through the gate, or parks the client: then the command runs again from its beginning.
pub fn enter(call: &mut SessionCall<'_>) -> Option<Inside> {
    let shared = call.worker.shared;
    let ticket = Ticket { thread: call.worker.id as u32, client: call.session.id() };
    if shared.scripts.gate.enter(ticket) {
        return Some(Inside(shared));
    }
    let attempt = call.session.resumed_attempt.take().unwrap_or_else(|| Attempt::new(ticket));
    call.flow = call.worker.wait_for_shard(call.session, attempt);
    None
}

/// Splits the words of a command behind its script into keys and arguments.
fn keys_and_arguments<'w>(words: Words<'w>, bad_number: Error) -> Result<(Words<'w>, Words<'w>), Error> {
    let count = parse_i64(words.at(2)).ok_or(bad_number)?;
    let rest = words.from(3);
    if count > rest.len() as i64 {
        return Err(Error::fixed("ERR Number of keys can't be greater than number of args"));
    }
    let count = usize::try_from(count).map_err(|_| Error::fixed("ERR Number of keys can't be negative"))?;
    Ok((rest.first(count), rest.from(count)))
}

/// Runs the script that the call's words name.
///
/// # Errors
/// When it may not run, or is not known.
pub fn run(
    call: &mut SessionCall<'_>,
    find: Find,
    bad_number: Error,
    read_only: bool,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let words = call.words;
    let (keys, arguments) = keys_and_arguments(words, bad_number)?;
    let inside = match call.held {
        // EXEC has gone through the gate before it locked anything.
        Some(_) => None,
        None => match enter(call) {
            Some(inside) => Some(inside),
            None => return Ok(()),
        },
    };
    let mut scripts = match call.worker.scripts.take() {
        Some(scripts) => scripts,
        None => Box::new(ThreadScripts::new()?),
    };
    let result = find(&mut scripts, call.worker.shared, words.at(1))
        .and_then(|work| Ok((may_run(call, &work, read_only)?, work)))
        .map(|(read_only, work)| run_locked(call, &mut scripts, &work, read_only, keys, arguments, reply));
    let bytes = scripts.engine.used_bytes();
    let shared = call.worker.shared;
    shared.scripts.state_bytes[call.worker.id].store(bytes, std::sync::atomic::Ordering::Relaxed);
    call.worker.scripts = Some(scripts);
    drop(inside);
    result
}

/// Whether the script may run at all, by what it says of itself; answers whether it may only read.
fn may_run(call: &SessionCall<'_>, work: &Work, read_only: bool) -> Result<bool, Error> {
    let flags = work.flags;
    let is_stale = crate::admission::is_stale(call.worker, call.session);
    if flags.has(Flags::COMPATIBLE) {
        return if is_stale { Err(crate::admission::MASTERDOWN) } else { Ok(read_only) };
    }
    let writes = !flags.has(Flags::NO_WRITES);
    if writes && !flags.has(Flags::ALLOW_OOM) && call.worker.pressure.out_of_memory {
        return Err(Error::OUT_OF_MEMORY);
    }
    if read_only && writes {
        return Err(Error::fixed("ERR Can not execute a script with write flag using *_ro command."));
    }
    if writes {
        crate::admission::may_write(call.worker.shared)?;
    }
    if is_stale && !flags.has(Flags::ALLOW_STALE) {
        return Err(crate::admission::MASTERDOWN);
    }
    Ok(!writes)
}

/// Locks the shards of the keys, and runs.
fn run_locked(
    call: &mut SessionCall<'_>,
    scripts: &mut ThreadScripts,
    work: &Work,
    read_only: bool,
    keys: Words<'_>,
    arguments: Words<'_>,
    reply: &mut Reply<'_>,
) {
    let shared = call.worker.shared;
    let ThreadScripts { engine, effects, .. } = scripts;
    if let Some(held) = call.held.take() {
        held.with(&mut |data| {
            let ready = run_on(call, engine, work, read_only, keys, arguments, data, reply);
            data.effects.ready = ready;
        });
        call.held = Some(held);
        return;
    }
    let keyspace = &shared.keyspace;
    let mut locks: ShardSet = keys.iter().map(|key| keyspace.shard_of(&Key::new(key))).collect();
    let ticket = Ticket { thread: call.worker.id as u32, client: call.session.id() };
    let mut attempt = call.session.resumed_attempt.take().unwrap_or_else(|| Attempt::new(ticket));
    let Ok(guard) = keyspace.shards().lock_or_park(&mut locks, &mut attempt) else {
        call.flow = call.worker.wait_for_shard(call.session, attempt);
        return;
    };
    // A script sees one time. The view borrows its own copies, because the commands of the script need the worker.
    let context = ochre_keyspace::Context { in_script: true, ..call.worker.context.clone() };
    let context_afterwards;
    std::mem::swap(&mut call.worker.effects, effects);
    call.worker.effects.clear();
    effects.clear();
    let mut data = keyspace.view(guard, &context, effects, call.session.db);
    let ready = run_on(call, engine, work, read_only, keys, arguments, &mut data, reply);
    aftermath::seal(shared, &mut data);
    if !ready.is_empty() {
        data.effects.clear();
        data.effects.ready = ready;
        let now_ms = context.now_ms.max(ochre_clock::now_ms());
        context_afterwards = ochre_keyspace::Context { in_script: false, now_ms, ..context.clone() };
        data.set_context(&context_afterwards);
        serve_ready(shared, call.worker.id, &mut data);
    }
    drop(data);
    std::mem::swap(&mut call.worker.effects, effects);
    aftermath::after_unlock(call.worker);
}

/// Runs under the locks; answers the keys that became ready.
#[expect(clippy::too_many_arguments, reason = "the pieces of one call; a struct would only name them again")]
fn run_on(
    call: &mut SessionCall<'_>,
    engine: &Engine,
    work: &Work,
    read_only: bool,
    keys: Words<'_>,
    arguments: Words<'_>,
    data: &mut Locked<'_>,
    reply: &mut Reply<'_>,
) -> Vec<(usize, Box<[u8]>)> {
    let (db, began_ns) = (call.session.db, call.worker.last_tick_ns);
    let shared = call.worker.shared;
    if shared.monitors.any() {
        crate::monitors::show_script(shared, call.session, call.row, call.words);
    }
    call.worker.script_time_us = Some(0);
    // Should it be refused a command, the log of access tells which script.
    call.session.client.last_command.store(call.row.id + 1, std::sync::atomic::Ordering::Relaxed);
    let mut host = ScriptHost::new(call, data, work, read_only);
    let outcome = match work.name {
        Name::Script(_) => engine.run_script(&mut host, &work.compiled, keys, arguments, reply),
        Name::Function(_) => engine.run_function(&mut host, &work.compiled, keys, arguments, reply),
    };
    let (ready, is_overdue) = (std::mem::take(&mut host.ready), host.is_overdue);
    if is_overdue {
        shared.scripts.gate.set_overdue(None);
        shared.alerts.set(Alert::ScriptOverdue, false);
        call.reactor.resume_receive(call.session.token);
    }
    call.worker.script_time_us = None;
    call.session.select(db);
    // The whole of it is the time of this command.
    call.worker.last_tick_ns = began_ns;
    match outcome {
        Outcome::Replied => {}
        Outcome::Failed(failure) => fail(call, &work.name, &failure, reply),
        Outcome::Aborted => {
            let text = b"ERR Script killed by user with SCRIPT KILL.".to_vec();
            fail(call, &work.name, &Failure { text, place: None, counted: false }, reply);
        }
    }
    ready
}

/// Replies with the error of a script.
#[cold]
fn fail(call: &mut SessionCall<'_>, name: &Name, failure: &Failure, reply: &mut Reply<'_>) {
    let mut text = failure.text.clone();
    if let Some(place) = &failure.place {
        let name = match name {
            Name::Script(digest) => hex_of(digest),
            Name::Function(name) => name.clone(),
        };
        text.extend_from_slice(format!(" script: {name}, on {place}.").as_bytes());
    }
    reply.error_bytes(&text);
    call.worker.counters().commands[call.row.id].failed.add(1);
    if !failure.counted {
        let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        call.worker.count_error(&String::from_utf8_lossy(code));
    }
}

/// The error for commands that have to wait for a script that takes too long.
pub fn busy(is_function: bool) -> Error {
    if is_function {
        return Error::fixed(
            "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
        );
    }
    Error::fixed("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
}
