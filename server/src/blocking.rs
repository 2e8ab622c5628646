//! Blocked clients: they wait in the queues of their keys, and whoever makes a key ready serves the oldest before unlocking.

use crate::aftermath;
use crate::clients::traits;
use crate::dispatch::{Flow, shards_of};
use crate::session::{Session, Wait};
use crate::shared::{CommandRow, Message, Run, Shared};
use crate::worker::{Worker, protocol_of};
use ochre_commands::spec::Group;
use ochre_commands::{Args, Key};
use ochre_keyspace::{Block, Locked, Waiter, WatchFlag};
use ochre_reactor::Reactor;
use ochre_resp::{Args as Words, Batch, Protocol, Reply};
use ochre_values::Kind;
use std::sync::{Arc, PoisonError};

/// What is left in shards by clients that are gone or served, to be taken out when the shards are free.
pub enum Leftover {
    Waiter(Arc<Waiter>),
    Watch { flag: Arc<WatchFlag>, keys: Vec<(usize, Box<[u8]>)> },
}

/// Puts the client of `session` into the queues of the keys that its command waits for. The shards are held.
pub fn block(
    data: &mut Locked<'_>,
    session: &mut Session,
    thread: usize,
    words: Words<'_>,
    block: Block,
) -> Arc<Waiter> {
    let words = words.iter().map(Box::from).collect();
    let waiter = Arc::new(Waiter::new(
        thread as u32,
        session.id(),
        session.db,
        session.protocol,
        words,
        block.keys,
        block.times_out_with_array,
    ));
    data.register(&waiter);
    session.client.set(traits::BLOCKED, true);
    *session.client.blocked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&waiter));
    waiter
}

/// Serves those who wait for keys that the last command made ready, until nobody can be served any more.
///
/// Runs under the command's locks, so nobody can come in between.
#[cold]
pub fn serve_ready(shared: &Shared, thread: usize, data: &mut Locked<'_>) {
    let own_db = data.db();
    let mut ready = std::mem::take(&mut data.effects.ready);
    while !ready.is_empty() {
        let (db, key) = ready.remove(0);
        let mut skipped = 0;
        while let Some(waiter) = data.oldest_waiter(db, &key, skipped) {
            data.select(db);
            if !serve(shared, thread, data, &waiter, &key) {
                // It waits for something else: the next one may be luckier.
                skipped += 1;
            }
            ready.append(&mut data.effects.ready);
            if data.peek(&Key::new(&key)).is_none() {
                break;
            }
        }
    }
    data.select(own_db);
}

/// Tries to serve one client; says whether it waits no longer.
fn serve(shared: &Shared, thread: usize, data: &mut Locked<'_>, waiter: &Arc<Waiter>, key: &[u8]) -> bool {
    let mut batch = Batch::default();
    let command = batch.push(waiter.words.iter().map(|word| &**word));
    let words = batch.args(&command, &[]);
    let Some(row) = shared.commands.find(words.at(0)) else { return false };
    let Some(Run::Data(function)) = row.run else { return false };
    if data.kind(&Key::new(key)).is_none_or(|kind| Some(kind) != wanted_kind(row)) {
        return false;
    }
    // A command that writes elsewhere, too (BLMOVE), needs that shard before it changes anything.
    let wanted = shards_of(data.keyspace(), row, words);
    let missing = wanted.without(data.held());
    if !missing.is_empty() && !data.try_extend(&missing) {
        // Its own thread tries with all locks; it keeps its place.
        shared.desks[waiter.thread as usize].post(Message::Retry(waiter.client));
        return true;
    }
    if !waiter.claim() {
        return true;
    }
    data.effects.clear();
    let mut bytes = Vec::new();
    let protocol = if waiter.protocol == 3 { Protocol::Resp3 } else { Protocol::Resp2 };
    let mut reply = Reply::new(&mut bytes, protocol);
    let result = function(data, &mut Args::new(words), &mut reply);
    data.finish();
    if result.is_ok() && data.effects.block.take().is_some() {
        waiter.release();
        return false;
    }
    if let Err(error) = result {
        bytes.clear();
        Reply::new(&mut bytes, protocol).error(error.as_str());
    }
    aftermath::commit(shared, thread, data);
    data.unregister(waiter);
    shared.desks[waiter.thread as usize].post(Message::Unblocked { waiter: Arc::clone(waiter), reply: bytes });
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

/// The reply of a client whose time is over.
pub fn time_out_reply(waiter: &Waiter, protocol: Protocol) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reply = Reply::new(&mut bytes, protocol);
    if waiter.times_out_with_array {
        reply.null_array()
    } else {
        reply.null()
    }
    bytes
}

impl Worker {
    /// Starts the wait of a client that was put into the queues.
    pub fn start_wait(&mut self, session: &mut Session, waiter: Arc<Waiter>, timeout_ms: u64) -> Flow {
        if timeout_ms > 0 {
            self.timers.add(self.context.now_ms.saturating_add(timeout_ms), Arc::clone(&waiter));
        }
        session.wait = Wait::Key(waiter);
        Flow::Blocked
    }

    /// Answers a client that was blocked, and goes on with what it has sent meanwhile.
    pub fn unblocked(&mut self, reactor: &mut Reactor, waiter: &Arc<Waiter>, reply: &[u8]) {
        self.leftovers.push(Leftover::Waiter(Arc::clone(waiter)));
        let Some(mut session) = self.take_client(waiter.client) else { return };
        if !matches!(&session.wait, Wait::Key(own) if Arc::ptr_eq(own, waiter)) {
            return self.put_back(session);
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

    /// Ends the waits whose time is over.
    pub fn end_waits(&mut self, reactor: &mut Reactor) {
        let now_ms = self.context.now_ms;
        while let Some(waiter) = self.timers.pop_due(now_ms) {
            let Some(session) = self.session_of(waiter.client) else { continue };
            if !matches!(&session.wait, Wait::Key(own) if Arc::ptr_eq(own, &waiter)) {
                continue;
            }
            let protocol = protocol_of(session);
            if waiter.claim() {
                self.unblocked(reactor, &waiter, &time_out_reply(&waiter, protocol));
            } else {
                // Somebody is about to serve it; if that fails after all, its time is over then.
                self.timers.add(now_ms + 1, waiter);
            }
        }
    }

    /// Runs the command of a blocked client anew, with all its locks.
    pub fn retry(&mut self, client: u64) {
        let Some(session) = self.session_of(client) else { return };
        let Wait::Key(waiter) = &session.wait else { return };
        let waiter = Arc::clone(waiter);
        let shared = self.shared;
        let mut batch = Batch::default();
        let command = batch.push(waiter.words.iter().map(|word| &**word));
        let words = batch.args(&command, &[]);
        let row = shared.commands.find(words.at(0)).expect("a client blocks on a command that exists");
        let mut locks = shards_of(&shared.keyspace, row, words);
        match shared.keyspace.shards().try_lock_set(&mut locks) {
            Ok(guard) => {
                self.effects.clear();
                let mut data = shared.keyspace.view(guard, &self.context, &mut self.effects, waiter.db);
                for key in &waiter.keys {
                    data.note_ready(&Key::new(key));
                }
                serve_ready(shared, self.id, &mut data);
            }
            Err(_) => self.retries.push(client),
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
            let mut locks: ochre_collections::ShardSet = match &leftover {
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
