//! Requests and replies: the same commands and values, however the bytes arrive.

use crate::pieces;
use ochre_resp::{Args, Batch, Limits, Parsed, Parser, Protocol, Reader, Reply, typed};

/// Reads bytes as requests, as replies and as a typed item; the first byte says how the rest arrives.
///
/// # Panics
/// When the pieces in which it arrives change what is read.
pub fn check(bytes: &[u8]) {
    let Some((seed, bytes)) = bytes.split_first() else { return };
    let seed = u64::from(*seed);
    for authenticated in [true, false] {
        let limits = Limits { bulk_len_max: 1 << 20, authenticated };
        let whole = requests(std::iter::once(bytes), &limits);
        assert_eq!(whole, requests(pieces(seed, bytes), &limits), "requests are read in the same way in pieces");
    }
    assert_eq!(replies(std::iter::once(bytes)), replies(pieces(seed, bytes)), "so are replies");
    if let Ok(Some(length)) = typed::measure(bytes) {
        assert!(length <= bytes.len(), "an item ends where its bytes end");
        let mut out = Vec::new();
        typed::write(&bytes[..length], &mut Reply::new(&mut out, Protocol::Resp3));
        let read = Reader::default().next(&out);
        assert!(matches!(read, Ok((end, Some(_))) if end == out.len()), "an item is one reply");
    }
}

/// The words of a command on one line.
pub(crate) fn shown(words: &Args<'_>) -> String {
    words.iter().map(|word| format!("\"{}\" ", word.escape_ascii())).collect()
}

/// The commands in the bytes, and how they end.
fn requests<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Vec<String> {
    let (mut parser, mut batch, mut buffer, mut lines) =
        (Parser::new(), Batch::default(), Vec::new(), Vec::<String>::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            batch.clear();
            match parser.next(&buffer, &mut batch, limits) {
                Ok(Parsed::Command(command)) => {
                    assert!(command.count() > 0, "a command has a name");
                    lines.push(shown(&batch.args(&command, &buffer)));
                    buffer.drain(..command.consumed);
                }
                Ok(Parsed::Empty { consumed }) => {
                    assert!(consumed > 0, "nothing is passed over for ever");
                    buffer.drain(..consumed);
                }
                Ok(Parsed::Incomplete { missing }) => {
                    assert!(missing > 0, "something is missing");
                    // What is kept of a command in pieces is in proportion to the bytes that came.
                    assert!(parser.memory_bytes() <= 4096 + 16 * buffer.len(), "memory is taken for what is there");
                    break;
                }
                Err(error) => {
                    lines.push(error.to_string());
                    return lines;
                }
            }
        }
    }
    lines.push(format!("{} bytes are left", buffer.len()));
    lines
}

/// The replies in the bytes, and how they end.
fn replies<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut reader, mut buffer, mut lines) = (Reader::default(), Vec::new(), Vec::<String>::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match reader.next(&buffer) {
                Ok((consumed, value)) => {
                    buffer.drain(..consumed);
                    let Some(value) = value else { break };
                    lines.push(format!("{value:?}"));
                }
                Err(error) => {
                    lines.push(error.to_string());
                    return lines;
                }
            }
        }
    }
    lines.push(format!("within a reply: {}", reader.is_within_reply()));
    lines
}
