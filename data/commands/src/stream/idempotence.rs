//! Messages that are added once although they are sent twice: the options of XADD, XCFGSET and XIDMPRECORD.

use super::ids::parse_id;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_resp::Args as Words;
use ochre_values::{Stream, StreamId};

/// What XADD is told about the producer of a message.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    producer: Option<&'a [u8]>,
    /// The producer's own id of the message; made from its content when not given.
    id: Option<&'a [u8]>,
    /// The words that say so.
    pub(super) words: std::ops::Range<usize>,
}

impl<'a> Message<'a> {
    /// Reads the next option if it is IDMP or IDMPAUTO.
    pub(super) fn read(&mut self, args: &mut Args<'a>) -> Result<bool, Error> {
        let from = args.position();
        let has_id = args.remaining() >= 3 && args.option("IDMP");
        if !(has_id || (args.remaining() >= 2 && args.option("IDMPAUTO"))) {
            return Ok(false);
        }
        if self.producer.is_some() {
            return Err(Error::STREAM_TWO_PRODUCERS);
        }
        self.producer = Some(args.word());
        self.id = has_id.then(|| args.word());
        self.words = from..args.position();
        if self.producer == Some(b"") || self.id == Some(b"") {
            return Err(Error::STREAM_EMPTY_PRODUCER);
        }
        Ok(true)
    }

    /// Whether XADD was told about a producer.
    pub(super) fn is_given(&self) -> bool {
        self.producer.is_some()
    }

    /// The producer and its id of the message with these fields and values.
    pub(super) fn identity(&self, fields: Words<'_>) -> Option<(&'a [u8], Vec<u8>)> {
        let producer = self.producer?;
        Some((producer, self.id.map_or_else(|| content_id(fields), <[u8]>::to_vec)))
    }
}

/// An id for messages of this content, whatever the order of the fields: no two contents have the same.
fn content_id(fields: Words<'_>) -> Vec<u8> {
    let mut sum = 0u128;
    for at in (0..fields.len()).step_by(2) {
        let (field, value) = (fields.at(at), fields.at(at + 1));
        let pair = [&(field.len() as u64).to_le_bytes(), field, value].concat();
        let digest = ochre_digest::sha256(&pair);
        let half = digest[..16].try_into().expect("a digest has 32 bytes");
        sum = sum.wrapping_add(u128::from_le_bytes(half));
    }
    sum.to_le_bytes().to_vec()
}

/// Logs that the entry `id` is a producer's message.
pub(super) fn log_record(data: &mut Locked<'_>, key: &Key<'_>, producer: &[u8], message: &[u8], id: StreamId) {
    let mut text = [0; StreamId::TEXT_LEN_MAX];
    data.log(&[b"XIDMPRECORD", key.bytes(), producer, message, id.format(&mut text)]);
}

pub(super) const XCFGSET: Command =
    Command::new(Group::Stream, "XCFGSET", "key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]", xcfgset)
        .summary("Says for how long, and how many of, a producer's messages are remembered.")
        .cost("O(1)")
        .since("8.6.0")
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | FAST);

fn xcfgset(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (mut duration_s, mut messages_max) = (None, None);
    while args.remaining() > 0 {
        let within =
            |value: i64, most: i64, error: Error| if (1..=most).contains(&value) { Ok(value) } else { Err(error) };
        if args.remaining() >= 2 && args.option("IDMP-DURATION") {
            duration_s = Some(within(args.int()?, DURATION_S_MAX, Error::STREAM_IDMP_DURATION)? as u64);
        } else if args.remaining() >= 2 && args.option("IDMP-MAXSIZE") {
            messages_max = Some(within(args.int()?, MESSAGES_MAX, Error::STREAM_IDMP_MAXSIZE)? as usize);
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if duration_s.is_none() && messages_max.is_none() {
        return Err(Error::SYNTAX);
    }
    let mut stream = data.edit::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
    let producers = stream.producers_mut();
    let (duration_s, messages_max) =
        (duration_s.unwrap_or(producers.duration_s()), messages_max.unwrap_or(producers.messages_max()));
    producers.configure(duration_s, messages_max);
    stream.finish();
    data.changed(&key, Class::STREAM, "xcfgset");
    reply.ok();
    Ok(())
}

pub(super) const XIDMPRECORD: Command =
    Command::new(Group::Stream, "XIDMPRECORD", "key pid iid stream-id", xidmprecord)
        .summary("Says that an entry is a producer's message: the log's words for what XADD was told.")
        .cost("O(1)")
        .since("8.6.2")
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM | FAST);

fn xidmprecord(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (producer, message) = (args.word(), args.word());
    let id = parse_id(args.word(), 0)?;
    if producer.is_empty() || message.is_empty() {
        return Err(Error::STREAM_EMPTY_PRODUCER);
    }
    let now_ms = data.now_ms();
    let known = {
        let stream = data.read::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
        if !stream.contains(id) {
            return Err(Error::STREAM_NO_SUCH_ENTRY);
        }
        stream.producers().and_then(|producers| producers.find(producer, message, now_ms))
    };
    match known {
        Some(known) if known == id => {}
        Some(_) => return Err(Error::STREAM_OTHER_ENTRY),
        None => {
            let mut stream = data.edit::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
            // Its time goes on from where it was when this was logged.
            stream.producers_mut().remember(producer, message, id, id.ms.min(now_ms), now_ms);
            stream.finish();
            data.changed(&key, Class::STREAM, "xidmprecord");
        }
    }
    reply.ok();
    Ok(())
}

/// A day.
const DURATION_S_MAX: i64 = 86_400;
const MESSAGES_MAX: i64 = 10_000;

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn a_message_that_is_sent_twice_is_added_once() {
        let mut db = Db::new();
        db.check("XADD s IDMP p 1 * f v", "1700000000000-0");
        assert_eq!(db.logged(), "XADD s 1700000000000-0 f v; XIDMPRECORD s p 1 1700000000000-0");
        db.check_quiet("XADD s IDMP p 1 * f other", "1700000000000-0");
        db.check("XADD s IDMP p 2 * f v", "1700000000000-1");
        db.check("XADD s IDMP q 1 * f v", "1700000000000-2");
        db.check("XDEL s 1700000000000-0", 1);
        db.check_quiet("XADD s IDMP p 1 * f v", "1700000000000-0");
        db.check("XLEN s", 2);
        let info = db.run("XINFO STREAM s");
        let shown = format!("{info:?}");
        for field in ["idmp-duration", "idmp-maxsize", "pids-tracked", "iids-tracked", "iids-added", "iids-duplicates"]
        {
            assert!(shown.contains(field), "{field}: {shown}");
        }
        db.sleep_ms(100_000);
        db.check("XADD s IDMP p 1 * f v", "1700000100000-0");
    }

    #[test]
    fn the_content_can_be_the_id_whatever_the_order_of_the_fields() {
        let mut db = Db::new();
        db.check("XADD s IDMPAUTO p * a 1 b 2", "1700000000000-0");
        db.check_quiet("XADD s IDMPAUTO p * b 2 a 1", "1700000000000-0");
        db.check("XADD s IDMPAUTO p * a 2 b 1", "1700000000000-1");
        db.check("XADD s IDMPAUTO p * a 1 a 1", "1700000000000-2");
        db.check("XADD s IDMPAUTO p * a 1 a 1 a 1 a 1", "1700000000000-3");
        db.check_quiet("XADD s IDMPAUTO p * a 1 a 1", "1700000000000-2");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let mut db = Db::new();
        db.check_quiet("XADD s IDMP p 1 5-5 f v", Error::STREAM_PRODUCER_WITH_ID);
        db.check_quiet("XADD s IDMP p 1 IDMPAUTO p * f v", Error::STREAM_TWO_PRODUCERS);
        db.check_quiet("XADD s NOMKSTREAM IDMP p 1 * f v", Null);
        db.check_quiet("XCFGSET s IDMP-DURATION 5", Error::NO_SUCH_KEY);
        db.check_quiet("XCFGSET s", Error::SYNTAX);
        db.check_quiet("XCFGSET s IDMP-DURATION 0", Error::STREAM_IDMP_DURATION);
        db.check_quiet("XCFGSET s IDMP-DURATION 86401", Error::STREAM_IDMP_DURATION);
        db.check_quiet("XCFGSET s IDMP-MAXSIZE 10001", Error::STREAM_IDMP_MAXSIZE);
    }

    #[test]
    fn how_much_is_remembered_can_be_set() {
        let mut db = Db::new();
        db.run("XADD s IDMP p 1 MAXLEN = 5 * f v");
        db.check("XCFGSET s IDMP-DURATION 5 IDMP-MAXSIZE 1", "OK");
        assert_eq!((db.events(), db.logged()), (vec!["xcfgset s".into()], "verbatim".into()));
        // What was remembered is forgotten.
        db.check("XADD s IDMP p 1 * f v", "1700000000000-1");
        db.check("XADD s IDMP p 2 * f v", "1700000000000-2");
        db.check("XADD s IDMP p 1 * f v", "1700000000000-3");
        db.sleep_ms(5000);
        db.check("XADD s IDMP p 1 * f v", "1700000005000-0");
    }

    #[test]
    fn the_log_can_be_read_again() {
        let mut db = Db::new();
        db.run("XADD s 1699999950000-0 f v");
        db.check("XIDMPRECORD s p 1 1699999950000-0", "OK");
        db.check_quiet("XIDMPRECORD s p 1 1699999950000-0", "OK");
        db.check_quiet("XADD s IDMP p 1 * f v", "1699999950000-0");
        db.run("XADD s 1699999950001-0 f v");
        db.check_quiet("XIDMPRECORD s p 1 1699999950001-0", Error::STREAM_OTHER_ENTRY);
        db.check_quiet("XIDMPRECORD s p 2 7-7", Error::STREAM_NO_SUCH_ENTRY);
        db.check_quiet("XIDMPRECORD t p 2 7-7", Error::NO_SUCH_KEY);
        db.sleep_ms(50_000);
        db.check("XADD s IDMP p 1 * f v", "1700000050000-0");
    }
}
