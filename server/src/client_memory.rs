//! What clients take of the memory, and which are disconnected when it is too much (`maxmemory-clients`): the largest first.

use crate::clients::{Client, traits};
use crate::log;
use crate::session::Session;
use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_reactor::Reactor;
use std::cmp::Reverse;
use std::sync::atomic::Ordering::Relaxed;

/// What a client takes that does nothing: its session, its place on the list of clients, its connection.
const IDLE_BYTES: usize = size_of::<Session>() + size_of::<Client>() + 256;

impl Session {
    /// Notes how much of what the client was sent has not left yet.
    pub fn note_unsent(&self, reactor: &mut Reactor) {
        if self.client.output_bytes.load(Relaxed) > 0 {
            self.client.output_bytes.store(self.unsent_bytes(reactor), Relaxed);
            self.client.output_buffers.store(reactor.unsent_buffers(self.token), Relaxed);
        }
    }

    /// Bytes of replies that have not left, because the client reads slowly or the disk has not come along.
    #[inline]
    pub fn unsent_bytes(&self, reactor: &mut Reactor) -> usize {
        reactor.unsent_bytes(self.token) + self.held_bytes
    }

    /// Bytes that this client takes; `unsent`: what the reactor holds for it.
    #[inline]
    fn memory_bytes(&self, unsent: usize) -> usize {
        let buffers = self.input.capacity() + self.output.capacity() + unsent;
        let parts = self.parser.memory_bytes() + self.transaction.as_deref().map_or(0, |transaction| transaction.bytes);
        let lists = self.watch.as_deref().map_or(0, |watch| watch.bytes)
            + self.subscriptions.as_deref().map_or(0, |subscriptions| subscriptions.bytes)
            + self.fieldsets.as_deref().map_or(0, |fieldsets| fieldsets.bytes)
            + self.tracked.as_deref().map_or(0, |tracked| tracked.memory_bytes());
        IDLE_BYTES + buffers + parts + lists
    }
}

/// Bytes that all clients may take together; `usize::MAX` for any.
fn limit_bytes(shared: &Shared) -> usize {
    match shared.settings.network.maxmemory_clients.get() {
        0 => usize::MAX,
        bytes @ 1.. => bytes as usize,
        // A share of maxmemory, in percent.
        percent => match shared.settings.memory.maxmemory_bytes.get() {
            0 => usize::MAX,
            maxmemory => (u128::from(maxmemory) * u128::from(percent.unsigned_abs()) / 100) as usize,
        },
    }
}

/// Whether a client may be disconnected for the memory it takes. Its memory counts only then.
fn is_evictable(client: &Client) -> bool {
    !client.has(traits::NO_EVICT | traits::REPLICA | traits::PRIMARY)
}

impl Worker {
    /// Notes what a client takes now.
    #[inline]
    pub fn charge(&self, session: &mut Session, unsent: usize) {
        let bytes = session.memory_bytes(unsent);
        let client = &session.client;
        client.memory_bytes.store(bytes, Relaxed);
        let charged = if is_evictable(client) { bytes } else { 0 };
        if charged != session.charged_bytes {
            let counter = &self.shared.desks[self.id].client_bytes;
            counter.store(counter.load(Relaxed).wrapping_add(charged).wrapping_sub(session.charged_bytes), Relaxed);
            session.charged_bytes = charged;
        }
    }

    /// The client takes nothing any more.
    pub fn discharge(&self, session: &mut Session) {
        let counter = &self.shared.desks[self.id].client_bytes;
        counter.store(counter.load(Relaxed).wrapping_sub(session.charged_bytes), Relaxed);
        session.charged_bytes = 0;
    }

    /// Disconnects clients when all together take too much.
    #[inline]
    pub fn limit_clients(&mut self, reactor: &mut Reactor) {
        if self.shared.settings.network.maxmemory_clients.get() != 0 {
            self.evict_clients(reactor);
        }
    }

    /// Whether all clients together take more than they may.
    pub fn clients_take_too_much(&self) -> bool {
        let taken = || self.shared.desks.iter().map(|desk| desk.client_bytes.load(Relaxed)).sum::<usize>();
        self.shared.settings.network.maxmemory_clients.get() != 0 && taken() > limit_bytes(self.shared)
    }

    #[cold]
    fn evict_clients(&mut self, reactor: &mut Reactor) {
        if !self.clients_take_too_much() {
            return;
        }
        let limit = limit_bytes(self.shared);
        // Exactly now: those that another loop is about to close do not count any more.
        let mut clients = self.shared.registry.all();
        clients.retain(|client| is_evictable(client) && !client.has(traits::CLOSE_ASAP));
        let bytes = |client: &Client| client.memory_bytes.load(Relaxed);
        let mut left: usize = clients.iter().map(|client| bytes(client)).sum();
        clients.sort_by_key(|client| Reverse(bytes(client)));
        for client in clients {
            if left <= limit {
                return;
            }
            left -= bytes(&client).min(left);
            let line = crate::commands::connection::describe(&client, self.shared, self.context.now_ms);
            log::notice(format_args!("Evicting client: {line}"));
            if client.traits.fetch_or(traits::CLOSE_ASAP, Relaxed) & traits::CLOSE_ASAP != 0 {
                // Another loop was faster.
                continue;
            }
            self.counters().evicted_clients.add(1);
            if client.thread as usize == self.id {
                self.end_client(reactor, client.id, false);
            } else {
                self.shared.registry.remove(client.id);
                let message = Message::Kill { client: client.id, flush: false };
                self.shared.desks[client.thread as usize].post(message);
            }
        }
    }

    /// Notes how much of what the clients of this loop were sent has not left yet.
    pub fn note_unsent(&self, reactor: &mut Reactor) {
        self.sessions().for_each(|session| session.note_unsent(reactor));
    }

    /// Looks at those that have not read all of what they were sent: their figures change without a word from them, and so does
    /// how long they have been over a soft limit.
    pub fn look_after_slow_readers(&mut self, reactor: &mut Reactor) {
        let is_slow = |session: &&Session| session.client.output_bytes.load(Relaxed) > 0;
        let slow: Vec<u64> = self.sessions().filter(is_slow).map(Session::id).collect();
        for client in slow {
            if let Some(session) = self.take_client(client) {
                self.settle(reactor, session);
            }
        }
    }
}
