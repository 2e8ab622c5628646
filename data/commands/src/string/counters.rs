//! Strings that are numbers.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply, Text};
use ochre_text::number::LongDouble;

pub(super) const INCR: Command = Command::new(Group::String, "INCR", "key", incr)
    .summary("Adds one to the integer at a key; a missing key counts as 0.")
    .cost("O(1)")
    .since("1.0.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

fn incr(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(data, &args.key(), 1, reply)
}

pub(super) const DECR: Command = Command::new(Group::String, "DECR", "key", decr)
    .summary("Subtracts one from the integer at a key; a missing key counts as 0.")
    .cost("O(1)")
    .since("1.0.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

fn decr(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    add(data, &args.key(), -1, reply)
}

pub(super) const INCRBY: Command = Command::new(Group::String, "INCRBY", "key increment", incrby)
    .summary("Adds to the integer at a key; a missing key counts as 0.")
    .cost("O(1)")
    .since("1.0.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

fn incrby(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let increment = args.int()?;
    add(data, &key, increment, reply)
}

pub(super) const DECRBY: Command = Command::new(Group::String, "DECRBY", "key decrement", decrby)
    .summary("Subtracts from the integer at a key; a missing key counts as 0.")
    .cost("O(1)")
    .since("1.0.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

fn decrby(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let increment = args.int()?.checked_neg().ok_or(Error::DECREMENT_OVERFLOW)?;
    add(data, &key, increment, reply)
}

/// Adds `increment` to the integer at `key` and replies the sum.
fn add(data: &mut Locked<'_>, key: &Key<'_>, increment: i64, reply: &mut Reply<'_>) -> Result<(), Error> {
    let sum = data.update_int(key, |old| integer_in(old)?.checked_add(increment).ok_or(Error::OVERFLOW))?;
    data.changed(key, Class::STRING, "incrby");
    reply.integer(sum);
    Ok(())
}

/// The integer that a string is; a missing one is 0.
pub(super) fn integer_in(text: Option<Text<'_>>) -> Result<i64, Error> {
    text.map_or(Ok(0), |text| text.as_int().ok_or(Error::NOT_AN_INTEGER))
}

pub(super) const INCRBYFLOAT: Command = Command::new(Group::String, "INCRBYFLOAT", "key increment", incrbyfloat)
    .summary("Adds to the number at a key, which may have decimals; a missing key counts as 0.")
    .cost("O(1)")
    .since("2.6.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

fn incrbyfloat(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let old = float_in(data.peek_text(&key)?)?;
    let increment = LongDouble::parse(args.word()).ok_or(Error::NOT_A_FLOAT)?;
    let sum = old.plus(increment).filter(|sum| sum.is_finite()).ok_or(Error::NAN_OR_INFINITY)?;
    let mut text = Vec::new();
    sum.write(&mut text);
    data.set_plain_text(&key, &text, Expiry::Keep);
    data.changed(&key, Class::STRING, "incrbyfloat");
    // The sum, because another server may round otherwise.
    data.log(&[b"SET", key.bytes(), &text, b"KEEPTTL"]);
    reply.bulk(&text);
    Ok(())
}

/// The number that a string is; a missing one is 0.
pub(super) fn float_in(text: Option<Text<'_>>) -> Result<LongDouble, Error> {
    let Some(text) = text else { return Ok(LongDouble::ZERO) };
    let mut buffer = Vec::new();
    LongDouble::parse(text.bytes(&mut buffer)).ok_or(Error::NOT_A_FLOAT)
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn incr_counts_from_zero_and_refuses_what_is_no_integer() {
        let mut db = Db::new();
        db.check("INCR n", 1);
        db.check("INCR n", 2);
        assert_eq!(db.events(), ["incrby n"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("SET n 9223372036854775807", "OK");
        db.check_quiet("INCR n", Error::OVERFLOW);
        for text in ["text", "", "\" 1\"", "01", "1.0"] {
            db.check(&format!("SET n {}", if text.is_empty() { "\"\"" } else { text }), "OK");
            db.check_quiet("INCR n", Error::NOT_AN_INTEGER);
        }
    }

    #[test]
    fn a_failed_increment_leaves_no_key() {
        let mut db = Db::new();
        db.check_quiet("INCRBY n x", Error::NOT_AN_INTEGER);
        db.check_quiet("INCRBYFLOAT n x", Error::NOT_A_FLOAT);
        db.check_quiet("GET n", Null);
    }

    #[test]
    fn the_integer_commands_count_up_and_down() {
        let mut db = Db::new();
        db.check("DECR n", -1);
        db.check("INCRBY n 11", 10);
        db.check("DECRBY n 13", -3);
        assert_eq!(db.events(), ["incrby n"]);
        db.check_quiet("DECRBY n -9223372036854775808", Error::DECREMENT_OVERFLOW);
        db.check_quiet("DECRBY n 9223372036854775807", Error::OVERFLOW);
        db.check_quiet("INCRBY n 1.5", Error::NOT_AN_INTEGER);
        // A string of digits that was put together counts too.
        db.check("APPEND m 1", 1);
        db.check("APPEND m 2", 2);
        db.check("INCR m", 13);
    }

    #[test]
    fn counting_keeps_the_deadline() {
        let mut db = Db::new();
        db.check("SET n 1 PX 10", "OK");
        db.check("INCR n", 2);
        db.check("INCRBYFLOAT n 0.5", "2.5");
        db.sleep_ms(10);
        db.check("INCR n", 1);
        assert_eq!(db.events(), ["expired n", "incrby n"]);
    }

    #[test]
    fn incrbyfloat_adds_as_an_80_bit_number_and_logs_the_sum() {
        let mut db = Db::new();
        db.check("INCRBYFLOAT n 10.50", "10.5");
        db.check("INCRBYFLOAT n 0.1", "10.6");
        assert_eq!(db.events(), ["incrbyfloat n"]);
        assert_eq!(db.logged(), "SET n 10.6 KEEPTTL");
        db.check("INCRBYFLOAT n -10.6", "0");
        db.check("INCR n", 1);
        db.check("INCRBYFLOAT n 5e3", "5001");
        for increment in ["x", "nan", "\" 1\"", "1e5000"] {
            db.check_quiet(&format!("INCRBYFLOAT n {increment}"), Error::NOT_A_FLOAT);
        }
        db.check_quiet("INCRBYFLOAT n inf", Error::NAN_OR_INFINITY);
        db.check("SET n text", "OK");
        db.check_quiet("INCRBYFLOAT n 1", Error::NOT_A_FLOAT);
    }
}
