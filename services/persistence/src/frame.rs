//! Segments as frames: requests of the protocol, and lines between them that begin with `#` and that other readers pass over.
//!
//! `#TS:seconds` says when what follows was done. `#SUM:checksum:length`, which only Ochre writes, holds the CRC-64 of the
//! `length` bytes before the line, back to the line before it: so a byte that changed is found, and where.

use ochre_digest::Crc64;
use ochre_resp::{Batch, Command, Limits, Parsed, Parser};
use std::fmt;

/// Makes the lines between requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Annotator {
    checksum: Crc64,
    /// Bytes that no checksum covers yet.
    uncovered: u64,
}

impl Annotator {
    /// Takes note of bytes of the file, in order.
    pub fn note(&mut self, bytes: &[u8]) {
        self.checksum.update(bytes);
        self.uncovered += bytes.len() as u64;
    }

    /// Bytes at the end of the file that no checksum covers yet.
    pub fn uncovered(&self) -> u64 {
        self.uncovered
    }

    /// The line that covers them; they are covered then.
    pub fn cover(&mut self) -> String {
        let line = format!("#SUM:{:016x}:{}\r\n", self.checksum.value(), self.uncovered);
        *self = Annotator::default();
        line
    }

    fn matches(&self, line: &[u8]) -> bool {
        let (sum, length) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => return false,
        };
        let sum = std::str::from_utf8(sum).ok().and_then(|sum| u64::from_str_radix(sum, 16).ok());
        let length = ochre_text::number::parse_u64(length);
        sum == Some(self.checksum.value()) && length == Some(self.uncovered)
    }
}

/// The line that says when what follows was done, in seconds of Unix time.
pub fn timestamp_line(seconds: u64) -> String {
    format!("#TS:{seconds}\r\n")
}

/// A segment does not check out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the frame begins that is wrong, bytes from the beginning of the file.
    pub offset: u64,
    pub reason: String,
    /// A checksum is wrong: somewhere since the last one that was right, bytes have changed.
    pub is_change: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at offset {}", self.reason, self.offset)
    }
}

/// What stands at the start of the bytes.
#[derive(Debug)]
pub enum Step {
    Command(Command),
    /// A line that is no command.
    Line {
        consumed: usize,
        /// What it says of the time, seconds of Unix time.
        timestamp_s: Option<u64>,
    },
    /// A frame is not complete: more bytes are needed, or the file is cut off there.
    Incomplete,
}

/// Reads a segment frame by frame.
#[derive(Debug)]
pub struct Scanner {
    parser: Parser,
    annotator: Annotator,
    /// Where the next frame begins, bytes from the beginning of the file.
    offset: u64,
    /// Lines before it.
    lines: u64,
    limits: Limits,
}

/// A line between requests is shorter than this.
const LINE_BYTES_MAX: usize = 1024;

impl Scanner {
    /// Begins at `offset` of a file; what was before it is not checked again.
    pub fn new(offset: u64) -> Scanner {
        // The log may hold what `proto-max-bulk-len` does not allow any more.
        let limits = Limits { bulk_len_max: u32::MAX as usize, authenticated: true };
        Scanner { parser: Parser::new(), annotator: Annotator::default(), offset, lines: 0, limits }
    }

    /// Where the next frame begins, bytes from the beginning of the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Lines that were read.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Whether checksums cover all that was read.
    pub fn is_covered(&self) -> bool {
        self.annotator.uncovered == 0
    }

    /// Goes on with what it knows, to append to the file.
    pub fn annotator(&self) -> Annotator {
        self.annotator
    }

    /// The frame at the start of `buffer`; the next call begins behind what it consumed. After `Incomplete` the buffer must begin
    /// with the same bytes.
    ///
    /// # Errors
    /// When the bytes are no frame, or a checksum is wrong.
    pub fn next(&mut self, buffer: &[u8], batch: &mut Batch) -> Result<Step, Damage> {
        match buffer.first() {
            None => Ok(Step::Incomplete),
            Some(b'#') => self.line(buffer),
            Some(b'*') => match self.parser.next(buffer, batch, &self.limits) {
                Ok(Parsed::Command(command)) if command.is_typed => Err(self.damage("an argument is no text")),
                Ok(Parsed::Command(command)) => {
                    let bytes = &buffer[..command.consumed];
                    self.lines += 2 * command.count() as u64 + 1;
                    self.annotator.note(bytes);
                    self.offset += bytes.len() as u64;
                    Ok(Step::Command(command))
                }
                Ok(Parsed::Incomplete { .. }) => Ok(Step::Incomplete),
                Ok(Parsed::Empty { .. }) => Err(self.damage("a command without words")),
                Err(error) => Err(self.damage(&error.to_string())),
            },
            Some(byte) => Err(self.damage(&format!("expected a command, got '{}'", byte.escape_ascii()))),
        }
    }

    fn line(&mut self, buffer: &[u8]) -> Result<Step, Damage> {
        let Some(end) = buffer.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n') else {
            return match buffer.len() < LINE_BYTES_MAX {
                true => Ok(Step::Incomplete),
                false => Err(self.damage("a line is too long")),
            };
        };
        let consumed = end + 1;
        let text = buffer[..end].strip_suffix(b"\r").unwrap_or(&buffer[..end]);
        let mut timestamp_s = None;
        if let Some(sum) = text.strip_prefix(b"#SUM:") {
            if !self.annotator.matches(sum) {
                let bytes = self.annotator.uncovered;
                let damage = self.damage(&format!("the checksum of the {bytes} bytes before it is wrong"));
                return Err(Damage { is_change: true, ..damage });
            }
            self.annotator = Annotator::default();
        } else {
            self.annotator.note(&buffer[..consumed]);
            timestamp_s = text.strip_prefix(b"#TS:").and_then(ochre_text::number::parse_u64);
        }
        self.offset += consumed as u64;
        self.lines += 1;
        Ok(Step::Line { consumed, timestamp_s })
    }

    fn damage(&self, reason: &str) -> Damage {
        Damage { offset: self.offset, reason: reason.to_owned(), is_change: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all frames; what remains is cut off.
    fn read(bytes: &[u8]) -> Result<(usize, usize), Damage> {
        let (mut scanner, mut batch) = (Scanner::new(0), Batch::default());
        let (mut at, mut commands) = (0, 0);
        loop {
            batch.clear();
            match scanner.next(&bytes[at..], &mut batch)? {
                Step::Command(command) => {
                    at += command.consumed;
                    commands += 1;
                }
                Step::Line { consumed, .. } => at += consumed,
                Step::Incomplete => return Ok((commands, bytes.len() - at)),
            }
        }
    }

    fn covered() -> Vec<u8> {
        let mut annotator = Annotator::default();
        let mut bytes = Vec::new();
        for value in ["one", "two", "three"] {
            let frame = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
            annotator.note(frame.as_bytes());
            bytes.extend_from_slice(frame.as_bytes());
            if value != "two" {
                bytes.extend_from_slice(annotator.cover().as_bytes());
            }
        }
        bytes
    }

    #[test]
    fn frames_and_lines_are_told_apart() {
        assert_eq!(read(&covered()), Ok((3, 0)));
        assert_eq!(read(b"#TS:12\r\n*1\r\n$4\r\nPING\r\n#anything\r\n*1\r\n$4\r\nPI"), Ok((1, 10)));
        assert_eq!(read(b"*1\r\n$4\r\nPING\r\n!!!").map_err(|damage| damage.offset), Err(14));
        assert!(read(b"PING\r\n").is_err());
        assert!(read(b"*0\r\n").is_err());
    }

    #[test]
    fn any_changed_byte_that_a_checksum_covers_is_found() {
        let good = covered();
        let last_line = good.iter().rposition(|byte| *byte == b'#').expect("it ends with a checksum");
        for at in 0..last_line {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            // A changed length may make the rest look cut off.
            assert!(!matches!(read(&bad), Ok((3, 0))), "byte {at}");
        }
    }

    #[test]
    fn every_cut_leaves_a_tail() {
        let good = covered();
        for end in 1..good.len() {
            let (commands, rest) = read(&good[..end]).expect("a cut is no damage");
            assert!(commands <= 3 && rest < end + 1);
        }
    }

    #[test]
    fn who_appends_goes_on_where_the_reader_ended() {
        let bytes = b"*1\r\n$4\r\nPING\r\n";
        let (mut scanner, mut batch) = (Scanner::new(0), Batch::default());
        assert!(matches!(scanner.next(bytes, &mut batch), Ok(Step::Command(_))));
        let mut annotator = scanner.annotator();
        annotator.note(bytes);
        let whole = [&bytes[..], &bytes[..], annotator.cover().as_bytes()].concat();
        assert_eq!(read(&whole), Ok((2, 0)));
    }
}
