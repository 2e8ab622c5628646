//! What was refused, for whoever has to find out why.

use std::collections::VecDeque;

/// Where a refusal happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    TopLevel,
    Multi,
    Lua,
}

impl Context {
    pub fn name(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Multi => "multi",
            Context::Lua => "lua",
        }
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Incident {
    /// `auth`, `command`, `key`, `channel`, `database` or `tls-cert`.
    pub reason: &'static str,
    pub context: Context,
    /// The command, key, channel or database.
    pub object: Vec<u8>,
    pub user: Vec<u8>,
    /// The client's line of CLIENT LIST.
    pub client: String,
    /// Unix ms.
    pub at_ms: u64,
}

/// Refusals of one kind.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub id: u64,
    pub count: u64,
    /// The last of them.
    pub last: Incident,
    /// When the first one was.
    pub first_ms: u64,
}

impl LogEntry {
    fn is_like(&self, incident: &Incident) -> bool {
        let last = &self.last;
        last.reason == incident.reason
            && last.context == incident.context
            && last.at_ms.abs_diff(incident.at_ms) <= ALIKE_MS_MAX
            && last.object == incident.object
            && last.user == incident.user
    }
}

/// The refusals that are remembered, the newest first.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

impl Log {
    /// Notes a refusal; of all entries at most `entries_max` are kept. O(1), but for shifting one of the newest entries.
    pub fn add(&mut self, incident: Incident, entries_max: usize) {
        if entries_max > 0 {
            let newest = self.entries.iter().take(LOOKED_AT_MAX);
            let entry = match newest.into_iter().position(|entry| entry.is_like(&incident)) {
                Some(at) => {
                    let mut entry = self.entries.remove(at).expect("it was found there");
                    entry.count += 1;
                    entry.last = incident;
                    entry
                }
                None => {
                    self.next_id += 1;
                    let first_ms = incident.at_ms;
                    LogEntry { id: self.next_id - 1, count: 1, last: incident, first_ms }
                }
            };
            self.entries.push_front(entry);
        }
        self.entries.truncate(entries_max);
    }

    /// The entries, the newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Forgets all entries; their numbers are not used again.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// Refusals of one kind are one entry when they are not further apart.
const ALIKE_MS_MAX: u64 = 60_000;
/// So many of the newest entries are compared.
const LOOKED_AT_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(object: &str, at_ms: u64) -> Incident {
        let (reason, context) = ("key", Context::TopLevel);
        Incident { reason, context, object: object.into(), user: b"u".to_vec(), client: String::new(), at_ms }
    }

    #[test]
    fn refusals_of_one_kind_are_one_entry_for_a_minute() {
        let mut log = Log::default();
        log.add(incident("a", 1000), 10);
        log.add(incident("b", 1000), 10);
        log.add(incident("a", 61_000), 10);
        let counts: Vec<_> = log.entries().map(|entry| (entry.last.object[0], entry.count, entry.id)).collect();
        assert_eq!(counts, [(b'a', 2, 0), (b'b', 1, 1)]);
        log.add(incident("a", 121_001), 10);
        assert_eq!(log.entries().len(), 3);
    }

    #[test]
    fn the_oldest_entries_go_first_and_numbers_go_on() {
        let mut log = Log::default();
        (0..20u8).for_each(|n| log.add(incident(&n.to_string(), 0), 5));
        assert_eq!(log.entries().map(|entry| entry.id).collect::<Vec<_>>(), [19, 18, 17, 16, 15]);
        log.clear();
        log.add(incident("x", 0), 5);
        assert_eq!(log.entries().next().map(|entry| entry.id), Some(20));
        log.add(incident("y", 0), 0);
        assert_eq!(log.entries().len(), 0);
    }
}
