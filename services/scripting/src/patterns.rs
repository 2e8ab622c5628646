//! Lua's patterns, matched with a bounded depth and a look at the clock, so that no pattern can hang or crash the server.

/// More items of a pattern than this may not wait for each other.
const DEPTH_MAX: usize = 200;
const CAPTURES_MAX: usize = 32;
/// After so many steps the caller is asked whether to go on.
const STEPS_BETWEEN_TICKS: u32 = 100_000;

/// Why a pattern could not be matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// The text of an error.
    Malformed(&'static str),
    /// The caller said that it is time to stop.
    Stopped,
}

/// One capture of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    Text {
        from: usize,
        to: usize,
    },
    /// `()`: a position, from 1.
    Position(usize),
}

/// A match: from where to where, bytes from 0, and its captures.
#[derive(Debug, PartialEq, Eq)]
pub struct Match {
    pub from: usize,
    pub to: usize,
    pub captures: Vec<Capture>,
}

/// The first match of `pattern` in `text` that begins at `start` (bytes from 0) or later. `^` at the beginning of the pattern is
/// an anchor if `anchors` says so. `tick` is asked now and then whether to go on.
///
/// # Errors
/// When the pattern is malformed or too complex, or `tick` said no.
pub fn find(
    text: &[u8],
    pattern: &[u8],
    start: usize,
    anchors: bool,
    tick: &mut dyn FnMut() -> bool,
) -> Result<Option<Match>, PatternError> {
    let anchored = anchors && pattern.first() == Some(&b'^');
    let mut matcher = Matcher { text, pattern, captures: Vec::new(), depth: 0, steps: 0, tick };
    let first = usize::from(anchored);
    let mut from = start;
    loop {
        matcher.captures.clear();
        if let Some(to) = matcher.run(from, first)? {
            let captures = matcher.finished()?;
            return Ok(Some(Match { from, to, captures }));
        }
        from += 1;
        if anchored || from > text.len() {
            return Ok(None);
        }
    }
}

/// Whether a pattern says no more than its own text.
pub fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

#[derive(Clone, Copy)]
enum Open {
    /// Not closed yet.
    Unclosed,
    Closed(usize),
    Position,
}

struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    captures: Vec<(usize, Open)>,
    depth: usize,
    steps: u32,
    tick: &'a mut dyn FnMut() -> bool,
}

type Found = Result<Option<usize>, PatternError>;

impl Matcher<'_> {
    fn step(&mut self) -> Result<(), PatternError> {
        self.steps += 1;
        if self.steps < STEPS_BETWEEN_TICKS {
            return Ok(());
        }
        self.steps = 0;
        if (self.tick)() { Ok(()) } else { Err(PatternError::Stopped) }
    }

    /// Matches the pattern from `at` on against the text from `from` on; the answer is where the match ends.
    fn run(&mut self, from: usize, at: usize) -> Found {
        if self.depth >= DEPTH_MAX {
            return Err(PatternError::Malformed("pattern too complex"));
        }
        self.depth += 1;
        let found = self.items(from, at);
        self.depth -= 1;
        found
    }

    fn items(&mut self, mut from: usize, mut at: usize) -> Found {
        loop {
            self.step()?;
            let Some(&first) = self.pattern.get(at) else { return Ok(Some(from)) };
            let next = self.pattern.get(at + 1).copied();
            match first {
                b'(' => {
                    let (open, at) =
                        if next == Some(b')') { (Open::Position, at + 2) } else { (Open::Unclosed, at + 1) };
                    if self.captures.len() >= CAPTURES_MAX {
                        return Err(PatternError::Malformed("too many captures"));
                    }
                    self.captures.push((from, open));
                    let count = self.captures.len();
                    let found = self.run(from, at)?;
                    if found.is_none() {
                        self.captures.truncate(count - 1);
                    }
                    return Ok(found);
                }
                b')' => {
                    let open = self.captures.iter().rposition(|(_, open)| matches!(open, Open::Unclosed));
                    let open = open.ok_or(PatternError::Malformed("invalid pattern capture"))?;
                    self.captures[open].1 = Open::Closed(from);
                    let found = self.run(from, at + 1)?;
                    if found.is_none() {
                        self.captures[open].1 = Open::Unclosed;
                    }
                    return Ok(found);
                }
                b'$' if next.is_none() => return Ok((from == self.text.len()).then_some(from)),
                b'%' if next == Some(b'b') => {
                    let Some(end) = self.balance(from, at + 2)? else { return Ok(None) };
                    from = end;
                    at += 4;
                    continue;
                }
                b'%' if next == Some(b'f') => {
                    at += 2;
                    if self.pattern.get(at) != Some(&b'[') {
                        return Err(PatternError::Malformed("missing '[' after '%f' in pattern"));
                    }
                    let end = self.class_end(at)?;
                    let before = if from == 0 { 0 } else { self.text[from - 1] };
                    let here = self.text.get(from).copied().unwrap_or(0);
                    if self.in_set(before, at, end - 1) || !self.in_set(here, at, end - 1) {
                        return Ok(None);
                    }
                    at = end;
                    continue;
                }
                b'%' if next.is_some_and(|next| next.is_ascii_digit()) => {
                    let Some(end) = self.same_again(from, next.unwrap_or(b'0'))? else { return Ok(None) };
                    from = end;
                    at += 2;
                    continue;
                }
                _ => {}
            }
            let end = self.class_end(at)?;
            match self.pattern.get(end) {
                Some(b'?') => {
                    if self.matches_one(from, at, end)
                        && let Some(found) = self.run(from + 1, end + 1)?
                    {
                        return Ok(Some(found));
                    }
                    at = end + 1;
                }
                Some(b'*') => return self.longest(from, at, end, 0),
                Some(b'+') => return self.longest(from, at, end, 1),
                Some(b'-') => loop {
                    if let Some(found) = self.run(from, end + 1)? {
                        return Ok(Some(found));
                    }
                    if !self.matches_one(from, at, end) {
                        return Ok(None);
                    }
                    from += 1;
                    self.step()?;
                },
                _ => {
                    if !self.matches_one(from, at, end) {
                        return Ok(None);
                    }
                    from += 1;
                    at = end;
                }
            }
        }
    }

    /// As many of one class as there are, then fewer, but at least `least`.
    fn longest(&mut self, from: usize, at: usize, end: usize, least: usize) -> Found {
        let mut count = 0;
        while self.matches_one(from + count, at, end) {
            count += 1;
            self.step()?;
        }
        loop {
            if count < least {
                return Ok(None);
            }
            if let Some(found) = self.run(from + count, end + 1)? {
                return Ok(Some(found));
            }
            let Some(fewer) = count.checked_sub(1) else { return Ok(None) };
            count = fewer;
        }
    }

    /// `%bxy`: from an `x` to the `y` that balances it.
    fn balance(&mut self, from: usize, at: usize) -> Found {
        let (Some(&open), Some(&close)) = (self.pattern.get(at), self.pattern.get(at + 1)) else {
            return Err(PatternError::Malformed("unbalanced pattern"));
        };
        if self.text.get(from) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for (offset, byte) in self.text[from + 1..].iter().enumerate() {
            if *byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(from + offset + 2));
                }
            } else if *byte == open {
                depth += 1;
            }
        }
        // What was walked over in vain counts.
        self.steps = self.steps.saturating_add((self.text.len() - from).min(STEPS_BETWEEN_TICKS as usize) as u32);
        self.step()?;
        Ok(None)
    }

    /// `%1`: what a capture holds, once more.
    fn same_again(&mut self, from: usize, digit: u8) -> Found {
        let closed = usize::from(digit).checked_sub(usize::from(b'1')).and_then(|index| self.captures.get(index));
        let Some(&(begin, Open::Closed(end))) = closed else {
            return Err(PatternError::Malformed("invalid capture index"));
        };
        let wanted = &self.text[begin..end];
        self.steps = self.steps.saturating_add((wanted.len() / 16).min(STEPS_BETWEEN_TICKS as usize) as u32);
        self.step()?;
        Ok(self.text[from..].starts_with(wanted).then_some(from + wanted.len()))
    }

    /// Behind the single-character class that begins at `at`.
    fn class_end(&self, at: usize) -> Result<usize, PatternError> {
        match self.pattern[at] {
            b'%' if at + 1 >= self.pattern.len() => Err(PatternError::Malformed("malformed pattern (ends with '%')")),
            b'%' => Ok(at + 2),
            b'[' => {
                let mut at = at + 1;
                if self.pattern.get(at) == Some(&b'^') {
                    at += 1;
                }
                // A `]` that comes first is a member.
                let mut first = true;
                loop {
                    match self.pattern.get(at) {
                        None => return Err(PatternError::Malformed("malformed pattern (missing ']')")),
                        Some(b']') if !first => return Ok(at + 1),
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                    first = false;
                }
            }
            _ => Ok(at + 1),
        }
    }

    fn matches_one(&self, from: usize, at: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(from) else { return false };
        match self.pattern[at] {
            b'.' => true,
            b'%' => in_class(byte, self.pattern[at + 1]),
            b'[' => self.in_set(byte, at, end - 1),
            plain => plain == byte,
        }
    }

    /// Whether a byte is in the set whose brackets stand at `at` and `last`.
    fn in_set(&self, byte: u8, at: usize, last: usize) -> bool {
        let mut at = at + 1;
        let complement = self.pattern.get(at) == Some(&b'^');
        if complement {
            at += 1;
        }
        while at < last {
            if self.pattern[at] == b'%' {
                if in_class(byte, self.pattern[at + 1]) {
                    return !complement;
                }
                at += 2;
            } else if self.pattern[at + 1] == b'-' && at + 2 < last {
                if (self.pattern[at]..=self.pattern[at + 2]).contains(&byte) {
                    return !complement;
                }
                at += 3;
            } else {
                if self.pattern[at] == byte {
                    return !complement;
                }
                at += 1;
            }
        }
        complement
    }

    fn finished(&self) -> Result<Vec<Capture>, PatternError> {
        let finish = |(from, open): &(usize, Open)| match open {
            Open::Unclosed => Err(PatternError::Malformed("unfinished capture")),
            Open::Closed(to) => Ok(Capture::Text { from: *from, to: *to }),
            Open::Position => Ok(Capture::Position(from + 1)),
        };
        self.captures.iter().map(finish).collect()
    }
}

fn in_class(byte: u8, class: u8) -> bool {
    let belongs = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0B,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    belongs != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::{Capture, PatternError, find};

    fn at(text: &str, pattern: &str) -> Option<(usize, usize)> {
        let found = find(text.as_bytes(), pattern.as_bytes(), 0, true, &mut || true).unwrap();
        found.map(|found| (found.from, found.to))
    }

    #[test]
    fn classes_and_repetitions() {
        assert_eq!(at("hello world", "o w"), Some((4, 7)));
        assert_eq!(at("hello", "l+"), Some((2, 4)));
        assert_eq!(at("hello", "l-o"), Some((2, 5)));
        assert_eq!(at("key = value", "^(%w+)%s*=%s*(%w+)$"), Some((0, 11)));
        assert_eq!(at("x", "y?"), Some((0, 0)));
        assert_eq!(at("a]b", "[]]"), Some((1, 2)));
        assert_eq!(at("a-b", "[a%-]+"), Some((0, 2)));
        assert_eq!(at("THE (quick) fox", "%((%a+)%)"), Some((4, 11)));
        assert_eq!(at("f(a(b)c)d", "%b()"), Some((1, 8)));
        assert_eq!(at("THE (quick) fox", "%f[%a]%a+%f[%A]"), Some((0, 3)));
        assert_eq!(at("abab", "(ab)%1"), Some((0, 4)));
        assert_eq!(at("abc", "b$"), None);
        assert_eq!(at("", ".*"), Some((0, 0)));
    }

    #[test]
    fn captures_are_texts_or_positions() {
        let found = find(b"hello", b"()ll()", 0, true, &mut || true).unwrap().unwrap();
        assert_eq!(found.captures, [Capture::Position(3), Capture::Position(5)]);
        let found = find(b"k=v", b"(%w)=(%w)", 0, true, &mut || true).unwrap().unwrap();
        assert_eq!(found.captures, [Capture::Text { from: 0, to: 1 }, Capture::Text { from: 2, to: 3 }]);
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        for (pattern, text) in [
            ("%", "malformed pattern (ends with '%')"),
            ("[a", "malformed pattern (missing ']')"),
            ("[a%", "malformed pattern (missing ']')"),
            ("(", "unfinished capture"),
            (")", "invalid pattern capture"),
            ("%1", "invalid capture index"),
            ("%b", "unbalanced pattern"),
            ("%f", "missing '[' after '%f' in pattern"),
        ] {
            let error = find(b"abc", pattern.as_bytes(), 0, true, &mut || true).unwrap_err();
            assert_eq!(error, PatternError::Malformed(text), "{pattern}");
        }
    }

    #[test]
    fn no_pattern_runs_or_digs_for_ever() {
        let text = vec![b'a'; 3000];
        let mut asked = 0;
        let mut tick = || {
            asked += 1;
            asked < 5
        };
        let error = find(&text, b".-.-.-.-.-.-.-b", 0, true, &mut tick).unwrap_err();
        assert_eq!(error, PatternError::Stopped);
        let deep = b"a?".repeat(100_000);
        let error = find(&vec![b'a'; 100_000], &deep, 0, true, &mut || true).unwrap_err();
        assert_eq!(error, PatternError::Malformed("pattern too complex"));
    }
}
