//! MEMORY: what keys and the whole process take.

use super::info;
use crate::commands::help::help;
use crate::commands::{Command, SessionCall};
use ochre_collections::View;
use ochre_collections::lock::ShardSet;
use ochre_commands::keys::{KeySpec, RO};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub const MEMORY: Command =
    Command::container(Group::Server, "MEMORY", &[DOCTOR, MALLOC_STATS, PURGE, STATS, USAGE, HELP])
        .summary("Tells about memory.")
        .cost("Depends on the subcommand")
        .since("4.0.0");

const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

const DOCTOR: Command = Command::new(Group::Server, "DOCTOR", "", doctor)
    .summary("Replies a report on memory for people.")
    .cost("O(1)")
    .since("4.0.0")
    .tips(TIPS);

/// Below this there is too little to judge by.
const TOO_LITTLE_BYTES: u64 = 5 << 20;

fn doctor(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let memory = info::memory_use(call.shared(), 0);
    let mut findings = Vec::new();
    if memory.used_bytes_max as f64 > memory.used_bytes as f64 * 1.5 {
        findings.push(
            "The peak was more than half again what is used now; the system keeps some of it until it is needed.",
        );
    }
    if memory.fragmentation_ratio() > 1.4 {
        findings.push("The process holds much more memory than is used: it is fragmented, or was just freed.");
    }
    let clients = call.shared().registry.len().max(1) as u64;
    if memory.clients_bytes / clients > 200 * 1024 {
        findings.push(
            "Clients have more than 200 KB of input and output waiting on average: some do not read fast enough.",
        );
    }
    let text = if memory.dataset_bytes() < TOO_LITTLE_BYTES {
        "There is too little data to say anything about its memory.\n".to_owned()
    } else if findings.is_empty() {
        "Nothing is wrong with memory, as far as one can see.\n".to_owned()
    } else {
        findings.iter().map(|finding| format!("* {finding}\n")).collect()
    };
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

const MALLOC_STATS: Command = Command::new(Group::Server, "MALLOC-STATS", "", malloc_stats)
    .summary("Replies what the allocator says about itself.")
    .cost("O(1)")
    .since("4.0.0")
    .flags(LOADING)
    .tips(TIPS);

fn malloc_stats(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let memory = info::memory_use(call.shared(), 0);
    let text = format!(
        "mimalloc: {} bytes allocated, {} at most; {} bytes resident, {} at most\n{}",
        memory.used_bytes,
        memory.used_bytes_max,
        memory.resident_bytes,
        crate::system::resident_bytes_max(),
        ochre_collections::allocator_report()
    );
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

const PURGE: Command = Command::new(Group::Server, "PURGE", "", purge)
    .summary("Makes the allocator give free memory back to the system at once; within a second it does so by itself.")
    .cost("O(1)")
    .since("4.0.0")
    .flags(LOADING)
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]);

fn purge(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    // Every loop has a heap of its own.
    call.shared().tell_all(|| crate::shared::Message::ReleaseMemory);
    reply.ok();
    Ok(())
}

const STATS: Command = Command::new(Group::Server, "STATS", "", stats)
    .summary("Replies figures about memory by name.")
    .locks(Locks::All)
    .cost("O(1)")
    .since("4.0.0")
    .tips(TIPS);

/// A figure of MEMORY STATS.
enum Figure {
    Count(u64),
    Ratio(f64),
}

fn stats(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let sizes = call.with_data(shared.keyspace.all_shards(), |data| {
        (0..data.databases()).map(|db| (data.size(db).keys, data.table_bytes(db))).collect::<Vec<_>>()
    });
    let Some(sizes) = sizes else { return Ok(()) };
    let keys: usize = sizes.iter().map(|(keys, _)| keys).sum();
    let table_bytes: usize = sizes.iter().map(|(_, bytes)| bytes).sum();
    let memory = info::memory_use(shared, table_bytes as u64);
    let log_bytes = crate::pressure::log_buffer_bytes(shared) as u64;
    let added = memory.used_bytes.saturating_sub(memory.startup_bytes);
    let before = [
        ("peak.allocated", Figure::Count(memory.used_bytes_max)),
        ("total.allocated", Figure::Count(memory.used_bytes)),
        ("startup.allocated", Figure::Count(memory.startup_bytes)),
        ("replication.backlog", Figure::Count(0)),
        ("replicas.repl.buffer", Figure::Count(0)),
        ("clients.slaves", Figure::Count(0)),
        ("clients.normal", Figure::Count(memory.clients_bytes)),
        ("cluster.links", Figure::Count(0)),
        ("aof.buffer", Figure::Count(log_bytes)),
        ("lua.caches", Figure::Count(0)),
        ("functions.caches", Figure::Count(0)),
    ];
    let after = [
        ("overhead.db.hashtable.lut", Figure::Count(table_bytes as u64)),
        ("overhead.db.hashtable.rehashing", Figure::Count(0)),
        ("overhead.total", Figure::Count(memory.overhead_bytes())),
        ("db.dict.rehashing.count", Figure::Count(0)),
        ("keys.count", Figure::Count(keys as u64)),
        ("keys.bytes-per-key", Figure::Count(added.checked_div(keys as u64).unwrap_or(0))),
        ("dataset.bytes", Figure::Count(memory.dataset_bytes())),
        ("dataset.percentage", Figure::Ratio(memory.dataset_percent())),
        ("peak.percentage", Figure::Ratio(memory.peak_percent())),
        ("allocator.allocated", Figure::Count(memory.used_bytes)),
        ("allocator.active", Figure::Count(memory.resident_bytes)),
        ("allocator.resident", Figure::Count(memory.resident_bytes)),
        ("allocator.muzzy", Figure::Count(0)),
        ("allocator-fragmentation.ratio", Figure::Ratio(1.0)),
        ("allocator-fragmentation.bytes", Figure::Count(0)),
        ("allocator-rss.ratio", Figure::Ratio(memory.fragmentation_ratio())),
        ("allocator-rss.bytes", Figure::Count(memory.resident_bytes.saturating_sub(memory.used_bytes))),
        ("rss-overhead.ratio", Figure::Ratio(1.0)),
        ("rss-overhead.bytes", Figure::Count(0)),
        ("fragmentation", Figure::Ratio(memory.fragmentation_ratio())),
        ("fragmentation.bytes", Figure::Count(memory.resident_bytes.saturating_sub(memory.used_bytes))),
    ];
    let filled = || sizes.iter().enumerate().filter(|(_, (keys, _))| *keys > 0);
    reply.map(before.len() + filled().count() + after.len());
    write_figures(&before, reply);
    for (db, (_, bytes)) in filled() {
        reply.bulk_fmt(format_args!("db.{db}"));
        reply.map(2);
        // Deadlines stand in the entries, not in a table of their own.
        let expires = ("overhead.hashtable.expires", Figure::Count(0));
        write_figures(&[("overhead.hashtable.main", Figure::Count(*bytes as u64)), expires], reply);
    }
    write_figures(&after, reply);
    Ok(())
}

fn write_figures(figures: &[(&str, Figure)], reply: &mut Reply<'_>) {
    for (name, figure) in figures {
        reply.bulk(name.as_bytes());
        match figure {
            Figure::Count(count) => reply.integer(*count as i64),
            Figure::Ratio(ratio) => reply.double(*ratio),
        }
    }
}

const USAGE: Command = Command::new(Group::Server, "USAGE", "key [SAMPLES count]", usage)
    .summary("Replies how many bytes a key takes with its value.")
    .cost("O(N) in the number of samples")
    .since("4.0.0")
    .keys(&[KeySpec::at(2, RO)])
    .locks(Locks::All)
    .flags(READONLY);

fn usage(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    while args.remaining() > 0 {
        // Every value knows its size, so nothing has to be sampled.
        if !(args.option("SAMPLES") && args.remaining() > 0) {
            return Err(Error::SYNTAX);
        }
        if args.int()? < 0 {
            return Err(Error::SYNTAX);
        }
    }
    let locks = ShardSet::of(call.shared().keyspace.shard_of(&key));
    let bytes = call.with_data(locks, |data| {
        data.peek(&key).map(|entry| {
            let value_bytes = match entry.view() {
                View::Object(object) => size_of_val(object) + object.memory_bytes(),
                _ => 0,
            };
            entry.memory_bytes() + value_bytes
        })
    });
    match bytes {
        Some(Some(bytes)) => reply.count(bytes),
        Some(None) => reply.null(),
        None => {}
    }
    Ok(())
}

const HELP: Command = Command::new(Group::Server, "HELP", "", help)
    .summary("Replies what the subcommands do.")
    .cost("O(1)")
    .since("4.0.0")
    .flags(LOADING | STALE);
