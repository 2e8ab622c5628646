//! LCS: the longest common subsequence of two strings.
//!
//! The table of lengths is kept as one bit for each cell: whether its length is one more than that of the cell to its left. A whole
//! row is computed from the one before with an addition, 64 cells at a time (Hyyrö, "Bit-parallel LCS-length computation
//! revisited", 2004), and the bits are enough to walk back through the table.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};

pub(super) const LCS: Command =
    Command::new(Group::String, "LCS", "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]", lcs)
        .summary(
            "Replies the longest string that both strings contain with gaps, its length, or where its parts stand.",
        )
        .cost("O(N*M), where N and M are the lengths of the strings")
        .since("7.0.0")
        .keys(&[KeySpec::span(1, 1, 1, RO | ACCESS)])
        .flags(READONLY);

fn lcs(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let texts = [data.text(&args.key()), data.text(&args.key())];
    let [Ok(one), Ok(other)] = texts else { return Err(NOT_STRINGS) };
    let options = LcsOptions::read(args)?;
    let mut buffers = [Vec::new(), Vec::new()];
    let [one_buffer, other_buffer] = &mut buffers;
    let one = one.map_or(&[][..], |text| text.bytes(one_buffer));
    let other = other.map_or(&[][..], |text| text.bytes(other_buffer));
    // What the peers' table of four-byte lengths would take; with the same limit, the same strings are refused.
    let cells = (one.len() + 1).checked_mul(other.len() + 1).and_then(|cells| cells.checked_mul(4));
    if cells.is_none_or(|bytes| bytes > data.limits().string_max_bytes) {
        return Err(TOO_LONG);
    }
    if options.len {
        reply.count(Lengths::last_row(one, other));
        return Ok(());
    }
    let lengths = Lengths::of(one, other);
    if options.idx {
        reply_matches(&lengths, &options, reply);
    } else {
        reply.bulk(&lengths.common());
    }
    Ok(())
}

const NOT_STRINGS: Error = Error::fixed("ERR The specified keys must contain string values");
const TOO_LONG: Error = Error::fixed("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
const LEN_AND_IDX: Error = Error::fixed("ERR If you want both the length and indexes, please just use IDX.");

#[derive(Default)]
struct LcsOptions {
    len: bool,
    idx: bool,
    with_match_len: bool,
    match_len_min: i64,
}

impl LcsOptions {
    fn read(args: &mut Args<'_>) -> Result<LcsOptions, Error> {
        let mut options = LcsOptions::default();
        while args.remaining() > 0 {
            if args.option("LEN") {
                options.len = true;
            } else if args.option("IDX") {
                options.idx = true;
            } else if args.option("WITHMATCHLEN") {
                options.with_match_len = true;
            } else if args.option("MINMATCHLEN") {
                options.match_len_min = args.int()?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if options.len && options.idx { Err(LEN_AND_IDX) } else { Ok(options) }
    }
}

/// Replies where the parts of the common string stand in both strings, from their ends to their beginnings.
fn reply_matches(lengths: &Lengths<'_>, options: &LcsOptions, reply: &mut Reply<'_>) {
    reply.map(2);
    reply.bulk(b"matches");
    let matches = reply.array_deferred();
    let (mut count, mut total) = (0, 0);
    lengths.walk_back(|row, column, length| {
        total += length;
        if (length as i64) < options.match_len_min {
            return;
        }
        count += 1;
        reply.array(2 + usize::from(options.with_match_len));
        for start in [row, column] {
            reply.array(2);
            reply.count(start);
            reply.count(start + length - 1);
        }
        if options.with_match_len {
            reply.count(length);
        }
    });
    reply.set_len(matches, count);
    reply.bulk(b"len");
    reply.count(total);
}

/// The table of lengths of two strings: a row for each byte of `one`, a column for each byte of `other`.
struct Lengths<'a> {
    one: &'a [u8],
    other: &'a [u8],
    /// Number of words in a row.
    width: usize,
    /// Rows one after the other; a bit is clear where the length grows by one from the column before.
    rows: Vec<u64>,
}

impl<'a> Lengths<'a> {
    fn of(one: &'a [u8], other: &'a [u8]) -> Self {
        let width = other.len().div_ceil(64);
        let places = Places::of(one, other, width);
        let mut rows = vec![u64::MAX; one.len() * width];
        let mut above = vec![u64::MAX; width];
        for (row, byte) in one.iter().enumerate() {
            next_row(&mut above, places.of_byte(*byte));
            rows[row * width..][..width].copy_from_slice(&above);
        }
        Lengths { one, other, width, rows }
    }

    /// The length of the whole alone, with memory for one row.
    fn last_row(one: &[u8], other: &[u8]) -> usize {
        let width = other.len().div_ceil(64);
        let places = Places::of(one, other, width);
        let mut row = vec![u64::MAX; width];
        for byte in one {
            next_row(&mut row, places.of_byte(*byte));
        }
        row.iter().map(|word| word.count_zeros() as usize).sum()
    }

    /// Calls `matched` with each part that both strings have in common, the last first: its first place in `one` and in
    /// `other`, and its length.
    fn walk_back(&self, mut matched: impl FnMut(usize, usize, usize)) {
        let (mut row, mut column) = (self.one.len(), self.other.len());
        let mut length = 0;
        while row > 0 && column > 0 {
            if self.one[row - 1] == self.other[column - 1] {
                (row, column, length) = (row - 1, column - 1, length + 1);
                continue;
            }
            if length > 0 {
                matched(row, column, length);
                length = 0;
            }
            let word = self.rows[(row - 1) * self.width + (column - 1) / 64];
            // Where the length grew at this column the way led from above, else from the left.
            if word >> ((column - 1) % 64) & 1 == 0 { row -= 1 } else { column -= 1 }
        }
        if length > 0 {
            matched(row, column, length);
        }
    }

    /// The common string itself.
    fn common(&self) -> Vec<u8> {
        let mut backwards = Vec::new();
        self.walk_back(|row, _, length| backwards.extend(self.one[row..row + length].iter().rev()));
        backwards.reverse();
        backwards
    }
}

/// Turns the bits of one row of the table into those of the next; `places` marks the columns that hold the row's byte.
fn next_row(row: &mut [u64], places: &[u64]) {
    let mut carry = false;
    for (bits, places) in row.iter_mut().zip(places) {
        let matching = *bits & places;
        let (sum, over) = bits.overflowing_add(matching);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        carry = over || over_again;
        *bits = sum | (*bits & !places);
    }
}

/// For each byte that occurs in the first string: a bit for each place where it stands in the second.
struct Places {
    width: usize,
    /// Which row of `bits` belongs to a byte.
    row_of: [u8; 256],
    bits: Vec<u64>,
}

impl Places {
    fn of(one: &[u8], other: &[u8], width: usize) -> Self {
        let mut occurs = [false; 256];
        one.iter().for_each(|byte| occurs[usize::from(*byte)] = true);
        let mut row_of = [0; 256];
        let mut rows = 0usize;
        for byte in (0..256).filter(|byte| occurs[*byte]) {
            row_of[byte] = rows as u8;
            rows += 1;
        }
        // At most one row for each byte of `one`, so this is no larger than the table itself.
        let mut bits = vec![0; rows * width];
        for (column, byte) in other.iter().map(|byte| usize::from(*byte)).enumerate() {
            if occurs[byte] {
                bits[usize::from(row_of[byte]) * width + column / 64] |= 1 << (column % 64);
            }
        }
        Places { width, row_of, bits }
    }

    /// The places of a byte that occurs in the first string.
    fn of_byte(&self, byte: u8) -> &[u64] {
        &self.bits[usize::from(self.row_of[usize::from(byte)]) * self.width..][..self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Db;
    use proptest::prelude::*;

    #[test]
    fn lcs_replies_the_string_its_length_or_its_parts() {
        let mut db = Db::new();
        db.check_quiet("LCS a b", "");
        db.check_quiet("LCS a b LEN", 0);
        db.check_quiet("LCS a b IDX", "[matches [] len 0]");
        db.check("MSET a ohmytext b mynewtext", "OK");
        db.check_quiet("LCS a b", "mytext");
        db.check_quiet("LCS a b LEN", 6);
        db.check_quiet("LCS a b IDX", "[matches [[[4 7] [5 8]] [[2 3] [0 1]]] len 6]");
        db.check_quiet("LCS a b IDX MINMATCHLEN 4", "[matches [[[4 7] [5 8]]] len 6]");
        db.check_quiet("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", "[matches [[[4 7] [5 8] 4]] len 6]");
        db.check_quiet("LCS a b IDX MINMATCHLEN -1", "[matches [[[4 7] [5 8]] [[2 3] [0 1]]] len 6]");
        db.check_quiet("LCS a b MINMATCHLEN 100 WITHMATCHLEN", "mytext");
        db.check("MSET a 12345 b 2451", "OK");
        db.check_quiet("LCS a b", "245");
    }

    #[test]
    fn lcs_refuses_what_it_cannot_compare() {
        let mut db = Db::new();
        db.check_quiet("LCS a b LEN IDX", LEN_AND_IDX);
        db.check_quiet("LCS a b MINMATCHLEN", Error::SYNTAX);
        db.check_quiet("LCS a b MINMATCHLEN x", Error::NOT_AN_INTEGER);
        db.check_quiet("LCS a b FOO", Error::SYNTAX);
        db.check("MSET a 123456789 b 123456789", "OK");
        db.context.limits.string_max_bytes = 400;
        db.check_quiet("LCS a b", "123456789");
        db.context.limits.string_max_bytes = 399;
        db.check_quiet("LCS a b LEN", TOO_LONG);
    }

    /// The table as the textbook fills it, and the way back through it that the peers take.
    fn plain(one: &[u8], other: &[u8]) -> (Vec<u8>, Vec<(usize, usize)>) {
        let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
        for row in 1..=one.len() {
            for column in 1..=other.len() {
                table[row][column] = if one[row - 1] == other[column - 1] {
                    table[row - 1][column - 1] + 1
                } else {
                    table[row - 1][column].max(table[row][column - 1])
                };
            }
        }
        let (mut row, mut column) = (one.len(), other.len());
        let (mut common, mut places) = (Vec::new(), Vec::new());
        while row > 0 && column > 0 {
            if one[row - 1] == other[column - 1] {
                (row, column) = (row - 1, column - 1);
                common.insert(0, one[row]);
                places.push((row, column));
            } else if table[row - 1][column] > table[row][column - 1] {
                row -= 1;
            } else {
                column -= 1;
            }
        }
        (common, places)
    }

    proptest! {
        #[test]
        fn the_bits_tell_the_same_as_the_table(one in "[a-d]{0,90}", other in "[a-e]{0,150}") {
            let (one, other) = (one.as_bytes(), other.as_bytes());
            let (common, places) = plain(one, other);
            let lengths = Lengths::of(one, other);
            prop_assert_eq!(Lengths::last_row(one, other), common.len());
            prop_assert_eq!(lengths.common(), common);
            let mut walked = Vec::new();
            lengths.walk_back(|row, column, length| {
                walked.extend((0..length).rev().map(|at| (row + at, column + at)));
            });
            prop_assert_eq!(walked, places);
        }
    }
}
