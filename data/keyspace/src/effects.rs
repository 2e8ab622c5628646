//! What a command did, as data: the aftermath turns it into log entries, events and wake-ups.

use crate::{Block, Class, Entry, Unit};
use ochre_collections::{EntryRef, Random, Table, View};
use ochre_values::Object;
use std::cell::{Cell, RefCell};

/// A keyspace event that somebody may be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub db: usize,
    pub class: Class,
    pub name: &'static str,
    pub key: Box<[u8]>,
}

/// What was taken out of the keyspace and may take long to free: that happens elsewhere, after the locks are free.
pub enum Garbage {
    Table(Table<Entry>),
    Entry(Entry),
    /// A value that another one has replaced.
    Object(Object),
}

impl Garbage {
    /// Number of keys.
    pub fn keys(&self) -> usize {
        match self {
            Garbage::Table(table) => table.len(),
            Garbage::Entry(_) | Garbage::Object(_) => 1,
        }
    }

    /// Bytes of a single value, about; 0 for a table, which nobody has counted.
    pub fn value_bytes(&self) -> usize {
        match self {
            Garbage::Table(_) => 0,
            Garbage::Object(object) => object.memory_bytes(),
            Garbage::Entry(entry) => match entry.as_ref().view() {
                View::Object(object) => object.memory_bytes(),
                _ => 0,
            },
        }
    }

    /// Whether it takes longer to free than to hand over.
    pub fn frees_slowly(&self) -> bool {
        match self {
            Garbage::Table(table) => table.len() > KEYS_FREED_IN_PLACE_MAX || table.iter().any(entry_frees_slowly),
            Garbage::Entry(entry) => entry_frees_slowly(entry.as_ref()),
            Garbage::Object(object) => object.frees_slowly(),
        }
    }
}

/// A table of up to so many small keys is freed at once.
const KEYS_FREED_IN_PLACE_MAX: usize = 64;

fn entry_frees_slowly(entry: EntryRef<'_, Object>) -> bool {
    matches!(entry.view(), View::Object(object) if object.frees_slowly())
}

/// What goes to the log for a command that changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogMode {
    /// The command as the client sent it.
    #[default]
    Verbatim,
    /// What the command put into `Effects::log` instead.
    Rewritten,
    /// Nothing.
    Nothing,
}

/// A key that a read found expired: database, hash and key.
pub(crate) type Due = (usize, u64, Box<[u8]>);

/// Counters of the keyspace, in the units of INFO's fields of the same names.
#[derive(Default)]
pub struct Stats {
    pub keyspace_hits: Cell<u64>,
    pub keyspace_misses: Cell<u64>,
    pub expired_keys: Cell<u64>,
    pub expired_fields: Cell<u64>,
}

impl Stats {
    /// Adds what another thread has counted.
    pub fn add(&self, other: &Stats) {
        for (own, others) in [
            (&self.keyspace_hits, &other.keyspace_hits),
            (&self.keyspace_misses, &other.keyspace_misses),
            (&self.expired_keys, &other.expired_keys),
            (&self.expired_fields, &other.expired_fields),
        ] {
            own.set(own.get() + others.get());
        }
    }
}

/// The effects of the command that runs, and counters since they were last collected. One a thread, reused.
#[derive(Default)]
pub struct Effects {
    /// Changes since the command began, as `rdb_changes_since_last_save` counts them.
    pub changes: u64,
    /// Whether the command has reached for anything to change: a panic from then on may leave it half-changed.
    pub touched: bool,
    pub log_mode: LogMode,
    /// Commands in place of the client's own: each a database number and its words.
    pub log: Vec<(usize, Vec<Box<[u8]>>)>,
    pub events: Vec<Event>,
    /// Keys with somebody blocked on them that may now be served: database and key.
    pub ready: Vec<(usize, Box<[u8]>)>,
    /// Set by a command that found nothing to take: its client waits, and there is no reply yet.
    pub block: Option<Block>,
    /// Keys that a read found expired: database, hash and key. They are removed once the read is over.
    pub(crate) due: RefCell<Vec<Due>>,
    /// Reads that found nothing, when somebody listens for them.
    pub(crate) misses: RefCell<Vec<(usize, Box<[u8]>)>>,
    /// Keys that expired while the command ran: logged as removals before the command itself.
    pub removals: Vec<(usize, Box<[u8]>)>,
    /// What goes to the log for all that was done since the locks were taken.
    pub unit: Unit,
    /// Keys that changed while somebody is told of changes (`Keyspace::track_changes`): names without databases.
    pub tracked_changes: Vec<Box<[u8]>>,
    /// Those of earlier commands of the same unit, for whoever is told of prefixes: once for each unit.
    pub tracked_announced: Vec<Box<[u8]>>,
    /// Whether the active expiry is to note them.
    pub(crate) tracks_changes: bool,
    /// All keys of a database went at once while somebody is told of changes.
    pub tracked_emptied: bool,
    /// The client whose command makes the changes; 0: none.
    pub origin: u64,
    /// The client whose replies are being written; 0: none.
    pub listener: u64,
    /// What that client is to be told of once it has its reply: keys that it may not use any more, or all.
    pub own_notices: Vec<Option<Vec<Box<[u8]>>>>,
    /// What the server's log is to tell of a command that was refused.
    pub notes: Vec<String>,
    /// What is to be freed once the locks are free.
    pub garbage: Vec<Garbage>,
    pub stats: Stats,
    /// Where commands that choose by chance take their numbers from.
    pub random: RefCell<Random>,
}

impl Effects {
    /// Forgets the last command's effects; counters, garbage and the unit for the log stay, and random numbers go on.
    #[inline]
    pub fn clear(&mut self) {
        self.changes = 0;
        self.touched = false;
        self.log_mode = LogMode::Verbatim;
        // Most commands leave nothing behind.
        let in_reads = self.due.get_mut().len() + self.misses.get_mut().len();
        let in_writes = self.log.len() + self.events.len() + self.ready.len() + self.removals.len();
        if in_reads + in_writes > 0 || self.block.is_some() {
            self.clear_lists();
        }
    }

    fn clear_lists(&mut self) {
        self.log.clear();
        self.events.clear();
        self.ready.clear();
        self.block = None;
        self.due.get_mut().clear();
        self.misses.get_mut().clear();
        self.removals.clear();
        self.notes.clear();
    }
}

impl Effects {
    /// Frees `garbage` later, elsewhere, if it is much, else here and now.
    pub(crate) fn discard(&mut self, garbage: Garbage) {
        if garbage.frees_slowly() {
            self.garbage.push(garbage);
        }
    }

    /// Moves what the command did into the unit for the log: keys that expired meanwhile come first, removed by `removal`, then
    /// the command, which was `words` of database `db`.
    pub fn collect_log<'w>(&mut self, removal: &[u8], db: usize, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        for (db, key) in self.removals.drain(..) {
            self.unit.push(db, [removal, &*key].into_iter());
        }
        if self.log_mode == LogMode::Verbatim && self.changes > 0 {
            self.unit.push(db, words);
        }
        for (db, words) in self.log.drain(..) {
            if self.log_mode != LogMode::Nothing {
                self.unit.push(db, words.iter().map(|word| &**word));
            }
        }
    }

    /// Whether the command that ran leaves anything for the log.
    #[inline]
    pub fn is_logged(&self) -> bool {
        self.changes > 0 || !self.log.is_empty() || !self.removals.is_empty()
    }

    /// Whether somebody may have to be told of changes.
    #[inline]
    pub fn has_tracked_changes(&self) -> bool {
        !self.tracked_changes.is_empty() || !self.tracked_announced.is_empty() || self.tracked_emptied
    }

    /// Events of reads that found nothing join the others.
    #[inline]
    pub fn collect_misses(&mut self) {
        if !self.misses.get_mut().is_empty() {
            self.misses_to_events();
        }
    }

    #[cold]
    fn misses_to_events(&mut self) {
        for (db, key) in self.misses.get_mut().drain(..) {
            self.events.push(Event { db, class: Class::KEY_MISS, name: "keymiss", key });
        }
    }
}

pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
