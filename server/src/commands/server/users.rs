//! ACL: users, what they may do, and what they were refused.

use super::{access_log, user_files};
use crate::access;
use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use ochre_acl::{DEFAULT, Selector, User, is_valid_name};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;

pub const ACL: Command = Command::container(
    Group::Server,
    "ACL",
    &[
        CAT,
        DELUSER,
        DRYRUN,
        GENPASS,
        GETUSER,
        LIST,
        user_files::LOAD,
        access_log::LOG,
        user_files::SAVE,
        SETUSER,
        USERS,
        WHOAMI,
        HELP,
    ],
)
.summary("Tells about users and what they may do, and changes it.")
.cost("Depends on the subcommand")
.since("6.0.0");

/// What all subcommands have in common that only administrators use.
pub(super) const FLAGS: u32 = ADMIN | NOSCRIPT | LOADING | STALE;

/// The error for words that nobody asked for.
pub(super) fn too_many(args: &Args<'_>) -> Error {
    Error::subcommand_syntax(args.argv().at(1), "ACL")
}

const CAT: Command = Command::new(Group::Server, "CAT", "[category]", cat)
    .summary("Replies the categories of commands, or the commands of one.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(NOSCRIPT | LOADING | STALE);

fn cat(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.remaining() > 1 {
        return Err(too_many(args));
    }
    let Some(name) = args.next() else {
        reply.array(Categories::WORDS.len());
        Categories::WORDS.iter().for_each(|(_, word)| reply.bulk(&word.as_bytes()[1..]));
        return Ok(());
    };
    let Some(category) = super::command::category(name) else {
        let shown = String::from_utf8_lossy(name);
        return Err(Error::text(format!("ERR Unknown category '{shown}'")));
    };
    let mut names = Vec::new();
    super::command::each_listed(call.shared(), &mut |row| {
        if row.categories.has(category) {
            names.push(row.full_name.as_str());
        }
    });
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(())
}

const GENPASS: Command = Command::new(Group::Server, "GENPASS", "[bits]", genpass)
    .summary("Replies a password by chance, in hexadecimal digits.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(NOSCRIPT | LOADING | STALE);

fn genpass(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const BITS_MAX: usize = 4096;
    if args.remaining() > 1 {
        return Err(too_many(args));
    }
    let bits = match args.next() {
        Some(word) => number::parse_i64(word).ok_or(Error::NOT_AN_INTEGER)?,
        None => 256,
    };
    let bits = usize::try_from(bits).ok().filter(|bits| (1..=BITS_MAX).contains(bits)).ok_or(Error::fixed(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
    ))?;
    let digits = bits.div_ceil(4);
    let mut bytes = [0u8; BITS_MAX / 8];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    let mut password: String = bytes[..digits.div_ceil(2)].iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    reply.bulk(password.as_bytes());
    Ok(())
}

const SETUSER: Command = Command::new(Group::Server, "SETUSER", "username [rule [rule ...]]", set_user)
    .summary("Makes or changes a user by rules.")
    .cost("O(N) in the number of rules")
    .since("6.0.0")
    .history(&[("6.2.0", "Patterns of channels."), ("7.0.0", "Selectors, and keys that are only read or written.")])
    .flags(FLAGS)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn set_user(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let name = args.word();
    if !is_valid_name(name) {
        return Err(Error::fixed("ERR Usernames can't contain spaces or null characters"));
    }
    let rules = args.rest();
    let every_channel = access::every_channel(&shared.settings);
    access::change(shared, |users| users.set(name, rules.iter(), every_channel, &shared.access.catalogue))
        .map_err(|error| Error::text(format!("ERR {error}")))?;
    access::enforce(call, |changed| changed == name);
    reply.ok();
    Ok(())
}

const DELUSER: Command = Command::new(Group::Server, "DELUSER", "username [username ...]", delete_users)
    .summary("Removes users, and closes their connections.")
    .cost("O(1) amortized time considering the typical user.")
    .since("6.0.0")
    .flags(FLAGS)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn delete_users(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let names = args.rest();
    if names.iter().any(|name| name == DEFAULT) {
        return Err(Error::fixed("ERR The 'default' user cannot be removed"));
    }
    let removed =
        access::change(call.shared(), |users| Ok::<_, Error>(names.iter().filter(|name| users.remove(name)).count()))?;
    access::enforce(call, |changed| names.iter().any(|name| name == changed));
    reply.count(removed);
    Ok(())
}

const GETUSER: Command = Command::new(Group::Server, "GETUSER", "username", get_user)
    .summary("Replies all rules of a user.")
    .cost("O(N) in the number of rules")
    .since("6.0.0")
    .history(&[("6.2.0", "Patterns of channels."), ("7.0.0", "Selectors; keys and channels as rules.")])
    .flags(FLAGS);

fn get_user(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let user = call.shared().access.users().get(args.word()).cloned();
    match user {
        Some(user) => write_user(&user, reply),
        None => reply.null(),
    }
    Ok(())
}

fn write_user(user: &User, reply: &mut Reply<'_>) {
    let (own, others) = user.selectors();
    reply.map(7);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords().len());
    user.passwords().iter().for_each(|hash| reply.bulk(hash));
    write_selector(own, reply);
    reply.bulk(b"selectors");
    reply.array(others.len());
    for selector in others {
        reply.map(4);
        write_selector(selector, reply);
    }
}

/// The four fields of a selector.
fn write_selector(selector: &Selector, reply: &mut Reply<'_>) {
    reply.bulk(b"commands");
    reply.bulk(selector.commands().as_bytes());
    reply.bulk(b"keys");
    reply.bulk(&selector.keys());
    reply.bulk(b"channels");
    reply.bulk(&selector.channels());
    reply.bulk(b"databases");
    reply.bulk(selector.databases().as_bytes());
}

const LIST: Command = Command::new(Group::Server, "LIST", "", list)
    .summary("Replies the users with their rules, as in a config file.")
    .cost("O(N) in the number of users")
    .since("6.0.0")
    .flags(FLAGS);

fn list(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let users = call.shared().access.users().clone();
    reply.array(users.all().len());
    users.all().for_each(|user| reply.bulk(&user.line()));
    Ok(())
}

const USERS: Command = Command::new(Group::Server, "USERS", "", users)
    .summary("Replies the names of all users.")
    .cost("O(N) in the number of users")
    .since("6.0.0")
    .flags(FLAGS);

fn users(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let users = call.shared().access.users().clone();
    reply.array(users.all().len());
    users.all().for_each(|user| reply.bulk(&user.name));
    Ok(())
}

const WHOAMI: Command = Command::new(Group::Server, "WHOAMI", "", whoami)
    .summary("Replies the user of this connection.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(NOSCRIPT | LOADING | STALE);

fn whoami(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.bulk(&call.session.user.name);
    Ok(())
}

const DRYRUN: Command = Command::new(Group::Server, "DRYRUN", "username command [arg [arg ...]]", dry_run)
    .summary("Tells whether a user may run a command, without running it.")
    .cost("O(1).")
    .since("7.0.0")
    .flags(FLAGS);

fn dry_run(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let name = args.word();
    let user = shared.access.users().get(name).cloned();
    let shown = String::from_utf8_lossy;
    let user = user.ok_or_else(|| Error::text(format!("ERR User '{}' not found", shown(name))))?;
    let words = args.rest();
    let row = shared.commands.find(words.at(0)).and_then(|row| match words.get(1) {
        Some(name) if !row.subcommands.is_empty() => row.subcommand(name),
        _ => Some(row),
    });
    let row = row.ok_or_else(|| Error::text(format!("ERR Command '{}' not found", shown(words.at(0)))))?;
    if !row.accepts(words.len()) {
        return Err(Error::wrong_arity(&row.full_name));
    }
    let db = call.session.db;
    match user.check(&access::RowCall { row, words, db, databases: shared.keyspace.databases() }) {
        Ok(()) => reply.ok(),
        Err(denied) => {
            reply.bulk(access::describe_refusal(&user, row, denied, Some((words, db))).as_bytes());
        }
    }
    Ok(())
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(LOADING | STALE);
