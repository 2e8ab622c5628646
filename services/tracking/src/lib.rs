//! Which client may hold which key in a cache of its own, and who is to be told when a key changes: without sockets.

use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap};

/// A key, or the beginning of keys.
pub type Bytes = Box<[u8]>;

/// How a client wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Event loop that serves the client.
    pub thread: u32,
    /// The client that gets the messages in its place.
    pub redirect: Option<u64>,
    /// It is told of all keys with its prefixes, read or not.
    pub broadcast: bool,
    /// It is not told of what it changes itself.
    pub no_loop: bool,
}

/// What a client is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub client: u64,
    pub mode: Mode,
    /// The keys that it may not use any more; `None`: all of them.
    pub keys: Option<Vec<Bytes>>,
}

/// All clients that are told of changes, and the keys that they may hold.
///
/// As in the peers a key's name counts, not its database.
#[derive(Debug, Default)]
pub struct Registry {
    clients: HashMap<u64, Mode>,
    /// Who has read a key, ascending. Clients that have gone are left out when the key changes.
    keys: IndexMap<Bytes, Vec<u64>>,
    /// Pairs of a key and a client.
    items: usize,
    /// The clients of each prefix, ascending.
    prefixes: BTreeMap<Bytes, Vec<u64>>,
}

impl Registry {
    /// Whether nobody is to be told of anything.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Number of keys that are remembered.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Number of pairs of a key and a client that are remembered.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Number of prefixes.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// Tells `client` of changes from now on; in broadcasting mode of keys with `prefixes`, too (further ones are added).
    pub fn begin<'p>(&mut self, client: u64, mode: Mode, prefixes: impl Iterator<Item = &'p [u8]>) {
        self.clients.insert(client, mode);
        for prefix in prefixes {
            insert(self.prefixes.entry(prefix.into()).or_default(), client);
        }
    }

    /// Tells `client` of nothing more.
    pub fn end(&mut self, client: u64) {
        let Some(mode) = self.clients.remove(&client) else { return };
        if mode.broadcast {
            self.prefixes.retain(|_, clients| {
                clients.retain(|known| *known != client);
                !clients.is_empty()
            });
        }
        if self.clients.is_empty() {
            self.keys = IndexMap::new();
            self.items = 0;
        }
    }

    /// `client` has read `key`. O(clients that have).
    pub fn remember(&mut self, client: u64, key: &[u8]) {
        match self.keys.get_mut(key) {
            Some(clients) => self.items += usize::from(insert(clients, client)),
            None => {
                self.keys.insert(key.into(), vec![client]);
                self.items += 1;
            }
        }
    }

    /// Who has read one of `keys`, which client `origin` (0: none) has changed: a notice for each key. Then it is forgotten.
    pub fn changed(&mut self, keys: &[Bytes], origin: u64) -> Vec<Notice> {
        let mut notices = Vec::new();
        for key in keys {
            self.forget(key, origin, &mut notices);
        }
        notices
    }

    /// Whose prefixes some of `keys` have, which client `origin` has changed as one: a notice for each prefix with all its keys.
    pub fn announced(&self, keys: &[Bytes], origin: u64) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (prefix, clients) in &self.prefixes {
            let mut matching: Vec<Bytes> = keys.iter().filter(|key| key.starts_with(prefix)).cloned().collect();
            if matching.is_empty() {
                continue;
            }
            matching.sort_unstable();
            matching.dedup();
            for client in clients {
                let mode = self.clients[client];
                if !(mode.no_loop && *client == origin) {
                    notices.push(Notice { client: *client, mode, keys: Some(matching.clone()) });
                }
            }
        }
        notices
    }

    fn forget(&mut self, key: &[u8], origin: u64, notices: &mut Vec<Notice>) {
        let Some(clients) = self.keys.swap_remove(key) else { return };
        self.items -= clients.len();
        for client in clients {
            let Some(mode) = self.clients.get(&client).copied().filter(|mode| !mode.broadcast) else { continue };
            if !(mode.no_loop && client == origin) {
                notices.push(Notice { client, mode, keys: Some(vec![key.into()]) });
            }
        }
    }

    /// Who is to be told that all keys are gone: everybody.
    pub fn emptied(&mut self) -> Vec<Notice> {
        self.keys = IndexMap::new();
        self.items = 0;
        self.clients.iter().map(|(client, mode)| Notice { client: *client, mode: *mode, keys: None }).collect()
    }

    /// Forgets keys by chance until at most `keys_max` are left: whoever may hold one is told that it changed. `random` gives
    /// any numbers.
    pub fn limit(&mut self, keys_max: usize, mut random: impl FnMut() -> u64) -> Vec<Notice> {
        let mut notices = Vec::new();
        while self.keys.len() > keys_max {
            let at = (random() % self.keys.len() as u64) as usize;
            if let Some((key, _)) = self.keys.get_index(at) {
                let key = key.clone();
                self.forget(&key, 0, &mut notices);
            }
        }
        notices
    }
}

/// Puts `client` into a list in ascending order; says whether it was not there.
fn insert(clients: &mut Vec<u64>, client: u64) -> bool {
    match clients.binary_search(&client) {
        Ok(_) => false,
        Err(at) => {
            clients.insert(at, client);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: Mode = Mode { thread: 0, redirect: None, broadcast: false, no_loop: false };

    fn keys(names: &[&str]) -> Vec<Bytes> {
        names.iter().map(|name| name.as_bytes().into()).collect()
    }

    fn told(notices: &[Notice]) -> Vec<(u64, Option<Vec<Bytes>>)> {
        notices.iter().map(|notice| (notice.client, notice.keys.clone())).collect()
    }

    #[test]
    fn who_has_read_a_key_is_told_once() {
        let mut registry = Registry::default();
        registry.begin(1, MODE, [].into_iter());
        registry.begin(2, Mode { no_loop: true, ..MODE }, [].into_iter());
        for client in [2, 1, 2] {
            registry.remember(client, b"a");
        }
        registry.remember(2, b"b");
        assert_eq!((registry.keys(), registry.items()), (2, 3));
        let one = Some(keys(&["a"]));
        assert_eq!(told(&registry.changed(&keys(&["a", "a", "c"]), 9)), [(1, one.clone()), (2, one)]);
        assert_eq!(told(&registry.changed(&keys(&["a"]), 9)), []);
        assert_eq!(told(&registry.changed(&keys(&["b"]), 2)), [], "it wants nothing of its own");
        assert_eq!((registry.keys(), registry.items()), (0, 0));
    }

    #[test]
    fn prefixes_get_all_their_keys_at_once() {
        let mut registry = Registry::default();
        let mode = Mode { broadcast: true, ..MODE };
        registry.begin(1, mode, [b"a:".as_slice(), b"b"].into_iter());
        registry.begin(2, Mode { no_loop: true, ..mode }, [b"".as_slice()].into_iter());
        let changed = keys(&["a:2", "b", "a:1", "a:2", "c"]);
        let (a, b, all) = (keys(&["a:1", "a:2"]), keys(&["b"]), keys(&["a:1", "a:2", "b", "c"]));
        assert_eq!(
            told(&registry.announced(&changed, 9)),
            [(2, Some(all)), (1, Some(a.clone())), (1, Some(b.clone()))]
        );
        assert_eq!(told(&registry.announced(&changed, 2)), [(1, Some(a)), (1, Some(b))]);
        assert_eq!(told(&registry.changed(&changed, 9)), []);
        registry.end(1);
        assert_eq!(registry.prefixes(), 1);
    }

    #[test]
    fn too_many_keys_are_forgotten_and_that_is_told() {
        let mut registry = Registry::default();
        registry.begin(1, MODE, [].into_iter());
        for number in 0..100_u32 {
            registry.remember(1, &number.to_be_bytes());
        }
        let notices = registry.limit(90, || 7);
        assert_eq!((notices.len(), registry.keys(), registry.items()), (10, 90, 90));
        assert_eq!(told(&registry.emptied()), [(1, None)]);
        assert_eq!(registry.items(), 0);
    }

    #[test]
    fn who_has_gone_is_not_told() {
        let mut registry = Registry::default();
        registry.begin(1, MODE, [].into_iter());
        registry.begin(2, MODE, [].into_iter());
        registry.remember(1, b"a");
        registry.end(1);
        assert_eq!(registry.keys(), 1);
        assert_eq!(told(&registry.changed(&keys(&["a"]), 9)), []);
        registry.remember(2, b"a");
        registry.end(2);
        assert!(registry.is_empty() && registry.keys() == 0);
    }
}
