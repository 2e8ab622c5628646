//! XREAD: what has come after an id, of several streams.

use super::entries::reply_entry;
use super::reading::{After, ReadRequest, StreamsReply, parse_after};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Key, Locked, Reply};
use ochre_values::{Stream, StreamId};

pub(super) const XREAD: Command = Command::new(
    Group::Stream,
    "XREAD",
    "[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    xread,
)
.summary("Replies the entries of streams that came after given ids, waiting for some if told to.")
.cost("O(log(N)+M) for each stream, N nodes, M entries replied")
.since("5.0.0")
.history(&[("7.4.0", "`+` for the last entry."), ("8.10.0", "`MAXCOUNT` and `MAXSIZE`.")])
.keys(&[KeySpec::after("STREAMS", 1, RO | ACCESS).find(Find::Range { last: -1, step: 1, limit: 2 })])
.flags(READONLY | BLOCKING);

fn xread(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = ReadRequest::read(args, false, data.now_ms())?;
    // What `$` stands for is settled now, also for a client that waits.
    let mut settled: Vec<Option<StreamId>> = Vec::new();
    let mut streams = Vec::with_capacity(request.streams().len());
    for (nth, (key, word)) in request.streams().enumerate() {
        let stream = data.read::<Stream>(&key)?;
        let after = match parse_after(word)? {
            After::Id(id) => Some(id),
            After::Newest => stream.and_then(|stream| stream.last_live_id()?.previous()),
            After::Last => {
                let last = stream.map_or(StreamId::MIN, Stream::last_id);
                settled.resize(nth, None);
                settled.push(Some(last));
                Some(last)
            }
            After::Group => return Err(Error::STREAM_NEW_OF_XREAD),
        };
        streams.push((key, stream, after.and_then(StreamId::next)));
    }
    let mark = reply.mark();
    let mut budget = request.budget(reply);
    let mut written = StreamsReply::new(reply);
    for (key, stream, start) in &streams {
        let (Some(stream), Some(start)) = (stream, start) else { continue };
        let entries = stream.range(*start, StreamId::MAX).take(request.count.unwrap_or(usize::MAX));
        written.stream(reply, key, &mut budget, entries, reply_entry);
    }
    if !written.finish(reply) {
        reply.truncate(mark);
        wait(data, &request, &settled, reply);
    }
    Ok(())
}

fn wait(data: &mut Locked<'_>, request: &ReadRequest<'_>, settled: &[Option<StreamId>], reply: &mut Reply<'_>) {
    let Some(block_ms) = request.block_ms else { return reply.null_array() };
    let keys: Vec<Key<'_>> = request.streams().map(|(key, _)| key).collect();
    let words = (!settled.is_empty()).then(|| request.words_with(settled));
    data.block(&keys, block_ms, true).words = words;
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::stream::with_three_entries;
    use crate::testing::{Db, Null};
    use ochre_resp::Protocol;

    fn db() -> Db {
        let mut db = with_three_entries();
        db.run("XADD t 1 a b");
        db
    }

    #[test]
    fn entries_after_an_id_are_replied_stream_by_stream() {
        let mut db = db();
        db.check_quiet("XREAD STREAMS s t 1 0", "[[s [[2-0 [f 2]] [3-0 [f 3]]]] [t [[1-0 [a b]]]]]");
        db.check_quiet("XREAD COUNT 1 STREAMS s t missing 0 1 0", "[[s [[1-0 [f 1]]]]]");
        db.check_quiet("XREAD COUNT 0 STREAMS s 2", "[[s [[3-0 [f 3]]]]]");
        db.check_quiet("XREAD STREAMS s 3", Null);
        db.check_quiet("XREAD STREAMS missing 0", Null);
        db.check_quiet("XREAD STREAMS s 18446744073709551615-18446744073709551615", Null);
        assert_eq!(db.run_raw(&[b"XREAD", b"STREAMS", b"s", b"$"]), b"*-1\r\n");
        db.protocol = Protocol::Resp3;
        let reply = b"%1\r\n$1\r\nt\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        assert_eq!(db.run_raw(&[b"XREAD", b"STREAMS", b"t", b"0"]), reply);
    }

    #[test]
    fn a_plus_is_the_last_entry() {
        let mut db = db();
        db.check_quiet("XREAD COUNT 5 STREAMS s t + +", "[[s [[3-0 [f 3]]]] [t [[1-0 [a b]]]]]");
        db.run("XDEL s 3");
        db.check_quiet("XREAD STREAMS s +", "[[s [[2-0 [f 2]]]]]");
        db.run("XTRIM s MAXLEN 0");
        db.check_quiet("XREAD STREAMS s missing + +", Null);
    }

    #[test]
    fn where_there_is_nothing_clients_can_wait() {
        let mut db = db();
        let words = |db: &Db| {
            let block = db.effects.block.as_ref().expect("it waits");
            let words = block.words.as_ref()?.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            Some(words.collect::<Vec<_>>().join(" "))
        };
        db.check_quiet("XREAD BLOCK 100 STREAMS s missing 3 0", "waits for s missing, 100 ms");
        assert_eq!(words(&db), None);
        db.check_quiet("XREAD COUNT 2 BLOCK 0 STREAMS s t u 3 $ $", "waits for s t u, 0 ms");
        assert_eq!(words(&db), Some("XREAD COUNT 2 BLOCK 0 STREAMS s t u 3 1-0 0-0".into()));
        db.check_quiet("XREAD BLOCK 100 STREAMS s t $ 0", "[[t [[1-0 [a b]]]]]");
        db.check_quiet("XREAD BLOCK -1 STREAMS s $", Error::TIMEOUT_NEGATIVE);
        db.check_quiet("XREAD BLOCK x STREAMS s $", Error::TIMEOUT_NOT_AN_INTEGER);
    }

    #[test]
    fn all_streams_together_can_be_limited() {
        let mut db = db();
        db.check_quiet("XREAD MAXCOUNT 2 STREAMS s t 0 0", "[[s [[1-0 [f 1]] [2-0 [f 2]]]]]");
        db.check_quiet("XREAD COUNT 1 MAXCOUNT 2 STREAMS s t 0 0", "[[s [[1-0 [f 1]]]] [t [[1-0 [a b]]]]]");
        db.check_quiet("XREAD MAXSIZE 1 STREAMS s t 0 0", "[[s [[1-0 [f 1]]]]]");
        db.check_quiet("XREAD MAXSIZE 90 STREAMS s t 0 0", "[[s [[1-0 [f 1]] [2-0 [f 2]]]]]");
        db.check_quiet("XREAD MAXCOUNT 0 STREAMS s 0", Error::STREAM_MAXCOUNT);
        db.check_quiet("XREAD MAXSIZE x STREAMS s 0", Error::STREAM_MAXSIZE);
        db.check_quiet("XREAD COUNT 3 MAXCOUNT 2 STREAMS s 0", Error::STREAM_MAXCOUNT_BELOW_COUNT);
    }

    #[test]
    fn words_are_judged_first() {
        let mut db = db();
        db.run("SET text x");
        for (words, error) in [
            ("STREAMS s t 0", Error::STREAM_UNBALANCED),
            ("FOO STREAMS s 0", Error::SYNTAX),
            ("COUNT 1 STREAMS", Error::SYNTAX),
            ("COUNT x STREAMS s 0", Error::NOT_AN_INTEGER),
            ("NOACK STREAMS s 0", Error::STREAM_NOACK_OF_XREAD),
            ("GROUP g c STREAMS s 0", Error::STREAM_GROUP_OF_XREAD),
            ("CLAIM 5 STREAMS s 0", Error::SYNTAX),
            ("STREAMS s >", Error::STREAM_NEW_OF_XREAD),
            ("STREAMS s x", Error::STREAM_ID),
            ("STREAMS text x", Error::WRONG_TYPE),
            ("STREAMS s text 0 0", Error::WRONG_TYPE),
        ] {
            db.check_quiet(&format!("XREAD {words}"), error);
        }
    }
}
