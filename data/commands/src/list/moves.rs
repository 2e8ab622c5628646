//! One element from a list to another, or from one end to the other.

use super::ends::popped;
use super::{end, push_event};
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_values::list::End;
use ochre_values::{Collection, List};

pub(super) const LMOVE: Command =
    Command::new(Group::List, "LMOVE", "source destination <LEFT | RIGHT> <LEFT | RIGHT>", lmove)
        .summary("Takes an element from one end of a list and puts it at one end of another, or of the same.")
        .cost("O(1)")
        .since("6.2.0")
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
        .flags(WRITE | DENYOOM);

fn lmove(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination) = (args.key(), args.key());
    let (from, to) = (end(args)?, end(args)?);
    if !move_one(data, &source, &destination, (from, to), reply)? {
        reply.null();
    }
    Ok(())
}

pub(super) const RPOPLPUSH: Command = Command::new(Group::List, "RPOPLPUSH", "source destination", rpoplpush)
    .summary("Takes the last element of a list and puts it before the first of another, or of the same.")
    .cost("O(1)")
    .since("1.2.0")
    .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
    .flags(WRITE | DENYOOM);

fn rpoplpush(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination) = (args.key(), args.key());
    if !move_one(data, &source, &destination, (End::Right, End::Left), reply)? {
        reply.null();
    }
    Ok(())
}

/// Whether `source` holds a list to take from, and `destination` one to put to, or nothing. Judged before anything is taken.
///
/// # Errors
/// The wrong type of either; that of the destination only when there is something to take.
pub(super) fn can_move(data: &mut Locked<'_>, source: &Key<'_>, destination: &Key<'_>) -> Result<bool, Error> {
    data.expire_if_due(source);
    data.expire_if_due(destination);
    match data.kind(source) {
        None => Ok(false),
        Some(List::KIND) if data.kind(destination).is_none_or(|kind| kind == List::KIND) => Ok(true),
        Some(_) => Err(Error::WRONG_TYPE),
    }
}

/// Moves one element and replies it; `false`, and no reply, when there is nothing to take.
///
/// What LMOVE does, and BLMOVE once there is something to move. As in the peers listeners hear of the push first, and it counts
/// as one change.
pub(super) fn move_one(
    data: &mut Locked<'_>,
    source: &Key<'_>,
    destination: &Key<'_>,
    (from, to): (End, End),
    reply: &mut Reply<'_>,
) -> Result<bool, Error> {
    if !can_move(data, source, destination)? {
        return Ok(false);
    }
    let limits = data.limits();
    let Some(mut edit) = data.edit::<List>(source)? else { return Ok(false) };
    let list: &mut List = &mut edit;
    let element = list.pop_with(from, |item| {
        reply_item(reply, item);
        item.to_vec()
    });
    let element = element.expect("a list that is a key's value has an element");
    let emptied = if source == destination {
        list.prepare(1, element.len(), limits);
        list.push(to, &element);
        list.settle(limits);
        edit.finish()
    } else {
        list.settle(limits);
        let emptied = edit.finish();
        let mut edit = data.edit_or_new::<List>(destination)?;
        let list: &mut List = &mut edit;
        list.prepare(1, element.len(), limits);
        list.push(to, &element);
        edit.finish();
        emptied
    };
    data.touch_watchers(destination);
    data.event(Class::LIST, push_event(to), destination);
    popped(data, source, from, 1, emptied);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn lmove_moves_between_any_ends() {
        for (from, to, event, left, moved) in [
            ("LEFT", "LEFT", ["lpush b", "lpop a"], "[2 3]", "[1 x y]"),
            ("LEFT", "RIGHT", ["rpush b", "lpop a"], "[2 3]", "[x y 1]"),
            ("RIGHT", "LEFT", ["lpush b", "rpop a"], "[1 2]", "[3 x y]"),
            ("right", "right", ["rpush b", "rpop a"], "[1 2]", "[x y 3]"),
        ] {
            let mut db = Db::new();
            db.run("RPUSH a 1 2 3");
            db.run("RPUSH b x y");
            db.check(&format!("LMOVE a b {from} {to}"), if from == "LEFT" { "1" } else { "3" });
            assert_eq!((db.events(), db.effects.changes), (event.map(String::from).to_vec(), 1));
            assert_eq!(db.logged(), "verbatim");
            db.check("LRANGE a 0 -1", left);
            db.check("LRANGE b 0 -1", moved);
        }
    }

    #[test]
    fn the_last_element_takes_the_key_with_it() {
        let mut db = Db::new();
        db.run("RPUSH a 1");
        db.check("RPOPLPUSH a b", "1");
        assert_eq!(db.events(), ["lpush b", "rpop a", "del a"]);
        db.check_quiet("RPOPLPUSH a b", Null);
        db.check_quiet("LMOVE a b LEFT LEFT", Null);
        db.check("LRANGE b 0 -1", ["1"]);
    }

    #[test]
    fn a_list_can_be_turned_in_place() {
        let mut db = Db::new();
        db.run("RPUSH a 1 2 3");
        db.check("RPOPLPUSH a a", "3");
        assert_eq!(db.events(), ["lpush a", "rpop a"]);
        db.check("LRANGE a 0 -1", ["3", "1", "2"]);
        db.check("LMOVE a a LEFT LEFT", "3");
        db.check("LRANGE a 0 -1", ["3", "1", "2"]);
        db.run("RPUSH single x");
        db.check("LMOVE single single LEFT RIGHT", "x");
        assert_eq!(db.events(), ["rpush single", "lpop single"]);
    }

    #[test]
    fn types_are_judged_before_anything_moves() {
        let mut db = Db::new();
        db.run("RPUSH a 1");
        db.run("SET text x");
        db.check_quiet("LMOVE a text LEFT LEFT", Error::WRONG_TYPE);
        db.check_quiet("LMOVE text a LEFT LEFT", Error::WRONG_TYPE);
        db.check_quiet("LMOVE missing text LEFT LEFT", Null);
        db.check_quiet("LMOVE missing text LEFT UP", Error::SYNTAX);
        db.check_quiet("LMOVE missing text DOWN LEFT", Error::SYNTAX);
        db.check_quiet("RPOPLPUSH a text", Error::WRONG_TYPE);
        db.check("LLEN a", 1);
    }
}
