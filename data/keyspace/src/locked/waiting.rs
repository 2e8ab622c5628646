//! What the locked view does for clients that wait for keys.

use super::Locked;
use crate::keyspace::Shard;
use crate::{Block, Class, Key, Waiter};
use ochre_collections::lock::ShardSet;

impl Locked<'_> {
    /// Somebody may be blocked on `key`, which now holds a value to take from.
    #[inline]
    pub fn note_ready(&mut self, key: &Key<'_>) {
        if !self.quiet {
            self.note_ready_for_waiters(key);
        }
    }

    #[inline(never)]
    fn note_ready_for_waiters(&mut self, key: &Key<'_>) {
        let shard = self.guard.get(self.keyspace.shard_of(key));
        if !shard.waiters.is_empty() && shard.waiters.has(self.db, key.bytes()) {
            self.effects.ready.push((self.db, key.bytes().into()));
        }
    }

    /// `key` is gone or gets another value: who reads a stream as a member of a group may notice.
    #[inline]
    pub(super) fn note_loss(&mut self, db: usize, key: &Key<'_>) {
        if !self.quiet {
            self.note_loss_for_waiters(db, key);
        }
    }

    #[inline(never)]
    fn note_loss_for_waiters(&mut self, db: usize, key: &Key<'_>) {
        let shard = self.guard.get(self.keyspace.shard_of(key));
        if shard.waiters.notices_loss() && shard.waiters.notices_loss_of(db, key.bytes()) {
            self.effects.ready.push((db, key.bytes().into()));
        }
    }

    /// Lets the client wait until one of `keys` may have something to take; the command is run again then. Where clients
    /// cannot wait (in a transaction or a script) it is as if the time was over at once: the reply is a plain null, or a null
    /// array. What is answered can be refined.
    pub fn block(&mut self, keys: &[Key<'_>], timeout_ms: u64, null_is_array: bool) -> &mut Block {
        let keys = keys.iter().map(|key| key.bytes().into()).collect();
        let (words, notices_loss, retry_at_ms) = (None, false, 0);
        self.effects.block.insert(Block { keys, timeout_ms, null_is_array, words, notices_loss, retry_at_ms })
    }

    /// Puts a blocked client into the queues of its keys, whose shards are held.
    pub fn register(&mut self, waiter: &std::sync::Arc<Waiter>) {
        self.quiet = false;
        for key in &waiter.keys {
            let shard = self.keyspace.shard_of(&Key::new(key));
            self.guard.get_mut(shard).waiters.add(key, waiter);
        }
    }

    /// The client that has waited longest for `key` of database `db`, of those that came after turn `after`.
    pub fn next_waiter(&self, db: usize, key: &Key<'_>, after: u64) -> Option<std::sync::Arc<Waiter>> {
        self.guard.get(self.keyspace.shard_of(key)).waiters.next(db, key.bytes(), after)
    }

    /// Whether somebody waits for `key` who notices when it is gone.
    pub fn notices_loss(&self, key: &Key<'_>) -> bool {
        self.guard.get(self.keyspace.shard_of(key)).waiters.notices_loss_of(self.db, key.bytes())
    }

    /// Takes a client out of those queues of its keys whose shards are held.
    pub fn unregister(&mut self, waiter: &std::sync::Arc<Waiter>) {
        for key in &waiter.keys {
            let shard = self.keyspace.shard_of(&Key::new(key));
            if self.guard.holds(shard) {
                self.guard.get_mut(shard).waiters.remove(key, waiter);
            }
        }
    }

    /// The shards that are needed to serve at once whoever waits for one of `keys`, and whoever is served by what they do in
    /// turn. `None` when these are held, or nobody waits.
    #[cold]
    pub fn shards_to_serve(&self, keys: &mut dyn Iterator<Item = &[u8]>) -> Option<ShardSet> {
        let mut needed = ShardSet::new();
        for key in keys {
            let shard = self.keyspace.shard_of(&Key::new(key));
            if let Some(shards) = self.guard.get(shard).waiters.shards_of(key) {
                needed.extend_from(&shards);
            }
        }
        // Nobody says which keys a waiter's command will fill, so all waiters of their shards count.
        loop {
            let before = needed.len();
            for shard in needed.clone().iter().filter(|shard| self.guard.holds(*shard)) {
                needed.extend_from(self.guard.get(shard).waiters.shards());
            }
            if needed.len() == before {
                break;
            }
        }
        (!self.guard.held().contains_all(&needed)).then_some(needed)
    }

    /// Whether nobody waits for a key of the one shard that is held, watches one, or is told of changes. Then effects of that kind
    /// are left out until the view is given up, so this is for a view that serves a single command: nobody else gets at the shard
    /// meanwhile, and whoever begins to track keys reads them later.
    #[inline]
    pub fn is_quiet(&mut self) -> bool {
        let is_silent = |shard: &Shard| shard.waiters.is_empty() && shard.watchers.is_empty();
        self.quiet = self.context.notify == Class::NONE
            && !self.keyspace.tracks_changes()
            && self.guard.only().is_some_and(is_silent);
        self.quiet
    }

    /// Whether nobody waits for a key of the shards that are held.
    #[inline]
    pub fn nobody_waits(&self) -> bool {
        self.guard.all(|shard| shard.waiters.is_empty())
    }
}
