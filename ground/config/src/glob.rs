//! Patterns for names: `*`, `?`, `[a-z]`, `[^x]` and `\` as in CONFIG GET, and the files that an `include` pattern means.

use std::path::{Path, PathBuf};

/// Whether `text` matches `pattern`, with `any_case` without regard to case. Takes at most `pattern * text` steps.
pub(crate) fn matches(pattern: &[u8], text: &[u8], any_case: bool) -> bool {
    if any_case {
        return matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase(), false);
    }
    let (mut at, mut in_text) = (0, 0);
    // Behind the last star, and where in the text it is taken to end: a mismatch goes back there and nowhere else.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            star = Some((at, in_text));
            continue;
        }
        if let Some(next) = match_one(pattern, at, text[in_text]) {
            (at, in_text) = (next, in_text + 1);
            continue;
        }
        let Some((behind_star, end)) = star else { return false };
        star = Some((behind_star, end + 1));
        (at, in_text) = (behind_star, end + 1);
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Whether `text` would be taken as a pattern rather than a plain name or path.
pub(crate) fn has_wildcard(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The existing paths that match `pattern`, sorted. A leading dot is matched only by a dot.
pub(crate) fn expand(pattern: &str) -> Vec<PathBuf> {
    let absolute = pattern.starts_with('/');
    let mut found = vec![PathBuf::from(if absolute { "/" } else { "" })];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|folder| expand_part(folder, part)).collect();
    }
    found.sort();
    found
}

fn expand_part(folder: &Path, part: &str) -> Vec<PathBuf> {
    if !has_wildcard(part.as_bytes()) {
        let path = folder.join(part);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(listed) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with('.') == part.starts_with('.'))
        .filter(|name| matches(part.as_bytes(), name.as_bytes(), false))
        .map(|name| folder.join(name))
        .collect()
}

/// Matches one byte against what stands at `at`; the place behind it in the pattern.
fn match_one(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    let same = |other: u8| other == byte;
    match pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => {
            let (matched, next) = match_class(pattern, at + 1, byte);
            matched.then_some(next)
        }
        b'\\' if at + 1 < pattern.len() => same(pattern[at + 1]).then_some(at + 2),
        other => same(*other).then_some(at + 1),
    }
}

/// Matches a class whose first byte inside the bracket is at `at`; an unclosed one ends with the pattern.
fn match_class(pattern: &[u8], mut at: usize, byte: u8) -> (bool, usize) {
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut matched = false;
    loop {
        match (pattern.get(at), pattern.get(at + 1), pattern.get(at + 2)) {
            (None, ..) => return (matched != negated, at),
            (Some(b']'), ..) => return (matched != negated, at + 1),
            (Some(b'\\'), Some(escaped), _) => {
                matched |= *escaped == byte;
                at += 2;
            }
            (Some(start), Some(b'-'), Some(end)) => {
                matched |= (*start.min(end)..=*start.max(end)).contains(&byte);
                at += 3;
            }
            (Some(one), ..) => {
                matched |= *one == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), true), expected, "{pattern} on {text}");
    }

    #[test]
    fn stars_classes_and_escapes_match_without_regard_to_case() {
        check("*", "", true);
        check("max*", "MaxMemory", true);
        check("*memory*", "maxmemory-policy", true);
        check("p?rt", "port", true);
        check("p?rt", "prt", false);
        check("[a-p]ort", "port", true);
        check("[^p]ort", "port", false);
        check("\\*", "*", true);
        check("\\*", "x", false);
        check("a*b*c", "aXbYbZ", false);
    }

    #[test]
    fn a_pattern_full_of_stars_ends_quickly() {
        check(&"*a".repeat(5_000), &"a".repeat(4_999), false);
    }
}
