//! Walks over the keys of a database: counting, listing, scanning, choosing by chance, emptying and swapping.

use crate::snapshot::take_table;
use crate::{Entry, Key, Locked};
use ochre_collections::EntryRef;
use ochre_collections::Table;
use ochre_collections::lock::ShardSet;
use ochre_values::Object;

/// What INFO keyspace shows of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseSize {
    pub keys: usize,
    /// Keys with a deadline.
    pub deadlines: usize,
}

impl Locked<'_> {
    /// Size of database `db` in the shards that are held.
    pub fn size(&self, db: usize) -> DatabaseSize {
        let mut size = DatabaseSize::default();
        for shard in self.held().iter() {
            let database = &self.guard().get(shard).databases[db];
            size.keys += database.table.len();
            size.deadlines += database.deadlines;
        }
        size
    }

    /// Bytes that the tables of database `db` take in the shards that are held, their entries left out.
    pub fn table_bytes(&self, db: usize) -> usize {
        self.held().iter().map(|shard| self.guard().get(shard).databases[db].table.memory_bytes()).sum()
    }

    /// Visits every living entry of the selected database in the shards that are held.
    pub fn for_each(&self, mut visit: impl FnMut(EntryRef<'_, Object>)) {
        for shard in self.held().iter() {
            for entry in self.guard().get(shard).databases[self.db()].table.iter() {
                if !self.has_expired(&entry) {
                    visit(entry);
                }
            }
        }
    }

    fn has_expired(&self, entry: &EntryRef<'_, Object>) -> bool {
        self.context().expire && entry.expiry_ms().is_some_and(|deadline| deadline <= self.now_ms())
    }

    /// A living key by chance. `None` when there is none, or luck failed a hundred times.
    pub fn random_key(&self) -> Option<Vec<u8>> {
        let mut random = self.random();
        for _ in 0..100 {
            let total = self.size(self.db()).keys;
            if total == 0 {
                return None;
            }
            // A shard in proportion to its keys.
            let mut nth = random.below(total);
            for shard in self.held().iter() {
                let table = &self.guard().get(shard).databases[self.db()].table;
                if nth < table.len() {
                    let entry = table.random(random.next())?;
                    if !self.has_expired(&entry) {
                        return Some(entry.key().to_vec());
                    }
                    break;
                }
                nth -= table.len();
            }
        }
        None
    }

    /// One step of SCAN: visits at least `count` entries unless the keyspace ends or a shard is busy, and answers the next
    /// cursor, 0 at the end.
    ///
    /// A cursor is a position in a shard's table times the number of shards, plus the shard's number.
    pub fn scan(&mut self, cursor: u64, count: usize, mut visit: impl FnMut(EntryRef<'_, Object>)) -> u64 {
        let shards = self.keyspace().shard_count() as u64;
        let (mut position, mut shard) = (cursor / shards, (cursor % shards) as usize);
        let db = self.db();
        let now_ms = self.now_ms();
        let expire = self.context().expire;
        let mut visited = 0;
        // Empty buckets cost a step too, so that a nearly empty table does not hold the lock for long.
        let mut steps = 0;
        while visited < count && steps < count.saturating_mul(10) {
            if !self.guard().holds(shard) && self.guard_mut().try_extend(&ShardSet::of(shard)).is_err() {
                break;
            }
            let table: &Table<Entry> = &self.guard().get(shard).databases[db].table;
            position = table.scan(position, &mut |entry| {
                visited += 1;
                if !(expire && entry.expiry_ms().is_some_and(|deadline| deadline <= now_ms)) {
                    visit(entry);
                }
            });
            steps += 1;
            if position == 0 {
                shard += 1;
                if shard as u64 == shards {
                    return 0;
                }
            }
        }
        position * shards + shard as u64
    }

    /// Empties database `db`, raising the flags of all who watch a key that existed. The caller frees what it gets, in the
    /// background if it is much; what a snapshot has still to see is left to it.
    pub fn empty(&mut self, db: usize) -> Vec<Table<Entry>> {
        let now_ms = self.now_ms();
        let (mut emptied, mut ready) = (Vec::new(), Vec::new());
        for number in self.held().iter() {
            let shard = self.guard_mut().get_mut(number);
            raise_watchers(shard, db, now_ms);
            if shard.waiters.notices_loss() {
                note_waited(shard, db, &mut ready);
            }
            let database = &mut shard.databases[db];
            if !database.table.is_empty() {
                emptied.extend(take_table(database, number));
            }
        }
        self.effects.touched = true;
        self.effects.tracked_emptied = self.keyspace().tracks_changes();
        self.effects.ready.append(&mut ready);
        emptied
    }

    /// Exchanges two databases, which all clients see at once. All shards must be held.
    pub fn swap(&mut self, one: usize, other: usize) {
        assert_eq!(self.held().len(), self.keyspace().shard_count(), "SWAPDB holds all shards");
        let now_ms = self.now_ms();
        let mut ready = Vec::new();
        for number in 0..self.keyspace().shard_count() {
            let shard = self.guard_mut().get_mut(number);
            raise_watchers(shard, one, now_ms);
            raise_watchers(shard, other, now_ms);
            shard.databases.swap(one, other);
            raise_watchers(shard, one, now_ms);
            raise_watchers(shard, other, now_ms);
            note_waited(shard, one, &mut ready);
            note_waited(shard, other, &mut ready);
        }
        self.effects.touched = true;
        self.effects.ready.append(&mut ready);
    }
}

/// Whoever waits for a key of database `db` may find something else there.
fn note_waited(shard: &crate::Shard, db: usize, ready: &mut Vec<(usize, Box<[u8]>)>) {
    ready.extend(shard.waiters.keys_of(db).map(|key| (db, Box::from(key))));
}

/// Whoever watches a key of database `db` that lives there sees it change.
fn raise_watchers(shard: &crate::Shard, db: usize, now_ms: u64) {
    for (key, flags) in shard.watchers.keys_of(db) {
        let place = Key::new(key);
        let lives = shard.databases[db]
            .table
            .get(place.hash(), key)
            .is_some_and(|entry| entry.expiry_ms().is_none_or(|deadline| deadline > now_ms));
        if lives {
            flags.iter().for_each(|flag| flag.raise());
        }
    }
}
