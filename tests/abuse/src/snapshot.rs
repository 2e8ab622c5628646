//! Files of RDB: read to the end, or refused with a place that is in them, however the bytes arrive.

use crate::pieces;
use ochre_rdb::testing::show;
use ochre_rdb::{Fault, Item, ReadOptions, Reader};
use ochre_values::Limits;
use std::io::Read;

/// Reads a file whose first byte says how the rest arrives.
///
/// # Panics
/// When the pieces in which it arrives change what is read, or an error has its place behind the file's end.
pub fn check(bytes: &[u8]) {
    let Some((seed, file)) = bytes.split_first() else { return };
    let whole = read(file, file.len());
    // Reading values costs the same again; pieces matter to the reader alone.
    let in_pieces = read(Pieces { rest: pieces(u64::from(*seed), file).collect::<Vec<_>>().into_iter() }, file.len());
    assert_eq!(whole, in_pieces, "a file is read in the same way however it arrives");
}

/// Hands out pieces, one a call.
struct Pieces<'a> {
    rest: std::vec::IntoIter<&'a [u8]>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let Some(piece) = self.rest.next() else { return Ok(0) };
        assert!(piece.len() <= space.len(), "the reader always has room for a few kilobytes");
        space[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

/// What a file consists of, a line for each item, and how it ends.
fn read(source: impl Read, length: usize) -> Vec<String> {
    let options = ReadOptions { skip_checksum: true, any_version: true };
    let mut lines = Vec::new();
    let outcome = Reader::new(source, options).and_then(|mut reader| {
        loop {
            let line = match reader.next()? {
                Item::End => break,
                Item::Entry(entry) => {
                    let key = entry.key().map(|key| String::from_utf8_lossy(&key).into_owned());
                    let value = match entry.value.build(&Limits::default()) {
                        Ok(built) => show(&built),
                        Err(Fault::Truncated) => "truncated".into(),
                        Err(fault) => fault.to_string(),
                    };
                    format!("{:?} until {:?}: {value}", key.ok(), entry.expiry_ms)
                }
                other => format!("{other:?}"),
            };
            lines.push(line);
        }
        assert!(reader.offset() <= length as u64, "the end is in the file");
        Ok(())
    });
    if let Err(error) = outcome {
        assert!(error.offset <= length as u64, "an error has its place in the file");
        lines.push(error.to_string());
    }
    lines
}
