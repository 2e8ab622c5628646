//! ACL, as far as there is one user: what one may know of categories and oneself.

use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;

pub const ACL: Command = Command::container(Group::Server, "ACL", &[CAT, GENPASS, LIST, USERS, WHOAMI, HELP])
    .summary("Tells about users and what they may do.")
    .cost("Depends on the subcommand")
    .since("6.0.0");

const CAT: Command = Command::new(Group::Server, "CAT", "[category]", cat)
    .summary("Replies the categories of commands, or the commands of one.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(NOSCRIPT | LOADING | STALE);

fn cat(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.remaining() > 1 {
        return Err(Error::wrong_arity("acl|cat"));
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
        return Err(Error::wrong_arity("acl|genpass"));
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

const LIST: Command = Command::new(Group::Server, "LIST", "", list)
    .summary("Replies the users with their rules, as in a config file.")
    .cost("O(N) in the number of users")
    .since("6.0.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn list(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let password = call.shared().settings.security.requirepass.get();
    let secret = if password.is_empty() {
        "nopass".to_owned()
    } else {
        format!("#{}", String::from_utf8_lossy(&ochre_digest::sha256_hex(&password)))
    };
    reply.array(1);
    reply.bulk_fmt(format_args!("user default on {secret} ~* &* +@all"));
    Ok(())
}

const USERS: Command = Command::new(Group::Server, "USERS", "", users)
    .summary("Replies the names of all users.")
    .cost("O(N) in the number of users")
    .since("6.0.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn users(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.array(1);
    reply.bulk(b"default");
    Ok(())
}

const WHOAMI: Command = Command::new(Group::Server, "WHOAMI", "", whoami)
    .summary("Replies the user of this connection.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(NOSCRIPT | LOADING | STALE);

fn whoami(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.bulk(call.session.client.texts().user.as_bytes());
    Ok(())
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("6.0.0")
    .flags(LOADING | STALE);
