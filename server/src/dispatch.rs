//! From a parsed command to its function: admission, locks, the call, and what follows from it.

use crate::admission;
use crate::aftermath;
use crate::aside;
use crate::blocking::{self, Blocked};
use crate::commands::SessionCall;
use crate::pressure;
use crate::session::{ReplyMode, Session, Wait};
use crate::shared::{CommandRow, Run, Shared};
use crate::small_clients;
use crate::tracking;
use crate::transaction;
use crate::worker::{Worker, protocol_of};
use ochre_collections::hash;
use ochre_collections::lock::{Attempt, ShardSet, Ticket};
use ochre_commands::keys::KeySpec;
use ochre_commands::spec::{Group, Locks, NOSCRIPT, WRITE};
use ochre_commands::table::Table;
use ochre_commands::{Args, DataFn, Error, Key, Locked};
use ochre_keyspace::MemberPlace;
use ochre_reactor::Reactor;
use ochre_resp::{Args as Words, Command as Parsed, Reply};

/// What becomes of the connection after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next command may run.
    Done,
    /// This command must be tried again later.
    Wait,
    /// The command waits for a key, and its reply comes later; the next one waits for that.
    Blocked,
    /// Close once the replies are sent.
    Close,
}

/// A command that has been parsed and looked up.
pub struct Call {
    pub command: Parsed,
    /// Where it begins in the batch's buffer, bytes.
    pub start: usize,
    /// `None` when there is no such command.
    row: Option<&'static CommandRow>,
    /// Word of the one key; 0 when the command has none or several.
    pub key_word: usize,
    /// The hash of that key, or of another that is worth fetching ahead; else 0.
    pub key_hash: u64,
}

impl Call {
    #[inline(always)]
    pub fn new(table: &'static Table<Run>, command: Parsed, start: usize, words: Words<'_>) -> Self {
        let row = table.find(words.at(0)).filter(|_| !command.is_typed);
        let (key_word, first_key) = row.map_or((0, 0), |row| (row.only_key, row.first_key));
        let key_word = if key_word < words.len() { key_word } else { 0 };
        let key_hash = if first_key != 0 && first_key < words.len() { hash(words.at(first_key)) } else { 0 };
        Call { command, start, row, key_word, key_hash }
    }

    /// The member that it is about to look for in the collection at its key; `words` are its own.
    #[inline]
    pub fn member_place<'w>(&self, db: usize, words: Words<'w>) -> Option<MemberPlace<'w>> {
        let row = self.row.filter(|_| self.key_word != 0)?;
        let member = words.get(usize::from(row.member_word))?;
        let score = if row.score_word == 0 { None } else { words.get(usize::from(row.score_word)) };
        Some(MemberPlace { db, hash: self.key_hash, member, score })
    }

    /// Whether it looks for a member in the collection at its key.
    #[inline]
    pub fn has_member(&self) -> bool {
        self.row.is_some_and(|row| row.member_word != 0)
    }

    /// A call of a command that no client can name.
    pub fn of_row(row: &'static CommandRow, command: Parsed, start: usize) -> Self {
        Call { command, start, row: Some(row), key_word: 0, key_hash: 0 }
    }
}

/// Runs one command of a client, its reply to the end of `output`.
pub fn execute(
    worker: &mut Worker,
    reactor: &mut Reactor,
    session: &mut Session,
    call: &Call,
    words: Words<'_>,
    output: &mut Vec<u8>,
) -> Flow {
    if call.row.is_none()
        && let Some(flow) = small_clients::execute(worker, reactor, session, call, words, output)
    {
        return flow;
    }
    pressure::make_room(worker);
    if session.tracked.is_some() {
        worker.write_own_notices(session, output);
    }
    let mark = output.len();
    let mut reply = Reply::new(output, protocol_of(session));
    let flow = match call.row {
        Some(row) if admission::is_ordinary(worker, session) && row.is_whole(words.len()) => {
            match session.transaction.is_some() && transaction::may_queue(row) {
                false => run(worker, reactor, session, row, call, words, &mut reply),
                true => queue(worker, session, row, call, words, &mut reply),
            }
        }
        _ => admit_and_run(worker, reactor, session, call, words, &mut reply),
    };
    let sizes = (call.command.consumed, output.len() - mark);
    let is_large = sizes.0 >= worker.large_request_bytes || sizes.1 >= worker.large_reply_bytes;
    if (is_large || session.reply_mode != ReplyMode::On || session.tracked.is_some())
        && matches!(flow, Flow::Done | Flow::Close)
    {
        end_special(worker, session, call, words, output, mark);
    }
    flow
}

/// Queues a command that nothing stands against.
#[inline(never)]
fn queue(
    worker: &mut Worker,
    session: &mut Session,
    row: &'static CommandRow,
    call: &Call,
    words: Words<'_>,
    reply: &mut Reply<'_>,
) -> Flow {
    if let Err(error) = transaction::queue(session, row, call, words) {
        return refuse(worker, session, call.row, &error, reply);
    }
    reply.status("QUEUED");
    Flow::Done
}

/// Runs a command that is not one of its own, or that has to be let in.
#[inline(never)]
fn admit_and_run(
    worker: &mut Worker,
    reactor: &mut Reactor,
    session: &mut Session,
    call: &Call,
    words: Words<'_>,
    reply: &mut Reply<'_>,
) -> Flow {
    let admitted = admission::resolve(call.row, words).and_then(|row| {
        admission::admit(worker, session, row, words)?;
        // Between MULTI and EXEC a command is queued, but for those that end the transaction.
        let is_queued = session.transaction.is_some() && transaction::queue(session, row, call, words)?;
        Ok((row, is_queued))
    });
    match admitted {
        Ok((_, true)) => {
            reply.status("QUEUED");
            Flow::Done
        }
        Ok((row, false)) if admission::must_pause(worker, session, row, words) => {
            worker.wait_for_pause(session);
            Flow::Wait
        }
        Ok((row, false)) => {
            let flow = run(worker, reactor, session, row, call, words, reply);
            if worker.follows && row.flags.has(WRITE) && session.stream.is_none() {
                worker.shared.replication.local_keys.note(session.db, row, words);
            }
            flow
        }
        Err(_) if call.row.is_none() && admission::is_http(words) => refuse_http(session),
        Err(error) => refuse(worker, session, call.row, &error, reply),
    }
}

/// What follows a command whose words or reply are large, whose reply may be unwanted, or whose client is told of changes.
#[cold]
fn end_special(
    worker: &mut Worker,
    session: &mut Session,
    call: &Call,
    words: Words<'_>,
    output: &mut Vec<u8>,
    mark: usize,
) {
    let sizes = (call.command.consumed, output.len() - mark);
    if sizes.0 >= worker.large_request_bytes || sizes.1 >= worker.large_reply_bytes {
        note_large(worker, session, call.row, words, sizes);
    }
    drop_reply(session, call.row, output, mark);
    if session.tracked.is_some() {
        worker.end_tracked_command(session, call.row, output);
    }
}

#[inline(always)]
fn run(
    worker: &mut Worker,
    reactor: &mut Reactor,
    session: &mut Session,
    row: &'static CommandRow,
    call: &Call,
    words: Words<'_>,
    reply: &mut Reply<'_>,
) -> Flow {
    let mark = reply.mark();
    let (result, flow) = match row.run {
        Some(Run::Data(function)) => {
            let mut args = match call.key_word {
                0 => Args::new(words),
                at => Args::with_key_hash(words, at, call.key_hash),
            };
            args.seek(row.name_words);
            run_on_data(worker, session, row, call, function, &mut args, reply)
        }
        Some(Run::Session(function)) => {
            let mut args = Args::new(words);
            args.seek(row.name_words);
            let mut call = SessionCall { worker, reactor, session, row, words, flow: Flow::Done, held: None };
            let result = function(&mut call, &mut args, reply);
            (result, call.flow)
        }
        None => unreachable!("a container was resolved to its subcommand"),
    };
    if flow != Flow::Done && is_unfinished(flow, session) {
        reply.truncate(mark);
        return flow;
    }
    aftermath::account(worker, session, row, words, result.is_err());
    if let Err(error) = result {
        reply.truncate(mark);
        reply.error(error.as_str());
        worker.count_error(error.code());
        // Why a command was refused, where the reply does not tell.
        worker.effects.notes.drain(..).for_each(|note| crate::log::warning(format_args!("{note}")));
    }
    flow
}

/// Whether the command is to be run again, or runs elsewhere: it is counted then.
#[cold]
fn is_unfinished(flow: Flow, session: &Session) -> bool {
    flow == Flow::Wait || matches!(session.wait, Wait::Aside)
}

/// Locks the shards and calls the function. Nearly every command needs one shard, which is free, and there is nobody whom it
/// might have to serve.
#[inline(always)]
fn run_on_data(
    worker: &mut Worker,
    session: &mut Session,
    row: &'static CommandRow,
    call: &Call,
    function: DataFn,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
) -> (Result<(), Error>, Flow) {
    let keyspace = &worker.shared.keyspace;
    worker.effects.clear();
    if call.key_word != 0
        && session.resumed_attempt.is_none()
        && let Some(guard) = keyspace.shards().try_lock_one(keyspace.shard_of_hash(call.key_hash))
    {
        let mut data = keyspace.view(guard, &worker.context, &mut worker.effects, session.db);
        if !row.flags.has(WRITE) || data.is_quiet() || data.nobody_waits() {
            let (shared, thread) = (worker.shared, worker.id);
            let (result, waits) = perform(shared, thread, session, row, function, &mut data, args, reply);
            drop(data);
            return (result, after_unlock(worker, session, waits));
        }
    }
    run_on_shards(worker, session, row, call, function, args, reply)
}

/// Locks all shards that the command needs, one or many, and those of the clients that it may have to serve.
#[inline(never)]
fn run_on_shards(
    worker: &mut Worker,
    session: &mut Session,
    row: &'static CommandRow,
    call: &Call,
    function: DataFn,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
) -> (Result<(), Error>, Flow) {
    let (shared, thread, words) = (worker.shared, worker.id, args.argv());
    let keyspace = &shared.keyspace;
    let mut locks = match call.key_word {
        0 => shards_of(keyspace, row, words),
        _ => ShardSet::of(keyspace.shard_of_hash(call.key_hash)),
    };
    let ticket = Ticket { thread: thread as u32, client: session.id() };
    let mut attempt = session.resumed_attempt.take().unwrap_or_else(|| Attempt::new(ticket));
    let mut may_leave = row.spec.gathers.is_some() && aside::may_leave(shared, session);
    let mut data = loop {
        let Ok(guard) = keyspace.shards().lock_or_park(&mut locks, &mut attempt) else {
            return (Ok(()), worker.wait_for_shard(session, attempt));
        };
        let data = keyspace.view(guard, &worker.context, &mut worker.effects, session.db);
        if !row.flags.has(WRITE) || data.nobody_waits() {
            if may_leave && aside::is_long(&data, row, words) {
                drop(data);
                match aside::leave(worker, session, row, function, words) {
                    Some(flow) => return (Ok(()), flow),
                    None => may_leave = false,
                }
                continue;
            }
            break data;
        }
        match blocking::shards_to_serve(&data, row, words) {
            None => break data,
            Some(more) => {
                drop(data);
                locks.extend_from(&more);
            }
        }
    };
    let (result, waits) = perform(shared, thread, session, row, function, &mut data, args, reply);
    drop(data);
    (result, after_unlock(worker, session, waits))
}

/// Calls the function, and hands on what it did while the locks are still held. The answer is also for whom the client waits.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the pieces of one call; a struct would only name them again")]
fn perform(
    shared: &Shared,
    thread: usize,
    session: &mut Session,
    row: &CommandRow,
    function: DataFn,
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
) -> (Result<(), Error>, Option<Blocked>) {
    let words = args.argv();
    let result = function(data, args, reply);
    data.finish();
    let blocked = match data.effects.block.is_some() {
        false => None,
        true => blocking::block(data, session, thread, row, words),
    };
    aftermath::commit(shared, thread, data, words);
    // What a read has found expired is told first: the client has read that it is not there.
    if session.tracked.is_some() {
        tracking::remember(shared, session, row, words);
    }
    aftermath::seal(shared, data);
    if !data.effects.ready.is_empty() {
        blocking::serve_ready(shared, thread, data);
    }
    (result, blocked)
}

/// What is left to do once the locks are free.
#[inline]
fn after_unlock(worker: &mut Worker, session: &mut Session, blocked: Option<Blocked>) -> Flow {
    match blocked {
        None => {
            aftermath::after_unlock(worker);
            Flow::Done
        }
        Some(blocked) => worker.start_wait(session, blocked),
    }
}

/// Whether a command reaches for data, so that somebody has to hold its shards: one on a session says so.
pub fn reaches_data(row: &CommandRow) -> bool {
    matches!(row.run, Some(Run::Data(_))) || row.locks == Locks::All || row.flags.has(WRITE)
}

/// The shards that a command needs. Words that do not fit its key specs are for the command to refuse, before it reaches for a key.
pub fn shards_of(keyspace: &ochre_keyspace::Keyspace, row: &CommandRow, words: Words<'_>) -> ShardSet {
    match row.locks {
        Locks::Keys => {
            let mut locks = ShardSet::new();
            for spec in row.spec.keys {
                match spec.locate(words) {
                    Ok(Some(found)) => insert_shards(keyspace, found, words, &mut locks),
                    Ok(None) => return keyspace.all_shards(),
                    Err(_) => {}
                }
            }
            locks
        }
        Locks::Words(find) => match find(words) {
            Some(found) => found.iter().map(|at| keyspace.shard_of(&Key::new(words.at(*at)))).collect(),
            None => keyspace.all_shards(),
        },
        Locks::All => keyspace.all_shards(),
        Locks::Cursor => {
            let cursor = words.get(1).and_then(ochre_text::number::parse_u64).unwrap_or(0);
            ShardSet::of((cursor % keyspace.shard_count() as u64) as usize)
        }
    }
}

fn insert_shards(
    keyspace: &ochre_keyspace::Keyspace,
    (first, count, step): (usize, usize, usize),
    words: Words<'_>,
    locks: &mut ShardSet,
) {
    for at in 0..count {
        locks.insert(keyspace.shard_of(&Key::new(words.at(first + at * step))));
    }
}

/// The words that are keys, by all specs; `None` when one cannot tell.
pub fn key_words(specs: &[KeySpec], words: Words<'_>) -> Result<Option<Vec<(usize, KeySpec)>>, Error> {
    let mut found = Vec::new();
    for spec in specs {
        match spec.locate(words)? {
            Some((first, count, step)) => found.extend((0..count).map(|at| (first + at * step, *spec))),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// Ends the connection of a browser that was made to talk to us.
#[cold]
fn refuse_http(session: &Session) -> Flow {
    crate::log::warning(format_args!(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Ochre. \
         This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your \
         instance. Connection from {} aborted.",
        session.client.address
    ));
    Flow::Close
}

/// Replies with the error of a command that was not let in.
#[cold]
fn refuse(
    worker: &mut Worker,
    session: &mut Session,
    row: Option<&CommandRow>,
    error: &Error,
    reply: &mut Reply<'_>,
) -> Flow {
    if let Some(row) = row {
        worker.counters().commands[row.id].rejected.add(1);
    }
    if let Some(mut attempt) = session.resumed_attempt.take() {
        worker.shared.keyspace.shards().give_up(&mut attempt);
    }
    crate::migration::forget(session, &mut worker.leftovers);
    if row.is_some_and(|row| row.full_name == "exec") {
        // It ends the transaction, whatever the reason to refuse it.
        transaction::end(session, &mut worker.leftovers);
        worker.count_error("EXECABORT");
        let reason = error.as_str().strip_prefix("ERR ").unwrap_or(error.as_str());
        reply.error(&format!("EXECABORT Transaction discarded because of: {reason}"));
        return Flow::Done;
    }
    if let Some(transaction) = &mut session.transaction {
        transaction.failed = true;
    }
    worker.count_error(error.code());
    reply.error(error.as_str());
    Flow::Done
}

/// Notes a command whose request or reply is large, unless it was refused.
#[cold]
fn note_large(worker: &Worker, session: &Session, row: Option<&CommandRow>, words: Words<'_>, sizes: (usize, usize)) {
    if let Ok(row) = admission::resolve(row, words) {
        crate::slow_commands::note_large(worker, session, row, words, sizes);
    }
}

/// Whether what a command replies are pushes, which even those get who want no replies: subscribing and its opposite.
fn is_pushed(row: Option<&CommandRow>) -> bool {
    row.is_some_and(|row| row.spec.group == Group::Pubsub && row.flags.has(NOSCRIPT))
}

/// Takes back the reply that the client does not want.
#[cold]
fn drop_reply(session: &mut Session, row: Option<&CommandRow>, output: &mut Vec<u8>, mark: usize) {
    match session.reply_mode {
        ReplyMode::On => return,
        ReplyMode::Off => {}
        ReplyMode::SkipNext => session.reply_mode = ReplyMode::Skip,
        ReplyMode::Skip => session.reply_mode = ReplyMode::On,
    }
    if !is_pushed(row) {
        output.truncate(mark);
    }
}
