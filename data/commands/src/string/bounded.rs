//! INCREX: a counter with bounds and a deadline, in one step.

use super::counters::{float_in, integer_in};
use super::values::decimal;
use crate::expire_option::{Deadline, ExpireOption, Takes, is_past};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply};
use ochre_text::number::{self, LongDouble};

pub(super) const INCREX: Command = Command::new(
    Group::String,
    "INCREX",
    "key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND upperbound] [EX seconds | \
     PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX]",
    increx,
)
.summary("Adds to the number at a key within bounds and sets its deadline; replies the new number and what was added.")
.cost("O(1)")
.since("8.8.0")
.keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
.flags(WRITE | DENYOOM | FAST);

fn increx(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let options = Options::read(args)?;
    let step = options.step()?;
    let deadline = options.expire.deadline(data.now_ms(), "increx")?;
    match step {
        Step::Int(step) => add_integer(data, &key, step, &options, deadline, reply),
        Step::Float(step) => add_float(data, &key, step, &options, deadline, reply),
    }
}

/// The words behind the key, as typed.
#[derive(Default)]
struct Options<'a> {
    by_int: Option<&'a [u8]>,
    by_float: Option<&'a [u8]>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    expire: ExpireOption<'a>,
    /// A deadline that is there already stays.
    only_without_deadline: bool,
}

impl<'a> Options<'a> {
    fn read(args: &mut Args<'a>) -> Result<Options<'a>, Error> {
        let mut options = Options::default();
        while args.remaining() > 0 {
            if options.expire.is_typed() {
                // Unlike elsewhere a second deadline is refused, even in the same words.
                if ExpireOption::default().read(&mut args.clone(), Takes::Persist)? {
                    return Err(Error::SYNTAX);
                }
            } else if options.expire.read(args, Takes::Persist)? {
                continue;
            }
            if args.option("SATURATE") {
                options.saturate = true;
            } else if args.option("ENX") {
                options.only_without_deadline = true;
            } else {
                let value = if args.option("BYINT") {
                    &mut options.by_int
                } else if args.option("BYFLOAT") {
                    &mut options.by_float
                } else if args.option("LBOUND") {
                    &mut options.lower
                } else if args.option("UBOUND") {
                    &mut options.upper
                } else {
                    return Err(Error::SYNTAX);
                };
                if value.replace(args.value()?).is_some() {
                    return Err(Error::SYNTAX);
                }
            }
        }
        if options.by_int.is_some() && options.by_float.is_some() {
            return Err(Error::SYNTAX);
        }
        if options.only_without_deadline && !options.expire.is_typed() {
            return Err(Error::fixed("ERR ENX flag requires an expiration"));
        }
        if options.only_without_deadline && options.expire.is_persist() {
            return Err(Error::SYNTAX);
        }
        Ok(options)
    }

    /// What to add, and the bounds of the sum.
    fn step(&self) -> Result<Step, Error> {
        let Some(by) = self.by_float else {
            let read = |word: Option<&[u8]>, name: &str, default| {
                let not_an_integer = || Error::text(format!("ERR {name} is not an integer or out of range"));
                word.map_or(Ok(default), |word| number::parse_i64(word).ok_or_else(not_an_integer))
            };
            let by = read(self.by_int, "Increment", 1)?;
            let (lower, upper) = (read(self.lower, "LBOUND", i64::MIN)?, read(self.upper, "UBOUND", i64::MAX)?);
            return if lower > upper { Err(BOUNDS) } else { Ok(Step::Int(Bounded { by, lower, upper })) };
        };
        let read = |word: Option<&[u8]>, name: &str, default| {
            let not_a_float = || Error::text(format!("ERR {name} is not a valid float"));
            word.map_or(Ok(default), |word| LongDouble::parse(word).ok_or_else(not_a_float))
        };
        let by = read(Some(by), "Increment", LongDouble::ZERO)?;
        if !by.is_finite() {
            return Err(Error::fixed("ERR BYFLOAT increment cannot be Infinity"));
        }
        let lower = read(self.lower, "LBOUND", -LongDouble::MAX)?;
        let upper = read(self.upper, "UBOUND", LongDouble::MAX)?;
        if lower > upper { Err(BOUNDS) } else { Ok(Step::Float(Bounded { by, lower, upper })) }
    }
}

const BOUNDS: Error = Error::fixed("ERR LBOUND can't be greater than UBOUND");

struct Bounded<T> {
    by: T,
    lower: T,
    upper: T,
}

enum Step {
    Int(Bounded<i64>),
    Float(Bounded<LongDouble>),
}

fn add_integer(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    step: Bounded<i64>,
    options: &Options<'_>,
    deadline: Deadline,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let old = integer_in(data.peek_text(key)?)?;
    let sum = i128::from(old) + i128::from(step.by);
    let bounded = sum.clamp(step.lower.into(), step.upper.into());
    reply.array(2);
    if bounded != sum && !options.saturate {
        reply.integer(old);
        reply.integer(0);
        return Ok(());
    }
    let overflow = |_| Error::fixed("ERR applied increment would overflow");
    let applied = i64::try_from(bounded - i128::from(old)).map_err(overflow)?;
    let new = old + applied;
    reply.integer(new);
    reply.integer(applied);
    let mut text = Vec::with_capacity(number::I64_TEXT_LEN_MAX);
    number::write_i64(&mut text, new);
    store(data, key, &text, "incrby", options, deadline);
    Ok(())
}

fn add_float(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    step: Bounded<LongDouble>,
    options: &Options<'_>,
    deadline: Deadline,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let old = float_in(data.peek_text(key)?)?;
    if !old.is_finite() {
        return Err(Error::fixed("ERR value cannot be Infinity"));
    }
    let sum = old.plus(step.by).expect("finite numbers have a sum");
    let within = sum >= step.lower && sum <= step.upper && sum.is_finite();
    reply.array(2);
    if !within && !options.saturate {
        reply_float(old, reply);
        reply_float(LongDouble::ZERO, reply);
        return Ok(());
    }
    let new = match sum {
        sum if sum > step.upper => step.upper,
        sum if sum < step.lower => step.lower,
        sum => sum,
    };
    let applied = new.plus(-old).filter(|applied| applied.is_finite());
    let applied = applied.ok_or(Error::fixed("ERR applied increment would be Infinity"))?;
    reply_float(new, reply);
    reply_float(applied, reply);
    let mut text = Vec::new();
    new.write(&mut text);
    store(data, key, &text, "incrbyfloat", options, deadline);
    Ok(())
}

/// A number with decimals: a string in version 2, a double with all its digits in version 3.
fn reply_float(value: LongDouble, reply: &mut Reply<'_>) {
    if !reply.is_resp3() {
        return reply.bulk_with(|out| value.write(out));
    }
    let mut text = vec![b','];
    value.write(&mut text);
    text.extend_from_slice(b"\r\n");
    reply.raw(&text);
}

/// Makes the new number the value of `key`, with the deadline that was asked for. It is logged as a SET, which every server
/// knows and none computes otherwise.
fn store(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    text: &[u8],
    event: &'static str,
    options: &Options<'_>,
    deadline: Deadline,
) {
    let had_deadline = data.expiry_ms(key).flatten().is_some();
    let deadline = match deadline {
        Deadline::At(_) if options.only_without_deadline && had_deadline => Deadline::Unsaid,
        deadline => deadline,
    };
    let set = |data: &mut Locked<'_>, expiry| {
        data.set_text(key, text, expiry);
        data.changed(key, Class::STRING, event);
    };
    match deadline {
        Deadline::At(deadline_ms) if is_past(data, deadline_ms) => {
            data.expire_at_once(key);
        }
        Deadline::At(deadline_ms) => {
            set(data, Expiry::At(deadline_ms));
            data.event(Class::GENERIC, "expire", key);
            if data.log_wanted() {
                data.log(&[b"SET", key.bytes(), text, b"PXAT", &decimal(deadline_ms)]);
            }
        }
        Deadline::Persist => {
            set(data, Expiry::Clear);
            if had_deadline {
                data.event(Class::GENERIC, "persist", key);
            }
            data.log(&[b"SET", key.bytes(), text]);
        }
        Deadline::Unsaid | Deadline::KeepTtl => {
            set(data, Expiry::Keep);
            data.log(&[b"SET", key.bytes(), text, b"KEEPTTL"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BOUNDS;
    use crate::Error;
    use crate::testing::{Db, Null};
    use ochre_resp::Protocol;

    #[test]
    fn increx_counts_and_replies_what_it_added() {
        let mut db = Db::new();
        db.check("INCREX n", [1, 1]);
        assert_eq!(db.events(), ["incrby n"]);
        assert_eq!(db.logged(), "SET n 1 KEEPTTL");
        db.check("INCREX n BYINT -5", [-4, -5]);
        db.check("INCREX n BYFLOAT 1.5", ["-2.5", "1.5"]);
        assert_eq!(db.events(), ["incrbyfloat n"]);
        db.check_quiet("INCREX n", Error::NOT_AN_INTEGER);
        db.protocol = Protocol::Resp3;
        assert_eq!(db.run_raw(&[b"INCREX", b"n", b"BYFLOAT", b"0"]), b"*2\r\n,-2.5\r\n,0\r\n");
    }

    #[test]
    fn increx_out_of_bounds_changes_nothing() {
        let mut db = Db::new();
        db.check_quiet("INCREX n UBOUND 0", [0, 0]);
        db.check_quiet("GET n", Null);
        db.check("SET n 10 PX 10", "OK");
        db.check_quiet("INCREX n BYINT 5 UBOUND 12 EX 100", [10, 0]);
        db.check_quiet("INCREX n BYINT 5 LBOUND 20", [10, 0]);
        db.check_quiet("INCREX n BYINT 9223372036854775807 PERSIST", [10, 0]);
        db.check_quiet("INCREX n BYFLOAT 5.5 UBOUND 12.5", ["10", "0"]);
        db.sleep_ms(10);
        db.check("GET n", Null);
    }

    #[test]
    fn increx_saturate_stops_at_the_bound() {
        let mut db = Db::new();
        db.check("INCREX n LBOUND 5 SATURATE", [5, 5]);
        db.check("SET n 10", "OK");
        db.check("INCREX n BYINT 5 UBOUND 12 SATURATE", [12, 2]);
        db.check("INCREX n BYINT 5 UBOUND 8 SATURATE", [8, -4]);
        db.check("INCREX n BYINT -9223372036854775808 LBOUND -100 SATURATE", [-100, -108]);
        db.check("INCREX n BYFLOAT 1e4932 UBOUND 0.5 SATURATE", ["0.5", "100.5"]);
        db.check("SET n 9223372036854775800", "OK");
        db.check("INCREX n BYINT 10 SATURATE", "[9223372036854775807 7]");
        let overflow = "-ERR applied increment would overflow";
        db.check_quiet("INCREX n UBOUND -9223372036854775808 SATURATE", overflow);
        db.check("SET n 10", "OK");
        let infinite = "-ERR applied increment would be Infinity";
        db.check_quiet("INCREX n BYFLOAT 1 LBOUND inf UBOUND inf SATURATE", infinite);
        db.check("SET n 1e4932", "OK");
        db.check("INCREX n BYFLOAT 1e4932 SATURATE EX 10", db_max());
    }

    /// The largest number and how far it is from 1e4932.
    fn db_max() -> &'static str {
        static SHOWN: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        SHOWN.get_or_init(|| {
            use ochre_text::number::LongDouble;
            let old = LongDouble::parse(b"1e4932").unwrap();
            let (mut max, mut step) = (Vec::new(), Vec::new());
            LongDouble::MAX.write(&mut max);
            LongDouble::MAX.plus(-old).unwrap().write(&mut step);
            format!("[{} {}]", String::from_utf8(max).unwrap(), String::from_utf8(step).unwrap())
        })
    }

    #[test]
    fn increx_sets_keeps_and_removes_deadlines() {
        let mut db = Db::new();
        db.check("INCREX n EX 10 ENX", [1, 1]);
        assert_eq!(db.events(), ["incrby n", "expire n"]);
        assert_eq!(db.logged(), "SET n 1 PXAT 1700000010000");
        db.check("INCREX n EX 100 ENX", [2, 1]);
        assert_eq!(db.logged(), "SET n 2 KEEPTTL");
        db.check("INCREX n EXAT 1 ENX", [3, 1]);
        db.check("INCREX n PERSIST", [4, 1]);
        assert_eq!(db.events(), ["incrby n", "persist n"]);
        assert_eq!(db.logged(), "SET n 4");
        db.check("INCREX n EXAT 1", [5, 1]);
        assert_eq!(db.events(), ["expired n"]);
        db.check_quiet("INCREX n EXAT 1", [1, 1]);
        db.check_quiet("GET n", Null);
    }

    #[test]
    fn increx_says_which_word_is_wrong() {
        let mut db = Db::new();
        db.check("SET n 10", "OK");
        for words in
            ["FOO", "LBOUND", "BYINT 1 BYFLOAT 1", "BYINT 1 BYINT 1", "EX 1 EX 1", "EX 1 PERSIST", "PERSIST ENX"]
        {
            db.check_quiet(&format!("INCREX n {words}"), Error::SYNTAX);
        }
        for (words, error) in [
            ("ENX", "-ERR ENX flag requires an expiration"),
            ("BYINT x", "-ERR Increment is not an integer or out of range"),
            ("BYFLOAT x", "-ERR Increment is not a valid float"),
            ("UBOUND 1.5", "-ERR UBOUND is not an integer or out of range"),
            ("BYFLOAT 1 LBOUND x", "-ERR LBOUND is not a valid float"),
            ("BYFLOAT inf", "-ERR BYFLOAT increment cannot be Infinity"),
        ] {
            db.check_quiet(&format!("INCREX n {words}"), error);
        }
        db.check_quiet("INCREX n LBOUND 2 UBOUND 1", BOUNDS);
        db.check_quiet("INCREX n BYFLOAT 1 LBOUND inf", BOUNDS);
        db.check_quiet("INCREX n EX 0", Error::invalid_expire("increx"));
        db.check("SET n inf", "OK");
        db.check_quiet("INCREX n BYFLOAT 1", "-ERR value cannot be Infinity");
        db.check("SET n text", "OK");
        db.check_quiet("INCREX n BYFLOAT 1", Error::NOT_A_FLOAT);
    }
}
