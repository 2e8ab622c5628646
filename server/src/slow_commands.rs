//! The logs behind SLOWLOG and COMMANDLOG: commands that took long, and those with a large request or reply.

use crate::hot_keys;
use crate::latency;
use crate::session::Session;
use crate::settings::Settings;
use crate::settings_view;
use crate::shared::{CommandRow, Shared};
use crate::worker::Worker;
use ochre_commands::spec::{FAST, SKIP_COMMANDLOG};
use ochre_resp::Args as Words;
use ochre_text::case;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Words of a command that are kept, and bytes of each.
const WORDS_MAX: usize = 32;
const WORD_BYTES_MAX: usize = 128;

/// Why a command was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Slow,
    LargeRequest,
    LargeReply,
}

/// A command that was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Grows by one with each entry of its log, also over resets.
    pub id: u64,
    /// Unix time.
    pub time_s: u64,
    /// Duration in microseconds, or size in bytes.
    pub amount: u64,
    pub words: Vec<Vec<u8>>,
    pub address: String,
    pub client_name: String,
}

/// One log, newest entry first.
#[derive(Default)]
struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

/// The three logs.
#[derive(Default)]
pub struct CommandLogs {
    slow: Mutex<Log>,
    large_request: Mutex<Log>,
    large_reply: Mutex<Log>,
}

impl CommandLogs {
    fn log(&self, reason: Reason) -> MutexGuard<'_, Log> {
        let log = match reason {
            Reason::Slow => &self.slow,
            Reason::LargeRequest => &self.large_request,
            Reason::LargeReply => &self.large_reply,
        };
        log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry, whose id is given here, and forgets the oldest above `entries_max`.
    fn add(&self, reason: Reason, mut entry: Entry, entries_max: usize) {
        let mut log = self.log(reason);
        entry.id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(entry);
        log.entries.truncate(entries_max);
    }

    /// The newest entries, at most `count`.
    pub fn newest(&self, reason: Reason, count: usize) -> Vec<Entry> {
        self.log(reason).entries.iter().take(count).cloned().collect()
    }

    /// Number of entries.
    pub fn len(&self, reason: Reason) -> usize {
        self.log(reason).entries.len()
    }

    /// Forgets all entries.
    pub fn reset(&self, reason: Reason) {
        self.log(reason).entries.clear();
    }
}

/// Notes a command that took at least as long as the slow log or the latency monitor wants, or any while keys are counted.
#[cold]
pub fn note_slow(worker: &Worker, session: &Session, row: &CommandRow, words: Words<'_>, took_ns: u64) {
    let settings = &worker.shared.settings;
    hot_keys::note_time(worker.shared, worker.id, row, words, took_ns);
    if took_ns >= settings_view::latency_event_ns(settings) {
        let event = if row.flags.has(FAST) { latency::FAST_COMMAND } else { latency::COMMAND };
        worker.shared.latency_events.add(event, ochre_clock::now_ms() / 1000, took_ns / 1_000_000);
    }
    if took_ns >= settings_view::slow_log_ns(settings) {
        note(worker.shared, Reason::Slow, session, row, words, took_ns / 1000);
    }
}

/// Notes a command whose request or reply is large, or any while keys are counted.
#[cold]
pub fn note_large(
    worker: &Worker,
    session: &Session,
    row: &CommandRow,
    words: Words<'_>,
    (request_bytes, reply_bytes): (usize, usize),
) {
    hot_keys::note_bytes(worker, row, words, request_bytes + reply_bytes);
    let (request_bytes_min, reply_bytes_min) = settings_view::large_bytes(&worker.shared.settings);
    if request_bytes >= request_bytes_min {
        note(worker.shared, Reason::LargeRequest, session, row, words, request_bytes as u64);
    }
    if reply_bytes >= reply_bytes_min {
        note(worker.shared, Reason::LargeReply, session, row, words, reply_bytes as u64);
    }
}

fn note(shared: &Shared, reason: Reason, session: &Session, row: &CommandRow, words: Words<'_>, amount: u64) {
    if row.flags.has(SKIP_COMMANDLOG) {
        return;
    }
    let logging = &shared.settings.logging;
    let entries_max = match reason {
        Reason::Slow => logging.slowlog_max_len.get(),
        Reason::LargeRequest => logging.commandlog_large_request_max_len.get(),
        Reason::LargeReply => logging.commandlog_large_reply_max_len.get(),
    };
    if entries_max == 0 {
        return;
    }
    let entry = Entry {
        id: 0,
        time_s: ochre_clock::now_ms() / 1000,
        amount,
        words: shortened(words, |at| is_secret(&shared.settings, row, words, at)),
        address: session.client.address.clone(),
        client_name: session.client.texts().name.clone(),
    };
    shared.command_logs.add(reason, entry, entries_max);
}

/// The words as they are shown: not too many, none too long, secrets hidden.
fn shortened(words: Words<'_>, is_secret: impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
    let shown = if words.len() > WORDS_MAX { WORDS_MAX - 1 } else { words.len() };
    let mut kept: Vec<Vec<u8>> = (0..shown)
        .map(|at| match words.at(at) {
            _ if is_secret(at) => b"(redacted)".to_vec(),
            word if word.len() > WORD_BYTES_MAX => {
                let more = format!("... ({} more bytes)", word.len() - WORD_BYTES_MAX);
                [&word[..WORD_BYTES_MAX], more.as_bytes()].concat()
            }
            word => word.to_vec(),
        })
        .collect();
    if shown < words.len() {
        kept.push(format!("... ({} more arguments)", words.len() - shown).into_bytes());
    }
    kept
}

/// Whether the word at `at` is a password, or says something about users.
pub fn is_secret(settings: &Settings, row: &CommandRow, words: Words<'_>, at: usize) -> bool {
    let follows =
        |option: &str, within: usize| (1..=within).any(|back| at > back && case::is(words.at(at - back), option));
    match row.full_name.as_str() {
        "auth" => at >= 1,
        "hello" => at >= 2 && follows("AUTH", 2),
        "migrate" => at >= 6 && (follows("AUTH", 1) || follows("AUTH2", 2)),
        "acl|setuser" | "acl|deluser" | "acl|getuser" => at >= 2,
        "config|set" => at >= 3 && at % 2 == 1 && settings.is_secret(words.at(at - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_resp::Batch;

    fn shown(words: &[&[u8]]) -> Vec<String> {
        let mut batch = Batch::default();
        let command = batch.push(words.iter().copied());
        let kept = shortened(batch.args(&command, &[]), |at| at == 2);
        kept.into_iter().map(|word| String::from_utf8(word).expect("the test's words are text")).collect()
    }

    #[test]
    fn long_commands_are_shortened_as_redis_shortens_them() {
        assert_eq!(shown(&[b"set", b"k", b"v"]), ["set", "k", "(redacted)"]);
        let many: Vec<&[u8]> = std::iter::repeat_n(b"x".as_slice(), 32).collect();
        assert_eq!(shown(&many).len(), 32);
        let more: Vec<&[u8]> = std::iter::repeat_n(b"x".as_slice(), 34).collect();
        assert_eq!(shown(&more)[31], "... (3 more arguments)");
        let long = [b'a'; 140];
        assert_eq!(shown(&[b"get", &long])[1], format!("{}... (12 more bytes)", "a".repeat(128)));
    }

    #[test]
    fn ids_go_on_after_a_reset_and_the_oldest_entries_go_first() {
        let logs = CommandLogs::default();
        let entry = Entry {
            id: 0,
            time_s: 0,
            amount: 0,
            words: Vec::new(),
            address: String::new(),
            client_name: String::new(),
        };
        (0..3).for_each(|_| logs.add(Reason::Slow, entry.clone(), 2));
        let ids = |count| logs.newest(Reason::Slow, count).iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!((ids(9), ids(1), logs.len(Reason::Slow)), (vec![2, 1], vec![2], 2));
        logs.reset(Reason::Slow);
        logs.add(Reason::Slow, entry, 2);
        assert_eq!(ids(9), [3]);
    }
}
