//! The options of ZADD.

use crate::{Args, Error};

/// When ZADD changes a member, what it does to its score, and what it counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AddOptions {
    /// Only members that are not there.
    pub(crate) only_new: bool,
    /// Only members that are there.
    pub(crate) only_known: bool,
    /// Only to a higher score (a new member is added all the same).
    only_up: bool,
    /// Only to a lower score.
    only_down: bool,
    /// Count changed members too, not only new ones.
    pub(crate) count_changed: bool,
    /// The score is added to the one that the member has.
    pub(super) increments: bool,
}

impl AddOptions {
    /// Reads the options before the first score and judges them together with the number of words that follow.
    pub(super) fn read(args: &mut Args<'_>, increments: bool) -> Result<AddOptions, Error> {
        let mut options = AddOptions { increments, ..AddOptions::default() };
        // Scores begin with a digit, a sign, a point or an `i`, so nearly always one look is enough.
        while let Some([b'n' | b'N' | b'x' | b'X' | b'c' | b'C' | b'i' | b'I' | b'g' | b'G' | b'l' | b'L', ..]) =
            args.peek()
        {
            if args.option("NX") {
                options.only_new = true;
            } else if args.option("XX") {
                options.only_known = true;
            } else if args.option("CH") {
                options.count_changed = true;
            } else if args.option("INCR") {
                options.increments = true;
            } else if args.option("GT") {
                options.only_up = true;
            } else if args.option("LT") {
                options.only_down = true;
            } else {
                break;
            }
        }
        options.judge(args.remaining())?;
        Ok(options)
    }

    fn judge(&self, words: usize) -> Result<(), Error> {
        if words == 0 || words % 2 == 1 {
            return Err(Error::SYNTAX);
        }
        if self.only_new && self.only_known {
            return Err(Error::XX_AND_NX);
        }
        if self.only_up && self.only_down || self.only_new && (self.only_up || self.only_down) {
            return Err(Error::GT_LT_AND_NX);
        }
        if self.increments && words > 2 {
            return Err(Error::INCR_OF_MANY);
        }
        Ok(())
    }

    /// The score that a member gets by `given`; `None` when it stays as it is. NaN when the sum is none.
    #[inline]
    pub(super) fn decide(&self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.only_known).then_some(given) };
        if self.only_new {
            return None;
        }
        let score = if self.increments { old + given } else { given };
        let refused = self.only_up && score <= old || self.only_down && score >= old;
        (!refused).then_some(score)
    }
}
