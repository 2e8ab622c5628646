//! Fields by name: set, read, removed.

use super::named::fields_expired;
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Edit, Error, Key, Locked, Reply};
use ochre_resp::Args as Words;
use ochre_values::hash::{Before, Deadline};
use ochre_values::{Hash, Limits};

pub(super) const HSET: Command =
    Command::new(Group::Hash, "HSET", "key field value [field value ...]", |data, args, reply| {
        let created = set(data, args, "hset")?;
        reply.count(created);
        Ok(())
    })
    .summary("Sets fields of a hash and replies how many are new; their deadlines go.")
    .cost("O(N), N being the number of fields given")
    .since("2.0.0")
    .history(&[("4.0.0", "Takes several fields.")])
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .member(2)
    .flags(WRITE | DENYOOM | FAST);

pub(super) const HMSET: Command =
    Command::new(Group::Hash, "HMSET", "key field value [field value ...]", |data, args, reply| {
        set(data, args, "hmset")?;
        reply.ok();
        Ok(())
    })
    .summary("Sets fields of a hash; their deadlines go.")
    .cost("O(N), N being the number of fields given")
    .since("2.0.0")
    .deprecated("4.0.0", "`HSET` with several fields")
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

/// Sets fields and answers how many are new.
fn set(data: &mut Locked<'_>, args: &mut Args<'_>, name: &str) -> Result<usize, Error> {
    let key = args.key();
    let words = args.rest();
    let pairs = words.len() / 2;
    if !words.len().is_multiple_of(2) {
        return Err(Error::wrong_arity(name));
    }
    let (now_ms, limits) = (data.expiry_clock_ms(), data.limits());
    let mut hash = data.edit_or_new::<Hash>(&key)?;
    if pairs > 1 {
        hash.prepare(pairs, words.bytes(), limits);
    }
    let (mut created, mut expired) = (0, 0);
    for at in 0..pairs {
        match put(&mut hash, words.at(2 * at), words.at(2 * at + 1), Deadline::Clear, now_ms, limits) {
            Before::Missing => created += 1,
            Before::Living => {}
            Before::Expired => expired += 1,
        }
    }
    drop(hash);
    fields_expired(data, &key, expired as u64);
    data.changed_times(&key, Class::HASH, "hset", pairs as u64);
    Ok(created + expired)
}

/// Sets a field. A small hash that keeps its length is neither copied out nor in.
#[inline]
pub(super) fn put(
    hash: &mut Edit<'_, Hash>,
    name: &[u8],
    value: &[u8],
    deadline: Deadline,
    now_ms: u64,
    limits: &Limits,
) -> Before {
    if let Some((packing, bytes)) = hash.packed_mut()
        && !matches!(deadline, Deadline::At(_))
        && Hash::overwrite(packing, bytes, name, value, limits)
    {
        return Before::Living;
    }
    hash.set(name, value, deadline, now_ms, limits)
}

pub(super) const HSETNX: Command = Command::new(Group::Hash, "HSETNX", "key field value", hsetnx)
    .summary("Sets a field of a hash unless it exists; replies whether it did.")
    .cost("O(1)")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .member(2)
    .flags(WRITE | DENYOOM | FAST);

fn hsetnx(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field, value) = (args.key(), args.word(), args.word());
    let (now_ms, limits) = (data.expiry_clock_ms(), data.limits());
    let mut hash = data.edit_or_new::<Hash>(&key)?;
    if hash.view().get(field, now_ms).is_some() {
        reply.integer(0);
        return Ok(());
    }
    let before = hash.set(field, value, Deadline::Clear, now_ms, limits);
    drop(hash);
    if before == Before::Expired {
        fields_expired(data, &key, 1);
        // Where the log is read the field may seem to be there still.
        data.log(&[b"HSET", key.bytes(), field, value]);
    }
    data.changed(&key, Class::HASH, "hset");
    reply.integer(1);
    Ok(())
}

pub(super) const HGET: Command = Command::new(Group::Hash, "HGET", "key field", hget)
    .summary("Replies the value of a field of a hash.")
    .cost("O(1)")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .member(2)
    .flags(READONLY | FAST);

fn hget(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field) = (args.key(), args.word());
    match data.read::<Hash>(&key)?.and_then(|hash| hash.get(field, data.expiry_clock_ms())) {
        Some(value) => reply_item(reply, value),
        None => reply.null(),
    }
    Ok(())
}

pub(super) const HMGET: Command = Command::new(Group::Hash, "HMGET", "key field [field ...]", hmget)
    .summary("Replies the values of fields of a hash, null for each that is missing.")
    .cost("O(N), N being the number of fields asked for")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn hmget(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    reply_values(data, &key, args.rest(), reply)
}

/// Replies the values of `fields` as an array.
pub(super) fn reply_values(
    data: &Locked<'_>,
    key: &Key<'_>,
    fields: Words<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let hash = data.read::<Hash>(key)?;
    let now_ms = data.expiry_clock_ms();
    reply.array(fields.len());
    for field in fields.iter() {
        match hash.and_then(|hash| hash.get(field, now_ms)) {
            Some(value) => reply_item(reply, value),
            None => reply.null(),
        }
    }
    Ok(())
}

pub(super) const HDEL: Command = Command::new(Group::Hash, "HDEL", "key field [field ...]", hdel)
    .summary("Removes fields from a hash and replies how many there were; the key goes with its last field.")
    .cost("O(N), N being the number of fields given")
    .since("2.0.0")
    .history(&[("2.4.0", "Takes several fields.")])
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .member(2)
    .flags(WRITE | FAST);

fn hdel(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let fields = args.rest();
    let now_ms = data.expiry_clock_ms();
    let Some(mut hash) = data.edit::<Hash>(&key)? else {
        reply.integer(0);
        return Ok(());
    };
    let removed = fields.iter().filter(|field| hash.remove(field, now_ms)).count();
    let emptied = hash.finish();
    if removed > 0 {
        data.changed_times(&key, Class::HASH, "hdel", removed as u64);
        if emptied {
            data.deleted(&key);
        }
    }
    reply.count(removed);
    Ok(())
}

pub(super) const HEXISTS: Command = Command::new(Group::Hash, "HEXISTS", "key field", hexists)
    .summary("Replies whether a hash has a field.")
    .cost("O(1)")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RO)])
    .member(2)
    .flags(READONLY | FAST);

fn hexists(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field) = (args.key(), args.word());
    let value = data.read::<Hash>(&key)?.and_then(|hash| hash.get(field, data.expiry_clock_ms()));
    reply.integer(i64::from(value.is_some()));
    Ok(())
}

pub(super) const HSTRLEN: Command = Command::new(Group::Hash, "HSTRLEN", "key field", hstrlen)
    .summary("Replies the length in bytes of a field's value, 0 for a missing one.")
    .cost("O(1)")
    .since("3.2.0")
    .keys(&[KeySpec::at(1, RO)])
    .member(2)
    .flags(READONLY | FAST);

fn hstrlen(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field) = (args.key(), args.word());
    let value = data.read::<Hash>(&key)?.and_then(|hash| hash.get(field, data.expiry_clock_ms()));
    reply.count(value.map_or(0, |value| value.len()));
    Ok(())
}

pub(super) const HLEN: Command = Command::new(Group::Hash, "HLEN", "key", hlen)
    .summary("Replies the number of fields of a hash; one whose deadline has just passed may still be counted.")
    .cost("O(1)")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn hlen(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(data.read::<Hash>(&args.key())?.map_or(0, |hash| hash.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn hset_replies_how_many_fields_are_new() {
        let mut db = Db::new();
        db.check("HSET h a 1 b 2 a 3", 2);
        assert_eq!(db.events(), ["hset h"]);
        assert_eq!(db.logged(), "verbatim");
        assert_eq!(db.effects.changes, 3);
        // A field that is set to what it was counts as a change, as in the peers.
        db.check("HSET h a 3", 0);
        assert_eq!(db.effects.changes, 1);
        db.check_quiet("HGET h a", "3");
        db.check_quiet("HSET h a 1 b", Error::wrong_arity("hset"));
        db.check("HMSET h c 4 d 5", "OK");
        assert_eq!(db.events(), ["hset h"]);
        db.check_quiet("HMSET h a 1 b", Error::wrong_arity("hmset"));
        db.check_quiet(
            "HMGET h a b c d e",
            [Some("3"), Some("2"), Some("4"), Some("5"), None].map(|v| v.unwrap_or("nil")),
        );
    }

    #[test]
    fn hsetnx_leaves_a_field_alone() {
        let mut db = Db::new();
        db.check("HSETNX h a 1", 1);
        assert_eq!(db.events(), ["hset h"]);
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("HSETNX h a 2", 0);
        db.check("HSETNX h b 2", 1);
        db.check_quiet("HGETALL h", ["a", "1", "b", "2"]);
    }

    #[test]
    fn fields_are_read_one_by_one() {
        let mut db = Db::new();
        db.check("HSET h text value number 12 long 123456789012345678901", 3);
        db.check_quiet("HGET h text", "value");
        db.check_quiet("HGET h number", "12");
        db.check_quiet("HGET h missing", Null);
        db.check_quiet("HGET missing field", Null);
        db.check_quiet("HMGET missing a b", ["nil", "nil"]);
        db.check_quiet("HEXISTS h text", 1);
        db.check_quiet("HEXISTS h missing", 0);
        db.check_quiet("HEXISTS missing field", 0);
        for (field, length) in [("text", 5), ("number", 2), ("long", 21), ("missing", 0)] {
            db.check_quiet(&format!("HSTRLEN h {field}"), length);
        }
        db.check_quiet("HLEN h", 3);
        db.check_quiet("HLEN missing", 0);
    }

    #[test]
    fn hdel_removes_the_key_with_its_last_field() {
        let mut db = Db::new();
        db.check("HSET h a 1 b 2 c 3", 3);
        db.check("HDEL h a x a", 1);
        assert_eq!(db.events(), ["hdel h"]);
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("HDEL h a", 0);
        db.check("HDEL h b c", 2);
        assert_eq!(db.events(), ["hdel h", "del h"]);
        db.check_quiet("HDEL h b", 0);
        db.check_quiet("EXISTS h", 0);
    }

    #[test]
    fn a_key_of_another_type_is_refused() {
        let mut db = Db::new();
        db.check("SET s 1", "OK");
        for command in [
            "HSET s a 1",
            "HMSET s a 1",
            "HSETNX s a 1",
            "HGET s a",
            "HMGET s a",
            "HDEL s a",
            "HEXISTS s a",
            "HSTRLEN s a",
            "HLEN s",
        ] {
            db.check_quiet(command, Error::WRONG_TYPE);
        }
        db.check_quiet("HSET s a 1 b", Error::wrong_arity("hset"));
    }

    #[test]
    fn a_field_whose_deadline_has_passed_is_not_there_and_a_write_begins_anew() {
        let mut db = Db::new();
        db.check("HSET h a 1 b 2 c 3 d 4 stays 5", 5);
        db.check("HPEXPIRE h 10 FIELDS 4 a b c d", [1, 1, 1, 1]);
        db.sleep_ms(10);
        db.check_quiet("HMGET h a stays", ["nil", "5"]);
        db.check_quiet("HEXISTS h a", 0);
        db.check_quiet("HSTRLEN h a", 0);
        db.check_quiet("HDEL h a", 0);
        db.check_quiet("HLEN h", 5);
        db.check("HSET h a 6 b 7", 2);
        assert_eq!(db.events(), ["hexpired h", "hset h"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("HSETNX h c 8", 1);
        assert_eq!(db.events(), ["hexpired h", "hset h"]);
        assert_eq!(db.logged(), "HSET h c 8");
        db.check_quiet("HTTL h FIELDS 4 a b c d", [-1, -1, -1, -2]);
    }

    #[test]
    fn hset_takes_the_deadline_away() {
        let mut db = Db::new();
        db.check("HSET h a 1 b 2", 2);
        db.check("HEXPIRE h 10 FIELDS 2 a b", [1, 1]);
        db.check("HSET h a 3", 0);
        assert_eq!(db.events(), ["hset h"]);
        db.check_quiet("HSETNX h b 3", 0);
        db.check_quiet("HTTL h FIELDS 2 a b", [-1, 10]);
    }
}
