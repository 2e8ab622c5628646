//! Fields that are numbers.

use super::fields::put;
use super::named::fields_expired;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item};
use ochre_text::number::{self, LongDouble};
use ochre_values::Hash;
use ochre_values::hash::{Before, Deadline};

pub(super) const HINCRBY: Command = Command::new(Group::Hash, "HINCRBY", "key field increment", hincrby)
    .summary("Adds to the integer in a field of a hash; a missing one counts as 0.")
    .cost("O(1)")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .member(2)
    .flags(WRITE | DENYOOM | FAST);

fn hincrby(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field) = (args.key(), args.word());
    let increment = args.int()?;
    let mut sum = 0;
    let change = update(data, &key, field, |old, text| {
        let old = match old {
            Some(value) => value.as_int().ok_or(Error::HASH_VALUE_NOT_AN_INTEGER)?,
            None => 0,
        };
        sum = old.checked_add(increment).ok_or(Error::OVERFLOW)?;
        text.extend_from_slice(number::format_i64(sum, &mut [0; INTEGER_TEXT_MAX]));
        Ok(())
    })?;
    reply.integer(sum);
    // Where the log is read a field that was due may seem to be there still, or a living one to be due.
    if change.before == Before::Expired || change.deadline_ms.is_some() {
        change.log(data, &key, field);
    }
    change.publish(data, &key, "hincrby");
    Ok(())
}

pub(super) const HINCRBYFLOAT: Command = Command::new(Group::Hash, "HINCRBYFLOAT", "key field increment", hincrbyfloat)
    .summary("Adds to the number in a field of a hash, which may have decimals; a missing one counts as 0.")
    .cost("O(1)")
    .since("2.6.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .member(2)
    .flags(WRITE | DENYOOM | FAST);

fn hincrbyfloat(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, field) = (args.key(), args.word());
    let increment = LongDouble::parse(args.word()).ok_or(Error::NOT_A_FLOAT)?;
    if !increment.is_finite() {
        return Err(Error::INCREMENT_NAN_OR_INFINITY);
    }
    let change = update(data, &key, field, |old, text| {
        let old = match old {
            Some(value) => {
                LongDouble::parse(value.as_bytes(&mut [0; INTEGER_TEXT_MAX])).ok_or(Error::HASH_VALUE_NOT_A_FLOAT)?
            }
            None => LongDouble::ZERO,
        };
        let sum = old.plus(increment).filter(|sum| sum.is_finite()).ok_or(Error::NAN_OR_INFINITY)?;
        sum.write(text);
        Ok(())
    })?;
    reply.bulk(&change.text);
    // The sum, because another server may round otherwise.
    change.log(data, &key, field);
    change.publish(data, &key, "hincrbyfloat");
    Ok(())
}

/// A field that got another value.
struct Change {
    text: Vec<u8>,
    before: Before,
    /// The deadline that the field had and keeps.
    deadline_ms: Option<u64>,
}

/// Sets a field to the text that `add` makes of its value; its deadline stays.
fn update(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    field: &[u8],
    add: impl FnOnce(Option<Item<'_>>, &mut Vec<u8>) -> Result<(), Error>,
) -> Result<Change, Error> {
    let (now_ms, limits) = (data.expiry_clock_ms(), data.limits());
    let mut hash = data.edit_or_new::<Hash>(key)?;
    let old = hash.view().pair(field, now_ms);
    let deadline_ms = old.and_then(|pair| pair.deadline_ms);
    let mut text = Vec::with_capacity(INTEGER_TEXT_MAX);
    add(old.map(|pair| pair.value), &mut text)?;
    let before = put(&mut hash, field, &text, Deadline::Keep, now_ms, limits);
    Ok(Change { text, before, deadline_ms })
}

impl Change {
    fn log<'a>(&'a self, data: &mut Locked<'_>, key: &Key<'a>, field: &'a [u8]) {
        match self.deadline_ms {
            None => data.log(&[b"HSET", key.bytes(), field, &self.text]),
            Some(deadline_ms) if data.log_wanted() => {
                let deadline = deadline_ms.to_string();
                let words = [b"HSETEX", key.bytes(), b"PXAT", deadline.as_bytes(), b"FIELDS", b"1", field, &self.text];
                data.log(&words);
            }
            Some(_) => {}
        }
    }

    fn publish(&self, data: &mut Locked<'_>, key: &Key<'_>, event: &'static str) {
        fields_expired(data, key, u64::from(self.before == Before::Expired));
        data.changed(key, Class::HASH, event);
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn hincrby_counts_from_zero_and_refuses_what_is_no_integer() {
        let mut db = Db::new();
        db.check("HINCRBY h n 5", 5);
        assert_eq!(db.events(), ["hincrby h"]);
        assert_eq!(db.logged(), "verbatim");
        db.check("HINCRBY h n -12", -7);
        db.check_quiet("HINCRBY h n x", Error::NOT_AN_INTEGER);
        db.check_quiet("HINCRBY h n -9223372036854775808", Error::OVERFLOW);
        for text in ["text", "1.5", "\" 1\"", "01", "\"\""] {
            db.check(&format!("HSET h t {text}"), i64::from(text == "text"));
            db.check_quiet("HINCRBY h t 1", Error::HASH_VALUE_NOT_AN_INTEGER);
        }
        db.check("SET s 1", "OK");
        db.check_quiet("HINCRBY s f 1", Error::WRONG_TYPE);
        db.check_quiet("HINCRBY s f x", Error::NOT_AN_INTEGER);
    }

    #[test]
    fn hincrbyfloat_adds_as_an_80_bit_number_and_logs_the_sum() {
        let mut db = Db::new();
        db.check("HINCRBYFLOAT h n 10.50", "10.5");
        db.check("HINCRBYFLOAT h n 0.1", "10.6");
        assert_eq!(db.events(), ["hincrbyfloat h"]);
        assert_eq!(db.logged(), "HSET h n 10.6");
        db.check("HINCRBYFLOAT h n -10.6", "0");
        db.check("HINCRBY h n 2", 2);
        db.check("HINCRBYFLOAT h n 5e3", "5002");
        db.check_quiet("HINCRBYFLOAT h n x", Error::NOT_A_FLOAT);
        db.check_quiet("HINCRBYFLOAT h n inf", Error::INCREMENT_NAN_OR_INFINITY);
        db.check("HSET h t text", 1);
        db.check_quiet("HINCRBYFLOAT h t 1", Error::HASH_VALUE_NOT_A_FLOAT);
        db.check("HSET h t inf", 0);
        db.check_quiet("HINCRBYFLOAT h t 1", Error::NAN_OR_INFINITY);
        db.check("SET s 1", "OK");
        db.check_quiet("HINCRBYFLOAT s f 1", Error::WRONG_TYPE);
        db.check_quiet("HINCRBYFLOAT s f inf", Error::INCREMENT_NAN_OR_INFINITY);
    }

    #[test]
    fn a_failed_increment_leaves_no_key() {
        let mut db = Db::new();
        db.check_quiet("HINCRBY h f x", Error::NOT_AN_INTEGER);
        db.check_quiet("HINCRBYFLOAT h f x", Error::NOT_A_FLOAT);
        db.check_quiet("EXISTS h", 0);
    }

    #[test]
    fn counting_keeps_the_deadline_unless_it_has_passed() {
        let mut db = Db::new();
        db.check("HSET h a 1 b 1", 2);
        db.check("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]);
        db.check("HINCRBY h a 1", 2);
        assert_eq!(db.logged(), "HSETEX h PXAT 1700000000010 FIELDS 1 a 2");
        db.check("HINCRBYFLOAT h b 0.5", "1.5");
        assert_eq!(db.logged(), "HSETEX h PXAT 1700000000010 FIELDS 1 b 1.5");
        db.check_quiet("HPTTL h FIELDS 2 a b", [10, 10]);
        db.sleep_ms(10);
        db.check("HINCRBY h a 1", 1);
        assert_eq!(db.events(), ["hexpired h", "hincrby h"]);
        assert_eq!(db.logged(), "HSET h a 1");
        db.check("HINCRBYFLOAT h b 0.5", "0.5");
        assert_eq!(db.events(), ["hexpired h", "hincrbyfloat h"]);
        assert_eq!(db.logged(), "HSET h b 0.5");
        db.check_quiet("HTTL h FIELDS 2 a b", [-1, -1]);
    }
}
