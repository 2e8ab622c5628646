//! Elements by their index: reading, replacing, trimming.

use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_values::{Collection, List};
use std::ops::Range;

pub(super) const LLEN: Command = Command::new(Group::List, "LLEN", "key", llen)
    .summary("Replies the number of elements of a list.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn llen(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let list = data.read::<List>(&args.key())?;
    reply.count(list.map_or(0, |list| list.len()));
    Ok(())
}

pub(super) const LINDEX: Command = Command::new(Group::List, "LINDEX", "key index", lindex)
    .summary("Replies the element at an index; a negative one counts from the end.")
    .cost("O(log N), N elements; O(1) for the first and the last")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

fn lindex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let Some(list) = data.read::<List>(&args.key())? else {
        reply.null();
        return Ok(());
    };
    match list.get(args.int()?) {
        Some(item) => reply_item(reply, item),
        None => reply.null(),
    }
    Ok(())
}

pub(super) const LSET: Command = Command::new(Group::List, "LSET", "key index element", lset)
    .summary("Replaces the element at an index; a negative one counts from the end.")
    .cost("O(log N), N elements; O(1) for the first and the last")
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .flags(WRITE | DENYOOM);

fn lset(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let limits = data.limits();
    let Some(mut edit) = data.edit::<List>(&key)? else { return Err(Error::NO_SUCH_KEY) };
    let index = match args.int() {
        Ok(index) if edit.as_ref().get(index).is_some() => index,
        other => {
            edit.cancel();
            return Err(other.err().unwrap_or(Error::INDEX_OUT_OF_RANGE));
        }
    };
    let element = args.word();
    let list: &mut List = &mut edit;
    list.prepare(1, element.len(), limits);
    list.set(index, element);
    // A long element may have given way to a short one.
    list.settle(limits);
    edit.finish();
    data.changed(&key, Class::LIST, "lset");
    reply.ok();
    Ok(())
}

pub(super) const LRANGE: Command = Command::new(Group::List, "LRANGE", "key start stop", lrange)
    .summary("Replies the elements from one index to another; negative ones count from the end.")
    .cost("O(log N + M), N elements of which M are replied")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

fn lrange(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (start, stop) = (args.int()?, args.int()?);
    let Some(list) = data.read::<List>(&key)? else {
        reply.array(0);
        return Ok(());
    };
    let range = existing(start, stop, list.len());
    reply.array(range.len());
    for item in list.range(range) {
        reply_item(reply, item);
    }
    Ok(())
}

/// The indices from `start` to `stop`, that one too, of a list of this length; negative ones count from the end.
fn existing(start: i64, stop: i64, length: usize) -> Range<usize> {
    let from_start = |index: i64| match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(index.unsigned_abs() as usize),
    };
    let start = from_start(start).unwrap_or(0);
    let end = from_start(stop).map_or(0, |stop| stop.saturating_add(1)).min(length);
    if start < end { start..end } else { 0..0 }
}

pub(super) const LTRIM: Command = Command::new(Group::List, "LTRIM", "key start stop", ltrim)
    .summary("Removes all elements but those from one index to another; negative ones count from the end.")
    .cost("O(N), N elements removed")
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .flags(WRITE);

fn ltrim(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (start, stop) = (args.int()?, args.int()?);
    let limits = data.limits();
    reply.ok();
    let Some(mut edit) = data.edit::<List>(&key)? else { return Ok(()) };
    let length = edit.len();
    let kept = existing(start, stop, length);
    let removed = length - kept.len();
    if removed == 0 {
        edit.cancel();
        // Listeners hear of it all the same.
        data.event(Class::LIST, "ltrim", &key);
        return Ok(());
    }
    let list: &mut List = &mut edit;
    list.remove_range(kept.end..length);
    list.remove_range(0..kept.start);
    list.settle(limits);
    let emptied = edit.finish();
    data.changed_times(&key, Class::LIST, "ltrim", removed as u64);
    if emptied {
        data.deleted(&key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::existing;
    use crate::Error;
    use crate::testing::{Db, Null};

    fn db() -> Db {
        let mut db = Db::new();
        db.run("RPUSH l a b 3 d e");
        db.run("SET text x");
        db
    }

    #[test]
    fn indices_outside_are_brought_inside() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-100, 100, 0..5),
            (3, 1, 0..0),
            (5, 10, 0..0),
            (0, -6, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MAX, 0..0),
            (i64::MIN, i64::MIN, 0..0),
        ] {
            assert_eq!(existing(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(existing(0, -1, 0), 0..0);
    }

    #[test]
    fn lrange_replies_a_part() {
        let mut db = db();
        db.check_quiet("LRANGE l 0 -1", ["a", "b", "3", "d", "e"]);
        db.check_quiet("LRANGE l 1 2", ["b", "3"]);
        db.check_quiet("LRANGE l -2 100", ["d", "e"]);
        db.check_quiet("LRANGE l 3 2", [0_i64; 0]);
        db.check_quiet("LRANGE missing 0 -1", [0_i64; 0]);
        db.check_quiet("LRANGE missing x 1", Error::NOT_AN_INTEGER);
        db.check_quiet("LRANGE text 0 x", Error::NOT_AN_INTEGER);
        db.check_quiet("LRANGE text 0 1", Error::WRONG_TYPE);
    }

    #[test]
    fn lindex_looks_at_the_key_before_the_index() {
        let mut db = db();
        db.check_quiet("LINDEX l 2", "3");
        db.check_quiet("LINDEX l -1", "e");
        db.check_quiet("LINDEX l 5", Null);
        db.check_quiet("LINDEX l -6", Null);
        db.check_quiet("LINDEX l -9223372036854775808", Null);
        db.check_quiet("LINDEX missing x", Null);
        db.check_quiet("LINDEX l x", Error::NOT_AN_INTEGER);
        db.check_quiet("LINDEX text x", Error::WRONG_TYPE);
        db.check_quiet("LLEN l", 5);
        db.check_quiet("LLEN missing", 0);
        db.check_quiet("LLEN text", Error::WRONG_TYPE);
    }

    #[test]
    fn lset_replaces_an_element_that_exists() {
        let mut db = db();
        db.check("LSET l 1 17", "OK");
        assert_eq!(db.events(), ["lset l"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("LSET l -1 last", "OK");
        db.check("LRANGE l 0 -1", ["a", "17", "3", "d", "last"]);
        db.check_quiet("LSET l 5 x", Error::INDEX_OUT_OF_RANGE);
        db.check_quiet("LSET l -6 x", Error::INDEX_OUT_OF_RANGE);
        db.check_quiet("LSET l x x", Error::NOT_AN_INTEGER);
        db.check_quiet("LSET missing x x", Error::NO_SUCH_KEY);
        db.check_quiet("LSET text x x", Error::WRONG_TYPE);
    }

    #[test]
    fn ltrim_keeps_a_part() {
        let mut db = db();
        db.check("LTRIM l 1 3", "OK");
        assert_eq!((db.events(), db.effects.changes), (vec!["ltrim l".into()], 2));
        assert_eq!(db.logged(), "verbatim");
        db.check("LRANGE l 0 -1", ["b", "3", "d"]);
        db.check_quiet("LTRIM l 0 -1", "OK");
        assert_eq!(db.events(), ["ltrim l"]);
        db.check("LTRIM l 2 1", "OK");
        assert_eq!(db.events(), ["ltrim l", "del l"]);
        db.check_quiet("LTRIM l 0 1", "OK");
        assert!(db.events().is_empty());
        db.check_quiet("LTRIM text 0 x", Error::NOT_AN_INTEGER);
        db.check_quiet("LTRIM text 0 1", Error::WRONG_TYPE);
    }
}
