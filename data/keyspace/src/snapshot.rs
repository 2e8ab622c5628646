//! Snapshots without fork: the state of one moment, read piece by piece while commands go on.
//!
//! A cut is taken while all shards are locked for an instant. From then on each table has a position: keys with lower hashes
//! have been shown to the snapshot, those from the position on are still to come. Whoever is about to change or remove a key
//! that is still to come saves it first, as it is; a mark in its header says so. New keys are marked, too, and skipped.
//! So what the snapshot sees is exactly what was there at the cut, and between two steps nothing is held up.
//!
//! The walk takes the marks away as it passes, so that none is left when it ends, also when the snapshot was given up.

use crate::keyspace::{Database, Keyspace, Shard};
use crate::locked::duplicate;
use crate::{DatabaseSize, Entry};
use ochre_collections::lock::Guard;
use ochre_collections::{EntryRef, Slot, Table, Value, View, hash};
use ochre_values::Object;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The epoch of entries that the open cut need not look at: they came later, or have been saved.
const MARKED: u8 = 1;
/// Positions are hashes without their last bits, as cursors of a table's scan are.
const POSITION_SHIFT: u32 = 16;
/// The position behind all hashes: nothing is to come.
const NOTHING_TO_COME: u64 = u64::MAX;
/// Buckets that one step of a walk visits at most; most of them hold a few entries.
const BUCKETS_A_STEP_MAX: usize = 64;

/// What a snapshot shows of one moment, and what all its parts share.
pub struct Cut {
    /// Sizes of all databases at the cut.
    sizes: Vec<DatabaseSize>,
    /// About as many bytes are saved and not yet taken.
    saved_bytes: AtomicUsize,
    given_up: AtomicBool,
    /// Tables that were taken out of the keyspace (FLUSHALL) with keys still to come.
    detached: Mutex<Vec<Detached>>,
}

impl Cut {
    /// Sizes of all databases at the cut.
    pub fn sizes(&self) -> &[DatabaseSize] {
        &self.sizes
    }

    /// Bytes of entries that were saved from a change and not yet taken by [`Keyspace::walk`], about.
    pub fn saved_bytes(&self) -> usize {
        self.saved_bytes.load(Ordering::Relaxed)
    }

    /// Nobody wants the rest: nothing more is saved. The walk has to go on to its end all the same.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.lock_detached().clear();
    }

    /// Whether nobody wants the rest.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Takes the tables that were emptied since the last call; they are walked apart from the shards, without a lock.
    pub fn take_detached(&self) -> Vec<Detached> {
        std::mem::take(&mut *self.lock_detached())
    }

    fn lock_detached(&self) -> MutexGuard<'_, Vec<Detached>> {
        self.detached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry that was saved, as it was at the cut, with its database at that time.
pub type Saved = (usize, Entry);

/// The part of an open cut that belongs to one table.
struct Open {
    cut: Arc<Cut>,
    /// The database's number at the cut; SWAPDB does not change it.
    db: usize,
    saved: Vec<Entry>,
}

/// What a database's table knows of the snapshot that is being taken.
pub(crate) struct TableCut {
    /// Keys from this position on are still to come.
    from: u64,
    open: Option<Box<Open>>,
}

impl Default for TableCut {
    fn default() -> Self {
        TableCut { from: NOTHING_TO_COME, open: None }
    }
}

impl TableCut {
    /// Whether a key with this hash is still to come, if it is of the cut. No, at once, while no snapshot is taken.
    #[inline]
    pub(crate) fn reaches(&self, hash: u64) -> bool {
        hash >> POSITION_SHIFT >= self.from
    }

    /// Must be called before the entry in `slot` is changed in any way but its access clock.
    #[inline]
    pub(crate) fn before_change(&mut self, slot: &mut Slot<'_, Entry>) {
        if self.reaches(slot.hash()) {
            self.save_copy(slot);
        }
    }

    #[cold]
    fn save_copy(&mut self, slot: &mut Slot<'_, Entry>) {
        if slot.item().epoch() != MARKED {
            if self.wants() {
                self.push(duplicate(slot.item()));
            }
            slot.set_epoch(MARKED);
        }
    }

    /// Must be called before the value in `slot` is replaced as a whole: a large value goes to the snapshot without a copy, and
    /// an empty string is left in its place.
    #[inline]
    pub(crate) fn before_replacement(&mut self, slot: &mut Slot<'_, Entry>) {
        if self.reaches(slot.hash()) {
            self.save_value(slot);
        }
    }

    #[cold]
    fn save_value(&mut self, slot: &mut Slot<'_, Entry>) {
        let entry = slot.item();
        let is_object = matches!(entry.view(), View::Object(_));
        if entry.epoch() == MARKED || !is_object || !self.wants() {
            return self.save_copy(slot);
        }
        let (key, expiry_ms, clock) = (Box::<[u8]>::from(entry.key()), entry.expiry_ms(), entry.clock());
        if let Some(object) = slot.replace_value(Value::Str { bytes: b"", raw: false }) {
            let saved = Entry::new(&key, Value::Object(object), expiry_ms);
            saved.as_ref().touch(clock);
            self.push(saved);
        }
        slot.set_epoch(MARKED);
    }

    /// Gives the snapshot an entry that has just left the table for good; gives it back when it is not wanted.
    #[inline]
    pub(crate) fn offer(&mut self, hash: u64, entry: Entry) -> Option<Entry> {
        if self.reaches(hash) { self.offer_reached(entry) } else { Some(entry) }
    }

    #[cold]
    fn offer_reached(&mut self, entry: Entry) -> Option<Entry> {
        if entry.as_ref().epoch() == MARKED || !self.wants() {
            return Some(entry);
        }
        self.push(entry);
        None
    }

    /// The epoch of an entry with this hash that is put into the table.
    #[inline]
    pub(crate) fn epoch(&self, hash: u64) -> u8 {
        if self.reaches(hash) { MARKED } else { 0 }
    }

    fn wants(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.cut.is_given_up())
    }

    fn push(&mut self, entry: Entry) {
        let open = self.open.as_mut().expect("a table that the cut reaches has it open");
        open.cut.saved_bytes.fetch_add(bytes_of(&entry), Ordering::Relaxed);
        open.saved.push(entry);
    }

    /// Visits the next entries that are still to come, until `room` (what `visit` answers, summed) is used up. Says whether the
    /// table has been walked to its end.
    fn walk(&mut self, table: &mut Table<Entry>, room: &mut usize, visit: &mut Visit<'_>) -> bool {
        let Some(open) = &self.open else { return true };
        let given_up = open.cut.is_given_up();
        let mut marked: Vec<(u64, Box<[u8]>)> = Vec::new();
        for _ in 0..BUCKETS_A_STEP_MAX {
            let from = self.from;
            let next = table.scan(from, &mut |entry| {
                let hash = hash(entry.key());
                // Where buckets have grown since, some entries of this one have been shown before.
                if hash >> POSITION_SHIFT < from {
                    return;
                }
                if entry.epoch() == MARKED {
                    marked.push((hash, entry.key().into()));
                } else if !given_up {
                    *room = room.saturating_sub(visit(open.db, entry));
                }
            });
            self.from = if next == 0 { NOTHING_TO_COME } else { next };
            if next == 0 || *room == 0 {
                break;
            }
        }
        for (hash, key) in marked {
            if let Some(mut slot) = table.find(hash, &key) {
                slot.set_epoch(0);
            }
        }
        self.from == NOTHING_TO_COME
    }

    fn take_saved(&mut self, saved: &mut Vec<Saved>) {
        if let Some(open) = &mut self.open {
            let bytes = open.saved.iter().map(bytes_of).sum();
            open.cut.saved_bytes.fetch_sub(bytes, Ordering::Relaxed);
            saved.extend(open.saved.drain(..).map(|entry| (open.db, entry)));
        }
    }
}

/// Receives a database's number and one of its entries; answers how much of the step's room that took.
pub type Visit<'v> = dyn FnMut(usize, EntryRef<'_, Object>) -> usize + 'v;

/// Bytes of an entry with all that is behind it, about.
pub fn bytes_of(entry: &Entry) -> usize {
    let behind = match entry.as_ref().view() {
        View::Object(object) => object.memory_bytes(),
        _ => 0,
    };
    entry.as_ref().memory_bytes() + behind
}

/// A table that was taken out of the keyspace while the snapshot had not seen all of it.
pub struct Detached {
    table: Table<Entry>,
    cut: TableCut,
}

impl Detached {
    /// As [`Keyspace::walk`], without locks: says whether all of it has been seen.
    pub fn walk(&mut self, room: &mut usize, saved: &mut Vec<Saved>, visit: &mut Visit<'_>) -> bool {
        self.cut.take_saved(saved);
        self.cut.walk(&mut self.table, room, visit)
    }
}

impl Keyspace {
    /// Begins a snapshot of this moment; all shards must be held. `None` while another one is being taken.
    ///
    /// Every shard is then to be walked to its end by [`Keyspace::walk`], and the tables of [`Cut::take_detached`] are to be
    /// walked, too, the last time after the last shard. Takes some µs.
    pub fn cut(&self, guard: &mut Guard<'_, Shard>) -> Option<Arc<Cut>> {
        assert_eq!(guard.held().len(), self.shard_count(), "a cut holds all shards");
        if self.is_being_cut.swap(true, Ordering::AcqRel) {
            return None;
        }
        let mut sizes = vec![DatabaseSize::default(); self.databases()];
        for shard in 0..self.shard_count() {
            for (size, database) in sizes.iter_mut().zip(&guard.get(shard).databases) {
                size.keys += database.table.len();
                size.deadlines += database.deadlines;
            }
        }
        let cut = Arc::new(Cut {
            sizes,
            saved_bytes: AtomicUsize::new(0),
            given_up: AtomicBool::new(false),
            detached: Mutex::default(),
        });
        for shard in 0..self.shard_count() {
            for (db, database) in guard.get_mut(shard).databases.iter_mut().enumerate() {
                if !database.table.is_empty() {
                    let open = Open { cut: Arc::clone(&cut), db, saved: Vec::new() };
                    database.cut = TableCut { from: 0, open: Some(Box::new(open)) };
                }
            }
        }
        Some(cut)
    }

    /// One step of the open cut's walk through `shard`, which must be held: visits entries until `room` is used up (what
    /// `visit` answers, summed; one bucket more at most), and hands over those that were saved from changes. Says
    /// whether the shard has been walked to its end.
    ///
    /// What is handed over as saved is for the caller to free once the shard is unlocked.
    pub fn walk(
        &self,
        guard: &mut Guard<'_, Shard>,
        shard: usize,
        room: &mut usize,
        saved: &mut Vec<Saved>,
        visit: &mut Visit<'_>,
    ) -> bool {
        let mut ended = true;
        for database in &mut guard.get_mut(shard).databases {
            if database.cut.open.is_none() {
                continue;
            }
            database.cut.take_saved(saved);
            if *room == 0 {
                ended = false;
            } else if database.cut.walk(&mut database.table, room, visit) {
                database.cut = TableCut::default();
            } else {
                ended = false;
            }
        }
        ended
    }

    /// Says that the open cut has been walked to its end in all shards: another one may be taken.
    pub fn end_cut(&self) {
        self.is_being_cut.store(false, Ordering::Release);
    }

    /// Whether a snapshot is being taken.
    pub fn is_being_cut(&self) -> bool {
        self.is_being_cut.load(Ordering::Acquire)
    }
}

impl crate::Locked<'_> {
    /// Begins a snapshot of this moment, see [`Keyspace::cut`].
    pub fn cut(&mut self) -> Option<Arc<Cut>> {
        let keyspace = self.keyspace();
        keyspace.cut(self.guard_mut())
    }
}

/// Takes everything out of `database`. A snapshot that has not seen all of it keeps the table; else it is answered.
pub(crate) fn take_table(database: &mut Database) -> Option<Table<Entry>> {
    let taken = std::mem::take(database);
    match &taken.cut.open {
        Some(open) if !open.cut.is_given_up() => {
            let cut = Arc::clone(&open.cut);
            cut.lock_detached().push(Detached { table: taken.table, cut: taken.cut });
            None
        }
        _ => Some(taken.table),
    }
}
