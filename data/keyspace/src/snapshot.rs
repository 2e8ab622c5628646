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
use ochre_values::{Element, Object, WalkShape};
use std::collections::VecDeque;
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
    /// Collections of at least so many elements are shown piece by piece.
    large_elements_min: usize,
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
    /// Keys from this position on are still to come.
    position: u64,
    saved: Vec<Entry>,
    /// Large collections whose walk has begun, the one that is being shown first.
    large: VecDeque<Large>,
}

/// A large collection that is shown piece by piece.
struct Large {
    hash: u64,
    /// What the snapshot says of it; taken when it has been said.
    head: LargeHead,
    is_begun: bool,
    /// The entry, once it has left the table.
    own: Option<Entry>,
}

/// What stands before the elements of a large collection.
#[derive(Clone, Debug)]
pub struct LargeHead {
    pub key: Box<[u8]>,
    pub expiry_ms: Option<u64>,
    /// The access clock at the cut.
    pub clock: u32,
    pub shape: WalkShape,
}

/// What a database's table knows of the snapshot that is being taken.
pub(crate) struct TableCut {
    /// Changes of keys from this position on are to be looked at: all while a large collection is being shown.
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
        if self.is_to_come(slot.hash()) && slot.item().epoch() != MARKED {
            if self.wants() && !self.begin_large(slot) {
                self.push(duplicate(slot.item()));
            }
            slot.set_epoch(MARKED);
        }
    }

    /// Whether the walk has not come by a key with this hash.
    fn is_to_come(&self, hash: u64) -> bool {
        self.open.as_ref().is_some_and(|open| hash >> POSITION_SHIFT >= open.position)
    }

    /// Begins the walk through a large collection; says no when it is none.
    fn begin_large(&mut self, slot: &mut Slot<'_, Entry>) -> bool {
        let Some(open) = &mut self.open else { return false };
        let (hash, item) = (slot.hash(), slot.item());
        let (key, expiry_ms, clock) = (Box::from(item.key()), item.expiry_ms(), item.clock());
        let elements_min = open.cut.large_elements_min;
        let Some(shape) = slot.object_mut().and_then(|object| object.begin_walk(elements_min)) else { return false };
        let head = LargeHead { key, expiry_ms, clock, shape };
        open.large.push_back(Large { hash, head, is_begun: false, own: None });
        self.from = 0;
        true
    }

    /// Must be called before the entry in `slot` is taken to another place. If it is being shown, a copy goes on in its place:
    /// that takes time in proportion to the collection.
    #[inline]
    pub(crate) fn before_move(&mut self, slot: &mut Slot<'_, Entry>) {
        if self.reaches(slot.hash()) {
            self.save_moved(slot);
        }
    }

    #[cold]
    fn save_moved(&mut self, slot: &mut Slot<'_, Entry>) {
        self.save_copy(slot);
        let Some(copy) = slot.object_mut().filter(|object| object.is_walked()).map(Object::split_walked) else {
            return;
        };
        let entry = Entry::new(slot.key(), Value::Object(copy), None);
        self.adopt(slot.hash(), entry);
    }

    /// The walk goes on with an entry that has left the table.
    fn adopt(&mut self, hash: u64, entry: Entry) {
        let key = entry.as_ref().key();
        let open = self.open.as_mut().expect("a table that the cut reaches has it open");
        let of_key = |large: &&mut Large| large.own.is_none() && large.hash == hash && *large.head.key == *key;
        if let Some(large) = open.large.iter_mut().find(of_key) {
            large.own = Some(entry);
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
        let (is_object, is_walked) = match entry.view() {
            View::Object(object) => (true, object.is_walked()),
            _ => (false, false),
        };
        let is_saved = !self.is_to_come(slot.hash()) || entry.epoch() == MARKED;
        if !is_walked && (is_saved || !is_object || !self.wants()) {
            return self.save_copy(slot);
        }
        let (key, expiry_ms, clock) = (Box::<[u8]>::from(entry.key()), entry.expiry_ms(), entry.clock());
        if let Some(object) = slot.replace_value(Value::Str { bytes: b"", raw: false }) {
            let saved = Entry::new(&key, Value::Object(object), expiry_ms);
            saved.as_ref().touch(clock);
            if is_walked {
                return self.adopt(slot.hash(), saved);
            }
            self.push(saved);
        }
        slot.set_epoch(MARKED);
    }

    /// Gives the snapshot an entry that has just left the table for good; gives it back when it is not wanted.
    #[inline]
    pub(crate) fn offer(&mut self, hash: u64, entry: Entry) -> Option<Entry> {
        if self.reaches(hash) { self.offer_reached(hash, entry) } else { Some(entry) }
    }

    #[cold]
    fn offer_reached(&mut self, hash: u64, entry: Entry) -> Option<Entry> {
        if !self.wants() {
            return Some(entry);
        }
        if matches!(entry.as_ref().view(), View::Object(object) if object.is_walked()) {
            self.adopt(hash, entry);
            return None;
        }
        if !self.is_to_come(hash) || entry.as_ref().epoch() == MARKED {
            return Some(entry);
        }
        self.push(entry);
        None
    }

    /// The epoch of an entry with this hash that is put into the table.
    #[inline]
    pub(crate) fn epoch(&self, hash: u64) -> u8 {
        if self.reaches(hash) && self.is_to_come(hash) { MARKED } else { 0 }
    }

    fn wants(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.cut.is_given_up())
    }

    fn push(&mut self, entry: Entry) {
        let open = self.open.as_mut().expect("a table that the cut reaches has it open");
        open.cut.saved_bytes.fetch_add(bytes_of(&entry), Ordering::Relaxed);
        open.saved.push(entry);
    }

    /// Shows the next entries that are still to come, until `room` (what the visitor answers, summed) is used up. Says whether the
    /// table has been walked to its end.
    fn walk(&mut self, table: &mut Table<Entry>, room: &mut usize, visitor: &mut dyn Visitor) -> bool {
        let Some(open) = &mut self.open else { return true };
        while *room > 0 && !open.large.is_empty() {
            open.walk_large(table, room, visitor);
        }
        if open.large.is_empty() && open.position != NOTHING_TO_COME && *room > 0 {
            open.walk_entries(table, room, visitor);
        }
        self.from = if open.large.is_empty() { open.position } else { 0 };
        self.from == NOTHING_TO_COME
    }

    /// Whether the elements of a large collection are being shown.
    fn is_showing(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.large.front().is_some_and(|large| large.is_begun))
    }

    fn take_saved(&mut self, saved: &mut Vec<Saved>) {
        if let Some(open) = &mut self.open {
            let bytes = open.saved.iter().map(bytes_of).sum();
            open.cut.saved_bytes.fetch_sub(bytes, Ordering::Relaxed);
            saved.extend(open.saved.drain(..).map(|entry| (open.db, entry)));
        }
    }
}

impl Open {
    /// Goes on with the first of the large collections.
    fn walk_large(&mut self, table: &mut Table<Entry>, room: &mut usize, visitor: &mut dyn Visitor) {
        let Some(large) = self.large.front_mut() else { return };
        let given_up = self.cut.is_given_up();
        let mut slot;
        let object = match &mut large.own {
            Some(entry) => entry.as_mut().object(),
            None => {
                slot = table.find(large.hash, &large.head.key);
                slot.as_mut().and_then(Slot::object_mut)
            }
        };
        let object = match object {
            // Who removes it does not hand it over then.
            None if given_up => return drop(self.large.pop_front()),
            object => object.expect("who takes a collection that is being shown hands it over"),
        };
        if !std::mem::replace(&mut large.is_begun, true) {
            visitor.large(self.db, &large.head);
        }
        if given_up || object.walk_on(room, &mut |element| visitor.element(element)) {
            object.end_walk();
            visitor.large_end();
            if let Some(Large { own: Some(entry), .. }) = self.large.pop_front() {
                visitor.free(entry);
            }
        }
    }

    fn walk_entries(&mut self, table: &mut Table<Entry>, room: &mut usize, visitor: &mut dyn Visitor) {
        let given_up = self.cut.is_given_up();
        let elements_min = self.cut.large_elements_min;
        let (mut marked, mut copied): (Vec<Place>, Vec<Place>) = (Vec::new(), Vec::new());
        for _ in 0..BUCKETS_A_STEP_MAX {
            let from = self.position;
            let next = table.scan(from, &mut |entry| {
                let hash = hash(entry.key());
                // Where buckets have grown since, some entries of this one have been shown before.
                if hash >> POSITION_SHIFT < from {
                    return;
                }
                if entry.epoch() == MARKED {
                    marked.push((hash, entry.key().into()));
                } else if given_up {
                } else if is_shown_later(entry.view(), elements_min) {
                    copied.push((hash, entry.key().into()));
                } else {
                    *room = room.saturating_sub(visitor.entry(self.db, entry));
                }
            });
            self.position = if next == 0 { NOTHING_TO_COME } else { next };
            if next == 0 || *room == 0 || !copied.is_empty() {
                break;
            }
        }
        for (hash, key) in marked {
            if let Some(mut slot) = table.find(hash, &key) {
                slot.set_epoch(0);
            }
        }
        for (hash, key) in copied {
            let Some(mut slot) = table.find(hash, &key) else { continue };
            let item = slot.item();
            let (expiry_ms, clock) = (item.expiry_ms(), item.clock());
            match slot.object_mut().and_then(|object| object.begin_walk(elements_min)) {
                Some(shape) => {
                    let head = LargeHead { key, expiry_ms, clock, shape };
                    self.large.push_back(Large { hash, head, is_begun: false, own: None });
                }
                None => visitor.copied(self.db, duplicate(slot.item())),
            }
        }
    }
}

/// A key and its hash.
type Place = (u64, Box<[u8]>);

/// Whether it takes too long to show this value while its shard is locked.
fn is_shown_later(view: View<'_, Object>, elements_min: usize) -> bool {
    match view {
        View::Object(Object::String(bytes)) => bytes.len() > BYTES_SHOWN_AT_ONCE_MAX,
        View::Object(object) => object.is_walkable(elements_min),
        _ => false,
    }
}

/// Longer strings are copied, to be compressed without a lock.
const BYTES_SHOWN_AT_ONCE_MAX: usize = 16 * 1024;

/// Receives what a walk finds. Between `large` and `large_end` there is nothing but elements.
pub trait Visitor {
    /// An entry, of a database with this number at the cut. Answers how much of the step's room that took.
    fn entry(&mut self, db: usize, entry: EntryRef<'_, Object>) -> usize;
    /// An entry that is better shown later.
    fn copied(&mut self, db: usize, entry: Entry);
    /// A large collection whose elements follow.
    fn large(&mut self, db: usize, head: &LargeHead);
    /// One element of it. Answers how much of the step's room that took.
    fn element(&mut self, element: Element<'_>) -> usize;
    /// All elements have been shown, or nobody wants the rest.
    fn large_end(&mut self);
    /// What is to be freed once the shard is unlocked.
    fn free(&mut self, entry: Entry);
}

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
    shard: usize,
}

impl Detached {
    /// The shard that it was in.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// Whether the elements of a large collection were being shown when it was taken out: the rest of them comes first.
    pub fn is_showing(&self) -> bool {
        self.cut.is_showing()
    }

    /// As [`Keyspace::walk`], without locks: says whether all of it has been seen.
    pub fn walk(&mut self, room: &mut usize, saved: &mut Vec<Saved>, visitor: &mut dyn Visitor) -> bool {
        self.cut.take_saved(saved);
        self.cut.walk(&mut self.table, room, visitor)
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
            large_elements_min: self.large_elements_min.load(Ordering::Relaxed),
            detached: Mutex::default(),
        });
        for shard in 0..self.shard_count() {
            for (db, database) in guard.get_mut(shard).databases.iter_mut().enumerate() {
                if !database.table.is_empty() {
                    let cut = Arc::clone(&cut);
                    let open = Open { cut, db, position: 0, saved: Vec::new(), large: VecDeque::new() };
                    database.cut = TableCut { from: 0, open: Some(Box::new(open)) };
                }
            }
        }
        Some(cut)
    }

    /// One step of the open cut's walk through `shard`, which must be held: shows entries until `room` is used up (what
    /// the visitor answers, summed; one bucket more at most), and hands over those that were saved from changes. Says
    /// whether the shard has been walked to its end.
    ///
    /// What is handed over as saved is for the caller to free once the shard is unlocked.
    pub fn walk(
        &self,
        guard: &mut Guard<'_, Shard>,
        shard: usize,
        room: &mut usize,
        saved: &mut Vec<Saved>,
        visitor: &mut dyn Visitor,
    ) -> bool {
        let databases = &mut guard.get_mut(shard).databases;
        // What is being shown comes first, wherever SWAPDB has put it.
        if let Some(database) = databases.iter_mut().find(|database| database.cut.is_showing()) {
            database.cut.walk(&mut database.table, room, visitor);
        }
        let mut ended = true;
        for database in databases.iter_mut().filter(|database| database.cut.open.is_some()) {
            database.cut.take_saved(saved);
            if *room == 0 {
                ended = false;
            } else if database.cut.walk(&mut database.table, room, visitor) {
                database.cut = TableCut::default();
            } else {
                ended = false;
            }
        }
        ended
    }

    /// Collections of at least so many elements are shown piece by piece from the next cut on.
    pub fn show_in_pieces_from(&self, elements: usize) {
        self.large_elements_min.store(elements, Ordering::Relaxed);
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
pub(crate) fn take_table(database: &mut Database, shard: usize) -> Option<Table<Entry>> {
    let taken = std::mem::take(database);
    match &taken.cut.open {
        Some(open) if !open.cut.is_given_up() => {
            let cut = Arc::clone(&open.cut);
            cut.lock_detached().push(Detached { table: taken.table, cut: taken.cut, shard });
            None
        }
        _ => Some(taken.table),
    }
}
