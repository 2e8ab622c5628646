//! Commands of few words: TIME, MONITOR, MODULE and LOLWUT.

use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use ochre_collections::Random;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub const TIME: Command = Command::new(Group::Server, "TIME", "", time)
    .summary("Replies the server's clock: Unix time in seconds, and the microseconds of the second.")
    .cost("O(1)")
    .since("2.6.0")
    .tips(&["nondeterministic_output"])
    .flags(LOADING | STALE | FAST);

fn time(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let now_us = match &mut call.worker.script_time_us {
        // A script sees one time; others may be served while it takes too long.
        Some(told_us) if call.held.is_some() => {
            if *told_us == 0 {
                *told_us = ochre_clock::now_us();
            }
            *told_us
        }
        _ => ochre_clock::now_us(),
    };
    reply.array(2);
    reply.bulk_i64((now_us / 1_000_000) as i64);
    reply.bulk_i64((now_us % 1_000_000) as i64);
    Ok(())
}

pub const MONITOR: Command = Command::new(Group::Server, "MONITOR", "", monitor)
    .summary("Shows the client every command that runs, until it says RESET or leaves.")
    .cost("O(1), and O(N) for every command, where N is the number of clients that monitor")
    .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn monitor(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.held.is_some() {
        return Err(Error::fixed("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    call.shared().monitors.add(call.session);
    reply.ok();
    Ok(())
}

pub const MODULE: Command = Command::container(Group::Server, "MODULE", &[LIST, LOAD, LOADEX, UNLOAD, HELP])
    .summary("Tells about loadable modules; there are none here.")
    .cost("Depends on the subcommand")
    .since("4.0.0");

const LIST: Command = Command::new(Group::Server, "LIST", "", module_list)
    .summary("Replies the loaded modules: none.")
    .cost("O(1)")
    .since("4.0.0")
    .tips(&["nondeterministic_output_order"])
    .flags(ADMIN | NOSCRIPT);

fn module_list(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.array(0);
    Ok(())
}

const LOAD: Command = Command::new(Group::Server, "LOAD", "path [arg [arg ...]]", module_load)
    .summary("Is refused: there are no loadable modules.")
    .cost("O(1)")
    .since("4.0.0")
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING);

const LOADEX: Command = Command::new(
    Group::Server,
    "LOADEX",
    "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
    module_load,
)
.summary("Is refused: there are no loadable modules.")
.cost("O(1)")
.since("7.0.0")
.flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING);

fn module_load(call: &mut SessionCall<'_>, _: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    may_change_modules(call)?;
    Err(Error::fixed("ERR Error loading the extension. Please check the server logs."))
}

const UNLOAD: Command = Command::new(Group::Server, "UNLOAD", "name", module_unload)
    .summary("Is refused: there are no loadable modules.")
    .cost("O(1)")
    .since("4.0.0")
    .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING);

fn module_unload(call: &mut SessionCall<'_>, _: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    may_change_modules(call)?;
    Err(Error::fixed("ERR Error unloading module: no such module with that name"))
}

fn may_change_modules(call: &SessionCall<'_>) -> Result<(), Error> {
    let action = call.shared().settings.security.enable_module_command.get();
    if action.allows(call.is_local()) { Ok(()) } else { Err(super::not_allowed("MODULE", "enable-module-command")) }
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(LOADING | STALE);

pub const LOLWUT: Command = Command::new(Group::Server, "LOLWUT", "[VERSION version]", lolwut)
    .summary("Replies a picture, another each time, and the version.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(READONLY | FAST);

fn lolwut(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.option("VERSION") {
        args.int()?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("{}\nSediment, another each time. Ochre ver. {version}\n", sediment(&mut Random::from_system()));
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Layers of earth: each follows the one above it, a little higher or lower from column to column.
fn sediment(random: &mut Random) -> String {
    const COLUMNS: usize = 64;
    const ROWS: usize = 16;
    const EARTHS: [char; 6] = [' ', '.', ':', '~', '=', '#'];
    let mut picture = vec![[0usize; COLUMNS]; ROWS];
    let mut depth = 1;
    for layer in 1..EARTHS.len() {
        let mut top = depth + random.below(3);
        for column in 0..COLUMNS {
            top = (top + random.below(3)).saturating_sub(1).clamp(depth, ROWS);
            picture.iter_mut().skip(top).for_each(|row| row[column] = layer);
        }
        depth = (depth + 3).min(ROWS);
    }
    let line = |row: &[usize; COLUMNS]| row.iter().map(|layer| EARTHS[*layer]).collect::<String>() + "\n";
    picture.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_full_of_earth() {
        for seed in 0..100 {
            let picture = sediment(&mut Random::new(seed));
            assert_eq!(picture.lines().count(), 16);
            assert!(picture.lines().all(|line| line.len() == 64) && picture.contains('#'));
        }
    }
}
