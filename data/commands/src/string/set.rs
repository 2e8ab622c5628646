//! SET with all its options, and the older commands that are one of them each.

use super::conditional::Condition;
use super::values::{decimal, reply_text};
use crate::expire_option::{Deadline, ExpireOption, Takes, deadline_ms, is_past};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply};

pub(super) const SET: Command = Command::new(
    Group::String,
    "SET",
    "key value [NX | XX | IFEQ comparison-value | IFNE comparison-value | IFDEQ digest | IFDNE digest] [GET] \
     [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    set,
)
.summary("Makes a string the value of a key, whatever was there; on a condition, and with a deadline, if asked.")
.cost("O(1); IFDEQ and IFDNE: O(N), where N is the length of the string that is there")
.since("1.0.0")
.history(&[
    ("2.6.12", "EX, PX, NX and XX"),
    ("6.0.0", "KEEPTTL"),
    ("6.2.0", "GET, EXAT and PXAT"),
    ("7.0.0", "NX and GET together"),
    ("8.1.0", "IFEQ"),
    ("8.4.0", "IFNE, IFDEQ and IFDNE"),
])
.keys(&[KeySpec::at(1, RW | ACCESS | UPDATE | VARIABLE)])
.flags(WRITE | DENYOOM);

fn set(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let value = args.word();
    if args.remaining() == 0 {
        data.set_text(&key, value, Expiry::Clear);
        data.changed(&key, Class::STRING, "set");
        reply.ok();
        return Ok(());
    }
    let options = SetOptions::read(args)?;
    let deadline = options.expire.deadline(data.now_ms(), "set")?;
    if options.get {
        reply_text(data.text(&key)?, reply);
    }
    if let Some(condition) = options.condition
        && !condition.holds(data, &key)?
    {
        if !options.get {
            reply.null();
        }
        return Ok(());
    }
    if !options.get {
        reply.ok();
    }
    // Only these are the same for every server that may read the log.
    let plain = !options.get && options.condition.is_none_or(|condition| condition.is_about_existence());
    store(data, &key, value, deadline, plain);
    Ok(())
}

/// The words behind key and value.
#[derive(Default)]
struct SetOptions<'a> {
    condition: Option<Condition<'a>>,
    get: bool,
    expire: ExpireOption<'a>,
}

impl<'a> SetOptions<'a> {
    fn read(args: &mut Args<'a>) -> Result<SetOptions<'a>, Error> {
        let mut options = SetOptions::default();
        while args.remaining() > 0 {
            if options.expire.read(args, Takes::KeepTtl)? {
                continue;
            }
            if args.option("GET") {
                options.get = true;
                continue;
            }
            let condition = Condition::read(args)?;
            match (options.condition, condition) {
                (None, _) | (Some(Condition::Nx), Condition::Nx) | (Some(Condition::Xx), Condition::Xx) => {
                    options.condition = Some(condition);
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }
}

/// Makes `value` the string at `key` and says so; the command itself may go to the log where `plain` and nothing in it is
/// relative to the time.
fn store(data: &mut Locked<'_>, key: &Key<'_>, value: &[u8], deadline: Deadline, plain: bool) {
    match deadline {
        Deadline::At(deadline_ms) if is_past(data, deadline_ms) => {
            data.expire_at_once(key);
        }
        Deadline::At(deadline_ms) => {
            data.set_text(key, value, Expiry::At(deadline_ms));
            data.changed(key, Class::STRING, "set");
            data.event(Class::GENERIC, "expire", key);
            if data.log_wanted() {
                data.log(&[b"SET", key.bytes(), value, b"PXAT", &decimal(deadline_ms)]);
            }
        }
        Deadline::KeepTtl => {
            data.set_text(key, value, Expiry::Keep);
            data.changed(key, Class::STRING, "set");
            if !plain {
                data.log(&[b"SET", key.bytes(), value, b"KEEPTTL"]);
            }
        }
        Deadline::Unsaid | Deadline::Persist => {
            data.set_text(key, value, Expiry::Clear);
            data.changed(key, Class::STRING, "set");
            if !plain {
                data.log(&[b"SET", key.bytes(), value]);
            }
        }
    }
}

pub(super) const SETNX: Command = Command::new(Group::String, "SETNX", "key value", setnx)
    .summary("Makes a string the value of a key unless the key exists; replies whether it did.")
    .cost("O(1)")
    .since("1.0.0")
    .deprecated("2.6.12", "`SET` with `NX`")
    .keys(&[KeySpec::at(1, OW | INSERT)])
    .flags(WRITE | DENYOOM | FAST);

fn setnx(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let is_new = data.peek(&key).is_none();
    if is_new {
        data.set_text(&key, args.word(), Expiry::Clear);
        data.changed(&key, Class::STRING, "set");
    }
    reply.integer(i64::from(is_new));
    Ok(())
}

pub(super) const SETEX: Command = Command::new(Group::String, "SETEX", "key seconds value", setex)
    .summary("Makes a string the value of a key for some seconds.")
    .cost("O(1)")
    .since("2.0.0")
    .deprecated("2.6.12", "`SET` with `EX`")
    .keys(&[KeySpec::at(1, OW | UPDATE)])
    .flags(WRITE | DENYOOM);

fn setex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_for(data, args, reply, 1000, "setex")
}

pub(super) const PSETEX: Command = Command::new(Group::String, "PSETEX", "key milliseconds value", psetex)
    .summary("Makes a string the value of a key for some milliseconds.")
    .cost("O(1)")
    .since("2.6.0")
    .deprecated("2.6.12", "`SET` with `PX`")
    .keys(&[KeySpec::at(1, OW | UPDATE)])
    .flags(WRITE | DENYOOM);

fn psetex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_for(data, args, reply, 1, "psetex")
}

/// SETEX and PSETEX: the time is given in units of `unit_ms` ms.
fn set_for(
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    unit_ms: i64,
    name: &str,
) -> Result<(), Error> {
    let key = args.key();
    let deadline = Deadline::At(deadline_ms(args.word(), 1, unit_ms, data.now_ms(), name)?);
    store(data, &key, args.word(), deadline, true);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn set_on_the_condition_that_the_key_exists_or_not() {
        let mut db = Db::new();
        db.check_quiet("SET k 1 XX", Null);
        db.check("SET k 1 NX NX", "OK");
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("SET k 2 NX", Null);
        db.check("SET k 2 xx", "OK");
        assert_eq!(db.events(), ["set k"]);
        db.check_quiet("SET k 3 NX GET", "2");
        db.check("SET k 3 XX GET", "2");
        assert_eq!(db.logged(), "SET k 3");
        db.check("SET new 1 NX GET", Null);
        assert_eq!(db.logged(), "SET new 1");
        for words in ["NX XX", "IFEQ 1 NX", "IFEQ 1 IFEQ 1", "IFEQ", "PERSIST", "GET EX", "FOO"] {
            db.check_quiet(&format!("SET k 4 {words}"), Error::SYNTAX);
        }
    }

    #[test]
    fn set_on_a_condition_on_the_old_value() {
        let mut db = Db::new();
        db.check_quiet("SET k 1 IFEQ 1", Null);
        db.check("SET k 1 IFNE 1", "OK");
        assert_eq!(db.logged(), "SET k 1");
        db.check_quiet("SET k 2 IFNE 1", Null);
        db.check_quiet("SET k 2 IFEQ 01", Null);
        db.check("SET k text IFEQ 1 GET", "1");
        assert_eq!(db.logged(), "SET k text");
        let digest = db.run("DIGEST k");
        db.check_quiet("SET k 3 IFDEQ 0000000000000000", Null);
        db.check_quiet(&format!("SET k 3 IFDNE {digest}"), Null);
        db.check("SET k text IFDNE 0000000000000000", "OK");
        db.check(&format!("SET k 3 IFDEQ {} KEEPTTL", digest.to_uppercase()), "OK");
        assert_eq!(db.logged(), "SET k 3 KEEPTTL");
        db.check_quiet("SET k 3 IFDEQ abc", Error::BAD_DIGEST);
        db.check_quiet("SET k 3 IFDNE 000000000000000g", Error::BAD_DIGEST);
        db.check_quiet("SET missing 3 IFDEQ 0000000000000000", Null);
        db.check("SET missing 3 IFDNE 0000000000000000", "OK");
    }

    #[test]
    fn set_with_a_deadline_logs_it_as_unix_time() {
        let mut db = Db::new();
        db.check("SET k 1 EX 10", "OK");
        assert_eq!(db.events(), ["set k", "expire k"]);
        assert_eq!(db.logged(), "SET k 1 PXAT 1700000010000");
        db.check("SET k 2 KEEPTTL", "OK");
        assert_eq!(db.logged(), "verbatim");
        db.sleep_ms(10_000);
        db.check("GET k", Null);
        db.check("SET k 1 PX 10 NX", "OK");
        assert_eq!(db.logged(), "SET k 1 PXAT 1700000010010");
        db.check("SET k 2", "OK");
        db.sleep_ms(10);
        db.check_quiet("GET k", "2");
        db.check_quiet("SET k 1 EX 0", Error::invalid_expire("set"));
        db.check_quiet("SET k 1 EX x", Error::NOT_AN_INTEGER);
        db.check_quiet("SET k 1 EX x FOO", Error::SYNTAX);
    }

    #[test]
    fn set_with_a_deadline_in_the_past_removes_the_key() {
        let mut db = Db::new();
        db.check_quiet("SET k 1 EXAT 1", "OK");
        db.check("SET k 1", "OK");
        db.check("SET k 2 EXAT 1 GET", "1");
        assert_eq!(db.events(), ["expired k"]);
        assert_eq!(db.effects.removals.len(), 1);
        db.check("GET k", Null);
        // Where keys do not expire by themselves the key is kept for the one who removes it.
        db.context.expire = false;
        db.check("SET k 2 PXAT 1", "OK");
        db.check("GET k", "2");
    }

    #[test]
    fn set_over_an_expired_key_tells_that_it_expired() {
        let mut db = Db::new();
        db.check("SET k 1 PX 10", "OK");
        db.sleep_ms(10);
        db.check("SET k 2 KEEPTTL", "OK");
        assert_eq!(db.events(), ["expired k", "set k"]);
        db.sleep_ms(10_000);
        db.check_quiet("GET k", "2");
    }

    #[test]
    fn setnx_sets_only_new_keys() {
        let mut db = Db::new();
        db.check("SETNX k 1", 1);
        assert_eq!((db.events(), db.logged()), (vec!["set k".into()], "verbatim".into()));
        db.check_quiet("SETNX k 2", 0);
        db.check_quiet("GET k", "1");
    }

    #[test]
    fn setex_and_psetex_set_for_a_time() {
        let mut db = Db::new();
        db.check("SETEX k 10 v", "OK");
        assert_eq!(db.events(), ["set k", "expire k"]);
        assert_eq!(db.logged(), "SET k v PXAT 1700000010000");
        db.check("PSETEX k 10 v", "OK");
        assert_eq!(db.logged(), "SET k v PXAT 1700000000010");
        db.check_quiet("SETEX k 0 v", Error::invalid_expire("setex"));
        db.check_quiet("PSETEX k -1 v", Error::invalid_expire("psetex"));
        db.check_quiet("SETEX k 9223372036854775807 v", Error::invalid_expire("setex"));
        db.check_quiet("SETEX k x v", Error::NOT_AN_INTEGER);
    }
}
