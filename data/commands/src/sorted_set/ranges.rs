//! Members from one place in the order to another: ZRANGE, its older forms, and ZRANGESTORE.

use super::bounds::{Limit, Span};
use super::replies::reply_members;
use super::store::store;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::sorted_set::SortedSetRef;
use ochre_values::{Collection, SortedSet};
use std::ops::Range;

/// What the two bounds of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What a command of the family can be told by options, and what its name tells already.
#[derive(Clone, Copy)]
struct Form {
    /// `None` when BYSCORE and BYLEX choose.
    by: Option<By>,
    /// `None` when REV chooses.
    reverse: Option<bool>,
    /// Whether it stores what it finds: then there is no WITHSCORES.
    stores: bool,
}

/// A range as a client asks for it.
struct Query<'a> {
    span: Span<'a>,
    reverse: bool,
    limit: Limit,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Reads the bounds and all options behind them.
    fn read(args: &mut Args<'a>, form: Form) -> Result<Self, Error> {
        let (first, second) = (args.word(), args.word());
        let (mut by, mut reverse) = (form.by, form.reverse);
        let (mut limit, mut with_scores) = (Limit::NONE, false);
        while args.remaining() > 0 {
            if !form.stores && args.option("WITHSCORES") {
                with_scores = true;
            } else if args.option("LIMIT") {
                limit = Limit::read(args)?;
            } else if form.reverse.is_none() && args.option("REV") {
                reverse = Some(true);
            } else if by.is_none() && args.option("BYLEX") {
                by = Some(By::Member);
            } else if by.is_none() && args.option("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit.has_count() && by == By::Rank {
            return Err(Error::LIMIT_OF_RANKS);
        }
        if with_scores && by == By::Member {
            return Err(Error::SCORES_BY_LEX);
        }
        let (min, max) = if reverse { (second, first) } else { (first, second) };
        let span = match by {
            By::Rank => Span::ranks(first, second)?,
            By::Score => Span::scores(min, max)?,
            By::Member => Span::members(min, max)?,
        };
        // Without a count the offset counts for nothing where there is no LIMIT.
        let limit = if by == By::Rank { Limit::NONE } else { limit };
        Ok(Query { span, reverse, limit, with_scores })
    }

    /// The ranks asked for, ascending.
    fn ranks(&self, set: SortedSetRef<'_>) -> Range<usize> {
        self.limit.apply(self.span.resolve(set, self.reverse), self.reverse)
    }
}

/// Replies the members of a range.
fn reply_range(data: &Locked<'_>, args: &mut Args<'_>, form: Form, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let query = Query::read(args, form)?;
    let Some(set) = data.read::<SortedSet>(&key)? else {
        reply.array(0);
        return Ok(());
    };
    let ranks = query.ranks(set);
    let members = if query.reverse { set.range_rev(ranks) } else { set.range(ranks) };
    reply_members(reply, members, query.with_scores);
    Ok(())
}

pub(super) const ZRANGE: Command = Command::new(
    Group::SortedSet,
    "ZRANGE",
    "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    zrange,
)
.summary("Replies the members of a range of ranks, of scores, or of bytes.")
.cost("O(log(N)+M), N being the size of the sorted set and M the number of members replied")
.since("1.2.0")
.history(&[("6.2.0", "The options REV, BYSCORE, BYLEX and LIMIT.")])
.keys(&[KeySpec::at(1, RO | ACCESS)])
.flags(READONLY);

fn zrange(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_range(data, args, Form { by: None, reverse: None, stores: false }, reply)
}

pub(super) const ZREVRANGE: Command =
    Command::new(Group::SortedSet, "ZREVRANGE", "key start stop [WITHSCORES]", zrevrange)
        .summary("Replies the members of a range of ranks, from the highest down.")
        .cost("O(log(N)+M), N being the size of the sorted set and M the number of members replied")
        .since("1.2.0")
        .deprecated("6.2.0", "`ZRANGE` with `REV`")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn zrevrange(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_range(data, args, Form { by: Some(By::Rank), reverse: Some(true), stores: false }, reply)
}

pub(super) const ZRANGEBYSCORE: Command =
    Command::new(Group::SortedSet, "ZRANGEBYSCORE", "key min max [WITHSCORES] [LIMIT offset count]", zrangebyscore)
        .summary("Replies the members whose scores are in a range.")
        .cost("O(log(N)+M), N being the size of the sorted set and M the number of members replied")
        .since("1.0.5")
        .deprecated("6.2.0", "`ZRANGE` with `BYSCORE`")
        .history(&[("2.0.0", "The option WITHSCORES.")])
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn zrangebyscore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_range(data, args, Form { by: Some(By::Score), reverse: Some(false), stores: false }, reply)
}

pub(super) const ZREVRANGEBYSCORE: Command = Command::new(
    Group::SortedSet,
    "ZREVRANGEBYSCORE",
    "key max min [WITHSCORES] [LIMIT offset count]",
    zrevrangebyscore,
)
.summary("Replies the members whose scores are in a range, from the highest down.")
.cost("O(log(N)+M), N being the size of the sorted set and M the number of members replied")
.since("2.2.0")
.deprecated("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`")
.history(&[("2.1.6", "A bound need not be in the range.")])
.keys(&[KeySpec::at(1, RO | ACCESS)])
.flags(READONLY);

fn zrevrangebyscore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_range(data, args, Form { by: Some(By::Score), reverse: Some(true), stores: false }, reply)
}

pub(super) const ZRANGEBYLEX: Command =
    Command::new(Group::SortedSet, "ZRANGEBYLEX", "key min max [LIMIT offset count]", zrangebylex)
        .summary("Replies the members whose bytes are in a range, in a sorted set whose scores are all the same.")
        .cost("O(log(N)+M), N being the size of the sorted set and M the number of members replied")
        .since("2.8.9")
        .deprecated("6.2.0", "`ZRANGE` with `BYLEX`")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn zrangebylex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_range(data, args, Form { by: Some(By::Member), reverse: Some(false), stores: false }, reply)
}

pub(super) const ZREVRANGEBYLEX: Command =
    Command::new(Group::SortedSet, "ZREVRANGEBYLEX", "key max min [LIMIT offset count]", zrevrangebylex)
        .summary("Replies the members whose bytes are in a range, from the last to the first.")
        .cost("O(log(N)+M), N being the size of the sorted set and M the number of members replied")
        .since("2.8.9")
        .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYLEX`")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn zrevrangebylex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_range(data, args, Form { by: Some(By::Member), reverse: Some(true), stores: false }, reply)
}

pub(super) const ZRANGESTORE: Command = Command::new(
    Group::SortedSet,
    "ZRANGESTORE",
    "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    zrangestore,
)
.summary("Stores a range of a sorted set as another one; replies its size.")
.cost("O(log(N)+M), N being the size of the sorted set and M the number of members stored")
.since("6.2.0")
.keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::at(2, RO | ACCESS)])
.flags(WRITE | DENYOOM);

fn zrangestore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (destination, source) = (args.key(), args.key());
    let query = Query::read(args, Form { by: None, reverse: None, stores: true })?;
    let found = data.read::<SortedSet>(&source)?.map(|set| {
        let members = set.range(query.ranks(set)).map(|item| (item.member, item.score()));
        SortedSet::from_ordered(members, data.limits())
    });
    store(data, &destination, found.unwrap_or_else(SortedSet::new), "zrangestore", reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;
    use ochre_resp::Protocol;

    const NONE: [i64; 0] = [];

    #[test]
    fn zrange_takes_ranks_from_either_end() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 3 c 4 d");
            db.check("ZRANGE z 0 -1", ["a", "b", "c", "d"]);
            db.check("ZRANGE z 1 2 WITHSCORES", ["b", "2", "c", "3"]);
            db.check("ZRANGE z 0 1 REV", ["d", "c"]);
            db.check("ZREVRANGE z -2 -1 WITHSCORES", ["b", "2", "a", "1"]);
            db.check("ZRANGE z -100 100", ["a", "b", "c", "d"]);
            for ranks in ["2 1", "4 9", "0 -5", "-1 -2"] {
                db.check(&format!("ZRANGE z {ranks}"), NONE);
                db.check(&format!("ZREVRANGE z {ranks}"), NONE);
            }
            db.check("ZRANGE z 0 0 LIMIT 5 -1", ["a"]);
            db.check("ZRANGE missing 0 -1", NONE);
            db.protocol = Protocol::Resp3;
            assert_eq!(db.run_raw(&[b"ZRANGE", b"z", b"0", b"0", b"WITHSCORES"]), b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n");
            assert_eq!(db.run_raw(&[b"ZRANGE", b"z", b"0", b"0"]), b"*1\r\n$1\r\na\r\n");
        });
    }

    #[test]
    fn zrange_takes_scores() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 2 c 3 d inf e");
            db.check("ZRANGE z 2 3 BYSCORE", ["b", "c", "d"]);
            db.check("ZRANGE z 3 2 BYSCORE REV", ["d", "c", "b"]);
            db.check("ZRANGE z (2 +inf BYSCORE WITHSCORES", ["d", "3", "e", "inf"]);
            db.check("ZRANGEBYSCORE z -inf inf LIMIT 1 2", ["b", "c"]);
            db.check("ZREVRANGEBYSCORE z inf -inf LIMIT 1 2 WITHSCORES", ["d", "3", "c", "2"]);
            db.check("ZRANGEBYSCORE z 2 (2", NONE);
            db.check("ZRANGEBYSCORE z 3 2", NONE);
            for limit in ["9 1", "0 0", "-1 5"] {
                db.check(&format!("ZRANGEBYSCORE z 0 9 LIMIT {limit}"), NONE);
            }
            db.check("ZREVRANGEBYSCORE z 9 0 LIMIT 2 -5", ["b", "a"]);
        });
    }

    #[test]
    fn zrange_takes_members() {
        in_both_encodings(|db| {
            db.run("ZADD z 0 a 0 b 0 c 0 d");
            db.check("ZRANGE z [b + BYLEX", ["b", "c", "d"]);
            db.check("ZRANGE z + (b BYLEX REV", ["d", "c"]);
            db.check("ZRANGEBYLEX z - (c LIMIT 1 5", ["b"]);
            db.check("ZREVRANGEBYLEX z + - LIMIT 1 2", ["c", "b"]);
            db.check("ZREVRANGEBYLEX z - +", NONE);
        });
    }

    #[test]
    fn zrange_judges_options_then_bounds_then_the_key() {
        in_both_encodings(|db| {
            db.run("SET text x");
            for (command, error) in [
                ("ZRANGE text 0 1", Error::WRONG_TYPE),
                ("ZRANGE text 0 x", Error::NOT_AN_INTEGER),
                ("ZRANGE text 0 x y", Error::SYNTAX),
                ("ZRANGE z 0 1 LIMIT 1", Error::SYNTAX),
                ("ZRANGE z 0 1 LIMIT 0 x REVERSE", Error::NOT_AN_INTEGER),
                ("ZRANGE z 0 1 LIMIT 0 5", Error::LIMIT_OF_RANKS),
                ("ZRANGE z x 1 BYLEX WITHSCORES", Error::SCORES_BY_LEX),
                ("ZRANGE z x 1 BYLEX", Error::MEMBER_BOUND),
                ("ZRANGE z x 1 BYSCORE", Error::SCORE_BOUND),
                ("ZRANGE z 0 1 BYSCORE BYLEX", Error::SYNTAX),
                ("ZRANGEBYSCORE z 0 1 REV", Error::SYNTAX),
                ("ZREVRANGE z 0 1 REV", Error::SYNTAX),
                ("ZREVRANGE z 0 1 BYSCORE", Error::SYNTAX),
                ("ZRANGEBYLEX z - + WITHSCORES", Error::SCORES_BY_LEX),
                ("ZRANGESTORE d z 0 1 WITHSCORES", Error::SYNTAX),
                ("ZRANGESTORE d text 0 1", Error::WRONG_TYPE),
            ] {
                db.check_quiet(command, error);
            }
        });
    }

    #[test]
    fn zrangestore_replaces_what_was_there() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 3 c 4 d");
            db.run("SET d text");
            db.check("ZRANGESTORE d z 1 2", 2);
            assert_eq!((db.events(), db.logged()), (vec!["zrangestore d".into()], "verbatim".into()));
            assert_eq!(db.effects.changes, 1);
            db.check("ZRANGE d 0 -1 WITHSCORES", ["b", "2", "c", "3"]);
            db.check("ZRANGESTORE d z (4 -inf BYSCORE REV LIMIT 0 1", 1);
            db.check("ZRANGE d 0 -1", ["c"]);
            db.check("ZRANGESTORE d z 0 0 REV", 1);
            db.check("ZRANGE d 0 -1", ["d"]);
            db.check("ZRANGESTORE z z 0 1", 2);
            db.check("ZRANGE z 0 -1", ["a", "b"]);
            db.check("ZRANGESTORE d z 5 9", 0);
            assert_eq!(db.events(), ["del d"]);
            db.check_quiet("ZRANGESTORE d missing 0 -1", 0);
            db.check("ZRANGESTORE z missing 0 -1", 0);
            assert_eq!(db.events(), ["del z"]);
        });
    }
}
