//! Fields by chance.

use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::Hash;
use ochre_values::hash::{HashRef, Pair};

pub(super) const HRANDFIELD: Command = Command::new(Group::Hash, "HRANDFIELD", "key [count [WITHVALUES]]", hrandfield)
    .summary("Replies fields of a hash that chance chooses; a negative count may name one more than once.")
    .cost("O(1) for each field; O(N), N fields of the hash, when a third of them or more is asked for")
    .since("6.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn hrandfield(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let now_ms = data.expiry_clock_ms();
    let mut random = data.random();
    if args.remaining() == 0 {
        match data.read::<Hash>(&key)?.and_then(|hash| hash.random(now_ms, &mut random)) {
            Some(pair) => reply_item(reply, pair.name),
            None => reply.null(),
        }
        return Ok(());
    }
    let count = match args.int()? {
        // It has no positive counterpart.
        i64::MIN => return Err(Error::INT_RANGE),
        count => count,
    };
    let with_values = args.remaining() > 0;
    if with_values && !(args.option("WITHVALUES") && args.remaining() == 0) {
        return Err(Error::SYNTAX);
    }
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::OUT_OF_RANGE);
    }
    let Some(hash) = data.read::<Hash>(&key)? else {
        reply.array(0);
        return Ok(());
    };
    let living = hash.living_len(now_ms);
    let mut show = Show { with_values, reply };
    if count >= 0 {
        let count = living.min(count as usize);
        show.header(count);
        hash.sample(count, now_ms, &mut random, &mut |pair| show.pair(pair));
        return Ok(());
    }
    let count = count.unsigned_abs();
    if count > DRAWS_BYTES_MAX / PAIR_BYTES_MIN {
        return Err(Error::OUT_OF_RANGE);
    }
    let count = if living == 0 { 0 } else { count as usize };
    show.header(count);
    choose(hash, count, now_ms, &mut random, &mut show)
}

/// A reply of draws ends with an error when it grows past this: a few bytes of request may ask for any number of them.
const DRAWS_BYTES_MAX: u64 = 512 << 20;

/// The shortest element of a reply, `$0` and two line ends, in bytes.
const PAIR_BYTES_MIN: u64 = 6;

/// Draws so many fields between two looks at the reply's length.
const DRAWS_AT_ONCE: usize = 1024;

fn choose(
    hash: HashRef<'_>,
    count: usize,
    now_ms: u64,
    random: &mut ochre_collections::Random,
    show: &mut Show<'_, '_>,
) -> Result<(), Error> {
    let mark = show.reply.mark();
    let mut left = count;
    while left > 0 {
        let draws = left.min(DRAWS_AT_ONCE);
        hash.choose(draws, now_ms, random, &mut |pair| show.pair(pair));
        left -= draws;
        if show.reply.since(mark).len() as u64 > DRAWS_BYTES_MAX {
            return Err(Error::OUT_OF_RANGE);
        }
    }
    Ok(())
}

/// How fields are replied: with values they are pairs in version 3, one flat array in version 2.
struct Show<'r, 'b> {
    with_values: bool,
    reply: &'r mut Reply<'b>,
}

impl Show<'_, '_> {
    fn header(&mut self, fields: usize) {
        let flat = self.with_values && !self.reply.is_resp3();
        self.reply.array(if flat { 2 * fields } else { fields });
    }

    fn pair(&mut self, pair: Pair<'_>) {
        if self.with_values && self.reply.is_resp3() {
            self.reply.array(2);
        }
        reply_item(self.reply, pair.name);
        if self.with_values {
            reply_item(self.reply, pair.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};
    use ochre_resp::Protocol;
    use std::collections::BTreeSet;

    fn words(shown: &str) -> Vec<String> {
        shown.replace(['[', ']'], "").split_whitespace().map(String::from).collect()
    }

    /// A database with a hash `h` of the fields `f0` to `f<n - 1>`, whose values are `v0` to `v<n - 1>`.
    fn db(fields: usize) -> Db {
        let mut db = Db::new();
        db.run(&(0..fields).fold("HSET h".to_string(), |words, number| format!("{words} f{number} v{number}")));
        db
    }

    #[test]
    fn a_field_comes_alone_or_in_an_array() {
        let mut db = db(1);
        db.check_quiet("HRANDFIELD h", "f0");
        db.check_quiet("HRANDFIELD h 5", ["f0"]);
        db.check_quiet("HRANDFIELD h -3", ["f0", "f0", "f0"]);
        db.check_quiet("HRANDFIELD h -2 withvalues", ["f0", "v0", "f0", "v0"]);
        db.check_quiet("HRANDFIELD h 0", "[]");
        db.check_quiet("HRANDFIELD missing", Null);
        for command in ["HRANDFIELD missing 1", "HRANDFIELD missing -1", "HRANDFIELD missing 1 WITHVALUES"] {
            db.check_quiet(command, "[]");
        }
        db.protocol = Protocol::Resp3;
        db.check_quiet("HRANDFIELD h -2 WITHVALUES", "[[f0 v0] [f0 v0]]");
        db.check_quiet("HRANDFIELD h -2", ["f0", "f0"]);
    }

    #[test]
    fn a_positive_count_never_repeats_and_a_negative_one_may() {
        for fields in [20, 1000] {
            let mut db = db(fields);
            for count in [1, 5, 19, fields / 2, fields] {
                let found = words(&db.run(&format!("HRANDFIELD h {count}")));
                assert_eq!(found.len(), count);
                assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), count);
                let found = words(&db.run(&format!("HRANDFIELD h -{count} WITHVALUES")));
                assert_eq!(found.len(), 2 * count);
                assert!(found.chunks(2).all(|pair| pair[0][1..] == pair[1][1..]), "values belong to their fields");
            }
            let found = words(&db.run(&format!("HRANDFIELD h -{}", 3 * fields)));
            assert!(found.iter().collect::<BTreeSet<_>>().len() > fields / 2);
        }
    }

    #[test]
    fn only_living_fields_are_chosen() {
        let mut db = db(10);
        db.run("HPEXPIRE h 10 FIELDS 9 f0 f1 f2 f3 f4 f5 f6 f7 f8");
        db.sleep_ms(10);
        db.check_quiet("HRANDFIELD h", "f9");
        db.check_quiet("HRANDFIELD h 10", ["f9"]);
        db.check_quiet("HRANDFIELD h -2", ["f9", "f9"]);
        db.run("HPEXPIRE h 10 FIELDS 1 f9");
        db.sleep_ms(10);
        db.check_quiet("HRANDFIELD h", Null);
        db.check_quiet("HRANDFIELD h 10", "[]");
        db.check_quiet("HRANDFIELD h -2", "[]");
    }

    #[test]
    fn the_count_is_judged_before_the_other_words_and_those_before_the_key() {
        let mut db = db(1);
        db.check("SET s 1", "OK");
        db.check_quiet("HRANDFIELD s", Error::WRONG_TYPE);
        db.check_quiet("HRANDFIELD s 1", Error::WRONG_TYPE);
        db.check_quiet("HRANDFIELD s x", Error::NOT_AN_INTEGER);
        db.check_quiet("HRANDFIELD missing x foo", Error::NOT_AN_INTEGER);
        for words in ["1 foo", "1 WITHVALUES foo", "0 foo", "-4611686018427387905 foo"] {
            db.check_quiet(&format!("HRANDFIELD missing {words}"), Error::SYNTAX);
        }
        db.check_quiet("HRANDFIELD h -9223372036854775808", Error::INT_RANGE);
        for count in ["-4611686018427387904", "-4611686018427387905", "4611686018427387904"] {
            db.check_quiet(&format!("HRANDFIELD h {count} WITHVALUES"), Error::OUT_OF_RANGE);
        }
        db.check_quiet("HRANDFIELD h 9223372036854775807", ["f0"]);
        // No reply of that length is made.
        db.check_quiet("HRANDFIELD h -9223372036854775807", Error::OUT_OF_RANGE);
    }
}
