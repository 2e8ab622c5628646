//! The log: everything that changes data, as one stream of requests in the order of execution.

use crate::persistence::writer::{Files, Segment};
use ochre_keyspace::{Unit, write_select};
use ochre_persistence::frame::timestamp_line;
use ochre_replication::Backlog;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::Thread;

/// What a reply waits for before it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Policy {
    /// Nothing: there is no file.
    Off,
    /// That the system has what the log had when the reply was made; it writes it to the disk when it likes to.
    No,
    /// The same; the disk has it a second later.
    EverySecond,
    /// That the disk has it.
    Always,
}

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reader {
    /// The append-only file.
    File = 1 << 0,
    /// Replicas, or the backlog that is kept for them.
    Replicas = 1 << 1,
}

/// How far a replica has been sent the stream.
pub type Position = Arc<AtomicU64>;

/// The end of the stream, where units are appended while their shards are locked: so for every key the order is that of execution.
///
/// Bytes go from the tail, in memory, to the file (`writer`), and from there to the disk. Each step is an offset in the stream.
#[derive(Default)]
pub struct Log {
    /// Who reads it, bits of `Reader`; whether anybody does, loops keep in their contexts.
    wanted: AtomicU8,
    /// Where the next byte goes, in bytes since the stream began. Written under the lock of `tail`.
    end: AtomicU64,
    /// Where the last unit ends: what comes behind it changes nothing.
    units_end: AtomicU64,
    /// Everything before has been handed to the system.
    pub(super) written: AtomicU64,
    /// Everything before is on the disk.
    pub(super) durable: AtomicU64,
    /// Units so far.
    units: AtomicU64,
    policy: AtomicU8,
    /// Writing or syncing failed, so that nothing may be promised.
    failed: AtomicBool,
    /// How often it went on after a failure.
    recoveries: AtomicU64,
    /// What the system said about it.
    pub(super) failure: Mutex<String>,
    tail: Mutex<Tail>,
    pub(super) files: Mutex<Files>,
    pub(super) syncer: OnceLock<Thread>,
    pub numbers: Numbers,
}

/// What INFO shows of the writing.
#[derive(Default)]
pub struct Numbers {
    /// Bytes in all loaded files, and in those files when the last base was made.
    pub size_bytes: AtomicU64,
    pub base_size_bytes: AtomicU64,
    /// Syncs that were still under way when the next was due.
    pub delayed_syncs: AtomicU64,
    /// When the running sync began, ms of the monotonic clock; 0 when none runs.
    pub sync_began_ms: AtomicU64,
    /// Since when writing is put off because of a sync that takes long, ms of the monotonic clock; 0 when it is not.
    pub put_off_since_ms: AtomicU64,
    /// DEBUG AOF-FLUSH-SLEEP, µs.
    pub flush_sleep_us: AtomicU64,
    /// The file's changes are not synced while a snapshot or a rewrite runs (`no-appendfsync-on-rewrite`).
    pub sync_paused: AtomicBool,
}

/// Another file from some place of the stream on.
pub(super) struct Switch {
    /// Place in `Tail::pending`.
    pub at: usize,
    /// The same place in the stream.
    pub offset: u64,
    /// `None`: no file any more.
    pub to: Option<Segment>,
    /// Is told when everything before is on the disk and the file is in use.
    pub done: Option<mpsc::Sender<()>>,
}

/// What has been appended and not been written.
#[derive(Default)]
pub(super) struct Tail {
    pub pending: Vec<u8>,
    pub switches: VecDeque<Switch>,
    /// Whether there is a file, or will be from a switch on.
    kept: bool,
    /// What replicas read.
    stream: Option<Stream>,
    /// The database that the stream has selected.
    selected_db: Option<usize>,
    /// Whether the time is noted, and the second that was noted last.
    timestamps: bool,
    timestamp_s: u64,
}

/// The stream as replicas get it.
struct Stream {
    backlog: Backlog,
    /// Where those are who read it.
    positions: Vec<Position>,
}

impl Stream {
    fn push(&mut self, bytes: &[u8]) {
        self.backlog.push(bytes);
        if self.backlog.is_over() {
            self.trim();
        }
    }

    #[cold]
    fn trim(&mut self) {
        let needed = self.positions.iter().map(|position| position.load(Ordering::Relaxed)).min();
        self.backlog.trim(needed.unwrap_or(u64::MAX));
    }
}

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

impl Log {
    /// Whether anybody reads the log.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) != 0
    }

    /// From now on this one does, or not. Loops take it over with the next change of settings.
    pub fn set_wanted(&self, reader: Reader, wanted: bool) {
        if wanted {
            self.wanted.fetch_or(reader as u8, Ordering::AcqRel);
        } else {
            self.wanted.fetch_and(!(reader as u8), Ordering::AcqRel);
        }
    }

    /// Where the stream ends, in bytes since it began.
    #[inline]
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Where the last unit ends.
    pub fn units_end(&self) -> u64 {
        self.units_end.load(Ordering::Acquire)
    }

    /// Bytes that wait to be written.
    pub fn unwritten_bytes(&self) -> usize {
        self.end().saturating_sub(self.written.load(Ordering::Acquire)) as usize
    }

    /// How many units were appended.
    pub(super) fn units(&self) -> u64 {
        self.units.load(Ordering::Relaxed)
    }

    /// Everything before is on the disk.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub fn policy(&self) -> Policy {
        match self.policy.load(Ordering::Acquire) {
            0 => Policy::Off,
            1 => Policy::No,
            2 => Policy::EverySecond,
            _ => Policy::Always,
        }
    }

    /// What replies wait for from now on.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(policy as u8, Ordering::Release);
        self.nudge();
    }

    /// How far the stream has got in the way that replies wait for.
    #[inline]
    pub fn reached(&self, policy: Policy) -> u64 {
        match policy {
            Policy::Off => u64::MAX,
            Policy::No | Policy::EverySecond => match self.numbers.put_off_since_ms.load(Ordering::Relaxed) {
                0 => self.written.load(Ordering::Acquire),
                // As in Redis clients do not wait for a slow disk at once.
                _ => u64::MAX,
            },
            Policy::Always => self.durable(),
        }
    }

    /// Whether writing or syncing fails: then nobody may change anything.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// How often writing went on after a failure. Counted before anybody can see that it goes on.
    pub fn recoveries(&self) -> u64 {
        self.recoveries.load(Ordering::SeqCst)
    }

    pub(super) fn set_failed(&self, failed: bool) {
        if !failed {
            self.recoveries.fetch_add(1, Ordering::SeqCst);
        }
        self.failed.store(failed, Ordering::SeqCst);
    }

    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the time is to be noted between commands.
    pub fn set_timestamps(&self, on: bool) {
        let mut tail = self.tail();
        tail.timestamps = on;
        tail.timestamp_s = 0;
    }

    /// Appends a unit; `whole`: several commands of it become a transaction, so that nobody ever sees a part of them.
    ///
    /// Takes the time of a copy.
    pub fn append(&self, unit: &Unit, whole: bool, now_ms: u64) {
        let whole = whole && unit.commands() > 1;
        let mut tail = self.tail();
        let tail = &mut *tail;
        if unit.is_passed_on() {
            return self.append_passed_on(tail, unit);
        }
        if tail.timestamps && tail.kept && now_ms / 1000 > tail.timestamp_s {
            tail.timestamp_s = now_ms / 1000;
            // It is in the file, but not in the stream: no offset counts it.
            tail.pending.extend_from_slice(timestamp_line(tail.timestamp_s).as_bytes());
        }
        let before = tail.pending.len();
        if tail.selected_db != Some(unit.first_db()) {
            write_select(&mut tail.pending, unit.first_db());
        }
        if whole {
            tail.pending.extend_from_slice(MULTI);
        }
        tail.pending.extend_from_slice(unit.bytes());
        tail.selected_db = Some(unit.last_db());
        if whole {
            tail.pending.extend_from_slice(EXEC);
        }
        let added = (tail.pending.len() - before) as u64;
        self.units.store(self.units.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if let Some(stream) = &mut tail.stream {
            stream.push(&tail.pending[before..]);
        }
        let end = self.end.load(Ordering::Relaxed) + added;
        self.end.store(end, Ordering::Release);
        self.units_end.store(end, Ordering::Release);
        if !tail.kept {
            tail.pending.truncate(before);
            // There is nothing that anybody could wait for.
            self.written.store(end, Ordering::Release);
            self.durable.store(end, Ordering::Release);
        }
    }

    /// Says that what follows is about database `db`, if replicas read it.
    pub fn select_for_replicas(&self, db: usize) {
        let mut tail = self.tail();
        let tail = &mut *tail;
        let Some(stream) = tail.stream.as_mut().filter(|_| tail.selected_db != Some(db)) else { return };
        let mut bytes = Vec::new();
        write_select(&mut bytes, db);
        tail.selected_db = Some(db);
        stream.push(&bytes);
        let end = self.end.load(Ordering::Relaxed) + bytes.len() as u64;
        self.end.store(end, Ordering::Release);
        if tail.kept {
            tail.pending.extend_from_slice(&bytes);
        } else {
            self.written.store(end, Ordering::Release);
            self.durable.store(end, Ordering::Release);
        }
    }

    /// Appends what only replicas get: it changes no data. Does nothing when there is no backlog.
    pub fn append_for_replicas(&self, bytes: &[u8]) {
        let mut tail = self.tail();
        let Some(stream) = &mut tail.stream else { return };
        stream.push(bytes);
        let end = self.end.load(Ordering::Relaxed) + bytes.len() as u64;
        self.end.store(end, Ordering::Release);
        if !tail.kept {
            self.written.store(end, Ordering::Release);
            self.durable.store(end, Ordering::Release);
        }
    }

    /// Appends what the log of another server has. Its bytes are the stream's; which database they are about, a file that
    /// begins here is told beside them.
    #[cold]
    fn append_passed_on(&self, tail: &mut Tail, unit: &Unit) {
        if tail.kept {
            if tail.selected_db != Some(unit.first_db()) {
                write_select(&mut tail.pending, unit.first_db());
            }
            tail.pending.extend_from_slice(unit.bytes());
        }
        tail.selected_db = Some(unit.last_db());
        if let Some(stream) = &mut tail.stream {
            stream.push(unit.bytes());
        }
        let end = self.end.load(Ordering::Relaxed) + unit.bytes().len() as u64;
        self.units.store(self.units.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.end.store(end, Ordering::Release);
        self.units_end.store(end, Ordering::Release);
        if !tail.kept {
            self.written.store(end, Ordering::Release);
            self.durable.store(end, Ordering::Release);
        }
    }

    /// Writes what is pending and changes files where that is due, now. Not for a loop's thread.
    pub fn settle(&self) {
        self.flush(true);
    }

    /// The stream is that of another server from here on, which is at `offset`. There must be no file.
    pub fn begin_at(&self, offset: u64, backlog_bytes: u64) {
        let mut tail = self.tail();
        debug_assert!(!tail.kept && tail.pending.is_empty(), "the file was ended");
        tail.selected_db = None;
        tail.stream = Some(Stream { backlog: Backlog::new(offset, backlog_bytes), positions: Vec::new() });
        for place in [&self.end, &self.units_end, &self.written, &self.durable] {
            place.store(offset, Ordering::Release);
        }
    }

    /// The next unit says which database it is about.
    pub fn select_anew(&self) {
        self.tail().selected_db = None;
    }

    // ---- replicas ----

    /// Keeps the stream from here on for replicas, `size` bytes of it at least; nothing new when that is so already.
    pub fn open_backlog(&self, size: u64) {
        let mut tail = self.tail();
        let end = self.end();
        let stream =
            tail.stream.get_or_insert_with(|| Stream { backlog: Backlog::new(end, size), positions: Vec::new() });
        stream.backlog.set_size(size);
        stream.trim();
    }

    /// As [`Log::open_backlog`], if there is one.
    pub fn resize_backlog(&self, size: u64) {
        if let Some(stream) = &mut self.tail().stream {
            stream.backlog.set_size(size);
            stream.trim();
        }
    }

    /// Throws the backlog away.
    pub fn close_backlog(&self) {
        self.tail().stream = None;
    }

    /// What the backlog has, from one offset to another.
    pub fn kept_for_replicas(&self) -> Option<(u64, u64)> {
        self.tail().stream.as_ref().map(|stream| (stream.backlog.start(), stream.backlog.end()))
    }

    /// A reader begins here. At a cut, call it while all shards are locked. The stream says anew which database it is about.
    pub fn read_from_here(&self, position: &Position) -> u64 {
        let mut tail = self.tail();
        let end = self.end();
        tail.selected_db = None;
        position.store(end, Ordering::Relaxed);
        if let Some(stream) = &mut tail.stream
            && !stream.positions.iter().any(|known| Arc::ptr_eq(known, position))
        {
            stream.positions.push(Arc::clone(position));
        }
        end
    }

    /// A reader goes on where it was, as `choose` says, to whom is told what there is.
    ///
    /// # Errors
    /// As `choose`.
    pub fn read_on<E>(
        &self,
        position: &Position,
        choose: impl FnOnce(Option<(u64, u64)>) -> Result<u64, E>,
    ) -> Result<u64, E> {
        let mut tail = self.tail();
        let kept = tail.stream.as_ref().map(|stream| (stream.backlog.start(), stream.backlog.end()));
        let offset = choose(kept)?;
        position.store(offset, Ordering::Relaxed);
        if let Some(stream) = &mut tail.stream {
            stream.positions.push(Arc::clone(position));
        }
        Ok(offset)
    }

    /// A reader is gone.
    pub fn stop_reading(&self, position: &Position) {
        if let Some(stream) = &mut self.tail().stream {
            stream.positions.retain(|known| !Arc::ptr_eq(known, position));
            stream.trim();
        }
    }

    /// Adds at most `most` bytes from `offset` on to `out`; says no when they are not there any more.
    pub fn read(&self, offset: u64, most: usize, out: &mut Vec<u8>) -> bool {
        self.tail().stream.as_ref().is_some_and(|stream| stream.backlog.read(offset, most, out))
    }

    /// From here on the stream goes to another file, or to none. Everything before is on the disk before anything is written to
    /// the new one, and then `done` is told. At a cut, call it while all shards are locked: the file begins exactly there.
    pub fn switch(&self, to: Option<Segment>, done: Option<mpsc::Sender<()>>) -> u64 {
        let mut tail = self.tail();
        let offset = self.end();
        // What was not to be kept up to here is nobody's to wait for.
        if !tail.kept {
            self.written.store(offset, Ordering::Release);
            self.durable.store(offset, Ordering::Release);
        }
        tail.kept = to.is_some();
        // Each file says anew what it is about.
        tail.selected_db = None;
        tail.timestamp_s = 0;
        let at = tail.pending.len();
        tail.switches.push_back(Switch { at, offset, to, done });
        drop(tail);
        self.nudge();
        offset
    }

    /// Bytes that have not been written.
    pub fn pending_bytes(&self) -> usize {
        self.tail().pending.len()
    }

    /// Wakes the thread that syncs.
    #[inline]
    pub fn nudge(&self) {
        if let Some(thread) = self.syncer.get() {
            thread.unpark();
        }
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
        log.append(&unit, whole, 12_345);
    }

    fn kept() -> Log {
        let log = Log::default();
        log.tail().kept = true;
        log
    }

    fn pending(log: &Log) -> String {
        let bytes = std::mem::take(&mut log.tail().pending);
        let text = String::from_utf8(bytes).expect("text");
        let words = text.split("\r\n").filter(|word| !word.is_empty() && !word.starts_with(['*', '$']));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn several_commands_are_a_transaction_and_one_is_none() {
        let log = kept();
        append(&log, true, &[(0, "SET a 1")]);
        assert_eq!(pending(&log), "SELECT 0 SET a 1");
        append(&log, true, &[(0, "SET a 1"), (0, "SET b 2")]);
        assert_eq!(pending(&log), "MULTI SET a 1 SET b 2 EXEC");
        append(&log, false, &[(0, "DEL a"), (0, "DEL b")]);
        assert_eq!(pending(&log), "DEL a DEL b");
    }

    #[test]
    fn the_stream_selects_a_database_only_when_it_changes() {
        let log = kept();
        append(&log, true, &[(2, "DEL a"), (5, "DEL b")]);
        assert_eq!(pending(&log), "SELECT 2 MULTI DEL a SELECT 5 DEL b EXEC");
        append(&log, true, &[(5, "DEL a")]);
        assert_eq!(pending(&log), "DEL a");
    }

    #[test]
    fn the_time_is_noted_once_a_second_and_counts_for_no_offset() {
        let log = kept();
        append(&log, true, &[(0, "SET a 1")]);
        let end = log.end();
        log.set_timestamps(true);
        pending(&log);
        append(&log, true, &[(0, "SET a 1")]);
        append(&log, true, &[(0, "SET a 1")]);
        assert_eq!(pending(&log), "#TS:12 SET a 1 SET a 1");
        let added = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n".len() as u64;
        assert_eq!(log.end() - end, 2 * added);
    }

    #[test]
    fn replicas_and_the_file_read_the_same_bytes_at_the_same_offsets() {
        let log = kept();
        append(&log, true, &[(0, "SET a 1")]);
        log.open_backlog(1000);
        let position = Position::default();
        let began = log.read_from_here(&position);
        pending(&log);
        append(&log, true, &[(0, "SET a 1"), (1, "SET b 2")]);
        let file = log.tail().pending.clone();
        let mut stream = Vec::new();
        assert!(log.read(began, 1000, &mut stream));
        assert_eq!(stream, file);
        assert_eq!(began + stream.len() as u64, log.end());
        // A sign of life is in the stream only, but it has its place in it.
        log.append_for_replicas(b"*1\r\n$4\r\nPING\r\n");
        assert_eq!(log.tail().pending, file);
        assert_eq!(log.end(), began + file.len() as u64 + 14);
        assert_eq!(log.units_end(), began + file.len() as u64);
        assert!(!log.read(began - 1, 10, &mut stream));
    }

    #[test]
    fn what_is_passed_on_keeps_its_bytes_and_offsets() {
        let log = Log::default();
        log.begin_at(5000, 1000);
        log.tail().kept = true;
        let mut unit = Unit::default();
        let bytes = b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n";
        unit.pass_on(bytes, 3, 3);
        log.append(&unit, true, 1);
        let mut stream = Vec::new();
        assert!(log.read(5000, 1000, &mut stream));
        assert_eq!((&stream[..], log.end()), (&bytes[..], 5000 + bytes.len() as u64));
        // Only the file has to be told where it begins.
        assert_eq!(pending(&log), "SELECT 3 MULTI INCR a EXEC");
        log.append(&unit, true, 1);
        assert_eq!(pending(&log), "MULTI INCR a EXEC");
    }

    #[test]
    fn without_a_file_nothing_waits_to_be_written() {
        let log = Log::default();
        log.open_backlog(1000);
        append(&log, true, &[(0, "SET a 1")]);
        log.append_for_replicas(b"*1\r\n$4\r\nPING\r\n");
        assert_eq!((log.unwritten_bytes(), log.durable()), (0, log.end()));
    }

    #[test]
    fn a_stream_without_a_file_keeps_nothing_but_its_length() {
        let log = Log::default();
        append(&log, true, &[(0, "SET a 1")]);
        assert_eq!(pending(&log), "");
        assert!(log.end() > 0);
        log.switch(None, None);
        assert_eq!((log.durable(), log.reached(Policy::No)), (log.end(), log.end()));
    }
}
