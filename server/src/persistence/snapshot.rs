//! Taking a snapshot: the event loops walk through the keyspace between their turns, and a thread of its own writes what they find.
//!
//! A loop takes one step a turn, some 100 µs at most, so a snapshot goes as fast as clients leave time for it, and never holds
//! a shard for longer than a few entries take. The thread that writes sets the pace: while it has enough to do, nobody walks.
//! Entries that were saved from a change wait in memory until they are written; when there are too many, writers wait.

mod writer;

pub use writer::WritingThread;

use crate::pause::Hold;
use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_collections::chunked::NodeRef;
use ochre_collections::lock::{Attempt, ShardSet, Ticket};
use ochre_collections::{EntryRef, View};
use ochre_digest::Crc64;
use ochre_keyspace::{Cut, Entry, Garbage, LargeHead, Locked, Saved, Show, Step, Visitor};
use ochre_values::{Element, Object};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use writer::Writer;

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
    /// A large collection whose elements follow, as many as the head says, with nothing in between.
    fn large(&mut self, head: &LargeHead);
    /// One element of it.
    fn element(&mut self, element: Element<'_>);
    /// That was the last one.
    fn large_end(&mut self);
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
        detached: Vec::new(),
        copied: Vec::new(),
        found: VecDeque::new(),
        only_begun: false,
        keys: 0,
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
    Encoded {
        bytes: Vec<u8>,
        keys: u64,
    },
    Saved {
        entries: Vec<Saved>,
        bytes: usize,
    },
    /// A large collection, which comes in pieces of its own.
    Large(Arc<LargeValue>),
}

/// A large value on its way from the loops to the writing thread.
struct LargeValue {
    /// Whichever loop finds the next piece goes on with it.
    encoder: Mutex<Box<dyn Encoder>>,
    pieces: Mutex<Pieces>,
    more: Condvar,
}

#[derive(Default)]
struct Pieces {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    is_awaited: bool,
    /// The last piece has come.
    is_whole: bool,
}

impl LargeValue {
    fn begin(format: &dyn Format, db: usize, head: &LargeHead) -> Arc<LargeValue> {
        let mut encoder = format.encoder();
        encoder.select(db);
        encoder.large(head);
        Arc::new(LargeValue { encoder: Mutex::new(encoder), pieces: Mutex::default(), more: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn encoder(&self) -> MutexGuard<'_, Box<dyn Encoder>> {
        self.encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: Vec<u8>, is_last: bool) {
        let mut pieces = self.lock();
        pieces.bytes += bytes.len();
        pieces.waiting.push_back(bytes);
        pieces.is_whole |= is_last;
        drop(pieces);
        self.more.notify_one();
    }
}

impl Show for LargeValue {
    fn has_room(&self) -> bool {
        let mut pieces = self.lock();
        let has_room = pieces.bytes < QUEUE_BYTES_MAX;
        pieces.is_awaited |= !has_room;
        has_room
    }

    fn element(&self, element: Element<'_>) -> usize {
        let mut encoder = self.encoder();
        let before = encoder.len();
        encoder.element(element);
        let made = encoder.len().saturating_sub(before);
        if encoder.len() >= CHUNK_BYTES {
            self.push(encoder.take(), false);
        }
        // What is compressed well takes its time all the same.
        let read = match element {
            Element::Part { bytes, .. } | Element::StreamNode(_, bytes) => bytes.len(),
            Element::Node(NodeRef::Packed(pack)) => pack.as_bytes().len(),
            Element::Node(NodeRef::Plain(text)) => text.len(),
            _ => 1,
        };
        made.max(read)
    }

    fn end(&self) {
        let mut encoder = self.encoder();
        encoder.large_end();
        self.push(encoder.take(), true);
    }
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
            Chunk::Large(_) => {}
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
    /// The other shard that the next step needs.
    elsewhere: Option<usize>,
    /// Whether there is only room for what has been begun.
    is_full: bool,
    /// What was found in the last step and is written or freed by others.
    copied: Vec<Saved>,
    freed: Vec<Entry>,
    /// Whether it waits for room, or for the end.
    sleeps: bool,
}

impl Walker {
    pub fn new(job: Arc<Job>) -> Walker {
        Walker {
            encoder: job.format.encoder(),
            job,
            shard: None,
            keys: 0,
            selected: None,
            elsewhere: None,
            is_full: false,
            copied: Vec::new(),
            freed: Vec::new(),
            sleeps: false,
        }
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
        if self.encoder.len() == 0 {
            return;
        }
        let bytes = self.encoder.take();
        self.job.push(Chunk::Encoded { bytes, keys: std::mem::take(&mut self.keys) });
        self.selected = None;
    }

    fn select(&mut self, db: usize) {
        if self.selected != Some(db) {
            self.selected = Some(db);
            self.encoder.select(db);
        }
    }
}

impl Visitor for Walker {
    fn entry(&mut self, db: usize, entry: EntryRef<'_, Object>) -> usize {
        let before = self.encoder.len();
        self.select(db);
        self.encoder.entry(entry);
        self.keys += 1;
        self.encoder.len().saturating_sub(before).max(read_bytes(entry))
    }

    fn copied(&mut self, db: usize, entry: Entry) {
        self.copied.push((db, entry));
    }

    fn large(&mut self, db: usize, head: &LargeHead) -> Option<Arc<dyn Show>> {
        let large = LargeValue::begin(&*self.job.format, db, head);
        self.job.push(Chunk::Large(Arc::clone(&large)));
        Some(large)
    }

    fn is_full(&mut self) -> bool {
        self.is_full
    }

    fn free(&mut self, entry: Entry) {
        self.freed.push(entry);
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
        if !walk_a_little(shared, &job, &mut walker) {
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
    walker.is_full = !job.has_room();
    let shard = match walker.shard {
        Some(shard) => shard,
        None if walker.is_full => {
            walker.sleeps = true;
            return false;
        }
        None => job.next_shard.fetch_add(1, Ordering::Relaxed),
    };
    if shard >= job.shards {
        walker.flush();
        walker.sleeps = true;
        return false;
    }
    walker.shard = Some(shard);
    let mut locks = ShardSet::of(shard);
    if let Some(other) = walker.elsewhere {
        locks.insert(other);
    }
    let Ok(mut guard) = shared.keyspace.shards().try_lock_set(&mut locks) else { return false };
    let (mut room, mut saved) = (LOCKED_BYTES, Vec::new());
    let step = shared.keyspace.walk(&mut guard, shard, &mut room, &mut saved, walker);
    drop(guard);
    let ended = step == Step::Ended;
    walker.elsewhere = if let Step::Elsewhere(other) = step { Some(other) } else { None };
    walker.sleeps |= step == Step::Full;
    saved.append(&mut walker.copied);
    push_saved(job, saved);
    for entry in walker.freed.drain(..) {
        shared.lazyfree.free(Garbage::Entry(entry));
    }
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

/// What has nothing to show: only saved entries are fetched.
struct Nothing;

impl Visitor for Nothing {
    fn entry(&mut self, _: usize, _: EntryRef<'_, Object>) -> usize {
        0
    }

    fn copied(&mut self, _: usize, _: Entry) {}

    fn large(&mut self, _: usize, _: &LargeHead) -> Option<Arc<dyn Show>> {
        None
    }

    fn is_full(&mut self) -> bool {
        true
    }

    fn free(&mut self, _: Entry) {}
}

/// Bytes that are read to encode an entry, about.
fn read_bytes(entry: EntryRef<'_, Object>) -> usize {
    match entry.view() {
        View::Object(object) => object.memory_bytes_about(),
        View::Str { bytes, .. } | View::Packed { bytes, .. } => bytes.len(),
        View::Int(_) => 1,
    }
    .max(1)
}

/// Encodes one entry, after the database it is in if that is another one than before; answers how many bytes that made.
fn encode(encoder: &mut dyn Encoder, selected: &mut Option<usize>, db: usize, entry: EntryRef<'_, Object>) -> usize {
    let before = encoder.len();
    if *selected != Some(db) {
        *selected = Some(db);
        encoder.select(db);
    }
    encoder.entry(entry);
    encoder.len().saturating_sub(before).max(1)
}

/// Fetches what was saved in the next shard.
fn collect(shared: &'static Shared, job: &Arc<Job>) {
    let shard = job.next_collected.fetch_add(1, Ordering::Relaxed) % job.shards;
    let mut locks = ShardSet::of(shard);
    let Ok(mut guard) = shared.keyspace.shards().try_lock_set(&mut locks) else { return };
    let mut saved = Vec::new();
    shared.keyspace.walk(&mut guard, shard, &mut 0, &mut saved, &mut Nothing);
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
