//! Whether a history of concurrent commands could have happened one after the other (Wing and Gong's search).
//!
//! Each command takes effect at one moment between its sending and its reply, and a command that began after another had
//! ended comes after it. The search tries all orders that respect this against a plain model of the store, and remembers
//! what it has seen: a set of commands that are done, and the state that they left.

use std::collections::{BTreeMap, HashSet};

/// A command as its client saw it; times are those of one clock.
#[derive(Clone, Debug)]
pub struct Event {
    /// A command line, or several behind each other with `;` for a transaction.
    pub line: String,
    pub reply: String,
    pub began_ns: u64,
    pub ended_ns: u64,
}

/// The keys and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    values: BTreeMap<String, String>,
}

impl Store {
    /// Runs a line of an event; the reply as [`crate::client::show`] shows it.
    pub fn run(&mut self, line: &str) -> String {
        match line.contains(';') {
            true => {
                let replies: Vec<String> = line.split(';').map(|line| self.run_one(line)).collect();
                format!("[{}]", replies.join(" "))
            }
            false => self.run_one(line),
        }
    }

    fn run_one(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let shown = |value: Option<String>| value.unwrap_or_else(|| "nil".into());
        match words.as_slice() {
            ["GET", key] => shown(self.values.get(*key).cloned()),
            ["GETDEL", key] => shown(self.values.remove(*key)),
            ["SET", key, value] => {
                self.values.insert((*key).into(), (*value).into());
                "OK".into()
            }
            ["SET", key, value, "IFEQ", wanted] => match self.values.get_mut(*key) {
                Some(held) if held == wanted => {
                    *held = (*value).into();
                    "OK".into()
                }
                _ => "nil".into(),
            },
            ["INCR", key] => {
                let held = self.values.get(*key).map_or("0", String::as_str);
                // Only the one way to write a number counts: 01 is none.
                let Some(number) = held.parse::<i64>().ok().filter(|number| number.to_string() == held) else {
                    return "-ERR value is not an integer or out of range".into();
                };
                let next = number + 1;
                self.values.insert((*key).into(), next.to_string());
                next.to_string()
            }
            ["APPEND", key, more] => {
                let held = self.values.entry((*key).into()).or_default();
                held.push_str(more);
                held.len().to_string()
            }
            ["MSET", pairs @ ..] => {
                for pair in pairs.chunks(2) {
                    self.values.insert(pair[0].into(), pair[1].into());
                }
                "OK".into()
            }
            ["MGET", keys @ ..] => {
                let values: Vec<_> = keys.iter().map(|key| shown(self.values.get(*key).cloned())).collect();
                format!("[{}]", values.join(" "))
            }
            ["RENAME", from, to] => match self.values.remove(*from) {
                Some(value) => {
                    self.values.insert((*to).into(), value);
                    "OK".into()
                }
                None => "-ERR no such key".into(),
            },
            _ => panic!("the model does not know {line}"),
        }
    }
}

/// Whether some order explains all replies, beginning with `store`.
///
/// # Panics
/// With more than 64 events: cut the history where nothing was under way.
pub fn is_linearizable(store: &Store, history: &[Event]) -> bool {
    assert!(history.len() <= 64, "a history has at most 64 events");
    let mut seen = HashSet::new();
    let all = if history.is_empty() { 0 } else { u64::MAX >> (64 - history.len()) };
    search(history, all, 0, store, &mut seen)
}

/// `done` has a bit for each event that has taken effect; `store` is what they left.
fn search(history: &[Event], all: u64, done: u64, store: &Store, seen: &mut HashSet<(u64, Store)>) -> bool {
    if done == all {
        return true;
    }
    if !seen.insert((done, store.clone())) {
        return false;
    }
    let open = || (0..history.len()).filter(|at| done & (1 << at) == 0);
    // Whatever begins after this moment comes after the event that ended then.
    let first_end_ns = open().map(|at| history[at].ended_ns).min().expect("not all are done");
    open().filter(|at| history[*at].began_ns <= first_end_ns).any(|at| {
        let mut after = store.clone();
        after.run(&history[at].line) == history[at].reply && search(history, all, done | 1 << at, &after, seen)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events as (line, reply, began, ended).
    fn explained(history: &[(&str, &str, u64, u64)]) -> bool {
        let event = |&(line, reply, began_ns, ended_ns): &(&str, &str, u64, u64)| Event {
            line: line.into(),
            reply: reply.into(),
            began_ns,
            ended_ns,
        };
        is_linearizable(&Store::default(), &history.iter().map(event).collect::<Vec<_>>())
    }

    #[test]
    fn one_after_the_other_is_explained() {
        assert!(explained(&[]));
        assert!(explained(&[("SET a 1", "OK", 0, 1), ("INCR a", "2", 2, 3), ("GET a", "2", 4, 5)]));
        assert!(explained(&[("SET a x", "OK", 0, 1), ("SET a y IFEQ x", "OK", 2, 3), ("APPEND a z", "2", 4, 5)]));
    }

    #[test]
    fn what_overlaps_may_take_effect_in_any_order() {
        assert!(explained(&[("SET a 1", "OK", 0, 9), ("GET a", "nil", 1, 2), ("GET a", "1", 3, 4)]));
        assert!(explained(&[("INCR a", "2", 0, 5), ("INCR a", "1", 1, 6), ("INCR a", "3", 2, 7)]));
    }

    #[test]
    fn a_stale_read_is_found() {
        assert!(!explained(&[("SET a 1", "OK", 0, 1), ("GET a", "nil", 2, 3)]));
        assert!(!explained(&[("SET a 1", "OK", 0, 9), ("GET a", "1", 1, 2), ("GET a", "nil", 3, 4)]));
    }

    #[test]
    fn a_lost_increment_is_found() {
        assert!(!explained(&[("INCR a", "1", 0, 5), ("INCR a", "1", 1, 6)]));
        assert!(!explained(&[("INCR a", "1", 0, 5), ("INCR a", "2", 1, 6), ("GET a", "1", 7, 8)]));
    }

    #[test]
    fn half_of_a_command_or_of_a_transaction_is_found() {
        let half = |line: &'static str, seen: &'static str| {
            explained(&[(line, if line.contains(';') { "[OK OK]" } else { "OK" }, 0, 9), ("MGET a b", seen, 1, 2)])
        };
        for line in ["MSET a 1 b 1", "SET a 1;SET b 1"] {
            assert!(half(line, "[nil nil]") && half(line, "[1 1]"));
            assert!(!half(line, "[1 nil]") && !half(line, "[nil 1]"));
        }
    }

    #[test]
    fn two_who_exchange_a_value_cannot_both_win() {
        let start = ("SET a x", "OK", 0, 1);
        assert!(!explained(&[start, ("SET a y IFEQ x", "OK", 2, 5), ("SET a z IFEQ x", "OK", 3, 6)]));
        assert!(explained(&[start, ("SET a y IFEQ x", "OK", 2, 5), ("SET a z IFEQ x", "nil", 3, 6)]));
    }
}
