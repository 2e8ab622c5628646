//! Keys that clients have written to a replica that lets them: their deadlines are nobody else's to look after.

use super::lock;
use crate::aftermath;
use crate::dispatch::key_words;
use crate::shared::CommandRow;
use crate::worker::Worker;
use ochre_collections::ShardSet;
use ochre_keyspace::Key;
use ochre_resp::Args as Words;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Keys by database that may expire here.
#[derive(Default)]
pub struct LocalKeys {
    keys: Mutex<HashSet<(usize, Box<[u8]>)>>,
    has_some: AtomicBool,
}

/// More are not looked after: they go when the data of the other server takes their place.
const KEYS_MAX: usize = 100_000;

impl LocalKeys {
    /// A client has run this command, which writes, on a replica.
    #[cold]
    pub fn note(&self, db: usize, row: &CommandRow, words: Words<'_>) {
        let Ok(Some(found)) = key_words(row.spec.keys, words) else { return };
        let mut keys = lock(&self.keys);
        for (at, _) in found {
            if keys.len() < KEYS_MAX {
                keys.insert((db, words.at(at).into()));
            }
        }
        self.has_some.store(!keys.is_empty(), Ordering::Relaxed);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        lock(&self.keys).len()
    }
}

impl Worker {
    /// Removes those of these keys that have expired; called many times a second by the first loop.
    pub fn expire_local_keys(&mut self) {
        if self.shared.replication.local_keys.has_some.load(Ordering::Relaxed) {
            self.look_at_local_keys();
        }
    }

    #[cold]
    fn look_at_local_keys(&mut self) {
        let shared = self.shared;
        let local = &shared.replication.local_keys;
        let mut keys = std::mem::take(&mut *lock(&local.keys));
        if !self.follows {
            // The server looks after all of its keys again.
            keys.clear();
        }
        let context = ochre_keyspace::Context { removes_expired: true, log_wanted: false, ..self.context.clone() };
        keys.retain(|(db, name)| {
            let key = Key::new(name);
            let mut locks = ShardSet::of(shared.keyspace.shard_of(&key));
            let Ok(guard) = shared.keyspace.shards().try_lock_at_once(&mut locks) else { return true };
            self.effects.clear();
            let mut data = shared.keyspace.view(guard, &context, &mut self.effects, *db);
            data.expire_if_due(&key);
            let expires = data.expiry_ms(&key).flatten().is_some();
            aftermath::commit_background(shared, &context, data.effects);
            expires
        });
        self.effects.clear();
        aftermath::after_unlock(self);
        let mut rest = lock(&local.keys);
        rest.extend(keys);
        local.has_some.store(!rest.is_empty(), Ordering::Relaxed);
    }
}
