//! SLOWLOG and COMMANDLOG: the commands that took long, and those with a large request or reply.

use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use crate::slow_commands::Reason;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::{case, number};

pub const SLOWLOG: Command = Command::container(Group::Server, "SLOWLOG", &[GET, LEN, RESET, HELP])
    .summary("Tells which commands were slow.")
    .cost("Depends on the subcommand")
    .since("2.2.12");

const GET: Command = Command::new(Group::Server, "GET", "[count]", get)
    .summary(
        "Replies the newest slow commands, 10 unless told (-1: all): id, time, microseconds, words, address, name.",
    )
    .cost("O(N) in the number of entries")
    .since("2.2.12")
    .history(&[("4.0.0", "Entries have the client's address and name.")])
    .flags(ADMIN | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "nondeterministic_output"]);

fn get(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let count = if args.remaining() == 0 { 10 } else { count(args)? };
    args.finish().map_err(|_| Error::wrong_arity("slowlog|get"))?;
    write_newest(call, Reason::Slow, count, reply);
    Ok(())
}

const LEN: Command = Command::new(Group::Server, "LEN", "", len)
    .summary("Replies how many slow commands are remembered.")
    .cost("O(1)")
    .since("2.2.12")
    .flags(ADMIN | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]);

fn len(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(call.shared().command_logs.len(Reason::Slow));
    Ok(())
}

const RESET: Command = Command::new(Group::Server, "RESET", "", reset)
    .summary("Forgets all slow commands.")
    .cost("O(N) in the number of entries")
    .since("2.2.12")
    .flags(ADMIN | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn reset(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    call.shared().command_logs.reset(Reason::Slow);
    reply.ok();
    Ok(())
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("6.2.0")
    .flags(LOADING | STALE);

pub const COMMANDLOG: Command =
    Command::container(Group::Server, "COMMANDLOG", &[LOG_GET, LOG_LEN, LOG_RESET, LOG_HELP])
        .summary("Tells which commands were slow, or had a large request or reply.")
        .cost("Depends on the subcommand")
        .since("8.1.0");

const LOG_GET: Command = Command::new(Group::Server, "GET", "count <slow | large-request | large-reply>", log_get)
    .summary("Replies the newest entries of a log (-1: all): id, time, microseconds or bytes, words, address, name.")
    .cost("O(N) in the number of entries")
    .since("8.1.0")
    .flags(ADMIN | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "nondeterministic_output"]);

fn log_get(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let count = count(args)?;
    write_newest(call, reason(args)?, count, reply);
    Ok(())
}

const LOG_LEN: Command = Command::new(Group::Server, "LEN", "<slow | large-request | large-reply>", log_len)
    .summary("Replies how many entries a log has.")
    .cost("O(1)")
    .since("8.1.0")
    .flags(ADMIN | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]);

fn log_len(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(call.shared().command_logs.len(reason(args)?));
    Ok(())
}

const LOG_RESET: Command = Command::new(Group::Server, "RESET", "<slow | large-request | large-reply>", log_reset)
    .summary("Forgets the entries of a log.")
    .cost("O(N) in the number of entries")
    .since("8.1.0")
    .flags(ADMIN | LOADING | STALE)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn log_reset(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    call.shared().command_logs.reset(reason(args)?);
    reply.ok();
    Ok(())
}

const LOG_HELP: Command = HELP.since("8.1.0");

/// How many entries are wanted; -1 for all.
fn count(args: &mut Args<'_>) -> Result<usize, Error> {
    let count = number::parse_i64(args.word()).filter(|count| *count >= -1);
    let count = count.ok_or(Error::fixed("ERR count should be greater than or equal to -1"))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn reason(args: &mut Args<'_>) -> Result<Reason, Error> {
    const REASONS: [Reason; 3] = [Reason::Slow, Reason::LargeRequest, Reason::LargeReply];
    let at = case::position(args.word(), &["SLOW", "LARGE-REQUEST", "LARGE-REPLY"]);
    at.map(|at| REASONS[at])
        .ok_or(Error::fixed("ERR type should be one of the following: slow, large-request, large-reply"))
}

fn write_newest(call: &SessionCall<'_>, reason: Reason, count: usize, reply: &mut Reply<'_>) {
    let entries = call.shared().command_logs.newest(reason, count);
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer(entry.time_s as i64);
        reply.integer(entry.amount as i64);
        reply.array(entry.words.len());
        entry.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(entry.client_name.as_bytes());
    }
}
