//! ACL LOG: what was refused.

use super::users::{FLAGS, too_many};
use crate::commands::{Command, SessionCall};
use ochre_acl::LogEntry;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use ochre_text::number;

pub(super) const LOG: Command = Command::new(Group::Server, "LOG", "[count | RESET]", log)
    .summary("Replies the newest refusals, those of one kind as one entry.")
    .cost("O(N) with N being the number of entries shown.")
    .since("6.0.0")
    .history(&[("7.2.0", "Numbers and times of entries.")])
    .flags(FLAGS);

fn log(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const ENTRIES_DEFAULT: usize = 10;
    if args.remaining() > 1 {
        return Err(too_many(args));
    }
    let access = &call.shared().access;
    if args.option("RESET") {
        access.log().clear();
        reply.ok();
        return Ok(());
    }
    let count = match args.next() {
        Some(word) => usize::try_from(number::parse_i64(word).ok_or(Error::NOT_AN_INTEGER)?).unwrap_or(0),
        None => ENTRIES_DEFAULT,
    };
    let entries: Vec<LogEntry> = access.log().entries().take(count).cloned().collect();
    let now_ms = ochre_clock::now_ms();
    reply.array(entries.len());
    entries.iter().for_each(|entry| write_entry(entry, now_ms, reply));
    Ok(())
}

fn write_entry(entry: &LogEntry, now_ms: u64, reply: &mut Reply<'_>) {
    let last = &entry.last;
    reply.map(10);
    reply.bulk(b"count");
    reply.integer(entry.count as i64);
    for (name, text) in [
        ("reason", last.reason.as_bytes()),
        ("context", last.context.name().as_bytes()),
        ("object", &last.object),
        ("username", &last.user),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(text);
    }
    reply.bulk(b"age-seconds");
    reply.double(now_ms.saturating_sub(last.at_ms) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(last.client.as_bytes());
    for (name, number) in
        [("entry-id", entry.id), ("timestamp-created", entry.first_ms), ("timestamp-last-updated", last.at_ms)]
    {
        reply.bulk(name.as_bytes());
        reply.integer(number as i64);
    }
}
