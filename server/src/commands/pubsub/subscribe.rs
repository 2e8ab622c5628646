//! The six commands that begin and end subscriptions.

use crate::clients::traits;
use crate::commands::{Command, SessionCall};
use crate::session::Session;
use crate::shared::Shared;
use ochre_acl::User;
use ochre_commands::keys::*;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_pubsub::{Kind, Subscriber};
use ochre_resp::Reply;
use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// What one client is subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    channels: HashSet<Box<[u8]>>,
    patterns: HashSet<Box<[u8]>>,
    shards: HashSet<Box<[u8]>>,
    /// What all these names take, here and in the registry, bytes about.
    pub bytes: usize,
}

/// What it takes to remember a name in a set, the name itself left out.
const NAME_BYTES: usize = 48;

impl Subscriptions {
    fn names(&mut self, kind: Kind) -> &mut HashSet<Box<[u8]>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// The number that the reply to a change of this kind tells: channels and patterns count together.
    fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.shards.len(),
            _ => self.channels.len() + self.patterns.len(),
        }
    }

    /// Whether `user` may listen to all of this.
    pub fn are_allowed(&self, user: &User) -> bool {
        self.channels.iter().chain(&self.shards).all(|name| user.may_listen(name, false))
            && self.patterns.iter().all(|name| user.may_listen(name, true))
    }

    fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }
}

const FLAGS: u32 = ochre_commands::spec::PUBSUB | NOSCRIPT | LOADING | STALE;

pub(super) const SUBSCRIBE: Command =
    Command::new(Group::Pubsub, "SUBSCRIBE", "channel [channel ...]", |call, args, reply| {
        begin(call, args, reply, Kind::Channel, b"subscribe")
    })
    .summary("Listens to channels.")
    .cost("O(N) where N is the number of channels to subscribe to.")
    .since("2.0.0")
    .flags(FLAGS);

pub(super) const PSUBSCRIBE: Command =
    Command::new(Group::Pubsub, "PSUBSCRIBE", "pattern [pattern ...]", |call, args, reply| {
        begin(call, args, reply, Kind::Pattern, b"psubscribe")
    })
    .summary("Listens to all channels that match patterns.")
    .cost("O(N) where N is the number of patterns to subscribe to.")
    .since("2.0.0")
    .flags(FLAGS);

pub(super) const SSUBSCRIBE: Command =
    Command::new(Group::Pubsub, "SSUBSCRIBE", "shardchannel [shardchannel ...]", |call, args, reply| {
        begin(call, args, reply, Kind::Shard, b"ssubscribe")
    })
    .summary("Listens to shard channels.")
    .cost("O(N) where N is the number of shard channels to subscribe to.")
    .since("7.0.0")
    .keys(&[KeySpec::span(1, -1, 1, NOT_KEY)])
    .flags(FLAGS);

pub(super) const UNSUBSCRIBE: Command =
    Command::new(Group::Pubsub, "UNSUBSCRIBE", "[channel [channel ...]]", |call, args, reply| {
        end(call, args, reply, Kind::Channel, b"unsubscribe")
    })
    .summary("Listens no longer to channels, all without a name.")
    .cost("O(N) where N is the number of channels to unsubscribe.")
    .since("2.0.0")
    .flags(FLAGS);

pub(super) const PUNSUBSCRIBE: Command =
    Command::new(Group::Pubsub, "PUNSUBSCRIBE", "[pattern [pattern ...]]", |call, args, reply| {
        end(call, args, reply, Kind::Pattern, b"punsubscribe")
    })
    .summary("Listens no longer to patterns, all without one.")
    .cost("O(N) where N is the number of patterns to unsubscribe.")
    .since("2.0.0")
    .flags(FLAGS);

pub(super) const SUNSUBSCRIBE: Command =
    Command::new(Group::Pubsub, "SUNSUBSCRIBE", "[shardchannel [shardchannel ...]]", |call, args, reply| {
        end(call, args, reply, Kind::Shard, b"sunsubscribe")
    })
    .summary("Listens no longer to shard channels, all without a name.")
    .cost("O(N) where N is the number of shard channels to unsubscribe.")
    .since("7.0.0")
    .keys(&[KeySpec::span(1, -1, 1, NOT_KEY)])
    .flags(FLAGS);

fn begin(
    call: &mut SessionCall<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    kind: Kind,
    word: &[u8],
) -> Result<(), Error> {
    let subscriber = subscriber(call.session);
    let subscriptions = call.session.subscriptions.get_or_insert_default();
    for name in args.rest().iter() {
        if subscriptions.names(kind).insert(name.into()) {
            subscriptions.bytes += 2 * (name.len() + NAME_BYTES);
            let registry = &call.worker.shared.pubsub;
            registry.write().unwrap_or_else(PoisonError::into_inner).add(kind, name, subscriber);
        }
        write_change(reply, word, Some(name), subscriptions.count(kind));
    }
    note(call.session);
    Ok(())
}

fn end(
    call: &mut SessionCall<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    kind: Kind,
    word: &[u8],
) -> Result<(), Error> {
    let subscriber = subscriber(call.session);
    let subscriptions = call.session.subscriptions.get_or_insert_default();
    let names: Vec<Box<[u8]>> = match args.remaining() {
        0 => subscriptions.names(kind).iter().cloned().collect(),
        _ => args.rest().iter().map(Box::from).collect(),
    };
    if names.is_empty() {
        write_change(reply, word, None, subscriptions.count(kind));
    }
    for name in &names {
        if subscriptions.names(kind).remove(name) {
            subscriptions.bytes -= 2 * (name.len() + NAME_BYTES);
            let registry = &call.worker.shared.pubsub;
            registry.write().unwrap_or_else(PoisonError::into_inner).remove(kind, name, subscriber);
        }
        write_change(reply, word, Some(name), subscriptions.count(kind));
    }
    note(call.session);
    Ok(())
}

fn subscriber(session: &Session) -> Subscriber {
    Subscriber { thread: session.client.thread, client: session.id() }
}

fn write_change(reply: &mut Reply<'_>, word: &[u8], name: Option<&[u8]>, count: usize) {
    reply.push(3);
    reply.bulk(word);
    reply.bulk_or_null(name);
    reply.count(count);
}

/// Shows the numbers to other threads, and frees what is empty.
fn note(session: &mut Session) {
    let client = &session.client;
    let (mut channels, mut patterns, mut shards) = (0, 0, 0);
    if let Some(subscriptions) = &session.subscriptions {
        channels = subscriptions.channels.len();
        patterns = subscriptions.patterns.len();
        shards = subscriptions.shards.len();
    }
    client.subscriptions.store(channels, Ordering::Relaxed);
    client.pattern_subscriptions.store(patterns, Ordering::Relaxed);
    client.shard_subscriptions.store(shards, Ordering::Relaxed);
    let any = channels + patterns + shards > 0;
    client.set(traits::PUBSUB, any);
    if !any {
        session.subscriptions = None;
    }
}

/// Ends all subscriptions of a client, without telling it.
pub fn end_all(session: &mut Session, shared: &Shared) {
    let Some(mut subscriptions) = session.subscriptions.take().filter(|all| !all.is_empty()) else { return };
    let own = subscriber(session);
    let mut registry = shared.pubsub.write().unwrap_or_else(PoisonError::into_inner);
    for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
        for name in subscriptions.names(kind).drain() {
            registry.remove(kind, &name, own);
        }
    }
    drop(registry);
    note(session);
}
