//! Taking a snapshot: the event loops walk through the keyspace between their turns, and a thread of its own writes what they find.
//!
//! A loop takes one step a turn, some 100 µs at most, so a snapshot goes as fast as clients leave time for it, and never holds
//! a shard for longer than a few entries take. The thread that writes sets the pace: while it has enough to do, nobody walks.
//! Entries that were saved from a change wait in memory until they are written; when there are too many, writers wait.

use crate::pause::Hold;
use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_collections::EntryRef;
use ochre_collections::lock::{Attempt, ShardSet, Ticket};
use ochre_digest::Crc64;
use ochre_keyspace::{Cut, Locked, Saved};
use ochre_values::Object;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// A loop walks for so long in each turn, ns.
const STEP_NS: u64 = 100_000;
/// Bytes that are made while a shard is locked.
const LOCKED_BYTES: usize = 16 * 1024;
/// Loops hand on what they have made when it has this size, bytes.
const CHUNK_BYTES: usize = 128 * 1024;
/// Nobody walks while so many bytes wait to be written.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// From so many bytes of saved entries on they are fetched from shards whose turn has not come.
const COLLECT_BYTES_MIN: usize = 8 << 20;
/// Writers wait while saved entries take more than this, bytes.
const SAVED_BYTES_MAX: usize = 64 << 20;

/// How a snapshot becomes bytes. Each loop and the writing thread have an encoder of their own, so parts of different databases
/// come in any order, each begun by `select`.
pub trait Format: Send + Sync {
    /// What stands in front, before the first `select`.
    fn begin(&self, cut: &Cut, out: &mut Vec<u8>);
    /// An encoder for one thread.
    fn encoder(&self) -> Box<dyn Encoder>;
    /// What stands at the end; `checksum` is that of all bytes before, if this format has one.
    fn end(&self, checksum: Crc64, out: &mut Vec<u8>);
    /// Whether `end` wants a checksum.
    fn has_checksum(&self) -> bool;
}

/// Turns entries into bytes, which wait in it until they are taken.
pub trait Encoder: Send {
    /// Says that what follows is of database `db`.
    fn select(&mut self, db: usize);
    /// One key with its deadline and value.
    fn entry(&mut self, entry: EntryRef<'_, Object>);
    /// Bytes that wait.
    fn len(&self) -> usize;
    /// Takes the bytes.
    fn take(&mut self) -> Vec<u8>;
}

/// Where a snapshot's bytes go. Used by the writing thread alone, which may wait here for a disk.
pub trait Sink: Send {
    /// The next bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// All bytes were written: makes the snapshot good (synced, renamed).
    fn finish(&mut self) -> io::Result<()>;
    /// It was given up, or something failed: leaves nothing behind.
    fn discard(&mut self);
}

/// Why there is no snapshot.
#[derive(Debug)]
pub enum Failure {
    /// Somebody called it off.
    Cancelled,
    /// Another one is being taken.
    Busy,
    /// The sink said so.
    Sink(String),
}

/// What came of a snapshot.
pub type Outcome = Result<Summary, Failure>;

/// A snapshot that was taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub keys: u64,
    pub bytes: u64,
}

type AtCut = Box<dyn FnOnce(&Arc<Job>) + Send>;
type OnEnd = Box<dyn FnOnce(&'static Shared, Outcome) + Send>;

/// A snapshot that somebody wants.
pub struct Request {
    format: Box<dyn Format>,
    sink: Box<dyn Sink>,
    at_cut: AtCut,
    on_end: OnEnd,
    /// Microseconds to wait for each key, for tests.
    key_delay_us: i64,
}

impl Request {
    /// A snapshot as `format` says, into `sink`.
    pub fn new(format: impl Format + 'static, sink: impl Sink + 'static) -> Request {
        Request {
            format: Box::new(format),
            sink: Box::new(sink),
            at_cut: Box::new(|_| ()),
            on_end: Box::new(|_, _| ()),
            key_delay_us: 0,
        }
    }

    /// `note` runs at the moment of the snapshot, while all shards are locked: what it reads of the log's end belongs to exactly
    /// the data that the snapshot shows. It must not wait.
    pub fn at_cut(mut self, note: impl FnOnce(&Arc<Job>) + Send + 'static) -> Request {
        self.at_cut = Box::new(note);
        self
    }

    /// `tell` runs on the writing thread once the snapshot is done or has failed, after `Sink::finish` or `Sink::discard`; another one
    /// may be taken by then.
    pub fn on_end(mut self, tell: impl FnOnce(&'static Shared, Outcome) + Send + 'static) -> Request {
        self.on_end = Box::new(tell);
        self
    }

    /// Tells whoever wants the snapshot that there will be none.
    pub fn refuse(self, shared: &'static Shared) {
        (self.on_end)(shared, Err(Failure::Busy));
    }

    /// Waits so many microseconds for each key (`rdb-key-save-delay`).
    pub fn key_delay_us(mut self, delay_us: i64) -> Request {
        self.key_delay_us = delay_us;
        self
    }
}

/// Takes a snapshot of some moment from now on; to be called from any thread. While another one is being taken, it waits.
///
/// ```ignore
/// let offset = Arc::new(AtomicU64::new(0));
/// let noted = Arc::clone(&offset);
/// let request = Request::new(RdbFormat::new(shared, Purpose::Rewrite), base_file)
///     .at_cut(move |_| noted.store(shared.log.end(), Ordering::Release))
///     .on_end(move |shared, outcome| finish_rewrite(shared, outcome, offset.load(Ordering::Acquire)));
/// snapshot::start(shared, request);
/// ```
pub fn start(shared: &'static Shared, request: Request) {
    shared.desks[0].post(Message::Cut(Box::new(request)));
}

/// As `start`, at this very moment; all shards must be held.
///
/// # Errors
/// The request, when another snapshot is being taken.
pub fn begin(shared: &'static Shared, data: &mut Locked<'_>, request: Request) -> Result<Arc<Job>, Box<Request>> {
    let Some(cut) = data.cut() else { return Err(Box::new(request)) };
    let job = Arc::new(Job {
        cut,
        format: request.format,
        shards: shared.keyspace.shard_count(),
        next_shard: AtomicUsize::new(0),
        shards_ended: AtomicUsize::new(0),
        next_collected: AtomicUsize::new(0),
        keys_written: AtomicU64::new(0),
        cancelled: AtomicBool::new(false),
        queue: Mutex::default(),
        more: Condvar::new(),
    });
    (request.at_cut)(&job);
    let writer = Writer {
        shared,
        job: Arc::clone(&job),
        sink: request.sink,
        checksum: Crc64::new(),
        bytes: 0,
        encoder: job.format.encoder(),
        selected: None,
        key_delay_us: request.key_delay_us,
    };
    let on_end = request.on_end;
    shared.snapshot_thread.run(Box::new(move || {
        let outcome = writer.run();
        on_end(shared, outcome);
    }));
    shared.tell_all(|| Message::Walk(Arc::clone(&job)));
    Ok(job)
}

/// A snapshot that is being taken.
pub struct Job {
    cut: Arc<Cut>,
    format: Box<dyn Format>,
    shards: usize,
    /// The shard that the next loop without one takes.
    next_shard: AtomicUsize,
    shards_ended: AtomicUsize,
    /// The shard from which saved entries are fetched next.
    next_collected: AtomicUsize,
    keys_written: AtomicU64,
    cancelled: AtomicBool,
    queue: Mutex<Queue>,
    /// Tells the writing thread that there is more, or that the snapshot is called off.
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    /// Bytes of the encoded chunks.
    encoded_bytes: usize,
    /// Bytes of the saved entries, about.
    saved_bytes: usize,
    /// Whether loops wait for room.
    is_awaited: bool,
}

enum Chunk {
    Encoded { bytes: Vec<u8>, keys: u64 },
    Saved { entries: Vec<Saved>, bytes: usize },
}

impl Job {
    /// Keys that were there at the cut.
    pub fn keys(&self) -> u64 {
        self.cut.sizes().iter().map(|size| size.keys as u64).sum()
    }

    /// Keys that have been written so far.
    pub fn keys_written(&self) -> u64 {
        self.keys_written.load(Ordering::Relaxed)
    }

    /// Bytes of memory that the snapshot takes beside the data, about: what waits to be written.
    pub fn memory_bytes(&self) -> usize {
        let queue = self.lock();
        queue.encoded_bytes + queue.saved_bytes + self.cut.saved_bytes()
    }

    /// Calls the snapshot off.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.cut.give_up();
        let _queue = self.lock();
        self.more.notify_all();
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_walked(&self) -> bool {
        self.shards_ended.load(Ordering::Acquire) == self.shards
    }

    fn push(&self, chunk: Chunk) {
        let mut queue = self.lock();
        match &chunk {
            Chunk::Encoded { bytes, .. } => queue.encoded_bytes += bytes.len(),
            Chunk::Saved { bytes, .. } => queue.saved_bytes += bytes,
        }
        queue.chunks.push_back(chunk);
        drop(queue);
        self.more.notify_one();
    }

    /// Whether a loop may walk on; if not, it is told by a message when it may.
    fn has_room(&self) -> bool {
        let mut queue = self.lock();
        let has_room = queue.encoded_bytes < QUEUE_BYTES_MAX || self.is_cancelled();
        queue.is_awaited |= !has_room;
        has_room
    }

    fn holds_too_much(&self, most: usize) -> bool {
        self.cut.saved_bytes() + self.lock().saved_bytes > most
    }
}

// ---- event loops ----

/// A loop's part in a snapshot.
pub struct Walker {
    job: Arc<Job>,
    shard: Option<usize>,
    encoder: Box<dyn Encoder>,
    /// Keys in the encoder.
    keys: u64,
    selected: Option<usize>,
    /// Whether it waits for room, or for the end.
    sleeps: bool,
}

impl Walker {
    pub fn new(job: Arc<Job>) -> Walker {
        Walker { encoder: job.format.encoder(), job, shard: None, keys: 0, selected: None, sleeps: false }
    }

    /// Bytes of memory that the whole snapshot takes beside the data, about.
    pub fn memory_bytes(&self) -> usize {
        self.job.memory_bytes()
    }

    /// Whether it could take a step at once.
    pub fn has_work(&self) -> bool {
        !self.sleeps
    }

    /// There is room again.
    pub fn wake(&mut self) {
        self.sleeps = false;
    }

    fn flush(&mut self) {
        if self.encoder.len() > 0 {
            let bytes = self.encoder.take();
            self.job.push(Chunk::Encoded { bytes, keys: std::mem::take(&mut self.keys) });
            self.selected = None;
        }
    }
}

/// One turn's part of the walk. Cheap when there is nothing to do.
#[inline]
pub fn step(worker: &mut Worker) {
    if worker.walker.is_some() {
        step_of_walk(worker);
    }
}

#[cold]
fn step_of_walk(worker: &mut Worker) {
    let shared = worker.shared;
    let Some(mut walker) = worker.walker.take() else { return };
    let job = Arc::clone(&walker.job);
    if job.cut.saved_bytes() > COLLECT_BYTES_MIN {
        collect(shared, &job);
        if job.holds_too_much(SAVED_BYTES_MAX) {
            shared.pause.hold(Hold::Writes);
        }
    }
    let began_ns = ochre_clock::monotonic_ns();
    while !walker.sleeps && ochre_clock::monotonic_ns() - began_ns < STEP_NS {
        if !job.has_room() {
            walker.sleeps = true;
        } else if !walk_a_little(shared, &job, &mut walker) {
            break;
        }
    }
    // Until all shards have been walked, this loop looks after the saved entries in each of its turns.
    if !job.all_walked() {
        worker.walker = Some(walker);
    }
}

/// Walks while one shard is locked; says no when the shard is busy.
fn walk_a_little(shared: &'static Shared, job: &Arc<Job>, walker: &mut Walker) -> bool {
    let shard = match walker.shard {
        Some(shard) => shard,
        None => job.next_shard.fetch_add(1, Ordering::Relaxed),
    };
    if shard >= job.shards {
        walker.flush();
        walker.sleeps = true;
        return false;
    }
    walker.shard = Some(shard);
    let mut locks = ShardSet::of(shard);
    let Ok(mut guard) = shared.keyspace.shards().try_lock_set(&mut locks) else { return false };
    let (mut room, mut saved) = (LOCKED_BYTES, Vec::new());
    let Walker { encoder, keys, selected, .. } = walker;
    let ended = shared.keyspace.walk(&mut guard, shard, &mut room, &mut saved, &mut |db, entry| {
        *keys += 1;
        encode(&mut **encoder, selected, db, entry)
    });
    drop(guard);
    push_saved(job, saved);
    if walker.encoder.len() >= CHUNK_BYTES || ended {
        walker.flush();
    }
    if ended {
        walker.shard = None;
        // What was found is in the queue by now, so the writing thread misses nothing.
        job.shards_ended.fetch_add(1, Ordering::AcqRel);
        job.more.notify_one();
    }
    true
}

/// Encodes one entry, after the database it is in if that is another one than before; answers how many bytes that made.
fn encode(encoder: &mut dyn Encoder, selected: &mut Option<usize>, db: usize, entry: EntryRef<'_, Object>) -> usize {
    let before = encoder.len();
    if *selected != Some(db) {
        *selected = Some(db);
        encoder.select(db);
    }
    encoder.entry(entry);
    encoder.len() - before
}

/// Fetches what was saved in the next shard.
fn collect(shared: &'static Shared, job: &Arc<Job>) {
    let shard = job.next_collected.fetch_add(1, Ordering::Relaxed) % job.shards;
    let mut locks = ShardSet::of(shard);
    let Ok(mut guard) = shared.keyspace.shards().try_lock_set(&mut locks) else { return };
    let mut saved = Vec::new();
    shared.keyspace.walk(&mut guard, shard, &mut 0, &mut saved, &mut |_, _| 0);
    drop(guard);
    push_saved(job, saved);
}

fn push_saved(job: &Job, entries: Vec<Saved>) {
    if !entries.is_empty() {
        let bytes = entries.iter().map(|(_, entry)| ochre_keyspace::bytes_of(entry)).sum();
        job.push(Chunk::Saved { entries, bytes });
    }
}

/// A snapshot that waits for all shards.
pub struct PendingCut {
    request: Box<Request>,
    attempt: Attempt,
}

impl Worker {
    /// Takes the snapshot of this request as soon as all shards are free.
    pub fn ask_for_cut(&mut self, request: Box<Request>) {
        let attempt = Attempt::new(Ticket { thread: self.id as u32, client: 0 });
        self.cuts.push_back(PendingCut { request, attempt });
    }

    /// Takes the snapshots that were asked for, one after the other, when all shards are free.
    pub fn take_cuts(&mut self) {
        let shared = self.shared;
        while let Some(mut pending) = self.cuts.pop_front() {
            let mut locks = shared.keyspace.all_shards();
            if shared.keyspace.is_being_cut() {
                return self.cuts.push_front(pending);
            }
            let Ok(guard) = shared.keyspace.shards().lock_or_park(&mut locks, &mut pending.attempt) else {
                return self.cuts.push_front(pending);
            };
            self.effects.clear();
            let mut data = shared.keyspace.view(guard, &self.context, &mut self.effects, 0);
            if let Err(request) = begin(shared, &mut data, *pending.request) {
                drop(data);
                self.ask_for_cut(request);
                return;
            }
        }
    }
}

// ---- the writing thread ----

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

    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        // The thread lives as long as this sender does, so it takes everything.
        let _ = self.0.send(work);
    }
}

/// The thread that writes a snapshot.
struct Writer {
    shared: &'static Shared,
    job: Arc<Job>,
    sink: Box<dyn Sink>,
    checksum: Crc64,
    bytes: u64,
    encoder: Box<dyn Encoder>,
    selected: Option<usize>,
    key_delay_us: i64,
}

impl Writer {
    fn run(mut self) -> Outcome {
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
            }
            self.write_detached()?;
        }
        self.write_detached()?;
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

    /// Writes the tables that were taken out of the keyspace, and frees them.
    fn write_detached(&mut self) -> Result<(), Failure> {
        let job = Arc::clone(&self.job);
        for mut table in job.cut.take_detached() {
            let mut ended = false;
            while !ended {
                let (mut room, mut saved, mut keys) = (CHUNK_BYTES, Vec::new(), 0);
                let Writer { encoder, selected, .. } = self;
                ended = table.walk(&mut room, &mut saved, &mut |db, entry| {
                    keys += 1;
                    encode(&mut **encoder, selected, db, entry)
                });
                self.wait_for_keys(keys)?;
                self.write_encoded()?;
                job.keys_written.fetch_add(keys, Ordering::Relaxed);
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
