//! FUNCTION: what is known of the libraries.

use super::{libraries, script};
use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_scripting::Library;

pub(super) const FUNCTION: Command = Command::container(Group::Scripting, "FUNCTION", SUBCOMMANDS)
    .summary("A container for commands on functions.")
    .cost("Depends on subcommand.")
    .since("7.0.0")
    .not_in(CAT_SCRIPTING);

const SUBCOMMANDS: &[Command] = &[
    libraries::DELETE,
    libraries::DUMP,
    libraries::FLUSH,
    HELP,
    KILL,
    LIST,
    libraries::LOAD,
    libraries::RESTORE,
    STATS,
];

const HELP: Command = Command::new(Group::Scripting, "HELP", "", help)
    .summary("Says what FUNCTION can do.")
    .cost("O(1)")
    .since("7.0.0")
    .flags(LOADING | STALE);

const KILL: Command = Command::new(Group::Scripting, "KILL", "", kill)
    .summary("Ends the function that runs for too long, unless it has written.")
    .cost("O(1)")
    .since("7.0.0")
    .flags(NOSCRIPT | ALLOW_BUSY)
    .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]);

fn kill(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    script::end_script(call, true, reply)
}

const LIST: Command = Command::new(Group::Scripting, "LIST", "[LIBRARYNAME library-name-pattern] [WITHCODE]", list)
    .summary("Replies what is known of the libraries.")
    .cost("O(N) where N is the number of functions")
    .since("7.0.0")
    .flags(NOSCRIPT)
    .tips(&["nondeterministic_output_order"]);

fn list(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (mut pattern, mut with_code) = (None, false);
    while args.remaining() > 0 {
        if !with_code && args.option("WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && args.option("LIBRARYNAME") {
            if args.remaining() == 0 {
                return Err(Error::fixed("ERR library name argument was not given"));
            }
            pattern = Some(args.word());
        } else {
            let word = String::from_utf8_lossy(args.word());
            return Err(Error::text(format!("ERR Unknown argument {word}")));
        }
    }
    let libraries = call.shared().scripts.functions.all();
    let wanted = |library: &&Library| {
        pattern.is_none_or(|pattern| ochre_text::glob::matches(pattern, library.name.as_bytes(), true))
    };
    let shown: Vec<_> = libraries.values().map(|library| &**library).filter(wanted).collect();
    reply.array(shown.len());
    for library in shown {
        describe(library, with_code, reply);
    }
    Ok(())
}

fn describe(library: &Library, with_code: bool, reply: &mut Reply<'_>) {
    reply.map(3 + usize::from(with_code));
    reply.bulk(b"library_name");
    reply.bulk(library.name.as_bytes());
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(function.name.as_bytes());
        reply.bulk(b"description");
        reply.bulk_or_null(function.description.as_deref());
        reply.bulk(b"flags");
        reply.set(function.flags.words().count());
        function.flags.words().for_each(|word| reply.status(word));
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.code);
    }
}

const STATS: Command = Command::new(Group::Scripting, "STATS", "", stats)
    .summary("Replies what runs for too long, and how many functions there are.")
    .cost("O(1)")
    .since("7.0.0")
    .flags(NOSCRIPT | ALLOW_BUSY)
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]);

fn stats(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let scripts = &call.shared().scripts;
    reply.map(2);
    reply.bulk(b"running_script");
    scripts.gate.with_overdue(|overdue| {
        let Some(overdue) = overdue else { return reply.null() };
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(overdue.function.as_deref().unwrap_or_default().as_bytes());
        reply.bulk(b"command");
        reply.array(overdue.command.len());
        overdue.command.iter().for_each(|word| reply.bulk(word));
        reply.bulk(b"duration_ms");
        reply.integer(ochre_clock::now_ms().saturating_sub(overdue.since_ms) as i64);
    });
    let libraries = scripts.functions.all();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.count(libraries.len());
    reply.bulk(b"functions_count");
    reply.count(libraries.values().map(|library| library.functions.len()).sum());
    Ok(())
}
