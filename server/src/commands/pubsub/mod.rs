//! Group pubsub: messages to whoever listens now.

mod ask;
mod subscribe;

use super::{Command, SessionCall};
use crate::publish::publish;
use ochre_commands::keys::*;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_pubsub::Kind;
use ochre_resp::Reply;

pub use subscribe::{Subscriptions, end_all};

pub const COMMANDS: &[Command] = &[
    subscribe::SUBSCRIBE,
    subscribe::UNSUBSCRIBE,
    subscribe::PSUBSCRIBE,
    subscribe::PUNSUBSCRIBE,
    subscribe::SSUBSCRIBE,
    subscribe::SUNSUBSCRIBE,
    PUBLISH,
    SPUBLISH,
    ask::PUBSUB,
];

const PUBLISH: Command = Command::new(Group::Pubsub, "PUBLISH", "channel message", publish_to_channel)
    .summary("Sends a message to a channel; replies how often it is received.")
    .cost("O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).")
    .since("2.0.0")
    .flags(PUBSUB_FLAGS);

const PUBSUB_FLAGS: u32 = ochre_commands::spec::PUBSUB | LOADING | STALE | FAST;

/// Messages reach the subscribers of replicas, too.
fn pass_on(call: &SessionCall<'_>, words: [&[u8]; 3]) {
    let shared = call.worker.shared;
    if shared.replication.is_on() && !shared.replication.follows() {
        shared.log.select_for_replicas(call.session.db);
        crate::replication::tell_replicas(shared, words.into_iter());
    }
}

fn publish_to_channel(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (channel, message) = (args.word(), args.word());
    reply.count(publish(call.worker.shared, Kind::Channel, channel, message));
    pass_on(call, [b"PUBLISH", channel, message]);
    Ok(())
}

const SPUBLISH: Command = Command::new(Group::Pubsub, "SPUBLISH", "shardchannel message", publish_to_shard)
    .summary("Sends a message to a shard channel; replies how often it is received.")
    .cost("O(N) where N is the number of clients subscribed to the receiving shard channel.")
    .since("7.0.0")
    .keys(&[KeySpec::at(1, NOT_KEY)])
    .flags(PUBSUB_FLAGS);

fn publish_to_shard(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (channel, message) = (args.word(), args.word());
    reply.count(publish(call.worker.shared, Kind::Shard, channel, message));
    pass_on(call, [b"SPUBLISH", channel, message]);
    Ok(())
}
