//! The options that give a key or a field a deadline: EX, PX, EXAT, PXAT, KEEPTTL and PERSIST, read the same way by all commands.

use crate::{Args, Error, Locked};
use ochre_text::{case, number};

/// Which options beside EX, PX, EXAT and PXAT a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// KEEPTTL: the command writes a value, whose old deadline may stay.
    KeepTtl,
    /// PERSIST: the command may take a deadline away.
    Persist,
}

/// Which deadline option was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Ex,
    Px,
    ExAt,
    PxAt,
    KeepTtl,
    Persist,
}

/// A deadline option as it was typed. At most one of them is allowed; the same one twice is, and its last time counts.
///
/// The words of a command are read first, their times judged afterwards, so that a syntax error anywhere comes first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExpireOption<'a> {
    typed: Option<(Word, &'a [u8])>,
}

/// What a deadline option asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// No option was typed.
    Unsaid,
    KeepTtl,
    Persist,
    /// Unix time in ms, which may lie in the past: see [`is_past`].
    At(u64),
}

impl<'a> ExpireOption<'a> {
    /// Reads the next word (and the time behind it) if it is a deadline option; says whether it was.
    ///
    /// # Errors
    /// `Error::SYNTAX` when it contradicts one read before or lacks its time.
    pub(crate) fn read(&mut self, args: &mut Args<'a>, takes: Takes) -> Result<bool, Error> {
        let Some(option) = args.peek() else { return Ok(false) };
        let word = match option.len() {
            2 if case::is(option, "EX") => Word::Ex,
            2 if case::is(option, "PX") => Word::Px,
            4 if case::is(option, "EXAT") => Word::ExAt,
            4 if case::is(option, "PXAT") => Word::PxAt,
            7 if takes == Takes::KeepTtl && case::is(option, "KEEPTTL") => Word::KeepTtl,
            7 if takes == Takes::Persist && case::is(option, "PERSIST") => Word::Persist,
            _ => return Ok(false),
        };
        args.word();
        if self.typed.is_some_and(|(before, _)| before != word) {
            return Err(Error::SYNTAX);
        }
        let time = if matches!(word, Word::KeepTtl | Word::Persist) { &[][..] } else { args.value()? };
        self.typed = Some((word, time));
        Ok(true)
    }

    /// Whether an option was read.
    pub(crate) fn is_typed(&self) -> bool {
        self.typed.is_some()
    }

    /// Whether PERSIST was read.
    pub(crate) fn is_persist(&self) -> bool {
        matches!(self.typed, Some((Word::Persist, _)))
    }

    /// Whether the option means something else when it is read later, or in another unit.
    pub(crate) fn is_relative(&self) -> bool {
        matches!(self.typed, Some((Word::Ex | Word::Px | Word::ExAt, _)))
    }

    /// What the option means at `now_ms` (Unix ms) for the command `name`, in lower case.
    ///
    /// # Errors
    /// A time that is no integer, not positive, or past the end of time.
    pub(crate) fn deadline(&self, now_ms: u64, name: &str) -> Result<Deadline, Error> {
        self.deadline_from(1, now_ms, name)
    }

    /// As `deadline`, with `least` as the smallest time allowed: for the fields of a hash it is 0.
    pub(crate) fn deadline_from(&self, least: i64, now_ms: u64, name: &str) -> Result<Deadline, Error> {
        let (unit_ms, base_ms, time) = match self.typed {
            None => return Ok(Deadline::Unsaid),
            Some((Word::KeepTtl, _)) => return Ok(Deadline::KeepTtl),
            Some((Word::Persist, _)) => return Ok(Deadline::Persist),
            Some((Word::Ex, time)) => (1000, now_ms, time),
            Some((Word::Px, time)) => (1, now_ms, time),
            Some((Word::ExAt, time)) => (1000, 0, time),
            Some((Word::PxAt, time)) => (1, 0, time),
        };
        deadline_ms(time, least, unit_ms, base_ms, name).map(Deadline::At)
    }
}

/// The Unix time in ms that lies `time` units of `unit_ms` ms after `base_ms`, for the command `name`.
///
/// # Errors
/// As [`ExpireOption::deadline_from`].
pub(crate) fn deadline_ms(time: &[u8], least: i64, unit_ms: i64, base_ms: u64, name: &str) -> Result<u64, Error> {
    let time = number::parse_i64(time).ok_or(Error::NOT_AN_INTEGER)?;
    let base_ms = i64::try_from(base_ms).unwrap_or(i64::MAX);
    let deadline = time.checked_mul(unit_ms).and_then(|ms| ms.checked_add(base_ms));
    match deadline {
        Some(deadline) if time >= least => Ok(deadline.unsigned_abs()),
        _ => Err(Error::invalid_expire(name)),
    }
}

/// Whether a key given this deadline is gone at once. Not so where keys do not expire by themselves (replica, loading):
/// there the removal comes from outside.
pub(crate) fn is_past(data: &Locked<'_>, deadline_ms: u64) -> bool {
    deadline_ms <= data.now_ms() && data.context().expire
}

/// The conditions NX, XX, GT and LT, under which a key or a field gets a deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpireCondition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl ExpireCondition {
    /// Reads the words up to the one at index `end`.
    ///
    /// # Errors
    /// An unknown word, or conditions that contradict each other.
    pub(crate) fn read(args: &mut Args<'_>, end: usize) -> Result<ExpireCondition, Error> {
        let mut when = ExpireCondition::default();
        while args.position() < end {
            if args.option("NX") {
                when.nx = true;
            } else if args.option("XX") {
                when.xx = true;
            } else if args.option("GT") {
                when.gt = true;
            } else if args.option("LT") {
                when.lt = true;
            } else {
                let word = String::from_utf8_lossy(args.word());
                return Err(Error::text(format!("ERR Unsupported option {word}")));
            }
        }
        if when.nx && (when.xx || when.gt || when.lt) {
            return Err(Error::fixed("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if when.gt && when.lt {
            return Err(Error::fixed("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(when)
    }

    /// Whether what has the deadline `old` may get `new`. No deadline counts as one at the end of time.
    pub(crate) fn allows(self, old: Option<u64>, new: u64) -> bool {
        !(self.nx && old.is_some()
            || self.xx && old.is_none()
            || self.gt && old.is_none_or(|old| new <= old)
            || self.lt && old.is_some_and(|old| new >= old))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_resp::Batch;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn read(words: &[&str], takes: Takes) -> Result<Deadline, Error> {
        let mut batch = Batch::default();
        let command = batch.push(words.iter().map(|word| word.as_bytes()));
        let mut args = Args::new(batch.args(&command, &[]));
        let mut option = ExpireOption::default();
        while args.remaining() > 0 {
            if !option.read(&mut args, takes)? {
                return Err(Error::SYNTAX);
            }
        }
        option.deadline(NOW_MS, "set")
    }

    #[track_caller]
    fn check(words: &str, expected: Result<Deadline, Error>) {
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(read(&words, Takes::KeepTtl), expected, "{words:?}");
    }

    #[test]
    fn a_time_counts_from_now_or_from_1970() {
        check("SET", Ok(Deadline::Unsaid));
        check("SET EX 10", Ok(Deadline::At(NOW_MS + 10_000)));
        check("SET px 10", Ok(Deadline::At(NOW_MS + 10)));
        check("SET ExAt 10", Ok(Deadline::At(10_000)));
        check("SET PXAT 10", Ok(Deadline::At(10)));
        check("SET PXAT 9223372036854775807", Ok(Deadline::At(i64::MAX as u64)));
        check("SET KEEPTTL", Ok(Deadline::KeepTtl));
        check("SET PERSIST", Err(Error::SYNTAX));
        assert_eq!(read(&["GETEX", "PERSIST"], Takes::Persist), Ok(Deadline::Persist));
        assert_eq!(read(&["GETEX", "KEEPTTL"], Takes::Persist), Err(Error::SYNTAX));
    }

    #[test]
    fn an_option_excludes_the_others_but_not_itself() {
        check("SET EX 10 EX 20", Ok(Deadline::At(NOW_MS + 20_000)));
        check("SET KEEPTTL KEEPTTL", Ok(Deadline::KeepTtl));
        for words in ["SET EX 10 PX 10", "SET KEEPTTL EX 10", "SET EX 10 KEEPTTL", "SET EX", "SET EX abc PX"] {
            check(words, Err(Error::SYNTAX));
        }
    }

    #[test]
    fn a_time_must_be_positive_and_before_the_end_of_time() {
        check("SET EX abc", Err(Error::NOT_AN_INTEGER));
        check("SET EX 9223372036854775808", Err(Error::NOT_AN_INTEGER));
        for words in [
            "SET EX 0",
            "SET PX -1",
            "SET EXAT -1",
            "SET EX 9223372036854775807",
            "SET EX 9223372036854775",
            "SET PX 9223372036854775807",
            "SET EXAT 9223372036854775807",
        ] {
            check(words, Err(Error::invalid_expire("set")));
        }
    }
}
