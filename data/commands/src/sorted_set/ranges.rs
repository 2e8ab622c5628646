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
