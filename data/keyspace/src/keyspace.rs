//! All keys of all databases, cut into shards.

use crate::snapshot::TableCut;
use crate::{AccessClock, Class, Effects, Entry, Ghosts, Key, Locked, Waiters, Watchers};
use ochre_collections::lock::{Guard, ShardSet, Shards, Ticket};
use ochre_collections::{Table, View};
use ochre_values::Limits;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How a keyspace is cut.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Number of shards, a power of two, at most 1,024.
    pub shards: usize,
    /// Whether one thread alone uses the keyspace, so that locks need no atomic operations.
    pub single_threaded: bool,
    /// Number of databases that SELECT reaches.
    pub databases: usize,
}

/// The keys of one database in one shard.
#[derive(Default)]
pub struct Database {
    pub table: Table<Entry>,
    /// Number of keys with a deadline.
    pub deadlines: usize,
    /// Where the active expiry goes on.
    pub(crate) expiry_cursor: u64,
    /// What a snapshot that is being taken has still to see of the table.
    pub(crate) cut: TableCut,
}

/// One shard: everything that its lock protects.
pub struct Shard {
    pub databases: Box<[Database]>,
    pub watchers: Watchers,
    pub waiters: Waiters,
    /// What is remembered of evicted keys.
    pub ghosts: Ghosts,
}

/// All shards.
pub struct Keyspace {
    pub(crate) shards: Shards<Shard>,
    mask: u64,
    databases: usize,
    /// Whether a snapshot is being taken.
    pub(crate) is_being_cut: AtomicBool,
    /// See `show_in_pieces_from`.
    pub(crate) large_elements_min: AtomicUsize,
    /// Whether some client is told of changes. Set before its first read, so whoever changes what it read, later under the same
    /// lock, sees it.
    tracked: AtomicBool,
}

/// A member that a command is about to look for in the collection at a key.
#[derive(Clone, Copy)]
pub struct MemberPlace<'w> {
    pub db: usize,
    /// The key's hash.
    pub hash: u64,
    pub member: &'w [u8],
    /// The score that it is to get, as the command has it.
    pub score: Option<&'w [u8]>,
}

/// A copy of so many elements takes some 50 µs.
const LARGE_ELEMENTS_MIN: usize = 1024;

/// What a thread knows for all commands of one turn of its loop.
#[derive(Clone, Debug)]
pub struct Context {
    /// Wall clock, Unix time in milliseconds.
    pub now_ms: u64,
    pub access: AccessClock,
    pub limits: Limits,
    /// Event classes that somebody wants.
    pub notify: Class,
    /// Whether anything reads the log (AOF, a replica, a backlog).
    pub log_wanted: bool,
    /// Whether reads leave access clocks alone (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// Whether a script runs the commands: what they reply has an order of its own then (SORT).
    pub in_script: bool,
    /// Whether keys expire by themselves here (not on a replica, not while loading).
    pub expire: bool,
    /// Whether what reads find expired is also removed: on a replica only the server that it follows says so, and until then it
    /// is only not seen.
    pub removes_expired: bool,
    /// Whose types DUMP writes.
    pub dialect: ochre_rdb::Dialect,
    /// Whether RESTORE reads over wrong checksums.
    pub skip_checksums: bool,
    /// Whether a key that a command takes away by itself is logged as UNLINK, not as DEL (`lazyfree-lazy-server-del`).
    pub lazy_server_del: bool,
}

impl Default for Context {
    fn default() -> Self {
        Context {
            now_ms: 0,
            access: AccessClock::default(),
            limits: Limits::default(),
            notify: Class::NONE,
            log_wanted: false,
            no_touch: false,
            in_script: false,
            expire: true,
            removes_expired: true,
            dialect: ochre_rdb::Dialect::Portable,
            skip_checksums: false,
            lazy_server_del: true,
        }
    }
}

/// As many keys are looked for at the same time: more than the processor can wait for, and few enough for the stack.
const PREFETCHED_TOGETHER: usize = 64;

impl Keyspace {
    /// An empty keyspace; `wake` is called with the ticket of a parked client whose shard has become free.
    pub fn new(options: Options, wake: impl Fn(Ticket) + Send + Sync + 'static) -> Self {
        assert!(options.shards.is_power_of_two() && options.shards <= 1024, "shards are a power of two up to 1,024");
        let make = |_| Shard {
            databases: (0..options.databases).map(|_| Database::default()).collect(),
            watchers: Watchers::default(),
            waiters: Waiters::default(),
            ghosts: Ghosts::default(),
        };
        let shards = if options.single_threaded {
            Shards::single_threaded(options.shards, make)
        } else {
            Shards::new(options.shards, wake, make)
        };
        Keyspace {
            shards,
            mask: options.shards as u64 - 1,
            databases: options.databases,
            is_being_cut: AtomicBool::new(false),
            large_elements_min: AtomicUsize::new(LARGE_ELEMENTS_MIN),
            tracked: AtomicBool::new(false),
        }
    }

    /// Says whether effects are to name all keys that change.
    pub fn track_changes(&self, wanted: bool) {
        self.tracked.store(wanted, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn tracks_changes(&self) -> bool {
        self.tracked.load(Ordering::Relaxed)
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// Number of shards.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// The locks themselves.
    pub fn shards(&self) -> &Shards<Shard> {
        &self.shards
    }

    /// The shard of `key`.
    pub fn shard_of(&self, key: &Key<'_>) -> usize {
        self.shard_of_hash(key.hash())
    }

    /// The shard of a key with this hash. The table takes its bits from both ends of the hash, so these are mixed anew.
    #[inline]
    pub fn shard_of_hash(&self, hash: u64) -> usize {
        ((hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) & self.mask) as usize
    }

    /// Every shard.
    pub fn all_shards(&self) -> ShardSet {
        ShardSet::all(self.shards.len())
    }

    /// The view of a command over the shards of `guard`, at database `db`.
    pub fn view<'a>(
        &'a self,
        guard: Guard<'a, Shard>,
        context: &'a Context,
        effects: &'a mut Effects,
        db: usize,
    ) -> Locked<'a> {
        Locked::new(self, guard, context, effects, db)
    }

    /// Brings the places of keys, given by database and hash, into the cache: first all buckets, then all entries, so that the
    /// waits overlap. The shards are locked together for the time of both passes (about a microsecond); where one is busy,
    /// each key looks for itself, and those of busy shards are left out.
    #[inline]
    pub fn prefetch(&self, mut places: impl Iterator<Item = (usize, u64)> + Clone) {
        let mut locks = match self.mask {
            0 => ShardSet::of(0),
            _ => places.clone().map(|(_, hash)| self.shard_of_hash(hash)).collect(),
        };
        let Ok(guard) = self.shards.try_lock_at_once(&mut locks) else { return self.prefetch_what_is_free(places) };
        let mut homes = [const { None }; PREFETCHED_TOGETHER];
        loop {
            let mut found = 0;
            for (home, (db, hash)) in homes.iter_mut().zip(&mut places) {
                *home = Some(guard.get(self.shard_of_hash(hash)).databases[db].table.prefetch(hash));
                found += 1;
            }
            homes[..found].iter().flatten().for_each(|home| home.prefetch_item());
            if found < PREFETCHED_TOGETHER {
                break;
            }
        }
    }

    /// As `prefetch`, for the members of large collections that commands are about to look for: buckets, members, and for sorted sets
    /// their places in the order. The keys themselves have been fetched. Where a shard is busy, each command looks for itself.
    pub fn prefetch_members<'w>(&self, mut places: impl Iterator<Item = MemberPlace<'w>> + Clone) {
        let mut locks = match self.mask {
            0 => ShardSet::of(0),
            _ => places.clone().map(|place| self.shard_of_hash(place.hash)).collect(),
        };
        let Ok(guard) = self.shards.try_lock_at_once(&mut locks) else { return };
        let mut nearby = [const { None }; PREFETCHED_TOGETHER];
        loop {
            let mut found = 0;
            for place in places.by_ref().take(PREFETCHED_TOGETHER) {
                let table = &guard.get(self.shard_of_hash(place.hash)).databases[place.db].table;
                let Some(entry) = table.prefetch(place.hash).likely_item() else { continue };
                let View::Object(object) = entry.view() else { continue };
                if let Some(near) = object.prefetch(place.member) {
                    nearby[found] = Some((near, place.score));
                    found += 1;
                }
            }
            let found = nearby[..found].iter().flatten();
            found.clone().for_each(|(near, _)| near.prefetch_item());
            found.for_each(|(near, score)| near.prefetch_order(|| score.and_then(ochre_text::number::parse_f64)));
            if places.clone().next().is_none() {
                break;
            }
        }
    }

    #[cold]
    fn prefetch_what_is_free(&self, places: impl Iterator<Item = (usize, u64)> + Clone) {
        places.clone().for_each(|(db, hash)| self.if_free(db, hash, |table| _ = table.prefetch(hash)));
        places.for_each(|(db, hash)| self.if_free(db, hash, |table| table.prefetch(hash).prefetch_item()));
    }

    #[inline]
    fn if_free(&self, db: usize, hash: u64, look: impl FnOnce(&Table<Entry>)) {
        let shard = self.shard_of_hash(hash);
        let mut locks = ShardSet::of(shard);
        if let Ok(guard) = self.shards.try_lock_at_once(&mut locks) {
            look(&guard.get(shard).databases[db].table);
        }
    }
}
