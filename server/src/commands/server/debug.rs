//! DEBUG: looking into the server, and making it behave in ways that tests need.

use super::{debug_values, reload};
use crate::commands::{Command, SessionCall, help};
use crate::log;
use ochre_collections::Random;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error, Expiry, Key};
use ochre_resp::Reply;
use ochre_text::number;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub const DEBUG: Command = Command::new(Group::Server, "DEBUG", "", debug)
    .summary("Helps to test and examine the server.")
    .cost("Depends on the subcommand")
    .arity(-2) // subcommands are words of their own, not commands
    .locks(Locks::All)
    .flags(ADMIN | NOSCRIPT | LOADING | STALE);

fn debug(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let settings = &call.shared().settings;
    if !settings.security.enable_debug_command.get().allows(call.is_local()) {
        return Err(super::not_allowed("DEBUG", "enable-debug-command"));
    }
    let name = args.word();
    let subcommand = SUBCOMMANDS.iter().find(|subcommand| subcommand.accepts(name, args.remaining()));
    match subcommand {
        Some(subcommand) => (subcommand.run)(call, args, reply),
        None => Err(unknown(name)),
    }
}

fn unknown(name: &[u8]) -> Error {
    let shown = String::from_utf8_lossy(&name[..name.len().min(128)]);
    Error::text(format!("ERR unknown subcommand or wrong number of arguments for '{shown}'. Try DEBUG HELP."))
}

type Run = fn(&mut SessionCall<'_>, &mut Args<'_>, &mut Reply<'_>) -> Result<(), Error>;

struct Subcommand {
    name: &'static str,
    /// How many words may follow.
    words: (usize, usize),
    usage: &'static str,
    about: &'static str,
    run: Run,
}

impl Subcommand {
    fn accepts(&self, name: &[u8], words: usize) -> bool {
        name.eq_ignore_ascii_case(self.name.as_bytes()) && (self.words.0..=self.words.1).contains(&words)
    }
}

const ANY: usize = usize::MAX;

const fn subcommand(
    name: &'static str,
    words: (usize, usize),
    usage: &'static str,
    about: &'static str,
    run: Run,
) -> Subcommand {
    Subcommand { name, words, usage, about, run }
}

const SUBCOMMANDS: &[Subcommand] = &[
    subcommand("AOF-FLUSH-SLEEP", (1, 1), "microseconds", "Waits before the log is written.", flush_sleep),
    subcommand("ASSERT", (0, 0), "", "Ends the process as a broken invariant does.", crash),
    subcommand("CHANGE-REPL-ID", (0, 0), "", "Gives the server a new replication id.", change_replication_id),
    subcommand("CLIENT-ENFORCE-REPLY-LIST", (1, 1), "<0 | 1>", "Without effect.", accept),
    subcommand("CLIENT-EVICTION", (0, 0), "", "Tells about the memory of clients.", client_eviction),
    subcommand("CLOSE-CLUSTER-LINK-ON-PACKET-DROP", (1, 1), "<0 | 1>", "Without effect.", accept),
    subcommand("CONFIG-REWRITE-FORCE-ALL", (0, 0), "", "As CONFIG REWRITE, with defaults too.", rewrite_everything),
    subcommand("DELAY-RDB-CLIENT-FREE-SECOND", (1, 1), "seconds", "Without effect.", accept),
    subcommand("DICT-RESIZING", (1, 1), "<0 | 1>", "Without effect.", accept),
    subcommand("DIGEST", (0, 0), "", "Replies a signature of all data.", debug_values::digest),
    subcommand("DIGEST-VALUE", (1, ANY), "key [key ...]", "Replies signatures of values.", debug_values::digest_value),
    subcommand("DISABLE-CLUSTER-RANDOM-PING", (1, 1), "<0 | 1>", "Without effect.", accept),
    subcommand("DISABLE-CLUSTER-RECONNECTION", (1, 1), "<0 | 1>", "Without effect.", accept),
    subcommand("DROP-CLUSTER-PACKET-FILTER", (1, 1), "packet-type", "Without effect.", accept),
    subcommand("ERROR", (1, 1), "message", "Replies an error with this text.", error),
    subcommand("HASHTABLE-CAN-ABORT-SHRINK", (1, 1), "<0 | 1>", "Without effect.", accept),
    subcommand("HELP", (0, 0), "", "", help),
    subcommand("HTSTATS", (1, 2), "db [FULL]", "Tells about a database's tables.", debug_values::table_stats),
    subcommand("HTSTATS-KEY", (1, 2), "key [FULL]", "Tells about a value's table.", debug_values::table_stats_of_key),
    subcommand("LEAK", (1, 1), "string", "Loses the memory of a string.", leak),
    subcommand("LISTPACK", (1, 1), "key", "Logs what a packed value looks like.", debug_values::listpack),
    subcommand("LOADAOF", (0, 0), "", "Loads the data anew from the append-only file.", reload::load_append_only_file),
    subcommand("LOG", (1, 1), "message", "Writes a line to the log.", write_log),
    subcommand("OBJECT", (1, 2), "key [FAST]", "Tells how a value is kept.", debug_values::object),
    subcommand("OOM", (0, 0), "", "Ends the process as a lack of memory does.", crash),
    subcommand("PANIC", (0, 0), "", "Ends the process as a broken invariant does.", crash),
    subcommand("PAUSE-AFTER-FORK", (1, 1), "<0 | 1>", "Without effect.", accept),
    subcommand("PAUSE-CRON", (1, 1), "<0 | 1>", "Does nothing by the clock for now.", pause_cron),
    subcommand("POPULATE", (1, 3), "count [prefix] [size]", "Makes strings of the value's number.", populate),
    subcommand("PROTOCOL", (1, 1), "type", "Replies an example of a type of the protocol.", protocol),
    subcommand("QUICKLIST", (1, 2), "key [<0 | 1>]", "Logs what a long list looks like.", debug_values::quicklist),
    subcommand(
        "QUICKLIST-PACKED-THRESHOLD",
        (1, 1),
        "size",
        "From which size on an element has a node.",
        packed_threshold,
    ),
    subcommand("RELOAD", (0, ANY), "[MERGE] [NOFLUSH] [NOSAVE]", "Saves and loads the data.", reload::reload),
    subcommand(
        "REPLYBUFFER",
        (2, 2),
        "<PEAK-RESET-TIME | RESIZING> value",
        "Without effect: no client has a reply buffer of its own.",
        reply_buffer,
    ),
    subcommand("SDSLEN", (1, 1), "key", "Tells the sizes of a key and its string.", debug_values::string_sizes),
    subcommand("SEGFAULT", (0, 0), "", "Ends the process by a signal.", segfault),
    subcommand("SET-ACTIVE-EXPIRE", (1, 1), "<0 | 1>", "Whether keys expire when nobody asks.", set_active_expire),
    subcommand("SET-DISABLE-DENY-SCRIPTS", (1, 1), "<0 | 1>", "Whether scripts may call anything.", allow_in_scripts),
    subcommand("SET-SKIP-CHECKSUM-VALIDATION", (1, 1), "<0 | 1>", "Whether checksums are read over.", skip_checksums),
    subcommand("SLEEP", (1, 1), "seconds", "Stops all commands for a while.", sleep),
    subcommand("STRINGMATCH-TEST", (0, 0), "", "Tries patterns on texts by chance.", try_patterns),
    subcommand("STRUCTSIZE", (0, 0), "", "Tells the sizes of what keys are kept in.", debug_values::struct_sizes),
];

fn help(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let others = SUBCOMMANDS.iter().filter(|subcommand| subcommand.name != "HELP");
    let lines: Vec<_> = others
        .map(|subcommand| (format!("{} {}", subcommand.name, subcommand.usage).trim_end().to_owned(), subcommand.about))
        .collect();
    help::write("DEBUG", &lines, reply);
    Ok(())
}

/// For what other servers switch inside themselves and this one has not.
fn accept(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.ok();
    Ok(())
}

/// 0 is off, any other number on; what is no number is 0.
fn switch(args: &mut Args<'_>) -> bool {
    number::parse_i64(args.word()).is_some_and(|number| number != 0)
}

fn set_switch(switch: &AtomicBool, on: bool, reply: &mut Reply<'_>) -> Result<(), Error> {
    switch.store(on, Ordering::Relaxed);
    reply.ok();
    Ok(())
}

fn set_active_expire(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_switch(&call.shared().active_expire, switch(args), reply)
}

fn allow_in_scripts(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_switch(&call.shared().debug.allow_all_in_scripts, switch(args), reply)
}

fn skip_checksums(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    set_switch(&shared.debug.skip_checksums, switch(args), reply)?;
    shared.settings_changed();
    call.worker.apply_settings();
    Ok(())
}

fn pause_cron(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    set_switch(&call.shared().debug.cron_paused, switch(args), reply)
}

fn change_replication_id(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    call.shared().replication.history().begin(crate::start::random_hex_40());
    log::notice(format_args!("Changing replication IDs after receiving change-repl-id"));
    reply.ok();
    Ok(())
}

fn client_eviction(_: &mut SessionCall<'_>, _: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    Err(Error::fixed("ERR maxmemory-clients is disabled."))
}

fn rewrite_everything(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    call.shared().settings.rewrite(&[], true).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.strip_prefix("ERR ").unwrap_or(&reason);
        Error::text(format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {reason}"))
    })?;
    reply.ok();
    Ok(())
}

fn flush_sleep(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let sleep_us = args.int_from(0, Error::NOT_AN_INTEGER)?;
    call.shared().log.numbers.flush_sleep_us.store(sleep_us as u64, Ordering::Relaxed);
    reply.ok();
    Ok(())
}

/// Replies an error of the caller's making, which does not count as one of the server's.
fn error(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.error_bytes(args.word());
    Ok(())
}

fn write_log(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    log::warning(format_args!("DEBUG LOG: {}", String::from_utf8_lossy(args.word())));
    reply.ok();
    Ok(())
}

fn leak(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    args.word().to_vec().leak();
    reply.ok();
    Ok(())
}

fn crash(_: &mut SessionCall<'_>, args: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    let name = String::from_utf8_lossy(args.argv().at(1)).into_owned();
    log::warning(format_args!("=== CRASH REPORT === DEBUG {name} was asked to end the process"));
    std::process::abort();
}

fn segfault(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    log::warning(format_args!("=== CRASH REPORT === crashed by signal: 11, as DEBUG SEGFAULT asked"));
    let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGSEGV);
    reply.ok();
    Ok(())
}

/// Stops every command that touches data: all shards are locked, and this thread sleeps.
fn sleep(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let seconds = number::parse_f64(args.word()).unwrap_or(0.0);
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let locks = call.shared().keyspace.all_shards();
    if call.with_data(locks, |_| std::thread::sleep(time)).is_some() {
        call.worker.read_clock();
        reply.ok();
    }
    Ok(())
}

/// Makes `prefix:0` and so on, those that do not exist. Nothing of it goes to the log.
fn populate(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let count = positive(args)?;
    let prefix = args.next().unwrap_or(b"key");
    let size = if args.remaining() > 0 { Some(positive(args)?) } else { None };
    let locks = call.shared().keyspace.all_shards();
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let done = call.with_data(locks, |data| {
        for at in 0..count {
            key.clear();
            key.extend_from_slice(prefix);
            key.push(b':');
            number::write_u64(&mut key, at as u64);
            let key = Key::new(&key);
            data.expire_if_due(&key);
            if data.peek(&key).is_some() {
                continue;
            }
            value.clear();
            value.extend_from_slice(b"value:");
            number::write_u64(&mut value, at as u64);
            if let Some(size) = size.filter(|size| *size > 0) {
                value.resize(size, 0);
            }
            data.set_text(&key, &value, Expiry::Clear);
            data.touch_watchers(&key);
        }
    });
    if done.is_some() {
        reply.ok();
    }
    Ok(())
}

fn positive(args: &mut Args<'_>) -> Result<usize, Error> {
    let number = number::parse_i64(args.word()).and_then(|number| usize::try_from(number).ok());
    number.ok_or(Error::NOT_POSITIVE)
}

fn packed_threshold(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const BYTES_MAX: u64 = 1 << 32;
    let bytes = ochre_text::size::parse(args.word()).filter(|bytes| *bytes <= BYTES_MAX);
    let bytes = bytes.ok_or(Error::fixed("ERR argument must be a memory value bigger than 1 and smaller than 4gb"))?;
    let shared = call.shared();
    shared.debug.list_plain_node_bytes.store(bytes as usize, Ordering::Relaxed);
    shared.settings_changed();
    call.worker.apply_settings();
    reply.ok();
    Ok(())
}

fn reply_buffer(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.option("PEAK-RESET-TIME") {
        let is_word = args.option("NEVER") || args.option("RESET");
        if !is_word {
            args.int()?;
        }
    } else if !args.option("RESIZING") {
        return Err(unknown(args.argv().at(1)));
    }
    reply.ok();
    Ok(())
}

/// Matches patterns and texts of a few letters against each other, which must end and not panic.
fn try_patterns(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut random = Random::from_system();
    let mut word = |letters: &[u8]| (0..random.below(24)).map(|_| letters[random.below(letters.len())]).collect();
    for _ in 0..10_000 {
        let pattern: Vec<u8> = word(b"a*b?[]-^\\c");
        let text: Vec<u8> = word(b"abc");
        ochre_text::glob::matches(&pattern, &text, false);
    }
    reply.status("The patterns ended, and nothing broke: test passed");
    Ok(())
}

#[expect(clippy::approx_constant, reason = "the reply of every server, not the ratio of a circle")]
fn protocol(_: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = args.word().to_ascii_lowercase();
    match name.as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12_345),
        b"double" => reply.double(3.141),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|at| reply.integer(at));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|at| reply.integer(at));
        }
        b"map" => {
            reply.map(3);
            for at in 0..3 {
                reply.integer(at);
                reply.boolean(at == 1);
            }
        }
        b"attrib" => {
            if reply.attribute(1) {
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" if !reply.is_resp3() => return Err(Error::fixed("ERR RESP2 is not supported by this command")),
        b"push" => {
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        _ => {
            return Err(Error::fixed(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}
