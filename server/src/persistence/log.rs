//! The log: everything that changes data, as one stream of requests in the order of execution.

use ochre_keyspace::{Unit, write_select};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The end of the stream, where units are appended while their shards are locked: so for every key the order is that of execution.
#[derive(Default)]
pub struct Log {
    /// Whether anybody reads it; loops keep a copy in their contexts.
    wanted: AtomicBool,
    /// Where the next byte goes, in bytes since the stream began. Written under the lock of `tail`.
    end: AtomicU64,
    tail: Mutex<Tail>,
}

/// What has been appended and not been written.
#[derive(Default)]
struct Tail {
    pending: Vec<u8>,
    /// The database that the stream has selected.
    selected_db: Option<usize>,
}

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

impl Log {
    /// Whether anybody reads the log.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a unit; `whole`: several commands of it become a transaction, so that nobody ever sees a part of them.
    ///
    /// Takes the time of a copy.
    pub fn append(&self, unit: &Unit, whole: bool) {
        let whole = whole && unit.commands() > 1;
        let mut tail = self.tail();
        let before = tail.pending.len();
        if whole {
            tail.pending.extend_from_slice(MULTI);
        }
        if tail.selected_db != Some(unit.first_db()) {
            write_select(&mut tail.pending, unit.first_db());
        }
        tail.pending.extend_from_slice(unit.bytes());
        tail.selected_db = Some(unit.last_db());
        if whole {
            tail.pending.extend_from_slice(EXEC);
        }
        let added = (tail.pending.len() - before) as u64;
        self.end.fetch_add(added, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(log: &Log, whole: bool, lines: &[(usize, &str)]) {
        let mut unit = Unit::default();
        for (db, line) in lines {
            let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
            unit.push(*db, words.into_iter());
        }
        log.append(&unit, whole);
    }

    fn pending(log: &Log) -> String {
        let bytes = std::mem::take(&mut log.tail().pending);
        String::from_utf8(bytes)
            .expect("text")
            .split("\r\n")
            .filter(|word| !word.starts_with(['*', '$']))
            .fold(String::new(), |line, word| if line.is_empty() { word.into() } else { line + " " + word })
    }

    #[test]
    fn several_commands_are_a_transaction_and_one_is_none() {
        let log = Log::default();
        append(&log, true, &[(0, "SET a 1")]);
        assert_eq!(pending(&log), "SELECT 0 SET a 1 ");
        append(&log, true, &[(0, "SET a 1"), (0, "SET b 2")]);
        assert_eq!(pending(&log), "MULTI SET a 1 SET b 2 EXEC ");
        append(&log, false, &[(0, "DEL a"), (0, "DEL b")]);
        assert_eq!(pending(&log), "DEL a DEL b ");
    }

    #[test]
    fn the_stream_selects_a_database_only_when_it_changes() {
        let log = Log::default();
        append(&log, true, &[(2, "DEL a"), (5, "DEL b")]);
        assert_eq!(pending(&log), "MULTI SELECT 2 DEL a SELECT 5 DEL b EXEC ");
        append(&log, true, &[(5, "DEL a")]);
        assert_eq!(pending(&log), "DEL a ");
    }
}
