//! Whole sorted sets that come and go.

use crate::{Class, Expiry, Key, Locked, Reply};
use ochre_values::{Collection, SortedSet};

/// Makes `set` the value of `key`, whatever was there, or removes the key if there is nothing in it; replies its size.
pub(super) fn store(data: &mut Locked<'_>, key: &Key<'_>, set: SortedSet, event: &'static str, reply: &mut Reply<'_>) {
    store_changes(data, key, set, event, 1, reply);
}

/// As `store`, which counts as `changes` changes.
pub(crate) fn store_changes(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    set: SortedSet,
    event: &'static str,
    changes: u64,
    reply: &mut Reply<'_>,
) {
    let len = set.len();
    if len > 0 {
        data.put(key, set, Expiry::Clear);
        data.changed_times(key, Class::SORTED_SET, event, changes);
    } else if remove_whole(data, key) {
        data.changed(key, Class::GENERIC, "del");
    }
    reply.count(len);
}

/// Removes `key`, whose value is freed when nobody waits for it; says whether it lived.
pub(super) fn remove_whole(data: &mut Locked<'_>, key: &Key<'_>) -> bool {
    data.remove(key)
}
