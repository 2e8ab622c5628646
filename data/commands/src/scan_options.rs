//! The cursor and options of SCAN, HSCAN, SSCAN and ZSCAN, read the same way by all of them.

use crate::{Args, Error};
use ochre_text::{case, glob, number};
use ochre_values::Kind;

/// What is walked: it decides which options there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walks {
    /// SCAN: takes TYPE.
    Keys,
    /// HSCAN: takes NOVALUES.
    Fields,
    /// SSCAN.
    Members,
    /// ZSCAN: takes NOSCORES.
    Scored,
}

/// The options of one step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScanOptions<'a> {
    /// About how many elements the step is to visit; at least 1. Clamp it to what exists before anything is sized by it.
    pub(crate) count: usize,
    /// Only keys of this type.
    pub(crate) kind: Option<Kind>,
    /// Only the fields' names, only the members without their scores.
    pub(crate) no_values: bool,
    /// `None` when everything matches.
    pattern: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// Reads all words that are left. The peers do so only when there is something to walk: a missing key is answered first.
    ///
    /// # Errors
    /// `Error::SYNTAX` for an unknown option, one without value, or a count below 1; a count that is no integer; an unknown
    /// type; NOVALUES or NOSCORES where there are none.
    pub(crate) fn read(args: &mut Args<'a>, walks: Walks) -> Result<ScanOptions<'a>, Error> {
        let mut options = ScanOptions { count: 10, kind: None, no_values: false, pattern: None };
        while let Some(word) = args.next() {
            if case::is(word, "COUNT") {
                let count = args.int()?;
                if count < 1 {
                    return Err(Error::SYNTAX);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if case::is(word, "MATCH") {
                options.pattern = Some(args.value()?).filter(|pattern| *pattern != b"*");
            } else if walks == Walks::Keys && case::is(word, "TYPE") {
                options.kind = Some(kind(args.value()?)?);
            } else if case::is(word, "NOVALUES") {
                if walks != Walks::Fields {
                    return Err(Error::NOVALUES);
                }
                options.no_values = true;
            } else if case::is(word, "NOSCORES") {
                if walks != Walks::Scored {
                    return Err(Error::NOSCORES);
                }
                options.no_values = true;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// Whether an element with this name is to be shown.
    #[inline]
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }
}

/// The type that `name` names in any case.
fn kind(name: &[u8]) -> Result<Kind, Error> {
    let named = |kind: &Kind| case::eq_ignore_case(name, kind.name().as_bytes());
    Kind::ALL.into_iter().find(named).ok_or_else(|| Error::unknown_type(name))
}

/// Reads a cursor: an unsigned integer of 64 bits, 0 to begin with.
///
/// As in the peers it may be spelled with leading blanks, zeros or a plus sign; a negative one is taken modulo 2⁶⁴ unless it is
/// spelled properly.
///
/// # Errors
/// `Error::INVALID_CURSOR` for anything else.
pub(crate) fn cursor(word: &[u8]) -> Result<u64, Error> {
    match number::parse_i64(word) {
        Some(cursor) => u64::try_from(cursor).map_err(|_| Error::INVALID_CURSOR),
        None => odd_cursor(word).ok_or(Error::INVALID_CURSOR),
    }
}

#[cold]
fn odd_cursor(word: &[u8]) -> Option<u64> {
    let blanks = word.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0B).count();
    let (negative, digits) = match &word[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let magnitude = match &digits[zeros..] {
        [] if zeros > 0 => 0,
        significant => number::parse_u64(significant)?,
    };
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_resp::Batch;

    fn read(words: &str, walks: Walks) -> Result<String, Error> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut batch = Batch::default();
        let command = batch.push(words.iter().map(|word| word.as_bytes()));
        let mut args = Args::new(batch.args(&command, &[]));
        ScanOptions::read(&mut args, walks).map(|options| {
            let pattern = options.pattern.map(String::from_utf8_lossy);
            format!("{} {:?} {} {pattern:?}", options.count, options.kind.map(Kind::name), options.no_values)
        })
    }

    #[test]
    fn options_come_in_any_order_and_the_last_counts() {
        assert_eq!(read("SSCAN", Walks::Members), Ok("10 None false None".into()));
        assert_eq!(read("SSCAN count 5 MATCH a* Count 7", Walks::Members), Ok("7 None false Some(\"a*\")".into()));
        assert_eq!(read("SSCAN MATCH *", Walks::Members), Ok("10 None false None".into()));
        assert_eq!(read("HSCAN novalues NOVALUES", Walks::Fields), Ok("10 None true None".into()));
        assert_eq!(read("SCAN type ZSET type HASH", Walks::Keys), Ok("10 Some(\"hash\") false None".into()));
    }

    #[test]
    fn each_option_is_judged_when_it_is_read() {
        for words in ["SCAN x", "SCAN COUNT", "SCAN MATCH", "SCAN TYPE", "SCAN COUNT 0 x", "SCAN COUNT -1"] {
            assert_eq!(read(words, Walks::Keys), Err(Error::SYNTAX), "{words}");
        }
        assert_eq!(read("SCAN COUNT x y", Walks::Keys), Err(Error::NOT_AN_INTEGER));
        assert_eq!(read("SCAN TYPE list2 x", Walks::Keys), Err(Error::unknown_type(b"list2")));
        assert_eq!(read("SCAN NOVALUES x", Walks::Keys), Err(Error::NOVALUES));
        assert_eq!(read("SSCAN NOVALUES", Walks::Members), Err(Error::NOVALUES));
        assert_eq!(read("SSCAN NOSCORES", Walks::Members), Err(Error::NOSCORES));
        assert_eq!(read("HSCAN TYPE hash", Walks::Fields), Err(Error::SYNTAX));
    }

    #[test]
    fn only_matching_names_are_shown() {
        let mut options = ScanOptions { count: 1, kind: None, no_values: false, pattern: None };
        assert!(options.matches(b"anything"));
        options.pattern = Some(b"a?");
        assert!(options.matches(b"ab") && !options.matches(b"b"));
        options.pattern = Some(b"");
        assert!(options.matches(b"") && !options.matches(b"b"));
    }

    #[test]
    fn a_cursor_is_any_unsigned_number() {
        for (word, expected) in [
            ("0", 0),
            ("17", 17),
            ("18446744073709551615", u64::MAX),
            ("+5", 5),
            (" 1", 1),
            ("007", 7),
            ("00", 0),
            ("-01", u64::MAX),
        ] {
            assert_eq!(cursor(word.as_bytes()), Ok(expected), "{word:?}");
        }
        for word in ["", " ", "+", "-", "-1", "x", "1x", "1 ", "0x1", "18446744073709551616"] {
            assert_eq!(cursor(word.as_bytes()), Err(Error::INVALID_CURSOR), "{word:?}");
        }
    }
}
