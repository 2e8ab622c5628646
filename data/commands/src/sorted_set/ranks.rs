//! Counting the members of a range, and telling where a member stands.

use super::bounds::Span;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Key, Locked, Reply};
use ochre_text::case;
use ochre_values::SortedSet;

pub(super) const ZCOUNT: Command = Command::new(Group::SortedSet, "ZCOUNT", "key min max", zcount)
    .summary("Counts the members whose scores are in a range.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn zcount(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let span = Span::scores(args.word(), args.word())?;
    reply_count(data, &key, span, reply)
}

pub(super) const ZLEXCOUNT: Command = Command::new(Group::SortedSet, "ZLEXCOUNT", "key min max", zlexcount)
    .summary("Counts the members whose bytes are in a range, in a sorted set whose scores are all the same.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("2.8.9")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn zlexcount(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let span = Span::members(args.word(), args.word())?;
    reply_count(data, &key, span, reply)
}

fn reply_count(data: &Locked<'_>, key: &Key<'_>, span: Span<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(key)?;
    reply.count(set.map_or(0, |set| span.resolve(set, false).len()));
    Ok(())
}

pub(super) const ZRANK: Command = Command::new(Group::SortedSet, "ZRANK", "key member [WITHSCORE]", zrank)
    .summary("Replies how many members stand below a member.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("2.0.0")
    .history(&[("7.2.0", "The option WITHSCORE.")])
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn zrank(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_rank(data, args, "zrank", reply)
}

pub(super) const ZREVRANK: Command = Command::new(Group::SortedSet, "ZREVRANK", "key member [WITHSCORE]", zrevrank)
    .summary("Replies how many members stand above a member.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("2.0.0")
    .history(&[("7.2.0", "The option WITHSCORE.")])
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn zrevrank(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_rank(data, args, "zrevrank", reply)
}

fn reply_rank(data: &Locked<'_>, args: &mut Args<'_>, name: &str, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, member, option) = (args.key(), args.word(), args.next());
    if args.remaining() > 0 {
        return Err(Error::wrong_arity(name));
    }
    if option.is_some_and(|word| !case::is(word, "WITHSCORE")) {
        return Err(Error::SYNTAX);
    }
    let set = data.read::<SortedSet>(&key)?;
    let found = set.and_then(|set| Some((set.rank(member)?, set.len())));
    match found {
        Some(((rank, score), len)) => {
            if option.is_some() {
                reply.array(2);
            }
            reply.count(if name == "zrevrank" { len - 1 - rank } else { rank });
            if option.is_some() {
                reply.double(score);
            }
        }
        None if option.is_some() => reply.null_array(),
        None => reply.null(),
    }
    Ok(())
}
