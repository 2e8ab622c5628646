//! LZF, the compression of texts: runs of literal bytes, and copies of what came before.
//!
//! ```text
//! 000nnnnn                      n + 1 literal bytes follow
//! nnnooooo oooooooo             copy n + 2 bytes (n = 1 to 6) from o + 1 bytes back
//! 111ooooo nnnnnnnn oooooooo    copy n + 9 bytes from o + 1 bytes back
//! ```

use crate::error::Fault;

/// Shorter texts are not worth the try.
pub(crate) const BYTES_MIN: usize = 21;
/// What must be saved at least, in bytes.
const SAVED_BYTES_MIN: usize = 4;
/// Three bytes give at most so many.
const COPY_MAX: usize = 264;
const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const TABLE_BITS: u32 = 13;

/// Finds what came before; made once for many texts.
pub(crate) struct Compressor {
    /// Where three bytes of this hash were last seen, counted on from text to text, so that the table need not be cleared.
    table: Vec<u32>,
    /// Where the present text begins, in that count.
    base: u32,
}

impl Compressor {
    pub(crate) fn new() -> Self {
        Compressor { table: Vec::new(), base: 1 }
    }

    /// Appends the compressed bytes; says no, and appends nothing, if that would save too little.
    pub(crate) fn compress(&mut self, text: &[u8], out: &mut Vec<u8>) -> bool {
        if text.len() < BYTES_MIN || text.len() > i32::MAX as usize {
            return false;
        }
        let length = text.len() as u32;
        if self.table.is_empty() || self.base.checked_add(length).is_none() {
            self.table.clear();
            self.table.resize(1 << TABLE_BITS, 0);
            self.base = 1;
        }
        let start = out.len();
        let limit = start + text.len() - SAVED_BYTES_MIN;
        let base = self.base;
        self.base += length;
        let (mut at, mut literals) = (0, 0);
        while let Some(three) = text.get(at..at + 3) {
            let slot = &mut self.table[hash(three)];
            let seen = std::mem::replace(slot, base + at as u32);
            let before = seen.wrapping_sub(base) as usize;
            if seen >= base && at - before <= DISTANCE_MAX && text[before..before + 3] == *three {
                let longest = (text.len() - at).min(COPY_MAX);
                let same = text[before + 3..].iter().zip(&text[at + 3..at + longest]);
                let count = 3 + same.take_while(|(left, right)| left == right).count();
                push_literals(&text[literals..at], out);
                push_copy(count, at - before - 1, out);
                if out.len() > limit {
                    break;
                }
                at += count;
                literals = at;
            } else {
                // Where nothing has been found for long, less is looked for.
                at += 1 + ((at - literals) >> 6);
            }
        }
        push_literals(&text[literals..], out);
        let saves = out.len() <= limit;
        if !saves {
            out.truncate(start);
        }
        saves
    }
}

impl Compressor {
    /// Appends the compressed bytes, or, where that would save too little, the bytes in the same format.
    pub(crate) fn compress_or_copy(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if !self.compress(text, out) {
            push_literals(text, out);
        }
    }
}

#[inline]
fn hash(three: &[u8]) -> usize {
    let word = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
    (word.wrapping_mul(0x9E37_79B1) >> (32 - TABLE_BITS)) as usize
}

fn push_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

/// `count` is 3 to `COPY_MAX`, `back` below `DISTANCE_MAX`.
fn push_copy(count: usize, back: usize, out: &mut Vec<u8>) {
    let high = (back >> 8) as u8;
    match count - 2 {
        short @ 1..=6 => out.push((short as u8) << 5 | high),
        long => out.extend_from_slice(&[7 << 5 | high, (long - 7) as u8]),
    }
    out.push(back as u8);
}

/// Appends what `packed` unpacks to, which must be `length` bytes. Takes no more memory than `packed` can fill.
pub(crate) fn decompress(packed: &[u8], length: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
    const WRONG: Fault = Fault::Malformed("Invalid LZF compressed string");
    let most = packed.len().saturating_mul(COPY_MAX / 3);
    let length = usize::try_from(length).ok().filter(|length| *length <= most).ok_or(WRONG)?;
    out.reserve(length);
    let start = out.len();
    let end = start + length;
    let mut rest = packed;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let high = usize::from(first & 31);
        match first >> 5 {
            0 => {
                let (run, after) = rest.split_at_checked(high + 1).ok_or(WRONG)?;
                rest = after;
                if run.len() > end - out.len() {
                    return Err(WRONG);
                }
                out.extend_from_slice(run);
            }
            count => {
                let mut count = usize::from(count) + 2;
                if count == 9 {
                    let (&more, after) = rest.split_first().ok_or(WRONG)?;
                    rest = after;
                    count += usize::from(more);
                }
                let (&low, after) = rest.split_first().ok_or(WRONG)?;
                rest = after;
                let back = (high << 8 | usize::from(low)) + 1;
                if back > out.len() - start || count > end - out.len() {
                    return Err(WRONG);
                }
                // A copy may run into itself, and then repeats: what is there of it already is copied, too, so that a byte that
                // is repeated costs few steps.
                let from = out.len() - back;
                let mut left = count;
                while left > 0 {
                    let step = left.min(out.len() - from);
                    out.extend_from_within(from..from + step);
                    left -= step;
                }
            }
        }
    }
    if out.len() == end { Ok(()) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_compressed_is_read_again(texts in prop::collection::vec(
            prop::collection::vec((0u8..4, 1usize..40), 0..60), 1..5,
        )) {
            let mut compressor = Compressor::new();
            for runs in texts {
                let text: Vec<u8> = runs.iter().flat_map(|(byte, count)| std::iter::repeat_n(*byte, *count)).collect();
                let mut packed = Vec::new();
                if compressor.compress(&text, &mut packed) {
                    prop_assert!(packed.len() + 4 <= text.len());
                    let mut read = Vec::new();
                    decompress(&packed, text.len() as u64, &mut read).expect("it was just written");
                    prop_assert_eq!(read, text);
                } else {
                    prop_assert!(packed.is_empty());
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(packed in prop::collection::vec(any::<u8>(), 0..200), length in 0u64..10_000) {
            let mut read = Vec::new();
            if decompress(&packed, length, &mut read).is_ok() {
                prop_assert_eq!(read.len() as u64, length);
            }
        }
    }

    #[test]
    fn a_large_length_takes_no_memory() {
        let mut read = Vec::new();
        assert!(decompress(&[0xFF; 20], u64::MAX, &mut read).is_err());
        assert!(decompress(&[0xFF; 20], 1 << 40, &mut read).is_err());
        assert_eq!(read.capacity(), 0);
    }

    #[test]
    fn a_copy_may_run_into_itself() {
        let mut read = Vec::new();
        decompress(&[1, b'a', b'b', 2 << 5, 1], 6, &mut read).expect("it is sound");
        assert_eq!(read, b"ababab");
    }
}
