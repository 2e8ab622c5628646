//! Popping and moving that waits until there is something to take.

use super::ends::pop_one;
use super::moves::move_one;
use super::several::{Amount, end_and_count, move_many, pop_from_first};
use super::{end, end_word};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Key, Locked, Reply, timeout};
use ochre_values::list::End;

pub(super) const BLPOP: Command = Command::new(Group::List, "BLPOP", "key [key ...] timeout", blpop)
    .summary("Removes and replies the first element of the first list that has any, waiting for one if need be.")
    .cost("O(N), N keys")
    .since("2.0.0")
    .history(&[("6.0.0", "The timeout may have a fraction.")])
    .keys(&[KeySpec::span(1, -2, 1, RW | ACCESS | DELETE)])
    .flags(WRITE | BLOCKING);

fn blpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop_or_wait(data, args, End::Left, reply)
}

pub(super) const BRPOP: Command = Command::new(Group::List, "BRPOP", "key [key ...] timeout", brpop)
    .summary("Removes and replies the last element of the first list that has any, waiting for one if need be.")
    .cost("O(N), N keys")
    .since("2.0.0")
    .history(&[("6.0.0", "The timeout may have a fraction.")])
    .keys(&[KeySpec::span(1, -2, 1, RW | ACCESS | DELETE)])
    .flags(WRITE | BLOCKING);

fn brpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop_or_wait(data, args, End::Right, reply)
}

fn pop_or_wait(data: &mut Locked<'_>, args: &mut Args<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let first = args.position();
    let keys = args.remaining() - 1;
    args.seek(first + keys);
    let timeout_ms = timeout::seconds(args, data.now_ms())?;
    args.seek(first);
    let mark = reply.mark();
    for _ in 0..keys {
        let key = args.key();
        reply.array(2);
        reply.bulk(key.bytes());
        if pop_one(data, &key, end, reply)? {
            let name: &[u8] = if end == End::Left { b"LPOP" } else { b"RPOP" };
            data.log(&[name, key.bytes()]);
            return Ok(());
        }
        reply.truncate(mark);
    }
    args.seek(first);
    let keys: Vec<Key<'_>> = (0..keys).map(|_| args.key()).collect();
    data.block(&keys, timeout_ms, true);
    Ok(())
}

pub(super) const BLMPOP: Command =
    Command::new(Group::List, "BLMPOP", "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]", blmpop)
        .summary(
            "Removes elements at one end of the first of the given lists that has any, waiting for one if need be.",
        )
        .cost("O(N+M), N keys, M elements")
        .since("7.0.0")
        .keys(&[KeySpec::counted(2, RW | ACCESS | DELETE)])
        .flags(WRITE | BLOCKING);

fn blmpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let timeout_ms = timeout::seconds(args, data.now_ms())?;
    let keys = args.counted_keys(Error::SYNTAX)?;
    let (end, count) = end_and_count(args)?;
    if !pop_from_first(data, keys.clone(), end, count, reply)? {
        let keys: Vec<Key<'_>> = keys.collect();
        data.block(&keys, timeout_ms, true);
    }
    Ok(())
}

pub(super) const BLMOVE: Command =
    Command::new(Group::List, "BLMOVE", "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout", blmove)
        .summary("Takes an element from one list and puts it into another or the same, waiting for one if need be.")
        .cost("O(1)")
        .since("6.2.0")
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
        .flags(WRITE | DENYOOM | BLOCKING);

fn blmove(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination) = (args.key(), args.key());
    let ends = (end(args)?, end(args)?);
    let timeout_ms = timeout::seconds(args, data.now_ms())?;
    if move_one(data, &source, &destination, ends, reply)? {
        data.log(&[b"LMOVE", source.bytes(), destination.bytes(), end_word(ends.0), end_word(ends.1)]);
    } else {
        data.block(&[source], timeout_ms, false);
    }
    Ok(())
}

pub(super) const BRPOPLPUSH: Command =
    Command::new(Group::List, "BRPOPLPUSH", "source destination timeout", brpoplpush)
        .summary(
            "Takes the last element of a list and puts it before the first of another, waiting for one if need be.",
        )
        .cost("O(1)")
        .since("2.2.0")
        .history(&[("6.0.0", "The timeout may have a fraction.")])
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
        .flags(WRITE | DENYOOM | BLOCKING);

fn brpoplpush(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination) = (args.key(), args.key());
    let timeout_ms = timeout::seconds(args, data.now_ms())?;
    if move_one(data, &source, &destination, (End::Right, End::Left), reply)? {
        data.log(&[b"RPOPLPUSH", source.bytes(), destination.bytes()]);
    } else {
        data.block(&[source], timeout_ms, false);
    }
    Ok(())
}

pub(super) const BLMOVEM: Command = Command::new(
    Group::List,
    "BLMOVEM",
    "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    blmovem,
)
.summary("Takes elements from one list and puts them into another or the same, waiting until there are enough.")
.cost("O(N), N elements moved")
.since("8.10.0")
.keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
.flags(WRITE | DENYOOM | BLOCKING);

fn blmovem(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination) = (args.key(), args.key());
    let ends = (end(args)?, end(args)?);
    let timeout_ms = timeout::seconds(args, data.now_ms())?;
    let options = args.clone().rest();
    let amount = Amount::read(args)?;
    if move_many(data, &source, &destination, ends, amount, reply)? {
        let mut words: Vec<&[u8]> = vec![b"LMOVEM", source.bytes(), destination.bytes()];
        words.extend([end_word(ends.0), end_word(ends.1)]);
        words.extend(options);
        data.log(&words);
    } else {
        data.block(&[source], timeout_ms, true);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn pops_take_from_the_first_key_that_has_any() {
        let mut db = Db::new();
        db.run("RPUSH b 1 2 3");
        db.check("BLPOP a b c 0", ["b", "1"]);
        assert_eq!((db.events(), db.logged()), (vec!["lpop b".into()], "LPOP b".into()));
        db.check("BRPOP a b 0", ["b", "3"]);
        assert_eq!(db.logged(), "RPOP b");
        db.check("BLPOP b b 0.5", ["b", "2"]);
        assert_eq!(db.events(), ["lpop b", "del b"]);
    }

    #[test]
    fn pops_wait_where_there_is_nothing() {
        let mut db = Db::new();
        db.check_quiet("BLPOP a b 1.5", "waits for a b, 1500 ms");
        db.check_quiet("BRPOP a 0", "waits for a, 0 ms");
        db.check_quiet("BLMPOP 0.01 2 a b RIGHT COUNT 3", "waits for a b, 10 ms");
        db.check_quiet("BLMOVE a b LEFT LEFT 2", "waits for a, 2000 ms");
        db.check_quiet("BRPOPLPUSH a b 0", "waits for a, 0 ms");
        db.check_quiet("BLMOVEM a b LEFT RIGHT 0", "waits for a, 0 ms");
        // As in the peers, null has two forms where nobody can wait.
        let array = |db: &Db| db.effects.block.as_ref().map(|block| block.null_is_array);
        db.run("BLPOP a 0");
        assert_eq!(array(&db), Some(true));
        db.run("BLMOVE a b LEFT LEFT 0");
        assert_eq!(array(&db), Some(false));
        db.run("BRPOPLPUSH a b 0");
        assert_eq!(array(&db), Some(false));
    }

    #[test]
    fn a_key_of_another_type_is_an_error_at_once() {
        let mut db = Db::new();
        db.run("SET text x");
        db.run("RPUSH l a");
        for line in [
            "BLPOP text 0",
            "BRPOP missing text 0",
            "BLMPOP 0 2 missing text LEFT",
            "BLMOVE text l LEFT LEFT 0",
            "BLMOVE l text LEFT LEFT 0",
            "BRPOPLPUSH l text 0",
            "BLMOVEM l text LEFT LEFT 0",
        ] {
            db.check_quiet(line, Error::WRONG_TYPE);
        }
        db.check_quiet("BLMOVE missing text LEFT LEFT 1", "waits for missing, 1000 ms");
        db.check("BLPOP l text 0", ["l", "a"]);
    }

    #[test]
    fn timeouts_are_judged_before_keys_and_after_ends() {
        let mut db = Db::new();
        db.run("SET text x");
        db.check_quiet("BLPOP text a", Error::TIMEOUT_NOT_A_FLOAT);
        db.check_quiet("BRPOP text -1", Error::TIMEOUT_NEGATIVE);
        db.check_quiet("BLMPOP inf 0 text LEFT", Error::TIMEOUT_OUT_OF_RANGE);
        db.check_quiet("BLMPOP 0 0 text LEFT", Error::NUMKEYS);
        db.check_quiet("BLMPOP 0 2 text LEFT", Error::SYNTAX);
        db.check_quiet("BLMPOP 0 1 text UP", Error::SYNTAX);
        db.check_quiet("BLMPOP 0 1 text LEFT COUNT 0", Error::COUNT_NOT_POSITIVE);
        db.check_quiet("BLMOVE text l LEFT UP x", Error::SYNTAX);
        db.check_quiet("BLMOVE text l LEFT LEFT x", Error::TIMEOUT_NOT_A_FLOAT);
        db.check_quiet("BRPOPLPUSH text l nan", Error::TIMEOUT_NOT_A_FLOAT);
        db.check_quiet("BLMOVEM text l LEFT LEFT x COUNT 1", Error::TIMEOUT_NOT_A_FLOAT);
        db.check_quiet("BLMOVEM text l LEFT LEFT 0 COUNT 1", Error::SYNTAX);
    }

    #[test]
    fn what_is_logged_needs_no_waiting() {
        let mut db = Db::new();
        db.run("RPUSH a 1 2 3 4 5 6");
        db.check("BLMPOP 0 1 a LEFT COUNT 2", "[a [1 2]]");
        assert_eq!(db.logged(), "LPOP a 2");
        db.check("BLMOVE a b left RIGHT 0", "3");
        assert_eq!(db.logged(), "LMOVE a b LEFT RIGHT");
        db.check("BRPOPLPUSH a b 0", "6");
        assert_eq!(db.logged(), "RPOPLPUSH a b");
        db.check("BLMOVEM a b LEFT RIGHT 0 EXACTLY 2 BULK", ["4", "5"]);
        assert_eq!(db.logged(), "LMOVEM a b LEFT RIGHT EXACTLY 2 BULK");
        db.check("LRANGE b 0 -1", ["6", "3", "4", "5"]);
    }

    #[test]
    fn blmovem_waits_until_there_are_exactly_so_many() {
        let mut db = Db::new();
        db.run("RPUSH a 1 2");
        db.check_quiet("BLMOVEM a b LEFT LEFT 0 EXACTLY 3 OBO", "waits for a, 0 ms");
        db.run("RPUSH a 3");
        db.check("BLMOVEM a b LEFT LEFT 0 EXACTLY 3 OBO", ["3", "2", "1"]);
        db.check_quiet("BLMOVEM a b LEFT LEFT 0 COUNT 3 BULK", "waits for a, 0 ms");
    }
}
