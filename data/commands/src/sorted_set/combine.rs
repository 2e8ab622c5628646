//! Unions, intersections and differences of sorted sets and sets, replied or stored.

use super::sources::{Combined, Member, MemberMap, Source};
use super::store::store;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_text::number;
use ochre_values::set::Probe;

/// What a member's score becomes when several inputs have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// The sum of the inputs' weights, whatever the scores.
    Count,
}

impl Aggregate {
    fn read(args: &mut Args<'_>) -> Result<Self, Error> {
        for (word, aggregate) in
            [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max), ("COUNT", Aggregate::Count)]
        {
            if args.option(word) {
                return Ok(aggregate);
            }
        }
        Err(Error::SYNTAX)
    }

    /// What an input of this weight gives to a member that has `score` in it.
    #[inline]
    fn weigh(self, weight: f64, score: f64) -> f64 {
        match self {
            Aggregate::Count => weight,
            _ => weight * score,
        }
    }

    /// What two inputs give together. Infinities of both signs cancel out.
    #[inline]
    fn join(self, left: f64, right: f64) -> f64 {
        match self {
            Aggregate::Sum | Aggregate::Count => zero_if_nan(left + right),
            Aggregate::Min => {
                if right < left {
                    right
                } else {
                    left
                }
            }
            Aggregate::Max => {
                if right > left {
                    right
                } else {
                    left
                }
            }
        }
    }
}

/// What is not a number, as zero times infinity, counts as 0.
fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// Which members of the inputs are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Those of any input.
    Union,
    /// Those that all inputs have.
    Intersection,
    /// Those of the first input that no other has.
    Difference,
}

/// Which options there are behind the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Takes {
    weights: bool,
    with_scores: bool,
    limit: bool,
}

/// The inputs and options of a combination.
struct Request<'a> {
    sources: Vec<(Source<'a>, f64)>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Members to count at most; 0 is no limit.
    limit: usize,
}

impl<'a> Request<'a> {
    /// Reads `numkeys key [key ...]`, then the values of the keys, then the options: errors come in this order.
    fn read(data: &'a Locked<'_>, args: &mut Args<'_>, name: &str, takes: Takes) -> Result<Self, Error> {
        let keys = args.int()?;
        if keys < 1 {
            return Err(Error::no_input_keys(name));
        }
        let keys = usize::try_from(keys).ok().filter(|keys| *keys <= args.remaining()).ok_or(Error::SYNTAX)?;
        let sources =
            (0..keys).map(|_| Ok((Source::read(data, &args.key())?, 1.0))).collect::<Result<Vec<_>, Error>>()?;
        let mut request = Request { sources, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        while args.remaining() > 0 {
            if takes.weights && args.remaining() > keys && args.option("WEIGHTS") {
                for (_, weight) in &mut request.sources {
                    *weight = number::parse_f64(args.word()).ok_or(Error::WEIGHT)?;
                }
            } else if takes.weights && args.remaining() >= 2 && args.option("AGGREGATE") {
                request.aggregate = Aggregate::read(args)?;
            } else if takes.with_scores && args.option("WITHSCORES") {
                request.with_scores = true;
            } else if takes.limit && args.remaining() >= 2 && args.option("LIMIT") {
                let limit = number::parse_i64(args.word()).filter(|limit| *limit >= 0).ok_or(Error::NEGATIVE_LIMIT)?;
                request.limit = usize::try_from(limit).unwrap_or(usize::MAX);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(request)
    }

    /// The smallest input first: the others are only looked into, or fill what it has begun.
    fn sort_sources(&mut self) {
        self.sources.sort_by_key(|(source, _)| source.len());
    }

    /// The wanted members, in no order.
    fn combine(self, wanted: Wanted) -> Combined<'a> {
        match wanted {
            Wanted::Union => self.union(),
            Wanted::Intersection => self.intersection(),
            Wanted::Difference => self.difference(),
        }
    }

    fn union(mut self) -> Combined<'a> {
        self.sort_sources();
        let aggregate = self.aggregate;
        let mut combined = Combined::default();
        let filled = self.sources.iter().position(|(source, _)| source.len() > 0).unwrap_or(self.sources.len());
        let push = |combined: &mut Combined<'a>, member, weight, score| {
            combined.0.push((zero_if_nan(aggregate.weigh(weight, score)), member));
            true
        };
        match &self.sources[filled..] {
            [] => {}
            [(source, weight)] => source.visit(|member, score| push(&mut combined, member, *weight, score)),
            sources => {
                let largest = sources.last().map_or(0, |(source, _)| source.len());
                // Where in `combined` a member stands.
                let mut places: MemberMap<'a, usize> = MemberMap::with_capacity_and_hasher(largest, Default::default());
                combined.0.reserve(largest);
                for (source, weight) in sources {
                    source.visit(|member, score| {
                        let next = combined.0.len();
                        let place = *places.entry(Member::new(member)).or_insert(next);
                        match combined.0.get_mut(place) {
                            Some((joined, _)) => {
                                *joined = aggregate.join(*joined, zero_if_nan(aggregate.weigh(*weight, score)));
                                true
                            }
                            None => push(&mut combined, member, *weight, score),
                        }
                    });
                }
            }
        }
        combined
    }

    /// Shows every member that all inputs have to `visit`, with its score, until it says stop.
    fn intersect(mut self, mut visit: impl FnMut(f64, ochre_collections::Item<'a>) -> bool) {
        self.sort_sources();
        let aggregate = self.aggregate;
        let Some(((smallest, weight), others)) = self.sources.split_first() else { return };
        smallest.visit(|member, score| {
            let mut probe = Probe::new(member);
            let mut joined = zero_if_nan(aggregate.weigh(*weight, score));
            for (other, weight) in others {
                match other.score(&mut probe) {
                    Some(score) => joined = aggregate.join(joined, aggregate.weigh(*weight, score)),
                    None => return true,
                }
            }
            visit(joined, member)
        });
    }

    fn intersection(self) -> Combined<'a> {
        let mut combined = Combined::default();
        self.intersect(|score, member| {
            combined.0.push((score, member));
            true
        });
        combined
    }

    fn difference(self) -> Combined<'a> {
        let mut combined = Combined::default();
        let Some(((first, _), others)) = self.sources.split_first() else { return combined };
        let others_len: usize = others.iter().map(|(other, _)| other.len()).sum();
        if others.len() > 1 && others_len < first.len() {
            // One look for each member instead of one for each member and input.
            let mut unwanted: MemberMap<'_, ()> = MemberMap::with_capacity_and_hasher(others_len, Default::default());
            for (other, _) in others {
                other.visit(|member, _| {
                    unwanted.insert(Member::new(member), ());
                    true
                });
            }
            first.visit(|member, score| {
                if !unwanted.contains_key(&Member::new(member)) {
                    combined.0.push((score, member));
                }
                true
            });
            return combined;
        }
        first.visit(|member, score| {
            let mut probe = Probe::new(member);
            if !others.iter().any(|(other, _)| other.score(&mut probe).is_some()) {
                combined.0.push((score, member));
            }
            true
        });
        combined
    }
}

/// A combination that is replied.
fn reply_combined(
    data: &Locked<'_>,
    args: &mut Args<'_>,
    name: &str,
    wanted: Wanted,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let takes = Takes { weights: wanted != Wanted::Difference, with_scores: true, limit: false };
    let request = Request::read(data, args, name, takes)?;
    let with_scores = request.with_scores;
    let mut combined = request.combine(wanted);
    combined.sort();
    combined.reply(with_scores, reply);
    Ok(())
}

/// A combination that is stored; its event is its name.
fn store_combined(
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    name: &'static str,
    wanted: Wanted,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let destination = args.key();
    let takes = Takes { weights: wanted != Wanted::Difference, with_scores: false, limit: false };
    let set = Request::read(data, args, name, takes)?.combine(wanted).into_set(data.limits());
    store(data, &destination, set, name, reply);
    Ok(())
}

pub(super) const ZUNION: Command = Command::new(
    Group::SortedSet,
    "ZUNION",
    "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]",
    zunion,
)
.summary("Replies the members that at least one of several sorted sets has.")
.cost("O(N)+O(M*log(M)), N being the sum of the sizes of the inputs and M the number of members replied")
.since("6.2.0")
.history(&[("8.8.0", "AGGREGATE COUNT.")])
.keys(&[KeySpec::counted(1, RO | ACCESS)])
.flags(READONLY)
.gathers(Gathers::All);

fn zunion(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_combined(data, args, "zunion", Wanted::Union, reply)
}

pub(super) const ZUNIONSTORE: Command = Command::new(
    Group::SortedSet,
    "ZUNIONSTORE",
    "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]",
    zunionstore,
)
.summary("Stores the members that at least one of several sorted sets has; replies how many there are.")
.cost("O(N)+O(M*log(M)), N being the sum of the sizes of the inputs and M the number of members stored")
.since("2.0.0")
.history(&[("8.8.0", "AGGREGATE COUNT.")])
.keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::counted(2, RO | ACCESS)])
.flags(WRITE | DENYOOM)
.gathers(Gathers::All);

fn zunionstore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    store_combined(data, args, "zunionstore", Wanted::Union, reply)
}

pub(super) const ZINTER: Command = Command::new(
    Group::SortedSet,
    "ZINTER",
    "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]",
    zinter,
)
.summary("Replies the members that all of several sorted sets have.")
.cost("O(N*K)+O(M*log(M)), N being the size of the smallest input, K the number of inputs and M the number of members replied")
.since("6.2.0")
.history(&[("8.8.0", "AGGREGATE COUNT.")])
.keys(&[KeySpec::counted(1, RO | ACCESS)])
.flags(READONLY)
.gathers(Gathers::Smallest);

fn zinter(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_combined(data, args, "zinter", Wanted::Intersection, reply)
}

pub(super) const ZINTERSTORE: Command = Command::new(
    Group::SortedSet,
    "ZINTERSTORE",
    "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]",
    zinterstore,
)
.summary("Stores the members that all of several sorted sets have; replies how many there are.")
.cost("O(N*K)+O(M*log(M)), N being the size of the smallest input, K the number of inputs and M the number of members stored")
.since("2.0.0")
.history(&[("8.8.0", "AGGREGATE COUNT.")])
.keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::counted(2, RO | ACCESS)])
.flags(WRITE | DENYOOM)
.gathers(Gathers::Smallest);

fn zinterstore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    store_combined(data, args, "zinterstore", Wanted::Intersection, reply)
}

pub(super) const ZINTERCARD: Command =
    Command::new(Group::SortedSet, "ZINTERCARD", "numkeys key [key ...] [LIMIT limit]", zintercard)
        .summary("Counts the members that all of several sorted sets have.")
        .cost("O(N*K), N being the size of the smallest input and K the number of inputs")
        .since("7.0.0")
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY)
        .gathers(Gathers::Smallest);

fn zintercard(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let takes = Takes { weights: false, with_scores: false, limit: true };
    let request = Request::read(data, args, "zintercard", takes)?;
    let limit = request.limit;
    let mut count = 0;
    request.intersect(|_, _| {
        count += 1;
        count != limit
    });
    reply.count(count);
    Ok(())
}

pub(super) const ZDIFF: Command = Command::new(Group::SortedSet, "ZDIFF", "numkeys key [key ...] [WITHSCORES]", zdiff)
    .summary("Replies the members of the first sorted set that none of the others has.")
    .cost("O(N*K) or O(N+L), N being the size of the first input, K the number of inputs and L the sum of their sizes")
    .since("6.2.0")
    .keys(&[KeySpec::counted(1, RO | ACCESS)])
    .flags(READONLY)
    .gathers(Gathers::All);

fn zdiff(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_combined(data, args, "zdiff", Wanted::Difference, reply)
}

pub(super) const ZDIFFSTORE: Command = Command::new(
    Group::SortedSet,
    "ZDIFFSTORE",
    "destination numkeys key [key ...]",
    zdiffstore,
)
.summary("Stores the members of the first sorted set that none of the others has; replies how many there are.")
.cost("O(N*K) or O(N+L), N being the size of the first input, K the number of inputs and L the sum of their sizes")
.since("6.2.0")
.keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::counted(2, RO | ACCESS)])
.flags(WRITE | DENYOOM)
.gathers(Gathers::All);

fn zdiffstore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    store_combined(data, args, "zdiffstore", Wanted::Difference, reply)
}

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;
    use crate::testing::Db;
    use ochre_resp::Protocol;

    const NONE: [i64; 0] = [];

    fn fill(db: &mut Db) {
        db.run("ZADD x 1 a 2 b 3 c");
        db.run("ZADD y 10 b 20 c 30 d 1 7");
        db.run("SADD s a d 7");
        db.run("SET text x");
    }

    #[test]
    fn a_union_has_the_members_of_any_input() {
        in_both_encodings(|db| {
            fill(db);
            db.check("ZUNION 2 x y", ["7", "a", "b", "c", "d"]);
            db.check("ZUNION 2 x y WITHSCORES", ["7", "1", "a", "1", "b", "12", "c", "23", "d", "30"]);
            db.check("ZUNION 2 x y AGGREGATE MIN WITHSCORES", ["7", "1", "a", "1", "b", "2", "c", "3", "d", "30"]);
            db.check("ZUNION 2 x y AGGREGATE max WITHSCORES", ["7", "1", "a", "1", "b", "10", "c", "20", "d", "30"]);
            db.check("ZUNION 2 x y AGGREGATE COUNT WITHSCORES", ["7", "1", "a", "1", "d", "1", "b", "2", "c", "2"]);
            db.check("ZUNION 2 x s WEIGHTS 2 -1 WITHSCORES", ["7", "-1", "d", "-1", "a", "1", "b", "4", "c", "6"]);
            db.check("ZUNION 1 x WEIGHTS -1", ["c", "b", "a"]);
            db.check("ZUNION 3 x x missing WITHSCORES", ["a", "2", "b", "4", "c", "6"]);
            db.check("ZUNION 2 s s WITHSCORES", ["7", "2", "a", "2", "d", "2"]);
            db.check("ZUNION 1 missing", NONE);
            db.protocol = Protocol::Resp3;
            assert_eq!(db.run_raw(&[b"ZUNION", b"1", b"missing", b"WITHSCORES"]), b"*0\r\n");
            db.run("ZADD one 1.5 m");
            assert_eq!(db.run_raw(&[b"ZUNION", b"1", b"one", b"WITHSCORES"]), b"*1\r\n*2\r\n$1\r\nm\r\n,1.5\r\n");
        });
    }

    #[test]
    fn an_intersection_has_the_members_of_all_inputs() {
        in_both_encodings(|db| {
            fill(db);
            db.check("ZINTER 2 x y WITHSCORES", ["b", "12", "c", "23"]);
            db.check("ZINTER 2 y x WEIGHTS 0.5 1 AGGREGATE MAX WITHSCORES", ["b", "5", "c", "10"]);
            db.check("ZINTER 2 y s AGGREGATE COUNT WEIGHTS 3 4 WITHSCORES", ["7", "7", "d", "7"]);
            db.check("ZINTER 2 x x WITHSCORES", ["a", "2", "b", "4", "c", "6"]);
            db.check("ZINTER 3 x y s", NONE);
            db.check("ZINTER 2 x missing", NONE);
            db.check("ZINTERCARD 2 x y", 2);
            db.check("ZINTERCARD 2 x y LIMIT 1", 1);
            db.check("ZINTERCARD 2 x y LIMIT 0", 2);
            db.check("ZINTERCARD 2 x missing LIMIT 5", 0);
        });
    }

    #[test]
    fn a_difference_has_the_members_of_the_first_input_alone() {
        in_both_encodings(|db| {
            fill(db);
            db.check("ZDIFF 2 x y WITHSCORES", ["a", "1"]);
            db.check("ZDIFF 2 y x WITHSCORES", ["7", "1", "d", "30"]);
            db.check("ZDIFF 1 s", ["7", "a", "d"]);
            db.check("ZDIFF 3 y s missing", ["b", "c"]);
            db.check("ZDIFF 2 x x", NONE);
            db.check("ZDIFF 2 missing x", NONE);
            // Many inputs that are small together are looked up as one.
            db.run("SADD one b");
            db.check("ZDIFF 3 y one missing", ["7", "c", "d"]);
        });
    }

    #[test]
    fn infinities_cancel_out() {
        in_both_encodings(|db| {
            db.run("ZADD x inf a -inf b 0 c");
            db.run("ZADD y -inf a -inf b 0 c");
            db.check("ZUNION 2 x y WITHSCORES", ["b", "-inf", "a", "0", "c", "0"]);
            db.check("ZINTER 2 x y WITHSCORES", ["b", "-inf", "a", "0", "c", "0"]);
            db.check("ZUNION 1 x WEIGHTS 0 WITHSCORES", ["a", "0", "b", "0", "c", "0"]);
            db.check("ZUNION 2 x y WEIGHTS inf -inf AGGREGATE COUNT WITHSCORES", ["a", "0", "b", "0", "c", "0"]);
        });
    }

    #[test]
    fn what_is_stored_replaces_what_was_there() {
        in_both_encodings(|db| {
            fill(db);
            for (command, size, event, members) in [
                ("ZUNIONSTORE text 2 x s", 5, "zunionstore text", "[7 1 d 1 a 2 b 2 c 3]"),
                ("ZINTERSTORE text 2 x y", 2, "zinterstore text", "[b 12 c 23]"),
                ("ZDIFFSTORE text 2 x y", 1, "zdiffstore text", "[a 1]"),
                ("ZUNIONSTORE x 2 x y AGGREGATE COUNT", 5, "zunionstore x", ""),
            ] {
                db.check(command, size);
                assert_eq!((db.events(), db.logged()), (vec![event.into()], "verbatim".into()));
                assert_eq!(db.effects.changes, 1);
                if !members.is_empty() {
                    db.check("ZRANGE text 0 -1 WITHSCORES", members);
                }
            }
            db.check("ZRANGE x 0 -1 WITHSCORES", ["7", "1", "a", "1", "d", "1", "b", "2", "c", "2"]);
            db.check("ZINTERSTORE text 2 x missing", 0);
            assert_eq!(db.events(), ["del text"]);
            db.check_quiet("ZDIFFSTORE text 1 missing", 0);
        });
    }

    #[test]
    fn keys_are_judged_before_options() {
        in_both_encodings(|db| {
            fill(db);
            for (command, error) in [
                ("ZUNION x x", Error::NOT_AN_INTEGER),
                ("ZUNION 0 x", Error::no_input_keys("zunion")),
                ("ZINTERSTORE d -1 x", Error::no_input_keys("zinterstore")),
                ("ZUNION 2 x", Error::SYNTAX),
                ("ZUNION 9223372036854775807 x", Error::SYNTAX),
                ("ZUNION 1 text what", Error::WRONG_TYPE),
                ("ZUNION 1 x what", Error::SYNTAX),
                ("ZUNION 1 x WEIGHTS", Error::SYNTAX),
                ("ZUNION 1 x WEIGHTS a", Error::WEIGHT),
                ("ZUNION 2 x y WEIGHTS 1", Error::SYNTAX),
                ("ZUNION 1 x WEIGHTS 1 2", Error::SYNTAX),
                ("ZUNION 1 x AGGREGATE", Error::SYNTAX),
                ("ZUNION 1 x AGGREGATE AVG", Error::SYNTAX),
                ("ZUNIONSTORE d 1 x WITHSCORES", Error::SYNTAX),
                ("ZDIFF 1 x WEIGHTS 1", Error::SYNTAX),
                ("ZDIFF 1 x AGGREGATE SUM", Error::SYNTAX),
                ("ZINTERCARD 1 x LIMIT -1", Error::NEGATIVE_LIMIT),
                ("ZINTERCARD 1 x LIMIT a", Error::NEGATIVE_LIMIT),
                ("ZINTERCARD 1 x LIMIT", Error::SYNTAX),
                ("ZINTERCARD 1 x WITHSCORES", Error::SYNTAX),
                ("ZINTERCARD 1 x WEIGHTS 1", Error::SYNTAX),
            ] {
                db.check_quiet(command, error);
            }
        });
    }
}
