//! Segments of the append-only file and their manifest: read frame by frame or refused with a place, however the bytes arrive.

use crate::pieces;
use ochre_persistence::{Manifest, Scanner, Step};
use ochre_resp::Batch;

/// Reads bytes as a manifest and, behind a first byte that says how the rest arrives, as a segment.
///
/// # Panics
/// When the pieces in which it arrives change what is read, or a manifest is not written as it was read.
pub fn check(bytes: &[u8]) {
    let Some((seed, bytes)) = bytes.split_first() else { return };
    if let Ok(manifest) = Manifest::parse(bytes) {
        let again = Manifest::parse(&manifest.to_text());
        assert!(manifest.is_empty() && manifest.history.is_empty() || again.is_ok(), "what is written can be read");
        if let Ok(again) = again {
            assert_eq!(again.loaded().collect::<Vec<_>>(), manifest.loaded().collect::<Vec<_>>());
        }
    }
    let whole = read(std::iter::once(bytes));
    assert_eq!(whole, read(pieces(u64::from(*seed), bytes)), "a segment is read in the same way however it arrives");
}

/// The frames of a segment, and how it ends.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut scanner, mut batch, mut buffer, mut lines) =
        (Scanner::new(0), Batch::default(), Vec::new(), Vec::<String>::new());
    let mut length = 0;
    for piece in pieces {
        length += piece.len() as u64;
        buffer.extend_from_slice(piece);
        let mut at = 0;
        loop {
            batch.clear();
            match scanner.next(&buffer[at..], &mut batch) {
                Ok(Step::Command(command)) => {
                    lines.push(crate::requests::shown(&batch.args(&command, &buffer[at..])));
                    at += command.consumed;
                }
                Ok(Step::Line { consumed, timestamp_s }) => {
                    lines.push(format!("a line, time {timestamp_s:?}, covered {}", scanner.is_covered()));
                    at += consumed;
                }
                Ok(Step::Incomplete) => break,
                Err(damage) => {
                    assert!(damage.offset < length, "damage has its place in the file");
                    lines.push(format!("{damage} {}", damage.is_change));
                    return lines;
                }
            }
        }
        buffer.drain(..at);
        assert_eq!(scanner.offset() + buffer.len() as u64, length, "what is read and what is left is all");
    }
    lines.push(format!("{} bytes are left", buffer.len()));
    lines
}
