//! The request parser: it looks at every byte of a header once, at none of an argument, and can stop and go on anywhere.

use super::arguments::{Batch, Command, Span};
use super::error::ProtocolError;
use crate::typed;
use memchr::memchr;
use ochre_text::number::parse_i64;
use ochre_text::quote;

/// A line (a count, a length, an inline command) longer than this is refused.
const LINE_LEN_MAX: usize = 64 * 1024;
const ARGUMENTS_MAX: i64 = i32::MAX as i64;
const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
const UNAUTHENTICATED_BULK_LEN_MAX: i64 = 16 * 1024;
/// A request that reaches this many bytes is refused: places in it are 32 bits wide.
const REQUEST_LEN_MAX: usize = u32::MAX as usize;

/// What a client may announce; checked before any memory is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest argument in bytes (`proto-max-bulk-len`); at least 1 MiB, except for clients of no concern.
    pub bulk_len_max: usize,
    /// Before authentication a request has at most 10 arguments of at most 16 KiB.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bulk_len_max: 512 << 20, authenticated: true }
    }
}

/// What stands at the start of a buffer.
#[derive(Debug)]
pub enum Parsed {
    /// A whole command.
    Command(Command),
    /// Bytes that are no command (`*0`, an empty line) and can be dropped.
    Empty {
        /// How many bytes to drop.
        consumed: usize,
    },
    /// The buffer ends within a command. Keep the bytes, and call again when there are more behind them.
    Incomplete {
        /// So many bytes are missing at least; large when the rest of a large argument is awaited.
        missing: usize,
    },
}

/// The parser of one connection.
///
/// Between commands it is one empty pointer, so idle connections cost nothing; only a command in pieces takes memory, for
/// the places of the arguments that have arrived.
#[derive(Debug, Default)]
pub struct Parser {
    partial: Option<Box<Partial>>,
}

/// A command that has not arrived wholly.
#[derive(Debug, Default)]
struct Partial {
    progress: Progress,
    spans: Vec<Span>,
    /// Numbers of the arguments that have types.
    typed: Vec<u32>,
    /// What is known of the one that is awaited.
    measure: typed::Measure,
}

/// How far a command is understood.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Everything before is understood; relative to the command's start.
    position: usize,
    /// No line end stands before this place.
    searched: usize,
    /// Arguments that are awaited; zero as long as the first line is not complete.
    missing: u32,
    /// The length of the argument at `position`, once its header was read.
    bulk_len: Option<usize>,
}

/// A request stopped: there are not enough bytes, or they are wrong.
enum Stop {
    Incomplete { missing: usize },
    Wrong(ProtocolError),
}

impl From<ProtocolError> for Stop {
    fn from(error: ProtocolError) -> Stop {
        Stop::Wrong(error)
    }
}

impl Parser {
    /// A parser that waits for a command's first byte.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Bytes at the beginning of the command that is awaited that are understood: whole arguments, and the length of the next.
    pub fn understood(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.progress.position)
    }

    /// Where the argument that is awaited says that it ends, from the beginning of the command; `None` before it has said so.
    pub fn announced_end(&self) -> Option<usize> {
        let progress = &self.partial.as_ref()?.progress;
        progress.bulk_len.map(|length| progress.position + length + 2)
    }

    /// Bytes that the parser itself keeps of a command that is not complete.
    pub fn memory_bytes(&self) -> usize {
        let spans = |partial: &Partial| size_of::<Partial>() + partial.spans.capacity() * size_of::<Span>();
        let typed = |partial: &Partial| partial.typed.capacity() * size_of::<u32>();
        self.partial.as_deref().map_or(0, |partial| spans(partial) + typed(partial))
    }

    /// Whether the start of a command was seen, but not its end.
    pub fn is_within_command(&self) -> bool {
        self.partial.is_some()
    }

    /// Looks for one command at the start of `buffer` and adds its arguments to `batch`.
    ///
    /// After `Incomplete` the next call's buffer must begin with the same bytes, though it may be another buffer; what was
    /// understood is not read again. After an error the parser is of no more use. Nothing is allocated because a length was announced.
    #[inline]
    pub fn next(&mut self, buffer: &[u8], batch: &mut Batch, limits: &Limits) -> Result<Parsed, ProtocolError> {
        if self.partial.is_some() || buffer.len() > REQUEST_LEN_MAX {
            return self.resume(buffer, batch, limits);
        }
        let first = batch.spans.len();
        match take_whole(buffer, &mut batch.spans, limits) {
            Some(consumed) => Ok(Parsed::Command(batch.command_since(first, false, consumed))),
            None => {
                batch.spans.truncate(first);
                self.start(buffer, batch, limits)
            }
        }
    }

    /// [`Parser::next`] for what [`take_whole`] does not take.
    #[cold]
    #[inline(never)]
    fn start(&mut self, buffer: &[u8], batch: &mut Batch, limits: &Limits) -> Result<Parsed, ProtocolError> {
        if buffer.is_empty() {
            return Ok(Parsed::Incomplete { missing: 1 });
        }
        self.go_on(Partial::default(), buffer, batch, limits)
    }

    /// [`Parser::next`] after `Incomplete`.
    #[cold]
    #[inline(never)]
    fn resume(&mut self, buffer: &[u8], batch: &mut Batch, limits: &Limits) -> Result<Parsed, ProtocolError> {
        let visible = &buffer[..buffer.len().min(REQUEST_LEN_MAX)];
        let partial = match self.partial.take() {
            Some(partial) => *partial,
            None => Partial::default(),
        };
        match self.go_on(partial, visible, batch, limits)? {
            Parsed::Incomplete { .. } if visible.len() == REQUEST_LEN_MAX => Err(ProtocolError::RequestTooLarge),
            parsed => Ok(parsed),
        }
    }

    /// Goes on where `partial` stands. The arguments are handed to the batch when they are complete, so that they are moved once.
    fn go_on(
        &mut self,
        mut partial: Partial,
        buffer: &[u8],
        batch: &mut Batch,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        let first = batch.spans.len();
        let progress = &mut partial.progress;
        let stop = if progress.missing == 0 && buffer[0] != b'*' {
            match take_inline(buffer, progress, batch) {
                Ok(consumed) if batch.spans.len() == first => return Ok(Parsed::Empty { consumed }),
                Ok(consumed) => return Ok(Parsed::Command(batch.command_since(first, true, consumed))),
                Err(stop) => stop,
            }
        } else {
            let counted = if progress.missing == 0 { take_count(buffer, progress, limits) } else { Ok(()) };
            match counted.and_then(|()| {
                take_arguments(buffer, progress, &mut partial.spans, &mut partial.typed, &mut partial.measure, limits)
            }) {
                Ok(()) if partial.spans.is_empty() => return Ok(Parsed::Empty { consumed: progress.position }),
                Ok(()) if !partial.typed.is_empty() => {
                    // They are copied, each with a word before it, to where places have 32 bits.
                    let marks = partial.typed.len() * super::TYPED.len();
                    if batch.owned.len() + progress.position + marks > REQUEST_LEN_MAX {
                        return Err(ProtocolError::RequestTooLarge);
                    }
                    let command = batch.push_typed(buffer, &partial.spans, &partial.typed, progress.position);
                    return Ok(Parsed::Command(command));
                }
                Ok(()) => {
                    batch.spans.append(&mut partial.spans);
                    return Ok(Parsed::Command(batch.command_since(first, false, progress.position)));
                }
                Err(stop) => stop,
            }
        };
        match stop {
            Stop::Wrong(error) => Err(error),
            Stop::Incomplete { missing } => Ok(self.suspend(partial, missing)),
        }
    }

    #[cold]
    fn suspend(&mut self, partial: Partial, missing: usize) -> Parsed {
        self.partial = Some(Box::new(partial));
        Parsed::Incomplete { missing }
    }
}

/// Reads a header of one or two digits, `$3\r\n` or `*12\r\n`: its number and where the next byte stands.
///
/// `None` for anything else, the rare as well as the wrong.
#[inline(always)]
fn short_header(bytes: &[u8], marker: u8) -> Option<(u32, usize)> {
    // A header of two digits has five bytes, and one of a single digit is followed by more.
    let header: &[u8; 5] = bytes.first_chunk()?;
    let word = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let digit = |at: u32| ((word >> at) & 0xff).wrapping_sub(b'0'.into());
    // Marker and line end are compared together, the digits between them left out.
    if word & 0x00ff_00ff == u32::from_le_bytes([marker, 0, b'\r', 0]) {
        return (digit(8) <= 9).then_some((digit(8), 4));
    }
    let is_two = word & 0xff00_00ff == u32::from_le_bytes([marker, 0, 0, b'\r']);
    let is_number = (1..=9).contains(&digit(8)) && digit(16) <= 9;
    (is_two && is_number).then(|| (digit(8) * 10 + digit(16), 5))
}

/// Takes a whole command of up to 99 arguments, each shorter than 10,000 bytes, as nearly all are; its length.
///
/// `None` for anything else, the rare, the incomplete and the wrong; then the spans may hold a part of it.
#[inline(always)]
fn take_whole(buffer: &[u8], spans: &mut Vec<Span>, limits: &Limits) -> Option<usize> {
    let (count, mut position) = short_header(buffer, b'*')?;
    if count == 0 || (!limits.authenticated && i64::from(count) > UNAUTHENTICATED_ARGUMENTS_MAX) {
        return None;
    }
    spans.reserve(count as usize);
    for _ in 0..count {
        let header = &buffer[position..];
        let (length, header_len) = short_header(header, b'$').or_else(|| four_digit_header(header))?;
        let start = position + header_len;
        // The two bytes behind an argument are its line end; like Redis, we do not look at them.
        position = start + length as usize + 2;
        if position > buffer.len() {
            return None;
        }
        spans.push(Span { start: start as u32, len: length });
    }
    Some(position)
}

/// As `short_header`, for `$123\r\n` and `$1234\r\n`.
#[inline(never)]
fn four_digit_header(bytes: &[u8]) -> Option<(u32, usize)> {
    let digits = bytes.strip_prefix(b"$")?;
    let count = digits.iter().take(5).position(|&byte| byte == b'\r').filter(|count| matches!(count, 3 | 4))?;
    if digits[0] == b'0' || bytes.len() < count + 3 {
        return None;
    }
    let number = digits[..count]
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))?;
    Some((number, count + 3))
}

/// Takes arguments until none is missing.
fn take_arguments(
    buffer: &[u8],
    progress: &mut Progress,
    spans: &mut Vec<Span>,
    typed: &mut Vec<u32>,
    measure: &mut typed::Measure,
    limits: &Limits,
) -> Result<(), Stop> {
    while progress.missing > 0 {
        if progress.bulk_len.is_none()
            && let Some(length) = take_typed(buffer, progress, spans, measure, limits)?
        {
            typed.push(spans.len() as u32);
            spans.push(Span { start: progress.position as u32, len: length as u32 });
            progress.position += length;
            progress.missing -= 1;
            continue;
        }
        let length = match progress.bulk_len {
            None => match short_header(&buffer[progress.position..], b'$') {
                Some((length, header_len)) => {
                    progress.position += header_len;
                    length as usize
                }
                None => take_bulk_len(buffer, progress, limits)?,
            },
            Some(length) => length,
        };
        // The two bytes behind an argument are its line end; like Redis, we do not look at them.
        let next = progress.position + length + 2;
        if next > buffer.len() {
            progress.bulk_len = Some(length);
            return Err(Stop::Incomplete { missing: next - buffer.len() });
        }
        spans.push(Span { start: progress.position as u32, len: length as u32 });
        progress.position = next;
        progress.bulk_len = None;
        progress.missing -= 1;
    }
    Ok(())
}

/// The length of the argument that comes, if it has types. The name of a command has none, and who has not logged in sends none.
fn take_typed(
    buffer: &[u8],
    progress: &Progress,
    spans: &[Span],
    measure: &mut typed::Measure,
    limits: &Limits,
) -> Result<Option<usize>, Stop> {
    let bytes = &buffer[progress.position..];
    if spans.is_empty() || !limits.authenticated || !typed::begins(bytes) {
        return Ok(None);
    }
    let length = measure.go_on(bytes)?.ok_or(Stop::Incomplete { missing: 1 })?;
    *measure = typed::Measure::default();
    Ok(Some(length))
}

/// Reads `*count\r\n`. A count below 1 leaves nothing missing.
fn take_count(buffer: &[u8], progress: &mut Progress, limits: &Limits) -> Result<(), Stop> {
    let line = take_line(buffer, progress, ProtocolError::MultibulkCountTooLong)?;
    match parse_i64(&line[1..]) {
        None | Some(ARGUMENTS_MAX_EXCEEDED..) => Err(ProtocolError::InvalidMultibulkLength.into()),
        Some(count) if !limits.authenticated && count > UNAUTHENTICATED_ARGUMENTS_MAX => {
            Err(ProtocolError::UnauthenticatedMultibulkLength.into())
        }
        Some(count) => {
            progress.missing = count.max(0) as u32;
            Ok(())
        }
    }
}

const ARGUMENTS_MAX_EXCEEDED: i64 = ARGUMENTS_MAX + 1;

/// Reads `$length\r\n`, in the unusual forms and the wrong ones too.
#[inline(never)]
fn take_bulk_len(buffer: &[u8], progress: &mut Progress, limits: &Limits) -> Result<usize, Stop> {
    let line = take_line(buffer, progress, ProtocolError::BulkCountTooLong)?;
    let (&marker, length) = line.split_first().unwrap_or((&b'\r', &[]));
    if marker != b'$' {
        return Err(ProtocolError::ExpectedBulk(marker).into());
    }
    let length = parse_i64(length).ok_or(ProtocolError::InvalidBulkLength)?;
    let bytes = usize::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?;
    if bytes > limits.bulk_len_max {
        return Err(ProtocolError::InvalidBulkLength.into());
    }
    if !limits.authenticated && length > UNAUTHENTICATED_BULK_LEN_MAX {
        return Err(ProtocolError::UnauthenticatedBulkLength.into());
    }
    if bytes > REQUEST_LEN_MAX - 2 - progress.position.min(REQUEST_LEN_MAX - 2) {
        return Err(ProtocolError::RequestTooLarge.into());
    }
    Ok(bytes)
}

/// The line at the current position, without its end, and moves behind it.
fn take_line<'b>(buffer: &'b [u8], progress: &mut Progress, too_long: ProtocolError) -> Result<&'b [u8], Stop> {
    let start = progress.position;
    let end = find(b'\r', buffer, progress, too_long)?;
    if end + 1 == buffer.len() {
        return Err(Stop::Incomplete { missing: 1 });
    }
    progress.position = end + 2;
    Ok(&buffer[start..end])
}

/// Where the next `byte` stands, or that it has not come within the bounds of a line.
fn find(byte: u8, buffer: &[u8], progress: &mut Progress, too_long: ProtocolError) -> Result<usize, Stop> {
    let from = progress.searched.max(progress.position);
    let bound = buffer.len().min(progress.position + LINE_LEN_MAX + 1);
    if let Some(offset) = memchr(byte, &buffer[from..bound]) {
        progress.searched = from + offset;
        return Ok(from + offset);
    }
    progress.searched = bound;
    if bound - progress.position > LINE_LEN_MAX {
        return Err(too_long.into());
    }
    Err(Stop::Incomplete { missing: 1 })
}

/// Reads a line of words and adds them to the batch. Returns how many bytes it took.
fn take_inline(buffer: &[u8], progress: &mut Progress, batch: &mut Batch) -> Result<usize, Stop> {
    let end = find(b'\n', buffer, progress, ProtocolError::InlineTooLong)?;
    let line = buffer[..end].strip_suffix(b"\r").unwrap_or(&buffer[..end]);
    let Batch { spans, owned } = batch;
    let before = (spans.len(), owned.len());
    let split = quote::split_args_with(line, owned, |start, end| {
        spans.push(Span { start: start as u32, len: (end - start) as u32 });
    });
    if split.is_err() {
        spans.truncate(before.0);
        owned.truncate(before.1);
        return Err(ProtocolError::UnbalancedQuotes.into());
    }
    Ok(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a stream of requests contains, and the error that ends it, when it comes in pieces of these sizes.
    fn parse(bytes: &[u8], pieces: &[usize], limits: &Limits) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
        let mut parser = Parser::new();
        let mut batch = Batch::default();
        let mut commands = Vec::new();
        let (mut start, mut end) = (0, 0);
        let mut pieces = pieces.iter().cycle();
        while end < bytes.len() {
            end = bytes.len().min(end + pieces.next().unwrap());
            loop {
                // A fresh copy: the parser must not care where the bytes lie.
                let buffer = bytes[start..end].to_vec();
                match parser.next(&buffer, &mut batch, limits) {
                    Ok(Parsed::Command(command)) => {
                        let args = batch.args(&command, &buffer);
                        assert_eq!(args.len(), command.count());
                        commands.push(args.iter().map(<[u8]>::to_vec).collect());
                        start += command.consumed;
                    }
                    Ok(Parsed::Empty { consumed }) => start += consumed,
                    Ok(Parsed::Incomplete { missing }) => {
                        assert!(missing > 0);
                        break;
                    }
                    Err(error) => return (commands, Some(error)),
                }
            }
            if commands.len() % 3 == 0 {
                batch.clear();
            }
        }
        (commands, None)
    }

    fn check(bytes: &str, expected: &[&[&str]]) {
        for piece in [1, 2, 3, 7, usize::MAX] {
            let (commands, error) = parse(bytes.as_bytes(), &[piece], &Limits::default());
            assert_eq!(error, None, "{bytes:?}");
            let shown: Vec<Vec<&str>> = commands
                .iter()
                .map(|args| args.iter().map(|arg| std::str::from_utf8(arg).unwrap()).collect())
                .collect();
            assert_eq!(shown, expected, "{bytes:?}");
        }
    }

    fn refused(bytes: &str, limits: &Limits, text: &str) {
        for piece in [1, 5, usize::MAX] {
            let (_, error) = parse(bytes.as_bytes(), &[piece], limits);
            assert_eq!(error.map(|error| error.to_string()), Some(format!("Protocol error: {text}")), "{bytes:?}");
        }
    }

    #[test]
    fn arguments_may_have_types() {
        check(
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n:15\r\n*1\r\n$1\r\nx\r\n",
            &[&["SET", "", "k", "typed", ":15\r\n"], &["x"]],
        );
        check("*2\r\n$1\r\nx\r\n%1\r\n$1\r\na\r\n*1\r\n$-1\r\n", &[&["x", "typed", "%1\r\n$1\r\na\r\n*1\r\n$-1\r\n"]]);
    }

    #[test]
    fn commands_of_both_kinds_follow_each_other() {
        check("*1\r\n$4\r\nPING\r\n", &[&["PING"]]);
        check("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &[&["GET", ""]]);
        check(
            "*2\r\n$3\r\nGET\r\n$10\r\n0123456789\r\nPING\r\n*1\r\n$1\r\nx\r\n",
            &[&["GET", "0123456789"], &["PING"], &["x"]],
        );
        check("set 'a b' \"\\x41\"\nGET x\r\n", &[&["set", "a b", "A"], &["GET", "x"]]);
        let long = "v".repeat(12_345);
        check(&format!("*2\r\n$100\r\n{}\r\n$12345\r\n{long}\r\n", &long[..100]), &[&[&long[..100], &long]]);
        let many = ["x"; 1_000];
        check(&format!("*1000\r\n{}", "$1\r\nx\r\n".repeat(1_000)), &[&many]);
    }

    #[test]
    fn empty_requests_are_dropped() {
        check("*0\r\n*-1\r\n*-10\r\n\r\n\n  \r\nPING\r\n*0\r\n*1\r\n$1\r\nx\r\n", &[&["PING"], &["x"]]);
    }

    #[test]
    fn line_ends_behind_arguments_are_not_looked_at() {
        check("*1\r\n$4\r\nPINGxy*1\rx$1\rx1??", &[&["PING"], &["1"]]);
    }

    /// Texts as Redis 7.0.15, Redis 8.0.6 and Valkey 9.1.2 send them.
    #[test]
    fn what_breaks_the_protocol_is_refused_in_known_words() {
        let limits = Limits::default();
        for count in ["", "x", "+1", "01", "2147483648", "9223372036854775808", " 1"] {
            refused(&format!("*{count}\r\n$1\r\nx\r\n"), &limits, "invalid multibulk length");
        }
        for length in ["", "x", "-1", "00", "536870913", "9223372036854775808"] {
            refused(&format!("*1\r\n${length}\r\nx\r\n"), &limits, "invalid bulk length");
        }
        refused("*2\r\n:1\r\n$1\r\nx\r\n", &limits, "expected '$', got ':'");
        refused("*2\r\n$1\r\nx\r\n+OK\r\n", &limits, "expected '$', got '+'");
        refused("*2\r\n$1\r\nx\r\n*1\r\n+OK\r\n", &limits, "expected '$', got '+'");
        refused("*1\r\nPING\r\n", &limits, "expected '$', got 'P'");
        refused("set \"a\r\n", &limits, "unbalanced quotes in request");
        let long = "1".repeat(LINE_LEN_MAX + 1);
        refused(&format!("*{long}"), &limits, "too big mbulk count string");
        refused(&format!("*1\r\n${long}"), &limits, "too big bulk count string");
        refused(&long, &limits, "too big inline request");
    }

    #[test]
    fn little_may_be_announced_before_authentication() {
        let limits = Limits { authenticated: false, ..Limits::default() };
        refused("*11\r\n", &limits, "unauthenticated multibulk length");
        refused("*2147483647\r\n", &limits, "unauthenticated multibulk length");
        refused("*1\r\n$16385\r\n", &limits, "unauthenticated bulk length");
        let allowed = format!("*10\r\n{}$16384\r\n{}\r\n", "$1\r\nx\r\n".repeat(9), "y".repeat(16_384));
        assert_eq!(parse(allowed.as_bytes(), &[1_000], &limits).0.len(), 1);
    }

    #[test]
    fn a_request_beyond_4_gib_is_refused_when_it_is_announced() {
        let limits = Limits { bulk_len_max: usize::MAX, authenticated: true };
        refused("*2\r\n$3\r\nSET\r\n$4294967290\r\n", &limits, "request too large");
        refused("*2\r\n$3\r\nSET\r\n$9223372036854775807\r\n", &limits, "request too large");
    }

    #[test]
    fn a_large_argument_says_how_much_is_missing() {
        let (mut parser, mut batch, limits) = (Parser::new(), Batch::default(), Limits::default());
        let Ok(Parsed::Incomplete { missing }) =
            parser.next(b"*2\r\n$3\r\nSET\r\n$1000000\r\nabc", &mut batch, &limits)
        else {
            panic!("the argument is not there");
        };
        assert_eq!(missing, 1_000_000 - 3 + 2);
        assert!(parser.is_within_command());
    }

    #[test]
    fn announced_lengths_take_no_memory() {
        let (mut parser, mut batch, limits) = (Parser::new(), Batch::default(), Limits::default());
        for bytes in [&b"*2147483647\r\n"[..], b"*2147483647\r\n$536870912\r\n", b"*2147483647\r\n$536870912\r\nabc"] {
            assert!(matches!(parser.next(bytes, &mut batch, &limits), Ok(Parsed::Incomplete { .. })));
        }
        assert_eq!(parser.partial.unwrap().spans.capacity(), 0);
        assert_eq!(batch.spans.capacity(), 0);
    }

    #[test]
    fn commands_from_elsewhere_join_a_batch() {
        let (mut parser, mut batch) = (Parser::new(), Batch::default());
        let pushed = batch.push([&b"SET"[..], b"", b"value"]);
        let Ok(Parsed::Command(inline)) = parser.next(b"get \"k\"\r\n", &mut batch, &Limits::default()) else {
            panic!("a whole line");
        };
        let args = batch.args(&pushed, b"");
        assert_eq!((args.at(0), args.get(1), args.get(3), args.bytes()), (&b"SET"[..], Some(&b""[..]), None, 8));
        assert_eq!(format!("{:?}", batch.args(&inline, b"")), r#"["\"get\"", "\"k\""]"#);
        assert_eq!(args.from(2).iter().collect::<Vec<_>>(), [b"value"]);
        assert!(args.from(7).is_empty());
    }

    fn request() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let argument = prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..12),
            1 => proptest::collection::vec(any::<u8>(), 90..130),
        ];
        prop_oneof![
            8 => proptest::collection::vec(argument.clone(), 1..6),
            1 => proptest::collection::vec(argument, 95..105),
        ]
    }

    fn encode(commands: &[Vec<Vec<u8>>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut reply = crate::Reply::new(&mut bytes, crate::Protocol::Resp2);
        for command in commands {
            reply.array(command.len());
            command.iter().for_each(|argument| reply.bulk(argument));
        }
        bytes
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_commands(
            commands in proptest::collection::vec(request(), 1..5),
            pieces in proptest::collection::vec(1usize..40, 1..10),
        ) {
            let bytes = encode(&commands);
            prop_assert_eq!(parse(&bytes, &pieces, &Limits::default()), (commands, None));
        }

        #[test]
        fn random_bytes_are_parsed_alike_in_any_pieces(
            text in "[*$0-9-]{0,3}[*$0-9a-c\r\n\"' -]{0,60}",
            piece in 1usize..10,
        ) {
            let text = text.replace('c', "\r\n").replace('b', "*1\r\n$2\r\n");
            let limits = Limits { authenticated: text.len() % 2 == 0, ..Limits::default() };
            let whole = parse(text.as_bytes(), &[usize::MAX], &limits);
            prop_assert_eq!(parse(text.as_bytes(), &[piece], &limits), whole);
        }

        #[test]
        fn mutated_requests_are_parsed_alike_in_any_pieces(
            commands in proptest::collection::vec(request(), 1..4),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            piece in 1usize..50,
        ) {
            let mut bytes = encode(&commands);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let whole = parse(&bytes, &[usize::MAX], &Limits::default());
            prop_assert_eq!(parse(&bytes, &[piece], &Limits::default()), whole);
        }
    }
}
