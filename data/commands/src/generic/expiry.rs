//! Deadlines: set, asked for, taken away.

use crate::expire_option::ExpireCondition;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_text::number;

const SET_DEADLINE: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];
const ASK_DEADLINE: &[KeySpec] = &[KeySpec::at(1, RO | ACCESS)];
const CONDITIONS: &[(&str, &str)] = &[("7.0.0", "NX, XX, GT and LT.")];

pub(super) const EXPIRE: Command =
    Command::new(Group::Generic, "EXPIRE", "key seconds [NX | XX | GT | LT]", |data, args, reply| {
        set_deadline(data, args, reply, Unit::Seconds, From::Now, "expire")
    })
    .summary("Lets a key expire in so many seconds.")
    .cost("O(1)")
    .history(CONDITIONS)
    .keys(SET_DEADLINE)
    .flags(WRITE | FAST);

pub(super) const PEXPIRE: Command =
    Command::new(Group::Generic, "PEXPIRE", "key milliseconds [NX | XX | GT | LT]", |data, args, reply| {
        set_deadline(data, args, reply, Unit::Milliseconds, From::Now, "pexpire")
    })
    .summary("Lets a key expire in so many milliseconds.")
    .cost("O(1)")
    .since("2.6.0")
    .history(CONDITIONS)
    .keys(SET_DEADLINE)
    .flags(WRITE | FAST);

pub(super) const EXPIREAT: Command =
    Command::new(Group::Generic, "EXPIREAT", "key unix-time-seconds [NX | XX | GT | LT]", |data, args, reply| {
        set_deadline(data, args, reply, Unit::Seconds, From::Epoch, "expireat")
    })
    .summary("Lets a key expire at a Unix time in seconds.")
    .cost("O(1)")
    .since("1.2.0")
    .history(CONDITIONS)
    .keys(SET_DEADLINE)
    .flags(WRITE | FAST);

pub(super) const PEXPIREAT: Command =
    Command::new(Group::Generic, "PEXPIREAT", "key unix-time-milliseconds [NX | XX | GT | LT]", |data, args, reply| {
        set_deadline(data, args, reply, Unit::Milliseconds, From::Epoch, "pexpireat")
    })
    .summary("Lets a key expire at a Unix time in milliseconds.")
    .cost("O(1)")
    .since("2.6.0")
    .history(CONDITIONS)
    .keys(SET_DEADLINE)
    .flags(WRITE | FAST);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    const fn ms(self) -> i64 {
        match self {
            Unit::Seconds => 1000,
            Unit::Milliseconds => 1,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Now,
    Epoch,
}

fn set_deadline(
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    unit: Unit,
    from: From,
    name: &str,
) -> Result<(), Error> {
    let key = args.key();
    let time = args.word();
    let when = ExpireCondition::read(args, args.len())?;
    let base_ms = if from == From::Now { data.now_ms() } else { 0 };
    // A time in the past is not an error: the key goes.
    let time = number::parse_i64(time).ok_or(Error::NOT_AN_INTEGER)?;
    let in_ms = time.checked_mul(unit.ms()).and_then(|ms| ms.checked_add(base_ms as i64));
    let deadline = in_ms.ok_or_else(|| Error::invalid_expire(name))?;
    let Some(old) = data.expiry_ms(&key) else {
        reply.integer(0);
        return Ok(());
    };
    let new = deadline.max(0) as u64;
    if !when.allows(old, new) {
        reply.integer(0);
        return Ok(());
    }
    if new <= data.now_ms() && data.context().expire {
        data.remove(&key);
        data.changed(&key, Class::GENERIC, "del");
        if data.log_wanted() {
            data.log(&[b"DEL", key.bytes()]);
        }
    } else {
        data.set_expiry(&key, Some(new));
        data.changed(&key, Class::GENERIC, "expire");
        if data.log_wanted() {
            data.log(&[b"PEXPIREAT", key.bytes(), new.to_string().as_bytes()]);
        }
    }
    reply.integer(1);
    Ok(())
}

pub(super) const TTL: Command = Command::new(Group::Generic, "TTL", "key", |data, args, reply| {
    ask_deadline(data, args, reply, Unit::Seconds, From::Now)
})
.summary("Replies in how many seconds a key expires: -1 is never, -2 means that there is no such key.")
.cost("O(1)")
.history(&[("2.8.0", "-2 for a missing key.")])
.keys(ASK_DEADLINE)
.flags(READONLY | FAST)
.tips(&["nondeterministic_output"]);

pub(super) const PTTL: Command = Command::new(Group::Generic, "PTTL", "key", |data, args, reply| {
    ask_deadline(data, args, reply, Unit::Milliseconds, From::Now)
})
.summary("Replies in how many milliseconds a key expires: -1 is never, -2 means that there is no such key.")
.cost("O(1)")
.since("2.6.0")
.history(&[("2.8.0", "-2 for a missing key.")])
.keys(ASK_DEADLINE)
.flags(READONLY | FAST)
.tips(&["nondeterministic_output"]);

pub(super) const EXPIRETIME: Command = Command::new(Group::Generic, "EXPIRETIME", "key", |data, args, reply| {
    ask_deadline(data, args, reply, Unit::Seconds, From::Epoch)
})
.summary("Replies the Unix time in seconds at which a key expires.")
.cost("O(1)")
.since("7.0.0")
.keys(ASK_DEADLINE)
.flags(READONLY | FAST);

pub(super) const PEXPIRETIME: Command = Command::new(Group::Generic, "PEXPIRETIME", "key", |data, args, reply| {
    ask_deadline(data, args, reply, Unit::Milliseconds, From::Epoch)
})
.summary("Replies the Unix time in milliseconds at which a key expires.")
.cost("O(1)")
.since("7.0.0")
.keys(ASK_DEADLINE)
.flags(READONLY | FAST);

fn ask_deadline(
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    unit: Unit,
    from: From,
) -> Result<(), Error> {
    let base_ms = if from == From::Now { data.now_ms() } else { 0 };
    reply.integer(match data.expiry_ms(&args.key()) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => {
            let ms = deadline.saturating_sub(base_ms) as i64;
            match unit {
                Unit::Milliseconds => ms,
                // Half a second and more counts as one.
                Unit::Seconds => ms.saturating_add(500) / 1000,
            }
        }
    });
    Ok(())
}

pub(super) const PERSIST: Command = Command::new(Group::Generic, "PERSIST", "key", persist)
    .summary("Takes a key's deadline away; replies whether it had one.")
    .cost("O(1)")
    .since("2.2.0")
    .keys(SET_DEADLINE)
    .flags(WRITE | FAST);

fn persist(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let had_deadline = matches!(data.expiry_ms(&key), Some(Some(_)));
    if had_deadline {
        data.set_expiry(&key, None);
        data.changed(&key, Class::GENERIC, "persist");
    }
    reply.integer(i64::from(had_deadline));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn a_key_expires_at_its_deadline() {
        let mut db = Db::new();
        db.check_quiet("EXPIRE k 10", 0);
        db.check("SET k v", "OK");
        db.check("EXPIRE k 10", 1);
        assert_eq!(db.logged(), "PEXPIREAT k 1700000010000");
        assert_eq!(db.events(), ["expire k"]);
        db.check_quiet("TTL k", 10);
        db.check_quiet("PTTL k", 10_000);
        db.check_quiet("EXPIRETIME k", 1_700_000_010);
        db.sleep_ms(9_999);
        db.check_quiet("GET k", "v");
        db.sleep_ms(1);
        db.check_quiet("GET k", Null);
        assert_eq!(db.events(), ["expired k"]);
        db.check_quiet("TTL k", -2);
    }

    #[test]
    fn the_last_deadline_of_all_is_no_negative_one() {
        let mut db = Db::new();
        db.check("SET k v PXAT 9223372036854775807", "OK");
        db.check_quiet("EXPIRETIME k", 9_223_372_036_854_775);
    }

    #[test]
    fn a_deadline_in_the_past_removes_the_key() {
        let mut db = Db::new();
        db.check("SET k v", "OK");
        db.check("EXPIREAT k 1", 1);
        assert_eq!(db.logged(), "DEL k");
        assert_eq!(db.events(), ["del k"]);
        db.check_quiet("EXISTS k", 0);
    }

    #[test]
    fn conditions_compare_with_the_old_deadline() {
        let mut db = Db::new();
        db.check("SET k v", "OK");
        db.check_quiet("EXPIRE k 100 XX", 0);
        db.check_quiet("EXPIRE k 100 GT", 0);
        db.check("EXPIRE k 100 LT", 1);
        db.check_quiet("EXPIRE k 200 NX", 0);
        db.check_quiet("EXPIRE k 100 GT", 0);
        db.check("EXPIRE k 200 XX GT", 1);
        db.check("PERSIST k", 1);
        db.check_quiet("PERSIST k", 0);
        db.check_quiet("TTL k", -1);
        db.check_quiet("EXPIRE k x", Error::NOT_AN_INTEGER);
        db.check_quiet("EXPIRE k 9223372036854775807", Error::invalid_expire("expire"));
        db.check_quiet("EXPIRE k 1 AB", "-ERR Unsupported option AB");
        db.check_quiet("EXPIRE k 1 NX LT", "-ERR NX and XX, GT or LT options at the same time are not compatible");
        db.check_quiet("EXPIRE k 1 GT LT", "-ERR GT and LT options at the same time are not compatible");
    }
}
