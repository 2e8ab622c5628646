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

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;

    #[test]
    fn a_range_is_removed_and_counted() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f");
            db.check("ZREMRANGEBYRANK z -1 -1", 1);
            assert_eq!((db.events(), db.logged()), (vec!["zremrangebyrank z".into()], "verbatim".into()));
            db.check("ZREMRANGEBYSCORE z (1 3", 2);
            assert_eq!((db.events(), db.effects.changes), (vec!["zremrangebyscore z".into()], 2));
            db.check("ZRANGE z 0 -1", ["a", "d", "e"]);
            for command in ["ZREMRANGEBYRANK z 5 9", "ZREMRANGEBYSCORE z 9 10", "ZREMRANGEBYRANK missing 0 -1"] {
                db.check_quiet(command, 0);
            }
            db.check("ZREMRANGEBYRANK z 0 -1", 3);
            assert_eq!(db.events(), ["zremrangebyrank z", "del z"]);
            db.run("ZADD z 0 a 0 b 0 c");
            db.check("ZREMRANGEBYLEX z [b (c", 1);
            assert_eq!(db.events(), ["zremrangebylex z"]);
            db.check("ZREMRANGEBYLEX z - +", 2);
            assert_eq!(db.events(), ["zremrangebylex z", "del z"]);
            db.check("EXISTS z", 0);
        });
    }

    #[test]
    fn bounds_are_judged_before_the_key() {
        in_both_encodings(|db| {
            db.run("SET text x");
            db.check_quiet("ZREMRANGEBYRANK text 0 x", Error::NOT_AN_INTEGER);
            db.check_quiet("ZREMRANGEBYSCORE text 0 x", Error::SCORE_BOUND);
            db.check_quiet("ZREMRANGEBYLEX text 0 x", Error::MEMBER_BOUND);
            db.check_quiet("ZREMRANGEBYRANK text 0 1", Error::WRONG_TYPE);
        });
    }
}
