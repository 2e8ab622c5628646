//! Pending entries change hands: XCLAIM and XAUTOCLAIM.

use super::entries::reply_entry;
use super::ids::{parse_id, range_start, reply_id};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_text::number;
use ochre_values::stream::ConsumerNumber;
use ochre_values::{Stream, StreamId};

/// An entry that a consumer has got, as the log has it: a claim that is always fulfilled and replies no entry.
pub(super) struct Claimed<'a> {
    pub(super) key: &'a [u8],
    pub(super) group: &'a [u8],
    pub(super) consumer: &'a [u8],
    pub(super) id: StreamId,
    pub(super) delivered_ms: u64,
    pub(super) deliveries: u64,
}

impl Claimed<'_> {
    /// Logs the claim; `last_id` is how far the group has read.
    pub(super) fn log(&self, data: &mut Locked<'_>, last_id: Option<StreamId>) {
        let (mut id, mut last) = ([0; StreamId::TEXT_LEN_MAX], [0; StreamId::TEXT_LEN_MAX]);
        let (time, deliveries) = (self.delivered_ms.to_string(), self.deliveries.to_string());
        data.log(&[
            b"XCLAIM",
            self.key,
            self.group,
            self.consumer,
            b"0",
            self.id.format(&mut id),
            b"TIME",
            time.as_bytes(),
            b"RETRYCOUNT",
            deliveries.as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            last_id.unwrap_or_default().format(&mut last),
        ]);
    }
}

/// Logs that entries which do not exist any more are pending no longer.
pub(super) fn log_lost(data: &mut Locked<'_>, key: &[u8], group: &[u8], ids: &[StreamId]) {
    let ids: Vec<Vec<u8>> = ids.iter().map(|id| id.to_vec()).collect();
    let mut words: Vec<&[u8]> = vec![b"XACK", key, group];
    words.extend(ids.iter().map(Vec::as_slice));
    data.log(&words);
}

/// Logs how far a group has read.
pub(super) fn log_progress(
    data: &mut Locked<'_>,
    key: &[u8],
    group: &[u8],
    last_id: StreamId,
    entries_read: Option<u64>,
) {
    let read = entries_read.map_or_else(|| "-1".to_owned(), |read| read.to_string());
    data.log(&[b"XGROUP", b"SETID", key, group, &last_id.to_vec(), b"ENTRIESREAD", read.as_bytes()]);
}

pub(super) const XCLAIM: Command = Command::new(
    Group::Stream,
    "XCLAIM",
    "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] \
     [JUSTID] [LASTID lastid]",
    xclaim,
)
.summary("Gives pending entries of a group to a consumer, whoever had them before.")
.cost("O(log(N)) for each id, N pending entries")
.since("5.0.0")
.keys(&[KeySpec::at(1, RW | UPDATE)])
.flags(WRITE | FAST)
.tips(&["nondeterministic_output"]);

/// The options of XCLAIM.
#[derive(Default)]
struct ClaimOptions {
    delivered_ms: Option<i64>,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

impl ClaimOptions {
    fn read(args: &mut Args<'_>, now_ms: u64) -> Result<Self, Error> {
        let invalid = |name: &str| Error::text(format!("ERR Invalid {name} option argument for XCLAIM"));
        let mut options = ClaimOptions::default();
        while let Some(word) = args.peek() {
            let has_value = args.remaining() >= 2;
            let int = |args: &mut Args<'_>, name: &str| number::parse_i64(args.word()).ok_or_else(|| invalid(name));
            if args.option("FORCE") {
                options.force = true;
            } else if args.option("JUSTID") {
                options.just_id = true;
            } else if has_value && args.option("IDLE") {
                options.delivered_ms = Some((now_ms as i64).wrapping_sub(int(args, "IDLE")?));
            } else if has_value && args.option("TIME") {
                options.delivered_ms = Some(int(args, "TIME")?);
            } else if has_value && args.option("RETRYCOUNT") {
                options.deliveries = u64::try_from(int(args, "RETRYCOUNT")?).ok();
            } else if has_value && args.option("LASTID") {
                options.last_id = parse_id(args.word(), 0)?;
            } else {
                let word = String::from_utf8_lossy(word);
                return Err(Error::text(format!("ERR Unrecognized XCLAIM option '{word}'")));
            }
        }
        Ok(options)
    }
}

fn xclaim(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, group, consumer) = (args.key(), args.word(), args.word());
    require_group(data, &key, group)?;
    let min_idle_ms = min_idle(args, "XCLAIM")?;
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(|word| parse_id(word, 0).ok()) {
        args.word();
        ids.push(id);
    }
    let now_ms = data.now_ms();
    let options = ClaimOptions::read(args, now_ms)?;
    // A time that lies ahead, or before the beginning, is now.
    let delivered_ms = options.delivered_ms.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms <= now_ms);
    let mut stream = data.edit::<Stream>(&key)?.expect("the group was found in it");
    let mut claimer = Claimer::begin(&mut stream, key, group, consumer, now_ms);
    claimer.just_id = options.just_id;
    claimer.delivered_ms = delivered_ms.unwrap_or(now_ms);
    let own = stream.group_mut(group).expect("it was found");
    let moved_on = options.last_id > own.last_id;
    own.last_id = own.last_id.max(options.last_id);
    let (last_id, entries_read) = (own.last_id, own.entries_read);
    for id in ids {
        claimer.claim(&mut stream, id, min_idle_ms, options.force, options.deliveries);
    }
    claimer.reply(&stream, reply);
    stream.finish();
    claimer.finish(data, last_id);
    if moved_on && claimer.claimed.is_empty() {
        data.effects.changes += 1;
        log_progress(data, key.bytes(), group, last_id, entries_read);
    }
    Ok(())
}

pub(super) const XAUTOCLAIM: Command = Command::new(
    Group::Stream,
    "XAUTOCLAIM",
    "key group consumer min-idle-time start [COUNT count] [JUSTID]",
    xautoclaim,
)
.summary("Gives pending entries of a group that have been idle for long to a consumer, in the order of their ids.")
.cost("O(COUNT)")
.since("6.2.0")
.history(&[("7.0.0", "Entries that were deleted are taken from what is pending, and listed in the reply.")])
.keys(&[KeySpec::at(1, RW | DELETE)])
.flags(WRITE | FAST)
.tips(&["nondeterministic_output"]);

/// XAUTOCLAIM looks at so many pending entries for each that it may claim.
const LOOKS_PER_CLAIM: usize = 10;
const CLAIMS: usize = 100;

fn xautoclaim(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, group, consumer) = (args.key(), args.word(), args.word());
    let min_idle_ms = min_idle(args, "XAUTOCLAIM")?;
    let start = range_start(args)?;
    let (mut count, mut just_id) = (CLAIMS, false);
    while args.remaining() > 0 {
        if args.remaining() >= 2 && args.option("COUNT") {
            // As in the peers, whose memory would not hold so many ids.
            const COUNT_MAX: i64 = i64::MAX / 16;
            count = usize::try_from(args.int_from(1, Error::STREAM_COUNT)?).unwrap_or(usize::MAX);
            if count > COUNT_MAX as usize {
                return Err(Error::STREAM_COUNT);
            }
        } else if args.option("JUSTID") {
            just_id = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    require_group(data, &key, group)?;
    let now_ms = data.now_ms();
    let mut stream = data.edit::<Stream>(&key)?.expect("the group was found in it");
    let mut claimer = Claimer::begin(&mut stream, key, group, consumer, now_ms);
    claimer.just_id = just_id;
    let last_id = stream.group(group).expect("it was found").last_id;
    let mut next = Some(start);
    let pending_from = |stream: &Stream, from: Option<StreamId>| {
        let group = stream.group(group).expect("it was found");
        from.and_then(|from| Some(group.pending(from..).next()?.0))
    };
    for _ in 0..count.saturating_mul(LOOKS_PER_CLAIM) {
        if claimer.claimed.len() + claimer.lost.len() == count {
            break;
        }
        let Some(id) = pending_from(&stream, next) else {
            next = None;
            break;
        };
        next = id.next();
        claimer.claim(&mut stream, id, min_idle_ms, false, None);
    }
    reply.array(3);
    reply_id(reply, pending_from(&stream, next).unwrap_or_default());
    claimer.reply(&stream, reply);
    stream.finish();
    reply.array(claimer.lost.len());
    claimer.lost.iter().for_each(|id| reply_id(reply, *id));
    claimer.finish(data, last_id);
    Ok(())
}

/// # Errors
/// When there is no stream at `key`, or it has no such group.
fn require_group(data: &Locked<'_>, key: &Key<'_>, group: &[u8]) -> Result<(), Error> {
    match data.read::<Stream>(key)?.and_then(|stream| stream.group(group)) {
        Some(_) => Ok(()),
        None => Err(Error::no_group(key.bytes(), group, "")),
    }
}

/// The next word as an idle time, ms; a negative one is none.
fn min_idle(args: &mut Args<'_>, command: &str) -> Result<u64, Error> {
    let error = || Error::text(format!("ERR Invalid min-idle-time argument for {command}"));
    Ok(number::parse_i64(args.word()).ok_or_else(error)?.max(0) as u64)
}

/// Entries on their way to a consumer.
struct Claimer<'a> {
    key: Key<'a>,
    group: &'a [u8],
    consumer: &'a [u8],
    number: ConsumerNumber,
    is_new_consumer: bool,
    now_ms: u64,
    /// When the entries count as delivered.
    delivered_ms: u64,
    /// Only ids are replied, and that is no delivery.
    just_id: bool,
    claimed: Vec<(StreamId, u64)>,
    /// What was pending and does not exist any more.
    lost: Vec<StreamId>,
}

impl<'a> Claimer<'a> {
    /// Finds the consumer, or makes it.
    fn begin(stream: &mut Stream, key: Key<'a>, group: &'a [u8], consumer: &'a [u8], now_ms: u64) -> Self {
        let own = stream.group_mut(group).expect("the caller found it");
        let known = own.find_consumer(consumer);
        let number = match known {
            Some(number) => number,
            None => own.create_consumer(consumer, now_ms).expect("there is none of this name"),
        };
        own.consumer_mut(number).seen_ms = now_ms;
        let (claimed, lost) = (Vec::new(), Vec::new());
        let is_new_consumer = known.is_none();
        Claimer {
            key,
            group,
            consumer,
            number,
            is_new_consumer,
            now_ms,
            delivered_ms: now_ms,
            just_id: false,
            claimed,
            lost,
        }
    }

    /// Claims the entry `id` if it is pending and has been idle long enough, or nobody had it and `force` is set.
    fn claim(&mut self, stream: &mut Stream, id: StreamId, min_idle_ms: u64, force: bool, deliveries: Option<u64>) {
        let exists = stream.contains(id);
        let own = stream.group_mut(self.group).expect("the caller found it");
        let pending = own.pending_of(id).copied();
        if !exists {
            if own.acknowledge(id) {
                self.lost.push(id);
            }
            return;
        }
        let before = match pending {
            Some(pending) if pending.idle_ms(self.now_ms) < min_idle_ms => return,
            Some(pending) => pending.deliveries,
            None if force => 1,
            None => return,
        };
        let deliveries = deliveries.unwrap_or(if self.just_id { before } else { before.saturating_add(1) });
        own.assign(id, self.number, self.delivered_ms, deliveries);
        own.consumer_mut(self.number).active_ms = Some(self.now_ms);
        self.claimed.push((id, deliveries));
    }

    /// Replies what was claimed: entries, or ids.
    fn reply(&self, stream: &Stream, reply: &mut Reply<'_>) {
        reply.array(self.claimed.len());
        for (id, _) in &self.claimed {
            match stream.get(*id) {
                Some(entry) if !self.just_id => reply_entry(reply, &entry),
                _ => reply_id(reply, *id),
            }
        }
    }

    /// Tells and logs what has changed; `last_id` is how far the group has read.
    fn finish(&self, data: &mut Locked<'_>, last_id: StreamId) {
        let key = self.key.bytes();
        data.effects.changes += (self.claimed.len() + self.lost.len() + usize::from(self.is_new_consumer)) as u64;
        if self.is_new_consumer {
            data.event(Class::STREAM, "xgroup-createconsumer", &self.key);
        }
        if !data.log_wanted() {
            return data.log_nothing();
        }
        if self.is_new_consumer && self.claimed.is_empty() {
            data.log(&[b"XGROUP", b"CREATECONSUMER", key, self.group, self.consumer]);
        }
        if !self.lost.is_empty() {
            log_lost(data, key, self.group, &self.lost);
        }
        for (id, deliveries) in &self.claimed {
            let (group, consumer, delivered_ms) = (self.group, self.consumer, self.delivered_ms);
            Claimed { key, group, consumer, id: *id, delivered_ms, deliveries: *deliveries }.log(data, Some(last_id));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::stream::with_three_entries;
    use crate::testing::Db;

    /// Entries 1 to 3, the first two pending with `a` for 100 ms.
    fn db() -> Db {
        let mut db = with_three_entries();
        db.run("XGROUP CREATE s g 0");
        db.run("XREADGROUP GROUP g a COUNT 2 STREAMS s >");
        db.sleep_ms(100);
        db
    }

    #[test]
    fn xclaim_takes_what_has_been_idle() {
        let mut db = db();
        db.check("XCLAIM s g b 50 1 3", "[[1-0 [f 1]]]");
        assert_eq!((db.events(), db.effects.changes), (vec!["xgroup-createconsumer s".into()], 2));
        let claim = "XCLAIM s g b 0 1-0 TIME 1700000000100 RETRYCOUNT 2 FORCE JUSTID LASTID 2-0";
        assert_eq!(db.logged(), claim);
        db.check_quiet("XCLAIM s g b 50 1", "[]");
        db.check("XCLAIM s g b 0 1 1", "[[1-0 [f 1]] [1-0 [f 1]]]");
        db.check("XPENDING s g - + 10", "[[1-0 b 0 4] [2-0 a 100 1]]");
        db.check("XCLAIM s g a -5 1 JUSTID", "[1-0]");
        db.check("XPENDING s g - + 10 a", "[[1-0 a 0 4] [2-0 a 100 1]]");
    }

    #[test]
    fn xclaim_can_say_everything_about_a_delivery() {
        let mut db = db();
        db.check("XCLAIM s g b 0 1 IDLE 30 RETRYCOUNT 9", "[[1-0 [f 1]]]");
        db.check("XPENDING s g - + 1", "[[1-0 b 30 9]]");
        db.check("XCLAIM s g b 0 1 TIME 1700000000050 JUSTID", "[1-0]");
        db.check("XPENDING s g - + 1", "[[1-0 b 50 9]]");
        db.check("XCLAIM s g b 0 1 TIME 1800000000000 RETRYCOUNT -1 JUSTID", "[1-0]");
        db.check("XPENDING s g - + 1", "[[1-0 b 0 9]]");
        db.check("XCLAIM s g b 0 3 FORCE", "[[3-0 [f 3]]]");
        db.check("XPENDING s g 3 3 1", "[[3-0 b 0 2]]");
        db.check_quiet("XCLAIM s g b 0 9 FORCE", "[]");
        db.check("XCLAIM s g b 0 9 LASTID 8", "[]");
        assert_eq!((db.logged(), db.effects.changes), ("XGROUP SETID s g 8-0 ENTRIESREAD 2".into(), 1));
        db.check_quiet("XCLAIM s g b 0 9 LASTID 7", "[]");
    }

    #[test]
    fn a_consumer_is_made_even_if_it_gets_nothing() {
        let mut db = db();
        db.check("XCLAIM s g new 1000 1", "[]");
        assert_eq!(
            (db.events(), db.logged()),
            (vec!["xgroup-createconsumer s".into()], "XGROUP CREATECONSUMER s g new".into())
        );
        db.check("XAUTOCLAIM s g newer 1000 -", "[0-0 [] []]");
        assert_eq!(db.logged(), "XGROUP CREATECONSUMER s g newer");
    }

    #[test]
    fn entries_that_are_gone_are_pending_no_longer() {
        let mut db = db();
        db.run("XDEL s 1");
        db.check("XCLAIM s g a 0 1", "[]");
        assert_eq!((db.logged(), db.effects.changes), ("XACK s g 1-0".into(), 1));
        db.check("XPENDING s g - + 10", "[[2-0 a 100 1]]");
        db.run("XDEL s 2");
        db.check("XAUTOCLAIM s g a 1000 -", "[0-0 [] [2-0]]");
        assert_eq!(db.logged(), "XACK s g 2-0");
        db.check_quiet("XPENDING s g - + 10", "[]");
    }

    #[test]
    fn xautoclaim_goes_through_what_is_pending() {
        let mut db = db();
        db.check("XAUTOCLAIM s g b 50 - COUNT 1", "[2-0 [[1-0 [f 1]]] []]");
        db.check("XAUTOCLAIM s g b 50 2 COUNT 1 JUSTID", "[0-0 [2-0] []]");
        assert_eq!(db.logged(), "XCLAIM s g b 0 2-0 TIME 1700000000100 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0");
        db.check_quiet("XAUTOCLAIM s g b 50 -", "[0-0 [] []]");
        db.check("XAUTOCLAIM s g a 0 (1", "[0-0 [[2-0 [f 2]]] []]");
        db.check("XPENDING s g - + 10", "[[1-0 b 0 2] [2-0 a 0 2]]");
        for n in 10..40 {
            db.run(&format!("XADD s {n} f v"));
        }
        db.run("XREADGROUP GROUP g a STREAMS s >");
        // Ten are looked at for each that may be claimed.
        db.check_quiet("XAUTOCLAIM s g a 1000 - COUNT 1", "[17-0 [] []]");
    }

    #[test]
    fn words_are_judged_in_the_order_of_the_peers() {
        let mut db = db();
        db.run("SET text x");
        let invalid = |name: &str| Error::text(format!("ERR Invalid {name} argument for XCLAIM"));
        let unknown = |word: &str| Error::text(format!("ERR Unrecognized XCLAIM option '{word}'"));
        for (words, error) in [
            ("text g b x 1", Error::WRONG_TYPE),
            ("missing g b x 1", Error::no_group(b"missing", b"g", "")),
            ("s h b x 1", Error::no_group(b"s", b"h", "")),
            ("s g b x 1", invalid("min-idle-time")),
            ("s g b 0 x", unknown("x")),
            ("s g b 0 1 IDLE", unknown("IDLE")),
            ("s g b 0 1 FORCE 2", unknown("2")),
            ("s g b 0 1 IDLE x", invalid("IDLE option")),
            ("s g b 0 1 TIME x", invalid("TIME option")),
            ("s g b 0 1 RETRYCOUNT x", invalid("RETRYCOUNT option")),
            ("s g b 0 1 LASTID x", Error::STREAM_ID),
        ] {
            db.check_quiet(&format!("XCLAIM {words}"), error);
        }
        for (words, error) in [
            ("missing g b x 0", Error::text("ERR Invalid min-idle-time argument for XAUTOCLAIM")),
            ("missing g b 0 x", Error::STREAM_ID),
            ("missing g b 0 0 COUNT 0", Error::STREAM_COUNT),
            ("missing g b 0 0 COUNT 576460752303423488", Error::STREAM_COUNT),
            ("missing g b 0 0 COUNT", Error::SYNTAX),
            ("missing g b 0 0", Error::no_group(b"missing", b"g", "")),
            ("text g b 0 0", Error::WRONG_TYPE),
        ] {
            db.check_quiet(&format!("XAUTOCLAIM {words}"), error);
        }
        db.check_quiet("XINFO GROUPS s", "[[name g consumers 1 pending 2 last-delivered-id 2-0 entries-read 2 lag 1]]");
    }
}
