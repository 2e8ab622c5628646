//! From the log's tail to the file, and from there to the disk.
//!
//! With `appendfsync` everysec and no the event loops write at the end of their turns, before their replies leave: the system
//! takes the bytes at once. The thread that syncs does all that may take long: it syncs, it changes files, and with always it
//! writes, too, so that one sync serves all who wait.

use crate::persistence::log::{Log, Policy};
use ochre_persistence::Annotator;
use std::fs::File;
use std::io::{self, ErrorKind, Seek, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A file that is appended to.
pub struct Segment {
    /// Opened to write, at its end; synced by one thread while others write.
    pub file: Arc<File>,
    /// Knows which bytes no checksum covers yet.
    pub annotator: Annotator,
}

/// What is written to now.
#[derive(Default)]
pub struct Files {
    current: Option<Segment>,
    /// Taken from the tail, of which `done` bytes are written.
    buffer: Vec<u8>,
    done: usize,
    /// Where the stream is when the buffer is written.
    target: u64,
    /// A sync failed: nobody knows what of the file is on the disk, so it has to be replaced.
    suspect: bool,
}

/// A checksum follows about so many bytes.
const COVERED_BYTES_MIN: u64 = 4096;
/// An empty buffer keeps so much memory.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// How often the thread looks by itself.
const PERIOD: Duration = Duration::from_millis(100);
/// With everysec a sync begins so long after the last one began, `PERIOD` later at most: no more than a second is at risk.
const SYNC_PERIOD_MS: u64 = 850;
/// A sync that takes so long makes loops put off their writes, which might wait for it, but not for longer than that.
const SLOW_SYNC_MS: u64 = 100;
const PUT_OFF_MS_MAX: u64 = 2000;

fn now_ms() -> u64 {
    ochre_clock::monotonic_ns() / 1_000_000 + 1
}

impl Log {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is pending, at the end of a loop's turn. Leaves to the thread that syncs what may take long.
    pub fn flush_turn(&self) {
        if self.end() <= self.written.load(Ordering::Acquire) {
            return;
        }
        let began_ms = self.numbers.sync_began_ms.load(Ordering::Relaxed);
        if began_ms > 0 && now_ms().saturating_sub(began_ms) > SLOW_SYNC_MS {
            let since_ms = self.numbers.put_off_since_ms.load(Ordering::Relaxed);
            if since_ms == 0 {
                return self.numbers.put_off_since_ms.store(now_ms(), Ordering::Relaxed);
            }
            if now_ms().saturating_sub(since_ms) < PUT_OFF_MS_MAX {
                return;
            }
            self.numbers.delayed_syncs.fetch_add(1, Ordering::Relaxed);
            crate::log::notice(format_args!(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync \
                 to complete, this may slow down Ochre."
            ));
        }
        self.numbers.put_off_since_ms.store(0, Ordering::Relaxed);
        if self.tail().switches.is_empty() {
            self.flush(false);
        } else {
            self.nudge();
        }
    }

    /// Writes all that is pending; answers whether it could. `may_switch`: also changes files, which waits for the disk.
    pub(super) fn flush(&self, may_switch: bool) -> bool {
        let mut files = self.files();
        loop {
            if let Err(error) = files.write(self) {
                drop(files);
                self.note_failure(&error, "writing to");
                return false;
            }
            let mut tail = self.tail();
            let Some(switch) = tail.switches.front() else {
                if tail.pending.is_empty() {
                    // Behind what was written may stand what only replicas get.
                    self.written.fetch_max(self.end(), Ordering::Release);
                    break;
                }
                files.take(&mut tail.pending, self.end());
                continue;
            };
            let (at, offset) = (switch.at, switch.offset);
            if at > 0 {
                let rest = tail.pending.split_off(at);
                files.take(&mut tail.pending, offset);
                tail.pending = rest;
                tail.switches.iter_mut().for_each(|switch| switch.at -= at);
                continue;
            }
            if !may_switch {
                break;
            }
            let switch = tail.switches.pop_front().expect("it was looked at");
            drop(tail);
            self.written.fetch_max(switch.offset, Ordering::Release);
            match files.close_current(self) {
                Ok(()) if !files.suspect => {
                    self.durable.fetch_max(switch.offset, Ordering::Release);
                }
                Ok(()) => {}
                // The next file holds everything that is missing in this one once its base is there.
                Err(error) => {
                    files.suspect = true;
                    self.note_failure(&error, "syncing");
                }
            }
            files.current = switch.to;
            if let Some(done) = switch.done {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
        if self.has_failed() && !files.suspect {
            self.set_failed(false);
            crate::log::warning(format_args!("AOF write error looks solved. The server can write again."));
        }
        true
    }

    fn note_failure(&self, error: &io::Error, what: &str) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = system_text(error);
        if !self.has_failed() {
            self.set_failed(true);
            crate::log::warning(format_args!("Error {what} the AOF file: {error}"));
        }
    }

    /// What the system said when writing failed.
    pub fn failure(&self) -> String {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether only a new base can make the files whole again.
    pub fn needs_rewrite(&self) -> bool {
        self.files().suspect
    }

    /// A new base is in place, and everything since is in the file that is written now.
    pub fn rewritten(&self) {
        self.files().suspect = false;
    }

    /// Brings what is written to the disk; answers whether it could.
    pub(super) fn sync(&self) -> bool {
        let (file, target) = {
            let files = self.files();
            if files.suspect {
                return false;
            }
            (files.current.as_ref().map(|segment| Arc::clone(&segment.file)), self.written.load(Ordering::Acquire))
        };
        let Some(file) = file else {
            self.durable.fetch_max(target, Ordering::Release);
            return true;
        };
        self.numbers.sync_began_ms.store(now_ms(), Ordering::Relaxed);
        let result = file.sync_data();
        self.numbers.sync_began_ms.store(0, Ordering::Relaxed);
        self.numbers.put_off_since_ms.store(0, Ordering::Relaxed);
        match result {
            Ok(()) => {
                self.durable.fetch_max(target, Ordering::Release);
                true
            }
            Err(error) => {
                self.files().suspect = true;
                self.note_failure(&error, "syncing");
                false
            }
        }
    }

    /// What is not on the disk yet.
    fn is_dirty(&self) -> bool {
        self.durable() < self.written.load(Ordering::Acquire)
    }

    /// Whether anything waits to be written.
    fn has_pending(&self) -> bool {
        let tail = self.tail();
        !tail.pending.is_empty() || !tail.switches.is_empty()
    }

    /// Ends the files with a checksum and on the disk: the server stops.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn close(&self) -> Result<(), String> {
        if self.policy() == Policy::Off {
            return Ok(());
        }
        let flushed = self.flush(true);
        let closed = self.files().close_current(self).map_err(|error| system_text(&error));
        if flushed { closed } else { Err(self.failure()) }
    }
}

impl Files {
    /// Takes what is to be written next; all before has been written.
    fn take(&mut self, pending: &mut Vec<u8>, target: u64) {
        std::mem::swap(&mut self.buffer, pending);
        self.done = 0;
        self.target = target;
        if let Some(segment) = &mut self.current {
            segment.annotator.note(&self.buffer);
            if segment.annotator.uncovered() >= COVERED_BYTES_MIN {
                self.buffer.extend_from_slice(segment.annotator.cover().as_bytes());
            }
        }
    }

    /// Writes the rest of the buffer. After an error it goes on where it ended.
    fn write(&mut self, log: &Log) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Some(segment) = &self.current {
            let sleep_us = log.numbers.flush_sleep_us.load(Ordering::Relaxed);
            if sleep_us > 0 {
                std::thread::sleep(Duration::from_micros(sleep_us));
            }
            let began = self.done;
            while self.done < self.buffer.len() {
                match (&*segment.file).write(&self.buffer[self.done..]) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(count) => self.done += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            log.numbers.size_bytes.fetch_add((self.done - began) as u64, Ordering::Relaxed);
        }
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
        log.written.fetch_max(self.target, Ordering::Release);
        Ok(())
    }

    /// Ends the current file: all of it is covered by checksums, and on the disk.
    fn close_current(&mut self, log: &Log) -> io::Result<()> {
        let Some(mut segment) = self.current.take() else { return Ok(()) };
        if segment.annotator.uncovered() > 0 {
            let line = segment.annotator.cover();
            let mut file = &*segment.file;
            let end = file.stream_position()?;
            match file.write_all(line.as_bytes()) {
                Ok(()) => _ = log.numbers.size_bytes.fetch_add(line.len() as u64, Ordering::Relaxed),
                // It goes without the checksum, but not with a part of it: another file follows.
                Err(_) => file.set_len(end)?,
            }
        }
        segment.file.sync_data()
    }
}

/// What the system says about an error, in its own words.
pub fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// When the last sync served several, the next one waits a little for the rest of them, who have just been answered: else
/// clients fall into two halves, of which one always waits for the other's sync.
#[derive(Default)]
struct Gathering {
    /// Units before the last flush.
    units: u64,
    /// Units that the last sync served.
    served: u64,
    /// When so many units are there, all who were answered have come again.
    expected: u64,
    sync_took: Duration,
}

impl Gathering {
    /// At most so much of the time that a sync takes is waited, and no more than that.
    const PART_OF_SYNC: u32 = 4;
    const LIMIT: Duration = Duration::from_millis(2);

    fn wait(&self, log: &Log) {
        let limit = (self.sync_took / Self::PART_OF_SYNC).min(Self::LIMIT);
        let began = Instant::now();
        while self.served > 1 && log.units() < self.expected {
            let waited = began.elapsed();
            if waited >= limit {
                break;
            }
            // Whoever appends wakes this thread.
            std::thread::park_timeout(limit - waited);
        }
    }

    fn flushes(&mut self, log: &Log) {
        let now = log.units();
        self.served = now - self.units;
        self.units = now;
    }

    fn synced(&mut self, log: &Log, took: Duration) {
        self.expected = log.units() + self.served;
        self.sync_took = took;
    }
}

/// The thread that syncs. `progress` is called whenever the disk, or the system, has more than before.
pub fn run(log: &Log, stopped: impl Fn() -> bool, progress: impl Fn()) {
    let mut synced_ms = now_ms();
    let mut gathering = Gathering::default();
    while !stopped() {
        std::thread::park_timeout(PERIOD);
        let before = (log.written.load(Ordering::Acquire), log.durable(), log.has_failed());
        match log.policy() {
            Policy::Always => {
                // What failed lies in no tail any more, but is not durable either.
                while log.has_pending() || log.durable() < log.end() {
                    let durable = log.durable();
                    gathering.wait(log);
                    gathering.flushes(log);
                    if !log.flush(true) {
                        break;
                    }
                    if !log.numbers.sync_paused.load(Ordering::Relaxed) {
                        let began = Instant::now();
                        if !log.sync() {
                            break;
                        }
                        gathering.synced(log, began.elapsed());
                    } else {
                        log.durable.fetch_max(log.written.load(Ordering::Acquire), Ordering::Release);
                    }
                    if log.durable() == durable {
                        break;
                    }
                    progress();
                }
            }
            Policy::EverySecond => {
                let began_ms = now_ms();
                let due = began_ms.saturating_sub(synced_ms) >= SYNC_PERIOD_MS;
                if log.flush(true) && due && log.is_dirty() && !log.numbers.sync_paused.load(Ordering::Relaxed) {
                    log.sync();
                    synced_ms = began_ms;
                }
            }
            Policy::No | Policy::Off => {
                log.flush(true);
            }
        }
        if before != (log.written.load(Ordering::Acquire), log.durable(), log.has_failed()) {
            progress();
        }
    }
}
