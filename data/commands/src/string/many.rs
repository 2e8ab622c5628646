//! Several strings at once: MGET, MSET and what sets all of them or none.

use super::conditional::Condition;
use super::values::{decimal, reply_text};
use crate::expire_option::{Deadline, ExpireOption, Takes};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply};
use ochre_resp::typed;
use ochre_text::number;

pub(super) const MGET: Command = Command::new(Group::String, "MGET", "key [key ...]", mget)
    .summary("Replies the strings at several keys; null where there is none.")
    .cost("O(N), where N is the number of keys")
    .since("1.0.0")
    .keys(&[KeySpec::span(1, -1, 1, RO | ACCESS)])
    .flags(READONLY | FAST)
    .tips(&["request_policy:multi_shard"]);

fn mget(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys: Vec<Key<'_>> = (0..args.remaining()).map(|_| args.key()).collect();
    reply.array(keys.len());
    for keys in keys.chunks(PREFETCHED_KEYS) {
        data.prefetch(keys.iter());
        for key in keys {
            match data.text(key) {
                Ok(text) => reply_text(text, reply),
                Err(_) => match data.structured(key) {
                    Some(item) => typed::write(item, reply),
                    None => reply.null(),
                },
            }
        }
    }
    Ok(())
}

/// So many entries are fetched together; more would drive the first of them out of the cache.
const PREFETCHED_KEYS: usize = 16;

pub(super) const MSET: Command = Command::new(Group::String, "MSET", "key value [key value ...]", mset)
    .summary("Makes strings the values of several keys at once.")
    .cost("O(N), where N is the number of keys")
    .since("1.0.1")
    .keys(&[KeySpec::span(1, -1, 2, OW | UPDATE)])
    .flags(WRITE | DENYOOM)
    .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]);

fn mset(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if !args.remaining().is_multiple_of(2) {
        return Err(Error::wrong_arity("mset"));
    }
    set_pairs(data, &read_pairs(args), Expiry::Clear);
    reply.ok();
    Ok(())
}

pub(super) const MSETNX: Command = Command::new(Group::String, "MSETNX", "key value [key value ...]", msetnx)
    .summary("Makes strings the values of several keys unless one of them exists; replies whether it did.")
    .cost("O(N), where N is the number of keys")
    .since("1.0.1")
    .keys(&[KeySpec::span(1, -1, 2, OW | INSERT)])
    .flags(WRITE | DENYOOM);

fn msetnx(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if !args.remaining().is_multiple_of(2) {
        return Err(Error::wrong_arity("msetnx"));
    }
    let pairs = read_pairs(args);
    let all_new = count_living(data, &pairs) == 0;
    if all_new {
        set_pairs(data, &pairs, Expiry::Clear);
    }
    reply.integer(i64::from(all_new));
    Ok(())
}

pub(super) const MSETEX: Command = Command::new(
    Group::String,
    "MSETEX",
    "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
     PXAT unix-time-milliseconds | KEEPTTL]",
    msetex,
)
.summary("Makes strings the values of several keys with one deadline, if asked only if none or all of them exist.")
.cost("O(N), where N is the number of keys")
.since("9.1.0")
.keys(&[KeySpec::counted_by(1, 2, OW | UPDATE)])
.flags(WRITE | DENYOOM)
.tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]);

fn msetex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let count = number::parse_i64(args.word()).and_then(|count| i32::try_from(count).ok());
    let count = count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0).ok_or(NUMKEYS)?;
    if count > args.remaining() / 2 {
        return Err(Error::SYNTAX);
    }
    let pairs: Vec<Pair<'_>> = (0..count).map(|_| (args.key(), args.word())).collect();
    let (mut option, mut only_new, mut only_old) = (ExpireOption::default(), false, false);
    while args.remaining() > 0 {
        if option.read(args, Takes::KeepTtl)? {
            continue;
        }
        match Condition::read(args)? {
            Condition::Nx if !only_old => only_new = true,
            Condition::Xx if !only_new => only_old = true,
            _ => return Err(Error::SYNTAX),
        }
    }
    let deadline = option.deadline(data.now_ms(), "msetex")?;
    let living = if only_new || only_old { count_living(data, &pairs) } else { 0 };
    let may = !(only_new && living > 0 || only_old && living < pairs.len());
    if may {
        let expiry = match deadline {
            Deadline::Unsaid | Deadline::Persist => Expiry::Clear,
            Deadline::KeepTtl => Expiry::Keep,
            Deadline::At(deadline_ms) => Expiry::At(deadline_ms),
        };
        set_pairs(data, &pairs, expiry);
        log_pairs(data, &pairs, expiry);
    }
    reply.integer(i64::from(may));
    Ok(())
}

const NUMKEYS: Error = Error::fixed("ERR invalid numkeys value or out of range");

/// A key and the string that it gets.
type Pair<'a> = (Key<'a>, &'a [u8]);

fn read_pairs<'a>(args: &mut Args<'a>) -> Vec<Pair<'a>> {
    (0..args.remaining() / 2).map(|_| (args.key(), args.word())).collect()
}

/// How many of the keys live.
fn count_living(data: &Locked<'_>, pairs: &[Pair<'_>]) -> usize {
    pairs.iter().filter(|(key, _)| data.peek(key).is_some()).count()
}

/// Sets the keys, to the last value where one comes twice.
fn set_pairs(data: &mut Locked<'_>, pairs: &[Pair<'_>], expiry: Expiry) {
    for pairs in pairs.chunks(PREFETCHED_KEYS) {
        data.prefetch(pairs.iter().map(|(key, _)| key));
        for (key, value) in pairs {
            data.set_text(key, value, expiry);
            data.changed(key, Class::STRING, "set");
            if matches!(expiry, Expiry::At(_)) {
                data.event(Class::GENERIC, "expire", key);
            }
        }
    }
}

/// Logs MSETEX in words that every server knows.
fn log_pairs(data: &mut Locked<'_>, pairs: &[Pair<'_>], expiry: Expiry) {
    if !data.log_wanted() {
        return;
    }
    let deadline;
    let suffix: &[&[u8]] = match expiry {
        Expiry::Clear => {
            let words = pairs.iter().flat_map(|(key, value)| [key.bytes(), value]);
            return data.log(&[&b"MSET"[..]].into_iter().chain(words).collect::<Vec<&[u8]>>());
        }
        Expiry::Keep => &[b"KEEPTTL"],
        Expiry::At(deadline_ms) => {
            deadline = decimal(deadline_ms);
            &[b"PXAT", &deadline]
        }
    };
    for (key, value) in pairs {
        data.log(&[&[b"SET", key.bytes(), value], suffix].concat());
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn mget_replies_null_for_what_is_no_string() {
        let mut db = Db::new();
        db.check("MSET a 1 b two", "OK");
        db.check_quiet("MGET a missing b a", "[1 nil two 1]");
    }

    #[test]
    fn mset_sets_all_and_the_last_of_a_key_wins() {
        let mut db = Db::new();
        db.check("MSET a 1 b 2 a 3", "OK");
        assert_eq!(db.events(), ["set a", "set b", "set a"]);
        assert_eq!((db.effects.changes, db.logged()), (3, "verbatim".into()));
        db.check_quiet("GET a", "3");
        db.check_quiet("MSET a 1 b", Error::wrong_arity("mset"));
    }

    #[test]
    fn msetnx_sets_all_or_none() {
        let mut db = Db::new();
        db.check("MSETNX a 1 a 2", 1);
        db.check_quiet("GET a", "2");
        db.check_quiet("MSETNX b 1 a 2", 0);
        db.check_quiet("GET b", Null);
        db.check_quiet("MSETNX a 1 b", Error::wrong_arity("msetnx"));
    }

    #[test]
    fn msetex_sets_with_one_deadline() {
        let mut db = Db::new();
        db.check("MSETEX 2 a 1 b 2", 1);
        assert_eq!(db.logged(), "MSET a 1 b 2");
        db.check("MSETEX 2 a 1 b 2 EX 10", 1);
        assert_eq!(db.events(), ["set a", "expire a", "set b", "expire b"]);
        assert_eq!(db.logged(), "SET a 1 PXAT 1700000010000; SET b 2 PXAT 1700000010000");
        db.check("MSETEX 2 a 3 c 4 KEEPTTL", 1);
        assert_eq!(db.logged(), "SET a 3 KEEPTTL; SET c 4 KEEPTTL");
        db.sleep_ms(10_000);
        db.check("MGET a b c", "[nil nil 4]");
    }

    #[test]
    fn msetex_sets_none_when_its_condition_fails() {
        let mut db = Db::new();
        db.check("MSETEX 2 a 1 b 2 NX", 1);
        db.check_quiet("MSETEX 2 b 1 c 2 NX", 0);
        db.check_quiet("MSETEX 2 b 1 c 2 XX", 0);
        db.check("MSETEX 2 a 3 b 4 PX 10 XX XX", 1);
    }

    #[test]
    fn msetex_judges_its_words_first() {
        let mut db = Db::new();
        for words in ["2 a 1", "2 a 1 b", "1 a 1 b", "1 a 1 b 2", "1 a 1 NX XX", "1 a 1 XX NX", "1 a 1 GET"] {
            db.check_quiet(&format!("MSETEX {words}"), Error::SYNTAX);
        }
        db.check_quiet("MSETEX 1 a 1 EX 1 KEEPTTL", Error::SYNTAX);
        db.check_quiet("MSETEX 1 a 1 EX 0", Error::invalid_expire("msetex"));
        for count in ["0", "-1", "x", "2147483648", "9223372036854775807"] {
            db.check_quiet(&format!("MSETEX {count} a 1"), super::NUMKEYS);
        }
    }
}
