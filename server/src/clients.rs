//! The clients of all threads, as CLIENT LIST and CLIENT KILL see them.

use crate::tracking::Tracked;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// What other threads may know of a client. Its own thread writes, everybody reads; texts behind a lock.
#[derive(Debug)]
pub struct Client {
    pub id: u64,
    /// Event loop that serves it.
    pub thread: u32,
    pub address: String,
    pub local_address: String,
    pub fd: i32,
    pub created_ms: u64,
    pub last_used_ms: AtomicU64,
    pub db: AtomicUsize,
    pub protocol: AtomicU32,
    /// Bits of `Traits`.
    pub traits: AtomicU32,
    /// Number of queued commands of a transaction, -1 outside of one.
    pub queued: AtomicI64,
    pub watched: AtomicUsize,
    pub query_buffer: AtomicUsize,
    pub query_buffer_peak: AtomicUsize,
    /// Room in the query buffer behind what is in it.
    pub query_buffer_free: AtomicUsize,
    /// Arguments of a command that is not complete yet, bytes.
    pub argument_bytes: AtomicUsize,
    /// Queued commands of a transaction, bytes.
    pub multi_bytes: AtomicUsize,
    /// Everything that the client takes, bytes.
    pub memory_bytes: AtomicUsize,
    pub output_bytes: AtomicUsize,
    /// How many buffers these bytes are in.
    pub output_buffers: AtomicUsize,
    pub commands: AtomicU64,
    pub net_input_bytes: AtomicU64,
    pub net_output_bytes: AtomicU64,
    /// `Row::id` of the last command, plus one.
    pub last_command: AtomicUsize,
    pub subscriptions: AtomicUsize,
    pub pattern_subscriptions: AtomicUsize,
    pub shard_subscriptions: AtomicUsize,
    /// The client that its tracking messages go to: 0 for itself, -1 when it is not tracked.
    pub redirect: AtomicI64,
    pub texts: Mutex<Texts>,
    /// What it waits for while it is blocked: CLIENT UNBLOCK needs it.
    pub blocked: Mutex<Option<Arc<ochre_keyspace::Waiter>>>,
}

/// What a client calls itself.
#[derive(Debug, Default, Clone)]
pub struct Texts {
    pub name: String,
    pub user: String,
    pub library: String,
    pub library_version: String,
    pub capabilities: String,
}

/// Facts about a client that CLIENT LIST shows as letters.
pub mod traits {
    pub const PUBSUB: u32 = 1 << 0;
    pub const MULTI: u32 = 1 << 1;
    pub const BLOCKED: u32 = 1 << 2;
    pub const MONITOR: u32 = 1 << 3;
    pub const CLOSE_AFTER_REPLY: u32 = 1 << 4;
    pub const CLOSE_ASAP: u32 = 1 << 5;
    pub const DIRTY_CAS: u32 = 1 << 6;
    pub const NO_EVICT: u32 = 1 << 7;
    pub const NO_TOUCH: u32 = 1 << 8;
    pub const UNIX_SOCKET: u32 = 1 << 9;
    pub const TRACKING: u32 = 1 << 10;
    pub const REDIRECT_BROKEN: u32 = 1 << 11;
    pub const BROADCAST: u32 = 1 << 12;
    pub const REPLICA: u32 = 1 << 13;
    pub const PRIMARY: u32 = 1 << 14;
    pub const TLS: u32 = 1 << 16;
}

impl Client {
    /// A client of an event loop, with no connection yet.
    pub fn new(id: u64, thread: u32, address: String, now_ms: u64) -> Client {
        Client {
            id,
            thread,
            address,
            local_address: String::new(),
            fd: -1,
            created_ms: now_ms,
            last_used_ms: now_ms.into(),
            db: 0.into(),
            protocol: 2.into(),
            traits: 0.into(),
            queued: (-1).into(),
            watched: 0.into(),
            query_buffer: 0.into(),
            query_buffer_peak: 0.into(),
            query_buffer_free: 0.into(),
            argument_bytes: 0.into(),
            multi_bytes: 0.into(),
            memory_bytes: 0.into(),
            output_bytes: 0.into(),
            output_buffers: 0.into(),
            commands: 0.into(),
            net_input_bytes: 0.into(),
            net_output_bytes: 0.into(),
            last_command: 0.into(),
            subscriptions: 0.into(),
            pattern_subscriptions: 0.into(),
            shard_subscriptions: 0.into(),
            redirect: (-1).into(),
            blocked: Default::default(),
            texts: Texts { user: "default".into(), ..Texts::default() }.into(),
        }
    }

    /// Shows how the client is told of changes.
    pub fn note_tracking(&self, tracked: Option<&Tracked>) {
        self.set(traits::TRACKING, tracked.is_some());
        self.set(traits::BROADCAST, tracked.is_some_and(|tracked| tracked.broadcast));
        self.set(traits::REDIRECT_BROKEN, tracked.is_some_and(|tracked| tracked.redirect_broken));
        let redirect = tracked.map_or(-1, |tracked| tracked.redirect.map_or(0, |id| id as i64));
        self.redirect.store(redirect, Ordering::Relaxed);
    }

    pub fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether it waits: one that was served does not, though its loop may not know yet.
    pub fn is_blocked(&self) -> bool {
        let is_served = || {
            let waiter = self.blocked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            waiter.as_ref().is_some_and(|waiter| waiter.is_claimed())
        };
        self.has(traits::BLOCKED) && !is_served()
    }

    pub fn has(&self, which: u32) -> bool {
        self.traits.load(Ordering::Relaxed) & which != 0
    }

    pub fn set(&self, which: u32, on: bool) {
        if on {
            self.traits.fetch_or(which, Ordering::Relaxed);
        } else {
            self.traits.fetch_and(!which, Ordering::Relaxed);
        }
    }
}

/// All clients by id: their ids grow, so the order is that of their arrival.
#[derive(Default)]
pub struct Registry {
    clients: Mutex<BTreeMap<u64, Arc<Client>>>,
    last_id: AtomicU64,
}

impl Registry {
    /// The next client id.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.clients.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn add(&self, client: Arc<Client>) {
        self.clients().insert(client.id, client);
    }

    pub fn remove(&self, id: u64) {
        self.clients().remove(&id);
    }

    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.clients().get(&id).cloned()
    }

    pub fn len(&self) -> usize {
        self.clients().len()
    }

    /// Everyone connected at this moment.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.clients().values().cloned().collect()
    }
}
