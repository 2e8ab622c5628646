//! Long commands run beside their event loop: on a thread of their own, so that the loop goes on with its other clients.
//!
//! Only what goes through many members of several keys is worth it: unions, intersections and differences of large sets. The
//! client waits as for any answer from another thread, and those who want the same keys wait for the locks, as always.

use crate::aftermath;
use crate::crash;
use crate::dispatch::{Flow, shards_of};
use crate::session::{ReplyMode, Session, Wait};
use crate::shared::{CommandRow, Message, Shared};
use crate::worker::{Worker, protocol_of};
use ochre_commands::spec::Gathers;
use ochre_commands::{Args, DataFn, Error, Key, Locked};
use ochre_keyspace::{Context, Effects};
use ochre_reactor::Reactor;
use ochre_resp::{Args as Words, Batch, Command as Parsed, Protocol, Reply};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

/// A command that has to go through so many members takes some milliseconds; starting a thread for it takes 50 µs.
const MEMBERS_MIN: usize = 20_000;

/// A command on its way to another thread.
struct Job {
    row: &'static CommandRow,
    function: DataFn,
    words: Batch,
    command: Parsed,
    db: usize,
    protocol: Protocol,
    context: Context,
    thread: usize,
    client: u64,
}

/// A command that ran, on its way back.
pub struct Ran {
    row: &'static CommandRow,
    words: Batch,
    command: Parsed,
    client: u64,
    reply: Vec<u8>,
    error: Option<Error>,
    took_ns: u64,
    changes: u64,
    effects: Effects,
}

/// Whether the command goes through so much that it is worth a thread. O(keys).
pub fn is_long(data: &Locked<'_>, row: &CommandRow, words: Words<'_>) -> bool {
    let Some(gathers) = row.spec.gathers else { return false };
    let Some(spec) = row.spec.keys.last() else { return false };
    let Ok(Some((first, count, step))) = spec.locate(words) else { return false };
    let members = (0..count).map(|at| data.members(&Key::new(words.at(first + at * step))));
    let members = match gathers {
        Gathers::All => members.fold(0, usize::saturating_add),
        Gathers::Smallest => members.min().unwrap_or(0).saturating_mul(count),
    };
    members >= MEMBERS_MIN
}

/// Whether another thread may run a command of this client: what a loop alone can do is not asked for, and there is room.
pub fn may_leave(shared: &Shared, session: &Session) -> bool {
    shared.desks.len() > 1
        && session.tracked.is_none()
        // What a stream says is passed on in its order.
        && session.stream.is_none()
        && session.reply_mode == ReplyMode::On
        && shared.aside.load(Ordering::Relaxed) < shared.desks.len()
}

/// Hands a command to a thread of its own. The caller has given its locks back.
pub fn leave(
    worker: &Worker,
    session: &mut Session,
    row: &'static CommandRow,
    function: DataFn,
    words: Words<'_>,
) -> Option<Flow> {
    let shared = worker.shared;
    let mut batch = Batch::default();
    let command = batch.push(words);
    let job = Job {
        row,
        function,
        words: batch,
        command,
        db: session.db,
        protocol: protocol_of(session),
        context: worker.context.clone(),
        thread: worker.id,
        client: session.id(),
    };
    shared.aside.fetch_add(1, Ordering::Relaxed);
    let body = move || {
        let thread = job.thread;
        let ran = run(shared, job);
        shared.aside.fetch_sub(1, Ordering::Relaxed);
        shared.desks[thread].post(Message::Ran(Box::new(ran)));
    };
    if std::thread::Builder::new().name("long-command".into()).spawn(body).is_err() {
        // Without a thread it runs here.
        shared.aside.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    session.wait = Wait::Aside;
    Some(Flow::Blocked)
}

/// Runs the command under its locks, on this thread.
fn run(shared: &Shared, job: Job) -> Ran {
    let Job { row, function, words: batch, command, db, protocol, mut context, thread, client } = job;
    let words = batch.args(&command, &[]);
    let keyspace = &shared.keyspace;
    let mut effects = Effects::default();
    effects.origin = client;
    let mut bytes = Vec::new();
    let mut locks = shards_of(keyspace, row, words);
    let guard = keyspace.shards().lock_set_blocking(&mut locks);
    let began_ns = ochre_clock::monotonic_ns();
    context.now_ms = context.now_ms.max(ochre_clock::now_ms());
    // Somebody may have begun to read the log since; whoever did has not had these locks yet.
    context.log_wanted = shared.log.is_wanted() && !shared.replication.follows();
    let mut data = keyspace.view(guard, &context, &mut effects, db);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut args = Args::new(words);
        args.seek(row.name_words);
        function(&mut data, &mut args, &mut Reply::new(&mut bytes, protocol))
    }));
    let result = result.unwrap_or_else(|panic| {
        crash::handler_panicked(data.effects, words, &panic);
        data.effects.clear();
        Err(Error::INTERNAL)
    });
    data.finish();
    let changes = aftermath::commit_elsewhere(shared, thread, &mut data, words);
    aftermath::seal(shared, &mut data);
    drop(data);
    let took_ns = ochre_clock::monotonic_ns().saturating_sub(began_ns);
    let error = result.err();
    if let Some(error) = &error {
        bytes.clear();
        Reply::new(&mut bytes, protocol).error(error.as_str());
    }
    // This thread may take its time.
    effects.garbage.clear();
    Ran { row, words: batch, command, client, reply: bytes, error, took_ns, changes, effects }
}

impl Worker {
    /// Gives a client the reply of its long command, and goes on with what it has sent meanwhile.
    pub fn ran_aside(&mut self, reactor: &mut Reactor, ran: Ran) {
        let Ran { row, words, command, client, mut reply, error, took_ns, changes, mut effects } = ran;
        self.counters().changes.add(changes);
        self.effects.stats.add(&effects.stats);
        // Those who wait for its key are served as soon as their locks are free.
        self.ready.append(&mut effects.ready);
        let Some(mut session) = self.take_client(client) else { return };
        if !matches!(session.wait, Wait::Aside) {
            return self.put_back(session);
        }
        session.wait = Wait::Nothing;
        let words = words.args(&command, &[]);
        self.last_tick_ns = ochre_clock::monotonic_ns().saturating_sub(took_ns);
        aftermath::account(self, &session, row, words, error.is_some());
        if let Some(error) = error {
            self.count_error(error.code());
        }
        let sizes = (words.bytes(), reply.len());
        if sizes.0 >= self.large_request_bytes || sizes.1 >= self.large_reply_bytes {
            crate::slow_commands::note_large(self, &session, row, words, sizes);
        }
        session.output.append(&mut reply);
        self.process_input(reactor, &mut session);
        self.settle(reactor, session);
    }
}
