//! Client-side caching: what clients read is noted under the locks of the read, and whoever changes it posts them a message.

use crate::dispatch::key_words;
use crate::session::Session;
use crate::shared::{CommandRow, Message, Shared};
use crate::worker::{Worker, protocol_of};
use ochre_collections::Random;
use ochre_commands::spec::{PUBSUB, READONLY};
use ochre_keyspace::Effects;
use ochre_reactor::Reactor;
use ochre_resp::{Args as Words, Protocol, Reply};
use ochre_tracking::{Bytes, Mode, Notice, Registry};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The channel on which clients of RESP2 get the messages that another client redirects to them.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// The clients that are told of changes, and what they have read. Its lock is taken under shard locks.
#[derive(Default)]
pub struct Tracking(Mutex<Registry>);

impl Tracking {
    pub fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a client wants its reads to be tracked.
#[derive(Clone, Debug, Default)]
pub struct Tracked {
    pub redirect: Option<u64>,
    /// The client that messages were redirected to has gone.
    pub redirect_broken: bool,
    pub broadcast: bool,
    pub opt_in: bool,
    pub opt_out: bool,
    pub no_loop: bool,
    pub prefixes: Vec<Bytes>,
    /// CLIENT CACHING was called for the next command: with opt-in it is tracked, with opt-out it is not.
    pub caching: bool,
}

impl Tracked {
    /// Bytes that its prefixes take, here and in the registry, about.
    pub fn memory_bytes(&self) -> usize {
        self.prefixes.iter().map(|prefix| 2 * (prefix.len() + 48)).sum()
    }
}

impl Tracked {
    /// How the registry is to know the client.
    pub fn mode(&self, thread: usize) -> Mode {
        Mode { thread: thread as u32, redirect: self.redirect, broadcast: self.broadcast, no_loop: self.no_loop }
    }

    fn remembers(&self) -> bool {
        let unless_told = !self.opt_in;
        !self.broadcast && (unless_told != (self.caching && (self.opt_in || self.opt_out)))
    }
}

/// Notes the keys that a command has read for a client that is told of changes. The locks are still held, so no change can
/// come between.
#[cold]
pub fn remember(shared: &Shared, session: &Session, row: &CommandRow, words: Words<'_>) {
    let Some(tracked) = &session.tracked else { return };
    if !row.flags.has(READONLY) || row.flags.has(PUBSUB) || !tracked.remembers() {
        return;
    }
    let Ok(Some(keys)) = key_words(row.spec.keys, words) else { return };
    let mut registry = shared.tracking.registry();
    for (at, _) in keys {
        registry.remember(session.id(), words.at(at));
    }
    limit(shared, &mut registry);
}

/// Forgets keys beyond `tracking-table-max-keys`, and tells who may hold them.
pub fn limit(shared: &Shared, registry: &mut Registry) {
    let keys_max = shared.settings.network.tracking_table_max_keys.get();
    if keys_max > 0 && registry.keys() > keys_max {
        let mut random = Random::new(ochre_clock::monotonic_ns());
        let notices = registry.limit(keys_max, || random.next());
        notices.into_iter().for_each(|notice| post(shared, notice));
    }
}

/// Tells the clients that have read what a command has changed, still under the locks.
#[cold]
pub fn tell_readers(shared: &Shared, effects: &mut Effects) {
    let mut keys = std::mem::take(&mut effects.tracked_changes);
    let (notices, has_prefixes) = {
        let mut registry = shared.tracking.registry();
        (registry.changed(&keys, effects.origin), registry.prefixes() > 0)
    };
    hand_on(shared, effects, notices);
    if has_prefixes {
        effects.tracked_announced.append(&mut keys);
    }
}

/// Tells the clients that may hold what a unit has changed, still under the locks; its commands have told the readers.
#[cold]
pub fn tell(shared: &Shared, effects: &mut Effects) {
    let keys = std::mem::take(&mut effects.tracked_announced);
    let emptied = std::mem::take(&mut effects.tracked_emptied);
    let notices = {
        let mut registry = shared.tracking.registry();
        let mut notices = if emptied { registry.emptied() } else { Vec::new() };
        notices.append(&mut registry.announced(&keys, effects.origin));
        notices
    };
    hand_on(shared, effects, notices);
}

fn hand_on(shared: &Shared, effects: &mut Effects, notices: Vec<Notice>) {
    for notice in notices {
        // Whose reply is being written is told in order with it.
        if notice.client == effects.listener && notice.mode.redirect.is_none() {
            effects.own_notices.push(notice.keys);
        } else {
            post(shared, notice);
        }
    }
}

/// Tells a client that was blocked what its own command has changed: after its reply, which is posted already.
#[cold]
pub fn tell_served(shared: &Shared, client: u64, notices: Vec<Option<Vec<Bytes>>>) {
    let Some(found) = shared.registry.get(client) else { return };
    for keys in notices {
        let message = Message::Invalidate { client, is_redirected: false, keys };
        shared.desks[found.thread as usize].post(message);
    }
}

/// A message for the loop of the client that is to be told.
fn post(shared: &Shared, notice: Notice) {
    let Notice { client, mode, keys } = notice;
    let (thread, target) = match mode.redirect {
        None => (mode.thread, Some(client)),
        Some(other) => match shared.registry.get(other) {
            Some(found) => (found.thread, Some(other)),
            None => (mode.thread, None),
        },
    };
    let bytes = keys.iter().flatten().map(|key| key.len() + NOTICE_BYTES).sum();
    shared.pressure.notice_bytes.fetch_add(bytes, Ordering::Relaxed);
    let message = match target {
        Some(target) => Message::Invalidate { client: target, is_redirected: target != client, keys },
        None => Message::RedirectionBroken { client },
    };
    shared.desks[thread as usize].post(message);
}

/// What a message takes beside the key, about: in the mailbox, and as a buffer of its own that waits to be sent.
const NOTICE_BYTES: usize = 512;

/// Writes the message that a client may not use what it holds of `keys`, or anything when there are none.
fn write(reply: &mut Reply<'_>, keys: Option<&[Bytes]>) {
    if reply.is_resp3() {
        reply.push(2);
        reply.bulk(b"invalidate");
    } else {
        reply.array(3);
        reply.bulk(b"message");
        reply.bulk(CHANNEL);
    }
    match keys {
        Some(keys) => {
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
        }
        None => reply.null(),
    }
}

impl Worker {
    /// Tells a client of this loop that keys were changed.
    pub fn invalidate(&mut self, reactor: &mut Reactor, client: u64, is_redirected: bool, keys: Option<&[Bytes]>) {
        let Some(session) = self.session_of(client) else { return };
        // In RESP2 only a subscriber expects messages.
        let listens = session.protocol == 3 || (is_redirected && session.subscriptions.is_some());
        if listens && (is_redirected || session.tracked.is_some()) {
            self.with_output(reactor, client, |output, protocol| write(&mut Reply::new(output, protocol), keys));
        }
    }

    /// The client that gets a client's messages has gone.
    pub fn redirection_broken(&mut self, reactor: &mut Reactor, client: u64) {
        let Some(session) = self.session_of(client) else { return };
        let Some(tracked) = &mut session.tracked else { return };
        tracked.redirect_broken = true;
        let target = tracked.redirect.unwrap_or_default();
        session.client.note_tracking(session.tracked.as_deref());
        self.with_output(reactor, client, |output, protocol| {
            if protocol == Protocol::Resp3 {
                let mut reply = Reply::new(output, protocol);
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.integer(target as i64);
            }
        });
    }

    /// What a client that is told of changes has coming once its command is over.
    #[cold]
    pub fn end_tracked_command(&mut self, session: &mut Session, row: Option<&CommandRow>, output: &mut Vec<u8>) {
        if session.transaction.is_some() {
            return;
        }
        let is_client_command = row.is_some_and(|row| row.spec.name == "CLIENT");
        if let Some(tracked) = &mut session.tracked
            && !is_client_command
        {
            tracked.caching = false;
        }
        self.write_own_notices(session, output);
    }

    /// Tells a client what it is to be told of itself: keys that were evicted for its command, before the reply, and keys that it
    /// has changed, after it.
    #[cold]
    pub fn write_own_notices(&mut self, session: &Session, output: &mut Vec<u8>) {
        let protocol = protocol_of(session);
        for keys in self.effects.own_notices.drain(..) {
            if protocol == Protocol::Resp3 && session.tracked.is_some() {
                write(&mut Reply::new(output, protocol), keys.as_deref());
            }
        }
    }
}

/// Ends the tracking of a client.
pub fn end(session: &mut Session, shared: &Shared) {
    if session.tracked.take().is_some() {
        let mut registry = shared.tracking.registry();
        registry.end(session.id());
        shared.keyspace.track_changes(!registry.is_empty());
        session.client.note_tracking(None);
    }
}
