//! MULTI: commands are queued, and EXEC runs them under the union of their locks.

use crate::aftermath;
use crate::blocking::{self, Leftover, serve_ready};
use crate::clients::traits;
use crate::commands::SessionCall;
use crate::dispatch::{Call, Flow, reaches_data, shards_of};
use crate::scripts;
use crate::session::Session;
use crate::shared::{CommandRow, Run};
use crate::tracking;
use ochre_collections::ShardSet;
use ochre_collections::lock::{Attempt, Ticket};
use ochre_commands::spec::{NO_MULTI, WRITE};
use ochre_commands::{Args, Error, Key};
use ochre_keyspace::{Locked, WatchFlag};
use ochre_resp::{Args as Words, Batch, Command as Parsed, Reply};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The commands between MULTI and EXEC.
#[derive(Default)]
pub struct Transaction {
    queue: Queue,
    /// What the queued commands take, bytes.
    pub bytes: usize,
    /// A command could not be queued, so EXEC must refuse.
    pub failed: bool,
    /// The database that will be selected once what is queued has run.
    pub db: usize,
}

/// Commands with copies of their words, in order.
#[derive(Default)]
pub struct Queue {
    commands: Vec<Queued>,
    words: Batch,
}

/// A queued command.
struct Queued {
    row: &'static CommandRow,
    command: Parsed,
    /// The word of its one key, and the hash of that; 0 when it has none or several.
    key_word: usize,
    key_hash: u64,
}

impl Queue {
    fn words(&self, queued: &Queued) -> Words<'_> {
        self.words.args(&queued.command, &[])
    }

    /// Forgets the commands and keeps the memory, unless it was an unusual transaction.
    fn recycle(mut self) -> Queue {
        const COMMANDS_KEPT_MAX: usize = 256;
        self.commands.clear();
        self.commands.shrink_to(COMMANDS_KEPT_MAX);
        self.words.clear();
        self.words.trim();
        self
    }
}

impl Transaction {
    /// Whether a command with this flag is queued.
    #[cold]
    pub fn has_command_with(&self, flag: u32) -> bool {
        self.has_command(|row, _| row.flags.has(flag))
    }

    /// Whether a command is queued of which this is so.
    #[cold]
    pub fn has_command(&self, is_so: impl Fn(&CommandRow, Words<'_>) -> bool) -> bool {
        self.queue.commands.iter().any(|queued| is_so(queued.row, self.queue.words(queued)))
    }
}

/// The keys that a client watches.
pub struct Watch {
    pub flag: Arc<WatchFlag>,
    pub keys: Vec<(usize, Box<[u8]>)>,
    /// What these keys take, here and in their shards, bytes about.
    pub bytes: usize,
    /// When the first key was watched, Unix ms: what had expired by then does not count as changed.
    since_ms: u64,
}

/// What it takes to remember a key in a list, its name left out.
const WATCH_BYTES: usize = 48;

/// Whether a command runs at once even between MULTI and EXEC.
pub fn runs_at_once(row: &CommandRow) -> bool {
    matches!(row.full_name.as_str(), "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// Whether a command of a client that is in a transaction is queued, if it may be in one.
pub fn may_queue(row: &CommandRow) -> bool {
    !runs_at_once(row)
}

/// Queues a command of a client that is in a transaction; says no when the command is to run at once.
///
/// # Errors
/// When the command is not allowed in a transaction, which then fails.
pub fn queue(session: &mut Session, row: &'static CommandRow, call: &Call, words: Words<'_>) -> Result<bool, Error> {
    if runs_at_once(row) {
        return Ok(false);
    }
    let transaction = session.transaction.as_mut().expect("the caller looked");
    if row.flags.has(NO_MULTI) {
        transaction.failed = true;
        return Err(Error::fixed("ERR Command not allowed inside a transaction"));
    }
    let bytes = words.bytes();
    if transaction.bytes + bytes > QUEUE_BYTES_MAX {
        transaction.failed = true;
        return Err(Error::fixed("ERR Transaction is too large"));
    }
    if row.full_name == "select" {
        transaction.db = ochre_text::number::parse_u64(words.at(1)).map_or(transaction.db, |db| db as usize);
    }
    transaction.bytes += size_of::<Queued>() + words.len() * WORD_BYTES + bytes;
    let queue = &mut transaction.queue;
    let command = queue.words.push(words.iter());
    queue.commands.push(Queued { row, command, key_word: call.key_word, key_hash: call.key_hash });
    session.client.queued.store(queue.commands.len() as i64, Ordering::Relaxed);
    Ok(true)
}

/// What a transaction may take, bytes: the places of its words have 32 bits.
const QUEUE_BYTES_MAX: usize = u32::MAX as usize;
/// What it takes to remember where a queued word stands.
const WORD_BYTES: usize = 8;

/// Begins a transaction.
pub fn begin(session: &mut Session, spare: &mut Queue) {
    let queue = std::mem::take(spare);
    session.transaction = Some(Box::new(Transaction { queue, db: session.db, ..Transaction::default() }));
    session.client.queued.store(0, Ordering::Relaxed);
    session.client.set(traits::MULTI, true);
}

/// Ends a transaction and all watches; answers the transaction, if there was one.
pub fn end(session: &mut Session, leftovers: &mut Vec<Leftover>) -> Option<Box<Transaction>> {
    end_watch(session, leftovers);
    session.client.queued.store(-1, Ordering::Relaxed);
    session.client.set(traits::MULTI, false);
    session.transaction.take()
}

/// Ends all watches of a client.
pub fn end_watch(session: &mut Session, leftovers: &mut Vec<Leftover>) {
    if let Some(watch) = session.watch.take() {
        session.client.watched.store(0, Ordering::Relaxed);
        leftovers.push(Leftover::Watch { flag: watch.flag, keys: watch.keys });
    }
}

/// Locks shards for a session command, or parks the client: then the command is run again.
fn lock_or_park<'a>(
    call: &mut SessionCall<'_>,
    locks: &'a mut ShardSet,
) -> Option<ochre_collections::Guard<'a, ochre_keyspace::Shard>> {
    let ticket = Ticket { thread: call.worker.id as u32, client: call.session.id() };
    let mut attempt = call.session.resumed_attempt.take().unwrap_or_else(|| Attempt::new(ticket));
    let guard = call.worker.shared.keyspace.shards().lock_or_park(locks, &mut attempt).ok();
    if guard.is_none() {
        call.flow = call.worker.wait_for_shard(call.session, attempt);
    }
    guard
}

/// Watches keys for EXEC.
pub fn watch(call: &mut SessionCall<'_>, keys: Words<'_>, reply: &mut Reply<'_>) {
    let keyspace = &call.worker.shared.keyspace;
    let mut locks: ShardSet = keys.iter().map(|key| keyspace.shard_of(&Key::new(key))).collect();
    let Some(guard) = lock_or_park(call, &mut locks) else { return };
    let db = call.session.db;
    call.worker.effects.clear();
    let mut data = keyspace.view(guard, &call.worker.context, &mut call.worker.effects, db);
    let watch = call.session.watch.get_or_insert_with(|| {
        let flag = Arc::new(WatchFlag::default());
        Box::new(Watch { flag, keys: Vec::new(), bytes: 0, since_ms: data.now_ms() })
    });
    for word in keys.iter() {
        let known = |(of, key): &(usize, Box<[u8]>)| *of == db && **key == *word;
        if watch.keys.iter().any(known) {
            continue;
        }
        let key = Key::new(word);
        // What has expired already is gone for this client, too: only later changes count.
        if data.context().removes_expired {
            data.expire_if_due(&key);
        }
        data.watch(&key, &watch.flag);
        watch.bytes += 2 * (word.len() + WATCH_BYTES);
        watch.keys.push((db, word.into()));
    }
    call.session.client.watched.store(watch.keys.len(), Ordering::Relaxed);
    aftermath::commit(call.worker.shared, call.worker.id, &mut data, call.words);
    aftermath::seal(call.worker.shared, &mut data);
    drop(data);
    aftermath::after_unlock(call.worker);
    reply.ok();
}

/// The shards that are missing to serve at once whoever waits for what the queued commands fill.
fn shards_to_serve(data: &Locked<'_>, queue: &Queue) -> Option<ShardSet> {
    if data.nobody_waits() {
        return None;
    }
    let mut missing = ShardSet::new();
    for queued in queue.commands.iter().filter(|queued| queued.row.flags.has(WRITE)) {
        if let Some(more) = blocking::shards_to_serve(data, queued.row, queue.words(queued)) {
            missing.extend_from(&more);
        }
    }
    (!missing.is_empty()).then_some(missing)
}

/// Gives a transaction back what it is to run, for the next attempt.
fn put_back(session: &mut Session, queue: Queue) {
    if let Some(transaction) = &mut session.transaction {
        transaction.queue = queue;
    }
}

/// Runs the queued commands.
///
/// # Errors
/// When there is no transaction, or queueing a command failed.
pub fn exec(call: &mut SessionCall<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.worker.shared;
    let keyspace = &shared.keyspace;
    let Some(transaction) = &mut call.session.transaction else {
        return Err(Error::fixed("ERR EXEC without MULTI"));
    };
    if transaction.failed {
        end(call.session, &mut call.worker.leftovers);
        return Err(Error::fixed("EXECABORT Transaction discarded because of previous errors."));
    }
    // Whoever has to wait for shards puts it back, because then EXEC runs again.
    let queue = std::mem::take(&mut transaction.queue);
    let commands = &queue.commands;
    let db = call.session.db;
    keyspace.prefetch(commands.iter().filter(|queued| queued.key_word != 0).map(|queued| (db, queued.key_hash)));
    let mut locks = ShardSet::new();
    for queued in commands {
        let row = queued.row;
        let on_data = matches!(row.run, Some(Run::Data(_)));
        if on_data && queued.key_word != 0 {
            locks.insert(keyspace.shard_of_hash(queued.key_hash));
        } else if reaches_data(row) {
            locks.extend_from(&shards_of(keyspace, row, queue.words(queued)));
        }
    }
    for (_, key) in call.session.watch.iter().flat_map(|watch| &watch.keys) {
        locks.insert(keyspace.shard_of(&Key::new(key)));
    }
    // The view borrows its own copies, because the commands on sessions in between need the worker.
    let context = call.worker.context.clone();
    let mut context_afterwards = context.clone();
    let mut effects = std::mem::take(&mut call.worker.effects);
    effects.clear();
    // Scripts run one at a time, and whoever holds shards may not wait for that.
    let _inside = match commands.iter().any(|queued| scripts::run::needs_gate(queued.row)) {
        false => None,
        true => match scripts::run::enter(call) {
            Some(inside) => Some(inside),
            None => {
                call.worker.effects = effects;
                put_back(call.session, queue);
                return Ok(());
            }
        },
    };
    let mut data = loop {
        let Some(guard) = lock_or_park(call, &mut locks) else {
            call.worker.effects = effects;
            put_back(call.session, queue);
            return Ok(());
        };
        let data = keyspace.view(guard, &context, &mut effects, call.session.db);
        match shards_to_serve(&data, &queue) {
            None => break data,
            Some(more) => {
                drop(data);
                locks.extend_from(&more);
            }
        }
    };
    // A panic from here on finds a worker that has changed data.
    call.worker.effects.touched = true;
    let thread = call.worker.id;
    let has_changed = |watch: &Watch| {
        let expired = |(db, key): &(usize, Box<[u8]>)| data.has_expired_since(*db, key, watch.since_ms);
        watch.flag.is_raised() || watch.keys.iter().any(expired)
    };
    if call.session.watch.as_deref().is_some_and(has_changed) {
        drop(data);
        call.worker.effects = effects;
        end(call.session, &mut call.worker.leftovers);
        reply.null_array();
        return Ok(());
    }
    let mut ready = std::mem::take(&mut data.effects.ready);
    end(call.session, &mut call.worker.leftovers);
    reply.array(commands.len());
    let is_tracked = call.session.tracked.is_some();
    for queued in commands {
        let (row, words) = (queued.row, queue.words(queued));
        let mark = reply.mark();
        if !call.session.unrestricted
            && let Err(error) = crate::access::check_again(shared, call.session, row, words)
        {
            call.worker.counters().commands[row.id].rejected.add(1);
            call.worker.count_error(error.code());
            reply.error(error.as_str());
            continue;
        }
        let mut args = match queued.key_word {
            0 => Args::new(words),
            at => Args::with_key_hash(words, at, queued.key_hash),
        };
        args.seek(row.name_words);
        data.effects.clear();
        let result = match row.run {
            Some(Run::Data(function)) => {
                data.select(call.session.db);
                let result = function(&mut data, &mut args, reply);
                data.finish();
                if let Some(block) = data.effects.block.take() {
                    if block.null_is_array { reply.null_array() } else { reply.null() }
                }
                result
            }
            Some(Run::Session(function)) => {
                let mut nested = SessionCall {
                    worker: call.worker,
                    reactor: call.reactor,
                    session: call.session,
                    row,
                    words,
                    flow: Flow::Done,
                    held: Some(&mut data),
                };
                let result = function(&mut nested, &mut args, reply);
                if nested.flow == Flow::Close {
                    call.flow = Flow::Close;
                }
                result
            }
            None => unreachable!("containers are resolved to their subcommands"),
        };
        ready.append(&mut data.effects.ready);
        aftermath::commit(shared, thread, &mut data, words);
        if is_tracked {
            tracking::remember(shared, call.session, row, words);
        }
        let failed = result.is_err();
        if let Err(error) = result {
            reply.truncate(mark);
            reply.error(error.as_str());
            call.worker.count_error(error.code());
        }
        aftermath::account(call.worker, call.session, row, words, failed);
    }
    aftermath::seal(shared, &mut data);
    if !ready.is_empty() {
        data.effects.clear();
        data.effects.ready = ready;
        // The transaction saw one time; what it took long enough to outlive is not there for those who wait.
        context_afterwards.now_ms = context.now_ms.max(ochre_clock::now_ms());
        data.set_context(&context_afterwards);
        serve_ready(shared, thread, &mut data);
    }
    drop(data);
    call.worker.effects = effects;
    call.worker.spare_queue = queue.recycle();
    aftermath::after_unlock(call.worker);
    Ok(())
}
