//! What the commands with a list `FIELDS numfields field …` share, and what becomes of fields whose deadline has passed.

use crate::{Args, Class, Error, Key, Locked};
use ochre_resp::Args as Words;
use ochre_text::{case, number};

/// The index of the word FIELDS, from the next word on; it cannot be the last one.
pub(super) fn find_fields(args: &Args<'_>) -> Option<usize> {
    let words = args.argv();
    (args.position()..words.len().saturating_sub(1)).find(|at| case::is(words.at(*at), "FIELDS"))
}

/// Reads the number of fields and the fields themselves, `width` words each, which must be all that is left.
///
/// # Errors
/// A number that is no integer; `mismatch` for one below 1 or another than that of the words.
pub(super) fn counted_fields<'a>(args: &mut Args<'a>, width: usize, mismatch: Error) -> Result<Words<'a>, Error> {
    let count = number::parse_i64(args.word()).ok_or(Error::NOT_AN_INTEGER)?;
    let words = usize::try_from(count).ok().and_then(|count| count.checked_mul(width));
    match words {
        Some(words) if words > 0 && words == args.remaining() => Ok(args.rest()),
        _ => Err(mismatch),
    }
}

/// As `counted_fields`, with the word FIELDS before the number.
///
/// # Errors
/// `Error::SYNTAX` when it is another word.
pub(super) fn named_fields<'a>(args: &mut Args<'a>, mismatch: Error) -> Result<Words<'a>, Error> {
    if !args.option("FIELDS") {
        return Err(Error::SYNTAX);
    }
    counted_fields(args, 1, mismatch)
}

/// Counts fields that a command found due, or made so, and did away with.
pub(super) fn count_expired(data: &Locked<'_>, fields: u64) {
    let counter = &data.effects.stats.expired_fields;
    counter.set(counter.get() + fields);
}

/// As `count_expired`, and tells of them if there are any.
pub(super) fn fields_expired(data: &mut Locked<'_>, key: &Key<'_>, fields: u64) {
    if fields > 0 {
        count_expired(data, fields);
        data.event(Class::HASH, "hexpired", key);
    }
}

/// Logs `words`, which end with FIELDS, then the number of `fields` and the fields.
pub(super) fn log_with_fields<'a>(data: &mut Locked<'_>, words: &[&'a [u8]], fields: &[&'a [u8]]) {
    if data.log_wanted() {
        let count = fields.len().to_string();
        data.log(&[words, &[count.as_bytes()], fields].concat());
    }
}
