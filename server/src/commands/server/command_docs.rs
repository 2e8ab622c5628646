//! COMMAND DOCS: summaries, costs, history and arguments of commands.

use super::command::find;
use crate::commands::{Command, SessionCall};
use crate::shared::CommandRow;
use ochre_commands::arguments::{Argument, ArgumentKind, arguments};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub(super) const DOCS: Command = Command::new(Group::Server, "DOCS", "[command-name [command-name ...]]", docs)
    .summary("Replies the documentation of commands, of all unless told.")
    .cost("O(N) in the number of commands asked for")
    .since("7.0.0")
    .categories(CAT_CONNECTION)
    .tips(&["nondeterministic_output_order"])
    .flags(LOADING | STALE);

fn docs(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let rows: Vec<&CommandRow> = match args.remaining() {
        0 => shared.commands.listed().collect(),
        _ => args.rest().iter().filter_map(|name| find(shared, name)).collect(),
    };
    write_rows(&rows, reply);
    Ok(())
}

fn write_rows(rows: &[&CommandRow], reply: &mut Reply<'_>) {
    reply.map(rows.len());
    for row in rows {
        reply.bulk(row.full_name.as_bytes());
        write_row(row, reply);
    }
}

fn write_row(row: &CommandRow, reply: &mut Reply<'_>) {
    let spec = row.spec;
    let (deprecated_since, replaced_by) = spec.deprecated;
    let length = reply.array_deferred();
    let mut fields = 3;
    write_field("summary", spec.summary, reply);
    write_field("since", spec.since, reply);
    write_field("group", spec.group.name(), reply);
    if !spec.cost.is_empty() {
        fields += 1;
        write_field("complexity", spec.cost, reply);
    }
    if !deprecated_since.is_empty() {
        fields += 3;
        reply.bulk(b"doc_flags");
        reply.set(1);
        reply.status("deprecated");
        write_field("deprecated_since", deprecated_since, reply);
        write_field("replaced_by", replaced_by, reply);
    }
    if !spec.history.is_empty() {
        fields += 1;
        reply.bulk(b"history");
        reply.set(spec.history.len());
        for (version, change) in spec.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    // A container's words are those of its subcommands.
    let arguments = if row.subcommands.is_empty() { arguments(spec.synopsis) } else { Vec::new() };
    if !arguments.is_empty() {
        fields += 1;
        reply.bulk(b"arguments");
        let mut keys = KeyNumbers { next: 0, all: count_keys(&arguments), specs: spec.keys.len() };
        write_arguments(&arguments, &mut keys, reply);
    }
    if !row.subcommands.is_empty() {
        fields += 1;
        reply.bulk(b"subcommands");
        write_rows(&row.subcommands.iter().collect::<Vec<_>>(), reply);
    }
    reply.set_len_of_map(length, fields);
}

fn write_field(name: &str, value: &str, reply: &mut Reply<'_>) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

/// Which key spec each key argument belongs to: they come in the same order.
struct KeyNumbers {
    next: usize,
    all: usize,
    specs: usize,
}

impl KeyNumbers {
    /// The spec of the next key argument, if the command has any. The last argument has the last spec.
    fn next(&mut self) -> Option<usize> {
        self.next += 1;
        let last = self.specs.checked_sub(1)?;
        Some(if self.next == self.all { last } else { (self.next - 1).min(last) })
    }
}

fn count_keys(arguments: &[Argument]) -> usize {
    let inner: usize = arguments.iter().map(|argument| count_keys(&argument.arguments)).sum();
    inner + arguments.iter().filter(|argument| argument.kind == ArgumentKind::Key).count()
}

fn write_arguments(arguments: &[Argument], keys: &mut KeyNumbers, reply: &mut Reply<'_>) {
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| write_argument(argument, keys, reply));
}

fn write_argument(argument: &Argument, keys: &mut KeyNumbers, reply: &mut Reply<'_>) {
    let is_composed = matches!(argument.kind, ArgumentKind::OneOf | ArgumentKind::Block);
    let key = if argument.kind == ArgumentKind::Key { keys.next() } else { None };
    // A word that looks like a key's in a command without keys is just a word.
    let kind = if argument.kind == ArgumentKind::Key && key.is_none() { ArgumentKind::String } else { argument.kind };
    let flags: Vec<&str> =
        [(argument.optional, "optional"), (argument.multiple, "multiple"), (argument.multiple_token, "multiple_token")]
            .into_iter()
            .filter_map(|(is_set, name)| is_set.then_some(name))
            .collect();
    let fields = 2
        + usize::from(!is_composed)
        + usize::from(key.is_some())
        + usize::from(argument.token.is_some())
        + usize::from(!flags.is_empty())
        + usize::from(is_composed);
    reply.map(fields);
    write_field("name", &argument.name, reply);
    write_field("type", kind.name(), reply);
    if !is_composed {
        write_field("display_text", &argument.name, reply);
    }
    if let Some(key) = key {
        reply.bulk(b"key_spec_index");
        reply.count(key);
    }
    if let Some(token) = &argument.token {
        write_field("token", token, reply);
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.status(flag));
    }
    if is_composed {
        reply.bulk(b"arguments");
        write_arguments(&argument.arguments, keys, reply);
    }
}
