//! What stands between a command and its function: a list of guards, in the order in which a client meets them.

use crate::alerts::Alert;
use crate::pause::Paused;
use crate::session::Session;
use crate::shared::{CommandRow, Run, Shared};
use crate::transaction::Transaction;
use crate::worker::Worker;
use ochre_commands::Error;
use ochre_commands::spec::{ALLOW_BUSY, DENYOOM, Group, LOADING, Locks, NO_AUTH, STALE, WRITE};
use ochre_reactor::{Address, Socket};
use ochre_resp::Args as Words;

/// Refuses a command or lets it pass.
type Guard = fn(&Worker, &Session, &CommandRow, Words<'_>) -> Result<(), Error>;

/// In the order in which a client meets them; the first that refuses answers.
const GUARDS: &[Guard] = &[
    authentication,
    authorization,
    script_overdue,
    memory,
    log_failed,
    snapshot_failed,
    few_replicas,
    read_only,
    from_replica,
    subscriber_mode,
    stale,
    loading,
];

/// The command that the words name, a subcommand of a container resolved, with the right number of words.
pub fn resolve<'t>(row: Option<&'t CommandRow>, words: Words<'_>) -> Result<&'t CommandRow, Error> {
    let row = row.ok_or_else(|| unknown_command(words))?;
    let row = if row.subcommands.is_empty() { row } else { resolve_subcommand(row, words)? };
    if row.accepts(words.len()) { Ok(row) } else { Err(wrong_arity(row)) }
}

#[cold]
fn wrong_arity(row: &CommandRow) -> Error {
    Error::wrong_arity(&row.full_name)
}

fn resolve_subcommand<'t>(row: &'t CommandRow, words: Words<'_>) -> Result<&'t CommandRow, Error> {
    let Some(name) = words.get(1) else {
        // Some containers are commands of their own (COMMAND).
        return if row.run.is_some() { Ok(row) } else { Err(wrong_arity(row)) };
    };
    row.subcommand(name).ok_or_else(|| unknown_subcommand(row, name))
}

/// Whether the words are a line of an HTTP request that a browser was made to send.
#[cold]
pub fn is_http(words: Words<'_>) -> bool {
    ["POST", "HOST:"].iter().any(|word| ochre_text::case::is(words.at(0), word))
}

/// At most so many bytes of a name or an argument are shown in an error.
const SHOWN_BYTES_MAX: usize = 128;

#[cold]
fn unknown_command(words: Words<'_>) -> Error {
    let name = shown(words.at(0));
    let mut text = format!("ERR unknown command '{name}', with args beginning with: ");
    let mut shown_bytes = 0;
    for word in words.from(1) {
        if shown_bytes >= SHOWN_BYTES_MAX {
            break;
        }
        let word = &word[..word.len().min(SHOWN_BYTES_MAX - shown_bytes)];
        shown_bytes += word.len() + 3;
        text.push_str(&format!("'{}' ", String::from_utf8_lossy(word)));
    }
    Error::text(text)
}

#[cold]
fn unknown_subcommand(row: &CommandRow, name: &[u8]) -> Error {
    let container = row.spec.name;
    Error::text(format!("ERR unknown subcommand '{}'. Try {container} HELP.", shown(name)))
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]).into_owned()
}

/// Whether nothing is out of the ordinary: then no guard has anything against any command, and none is asked, though it may have
/// to be queued. Nearly always it is so, so whatever a guard looks at must be asked for here, too.
#[inline]
pub fn is_ordinary(worker: &Worker, session: &Session) -> bool {
    session.unrestricted
        && session.subscriptions.is_none()
        && !worker.pressure.out_of_memory
        && worker.shared.alerts.none()
        && worker.shared.pause.now(worker.context.now_ms) == Paused::Nothing
}

/// Asks all guards.
pub fn admit(worker: &Worker, session: &Session, row: &CommandRow, words: Words<'_>) -> Result<(), Error> {
    if session.stream.is_some() {
        // What the server that is followed has done is not asked whether it may be done.
        return Ok(());
    }
    GUARDS.iter().try_for_each(|guard| guard(worker, session, row, words))
}

fn authentication(_: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    if session.authenticated || row.flags.has(NO_AUTH) { Ok(()) } else { Err(Error::NOT_AUTHENTICATED) }
}

fn authorization(worker: &Worker, session: &Session, row: &CommandRow, words: Words<'_>) -> Result<(), Error> {
    if session.unrestricted { Ok(()) } else { crate::access::check(worker.shared, session, row, words) }
}

/// Nothing may be changed that could be lost, when somebody counts on snapshots and they fail.
fn snapshot_failed(worker: &Worker, _: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    let settings = &worker.shared.settings.persistence;
    let refuses = worker.shared.alerts.is_on(Alert::SnapshotFailed)
        && (row.flags.has(WRITE) || row.full_name == "ping")
        && settings.stop_writes_on_bgsave_error.get()
        && !settings.save.get().is_empty();
    if !refuses {
        return Ok(());
    }
    Err(MISCONF)
}

const MISCONF: Error = Error::fixed(
    "MISCONF Ochre is set to save snapshots, but cannot write them to disk at present. Commands that change data are \
         refused, because stop-writes-on-bgsave-error is on. The log says what is wrong.",
);

/// Whether commands of scripts may write.
///
/// # Errors
/// As `snapshot_failed` and `log_failed`.
pub fn may_write(shared: &Shared) -> Result<(), Error> {
    if shared.alerts.is_on(Alert::LogFailed) {
        return Err(log_failure(shared));
    }
    if shared.alerts.is_on(Alert::FewReplicas) {
        return Err(FEW_REPLICAS);
    }
    if shared.replication.follows() && shared.settings.replication.replica_read_only.get() {
        return Err(READ_ONLY);
    }
    let settings = &shared.settings.persistence;
    let refuses = shared.alerts.is_on(Alert::SnapshotFailed)
        && settings.stop_writes_on_bgsave_error.get()
        && !settings.save.get().is_empty();
    if refuses { Err(MISCONF) } else { Ok(()) }
}

/// Whether the command writes, or ends a transaction in which one does.
fn writes(session: &Session, row: &CommandRow) -> bool {
    let has_write = |transaction: &Transaction| transaction.has_command_with(WRITE);
    row.flags.has(WRITE) || row.full_name == "exec" && session.transaction.as_deref().is_some_and(has_write)
}

/// Nothing may be changed of which there would be fewer copies than the settings ask for.
fn few_replicas(worker: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    if !worker.shared.alerts.is_on(Alert::FewReplicas) {
        return Ok(());
    }
    if writes(session, row) { Err(FEW_REPLICAS) } else { Ok(()) }
}

const FEW_REPLICAS: Error = Error::fixed("NOREPLICAS Not enough good replicas to write.");

/// A replica's data is that of the server that it follows.
fn read_only(worker: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    if !worker.follows || !worker.shared.settings.replication.replica_read_only.get() {
        return Ok(());
    }
    if writes(session, row) { Err(READ_ONLY) } else { Ok(()) }
}

const READ_ONLY: Error = Error::fixed("READONLY You can't write against a read only replica.");

/// Without a link to the server that it follows a replica's data may be old, and some would rather have none then.
fn stale(worker: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    let needs_data = |transaction: &Transaction| transaction.has_command(|row, _| !row.flags.has(STALE));
    let is_exec_of_such = row.full_name == "exec" && session.transaction.as_deref().is_some_and(needs_data);
    if (row.flags.has(STALE) && !is_exec_of_such) || !is_stale(worker, session) { Ok(()) } else { Err(MASTERDOWN) }
}

/// Whether the data may be old and is not to be served then. The stream of changes is followed all the same.
pub fn is_stale(worker: &Worker, session: &Session) -> bool {
    worker.follows
        && session.stream.is_none()
        && !worker.shared.settings.replication.replica_serve_stale_data.get()
        && !worker.shared.replication.following().is_some_and(|following| following.is_online())
}

pub const MASTERDOWN: Error =
    Error::fixed("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");

/// What a replica sends is about replication; it neither reads nor writes.
fn from_replica(_: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    let is_attached = session.replica.as_ref().is_some_and(|replica| replica.link.is_some());
    if is_attached && matches!(row.run, Some(Run::Data(_))) {
        return Err(Error::fixed("ERR Replica can't interact with the keyspace"));
    }
    Ok(())
}

/// While a script takes too long: whoever wants its shards or another script is told so. Those who can end it get through.
#[cold]
fn script_overdue(worker: &Worker, _: &Session, row: &CommandRow, words: Words<'_>) -> Result<(), Error> {
    let shared = worker.shared;
    let ends_all =
        || row.full_name == "shutdown" && words.get(1).is_some_and(|word| ochre_text::case::is(word, "NOSAVE"));
    if !shared.alerts.is_on(Alert::ScriptOverdue) || row.flags.has(ALLOW_BUSY) || ends_all() {
        return Ok(());
    }
    shared.scripts.gate.with_overdue(|overdue| {
        let Some(overdue) = overdue else { return Ok(()) };
        let keyspace = &shared.keyspace;
        let has_to_wait = keyspace.shard_count() == 1
            || row.spec.group == Group::Scripting
            || matches!(row.full_name.as_str(), "ping" | "exec")
            || match row.run {
                Some(Run::Session(_)) if row.locks == Locks::All => true,
                _ => {
                    let needed = crate::dispatch::shards_of(keyspace, row, words);
                    crate::dispatch::reaches_data(row) && needed.without(&overdue.shards) != needed
                }
            };
        if has_to_wait { Err(crate::scripts::run::busy(overdue.function.is_some())) } else { Ok(()) }
    })
}

/// When memory is full and nothing can be evicted, commands that need more of it are refused. A transaction grows with all that
/// is queued, and ends only if nothing in it needs memory.
fn memory(worker: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    if !worker.pressure.out_of_memory {
        return Ok(());
    }
    let is_refused = match &session.transaction {
        None => row.flags.has(DENYOOM),
        Some(transaction) if row.full_name == "exec" => transaction.has_command_with(DENYOOM),
        Some(_) => !crate::transaction::runs_at_once(row),
    };
    if is_refused { Err(Error::OUT_OF_MEMORY) } else { Ok(()) }
}

/// While the log cannot be written nobody may change anything: an OK that is lost is worse than an error.
fn log_failed(worker: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    if !worker.shared.alerts.is_on(Alert::LogFailed) {
        return Ok(());
    }
    if writes(session, row) || row.full_name == "ping" {
        return Err(log_failure(worker.shared));
    }
    Ok(())
}

fn log_failure(shared: &Shared) -> Error {
    let reason = shared.log.failure();
    Error::text(format!("MISCONF Errors writing to the AOF file: {reason}"))
}

fn subscriber_mode(_: &Worker, session: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    const ALLOWED: &[&str] = &[
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ssubscribe",
        "sunsubscribe",
        "ping",
        "quit",
        "reset",
    ];
    // In RESP3 messages are told apart from replies, so that everything is allowed.
    if session.subscriptions.is_none() || session.protocol == 3 || ALLOWED.contains(&row.full_name.as_str()) {
        return Ok(());
    }
    Err(Error::text(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        row.full_name
    )))
}

fn loading(worker: &Worker, _: &Session, row: &CommandRow, _: Words<'_>) -> Result<(), Error> {
    if !worker.shared.alerts.is_on(Alert::Loading) || row.flags.has(LOADING) {
        return Ok(());
    }
    // What is to be loaded on a replica waits for the script that runs, which somebody must be able to end.
    let ends_script = matches!(row.full_name.as_str(), "script|kill" | "function|kill");
    if ends_script { Ok(()) } else { Err(Error::LOADING) }
}

/// Whether a pause of writes holds the command up: it writes, or may write what replicas would get.
fn waits_with_writes(shared: &Shared, row: &CommandRow, words: Words<'_>) -> bool {
    row.flags.has(WRITE)
        || match row.full_name.as_str() {
            "publish" | "spublish" | "pfcount" => true,
            "eval" | "evalsha" | "fcall" => !crate::scripts::only_reads(shared, &row.full_name, words.at(1)),
            _ => false,
        }
}

/// Whether the command has to wait for the end of CLIENT PAUSE.
#[inline]
pub fn must_pause(worker: &Worker, session: &Session, row: &CommandRow, words: Words<'_>) -> bool {
    match worker.shared.pause.now(worker.context.now_ms) {
        Paused::Nothing => false,
        Paused::Writes => match (row.full_name.as_str(), &session.transaction) {
            ("exec", Some(transaction)) => {
                transaction.has_command(|row, words| waits_with_writes(worker.shared, row, words))
            }
            _ => waits_with_writes(worker.shared, row, words),
        },
        // Whoever paused must be able to end it.
        Paused::All => !matches!(row.full_name.as_str(), "client|unpause" | "client|pause" | "shutdown"),
    }
}

/// The error for a connection that protected mode refuses.
pub fn refuses_connection(shared: &Shared, socket: &Socket) -> Option<&'static [u8]> {
    let open =
        !shared.settings.network.protected_mode.get() || !shared.access.users().default_user().needs_no_password();
    let is_remote = |address: Address| address.ip().is_some_and(|ip| !ip.to_canonical().is_loopback());
    if open || !socket.peer_address().is_ok_and(is_remote) {
        return None;
    }
    Some(
        b"-DENIED Ochre is running in protected mode: it has no password and accepts connections from the loopback \
          interface only. Set a password (requirepass), or turn protected-mode off if only trusted hosts can reach \
          this server.\r\n",
    )
}
