//! The stream of the server that is followed: its commands run like a client's, and their bytes go on as they came, into the log
//! and to replicas of this server, so that offsets mean the same everywhere.

use super::{More, Worker};
use crate::clients::{Client, traits};
use crate::dispatch::{Call, Flow};
use crate::persistence::log::Policy;
use crate::replication::Following;
use crate::session::Session;
use ochre_keyspace::write_command;
use ochre_reactor::{Reactor, Socket};
use ochre_resp::Args as Words;
use ochre_text::case;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a session has whose client is the server that is followed.
pub struct Stream {
    pub following: Arc<Following>,
    /// Bytes of the transaction that is being queued.
    unit: Vec<u8>,
}

impl Worker {
    /// Serves the connection to the server that is followed; `rest` has come through it already.
    pub(super) fn follow(&mut self, reactor: &mut Reactor, socket: Socket, following: Arc<Following>, rest: Vec<u8>) {
        if following.is_over() {
            self.shared.desks[self.id].connections.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let address = |address: std::io::Result<ochre_reactor::Address>| {
            address.map(|address| address.to_string()).unwrap_or_default()
        };
        let client = Client {
            fd: socket.as_raw_fd(),
            traits: traits::PRIMARY.into(),
            local_address: address(socket.local_address()),
            ..Client::new(
                self.shared.registry.next_id(),
                self.id as u32,
                address(socket.peer_address()),
                self.context.now_ms,
            )
        };
        let token = reactor.add_socket(socket);
        let client = Arc::new(client);
        following.begin_stream(Arc::clone(&client));
        let db = following.db.load(Ordering::Relaxed);
        let session = self.add_session(token, client);
        // Whose stream it is may do all.
        (session.authenticated, session.unrestricted) = (true, true);
        session.stream = Some(Box::new(Stream { following, unit: Vec::new() }));
        session.select(db);
        session.input = rest;
        if let Some(mut session) = self.take(token) {
            self.acknowledge_stream(reactor, &session);
            self.process_input(reactor, &mut session);
            self.settle(reactor, session);
        }
    }

    /// Tells the server that is followed how far this one has got.
    fn acknowledge_stream(&mut self, reactor: &mut Reactor, session: &Session) {
        let log = &self.shared.log;
        let offset = log.end().to_string();
        let mut words = vec![&b"REPLCONF"[..], b"ACK", offset.as_bytes()];
        let durable = log.durable().to_string();
        // Before there is a base, what is in the file is of no use.
        if log.policy() != Policy::Off {
            words.extend([&b"FACK"[..], durable.as_bytes()]);
        }
        let mut bytes = Vec::new();
        write_command(&mut bytes, words.into_iter());
        reactor.send(session.token, bytes);
    }

    /// Once a second: says how far it has got, and gives the connection up when nothing comes.
    pub fn look_after_stream(&mut self, reactor: &mut Reactor) {
        let Some(following) = self.shared.replication.following() else { return };
        let Some(client) = following.client().filter(|client| client.thread as usize == self.id) else { return };
        let silence_ms = self.context.now_ms.saturating_sub(following.heard_ms.load(Ordering::Relaxed));
        if silence_ms > self.shared.settings.replication.repl_timeout_s.get() * 1000 {
            crate::log::warning(format_args!("MASTER timeout: no data nor PING received..."));
            return self.end_client(reactor, client.id, false);
        }
        if let Some(session) = self.take_client(client.id) {
            self.acknowledge_stream(reactor, &session);
            self.put_back(session);
        }
    }

    /// As `process`, for the stream.
    pub(super) fn process_stream(&mut self, reactor: &mut Reactor, session: &mut Session, buffer: &[u8]) -> usize {
        let Some(stream) = &session.stream else { return 0 };
        let following = Arc::clone(&stream.following);
        if following.is_over() {
            session.closing = true;
            return buffer.len();
        }
        let began_ns = ochre_clock::monotonic_ns();
        self.last_tick_ns = began_ns;
        following.heard_ms.store(self.context.now_ms, Ordering::Relaxed);
        if self.shared.loading.is_active() {
            // The data is loaded anew (DEBUG RELOAD).
            self.wait_for_pause(session);
            return 0;
        }
        // Deadlines are the other server's to look after, and what it says is passed on as it is.
        let expire = std::mem::replace(&mut self.context.expire, false);
        let log_wanted = std::mem::replace(&mut self.context.log_wanted, false);
        let mut batch = std::mem::take(&mut self.batch);
        let mut calls = std::mem::take(&mut self.calls);
        let mut output = self.pool.pop().unwrap_or_default();
        (self.effects.origin, self.effects.listener) = (session.id(), session.id());
        // Up to `consumed` all has been taken; up to `done` it has also been passed on.
        let (mut consumed, mut done) = (0, 0);
        loop {
            batch.clear();
            calls.clear();
            let (parsed_to, more) = self.parse(session, &buffer[consumed..], &mut batch, &mut calls);
            self.prefetch(session, &calls, &batch, &buffer[consumed..]);
            let mut stopped = false;
            for call in &calls {
                let words = batch.args(&call.command, &buffer[consumed + call.start..]);
                let end = consumed + call.start + call.command.consumed;
                let flow = self.pass_on(reactor, session, call, words, &buffer[done..end], &mut output);
                output.clear();
                match flow {
                    Flow::Done => done = end,
                    Flow::Blocked => (done, stopped) = (end, true),
                    Flow::Wait => stopped = true,
                    Flow::Close => (session.closing, stopped) = (true, true),
                }
                if stopped {
                    break;
                }
            }
            if stopped {
                session.parser = ochre_resp::request::Parser::new();
                consumed = if session.closing { buffer.len() } else { done };
                break;
            }
            consumed += parsed_to;
            if consumed > done {
                // Empty lines have their place in the stream, too.
                self.shared.log.append_for_replicas(&buffer[done..consumed]);
                done = consumed;
            }
            match more {
                More::Yes => {}
                More::Incomplete => break,
                More::Error(error) => {
                    crate::log::warning(format_args!("Protocol error from the server that is followed: {error}"));
                    session.closing = true;
                    consumed = buffer.len();
                    break;
                }
            }
        }
        (self.effects.origin, self.effects.listener) = (0, 0);
        (self.context.expire, self.context.log_wanted) = (expire, log_wanted);
        following.db.store(session.db, Ordering::Relaxed);
        self.shared.replication.counts.input_bytes.fetch_add(consumed as u64, Ordering::Relaxed);
        self.flush_stats(session);
        self.counters().busy_nanoseconds.add(self.last_tick_ns - began_ns);
        self.recycle(output);
        batch.trim();
        self.batch = batch;
        self.calls = calls;
        consumed
    }

    /// Runs one command of the stream and passes its bytes on; those of a transaction when it ends, so that nobody sees a part.
    fn pass_on(
        &mut self,
        reactor: &mut Reactor,
        session: &mut Session,
        call: &Call,
        words: Words<'_>,
        bytes: &[u8],
        output: &mut Vec<u8>,
    ) -> Flow {
        let is = |word: &str| case::is(words.at(0), word);
        let in_transaction = session.transaction.is_some();
        if !in_transaction && (is("PING") || is("REPLCONF")) {
            self.shared.log.append_for_replicas(bytes);
            crate::replication::nudge(self.shared);
            if words.get(1).is_some_and(|word| case::is(word, "GETACK")) {
                self.acknowledge_stream(reactor, session);
            }
            return Flow::Done;
        }
        let Some(stream) = &mut session.stream else { return Flow::Close };
        let before = stream.unit.len();
        stream.unit.extend_from_slice(bytes);
        if is("MULTI") || (in_transaction && !is("EXEC") && !is("DISCARD")) {
            return self.execute_safely(reactor, session, call, words, output);
        }
        // The function, or EXEC, finds the bytes where it leaves what it did for the log, and they go there under its locks.
        let last_db = session.transaction.as_ref().map_or(session.db, |transaction| transaction.db);
        self.effects.unit.pass_on(&stream.unit, session.db, last_db);
        let flow = self.execute_safely(reactor, session, call, words, output);
        let Some(stream) = &mut session.stream else { return Flow::Close };
        if flow == Flow::Wait {
            self.effects.unit.clear();
            stream.unit.truncate(before);
            return flow;
        }
        if output.first() == Some(&b'-') {
            note_failure(words, output);
        }
        if !self.effects.unit.is_empty() {
            // It changed nothing, or it was SELECT.
            self.effects.unit.end_in(session.db);
            self.shared.log.append(&self.effects.unit, true, self.context.now_ms);
            self.effects.unit.clear();
            crate::replication::nudge(self.shared);
        }
        stream.unit.clear();
        stream.unit.shrink_to(KEPT_BYTES_MAX);
        flow
    }
}

/// A unit that was passed on leaves so much memory for the next one.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// A command failed that had not failed on the other server: data may differ.
#[cold]
fn note_failure(words: Words<'_>, output: &[u8]) {
    let name = String::from_utf8_lossy(&words.at(0)[..words.at(0).len().min(64)]);
    let error = String::from_utf8_lossy(output);
    crate::log::warning(format_args!(
        "== CRITICAL == This replica is sending an error to its master: '{}' after processing the command '{name}'",
        error.trim_end().trim_start_matches('-')
    ));
}
