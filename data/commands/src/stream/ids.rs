//! Ids of entries as they are typed and replied.

use crate::{Args, Error, Reply};
use ochre_resp::Args as Words;
use ochre_text::number;
use ochre_values::StreamId;

/// An id to add an entry under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`
    Auto,
    /// `ms-*`
    AutoSeq(u64),
    Given(StreamId),
}

impl NewId {
    /// Reads a word of XADD.
    pub(super) fn parse(word: &[u8]) -> Result<NewId, Error> {
        match word {
            b"*" => Ok(NewId::Auto),
            [ms @ .., b'-', b'*'] => Ok(NewId::AutoSeq(parse_part(ms).ok_or(Error::STREAM_ID)?)),
            _ => parse_id(word, 0).map(NewId::Given),
        }
    }

    /// The id that a stream gives the next entry at `now_ms`, when the last one has `last_id`; `None` when there is none above that.
    pub(super) fn resolve(self, last_id: StreamId, now_ms: u64) -> Option<StreamId> {
        let id = match self {
            NewId::Given(id) => id,
            NewId::Auto if now_ms <= last_id.ms => return last_id.next(),
            NewId::Auto => StreamId::new(now_ms, 0),
            NewId::AutoSeq(ms) if ms == last_id.ms => StreamId::new(ms, last_id.seq.checked_add(1)?),
            NewId::AutoSeq(ms) => StreamId::new(ms, 0),
        };
        (id > last_id).then_some(id)
    }
}

/// The id that `word` spells: `ms-seq`, or `ms` alone for `ms-missing_seq`.
pub(super) fn parse_id(word: &[u8], missing_seq: u64) -> Result<StreamId, Error> {
    let id = match word.iter().position(|byte| *byte == b'-') {
        Some(dash) => parse_part(&word[..dash]).zip(parse_part(&word[dash + 1..])),
        None => parse_part(word).map(|ms| (ms, missing_seq)),
    };
    id.map(|(ms, seq)| StreamId::new(ms, seq)).ok_or(Error::STREAM_ID)
}

/// One of the two numbers of an id. As in the peers there may be blanks, a plus sign and zeros before it.
fn parse_part(word: &[u8]) -> Option<u64> {
    const WORD_LEN_MAX: usize = 127;
    number::parse_u64(word).or_else(|| {
        let word = word.trim_ascii_start();
        let digits = word.strip_prefix(b"+").unwrap_or(word);
        let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
        match &digits[zeros..] {
            [] if zeros > 0 => Some(0),
            rest if word.len() <= WORD_LEN_MAX => number::parse_u64(rest),
            _ => None,
        }
    })
}

/// All words as ids.
pub(super) fn parse_ids(words: Words<'_>) -> Result<Vec<StreamId>, Error> {
    words.iter().map(|word| parse_id(word, 0)).collect()
}

/// The next word as the lower end of a range: an id, `-`, `+`, or an id behind `(`, which is left out itself.
pub(super) fn range_start(args: &mut Args<'_>) -> Result<StreamId, Error> {
    match interval(args.word(), 0)? {
        (id, false) => Ok(id),
        (id, true) => id.next().ok_or(Error::STREAM_RANGE_START),
    }
}

/// The next word as the upper end of a range; a missing sequence number is the highest.
pub(super) fn range_end(args: &mut Args<'_>) -> Result<StreamId, Error> {
    match interval(args.word(), u64::MAX)? {
        (id, false) => Ok(id),
        (id, true) => id.previous().ok_or(Error::STREAM_RANGE_END),
    }
}

fn interval(word: &[u8], missing_seq: u64) -> Result<(StreamId, bool), Error> {
    match word {
        b"-" => Ok((StreamId::MIN, false)),
        b"+" => Ok((StreamId::MAX, false)),
        [b'(', id @ ..] => Ok((parse_id(id, missing_seq)?, true)),
        id => Ok((parse_id(id, missing_seq)?, false)),
    }
}

/// Replies an id.
#[inline]
pub(super) fn reply_id(reply: &mut Reply<'_>, id: StreamId) {
    reply.bulk(id.format(&mut [0; StreamId::TEXT_LEN_MAX]));
}

#[cfg(test)]
mod tests {
    use super::{NewId, parse_id};
    use crate::Error;
    use ochre_values::StreamId;

    #[test]
    fn ids_may_lack_a_sequence_number() {
        assert_eq!(parse_id(b"5-7", 0), Ok(StreamId::new(5, 7)));
        assert_eq!(parse_id(b"5", 9), Ok(StreamId::new(5, 9)));
        assert_eq!(parse_id(b"007-+5", 0), Ok(StreamId::new(7, 5)));
        assert_eq!(parse_id(b"18446744073709551615-18446744073709551615", 0), Ok(StreamId::MAX));
        for word in ["", "-", "5-", "-5", "5-5-5", "5--3", "a", "5-a", "18446744073709551616", "5 ", "(5", "+", "*"] {
            assert_eq!(parse_id(word.as_bytes(), 0), Err(Error::STREAM_ID), "{word}");
        }
    }

    #[test]
    fn new_ids_are_above_the_last_one() {
        let last = StreamId::new(10, 3);
        let resolve = |word: &str, now_ms| NewId::parse(word.as_bytes()).map(|id| id.resolve(last, now_ms));
        assert_eq!(resolve("*", 11), Ok(Some(StreamId::new(11, 0))));
        assert_eq!(resolve("*", 10), Ok(Some(StreamId::new(10, 4))));
        assert_eq!(resolve("*", 5), Ok(Some(StreamId::new(10, 4))));
        assert_eq!(resolve("10-*", 0), Ok(Some(StreamId::new(10, 4))));
        assert_eq!(resolve("12-*", 0), Ok(Some(StreamId::new(12, 0))));
        assert_eq!(resolve("9-*", 0), Ok(None));
        assert_eq!(resolve("10-4", 0), Ok(Some(StreamId::new(10, 4))));
        assert_eq!(resolve("10-3", 0), Ok(None));
        assert_eq!(resolve("11", 0), Ok(Some(StreamId::new(11, 0))));
        assert_eq!(resolve("x-*", 0), Err(Error::STREAM_ID));
        assert_eq!(NewId::Auto.resolve(StreamId::MAX, 5), None);
        assert_eq!(NewId::AutoSeq(3).resolve(StreamId::new(3, u64::MAX), 5), None);
    }
}
