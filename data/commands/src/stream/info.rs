//! XINFO: what a stream, its groups and their consumers are like.

use super::entries::{reply_entries, reply_entry};
use super::ids::reply_id;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Key, Locked, Reply};
use ochre_values::stream::{Consumer, Group as StreamGroup, Pending};
use ochre_values::{Collection, Stream, StreamId};

pub(super) const XINFO: Command = Command::container(Group::Stream, "XINFO", SUBCOMMANDS)
    .summary("Holds the commands that look into streams.")
    .cost("Depends on subcommand.")
    .since("5.0.0")
    .not_in(CAT_STREAM);

const SUBCOMMANDS: &[Command] = &[STREAM, GROUPS, CONSUMERS, HELP];

/// Entries, pending ones and others, that XINFO STREAM FULL lists of each kind.
const LISTED: usize = 10;

const STREAM: Command = Command::new(Group::Stream, "STREAM", "key [FULL [COUNT count]]", stream)
    .summary("Replies what a stream is like, with its entries, groups and consumers if told to.")
    .cost("O(1); O(N) with FULL, N entries, groups and consumers replied")
    .since("5.0.0")
    .history(&[
        ("6.0.0", "`FULL`."),
        ("7.0.0", "More fields."),
        ("8.6.0", "What is remembered of producers."),
        ("7.2.0", "`active-time`, and `seen-time` for attempts."),
    ])
    .keys(&[KeySpec::at(2, RO | ACCESS)])
    .flags(READONLY);

fn stream(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let stream = existing(data, &args.key())?;
    let syntax = Error::subcommand_syntax(args.argv().at(1), "XINFO");
    let full = match args.remaining() {
        0 => None,
        1 | 3 if args.option("FULL") => {
            if args.remaining() > 0 && !args.option("COUNT") {
                return Err(syntax);
            }
            let count = if args.remaining() > 0 { args.int()? } else { -1 };
            Some(usize::try_from(count).unwrap_or(LISTED))
        }
        _ => return Err(syntax),
    };
    let producers = stream.producers();
    reply.map(if full.is_some() { 9 } else { 10 } + if producers.is_some() { 6 } else { 0 });
    field(reply, "length").count(stream.len());
    field(reply, "radix-tree-keys").count(stream.nodes());
    field(reply, "radix-tree-nodes").count(stream.radix_tree_nodes());
    reply_id(field(reply, "last-generated-id"), stream.last_id());
    reply_id(field(reply, "max-deleted-entry-id"), stream.max_deleted_id());
    field(reply, "entries-added").integer(stream.entries_added() as i64);
    reply_id(field(reply, "recorded-first-entry-id"), stream.first_id());
    if let Some(producers) = producers {
        let (tracked, messages) = producers.tracked();
        field(reply, "idmp-duration").integer(producers.duration_s() as i64);
        field(reply, "idmp-maxsize").count(producers.messages_max());
        field(reply, "pids-tracked").count(tracked);
        field(reply, "iids-tracked").count(messages);
        field(reply, "iids-added").integer(producers.added() as i64);
        field(reply, "iids-duplicates").integer(producers.duplicates() as i64);
    }
    match full {
        None => {
            field(reply, "groups").count(stream.groups().len());
            let ends = [
                ("first-entry", stream.range(StreamId::MIN, StreamId::MAX).next()),
                ("last-entry", stream.range_rev(StreamId::MIN, StreamId::MAX).next()),
            ];
            for (name, entry) in ends {
                match (field(reply, name), entry) {
                    (reply, Some(entry)) => reply_entry(reply, &entry),
                    (reply, None) => reply.null(),
                }
            }
        }
        Some(count) => {
            let count = (count > 0).then_some(count);
            reply_entries(field(reply, "entries"), stream.range(StreamId::MIN, StreamId::MAX), count);
            field(reply, "groups").array(stream.groups().len());
            for (name, group) in stream.groups() {
                reply_group_in_full(reply, stream, name, group, count.unwrap_or(usize::MAX));
            }
        }
    }
    Ok(())
}

/// Writes the name of a field of a map; its value follows.
fn field<'r, 'b>(reply: &'r mut Reply<'b>, name: &str) -> &'r mut Reply<'b> {
    reply.bulk(name.as_bytes());
    reply
}

fn existing<'d>(data: &'d Locked<'_>, key: &Key<'_>) -> Result<&'d Stream, Error> {
    data.read::<Stream>(key)?.ok_or(Error::NO_SUCH_KEY)
}

fn reply_group_in_full(reply: &mut Reply<'_>, stream: &Stream, name: &[u8], group: &StreamGroup, count: usize) {
    let released = group.released_len();
    reply.map(if released > 0 { 8 } else { 7 });
    field(reply, "name").bulk(name);
    reply_id(field(reply, "last-delivered-id"), group.last_id);
    reply_progress(reply, stream, group);
    field(reply, "pel-count").count(group.pending_len());
    field(reply, "pending").array(group.pending_len().min(count));
    for (id, pending) in group.pending(..).take(count) {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(pending.consumer().map_or(b"", |number| group.consumer(number).name()));
        reply_delivery(reply, pending);
    }
    field(reply, "consumers").array(group.consumers().len());
    for consumer in group.consumers() {
        reply_consumer_in_full(reply, group, consumer, count);
    }
    if released > 0 {
        field(reply, "nacked-count").count(released);
    }
}

fn reply_consumer_in_full(reply: &mut Reply<'_>, group: &StreamGroup, consumer: &Consumer, count: usize) {
    reply.map(5);
    field(reply, "name").bulk(consumer.name());
    field(reply, "seen-time").integer(consumer.seen_ms as i64);
    field(reply, "active-time").integer(consumer.active_ms.map_or(-1, |ms| ms as i64));
    field(reply, "pel-count").count(consumer.pending_len());
    field(reply, "pending").array(consumer.pending_len().min(count));
    for id in consumer.pending(..).take(count) {
        reply.array(3);
        reply_id(reply, id);
        reply_delivery(reply, group.pending_of(id).expect("a consumer's pending entries are the group's"));
    }
}

/// Replies when an entry was delivered last, and how often.
fn reply_delivery(reply: &mut Reply<'_>, pending: &Pending) {
    reply.integer(pending.delivered_ms as i64);
    reply.integer(i64::try_from(pending.deliveries).unwrap_or(i64::MAX));
}

/// Replies how many entries a group has read, and how many are left.
fn reply_progress(reply: &mut Reply<'_>, stream: &Stream, group: &StreamGroup) {
    for (name, entries) in [("entries-read", group.entries_read), ("lag", stream.lag(group))] {
        match (field(reply, name), entries) {
            (reply, Some(entries)) => reply.integer(entries as i64),
            (reply, None) => reply.null(),
        }
    }
}

const GROUPS: Command = Command::new(Group::Stream, "GROUPS", "key", groups)
    .summary("Replies what the groups of a stream are like.")
    .cost("O(N), N groups")
    .since("5.0.0")
    .history(&[("7.0.0", "`entries-read` and `lag`.")])
    .keys(&[KeySpec::at(2, RO | ACCESS)])
    .flags(READONLY);

fn groups(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let stream = existing(data, &args.key())?;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        field(reply, "name").bulk(name);
        field(reply, "consumers").count(group.consumers().len());
        field(reply, "pending").count(group.pending_len());
        reply_id(field(reply, "last-delivered-id"), group.last_id);
        reply_progress(reply, stream, group);
    }
    Ok(())
}

const CONSUMERS: Command = Command::new(Group::Stream, "CONSUMERS", "key group", consumers)
    .summary("Replies what the consumers of a group are like.")
    .cost("O(N), N consumers")
    .since("5.0.0")
    .history(&[("7.2.0", "`inactive`, and `idle` since the last attempt.")])
    .keys(&[KeySpec::at(2, RO | ACCESS)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn consumers(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name) = (args.key(), args.word());
    let group = existing(data, &key)?.group(name).ok_or_else(|| Error::no_group_of_key(key.bytes(), name))?;
    let since = |ms: u64| data.now_ms().saturating_sub(ms) as i64;
    reply.array(group.consumers().len());
    for consumer in group.consumers() {
        reply.map(4);
        field(reply, "name").bulk(consumer.name());
        field(reply, "pending").count(consumer.pending_len());
        field(reply, "idle").integer(since(consumer.seen_ms));
        field(reply, "inactive").integer(consumer.active_ms.map_or(-1, since));
    }
    Ok(())
}

const HELP: Command = Command::new(Group::Stream, "HELP", "", help)
    .summary("Lists the subcommands.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(LOADING | STALE);

fn help(_: &mut Locked<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    super::reply_help(
        reply,
        &[
            "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "CONSUMERS <key> <groupname>",
            "    Replies what the consumers of the group are like.",
            "GROUPS <key>",
            "    Replies what the groups of the stream are like.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Replies what the stream is like.",
            "HELP",
            "    Prints this help.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::stream::with_three_entries;
    use crate::testing::Db;
    use ochre_resp::Protocol;

    fn db() -> Db {
        let mut db = with_three_entries();
        db.run("XGROUP CREATE s g 0");
        db.run("XREADGROUP GROUP g a COUNT 2 STREAMS s >");
        db.sleep_ms(100);
        db.run("XGROUP CREATECONSUMER s g b");
        db
    }

    #[test]
    fn a_stream_is_described_in_short_and_in_full() {
        let mut db = db();
        let common = "length 3 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 3-0 max-deleted-entry-id 0-0 \
                      entries-added 3 recorded-first-entry-id 1-0";
        let short = format!("[{common} groups 1 first-entry [1-0 [f 1]] last-entry [3-0 [f 3]]]");
        db.check_quiet("XINFO STREAM s", &*short);
        let full = format!(
            "[{common} entries [[1-0 [f 1]]] groups [[name g last-delivered-id 2-0 entries-read 2 lag 1 pel-count 2 \
             pending [[1-0 a 1700000000000 1]] consumers [[name a seen-time 1700000000000 active-time 1700000000000 \
             pel-count 2 pending [[1-0 1700000000000 1]]] \
             [name b seen-time 1700000000100 active-time -1 pel-count 0 pending []]]]]]"
        );
        db.check_quiet("XINFO STREAM s FULL COUNT 1", &*full);
        let all = db.run("XINFO STREAM s FULL COUNT 0");
        assert!(all.contains("entries [[1-0 [f 1]] [2-0 [f 2]] [3-0 [f 3]]]"), "{all}");
        assert_eq!(all, db.run("XINFO STREAM s full"));
        db.run("XNACK s g FAIL IDS 1 1");
        let all = db.run("XINFO STREAM s FULL");
        assert!(
            all.contains("pending [[1-0  0 1] [2-0 a 1700000000000 1]]") && all.contains("nacked-count 1"),
            "{all}"
        );
        db.protocol = Protocol::Resp3;
        assert!(db.run_raw(&[b"XINFO", b"STREAM", b"s"]).starts_with(b"%10\r\n$6\r\nlength\r\n:3\r\n"));
        db.run("XTRIM s MAXLEN 0");
        assert!(db.run("XINFO STREAM s").ends_with("groups 1 first-entry nil last-entry nil]"));
    }

    #[test]
    fn groups_and_consumers_are_described() {
        let mut db = db();
        let group = "[[name g consumers 2 pending 2 last-delivered-id 2-0 entries-read 2 lag 1]]";
        db.check_quiet("XINFO GROUPS s", group);
        let consumers = "[[name a pending 2 idle 100 inactive 100] [name b pending 0 idle 0 inactive -1]]";
        db.check_quiet("XINFO CONSUMERS s g", consumers);
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let mut db = db();
        db.run("SET text x");
        let syntax = || Error::subcommand_syntax(b"STREAM", "XINFO");
        db.check_quiet("XINFO STREAM missing", Error::NO_SUCH_KEY);
        db.check_quiet("XINFO STREAM text", Error::WRONG_TYPE);
        db.check_quiet("XINFO STREAM text FOO", Error::WRONG_TYPE);
        db.check_quiet("XINFO STREAM s FOO", syntax());
        db.check_quiet("XINFO STREAM s FULL COUNT", syntax());
        db.check_quiet("XINFO STREAM s FULL FOO 1", syntax());
        db.check_quiet("XINFO STREAM s FULL COUNT x", Error::NOT_AN_INTEGER);
        db.check_quiet("XINFO GROUPS missing", Error::NO_SUCH_KEY);
        db.check_quiet("XINFO CONSUMERS missing g", Error::NO_SUCH_KEY);
        db.check_quiet("XINFO CONSUMERS s h", Error::no_group_of_key(b"s", b"h"));
    }
}
