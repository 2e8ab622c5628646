//! Replies, written straight into the connection's output buffer in the protocol version that the client speaks.

use ochre_text::number::{I64_TEXT_LEN_MAX, digits, format_i64, write_f64, write_i64, write_u64};
use std::io::Write;

/// The protocol version of a connection, chosen with HELLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// What every client speaks.
    #[default]
    Resp2 = 2,
    /// Maps, sets, doubles, nulls and pushes have types of their own.
    Resp3 = 3,
}

/// Writes replies behind whatever the buffer already holds.
///
/// One call writes one element; `array(3)` announces three elements that must follow. Version 2 lacks most types, so there a
/// map is an array of twice its length, a set or push an array, a double or big number a string, a boolean an integer.
#[derive(Debug)]
pub struct Reply<'b> {
    out: &'b mut Vec<u8>,
    protocol: Protocol,
}

/// A place in the output to which [`Reply::truncate`] goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

/// A collection whose length is told afterwards; see [`Reply::array_deferred`].
#[derive(Debug)]
#[must_use = "without `set_len` the collection has no header"]
pub struct Deferred {
    at: usize,
}

impl<'b> Reply<'b> {
    /// A writer to the end of `out`.
    #[inline]
    pub fn new(out: &'b mut Vec<u8>, protocol: Protocol) -> Reply<'b> {
        Reply { out, protocol }
    }

    /// The version written.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Changes the version from here on, as HELLO does.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Whether the client speaks version 3.
    #[inline]
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// The same writer for a shorter time.
    #[inline]
    pub fn reborrow(&mut self) -> Reply<'_> {
        Reply { out: self.out, protocol: self.protocol }
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A short text such as `PONG`. Line ends in it become spaces.
    pub fn status(&mut self, text: &str) {
        self.out.push(b'+');
        self.line(text.as_bytes());
    }

    /// An error, whose text begins with its code: `ERR syntax error`. Line ends in it become spaces.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// [`Reply::error`] for a text that may hold any bytes of a client.
    #[cold]
    pub fn error_bytes(&mut self, text: &[u8]) {
        self.out.push(b'-');
        self.line(text);
    }

    /// [`Reply::error`] for `format_args!`.
    #[cold]
    pub fn error_fmt(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.push(b'-');
        let start = self.out.len();
        self.out.write_fmt(text).expect("writing to a vector does not fail");
        replace_line_ends(&mut self.out[start..]);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    /// How many there are of something, as an integer.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.header(b':', value as i64);
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        // Room for the longest header and both line ends, so that the copies below do not check again.
        self.out.reserve(bytes.len() + 32);
        self.header(b'$', bytes.len() as i64);
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A string holding a decimal integer.
    #[inline]
    pub fn bulk_i64(&mut self, value: i64) {
        let len = digits(value.unsigned_abs()) + usize::from(value < 0);
        self.header(b'$', len as i64);
        write_i64(self.out, value);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A string from `format_args!`, without a copy of its own.
    pub fn bulk_fmt(&mut self, text: std::fmt::Arguments<'_>) {
        self.bulk_with(|out| out.write_fmt(text).expect("writing to a vector does not fail"));
    }

    /// A string of what `write` appends.
    pub fn bulk_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        write(self.out);
        let len = self.out.len() - start;
        self.insert_header(start, b'$', len);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A string, or null for `None`.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Null in the place of a string; nearly every null is this one.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Null in the place of an array: an aborted EXEC, a blocking pop that timed out.
    #[inline]
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The header of an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// The header of a map of `pairs` keys with a value each.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', pairs as i64 * 2),
            Protocol::Resp3 => self.header(b'%', pairs as i64),
        }
    }

    /// The header of a set of `len` members.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.typed(b'~', len);
    }

    /// The header of a message outside of the request's replies, `len` elements long.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.typed(b'>', len);
    }

    /// The header of `pairs` attributes for the next element. Version 2 has none: then this is false, and no pair may be written.
    #[must_use = "in version 2 the pairs must be left out"]
    pub fn attribute(&mut self, pairs: usize) -> bool {
        if self.is_resp3() {
            self.header(b'|', pairs as i64);
        }
        self.is_resp3()
    }

    /// A floating-point number.
    #[inline]
    pub fn double(&mut self, value: f64) {
        match self.protocol {
            Protocol::Resp2 => self.bulk_with(|out| write_f64(out, value)),
            Protocol::Resp3 => {
                self.out.push(b',');
                write_f64(self.out, value);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A boolean.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
        });
    }

    /// A text for people, with the three letters of its format: `txt` or `mkd`.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3, "a format is three letters");
        if !self.is_resp3() {
            return self.bulk(text);
        }
        self.header(b'=', text.len() as i64 + 4);
        self.out.extend_from_slice(format.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer of any size, given in decimal.
    pub fn big_number(&mut self, decimal: &str) {
        if !self.is_resp3() {
            return self.bulk(decimal.as_bytes());
        }
        self.out.push(b'(');
        self.line(decimal.as_bytes());
    }

    /// Starts an array whose length is known only when its elements are written; [`Reply::set_len`] must follow.
    ///
    /// Setting the length moves what was written since, so a known length is cheaper.
    pub fn array_deferred(&mut self) -> Deferred {
        Deferred { at: self.out.len() }
    }

    /// Gives a deferred array its length. Of nested ones the inner is first.
    pub fn set_len(&mut self, deferred: Deferred, len: usize) {
        self.insert_header(deferred.at, b'*', len);
    }

    /// [`Reply::set_len`] for a collection that turns out to be a map of `pairs`.
    pub fn set_len_of_map(&mut self, deferred: Deferred, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.insert_header(deferred.at, b'*', pairs * 2),
            Protocol::Resp3 => self.insert_header(deferred.at, b'%', pairs),
        }
    }

    /// [`Reply::set_len`] for a collection that turns out to be a set.
    pub fn set_len_of_set(&mut self, deferred: Deferred, len: usize) {
        let marker = if self.is_resp3() { b'~' } else { b'*' };
        self.insert_header(deferred.at, marker, len);
    }

    /// The place behind what has been written.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    /// Takes back everything written since `mark`, for instance to answer an error instead.
    #[inline]
    pub fn truncate(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// What has been written since `mark`.
    pub fn since(&self, mark: Mark) -> &[u8] {
        &self.out[mark.0..]
    }

    /// Bytes that are a reply, or several, already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn typed(&mut self, marker: u8, len: usize) {
        self.header(if self.is_resp3() { marker } else { b'*' }, len as i64);
    }

    /// The marker, a number and a line end: one copy for numbers of a single digit.
    #[inline]
    fn header(&mut self, marker: u8, number: i64) {
        if (0..10).contains(&number) {
            return self.out.extend_from_slice(&[marker, b'0' + number as u8, b'\r', b'\n']);
        }
        if (10..100).contains(&number) {
            let (tens, ones) = (number as u8 / 10, number as u8 % 10);
            return self.out.extend_from_slice(&[marker, b'0' + tens, b'0' + ones, b'\r', b'\n']);
        }
        self.long_header(marker, number);
    }

    fn long_header(&mut self, marker: u8, number: i64) {
        // Put together from the back, so that one copy brings all of it into the buffer.
        let mut text = [0; 1 + I64_TEXT_LEN_MAX + 2];
        if let Some(digits) = text[1..].first_chunk_mut() {
            let length = format_i64(number, digits).len();
            text[I64_TEXT_LEN_MAX - length] = marker;
            text[1 + I64_TEXT_LEN_MAX..].copy_from_slice(b"\r\n");
            self.out.extend_from_slice(&text[I64_TEXT_LEN_MAX - length..]);
        }
    }

    /// Puts a header before the bytes from `at` on.
    fn insert_header(&mut self, at: usize, marker: u8, len: usize) {
        let end = self.out.len();
        self.out.push(marker);
        write_u64(self.out, len as u64);
        self.out.extend_from_slice(b"\r\n");
        let header_len = self.out.len() - end;
        self.out[at..].rotate_right(header_len);
    }

    /// A text and its line end, which must be the only one.
    fn line(&mut self, text: &[u8]) {
        let start = self.out.len();
        self.out.extend_from_slice(text);
        replace_line_ends(&mut self.out[start..]);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// A client could otherwise be made to read a second reply in the middle of one.
fn replace_line_ends(text: &mut [u8]) {
    for byte in text {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Reply<'_>)) -> [String; 2] {
        [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
            let mut out = Vec::new();
            write(&mut Reply::new(&mut out, protocol));
            String::from_utf8(out).unwrap()
        })
    }

    fn check(write: impl Fn(&mut Reply<'_>), resp2: &str, resp3: &str) {
        assert_eq!(both(write), [resp2, resp3]);
    }

    fn same(write: impl Fn(&mut Reply<'_>), expected: &str) {
        check(write, expected, expected);
    }

    #[test]
    fn the_types_of_version_2_are_the_same_in_version_3() {
        same(|reply| reply.ok(), "+OK\r\n");
        same(|reply| reply.status("PONG"), "+PONG\r\n");
        same(|reply| reply.error("ERR no"), "-ERR no\r\n");
        same(|reply| reply.error_fmt(format_args!("ERR unknown '{}'", "a\nb")), "-ERR unknown 'a b'\r\n");
        for (value, text) in
            [(0, "0"), (9, "9"), (10, "10"), (99, "99"), (100, "100"), (-1, "-1"), (i64::MIN, "-9223372036854775808")]
        {
            same(|reply| reply.integer(value), &format!(":{text}\r\n"));
            same(|reply| reply.bulk_i64(value), &format!("${}\r\n{text}\r\n", text.len()));
        }
        same(|reply| reply.bulk(b""), "$0\r\n\r\n");
        same(|reply| reply.bulk(b"a\r\nb"), "$4\r\na\r\nb\r\n");
        same(|reply| reply.bulk_fmt(format_args!("{:>12}", 7)), "$12\r\n           7\r\n");
        same(|reply| reply.array(1234), "*1234\r\n");
    }

    #[test]
    fn the_types_of_version_3_have_a_form_in_version_2() {
        check(|reply| reply.null(), "$-1\r\n", "_\r\n");
        check(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
        check(|reply| reply.map(6), "*12\r\n", "%6\r\n");
        check(|reply| reply.set(2), "*2\r\n", "~2\r\n");
        check(|reply| reply.push(3), "*3\r\n", ">3\r\n");
        check(|reply| reply.double(3.5), "$3\r\n3.5\r\n", ",3.5\r\n");
        check(|reply| reply.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
        check(|reply| reply.boolean(true), ":1\r\n", "#t\r\n");
        check(|reply| reply.boolean(false), ":0\r\n", "#f\r\n");
        check(|reply| reply.verbatim("txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        check(
            |reply| reply.big_number("12345678901234567890"),
            "$20\r\n12345678901234567890\r\n",
            "(12345678901234567890\r\n",
        );
        check(|reply| assert_eq!(reply.attribute(1), reply.is_resp3()), "", "|1\r\n");
    }

    #[test]
    fn line_ends_cannot_be_smuggled_into_a_line() {
        same(|reply| reply.status("x\r\n+y"), "+x  +y\r\n");
        same(|reply| reply.error("ERR x\r\n:1"), "-ERR x  :1\r\n");
        check(|reply| reply.big_number("1\r\n2"), "$4\r\n1\r\n2\r\n", "(1  2\r\n");
    }

    #[test]
    fn a_length_can_be_told_afterwards() {
        let nested = |reply: &mut Reply<'_>| {
            let outer = reply.array_deferred();
            reply.integer(1);
            let inner = reply.array_deferred();
            reply.bulk(b"a");
            reply.bulk(b"b");
            reply.set_len_of_map(inner, 1);
            let empty = reply.array_deferred();
            reply.set_len_of_set(empty, 0);
            reply.set_len(outer, 3);
        };
        check(
            nested,
            "*3\r\n:1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*0\r\n",
            "*3\r\n:1\r\n%1\r\n$1\r\na\r\n$1\r\nb\r\n~0\r\n",
        );
    }

    #[test]
    fn what_was_written_can_be_taken_back() {
        let mut out = b"+before\r\n".to_vec();
        let mut reply = Reply::new(&mut out, Protocol::Resp2);
        let mark = reply.mark();
        reply.array(2);
        reply.bulk(b"half");
        assert_eq!(reply.since(mark), b"*2\r\n$4\r\nhalf\r\n");
        reply.truncate(mark);
        reply.error("ERR after all");
        assert_eq!(out, b"+before\r\n-ERR after all\r\n");
    }
}
