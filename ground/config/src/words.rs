//! Lines and words: how a line of a config file falls into words, and how a word is quoted so that it reads back the same.

/// Splits `line` into words at white space. Double quotes allow `\n`, `\xHH` and the like, single quotes only `\'`.
///
/// `None` when a quote stays open or something other than white space follows a closing one. A NUL ends the line.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let end = line.iter().position(|&byte| byte == 0).unwrap_or(line.len());
    let mut rest = &line[..end];
    let mut words = Vec::new();
    loop {
        rest = &rest[rest.iter().take_while(|byte| is_space(**byte)).count()..];
        if rest.is_empty() {
            return Some(words);
        }
        let (word, after) = take_word(rest)?;
        words.push(word);
        rest = after;
    }
}

/// `text` in double quotes, with everything escaped that [`split_words`] would not read back as it is.
pub fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
    out
}

/// The first word of `line`, which does not begin with white space, and what follows it.
fn take_word(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        at += 1;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => break,
            b'"' => return close(line, take_double_quoted(line, at, &mut word)?, word),
            b'\'' => return close(line, take_single_quoted(line, at, &mut word)?, word),
            _ => word.push(byte),
        }
    }
    Some((word, &line[at..]))
}

/// Ends a word behind its closing quote, which only white space or nothing may follow.
fn close(line: &[u8], after: usize, word: Vec<u8>) -> Option<(Vec<u8>, &[u8])> {
    let rest = &line[after..];
    rest.first().is_none_or(|byte| is_space(*byte)).then_some((word, rest))
}

/// Reads up to the closing double quote from `at`; the place behind it.
fn take_double_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'"', _) => return Some(at + 1),
            (b'\\', Some(b'x')) => {
                let digit = |offset| line.get(at + offset).and_then(|byte| (*byte as char).to_digit(16));
                match (digit(2), digit(3)) {
                    (Some(high), Some(low)) => {
                        word.push((high * 16 + low) as u8);
                        at += 4;
                    }
                    _ => {
                        word.push(b'x');
                        at += 2;
                    }
                }
            }
            (b'\\', Some(escaped)) => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                at += 2;
            }
            (byte, _) => {
                word.push(*byte);
                at += 1;
            }
        }
    }
}

/// Reads up to the closing single quote from `at`; the place behind it.
fn take_single_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'\'', _) => return Some(at + 1),
            (b'\\', Some(b'\'')) => {
                word.push(b'\'');
                at += 2;
            }
            (byte, _) => {
                word.push(*byte);
                at += 1;
            }
        }
    }
}

/// C's `isspace` in the plain locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(line: &str, expected: Option<&[&str]>) {
        let words = split_words(line.as_bytes());
        let expected = expected.map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(words, expected, "{line}");
    }

    #[test]
    fn words_are_split_at_white_space_and_quotes_keep_it() {
        check("", Some(&[]));
        check("  \t ", Some(&[]));
        check("save 900  1 ", Some(&["save", "900", "1"]));
        check("requirepass \"a b\" 'c d'", Some(&["requirepass", "a b", "c d"]));
        check("a\"b c\"", Some(&["ab c"]));
        check("\"\" ''", Some(&["", ""]));
        check("a\u{b}b", Some(&["a\u{b}b"]));
    }

    #[test]
    fn escapes_are_known_in_double_quotes_only() {
        check(r#""\x41\n\t\q\"\xZ1""#, Some(&["A\n\tq\"xZ1"]));
        check(r"'\x41\'\n'", Some(&[r"\x41'\n"]));
        check(r"\x41", Some(&[r"\x41"]));
    }

    #[test]
    fn an_open_quote_or_a_word_glued_to_a_closed_one_is_refused() {
        check("a \"b", None);
        check("a 'b", None);
        check("\"a\"b", None);
        check("'a'b", None);
        check("\"a\\", None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = split_words(&line);
        }

        #[test]
        fn a_quoted_word_reads_back_the_same(word in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(split_words(&quoted(&word)), Some(vec![word]));
        }
    }
}
