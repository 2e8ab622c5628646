//! Kinds of several words: save points, buffer limits, addresses, event classes and the like.

use ochre_text::quote::quoted;

use crate::kind::{List, WRONG_COUNT, mismatch};
use crate::number::{memory, memory_in_units};
use crate::{BufferLimit, SavePoint, Value};

/// `save`: pairs of seconds and changes. Lines add up within one reading of the files; an empty one clears.
pub struct SavePoints;

impl List for SavePoints {
    fn parse(&self, words: &[Vec<u8>], current: &Value, again: bool) -> Result<Value, String> {
        let words = if is_one_empty_word(words) { &[] } else { words };
        let clears = words.is_empty();
        let number = |word: &[u8], least: i64| integer(word).filter(|number| *number >= least);
        let pairs = words.chunks(2).map(|pair| {
            let [seconds, changes] = pair else { return None };
            let (seconds, changes) = (number(seconds, 1)?, number(changes, 0)?);
            Some(SavePoint { seconds: seconds.unsigned_abs(), changes: changes.unsigned_abs() })
        });
        let pairs = pairs.collect::<Option<Vec<_>>>().ok_or("Invalid save parameters")?;
        let mut points = match current {
            Value::SavePoints(points) if again && !clears => points.clone(),
            _ => Vec::new(),
        };
        points.extend(pairs);
        Ok(Value::SavePoints(points))
    }

    fn show(&self, value: &Value) -> Vec<u8> {
        let Value::SavePoints(points) = value else { mismatch(value) };
        joined(points.iter().map(|point| format!("{} {}", point.seconds, point.changes)))
    }

    /// Always written, so that a change of the defaults does not change a server that has a file.
    fn lines(&self, name: &str, value: &Value, _default: &Value) -> Vec<(Vec<u8>, bool)> {
        vec![(with_words_or_empty(name, self.show(value)), true)]
    }

    fn form(&self) -> &'static str {
        "seconds changes …, or \"\""
    }
}

/// `client-output-buffer-limit`: class, hard limit, soft limit and seconds. Classes that are not named stay as they are.
pub struct BufferLimits;

impl List for BufferLimits {
    fn parse(&self, words: &[Vec<u8>], current: &Value, _again: bool) -> Result<Value, String> {
        let mut limits = if let Value::BufferLimits(limits) = current { *limits } else { Default::default() };
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".to_string());
        }
        for limit in words.chunks(4) {
            let class = match limit[0].to_ascii_lowercase().as_slice() {
                b"normal" => 0,
                b"slave" | b"replica" => 1,
                b"pubsub" => 2,
                _ => return Err("Invalid client class specified in buffer limit configuration.".to_string()),
            };
            limits[class] = Self::limit(limit)
                .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        }
        Ok(Value::BufferLimits(limits))
    }

    fn show(&self, value: &Value) -> Vec<u8> {
        let Value::BufferLimits(limits) = value else { mismatch(value) };
        joined(
            ["normal", "slave", "pubsub"].iter().zip(limits).map(|(class, limit)| {
                format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
            }),
        )
    }

    fn lines(&self, name: &str, value: &Value, default: &Value) -> Vec<(Vec<u8>, bool)> {
        let (Value::BufferLimits(limits), Value::BufferLimits(defaults)) = (value, default) else { mismatch(value) };
        let line = |class: &str, limit: &BufferLimit| {
            let (hard, soft) = (memory_in_units(limit.hard_bytes), memory_in_units(limit.soft_bytes));
            format!("{name} {class} {hard} {soft} {}", limit.soft_seconds).into_bytes()
        };
        let classes = ["normal", "replica", "pubsub"].iter().zip(limits.iter().zip(defaults));
        classes.map(|(class, (limit, default))| (line(class, limit), limit != default)).collect()
    }

    fn form(&self) -> &'static str {
        "class hard soft seconds …"
    }
}

impl BufferLimits {
    fn limit(words: &[Vec<u8>]) -> Option<BufferLimit> {
        let bytes = |word: &[u8]| u64::try_from(memory(word)?).ok();
        let soft_seconds = u64::try_from(integer(&words[3])?).ok()?;
        Some(BufferLimit { hard_bytes: bytes(&words[1])?, soft_bytes: bytes(&words[2])?, soft_seconds })
    }
}

/// `bind`: addresses to listen on; a leading minus means that a missing one is no error.
pub struct Addresses;

impl List for Addresses {
    fn parse(&self, words: &[Vec<u8>], _current: &Value, _again: bool) -> Result<Value, String> {
        if words.len() > 16 {
            return Err("Too many bind addresses specified.".to_string());
        }
        Ok(Value::Words(if is_one_empty_word(words) { Vec::new() } else { words.to_vec() }))
    }

    fn show(&self, value: &Value) -> Vec<u8> {
        let Value::Words(words) = value else { mismatch(value) };
        words.join(&b' ')
    }

    fn lines(&self, name: &str, value: &Value, default: &Value) -> Vec<(Vec<u8>, bool)> {
        if value == default { Vec::new() } else { vec![(with_words_or_empty(name, self.show(value)), true)] }
    }

    fn form(&self) -> &'static str {
        "address …"
    }
}

/// `replicaof`: the host and port of the server to follow, or `no one`.
pub struct PrimaryAddress;

impl List for PrimaryAddress {
    fn parse(&self, words: &[Vec<u8>], _current: &Value, _again: bool) -> Result<Value, String> {
        let [host, port] = words else { return Err(WRONG_COUNT.to_string()) };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            return Ok(Value::Address(None));
        }
        let port = integer(port).and_then(|port| u16::try_from(port).ok()).ok_or("Invalid master port")?;
        Ok(Value::Address(Some((host.clone(), port))))
    }

    fn show(&self, value: &Value) -> Vec<u8> {
        match value {
            Value::Address(None) => Vec::new(),
            Value::Address(Some((host, port))) => [host, b" ".as_slice(), port.to_string().as_bytes()].concat(),
            _ => mismatch(value),
        }
    }

    fn lines(&self, name: &str, value: &Value, _default: &Value) -> Vec<(Vec<u8>, bool)> {
        let shown = self.show(value);
        if shown.is_empty() { Vec::new() } else { vec![([name.as_bytes(), b" ", &shown].concat(), true)] }
    }

    fn form(&self) -> &'static str {
        "host port"
    }
}

/// A fixed number of integers within bounds, such as `oom-score-adj-values`.
pub struct Integers {
    /// How many.
    pub count: usize,
    /// Smallest value.
    pub least: i64,
    /// Largest value.
    pub most: i64,
    /// What to say when one is not a number or out of bounds.
    pub error: &'static str,
}

impl List for Integers {
    fn parse(&self, words: &[Vec<u8>], _current: &Value, _again: bool) -> Result<Value, String> {
        if words.len() != self.count {
            return Err(WRONG_COUNT.to_string());
        }
        let bounded = |word: &Vec<u8>| integer(word).filter(|number| (self.least..=self.most).contains(number));
        let numbers = words.iter().map(bounded).collect::<Option<Vec<_>>>();
        numbers.map(Value::Integers).ok_or_else(|| self.error.to_string())
    }

    fn show(&self, value: &Value) -> Vec<u8> {
        let Value::Integers(numbers) = value else { mismatch(value) };
        joined(numbers.iter().map(i64::to_string))
    }

    fn lines(&self, name: &str, value: &Value, default: &Value) -> Vec<(Vec<u8>, bool)> {
        vec![([name.as_bytes(), b" ", &self.show(value)].concat(), value != default)]
    }

    fn form(&self) -> &'static str {
        "number …"
    }
}

/// `latency-tracking-info-percentiles`: numbers from 0 to 100, maybe none.
pub struct Percentiles;

impl List for Percentiles {
    fn parse(&self, words: &[Vec<u8>], _current: &Value, _again: bool) -> Result<Value, String> {
        let words = if is_one_empty_word(words) { &[] } else { words };
        let number = |word: &Vec<u8>| ochre_text::number::parse_f64(word);
        let numbers = words.iter().map(number).collect::<Option<Vec<_>>>();
        let numbers = numbers.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if numbers.iter().all(|number| (0.0..=100.0).contains(number)) {
            Ok(Value::Decimals(numbers))
        } else {
            Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".to_string())
        }
    }

    fn show(&self, value: &Value) -> Vec<u8> {
        let Value::Decimals(numbers) = value else { mismatch(value) };
        joined(
            numbers.iter().map(|number| format!("{number:.6}").trim_end_matches('0').trim_end_matches('.').to_string()),
        )
    }

    /// Always written, as the reference server does.
    fn lines(&self, name: &str, value: &Value, _default: &Value) -> Vec<(Vec<u8>, bool)> {
        vec![(with_words_or_empty(name, self.show(value)), true)]
    }

    fn form(&self) -> &'static str {
        "percentile …, or \"\""
    }
}

/// `notify-keyspace-events`: letters for classes of events; the bits are those of the reference server.
pub struct EventClasses;

impl EventClasses {
    /// `K`: events are published in channels named after the key.
    pub const KEYSPACE: u32 = 1;
    /// `E`: events are published in channels named after the event.
    pub const KEYEVENT: u32 = 1 << 1;
    /// `A`: every class but `m` and `n`.
    pub const ALL: u32 = 0x27fc;

    /// In the order in which they are shown.
    const LETTERS: [(u8, u32); 14] = [
        (b'g', 1 << 2),
        (b'$', 1 << 3),
        (b'l', 1 << 4),
        (b's', 1 << 5),
        (b'h', 1 << 6),
        (b'z', 1 << 7),
        (b'x', 1 << 8),
        (b'e', 1 << 9),
        (b't', 1 << 10),
        (b'd', 1 << 13),
        (b'n', 1 << 14),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', 1 << 11),
    ];

    /// The bit of a class's letter; 0 for a letter that is none.
    pub const fn bit(letter: u8) -> u32 {
        let mut at = 0;
        while at < Self::LETTERS.len() {
            if Self::LETTERS[at].0 == letter {
                return Self::LETTERS[at].1;
            }
            at += 1;
        }
        0
    }
}

impl List for EventClasses {
    fn parse(&self, words: &[Vec<u8>], _current: &Value, _again: bool) -> Result<Value, String> {
        let [letters] = words else { return Err(WRONG_COUNT.to_string()) };
        let bits = letters.iter().map(|letter| if *letter == b'A' { Self::ALL } else { Self::bit(*letter) });
        let bits = bits.map(|bits| Some(bits).filter(|bits| *bits != 0)).collect::<Option<Vec<_>>>();
        let bits = bits.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        Ok(Value::Flags(bits.iter().fold(0, |all, bits| all | bits)))
    }

    fn show(&self, value: &Value) -> Vec<u8> {
        let Value::Flags(bits) = value else { mismatch(value) };
        if bits & Self::ALL != Self::ALL {
            return Self::LETTERS.iter().filter(|(_, bit)| bits & bit != 0).map(|(letter, _)| *letter).collect();
        }
        // With all classes the reference server leaves out `n`; then it would be lost on a restart, so it is kept here.
        let others = Self::LETTERS.iter().filter(|(_, bit)| bits & bit & !Self::ALL != 0).map(|(letter, _)| *letter);
        std::iter::once(b'A').chain(others).collect()
    }

    fn lines(&self, name: &str, value: &Value, default: &Value) -> Vec<(Vec<u8>, bool)> {
        vec![([name.as_bytes(), b" ", quoted(&self.show(value)).as_bytes()].concat(), value != default)]
    }

    fn form(&self) -> &'static str {
        "letters of Ag$lshzxeKEtmdn"
    }

    fn takes_many_words(&self) -> bool {
        false
    }
}

fn is_one_empty_word(words: &[Vec<u8>]) -> bool {
    matches!(words, [word] if word.is_empty())
}

fn integer(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn joined(words: impl Iterator<Item = String>) -> Vec<u8> {
    words.collect::<Vec<_>>().join(" ").into_bytes()
}

/// A line for a list that may be empty on purpose.
fn with_words_or_empty(name: &str, words: Vec<u8>) -> Vec<u8> {
    let words = if words.is_empty() { b"\"\"".to_vec() } else { words };
    [name.as_bytes(), b" ", &words].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads words over a value of `before` and shows the result, or the error.
    fn check(list: &dyn List, before: &str, text: &str, expected: Result<&str, &str>) {
        let words = |text: &str| ochre_text::quote::split_args(text.as_bytes()).expect("the test closes its quotes");
        let nothing = Value::Switch(false);
        let before = list.parse(&words(before), &nothing, false).expect("the test starts with a valid value");
        let shown = list.parse(&words(text), &before, true).map(|value| list.show(&value));
        assert_eq!(shown, expected.map(Into::into).map_err(str::to_string), "{text}");
    }

    #[test]
    fn save_lines_add_up_and_an_empty_one_clears() {
        check(&SavePoints, "900 1", "300 10 60 100", Ok("900 1 300 10 60 100"));
        check(&SavePoints, "900 1", "\"\"", Ok(""));
        for odd in ["1", "0 1", "1 -1", "a b", "1 2 3"] {
            check(&SavePoints, "900 1", odd, Err("Invalid save parameters"));
        }
    }

    #[test]
    fn buffer_limits_change_only_the_classes_they_name() {
        let before = "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60";
        let after = "normal 0 0 0 slave 1024 10 5 pubsub 33554432 8388608 60";
        check(&BufferLimits, before, "replica 1kb 10 5", Ok(after));
        let count = Err("Wrong number of arguments in buffer limit configuration.");
        check(&BufferLimits, before, "normal 1 2", count);
        let class = Err("Invalid client class specified in buffer limit configuration.");
        check(&BufferLimits, before, "master 0 0 0", class);
        let number = Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        check(&BufferLimits, before, "normal 1 2 -1", number);
        check(&BufferLimits, before, "normal x 2 1", number);
    }

    #[test]
    fn addresses_are_kept_as_written_and_none_is_allowed() {
        check(&Addresses, "*", "127.0.0.1 -::1", Ok("127.0.0.1 -::1"));
        check(&Addresses, "*", "\"\"", Ok(""));
        check(&Addresses, "*", &"a ".repeat(17), Err("Too many bind addresses specified."));
    }

    #[test]
    fn a_primary_is_a_host_and_a_port_or_no_one() {
        check(&PrimaryAddress, "a 1", "db.example 6380", Ok("db.example 6380"));
        check(&PrimaryAddress, "a 1", "NO one", Ok(""));
        check(&PrimaryAddress, "a 1", "db 65536", Err("Invalid master port"));
        check(&PrimaryAddress, "a 1", "db", Err("wrong number of arguments"));
    }

    #[test]
    fn percentiles_are_shown_without_trailing_zeros() {
        check(&Percentiles, "50", "50 99.90 100.0", Ok("50 99.9 100"));
        check(&Percentiles, "50", "\"\"", Ok(""));
        check(&Percentiles, "50", "x", Err("Invalid latency-tracking-info-percentiles parameters"));
        let bounds = Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
        check(&Percentiles, "50", "100.1", bounds);
    }

    #[test]
    fn event_classes_are_letters_and_a_stands_for_most() {
        check(&EventClasses, "\"\"", "KEA", Ok("AKE"));
        check(&EventClasses, "\"\"", "g$lshzxetd", Ok("A"));
        check(&EventClasses, "\"\"", "mKlg", Ok("glKm"));
        check(&EventClasses, "\"\"", "KAn", Ok("AnK"));
        check(&EventClasses, "\"\"", "q", Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."));
    }
}
