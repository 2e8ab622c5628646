//! What rules have in common: their words, where selectors begin and end, hidden passwords.

use crate::error::SetError;

/// A password as it is kept: its SHA-256 in lower-case hexadecimal.
pub(crate) type Hash = [u8; 64];

/// Joins the words of selectors that were given as several words: `(+get`, `~x)` are one rule.
///
/// # Errors
/// A selector that has no end.
pub fn merge_selectors<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, SetError> {
    let mut rules = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        match &mut open {
            Some((_, rule)) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
                if word.ends_with(b")") {
                    rules.extend(open.take().map(|(_, rule)| rule));
                }
            }
            None if word.starts_with(b"(") && !word.ends_with(b")") => open = Some((word, word.to_vec())),
            None => rules.push(word.to_vec()),
        }
    }
    match open {
        Some((word, _)) => Err(SetError::Unmatched(word.to_vec())),
        None => Ok(rules),
    }
}

/// Whether a name or a pattern could not be told from several words.
pub(crate) fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, 0 | b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C))
}

/// The hash that a rule gives.
pub(crate) fn read_hash(text: &[u8]) -> Option<Hash> {
    let is_fine = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.try_into().ok().filter(|_| is_fine)
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub(crate) fn equal_in_constant_time(one: &Hash, other: &Hash) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(words: &[&str]) -> Result<Vec<String>, SetError> {
        let rules = merge_selectors(words.iter().map(|word| word.as_bytes()))?;
        Ok(rules.into_iter().map(|rule| String::from_utf8(rule).expect("the words are text")).collect())
    }

    #[test]
    fn selectors_may_be_spread_over_words() {
        let expected = vec!["on".to_owned(), "(+get ~x)".into(), "()".into(), "( +set )".into()];
        assert_eq!(merged(&["on", "(+get", "~x)", "()", "(", "+set", ")"]), Ok(expected));
        assert_eq!(merged(&["on", "(+get", "~x"]), Err(SetError::Unmatched(b"(+get".to_vec())));
    }

    #[test]
    fn hashes_are_64_lower_case_digits() {
        let hash = ochre_digest::sha256_hex(b"x");
        assert_eq!(read_hash(&hash), Some(hash));
        assert_eq!(read_hash(&hash[1..]), None);
        assert_eq!(read_hash(&hash.to_ascii_uppercase()), None);
        assert!(equal_in_constant_time(&hash, &hash));
        assert!(!equal_in_constant_time(&hash, &ochre_digest::sha256_hex(b"y")));
    }
}
