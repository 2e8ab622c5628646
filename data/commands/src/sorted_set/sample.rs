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

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;
    use crate::testing::{Db, Null};
    use ochre_resp::Protocol;
    use std::collections::{BTreeMap, BTreeSet};

    fn words(shown: &str) -> Vec<String> {
        shown.trim_matches(['[', ']']).split_whitespace().map(String::from).collect()
    }

    fn fill(db: &mut Db, members: usize) {
        db.run(&(0..members).fold("ZADD z".to_string(), |words, number| format!("{words} {number} m{number}")));
    }

    #[test]
    fn members_are_different_unless_the_count_is_negative() {
        in_both_encodings(|db| {
            fill(db, 100);
            let one = db.run("ZRANDMEMBER z");
            assert!(one.starts_with('m'), "{one}");
            for (count, expected) in [(1, 1), (5, 5), (60, 60), (100, 100), (1000, 100)] {
                let shown = words(&db.run(&format!("ZRANDMEMBER z {count}")));
                assert_eq!((shown.len(), shown.iter().collect::<BTreeSet<_>>().len()), (expected, expected));
            }
            let shown = words(&db.run("ZRANDMEMBER z -300 WITHSCORES"));
            assert_eq!(shown.len(), 600);
            assert!(shown.chunks(2).all(|pair| pair[0] == format!("m{}", pair[1])));
            db.check_quiet("ZRANDMEMBER z 0", [0_i64; 0]);
            db.check("ZCARD z", 100);
        });
    }

    #[test]
    fn every_member_has_the_same_chance() {
        in_both_encodings(|db| {
            fill(db, 40);
            // One of 40, drawn 4,000 times over in three ways: mean 100, six standard deviations either way.
            let mut seen: BTreeMap<String, u32> = BTreeMap::new();
            for _ in 0..1000 {
                let shown = [db.run("ZRANDMEMBER z"), db.run("ZRANDMEMBER z 1"), db.run("ZRANDMEMBER z -2")];
                for member in shown.iter().flat_map(|shown| words(shown)) {
                    *seen.entry(member).or_default() += 1;
                }
            }
            assert_eq!(seen.len(), 40);
            assert!(seen.values().all(|count| (40..=160).contains(count)), "{seen:?}");
        });
    }

    #[test]
    fn version_3_has_pairs() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a");
            db.check("ZRANDMEMBER z 2 WITHSCORES", ["a", "1"]);
            db.protocol = Protocol::Resp3;
            assert_eq!(db.run_raw(&[b"ZRANDMEMBER", b"z", b"2", b"WITHSCORES"]), b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n");
        });
    }

    #[test]
    fn the_count_is_judged_before_the_key() {
        let mut db = Db::new();
        db.run("SET text x");
        db.run("ZADD z 1 a");
        for (words, error) in [
            ("text", Error::WRONG_TYPE),
            ("text x", Error::NOT_AN_INTEGER),
            ("text -9223372036854775808", Error::INT_RANGE),
            ("text 1 WITHSCORE", Error::SYNTAX),
            ("text 1 WITHSCORES x", Error::SYNTAX),
            ("missing -4611686018427387904 WITHSCORES", Error::OUT_OF_RANGE),
            ("missing 4611686018427387904 WITHSCORES", Error::OUT_OF_RANGE),
            ("z -9223372036854775807", Error::OUT_OF_RANGE),
        ] {
            db.check_quiet(&format!("ZRANDMEMBER {words}"), error);
        }
        db.check_quiet("ZRANDMEMBER missing", Null);
        db.check_quiet("ZRANDMEMBER missing -9223372036854775807", [0_i64; 0]);
        db.check("ZRANDMEMBER z 9223372036854775807", ["a"]);
    }
}
