//! A long string that is shown in parts, as it was when the walk began, while it goes on to change.

use std::collections::BTreeMap;
use std::ops::Range;

/// Parts that are shown, and kept when they change before: bytes.
const PART_BYTES: usize = 16 * 1024;

/// A long string with a walk through it. A copy is not walked.
pub struct WalkedText {
    bytes: Vec<u8>,
    /// How long it was when the walk began.
    length: usize,
    /// So many bytes have been shown; whole parts, but for the last.
    shown: usize,
    /// Parts that were changed before they were shown, by their numbers. They are as long as they were.
    saved: BTreeMap<usize, Box<[u8]>>,
}

impl WalkedText {
    pub(crate) fn new(bytes: Vec<u8>) -> WalkedText {
        WalkedText { length: bytes.len(), bytes, shown: 0, saved: BTreeMap::new() }
    }

    /// The bytes as they are now.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The string to append to, or to change where that has been announced.
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<WalkedText>() + self.bytes.capacity() + self.saved.len() * PART_BYTES
    }

    /// Must be called before bytes of this range change, or are cut off.
    pub(crate) fn before_change(&mut self, range: Range<usize>) {
        let (start, end) = (range.start.max(self.shown), range.end.min(self.length));
        if start >= end {
            return;
        }
        for part in start / PART_BYTES..=(end - 1) / PART_BYTES {
            // What was cut off before has been kept then.
            self.saved
                .entry(part)
                .or_insert_with(|| self.bytes[part * PART_BYTES..self.length.min((part + 1) * PART_BYTES)].into());
        }
    }

    /// Shows the next parts (bytes, where they stand, and how long the whole is) until `room` is used up; says whether all of it has
    /// been shown.
    pub(crate) fn walk_on(&mut self, room: &mut usize, show: &mut dyn FnMut(&[u8], usize, usize) -> usize) -> bool {
        while *room > 0 && self.shown < self.length {
            let (at, end) = (self.shown, self.length.min(self.shown + PART_BYTES));
            let saved = self.saved.remove(&(at / PART_BYTES));
            let bytes = saved.as_deref().unwrap_or_else(|| &self.bytes[at..end]);
            *room = room.saturating_sub(show(bytes, at, self.length));
            self.shown = end;
        }
        self.shown == self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_collections::Random;

    #[test]
    fn a_walk_shows_the_text_as_it_was_when_it_began() {
        for seed in 0..60 {
            let random = &mut Random::new(seed);
            let mut fill = |length: usize| -> Vec<u8> { (0..length).map(|_| random.below(256) as u8).collect() };
            let (expected, other) = (fill(100_000 + seed as usize), fill(1000));
            let mut text = WalkedText::new(expected.clone());
            let mut seen = Vec::new();
            while !text.walk_on(&mut 1, &mut |bytes, at, total| {
                assert_eq!((at, total), (seen.len(), expected.len()));
                seen.extend_from_slice(bytes);
                1
            }) {
                let at = random.below(text.bytes().len() + 1);
                match random.below(4) {
                    0 => text.bytes_mut().extend_from_slice(&other),
                    1 => {
                        let end = (at + other.len()).min(text.bytes().len());
                        text.before_change(at..end);
                        text.bytes_mut()[at..end].copy_from_slice(&other[..end - at]);
                    }
                    2 => {
                        text.before_change(at..usize::MAX);
                        text.bytes_mut().truncate(at);
                    }
                    _ => {}
                }
            }
            assert!(seen == expected, "seed {seed}");
        }
    }
}
