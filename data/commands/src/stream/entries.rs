//! Reading entries: how many there are, and ranges of them.

use super::ids::{range_end, range_start, reply_id};
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::stream::Entry;
use ochre_values::{Collection, Stream, StreamId};

pub(super) const XLEN: Command = Command::new(Group::Stream, "XLEN", "key", xlen)
    .summary("Replies the number of entries of a stream.")
    .cost("O(1)")
    .since("5.0.0")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn xlen(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(data.read::<Stream>(&args.key())?.map_or(0, Collection::len));
    Ok(())
}

pub(super) const XRANGE: Command = Command::new(Group::Stream, "XRANGE", "key start end [COUNT count]", xrange)
    .summary("Replies the entries of a stream within a range of ids.")
    .cost("O(log(N)+M), N nodes of the stream, M entries replied")
    .since("5.0.0")
    .history(&[("6.2.0", "Bounds may be exclusive.")])
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

fn xrange(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (start, end) = (range_start(args)?, range_end(args)?);
    let count = read_count(args)?;
    match data.read::<Stream>(&key)? {
        None => reply.array(0),
        Some(_) if count == Some(0) => reply.null_array(),
        Some(stream) => reply_entries(reply, stream.range(start, end), count),
    }
    Ok(())
}

pub(super) const XREVRANGE: Command =
    Command::new(Group::Stream, "XREVRANGE", "key end start [COUNT count]", xrevrange)
        .summary("Replies the entries of a stream within a range of ids, the last one first.")
        .cost("O(log(N)+M), N nodes of the stream, M entries replied")
        .since("5.0.0")
        .history(&[("6.2.0", "Bounds may be exclusive.")])
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn xrevrange(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let end_at = args.position();
    args.seek(end_at + 1);
    let start = range_start(args)?;
    args.seek(end_at);
    let end = range_end(args)?;
    args.seek(end_at + 2);
    let count = read_count(args)?;
    match data.read::<Stream>(&key)? {
        None => reply.array(0),
        Some(_) if count == Some(0) => reply.null_array(),
        Some(stream) => reply_entries(reply, stream.range_rev(start, end), count),
    }
    Ok(())
}

/// Reads `[COUNT count]` up to the last word; a negative count is none at all.
fn read_count(args: &mut Args<'_>) -> Result<Option<usize>, Error> {
    let mut count = None;
    while args.remaining() > 0 {
        if args.remaining() < 2 || !args.option("COUNT") {
            return Err(Error::SYNTAX);
        }
        count = Some(args.int()?.max(0) as usize);
    }
    Ok(count)
}

/// Replies entries as an array, up to `count` of them.
pub(super) fn reply_entries<'a>(reply: &mut Reply<'_>, entries: impl Iterator<Item = Entry<'a>>, count: Option<usize>) {
    let mut replied = 0;
    let array = reply.array_deferred();
    for entry in entries.take(count.unwrap_or(usize::MAX)) {
        reply_entry(reply, &entry);
        replied += 1;
    }
    reply.set_len(array, replied);
}

/// Replies an entry: its id, and its fields and values by turns.
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: &Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply_pairs(reply, entry);
}

/// Replies the fields and values of an entry by turns.
pub(super) fn reply_pairs(reply: &mut Reply<'_>, entry: &Entry<'_>) {
    reply.array(entry.len() * 2);
    for (field, value) in entry.pairs() {
        reply_item(reply, field);
        reply_item(reply, value);
    }
}

/// The entry `id` of a stream, or what is replied in its place once it is deleted: its id, and null.
pub(super) fn reply_entry_or_null(reply: &mut Reply<'_>, stream: &Stream, id: StreamId) -> bool {
    match stream.get(id) {
        Some(entry) => {
            reply_entry(reply, &entry);
            true
        }
        None => {
            reply.array(2);
            reply_id(reply, id);
            reply.null_array();
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    fn db() -> Db {
        let mut db = Db::new();
        db.run("XADD s 1-1 a 1");
        db.run("XADD s 1-2 a 2 b x");
        db.run("XADD s 3 c 3");
        db
    }

    #[test]
    fn xlen_counts_entries() {
        let mut db = db();
        db.check_quiet("XLEN s", 3);
        db.check_quiet("XLEN missing", 0);
        db.run("SET text x");
        db.check_quiet("XLEN text", Error::WRONG_TYPE);
    }

    #[test]
    fn ranges_include_their_ends_unless_told_otherwise() {
        let mut db = db();
        let [one, two, three] = ["[1-1 [a 1]]", "[1-2 [a 2 b x]]", "[3-0 [c 3]]"];
        db.check_quiet("XRANGE s - +", &*format!("[{one} {two} {three}]"));
        db.check_quiet("XREVRANGE s + -", &*format!("[{three} {two} {one}]"));
        db.check_quiet("XRANGE s 1 1", &*format!("[{one} {two}]"));
        db.check_quiet("XREVRANGE s 1 1", &*format!("[{two} {one}]"));
        db.check_quiet("XRANGE s (1-1 (3-0", &*format!("[{two}]"));
        db.check_quiet("XREVRANGE s (3-0 (1-1", &*format!("[{two}]"));
        db.check_quiet("XRANGE s - + COUNT 2", &*format!("[{one} {two}]"));
        db.check_quiet("XREVRANGE s + - count 1", &*format!("[{three}]"));
        db.check_quiet("XRANGE s 2 2-5", "[]");
        db.check_quiet("XRANGE s + -", "[]");
        db.check_quiet("XRANGE s - + COUNT 0", Null);
        db.check_quiet("XREVRANGE s + - COUNT -1", Null);
        db.check_quiet("XRANGE missing - + COUNT 0", "[]");
    }

    #[test]
    fn ranges_judge_their_words_first() {
        let mut db = db();
        db.run("SET text x");
        db.check_quiet("XRANGE text x +", Error::STREAM_ID);
        db.check_quiet("XRANGE text (18446744073709551615-18446744073709551615 +", Error::STREAM_RANGE_START);
        db.check_quiet("XRANGE text - (0-0", Error::STREAM_RANGE_END);
        db.check_quiet("XRANGE text - (-", Error::STREAM_ID);
        db.check_quiet("XREVRANGE text (0-0 -", Error::STREAM_RANGE_END);
        db.check_quiet("XREVRANGE text x (18446744073709551615-18446744073709551615", Error::STREAM_RANGE_START);
        db.check_quiet("XRANGE text - + COUNT", Error::SYNTAX);
        db.check_quiet("XRANGE text - + COUNT x", Error::NOT_AN_INTEGER);
        db.check_quiet("XRANGE text - + LIMIT 1", Error::SYNTAX);
        db.check_quiet("XRANGE text - +", Error::WRONG_TYPE);
    }
}
