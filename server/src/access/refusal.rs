//! Refusals: how a client is told, and how they are noted.

use super::RowCall;
use crate::clients::Client;
use crate::session::Session;
use crate::shared::{CommandRow, Shared};
use ochre_acl::{Access, Context, Denied, Incident, Reason, User};
use ochre_commands::Error;
use ochre_resp::Args as Words;
use ochre_text::case;
use std::sync::atomic::{AtomicU64, Ordering};

fn call<'a>(shared: &Shared, session: &Session, row: &'a CommandRow, words: Words<'a>) -> RowCall<'a> {
    let db = session.transaction.as_ref().map_or(session.db, |transaction| transaction.db);
    RowCall { row, words, db, databases: shared.keyspace.databases() }
}

/// Refuses a command that the session's user may not run, and notes that.
///
/// # Errors
/// The refusal, as the client is told.
pub fn check(shared: &Shared, session: &Session, row: &CommandRow, words: Words<'_>) -> Result<(), Error> {
    let call = call(shared, session, row, words);
    if let Err(denied) = session.user.check(&call) {
        let context = if session.transaction.is_some() { Context::Multi } else { Context::TopLevel };
        // The client's line in the log tells what it has just sent.
        session.client.last_command.store(row.id + 1, Ordering::Relaxed);
        return Err(refuse(shared, &session.client, &session.user, row, words, denied, context));
    }
    check_patterns(&session.user, &call)
}

/// As [`check`], for a command of a script that the session's user runs, with database `db` selected.
///
/// # Errors
/// The refusal, as the script is told.
pub fn check_of_script(
    shared: &Shared,
    session: &Session,
    row: &CommandRow,
    words: Words<'_>,
    db: usize,
) -> Result<(), Error> {
    if session.unrestricted {
        return Ok(());
    }
    let call = RowCall { row, words, db, databases: shared.keyspace.databases() };
    let Err(denied) = session.user.check(&call) else { return check_patterns(&session.user, &call) };
    refuse(shared, &session.client, &session.user, row, words, denied, Context::Lua);
    let text = describe_refusal(&session.user, row, denied, None);
    Err(Error::text(format!("ERR ACL failure in script: {text}")))
}

/// Whether a script of the session's user may run a command (`redis.acl_check_cmd`); nothing is noted.
pub fn may_call(shared: &Shared, session: &Session, row: &CommandRow, words: Words<'_>, db: usize) -> bool {
    let call = RowCall { row, words, db, databases: shared.keyspace.databases() };
    session.unrestricted || session.user.check(&call).is_ok()
}

/// The patterns of SORT make up keys that only the data tells: they are for those who may read all keys.
fn check_patterns(user: &User, call: &RowCall<'_>) -> Result<(), Error> {
    const BY: Error = Error::fixed("ERR BY option of SORT denied due to insufficient ACL permissions.");
    const GET: Error = Error::fixed("ERR GET option of SORT denied due to insufficient ACL permissions.");
    if !matches!(call.row.full_name.as_str(), "sort" | "sort_ro") {
        return Ok(());
    }
    let mut at = 2;
    while at + 1 < call.words.len() {
        let (word, value) = (call.words.at(at), call.words.at(at + 1));
        let error = if case::is(word, "BY") && value.contains(&b'*') {
            BY
        } else if case::is(word, "GET") {
            GET
        } else {
            // LIMIT is followed by two numbers, which are no names of options.
            at += 1;
            continue;
        };
        if !user.may_use_every_key(call, Access::READ) {
            return Err(error);
        }
        at += 2;
    }
    Ok(())
}

/// Whether a command that was queued may still run now that EXEC has come.
///
/// # Errors
/// The refusal, as the client is told.
pub fn check_again(shared: &Shared, session: &Session, row: &CommandRow, words: Words<'_>) -> Result<(), Error> {
    let call = call(shared, session, row, words);
    let Err(denied) = session.user.check(&call) else { return check_patterns(&session.user, &call) };
    if let Some(exec) = shared.commands.find(b"exec") {
        session.client.last_command.store(exec.id + 1, Ordering::Relaxed);
    }
    refuse(shared, &session.client, &session.user, row, words, denied, Context::Multi);
    let reason = match denied.reason {
        Reason::Command => "no permission to execute the command or subcommand",
        Reason::Key => "no permission to touch the specified keys",
        Reason::Channel => "no permission to access one of the channels used as arguments to the command",
        Reason::Database => "no permission to access the database",
    };
    Err(Error::text(format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
         is no longer allowed for the following reason: {reason}"
    )))
}

/// Notes a refusal; answers what the client is told.
#[cold]
pub(super) fn refuse(
    shared: &Shared,
    client: &Client,
    user: &User,
    row: &CommandRow,
    words: Words<'_>,
    denied: Denied,
    context: Context,
) -> Error {
    let counts = &shared.access.denied;
    let (reason, count) = match denied.reason {
        Reason::Command => ("command", &counts.command),
        Reason::Key => ("key", &counts.key),
        Reason::Channel => ("channel", &counts.channel),
        Reason::Database => ("database", &counts.database),
    };
    let object = if denied.at == 0 { row.full_name.as_bytes() } else { words.at(denied.at) };
    note(shared, client, (reason, count), context, &user.name, object);
    Error::text(format!("NOPERM {}", describe_refusal(user, row, denied, None)))
}

/// The sentence about a refusal; with the words and the database of the call it names what is refused.
pub fn describe_refusal(user: &User, row: &CommandRow, denied: Denied, named: Option<(Words<'_>, usize)>) -> String {
    let name = String::from_utf8_lossy(&user.name);
    let what = named.map(|(words, db)| match denied.at {
        0 => db.to_string(),
        at => String::from_utf8_lossy(words.at(at)).into_owned(),
    });
    match (denied.reason, what) {
        (Reason::Command, _) => format!("User {name} has no permissions to run the '{}' command", row.full_name),
        (Reason::Key, None) => "No permissions to access a key".to_owned(),
        (Reason::Channel, None) => "No permissions to access a channel".to_owned(),
        (Reason::Database, None) => "No permissions to access database".to_owned(),
        (Reason::Key, Some(key)) => format!("User {name} has no permissions to access the '{key}' key"),
        (Reason::Channel, Some(name_of)) => format!("User {name} has no permissions to access the '{name_of}' channel"),
        (Reason::Database, Some(db)) => format!("User {name} has no permissions to access database {db}"),
    }
}

/// Notes a login that failed; `command` is the word by which it was tried.
#[cold]
pub fn note_failed_login(shared: &Shared, session: &Session, user: &[u8], command: &[u8]) {
    let context = if session.transaction.is_some() { Context::Multi } else { Context::TopLevel };
    note(shared, &session.client, ("auth", &shared.access.denied.auth), context, user, command);
}

/// Notes that a client's certificate names nobody who may log in.
#[cold]
pub(super) fn note_unknown_certificate(shared: &Shared, session: &Session, user: &[u8]) {
    let reason = ("tls-cert", &shared.access.denied.certificate);
    note(shared, &session.client, reason, Context::TopLevel, user, b"");
}

fn note(
    shared: &Shared,
    client: &Client,
    (reason, count): (&'static str, &AtomicU64),
    context: Context,
    user: &[u8],
    object: &[u8],
) {
    count.fetch_add(1, Ordering::Relaxed);
    let at_ms = ochre_clock::now_ms();
    let client = crate::commands::connection::describe(client, shared, at_ms);
    let incident = Incident { reason, context, object: object.to_vec(), user: user.to_vec(), client, at_ms };
    shared.access.log().add(incident, shared.settings.security.acllog_max_len.get());
}
