//! Snapshots without fork: the state of one moment, read piece by piece while commands go on.
//!
//! A cut is taken while all shards are locked for an instant. From then on each table has a position: keys with lower hashes
//! have been shown to the snapshot, those from the position on are still to come. Whoever is about to change or remove a key
//! that is still to come saves it first, as it is; a mark in its header says so. New keys are marked, too, and skipped.
//! So what the snapshot sees is exactly what was there at the cut, and between two steps nothing is held up.
//!
//! The walk takes the marks away as it passes, so that none is left when it ends, also when the snapshot was given up.

mod large;

pub use large::{LargeHead, Show};

use crate::keyspace::{Database, Keyspace, Shard};
use crate::locked::duplicate;
use crate::{DatabaseSize, Entry};
pub(crate) use large::Place;
use large::{Guest, Large, LargeStep};
use ochre_collections::lock::Guard;
use ochre_collections::{EntryRef, Slot, Table, Value, View, hash};
use ochre_values::Object;
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
        for mut table in self.take_detached() {
            table.cut.take_saved(&mut Vec::new());
        }
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
    shard: usize,
    /// Keys from this position on are still to come.
    position: u64,
    /// With their bytes, about.
    saved: Vec<(Entry, usize)>,
    /// Large values that are to be shown piece by piece, the one that is being shown first. Each may have moved elsewhere since.
    large: VecDeque<Large>,
}

/// What a database's table knows of the snapshot that is being taken.
pub(crate) struct TableCut {
    /// Changes of keys from this position on are to be looked at: all while a large value of this table is being shown.
    from: u64,
    open: Option<Box<Open>>,
    /// The large values in this table that are being shown, whichever table they were in at the cut.
    guests: Vec<Guest>,
}

impl Default for TableCut {
    fn default() -> Self {
        TableCut { from: NOTHING_TO_COME, open: None, guests: Vec::new() }
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

    /// Begins the walk through a large value; says no when it is none.
    fn begin_large(&mut self, slot: &mut Slot<'_, Entry>) -> bool {
        let Some(open) = &mut self.open else { return false };
        let Some(head) = LargeHead::begin(slot, open.cut.large_elements_min) else { return false };
        let place = Place::at(open.shard);
        self.guests.push(Guest { hash: slot.hash(), key: head.key.clone(), place: Arc::clone(&place) });
        open.large.push_back(Large::new(head, place));
        self.settle();
        true
    }

    /// From where on changes are to be looked at.
    fn settle(&mut self) {
        let position = self.open.as_ref().map_or(NOTHING_TO_COME, |open| open.position);
        self.from = if self.guests.is_empty() { position } else { 0 };
    }

    /// Must be called before the entry in `slot` is taken to another place. If it is being shown, that goes on there: what this
    /// answers is for [`TableCut::receive`].
    #[inline]
    pub(crate) fn before_move(&mut self, slot: &mut Slot<'_, Entry>) -> Option<Arc<Place>> {
        if self.reaches(slot.hash()) { self.save_moved(slot) } else { None }
    }

    #[cold]
    fn save_moved(&mut self, slot: &mut Slot<'_, Entry>) -> Option<Arc<Place>> {
        self.save_copy(slot);
        let is_walked = matches!(slot.view(), View::Object(object) if object.is_walked());
        if is_walked { self.take_guest(slot.hash(), slot.key()) } else { None }
    }

    /// An entry that is being shown has come into the table, in a shard of this number.
    #[cold]
    pub(crate) fn receive(&mut self, shard: usize, hash: u64, key: &[u8], place: Arc<Place>) {
        place.move_to(shard);
        self.guests.push(Guest { hash, key: key.into(), place });
        self.settle();
    }

    /// Takes all values that are being shown out of the table.
    fn send_guests_off(&mut self, table: &mut Table<Entry>) {
        for guest in std::mem::take(&mut self.guests) {
            let slot = table.find(guest.hash, &guest.key).expect("a guest is in its table");
            guest.place.adopt(slot.remove());
        }
        self.settle();
    }

    /// Forgets a value that is being shown, and tells where that says it is.
    fn take_guest(&mut self, hash: u64, key: &[u8]) -> Option<Arc<Place>> {
        let at = self.guests.iter().position(|guest| guest.hash == hash && *guest.key == *key)?;
        let guest = self.guests.swap_remove(at);
        self.settle();
        Some(guest.place)
    }

    /// The walk goes on with an entry that has left the table for good, unless nobody wants it: then it is answered.
    fn adopt(&mut self, hash: u64, entry: Entry) -> Option<Entry> {
        let Some(place) = self.take_guest(hash, entry.as_ref().key()) else { return Some(entry) };
        place.adopt(entry);
        None
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
                drop(self.adopt(slot.hash(), saved));
                return;
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
        if matches!(entry.as_ref().view(), View::Object(object) if object.is_walked()) {
            return self.adopt(hash, entry);
        }
        if !self.wants() || !self.is_to_come(hash) || entry.as_ref().epoch() == MARKED {
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
        let bytes = bytes_of(&entry);
        open.cut.saved_bytes.fetch_add(bytes, Ordering::Relaxed);
        open.saved.push((entry, bytes));
    }

    /// Shows the next of the large values that have been begun. It may be in a shard of `guard`, or on its way out.
    fn walk_large(
        mut large: Large,
        guard: Option<&mut Guard<'_, Shard>>,
        given_up: bool,
        db: usize,
        room: &mut usize,
        visitor: &mut dyn Visitor,
    ) -> (LargeStep, Option<Large>) {
        let step = large.walk(guard, given_up, db, room, visitor);
        (step, (step != LargeStep::Ended).then_some(large))
    }

    /// Shows the next entries that are still to come, unless something large comes first.
    fn walk_entries(&mut self, table: &mut Table<Entry>, room: &mut usize, visitor: &mut dyn Visitor) {
        let Some(open) = &mut self.open else { return };
        if open.large.is_empty() && open.position != NOTHING_TO_COME && *room > 0 && !visitor.is_full() {
            open.walk_entries(table, &mut self.guests, room, visitor);
        }
        self.settle();
    }

    /// Whether all that there was in the table has been shown.
    fn has_ended(&self) -> bool {
        let done = |open: &Open| open.large.is_empty() && open.position == NOTHING_TO_COME;
        self.open.as_ref().is_none_or(|open| done(open))
    }

    /// Whether a large value has been shown in part.
    fn is_showing(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.large.front().is_some_and(Large::is_begun))
    }

    fn take_saved(&mut self, saved: &mut Vec<Saved>) {
        if let Some(open) = &mut self.open {
            let bytes = open.saved.iter().map(|(_, bytes)| bytes).sum();
            open.cut.saved_bytes.fetch_sub(bytes, Ordering::Relaxed);
            saved.extend(open.saved.drain(..).map(|(entry, _)| (open.db, entry)));
        }
    }
}

impl Open {
    fn walk_entries(
        &mut self,
        table: &mut Table<Entry>,
        guests: &mut Vec<Guest>,
        room: &mut usize,
        visitor: &mut dyn Visitor,
    ) {
        let given_up = self.cut.is_given_up();
        let elements_min = self.cut.large_elements_min;
        let (mut marked, mut copied): (Vec<Found>, Vec<Found>) = (Vec::new(), Vec::new());
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
            match LargeHead::begin(&mut slot, elements_min) {
                Some(head) => {
                    let place = Place::at(self.shard);
                    guests.push(Guest { hash, key, place: Arc::clone(&place) });
                    self.large.push_back(Large::new(head, place));
                }
                None => visitor.copied(self.db, duplicate(slot.item())),
            }
        }
    }
}

/// A key and its hash.
type Found = (u64, Box<[u8]>);

/// Whether it takes too long to show this value while its shard is locked.
fn is_shown_later(view: View<'_, Object>, elements_min: usize) -> bool {
    match view {
        View::Object(Object::String(bytes)) if bytes.len() > BYTES_SHOWN_AT_ONCE_MAX => true,
        View::Object(object) => object.is_walkable(elements_min),
        _ => false,
    }
}

/// Longer strings are copied, to be compressed without a lock.
const BYTES_SHOWN_AT_ONCE_MAX: usize = 16 * 1024;

/// Receives what a walk finds.
pub trait Visitor {
    /// An entry, of a database with this number at the cut. Answers how much of the step's room that took.
    fn entry(&mut self, db: usize, entry: EntryRef<'_, Object>) -> usize;
    /// An entry that is better shown later.
    fn copied(&mut self, db: usize, entry: Entry);
    /// A large value, which comes piece by piece: the answer receives the pieces, whoever visits then. `None` when there is no room
    /// for it now.
    fn large(&mut self, db: usize, head: &LargeHead) -> Option<Arc<dyn Show>>;
    /// Whether there is only room for what has been begun.
    fn is_full(&mut self) -> bool {
        false
    }
    /// What is to be freed once the shard is unlocked.
    fn free(&mut self, entry: Entry);
}

/// What came of a step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All has been shown.
    Ended,
    /// There is more.
    More,
    /// There is more, but the visitor has no room for it.
    Full,
    /// The next is a large value that has moved to this shard: both shards must be held.
    Elsewhere(usize),
}

/// Bytes of an entry with all that is behind it, about.
pub fn bytes_of(entry: &Entry) -> usize {
    let behind = match entry.as_ref().view() {
        View::Object(object) => object.memory_bytes_about(),
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

    /// As [`Keyspace::walk`], without locks.
    pub fn walk(&mut self, room: &mut usize, saved: &mut Vec<Saved>, visitor: &mut dyn Visitor) -> Step {
        self.cut.take_saved(saved);
        let (before, mut is_full) = (*room, false);
        while *room > 0 && !is_full {
            let Some(open) = &mut self.cut.open else { break };
            let Some(large) = open.large.pop_front() else { break };
            let (step, rest) = TableCut::walk_large(large, None, open.cut.is_given_up(), open.db, room, visitor);
            is_full = step == LargeStep::Full;
            if let Some(rest) = rest {
                open.large.push_front(rest);
            }
        }
        self.cut.walk_entries(&mut self.table, room, visitor);
        self.cut.send_guests_off(&mut self.table);
        if self.cut.has_ended() {
            Step::Ended
        } else if *room == before && (is_full || visitor.is_full()) {
            Step::Full
        } else {
            Step::More
        }
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
                    let open = Open { cut, db, shard, position: 0, saved: Vec::new(), large: VecDeque::new() };
                    database.cut = TableCut { from: 0, open: Some(Box::new(open)), guests: Vec::new() };
                }
            }
        }
        Some(cut)
    }

    /// One step of the open cut's walk through `shard`, which must be held: shows entries until `room` is used up (what
    /// the visitor answers, summed; one bucket more at most), and hands over those that were saved from changes.
    ///
    /// What is handed over as saved is for the caller to free once the shard is unlocked.
    pub fn walk(
        &self,
        guard: &mut Guard<'_, Shard>,
        shard: usize,
        room: &mut usize,
        saved: &mut Vec<Saved>,
        visitor: &mut dyn Visitor,
    ) -> Step {
        let before = *room;
        let (mut has_ended, mut is_full, mut elsewhere) = (true, false, None);
        for db in 0..guard.get(shard).databases.len() {
            let cut = &mut guard.get_mut(shard).databases[db].cut;
            if cut.open.is_none() {
                continue;
            }
            cut.take_saved(saved);
            while *room > 0 {
                // It is taken out meanwhile, because it may be in any other table.
                let Some(open) = &mut guard.get_mut(shard).databases[db].cut.open else { break };
                let Some(large) = open.large.pop_front() else { break };
                let (given_up, number) = (open.cut.is_given_up(), open.db);
                let (step, rest) = TableCut::walk_large(large, Some(guard), given_up, number, room, visitor);
                if let (Some(rest), Some(open)) = (rest, &mut guard.get_mut(shard).databases[db].cut.open) {
                    open.large.push_front(rest);
                }
                match step {
                    LargeStep::Ended | LargeStep::More => continue,
                    LargeStep::Full => is_full = true,
                    LargeStep::Elsewhere(other) => elsewhere = Some(other),
                }
                break;
            }
            let database = &mut guard.get_mut(shard).databases[db];
            database.cut.walk_entries(&mut database.table, room, visitor);
            if database.cut.has_ended() {
                database.cut.open = None;
                database.cut.settle();
            } else {
                has_ended = false;
            }
        }
        match elsewhere {
            _ if has_ended => Step::Ended,
            _ if *room < before => Step::More,
            Some(other) => Step::Elsewhere(other),
            None if is_full || (*room > 0 && visitor.is_full()) => Step::Full,
            None => Step::More,
        }
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
    let mut taken = std::mem::take(database);
    taken.cut.send_guests_off(&mut taken.table);
    if let Some(open) = &mut taken.cut.open {
        // What has moved to another database is still there, and is still looked for from here.
        let (own, elsewhere) = std::mem::take(&mut open.large).into_iter().partition(Large::is_own);
        open.large = own;
        if !VecDeque::is_empty(&elsewhere) {
            let (cut, db) = (Arc::clone(&open.cut), open.db);
            let rest = Open { cut, db, shard, position: NOTHING_TO_COME, saved: Vec::new(), large: elsewhere };
            database.cut.open = Some(Box::new(rest));
        }
    }
    match &taken.cut.open {
        Some(open) if !open.cut.is_given_up() => {
            let cut = Arc::clone(&open.cut);
            cut.lock_detached().push(Detached { table: taken.table, cut: taken.cut, shard });
            None
        }
        _ => {
            taken.cut.take_saved(&mut Vec::new());
            Some(taken.table)
        }
    }
}
