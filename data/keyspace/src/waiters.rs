//! Clients that wait for a key to hold something: registered in the shard of each of their keys, served oldest first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A client that is blocked on keys. Whoever claims it first (a push, its timeout, CLIENT UNBLOCK) decides its reply.
#[derive(Debug)]
pub struct Waiter {
    /// The event loop that serves the client.
    pub thread: u32,
    pub client: u64,
    pub db: usize,
    /// RESP version of the client.
    pub protocol: u8,
    /// Its command, word by word, to be run again when a key may serve it.
    pub words: Vec<Box<[u8]>>,
    /// The keys that it waits for.
    pub keys: Vec<Box<[u8]>>,
    /// What it gets when nothing came in time: a null array rather than a plain null.
    pub times_out_with_array: bool,
    claimed: AtomicBool,
}

impl Waiter {
    #[expect(clippy::too_many_arguments, reason = "the fields of a record, each once")]
    pub fn new(
        thread: u32,
        client: u64,
        db: usize,
        protocol: u8,
        words: Vec<Box<[u8]>>,
        keys: Vec<Box<[u8]>>,
        times_out_with_array: bool,
    ) -> Self {
        Waiter { thread, client, db, protocol, words, keys, times_out_with_array, claimed: AtomicBool::new(false) }
    }

    /// Takes the right to answer the client; only the first caller gets it.
    pub fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// Gives the right back: the client could not be served after all.
    pub fn release(&self) {
        self.claimed.store(false, Ordering::Release);
    }

    /// Whether somebody has claimed it.
    pub fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }
}

/// The waiters of a shard, by key.
#[derive(Default)]
pub struct Waiters {
    keys: HashMap<(usize, Box<[u8]>), VecDeque<Arc<Waiter>>>,
}

impl Waiters {
    /// Whether nobody waits for any key of the shard.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether somebody waits for `key`.
    pub fn has(&self, db: usize, key: &[u8]) -> bool {
        self.keys.contains_key(&(db, Box::from(key)))
    }

    /// Number of keys that somebody waits for.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Puts a waiter behind the others of `key`.
    pub fn add(&mut self, key: &[u8], waiter: &Arc<Waiter>) {
        self.keys.entry((waiter.db, key.into())).or_default().push_back(Arc::clone(waiter));
    }

    /// The waiter of `key` that came first and is still waiting, the first `skipped` of them left out.
    pub fn oldest(&mut self, db: usize, key: &[u8], skipped: usize) -> Option<Arc<Waiter>> {
        let place = (db, Box::from(key));
        let queue = self.keys.get_mut(&place)?;
        while queue.front().is_some_and(|waiter| waiter.is_claimed()) {
            queue.pop_front();
        }
        if queue.is_empty() {
            self.keys.remove(&place);
            return None;
        }
        queue.iter().filter(|waiter| !waiter.is_claimed()).nth(skipped).cloned()
    }

    /// Takes a waiter out of the queue of `key`.
    pub fn remove(&mut self, key: &[u8], waiter: &Arc<Waiter>) {
        let place = (waiter.db, Box::from(key));
        if let Some(queue) = self.keys.get_mut(&place) {
            queue.retain(|known| !Arc::ptr_eq(known, waiter));
            if queue.is_empty() {
                self.keys.remove(&place);
            }
        }
    }
}

/// What a command that found nothing to take wants to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub keys: Vec<Box<[u8]>>,
    /// How long, ms; 0 is for ever.
    pub timeout_ms: u64,
    pub times_out_with_array: bool,
}
