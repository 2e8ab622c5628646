//! CLIENT INFO, LIST and KILL.

use super::filters::Filters;
use crate::clients::{Client, traits};
use crate::commands::{Command, SessionCall};
use crate::dispatch::Flow;
use crate::shared::{CommandRow, Message, Shared};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use std::fmt::Write;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

/// The letters of a client's state, `N` when nothing is special.
pub(super) fn flag_letters(client: &Client) -> String {
    const LETTERS: [(u32, char); 15] = [
        (traits::REPLICA, 'S'),
        (traits::PRIMARY, 'M'),
        (traits::MONITOR, 'O'),
        (traits::PUBSUB, 'P'),
        (traits::MULTI, 'x'),
        (traits::BLOCKED, 'b'),
        (traits::TRACKING, 't'),
        (traits::REDIRECT_BROKEN, 'R'),
        (traits::BROADCAST, 'B'),
        (traits::DIRTY_CAS, 'd'),
        (traits::CLOSE_AFTER_REPLY, 'c'),
        (traits::CLOSE_ASAP, 'A'),
        (traits::UNIX_SOCKET, 'U'),
        (traits::NO_EVICT, 'e'),
        (traits::NO_TOUCH, 'T'),
    ];
    let has = |bit: u32| if bit == traits::BLOCKED { client.is_blocked() } else { client.has(bit) };
    let letters: String = LETTERS.iter().filter(|(bit, _)| has(*bit)).map(|(_, letter)| *letter).collect();
    if letters.is_empty() { "N".into() } else { letters }
}

/// The line of a client in CLIENT LIST, without its line end.
pub fn describe(client: &Client, shared: &Shared, now_ms: u64) -> String {
    let texts = client.texts().clone();
    let seconds_since = |since_ms: u64| now_ms.saturating_sub(since_ms) / 1000;
    let last_command = client.last_command.load(Relaxed);
    let command = last_command.checked_sub(1).and_then(|id| name_of(shared.commands.rows(), id)).unwrap_or("NULL");
    let query_buffer = client.query_buffer.load(Relaxed);
    let output = client.output_bytes.load(Relaxed);
    let mut line = String::with_capacity(400);
    let _ = write!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} watch={} \
         qbuf={query_buffer} qbuf-free={} argv-mem={} multi-mem={} rbs=0 rbp=0 obl=0 oll={} omem={output} \
         tot-mem={} events=r cmd={command} user={} redir={} resp={} lib-name={} lib-ver={} capa={} io-thread={} \
         tot-net-in={} tot-net-out={} tot-cmds={}",
        client.id,
        client.address,
        client.local_address,
        client.fd,
        texts.name,
        seconds_since(client.created_ms),
        seconds_since(client.last_used_ms.load(Relaxed)),
        flag_letters(client),
        client.db.load(Relaxed),
        client.subscriptions.load(Relaxed),
        client.pattern_subscriptions.load(Relaxed),
        client.shard_subscriptions.load(Relaxed),
        client.queued.load(Relaxed),
        client.watched.load(Relaxed),
        client.query_buffer_free.load(Relaxed),
        client.argument_bytes.load(Relaxed),
        client.multi_bytes.load(Relaxed),
        client.output_buffers.load(Relaxed),
        client.memory_bytes.load(Relaxed),
        texts.user,
        client.redirect.load(Relaxed),
        client.protocol.load(Relaxed),
        texts.library,
        texts.library_version,
        texts.capabilities,
        client.thread,
        client.net_input_bytes.load(Relaxed),
        client.net_output_bytes.load(Relaxed),
        client.commands.load(Relaxed),
    );
    if client.has(traits::TLS) {
        line.push_str(" tls=1");
    }
    line
}

/// The full name of the command numbered `id`.
fn name_of(rows: &[CommandRow], id: usize) -> Option<&str> {
    rows.iter().find_map(|row| if row.id == id { Some(row.full_name.as_str()) } else { name_of(&row.subcommands, id) })
}

/// The client that asks sees its own command as the last one, and of its earlier replies what has not left yet.
fn note_own_command(call: &mut SessionCall<'_>) {
    call.session.note_unsent(call.reactor);
    call.session.client.last_command.store(call.row.id + 1, Relaxed);
    call.session.client.last_used_ms.store(call.worker.context.now_ms, Relaxed);
}

pub(super) const CLIENT_INFO: Command = Command::new(Group::Connection, "INFO", "", client_info)
    .summary("Replies what CLIENT LIST says of this connection.")
    .cost("O(1)")
    .since("6.2.0")
    .flags(NOSCRIPT | LOADING | STALE)
    .tips(&["nondeterministic_output"]);

fn client_info(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    note_own_command(call);
    let line = describe(&call.session.client, call.worker.shared, call.worker.context.now_ms);
    reply.verbatim("txt", format!("{line}\n").as_bytes());
    Ok(())
}

pub(super) const CLIENT_LIST: Command = Command::new(Group::Connection, "LIST", "[TYPE <normal | master | replica | pubsub>] [ID client-id [client-id ...]] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>] [MAXAGE maxage] [NAME name] [IDLE idle] [FLAGS flags] [LIB-NAME lib-name] [LIB-VER lib-ver] [DB db] [CAPA capa] [IP ip] [NOT-TYPE <normal | master | replica | pubsub>] [NOT-ID not-client-id [not-client-id ...]] [NOT-USER not-username] [NOT-ADDR ip:port] [NOT-LADDR ip:port] [NOT-NAME not-name] [NOT-FLAGS not-flags] [NOT-LIB-NAME not-lib-name] [NOT-LIB-VER not-lib-ver] [NOT-DB not-db] [NOT-CAPA not-capa] [NOT-IP not-ip]", client_list)
    .summary("Replies a line for each connection that passes the filters.")
    .cost("O(N) where N is the number of client connections")
    .since("2.4.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE)
    .tips(&["nondeterministic_output"]);

fn client_list(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let filters = Filters::read(args, call.worker.shared)?;
    note_own_command(call);
    call.worker.note_unsent(call.reactor);
    let now_ms = call.worker.context.now_ms;
    let own = call.session.id();
    let mut text = String::new();
    for client in call.worker.shared.registry.all() {
        let skipped = filters.skip_me == Some(true) && client.id == own;
        if !skipped && filters.fits(&client, now_ms) {
            text.push_str(&describe(&client, call.worker.shared, now_ms));
            text.push('\n');
        }
    }
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

pub(super) const CLIENT_KILL: Command = Command::new(Group::Connection, "KILL", "<ip:port | <ID client-id [client-id ...] | TYPE <normal | master | primary | slave | replica | pubsub> | USER username | ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> | MAXAGE maxage | NAME name | IDLE idle | FLAGS flags | LIB-NAME lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip | NOT-TYPE <normal | master | primary | slave | replica | pubsub> | NOT-ID not-client-id [not-client-id ...] | NOT-USER not-username | NOT-ADDR ip:port | NOT-LADDR ip:port | NOT-NAME not-name | NOT-FLAGS not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER not-lib-ver | NOT-DB not-db | NOT-CAPA not-capa | NOT-IP not-ip> [<ID client-id [client-id ...] | TYPE <normal | master | primary | slave | replica | pubsub> | USER username | ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> | MAXAGE maxage | NAME name | IDLE idle | FLAGS flags | LIB-NAME lib-name | LIB-VER lib-ver | DB db | CAPA capa | IP ip | NOT-TYPE <normal | master | primary | slave | replica | pubsub> | NOT-ID not-client-id [not-client-id ...] | NOT-USER not-username | NOT-ADDR ip:port | NOT-LADDR ip:port | NOT-NAME not-name | NOT-FLAGS not-flags | NOT-LIB-NAME not-lib-name | NOT-LIB-VER not-lib-ver | NOT-DB not-db | NOT-CAPA not-capa | NOT-IP not-ip> ...]>", client_kill)
    .summary("Closes connections: the one from an address, or all that pass the filters.")
    .cost("O(N) where N is the number of client connections")
    .since("2.4.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn client_kill(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const NO_SUCH_CLIENT: Error = Error::fixed("ERR No such client");
    let now_ms = call.worker.context.now_ms;
    let clients = call.worker.shared.registry.all();
    if args.remaining() == 1 {
        // The old form names an address, and may name one's own.
        let address = args.word();
        let found = clients.iter().find(|client| client.address.as_bytes() == address);
        let client = found.ok_or(NO_SUCH_CLIENT)?;
        kill(call, client);
        reply.ok();
        return Ok(());
    }
    let filters = Filters::read(args, call.worker.shared)?;
    let own = call.session.id();
    let mut killed = 0;
    for client in clients.iter().filter(|client| filters.fits(client, now_ms)) {
        if client.id == own && filters.skip_me != Some(false) {
            continue;
        }
        kill(call, client);
        killed += 1;
    }
    reply.integer(killed);
    Ok(())
}

/// Ends a client's connection.
pub fn kill(call: &mut SessionCall<'_>, client: &Client) {
    if client.id == call.session.id() {
        // Its own reply is still sent.
        call.flow = Flow::Close;
    } else {
        client.set(traits::CLOSE_ASAP, true);
        if let Some(waiter) = &*client.blocked.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody serves it any more, or it is served already.
            waiter.abandon();
        }
        // Its own thread ends it in a moment; whoever asks is told at once that it is gone.
        call.worker.shared.registry.remove(client.id);
        let message = Message::Kill { client: client.id, flush: false };
        call.worker.shared.desks[client.thread as usize].post(message);
    }
}
