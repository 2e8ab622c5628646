//! How many members there are, and their scores.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::SortedSet;

pub(super) const ZCARD: Command = Command::new(Group::SortedSet, "ZCARD", "key", zcard)
    .summary("Replies how many members a sorted set has.")
    .cost("O(1)")
    .since("1.2.0")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn zcard(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    reply.count(set.map_or(0, |set| set.len()));
    Ok(())
}

pub(super) const ZSCORE: Command = Command::new(Group::SortedSet, "ZSCORE", "key member", zscore)
    .summary("Replies the score of a member.")
    .cost("O(1)")
    .since("1.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn zscore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    reply_score(reply, set.and_then(|set| set.score(args.word())));
    Ok(())
}

fn reply_score(reply: &mut Reply<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

pub(super) const ZMSCORE: Command = Command::new(Group::SortedSet, "ZMSCORE", "key member [member ...]", zmscore)
    .summary("Replies the scores of several members.")
    .cost("O(N), N being the number of members asked for")
    .since("6.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn zmscore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    let members = args.rest();
    reply.array(members.len());
    for member in members {
        reply_score(reply, set.and_then(|set| set.score(member)));
    }
    Ok(())
}
