//! Replication: who follows this server, what each of them has, and whose stream it is.

pub mod failover;
mod feed;
mod follow;
mod intake;
mod link;
mod local;
mod spool;
mod sync;

pub use follow::{Contact, Following, follow, lead};
pub use link::{Facts, Link, Replica, Stage};
pub use sync::{attach, run_cron};

use crate::alerts::Alert;
use crate::persistence::log::Reader;
use crate::shared::{Message, Shared};
use ochre_keyspace::Waiter;
use ochre_replication::History;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all threads share of it.
pub struct Replication {
    history: Mutex<History>,
    links: Mutex<Vec<Arc<Link>>>,
    /// The server that is followed.
    following: Mutex<Option<Arc<Following>>>,
    follows: AtomicBool,
    failover: Mutex<Option<failover::Failover>>,
    /// Whether there is a replica, or a backlog kept for one.
    is_on: AtomicBool,
    /// Since when there has been no replica, Unix ms.
    alone_since_ms: AtomicU64,
    /// A snapshot for replicas is on its way.
    is_syncing: AtomicBool,
    /// When the next second's work is due, Unix ms.
    next_second_ms: AtomicU64,
    pinged_ms: AtomicU64,
    /// Where the units ended when replicas were asked last how far they have got.
    asked_at: AtomicU64,
    /// Clients that wait for replicas.
    waits: Mutex<Vec<Wait>>,
    pub local_keys: local::LocalKeys,
    pub counts: Counts,
}

/// What INFO shows.
#[derive(Default)]
pub struct Counts {
    pub full: AtomicU64,
    pub partial: AtomicU64,
    pub refused_partial: AtomicU64,
    pub output_bytes: AtomicU64,
    pub input_bytes: AtomicU64,
}

/// A client in WAIT or WAITAOF.
struct Wait {
    offset: u64,
    replicas: usize,
    /// Whether the replicas' files count, not their memory.
    on_disk: bool,
    /// Whether it waits for the file here, too.
    here: bool,
    waiter: Arc<Waiter>,
}

/// A lock that is taken whatever happened to whoever held it: each change under these is whole in itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Replication {
    /// A stream of this id that nobody reads yet.
    pub fn new(id: String) -> Replication {
        Replication {
            history: Mutex::new(History::new(id)),
            links: Mutex::default(),
            following: Mutex::default(),
            follows: AtomicBool::new(false),
            failover: Mutex::default(),
            is_on: AtomicBool::new(false),
            alone_since_ms: AtomicU64::new(0),
            is_syncing: AtomicBool::new(false),
            next_second_ms: AtomicU64::new(0),
            pinged_ms: AtomicU64::new(0),
            asked_at: AtomicU64::new(u64::MAX),
            waits: Mutex::default(),
            local_keys: Default::default(),
            counts: Counts::default(),
        }
    }

    /// The ids of the stream.
    pub fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// The replicas of this moment.
    pub fn links(&self) -> Vec<Arc<Link>> {
        lock(&self.links).clone()
    }

    /// The server that is followed, if one is.
    pub fn following(&self) -> Option<Arc<Following>> {
        if !self.follows() {
            return None;
        }
        lock(&self.following).clone()
    }

    /// Whether this server follows another.
    #[inline]
    pub fn follows(&self) -> bool {
        self.follows.load(Ordering::Acquire)
    }

    /// Whether anything is to be done for replicas, or kept for them.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// How many replicas have the stream up to `offset`, in memory or on their disks.
    pub fn having(&self, offset: u64, on_disk: bool) -> usize {
        let links = lock(&self.links);
        links.iter().filter(|link| link.is_online() && link.acknowledged(on_disk) >= offset).count()
    }

    /// How many replicas have not said that they have the stream up to `offset`.
    pub fn lacking(&self, offset: u64) -> usize {
        let links = lock(&self.links);
        links.iter().filter(|link| link.is_online() && link.acknowledged(false) < offset).count()
    }

    /// Forgets what was counted (CONFIG RESETSTAT).
    pub fn reset_counts(&self) {
        let Counts { full, partial, refused_partial, output_bytes, input_bytes } = &self.counts;
        [full, partial, refused_partial, output_bytes, input_bytes]
            .iter()
            .for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// From now on the stream is kept for replicas; the list of replicas is locked. Loops note that before their next commands: see `sync::loops_know`.
fn open(shared: &Shared) {
    let replication = &shared.replication;
    shared.log.open_backlog(shared.settings.replication.repl_backlog_size_bytes.get());
    if !replication.is_on.swap(true, Ordering::SeqCst) {
        replication.pinged_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
        shared.log.set_wanted(Reader::Replicas, true);
        shared.settings_changed();
    }
}

/// Nobody has come for the backlog: it goes, and the stream after it is another one.
fn close(shared: &Shared) {
    let links = lock(&shared.replication.links);
    if !links.is_empty() {
        return;
    }
    crate::log::notice(format_args!("Replication backlog freed, because there are no connected replicas."));
    shared.replication.is_on.store(false, Ordering::SeqCst);
    shared.log.set_wanted(Reader::Replicas, false);
    shared.settings_changed();
    shared.replication.history().begin(crate::start::random_hex_40());
    shared.log.close_backlog();
}

/// Tells the loops that serve replicas that there is more to send. Cheap when they know.
#[inline]
pub fn nudge(shared: &Shared) {
    if shared.replication.is_on() {
        wake_feeders(shared);
    }
}

#[cold]
fn wake_feeders(shared: &Shared) {
    for desk in shared.desks.iter() {
        if desk.feeds_replicas.load(Ordering::Relaxed) && !desk.knows_of_more.swap(true, Ordering::SeqCst) {
            desk.post(Message::LogProgress);
        }
    }
}

/// Appends a command that only replicas get, because it changes no data.
pub fn tell_replicas<'w>(shared: &Shared, words: impl ExactSizeIterator<Item = &'w [u8]>) {
    if !shared.replication.is_on() || shared.replication.follows() {
        return;
    }
    let mut bytes = Vec::new();
    ochre_keyspace::write_command(&mut bytes, words);
    shared.log.append_for_replicas(&bytes);
    nudge(shared);
}

/// A replica has loaded its snapshot, and is sent the stream.
pub fn put_online(shared: &Shared, link: &Link) {
    link.set_stage(Stage::Online);
    crate::log::notice(format_args!("Synchronization with replica {} succeeded", link.name()));
    note_replicas(shared);
}

/// A replica that is gone.
pub fn detach(shared: &Shared, replica: &Replica) {
    let Some(link) = &replica.link else { return };
    let replication = &shared.replication;
    link.leave();
    shared.log.stop_reading(&link.position);
    let mut links = lock(&replication.links);
    links.retain(|known| !Arc::ptr_eq(known, link));
    if links.is_empty() {
        replication.alone_since_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
    }
    drop(links);
    crate::log::notice(format_args!("Connection with replica {} lost.", link.name()));
    note_replicas(shared);
}

/// Ends the connections of all replicas: they come back and hear what has become of the stream.
pub fn disconnect_replicas(shared: &Shared) {
    for link in shared.replication.links() {
        let message = Message::Kill { client: link.client.id, flush: false };
        shared.desks[link.client.thread as usize].post(message);
    }
}

/// Looks whether there are enough replicas to write (`min-replicas-to-write`).
pub fn note_replicas(shared: &Shared) {
    let least = shared.settings.replication.min_replicas_to_write.get();
    let lacks = least > 0 && !shared.replication.follows() && good_replicas(shared) < least;
    if shared.alerts.is_on(Alert::FewReplicas) != lacks {
        shared.alerts.set(Alert::FewReplicas, lacks);
    }
}

/// Replicas that were heard of within `min-replicas-max-lag`.
pub fn good_replicas(shared: &Shared) -> usize {
    let lag_ms = shared.settings.replication.min_replicas_max_lag_s.get() * 1000;
    let now_ms = ochre_clock::now_ms();
    let is_good = |link: &&Arc<Link>| link.is_online() && (lag_ms == 0 || link.silence_ms(now_ms) < lag_ms + 1000);
    lock(&shared.replication.links).iter().filter(is_good).count()
}

// ---- WAIT ----

/// The client of `waiter` waits until so many replicas have the stream up to `offset`; they are asked.
pub fn wait_for_replicas(
    shared: &Shared,
    offset: u64,
    replicas: usize,
    on_disk: bool,
    here: bool,
    waiter: Arc<Waiter>,
) {
    lock(&shared.replication.waits).push(Wait { offset, replicas, on_disk, here, waiter });
    if shared.replication.asked_at.swap(offset, Ordering::SeqCst) != offset {
        tell_replicas(shared, [&b"REPLCONF"[..], b"GETACK", b"*"].into_iter());
    }
    // The answer may have come in between.
    answer_waits(shared);
}

/// Answers those who waited for what has been acknowledged by now.
pub fn answer_waits(shared: &Shared) {
    let mut waits = lock(&shared.replication.waits);
    if waits.is_empty() {
        return;
    }
    let mut answered = Vec::new();
    waits.retain(|wait| {
        if wait.waiter.is_claimed() {
            return false;
        }
        let is_over = shared.replication.having(wait.offset, wait.on_disk) >= wait.replicas
            && (!wait.here || shared.log.durable() >= wait.offset);
        if is_over && wait.waiter.claim() {
            answered.push(Arc::clone(&wait.waiter));
        }
        !is_over
    });
    drop(waits);
    for waiter in answered {
        let reply = crate::blocking::time_out_reply(shared, &waiter);
        shared.desks[waiter.thread as usize].post(Message::Unblocked { waiter, reply });
    }
}
