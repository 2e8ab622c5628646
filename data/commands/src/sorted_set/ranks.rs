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
    .member(2)
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
    .member(2)
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

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;
    use crate::testing::Null;
    use ochre_resp::Protocol;

    #[test]
    fn zcount_counts_between_scores() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 2 c 3 d inf e");
            for (bounds, count) in
                [("-inf +inf", 5), ("2 2", 2), ("(2 3", 1), ("(1 (3", 2), ("3 1", 0), ("(inf inf", 0), ("inf inf", 1)]
            {
                db.check(&format!("ZCOUNT z {bounds}"), count);
            }
            db.check("ZCOUNT missing 0 1", 0);
            db.check_quiet("ZCOUNT z x 1", Error::SCORE_BOUND);
            db.check_quiet("ZCOUNT z 0 nan", Error::SCORE_BOUND);
            db.run("SET text x");
            db.check_quiet("ZCOUNT text 0 1", Error::WRONG_TYPE);
            db.check_quiet("ZCOUNT text 0 x", Error::SCORE_BOUND);
        });
    }

    #[test]
    fn zlexcount_counts_between_members() {
        in_both_encodings(|db| {
            db.run("ZADD z 0 a 0 b 0 c 0 10 0 9");
            for (bounds, count) in [
                ("- +", 5),
                ("[a [c", 3),
                ("(a [c", 2),
                ("[b (b", 0),
                ("+ -", 0),
                ("- [10", 1),
                ("[9 (a", 1),
                ("+ +", 0),
            ] {
                db.check(&format!("ZLEXCOUNT z {bounds}"), count);
            }
            db.check_quiet("ZLEXCOUNT z a b", Error::MEMBER_BOUND);
            db.check_quiet("ZLEXCOUNT missing - b", Error::MEMBER_BOUND);
            db.check("ZLEXCOUNT missing - +", 0);
        });
    }

    #[test]
    fn zrank_counts_from_either_end() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 2 c 3.5 d");
            db.check("ZRANK z c", 2);
            db.check("ZREVRANK z c", 1);
            assert_eq!(db.run("ZRANK z d WITHSCORE"), "[3 3.5]");
            assert_eq!(db.run("ZREVRANK z d withscore"), "[0 3.5]");
            db.check("ZRANK z x", Null);
            db.check("ZRANK missing x", Null);
            assert_eq!(db.run_raw(&[b"ZRANK", b"z", b"x", b"WITHSCORE"]), b"*-1\r\n");
            db.check_quiet("ZRANK z a b", Error::SYNTAX);
            db.check_quiet("ZRANK z a WITHSCORE b", Error::wrong_arity("zrank"));
            db.check_quiet("ZREVRANK z a WITHSCORE b", Error::wrong_arity("zrevrank"));
            db.protocol = Protocol::Resp3;
            assert_eq!(db.run_raw(&[b"ZRANK", b"z", b"d", b"WITHSCORE"]), b"*2\r\n:3\r\n,3.5\r\n");
            assert_eq!(db.run_raw(&[b"ZRANK", b"z", b"x", b"WITHSCORE"]), b"_\r\n");
        });
    }
}
