//! Members by chance: to take out, or only to look at.

use super::combine::reply_set;
use super::reply_empty_set;
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_collections::Random;
use ochre_collections::listpack::Item;
use ochre_values::set::SetRef;
use ochre_values::{Collection, Set};

pub(super) const SPOP: Command = Command::new(Group::Set, "SPOP", "key [count]", spop)
    .summary("Removes members of a set that chance chooses, and replies them.")
    .cost("O(1) for each member")
    .history(&[("3.2.0", "Takes a count.")])
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
    .flags(WRITE | FAST)
    .tips(&["nondeterministic_output"]);

fn spop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    if args.remaining() > 0 {
        return spop_many(data, &key, args, reply);
    }
    let mut random = data.random();
    let log_wanted = data.log_wanted();
    let Some(mut set) = data.edit::<Set>(&key)? else {
        reply.null();
        return Ok(());
    };
    let member = set.pop_with(&mut random, |item| {
        reply_item(reply, item);
        if log_wanted { item.to_vec() } else { Vec::new() }
    });
    let emptied = set.finish();
    data.changed(&key, Class::SET, "spop");
    if emptied {
        data.deleted(&key);
    }
    data.log(&[b"SREM", key.bytes(), &member.unwrap_or_default()]);
    Ok(())
}

/// Number of members that one SREM of the log names: a reader of the log need not take a million words at once.
const LOGGED_MEMBERS_MAX: usize = 1024;

fn spop_many(data: &mut Locked<'_>, key: &Key<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.remaining() > 1 {
        return Err(Error::SYNTAX);
    }
    let count = args.int_from(0, Error::NOT_POSITIVE)? as usize;
    let mut random = data.random();
    let limits = data.limits();
    let log_wanted = data.log_wanted();
    let Some(mut set) = data.edit::<Set>(key)? else {
        reply_empty_set(reply);
        return Ok(());
    };
    let total = set.len();
    if count == 0 {
        set.cancel();
        reply_empty_set(reply);
    } else if count >= total {
        reply_set(set.as_ref(), reply);
        set.cancel();
        data.remove(key);
        data.changed_times(key, Class::SET, "spop", total as u64);
        data.deleted(key);
        let name: &[u8] = if data.context().lazy_server_del { b"UNLINK" } else { b"DEL" };
        data.log(&[name, key.bytes()]);
    } else {
        reply.set(count);
        let mut popped = Vec::new();
        set.pop_many(count, &mut random, limits, &mut |item| {
            reply_item(reply, item);
            if log_wanted {
                popped.push(item.to_vec());
            }
        });
        set.finish();
        data.changed_times(key, Class::SET, "spop", count as u64);
        for members in popped.chunks(LOGGED_MEMBERS_MAX) {
            let words: Vec<&[u8]> =
                [&b"SREM"[..], key.bytes()].into_iter().chain(members.iter().map(Vec::as_slice)).collect();
            data.log(&words);
        }
        if popped.is_empty() {
            data.log_nothing();
        }
    }
    Ok(())
}

pub(super) const SRANDMEMBER: Command = Command::new(Group::Set, "SRANDMEMBER", "key [count]", srandmember)
    .summary("Replies members of a set that chance chooses; a negative count may name one more than once.")
    .cost("O(1) for each member; O(N), N members of the set, when a third of them or more is asked for")
    .history(&[("2.6.0", "Takes a count.")])
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn srandmember(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    if args.remaining() > 1 {
        return Err(Error::SYNTAX);
    }
    let count = if args.remaining() > 0 { Some(random_count(args)?) } else { None };
    let set = data.read::<Set>(&key)?;
    let mut random = data.random();
    match (set, count) {
        (None, None) => reply.null(),
        (Some(set), None) => draw(set, &mut random, reply),
        (None, Some(_)) | (_, Some(0)) => reply.array(0),
        (Some(set), Some(count)) if count > 0 => {
            let count = set.len().min(count as usize);
            reply.array(count);
            set.sample(count, &mut random, &mut |item: Item<'_>| reply_item(reply, item));
        }
        (Some(set), Some(count)) => return draw_many(set, count.unsigned_abs(), &mut random, reply),
    }
    Ok(())
}

/// A count that may be negative; the smallest integer has no positive counterpart.
fn random_count(args: &mut Args<'_>) -> Result<i64, Error> {
    match args.int()? {
        i64::MIN => Err(Error::INT_RANGE),
        count => Ok(count),
    }
}

fn draw(set: SetRef<'_>, random: &mut Random, reply: &mut Reply<'_>) {
    match set.random(random) {
        Some(item) => reply_item(reply, item),
        None => reply.null(),
    }
}

/// A reply of draws ends with an error when it grows past this: a few bytes of request may ask for any number of them.
const DRAWS_BYTES_MAX: usize = 512 << 20;

/// The shortest element of a reply, `$0` and two line ends, in bytes.
const ELEMENT_BYTES_MIN: u64 = 6;

fn draw_many(set: SetRef<'_>, count: u64, random: &mut Random, reply: &mut Reply<'_>) -> Result<(), Error> {
    if count > DRAWS_BYTES_MAX as u64 / ELEMENT_BYTES_MIN {
        return Err(Error::OUT_OF_RANGE);
    }
    let mark = reply.mark();
    reply.array(count as usize);
    for drawn in 0..count {
        draw(set, random, reply);
        if drawn % 1024 == 0 && reply.since(mark).len() > DRAWS_BYTES_MAX {
            return Err(Error::OUT_OF_RANGE);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};
    use ochre_resp::Protocol;
    use std::collections::BTreeSet;

    fn words(shown: &str) -> Vec<String> {
        shown.trim_matches(['[', ']']).split_whitespace().map(String::from).collect()
    }

    /// A database with a set `s` of so many members.
    fn db(members: usize, prefix: &str) -> Db {
        let mut db = Db::new();
        let command = (0..members).fold("SADD s".to_string(), |words, number| format!("{words} {prefix}{number}"));
        db.run(&command);
        db
    }

    #[test]
    fn spop_takes_one_member_and_logs_which() {
        for (members, prefix) in [(3, ""), (3, "m"), (200, "m")] {
            let mut db = db(members, prefix);
            let popped = db.run("SPOP s");
            assert_eq!(db.events(), ["spop s"]);
            assert_eq!(db.logged(), format!("SREM s {popped}"));
            db.check("SCARD s", members as i64 - 1);
            db.check(&format!("SISMEMBER s {popped}"), 0);
        }
    }

    #[test]
    fn spop_of_the_last_member_removes_the_key() {
        let mut db = db(1, "m");
        db.check("SPOP s", "m0");
        assert_eq!(db.events(), ["spop s", "del s"]);
        assert_eq!(db.logged(), "SREM s m0");
        db.check_quiet("SPOP s", Null);
        db.check_quiet("SPOP s 1", [0_i64; 0]);
    }

    #[test]
    fn spop_of_several_takes_different_members() {
        for (members, prefix) in [(100, ""), (100, "m"), (600, "m")] {
            for count in [1, 30, 95] {
                let mut db = db(members, prefix);
                let popped = words(&db.run(&format!("SPOP s {count}")));
                assert_eq!(db.events(), ["spop s"]);
                assert_eq!(db.effects.changes, count);
                assert_eq!(db.logged(), format!("SREM s {}", popped.join(" ")));
                let different: BTreeSet<_> = popped.iter().collect();
                assert_eq!(different.len(), count as usize);
                db.check("SCARD s", members as i64 - count as i64);
                let asked = db.run(&format!("SMISMEMBER s {}", popped.join(" ")));
                assert!(words(&asked).iter().all(|answer| answer == "0"));
            }
        }
    }

    #[test]
    fn spop_of_all_removes_the_key() {
        for count in [2, 3, 100] {
            let mut db = db(2, "m");
            let popped: BTreeSet<_> = words(&db.run(&format!("SPOP s {count}"))).into_iter().collect();
            assert_eq!(popped.len(), 2);
            assert_eq!(db.events(), ["spop s", "del s"]);
            assert_eq!((db.logged().as_str(), db.effects.changes), ("UNLINK s", 2));
            db.check("SCARD s", 0);
        }
    }

    #[test]
    fn spop_logs_many_members_in_several_commands() {
        let mut db = db(5000, "m");
        db.run("SPOP s 2000");
        let lengths: Vec<usize> = db.effects.log.iter().map(|(_, words)| words.len()).collect();
        assert_eq!(lengths, [1026, 978]);
        db.context.log_wanted = false;
        db.run("SPOP s 5");
        assert_eq!((db.logged().as_str(), db.effects.changes), ("", 5));
    }

    #[test]
    fn spop_judges_its_count_first() {
        let mut db = db(2, "m");
        db.run("SET text x");
        db.check_quiet("SPOP s -1", Error::NOT_POSITIVE);
        db.check_quiet("SPOP s x", Error::NOT_POSITIVE);
        db.check_quiet("SPOP s 1 2", Error::SYNTAX);
        db.check_quiet("SPOP s 0", [0_i64; 0]);
        db.check_quiet("SPOP text", Error::WRONG_TYPE);
        db.check_quiet("SPOP text 0", Error::WRONG_TYPE);
        db.check_quiet("SPOP text x", Error::NOT_POSITIVE);
        db.protocol = Protocol::Resp3;
        assert_eq!(db.run_raw(&[b"SPOP", b"missing", b"1"]), b"~0\r\n");
        assert!(db.run_raw(&[b"SPOP", b"s", b"1"]).starts_with(b"~1\r\n"));
    }

    #[test]
    fn srandmember_shows_members_and_keeps_them() {
        for (members, prefix) in [(50, ""), (50, "m"), (600, "m")] {
            let mut db = db(members, prefix);
            let shown = db.run("SRANDMEMBER s");
            db.check(&format!("SISMEMBER s {shown}"), 1);
            for count in [1, 10, 45, 50] {
                let shown = words(&db.run(&format!("SRANDMEMBER s {count}")));
                let different: BTreeSet<_> = shown.iter().collect();
                assert_eq!((shown.len(), different.len()), (count, count));
            }
            assert_eq!(words(&db.run("SRANDMEMBER s 9223372036854775807")).len(), members);
            assert_eq!(words(&db.run("SRANDMEMBER s -2000")).len(), 2000);
            db.check_quiet("SRANDMEMBER s 0", [0_i64; 0]);
            db.check("SCARD s", members as i64);
        }
    }

    #[test]
    fn srandmember_judges_its_count_first() {
        let mut db = db(2, "m");
        db.run("SET text x");
        db.check_quiet("SRANDMEMBER missing", Null);
        db.check_quiet("SRANDMEMBER missing 3", [0_i64; 0]);
        db.check_quiet("SRANDMEMBER text", Error::WRONG_TYPE);
        db.check_quiet("SRANDMEMBER text x", Error::NOT_AN_INTEGER);
        db.check_quiet("SRANDMEMBER s -9223372036854775808", Error::INT_RANGE);
        db.check_quiet("SRANDMEMBER s -9223372036854775807", Error::OUT_OF_RANGE);
        db.check_quiet("SRANDMEMBER missing -9223372036854775807", [0_i64; 0]);
        db.check_quiet("SRANDMEMBER s 1 2", Error::SYNTAX);
    }
}
