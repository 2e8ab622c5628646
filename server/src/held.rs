//! Replies that wait for the log: nothing leaves that promises more than the disk has (`appendfsync always`) or the system.

use crate::alerts::Alert;
use crate::blocking::time_out_reply;
use crate::persistence::log::Policy;
use crate::session::{Session, Wait};
use crate::worker::Worker;
use ochre_keyspace::Waiter;
use ochre_reactor::{Reactor, Token};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Nothing more is read from a client, and none of its commands run, while so many bytes of its replies wait.
const HELD_BYTES_MAX: usize = 1 << 20;

/// What is to be sent once the log has reached an offset.
struct Held {
    offset: u64,
    token: Token,
    bytes: Vec<u8>,
    /// The connection ends then.
    close: bool,
}

/// The replies of a loop that wait, in the order in which they were made, and so by offset.
#[derive(Default)]
pub struct HeldReplies {
    queue: VecDeque<Held>,
    policy: Option<Policy>,
    /// Clients that wait until the disk has the log up to an offset.
    for_disk: Vec<(u64, Arc<Waiter>)>,
    /// Writes were refused already when the commands that run now began, and how often the log had recovered before: unless it
    /// has again since, they have changed nothing that could be lost.
    refused_since: Option<u64>,
}

impl HeldReplies {
    /// Takes over what replies wait for.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = (policy != Policy::Off).then_some(policy);
    }

    /// Whether anything is to be done at the end of a turn.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.policy.is_some() || !self.queue.is_empty() || !self.for_disk.is_empty()
    }
}

impl Worker {
    /// Commands of a client are about to run.
    #[inline]
    pub fn before_commands(&mut self) {
        if self.held.policy.is_some() {
            self.held.refused_since = if self.shared.log.has_failed() { self.refuses_writes() } else { None };
        }
    }

    /// The recoveries of the log so far, if commands are told by now that it has failed.
    #[cold]
    fn refuses_writes(&self) -> Option<u64> {
        let recoveries = self.shared.log.recoveries();
        let is_refused = self.shared.alerts.is_on(Alert::LogFailed) && self.shared.log.has_failed();
        is_refused.then_some(recoveries)
    }

    /// Sends replies of a client now, or when the log has got as far as they may have seen.
    #[inline]
    pub fn send_when_safe(&mut self, reactor: &mut Reactor, session: &mut Session, bytes: Vec<u8>) {
        if !self.held.is_on() {
            return reactor.send(session.token, bytes);
        }
        self.hold_or_send(reactor, session, bytes);
    }

    fn hold_or_send(&mut self, reactor: &mut Reactor, session: &mut Session, bytes: Vec<u8>) {
        let log = &self.shared.log;
        let offset = log.end();
        let nothing_waits = session.held == 0;
        let has_changed_nothing = || self.held.refused_since.is_some_and(|recoveries| recoveries == log.recoveries());
        let is_safe = log.reached(self.held.policy.unwrap_or(Policy::Off)) >= offset || has_changed_nothing();
        if nothing_waits && is_safe {
            return reactor.send(session.token, bytes);
        }
        session.held += 1;
        session.held_bytes += bytes.len();
        if session.held_bytes > HELD_BYTES_MAX && !session.is_waiting() {
            session.wait = Wait::Disk;
            reactor.pause_receive(session.token);
        }
        self.held.queue.push_back(Held { offset, token: session.token, bytes, close: false });
    }

    /// Ends a connection once its replies, some of which wait, are sent.
    pub fn close_when_safe(&mut self, token: Token) {
        let offset = self.shared.log.end();
        self.held.queue.push_back(Held { offset, token, bytes: Vec::new(), close: true });
    }

    /// Sends what need not wait any longer.
    pub fn release_held(&mut self, reactor: &mut Reactor) {
        let reached = self.shared.log.reached(self.held.policy.unwrap_or(Policy::Off));
        while let Some(held) = self.held.queue.pop_front_if(|held| held.offset <= reached) {
            if held.close {
                reactor.close_after_flush(held.token);
                continue;
            }
            if let Some(session) = self.session_at(held.token) {
                session.held -= 1;
                session.held_bytes -= held.bytes.len();
                if matches!(session.wait, Wait::Disk) && session.held_bytes <= HELD_BYTES_MAX / 2 {
                    let client = session.id();
                    reactor.resume_receive(held.token);
                    self.run_again(client);
                }
            }
            reactor.send(held.token, held.bytes);
        }
    }

    /// The client waits until the disk has the log up to `offset` (WAITAOF).
    pub fn wait_for_disk(&mut self, offset: u64, waiter: Arc<Waiter>) {
        self.held.for_disk.push((offset, waiter));
    }

    /// Answers those who wait for the disk and need not any longer, or whose time was over.
    fn answer_for_disk(&mut self, reactor: &mut Reactor) {
        let durable = self.shared.log.durable();
        for (offset, waiter) in std::mem::take(&mut self.held.for_disk) {
            if waiter.is_claimed() {
                continue;
            }
            if offset > durable {
                self.held.for_disk.push((offset, waiter));
            } else if waiter.claim() {
                let reply = time_out_reply(self.shared, &waiter);
                self.unblocked(reactor, &waiter, &reply);
            }
        }
    }

    /// At the end of a turn: what the turn appended is written, or the thread that syncs is told, and replies leave.
    #[inline]
    pub fn end_turn_of_log(&mut self, reactor: &mut Reactor) {
        if self.held.is_on() {
            self.write_log(reactor);
        }
    }

    fn write_log(&mut self, reactor: &mut Reactor) {
        let shared = self.shared;
        match self.held.policy {
            Some(Policy::Always) if shared.log.durable() < shared.log.end() => shared.log.nudge(),
            Some(Policy::No | Policy::EverySecond) => {
                shared.log.flush_turn();
                shared.note_log_state();
            }
            _ => {}
        }
        self.release_held(reactor);
        self.answer_for_disk(reactor);
        // First the word that this loop waits, then a last look: the other side acts in the opposite order.
        let waits = !self.held.queue.is_empty() || !self.held.for_disk.is_empty();
        shared.desks[self.id].waits_for_log.store(waits, Ordering::SeqCst);
        if waits {
            fence(Ordering::SeqCst);
            self.release_held(reactor);
            self.answer_for_disk(reactor);
        }
    }
}
