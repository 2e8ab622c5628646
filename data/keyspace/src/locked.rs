//! The locked view: the one door through which a command reads and changes keys.

use crate::edit::{Edit, small_pack};
use crate::effects::{Effects, Event, Garbage, LogMode, count};
use crate::keyspace::{Context, Database, Keyspace, Shard};
use crate::snapshot::Place;
use crate::strings::{Text, value_of};
use crate::{Class, Entry, Ghosts, Key};
use ochre_collections::lock::{Guard, ShardSet};
use ochre_collections::{EntryRef, Value, View};
use ochre_collections::{Lookup, Random, Slot};
use ochre_values::{Collection, Kind, Limits, Object, Packing};

mod waiting;

/// The value is not of the type that the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// What becomes of a key's deadline when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The key has none afterwards.
    Clear,
    /// The old one stays.
    Keep,
    /// Unix time in ms.
    At(u64),
}

/// A view of the shards that a command has locked. Reaching for a key in another shard panics: the command's spec lied.
///
/// Reads take `&self`, so a command can hold several values at once; expired keys are invisible to them and are removed
/// once the command is over. Writes remove what is due first.
pub struct Locked<'a> {
    keyspace: &'a Keyspace,
    guard: Guard<'a, Shard>,
    context: &'a Context,
    pub effects: &'a mut Effects,
    db: usize,
    /// Nobody is to be told of changes to what is held, and nobody waits for it: see `is_quiet`.
    quiet: bool,
}

impl<'a> Locked<'a> {
    pub(crate) fn new(
        keyspace: &'a Keyspace,
        guard: Guard<'a, Shard>,
        context: &'a Context,
        effects: &'a mut Effects,
        db: usize,
    ) -> Self {
        Locked { keyspace, guard, context, effects, db, quiet: false }
    }

    /// The selected database.
    pub fn db(&self) -> usize {
        self.db
    }

    /// Selects another database, which must exist.
    pub fn select(&mut self, db: usize) {
        assert!(db < self.keyspace.databases(), "SELECT checks the number");
        self.db = db;
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.keyspace.databases()
    }

    /// Wall clock of this command, Unix time in ms. It stands still while the command runs.
    pub fn now_ms(&self) -> u64 {
        self.context.now_ms
    }

    /// The time that decides which fields of a hash are due; 0, before all deadlines, where nothing expires by itself.
    #[inline]
    pub fn expiry_clock_ms(&self) -> u64 {
        if self.context.expire { self.context.now_ms } else { 0 }
    }

    /// Encoding thresholds.
    pub fn limits(&self) -> &'a Limits {
        &self.context.limits
    }

    /// What the thread knows for all commands of this turn.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Goes on with what the thread knows by now.
    pub fn set_context(&mut self, context: &'a Context) {
        self.quiet = false;
        self.context = context;
    }

    /// The whole keyspace's facts (number of shards, of databases).
    pub fn keyspace(&self) -> &'a Keyspace {
        self.keyspace
    }

    /// Random numbers for this command, other ones at each call.
    pub fn random(&self) -> Random {
        self.effects.random.borrow_mut().fork()
    }

    /// The shards that this view holds.
    pub fn held(&self) -> ShardSet {
        self.guard.held()
    }

    /// Whether this view holds a shard.
    #[inline]
    pub fn holds(&self, shard: usize) -> bool {
        self.guard.holds(shard)
    }

    // ---- reading ----

    /// The entry of `key` if it lives; leaves access clock and counters alone.
    pub fn peek(&self, key: &Key<'_>) -> Option<EntryRef<'_, Object>> {
        self.peek_in(self.db, key)
    }

    /// As `peek`, in database `db`.
    #[inline]
    pub fn peek_in(&self, db: usize, key: &Key<'_>) -> Option<EntryRef<'_, Object>> {
        let entry = self.database_in(db, key).table.get(key.hash(), key.bytes())?;
        if self.is_due(&entry) {
            self.note_due(db, key);
            return None;
        }
        Some(entry)
    }

    #[cold]
    fn note_due(&self, db: usize, key: &Key<'_>) {
        self.effects.due.borrow_mut().push((db, key.hash(), key.bytes().into()));
    }

    /// The entry of `key` if it lives; counts a hit or a miss and touches the access clock.
    #[inline]
    pub fn lookup(&self, key: &Key<'_>) -> Option<EntryRef<'_, Object>> {
        match self.peek(key) {
            Some(entry) => {
                count(&self.effects.stats.keyspace_hits);
                self.touch(&entry);
                Some(entry)
            }
            None => {
                self.missed(key);
                None
            }
        }
    }

    #[cold]
    fn missed(&self, key: &Key<'_>) {
        count(&self.effects.stats.keyspace_misses);
        if self.context.notify.any(Class::KEY_MISS) {
            self.effects.misses.borrow_mut().push((self.db, key.bytes().into()));
        }
    }

    #[inline]
    fn touch(&self, entry: &EntryRef<'_, Object>) {
        if !self.context.no_touch {
            let clock = entry.clock();
            let touched = self.context.access.touched(clock);
            if touched != clock {
                entry.touch(touched);
            }
        }
    }

    #[inline]
    fn is_due(&self, entry: &EntryRef<'_, Object>) -> bool {
        // `expire` is looked at last: nearly every key has no deadline, or one that lies ahead.
        entry.expiry_ms().is_some_and(|deadline| deadline <= self.context.now_ms) && self.context.expire
    }

    /// Whether `key` lives; counts a hit or a miss, but is no access.
    pub fn exists(&self, key: &Key<'_>) -> bool {
        let lives = self.peek(key).is_some();
        if lives {
            count(&self.effects.stats.keyspace_hits);
        } else {
            self.missed(key);
        }
        lives
    }

    /// The type of `key`'s value, without counting as an access.
    pub fn kind(&self, key: &Key<'_>) -> Option<Kind> {
        self.peek(key).map(|entry| kind_of(entry.view()))
    }

    /// The string at `key`.
    #[inline]
    pub fn text(&self, key: &Key<'_>) -> Result<Option<Text<'_>>, WrongType> {
        match self.lookup(key) {
            Some(entry) => Text::of(entry.view()).map(Some).ok_or(WrongType),
            None => Ok(None),
        }
    }

    /// The collection at `key`, to read.
    pub fn read<C: Collection>(&self, key: &Key<'_>) -> Result<Option<C::Ref<'_>>, WrongType> {
        match self.lookup(key) {
            Some(entry) => collection_of::<C>(entry.view()).map(Some).ok_or(WrongType),
            None => Ok(None),
        }
    }

    /// Number of members of the set or sorted set at `key`, if it is a large one; 0 for anything else. No access.
    pub fn members(&self, key: &Key<'_>) -> usize {
        match self.peek(key).map(|entry| entry.view()) {
            Some(View::Object(Object::Set(set))) => set.view().len(),
            Some(View::Object(Object::SortedSet(set))) => set.as_ref().len(),
            _ => 0,
        }
    }

    /// The bytes of the structured value at `key`, if there is one. No access.
    #[cold]
    pub fn structured(&self, key: &Key<'_>) -> Option<&[u8]> {
        match self.peek(key)?.view() {
            View::Object(Object::Structured(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The deadline of `key` in Unix ms: `None` when the key does not live, `Some(None)` when it has none.
    pub fn expiry_ms(&self, key: &Key<'_>) -> Option<Option<u64>> {
        self.peek(key).map(|entry| entry.expiry_ms())
    }

    /// Asks the memory for the entries of `keys`, which the command is about to reach one after the other: the waits overlap.
    pub fn prefetch<'k>(&self, keys: impl Iterator<Item = &'k Key<'k>> + Clone) {
        keys.clone().for_each(|key| _ = self.database(key).table.prefetch(key.hash()));
        keys.for_each(|key| self.database(key).table.prefetch(key.hash()).prefetch_item());
    }

    // ---- writing ----

    /// Edits the collection at `key`; `None` when there is none.
    pub fn edit<C: Collection>(&mut self, key: &Key<'_>) -> Result<Option<Edit<'_, C>>, WrongType> {
        self.expire_if_due(key);
        let clock = self.context.access;
        let no_touch = self.context.no_touch;
        let database = self.database_mut(key);
        match database.table.find(key.hash(), key.bytes()) {
            Some(mut slot) => {
                if !no_touch {
                    let touched = clock.written(slot.item().clock());
                    slot.set_clock(touched);
                }
                database.cut.before_change(&mut slot);
                Edit::of(slot, &mut database.deadlines, &mut database.cut).map(Some).ok_or(WrongType)
            }
            None => Ok(None),
        }
    }

    /// Edits the collection at `key`, a new one when there is none.
    pub fn edit_or_new<'k, C: Collection>(&'k mut self, key: &Key<'k>) -> Result<Edit<'k, C>, WrongType> {
        self.expire_if_due(key);
        let clock = self.context.access;
        let no_touch = self.context.no_touch;
        if matches!(C::KIND, Kind::List | Kind::SortedSet | Kind::Stream) {
            self.note_ready(key);
        }
        let db = self.db;
        let (database, ghosts) = self.place_mut(key);
        match database.table.entry(key.hash(), key.bytes()) {
            Lookup::Found(mut slot) => {
                if !no_touch {
                    let touched = clock.written(slot.item().clock());
                    slot.set_clock(touched);
                }
                database.cut.before_change(&mut slot);
                Edit::of(slot, &mut database.deadlines, &mut database.cut).ok_or(WrongType)
            }
            Lookup::Vacant(slot) => {
                let epoch = database.cut.epoch(key.hash());
                let initial = ghosts.initial_clock(clock, db, key.hash());
                Ok(Edit::new(slot, key.bytes(), initial, epoch, &mut database.deadlines, &mut database.cut))
            }
        }
    }

    /// Makes `bytes` the string at `key`, whatever was there.
    #[inline]
    pub fn set_text(&mut self, key: &Key<'_>, bytes: &[u8], expiry: Expiry) {
        self.set_value(key, value_of(bytes), expiry);
    }

    /// Makes `bytes`, one whole item of `ochre_resp::typed`, the structured value at `key`, whatever was there.
    pub fn set_structured(&mut self, key: &Key<'_>, bytes: &[u8]) {
        self.set_value(key, Value::Object(Object::Structured(bytes.into())), Expiry::Clear);
    }

    /// Makes `collection` the value of `key`, whatever was there; an empty one removes the key.
    pub fn put<C: Collection>(&mut self, key: &Key<'_>, collection: C, expiry: Expiry) {
        if collection.is_empty() {
            self.remove(key);
            return;
        }
        self.note_ready(key);
        let next_expiry_ms = collection.next_expiry_ms();
        match small_pack(&collection) {
            Some((packing, bytes)) => self.set_value(key, Value::Packed { kind: packing as u8, bytes }, expiry),
            None => self.set_value(key, Value::Object(collection.into_object()), expiry),
        }
        if let Some(deadline_ms) = next_expiry_ms {
            self.database_mut(key).table.note_deadline(key.hash(), deadline_ms);
        }
    }

    /// Replaces or makes the value of `key`.
    #[inline]
    pub(crate) fn set_value(&mut self, key: &Key<'_>, value: Value<'_, Object>, expiry: Expiry) {
        let context = self.context;
        self.note_loss(self.db, key);
        let db = self.db;
        let (database, ghosts) = self.place_mut(key);
        match database.table.entry(key.hash(), key.bytes()) {
            Lookup::Found(mut slot) => {
                let old = slot.item().expiry_ms();
                if context.expire && old.is_some_and(|deadline| deadline <= context.now_ms) {
                    return self.set_value_of_expired(key, value, expiry);
                }
                database.cut.before_replacement(&mut slot);
                let replaced = slot.replace_value(value);
                let new = match expiry {
                    Expiry::Clear => None,
                    Expiry::Keep => old,
                    Expiry::At(deadline) => Some(deadline),
                };
                if new != old {
                    slot.set_expiry(new);
                    database.deadlines = database.deadlines + usize::from(new.is_some()) - usize::from(old.is_some());
                } else {
                    // SET counts as an access, and a new value starts a new life for LFU.
                    let clock = slot.item().clock();
                    let touched = context.access.written(clock);
                    if touched != clock {
                        slot.set_clock(touched);
                    }
                }
                if let Some(object) = replaced {
                    self.effects.discard(Garbage::Object(object));
                }
            }
            Lookup::Vacant(slot) => {
                let deadline = match expiry {
                    Expiry::At(deadline) => Some(deadline),
                    _ => None,
                };
                let mut entry = Entry::new(key.bytes(), value, deadline);
                entry.as_ref().touch(ghosts.initial_clock(context.access, db, key.hash()));
                entry.as_mut().set_epoch(database.cut.epoch(key.hash()));
                slot.insert(entry);
                if let Some(deadline) = deadline {
                    database.deadlines += 1;
                    database.table.note_deadline(key.hash(), deadline);
                }
                self.event(Class::NEW, "new", key);
            }
        }
    }

    /// What is replaced has gone already, and whoever listens is told so.
    #[cold]
    fn set_value_of_expired(&mut self, key: &Key<'_>, value: Value<'_, Object>, expiry: Expiry) {
        self.expire(self.db, key);
        self.set_value(key, value, expiry);
    }

    /// The live slot of `key`.
    pub(crate) fn find(&mut self, key: &Key<'_>) -> Option<Slot<'_, Entry>> {
        self.expire_if_due(key);
        let access = self.context.access;
        let no_touch = self.context.no_touch;
        let database = self.database_mut(key);
        let mut slot = database.table.find(key.hash(), key.bytes())?;
        if !no_touch {
            let touched = access.written(slot.item().clock());
            slot.set_clock(touched);
        }
        database.cut.before_change(&mut slot);
        Some(slot)
    }

    /// Removes `key`; says whether it lived.
    pub fn remove(&mut self, key: &Key<'_>) -> bool {
        self.expire_if_due(key);
        self.discard_from(self.db, key)
    }

    /// Moves the entry of `key`, with its deadline and clock, to `new` in database `db`, in place of what is there; says whether
    /// there was one.
    pub fn move_entry(&mut self, key: &Key<'_>, db: usize, new: &Key<'_>) -> bool {
        self.expire_if_due(key);
        let database = self.database_mut(key);
        let Some(mut slot) = database.table.find(key.hash(), key.bytes()) else { return false };
        let place = database.cut.before_move(&mut slot);
        let entry = slot.remove();
        database.deadlines -= usize::from(entry.as_ref().expiry_ms().is_some());
        self.note_loss(self.db, key);
        self.put_shown(db, new, entry, place);
        true
    }

    /// Evicts the entry of `key`; says whether there was one.
    pub(crate) fn discard(&mut self, key: &Key<'_>) -> bool {
        self.discard_from(self.db, key)
    }

    /// Frees the entry of `key`, on another thread if it is large; says whether there was one.
    pub(crate) fn discard_from(&mut self, db: usize, key: &Key<'_>) -> bool {
        let database = self.database_mut_in(db, key);
        let Some(entry) = database.table.remove(key.hash(), key.bytes()) else { return false };
        database.deadlines -= usize::from(entry.as_ref().expiry_ms().is_some());
        let unwanted = database.cut.offer(key.hash(), entry);
        self.note_loss(db, key);
        if let Some(entry) = unwanted {
            self.effects.discard(Garbage::Entry(entry));
        }
        true
    }

    /// Puts an entry under `key` of database `db`, in place of what is there.
    pub fn put_entry(&mut self, db: usize, key: &Key<'_>, entry: Entry) {
        self.put_shown(db, key, entry, None);
    }

    /// As `put_entry`, for one that a snapshot may be looking for in `place`.
    fn put_shown(&mut self, db: usize, key: &Key<'_>, entry: Entry, place: Option<std::sync::Arc<Place>>) {
        self.discard_from(db, key);
        let mut entry = entry.with_key(key.bytes());
        let deadline = entry.as_ref().expiry_ms();
        let next_expiry_ms = match entry.as_ref().view() {
            View::Object(object) => object.next_expiry_ms(),
            _ => None,
        };
        let shard = self.keyspace.shard_of(key);
        let database = self.database_mut_in(db, key);
        entry.as_mut().set_epoch(database.cut.epoch(key.hash()));
        database.table.insert_new(key.hash(), entry);
        if let Some(place) = place {
            database.cut.receive(shard, key.hash(), key.bytes(), place);
        }
        if let Some(deadline) = next_expiry_ms {
            database.table.note_deadline(key.hash(), deadline);
        }
        if let Some(deadline) = deadline {
            database.deadlines += 1;
            database.table.note_deadline(key.hash(), deadline);
        }
        let selected = std::mem::replace(&mut self.db, db);
        self.note_ready(key);
        self.db = selected;
    }

    /// Sets or clears the deadline of `key` (Unix ms); says whether the key lives.
    pub fn set_expiry(&mut self, key: &Key<'_>, deadline_ms: Option<u64>) -> bool {
        self.expire_if_due(key);
        let database = self.database_mut(key);
        let Some(mut slot) = database.table.find(key.hash(), key.bytes()) else { return false };
        database.cut.before_change(&mut slot);
        let had = slot.item().expiry_ms().is_some();
        slot.set_expiry(deadline_ms);
        database.deadlines = database.deadlines + usize::from(deadline_ms.is_some()) - usize::from(had);
        true
    }

    /// Sets the 24-bit access clock of `key` (RESTORE IDLETIME and FREQ).
    pub fn set_clock(&mut self, key: &Key<'_>, clock: u32) {
        let database = self.database_mut(key);
        if let Some(mut slot) = database.table.find(key.hash(), key.bytes()) {
            slot.set_clock(clock);
        }
    }

    /// Removes `key` if its deadline has passed.
    #[inline(always)]
    pub fn expire_if_due(&mut self, key: &Key<'_>) {
        if self.database(key).deadlines != 0 && self.context.expire {
            self.look_and_expire(key);
        }
    }

    #[inline(never)]
    fn look_and_expire(&mut self, key: &Key<'_>) {
        let due = |entry: EntryRef<'_, Object>| entry.expiry_ms().is_some_and(|at| at <= self.context.now_ms);
        if self.database(key).table.get(key.hash(), key.bytes()).is_some_and(due) {
            self.expire(self.db, key);
        }
    }

    #[cold]
    fn expire(&mut self, db: usize, key: &Key<'_>) {
        if !self.discard_from(db, key) {
            return;
        }
        count(&self.effects.stats.expired_keys);
        self.propagate_removal(db, key);
        let selected = std::mem::replace(&mut self.db, db);
        self.event(Class::EXPIRED, "expired", key);
        self.touch_watchers(key);
        self.db = selected;
    }

    /// Removes what reads found expired; the last thing before the shards are unlocked.
    pub fn finish(&mut self) {
        if !self.effects.due.get_mut().is_empty() {
            self.remove_due();
        }
    }

    #[cold]
    fn remove_due(&mut self) {
        for (db, hash, key) in std::mem::take(self.effects.due.get_mut()) {
            let key = Key::with_hash(&key, hash);
            let still_due =
                self.database_in(db, &key).table.get(key.hash(), key.bytes()).is_some_and(|entry| self.is_due(&entry));
            if still_due && self.context.removes_expired {
                self.expire(db, &key);
            }
        }
    }

    /// Removes `key` because a command gave it a deadline that has passed: it expires at once, and that is told and logged in
    /// place of the command. Says whether the key lived.
    pub fn expire_at_once(&mut self, key: &Key<'_>) -> bool {
        self.expire_if_due(key);
        self.log_nothing();
        let lived = self.database(key).table.get(key.hash(), key.bytes()).is_some();
        if lived {
            self.expire(self.db, key);
            self.effects.changes += 1;
        }
        lived
    }

    // ---- effects ----

    /// Frees what was taken out: at once if it is little, else once the locks are free and on another thread.
    pub fn free_later(&mut self, garbage: Garbage) {
        self.effects.discard(garbage);
    }

    /// `key` was changed: counts a change, tells watchers, and publishes `event`.
    #[inline]
    pub fn changed(&mut self, key: &Key<'_>, class: Class, event: &'static str) {
        self.changed_times(key, class, event, 1);
    }

    /// As `changed`, for `times` changes at once.
    #[inline]
    pub fn changed_times(&mut self, key: &Key<'_>, class: Class, event: &'static str, times: u64) {
        self.effects.changes += times;
        if !self.quiet {
            self.tell_of_change(key, class, event);
        }
    }

    #[inline(never)]
    fn tell_of_change(&mut self, key: &Key<'_>, class: Class, event: &'static str) {
        self.touch_watchers(key);
        self.event(class, event, key);
    }

    /// `key` is gone: publishes `del`. The change itself has been counted by `changed`.
    pub fn deleted(&mut self, key: &Key<'_>) {
        if !self.quiet {
            self.tell_of_change(key, Class::GENERIC, "del");
        }
    }

    /// Publishes an event without a change.
    #[inline]
    pub fn event(&mut self, class: Class, event: &'static str, key: &Key<'_>) {
        if self.context.notify.any(class) {
            self.effects.events.push(Event { db: self.db, class, name: event, key: key.bytes().into() });
        }
    }

    /// Raises the flags of clients that watch `key`, and notes it for those that keep a copy.
    #[inline]
    pub fn touch_watchers(&mut self, key: &Key<'_>) {
        if self.keyspace.tracks_changes() {
            self.effects.tracked_changes.push(key.bytes().into());
        }
        let shard = self.guard.get(self.keyspace.shard_of(key));
        if !shard.watchers.is_empty() {
            shard.watchers.changed(self.db, key.bytes());
        }
    }

    /// Logs these words instead of the client's own command.
    pub fn log(&mut self, words: &[&[u8]]) {
        self.effects.log_mode = LogMode::Rewritten;
        if self.context.log_wanted {
            self.effects.log.push((self.db, words.iter().map(|word| Box::from(*word)).collect()));
        }
    }

    /// Logs nothing for this command.
    pub fn log_nothing(&mut self) {
        self.effects.log_mode = LogMode::Nothing;
    }

    /// Whether anybody reads the log: what is only for the log need not be made otherwise.
    pub fn log_wanted(&self) -> bool {
        self.context.log_wanted
    }

    fn propagate_removal(&mut self, db: usize, key: &Key<'_>) {
        if self.context.log_wanted {
            self.effects.removals.push((db, key.bytes().into()));
        }
    }

    /// Watches `key` for the owner of `flag`.
    pub fn watch(&mut self, key: &Key<'_>, flag: &std::sync::Arc<crate::WatchFlag>) {
        let (db, shard) = (self.db, self.keyspace.shard_of(key));
        self.quiet = false;
        self.guard.get_mut(shard).watchers.add(db, key.bytes(), flag);
    }

    /// Whether the deadline of `key` in database `db` has passed, but had not yet at `since_ms`: for whoever watched it then
    /// the key has changed, though nobody has removed it yet.
    pub fn has_expired_since(&self, db: usize, key: &[u8], since_ms: u64) -> bool {
        let place = Key::new(key);
        let entry = self.database_in(db, &place).table.get(place.hash(), key);
        let deadline = entry.and_then(|entry| entry.expiry_ms());
        deadline.is_some_and(|deadline| deadline > since_ms && deadline <= self.context.now_ms)
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, db: usize, key: &[u8], flag: &std::sync::Arc<crate::WatchFlag>) {
        let shard = self.keyspace.shard_of(&Key::new(key));
        self.guard.get_mut(shard).watchers.remove(db, key, flag);
    }

    /// Locks more shards if they are free now; else nothing changes and the answer is no.
    pub fn try_extend(&mut self, more: &ShardSet) -> bool {
        self.quiet = false;
        self.guard.try_extend(more).is_ok()
    }

    /// Locks more shards and waits for them: for a script, which cannot be undone. One script at a time may do so.
    pub fn extend_waiting(&mut self, more: &ShardSet, meanwhile: impl FnMut()) {
        self.quiet = false;
        self.guard.extend_waiting(more, meanwhile);
    }

    // ---- places ----

    #[inline]
    pub(crate) fn database(&self, key: &Key<'_>) -> &Database {
        self.database_in(self.db, key)
    }

    #[inline]
    fn database_in(&self, db: usize, key: &Key<'_>) -> &Database {
        &self.guard.get(self.keyspace.shard_of(key)).databases[db]
    }

    #[inline]
    pub(crate) fn database_mut(&mut self, key: &Key<'_>) -> &mut Database {
        self.database_mut_in(self.db, key)
    }

    #[inline]
    fn database_mut_in(&mut self, db: usize, key: &Key<'_>) -> &mut Database {
        self.effects.touched = true;
        &mut self.guard.get_mut(self.keyspace.shard_of(key)).databases[db]
    }

    /// The selected database's part in the shard of `key`, and what that shard remembers of evicted keys.
    #[inline]
    pub(crate) fn place_mut(&mut self, key: &Key<'_>) -> (&mut Database, &Ghosts) {
        self.effects.touched = true;
        let shard = self.guard.get_mut(self.keyspace.shard_of(key));
        (&mut shard.databases[self.db], &shard.ghosts)
    }

    pub(crate) fn guard(&self) -> &Guard<'a, Shard> {
        &self.guard
    }

    pub(crate) fn guard_mut(&mut self) -> &mut Guard<'a, Shard> {
        self.quiet = false;
        &mut self.guard
    }
}

/// A copy of an entry with its deadline and clock.
///
/// Takes time in proportion to the value.
pub fn duplicate(entry: EntryRef<'_, Object>) -> Entry {
    let value = match entry.view() {
        View::Int(value) => Value::Int(value),
        View::Str { bytes, raw } => Value::Str { bytes, raw },
        View::Packed { kind, bytes } => Value::Packed { kind, bytes },
        View::Object(object) => Value::Object(object.clone()),
    };
    let copy = Entry::new(entry.key(), value, entry.expiry_ms());
    copy.as_ref().touch(entry.clock());
    copy
}

/// The type of a value as an entry shows it.
pub fn kind_of(view: View<'_, Object>) -> Kind {
    match view {
        View::Int(_) | View::Str { .. } => Kind::String,
        View::Packed { kind, .. } => Packing::from_byte(kind).expect("entries hold known packings").kind(),
        View::Object(object) => object.kind(),
    }
}

/// The collection in an entry, to read; `None` when it is of another type.
pub fn collection_of<C: Collection>(view: View<'_, Object>) -> Option<C::Ref<'_>> {
    match view {
        View::Packed { kind, bytes } => C::packed_ref(Packing::from_byte(kind)?, bytes),
        View::Object(object) => C::in_object(object).map(C::as_ref),
        _ => None,
    }
}
