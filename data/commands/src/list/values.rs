//! Elements by what they are: finding, removing, inserting beside them.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_text::case;
use ochre_values::list::{End, Needle};
use ochre_values::{Collection, List};

pub(super) const LINSERT: Command = Command::new(Group::List, "LINSERT", "key <BEFORE | AFTER> pivot element", linsert)
    .summary(
        "Inserts an element before or after the first one that is the pivot; replies the length, or -1 without pivot.",
    )
    .cost("O(N), N elements up to the pivot")
    .since("2.2.0")
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .flags(WRITE | DENYOOM);

fn linsert(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, place, pivot, element) = (args.key(), args.word(), args.word(), args.word());
    let after = case::is(place, "AFTER");
    if !after && !case::is(place, "BEFORE") {
        return Err(Error::SYNTAX);
    }
    let limits = data.limits();
    let Some(mut edit) = data.edit::<List>(&key)? else {
        reply.count(0);
        return Ok(());
    };
    let Some(index) = edit.as_ref().find(pivot) else {
        edit.cancel();
        reply.integer(-1);
        return Ok(());
    };
    let list: &mut List = &mut edit;
    list.prepare(1, element.len(), limits);
    list.insert(index + usize::from(after), element);
    let length = list.len();
    edit.finish();
    data.changed(&key, Class::LIST, "linsert");
    // BLMOVEM may wait for a list to grow.
    data.note_ready(&key);
    reply.count(length);
    Ok(())
}

pub(super) const LREM: Command = Command::new(Group::List, "LREM", "key count element", lrem)
    .summary("Removes elements that are the given one: the first count, the last ones for a negative count, all for 0.")
    .cost("O(N), N elements")
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .flags(WRITE);

fn lrem(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (limit, from) = match args.int()? {
        i64::MIN => return Err(Error::INT_RANGE),
        0 => (usize::MAX, End::Left),
        count if count < 0 => (count.unsigned_abs() as usize, End::Right),
        count => (count as usize, End::Left),
    };
    let element = args.word();
    let limits = data.limits();
    let Some(mut edit) = data.edit::<List>(&key)? else {
        reply.count(0);
        return Ok(());
    };
    let list: &mut List = &mut edit;
    let removed = list.remove_equal(element, limit, from);
    if removed == 0 {
        edit.cancel();
    } else {
        list.settle(limits);
        let emptied = edit.finish();
        data.changed_times(&key, Class::LIST, "lrem", removed as u64);
        if emptied {
            data.deleted(&key);
        }
    }
    reply.count(removed);
    Ok(())
}

pub(super) const LPOS: Command =
    Command::new(Group::List, "LPOS", "key element [RANK rank] [COUNT num-matches] [MAXLEN len]", lpos)
        .summary("Replies the index of an element, or those of several elements that are the given one.")
        .cost("O(N), N elements looked at")
        .since("6.0.6")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn lpos(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let element = args.word();
    let search = Search::read(args)?;
    let Some(list) = data.read::<List>(&key)? else {
        match search.wanted {
            Wanted::One => reply.null(),
            Wanted::UpTo(_) => reply.array(0),
        }
        return Ok(());
    };
    let needle = Needle::new(element);
    let length = list.len();
    let is_wanted = |(_, item): &(usize, _)| needle.is(*item);
    let mut from_left;
    let mut from_right;
    let found: &mut dyn Iterator<Item = usize> = match search.from {
        End::Left => {
            from_left = list.iter().take(search.visits).enumerate().filter(is_wanted).map(|(index, _)| index);
            &mut from_left
        }
        End::Right => {
            let items = list.iter_rev().take(search.visits).enumerate();
            from_right = items.filter(is_wanted).map(|(distance, _)| length - 1 - distance);
            &mut from_right
        }
    };
    let mut found = found.skip(search.skips);
    match search.wanted {
        Wanted::One => match found.next() {
            Some(index) => reply.count(index),
            None => reply.null(),
        },
        Wanted::UpTo(count) => {
            let array = reply.array_deferred();
            let mut matches = 0;
            for index in found.take(count) {
                reply.count(index);
                matches += 1;
            }
            reply.set_len(array, matches);
        }
    }
    Ok(())
}

/// What LPOS looks for.
struct Search {
    from: End,
    /// Matches to pass over.
    skips: usize,
    /// Elements to look at, at most.
    visits: usize,
    wanted: Wanted,
}

enum Wanted {
    /// One index, or null.
    One,
    /// An array of at most so many.
    UpTo(usize),
}

impl Search {
    /// Reads the options up to the last word.
    fn read(args: &mut Args<'_>) -> Result<Search, Error> {
        let mut search = Search { from: End::Left, skips: 0, visits: usize::MAX, wanted: Wanted::One };
        while let Some(option) = args.next() {
            if args.remaining() == 0 {
                return Err(Error::SYNTAX);
            }
            // 0 means all of them.
            let most = |count: i64| if count == 0 { usize::MAX } else { count as usize };
            if case::is(option, "RANK") {
                let rank = match args.int()? {
                    i64::MIN => return Err(Error::INT_RANGE),
                    0 => return Err(Error::RANK_ZERO),
                    rank => rank,
                };
                search.from = if rank < 0 { End::Right } else { End::Left };
                search.skips = rank.unsigned_abs() as usize - 1;
            } else if case::is(option, "COUNT") {
                search.wanted = Wanted::UpTo(most(args.int_from(0, Error::NEGATIVE_COUNT)?));
            } else if case::is(option, "MAXLEN") {
                search.visits = most(args.int_from(0, Error::NEGATIVE_MAXLEN)?);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(search)
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    fn db() -> Db {
        let mut db = Db::new();
        db.run("RPUSH l a b c 1 2 3 c c");
        db.run("SET text x");
        db
    }

    #[test]
    fn linsert_puts_an_element_beside_the_first_pivot() {
        let mut db = db();
        db.check("LINSERT l before c x", 9);
        assert_eq!(db.events(), ["linsert l"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("LINSERT l AFTER c y", 10);
        db.check("LINSERT l BEFORE a first", 11);
        db.check("RPUSH l end", 12);
        db.check("LINSERT l AFTER end last", 13);
        db.check("LRANGE l 0 -1", ["first", "a", "b", "x", "c", "y", "1", "2", "3", "c", "c", "end", "last"]);
        db.check_quiet("LINSERT l AFTER missing x", -1);
        db.check_quiet("LINSERT missing AFTER a x", 0);
        db.check_quiet("LINSERT missing BESIDE a x", Error::SYNTAX);
        db.check_quiet("LINSERT text AFTER a x", Error::WRONG_TYPE);
    }

    #[test]
    fn lrem_removes_from_either_end() {
        let mut db = db();
        db.check("LREM l 1 c", 1);
        assert_eq!(db.events(), ["lrem l"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("LRANGE l 0 -1", ["a", "b", "1", "2", "3", "c", "c"]);
        db.check("LREM l -1 c", 1);
        db.check("RPUSH l x c", 8);
        db.check("LREM l -1 c", 1);
        db.check("LRANGE l 0 -1", ["a", "b", "1", "2", "3", "c", "x"]);
        db.check("LREM l 5 2", 1);
        db.check_quiet("LREM l 0 2", 0);
        db.run("DEL l");
        db.run("RPUSH l a a a");
        db.check("LREM l 0 a", 3);
        assert_eq!((db.events(), db.effects.changes), (vec!["lrem l".into(), "del l".into()], 3));
        db.check_quiet("LREM missing 0 a", 0);
        db.check_quiet("LREM missing x a", Error::NOT_AN_INTEGER);
        db.check_quiet("LREM text -9223372036854775808 a", Error::INT_RANGE);
        db.check_quiet("LREM text 0 a", Error::WRONG_TYPE);
    }

    #[test]
    fn lpos_replies_the_first_index() {
        let mut db = db();
        db.check_quiet("LPOS l a", 0);
        db.check_quiet("LPOS l c", 2);
        db.check_quiet("LPOS l 3", 5);
        db.check_quiet("LPOS l x", Null);
        db.check_quiet("LPOS l c RANK 2", 6);
        db.check_quiet("LPOS l c RANK 4", Null);
        db.check_quiet("LPOS l c rank -1", 7);
        db.check_quiet("LPOS l c RANK -9223372036854775807", Null);
        db.check_quiet("LPOS l c MAXLEN 2", Null);
        db.check_quiet("LPOS l c MAXLEN 3", 2);
        db.check_quiet("LPOS l a RANK -1 MAXLEN 7", Null);
        db.check_quiet("LPOS missing c", Null);
    }

    #[test]
    fn lpos_with_count_replies_several() {
        let mut db = db();
        db.check_quiet("LPOS l c COUNT 0", [2, 6, 7]);
        db.check_quiet("LPOS l c COUNT 2", [2, 6]);
        db.check_quiet("LPOS l c COUNT 0 RANK 2", [6, 7]);
        db.check_quiet("LPOS l c COUNT 2 RANK -1", [7, 6]);
        db.check_quiet("LPOS l c COUNT 0 MAXLEN 7 RANK 2", [6]);
        db.check_quiet("LPOS l x COUNT 0", [0_i64; 0]);
        db.check_quiet("LPOS missing x COUNT 9", [0_i64; 0]);
    }

    #[test]
    fn lpos_judges_its_options_first() {
        let mut db = db();
        db.check_quiet("LPOS missing a RANK 0", Error::RANK_ZERO);
        db.check_quiet("LPOS missing a RANK x", Error::NOT_AN_INTEGER);
        db.check_quiet("LPOS missing a RANK -9223372036854775808", Error::INT_RANGE);
        db.check_quiet("LPOS missing a COUNT -1", Error::NEGATIVE_COUNT);
        db.check_quiet("LPOS missing a MAXLEN x", Error::NEGATIVE_MAXLEN);
        db.check_quiet("LPOS missing a COUNT", Error::SYNTAX);
        db.check_quiet("LPOS missing a WHAT 1", Error::SYNTAX);
        db.check_quiet("LPOS text a", Error::WRONG_TYPE);
    }
}
