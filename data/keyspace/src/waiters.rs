//! Clients that wait for a key to hold something: registered in the shard of each of their keys, served oldest first.

use ochre_collections::Claim;
use ochre_collections::lock::ShardSet;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the clients that ever waited: a lower turn comes first.
static TURNS: AtomicU64 = AtomicU64::new(1);

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
    /// The shards that its command locks: more than those of its keys when it writes elsewhere (BLMOVE).
    pub shards: ShardSet,
    /// It is also served when a key is gone or holds another type: its command then replies why.
    pub notices_loss: bool,
    /// When its command is run again though no key has changed, Unix ms; 0 is never.
    pub retry_at_ms: AtomicU64,
    /// When its time is over, Unix ms; its own event loop sets and reads it.
    pub deadline_ms: AtomicU64,
    /// Its place in every queue that it stands in.
    turn: u64,
    claim: Claim,
}

impl Waiter {
    /// A waiter behind all others, for a client of event loop `thread`, which waits for what its command said in `block`.
    ///
    /// `words` is the client's command, unless `block` has other ones; `shards` is what these lock.
    pub fn new(
        (thread, client): (u32, u64),
        db: usize,
        protocol: u8,
        words: Vec<Box<[u8]>>,
        shards: ShardSet,
        block: Block,
    ) -> Self {
        Waiter {
            thread,
            client,
            db,
            protocol,
            words: block.words.unwrap_or(words),
            keys: block.keys,
            shards,
            notices_loss: block.notices_loss,
            retry_at_ms: block.retry_at_ms.into(),
            deadline_ms: u64::MAX.into(),
            turn: TURNS.fetch_add(1, Ordering::Relaxed),
            claim: Claim::default(),
        }
    }

    /// Its place in its queues: lower is earlier.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    /// Takes the right to answer the client; only the first caller gets it.
    pub fn claim(&self) -> bool {
        self.claim.take()
    }

    /// Gives the right back: the client could not be served after all.
    pub fn release(&self) {
        self.claim.give_back();
    }

    /// The client is gone: nobody serves it from now on, also if somebody tries to just now and gives it up.
    pub fn abandon(&self) {
        self.claim.end();
    }

    /// Whether somebody has claimed it.
    pub fn is_claimed(&self) -> bool {
        self.claim.is_taken()
    }
}

/// Who waits for one key of one database.
#[derive(Default)]
struct Queue {
    db: usize,
    /// By turn.
    waiters: BTreeMap<u64, Arc<Waiter>>,
    /// How many of them notice when the key is gone or of another type.
    notice_loss: usize,
    /// The shards that the commands of its waiters lock, those that have left included. To know them costs a push O(1) then,
    /// however many wait.
    shards: ShardSet,
}

/// The waiters of a shard, by key.
#[derive(Default)]
pub struct Waiters {
    /// A queue for each database in which the key is waited for.
    keys: HashMap<Box<[u8]>, Vec<Queue>>,
    notice_loss: usize,
    /// The union of the queues' `shards`, since nobody waited.
    shards: ShardSet,
}

impl Waiters {
    /// Whether nobody waits for any key of the shard.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether somebody waits for `key`.
    pub fn has(&self, db: usize, key: &[u8]) -> bool {
        self.queue(db, key).is_some()
    }

    /// Whether somebody notices when any key is gone or of another type.
    #[inline]
    pub fn notices_loss(&self) -> bool {
        self.notice_loss > 0
    }

    /// Whether somebody notices when `key` is gone or of another type.
    pub fn notices_loss_of(&self, db: usize, key: &[u8]) -> bool {
        self.queue(db, key).is_some_and(|queue| queue.notice_loss > 0)
    }

    /// The keys that somebody waits for in database `db`.
    pub(crate) fn keys_of(&self, db: usize) -> impl Iterator<Item = &[u8]> {
        let waited = move |queues: &[Queue]| queues.iter().any(|queue| queue.db == db);
        self.keys.iter().filter(move |(_, queues)| waited(queues)).map(|(key, _)| &**key)
    }

    /// The shards that the commands of those who wait for `key` may lock.
    pub fn shards_of(&self, key: &[u8]) -> Option<ShardSet> {
        let mut shards = ShardSet::new();
        self.keys.get(key)?.iter().for_each(|queue| shards.extend_from(&queue.shards));
        Some(shards)
    }

    /// The shards that the commands of all who wait here may lock.
    pub fn shards(&self) -> &ShardSet {
        &self.shards
    }

    /// Puts a waiter into the queue of `key`.
    pub fn add(&mut self, key: &[u8], waiter: &Arc<Waiter>) {
        if self.keys.is_empty() {
            self.shards.clear();
        }
        let queues = match self.keys.get_mut(key) {
            Some(queues) => queues,
            None => self.keys.entry(key.into()).or_default(),
        };
        let at = queues.iter().position(|queue| queue.db == waiter.db).unwrap_or_else(|| {
            queues.push(Queue { db: waiter.db, ..Queue::default() });
            queues.len() - 1
        });
        let queue = &mut queues[at];
        if queue.waiters.insert(waiter.turn, Arc::clone(waiter)).is_none() && waiter.notices_loss {
            queue.notice_loss += 1;
            self.notice_loss += 1;
        }
        queue.shards.extend_from(&waiter.shards);
        self.shards.extend_from(&waiter.shards);
    }

    /// The first waiter of `key` after turn `after` that nobody has claimed.
    pub fn next(&self, db: usize, key: &[u8], after: u64) -> Option<Arc<Waiter>> {
        let mut later = self.queue(db, key)?.waiters.range(after.checked_add(1)?..);
        later.find(|(_, waiter)| !waiter.is_claimed()).map(|(_, waiter)| Arc::clone(waiter))
    }

    /// Takes a waiter out of the queue of `key`.
    pub fn remove(&mut self, key: &[u8], waiter: &Arc<Waiter>) {
        let Some(queues) = self.keys.get_mut(key) else { return };
        let Some(at) = queues.iter().position(|queue| queue.db == waiter.db) else { return };
        let queue = &mut queues[at];
        if queue.waiters.remove(&waiter.turn).is_some() && waiter.notices_loss {
            queue.notice_loss -= 1;
            self.notice_loss -= 1;
        }
        if queue.waiters.is_empty() {
            queues.swap_remove(at);
        }
        if queues.is_empty() {
            self.keys.remove(key);
        }
    }

    fn queue(&self, db: usize, key: &[u8]) -> Option<&Queue> {
        self.keys.get(key)?.iter().find(|queue| queue.db == db)
    }
}

/// What a command that found nothing to take wants to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub keys: Vec<Box<[u8]>>,
    /// How long, ms; 0 is for ever.
    pub timeout_ms: u64,
    /// Where clients cannot wait, the reply is a null array rather than a plain null. A wait that runs out always ends with the former.
    pub null_is_array: bool,
    /// What to run when a key may serve the client, in place of its own words.
    pub words: Option<Vec<Box<[u8]>>>,
    /// Run the command also when a key is gone or of another type.
    pub notices_loss: bool,
    /// Run the command then, too, Unix ms, though no key has changed; 0 is never.
    pub retry_at_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::{Block, Waiter, Waiters};
    use ochre_collections::lock::ShardSet;
    use std::sync::Arc;

    fn waiter(db: usize, shards: &[usize], notices_loss: bool) -> Arc<Waiter> {
        let block =
            Block { keys: Vec::new(), timeout_ms: 0, null_is_array: true, words: None, notices_loss, retry_at_ms: 0 };
        let shards: ShardSet = shards.iter().copied().collect();
        Arc::new(Waiter::new((0, 1), db, 2, Vec::new(), shards, block))
    }

    #[test]
    fn the_oldest_that_nobody_has_claimed_is_next() {
        let mut waiters = Waiters::default();
        let all = [waiter(0, &[1], false), waiter(0, &[1], false), waiter(0, &[1], false)];
        // Whoever blocks on several keys keeps its turn in each.
        all.iter().rev().for_each(|waiter| waiters.add(b"k", waiter));
        let turn = |after| waiters.next(0, b"k", after).map(|waiter| waiter.turn());
        assert_eq!(turn(0), Some(all[0].turn()));
        assert_eq!(turn(all[0].turn()), Some(all[1].turn()));
        assert!(all[1].claim() && !all[1].claim());
        assert_eq!(turn(all[0].turn()), Some(all[2].turn()));
        assert_eq!(turn(all[2].turn()), None);
        all[1].release();
        assert_eq!(turn(all[0].turn()), Some(all[1].turn()));
    }

    #[test]
    fn a_key_is_waited_for_in_each_database_by_itself() {
        let mut waiters = Waiters::default();
        let (zero, one) = (waiter(0, &[1, 7], false), waiter(1, &[1, 9], true));
        waiters.add(b"k", &zero);
        assert!(waiters.has(0, b"k") && !waiters.has(1, b"k") && !waiters.notices_loss());
        waiters.add(b"k", &one);
        assert!(waiters.has(0, b"k") && waiters.has(1, b"k"));
        assert!(waiters.notices_loss() && waiters.notices_loss_of(1, b"k") && !waiters.notices_loss_of(0, b"k"));
        let shards: Vec<usize> = waiters.shards_of(b"k").expect("somebody waits").iter().collect();
        assert_eq!(shards, [1, 7, 9]);
        waiters.remove(b"k", &one);
        waiters.remove(b"k", &one);
        assert!(!waiters.notices_loss() && waiters.has(0, b"k"));
        waiters.remove(b"k", &zero);
        assert!(waiters.is_empty() && waiters.shards_of(b"k").is_none());
    }
}
