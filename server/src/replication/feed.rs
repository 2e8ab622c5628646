//! The loop's side of its replicas: at the end of each turn they are sent what there is for them, as far as they can take it.

use super::link::{Progress, Stage};
use super::spool::Next;
use super::{Link, Replica};
use crate::session::Session;
use crate::settings::network::OutputClass;
use crate::worker::Worker;
use ochre_reactor::{Reactor, Token};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// What the reactor holds for a replica is at most this and one buffer more, bytes.
const UNSENT_BYTES_MAX: usize = 1 << 20;
/// A buffer that is sent to a replica, bytes.
const BUFFER_BYTES: usize = 256 * 1024;

impl Worker {
    /// Sends the replicas of this loop what there is for them.
    #[inline]
    pub fn feed_replicas(&mut self, reactor: &mut Reactor) {
        if !self.replicas.is_empty() {
            self.feed_all(reactor);
        }
    }

    #[cold]
    fn feed_all(&mut self, reactor: &mut Reactor) {
        // From here on whoever has more says so; what there is already is looked at below.
        self.shared.desks[self.id].knows_of_more.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        for client in std::mem::take(&mut self.replicas) {
            let Some(mut session) = self.take_client(client) else { continue };
            match self.feed(reactor, &mut session) {
                Ok(()) => {
                    self.replicas.push(client);
                    self.put_back(session);
                }
                Err(reason) => {
                    let line = crate::commands::connection::describe(&session.client, self.shared, self.context.now_ms);
                    crate::log::warning(format_args!("Closing the connection of replica {line}: {reason}"));
                    self.end(reactor, session, false);
                }
            }
        }
        self.shared.desks[self.id].feeds_replicas.store(!self.replicas.is_empty(), Ordering::SeqCst);
    }

    /// The client of `session` is a replica from now on.
    pub fn begin_to_feed(&mut self, session: &Session) {
        self.replicas.push(session.id());
        self.shared.desks[self.id].feeds_replicas.store(true, Ordering::SeqCst);
    }

    /// A replica waits for its snapshot for so long that it may believe that nobody is there.
    pub fn show_life(&mut self, reactor: &mut Reactor, client: u64) {
        let waits = |replica: &Replica| !replica.progress.head;
        if self.session_of(client).is_some_and(|session| session.replica.as_deref().is_some_and(waits)) {
            self.with_output(reactor, client, |output, _| output.push(b'\n'));
        }
    }

    /// An error is why its connection has to end.
    fn feed(&mut self, reactor: &mut Reactor, session: &mut Session) -> Result<(), String> {
        // What it was replied comes first.
        if session.held > 0 || !session.output.is_empty() {
            return Ok(());
        }
        let token = session.token;
        let Some(replica) = &mut session.replica else { return Ok(()) };
        let Some(link) = replica.link.clone() else { return Ok(()) };
        let mut outlet = Outlet { worker: self, reactor, token, link: &link };
        let behind = loop {
            if outlet.reactor.unsent_bytes(token) >= UNSENT_BYTES_MAX {
                break outlet.behind();
            }
            let goes_on = match link.stage() {
                Stage::Waits => outlet.has_begun()?,
                Stage::Loads => outlet.send_snapshot(replica)?,
                Stage::Loaded | Stage::Done => false,
                Stage::Online => outlet.send_stream()?,
            };
            if !goes_on {
                break outlet.behind();
            }
        };
        session.client.output_bytes.store(behind, Ordering::Relaxed);
        if behind > 0 && self.leaves_too_much(session, behind) {
            self.counters().output_buffer_limit_disconnections.add(1);
            return Err("it is behind by more than client-output-buffer-limit allows for replicas".into());
        }
        Ok(())
    }

    /// Whether a replica is behind by more than the limit of its class. The backlog is kept anyway, so being behind within it
    /// costs nothing.
    fn leaves_too_much(&self, session: &mut Session, behind: usize) -> bool {
        let limit = self.shared.settings.network.client_output_buffer_limit.get(OutputClass::Replica);
        let backlog_bytes = self.shared.settings.replication.repl_backlog_size_bytes.get();
        let behind = behind as u64;
        if limit.hard_bytes > 0 && behind > limit.hard_bytes.max(backlog_bytes) {
            return true;
        }
        if limit.soft_bytes == 0 || behind <= limit.soft_bytes.max(backlog_bytes) {
            session.over_limit_since_ms = None;
            return false;
        }
        let since_ms = *session.over_limit_since_ms.get_or_insert(self.context.now_ms);
        self.context.now_ms - since_ms > limit.soft_seconds * 1000
    }
}

/// Where one replica's bytes leave.
struct Outlet<'a> {
    worker: &'a Worker,
    reactor: &'a mut Reactor,
    token: Token,
    link: &'a Arc<Link>,
}

impl Outlet<'_> {
    fn send(&mut self, bytes: Vec<u8>) {
        let count = bytes.len() as u64;
        self.worker.counters().net_output_bytes.add(count);
        self.worker.shared.replication.counts.output_bytes.fetch_add(count, Ordering::Relaxed);
        self.link.client.net_output_bytes.fetch_add(count, Ordering::Relaxed);
        self.reactor.send(self.token, bytes);
    }

    /// Bytes of the stream that it has not been sent, those in the reactor among them.
    fn behind(&mut self) -> usize {
        let unsent = self.reactor.unsent_bytes(self.token);
        let waits = match self.link.stage() {
            Stage::Waits | Stage::Done => 0,
            _ => self.worker.shared.log.end().saturating_sub(self.link.position.load(Ordering::Relaxed)),
        };
        unsent + waits as usize
    }

    /// Whether a snapshot for it has begun.
    fn has_begun(&mut self) -> Result<bool, String> {
        let has_begun = self.link.transfer().is_some();
        if has_begun {
            self.link.set_stage(Stage::Loads);
        }
        Ok(has_begun)
    }

    /// Sends the next part of the snapshot; says no when there is none for now.
    fn send_snapshot(&mut self, replica: &mut Replica) -> Result<bool, String> {
        let Some(transfer) = self.link.transfer() else { return Ok(false) };
        let Progress { told, head, bytes: sent } = &mut replica.progress;
        if !std::mem::replace(told, true) && self.link.is_modern {
            self.send(format!("+FULLRESYNC {} {}\r\n", transfer.id, transfer.offset).into_bytes());
        }
        if !*head {
            let line = match (&transfer.end_mark, transfer.length()) {
                (Some(mark), _) => format!("$EOF:{mark}\r\n"),
                (None, Some(length)) => format!("${length}\r\n"),
                (None, None) if transfer.has_failed() => return Err("its snapshot failed".into()),
                (None, None) => return Ok(false),
            };
            *head = true;
            self.send(line.into_bytes());
        }
        match transfer.read(self.link.client.id, *sent, BUFFER_BYTES) {
            Next::Bytes(bytes) => {
                *sent += bytes.len() as u64;
                self.send(bytes);
                Ok(true)
            }
            Next::Later => Ok(false),
            Next::Failed => Err("its snapshot failed".into()),
            Next::End => {
                if let Some(mark) = &transfer.end_mark {
                    self.send(mark.clone().into_bytes());
                }
                transfer.forget(self.link.client.id);
                self.link.set_transfer(None);
                self.end_of_snapshot(transfer.end_mark.is_some());
                Ok(true)
            }
        }
    }

    fn end_of_snapshot(&self, has_mark: bool) {
        let stage = match (self.link.facts.only_snapshot, has_mark) {
            (true, _) => Stage::Done,
            // It looks for the mark at the end of what it has received, so nothing may follow until it has found it.
            (false, true) => Stage::Loaded,
            (false, false) => Stage::Online,
        };
        self.link.heard_ms.store(self.worker.context.now_ms, Ordering::Relaxed);
        self.link.set_stage(stage);
        if stage == Stage::Online {
            super::put_online(self.worker.shared, self.link);
        }
    }

    /// Sends the next part of the stream; says no when there is none for now.
    fn send_stream(&mut self) -> Result<bool, String> {
        let log = &self.worker.shared.log;
        let position = self.link.position.load(Ordering::Relaxed);
        let rest = log.end().saturating_sub(position);
        if rest == 0 {
            return Ok(false);
        }
        let mut bytes = Vec::with_capacity(rest.min(BUFFER_BYTES as u64) as usize);
        if !log.read(position, BUFFER_BYTES, &mut bytes) {
            return Err("the stream has lost what it lacks".into());
        }
        if bytes.is_empty() {
            return Ok(false);
        }
        self.link.position.store(position + bytes.len() as u64, Ordering::Relaxed);
        self.send(bytes);
        Ok(true)
    }
}
