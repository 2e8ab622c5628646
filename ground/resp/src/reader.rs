//! The reader of replies, for tools, replicas and tests: bytes of either protocol version to values that own their parts.

use memchr::memchr;
use ochre_text::number::{parse_f64, parse_i64};
use std::fmt;

/// A line (a status, an error, a number) longer than this is refused.
const LINE_LEN_MAX: usize = 1 << 20;
/// At most so much is reserved because a length was announced; the rest grows with the bytes that come.
const RESERVED_MAX: usize = 64 * 1024;

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+OK`
    Status(Vec<u8>),
    /// `-ERR …`, code included; also RESP3's error with a length.
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    /// A null of version 3, or version 2's null string.
    Null,
    /// Version 2's null array.
    NullArray,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    Double(f64),
    Boolean(bool),
    /// A text and the three letters of its format.
    Verbatim {
        format: [u8; 3],
        text: Vec<u8>,
    },
    BigNumber(Vec<u8>),
    /// A value with attributes before it.
    Attributed {
        attributes: Vec<(Value, Value)>,
        value: Box<Value>,
    },
}

/// The bytes are no reply, or one beyond the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// No type begins with this byte.
    UnknownType(u8),
    /// A length or number that is none.
    InvalidNumber,
    /// A value of a fixed form that has another one.
    Malformed,
    /// A line without an end within 1 MiB.
    LineTooLong,
    /// A string above the limit.
    BulkTooLong,
    /// More elements than the limit.
    TooManyElements,
    /// Collections within collections beyond the limit.
    TooDeep,
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::UnknownType(byte) => write!(out, "unknown reply type '{}'", byte.escape_ascii()),
            ReadError::InvalidNumber => out.write_str("invalid number in a reply"),
            ReadError::Malformed => out.write_str("malformed reply"),
            ReadError::LineTooLong => out.write_str("line too long in a reply"),
            ReadError::BulkTooLong => out.write_str("string too long in a reply"),
            ReadError::TooManyElements => out.write_str("too many elements in a reply"),
            ReadError::TooDeep => out.write_str("reply nested too deeply"),
        }
    }
}

impl std::error::Error for ReadError {}

/// What a peer may send.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// The longest string in bytes.
    pub bulk_len_max: usize,
    /// The most elements of one collection.
    pub elements_max: usize,
    /// How deeply collections may be nested.
    pub depth_max: usize,
}

impl Default for ReadLimits {
    fn default() -> ReadLimits {
        ReadLimits { bulk_len_max: 512 << 20, elements_max: i32::MAX as usize, depth_max: 128 }
    }
}

/// Reads replies from pieces of a stream.
#[derive(Debug, Default)]
pub struct Reader {
    limits: ReadLimits,
    /// Collections that are open, the outermost first.
    open: Vec<Open>,
    /// The string that is being read.
    bulk: Option<OpenBulk>,
    /// No line end stands in this many bytes at the start of the next buffer.
    searched: usize,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    values: Vec<Value>,
    /// Values that are awaited; a map counts keys and values.
    missing: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Array,
    Map,
    Set,
    Push,
    Attributes,
    /// The value behind attributes, which stand before it.
    Attributed,
}

#[derive(Debug)]
struct OpenBulk {
    marker: u8,
    bytes: Vec<u8>,
    /// Bytes that are awaited, the line end included.
    missing: usize,
}

impl Reader {
    /// A reader with limits of its own; `Reader::default()` takes what a server may send.
    pub fn new(limits: ReadLimits) -> Reader {
        Reader { limits, ..Reader::default() }
    }

    /// Whether a reply has begun and not ended.
    pub fn is_within_reply(&self) -> bool {
        !self.open.is_empty() || self.bulk.is_some() || self.searched > 0
    }

    /// Reads up to one reply. Returns how many bytes of `buffer` can be dropped, and the reply if it is complete.
    ///
    /// Without a reply, call again with the bytes that were not dropped and more behind them. After an error the reader is of no more use.
    pub fn next(&mut self, buffer: &[u8]) -> Result<(usize, Option<Value>), ReadError> {
        let mut at = 0;
        loop {
            let Some((used, step)) = self.step(&buffer[at..])? else { return Ok((at, None)) };
            at += used;
            let Step::Value(value) = step else { continue };
            if let Some(reply) = self.close(value) {
                return Ok((at, Some(reply)));
            }
        }
    }

    /// Reads one header or value. `None` if the bytes do not suffice; then none is used.
    fn step(&mut self, buffer: &[u8]) -> Result<Option<(usize, Step)>, ReadError> {
        if self.bulk.is_some() {
            return self.step_bulk(buffer);
        }
        let from = self.searched.min(buffer.len());
        let Some(end) = memchr(b'\n', &buffer[from..]).map(|offset| from + offset) else {
            self.searched = buffer.len();
            return if buffer.len() > LINE_LEN_MAX { Err(ReadError::LineTooLong) } else { Ok(None) };
        };
        self.searched = 0;
        if end > LINE_LEN_MAX {
            return Err(ReadError::LineTooLong);
        }
        let line = buffer[..end].strip_suffix(b"\r").ok_or(ReadError::Malformed)?;
        let (&marker, text) = line.split_first().ok_or(ReadError::Malformed)?;
        Ok(Some((end + 1, self.step_line(marker, text)?)))
    }

    fn step_line(&mut self, marker: u8, text: &[u8]) -> Result<Step, ReadError> {
        let value = match marker {
            b'+' => Value::Status(text.to_vec()),
            b'-' => Value::Error(text.to_vec()),
            b':' => Value::Integer(parse_i64(text.strip_prefix(b"+").unwrap_or(text)).ok_or(ReadError::InvalidNumber)?),
            b'_' if text.is_empty() => Value::Null,
            b'#' => Value::Boolean(match text {
                b"t" => true,
                b"f" => false,
                _ => return Err(ReadError::Malformed),
            }),
            b',' => Value::Double(parse_double(text).ok_or(ReadError::InvalidNumber)?),
            b'(' => Value::BigNumber(big_number(text).ok_or(ReadError::InvalidNumber)?.to_vec()),
            b'$' | b'!' | b'=' => return self.open_bulk(marker, text),
            b'*' => return self.open_collection(Kind::Array, text),
            b'%' => return self.open_collection(Kind::Map, text),
            b'~' => return self.open_collection(Kind::Set, text),
            b'>' => return self.open_collection(Kind::Push, text),
            b'|' => return self.open_collection(Kind::Attributes, text),
            b'_' => return Err(ReadError::Malformed),
            other => return Err(ReadError::UnknownType(other)),
        };
        Ok(Step::Value(value))
    }

    fn open_bulk(&mut self, marker: u8, text: &[u8]) -> Result<Step, ReadError> {
        let len = match parse_i64(text).ok_or(ReadError::InvalidNumber)? {
            -1 if marker == b'$' => return Ok(Step::Value(Value::Null)),
            len => usize::try_from(len).map_err(|_| ReadError::InvalidNumber)?,
        };
        if len > self.limits.bulk_len_max.min(usize::MAX - 2) {
            return Err(ReadError::BulkTooLong);
        }
        let bytes = Vec::with_capacity((len + 2).min(RESERVED_MAX));
        self.bulk = Some(OpenBulk { marker, bytes, missing: len + 2 });
        Ok(Step::Header)
    }

    fn step_bulk(&mut self, buffer: &[u8]) -> Result<Option<(usize, Step)>, ReadError> {
        let bulk = self.bulk.as_mut().expect("step_bulk is called within a string");
        let used = bulk.missing.min(buffer.len());
        bulk.bytes.extend_from_slice(&buffer[..used]);
        bulk.missing -= used;
        if bulk.missing > 0 {
            return Ok((used > 0).then_some((used, Step::Header)));
        }
        let OpenBulk { marker, mut bytes, .. } = self.bulk.take().expect("it was there just now");
        if !bytes.ends_with(b"\r\n") {
            return Err(ReadError::Malformed);
        }
        bytes.truncate(bytes.len() - 2);
        let value = match marker {
            b'!' => Value::Error(bytes),
            b'=' => match bytes.split_first_chunk() {
                Some((&[a, b, c, b':'], text)) => Value::Verbatim { format: [a, b, c], text: text.to_vec() },
                _ => return Err(ReadError::Malformed),
            },
            _ => Value::Bulk(bytes),
        };
        Ok(Some((used, Step::Value(value))))
    }

    fn open_collection(&mut self, kind: Kind, text: &[u8]) -> Result<Step, ReadError> {
        let len = match parse_i64(text).ok_or(ReadError::InvalidNumber)? {
            -1 if kind == Kind::Array => return Ok(Step::Value(Value::NullArray)),
            len => usize::try_from(len).map_err(|_| ReadError::InvalidNumber)?,
        };
        if len > self.limits.elements_max {
            return Err(ReadError::TooManyElements);
        }
        if self.open.len() >= self.limits.depth_max {
            return Err(ReadError::TooDeep);
        }
        let missing = match kind {
            Kind::Map | Kind::Attributes => len.checked_mul(2).ok_or(ReadError::TooManyElements)?,
            _ => len,
        };
        if missing == 0 && kind != Kind::Attributes {
            return Ok(Step::Value(finished(kind, Vec::new())));
        }
        let values = Vec::with_capacity(missing.min(RESERVED_MAX / size_of::<Value>()));
        self.open.push(Open { kind, values, missing });
        if missing == 0 {
            self.await_attributed_value();
        }
        Ok(Step::Header)
    }

    /// Puts a finished value where it belongs; returns it when it is the whole reply.
    fn close(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(parent) = self.open.last_mut() else { return Some(value) };
            parent.values.push(value);
            parent.missing -= 1;
            if parent.missing > 0 {
                return None;
            }
            if parent.kind == Kind::Attributes {
                self.await_attributed_value();
                return None;
            }
            let Open { kind, values, .. } = self.open.pop().expect("the parent is open");
            value = finished(kind, values);
        }
    }

    /// Attributes are complete: the next value is the one that they describe.
    fn await_attributed_value(&mut self) {
        let attributes = self.open.last_mut().expect("attributes are open");
        attributes.kind = Kind::Attributed;
        attributes.missing = 1;
    }
}

enum Step {
    /// Something was used, but no value is complete.
    Header,
    Value(Value),
}

fn finished(kind: Kind, mut values: Vec<Value>) -> Value {
    match kind {
        Kind::Array => Value::Array(values),
        Kind::Set => Value::Set(values),
        Kind::Push => Value::Push(values),
        Kind::Map | Kind::Attributes => Value::Map(pairs(values)),
        Kind::Attributed => {
            let value = Box::new(values.pop().expect("an attributed value ends with the value"));
            Value::Attributed { attributes: pairs(values), value }
        }
    }
}

fn pairs(values: Vec<Value>) -> Vec<(Value, Value)> {
    let mut pairs = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        pairs.push((key, value));
    }
    pairs
}

fn parse_double(text: &[u8]) -> Option<f64> {
    match text {
        b"nan" | b"-nan" => Some(f64::NAN),
        // A number beyond the largest is infinite for who reads it: counters may have more digits than a double.
        _ => parse_f64(text).or_else(|| {
            let is_number = text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
            std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
        }),
    }
}

/// An optional sign and digits.
fn big_number(text: &[u8]) -> Option<&[u8]> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::{Protocol, Reply};
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Option<Value>, ReadError> {
        Reader::default().next(bytes).map(|(_, value)| value)
    }

    /// Feeds pieces as a socket would give them.
    fn read_in_pieces(bytes: &[u8], piece: usize) -> Result<Vec<Value>, ReadError> {
        let (mut reader, mut buffer, mut values) = (Reader::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            loop {
                let (used, value) = reader.next(&buffer)?;
                buffer.drain(..used);
                match value {
                    Some(value) => values.push(value),
                    None => break,
                }
            }
        }
        assert!(values.is_empty() || reader.is_within_reply() || buffer.is_empty());
        Ok(values)
    }

    #[test]
    fn every_type_is_read() {
        let bulk = |text: &str| Value::Bulk(text.into());
        for (bytes, value) in [
            ("+OK\r\n", Value::Status(b"OK".to_vec())),
            ("-ERR x\r\n", Value::Error(b"ERR x".to_vec())),
            (":-12\r\n", Value::Integer(-12)),
            ("$0\r\n\r\n", bulk("")),
            ("$3\r\na\r\n\r\n", bulk("a\r\n")),
            ("$-1\r\n", Value::Null),
            ("_\r\n", Value::Null),
            ("*-1\r\n", Value::NullArray),
            ("*0\r\n", Value::Array(vec![])),
            ("*2\r\n*1\r\n:1\r\n$1\r\na\r\n", Value::Array(vec![Value::Array(vec![Value::Integer(1)]), bulk("a")])),
            (
                "%1\r\n+k\r\n~1\r\n:1\r\n",
                Value::Map(vec![(Value::Status(b"k".to_vec()), Value::Set(vec![Value::Integer(1)]))]),
            ),
            (">1\r\n#t\r\n", Value::Push(vec![Value::Boolean(true)])),
            (",1.5\r\n", Value::Double(1.5)),
            (",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
            (",-1e4000\r\n", Value::Double(f64::NEG_INFINITY)),
            ("(-123456789012345678901\r\n", Value::BigNumber(b"-123456789012345678901".to_vec())),
            ("=7\r\ntxt:a\nb\r\n", Value::Verbatim { format: *b"txt", text: b"a\nb".to_vec() }),
            ("!5\r\nERR x\r\n", Value::Error(b"ERR x".to_vec())),
            (
                "|1\r\n+k\r\n+v\r\n*1\r\n:1\r\n",
                Value::Attributed {
                    attributes: vec![(Value::Status(b"k".to_vec()), Value::Status(b"v".to_vec()))],
                    value: Box::new(Value::Array(vec![Value::Integer(1)])),
                },
            ),
            ("|0\r\n:1\r\n", Value::Attributed { attributes: vec![], value: Box::new(Value::Integer(1)) }),
        ] {
            assert_eq!(read(bytes.as_bytes()), Ok(Some(value)), "{bytes:?}");
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes.as_bytes()[..end]), Ok(None), "{bytes:?} up to {end}");
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for (bytes, error) in [
            ("x\r\n", ReadError::UnknownType(b'x')),
            (":1.5\r\n", ReadError::InvalidNumber),
            ("$-2\r\n", ReadError::InvalidNumber),
            ("*-2\r\n", ReadError::InvalidNumber),
            ("%-1\r\n", ReadError::InvalidNumber),
            ("$2\r\nabc\r\n", ReadError::Malformed),
            ("#x\r\n", ReadError::Malformed),
            ("_x\r\n", ReadError::Malformed),
            ("=2\r\nab\r\n", ReadError::Malformed),
            ("+OK\n", ReadError::Malformed),
            ("\r\n", ReadError::Malformed),
            ("$9999999999\r\n", ReadError::BulkTooLong),
            ("*9999999999\r\n", ReadError::TooManyElements),
        ] {
            assert_eq!(read(bytes.as_bytes()), Err(error), "{bytes:?}");
        }
        assert_eq!(read("*1\r\n".repeat(129).as_bytes()), Err(ReadError::TooDeep));
        assert_eq!(read("|0\r\n".repeat(129).as_bytes()), Err(ReadError::TooDeep));
        assert_eq!(read(&vec![b'+'; LINE_LEN_MAX + 1]), Err(ReadError::LineTooLong));
    }

    #[test]
    fn announced_lengths_reserve_little() {
        let mut reader = Reader::default();
        reader.next(b"*2147483647\r\n*2147483647\r\n$536870912\r\nabc").unwrap();
        assert!(reader.bulk.as_ref().unwrap().bytes.capacity() <= RESERVED_MAX);
        assert!(reader.open.iter().all(|open| open.values.capacity() * size_of::<Value>() <= RESERVED_MAX));
    }

    fn value() -> impl Strategy<Value = Value> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
        let leaf = prop_oneof![
            "[ -~]{0,20}".prop_map(|text| Value::Status(text.into_bytes())),
            "[A-Z]{3} [a-z]{0,20}".prop_map(|text| Value::Error(text.into_bytes())),
            any::<i64>().prop_map(Value::Integer),
            bytes().prop_map(Value::Bulk),
            Just(Value::Null),
            any::<f64>().prop_filter("NaN equals nothing", |value| !value.is_nan()).prop_map(Value::Double),
            any::<bool>().prop_map(Value::Boolean),
            bytes().prop_map(|text| Value::Verbatim { format: *b"mkd", text }),
            "-?[1-9][0-9]{0,40}".prop_map(|text| Value::BigNumber(text.into_bytes())),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let values = || proptest::collection::vec(inner.clone(), 0..6);
            let pairs = || proptest::collection::vec((inner.clone(), inner.clone()), 0..4);
            prop_oneof![
                values().prop_map(Value::Array),
                values().prop_map(Value::Set),
                values().prop_map(Value::Push),
                pairs().prop_map(Value::Map),
                (pairs(), inner.clone())
                    .prop_map(|(attributes, value)| Value::Attributed { attributes, value: Box::new(value) }),
            ]
        })
    }

    fn write(reply: &mut Reply<'_>, value: &Value) {
        let write_pairs = |reply: &mut Reply<'_>, pairs: &[(Value, Value)]| {
            for (key, value) in pairs {
                write(reply, key);
                write(reply, value);
            }
        };
        match value {
            Value::Status(text) => reply.status(std::str::from_utf8(text).unwrap()),
            Value::Error(text) => reply.error_bytes(text),
            Value::Integer(value) => reply.integer(*value),
            Value::Bulk(bytes) => reply.bulk(bytes),
            Value::Null => reply.null(),
            Value::NullArray => reply.null_array(),
            Value::Double(value) => reply.double(*value),
            Value::Boolean(value) => reply.boolean(*value),
            Value::Verbatim { format, text } => reply.verbatim(std::str::from_utf8(format).unwrap(), text),
            Value::BigNumber(text) => reply.big_number(std::str::from_utf8(text).unwrap()),
            Value::Array(values) | Value::Set(values) | Value::Push(values) => {
                match value {
                    Value::Set(_) => reply.set(values.len()),
                    Value::Push(_) => reply.push(values.len()),
                    _ => reply.array(values.len()),
                }
                values.iter().for_each(|value| write(reply, value));
            }
            Value::Map(pairs) => {
                reply.map(pairs.len());
                write_pairs(reply, pairs);
            }
            Value::Attributed { attributes, value } => {
                assert!(reply.attribute(attributes.len()));
                write_pairs(reply, attributes);
                write(reply, value);
            }
        }
    }

    proptest! {
        #[test]
        fn what_the_writer_writes_is_read_in_any_pieces(values in proptest::collection::vec(value(), 1..4), piece in 1usize..50) {
            let mut out = Vec::new();
            let mut reply = Reply::new(&mut out, Protocol::Resp3);
            values.iter().for_each(|value| write(&mut reply, value));
            prop_assert_eq!(read_in_pieces(&out, piece), Ok(values));
        }

        #[test]
        fn version_2_is_read_too(values in proptest::collection::vec(any::<f64>(), 0..5)) {
            let mut out = Vec::new();
            let mut reply = Reply::new(&mut out, Protocol::Resp2);
            reply.set(values.len());
            values.iter().for_each(|&value| reply.double(value));
            let Some(Value::Array(read)) = read(&out).unwrap() else { panic!("an array") };
            prop_assert_eq!(read.len(), values.len());
        }

        #[test]
        fn random_bytes_are_read_alike_in_any_pieces(bytes in "[-+:$*%~>,#!=|(_0-9a\r\n]{0,60}", piece in 1usize..10) {
            let bytes = bytes.replace('a', "\r\n");
            let (whole, pieces) = (read_in_pieces(bytes.as_bytes(), usize::MAX), read_in_pieces(bytes.as_bytes(), piece));
            match (whole, pieces) {
                // NaN aside, the same values; and an error behind them in both.
                (Ok(whole), Ok(pieces)) => prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}")),
                (whole, pieces) => prop_assert_eq!(whole.err(), pieces.err()),
            }
        }
    }
}
