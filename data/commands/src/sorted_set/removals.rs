//! Removing all members of a range.

use super::bounds::Span;
use super::store::remove_whole;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_values::{Collection, SortedSet};

pub(super) const ZREMRANGEBYRANK: Command =
    Command::new(Group::SortedSet, "ZREMRANGEBYRANK", "key start stop", zremrangebyrank)
        .summary("Removes the members of a range of ranks; replies how many there were.")
        .cost("O(log(N)+M), N being the size of the sorted set and M the number of members removed")
        .since("2.0.0")
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE);

fn zremrangebyrank(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let span = Span::ranks(args.word(), args.word())?;
    remove(data, &key, span, "zremrangebyrank", reply)
}

pub(super) const ZREMRANGEBYSCORE: Command =
    Command::new(Group::SortedSet, "ZREMRANGEBYSCORE", "key min max", zremrangebyscore)
        .summary("Removes the members whose scores are in a range; replies how many there were.")
        .cost("O(log(N)+M), N being the size of the sorted set and M the number of members removed")
        .since("1.2.0")
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE);

fn zremrangebyscore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let span = Span::scores(args.word(), args.word())?;
    remove(data, &key, span, "zremrangebyscore", reply)
}

pub(super) const ZREMRANGEBYLEX: Command =
    Command::new(Group::SortedSet, "ZREMRANGEBYLEX", "key min max", zremrangebylex)
        .summary("Removes the members whose bytes are in a range, from a sorted set whose scores are all the same.")
        .cost("O(log(N)+M), N being the size of the sorted set and M the number of members removed")
        .since("2.8.9")
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE);

fn zremrangebylex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let span = Span::members(args.word(), args.word())?;
    remove(data, &key, span, "zremrangebylex", reply)
}

fn remove(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    span: Span<'_>,
    event: &'static str,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let Some(mut set) = data.edit::<SortedSet>(key)? else {
        reply.integer(0);
        return Ok(());
    };
    let ranks = span.resolve(set.as_ref(), false);
    let removed = ranks.len();
    let is_gone = removed == set.len();
    if is_gone {
        set.cancel();
        remove_whole(data, key);
    } else {
        set.remove_ranks(ranks);
        set.finish();
    }
    if removed > 0 {
        data.changed_times(key, Class::SORTED_SET, event, removed as u64);
    }
    if is_gone {
        data.deleted(key);
    }
    reply.count(removed);
    Ok(())
}
