//! Messages on their way to subscribers: encoded once for each protocol, handed to the event loops of those who listen.

use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_keyspace::{Class, Event};
use ochre_pubsub::{Delivery, Kind};
use ochre_reactor::Reactor;
use ochre_resp::{Protocol, Reply};
use std::sync::{Arc, OnceLock, PoisonError};

/// A published message.
#[derive(Debug)]
pub struct Published {
    kind: Kind,
    channel: Box<[u8]>,
    payload: Box<[u8]>,
    resp2: OnceLock<Vec<u8>>,
    resp3: OnceLock<Vec<u8>>,
}

impl Published {
    /// The message as a subscriber of the channel gets it.
    fn direct(&self, protocol: Protocol) -> &[u8] {
        let place = if protocol == Protocol::Resp3 { &self.resp3 } else { &self.resp2 };
        place.get_or_init(|| {
            let mut bytes = Vec::with_capacity(self.channel.len() + self.payload.len() + 48);
            let mut reply = Reply::new(&mut bytes, protocol);
            reply.push(3);
            reply.bulk(if self.kind == Kind::Shard { b"smessage" } else { b"message" });
            reply.bulk(&self.channel);
            reply.bulk(&self.payload);
            bytes
        })
    }

    fn by_pattern(&self, pattern: &[u8], reply: &mut Reply<'_>) {
        reply.push(4);
        reply.bulk(b"pmessage");
        reply.bulk(pattern);
        reply.bulk(&self.channel);
        reply.bulk(&self.payload);
    }
}

/// Publishes a message; answers how often it is received.
pub fn publish(shared: &Shared, kind: Kind, channel: &[u8], payload: &[u8]) -> usize {
    let (deliveries, count) = shared.pubsub.read().unwrap_or_else(PoisonError::into_inner).receivers(kind, channel);
    if count > 0 {
        let (channel, payload) = (channel.into(), payload.into());
        let message = Arc::new(Published { kind, channel, payload, resp2: OnceLock::new(), resp3: OnceLock::new() });
        for (thread, delivery) in deliveries {
            shared.desks[thread as usize].post(Message::Deliver(Arc::clone(&message), delivery));
        }
    }
    count
}

/// Publishes a keyspace event to those channels that the settings want.
#[cold]
pub fn publish_event(shared: &Shared, wanted: Class, event: &Event) {
    if wanted.any(Class::KEYSPACE) {
        let mut channel = format!("__keyspace@{}__:", event.db).into_bytes();
        channel.extend_from_slice(&event.key);
        publish(shared, Kind::Channel, &channel, event.name.as_bytes());
    }
    if wanted.any(Class::KEYEVENT) {
        let channel = format!("__keyevent@{}__:{}", event.db, event.name);
        publish(shared, Kind::Channel, channel.as_bytes(), &event.key);
    }
}

impl Worker {
    /// Writes a message to this loop's subscribers of it.
    pub fn deliver(&mut self, reactor: &mut Reactor, message: &Published, delivery: &Delivery) {
        for client in &delivery.direct {
            self.with_output(reactor, *client, |output, protocol| {
                output.extend_from_slice(message.direct(protocol));
            });
        }
        for (pattern, clients) in &delivery.by_pattern {
            for client in clients {
                self.with_output(reactor, *client, |output, protocol| {
                    message.by_pattern(pattern, &mut Reply::new(output, protocol));
                });
            }
        }
    }
}
