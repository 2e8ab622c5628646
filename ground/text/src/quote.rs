//! Quoting: arguments as one readable line (MONITOR, SLOWLOG, configuration files), and such a line split into arguments.

/// A quote was opened and not closed, or something stood right behind a closing quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Appends `text` in double quotes; quotes, backslashes and bytes that cannot be printed are escaped.
pub fn write_quoted(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
    out.push(b'"');
}

/// [`write_quoted`] as an owned text.
pub fn quoted(text: &[u8]) -> String {
    let mut out = Vec::new();
    write_quoted(&mut out, text);
    String::from_utf8(out).expect("everything but printable ASCII is escaped")
}

/// Whether a configuration value must be quoted to be read back as one argument.
pub fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.iter().any(|&byte| !matches!(byte, b'!'..=b'~') || matches!(byte, b'"' | b'\'' | b'\\' | b'#'))
}

/// Splits a line into arguments at white space.
///
/// `"…"` understands `\n \r \t \a \b \xHH` and takes any other escaped byte as it is; `'…'` understands `\'` only.
/// A NUL byte ends the line, as it does in Redis.
pub fn split_args(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    split_args_with(line, &mut bytes, |_, end| ends.push(end))?;
    let mut start = 0;
    Ok(ends
        .into_iter()
        .map(|end| {
            let argument = bytes[start..end].to_vec();
            start = end;
            argument
        })
        .collect())
}

/// [`split_args`] into one buffer: appends the arguments' bytes to `bytes` and calls `found` with each one's start and end there.
pub fn split_args_with(
    line: &[u8],
    bytes: &mut Vec<u8>,
    mut found: impl FnMut(usize, usize),
) -> Result<(), UnbalancedQuotes> {
    let line = &line[..memchr::memchr(0, line).unwrap_or(line.len())];
    let mut rest = line;
    loop {
        rest = &rest[rest.iter().take_while(|&&byte| is_space(byte)).count()..];
        if rest.is_empty() {
            return Ok(());
        }
        let start = bytes.len();
        rest = take_argument(rest, bytes)?;
        found(start, bytes.len());
    }
}

/// White space as C's `isspace` sees it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Appends the argument at the start of `text` and returns what follows it. A quote may open in its middle: `a"b c"` is `ab c`.
fn take_argument<'t>(mut text: &'t [u8], bytes: &mut Vec<u8>) -> Result<&'t [u8], UnbalancedQuotes> {
    while let Some((&byte, rest)) = text.split_first() {
        text = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => return Ok(rest),
            b'"' => return closed(take_double_quoted(rest, bytes)?),
            b'\'' => return closed(take_single_quoted(rest, bytes)?),
            _ => {
                bytes.push(byte);
                rest
            }
        };
    }
    Ok(text)
}

/// A closing quote ends the argument, so white space or the line's end must follow.
fn closed(rest: &[u8]) -> Result<&[u8], UnbalancedQuotes> {
    match rest.first() {
        Some(&byte) if !is_space(byte) => Err(UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn take_double_quoted<'t>(mut text: &'t [u8], bytes: &mut Vec<u8>) -> Result<&'t [u8], UnbalancedQuotes> {
    loop {
        text = match text {
            [] => return Err(UnbalancedQuotes),
            [b'"', rest @ ..] => return Ok(rest),
            [b'\\', b'x', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    &other => other,
                });
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

fn take_single_quoted<'t>(mut text: &'t [u8], bytes: &mut Vec<u8>) -> Result<&'t [u8], UnbalancedQuotes> {
    loop {
        text = match text {
            [] => return Err(UnbalancedQuotes),
            [b'\'', rest @ ..] => return Ok(rest),
            [b'\\', b'\'', rest @ ..] => {
                bytes.push(b'\'');
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

fn hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(line: &str) -> Result<Vec<String>, UnbalancedQuotes> {
        let arguments = split_args(line.as_bytes())?;
        Ok(arguments.iter().map(|argument| argument.iter().map(|&byte| char::from(byte)).collect()).collect())
    }

    #[test]
    fn a_line_is_split_at_white_space_and_quotes_hold_together() {
        for (line, arguments) in [
            ("", &[][..]),
            (" \t\r\n\u{b}\u{c}", &[]),
            ("SET key value", &["SET", "key", "value"]),
            ("  a\tb\r\nc ", &["a", "b", "c"]),
            (r#"set "a b" 'c d'"#, &["set", "a b", "c d"]),
            (r#""" ''"#, &["", ""]),
            (r#"a"b c""#, &["ab c"]),
            (r#""\x41\x4a\xff" "\n\r\t\b\a\q\"\\""#, &["AJ\u{ff}", "\n\r\t\u{8}\u{7}q\"\\"]),
            (r#""\xg1""#, &["xg1"]),
            (r#""\x4""#, &["x4"]),
            (r"'it\'s' 'a\nb'", &["it's", "a\\nb"]),
            ("a\u{b}b", &["a\u{b}b"]),
            ("a b\0c d", &["a", "b"]),
        ] {
            assert_eq!(split(line).unwrap(), arguments, "{line:?}");
        }
    }

    #[test]
    fn quotes_must_be_closed_and_stand_alone_behind() {
        for line in ["\"", "'", "a \"b", "'a\\'", "\"a\"b", "'a'b", "\"a\"\"b\"", "\"\\"] {
            assert_eq!(split(line), Err(UnbalancedQuotes), "{line:?}");
        }
    }

    #[test]
    fn quoting_escapes_what_cannot_be_printed() {
        assert_eq!(quoted(b"plain text"), r#""plain text""#);
        assert_eq!(quoted(b"\"\\\n\r\t\x07\x08\x00\x7f\xff"), r#""\"\\\n\r\t\a\b\x00\x7f\xff""#);
    }

    #[test]
    fn a_word_alone_needs_no_quotes() {
        assert!(!needs_quotes(b"allkeys-lru"));
        for text in [&b""[..], b"a b", b"a\"", b"it's", b"\x00", b"\xff"] {
            assert!(needs_quotes(text));
        }
    }

    proptest! {
        #[test]
        fn what_was_quoted_splits_back(arguments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6)) {
            let mut line = Vec::new();
            for argument in &arguments {
                write_quoted(&mut line, argument);
                line.push(b' ');
            }
            prop_assert_eq!(split_args(&line), Ok(arguments));
        }

        #[test]
        fn any_bytes_split_or_are_refused(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = split_args(&line);
        }
    }
}
