//! What was delivered and not acknowledged: XACK, XNACK and XPENDING.

use super::deletion::counted_ids;
use super::ids::{parse_ids, range_end, range_start, reply_id};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::stream::{Group as StreamGroup, Pending};
use ochre_values::{Stream, StreamId};

pub(super) const XACK: Command = Command::new(Group::Stream, "XACK", "key group id [id ...]", xack)
    .summary("Takes entries from what is pending with a group; replies how many were.")
    .cost("O(log(N)) for each id, N pending entries")
    .since("5.0.0")
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .flags(WRITE | FAST);

fn xack(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name) = (args.key(), args.word());
    let mut acknowledged = 0;
    if let Some(mut stream) = data.edit::<Stream>(&key)?
        && let Some(group) = stream.group_mut(name)
    {
        let ids = parse_ids(args.rest())?;
        acknowledged = ids.into_iter().filter(|id| group.acknowledge(*id)).count();
    }
    data.effects.changes += acknowledged as u64;
    reply.count(acknowledged);
    Ok(())
}

pub(super) const XNACK: Command = Command::new(
    Group::Stream,
    "XNACK",
    "key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]",
    xnack,
)
.summary("Gives pending entries back to the group, for the next consumer that claims some; replies how many.")
.cost("O(log(N)) for each id, N pending entries")
.since("8.8.0")
.keys(&[KeySpec::at(1, RW | UPDATE)])
.flags(WRITE | FAST);

/// What giving an entry back says about its deliveries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It does not count as one.
    Silent,
    /// It counts.
    Fail,
    /// It must never be delivered again.
    Fatal,
}

fn xnack(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name) = (args.key(), args.word());
    let failure = if args.option("SILENT") {
        Failure::Silent
    } else if args.option("FAIL") {
        Failure::Fail
    } else if args.option("FATAL") {
        Failure::Fatal
    } else {
        return Err(Error::STREAM_NACK_MODE);
    };
    let (mut ids, mut deliveries, mut force) = (None, None, false);
    while args.remaining() > 0 {
        if args.remaining() >= 2 && args.option("IDS") {
            ids = Some(counted_ids(args)?);
        } else if args.remaining() >= 2 && args.option("RETRYCOUNT") {
            deliveries = Some(args.int_from(0, Error::STREAM_NACK_RETRYCOUNT)? as u64);
        } else if args.option("FORCE") {
            force = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let ids = ids.ok_or(Error::SYNTAX)?;
    let mut released = Vec::new();
    {
        let stream = data.edit::<Stream>(&key)?;
        let stream = stream.filter(|stream| stream.group(name).is_some());
        let mut stream = stream.ok_or_else(|| Error::no_group(key.bytes(), name, ""))?;
        for id in ids {
            let exists = force && stream.contains(id);
            let group = stream.group_mut(name).expect("it was found");
            let before = match group.pending_of(id) {
                Some(pending) => pending.deliveries,
                None if exists => 0,
                None => continue,
            };
            let deliveries = deliveries.unwrap_or(match failure {
                Failure::Silent => before.saturating_sub(1),
                Failure::Fail => before,
                Failure::Fatal => i64::MAX as u64,
            });
            group.release(id, deliveries);
            released.push((id, deliveries));
        }
    }
    if !released.is_empty() {
        data.effects.changes += released.len() as u64;
        // Who waits to claim something need wait no longer.
        data.note_ready(&key);
    }
    for (id, deliveries) in &released {
        let (id, deliveries) = (id.to_vec(), deliveries.to_string());
        let count = deliveries.as_bytes();
        data.log(&[b"XNACK", key.bytes(), name, b"FAIL", b"IDS", b"1", &id, b"RETRYCOUNT", count, b"FORCE"]);
    }
    reply.count(released.len());
    Ok(())
}

pub(super) const XPENDING: Command =
    Command::new(Group::Stream, "XPENDING", "key group [[IDLE min-idle-time] start end count [consumer]]", xpending)
        .summary(
            "Replies what was delivered to consumers of a group and not acknowledged: in short, or entry by entry.",
        )
        .cost("O(log(N)+M), N pending entries, M of them looked at; in short O(M), M consumers")
        .since("5.0.0")
        .history(&[("6.2.0", "`IDLE`, and exclusive bounds.")])
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .tips(&["nondeterministic_output"]);

fn xpending(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name) = (args.key(), args.word());
    let listing = match args.remaining() {
        0 => None,
        // The peers count the words alone, so one may be left over behind the consumer.
        3..=6 => Some(Listing::read(args)?),
        _ => return Err(Error::SYNTAX),
    };
    let group = data.read::<Stream>(&key)?.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| Error::no_group(key.bytes(), name, ""))?;
    match listing {
        None => reply_summary(reply, group),
        Some(listing) => listing.reply(reply, group, data.now_ms()),
    }
    Ok(())
}

/// Replies how much is pending, from which id to which, and with whom.
fn reply_summary(reply: &mut Reply<'_>, group: &StreamGroup) {
    reply.array(4);
    reply.count(group.pending_len());
    let (mut first, mut last) = (group.pending(..), group.pending(..));
    let Some(((first, _), (last, _))) = first.next().zip(last.next_back()) else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let busy = || group.consumers().filter(|consumer| consumer.pending_len() > 0);
    reply.array(busy().count());
    for consumer in busy() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_i64(consumer.pending_len() as i64);
    }
}

/// What is asked for entry by entry.
struct Listing<'a> {
    idle_ms: u64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Listing<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, Error> {
        let mut idle_ms = 0;
        if args.option("IDLE") {
            idle_ms = args.int()?.max(0) as u64;
            if args.remaining() < 3 {
                return Err(Error::SYNTAX);
            }
        }
        // The count is judged before the ids.
        let start_at = args.position();
        args.seek(start_at + 2);
        let count = args.int()?.max(0) as usize;
        let consumer = args.next();
        args.seek(start_at);
        let (start, end) = (range_start(args)?, range_end(args)?);
        Ok(Listing { idle_ms, start, end, count, consumer })
    }

    fn reply(&self, reply: &mut Reply<'_>, group: &StreamGroup, now_ms: u64) {
        let wanted = |pending: &Pending| pending.idle_ms(now_ms) >= self.idle_ms;
        let range = self.start..=self.end;
        let array = reply.array_deferred();
        let mut replied = 0;
        let mut write = |id: StreamId, pending: &Pending| {
            reply.array(4);
            reply_id(reply, id);
            let owner = pending.consumer().map(|number| group.consumer(number));
            reply.bulk(owner.map_or(b"", |consumer| consumer.name()));
            reply.integer(owner.map_or(-1, |_| i64::try_from(pending.idle_ms(now_ms)).unwrap_or(i64::MAX)));
            reply.integer(i64::try_from(pending.deliveries).unwrap_or(i64::MAX));
            replied += 1;
        };
        if self.start > self.end {
            // Nothing lies there.
        } else if let Some(consumer) = self.consumer {
            if let Some(number) = group.find_consumer(consumer) {
                let own = group.consumer(number).pending(range).filter_map(|id| Some((id, group.pending_of(id)?)));
                own.filter(|(_, pending)| wanted(pending))
                    .take(self.count)
                    .for_each(|(id, pending)| write(id, pending));
            }
        } else {
            let all = group.pending(range).filter(|(_, pending)| wanted(pending));
            all.take(self.count).for_each(|(id, pending)| write(id, pending));
        }
        reply.set_len(array, replied);
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    /// Entries 1 to 4: 1 and 2 pending with `a` for 100 ms, 3 with `b` since now.
    fn db() -> Db {
        let mut db = Db::new();
        for n in 1..=4 {
            db.run(&format!("XADD s {n} f {n}"));
        }
        db.run("XGROUP CREATE s g 0");
        db.run("XREADGROUP GROUP g a COUNT 2 STREAMS s >");
        db.sleep_ms(100);
        db.run("XREADGROUP GROUP g b COUNT 1 STREAMS s >");
        db
    }

    #[test]
    fn xack_replies_how_many_were_pending() {
        let mut db = db();
        db.check("XACK s g 1 1 3 9", 2);
        assert_eq!((db.events().len(), db.effects.changes, db.logged().as_str()), (0, 2, "verbatim"));
        db.check_quiet("XACK s g 1", 0);
        db.check_quiet("XACK s h x", 0);
        db.check_quiet("XACK missing g x", 0);
        db.check_quiet("XACK s g 2 x", Error::STREAM_ID);
        db.run("SET text x");
        db.check_quiet("XACK text g x", Error::WRONG_TYPE);
        db.check_quiet("XPENDING s g - + 10", "[[2-0 a 100 1]]");
    }

    #[test]
    fn xpending_says_in_short_what_is_pending() {
        let mut db = db();
        db.check_quiet("XPENDING s g", "[3 1-0 3-0 [[a 2] [b 1]]]");
        db.run("XACK s g 1 2 3");
        db.check_quiet("XPENDING s g", "[0 nil nil nil]");
        assert_eq!(db.run_raw(&[b"XPENDING", b"s", b"g"]), b"*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
    }

    #[test]
    fn xpending_lists_what_is_pending() {
        let mut db = db();
        db.check_quiet("XPENDING s g - + 10", "[[1-0 a 100 1] [2-0 a 100 1] [3-0 b 0 1]]");
        db.check_quiet("XPENDING s g (1 3 10", "[[2-0 a 100 1] [3-0 b 0 1]]");
        db.check_quiet("XPENDING s g - + 1", "[[1-0 a 100 1]]");
        db.check_quiet("XPENDING s g + - 10", "[]");
        db.check_quiet("XPENDING s g - + 10 b", "[[3-0 b 0 1]]");
        db.check_quiet("XPENDING s g + - 10 b", "[]");
        db.check_quiet("XPENDING s g - + 10 nobody", "[]");
        db.check_quiet("XPENDING s g IDLE 50 - + 10", "[[1-0 a 100 1] [2-0 a 100 1]]");
        db.check_quiet("XPENDING s g IDLE 101 - + 10 a", "[]");
        db.check_quiet("XPENDING s g - + -5", "[]");
    }

    #[test]
    fn xpending_judges_its_words_first() {
        let mut db = db();
        for (words, error) in [
            ("missing g a", Error::SYNTAX),
            ("missing g - +", Error::SYNTAX),
            ("missing g IDLE 5 - +", Error::SYNTAX),
            ("missing g IDLE x - + 5", Error::NOT_AN_INTEGER),
            ("missing g x + x", Error::NOT_AN_INTEGER),
            ("missing g IDLE 5 - + 5 c d", Error::SYNTAX),
            ("missing g - + 5 c d", Error::no_group(b"missing", b"g", "")),
            ("missing g x + 5", Error::STREAM_ID),
            ("missing g - (0-0 5", Error::STREAM_RANGE_END),
            ("missing g", Error::no_group(b"missing", b"g", "")),
            ("s h", Error::no_group(b"s", b"h", "")),
        ] {
            db.check_quiet(&format!("XPENDING {words}"), error);
        }
    }

    #[test]
    fn xnack_gives_entries_back() {
        let mut db = db();
        db.check("XNACK s g FAIL IDS 2 1 9", 1);
        assert_eq!(db.logged(), "XNACK s g FAIL IDS 1 1-0 RETRYCOUNT 1 FORCE");
        db.check("XNACK s g SILENT IDS 1 2", 1);
        db.check("XNACK s g FATAL IDS 1 3", 1);
        db.check_quiet("XPENDING s g - + 10", "[[1-0  -1 1] [2-0  -1 0] [3-0  -1 9223372036854775807]]");
        db.check_quiet("XPENDING s g", "[3 1-0 3-0 []]");
        db.check_quiet("XREADGROUP GROUP g a STREAMS s 0", "[[s []]]");
        db.check("XNACK s g FAIL RETRYCOUNT 5 IDS 1 1", 1);
        db.check("XCLAIM s g a 100000 1", "[[1-0 [f 1]]]");
        db.check_quiet("XPENDING s g - + 1", "[[1-0 a 0 6]]");
        db.check_quiet("XNACK s g FAIL IDS 1 4", 0);
        db.check("XNACK s g FAIL IDS 1 4 FORCE", 1);
        db.check_quiet("XPENDING s g 4 + 1", "[[4-0  -1 0]]");
        db.check_quiet("XNACK s g FAIL IDS 1 99 FORCE", 0);
        db.check("XACK s g 2", 1);
    }

    #[test]
    fn xnack_judges_its_words_first() {
        let mut db = db();
        for (words, error) in [
            ("missing g LOUD IDS 1 1 x", Error::STREAM_NACK_MODE),
            ("missing g FAIL IDS 0 1 x", Error::STREAM_NUMIDS),
            ("missing g FAIL IDS 3 1 2", Error::STREAM_NUMIDS_MATCH),
            ("missing g FAIL IDS 2 1 x", Error::STREAM_ID),
            ("missing g FAIL IDS 1 1 x", Error::SYNTAX),
            ("missing g FAIL FORCE RETRYCOUNT 1", Error::SYNTAX),
            ("missing g FAIL IDS 1 1 RETRYCOUNT x", Error::STREAM_NACK_RETRYCOUNT),
            ("missing g FAIL IDS 1 1 FORCE", Error::no_group(b"missing", b"g", "")),
            ("s h FAIL IDS 1 1 FORCE", Error::no_group(b"s", b"h", "")),
        ] {
            db.check_quiet(&format!("XNACK {words}"), error);
        }
    }
}
