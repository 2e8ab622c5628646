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
        .flags(WRITE | DENYOOM | FAST);

fn zadd(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(data, args, false, reply)
}

pub(super) const ZINCRBY: Command = Command::new(Group::SortedSet, "ZINCRBY", "key increment member", zincrby)
    .summary("Adds to the score of a member, which begins with 0, and replies the sum.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("1.2.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
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
