//! HOTKEYS: the keys that take most of the time or of the network.

use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use crate::hot_keys::Wanted;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub const HOTKEYS: Command = Command::container(Group::Server, "HOTKEYS", &[GET, HELP, RESET, START, STOP])
    .summary("Finds the keys that take most of the time or of the network.")
    .cost("Depends on the subcommand")
    .since("8.6.0");

const START: Command = Command::new(
    Group::Server,
    "START",
    "METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] [SLOTS count slot [slot ...]]",
    start,
)
.arity(-2)
.summary("Begins to count what keys cost, until STOP or for some seconds.")
.cost("O(1)")
.since("8.6.0")
.flags(ADMIN | NOSCRIPT)
.tips(&["request_policy:special"]);

/// Keys that are shown unless told, and at most.
const COUNT: i64 = 10;
const COUNT_MAX: i64 = 64;

fn start(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let wanted = wanted(args)?;
    if !call.shared().hot_keys.start(wanted) {
        return Err(Error::fixed("ERR hotkeys tracking is already in progress"));
    }
    call.shared().settings_changed();
    reply.ok();
    Ok(())
}

fn wanted(args: &mut Args<'_>) -> Result<Wanted, Error> {
    let mut wanted = Wanted { count: COUNT as usize, sample_ratio: 1, ..Wanted::default() };
    if !args.option("METRICS") {
        return Err(Error::fixed("ERR METRICS parameter is required"));
    }
    let metrics = args.int_from(1, Error::fixed("ERR METRICS count must be at least 1"))?;
    for _ in 0..metrics.min(3) {
        if !wanted.by_cpu && args.option("CPU") {
            wanted.by_cpu = true;
        } else if !wanted.by_net && args.option("NET") {
            wanted.by_net = true;
        } else {
            return Err(Error::fixed("ERR METRICS count does not match the metrics that are named"));
        }
    }
    while args.remaining() > 0 {
        if args.option("COUNT") {
            let count = args.int()?;
            if !(1..=COUNT_MAX).contains(&count) {
                return Err(Error::fixed("ERR COUNT must be between 1 and 64"));
            }
            wanted.count = count as usize;
        } else if args.option("DURATION") {
            let seconds = args.int_from(0, Error::fixed("ERR DURATION must not be negative"))?;
            wanted.duration_ms = (seconds > 0).then(|| (seconds as u64).saturating_mul(1000));
        } else if args.option("SAMPLE") {
            wanted.sample_ratio = args.int_from(1, Error::fixed("ERR SAMPLE ratio must be at least 1"))? as u64;
        } else if args.option("SLOTS") {
            return Err(Error::fixed("ERR SLOTS parameter cannot be used in non-cluster mode"));
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok(wanted)
}

const STOP: Command = Command::new(Group::Server, "STOP", "", stop)
    .summary("Counts no more; what was counted stays.")
    .cost("O(1)")
    .since("8.6.0")
    .flags(ADMIN | NOSCRIPT)
    .tips(&["request_policy:special"]);

fn stop(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if call.shared().hot_keys.stop() {
        call.shared().settings_changed();
        reply.ok();
    } else {
        reply.null();
    }
    Ok(())
}

const RESET: Command = Command::new(Group::Server, "RESET", "", reset)
    .summary("Forgets what was counted.")
    .cost("O(N) in the number of keys that were counted")
    .since("8.6.0")
    .flags(ADMIN | NOSCRIPT)
    .tips(&["request_policy:special"]);

fn reset(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if !call.shared().hot_keys.reset() {
        return Err(Error::fixed("ERR hotkeys tracking is in progress, stop it first"));
    }
    reply.ok();
    Ok(())
}

const GET: Command = Command::new(Group::Server, "GET", "", get)
    .summary("Replies the keys that cost most so far, and what all commands cost.")
    .cost("O(N log N) in the number of keys that were counted")
    .since("8.6.0")
    .flags(ADMIN | NOSCRIPT)
    .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]);

fn get(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let Some(report) = call.shared().hot_keys.report() else {
        reply.null();
        return Ok(());
    };
    let (by_cpu, by_net) = (report.wanted.by_cpu, report.wanted.by_net);
    reply.map(7 + 3 * usize::from(by_cpu) + 2 * usize::from(by_net));
    let number = |reply: &mut Reply<'_>, name: &str, value: u64| {
        reply.bulk(name.as_bytes());
        reply.integer(value as i64);
    };
    number(reply, "tracking-active", u64::from(report.is_active));
    number(reply, "sample-ratio", report.wanted.sample_ratio);
    reply.bulk(b"selected-slots");
    reply.array(0);
    number(reply, "all-commands-all-slots-us", report.all_ns / 1000);
    number(reply, "net-bytes-all-commands-all-slots", report.all_bytes);
    number(reply, "collection-start-time-unix-ms", report.started_ms);
    number(reply, "collection-duration-ms", report.duration_ms);
    if by_cpu {
        number(reply, "total-cpu-time-user-ms", report.cpu_user_ms);
        number(reply, "total-cpu-time-sys-ms", report.cpu_system_ms);
    }
    if by_net {
        number(reply, "total-net-bytes", report.all_bytes);
    }
    if by_cpu {
        ranking(reply, "by-cpu-time-us", &report.by_cpu, 1000);
    }
    if by_net {
        ranking(reply, "by-net-bytes", &report.by_net, 1);
    }
    Ok(())
}

/// Keys and their sums in turn.
fn ranking(reply: &mut Reply<'_>, name: &str, keys: &[(Box<[u8]>, u64)], unit: u64) {
    reply.bulk(name.as_bytes());
    reply.array(2 * keys.len());
    for (key, sum) in keys {
        reply.bulk(key);
        reply.integer((sum / unit) as i64);
    }
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("8.6.1")
    .flags(LOADING | STALE);
