//! Messages from other threads, and clients that wait: for a shard, for the end of a pause, for an answer, for a script.

use super::Worker;
use crate::clients::traits;
use crate::dispatch::Flow;
use crate::persistence::snapshot;
use crate::session::{Session, Wait};
use crate::shared::Message;
use ochre_collections::lock::Attempt;
use ochre_reactor::{Reactor, Token};
use std::time::Duration;

impl Worker {
    pub(super) fn drain_mailbox(&mut self, reactor: &mut Reactor) {
        let mut messages = std::mem::take(&mut self.messages);
        messages.append(&mut self.deferred);
        self.shared.desks[self.id].mailbox.drain(&mut messages);
        for message in messages.drain(..) {
            match message {
                Message::Unpark(client) => {
                    if let Some(session) = self.session_of(client)
                        && matches!(session.wait, Wait::Shard(_))
                    {
                        self.runnable.push(client);
                    }
                }
                Message::Kill { client, flush } => self.end_client(reactor, client, flush),
                Message::PauseChanged => self.resume_paused(),
                Message::SettingsChanged => self.apply_settings(),
                Message::AccessChanged => self.access_changed(reactor),
                Message::Listen(sockets) => self.listen(reactor, sockets),
                Message::Monitored { client, line } => {
                    self.with_output(reactor, client, |output, _| output.extend_from_slice(&line));
                }
                Message::Adopt { socket, is_tls } => self.adopt(reactor, socket, is_tls),
                Message::Deliver(message, delivery) => self.deliver(reactor, &message, &delivery),
                Message::Invalidate { client, is_redirected, keys } => {
                    self.invalidate(reactor, client, is_redirected, keys.as_deref());
                }
                Message::RedirectionBroken { client } => self.redirection_broken(reactor, client),
                Message::Unblocked { waiter, reply } => self.unblocked(reactor, &waiter, &reply),
                Message::Ready { db, key } => self.ready.push((db, key)),
                Message::Cut(request) => self.ask_for_cut(request),
                Message::Walk(job) => self.walker = Some(snapshot::Walker::new(job)),
                Message::WalkOn => {
                    if let Some(walker) = &mut self.walker {
                        walker.wake();
                    }
                }
                Message::Answer { client, write } => self.answer(reactor, client, write),
                Message::Ran(ran) => self.ran_aside(reactor, *ran),
                Message::Quiet(point) => point.pass(),
                // The end of this turn looks at what waits for it.
                Message::LogProgress => {}
                Message::Follow { socket, following, rest } => self.follow(reactor, socket, following, rest),
                Message::SignOfLife { client } => self.show_life(reactor, client),
                Message::Do(task) => task(self),
                Message::ScriptOverdue => self.resume_parked(),
                Message::ReleaseMemory => ochre_collections::release_free_memory(true),
                Message::Stop => self.stopping = true,
            }
        }
        self.messages = messages;
        self.take_cuts();
    }

    pub fn session_of(&mut self, client: u64) -> Option<&mut Session> {
        let token = *self.tokens.get(&client)?;
        self.session_at(token)
    }

    pub fn session_at(&mut self, token: Token) -> Option<&mut Session> {
        self.sessions.get_mut(token.index())?.as_deref_mut().filter(|session| session.token == token)
    }

    /// The client waits for a busy shard and goes on with its attempt.
    #[cold]
    pub fn wait_for_shard(&mut self, session: &mut Session, attempt: Attempt) -> Flow {
        self.counters().parked.add(1);
        session.wait = Wait::Shard(attempt);
        Flow::Wait
    }

    /// The client waits for the end of CLIENT PAUSE.
    pub fn wait_for_pause(&mut self, session: &mut Session) {
        session.wait = Wait::Pause;
        // As in the peers it is shown and counted as blocked.
        session.client.set(traits::BLOCKED, true);
        self.paused.push(session.id());
    }

    /// Lets the clients that waited for CLIENT PAUSE try again.
    pub fn resume_paused(&mut self) {
        self.runnable.append(&mut self.paused);
    }

    pub fn has_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// One short turn while a script of this loop takes too long: its other clients are served, as far as they can be. What
    /// is of no hurry, or could not bear the locks that the script holds, waits for its end.
    #[cold]
    pub fn serve_meanwhile(&mut self, reactor: &mut Reactor) -> std::io::Result<()> {
        reactor.turn(Some(Duration::ZERO), self)?;
        self.read_clock();
        let mut messages = Vec::new();
        self.shared.desks[self.id].mailbox.drain(&mut messages);
        for message in messages {
            match message {
                Message::Adopt { socket, is_tls } => self.adopt(reactor, socket, is_tls),
                Message::ScriptOverdue => self.resume_parked(),
                Message::Stop => self.stopping = true,
                other => self.deferred.push(other),
            }
        }
        for client in std::mem::take(&mut self.runnable) {
            self.run_client(reactor, client);
        }
        Ok(())
    }

    /// Lets all clients that wait for a shard try again.
    fn resume_parked(&mut self) {
        let parked = self.sessions.iter().flatten().filter(|session| matches!(session.wait, Wait::Shard(_)));
        let clients: Vec<u64> = parked.map(|session| session.id()).collect();
        self.runnable.extend(clients);
    }

    /// Lets a client's command run again.
    pub fn run_again(&mut self, client: u64) {
        self.runnable.push(client);
    }

    pub(super) fn run_runnable(&mut self, reactor: &mut Reactor) {
        self.serve_later();
        for client in std::mem::take(&mut self.runnable) {
            self.run_client(reactor, client);
        }
    }

    fn run_client(&mut self, reactor: &mut Reactor, client: u64) {
        let Some(&token) = self.tokens.get(&client) else { return };
        let Some(mut session) = self.take(token) else { return };
        if matches!(session.wait, Wait::Aside) {
            return self.put_back(session);
        }
        // A parked client keeps its attempt: how often it has failed decides whether it gets precedence.
        if !matches!(session.wait, Wait::Shard(_)) {
            session.wait = Wait::Nothing;
            session.client.set(traits::BLOCKED, false);
        }
        self.resume(reactor, &mut session);
        self.settle(reactor, session);
    }

    pub(super) fn resume(&mut self, reactor: &mut Reactor, session: &mut Session) {
        let waited = std::mem::take(&mut session.wait);
        session.resumed_attempt = match waited {
            Wait::Shard(attempt) => Some(attempt),
            _ => None,
        };
        self.process_input(reactor, session);
    }
}
