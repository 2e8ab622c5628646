//! Pushing and popping at either end of one list.

use super::{pop_event, push_event};
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Edit, Error, Key, Locked, Reply};
use ochre_resp::Args as Words;
use ochre_values::list::End;
use ochre_values::{Collection, List};

pub(super) const LPUSH: Command = Command::new(Group::List, "LPUSH", "key element [element ...]", lpush)
    .summary("Puts elements before the first of a list, one after the other; makes the list if there is none.")
    .cost("O(1) for each element")
    .history(&[("2.4.0", "Takes several elements.")])
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .flags(WRITE | DENYOOM | FAST);

fn lpush(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push_or_make(data, args, End::Left, reply)
}

pub(super) const RPUSH: Command = Command::new(Group::List, "RPUSH", "key element [element ...]", rpush)
    .summary("Appends elements to a list; makes the list if there is none.")
    .cost("O(1) for each element")
    .history(&[("2.4.0", "Takes several elements.")])
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .flags(WRITE | DENYOOM | FAST);

fn rpush(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push_or_make(data, args, End::Right, reply)
}

fn push_or_make(data: &mut Locked<'_>, args: &mut Args<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let limits = data.limits();
    let list = data.edit_or_new::<List>(&key)?;
    let pushed = args.rest();
    let length = push_all(list, pushed, end, limits);
    data.changed_times(&key, Class::LIST, push_event(end), pushed.len() as u64);
    reply.count(length);
    Ok(())
}

/// Pushes all words and returns the length afterwards.
fn push_all(mut edit: Edit<'_, List>, words: Words<'_>, end: End, limits: &ochre_values::Limits) -> usize {
    let list: &mut List = &mut edit;
    list.prepare(words.len(), words.bytes(), limits);
    for word in words {
        list.push(end, word);
    }
    let length = list.len();
    edit.finish();
    length
}

pub(super) const LPUSHX: Command = Command::new(Group::List, "LPUSHX", "key element [element ...]", lpushx)
    .summary("Puts elements before the first of a list that exists.")
    .cost("O(1) for each element")
    .since("2.2.0")
    .history(&[("4.0.0", "Takes several elements.")])
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .flags(WRITE | DENYOOM | FAST);

fn lpushx(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push_if_there(data, args, End::Left, reply)
}

pub(super) const RPUSHX: Command = Command::new(Group::List, "RPUSHX", "key element [element ...]", rpushx)
    .summary("Appends elements to a list that exists.")
    .cost("O(1) for each element")
    .since("2.2.0")
    .history(&[("4.0.0", "Takes several elements.")])
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .flags(WRITE | DENYOOM | FAST);

fn rpushx(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    push_if_there(data, args, End::Right, reply)
}

fn push_if_there(data: &mut Locked<'_>, args: &mut Args<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let limits = data.limits();
    let Some(list) = data.edit::<List>(&key)? else {
        reply.count(0);
        return Ok(());
    };
    let pushed = args.rest();
    let length = push_all(list, pushed, end, limits);
    data.changed_times(&key, Class::LIST, push_event(end), pushed.len() as u64);
    // BLMOVEM may wait for a list to grow.
    data.note_ready(&key);
    reply.count(length);
    Ok(())
}

pub(super) const LPOP: Command = Command::new(Group::List, "LPOP", "key [count]", lpop)
    .summary("Removes the first element, or elements, of a list and replies them.")
    .cost("O(1) for each element")
    .history(&[("6.2.0", "Takes a count.")])
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
    .flags(WRITE | FAST);

fn lpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(data, args, End::Left, reply)
}

pub(super) const RPOP: Command = Command::new(Group::List, "RPOP", "key [count]", rpop)
    .summary("Removes the last element, or elements, of a list and replies them, the last one first.")
    .cost("O(1) for each element")
    .history(&[("6.2.0", "Takes a count.")])
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
    .flags(WRITE | FAST);

fn rpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop(data, args, End::Right, reply)
}

fn pop(data: &mut Locked<'_>, args: &mut Args<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    match args.remaining() {
        0 => {
            if !pop_one(data, &key, end, reply)? {
                reply.null();
            }
        }
        1 => {
            let count = args.int_from(0, Error::NOT_POSITIVE)? as usize;
            if pop_many(data, &key, end, count, reply)?.is_none() {
                reply.null_array();
            }
        }
        _ => return Err(Error::wrong_arity(pop_event(end))),
    }
    Ok(())
}

/// Pops the element at an end of the list at `key` into the reply; `false`, and no reply, when there is no list.
///
/// What LPOP does, and BLPOP once there is something to pop: nothing is logged but the command itself.
pub(super) fn pop_one(data: &mut Locked<'_>, key: &Key<'_>, end: End, reply: &mut Reply<'_>) -> Result<bool, Error> {
    let limits = data.limits();
    let Some(mut edit) = data.edit::<List>(key)? else { return Ok(false) };
    let list: &mut List = &mut edit;
    list.pop_with(end, |item| reply_item(reply, item));
    list.settle(limits);
    let emptied = edit.finish();
    popped(data, key, end, 1, emptied);
    Ok(true)
}

/// Pops up to `count` elements at an end of the list at `key` into the reply, as an array; the number popped, or `None` and no
/// reply when there is no list.
pub(super) fn pop_many(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    end: End,
    count: usize,
    reply: &mut Reply<'_>,
) -> Result<Option<usize>, Error> {
    let limits = data.limits();
    let Some(mut edit) = data.edit::<List>(key)? else { return Ok(None) };
    let length = edit.len();
    let count = count.min(length);
    reply.array(count);
    if count == 0 {
        edit.cancel();
        return Ok(Some(0));
    }
    let list: &mut List = &mut edit;
    match end {
        End::Left => {
            list.view().range(0..count).for_each(|item| reply_item(reply, item));
            list.remove_range(0..count);
        }
        End::Right => {
            list.view().range_rev(length - count..length).for_each(|item| reply_item(reply, item));
            list.remove_range(length - count..length);
        }
    }
    list.settle(limits);
    let emptied = edit.finish();
    popped(data, key, end, count, emptied);
    Ok(Some(count))
}

/// Tells that elements were popped, and the key with the last of them.
#[inline]
pub(super) fn popped(data: &mut Locked<'_>, key: &Key<'_>, end: End, count: usize, emptied: bool) {
    data.changed_times(key, Class::LIST, pop_event(end), count as u64);
    if emptied {
        data.deleted(key);
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn pushes_reply_the_length() {
        let mut db = Db::new();
        db.check("LPUSH l a", 1);
        assert_eq!(db.events(), ["lpush l"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("RPUSH l b c", 3);
        assert_eq!((db.events(), db.effects.changes), (vec!["rpush l".into()], 2));
        db.check("LPUSH l x y", 5);
        db.check("LRANGE l 0 -1", ["y", "x", "a", "b", "c"]);
        db.check("SET text x", "OK");
        for name in ["LPUSH", "RPUSH", "LPUSHX", "RPUSHX"] {
            db.check_quiet(&format!("{name} text a"), Error::WRONG_TYPE);
        }
    }

    #[test]
    fn pushes_with_x_want_a_list() {
        let mut db = Db::new();
        db.check_quiet("LPUSHX l a", 0);
        db.check_quiet("RPUSHX l a b", 0);
        db.check("RPUSH l 1", 1);
        db.check("LPUSHX l 2 3", 3);
        assert_eq!(db.events(), ["lpush l"]);
        db.check("RPUSHX l 4", 4);
        assert_eq!(db.events(), ["rpush l"]);
        db.check("LRANGE l 0 -1", ["3", "2", "1", "4"]);
    }

    #[test]
    fn a_list_keeps_its_elements_through_every_encoding() {
        let mut db = Db::new();
        for number in 0..5000 {
            db.check(&format!("RPUSH l element:{number}"), number + 1);
        }
        for number in 0..5000 {
            db.check("LPOP l", &*format!("element:{number}"));
        }
        db.check_quiet("LPOP l", Null);
    }

    #[test]
    fn pops_take_one_element_and_the_key_with_the_last() {
        let mut db = Db::new();
        db.run("RPUSH l a b 3");
        db.check("LPOP l", "a");
        assert_eq!(db.events(), ["lpop l"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("RPOP l", "3");
        assert_eq!(db.events(), ["rpop l"]);
        db.check("RPOP l", "b");
        assert_eq!(db.events(), ["rpop l", "del l"]);
        db.check_quiet("LPOP l", Null);
        db.check_quiet("RPOP l", Null);
    }

    #[test]
    fn pops_with_a_count_reply_an_array() {
        let mut db = Db::new();
        db.check_quiet("LPOP l 1", Null);
        assert_eq!(db.run_raw(&[b"LPOP", b"l", b"1"]), b"*-1\r\n");
        db.run("RPUSH l a b c d e");
        db.check("LPOP l 2", ["a", "b"]);
        assert_eq!((db.events(), db.effects.changes), (vec!["lpop l".into()], 2));
        db.check("RPOP l 2", ["e", "d"]);
        db.check_quiet("LPOP l 0", [0_i64; 0]);
        db.check("RPOP l 9223372036854775807", ["c"]);
        assert_eq!(db.events(), ["rpop l", "del l"]);
        db.check_quiet("LPOP l 0", Null);
    }

    #[test]
    fn pops_judge_their_count_first() {
        let mut db = Db::new();
        db.run("SET text x");
        db.check_quiet("LPOP text -1", Error::NOT_POSITIVE);
        db.check_quiet("RPOP text x", Error::NOT_POSITIVE);
        db.check_quiet("LPOP text 1", Error::WRONG_TYPE);
        db.check_quiet("RPOP text", Error::WRONG_TYPE);
        db.check_quiet("LPOP text 1 2", Error::wrong_arity("lpop"));
        db.check_quiet("RPOP text 1 2", Error::wrong_arity("rpop"));
    }
}
