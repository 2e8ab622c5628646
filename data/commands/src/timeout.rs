//! How long a command that finds nothing to take waits.

use crate::{Args, Error};
use ochre_text::number;

/// The next word as seconds, with a fraction: BLPOP and its kin. Milliseconds, rounded up; 0 is for ever.
///
/// # Errors
/// Not a number, negative, or past the end of time.
pub(crate) fn seconds(args: &mut Args<'_>, now_ms: u64) -> Result<u64, Error> {
    let word = args.value()?;
    let seconds = number::parse_f64(word).ok_or_else(|| match number::LongDouble::parse(word) {
        // A number, but too large for a double.
        Some(_) => Error::TIMEOUT_OUT_OF_RANGE,
        None => Error::TIMEOUT_NOT_A_FLOAT,
    })?;
    let timeout_ms = (seconds * 1000.0).ceil();
    if timeout_ms < 0.0 {
        return Err(Error::TIMEOUT_NEGATIVE);
    }
    // From 2^63 on the conversion stops at the largest number, which no deadline can be.
    in_time(timeout_ms as i64, now_ms)
}

/// The next word as milliseconds: WAIT, and the BLOCK option of XREAD. 0 is for ever.
///
/// # Errors
/// Not an integer, negative, or past the end of time.
pub fn milliseconds(args: &mut Args<'_>, now_ms: u64) -> Result<u64, Error> {
    in_time(number::parse_i64(args.value()?).ok_or(Error::TIMEOUT_NOT_AN_INTEGER)?, now_ms)
}

fn in_time(timeout_ms: i64, now_ms: u64) -> Result<u64, Error> {
    let timeout_ms = u64::try_from(timeout_ms).map_err(|_| Error::TIMEOUT_NEGATIVE)?;
    match timeout_ms.checked_add(now_ms) {
        Some(end_ms) if end_ms <= i64::MAX as u64 => Ok(timeout_ms),
        _ => Err(Error::TIMEOUT_OUT_OF_RANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::{milliseconds, seconds};
    use crate::{Args, Error};
    use ochre_resp::Batch;

    type Read = fn(&mut Args<'_>, u64) -> Result<u64, Error>;

    #[track_caller]
    fn check(read: Read, word: &str, expected: Result<u64, Error>) {
        let mut batch = Batch::default();
        let command = batch.push([b"BLPOP", word.as_bytes()]);
        assert_eq!(read(&mut Args::new(batch.args(&command, &[])), 1_700_000_000_000), expected, "{word}");
    }

    #[test]
    fn seconds_may_have_a_fraction_and_are_rounded_up_to_milliseconds() {
        for (word, ms) in [("0", 0), ("1", 1000), ("0.001", 1), ("0.0001", 1), ("1.5e1", 15_000), ("0x10", 16_000)] {
            check(seconds, word, Ok(ms));
        }
        check(seconds, "9007199254740992", Ok(9_007_199_254_740_992_000));
        for word in ["-1", "-0.01", "-inf"] {
            check(seconds, word, Err(Error::TIMEOUT_NEGATIVE));
        }
        for word in ["inf", "1e400", "9223372036854775", "99999999999999999999"] {
            check(seconds, word, Err(Error::TIMEOUT_OUT_OF_RANGE));
        }
        for word in ["", "a", "nan", " 1", "1 "] {
            check(seconds, word, Err(Error::TIMEOUT_NOT_A_FLOAT));
        }
    }

    #[test]
    fn milliseconds_are_whole() {
        check(milliseconds, "0", Ok(0));
        check(milliseconds, "1500", Ok(1500));
        check(milliseconds, "-1", Err(Error::TIMEOUT_NEGATIVE));
        check(milliseconds, "1.5", Err(Error::TIMEOUT_NOT_AN_INTEGER));
        check(milliseconds, "9223372036854775807", Err(Error::TIMEOUT_OUT_OF_RANGE));
    }
}
