//! The thread that writes a snapshot: it takes what the event loops find, in whatever order it comes.

use super::{
    CHUNK_BYTES, Chunk, Encoder, Failure, Job, LargeValue, Outcome, QUEUE_BYTES_MAX, SAVED_BYTES_MAX, Sink, Summary,
    encode,
};
use crate::pause::Hold;
use crate::shared::{Message, Shared};
use ochre_collections::EntryRef;
use ochre_digest::Crc64;
use ochre_keyspace::{Detached, Entry, LargeHead, Saved, Show, Step, Visitor};
use ochre_values::Object;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::Duration;

/// The thread that writes snapshots, one after the other.
pub struct WritingThread(mpsc::Sender<Box<dyn FnOnce() + Send>>);

impl WritingThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> io::Result<WritingThread> {
        let (sender, receiver) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        std::thread::Builder::new().name("snapshot".into()).spawn(move || receiver.iter().for_each(|work| work()))?;
        Ok(WritingThread(sender))
    }

    pub(super) fn run(&self, work: Box<dyn FnOnce() + Send>) {
        // The thread lives as long as this sender does, so it takes everything.
        let _ = self.0.send(work);
    }
}

/// The thread that writes a snapshot.
pub(super) struct Writer {
    pub(super) shared: &'static Shared,
    pub(super) job: Arc<Job>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) checksum: Crc64,
    pub(super) bytes: u64,
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) selected: Option<usize>,
    /// Tables that were taken out of the keyspace, and what their walk finds.
    pub(super) detached: Vec<Detached>,
    pub(super) copied: Vec<Saved>,
    pub(super) found: VecDeque<Found>,
    /// Whether such a walk only goes on with what has been begun.
    pub(super) only_begun: bool,
    pub(super) keys: u64,
    pub(super) key_delay_us: i64,
}

/// What the walk of a table that was taken out of the keyspace finds, in the order in which it is to be written.
pub(super) enum Found {
    Bytes(Vec<u8>),
    Large(Arc<LargeValue>),
}

impl Visitor for Writer {
    fn entry(&mut self, db: usize, entry: EntryRef<'_, Object>) -> usize {
        self.keys += 1;
        encode(&mut *self.encoder, &mut self.selected, db, entry)
    }

    fn copied(&mut self, db: usize, entry: Entry) {
        self.copied.push((db, entry));
    }

    fn large(&mut self, db: usize, head: &LargeHead) -> Option<Arc<dyn Show>> {
        self.keys += 1;
        let bytes = self.encoder.take();
        self.selected = None;
        let large = LargeValue::begin(&*self.job.format, db, head);
        self.found.push_back(Found::Bytes(bytes));
        self.found.push_back(Found::Large(Arc::clone(&large)));
        Some(large)
    }

    fn is_full(&mut self) -> bool {
        self.only_begun
    }

    fn free(&mut self, entry: Entry) {
        drop(entry);
    }
}

impl Writer {
    pub(super) fn run(mut self) -> Outcome {
        let written = self.write_all();
        if written.is_err() {
            self.job.cancel();
        }
        self.drain();
        self.shared.pause.release(Hold::Writes);
        self.shared.tell_all(|| Message::PauseChanged);
        self.shared.keyspace.end_cut();
        let outcome = written.and_then(|()| {
            self.sink.finish().map_err(|error| Failure::Sink(error.to_string()))?;
            Ok(Summary { keys: self.job.keys_written(), bytes: self.bytes })
        });
        if outcome.is_err() {
            self.sink.discard();
        }
        outcome
    }

    fn write_all(&mut self) -> Result<(), Failure> {
        let job = Arc::clone(&self.job);
        let mut out = Vec::new();
        job.format.begin(&job.cut, &mut out);
        self.write(&out)?;
        while let Some(chunk) = self.next_chunk() {
            match chunk {
                Chunk::Encoded { bytes, keys } => {
                    self.wait_for_keys(keys)?;
                    self.write(&bytes)?;
                    self.selected = None;
                    job.keys_written.fetch_add(keys, Ordering::Relaxed);
                }
                Chunk::Saved { entries, bytes } => {
                    self.write_saved(entries)?;
                    self.forget_saved(bytes);
                }
                Chunk::Large(large) => {
                    self.wait_for_keys(1)?;
                    self.write_large(&large)?;
                    self.selected = None;
                    job.keys_written.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.write_detached()?;
        }
        self.write_detached()?;
        self.job.lock().saved_bytes = 0;
        if job.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        out.clear();
        job.format.end(self.checksum, &mut out);
        self.write(&out)
    }

    /// Frees what the loops still bring after the end was decided, until all marks of the cut are gone.
    fn drain(&mut self) {
        while self.next_chunk().is_some() {}
        self.detached.clear();
        drop(self.job.cut.take_detached());
    }

    /// The next part; `None` once there is no more to come.
    fn next_chunk(&mut self) -> Option<Chunk> {
        let mut queue = self.job.lock();
        loop {
            if let Some(chunk) = queue.chunks.pop_front() {
                if let Chunk::Encoded { bytes, .. } = &chunk {
                    queue.encoded_bytes -= bytes.len();
                }
                let wakes = queue.is_awaited && queue.encoded_bytes < QUEUE_BYTES_MAX / 2;
                if wakes {
                    queue.is_awaited = false;
                }
                drop(queue);
                if wakes {
                    self.shared.tell_all(|| Message::WalkOn);
                }
                return Some(chunk);
            }
            if self.job.all_walked() {
                return None;
            }
            if queue.is_awaited {
                queue.is_awaited = false;
                self.shared.tell_all(|| Message::WalkOn);
            }
            // A shard's end is told without the lock, so it may be missed.
            let (again, _) =
                self.job.more.wait_timeout(queue, Duration::from_millis(20)).unwrap_or_else(PoisonError::into_inner);
            queue = again;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.job.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        if self.job.format.has_checksum() {
            self.checksum.update(bytes);
        }
        self.bytes += bytes.len() as u64;
        self.sink.write(bytes).map_err(|error| Failure::Sink(error.to_string()))
    }

    fn write_saved(&mut self, entries: Vec<Saved>) -> Result<(), Failure> {
        for (db, entry) in entries {
            self.wait_for_keys(1)?;
            encode(&mut *self.encoder, &mut self.selected, db, entry.as_ref());
            drop(entry);
            self.job.keys_written.fetch_add(1, Ordering::Relaxed);
            if self.encoder.len() >= CHUNK_BYTES {
                self.write_encoded()?;
            }
        }
        self.write_encoded()
    }

    fn write_encoded(&mut self) -> Result<(), Failure> {
        let bytes = self.encoder.take();
        self.write(&bytes)
    }

    /// Saved entries are gone: lets writers go on, if that was what they waited for.
    fn forget_saved(&mut self, bytes: usize) {
        self.job.lock().saved_bytes -= bytes;
        if self.shared.pause.is_held(Hold::Writes) && !self.job.holds_too_much(SAVED_BYTES_MAX / 2) {
            self.shared.pause.release(Hold::Writes);
            self.shared.tell_all(|| Message::PauseChanged);
        }
    }

    /// Writes a large value as its pieces come. Those that were in a table which was taken out of the keyspace meanwhile are looked
    /// for here.
    fn write_large(&mut self, large: &LargeValue) -> Result<(), Failure> {
        while !self.write_pieces(large)? {
            if self.job.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            let pieces = large.lock();
            if !pieces.waiting.is_empty() || pieces.is_whole {
                continue;
            }
            let waited = large.more.wait_timeout(pieces, Duration::from_millis(5));
            let (pieces, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            drop(pieces);
            if timeout.timed_out() {
                self.go_on_with_begun();
            }
        }
        Ok(())
    }

    /// Writes the pieces of a large value that are there; says whether these were the last ones.
    fn write_pieces(&mut self, large: &LargeValue) -> Result<bool, Failure> {
        loop {
            let mut pieces = large.lock();
            let Some(bytes) = pieces.waiting.pop_front() else { return Ok(pieces.is_whole) };
            pieces.bytes -= bytes.len();
            let wakes = pieces.is_awaited && pieces.bytes < QUEUE_BYTES_MAX / 2;
            pieces.is_awaited &= !wakes;
            drop(pieces);
            if wakes {
                self.shared.tell_all(|| Message::WalkOn);
            }
            self.write(&bytes)?;
        }
    }

    /// Goes on with the large values that were begun before their tables were taken out of the keyspace, as far as there is room.
    fn go_on_with_begun(&mut self) {
        self.detached.extend(self.job.cut.take_detached());
        let mut tables = std::mem::take(&mut self.detached);
        self.only_begun = true;
        for table in tables.iter_mut().filter(|table| table.is_showing()) {
            let mut saved = Vec::new();
            while table.is_showing() && table.walk(&mut { CHUNK_BYTES }, &mut saved, self) == Step::More {}
            self.copied.append(&mut saved);
        }
        self.only_begun = false;
        self.detached = tables;
    }

    /// Writes the tables that were taken out of the keyspace, and frees them.
    fn write_detached(&mut self) -> Result<(), Failure> {
        self.detached.extend(self.job.cut.take_detached());
        let saved = std::mem::take(&mut self.copied);
        self.write_saved(saved)?;
        // One that is showing a large value waits for the writing of what came before.
        while let Some(at) = self.detached.iter().position(|table| !table.is_showing()) {
            let table = self.detached.swap_remove(at);
            self.write_table(table)?;
        }
        Ok(())
    }

    fn write_table(&mut self, mut table: Detached) -> Result<(), Failure> {
        let mut ended = false;
        while !ended {
            let (mut room, mut saved) = (CHUNK_BYTES, Vec::new());
            ended = table.walk(&mut room, &mut saved, self) == Step::Ended;
            let bytes = self.encoder.take();
            self.selected = None;
            self.found.push_back(Found::Bytes(bytes));
            while let Some(found) = self.found.pop_front() {
                match found {
                    Found::Bytes(bytes) => self.write(&bytes)?,
                    Found::Large(large) => {
                        if !self.write_pieces(&large)? {
                            // Nothing has been found behind it: the rest comes with the next step.
                            self.found.push_front(Found::Large(large));
                            break;
                        }
                    }
                }
            }
            let keys = std::mem::take(&mut self.keys);
            self.wait_for_keys(keys)?;
            self.job.keys_written.fetch_add(keys, Ordering::Relaxed);
            self.copied.append(&mut saved);
            if self.found.is_empty() {
                let saved = std::mem::take(&mut self.copied);
                self.write_saved(saved)?;
            }
        }
        Ok(())
    }

    /// Waits as tests want it, unless the snapshot is called off.
    fn wait_for_keys(&mut self, keys: u64) -> Result<(), Failure> {
        if self.key_delay_us == 0 {
            return Ok(());
        }
        // A negative delay is one microsecond for so many keys.
        let delay_us = match u64::try_from(self.key_delay_us) {
            Ok(delay_us) => keys.saturating_mul(delay_us),
            Err(_) => keys / self.key_delay_us.unsigned_abs(),
        };
        let until_ns = ochre_clock::monotonic_ns().saturating_add(delay_us.saturating_mul(1000));
        let mut queue = self.job.lock();
        loop {
            let now_ns = ochre_clock::monotonic_ns();
            if self.job.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            if now_ns >= until_ns {
                return Ok(());
            }
            let rest = Duration::from_nanos(until_ns - now_ns);
            (queue, _) = self.job.more.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
