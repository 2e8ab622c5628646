//! Changes of users, and what follows for the clients that are connected.

use super::{RowCall, refresh};
use crate::clients::Client;
use crate::commands::{SessionCall, connection};
use crate::dispatch::Flow;
use crate::shared::{Message, Shared};
use crate::worker::{Worker, protocol_of_version};
use ochre_acl::{Catalogue, Context, User, Users};
use ochre_reactor::Reactor;
use ochre_resp::{Batch, Reply};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Changes the users by `work`, all of it or, when that fails, nothing. Sessions take it over before their next commands.
///
/// # Errors
/// Those of `work`.
pub fn change<R, E>(shared: &Shared, work: impl FnOnce(&mut Users) -> Result<R, E>) -> Result<R, E> {
    let mut users = shared.access.users.write().unwrap_or_else(PoisonError::into_inner);
    let mut changed = users.clone();
    let result = work(&mut changed)?;
    *users = changed;
    shared.access.version.fetch_add(1, Ordering::Release);
    drop(users);
    shared.tell_all(|| Message::AccessChanged);
    Ok(result)
}

/// Gives the default user the password of `requirepass`; an empty one means that none is needed.
pub fn set_default_password(users: &mut Users, password: &[u8], catalogue: &Catalogue) {
    let mut user = User::clone(users.default_user());
    let rule = if password.is_empty() { b"nopass".to_vec() } else { [b">", password].concat() };
    for rule in [b"resetpass".as_slice(), &rule] {
        user.apply(rule, false, catalogue).expect("these rules are right");
    }
    users.put(user);
}

/// Ends what clients do that they may not do any more, before whoever changed their users is answered: connections of users
/// that are gone, subscriptions, waits. `affects` tells whether a user was changed.
pub fn enforce(call: &mut SessionCall<'_>, affects: impl Fn(&[u8]) -> bool) {
    let shared = call.shared();
    let users = shared.access.users().clone();
    let mut clients: HashMap<u64, (Arc<Client>, Arc<User>)> = HashMap::new();
    for client in shared.registry.all() {
        let name = client.texts().user.clone().into_bytes();
        if !affects(&name) {
            continue;
        }
        match users.get(&name) {
            Some(user) => {
                reject_wait(call.worker, &client, user);
                clients.insert(client.id, (client, Arc::clone(user)));
            }
            None => connection::kill(call, &client),
        }
    }
    let mut lost = Vec::new();
    shared.pubsub.read().unwrap_or_else(PoisonError::into_inner).each(&mut |kind, name, subscriber| {
        if let Some((_, user)) = clients.get(&subscriber.client)
            && !user.may_listen(name, kind == ochre_pubsub::Kind::Pattern)
        {
            lost.push(subscriber.client);
        }
    });
    for id in lost {
        if let Some((client, _)) = clients.remove(&id) {
            connection::kill(call, &client);
        }
    }
    if !refresh(shared, call.session) {
        call.flow = Flow::Close;
    }
}

/// Ends the wait of a blocked client that may not run its command any more, and notes that as a refusal.
fn reject_wait(worker: &Worker, client: &Client, user: &User) {
    let shared = worker.shared;
    let waiter = client.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(waiter) = waiter else { return };
    let mut batch = Batch::default();
    let command = batch.push(waiter.words.iter().map(|word| &**word));
    let words = batch.args(&command, &[]);
    let Some(row) = shared.commands.find(words.at(0)) else { return };
    let call = RowCall { row, words, db: waiter.db, databases: shared.keyspace.databases() };
    if let Err(denied) = user.check(&call)
        && waiter.claim()
    {
        let refusal = super::refusal::refuse(shared, client, user, row, words, denied, Context::TopLevel);
        worker.counters().commands[row.id].rejected.add(1);
        worker.count_error(refusal.code());
        let mut reply = Vec::new();
        Reply::new(&mut reply, protocol_of_version(waiter.protocol)).error(refusal.as_str());
        shared.desks[waiter.thread as usize].post(Message::Unblocked { waiter, reply });
    }
}

/// Ends the waits of this loop's clients that may not run their commands any more.
fn reject_waits(worker: &Worker) {
    for session in worker.sessions().filter(|session| session.is_waiting()) {
        reject_wait(worker, &session.client, &session.user);
    }
}

impl Worker {
    /// Looks at all sessions after users have changed: those that began something while that happened are caught here.
    pub fn access_changed(&mut self, reactor: &mut Reactor) {
        let shared = self.shared;
        let version = shared.access.version();
        let stale: Vec<u64> =
            self.sessions().filter(|session| session.access_version != version).map(|session| session.id()).collect();
        for id in stale {
            let Some(mut session) = self.take_client(id) else { continue };
            let is_there = refresh(shared, &mut session);
            let user = Arc::clone(&session.user);
            let may_listen = session.subscriptions.as_ref().is_none_or(|all| all.are_allowed(&user));
            self.put_back(session);
            if !is_there || !may_listen {
                self.end_client(reactor, id, false);
            }
        }
        reject_waits(self);
    }
}
