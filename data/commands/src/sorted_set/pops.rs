//! Taking the lowest or the highest members out.

use super::store::remove_whole;
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_text::{case, number};
use ochre_values::{Collection, SortedSet};

/// Which end of a sorted set is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Min,
    Max,
}

impl End {
    /// Reads MIN or MAX.
    fn read(args: &mut Args<'_>) -> Result<End, Error> {
        let word = args.value()?;
        if case::is(word, "MIN") {
            Ok(End::Min)
        } else if case::is(word, "MAX") {
            Ok(End::Max)
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// The command that takes from this end, as the log has it; its event is the same word in lower case.
    pub(super) fn command(self) -> &'static str {
        match self {
            End::Min => "ZPOPMIN",
            End::Max => "ZPOPMAX",
        }
    }

    fn event(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

/// How the members that were taken are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Member and score by turns: ZPOPMIN and ZPOPMAX.
    Flat,
    /// An array for each member and its score: the same with a count, in version 3.
    Pairs,
    /// As `Flat` behind the key: BZPOPMIN and BZPOPMAX.
    KeyedFlat,
    /// The key, and an array of `Pairs`: ZMPOP and BZMPOP.
    KeyedPairs,
}

/// Takes up to `count` members, which is not 0, from one end of the sorted set at `key`, and replies them. `None`, and nothing
/// replied, when there is no such key; else how many there were.
pub(crate) fn pop(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    end: End,
    count: usize,
    listing: Listing,
    reply: &mut Reply<'_>,
) -> Result<Option<usize>, Error> {
    let Some(mut set) = data.edit::<SortedSet>(key)? else { return Ok(None) };
    let len = set.len();
    let count = count.min(len);
    match listing {
        Listing::Flat => reply.array(count * 2),
        Listing::Pairs => reply.array(count),
        Listing::KeyedFlat => {
            reply.array(count * 2 + 1);
            reply.bulk(key.bytes());
        }
        Listing::KeyedPairs => {
            reply.array(2);
            reply.bulk(key.bytes());
            reply.array(count);
        }
    }
    let (ranks, members) = match end {
        End::Min => (0..count, set.as_ref().range(0..count)),
        End::Max => (len - count..len, set.as_ref().range_rev(len - count..len)),
    };
    for item in members {
        if matches!(listing, Listing::Pairs | Listing::KeyedPairs) {
            reply.array(2);
        }
        reply_item(reply, item.member);
        reply.double(item.score());
    }
    let is_gone = count == len;
    if is_gone {
        set.cancel();
        remove_whole(data, key);
    } else {
        set.remove_ranks(ranks);
        set.finish();
    }
    data.changed_times(key, Class::SORTED_SET, end.event(), count as u64);
    if is_gone {
        data.deleted(key);
    }
    Ok(Some(count))
}

pub(super) const ZPOPMIN: Command = Command::new(Group::SortedSet, "ZPOPMIN", "key [count]", zpopmin)
    .summary("Takes the lowest members out and replies them with their scores.")
    .cost("O(log(N)*M), N being the size of the sorted set and M the number of members taken")
    .since("5.0.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
    .flags(WRITE | FAST);

fn zpopmin(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop_one_key(data, args, End::Min, reply)
}

pub(super) const ZPOPMAX: Command = Command::new(Group::SortedSet, "ZPOPMAX", "key [count]", zpopmax)
    .summary("Takes the highest members out and replies them with their scores.")
    .cost("O(log(N)*M), N being the size of the sorted set and M the number of members taken")
    .since("5.0.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
    .flags(WRITE | FAST);

fn zpopmax(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop_one_key(data, args, End::Max, reply)
}

fn pop_one_key(data: &mut Locked<'_>, args: &mut Args<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, count) = (args.key(), args.next());
    args.finish()?;
    let listing = if count.is_some() && reply.is_resp3() { Listing::Pairs } else { Listing::Flat };
    let count = match count {
        Some(word) => {
            number::parse_i64(word).and_then(|count| usize::try_from(count).ok()).ok_or(Error::NOT_POSITIVE)?
        }
        None => 1,
    };
    let replied = match count {
        0 => data.read::<SortedSet>(&key)?.and(None),
        _ => pop(data, &key, end, count, listing, reply)?,
    };
    if replied.is_none() {
        reply.array(0);
    }
    Ok(())
}

pub(super) const ZMPOP: Command = Command::new(
    Group::SortedSet,
    "ZMPOP",
    "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    zmpop,
)
.summary("Takes the lowest or highest members out of the first sorted set that exists.")
.cost("O(K)+O(M*log(N)), K being the number of keys, N the size of the sorted set and M the number of members taken")
.since("7.0.0")
.keys(&[KeySpec::counted(1, RW | ACCESS | DELETE)])
.flags(WRITE);

fn zmpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = PopRequest::read(args)?;
    if !request.serve(data, args, reply)? {
        reply.null_array();
    }
    Ok(())
}

/// What ZMPOP and BZMPOP ask for: `numkeys key [key ...] <MIN | MAX> [COUNT count]`.
pub(crate) struct PopRequest {
    /// The word of the first key, and how many there are.
    first_key: usize,
    keys: usize,
    end: End,
    count: usize,
}

impl PopRequest {
    /// Reads all words that are left.
    pub(crate) fn read(args: &mut Args<'_>) -> Result<PopRequest, Error> {
        let positive = |word: &[u8], error| match number::parse_i64(word) {
            Some(value) if value > 0 => Ok(usize::try_from(value).unwrap_or(usize::MAX)),
            _ => Err(error),
        };
        let keys = positive(args.word(), Error::NUMKEYS)?;
        let first_key = args.position();
        if keys >= args.remaining() {
            return Err(Error::SYNTAX);
        }
        args.seek(first_key + keys);
        let end = End::read(args)?;
        let mut count = None;
        while args.remaining() > 0 {
            if count.is_some() || args.remaining() < 2 || !args.option("COUNT") {
                return Err(Error::SYNTAX);
            }
            count = Some(positive(args.word(), Error::COUNT)?);
        }
        Ok(PopRequest { first_key, keys, end, count: count.unwrap_or(1) })
    }

    /// The keys that it may take from.
    pub(crate) fn keys<'a>(&self, args: &Args<'a>) -> impl Iterator<Item = Key<'a>> + use<'a> {
        let argv = args.argv();
        (self.first_key..self.first_key + self.keys).map(move |at| Key::new(argv.at(at)))
    }

    /// Takes from the first key that holds a sorted set, and logs that as a plain pop; says whether there was one.
    pub(crate) fn serve(
        &self,
        data: &mut Locked<'_>,
        args: &mut Args<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<bool, Error> {
        args.seek(self.first_key);
        for _ in 0..self.keys {
            let key = args.key();
            if let Some(taken) = pop(data, &key, self.end, self.count, Listing::KeyedPairs, reply)? {
                data.log(&[self.end.command().as_bytes(), key.bytes(), taken.to_string().as_bytes()]);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;
    use ochre_resp::Protocol;

    const NONE: [i64; 0] = [];

    #[test]
    fn zpopmin_and_zpopmax_take_from_their_end() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 2 b 3 c 4 d 5 e");
            db.check("ZPOPMIN z", ["a", "1"]);
            assert_eq!((db.events(), db.logged()), (vec!["zpopmin z".into()], "verbatim".into()));
            db.check("ZPOPMAX z 2", ["e", "5", "d", "4"]);
            assert_eq!((db.events(), db.effects.changes), (vec!["zpopmax z".into()], 2));
            db.check_quiet("ZPOPMAX z 0", NONE);
            db.check("ZPOPMIN z 9", ["b", "2", "c", "3"]);
            assert_eq!(db.events(), ["zpopmin z", "del z"]);
            db.check_quiet("ZPOPMIN z", NONE);
            db.check_quiet("ZPOPMIN z 5", NONE);
            db.run("ZADD z 1 a 2 b 3 c");
            db.protocol = Protocol::Resp3;
            assert_eq!(db.run_raw(&[b"ZPOPMIN", b"z"]), b"*2\r\n$1\r\na\r\n,1\r\n");
            assert_eq!(db.run_raw(&[b"ZPOPMIN", b"z", b"1"]), b"*1\r\n*2\r\n$1\r\nb\r\n,2\r\n");
        });
    }

    #[test]
    fn zpopmin_judges_its_count_before_the_key() {
        in_both_encodings(|db| {
            db.run("SET text x");
            db.check_quiet("ZPOPMIN text -1", Error::NOT_POSITIVE);
            db.check_quiet("ZPOPMIN text x", Error::NOT_POSITIVE);
            db.check_quiet("ZPOPMIN text 1 2", Error::SYNTAX);
            db.check_quiet("ZPOPMIN text 0", Error::WRONG_TYPE);
            db.check_quiet("ZPOPMAX text", Error::WRONG_TYPE);
        });
    }

    #[test]
    fn zmpop_takes_from_the_first_key_that_is_there_and_logs_a_plain_pop() {
        in_both_encodings(|db| {
            db.run("ZADD y 1 a 2 b 3 c");
            db.run("ZADD z 9 x");
            db.check("ZMPOP 3 missing y z MIN", "[y [[a 1]]]");
            assert_eq!((db.events(), db.logged()), (vec!["zpopmin y".into()], "ZPOPMIN y 1".into()));
            db.check("ZMPOP 2 y z max COUNT 10", "[y [[c 3] [b 2]]]");
            assert_eq!((db.events(), db.logged()), (vec!["zpopmax y".into(), "del y".into()], "ZPOPMAX y 2".into()));
            db.check("ZMPOP 2 y z MIN COUNT 1", "[z [[x 9]]]");
            db.check_quiet("ZMPOP 2 y z MIN", crate::testing::Null);
            assert_eq!(db.run_raw(&[b"ZMPOP", b"1", b"y", b"MIN"]), b"*-1\r\n");
        });
    }

    #[test]
    fn zmpop_judges_its_words_before_the_keys() {
        in_both_encodings(|db| {
            db.run("SET text x");
            for (words, error) in [
                ("0 text MIN", Error::NUMKEYS),
                ("x text MIN", Error::NUMKEYS),
                ("2 text MIN", Error::SYNTAX),
                ("9223372036854775807 text MIN", Error::SYNTAX),
                ("1 text MID", Error::SYNTAX),
                ("1 text MIN COUNT", Error::SYNTAX),
                ("1 text MIN COUNT 0", Error::COUNT),
                ("1 text MIN COUNT x", Error::COUNT),
                ("1 text MIN COUNT 1 COUNT 1", Error::SYNTAX),
                ("1 text MIN COUNT 1", Error::WRONG_TYPE),
            ] {
                db.check_quiet(&format!("ZMPOP {words}"), error);
            }
        });
    }
}
