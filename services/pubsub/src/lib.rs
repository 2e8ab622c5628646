//! Who listens to which channel or pattern: the subscriptions of all clients, without sockets.

use std::collections::{BTreeMap, HashMap};

/// A client that is subscribed to something, and the event loop that serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subscriber {
    pub thread: u32,
    pub client: u64,
}

/// The three kinds of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Channel,
    Pattern,
    /// A channel that belongs to the slot of its name.
    Shard,
}

type Names = HashMap<Box<[u8]>, Vec<Subscriber>>;

/// All subscriptions.
#[derive(Default, Debug)]
pub struct Registry {
    channels: Names,
    patterns: Names,
    shards: Names,
}

/// For one event loop: what of its clients receives a message, and by which pattern (`None`: by the channel itself).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub direct: Vec<u64>,
    pub by_pattern: Vec<(Box<[u8]>, Vec<u64>)>,
}

impl Registry {
    fn names(&self, kind: Kind) -> &Names {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shards,
        }
    }

    fn names_mut(&mut self, kind: Kind) -> &mut Names {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// Subscribes to `name`. The caller knows that the client was not subscribed to it.
    pub fn add(&mut self, kind: Kind, name: &[u8], subscriber: Subscriber) {
        match self.names_mut(kind).get_mut(name) {
            Some(subscribers) => subscribers.push(subscriber),
            None => {
                self.names_mut(kind).insert(name.into(), vec![subscriber]);
            }
        }
    }

    /// Ends a subscription. O(subscribers of the name).
    pub fn remove(&mut self, kind: Kind, name: &[u8], subscriber: Subscriber) {
        let names = self.names_mut(kind);
        if let Some(subscribers) = names.get_mut(name) {
            subscribers.retain(|known| *known != subscriber);
            if subscribers.is_empty() {
                names.remove(name);
            }
        }
    }

    /// Whether nobody listens to anything of this kind.
    pub fn is_empty(&self, kind: Kind) -> bool {
        self.names(kind).is_empty()
    }

    /// Who receives a message to `channel`, by event loop, and how often it is received in all.
    pub fn receivers(&self, kind: Kind, channel: &[u8]) -> (BTreeMap<u32, Delivery>, usize) {
        let mut deliveries: BTreeMap<u32, Delivery> = BTreeMap::new();
        let mut count = 0;
        for subscriber in self.names(kind).get(channel).into_iter().flatten() {
            deliveries.entry(subscriber.thread).or_default().direct.push(subscriber.client);
            count += 1;
        }
        if kind == Kind::Channel {
            for (pattern, subscribers) in &self.patterns {
                if !ochre_text::glob::matches(pattern, channel, false) {
                    continue;
                }
                for subscriber in subscribers {
                    let by_pattern = &mut deliveries.entry(subscriber.thread).or_default().by_pattern;
                    match by_pattern.last_mut() {
                        Some((last, clients)) if last == pattern => clients.push(subscriber.client),
                        _ => by_pattern.push((pattern.clone(), vec![subscriber.client])),
                    }
                    count += 1;
                }
            }
        }
        (deliveries, count)
    }

    /// Names with a subscriber that match a glob pattern (all without one).
    pub fn active(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let wanted = |name: &[u8]| pattern.is_none_or(|pattern| ochre_text::glob::matches(pattern, name, false));
        self.names(kind).keys().filter(|name| wanted(name)).cloned().collect()
    }

    /// Visits every subscription.
    pub fn each(&self, visit: &mut dyn FnMut(Kind, &[u8], Subscriber)) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for (name, subscribers) in self.names(kind) {
                subscribers.iter().for_each(|subscriber| visit(kind, name, *subscriber));
            }
        }
    }

    /// Number of subscribers of a name.
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.names(kind).get(name).map_or(0, Vec::len)
    }

    /// Number of names with a subscriber.
    pub fn len(&self, kind: Kind) -> usize {
        self.names(kind).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Subscriber = Subscriber { thread: 0, client: 1 };
    const TWO: Subscriber = Subscriber { thread: 1, client: 2 };

    #[test]
    fn a_message_reaches_channels_and_patterns() {
        let mut registry = Registry::default();
        registry.add(Kind::Channel, b"news", ONE);
        registry.add(Kind::Channel, b"news", TWO);
        registry.add(Kind::Pattern, b"n*", TWO);
        let (deliveries, count) = registry.receivers(Kind::Channel, b"news");
        assert_eq!(count, 3);
        assert_eq!(deliveries[&0].direct, [1]);
        assert_eq!(deliveries[&1].direct, [2]);
        assert_eq!(deliveries[&1].by_pattern, [(Box::from(*b"n*"), vec![2])]);
        assert_eq!(registry.receivers(Kind::Channel, b"old").1, 0);
    }

    #[test]
    fn shard_channels_are_apart_and_patterns_do_not_match_them() {
        let mut registry = Registry::default();
        registry.add(Kind::Shard, b"news", ONE);
        registry.add(Kind::Pattern, b"*", TWO);
        assert_eq!(registry.receivers(Kind::Shard, b"news").1, 1);
        assert_eq!(registry.active(Kind::Shard, None).len(), 1);
        registry.remove(Kind::Shard, b"news", ONE);
        assert!(registry.is_empty(Kind::Shard));
        assert_eq!(registry.subscribers(Kind::Pattern, b"*"), 1);
    }
}
