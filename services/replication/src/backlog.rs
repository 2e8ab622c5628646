//! The last part of the stream, kept for replicas that come back or are behind.

use std::collections::VecDeque;

/// Bytes of a block: what is dropped at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// The stream from `start` to `end`, in blocks of equal size but for the last one.
#[derive(Debug)]
pub struct Backlog {
    blocks: VecDeque<Vec<u8>>,
    /// Where the first block begins, in bytes since the stream began.
    start: u64,
    end: u64,
    /// At least so much is kept once there was so much.
    size: u64,
    block_bytes: usize,
    /// A block that was dropped, for the next one.
    spare: Vec<u8>,
}

impl Backlog {
    /// An empty one that begins at `offset` and keeps `size` bytes.
    pub fn new(offset: u64, size: u64) -> Backlog {
        Backlog::with_blocks(offset, size, BLOCK_BYTES)
    }

    fn with_blocks(offset: u64, size: u64, block_bytes: usize) -> Backlog {
        Backlog { blocks: VecDeque::new(), start: offset, end: offset, size, block_bytes, spare: Vec::new() }
    }

    /// The first byte that is kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Where the next byte goes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that are kept.
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Keeps so many bytes from now on.
    pub fn set_size(&mut self, size: u64) {
        self.size = size;
    }

    /// Whether more is kept than should be, so that it is worth a look at what is still needed.
    pub fn is_over(&self) -> bool {
        self.len() > self.size + self.block_bytes as u64
    }

    /// Adds what comes next in the stream.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.end += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.blocks.back().is_none_or(|block| block.len() == self.block_bytes) {
                self.blocks.push_back(std::mem::take(&mut self.spare));
            }
            let Some(block) = self.blocks.back_mut() else { return };
            let room = bytes.len().min(self.block_bytes - block.len());
            block.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
        }
    }

    /// Drops what is more than the size asks for, but nothing from `needed` on.
    pub fn trim(&mut self, needed: u64) {
        while let Some(block) = self.blocks.front() {
            let next = self.start + block.len() as u64;
            if next > needed || self.end - next < self.size {
                return;
            }
            self.start = next;
            let mut block = self.blocks.pop_front().unwrap_or_default();
            block.clear();
            self.spare = block;
        }
    }

    /// Adds at most `most` bytes from `offset` on to `out`; says no when that place is not, or no longer, in it.
    pub fn read(&self, offset: u64, most: usize, out: &mut Vec<u8>) -> bool {
        if offset < self.start || offset > self.end {
            return false;
        }
        let mut at = (offset - self.start) as usize;
        let mut left = most;
        while let Some(block) = self.blocks.get(at / self.block_bytes) {
            let rest = block.get(at % self.block_bytes..).unwrap_or_default();
            let taken = rest.len().min(left);
            if taken == 0 {
                break;
            }
            out.extend_from_slice(&rest[..taken]);
            at += taken;
            left -= taken;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(backlog: &Backlog, offset: u64, most: usize) -> Option<String> {
        let mut out = Vec::new();
        backlog.read(offset, most, &mut out).then(|| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn what_is_needed_or_within_the_size_stays() {
        let mut backlog = Backlog::with_blocks(100, 6, 4);
        backlog.push(b"abcdefghijkl");
        assert_eq!((backlog.start(), backlog.end(), backlog.len()), (100, 112, 12));
        backlog.trim(100);
        assert_eq!(backlog.start(), 100);
        backlog.trim(u64::MAX);
        assert_eq!((backlog.start(), text(&backlog, 104, 100).as_deref()), (104, Some("efghijkl")));
        assert_eq!(text(&backlog, 103, 100), None);
        assert_eq!(text(&backlog, 107, 3).as_deref(), Some("hij"));
        assert_eq!(text(&backlog, 112, 3).as_deref(), Some(""));
        assert_eq!(text(&backlog, 113, 3), None);
    }

    proptest! {
        #[test]
        fn it_holds_the_end_of_the_stream(
            pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), 0u64..400), 1..60),
            size in 1u64..64,
        ) {
            let mut backlog = Backlog::with_blocks(7, size, 8);
            let mut stream = vec![0; 7];
            for (piece, needed) in pieces {
                backlog.push(&piece);
                stream.extend_from_slice(&piece);
                let before = backlog.start();
                backlog.trim(needed);
                prop_assert_eq!(backlog.end(), stream.len() as u64);
                prop_assert!(backlog.start() <= needed.max(before));
                prop_assert!(backlog.len() >= size.min(stream.len() as u64 - 7));
                if needed >= backlog.end() {
                    prop_assert!(backlog.len() < size + 8 + 8);
                }
                for offset in backlog.start()..=backlog.end() {
                    let mut out = Vec::new();
                    prop_assert!(backlog.read(offset, 11, &mut out));
                    let from = offset as usize;
                    prop_assert_eq!(&out[..], &stream[from..stream.len().min(from + 11)]);
                }
            }
        }
    }
}
