//! The ends of ranges as clients write them: ranks, scores (`5`, `(5`, `-inf`) and members (`[a`, `(a`, `-`, `+`).

use crate::{Args, Error};
use ochre_text::number;
use ochre_values::sorted_set::{LexBound, SortedSetRef};
use std::ops::{Bound, Range};

/// What part of a sorted set is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Span<'a> {
    /// First and last rank; negative ones count from the end.
    Ranks(i64, i64),
    Scores(Bound<f64>, Bound<f64>),
    Members(LexBound<'a>, LexBound<'a>),
}

impl<'a> Span<'a> {
    pub(super) fn ranks(first: &[u8], last: &[u8]) -> Result<Self, Error> {
        let rank = |word| number::parse_i64(word).ok_or(Error::NOT_AN_INTEGER);
        Ok(Span::Ranks(rank(first)?, rank(last)?))
    }

    pub(super) fn scores(min: &[u8], max: &[u8]) -> Result<Self, Error> {
        match (score_bound(min), score_bound(max)) {
            (Some(min), Some(max)) => Ok(Span::Scores(min, max)),
            _ => Err(Error::SCORE_BOUND),
        }
    }

    pub(super) fn members(min: &'a [u8], max: &'a [u8]) -> Result<Self, Error> {
        match (member_bound(min), member_bound(max)) {
            (Some(min), Some(max)) => Ok(Span::Members(min, max)),
            _ => Err(Error::MEMBER_BOUND),
        }
    }

    /// The ranks of the members meant, ascending. Ranks in a span count from the high end if `reverse`.
    pub(super) fn resolve(self, set: SortedSetRef<'_>, reverse: bool) -> Range<usize> {
        match self {
            Span::Ranks(first, last) => {
                let ranks = existing_ranks(first, last, set.len());
                if reverse { set.len() - ranks.end..set.len() - ranks.start } else { ranks }
            }
            Span::Scores(min, max) => set.ranks_by_score(min, max),
            Span::Members(min, max) => set.ranks_by_lex(min, max, reverse),
        }
    }
}

/// The ranks from `first` to `last` that a set of `len` members has; negative ones count from the end.
fn existing_ranks(first: i64, last: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let from_start = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
    let first = from_start(first).max(0);
    let last = from_start(last).min(len - 1);
    if first > last { 0..0 } else { first as usize..last as usize + 1 }
}

/// A score, not itself in the range when `(` stands before it.
///
/// More is a bound than is a score: nothing at all is 0, numbers too large are infinite, and a zero byte ends the number.
fn score_bound(word: &[u8]) -> Option<Bound<f64>> {
    match word {
        [b'(', score @ ..] => bound_score(score).map(Bound::Excluded),
        score => bound_score(score).map(Bound::Included),
    }
}

fn bound_score(text: &[u8]) -> Option<f64> {
    number::parse_f64(text).or_else(|| odd_score(text))
}

#[cold]
fn odd_score(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let is_decimal = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let out_of_range = || std::str::from_utf8(text).ok()?.parse::<f64>().ok();
    number::parse_f64(text).or_else(|| is_decimal.then(out_of_range)?)
}

/// `-`, `+`, or a member behind `[` or, when it is not itself in the range, `(`.
fn member_bound(word: &[u8]) -> Option<LexBound<'_>> {
    match word {
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Highest),
        [b'[', member @ ..] => Some(LexBound::Included(member)),
        [b'(', member @ ..] => Some(LexBound::Excluded(member)),
        _ => None,
    }
}

/// `LIMIT offset count`: how many members to leave out, and how many to take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    offset: i64,
    /// Negative is no limit.
    count: i64,
}

impl Limit {
    pub(super) const NONE: Limit = Limit { offset: 0, count: -1 };

    /// Reads the two numbers behind LIMIT.
    pub(super) fn read(args: &mut Args<'_>) -> Result<Limit, Error> {
        if args.remaining() < 2 {
            return Err(Error::SYNTAX);
        }
        Ok(Limit { offset: args.int()?, count: args.int()? })
    }

    /// Whether a number of members is set.
    pub(super) fn has_count(self) -> bool {
        self.count != -1
    }

    /// The part of `ranks` that is left, from their low end, or from their high end if `reverse`.
    pub(super) fn apply(self, ranks: Range<usize>, reverse: bool) -> Range<usize> {
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let skipped = offset.min(ranks.len());
        let count = count.min(ranks.len() - skipped);
        if reverse {
            let end = ranks.end - skipped;
            end - count..end
        } else {
            let start = ranks.start + skipped;
            start..start + count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_may_be_left_out_infinite_or_cut_short() {
        for (word, expected) in [
            ("5", Bound::Included(5.0)),
            ("(5", Bound::Excluded(5.0)),
            ("-inf", Bound::Included(f64::NEG_INFINITY)),
            ("(+INF", Bound::Excluded(f64::INFINITY)),
            ("", Bound::Included(0.0)),
            ("(", Bound::Excluded(0.0)),
            ("1e400", Bound::Included(f64::INFINITY)),
            ("-1e400", Bound::Included(f64::NEG_INFINITY)),
            ("1e-400", Bound::Included(0.0)),
            ("1\0x", Bound::Included(1.0)),
        ] {
            assert_eq!(score_bound(word.as_bytes()), Some(expected), "{word:?}");
        }
        for word in ["nan", " 1", "1 ", "-", "+", "((1", "1e", "1x", "[1"] {
            assert_eq!(score_bound(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn a_member_says_whether_it_is_in_the_range() {
        assert_eq!(member_bound(b"[a"), Some(LexBound::Included(b"a")));
        assert_eq!(member_bound(b"("), Some(LexBound::Excluded(b"")));
        assert_eq!(member_bound(b"-"), Some(LexBound::Lowest));
        assert_eq!(member_bound(b"+"), Some(LexBound::Highest));
        for word in ["", "a", "-a", "+a", "1"] {
            assert_eq!(member_bound(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn ranks_are_clamped_to_those_that_exist() {
        for (first, last, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-100, 100, 0..5),
            (3, 1, 0..0),
            (5, 9, 0..0),
            (0, -6, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(existing_ranks(first, last, 5), expected, "{first} {last}");
        }
        assert_eq!(existing_ranks(0, -1, 0), 0..0);
    }

    #[test]
    fn a_limit_counts_from_the_end_at_which_the_reply_begins() {
        let limit = |offset, count, reverse| Limit { offset, count }.apply(10..20, reverse);
        assert_eq!(limit(2, 3, false), 12..15);
        assert_eq!(limit(2, 3, true), 15..18);
        assert_eq!(limit(8, 5, false), 18..20);
        assert_eq!(limit(8, 5, true), 10..12);
        assert_eq!(limit(0, -1, true), 10..20);
        assert_eq!(limit(3, i64::MIN, false), 13..20);
        assert!(limit(10, 1, false).is_empty() && limit(i64::MAX, i64::MAX, true).is_empty());
        assert!(limit(-1, 5, false).is_empty() && limit(0, 0, true).is_empty());
    }
}
