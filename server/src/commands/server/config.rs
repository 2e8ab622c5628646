//! CONFIG: the settings while the server runs.

use crate::alerts::Alert;
use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use crate::log;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_config::ExtraLines;
use ochre_resp::Reply;

pub const CONFIG: Command = Command::container(Group::Server, "CONFIG", &[GET, SET, RESETSTAT, REWRITE, HELP])
    .summary("Reads and changes the settings of the server.")
    .cost("Depends on the subcommand")
    .since("2.0.0");

const GET: Command = Command::new(Group::Server, "GET", "parameter [parameter ...]", get)
    .summary("Replies names and values of the settings that names or patterns choose.")
    .cost("O(N) in the number of settings when there is a pattern")
    .since("2.0.0")
    .history(&[("7.0.0", "Takes several names and patterns at once.")])
    .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn get(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let patterns: Vec<&[u8]> = args.rest().iter().collect();
    let mut found = call.shared().settings.get_matching(&patterns);
    found.sort_unstable();
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(&name);
        reply.bulk(&value);
    }
    Ok(())
}

const SET: Command = Command::new(Group::Server, "SET", "parameter value [parameter value ...]", set)
    .summary("Changes settings, all that are given or none.")
    .cost("O(N) in the number of settings given")
    .since("2.0.0")
    .history(&[("7.0.0", "Changes several settings at once.")])
    .flags(ADMIN | NOSCRIPT | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

/// What says where the data is that is being loaded.
const FIXED_WHILE_LOADING: &[&str] = &["dir", "appendonly"];

fn set(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if !args.remaining().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let mut pairs = Vec::with_capacity(args.remaining() / 2);
    while let Some(name) = args.next() {
        pairs.push((name, args.word()));
    }
    let (shared, is_local) = (call.shared(), call.is_local());
    let is_fixed = |name: &[u8]| FIXED_WHILE_LOADING.iter().any(|fixed| name.eq_ignore_ascii_case(fixed.as_bytes()));
    if shared.alerts.is_on(Alert::Loading) && pairs.iter().any(|(name, _)| is_fixed(name)) {
        return Err(Error::fixed("LOADING Failed to set the specified config while loading"));
    }
    shared.settings.set_many(&pairs, is_local, false).map_err(|error| Error::text(error.to_string()))?;
    shared.settings_changed();
    // The next command of this very client must see the new values already.
    call.worker.apply_settings();
    reply.ok();
    Ok(())
}

const RESETSTAT: Command = Command::new(Group::Server, "RESETSTAT", "", resetstat)
    .summary("Sets the counters that INFO shows back to zero.")
    .cost("O(1)")
    .since("2.0.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn resetstat(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    shared.desks.iter().for_each(|desk| desk.counters.reset());
    shared.errors.reset();
    shared.lazyfree.reset();
    shared.pressure.reset();
    shared.replication.reset_counts();
    reply.ok();
    Ok(())
}

const REWRITE: Command = Command::new(Group::Server, "REWRITE", "", rewrite)
    .summary("Writes the settings of now to the config file, keeping its comments and order.")
    .cost("O(1)")
    .since("2.8.0")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn rewrite(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let mut users = ExtraLines { directive: "user".to_owned(), lines: Vec::new() };
    // Users of an ACL file are not for the config file.
    if shared.settings.security.aclfile.get().is_empty() {
        users.lines = shared.access.users().all().map(|user| user.line()).collect();
    }
    match shared.settings.rewrite(&[users], false) {
        Ok(()) => {
            log::notice(format_args!("CONFIG REWRITE executed with success."));
            reply.ok();
            Ok(())
        }
        Err(error) => {
            log::warning(format_args!("CONFIG REWRITE failed: {error}"));
            Err(Error::text(error.to_string()))
        }
    }
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(LOADING | STALE);
