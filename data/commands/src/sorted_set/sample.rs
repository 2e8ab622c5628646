//! Members by chance.

use super::replies::{announce, reply_scored};
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_collections::{Random, Sample};
use ochre_text::{case, number};
use ochre_values::SortedSet;
use ochre_values::sorted_set::SortedSetRef;
use std::collections::BTreeSet;

pub(super) const ZRANDMEMBER: Command =
    Command::new(Group::SortedSet, "ZRANDMEMBER", "key [count [WITHSCORES]]", zrandmember)
        .summary("Replies members chosen by chance: different ones, or any when the count is negative.")
        .cost("O(N), N being the number of members replied")
        .since("6.2.0")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .tips(&["nondeterministic_output"]);

fn zrandmember(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let Some(count) = args.next() else {
        let set = data.read::<SortedSet>(&key)?;
        match set.and_then(|set| set.by_rank(data.random().below(set.len()))) {
            Some(item) => reply_item(reply, item.member),
            None => reply.null(),
        }
        return Ok(());
    };
    let count = number::parse_i64(count).ok_or(Error::NOT_AN_INTEGER)?;
    if count == i64::MIN {
        return Err(Error::INT_RANGE);
    }
    let option = args.next();
    if args.remaining() > 0 || option.is_some_and(|word| !case::is(word, "WITHSCORES")) {
        return Err(Error::SYNTAX);
    }
    let with_scores = option.is_some();
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    let Some(set) = data.read::<SortedSet>(&key)? else {
        reply.array(0);
        return Ok(());
    };
    let mut random = data.random();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        return reply_draws(set, wanted, with_scores, &mut random, reply);
    }
    reply_different(set, wanted.min(set.len()), with_scores, &mut random, reply);
    Ok(())
}

/// A reply of draws ends with an error when it grows past this: a few bytes of request may ask for any number of them.
const DRAWS_BYTES_MAX: usize = 512 << 20;

/// The shortest element of a reply, `$0` and two line ends, in bytes.
const ELEMENT_BYTES_MIN: usize = 6;

/// Replies `count` members, each drawn from all of them.
fn reply_draws(
    set: SortedSetRef<'_>,
    count: usize,
    with_scores: bool,
    random: &mut Random,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    if count > DRAWS_BYTES_MAX / ELEMENT_BYTES_MIN {
        return Err(Error::OUT_OF_RANGE);
    }
    let mark = reply.mark();
    announce(reply, count, with_scores);
    for drawn in 0..count {
        let item = set.by_rank(random.below(set.len())).expect("a key's sorted set is never empty");
        reply_scored(reply, item, with_scores);
        if drawn % 1024 == 0 && reply.since(mark).len() > DRAWS_BYTES_MAX {
            return Err(Error::OUT_OF_RANGE);
        }
    }
    Ok(())
}

/// Replies `count` different members, in their order, each choice of so many being as likely as any other.
fn reply_different(set: SortedSetRef<'_>, count: usize, with_scores: bool, random: &mut Random, reply: &mut Reply<'_>) {
    announce(reply, count, with_scores);
    // A walk passes a member in a few nanoseconds, finding one by its rank takes some hundred.
    const DRAW_RATIO: usize = 16;
    if count < set.len() / DRAW_RATIO {
        let mut ranks = BTreeSet::new();
        while ranks.len() < count {
            ranks.insert(random.below(set.len()));
        }
        for item in ranks.into_iter().filter_map(|rank| set.by_rank(rank)) {
            reply_scored(reply, item, with_scores);
        }
        return;
    }
    let mut sample = Sample::new(count, set.len(), random.fork());
    for item in set.iter() {
        if sample.is_complete() {
            return;
        }
        if sample.takes_next() {
            reply_scored(reply, item, with_scores);
        }
    }
}
