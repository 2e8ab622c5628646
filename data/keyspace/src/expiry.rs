//! Active expiry: keys and hash fields whose deadline has passed are removed in the background, a segment of a table at a time.
//!
//! Every table segment knows the earliest deadline of its keys, so no index of keys is needed. To visit a segment costs the
//! same for one due key as for many, so a large table is given some lag in which keys become due together.

use crate::effects::{Event, Garbage, count};
use crate::keyspace::{Context, Database, Keyspace, Shard};
use crate::{Class, Effects, Entry, Key};
use ochre_collections::Sweep;
use ochre_collections::lock::ShardSet;
use ochre_collections::{EntryRef, View};
use ochre_values::Object;

/// The lag that large tables are given, ms.
const LAG_MS_MAX: u64 = 300;
/// Keys with deadlines, for each ms of lag.
const DEADLINES_PER_LAG_MS: u64 = 100;

/// What a pass over a shard did.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpiryReport {
    /// Keys that were removed.
    pub removed: u64,
    /// Whether the budget ran out before everything due was removed.
    pub more: bool,
}

struct Sweeper<'s> {
    now_ms: u64,
    removed: &'s mut Vec<Entry>,
    /// Hashes with fields that are due: they stay, but have to be looked into.
    due_hashes: &'s mut Vec<Box<[u8]>>,
}

impl Sweep<Entry> for Sweeper<'_> {
    fn keep(&mut self, entry: EntryRef<'_, Object>) -> Option<u64> {
        let own = entry.expiry_ms().unwrap_or(u64::MAX);
        if own <= self.now_ms {
            return None;
        }
        let fields = earliest_field_ms(&entry);
        if fields <= self.now_ms {
            // Its next deadline is noted once the due fields are gone.
            self.due_hashes.push(entry.key().into());
            return Some(own);
        }
        Some(own.min(fields))
    }

    fn removed(&mut self, entry: Entry) {
        self.removed.push(entry);
    }
}

/// When fields are to be looked at; `u64::MAX` when none expires.
fn earliest_field_ms(entry: &EntryRef<'_, Object>) -> u64 {
    match entry.view() {
        View::Object(object) => object.next_expiry_ms().unwrap_or(u64::MAX),
        _ => u64::MAX,
    }
}

impl Keyspace {
    /// Removes what is due in `shard`, visiting at most `budget` segments (which is counted down). Skips a busy shard.
    ///
    /// `late` is told for each removed key how many ms after its deadline it went; `commit` gets the effects while the shard is
    /// still locked, if there are any.
    pub fn expire_shard(
        &self,
        shard: usize,
        context: &Context,
        effects: &mut Effects,
        budget: &mut usize,
        late: &mut dyn FnMut(u64),
        commit: &mut dyn FnMut(&mut Effects),
    ) -> ExpiryReport {
        let mut report = ExpiryReport::default();
        let mut locks = ShardSet::of(shard);
        let Ok(mut guard) = self.shards.try_lock_at_once(&mut locks) else {
            report.more = true;
            return report;
        };
        effects.tracks_changes = self.tracks_changes();
        let shard = guard.get_mut(shard);
        for db in 0..shard.databases.len() {
            let now_ms = context.now_ms;
            if shard.databases[db].table.earliest_deadline_ms() > now_ms {
                continue;
            }
            report.more |= expire_database(shard, db, context, effects, budget, &mut |entry| {
                report.removed += 1;
                late(now_ms.saturating_sub(entry.as_ref().expiry_ms().unwrap_or(now_ms)));
            });
        }
        if effects.is_logged() || !effects.events.is_empty() || effects.has_tracked_changes() {
            commit(effects);
        }
        report
    }
}

/// Sweeps one database; says whether something due was left.
fn expire_database(
    shard: &mut Shard,
    db: usize,
    context: &Context,
    effects: &mut Effects,
    budget: &mut usize,
    on_removed: &mut dyn FnMut(&Entry),
) -> bool {
    let database = &mut shard.databases[db];
    let lag_ms = (database.deadlines as u64 / DEADLINES_PER_LAG_MS).min(LAG_MS_MAX);
    let until_ms = context.now_ms.saturating_sub(lag_ms);
    let (mut removed, mut due_hashes) = (Vec::new(), Vec::new());
    let mut more = true;
    while *budget > 0 {
        let mut sweeper = Sweeper { now_ms: context.now_ms, removed: &mut removed, due_hashes: &mut due_hashes };
        if database.table.sweep_due(until_ms, &mut database.expiry_cursor, &mut sweeper).is_none() {
            more = false;
            break;
        }
        *budget -= 1;
    }
    database.deadlines -= removed.len();
    for entry in removed {
        on_removed(&entry);
        count(&effects.stats.expired_keys);
        expired(shard, db, entry.as_ref().key(), context, effects);
        let hash = ochre_collections::hash(entry.as_ref().key());
        if let Some(entry) = shard.databases[db].cut.offer(hash, entry) {
            effects.discard(Garbage::Entry(entry));
        }
    }
    for key in due_hashes {
        more |= expire_fields(shard, db, &Key::new(&key), context, effects, budget);
    }
    more
}

/// Tells everybody that `key` has expired.
fn expired(shard: &Shard, db: usize, key: &[u8], context: &Context, effects: &mut Effects) {
    if !shard.watchers.is_empty() {
        shard.watchers.changed(db, key);
    }
    if effects.tracks_changes {
        effects.tracked_changes.push(key.into());
    }
    if shard.waiters.notices_loss() && shard.waiters.notices_loss_of(db, key) {
        effects.ready.push((db, key.into()));
    }
    if context.log_wanted {
        effects.removals.push((db, key.into()));
    }
    if context.notify.any(Class::EXPIRED) {
        effects.events.push(Event { db, class: Class::EXPIRED, name: "expired", key: key.into() });
    }
}

/// Removes the due fields of the hash at `key`, and the hash itself when none is left; says whether some were left for want of
/// budget. Each hash may be looked at a little even when there is none.
fn expire_fields(
    shard: &mut Shard,
    db: usize,
    key: &Key<'_>,
    context: &Context,
    effects: &mut Effects,
    budget: &mut usize,
) -> bool {
    let database: &mut Database = &mut shard.databases[db];
    let Some(mut slot) = database.table.find(key.hash(), key.bytes()) else { return false };
    database.cut.before_change(&mut slot);
    let mut fields: Vec<Box<[u8]>> = Vec::new();
    let log_wanted = context.log_wanted;
    let (removed, next_ms, emptied) = match slot.object_mut() {
        Some(Object::Hash(hash)) => {
            let given = (*budget).max(1);
            let mut left = given;
            let removed = hash.remove_due_fields(context.now_ms, &mut left, &mut |field| {
                if log_wanted {
                    fields.push(field.into());
                }
            });
            *budget = budget.saturating_sub(given - left);
            (removed, hash.next_expiry_ms(), ochre_values::Collection::is_empty(hash))
        }
        _ => (0, None, false),
    };
    if let Some(deadline_ms) = next_ms {
        slot.note_deadline(deadline_ms);
    }
    if emptied {
        let entry = slot.remove();
        let had_deadline = entry.as_ref().expiry_ms().is_some();
        drop(database.cut.offer(key.hash(), entry));
        database.deadlines -= usize::from(had_deadline);
    }
    let more = next_ms.is_some_and(|deadline_ms| deadline_ms <= context.now_ms);
    if removed == 0 {
        return more;
    }
    effects.stats.expired_fields.set(effects.stats.expired_fields.get() + removed as u64);
    if log_wanted {
        let words = [Box::from(*b"HDEL"), Box::from(key.bytes())].into_iter().chain(fields).collect();
        effects.log.push((db, words));
    }
    if !shard.watchers.is_empty() {
        shard.watchers.changed(db, key.bytes());
    }
    if effects.tracks_changes {
        effects.tracked_changes.push(key.bytes().into());
    }
    let mut tell = |class: Class, name| {
        if context.notify.any(class) {
            effects.events.push(Event { db, class, name, key: key.bytes().into() });
        }
    };
    tell(Class::HASH, "hexpired");
    if emptied {
        tell(Class::GENERIC, "del");
    }
    more
}
