//! WATCH: the shard knows who watches a key, and a change raises the client's flag.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised when a key that a client watches has changed.
#[derive(Default, Debug)]
pub struct WatchFlag(AtomicBool);

impl WatchFlag {
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Database and key.
type Place = (usize, Box<[u8]>);

/// The watched keys of a shard.
#[derive(Default)]
pub struct Watchers {
    keys: HashMap<Place, Vec<Arc<WatchFlag>>>,
}

impl Watchers {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Watches `key` of database `db` for the owner of `flag`.
    pub fn add(&mut self, db: usize, key: &[u8], flag: &Arc<WatchFlag>) {
        self.keys.entry((db, key.into())).or_default().push(Arc::clone(flag));
    }

    /// Ends a watch.
    pub fn remove(&mut self, db: usize, key: &[u8], flag: &Arc<WatchFlag>) {
        let place = (db, Box::from(key));
        if let Some(flags) = self.keys.get_mut(&place) {
            flags.retain(|known| !Arc::ptr_eq(known, flag));
            if flags.is_empty() {
                self.keys.remove(&place);
            }
        }
    }

    /// Raises the flags of all who watch `key`.
    #[cold]
    pub(crate) fn changed(&self, db: usize, key: &[u8]) {
        for flag in self.keys.get(&(db, Box::from(key))).into_iter().flatten() {
            flag.raise();
        }
    }

    /// The watched keys of database `db`.
    pub(crate) fn keys_of(&self, db: usize) -> impl Iterator<Item = (&[u8], &[Arc<WatchFlag>])> {
        self.keys.iter().filter(move |((of, _), _)| *of == db).map(|((_, key), flags)| (&**key, &**flags))
    }
}
