//! Keys that change their name or database, and copies.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_text::number;

pub(super) const RENAME: Command = Command::new(Group::Generic, "RENAME", "key newkey", rename)
    .summary("Gives a key another name; a key that had it is gone.")
    .cost("O(1); a large value that is replaced is freed in the background")
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, OW | UPDATE)])
    .flags(WRITE);

fn rename(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, new) = (args.key(), args.key());
    if !data.exists(&key) {
        return Err(Error::NO_SUCH_KEY);
    }
    if key != new {
        move_to(data, &key, &new);
    }
    reply.ok();
    Ok(())
}

/// Moves what is at `key`, which exists, to `new`.
fn move_to(data: &mut Locked<'_>, key: &Key<'_>, new: &Key<'_>) {
    data.move_entry(key, data.db(), new);
    data.changed(key, Class::GENERIC, "rename_from");
    data.changed_times(new, Class::GENERIC, "rename_to", 0);
}

pub(super) const RENAMENX: Command = Command::new(Group::Generic, "RENAMENX", "key newkey", renamenx)
    .summary("Gives a key another name unless it is taken.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, OW | INSERT)])
    .flags(WRITE | FAST);

fn renamenx(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, new) = (args.key(), args.key());
    if !data.exists(&key) {
        return Err(Error::NO_SUCH_KEY);
    }
    let free = key != new && data.peek(&new).is_none();
    if free {
        move_to(data, &key, &new);
    }
    reply.integer(i64::from(free));
    Ok(())
}

/// Reads the number of a database.
fn read_db(data: &Locked<'_>, word: &[u8]) -> Result<usize, Error> {
    let db = number::parse_i64(word).ok_or(Error::NOT_AN_INTEGER)?;
    usize::try_from(db).ok().filter(|db| *db < data.databases()).ok_or(Error::DB_INDEX)
}

pub(super) const MOVE: Command = Command::new(Group::Generic, "MOVE", "key db", move_key)
    .summary("Moves a key to another database unless it has one of that name.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | FAST);

fn move_key(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let target = read_db(data, args.word())?;
    let source = data.db();
    if target == source {
        return Err(Error::SAME_OBJECT);
    }
    // One that has expired in the target is in nobody's way.
    data.select(target);
    data.expire_if_due(&key);
    let taken = data.peek(&key).is_some();
    data.select(source);
    if taken || data.lookup(&key).is_none() {
        reply.integer(0);
        return Ok(());
    }
    data.move_entry(&key, target, &key);
    data.changed(&key, Class::GENERIC, "move_from");
    data.select(target);
    data.changed_times(&key, Class::GENERIC, "move_to", 0);
    data.select(source);
    reply.integer(1);
    Ok(())
}

pub(super) const COPY: Command =
    Command::new(Group::Generic, "COPY", "source destination [DB destination-db] [REPLACE]", copy)
        .summary("Copies a key's value and deadline to another key.")
        .cost("O(N) for a collection of N elements, O(1) for a string")
        .since("6.2.0")
        .keys(&[KeySpec::at(1, RO | ACCESS), KeySpec::at(2, OW | UPDATE)])
        .flags(WRITE | DENYOOM);

fn copy(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, new) = (args.key(), args.key());
    let source = data.db();
    let (mut target, mut replace) = (source, false);
    while args.remaining() > 0 {
        if args.option("REPLACE") {
            replace = true;
        } else if args.remaining() >= 2 && args.option("DB") {
            target = read_db(data, args.word())?;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if target == source && key == new {
        return Err(Error::SAME_OBJECT);
    }
    let Some(entry) = data.lookup(&key) else {
        reply.integer(0);
        return Ok(());
    };
    let duplicate = ochre_keyspace::duplicate(entry);
    data.select(target);
    data.expire_if_due(&new);
    let taken = data.peek(&new).is_some();
    if taken && !replace {
        data.select(source);
        reply.integer(0);
        return Ok(());
    }
    data.put_entry(target, &new, duplicate);
    data.changed(&new, Class::GENERIC, "copy_to");
    data.select(source);
    reply.integer(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn rename_takes_value_and_deadline_along() {
        let mut db = Db::new();
        db.check_quiet("RENAME a b", Error::NO_SUCH_KEY);
        db.check("SET a 1", "OK");
        db.check("EXPIRE a 100", 1);
        db.check("SET b 2", "OK");
        db.check("RENAME a b", "OK");
        assert_eq!(db.events(), ["rename_from a", "rename_to b"]);
        db.check("GET a", Null);
        db.check("GET b", "1");
        db.check("TTL b", 100);
        db.check_quiet("RENAME b b", "OK");
        db.check("SET a 2", "OK");
        db.check_quiet("RENAMENX a b", 0);
        db.check("RENAMENX a c", 1);
    }

    #[test]
    fn move_and_copy_reach_other_databases() {
        let mut db = Db::new();
        db.check("SET a 1", "OK");
        db.check_quiet("MOVE a 0", Error::SAME_OBJECT);
        db.check_quiet("MOVE a 99", Error::DB_INDEX);
        db.check_quiet("MOVE a x", Error::NOT_AN_INTEGER);
        db.check("COPY a a DB 2", 1);
        db.check_quiet("MOVE a 2", 0);
        db.check("MOVE a 1", 1);
        db.check("EXISTS a", 0);
        db.db = 1;
        db.check("GET a", "1");
        db.check("COPY a b", 1);
        assert_eq!(db.events(), ["copy_to b"]);
        db.check_quiet("COPY a b", 0);
        db.check("COPY a b REPLACE", 1);
        db.check_quiet("COPY a a", Error::SAME_OBJECT);
        db.check_quiet("COPY a b DB", Error::SYNTAX);
        db.check_quiet("COPY missing b", 0);
    }
}
