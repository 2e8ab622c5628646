//! XADD: an entry more at the end of a stream.

use super::idempotence::{self, Message};
use super::ids::{NewId, reply_id};
use super::trimming::TrimOptions;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_resp::Args as Words;
use ochre_values::{Stream, StreamId};

pub(super) const XADD: Command = Command::new(
    Group::Stream,
    "XADD",
    "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] \
     [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
    xadd,
)
.summary("Appends an entry to a stream, which is made if need be, and replies its id.")
.cost("O(1) for the entry, O(N) for N entries that are trimmed")
.since("5.0.0")
.history(&[
    ("6.2.0", "`NOMKSTREAM`, `MINID` and `LIMIT`."),
    ("7.0.0", "Ids of the form `ms-*`."),
    ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`."),
    ("8.6.0", "`IDMP` and `IDMPAUTO`."),
])
.keys(&[KeySpec::at(1, RW | UPDATE)])
.flags(WRITE | DENYOOM | FAST)
.tips(&["nondeterministic_output"]);

fn xadd(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let mut trim = TrimOptions::default();
    let mut message = Message::default();
    let mut make = true;
    while args.peek() != Some(b"*") {
        if args.option("NOMKSTREAM") {
            make = false;
        } else if !message.read(args)? && !trim.read(args)? {
            break;
        }
    }
    let id_at = args.position();
    let id = NewId::parse(args.word())?;
    let words = args.rest();
    let limits = data.limits();
    let trimming = trim.finish(limits.stream_node_max_entries)?;
    if words.is_empty() || words.len() % 2 == 1 {
        return Err(Error::wrong_arity("xadd"));
    }
    if id == NewId::Given(StreamId::MIN) {
        return Err(Error::STREAM_ID_ZERO);
    }
    if message.is_given() && id != NewId::Auto {
        return Err(Error::STREAM_PRODUCER_WITH_ID);
    }
    let now_ms = data.now_ms();
    let mut stream = if make {
        data.edit_or_new::<Stream>(&key)?
    } else {
        match data.edit::<Stream>(&key)? {
            Some(stream) => stream,
            None => {
                reply.null();
                return Ok(());
            }
        }
    };
    let identity = message.identity(words);
    if let Some((producer, message)) = &identity {
        let known = stream.producers().and_then(|producers| producers.find(producer, message, now_ms));
        if let Some(known) = known {
            stream.producers_mut().note_duplicate();
            stream.finish();
            reply_id(reply, known);
            return Ok(());
        }
    }
    if stream.last_id() == StreamId::MAX {
        return Err(Error::STREAM_EXHAUSTED);
    }
    let is_given = matches!(id, NewId::Given(_));
    let id = id.resolve(stream.last_id(), now_ms).ok_or(Error::STREAM_ID_TOO_SMALL)?;
    if stream.add(id, words.iter(), limits).is_err() {
        return Err(Error::STREAM_TOO_LARGE);
    }
    let trimmed = trimming.map_or(0, |trimming| stream.trim(&trimming));
    let exact = trim.is_approximate().then(|| trim.exact_threshold(&stream));
    if let Some((producer, message)) = &identity {
        stream.producers_mut().remember(producer, message, id, now_ms, now_ms);
    }
    let is_still_there = identity.is_some() && stream.contains(id);
    stream.finish();
    if !make {
        data.note_ready(&key);
    }
    data.changed(&key, Class::STREAM, "xadd");
    if trimmed > 0 {
        data.event(Class::STREAM, "xtrim", &key);
    }
    reply_id(reply, id);
    if data.log_wanted() && !(is_given && exact.is_none()) {
        let exact = exact.unwrap_or_default();
        log_xadd(data, args, id_at, id, (&trim, &message), &exact);
        if let Some((producer, message)) = identity.filter(|_| is_still_there) {
            idempotence::log_record(data, &key, producer, &message, id);
        }
    }
    Ok(())
}

/// Logs the command with the id that the entry got, and with what approximate trimming did.
fn log_xadd(
    data: &mut Locked<'_>,
    args: &Args<'_>,
    id_at: usize,
    id: StreamId,
    (trim, message): (&TrimOptions, &Message<'_>),
    exact: &[u8],
) {
    let argv: Words<'_> = args.argv();
    let mut text = [0; StreamId::TEXT_LEN_MAX];
    let mut words = Vec::with_capacity(argv.len());
    // Who sent it is for a command of its own.
    let (before, after) = if message.is_given() { (message.words.start, message.words.end) } else { (id_at, id_at) };
    trim.log_words(args, 0..before, exact, &mut words);
    trim.log_words(args, after..id_at, exact, &mut words);
    words.push(id.format(&mut text));
    words.extend(argv.from(id_at + 1));
    data.log(&words);
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn entries_get_growing_ids() {
        let mut db = Db::new();
        db.check("XADD s * f v", "1700000000000-0");
        assert_eq!((db.events(), db.effects.changes), (vec!["xadd s".into()], 1));
        assert_eq!(db.logged(), "XADD s 1700000000000-0 f v");
        db.check("XADD s * f v", "1700000000000-1");
        db.sleep_ms(5);
        db.check("XADD s * f v", "1700000000005-0");
        db.check("XADD s 1700000000009-7 f v g w", "1700000000009-7");
        assert_eq!(db.logged(), "verbatim");
        db.check("XADD s * f v", "1700000000009-8");
        db.check("XADD s 1700000000010-* f v", "1700000000010-0");
        assert_eq!(db.logged(), "XADD s 1700000000010-0 f v");
        db.check("XADD s 1700000000011 f v", "1700000000011-0");
        db.check("XLEN s", 7);
    }

    #[test]
    fn ids_that_do_not_grow_are_refused() {
        let mut db = Db::new();
        db.check_quiet("XADD s 0-0 f v", Error::STREAM_ID_ZERO);
        db.check_quiet("XADD s 0 f v", Error::STREAM_ID_ZERO);
        db.check("XADD s 0-* f v", "0-1");
        db.check("XADD s 5-5 f v", "5-5");
        for id in ["5-5", "5-4", "4", "4-*"] {
            db.check_quiet(&format!("XADD s {id} f v"), Error::STREAM_ID_TOO_SMALL);
        }
        db.check_quiet("XADD s x f v", Error::STREAM_ID);
        db.check("XADD s 18446744073709551615-18446744073709551615 f v", "18446744073709551615-18446744073709551615");
        db.check_quiet("XADD s * f v", Error::STREAM_EXHAUSTED);
        db.check_quiet("XADD s 7-7 f v", Error::STREAM_EXHAUSTED);
        db.check_quiet("EXISTS new", 0);
        db.check_quiet("XADD new 0-0 f v", Error::STREAM_ID_ZERO);
        db.check_quiet("EXISTS new", 0);
    }

    #[test]
    fn words_are_judged_first() {
        let mut db = Db::new();
        db.run("SET text x");
        db.check_quiet("XADD text * f v g", Error::wrong_arity("xadd"));
        db.check_quiet("XADD text MAXLEN 5 *", Error::wrong_arity("xadd"));
        db.check_quiet("XADD text MAXLEN -5 * f v", Error::STREAM_MAXLEN);
        db.check_quiet("XADD text LIMIT 5 * f v", Error::STREAM_LIMIT_OF_NOTHING);
        db.check_quiet("XADD text LIMIT 5 x f v", Error::STREAM_ID);
        db.check_quiet("XADD text UNKNOWN * f v", Error::STREAM_ID);
        db.check_quiet("XADD text * f v", Error::WRONG_TYPE);
    }

    #[test]
    fn nomkstream_makes_no_stream() {
        let mut db = Db::new();
        db.check_quiet("XADD s NOMKSTREAM * f v", Null);
        db.check_quiet("EXISTS s", 0);
        db.run("XADD s 1 f v");
        db.check("XADD s nomkstream 2 f v", "2-0");
        assert_eq!(db.logged(), "verbatim");
    }

    #[test]
    fn adding_can_trim() {
        let mut db = Db::new();
        db.context.limits.stream_node_max_entries = 3;
        for n in 1..=7 {
            db.run(&format!("XADD s {n} f v"));
        }
        db.check("XADD s MAXLEN 7 8 f v", "8-0");
        assert_eq!((db.events(), db.effects.changes), (vec!["xadd s".into(), "xtrim s".into()], 1));
        assert_eq!(db.logged(), "verbatim");
        db.check("XADD s NOMKSTREAM MAXLEN ~ 2 LIMIT 100 * f v", "1700000000000-0");
        assert_eq!(db.logged(), "XADD s NOMKSTREAM MAXLEN = 3 1700000000000-0 f v");
        db.check("XADD s MINID ~ 1800000000000 1800000000001 f v", "1800000000001-0");
        assert_eq!(db.logged(), "XADD s MINID = 1800000000001-0 1800000000001-0 f v");
        db.check("XADD s MAXLEN = 0 1800000000002 f v", "1800000000002-0");
        db.check("XLEN s", 0);
        db.check("XADD s * maxlen 1", "1800000000002-1");
        db.check("XRANGE s - +", "[[1800000000002-1 [maxlen 1]]]");
    }
}
