//! Loading an RDB file: one thread finds where each key begins and ends, all cores build the values and put them into the
//! keyspace.

use crate::shared::{Message, Shared};
use crate::worker::Worker;
use crate::{log, settings_view};
use ochre_collections::lock::ShardSet;
use ochre_keyspace::{AccessClock, Context, Effects, Entry, Key, Policy, entry_of};
use ochre_rdb::{Batch, Fault, Item, ReadOptions, Reader};
use ochre_text::quote::quoted;
use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A batch goes to a builder when it holds so many entries, or bytes.
const BATCH_ENTRIES_MAX: usize = 1024;
const BATCH_BYTES_MAX: usize = 1 << 20;
/// So many batches wait for each builder at most.
const BATCHES_WAITING: usize = 2;
/// So many built batches wait for the one event loop at most.
const LOOP_BATCHES_MAX: usize = 4;
/// So many keys without elements are named in the log; more are only counted.
const EMPTY_KEYS_LOGGED_MAX: u64 = 10;

/// How a file is loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Keys that are there already are replaced; otherwise they are an error.
    pub merge: bool,
    /// Libraries of functions that are there already are an error.
    pub refuses_libraries: bool,
    /// Keys whose deadline has passed are kept: what follows in the log may still speak of them.
    pub keeps_expired: bool,
    /// The caller is the thread of the first event loop: when it is the only one, it has the keyspace for itself.
    pub is_on_loop: bool,
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub keys: u64,
    /// Keys that had expired and were left out.
    pub expired: u64,
    /// Keys that were left out because they had no elements.
    pub empty: u64,
    /// The size of the RDB part: something else may follow it.
    pub bytes: u64,
    /// Sources of libraries of functions, in the order of the file.
    pub functions: Vec<Vec<u8>>,
    /// What the file says about itself.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why a file could not be loaded.
#[derive(Clone, Debug)]
pub struct LoadError {
    pub offset: u64,
    pub reason: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "offset {}: {}", self.offset, self.reason)
    }
}

impl From<ochre_rdb::Error> for LoadError {
    fn from(error: ochre_rdb::Error) -> Self {
        LoadError { offset: error.offset, reason: error.fault.to_string() }
    }
}

/// Loads a file into the keyspace. On an error what was loaded until then stays there.
///
/// Progress goes to [`Shared::loading`], which the caller has begun.
pub fn load_rdb(shared: &'static Shared, source: impl Read, options: LoadOptions) -> Result<Loaded, LoadError> {
    let persistence = &shared.settings.persistence;
    let skip_checksum = !persistence.rdbchecksum.get() || shared.debug.skip_checksums.load(Ordering::Relaxed);
    let any_version = persistence.rdb_version_check.get() == crate::settings::persistence::RdbVersionCheck::Relaxed;
    let mut reader = Reader::new(source, ReadOptions { skip_checksum, any_version })?;
    let job = Arc::new(Job::new(shared, options));
    let is_alone = shared.desks.len() == 1 && shared.keyspace.shard_count() == 1;
    let mut loaded = Loaded::default();
    match (is_alone, options.is_on_loop) {
        (true, true) => {
            let mut effects = Effects::default();
            read(&job, &mut reader, &mut loaded, &mut |batch| {
                let entries = job.build(&batch)?;
                job.insert(entries, &job.context, &mut effects)
            })?;
        }
        (true, false) => {
            read(&job, &mut reader, &mut loaded, &mut |batch| job.hand_to_loop(job.build(&batch)?))?;
            job.wait_for_loop(0);
        }
        (false, _) => load_on_threads(&job, &mut reader, &mut loaded)?,
    }
    if let Some(error) = job.failure() {
        return Err(error);
    }
    loaded.keys = job.keys.load(Ordering::Relaxed);
    loaded.expired = job.expired.load(Ordering::Relaxed);
    loaded.bytes = reader.offset();
    loaded.empty = job.empty.load(Ordering::Relaxed);
    shared.loading.note_keys(loaded.keys, loaded.expired);
    Ok(loaded)
}

/// As [`load_rdb`], with as many threads that build and insert as the server has loops.
fn load_on_threads(job: &Arc<Job>, reader: &mut Reader<impl Read>, loaded: &mut Loaded) -> Result<(), LoadError> {
    let builders = job.shared.desks.len();
    let (sender, receiver): (SyncSender<Batch>, Receiver<Batch>) = sync_channel(builders * BATCHES_WAITING);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        for number in 0..builders {
            let body = || {
                let mut effects = Effects::default();
                loop {
                    let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(batch) = next else { break };
                    let built = job.build(&batch);
                    if let Err(error) = built.and_then(|entries| job.insert(entries, &job.context, &mut effects)) {
                        job.fail(error);
                    }
                }
            };
            let spawned = std::thread::Builder::new().name(format!("load-{number}")).spawn_scoped(scope, body);
            spawned.map_err(|error| LoadError { offset: 0, reason: format!("Can't start a thread: {error}") })?;
        }
        let result = read(job, reader, loaded, &mut |batch| {
            // The builders only end when the sender does.
            sender.send(batch).map_err(|_| LoadError { offset: 0, reason: "the builders are gone".into() })
        });
        drop(sender);
        result
    })
}

/// Reads the file to its end, and hands batches of entries to `give`.
fn read(
    job: &Job,
    reader: &mut Reader<impl Read>,
    loaded: &mut Loaded,
    give: &mut dyn FnMut(Batch) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let shared = job.shared;
    let (mut db, mut batch) = (0, Batch::default());
    let mut keys = 0u64;
    loop {
        let offset = reader.offset();
        let delay_us = shared.settings.persistence.key_load_delay_us.get();
        match reader.next()? {
            Item::Entry(entry) => {
                keys += 1;
                batch.push(&entry, db, offset);
                pause(delay_us, keys);
            }
            Item::SelectDb(number) => {
                let databases = shared.keyspace.databases();
                db = usize::try_from(number).ok().filter(|db| *db < databases).ok_or_else(|| LoadError {
                    offset,
                    reason: format!("FATAL: Data file was created with a server of more than {databases} databases"),
                })?;
            }
            Item::Function(source) => loaded.functions.push(source.into_owned()),
            Item::Aux { name, value } => {
                note_aux(shared, &name, &value);
                loaded.aux.push((name.into_owned(), value.into_owned()));
            }
            Item::ModuleAux(name) => {
                log::warning(format_args!("The data of module '{name}' in the file is left out: there are no modules"));
            }
            Item::ResizeDb { .. } | Item::SlotInfo { .. } => {}
            Item::End => break,
        }
        let is_full = batch.len() >= BATCH_ENTRIES_MAX || batch.bytes() >= BATCH_BYTES_MAX;
        if is_full || (delay_us != 0 && !batch.is_empty()) {
            shared.loading.note_bytes(offset);
            give(std::mem::take(&mut batch))?;
            if job.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            if shared.shutting_down.load(Ordering::Relaxed) {
                return Err(LoadError { offset, reason: "the server is shutting down".into() });
            }
        }
    }
    if batch.is_empty() { Ok(()) } else { give(batch) }
}

/// `key-load-delay`: microseconds for each key, or how many keys for a microsecond.
fn pause(delay_us: i64, keys: u64) {
    match delay_us {
        0 => {}
        1.. => std::thread::park_timeout(Duration::from_micros(delay_us.unsigned_abs())),
        _ if keys.is_multiple_of(delay_us.unsigned_abs()) => std::thread::park_timeout(Duration::from_micros(1)),
        _ => {}
    }
}

/// What the head of a file says, for the log.
fn note_aux(shared: &Shared, name: &[u8], value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let number = ochre_text::number::parse_i64(value);
    match (name, number) {
        (b"redis-ver" | b"valkey-ver" | b"ochre-ver", _) => {
            log::notice(format_args!("Loading RDB produced by version {text}"));
        }
        (b"ctime", Some(seconds)) => {
            let age_s = (ochre_clock::now_ms() / 1000) as i64 - seconds;
            log::notice(format_args!("RDB age {} seconds", age_s.max(0)));
        }
        (b"used-mem", Some(bytes)) => {
            log::notice(format_args!("RDB memory usage when created {:.2} Mb", bytes as f64 / (1 << 20) as f64));
            shared.loading.note_used_memory(bytes.max(0) as u64);
        }
        _ => {}
    }
}

/// What all threads of a load share.
struct Job {
    shared: &'static Shared,
    options: LoadOptions,
    context: Context,
    is_lfu: bool,
    keys: AtomicU64,
    expired: AtomicU64,
    empty: AtomicU64,
    failed: AtomicBool,
    /// The failure that comes first in the file.
    failure: Mutex<Option<LoadError>>,
    /// Batches that the event loop has not inserted yet.
    on_loop: Mutex<usize>,
    loop_has_inserted: Condvar,
}

/// An entry with its place in the keyspace.
struct Built {
    shard: usize,
    db: usize,
    hash: u64,
    offset: u64,
    entry: Entry,
}

/// Entries for the event loop to insert.
struct Entries {
    job: Arc<Job>,
    built: Vec<Built>,
}

impl Entries {
    /// Inserts them, on the thread of the loop.
    fn insert(self, context: &Context, effects: &mut Effects) {
        if let Err(error) = self.job.insert(self.built, context, effects) {
            self.job.fail(error);
        }
        *self.job.on_loop.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.job.loop_has_inserted.notify_all();
    }
}

impl Job {
    fn new(shared: &'static Shared, options: LoadOptions) -> Job {
        let now_ms = ochre_clock::now_ms();
        let policy = settings_view::access_policy(&shared.settings);
        let mut limits = settings_view::limits(&shared.settings);
        limits.list_plain_node_bytes_min = shared.debug.list_plain_node_bytes.load(Ordering::Relaxed);
        let access = AccessClock::new(policy, now_ms, 1);
        Job {
            shared,
            options,
            context: Context { now_ms, access, limits, expire: false, ..Context::default() },
            is_lfu: policy != Policy::Lru,
            keys: 0.into(),
            expired: 0.into(),
            empty: 0.into(),
            failed: false.into(),
            failure: Mutex::default(),
            on_loop: Mutex::default(),
            loop_has_inserted: Condvar::new(),
        }
    }

    /// Makes the entries of a batch; needs no lock. A panic is a failure of the load, not a load that never ends.
    fn build(&self, batch: &Batch) -> Result<Vec<Built>, LoadError> {
        let offset = batch.iter().next().map_or(0, |(.., offset)| offset);
        catch_unwind(AssertUnwindSafe(|| self.build_all(batch))).unwrap_or_else(|_| {
            let reason = format!("an internal error in one of the next {} keys", batch.len());
            Err(LoadError { offset, reason })
        })
    }

    fn build_all(&self, batch: &Batch) -> Result<Vec<Built>, LoadError> {
        let mut built = Vec::with_capacity(batch.len());
        let access = &self.context.access;
        for (raw, db, offset) in batch.iter() {
            if !self.options.keeps_expired && raw.expiry_ms.is_some_and(|at| at < self.context.now_ms) {
                self.expired.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let wrong = |fault: Fault| LoadError { offset, reason: fault.to_string() };
            let key = raw.key().map_err(wrong)?;
            let value = match raw.value.build(&self.context.limits) {
                Ok(value) => value,
                Err(Fault::Empty) => {
                    if self.empty.fetch_add(1, Ordering::Relaxed) < EMPTY_KEYS_LOGGED_MAX {
                        log::notice(format_args!(
                            "rdbLoadObject skipping empty key: {}",
                            String::from_utf8_lossy(&key)
                        ));
                    }
                    continue;
                }
                Err(fault) => {
                    let reason = format!("key {}: {fault}", quoted(&key));
                    return Err(LoadError { offset, reason });
                }
            };
            let clock = match (raw.frequency, raw.idle_s) {
                (Some(frequency), _) if self.is_lfu => access.from_frequency(frequency),
                (_, Some(seconds)) if !self.is_lfu => {
                    access.from_idle_seconds(u32::try_from(seconds).unwrap_or(u32::MAX))
                }
                _ => access.initial(),
            };
            let place = Key::new(&key);
            built.push(Built {
                shard: self.shared.keyspace.shard_of(&place),
                db,
                hash: place.hash(),
                offset,
                entry: entry_of(&key, value, raw.expiry_ms, clock),
            });
        }
        Ok(built)
    }

    /// Puts entries into the keyspace, shard by shard.
    fn insert(&self, mut built: Vec<Built>, context: &Context, effects: &mut Effects) -> Result<(), LoadError> {
        // Those of a key that is there twice stay in their order.
        built.sort_by_key(|entry| entry.shard);
        let keyspace = &self.shared.keyspace;
        let count = built.len() as u64;
        let mut rest = built.into_iter().peekable();
        let mut group: Vec<Built> = Vec::new();
        while let Some(first) = rest.next() {
            let shard = first.shard;
            group.push(first);
            while let Some(next) = rest.next_if(|next| next.shard == shard) {
                group.push(next);
            }
            let mut locks = ShardSet::of(shard);
            let guard = keyspace.shards().lock_set_blocking(&mut locks);
            let mut data = keyspace.view(guard, context, effects, 0);
            group.iter().for_each(|built| data.prefetch_loaded(built.db, built.hash));
            for Built { db, hash, offset, entry, .. } in group.drain(..) {
                if self.options.merge {
                    data.replace_loaded(db, hash, entry);
                } else if let Err(entry) = data.insert_loaded(db, hash, entry) {
                    let reason = format!("RDB has duplicated key {} in DB {db}", quoted(entry.as_ref().key()));
                    return Err(LoadError { offset, reason });
                }
            }
            drop(data);
            effects.garbage.clear();
        }
        self.keys.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    /// Lets the event loop insert entries; waits while it is far behind.
    fn hand_to_loop(self: &Arc<Self>, built: Vec<Built>) -> Result<(), LoadError> {
        self.wait_for_loop(LOOP_BATCHES_MAX);
        *self.on_loop.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let entries = Entries { job: Arc::clone(self), built };
        let insert = Box::new(move |worker: &mut Worker| entries.insert(&worker.context, &mut worker.effects));
        self.shared.desks[0].post(Message::Do(insert));
        Ok(())
    }

    /// Waits until no more than so many batches wait for the event loop, or the server stops.
    fn wait_for_loop(&self, batches: usize) {
        let mut waiting = self.on_loop.lock().unwrap_or_else(PoisonError::into_inner);
        while *waiting > batches && !self.shared.shutting_down.load(Ordering::Relaxed) {
            let woken = self.loop_has_inserted.wait_timeout(waiting, Duration::from_millis(100));
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn fail(&self, error: LoadError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.as_ref().is_none_or(|first| error.offset < first.offset) {
            *failure = Some(error);
        }
        self.failed.store(true, Ordering::Relaxed);
    }

    fn failure(&self) -> Option<LoadError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
