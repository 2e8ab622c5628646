//! Kinds: how the text of a value is read, shown by CONFIG GET and written by CONFIG REWRITE.

use ochre_text::quote::quoted;

use crate::{Number, Value};

/// What a directive can be set to.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Switch,
    /// A whole number.
    Number(Number),
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Any of these names together. The first stands for none, the others are bit 0 and up.
    Flags(&'static [&'static str]),
    /// Any bytes. When empty means unset, no line is written for an empty value.
    Text {
        /// Whether an empty value is the same as none.
        empty_is_unset: bool,
    },
    /// Values of several words, each with a form of its own.
    List(&'static dyn List),
}

/// A kind whose values are made of several words.
pub trait List: Sync {
    /// Reads `words`. `current` is the value so far; `again` says that an earlier line of the files being read has set it.
    fn parse(&self, words: &[Vec<u8>], current: &Value, again: bool) -> Result<Value, String>;

    /// The text of CONFIG GET.
    fn show(&self, value: &Value) -> Vec<u8>;

    /// What CONFIG REWRITE writes; see [`Kind::lines`].
    fn lines(&self, name: &str, value: &Value, default: &Value) -> Vec<(Vec<u8>, bool)>;

    /// The form of a value, for people.
    fn form(&self) -> &'static str;

    /// Whether a line may hold several words, and the text of CONFIG SET is split at spaces.
    fn takes_many_words(&self) -> bool {
        true
    }
}

impl Kind {
    /// Whether a line may hold several words, and the text of CONFIG SET is split at spaces.
    pub fn takes_many_words(&self) -> bool {
        match self {
            Kind::Flags(_) => true,
            Kind::List(list) => list.takes_many_words(),
            _ => false,
        }
    }

    /// Reads the words of a line, or says why not in the words of the reference server. See [`List::parse`].
    pub(crate) fn parse(&self, words: &[Vec<u8>], current: &Value, again: bool) -> Result<Value, String> {
        let single = || words.first().filter(|_| words.len() == 1).ok_or_else(|| WRONG_COUNT.to_string());
        match self {
            Kind::Switch => match single()?.to_ascii_lowercase().as_slice() {
                b"yes" => Ok(Value::Switch(true)),
                b"no" => Ok(Value::Switch(false)),
                _ => Err("argument must be 'yes' or 'no'".to_string()),
            },
            Kind::Number(number) => number.parse(single()?).map(Value::Number),
            Kind::Choice(names) => place(names, single()?).map(Value::Choice).ok_or_else(|| not_one_of(names)),
            Kind::Flags(names) => {
                let places = words.iter().map(|word| place(names, word)).collect::<Option<Vec<_>>>();
                let places = places.filter(|places| !places.is_empty()).ok_or_else(|| not_one_of(names))?;
                Ok(Value::Flags(
                    places.iter().filter(|place| **place > 0).fold(0, |bits, place| bits | 1 << (place - 1)),
                ))
            }
            Kind::Text { .. } => Ok(Value::Text(single()?.clone())),
            Kind::List(list) => list.parse(words, current, again),
        }
    }

    /// The text of CONFIG GET.
    pub(crate) fn show(&self, value: &Value) -> Vec<u8> {
        match (self, value) {
            (Kind::Switch, Value::Switch(on)) => if *on { "yes" } else { "no" }.into(),
            (Kind::Number(kind), Value::Number(number)) => kind.show(*number).into(),
            (Kind::Choice(names), Value::Choice(place)) => names[*place].into(),
            (Kind::Flags(names), Value::Flags(0)) => names[0].into(),
            (Kind::Flags(names), Value::Flags(bits)) => {
                let set = (0..names.len() - 1).filter(|bit| bits & (1 << bit) != 0).map(|bit| names[bit + 1]);
                set.collect::<Vec<_>>().join(" ").into()
            }
            (Kind::Text { .. }, Value::Text(text)) => text.clone(),
            (Kind::List(list), value) => list.show(value),
            _ => mismatch(value),
        }
    }

    /// The lines that CONFIG REWRITE writes for `value`. Those marked are added where the file has none to replace; the
    /// others only replace. No line at all takes the directive out of the file.
    pub(crate) fn lines(&self, name: &str, value: &Value, default: &Value) -> Vec<(Vec<u8>, bool)> {
        let text = match (self, value) {
            (Kind::List(list), value) => return list.lines(name, value, default),
            (Kind::Text { empty_is_unset: true }, Value::Text(text)) if text.is_empty() => return Vec::new(),
            (Kind::Text { .. }, Value::Text(text)) => quoted(text).into(),
            (Kind::Number(kind), Value::Number(number)) => kind.written(*number).into(),
            (kind, value) => kind.show(value),
        };
        vec![([name.as_bytes(), b" ", &text].concat(), value != default)]
    }
}

/// Only rows make kinds and only kinds make values, so the two belong together.
pub(crate) fn mismatch(value: &Value) -> ! {
    panic!("{value:?} is not a value of this kind")
}

fn place(names: &[&str], word: &[u8]) -> Option<usize> {
    names.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

fn not_one_of(names: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", names.join(", "))
}

pub(crate) const WRONG_COUNT: &str = "wrong number of arguments";

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: Kind = Kind::Choice(&["debug", "notice"]);
    const SIGNALS: Kind = Kind::Flags(&["default", "save", "nosave", "now"]);

    /// Reads `text` as CONFIG SET does and shows it, or the error.
    fn check(kind: Kind, text: &str, expected: Result<&str, &str>) {
        let words: Vec<Vec<u8>> = match kind.takes_many_words() {
            true => text.split_whitespace().map(Into::into).collect(),
            false => vec![text.into()],
        };
        let shown = kind.parse(&words, &Value::Switch(false), false).map(|value| kind.show(&value));
        assert_eq!(shown, expected.map(Into::into).map_err(str::to_string), "{text}");
    }

    #[test]
    fn switches_are_yes_or_no_in_any_case() {
        check(Kind::Switch, "YES", Ok("yes"));
        check(Kind::Switch, "no", Ok("no"));
        check(Kind::Switch, "1", Err("argument must be 'yes' or 'no'"));
    }

    #[test]
    fn a_choice_is_one_of_its_names_in_any_case() {
        check(LEVELS, "Debug", Ok("debug"));
        check(LEVELS, "loud", Err("argument(s) must be one of the following: debug, notice"));
    }

    #[test]
    fn flags_are_shown_in_the_order_of_their_names() {
        check(SIGNALS, "now save", Ok("save now"));
        check(SIGNALS, "default", Ok("default"));
        check(SIGNALS, "default save", Ok("save"));
        check(SIGNALS, "", Err("argument(s) must be one of the following: default, save, nosave, now"));
        check(SIGNALS, "save later", Err("argument(s) must be one of the following: default, save, nosave, now"));
    }

    #[test]
    fn an_unset_text_leaves_no_line_and_an_empty_one_does() {
        let empty = Value::Text(Vec::new());
        assert_eq!(Kind::Text { empty_is_unset: true }.lines("pidfile", &empty, &empty), []);
        let line = (b"logfile \"\"".to_vec(), false);
        assert_eq!(Kind::Text { empty_is_unset: false }.lines("logfile", &empty, &empty), [line]);
    }
}
