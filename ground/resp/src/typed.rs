//! Values with types in place of a text: integers, nulls, arrays and maps, nested. The protocol of some small clients sends them
//! as arguments, which no server of the peers accepts.
//!
//! An item's bytes are kept as they came; they are looked at once, when they arrive, and written out by a plain walk.

use crate::{ProtocolError, Reply};
use memchr::memchr;
use ochre_text::number::parse_i64;

/// Arrays and maps may stand in each other so deeply.
pub const DEPTH_MAX: usize = 32;
/// An item may be so long, with all that is in it.
pub const BYTES_MAX: usize = 1 << 20;

/// Whether an argument that begins like this is an item.
pub fn begins(bytes: &[u8]) -> bool {
    matches!(bytes, [b':' | b'*' | b'%', ..] | [b'$', b'-', b'1', b'\r', ..])
}

/// The length of the item at the beginning of `bytes`; `None` when its end has not come yet.
///
/// # Errors
/// When it is too long or too deep, or no item.
pub fn measure(bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
    Measure::default().go_on(bytes)
}

/// How far an item is understood whose end has not come yet, so that nothing is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    /// The items that are missing in each array or map around the one that comes.
    missing: Vec<u64>,
    at: usize,
}

impl Measure {
    /// As [`measure`]; after `None` the next call's bytes begin with the same ones.
    pub(crate) fn go_on(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if self.at == 0 && self.missing.is_empty() {
            self.missing.push(1);
        }
        loop {
            let depth = self.missing.len();
            let Some(left) = self.missing.last_mut() else { return Ok(Some(self.at)) };
            if *left == 0 {
                self.missing.pop();
                continue;
            }
            let Some((marker, number, end)) = header(bytes, self.at)? else { return Ok(None) };
            let mut next = end;
            let mut inside = None;
            match marker {
                b':' => {}
                b'$' if number == -1 => {}
                b'$' => next += text_len(number)? + 2,
                b'*' | b'%' => {
                    let count = u64::try_from(number).map_err(|_| ProtocolError::InvalidMultibulkLength)?;
                    if depth >= DEPTH_MAX {
                        return Err(ProtocolError::NestedTooDeep);
                    }
                    if count > BYTES_MAX as u64 {
                        return Err(ProtocolError::NestedTooLarge);
                    }
                    inside = Some(if marker == b'%' { count * 2 } else { count });
                }
                other => return Err(ProtocolError::ExpectedBulk(other)),
            }
            if next > BYTES_MAX {
                return Err(ProtocolError::NestedTooLarge);
            }
            if next > bytes.len() {
                return Ok(None);
            }
            *left -= 1;
            self.missing.extend(inside);
            self.at = next;
        }
    }
}

fn text_len(number: i64) -> Result<usize, ProtocolError> {
    let length = usize::try_from(number).map_err(|_| ProtocolError::InvalidBulkLength)?;
    if length > BYTES_MAX { Err(ProtocolError::NestedTooLarge) } else { Ok(length) }
}

/// The longest line: a marker, a sign, 19 digits, and the line's end.
const LINE_BYTES_MAX: usize = 24;

/// The marker and the number of the line at `at`, and where the next one begins.
fn header(bytes: &[u8], at: usize) -> Result<Option<(u8, i64, usize)>, ProtocolError> {
    let line = &bytes[at..bytes.len().min(at + LINE_BYTES_MAX)];
    let Some(end) = memchr(b'\r', line) else {
        return if line.len() < LINE_BYTES_MAX { Ok(None) } else { Err(ProtocolError::InvalidBulkLength) };
    };
    if at + end + 2 > bytes.len() {
        return Ok(None);
    }
    let (marker, number) = line[..end].split_first().ok_or(ProtocolError::InvalidBulkLength)?;
    if !matches!(marker, b':' | b'$' | b'*' | b'%') {
        return Err(ProtocolError::ExpectedBulk(*marker));
    }
    Ok(Some((*marker, parse_i64(number).ok_or(ProtocolError::InvalidBulkLength)?, at + end + 2)))
}

/// Writes an item that `measure` has found whole. In RESP2 a map is an array of its keys and values.
pub fn write(item: &[u8], reply: &mut Reply<'_>) {
    let mut at = 0;
    while let Ok(Some((marker, number, next))) = header(item, at) {
        at = next;
        match marker {
            b':' => reply.integer(number),
            b'$' if number < 0 => reply.null(),
            b'$' => {
                reply.bulk(&item[at..at + number as usize]);
                at += number as usize + 2;
            }
            b'*' => reply.array(number as usize),
            _ => reply.map(number as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    const ITEM: &[u8] = b"%2\r\n$1\r\na\r\n*3\r\n:-7\r\n$-1\r\n*0\r\n:1\r\n$4\r\n\r\nxy\r\n";

    fn written(item: &[u8], protocol: Protocol) -> String {
        let mut out = Vec::new();
        write(item, &mut Reply::new(&mut out, protocol));
        String::from_utf8(out).expect("it was text")
    }

    #[test]
    fn an_item_is_measured_once_it_is_whole() {
        let mut more = ITEM.to_vec();
        more.extend_from_slice(b":5\r\n");
        assert_eq!(measure(&more), Ok(Some(ITEM.len())));
        for end in 0..ITEM.len() {
            assert_eq!(measure(&ITEM[..end]), Ok(None), "{end}");
        }
        for (item, size) in [(":12\r\n", 5), ("$-1\r\n", 5), ("*0\r\n", 4), ("$2\r\nab\r\n", 8)] {
            assert_eq!(measure(item.as_bytes()), Ok(Some(size)), "{item}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        assert_eq!(measure("*1\r\n".repeat(DEPTH_MAX).as_bytes()), Err(ProtocolError::NestedTooDeep));
        assert_eq!(measure("*1\r\n".repeat(DEPTH_MAX - 1).as_bytes()), Ok(None));
        assert_eq!(measure(b"*99999999\r\n"), Err(ProtocolError::NestedTooLarge));
        assert_eq!(measure(b"*1\r\n$99999999\r\n"), Err(ProtocolError::NestedTooLarge));
        assert_eq!(measure(b"*-2\r\n"), Err(ProtocolError::InvalidMultibulkLength));
        assert_eq!(measure(b"*1\r\n+OK\r\n"), Err(ProtocolError::ExpectedBulk(b'+')));
        assert_eq!(measure(b":1x\r\n"), Err(ProtocolError::InvalidBulkLength));
        assert_eq!(measure(&[b'1'; 100]), Err(ProtocolError::InvalidBulkLength));
        let long = [b"*300000\r\n".as_slice(), &b":1\r\n".repeat(299_999)].concat();
        assert_eq!(measure(&long), Err(ProtocolError::NestedTooLarge));
    }

    #[test]
    fn both_protocols_can_say_it() {
        let expected = "%2\r\n$1\r\na\r\n*3\r\n:-7\r\n_\r\n*0\r\n:1\r\n$4\r\n\r\nxy\r\n";
        assert_eq!(written(ITEM, Protocol::Resp3), expected);
        assert_eq!(written(ITEM, Protocol::Resp2), expected.replace("%2", "*4").replace("_\r\n", "$-1\r\n"));
        assert_eq!(written(b":1\r\n", Protocol::Resp2), ":1\r\n");
    }
}
