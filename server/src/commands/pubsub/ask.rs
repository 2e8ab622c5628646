//! PUBSUB: what is listened to.

use crate::commands::{Command, SessionCall};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_pubsub::Kind;
use ochre_resp::Reply;
use std::sync::PoisonError;

pub(super) const PUBSUB: Command = Command::container(Group::Pubsub, "PUBSUB", SUBCOMMANDS)
    .summary("Holds the commands about subscriptions.")
    .cost("Depends on subcommand.")
    .since("2.8.0")
    .not_in(CAT_PUBSUB);

const SUBCOMMANDS: &[Command] = &[CHANNELS, NUMPAT, NUMSUB, SHARDCHANNELS, SHARDNUMSUB, HELP];

const FLAGS: u32 = ochre_commands::spec::PUBSUB | LOADING | STALE;

const CHANNELS: Command = Command::new(Group::Pubsub, "CHANNELS", "[pattern]", |call, args, reply| {
    active(call, args, reply, Kind::Channel)
})
.summary("Replies the channels that somebody listens to.")
.cost("O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)")
.since("2.8.0")
.flags(FLAGS);

const SHARDCHANNELS: Command = Command::new(Group::Pubsub, "SHARDCHANNELS", "[pattern]", |call, args, reply| {
    active(call, args, reply, Kind::Shard)
})
.summary("Replies the shard channels that somebody listens to.")
.cost("O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).")
.since("7.0.0")
.flags(FLAGS);

fn active(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>, kind: Kind) -> Result<(), Error> {
    if args.remaining() > 1 {
        return Err(Error::wrong_arity(&call.row.full_name));
    }
    let names = call.worker.shared.pubsub.read().unwrap_or_else(PoisonError::into_inner).active(kind, args.next());
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
    Ok(())
}

const NUMSUB: Command = Command::new(Group::Pubsub, "NUMSUB", "[channel [channel ...]]", |call, args, reply| {
    subscribers(call, args, reply, Kind::Channel)
})
.summary("Replies how many clients listen to each of the channels.")
.cost("O(N) for the NUMSUB subcommand, where N is the number of requested channels")
.since("2.8.0")
.flags(FLAGS);

const SHARDNUMSUB: Command =
    Command::new(Group::Pubsub, "SHARDNUMSUB", "[shardchannel [shardchannel ...]]", |call, args, reply| {
        subscribers(call, args, reply, Kind::Shard)
    })
    .summary("Replies how many clients listen to each of the shard channels.")
    .cost("O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels")
    .since("7.0.0")
    .flags(FLAGS);

fn subscribers(
    call: &mut SessionCall<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    kind: Kind,
) -> Result<(), Error> {
    let registry = call.worker.shared.pubsub.read().unwrap_or_else(PoisonError::into_inner);
    let names = args.rest();
    reply.array(names.len() * 2);
    for name in names {
        reply.bulk(name);
        reply.count(registry.subscribers(kind, name));
    }
    Ok(())
}

const NUMPAT: Command = Command::new(Group::Pubsub, "NUMPAT", "", numpat)
    .summary("Replies how many patterns somebody listens to.")
    .cost("O(1)")
    .since("2.8.0")
    .flags(FLAGS);

fn numpat(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(call.worker.shared.pubsub.read().unwrap_or_else(PoisonError::into_inner).len(Kind::Pattern));
    Ok(())
}

const HELP: Command = Command::new(Group::Pubsub, "HELP", "", help)
    .summary("Lists the subcommands of PUBSUB.")
    .cost("O(1)")
    .since("6.2.0")
    .not_in(CAT_PUBSUB)
    .flags(LOADING | STALE);

fn help(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const LINES: &[&str] = &[
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Replies the channels that somebody listens to.",
        "NUMPAT",
        "    Replies how many patterns somebody listens to.",
        "NUMSUB [<channel> ...]",
        "    Replies how many clients listen to each of the channels.",
        "SHARDCHANNELS [<pattern>]",
        "    Replies the shard channels that somebody listens to.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Replies how many clients listen to each of the shard channels.",
        "HELP",
        "    Prints this help.",
    ];
    reply.array(LINES.len());
    LINES.iter().for_each(|line| reply.status(line));
    Ok(())
}
