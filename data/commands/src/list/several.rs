//! Several elements at once: from the first list that has any, or from one list to another.

use super::ends::{pop_many, popped};
use super::moves::can_move;
use super::{end, pop_event, push_event};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_text::{case, number};
use ochre_values::list::End;
use ochre_values::{Collection, List};

pub(super) const LMPOP: Command = Command::new(
    Group::List,
    "LMPOP",
    "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    lmpop,
)
.summary("Removes elements at one end of the first of the given lists that exists; replies its key and the elements.")
.cost("O(N+M), N keys, M elements")
.since("7.0.0")
.keys(&[KeySpec::counted(1, RW | ACCESS | DELETE)])
.flags(WRITE);

fn lmpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys = args.counted_keys(Error::SYNTAX)?;
    let (end, count) = end_and_count(args)?;
    if !pop_from_first(data, keys, end, count, reply)? {
        reply.null_array();
    }
    Ok(())
}

/// Reads `<LEFT | RIGHT> [COUNT count]` up to the last word.
pub(super) fn end_and_count(args: &mut Args<'_>) -> Result<(End, usize), Error> {
    let end = end(args)?;
    let mut count = None;
    while args.remaining() > 0 {
        if count.is_some() || !args.option("COUNT") || args.remaining() == 0 {
            return Err(Error::SYNTAX);
        }
        count = Some(args.int_from(1, Error::COUNT_NOT_POSITIVE)? as usize);
    }
    Ok((end, count.unwrap_or(1)))
}

/// Pops up to `count` elements of the first key that is a list and replies the key and the elements; `false`, and no reply,
/// when none is. Logged is the pop alone: what LMPOP does, and BLMPOP once there is something to pop.
pub(super) fn pop_from_first<'k>(
    data: &mut Locked<'_>,
    keys: impl Iterator<Item = Key<'k>>,
    end: End,
    count: usize,
    reply: &mut Reply<'_>,
) -> Result<bool, Error> {
    let mark = reply.mark();
    for key in keys {
        reply.array(2);
        reply.bulk(key.bytes());
        if let Some(popped) = pop_many(data, &key, end, count, reply)? {
            if data.log_wanted() {
                let mut digits = Vec::with_capacity(20);
                number::write_u64(&mut digits, popped as u64);
                let name = if end == End::Left { b"LPOP" } else { b"RPOP" };
                data.log(&[name, key.bytes(), &digits]);
            }
            return Ok(true);
        }
        reply.truncate(mark);
    }
    Ok(false)
}

pub(super) const LMOVEM: Command = Command::new(
    Group::List,
    "LMOVEM",
    "source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    lmovem,
)
.summary("Takes elements from one end of a list and puts them at one end of another, or of the same.")
.cost("O(N), N elements moved")
.since("8.10.0")
.keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
.flags(WRITE | DENYOOM);

fn lmovem(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination) = (args.key(), args.key());
    let ends = (end(args)?, end(args)?);
    let amount = Amount::read(args)?;
    if !move_many(data, &source, &destination, ends, amount, reply)? {
        reply.null_array();
    }
    Ok(())
}

/// How many elements are to move, and how they come to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) count: usize,
    /// All of them or none.
    pub(super) exactly: bool,
    /// Each is put before or after the one that went ahead of it, as if they moved one by one; else they keep their order.
    one_by_one: bool,
}

impl Amount {
    /// Reads `[<COUNT count | EXACTLY exactly> <OBO | BULK>]` up to the last word; nothing is one element.
    pub(super) fn read(args: &mut Args<'_>) -> Result<Amount, Error> {
        if args.remaining() == 0 {
            return Ok(Amount { count: 1, exactly: false, one_by_one: false });
        }
        if args.remaining() != 3 {
            return Err(Error::SYNTAX);
        }
        let exactly = args.option("EXACTLY");
        if !exactly && !args.option("COUNT") {
            return Err(Error::SYNTAX);
        }
        let count = args.int_from(1, Error::COUNT_NOT_POSITIVE)? as usize;
        let order = args.word();
        let one_by_one = case::is(order, "OBO");
        if !one_by_one && !case::is(order, "BULK") {
            return Err(Error::SYNTAX);
        }
        Ok(Amount { count, exactly, one_by_one })
    }
}

/// Moves elements and replies them in the order in which they lie then; `false`, and no reply, when there are not enough.
///
/// What LMOVEM does, and BLMOVEM once there is enough to move. With one key listeners hear of the pop first, with two of the push,
/// as in Redis 8.10.
pub(super) fn move_many(
    data: &mut Locked<'_>,
    source: &Key<'_>,
    destination: &Key<'_>,
    (from, to): (End, End),
    amount: Amount,
    reply: &mut Reply<'_>,
) -> Result<bool, Error> {
    if !can_move(data, source, destination)? {
        return Ok(false);
    }
    let limits = data.limits();
    let Some(mut edit) = data.edit::<List>(source)? else { return Ok(false) };
    let length = edit.len();
    if amount.exactly && length < amount.count {
        edit.cancel();
        return Ok(false);
    }
    let count = amount.count.min(length);
    let list: &mut List = &mut edit;
    let taken = match from {
        End::Left => 0..count,
        End::Right => length - count..length,
    };
    // In the order of the source.
    let mut elements: Vec<Vec<u8>> = list.view().range(taken.clone()).map(|item| item.to_vec()).collect();
    list.remove_range(taken);
    // One by one, those that are taken from and put to the same side come to lie the other way round.
    if amount.one_by_one && from == to {
        elements.reverse();
    }
    let bytes = elements.iter().map(Vec::len).sum();
    let put = |list: &mut List| {
        list.prepare(count, bytes, limits);
        match to {
            End::Left => elements.iter().rev().for_each(|element| list.push(End::Left, element)),
            End::Right => elements.iter().for_each(|element| list.push(End::Right, element)),
        }
    };
    if source == destination {
        put(list);
        list.settle(limits);
        edit.finish();
        data.changed_times(source, Class::LIST, pop_event(from), count as u64);
        data.event(Class::LIST, push_event(to), source);
    } else {
        list.settle(limits);
        let emptied = edit.finish();
        let mut edit = data.edit_or_new::<List>(destination)?;
        put(&mut edit);
        edit.finish();
        data.touch_watchers(destination);
        data.event(Class::LIST, push_event(to), destination);
        popped(data, source, from, count, emptied);
    }
    reply.array(count);
    elements.iter().for_each(|element| reply.bulk(element));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn lmpop_takes_from_the_first_list_that_exists() {
        let mut db = Db::new();
        db.check_quiet("LMPOP 2 a b LEFT", Null);
        assert_eq!(db.run_raw(&[b"LMPOP", b"1", b"a", b"LEFT"]), b"*-1\r\n");
        db.run("RPUSH b 1 2 3 4 5");
        db.check("LMPOP 2 a b LEFT", "[b [1]]");
        assert_eq!(db.events(), ["lpop b"]);
        assert_eq!(db.logged(), "LPOP b 1");
        db.check("LMPOP 2 a b right count 2", "[b [5 4]]");
        assert_eq!((db.logged().as_str(), db.effects.changes), ("RPOP b 2", 2));
        db.check("LMPOP 1 b LEFT COUNT 9223372036854775807", "[b [2 3]]");
        assert_eq!(db.events(), ["lpop b", "del b"]);
        assert_eq!(db.logged(), "LPOP b 2");
    }

    #[test]
    fn lmpop_judges_its_words_first() {
        let mut db = Db::new();
        db.run("SET text x");
        db.check_quiet("LMPOP 0 text LEFT", Error::NUMKEYS);
        db.check_quiet("LMPOP x text LEFT", Error::NUMKEYS);
        db.check_quiet("LMPOP 2 text LEFT", Error::SYNTAX);
        db.check_quiet("LMPOP 9223372036854775807 text LEFT", Error::SYNTAX);
        db.check_quiet("LMPOP 1 text UP", Error::SYNTAX);
        db.check_quiet("LMPOP 1 text LEFT COUNT 0", Error::COUNT_NOT_POSITIVE);
        db.check_quiet("LMPOP 1 text LEFT COUNT x", Error::COUNT_NOT_POSITIVE);
        db.check_quiet("LMPOP 1 text LEFT COUNT", Error::SYNTAX);
        db.check_quiet("LMPOP 1 text LEFT COUNT 1 COUNT 1", Error::SYNTAX);
        db.check_quiet("LMPOP 1 text LEFT", Error::WRONG_TYPE);
        db.check_quiet("LMPOP 2 missing text LEFT", Error::WRONG_TYPE);
        db.run("RPUSH l a");
        db.check("LMPOP 2 l text LEFT", "[l [a]]");
    }

    /// The lists a = 1 2 3 4 5 and b = x y.
    fn db() -> Db {
        let mut db = Db::new();
        db.run("RPUSH a 1 2 3 4 5");
        db.run("RPUSH b x y");
        db
    }

    #[track_caller]
    fn check_move(words: &str, moved: &str, source: &str, destination: &str) {
        let mut db = db();
        db.check(&format!("LMOVEM a b {words}"), moved);
        assert_eq!(db.logged(), "verbatim");
        db.check("LRANGE a 0 -1", source);
        db.check("LRANGE b 0 -1", destination);
    }

    #[test]
    fn lmovem_moves_several_one_by_one_or_together() {
        check_move("LEFT LEFT", "[1]", "[2 3 4 5]", "[1 x y]");
        check_move("RIGHT RIGHT", "[5]", "[1 2 3 4]", "[x y 5]");
        check_move("LEFT LEFT COUNT 3 OBO", "[3 2 1]", "[4 5]", "[3 2 1 x y]");
        check_move("LEFT LEFT COUNT 3 BULK", "[1 2 3]", "[4 5]", "[1 2 3 x y]");
        check_move("LEFT RIGHT COUNT 2 OBO", "[1 2]", "[3 4 5]", "[x y 1 2]");
        check_move("LEFT RIGHT EXACTLY 2 BULK", "[1 2]", "[3 4 5]", "[x y 1 2]");
        check_move("RIGHT RIGHT COUNT 2 OBO", "[5 4]", "[1 2 3]", "[x y 5 4]");
        check_move("RIGHT LEFT COUNT 2 BULK", "[4 5]", "[1 2 3]", "[4 5 x y]");
        check_move("RIGHT LEFT COUNT 2 OBO", "[4 5]", "[1 2 3]", "[4 5 x y]");
        check_move("right left count 9 bulk", "[1 2 3 4 5]", "[]", "[1 2 3 4 5 x y]");
    }

    #[test]
    fn lmovem_tells_listeners_of_both_lists() {
        let mut db = db();
        db.run("LMOVEM a b LEFT RIGHT COUNT 9 BULK");
        assert_eq!((db.events(), db.effects.changes), (["rpush b", "lpop a", "del a"].map(String::from).to_vec(), 5));
        db.run("LMOVEM b b LEFT RIGHT");
        assert_eq!(db.events(), ["lpop b", "rpush b"]);
    }

    #[test]
    fn lmovem_within_one_list_turns_or_reverses_it() {
        let mut db = db();
        db.check("LMOVEM a a LEFT LEFT EXACTLY 2 OBO", ["2", "1"]);
        db.check("LRANGE a 0 -1", ["2", "1", "3", "4", "5"]);
        db.check("LMOVEM a a LEFT LEFT COUNT 3 BULK", ["2", "1", "3"]);
        db.check("LMOVEM a a LEFT RIGHT COUNT 2 BULK", ["2", "1"]);
        db.check("LRANGE a 0 -1", ["3", "4", "5", "2", "1"]);
        db.check("LMOVEM a a RIGHT LEFT COUNT 99 OBO", ["3", "4", "5", "2", "1"]);
    }

    #[test]
    fn lmovem_of_too_few_elements_is_null() {
        let mut db = db();
        db.check_quiet("LMOVEM a b LEFT LEFT EXACTLY 6 BULK", Null);
        db.check_quiet("LMOVEM missing b LEFT LEFT", Null);
        assert_eq!(db.run_raw(&[b"LMOVEM", b"missing", b"b", b"LEFT", b"LEFT"]), b"*-1\r\n");
        db.check("LLEN a", 5);
    }

    #[test]
    fn lmovem_judges_its_words_first() {
        let mut db = db();
        db.run("SET text x");
        for words in ["COUNT 1", "OBO", "COUNT 1 WHAT", "WHAT 1 OBO", "COUNT 1 OBO x", "OBO COUNT 1"] {
            db.check_quiet(&format!("LMOVEM text b LEFT LEFT {words}"), Error::SYNTAX);
        }
        db.check_quiet("LMOVEM text b LEFT UP", Error::SYNTAX);
        for count in ["0", "-1", "x"] {
            db.check_quiet(&format!("LMOVEM text b LEFT LEFT COUNT {count} WHAT"), Error::COUNT_NOT_POSITIVE);
        }
        db.check_quiet("LMOVEM text b LEFT LEFT COUNT 1 OBO", Error::WRONG_TYPE);
        db.check_quiet("LMOVEM a text LEFT LEFT COUNT 1 OBO", Error::WRONG_TYPE);
        db.check_quiet("LMOVEM missing text LEFT LEFT COUNT 1 OBO", Null);
        db.check("LLEN a", 5);
    }
}
