//! Connections of an event loop: how they come, who serves them, how they end.

use super::Worker;
use crate::blocking::Leftover;
use crate::clients::{Client, traits};
use crate::session::{Session, Wait};
use crate::shared::Message;
use ochre_reactor::{Address, Reactor, Socket, Token};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Worker {
    pub(super) fn accepted(&mut self, reactor: &mut Reactor, listener: Token, socket: Socket) {
        let is_tls = self.tls_listeners.contains(&listener);
        let counters = self.counters();
        counters.connections_received.add(1);
        let limit = self.shared.settings.network.maxclients.get();
        if self.shared.registry.len() >= limit {
            return self.turn_away(reactor, socket, is_tls, b"-ERR max number of clients reached\r\n");
        }
        if let Some(refusal) = crate::admission::refuses_connection(self.shared, &socket) {
            return self.turn_away(reactor, socket, is_tls, refusal);
        }
        // The least loaded loop serves it.
        let desks = &self.shared.desks;
        let load = |id: &usize| desks[*id].connections.load(Ordering::Relaxed);
        let target = (0..desks.len()).min_by_key(load).unwrap_or(self.id);
        desks[target].connections.fetch_add(1, Ordering::Relaxed);
        if target == self.id {
            self.adopt(reactor, socket, is_tls);
        } else {
            desks[target].post(Message::Adopt { socket, is_tls });
        }
    }

    /// Listens on these sockets only.
    pub(super) fn listen(&mut self, reactor: &mut Reactor, listeners: Vec<crate::listen::Listener>) {
        for token in self.listeners.drain(..) {
            reactor.close_now(token);
        }
        self.tls_listeners.clear();
        for listener in listeners {
            let token = reactor.add_listener(listener.socket);
            self.listeners.push(token);
            if listener.is_tls {
                self.tls_listeners.push(token);
            }
        }
    }

    /// Tells a connection why it is not served, and closes it. One with TLS is closed without a word: it would have to be
    /// served, with a handshake, to hear it.
    pub(super) fn turn_away(&mut self, reactor: &mut Reactor, socket: Socket, is_tls: bool, reason: &[u8]) {
        self.counters().connections_rejected.add(1);
        if is_tls {
            return;
        }
        let token = reactor.add_socket(socket);
        reactor.send(token, reason.to_vec());
        reactor.close_after_flush(token);
    }

    pub(super) fn adopt(&mut self, reactor: &mut Reactor, socket: Socket, is_tls: bool) {
        let keepalive_s = self.shared.settings.network.tcp_keepalive_s.get();
        let peer = socket.peer_address().unwrap_or(Address::Unix(Default::default()));
        if peer.ip().is_some() {
            // Both only make a slow or dead connection a little slower or later noticed.
            let _ = socket.set_nodelay(true);
            if keepalive_s > 0 {
                let _ = socket.set_keepalive(Duration::from_secs(keepalive_s));
            }
        }
        let local_address = socket.local_address().map(|address| address.to_string()).unwrap_or_default();
        let client = Client {
            fd: socket.as_raw_fd(),
            traits: (if peer.ip().is_none() { traits::UNIX_SOCKET } else { 0 } | if is_tls { traits::TLS } else { 0 })
                .into(),
            local_address,
            ..Client::new(self.shared.registry.next_id(), self.id as u32, peer.to_string(), self.context.now_ms)
        };
        let client = Arc::new(client);
        let Some(token) = self.add_socket(reactor, socket, is_tls) else {
            self.shared.desks[self.id].connections.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        self.add_session(token, client);
    }

    /// A session for a client whose connection the reactor has.
    pub(super) fn add_session(&mut self, token: Token, client: Arc<Client>) -> &mut Session {
        self.shared.registry.add(Arc::clone(&client));
        self.tokens.insert(client.id, token);
        let index = token.index();
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, || None);
        }
        self.sessions[index].insert(Box::new(Session::new(token, client, self.shared)))
    }

    /// Nothing for a client with TLS when that has been turned off since it was accepted.
    pub(super) fn add_socket(&self, reactor: &mut Reactor, socket: Socket, is_tls: bool) -> Option<Token> {
        if !is_tls {
            return Some(reactor.add_socket(socket));
        }
        let added = reactor.add_tls_socket(socket, &self.shared.tls.acceptor()?);
        added.inspect_err(|error| crate::log::warning(format_args!("Can't accept TLS: {error}"))).ok()
    }

    /// A client's handshake has ended: its certificate may say who it is.
    pub(super) fn secured(&mut self, reactor: &mut Reactor, token: Token) {
        if !crate::tls::names_users(&self.shared.settings) {
            return;
        }
        let Some(peer) = reactor.tls_peer(token) else { return };
        let names = crate::tls::user_names(&self.shared.settings, peer);
        if let Some(mut session) = self.take(token) {
            crate::access::log_in_by_certificate(self.shared, &mut session, &names);
            self.put_back(session);
        }
    }

    /// A connection does not work any more.
    pub(super) fn failed(&mut self, reactor: &mut Reactor, token: Token, error: &std::io::Error) {
        let Some(session) = self.take(token) else { return };
        if error.kind() == std::io::ErrorKind::InvalidData {
            crate::log::verbose(format_args!(
                "Error accepting a client connection: {error} (addr={} laddr={})",
                session.client.address, session.client.local_address
            ));
        }
        self.end(reactor, session, false);
    }

    /// Forgets a session whose connection is gone or about to be.
    pub(super) fn forget(&mut self, mut session: Box<Session>) {
        if let Wait::Shard(attempt) = &mut session.wait {
            self.shared.keyspace.shards().give_up(attempt);
        }
        if let Wait::Key { waiter, timer } = &session.wait {
            // Whoever serves it now would serve nobody.
            waiter.abandon();
            if let Some(timer) = timer {
                self.timers.cancel(*timer);
            }
            self.leftovers.push(Leftover::Waiter(Arc::clone(waiter)));
        }
        crate::transaction::end_watch(&mut session, &mut self.leftovers);
        crate::migration::forget(&mut session, &mut self.leftovers);
        crate::commands::pubsub::end_all(&mut session, self.shared);
        self.shared.monitors.remove(&mut session);
        crate::tracking::end(&mut session, self.shared);
        if let Some(stream) = session.stream.take() {
            stream.following.end_stream();
        }
        if let Some(replica) = session.replica.take() {
            crate::replication::detach(self.shared, &replica);
        }
        self.discharge(&mut session);
        self.tokens.remove(&session.id());
        self.shared.registry.remove(session.id());
        self.shared.desks[self.id].connections.fetch_sub(1, Ordering::Relaxed);
        self.recycle(std::mem::take(&mut session.output));
    }

    /// Ends a connection: at once, or once its replies are sent.
    pub fn end(&mut self, reactor: &mut Reactor, mut session: Box<Session>, flush: bool) {
        let token = session.token;
        if flush {
            self.send_output(reactor, &mut session);
            let waits = session.held > 0;
            // Whoever sees the connection end finds the client on no list any more.
            self.forget(session);
            if waits { self.close_when_safe(token) } else { reactor.close_after_flush(token) }
        } else {
            self.forget(session);
            reactor.close_now(token);
        }
    }

    /// Ends the connection of `client` from outside its commands.
    pub fn end_client(&mut self, reactor: &mut Reactor, client: u64, flush: bool) {
        if let Some(&token) = self.tokens.get(&client)
            && let Some(session) = self.take(token)
        {
            self.end(reactor, session, flush);
        }
    }
}
