//! Words in which upper and lower case are the same (ASCII only, whatever the locale).

/// Every byte's upper-case form.
pub const UPPER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).to_ascii_uppercase();
        byte += 1;
    }
    table
};

/// Whether two texts are equal but for case.
#[inline]
pub fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Whether an argument is the option `word`, in any case.
///
/// ```
/// assert!(ochre_text::case::is(b"withScores", "WITHSCORES"));
/// assert!(!ochre_text::case::is(b"WITHSCORE", "WITHSCORES"));
/// ```
#[inline]
pub fn is(argument: &[u8], word: &str) -> bool {
    debug_assert!(!word.bytes().any(|byte| byte.is_ascii_lowercase()), "options are named in upper case");
    argument.len() == word.len() && argument.eq_ignore_ascii_case(word.as_bytes())
}

/// The position in `words` of the one that `argument` is, in any case.
#[inline]
pub fn position(argument: &[u8], words: &[&str]) -> Option<usize> {
    words.iter().position(|word| is(argument, word))
}

/// Copies `text` in upper case into `space` and returns the copy; `None` if it does not fit.
#[inline]
pub fn upper_into<'s>(text: &[u8], space: &'s mut [u8]) -> Option<&'s [u8]> {
    let copy = space.get_mut(..text.len())?;
    for (to, &from) in copy.iter_mut().zip(text) {
        *to = UPPER[usize::from(from)];
    }
    Some(copy)
}

/// `text` in lower case, for replies and names that Redis shows so.
pub fn lower(text: &[u8]) -> Vec<u8> {
    text.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_have_case() {
        assert!(eq_ignore_case(b"aZ09_\xff", b"Az09_\xff"));
        assert!(!eq_ignore_case(b"@[", b"`{"));
        assert!(!eq_ignore_case("É".as_bytes(), "é".as_bytes()));
        assert_eq!(position(b"xX", &["NX", "XX"]), Some(1));
        assert_eq!(position(b"xXx", &["NX", "XX"]), None);
    }

    #[test]
    fn upper_into_refuses_what_does_not_fit() {
        let mut space = [0; 4];
        assert_eq!(upper_into(b"Get", &mut space), Some(&b"GET"[..]));
        assert_eq!(upper_into(b"abcd", &mut space), Some(&b"ABCD"[..]));
        assert_eq!(upper_into(b"abcde", &mut space), None);
    }
}
