//! AUTH and HELLO: who the client is and which version of the protocol it speaks.

use super::names::{is_valid_name, set_name};
use crate::access;
use crate::commands::{Command, SessionCall};
use ochre_acl::DEFAULT;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;

const WRONG_PASSWORD: Error = Error::fixed("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD: Error = Error::fixed(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);

pub const AUTH: Command = Command::new(Group::Connection, "AUTH", "[username] password", auth)
    .summary("Logs the connection in.")
    .cost("O(N) where N is the number of passwords defined for the user")
    .history(&[("6.0.0", "Takes a user name.")])
    .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY);

fn auth(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let command = args.argv().at(0);
    match (args.remaining(), args.word(), args.next()) {
        (1, password, None) => {
            if call.shared().access.users().default_user().needs_no_password() {
                return Err(NO_PASSWORD);
            }
            log_in(call, DEFAULT, password, command)?;
        }
        (2, user, Some(password)) => log_in(call, user, password, command)?,
        _ => return Err(Error::SYNTAX),
    }
    reply.ok();
    Ok(())
}

/// Logs in as the user called `name`; `command` is the word by which that is tried.
fn log_in(call: &mut SessionCall<'_>, name: &[u8], password: &[u8], command: &[u8]) -> Result<(), Error> {
    let shared = call.shared();
    let user = shared.access.users().get(name).cloned();
    match user.filter(|user| user.accepts(password)) {
        Some(user) => {
            access::log_in(call.session, user);
            Ok(())
        }
        None => {
            access::note_failed_login(shared, call.session, name, command);
            Err(WRONG_PASSWORD)
        }
    }
}

pub const HELLO: Command =
    Command::new(Group::Connection, "HELLO", "[protover [AUTH username password] [SETNAME clientname]]", hello)
        .summary("Chooses the version of the protocol, may log in, and tells about the server.")
        .cost("O(1)")
        .since("6.0.0")
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY);

fn hello(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const BAD_VERSION: Error = Error::fixed("ERR Protocol version is not an integer or out of range");
    const UNSUPPORTED: Error = Error::fixed("NOPROTO unsupported protocol version");
    const NOT_LOGGED_IN: Error = Error::fixed(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
    );
    let version = match args.next() {
        Some(word) => match number::parse_i64(word).ok_or(BAD_VERSION)? {
            2 => Some(2),
            3 => Some(3),
            _ => return Err(UNSUPPORTED),
        },
        None => None,
    };
    let (mut login, mut name) = (None, None);
    while let Some(option) = args.peek() {
        if args.remaining() >= 3 && args.option("AUTH") {
            login = Some((args.word(), args.word()));
        } else if args.remaining() >= 2 && args.option("SETNAME") {
            let wanted = args.word();
            if !is_valid_name(wanted) {
                return Err(super::names::BAD_NAME);
            }
            name = Some(wanted);
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(Error::text(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    if let Some((user, password)) = login {
        log_in(call, user, password, args.argv().at(0))?;
    }
    if !call.session.authenticated {
        return Err(NOT_LOGGED_IN);
    }
    if let Some(name) = name {
        set_name(call, name);
    }
    if let Some(version) = version {
        call.session.set_protocol(version);
        reply.set_protocol(crate::worker::protocol_of_version(version));
    }
    let zone = call.shared().settings.cluster.availability_zone.get();
    reply.map(7 + usize::from(!zone.is_empty()));
    reply.bulk(b"server");
    reply.bulk(b"redis"); // Clients decide by this word which dialect they speak.
    reply.bulk(b"version");
    reply.bulk(crate::REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(i64::from(call.session.protocol));
    reply.bulk(b"id");
    reply.integer(call.session.id() as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    if !zone.is_empty() {
        reply.bulk(b"availability_zone");
        reply.bulk(zone.as_bytes());
    }
    Ok(())
}
