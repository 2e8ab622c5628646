//! Strings as a whole: read, and read with a change of what happens to them.

use crate::expire_option::{Deadline, ExpireOption, Takes, is_past};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply, Text};
use ochre_resp::typed;
use ochre_text::number;

pub(super) const GET: Command = Command::new(Group::String, "GET", "key", get)
    .summary("Replies the string at a key.")
    .cost("O(1)")
    .since("1.0.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn get(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    match data.text(&key) {
        Ok(text) => reply_text(text, reply),
        Err(_) => typed::write(data.structured(&key).ok_or(Error::WRONG_TYPE)?, reply),
    }
    Ok(())
}

/// Replies a string, or null when there is none.
pub(super) fn reply_text(text: Option<Text<'_>>, reply: &mut Reply<'_>) {
    match text {
        Some(Text::Bytes(bytes)) => reply.bulk(bytes),
        Some(Text::Int(value)) => reply.bulk_i64(value),
        None => reply.null(),
    }
}

pub(super) const GETEX: Command = Command::new(
    Group::String,
    "GETEX",
    "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    getex,
)
.summary("Replies the string at a key and sets or removes the key's deadline.")
.cost("O(1)")
.since("6.2.0")
.keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
.flags(WRITE | FAST);

fn getex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let mut option = ExpireOption::default();
    while args.remaining() > 0 {
        if !option.read(args, Takes::Persist)? {
            return Err(Error::SYNTAX);
        }
    }
    let deadline = option.deadline(data.now_ms(), "getex")?;
    let text = data.text(&key)?;
    let lives = text.is_some();
    reply_text(text, reply);
    if lives {
        set_deadline(data, &key, deadline);
    }
    Ok(())
}

/// Gives a living key the deadline that GETEX was asked for.
fn set_deadline(data: &mut Locked<'_>, key: &Key<'_>, deadline: Deadline) {
    match deadline {
        Deadline::Unsaid | Deadline::KeepTtl => {}
        Deadline::Persist => {
            if data.expiry_ms(key).flatten().is_some() {
                data.set_expiry(key, None);
                data.changed(key, Class::GENERIC, "persist");
                data.log(&[b"PERSIST", key.bytes()]);
            }
        }
        Deadline::At(deadline_ms) if is_past(data, deadline_ms) => {
            data.expire_at_once(key);
        }
        Deadline::At(deadline_ms) => {
            data.set_expiry(key, Some(deadline_ms));
            data.changed(key, Class::GENERIC, "expire");
            if data.log_wanted() {
                data.log(&[b"PEXPIREAT", key.bytes(), decimal(deadline_ms).as_slice()]);
            }
        }
    }
}

/// A time as it stands in the log.
pub(super) fn decimal(value: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(20);
    number::write_u64(&mut text, value);
    text
}

pub(super) const GETDEL: Command = Command::new(Group::String, "GETDEL", "key", getdel)
    .summary("Replies the string at a key and removes the key.")
    .cost("O(1)")
    .since("6.2.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
    .flags(WRITE | FAST);

fn getdel(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    reply_text(data.text(&key)?, reply);
    if data.remove(&key) {
        data.changed(&key, Class::GENERIC, "del");
        data.log(&[b"DEL", key.bytes()]);
    }
    Ok(())
}

pub(super) const GETSET: Command = Command::new(Group::String, "GETSET", "key value", getset)
    .summary("Makes a string the value of a key and replies the one that was there.")
    .cost("O(1)")
    .since("1.0.0")
    .deprecated("6.2.0", "`SET` with `GET`")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

fn getset(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let value = args.word();
    reply_text(data.text(&key)?, reply);
    data.set_text(&key, value, Expiry::Clear);
    data.changed(&key, Class::STRING, "set");
    data.log(&[b"SET", key.bytes(), value]);
    Ok(())
}

pub(super) const STRLEN: Command = Command::new(Group::String, "STRLEN", "key", strlen)
    .summary("Replies the length of the string at a key in bytes.")
    .cost("O(1)")
    .since("2.2.0")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn strlen(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(data.text(&args.key())?.map_or(0, |text| text.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn get_replies_what_set_was_given() {
        let mut db = Db::new();
        db.check_quiet("GET k", Null);
        db.check("SET k value", "OK");
        assert_eq!(db.events(), ["set k"]);
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("GET k", "value");
        db.check("SET n 0012", "OK");
        db.check_quiet("GET n", "0012");
        db.check("SET n -12", "OK");
        db.check_quiet("GET n", "-12");
    }

    #[test]
    fn getex_sets_and_removes_deadlines() {
        let mut db = Db::new();
        db.check_quiet("GETEX k EX 10", Null);
        db.check("SET k v", "OK");
        db.check_quiet("GETEX k", "v");
        db.check_quiet("GETEX k PERSIST", "v");
        db.check("GETEX k EX 10", "v");
        assert_eq!(db.events(), ["expire k"]);
        assert_eq!(db.logged(), "PEXPIREAT k 1700000010000");
        db.check("GETEX k PERSIST", "v");
        assert_eq!(db.events(), ["persist k"]);
        assert_eq!(db.logged(), "PERSIST k");
        db.check("GETEX k PXAT 1700000000001", "v");
        db.sleep_ms(1);
        db.check("GET k", Null);
    }

    #[test]
    fn getex_with_a_time_in_the_past_expires_the_key() {
        let mut db = Db::new();
        db.check("SET k v", "OK");
        db.check("GETEX k EXAT 1", "v");
        assert_eq!(db.events(), ["expired k"]);
        assert_eq!(db.effects.removals, [(0, Box::from(*b"k"))]);
        assert_eq!(db.logged(), "");
        db.check("GET k", Null);
    }

    #[test]
    fn getex_judges_its_words_before_the_key() {
        let mut db = Db::new();
        for words in ["KEEPTTL", "EX", "PERSIST EX 10", "EX 10 PERSIST", "EX 10 PX 10", "GET"] {
            db.check_quiet(&format!("GETEX k {words}"), Error::SYNTAX);
        }
        db.check_quiet("GETEX k EX 0", Error::invalid_expire("getex"));
        db.check_quiet("GETEX k EX ten", Error::NOT_AN_INTEGER);
    }

    #[test]
    fn getdel_removes_what_it_replies() {
        let mut db = Db::new();
        db.check_quiet("GETDEL k", Null);
        db.check("SET k v", "OK");
        db.check("GETDEL k", "v");
        assert_eq!(db.events(), ["del k"]);
        assert_eq!(db.logged(), "DEL k");
        db.check_quiet("GET k", Null);
    }

    #[test]
    fn getset_replies_the_old_value_and_clears_the_deadline() {
        let mut db = Db::new();
        db.check("GETSET k 1", Null);
        assert_eq!(db.logged(), "SET k 1");
        db.check("GETEX k EX 10", "1");
        db.check("GETSET k 2", "1");
        assert_eq!(db.events(), ["set k"]);
        db.sleep_ms(20_000);
        db.check_quiet("GET k", "2");
    }

    #[test]
    fn strlen_counts_bytes() {
        let mut db = Db::new();
        db.check_quiet("STRLEN k", 0);
        db.check("SET k \"a\\x00\\xff\"", "OK");
        db.check_quiet("STRLEN k", 3);
        db.check("SET k -9223372036854775808", "OK");
        db.check_quiet("STRLEN k", 20);
    }
}
