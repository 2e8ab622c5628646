//! Blocked clients: they wait in the queues of their keys, and whoever makes a key ready serves the oldest before unlocking.

use crate::aftermath;
use crate::clients::traits;
use crate::commands::replication::write_reached;
use crate::dispatch::{Flow, key_words, shards_of};
use crate::session::{Session, Wait};
use crate::shared::{CommandRow, Message, Run, Shared};
use crate::worker::Worker;
use ochre_collections::ShardSet;
use ochre_commands::spec::Group;
use ochre_commands::{Args, Key};
use ochre_keyspace::{Block, Locked, Waiter, WatchFlag};
use ochre_reactor::Reactor;
use ochre_resp::{Args as Words, Batch, Reply};
use ochre_values::Kind;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// What is left in shards by clients that are gone or served, to be taken out when the shards are free.
pub enum Leftover {
    Waiter(Arc<Waiter>),
    Watch { flag: Arc<WatchFlag>, keys: Vec<(usize, Box<[u8]>)> },
}

/// A client that stands in the queues of its keys, and for how many ms it waits (0: without end).
pub type Blocked = (Arc<Waiter>, u64);

/// Puts the client of `session` into the queues of the keys that its command waits for. The shards are held.
pub fn block(
    data: &mut Locked<'_>,
    session: &mut Session,
    thread: usize,
    row: &CommandRow,
    words: Words<'_>,
) -> Option<Blocked> {
    let block = data.effects.block.take()?;
    let timeout_ms = block.timeout_ms;
    let shards = shards_of(data.keyspace(), row, words);
    let words = words.iter().map(Box::from).collect();
    let client = (thread as u32, session.id());
    let waiter = Arc::new(Waiter::new(client, session.db, session.protocol, words, shards, block));
    data.register(&waiter);
    note_blocked(session, &waiter);
    Some((waiter, timeout_ms))
}

/// Blocks the client of `session` for something that is no key, until its time is over or somebody unblocks it; `words` tell
/// what it replies then.
pub fn block_for_nothing(
    worker: &mut Worker,
    session: &mut Session,
    words: Vec<Box<[u8]>>,
    timeout_ms: u64,
) -> (Flow, Arc<Waiter>) {
    let (keys, notices_loss, retry_at_ms) = (Vec::new(), false, 0);
    let block = Block { keys, timeout_ms, null_is_array: true, words: None, notices_loss, retry_at_ms };
    let client = (worker.id as u32, session.id());
    let waiter = Arc::new(Waiter::new(client, session.db, session.protocol, words, ShardSet::new(), block));
    note_blocked(session, &waiter);
    (worker.start_wait(session, (Arc::clone(&waiter), timeout_ms)), waiter)
}

fn note_blocked(session: &Session, waiter: &Arc<Waiter>) {
    session.client.set(traits::BLOCKED, true);
    *session.client.blocked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(waiter));
}

/// The shards that a command with these words needs besides those that are held, so that whoever it makes ready is served
/// before anybody sees what it did; none of its keys has been touched yet.
#[cold]
pub fn shards_to_serve(data: &Locked<'_>, row: &CommandRow, words: Words<'_>) -> Option<ShardSet> {
    // A command whose keys cannot be told holds all shards.
    let keys = key_words(row.spec.keys, words).ok().flatten()?;
    data.shards_to_serve(&mut keys.iter().map(|(at, _)| words.at(*at)))
}

/// Serves those who wait for keys that the last command made ready, until nobody can be served any more.
///
/// Runs under the command's locks, so nobody can come in between.
#[cold]
pub fn serve_ready(shared: &Shared, thread: usize, data: &mut Locked<'_>) {
    let own_db = data.db();
    let mut ready = std::mem::take(&mut data.effects.ready);
    while !ready.is_empty() {
        let mut next = Vec::new();
        let mut seen = HashSet::new();
        for (db, key) in &ready {
            if seen.insert((*db, &**key)) {
                data.select(*db);
                serve_key(shared, thread, data, key, &mut next);
            }
        }
        ready = next;
    }
    data.select(own_db);
}

/// Serves those who wait for `key` of the selected database, each once and the oldest first. Keys that become ready thereby
/// join `ready`.
fn serve_key(shared: &Shared, thread: usize, data: &mut Locked<'_>, key: &[u8], ready: &mut Vec<(usize, Box<[u8]>)>) {
    let (db, place) = (data.db(), Key::new(key));
    let mut turn = 0;
    while let Some(waiter) = data.next_waiter(db, &place, turn) {
        turn = waiter.turn();
        let kind = data.kind(&place);
        if kind.is_none() && !data.notices_loss(&place) {
            break;
        }
        if !serve(shared, thread, data, &waiter, kind) {
            // Whoever came later must not be served first: this key's turn comes again, with all locks.
            shared.desks[thread].post(Message::Ready { db, key: key.into() });
            break;
        }
        ready.append(&mut data.effects.ready);
    }
}

/// Runs the command of a blocked client anew, now that its key holds a value of type `kind`; if it finds nothing again, the
/// client goes on waiting. Says no when a shard that the command needs is busy.
fn serve(shared: &Shared, thread: usize, data: &mut Locked<'_>, waiter: &Arc<Waiter>, kind: Option<Kind>) -> bool {
    let mut batch = Batch::default();
    let command = batch.push(waiter.words.iter().map(|word| &**word));
    let words = batch.args(&command, &[]);
    let Some(row) = shared.commands.find(words.at(0)) else { return true };
    let Some(Run::Data(function)) = row.run else { return true };
    if kind != wanted_kind(row) && !waiter.notices_loss {
        return true;
    }
    // Nearly always they are held: a command that fills a key with waiters locks what these need, too.
    let missing = waiter.shards.without(&data.held());
    if !missing.is_empty() && !data.try_extend(&missing) {
        return false;
    }
    if !waiter.claim() {
        return true;
    }
    data.effects.clear();
    let before = (data.effects.origin, data.effects.listener);
    (data.effects.origin, data.effects.listener) = (waiter.client, waiter.client);
    let notices = std::mem::take(&mut data.effects.own_notices);
    let mut bytes = Vec::new();
    let protocol = crate::worker::protocol_of_version(waiter.protocol);
    let mut reply = Reply::new(&mut bytes, protocol);
    let result = function(data, &mut Args::new(words), &mut reply);
    data.finish();
    if result.is_ok()
        && let Some(block) = data.effects.block.take()
    {
        waiter.retry_at_ms.store(block.retry_at_ms, Ordering::Relaxed);
        aftermath::commit(shared, thread, data, words);
        aftermath::seal(shared, data);
        (data.effects.origin, data.effects.listener) = before;
        data.effects.own_notices = notices;
        waiter.release();
        return true;
    }
    if let Err(error) = result {
        bytes.clear();
        Reply::new(&mut bytes, protocol).error(error.as_str());
        // Its call was counted when it began to wait.
        let counters = &shared.desks[thread].counters;
        counters.commands[row.id].failed.add(1);
        counters.error_replies.add(1);
        shared.errors.count(error.code());
    }
    aftermath::commit(shared, thread, data, words);
    aftermath::seal(shared, data);
    (data.effects.origin, data.effects.listener) = before;
    let own_notices = std::mem::replace(&mut data.effects.own_notices, notices);
    data.unregister(waiter);
    shared.desks[waiter.thread as usize].post(Message::Unblocked { waiter: Arc::clone(waiter), reply: bytes });
    if !own_notices.is_empty() {
        crate::tracking::tell_served(shared, waiter.client, own_notices);
    }
    true
}

/// The type that a blocking command takes from.
fn wanted_kind(row: &CommandRow) -> Option<Kind> {
    match row.spec.group {
        Group::List => Some(Kind::List),
        Group::SortedSet => Some(Kind::SortedSet),
        Group::Stream => Some(Kind::Stream),
        _ => None,
    }
}

/// So long after a command was run again it is looked at whether and when it is next, ms.
const RETRY_LOOK_MS: u64 = 10;

/// The reply of a client whose time is over.
pub fn time_out_reply(shared: &Shared, waiter: &Waiter) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reply = Reply::new(&mut bytes, crate::worker::protocol_of_version(waiter.protocol));
    if !write_reached(shared, &waiter.words, &mut reply) {
        reply.null_array();
    }
    bytes
}

impl Worker {
    /// Starts the wait of a client that was put into the queues.
    #[cold]
    #[inline(never)]
    pub fn start_wait(&mut self, session: &mut Session, (waiter, timeout_ms): Blocked) -> Flow {
        let now_ms = self.context.now_ms;
        let deadline_ms = if timeout_ms > 0 { now_ms.saturating_add(timeout_ms) } else { u64::MAX };
        waiter.deadline_ms.store(deadline_ms, Ordering::Relaxed);
        let next_ms = match waiter.retry_at_ms.load(Ordering::Relaxed) {
            0 => deadline_ms,
            retry_at_ms => retry_at_ms.min(deadline_ms),
        };
        let timer = (next_ms < u64::MAX).then(|| self.timers.add(next_ms, Arc::clone(&waiter)));
        session.wait = Wait::Key { waiter, timer };
        Flow::Blocked
    }

    /// Answers a client that was blocked, and goes on with what it has sent meanwhile.
    pub fn unblocked(&mut self, reactor: &mut Reactor, waiter: &Arc<Waiter>, reply: &[u8]) {
        self.leftovers.push(Leftover::Waiter(Arc::clone(waiter)));
        let Some(mut session) = self.take_client(waiter.client) else { return };
        match &session.wait {
            Wait::Key { waiter: own, timer } if Arc::ptr_eq(own, waiter) => {
                if let Some(timer) = timer {
                    self.timers.cancel(*timer);
                }
            }
            _ => return self.put_back(session),
        }
        session.wait = Wait::Nothing;
        session.client.set(traits::BLOCKED, false);
        *session.client.blocked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if session.reply_mode == crate::session::ReplyMode::On {
            session.output.extend_from_slice(reply);
        }
        self.process_input(reactor, &mut session);
        self.settle(reactor, session);
    }

    /// Gives a client the reply it waits for, and goes on with what it has sent meanwhile.
    pub fn answer(&mut self, reactor: &mut Reactor, client: u64, write: crate::shared::Answer) {
        let Some(mut session) = self.take_client(client) else { return };
        if matches!(session.wait, Wait::Answer) {
            session.wait = Wait::Nothing;
            let protocol = crate::worker::protocol_of(&session);
            let mut bytes = Vec::new();
            write(&mut Reply::new(&mut bytes, protocol));
            if session.reply_mode == crate::session::ReplyMode::On {
                session.output.append(&mut bytes);
            }
            self.process_input(reactor, &mut session);
        }
        self.settle(reactor, session);
    }

    /// Ends the waits whose time is over.
    pub fn end_waits(&mut self, reactor: &mut Reactor) {
        let now_ms = self.context.now_ms;
        while let Some(waiter) = self.timers.pop_due(now_ms) {
            let Some(session) = self.session_of(waiter.client) else { continue };
            let Wait::Key { waiter: own, timer } = &mut session.wait else { continue };
            if !Arc::ptr_eq(own, &waiter) {
                continue;
            }
            *timer = None;
            let deadline_ms = waiter.deadline_ms.load(Ordering::Relaxed);
            if now_ms < deadline_ms {
                let mut next_ms = waiter.retry_at_ms.load(Ordering::Relaxed);
                if next_ms <= now_ms {
                    // Its command is run again soon, which tells when it is next, unless the client is served by that.
                    self.ready.extend(waiter.keys.iter().map(|key| (waiter.db, key.clone())));
                    next_ms = now_ms + RETRY_LOOK_MS;
                }
                let again = self.timers.add(next_ms.min(deadline_ms), Arc::clone(&waiter));
                if let Some(session) = self.session_of(waiter.client)
                    && let Wait::Key { timer, .. } = &mut session.wait
                {
                    *timer = Some(again);
                }
                continue;
            }
            if waiter.claim() {
                self.unblocked(reactor, &waiter, &time_out_reply(self.shared, &waiter));
            } else {
                // Somebody is about to serve it; if that fails after all, its time is over then.
                let again = self.timers.add(now_ms + 1, Arc::clone(&waiter));
                if let Some(session) = self.session_of(waiter.client)
                    && let Wait::Key { timer, .. } = &mut session.wait
                {
                    *timer = Some(again);
                }
            }
        }
    }

    /// Serves those who wait for keys that became ready where the locks for it were not to be had, or no command ran.
    pub fn serve_later(&mut self) {
        let shared = self.shared;
        let keyspace = &shared.keyspace;
        for (db, key) in std::mem::take(&mut self.ready) {
            let mut locks = ShardSet::of(keyspace.shard_of(&Key::new(&key)));
            loop {
                let Ok(guard) = keyspace.shards().try_lock_set(&mut locks) else {
                    self.ready.push((db, key));
                    break;
                };
                self.effects.clear();
                let mut data = keyspace.view(guard, &self.context, &mut self.effects, db);
                if let Some(wider) = data.shards_to_serve(&mut std::iter::once(&*key)) {
                    drop(data);
                    locks.extend_from(&wider);
                    continue;
                }
                data.effects.ready.push((db, key));
                serve_ready(shared, self.id, &mut data);
                break;
            }
            aftermath::after_unlock(self);
        }
    }

    /// Takes waiters and watches that are over out of the shards that are free now.
    pub fn sweep_leftovers(&mut self) {
        if self.leftovers.is_empty() {
            return;
        }
        let shared = self.shared;
        let keyspace = &shared.keyspace;
        for leftover in std::mem::take(&mut self.leftovers) {
            let mut locks: ShardSet = match &leftover {
                Leftover::Waiter(waiter) => waiter.keys.iter().map(|key| keyspace.shard_of(&Key::new(key))).collect(),
                Leftover::Watch { keys, .. } => keys.iter().map(|(_, key)| keyspace.shard_of(&Key::new(key))).collect(),
            };
            let Ok(guard) = keyspace.shards().try_lock_at_once(&mut locks) else {
                self.leftovers.push(leftover);
                continue;
            };
            let mut data = keyspace.view(guard, &self.context, &mut self.effects, 0);
            match &leftover {
                Leftover::Waiter(waiter) => data.unregister(waiter),
                Leftover::Watch { flag, keys } => keys.iter().for_each(|(db, key)| data.unwatch(*db, key, flag)),
            }
        }
    }
}
