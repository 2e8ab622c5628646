//! Eviction: which keys go when memory is full.
//!
//! Nobody keeps keys in order of their use. A key to evict is chosen from a handful that stand together at a place by chance, and
//! the best of all samples so far are remembered in a small pool, so that a choice among few comes close to a choice among all.
//! Samples are taken one shard at a time, and a busy shard is left out.
//!
//! A key that comes back after it was evicted is better known than one that is new: the shards' `Ghosts` remember for a while how
//! much evicted keys had been used. So a scan of keys that are used once does not drive out those that are used again and again.
//! Measured with a Zipf distribution over 60,000 keys of which 29 % fit: 0.854 of the reads hit by LFU, and 0.836 while a scan of
//! one-time keys goes on. One that counted every use of every key, those that are not there included, would have 0.854 and 0.840.

use crate::keyspace::{Context, Database};
use crate::{AccessClock, Class, Key, Keyspace, Locked};
use ochre_collections::lock::ShardSet;
use ochre_collections::{EntryRef, Random, View};
use ochre_values::Object;

/// What makes a key a better one to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Its access clock says that it is less used (LRU, LFU) or was changed longer ago (LRM), as the clock's policy means it.
    Clock,
    /// Nothing.
    Chance,
    /// It expires sooner.
    Deadline,
}

/// How keys to evict are chosen.
#[derive(Clone, Copy, Debug)]
pub struct EvictionRules {
    pub order: Order,
    /// Only keys with a deadline may go.
    pub expiring_only: bool,
    /// Keys that are compared, at least.
    pub samples: usize,
    /// Evicted keys are logged as UNLINK, not as DEL.
    pub logged_as_unlink: bool,
    /// Bytes that may be spent on remembering evicted keys.
    pub ghost_bytes: usize,
}

/// A key that may be evicted.
#[derive(Debug)]
pub struct Candidate {
    /// The greater, the better to evict.
    score: u64,
    pub db: usize,
    pub hash: u64,
    pub key: Box<[u8]>,
}

/// The best candidates found so far, one pool a thread.
#[derive(Debug, Default)]
pub struct EvictionPool {
    /// Ascending by score.
    candidates: Vec<Candidate>,
    random: Random,
}

/// So many candidates are remembered.
const POOL_CANDIDATES_MAX: usize = 16;

/// What came of the search for a key to evict.
#[derive(Debug)]
pub enum Search {
    Found(Candidate),
    /// There is something to evict, but its shards are busy, or it was not found in time.
    Busy,
    /// There is nothing to evict.
    Nothing,
}

impl EvictionPool {
    /// Forgets all candidates: they were judged by other rules.
    pub fn clear(&mut self) {
        self.candidates.clear();
    }

    fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let is_full = self.candidates.len() >= POOL_CANDIDATES_MAX;
        // Most are not wanted, and then the key is not even hashed.
        if is_full && self.candidates[0].score >= score {
            return;
        }
        let hash = ochre_collections::hash(key);
        if self.candidates.iter().any(|known| known.hash == hash && known.db == db) {
            return;
        }
        if is_full {
            self.candidates.remove(0);
        }
        let at = self.candidates.partition_point(|known| known.score < score);
        self.candidates.insert(at, Candidate { score, db, hash, key: key.into() });
    }

    /// Looks at some keys and answers the best to evict of these and of those seen before.
    pub fn search(&mut self, keyspace: &Keyspace, rules: &EvictionRules, context: &Context) -> Search {
        let shards = keyspace.shard_count();
        let first = self.random.below(shards);
        let mut is_busy = false;
        for shard in (0..shards).map(|distance| (first + distance) % shards) {
            let mut locks = ShardSet::of(shard);
            let Ok(guard) = keyspace.shards().try_lock_at_once(&mut locks) else {
                is_busy = true;
                continue;
            };
            let databases = &guard.get(shard).databases;
            let mut has_some = false;
            for (db, database) in databases.iter().enumerate() {
                if !database.is_evictable(rules) {
                    continue;
                }
                has_some = true;
                self.sample(db, database, rules, context);
            }
            drop(guard);
            if let Some(candidate) = self.candidates.pop() {
                return Search::Found(candidate);
            }
            is_busy |= has_some;
        }
        if is_busy { Search::Busy } else { Search::Nothing }
    }

    fn sample(&mut self, db: usize, database: &Database, rules: &EvictionRules, context: &Context) {
        let random = self.random.next();
        let mut found = false;
        let mut visit = |entry: EntryRef<'_, Object>| {
            let Some(score) = score(rules, context, &entry) else { return false };
            found = true;
            self.offer(score, db, entry.key());
            true
        };
        // Where few keys expire, most places would be looked at in vain.
        let many_fit = !rules.expiring_only || database.deadlines * 4 >= database.table.len();
        if many_fit {
            database.table.sample(random, rules.samples, &mut visit);
        }
        if !found && rules.expiring_only {
            let mut visit = |entry: EntryRef<'_, Object>| {
                let Some(score) = score(rules, context, &entry) else { return false };
                self.offer(score, db, entry.key());
                true
            };
            database.table.sample_expiring(random, rules.samples, &mut visit);
        }
    }
}

impl Database {
    fn is_evictable(&self, rules: &EvictionRules) -> bool {
        if rules.expiring_only { self.deadlines > 0 } else { !self.table.is_empty() }
    }
}

/// How good it is to evict `entry`; `None` when it may not be.
fn score(rules: &EvictionRules, context: &Context, entry: &EntryRef<'_, Object>) -> Option<u64> {
    let deadline_ms = entry.expiry_ms();
    if rules.expiring_only && deadline_ms.is_none() {
        return None;
    }
    Some(match rules.order {
        Order::Clock => u64::from(context.access.eviction_score(entry.clock())),
        Order::Chance => 0,
        Order::Deadline => u64::MAX - deadline_ms.unwrap_or(u64::MAX),
    })
}

impl Locked<'_> {
    /// Removes a candidate, unless it is gone or is used more than when it was found; answers how many bytes it took, about. Its
    /// shard is held. The effects are those of one command.
    pub fn evict(&mut self, candidate: &Candidate, rules: &EvictionRules) -> Option<usize> {
        self.select(candidate.db);
        let key = Key::with_hash(&candidate.key, candidate.hash);
        let entry = self.database(&key).table.get(key.hash(), key.bytes())?;
        if score(rules, self.context(), &entry).is_none_or(|score| score < candidate.score) {
            return None;
        }
        let clock = entry.clock();
        let value_bytes = match entry.view() {
            View::Object(object) => object.memory_bytes(),
            _ => 0,
        };
        let bytes = entry.memory_bytes() + value_bytes;
        if rules.order == Order::Clock
            && let Some(use_level) = self.context().access.use_level(clock)
        {
            let bytes = rules.ghost_bytes / self.keyspace().shard_count();
            let shard = self.keyspace().shard_of(&key);
            self.guard_mut().get_mut(shard).ghosts.note(candidate.db, candidate.hash, use_level, bytes);
        }
        if !self.discard(&key) {
            return None;
        }
        self.touch_watchers(&key);
        self.event(Class::EVICTED, "evicted", &key);
        let name: &[u8] = if rules.logged_as_unlink { b"UNLINK" } else { b"DEL" };
        self.log(&[name, key.bytes()]);
        Some(bytes)
    }
}

/// How much evicted keys had been used, as far as there is room to remember. A key has four places; a new one takes that of the
/// least used, and of those of the oldest, so that keys of a scan do not drive out those that were used often.
#[derive(Debug, Default)]
pub struct Ghosts {
    /// Four places each, the newest in the low bits: a few bits of the hash above the level of use, 0 where nothing is
    /// remembered. Their number is a power of two.
    sets: Box<[u64]>,
}

/// Fewer are of no use.
const GHOST_SETS_MIN: usize = 16;

impl Ghosts {
    /// How much the key with this hash had been used when it was evicted, if that is remembered. Once in some thirty times
    /// another key is taken for it.
    #[inline]
    fn recall(&self, db: usize, hash: u64) -> Option<u8> {
        if self.sets.is_empty() {
            return None;
        }
        let hash = ghost_hash(db, hash);
        let mut set = self.sets[hash as usize & (self.sets.len() - 1)];
        while set != 0 {
            if set as u16 >> 8 == ghost_tag(hash) {
                return Some(set as u8);
            }
            set >>= 16;
        }
        None
    }

    /// The access clock of a new entry.
    #[inline]
    pub(crate) fn initial_clock(&self, access: AccessClock, db: usize, hash: u64) -> u32 {
        match self.recall(db, hash) {
            None => access.initial(),
            Some(use_level) => access.initial_again(use_level),
        }
    }

    /// Remembers an evicted key, in about `bytes` of memory.
    fn note(&mut self, db: usize, hash: u64, use_level: u8, bytes: usize) {
        let hash = ghost_hash(db, hash);
        let wanted = (bytes / size_of::<u64>()).checked_ilog2().map_or(0, |bits| 1 << bits);
        if wanted < GHOST_SETS_MIN {
            self.sets = Box::default();
            return;
        }
        if self.sets.len() != wanted {
            self.sets = vec![0; wanted].into();
        }
        let set = &mut self.sets[hash as usize & (wanted - 1)];
        let mut places = [0, 16, 32, 48].map(|at| (*set >> at) as u16);
        let tag = ghost_tag(hash);
        let goes = places.iter().position(|place| place >> 8 == tag).unwrap_or_else(|| {
            let least = places.iter().map(|place| *place as u8).min().unwrap_or(0);
            places.iter().rposition(|place| *place as u8 == least).unwrap_or(0)
        });
        places[..=goes].rotate_right(1);
        places[0] = tag << 8 | u16::from(use_level);
        *set = places.iter().rev().fold(0, |set, place| set << 16 | u64::from(*place));
    }
}

/// Never 0, so that an empty place fits nothing.
fn ghost_tag(hash: u64) -> u16 {
    (hash >> 56) as u16 | 1
}

/// The hash of a key in a database. The bits that chose its shard are no use for its place in there.
#[inline]
fn ghost_hash(db: usize, hash: u64) -> u64 {
    (hash.rotate_left(17) ^ db as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effects, Expiry, Options, Policy};

    const RULES: EvictionRules = EvictionRules {
        order: Order::Clock,
        expiring_only: false,
        samples: 5,
        logged_as_unlink: false,
        ghost_bytes: 8192,
    };

    fn keyspace(shards: usize) -> Keyspace {
        Keyspace::new(Options { shards, single_threaded: false, databases: 2 }, |_| {})
    }

    fn with<R>(keyspace: &Keyspace, context: &Context, work: impl FnOnce(&mut Locked<'_>) -> R) -> (R, Effects) {
        let mut effects = Effects::default();
        let mut locks = keyspace.all_shards();
        let guard = keyspace.shards().try_lock_at_once(&mut locks).expect("nobody else is here");
        let mut data = keyspace.view(guard, context, &mut effects, 0);
        let result = work(&mut data);
        drop(data);
        (result, effects)
    }

    fn context(policy: Policy, seconds: u64) -> Context {
        let now_ms = seconds * 1000;
        Context {
            now_ms,
            access: AccessClock::new(policy, now_ms, 1),
            log_wanted: true,
            notify: Class(Class::EVICTED.0 | Class::KEYEVENT.0),
            ..Context::default()
        }
    }

    fn evict_one(
        keyspace: &Keyspace,
        context: &Context,
        rules: &EvictionRules,
        pool: &mut EvictionPool,
    ) -> Option<Box<[u8]>> {
        loop {
            match pool.search(keyspace, rules, context) {
                Search::Found(candidate) => {
                    if with(keyspace, context, |data| data.evict(&candidate, rules)).0.is_some() {
                        return Some(candidate.key);
                    }
                }
                Search::Busy => {}
                Search::Nothing => return None,
            }
        }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_by_and_large() {
        let keyspace = keyspace(16);
        for second in 0..100 {
            let context = context(Policy::Lru, 1000 + second);
            with(&keyspace, &context, |data| {
                (0..10)
                    .for_each(|at| data.set_text(&Key::new(format!("{second}:{at}").as_bytes()), b"x", Expiry::Clear));
            });
        }
        let context = context(Policy::Lru, 2000);
        let mut pool = EvictionPool::default();
        let mut evicted_seconds = 0;
        for _ in 0..300 {
            let key = evict_one(&keyspace, &context, &RULES, &mut pool).expect("there are more");
            let second: usize = std::str::from_utf8(&key)
                .expect("digits")
                .split(':')
                .next()
                .expect("a number")
                .parse()
                .expect("a number");
            evicted_seconds += second;
        }
        assert!(evicted_seconds / 300 < 27, "the oldest 300 average 15, any 300 average 50: {}", evicted_seconds / 300);
        while evict_one(&keyspace, &context, &RULES, &mut pool).is_some() {}
        assert_eq!(with(&keyspace, &context, |data| data.size(0).keys).0, 0);
    }

    #[test]
    fn an_eviction_is_logged_told_and_seen_by_watchers() {
        let keyspace = keyspace(1);
        let context = context(Policy::Lru, 1000);
        let flag = std::sync::Arc::new(crate::WatchFlag::default());
        let key = Key::new(b"k");
        with(&keyspace, &context, |data| {
            data.set_text(&key, b"x", Expiry::Clear);
            data.watch(&key, &flag);
        });
        let mut pool = EvictionPool::default();
        let Search::Found(candidate) = pool.search(&keyspace, &RULES, &context) else { panic!("there is one") };
        let (evicted, effects) = with(&keyspace, &context, |data| data.evict(&candidate, &RULES));
        assert!(evicted.is_some() && flag.is_raised());
        assert_eq!(effects.events[0].name, "evicted");
        assert_eq!(effects.log, [(0, vec![Box::from(*b"DEL"), Box::from(*b"k")])]);
        assert!(with(&keyspace, &context, |data| data.evict(&candidate, &RULES)).0.is_none(), "it is gone");
    }

    #[test]
    fn a_candidate_that_is_used_meanwhile_stays() {
        let keyspace = keyspace(1);
        let before = context(Policy::Lru, 1000);
        let after = context(Policy::Lru, 1010);
        let key = Key::new(b"k");
        with(&keyspace, &before, |data| data.set_text(&key, b"x", Expiry::Clear));
        let mut pool = EvictionPool::default();
        let Search::Found(candidate) = pool.search(&keyspace, &RULES, &after) else { panic!("there is one") };
        with(&keyspace, &after, |data| data.lookup(&key).is_some());
        assert!(with(&keyspace, &after, |data| data.evict(&candidate, &RULES)).0.is_none());
    }

    #[test]
    fn volatile_policies_find_the_few_keys_with_a_deadline() {
        let keyspace = keyspace(16);
        let context = context(Policy::Lru, 1000);
        with(&keyspace, &context, |data| {
            for at in 0..5000 {
                let expiry = if at % 500 == 0 { Expiry::At(2_000_000 + at) } else { Expiry::Clear };
                data.set_text(&Key::new(at.to_string().as_bytes()), b"x", expiry);
            }
        });
        let rules = EvictionRules { order: Order::Deadline, expiring_only: true, ..RULES };
        let mut pool = EvictionPool::default();
        let mut evicted = 0;
        while let Some(key) = evict_one(&keyspace, &context, &rules, &mut pool) {
            assert_eq!(std::str::from_utf8(&key).expect("digits").parse::<u64>().expect("a number") % 500, 0);
            evicted += 1;
        }
        assert_eq!(evicted, 10);
        assert_eq!(with(&keyspace, &context, |data| data.size(0).keys).0, 4990);
    }

    #[test]
    fn ghosts_forget_the_least_used_first_and_of_those_the_oldest() {
        let mut ghosts = Ghosts::default();
        // Of one set: those bits of their hashes that choose it are the same, their tags differ.
        let hashes: Vec<u64> = (0..1_000_000)
            .filter(|hash| ghost_hash(0, *hash).is_multiple_of(16))
            .scan(std::collections::HashSet::new(), |tags, hash| {
                Some(tags.insert(ghost_tag(ghost_hash(0, hash))).then_some(hash))
            })
            .flatten()
            .take(6)
            .collect();
        for (number, use_level) in [9, 5, 5, 7, 5].into_iter().enumerate() {
            ghosts.note(0, hashes[number], use_level, 16 * 8);
        }
        let known = |ghosts: &Ghosts| -> Vec<_> { hashes.iter().map(|hash| ghosts.recall(0, *hash)).collect() };
        assert_eq!(known(&ghosts), [Some(9), None, Some(5), Some(7), Some(5), None]);
        ghosts.note(0, hashes[2], 8, 16 * 8);
        ghosts.note(0, hashes[5], 6, 16 * 8);
        assert_eq!(known(&ghosts), [Some(9), None, Some(8), Some(7), None, Some(6)]);
        ghosts.note(0, hashes[5], 6, 0);
        assert_eq!(known(&ghosts), [None; 6]);
    }

    #[test]
    fn a_key_that_comes_back_is_known() {
        let lfu = Policy::Lfu { log_factor: 0, decay_minutes: 1 };
        let keyspace = keyspace(1);
        let context = context(lfu, 60_000);
        let key = Key::new(b"k");
        with(&keyspace, &context, |data| {
            data.set_text(&key, b"x", Expiry::Clear);
            (0..20).for_each(|_| assert!(data.lookup(&key).is_some()));
        });
        let mut pool = EvictionPool::default();
        assert!(evict_one(&keyspace, &context, &RULES, &mut pool).is_some());
        let frequency =
            |data: &Locked<'_>, key: &Key<'_>| context.access.frequency(data.peek(key).expect("it lives").clock());
        with(&keyspace, &context, |data| {
            data.set_text(&key, b"x", Expiry::Clear);
            assert!(frequency(data, &key) >= 25);
            let other = Key::new(b"other");
            data.set_text(&other, b"x", Expiry::Clear);
            assert_eq!(frequency(data, &other), 5);
        });
    }
}
