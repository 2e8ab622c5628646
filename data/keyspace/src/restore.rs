//! Values that come from a file or a payload: an entry is made without a lock, and put into its table under one.

use crate::edit::small_pack;
use crate::strings::value_of;
use crate::{Entry, Key, Locked};
use ochre_collections::{Value, View};
use ochre_rdb::Built;
use ochre_values::{Object, Packing};
use std::borrow::Cow;

/// An entry for a value that was read, with a deadline (Unix ms) and an access clock. Needs no lock.
pub fn entry_of(key: &[u8], built: Built<'_>, expiry_ms: Option<u64>, clock: u32) -> Entry {
    let entry = match built {
        Built::Int(value) => Entry::new(key, Value::Int(value), expiry_ms),
        Built::Text(Cow::Owned(text)) if text.len() > crate::strings::INLINE_STRING_BYTES_MAX => {
            Entry::new(key, Value::Object(Object::String(text)), expiry_ms)
        }
        Built::Text(text) => Entry::new(key, value_of(&text), expiry_ms),
        Built::Object(object) => match packed_of(&object) {
            Some((packing, bytes)) => Entry::new(key, Value::Packed { kind: packing as u8, bytes }, expiry_ms),
            None => Entry::new(key, Value::Object(object), expiry_ms),
        },
    };
    entry.as_ref().touch(clock);
    entry
}

/// The bytes of an object that is to lie inline.
fn packed_of(object: &Object) -> Option<(Packing, &[u8])> {
    match object {
        Object::List(list) => small_pack(list),
        Object::Set(set) => small_pack(set),
        Object::Hash(hash) => small_pack(hash),
        Object::SortedSet(set) => small_pack(set),
        Object::String(_) | Object::WalkedString(_) | Object::Stream(_) | Object::Structured(_) => None,
    }
}

impl Locked<'_> {
    /// Asks the memory for the place of a key with this hash, which is about to be inserted.
    pub fn prefetch_loaded(&self, db: usize, hash: u64) {
        self.guard().get(self.keyspace().shard_of_hash(hash)).databases[db].table.prefetch(hash);
    }

    /// Puts a new entry into database `db`; `hash` is that of its key. Gives it back when the key is there already.
    ///
    /// Nobody is told: this is for data that nobody has seen yet.
    pub fn insert_loaded(&mut self, db: usize, hash: u64, mut entry: Entry) -> Result<(), Entry> {
        let next_expiry_ms = match entry.as_ref().view() {
            View::Object(object) => object.next_expiry_ms(),
            _ => None,
        };
        let deadline = entry.as_ref().expiry_ms();
        self.effects.touched = true;
        let shard = self.keyspace().shard_of_hash(hash);
        let database = &mut self.guard_mut().get_mut(shard).databases[db];
        if database.table.get(hash, entry.as_ref().key()).is_some() {
            return Err(entry);
        }
        entry.as_mut().set_epoch(database.cut.epoch(hash));
        database.table.insert_new(hash, entry);
        if let Some(earliest) = [deadline, next_expiry_ms].into_iter().flatten().min() {
            database.table.note_deadline(hash, earliest);
        }
        database.deadlines += usize::from(deadline.is_some());
        Ok(())
    }

    /// As [`Locked::insert_loaded`], in place of what is there.
    pub fn replace_loaded(&mut self, db: usize, hash: u64, entry: Entry) {
        if let Err(entry) = self.insert_loaded(db, hash, entry) {
            self.discard_from(db, &Key::with_hash(entry.as_ref().key(), hash));
            let inserted = self.insert_loaded(db, hash, entry);
            debug_assert!(inserted.is_ok(), "the key was just removed");
        }
    }

    /// Makes a value that was read from a payload the value of `key`, whatever is there.
    pub fn put_built(&mut self, key: &Key<'_>, built: Built<'_>, expiry_ms: Option<u64>, clock: u32) {
        let entry = entry_of(key.bytes(), built, expiry_ms, clock);
        self.replace_loaded(self.db(), key.hash(), entry);
        self.note_ready(key);
    }
}
