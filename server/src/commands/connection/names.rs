//! What a client calls itself: its name, its library, its capabilities.

use crate::commands::{Command, SessionCall};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::case;

pub(super) const BAD_NAME: Error =
    Error::fixed("ERR Client names cannot contain spaces, newlines or special characters.");

/// Whether CLIENT LIST could show `text` as one word.
pub(super) fn is_valid_name(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// Gives the connection a name that is valid; an empty one takes its name away.
pub(super) fn set_name(call: &mut SessionCall<'_>, name: &[u8]) {
    call.session.client.texts().name = String::from_utf8_lossy(name).into_owned();
}

pub(super) const CLIENT_ID: Command = Command::new(Group::Connection, "ID", "", client_id)
    .summary("Replies the connection's id, which no other connection has or had.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn client_id(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.integer(call.session.id() as i64);
    Ok(())
}

pub(super) const CLIENT_SETNAME: Command =
    Command::new(Group::Connection, "SETNAME", "connection-name", client_setname)
        .summary("Names the connection.")
        .cost("O(1)")
        .since("2.6.9")
        .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn client_setname(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = args.word();
    if !is_valid_name(name) {
        return Err(BAD_NAME);
    }
    set_name(call, name);
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_GETNAME: Command = Command::new(Group::Connection, "GETNAME", "", client_getname)
    .summary("Replies the connection's name.")
    .cost("O(1)")
    .since("2.6.9")
    .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn client_getname(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let texts = call.session.client.texts();
    reply.bulk_or_null((!texts.name.is_empty()).then_some(texts.name.as_bytes()));
    Ok(())
}

pub(super) const CLIENT_SETINFO: Command =
    Command::new(Group::Connection, "SETINFO", "<lib-name libname | lib-ver libver>", client_setinfo)
        .summary("Notes the name or version of the client's library.")
        .cost("O(1)")
        .since("7.2.0")
        .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn client_setinfo(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let option = args.word();
    let value = args.word();
    let mut texts = call.session.client.texts();
    let (place, what) = if case::is(option, "LIB-NAME") {
        (&mut texts.library, "lib-name")
    } else if case::is(option, "LIB-VER") {
        (&mut texts.library_version, "lib-ver")
    } else {
        return Err(Error::text(format!("ERR Unrecognized option '{}'", String::from_utf8_lossy(option))));
    };
    if !is_valid_name(value) {
        return Err(Error::text(format!("ERR {what} cannot contain spaces, newlines or special characters.")));
    }
    *place = String::from_utf8_lossy(value).into_owned();
    reply.ok();
    Ok(())
}

pub(super) const CLIENT_CAPA: Command =
    Command::new(Group::Connection, "CAPA", "capability [capability ...]", client_capa)
        .summary("Notes what the client can do; unknown capabilities are passed over.")
        .cost("O(1)")
        .since("8.0.0")
        .flags(NOSCRIPT | LOADING | STALE | ALLOW_BUSY);

fn client_capa(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut texts = call.session.client.texts();
    if args.rest().iter().any(|word| case::is(word, "REDIRECT")) && !texts.capabilities.contains('r') {
        texts.capabilities.push('r');
    }
    reply.ok();
    Ok(())
}
