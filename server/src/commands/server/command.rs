//! COMMAND: what commands there are, in the form that clients read.

use super::{command_docs, command_keys};
use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use crate::shared::{CommandRow, Shared};
use ochre_commands::keys::{Begin, Find, KeySpec};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::glob;

pub const COMMAND: Command = Command {
    run: Some(command),
    ..Command::container(Group::Server, "COMMAND", &[COUNT, command_docs::DOCS, GETKEYS, FLAGS, INFO, LIST, HELP])
}
.summary("Replies details of all commands.")
.cost("O(N) in the number of commands")
.since("2.8.13")
.arity(-1) // alone it is a command of its own
.categories(CAT_CONNECTION)
.tips(&["nondeterministic_output_order"])
.flags(LOADING | STALE);

fn command(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let rows: Vec<&CommandRow> = call.shared().commands.listed().collect();
    reply.array(rows.len());
    rows.iter().for_each(|row| write_row(row, reply));
    Ok(())
}

const COUNT: Command = Command::new(Group::Server, "COUNT", "", count)
    .summary("Replies how many commands there are.")
    .cost("O(1)")
    .since("2.8.13")
    .categories(CAT_CONNECTION)
    .flags(LOADING | STALE);

fn count(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(call.shared().commands.listed().count());
    Ok(())
}

const INFO: Command = Command::new(Group::Server, "INFO", "[command-name [command-name ...]]", info)
    .summary("Replies details of commands, of all unless told.")
    .cost("O(N) in the number of commands asked for")
    .since("2.8.13")
    .history(&[("7.0.0", "Without names, all commands are meant.")])
    .categories(CAT_CONNECTION)
    .tips(&["nondeterministic_output_order"])
    .flags(LOADING | STALE);

fn info(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.remaining() == 0 {
        return command(call, args, reply);
    }
    reply.array(args.remaining());
    for name in args.rest().iter() {
        match find(call.shared(), name) {
            Some(row) => write_row(row, reply),
            None => reply.null_array(),
        }
    }
    Ok(())
}

const LIST: Command =
    Command::new(Group::Server, "LIST", "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]", list)
        .summary("Replies the names of commands and subcommands, all or those that a filter chooses.")
        .cost("O(N) in the number of commands")
        .since("7.0.0")
        .categories(CAT_CONNECTION)
        .tips(&["nondeterministic_output_order"])
        .flags(LOADING | STALE);

fn list(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let wants: Box<dyn Fn(&CommandRow) -> bool> = if args.remaining() == 0 {
        Box::new(|_| true)
    } else if args.remaining() == 3 && args.option("FILTERBY") {
        if args.option("ACLCAT") {
            let category = category(args.word());
            Box::new(move |row| category.is_some_and(|category| row.categories.has(category)))
        } else if args.option("PATTERN") {
            let pattern = args.word();
            Box::new(move |row| glob::matches(pattern, row.full_name.as_bytes(), true))
        } else if args.option("MODULE") {
            Box::new(|_| false)
        } else {
            return Err(Error::SYNTAX);
        }
    } else {
        return Err(Error::SYNTAX);
    };
    let mut names = Vec::new();
    each_listed(call.shared(), &mut |row| {
        if wants(row) {
            names.push(row.full_name.as_str());
        }
    });
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(())
}

const GETKEYS: Command = Command::new(Group::Server, "GETKEYS", "command [arg [arg ...]]", get_keys)
    .summary("Replies the keys in a whole command.")
    .cost("O(N) in the number of words")
    .since("2.8.13")
    .categories(CAT_CONNECTION)
    .arity(-3) // the words of the command are one argument or more
    .flags(LOADING | STALE);

fn get_keys(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys = command_keys::find(call.shared(), args.rest())?;
    reply.array(keys.len());
    keys.iter().for_each(|(key, _)| reply.bulk(key));
    Ok(())
}

const FLAGS: Command = Command::new(Group::Server, "GETKEYSANDFLAGS", "command [arg [arg ...]]", get_keys_and_flags)
    .summary("Replies the keys in a whole command, each with what is done to it.")
    .cost("O(N) in the number of words")
    .since("7.0.0")
    .categories(CAT_CONNECTION)
    .arity(-3) // the words of the command are one argument or more
    .flags(LOADING | STALE);

fn get_keys_and_flags(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys = command_keys::find(call.shared(), args.rest())?;
    reply.array(keys.len());
    for (key, flags) in keys {
        reply.array(2);
        reply.bulk(key);
        write_words(flags.words(), reply);
    }
    Ok(())
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("5.0.0")
    .categories(CAT_CONNECTION)
    .flags(LOADING | STALE);

/// The command called `name`, or the subcommand when it is two names with a bar between, whatever their case.
pub fn find(shared: &'static Shared, name: &[u8]) -> Option<&'static CommandRow> {
    match name.iter().position(|byte| *byte == b'|') {
        None => shared.commands.find(name),
        Some(bar) => shared.commands.find(&name[..bar])?.subcommand(&name[bar + 1..]),
    }
}

/// The bit of an ACL category, whatever its case.
pub fn category(name: &[u8]) -> Option<u32> {
    let found = Categories::WORDS.iter().find(|(_, word)| name.eq_ignore_ascii_case(&word.as_bytes()[1..]));
    found.map(|(bit, _)| *bit)
}

/// Visits every command that clients can call, each before its subcommands.
pub fn each_listed(shared: &'static Shared, visit: &mut dyn FnMut(&'static CommandRow)) {
    for row in shared.commands.listed() {
        visit(row);
        row.subcommands.iter().for_each(&mut *visit);
    }
}

/// The ten elements that describe a command.
fn write_row(row: &CommandRow, reply: &mut Reply<'_>) {
    reply.array(10);
    reply.bulk(row.full_name.as_bytes());
    reply.integer(row.arity.into());
    write_words(row.flags.words(), reply);
    let (first, last, step) = row.legacy_keys;
    [first, last, step].into_iter().for_each(|number| reply.integer(number.into()));
    write_words(row.categories.words(), reply);
    reply.set(row.spec.tips.len());
    row.spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(row.spec.keys.len());
    row.spec.keys.iter().for_each(|key| write_key_spec(key, reply));
    reply.array(row.subcommands.len());
    row.subcommands.iter().for_each(|row| write_row(row, reply));
}

fn write_words(words: impl Iterator<Item = &'static str>, reply: &mut Reply<'_>) {
    let words: Vec<&str> = words.collect();
    reply.set(words.len());
    words.iter().for_each(|word| reply.status(word));
}

fn write_key_spec(key: &KeySpec, reply: &mut Reply<'_>) {
    let has_notes = !key.notes.is_empty();
    reply.map(3 + usize::from(has_notes));
    if has_notes {
        reply.bulk(b"notes");
        reply.bulk(key.notes.as_bytes());
    }
    reply.bulk(b"flags");
    write_words(key.flags.words(), reply);
    reply.bulk(b"begin_search");
    match key.begin {
        Begin::Index(index) => write_search("index", &[("index", Field::Number(index))], reply),
        Begin::Keyword { word, from } => {
            write_search("keyword", &[("keyword", Field::Text(word)), ("startfrom", Field::Number(from))], reply);
        }
        Begin::Unknown => write_search("unknown", &[], reply),
    }
    reply.bulk(b"find_keys");
    match key.find {
        Find::Range { last, step, limit } => {
            let fields = [("lastkey", last), ("keystep", step), ("limit", limit)];
            write_search("range", &fields.map(|(name, number)| (name, Field::Number(number))), reply);
        }
        Find::Count { count, first, step } => {
            let fields = [("keynumidx", count), ("firstkey", first), ("keystep", step)];
            write_search("keynum", &fields.map(|(name, number)| (name, Field::Number(number))), reply);
        }
        Find::Unknown => write_search("unknown", &[], reply),
    }
}

#[derive(Clone, Copy)]
enum Field {
    Number(i32),
    Text(&'static str),
}

fn write_search(kind: &str, fields: &[(&str, Field)], reply: &mut Reply<'_>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (name, field) in fields {
        reply.bulk(name.as_bytes());
        match field {
            Field::Number(number) => reply.integer((*number).into()),
            Field::Text(text) => reply.bulk(text.as_bytes()),
        }
    }
}
