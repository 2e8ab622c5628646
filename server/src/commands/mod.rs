//! Commands on sessions and on the server itself; those on data live below, in `ochre-commands`.

pub mod cluster;
pub mod connection;
pub mod hash_import;
pub mod help;
pub mod migrate;
pub mod pubsub;
pub mod replication;
pub mod scripting;
pub mod server;
mod tests;
pub mod transactions;

use crate::aftermath;
use crate::clients::traits;
use crate::dispatch::{Flow, reaches_data};
use crate::session::Session;
use crate::shared::{CommandRow, Shared};
use crate::worker::Worker;
use ochre_collections::lock::{Attempt, ShardSet, Ticket};
use ochre_commands::{Args, Error, Locked};
use ochre_reactor::Reactor;
use ochre_resp::{Args as Words, Reply};

/// What a command on a session can reach: the loop that runs it and the client that sent it.
pub struct SessionCall<'a> {
    pub worker: &'a mut Worker,
    pub reactor: &'a mut Reactor,
    pub session: &'a mut Session,
    pub row: &'a CommandRow,
    pub words: Words<'a>,
    /// What becomes of the connection afterwards.
    pub flow: Flow,
    /// The data that EXEC or a script holds locked: what the command's spec says that it needs.
    pub held: Option<&'a mut dyn Held>,
}

/// Data that is locked already.
pub trait Held {
    fn with(&mut self, work: &mut dyn FnMut(&mut Locked<'_>));
}

impl Held for Locked<'_> {
    fn with(&mut self, work: &mut dyn FnMut(&mut Locked<'_>)) {
        work(self);
    }
}

impl SessionCall<'_> {
    pub fn shared(&self) -> &'static Shared {
        self.worker.shared
    }

    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        let client = &self.session.client;
        client.has(traits::UNIX_SOCKET) || ["127.0.0.1:", "[::1]:"].iter().any(|host| client.address.starts_with(host))
    }

    /// Runs `work` on data with these shards locked, or with those that EXEC holds; the command's spec must say so.
    /// `None` when a shard is busy: the client waits for it, and the command runs again from its beginning, so it must return at
    /// once and have done nothing yet.
    pub fn with_data<R>(&mut self, mut locks: ShardSet, work: impl FnOnce(&mut Locked<'_>) -> R) -> Option<R> {
        debug_assert!(reaches_data(self.row), "EXEC must know that {} looks at data", self.row.full_name);
        if let Some(held) = &mut self.held {
            return with_held(*held, self.session.db, work);
        }
        let worker = &mut *self.worker;
        let shared = worker.shared;
        let ticket = Ticket { thread: worker.id as u32, client: self.session.id() };
        let mut attempt = self.session.resumed_attempt.take().unwrap_or_else(|| Attempt::new(ticket));
        let Ok(guard) = shared.keyspace.shards().lock_or_park(&mut locks, &mut attempt) else {
            self.flow = worker.wait_for_shard(self.session, attempt);
            return None;
        };
        worker.effects.clear();
        let mut data = shared.keyspace.view(guard, &worker.context, &mut worker.effects, self.session.db);
        let result = work(&mut data);
        data.finish();
        aftermath::commit(shared, worker.id, &mut data, self.words);
        aftermath::seal(shared, &mut data);
        drop(data);
        // Who waits for what is gone now is told when its own locks can be had.
        worker.ready.append(&mut worker.effects.ready);
        aftermath::after_unlock(worker);
        Some(result)
    }
}

fn with_held<R>(held: &mut dyn Held, db: usize, work: impl FnOnce(&mut Locked<'_>) -> R) -> Option<R> {
    let (mut work, mut result) = (Some(work), None);
    held.with(&mut |data| {
        data.select(db);
        result = work.take().map(|work| work(data));
        data.finish();
    });
    result
}

/// The function of a command on a session.
pub type SessionFn = fn(&mut SessionCall<'_>, &mut Args<'_>, &mut Reply<'_>) -> Result<(), Error>;

/// A command on a session.
pub type Command = ochre_commands::spec::Command<SessionFn>;

/// The lists of all families.
pub const FAMILIES: &[&[Command]] = &[
    cluster::COMMANDS,
    connection::COMMANDS,
    hash_import::COMMANDS,
    migrate::COMMANDS,
    server::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    transactions::COMMANDS,
    scripting::COMMANDS,
];
