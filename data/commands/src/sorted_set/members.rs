//! Adding members, changing their scores, and removing them.

use super::options::AddOptions;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_text::number;
use ochre_values::{Limits, SortedSet};

pub(super) const ZADD: Command =
    Command::new(Group::SortedSet, "ZADD", "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]", zadd)
        .summary("Adds members with their scores, or gives members other scores; replies how many were new.")
        .cost("O(log(N)) for each member, N being the size of the sorted set")
        .since("1.2.0")
        .history(&[
            ("2.4.0", "Several members at once."),
            ("3.0.2", "The options XX, NX, CH and INCR."),
            ("6.2.0", "The options GT and LT."),
        ])
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .scored_member(2, 3)
        .flags(WRITE | DENYOOM | FAST);

fn zadd(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(data, args, false, reply)
}

pub(super) const ZINCRBY: Command = Command::new(Group::SortedSet, "ZINCRBY", "key increment member", zincrby)
    .summary("Adds to the score of a member, which begins with 0, and replies the sum.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("1.2.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .member(3)
    .flags(WRITE | DENYOOM | FAST);

fn zincrby(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(data, args, true, reply)
}

/// ZADD, and ZINCRBY, which is ZADD INCR.
fn add(data: &mut Locked<'_>, args: &mut Args<'_>, increments: bool, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let options = AddOptions::read(args, increments)?;
    add_pairs(data, &key, &options, &Pairs::read(args)?, reply)
}

/// Adds members, or changes their scores, as the options say; replies what they ask for.
pub(crate) fn add_pairs(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    options: &AddOptions,
    pairs: &Pairs<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let limits = data.limits();
    let tally = if options.only_known {
        match data.edit::<SortedSet>(key)? {
            Some(mut set) => pairs.add_to(&mut set, options, limits)?,
            None => Tally::default(),
        }
    } else {
        pairs.add_to(&mut *data.edit_or_new::<SortedSet>(key)?, options, limits)?
    };
    let changed = tally.added + tally.updated;
    if changed > 0 {
        let event = if options.increments { "zincr" } else { "zadd" };
        data.changed_times(key, Class::SORTED_SET, event, changed as u64);
    }
    if options.increments {
        match tally.score {
            Some(score) => reply.double(score),
            None => reply.null(),
        }
    } else {
        reply.count(if options.count_changed { changed } else { tally.added });
    }
    Ok(())
}

/// Members and their scores, all scores read before anything is changed.
pub(crate) struct Pairs<'a> {
    first: f64,
    /// The scores behind the first; a single one, as most commands have, costs no allocation.
    others: Vec<f64>,
    /// As many words for each score, the last of them the member.
    words: ochre_resp::Args<'a>,
    words_each: usize,
}

/// What became of the pairs.
#[derive(Default)]
struct Tally {
    added: usize,
    updated: usize,
    /// The score that the last member was given, if it was not left alone.
    score: Option<f64>,
}

impl<'a> Pairs<'a> {
    /// Reads all words that are left, scores and members by turns: at least two, and an even number.
    fn read(args: &mut Args<'a>) -> Result<Self, Error> {
        let words = args.rest();
        let score = |at| number::parse_f64(words.at(at)).ok_or(Error::NOT_A_FLOAT);
        let first = score(0)?;
        let others = (2..words.len()).step_by(2).map(score).collect::<Result<_, _>>()?;
        Ok(Pairs { first, others, words, words_each: 2 })
    }

    /// Pairs of these scores, at least one, and the last of each `words_each` words.
    pub(crate) fn of(scores: &[f64], words: ochre_resp::Args<'a>, words_each: usize) -> Self {
        let (first, others) = scores.split_first().expect("a caller with nothing to add replies a syntax error");
        Pairs { first: *first, others: others.to_vec(), words, words_each }
    }

    fn member(&self, number: usize) -> &'a [u8] {
        self.words.at((number + 1) * self.words_each - 1)
    }

    /// # Errors
    /// When a sum is NaN. Nothing has been changed then, because only a single score is ever added to another.
    fn add_to(&self, set: &mut SortedSet, options: &AddOptions, limits: &Limits) -> Result<Tally, Error> {
        let count = 1 + self.others.len();
        let longest_bytes = (0..count).map(|number| self.member(number).len()).max().unwrap_or(0);
        set.prepare(count, longest_bytes, limits);
        let mut tally = Tally::default();
        let mut is_nan = false;
        let scores = std::iter::once(self.first).chain(self.others.iter().copied());
        for (number, score) in scores.enumerate() {
            let decide = |old| {
                let decided = options.decide(old, score);
                is_nan |= decided.is_some_and(f64::is_nan);
                decided.filter(|score| !score.is_nan())
            };
            let (old, new) = set.upsert(self.member(number), limits, decide);
            match (old, new) {
                (None, Some(_)) => tally.added += 1,
                (Some(old), Some(new)) => tally.updated += usize::from(old != new),
                (_, None) => {}
            }
            tally.score = new;
        }
        if is_nan { Err(Error::SCORE_IS_NAN) } else { Ok(tally) }
    }
}

pub(super) const ZREM: Command = Command::new(Group::SortedSet, "ZREM", "key member [member ...]", zrem)
    .summary("Removes members; replies how many there were.")
    .cost("O(M*log(N)), N being the size of the sorted set and M the members to remove")
    .since("1.2.0")
    .history(&[("2.4.0", "Several members at once.")])
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .member(2)
    .flags(WRITE | FAST);

fn zrem(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let Some(mut edit) = data.edit::<SortedSet>(&key)? else {
        reply.integer(0);
        return Ok(());
    };
    let set: &mut SortedSet = &mut edit;
    let removed = args.rest().iter().filter(|member| set.remove(member).is_some()).count();
    let is_gone = edit.finish();
    if removed > 0 {
        data.changed_times(&key, Class::SORTED_SET, "zrem", removed as u64);
    }
    if is_gone {
        data.deleted(&key);
    }
    reply.count(removed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;
    use crate::testing::{Db, Null};
    use ochre_resp::Protocol;

    #[test]
    fn zadd_replies_how_many_were_new() {
        in_both_encodings(|db| {
            db.check("ZADD z 1 a 2 b", 2);
            assert_eq!((db.events(), db.logged()), (vec!["zadd z".into()], "verbatim".into()));
            assert_eq!(db.effects.changes, 2);
            db.check("ZADD z 1 a 3 b 4 c", 1);
            assert_eq!(db.effects.changes, 2, "one new, one changed");
            db.check_quiet("ZADD z 1 a 3 b", 0);
            db.check("ZADD z CH 1 a 5 b 6 d", 2);
            db.check("ZRANGE z 0 -1 WITHSCORES", ["a", "1", "c", "4", "b", "5", "d", "6"]);
            db.check("ZADD z 7 a 8 a", 0);
            db.check("ZSCORE z a", "8");
        });
    }

    #[test]
    fn zadd_adds_only_new_or_only_known_members() {
        in_both_encodings(|db| {
            db.check_quiet("ZADD z XX 1 a", 0);
            db.check("EXISTS z", 0);
            db.check("ZADD z NX 1 a", 1);
            db.check("ZADD z NX CH 2 a 2 b", 1);
            db.check("ZADD z XX CH 3 a 3 c", 1);
            db.check("ZRANGE z 0 -1 WITHSCORES", ["b", "2", "a", "3"]);
        });
    }

    #[test]
    fn zadd_changes_scores_only_up_or_only_down() {
        in_both_encodings(|db| {
            db.check("ZADD z 5 a", 1);
            db.check_quiet("ZADD z GT CH 4 a", 0);
            db.check_quiet("ZADD z LT CH 6 a", 0);
            db.check("ZADD z GT CH 6 a 1 b", 2);
            db.check("ZADD z LT XX CH 5 a 1 c", 1);
            db.check_quiet("ZADD z GT INCR -1 a", Null);
            db.check("ZADD z LT INCR -1 a", "4");
        });
    }

    #[test]
    fn zincrby_adds_to_the_score() {
        in_both_encodings(|db| {
            db.check("ZINCRBY z 1.5 a", "1.5");
            assert_eq!((db.events(), db.logged()), (vec!["zincr z".into()], "verbatim".into()));
            db.check("ZINCRBY z 1.5 a", "3");
            db.check("ZADD z INCR 1 a", "4");
            db.check_quiet("ZINCRBY z 0 a", "4");
            db.check_quiet("ZADD z NX INCR 1 a", Null);
            db.check_quiet("ZADD z XX INCR 1 b", Null);
            db.check_quiet("ZADD missing XX INCR 1 b", Null);
            db.check("ZADD z XX INCR inf a", "inf");
            db.check_quiet("ZINCRBY z -inf a", Error::SCORE_IS_NAN);
            db.check("ZSCORE z a", "inf");
            db.protocol = Protocol::Resp3;
            assert_eq!(db.run_raw(&[b"ZINCRBY", b"z", b"0.5", b"n"]), b",0.5\r\n");
            assert_eq!(db.run_raw(&[b"ZADD", b"z", b"NX", b"INCR", b"1", b"n"]), b"_\r\n");
        });
    }

    #[test]
    fn zadd_judges_all_words_before_it_changes_anything() {
        let mut db = Db::new();
        db.run("SET text x");
        for (words, error) in [
            ("z CH 1", Error::SYNTAX),
            ("z 1 a 2", Error::SYNTAX),
            ("z NX XX", Error::SYNTAX),
            ("z NX XX 1 a", Error::XX_AND_NX),
            ("z NX GT 1 a", Error::GT_LT_AND_NX),
            ("z LT GT 1 a", Error::GT_LT_AND_NX),
            ("z INCR 1 a 2 b", Error::INCR_OF_MANY),
            ("z 1 a x b", Error::NOT_A_FLOAT),
            ("z 1 a nan b", Error::NOT_A_FLOAT),
            ("z CH INCRS a", Error::NOT_A_FLOAT),
            ("text x a", Error::NOT_A_FLOAT),
            ("text 1 a", Error::WRONG_TYPE),
            ("text XX 1 a", Error::WRONG_TYPE),
        ] {
            db.check_quiet(&format!("ZADD {words} "), error);
        }
        db.check_quiet("ZINCRBY z NX a", Error::SYNTAX);
        db.check_quiet("ZINCRBY z x a", Error::NOT_A_FLOAT);
        db.check("EXISTS z", 0);
    }

    #[test]
    fn many_or_long_members_make_a_tree() {
        let mut db = Db::new();
        db.run(&(0..128).fold("ZADD z".to_string(), |words, number| format!("{words} {number} m{number}")));
        db.check("OBJECT ENCODING z", "listpack");
        db.run("ZADD z 1 one-more");
        db.check("OBJECT ENCODING z", "skiplist");
        db.check("ZCARD z", 129);
        db.run(&format!("ZADD long 1 {}", "x".repeat(65)));
        db.check("OBJECT ENCODING long", "skiplist");
    }

    #[test]
    fn zrem_removes_the_key_with_its_last_member() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 3 c");
            db.check_quiet("ZREM z x", 0);
            db.check_quiet("ZREM missing x", 0);
            db.check("ZREM z a x a", 1);
            assert_eq!((db.events(), db.effects.changes), (vec!["zrem z".into()], 1));
            db.check("ZREM z b c d", 2);
            assert_eq!(db.events(), ["zrem z", "del z"]);
            assert_eq!((db.logged().as_str(), db.effects.changes), ("verbatim", 2));
            db.check("EXISTS z", 0);
            db.run("SET text x");
            db.check_quiet("ZREM text a", Error::WRONG_TYPE);
        });
    }
}
