//! XREADGROUP: what a group has not read yet, or what one of its consumers has not acknowledged.

use super::claiming::{Claimed, log_lost, log_progress};
use super::entries::{reply_entry, reply_entry_or_null};
use super::reading::{After, Budget, ReadRequest, StreamsReply, parse_after, reply_claimed};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_values::stream::{ConsumerNumber, Pending};
use ochre_values::{Stream, StreamId};

pub(super) const XREADGROUP: Command = Command::new(
    Group::Stream,
    "XREADGROUP",
    "GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] \
     [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]",
    xreadgroup,
)
.summary("Replies entries of streams that no consumer of a group has got yet, or that this one has not acknowledged.")
.cost("O(log(N)+M*log(P)) for each stream, N nodes, M entries replied, P pending entries")
.since("5.0.0")
.history(&[("8.4.0", "`CLAIM`."), ("8.10.0", "`MAXCOUNT` and `MAXSIZE`.")])
.keys(&[KeySpec::after("STREAMS", 4, RO | ACCESS).find(Find::Range { last: -1, step: 1, limit: 2 })])
.flags(WRITE | BLOCKING);

fn xreadgroup(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let request = ReadRequest::read(args, true, data.now_ms())?;
    let (group, consumer) = request.group.expect("a request for a group names it");
    let mut afters = Vec::with_capacity(request.streams().len());
    for (key, word) in request.streams() {
        if data.read::<Stream>(&key)?.and_then(|stream| stream.group(group)).is_none() {
            return Err(Error::no_group(key.bytes(), group, " in XREADGROUP with GROUP option"));
        }
        afters.push(match parse_after(word)? {
            After::Last => return Err(Error::STREAM_LAST_OF_GROUP),
            After::Newest => return Err(Error::STREAM_NEWEST_OF_GROUP),
            After::Id(id) => Some(id),
            After::Group => None,
        });
    }
    let mark = reply.mark();
    let mut budget = request.budget(reply);
    let mut written = StreamsReply::new(reply);
    for ((key, _), after) in request.streams().zip(&afters) {
        let mut visit = Visit::begin(data, key, group, consumer);
        match after {
            Some(after) => visit.history(data, &request, *after, &mut written, &mut budget, reply),
            None => visit.news(data, &request, &mut written, &mut budget, reply),
        }
        visit.log(data);
    }
    if !written.finish(reply) {
        reply.truncate(mark);
        wait(data, &request, reply);
    }
    Ok(())
}

fn wait(data: &mut Locked<'_>, request: &ReadRequest<'_>, reply: &mut Reply<'_>) {
    let Some(block_ms) = request.block_ms else { return reply.null_array() };
    let keys: Vec<Key<'_>> = request.streams().map(|(key, _)| key).collect();
    let retry_at_ms = request.claim_ms.map_or(0, |idle_ms| claimable_at(data, request, idle_ms));
    let block = data.block(&keys, block_ms, true);
    // Whoever waits as a member of a group wants to know when that is gone.
    block.notices_loss = true;
    block.retry_at_ms = retry_at_ms;
}

/// When the first of the entries that are pending now, or will be, has been pending for `idle_ms`, Unix ms.
fn claimable_at(data: &mut Locked<'_>, request: &ReadRequest<'_>, idle_ms: u64) -> u64 {
    let now_ms = data.now_ms();
    let (name, _) = request.group.expect("a request for a group names it");
    // What is delivered from now on takes as long at least.
    let mut first_ms = now_ms;
    for (key, _) in request.streams() {
        with_stream(data, &key, |stream| {
            let group = stream.group_mut(name).expect("the caller found it");
            if let Some((_, pending)) = group.pending_by_time().next() {
                first_ms = first_ms.min(pending.delivered_ms);
            }
        });
    }
    first_ms.saturating_add(idle_ms).max(now_ms + 1)
}

/// One stream that is read for a consumer.
struct Visit<'a> {
    key: Key<'a>,
    group: &'a [u8],
    consumer: &'a [u8],
    number: ConsumerNumber,
    now_ms: u64,
    is_new_consumer: bool,
    /// Entries that were delivered and are pending now, with how often they were.
    delivered: Vec<(StreamId, u64)>,
    /// Entries that were pending and do not exist any more.
    lost: Vec<StreamId>,
    /// How far the group has read, if it has read on.
    progress: Option<(StreamId, Option<u64>)>,
}

impl<'a> Visit<'a> {
    /// Finds the consumer, or makes it.
    fn begin(data: &mut Locked<'_>, key: Key<'a>, group: &'a [u8], consumer: &'a [u8]) -> Self {
        let now_ms = data.now_ms();
        let (number, is_new_consumer) = with_stream(data, &key, |stream| {
            let group = stream.group_mut(group).expect("the caller found it");
            match group.find_consumer(consumer) {
                Some(number) => {
                    group.consumer_mut(number).seen_ms = now_ms;
                    (number, false)
                }
                None => (group.create_consumer(consumer, now_ms).expect("there is none of this name"), true),
            }
        });
        if is_new_consumer {
            data.effects.changes += 1;
            data.event(Class::STREAM, "xgroup-createconsumer", &key);
        }
        let (delivered, lost) = (Vec::new(), Vec::new());
        Visit { key, group, consumer, number, now_ms, is_new_consumer, delivered, lost, progress: None }
    }

    /// Replies what is pending with the consumer after an id. That counts as a delivery, which is not logged.
    fn history(
        &mut self,
        data: &mut Locked<'_>,
        request: &ReadRequest<'_>,
        after: StreamId,
        written: &mut StreamsReply,
        budget: &mut Budget,
        reply: &mut Reply<'_>,
    ) {
        if budget.is_spent() {
            return;
        }
        let (group_name, number, now_ms) = (self.group, self.number, self.now_ms);
        let key = self.key;
        with_stream(data, &key, |stream| {
            let array = written.begin(reply, &key);
            let group = stream.group(group_name).expect("the caller found it");
            let ids = after.next().into_iter().flat_map(|start| group.consumer(number).pending(start..));
            let (mut replied, mut delivered) = (0, Vec::new());
            for id in ids.take(request.count.unwrap_or(usize::MAX)) {
                let mut exists = false;
                if !budget.write(reply, |reply| exists = reply_entry_or_null(reply, stream, id)) {
                    break;
                }
                replied += 1;
                if exists {
                    delivered.push(id);
                }
            }
            reply.set_len(array, replied);
            let group = stream.group_mut(group_name).expect("the caller found it");
            for id in delivered {
                let deliveries = group.pending_of(id).map_or(0, |pending| pending.deliveries);
                group.assign(id, number, now_ms, deliveries.saturating_add(1));
            }
        });
    }

    /// Replies what is new to the group, and before that what has been pending for too long, when asked to.
    fn news(
        &mut self,
        data: &mut Locked<'_>,
        request: &ReadRequest<'_>,
        written: &mut StreamsReply,
        budget: &mut Budget,
        reply: &mut Reply<'_>,
    ) {
        let key = self.key;
        with_stream(data, &key, |stream| {
            let most = request.count.unwrap_or(usize::MAX);
            let claimed = match request.claim_ms {
                Some(idle_ms) => self.claimable(stream, idle_ms, most),
                None => Vec::new(),
            };
            let group = stream.group(self.group).expect("the caller found it");
            let mut news = stream.news(group);
            let claims = request.claim_ms.is_some();
            let mut ids = Vec::new();
            let entries = claimed.iter().filter_map(|(id, pending)| Some((stream.get(*id)?, Some(*pending))));
            let entries = entries.chain(news.by_ref().map(|entry| (entry, None))).take(most);
            let replied = written.stream(reply, &key, budget, entries, |reply, (entry, pending)| {
                match pending {
                    Some(pending) => reply_claimed(reply, entry, pending.idle_ms(self.now_ms), pending.deliveries),
                    None if claims => reply_claimed(reply, entry, 0, 0),
                    None => reply_entry(reply, entry),
                }
                ids.push((entry.id, *pending));
            });
            // The last one was taken back when it was too much. Where replies are limited one more may have been looked at.
            let place = match ids.last() {
                Some((last, _)) if request.is_unlimited() => news.place(stream, *last),
                _ => None,
            };
            ids.truncate(replied);
            stream.group_mut(self.group).expect("the caller found it").place = place;
            self.deliver(stream, &ids, request.noack);
        });
    }

    /// What has been pending for so long, the longest first. What does not exist any more is pending no longer.
    fn claimable(&mut self, stream: &mut Stream, idle_ms: u64, most: usize) -> Vec<(StreamId, Pending)> {
        let now_ms = self.now_ms;
        let mut claimed = Vec::new();
        let group = stream.group_mut(self.group).expect("the caller found it");
        let idle = group.pending_by_time().map(|(id, pending)| (id, *pending));
        let idle: Vec<_> = idle.take_while(|(_, pending)| pending.idle_ms(now_ms) >= idle_ms).take(most).collect();
        for (id, pending) in idle {
            if stream.contains(id) {
                claimed.push((id, pending));
            } else {
                self.lost.push(id);
                stream.group_mut(self.group).expect("the caller found it").acknowledge(id);
            }
        }
        claimed
    }

    /// Notes what was replied: entries that were claimed, and new ones, which are pending unless nobody will acknowledge them.
    fn deliver(&mut self, stream: &mut Stream, ids: &[(StreamId, Option<Pending>)], noack: bool) {
        let group = stream.group(self.group).expect("the caller found it");
        let (mut last_id, mut read) = (group.last_id, group.entries_read);
        for (id, pending) in ids {
            if *id > last_id {
                read = stream.entries_read_after(last_id, read, *id);
                last_id = *id;
                self.progress = Some((last_id, read));
            }
            match pending {
                Some(pending) => self.delivered.push((*id, pending.deliveries.saturating_add(1))),
                None if noack => {}
                None => self.delivered.push((*id, 1)),
            }
        }
        let group = stream.group_mut(self.group).expect("the caller found it");
        (group.last_id, group.entries_read) = (last_id, read);
        for (id, deliveries) in &self.delivered {
            group.assign(*id, self.number, self.now_ms, *deliveries);
        }
        if !self.delivered.is_empty() {
            group.consumer_mut(self.number).active_ms = Some(self.now_ms);
        }
    }

    /// Counts what has changed, and logs it in the words of commands that read nothing.
    fn log(&self, data: &mut Locked<'_>) {
        data.effects.changes += (self.delivered.len() + self.lost.len()) as u64;
        if self.delivered.is_empty() && self.progress.is_some() {
            data.effects.changes += 1;
        }
        if !data.log_wanted() {
            data.log_nothing();
            return;
        }
        let key = self.key.bytes();
        if self.is_new_consumer && self.delivered.is_empty() {
            data.log(&[b"XGROUP", b"CREATECONSUMER", key, self.group, self.consumer]);
        }
        if !self.lost.is_empty() {
            log_lost(data, key, self.group, &self.lost);
        }
        let mut last_id = None;
        for (id, deliveries) in &self.delivered {
            // As it was when the entry was read: older ones were claimed.
            last_id = last_id.max(Some(*id));
            let claim = Claimed {
                key,
                group: self.group,
                consumer: self.consumer,
                id: *id,
                delivered_ms: self.now_ms,
                deliveries: *deliveries,
            };
            claim.log(data, last_id);
        }
        if let Some((last_id, read)) = self.progress {
            log_progress(data, key, self.group, last_id, read);
        }
        if data.effects.changes == 0 {
            data.log_nothing();
        }
    }
}

/// Edits a stream that exists.
fn with_stream<R>(data: &mut Locked<'_>, key: &Key<'_>, edit: impl FnOnce(&mut Stream) -> R) -> R {
    let edited = data.edit::<Stream>(key).ok().flatten();
    edit(&mut edited.expect("the caller found a stream there"))
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::stream::with_three_entries;
    use crate::testing::{Db, Null};

    fn db() -> Db {
        let mut db = with_three_entries();
        db.run("XADD t 1 a b");
        db.run("XGROUP CREATE s g 0");
        db.run("XGROUP CREATE t g 0");
        db
    }

    #[test]
    fn what_is_new_is_delivered_once_and_pending() {
        let mut db = db();
        db.check("XREADGROUP GROUP g a COUNT 2 STREAMS s >", "[[s [[1-0 [f 1]] [2-0 [f 2]]]]]");
        assert_eq!((db.events(), db.effects.changes), (vec!["xgroup-createconsumer s".into()], 3));
        let claims = "XCLAIM s g a 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0; \
                      XCLAIM s g a 0 2-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0; \
                      XGROUP SETID s g 2-0 ENTRIESREAD 2";
        assert_eq!(db.logged(), claims);
        db.check("XREADGROUP GROUP g b STREAMS s t > >", "[[s [[3-0 [f 3]]]] [t [[1-0 [a b]]]]]");
        db.check("XPENDING s g - + 10", "[[1-0 a 0 1] [2-0 a 0 1] [3-0 b 0 1]]");
        db.check_quiet("XREADGROUP GROUP g b STREAMS s t > >", Null);
        db.run("XADD t 2 c d");
        db.check("XREADGROUP GROUP g b STREAMS s t > >", "[[t [[2-0 [c d]]]]]");
    }

    #[test]
    fn what_nobody_will_acknowledge_is_not_pending() {
        let mut db = db();
        db.check("XREADGROUP GROUP g a NOACK COUNT 1 STREAMS s >", "[[s [[1-0 [f 1]]]]]");
        assert_eq!(db.logged(), "XGROUP CREATECONSUMER s g a; XGROUP SETID s g 1-0 ENTRIESREAD 1");
        db.check("XREADGROUP GROUP g a NOACK STREAMS s >", "[[s [[2-0 [f 2]] [3-0 [f 3]]]]]");
        assert_eq!((db.logged(), db.effects.changes), ("XGROUP SETID s g 3-0 ENTRIESREAD 3".into(), 1));
        db.check("XPENDING s g - + 10", "[]");
    }

    #[test]
    fn a_consumer_can_read_what_is_pending_again() {
        let mut db = db();
        db.run("XREADGROUP GROUP g a STREAMS s >");
        db.run("XDEL s 2");
        db.sleep_ms(100);
        db.check_quiet("XREADGROUP GROUP g a STREAMS s 1", "[[s [[2-0 nil] [3-0 [f 3]]]]]");
        db.check_quiet("XREADGROUP GROUP g a COUNT 1 STREAMS s 0", "[[s [[1-0 [f 1]]]]]");
        db.check("XPENDING s g - + 10", "[[1-0 a 0 2] [2-0 a 100 1] [3-0 a 0 2]]");
        db.check("XREADGROUP GROUP g b STREAMS s 0", "[[s []]]");
        assert_eq!(
            (db.events(), db.logged()),
            (vec!["xgroup-createconsumer s".into()], "XGROUP CREATECONSUMER s g b".into())
        );
    }

    #[test]
    fn whoever_finds_nothing_can_wait() {
        let mut db = db();
        db.run("XREADGROUP GROUP g a STREAMS s t > >");
        db.check("XREADGROUP GROUP g b BLOCK 0 STREAMS s t > >", "waits for s t, 0 ms");
        assert!(db.effects.block.as_ref().is_some_and(|block| block.notices_loss && block.words.is_none()));
        assert_eq!(db.logged(), "XGROUP CREATECONSUMER s g b; XGROUP CREATECONSUMER t g b");
        db.check_quiet("XREADGROUP GROUP g b BLOCK 5 STREAMS s >", "waits for s, 5 ms");
        db.check_quiet("XREADGROUP GROUP g b BLOCK 5 STREAMS s 0", "[[s []]]");
    }

    #[test]
    fn what_has_been_pending_for_long_can_be_claimed_at_once() {
        let mut db = db();
        db.run("XREADGROUP GROUP g a COUNT 1 STREAMS s >");
        db.sleep_ms(50);
        db.run("XREADGROUP GROUP g b COUNT 1 STREAMS s >");
        db.sleep_ms(50);
        db.check("XREADGROUP GROUP g c CLAIM 60 STREAMS s >", "[[s [[1-0 [f 1] 100 1] [3-0 [f 3] 0 0]]]]");
        let claims = "XCLAIM s g c 0 1-0 TIME 1700000000100 RETRYCOUNT 2 FORCE JUSTID LASTID 1-0; \
                      XCLAIM s g c 0 3-0 TIME 1700000000100 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0; \
                      XGROUP SETID s g 3-0 ENTRIESREAD 3";
        assert_eq!(db.logged(), claims);
        db.check("XREADGROUP GROUP g d COUNT 1 CLAIM 0 STREAMS s >", "[[s [[2-0 [f 2] 50 1]]]]");
        db.run("XDEL s 1");
        db.check("XREADGROUP GROUP g d CLAIM 0 NOACK STREAMS s >", "[[s [[2-0 [f 2] 0 2] [3-0 [f 3] 0 1]]]]");
        db.check("XPENDING s g - + 10", "[[2-0 d 0 3] [3-0 d 0 2]]");
        db.check_quiet("XREADGROUP GROUP g d CLAIM 1000 STREAMS s >", Null);
        db.check_quiet("XREADGROUP GROUP g d CLAIM -1 STREAMS s >", Error::STREAM_CLAIM_NEGATIVE);
        db.check_quiet("XREADGROUP GROUP g d CLAIM x STREAMS s >", Error::STREAM_CLAIM_NOT_AN_INTEGER);
    }

    #[test]
    fn what_was_given_back_is_claimed_first() {
        let mut db = db();
        db.run("XREADGROUP GROUP g a STREAMS s >");
        db.sleep_ms(5);
        db.check("XNACK s g FAIL IDS 1 3", 1);
        db.check("XREADGROUP GROUP g b CLAIM 5 COUNT 1 STREAMS s >", "[[s [[3-0 [f 3] 1700000000005 1]]]]");
        db.check("XREADGROUP GROUP g b CLAIM 5 COUNT 1 STREAMS s >", "[[s [[1-0 [f 1] 5 1]]]]");
    }

    #[test]
    fn all_streams_together_can_be_limited() {
        let mut db = db();
        db.check("XREADGROUP GROUP g a MAXCOUNT 2 STREAMS s t > >", "[[s [[1-0 [f 1]] [2-0 [f 2]]]]]");
        db.check("XREADGROUP GROUP g a MAXSIZE 1 STREAMS s t > >", "[[s [[3-0 [f 3]]]]]");
        db.check(
            "XREADGROUP GROUP g a MAXCOUNT 4 STREAMS s t 0 >",
            "[[s [[1-0 [f 1]] [2-0 [f 2]] [3-0 [f 3]]]] [t [[1-0 [a b]]]]]",
        );
    }

    #[test]
    fn words_are_judged_in_the_order_of_the_peers() {
        let mut db = db();
        db.run("SET text x");
        let missing = |key: &str, group: &str| {
            Error::no_group(key.as_bytes(), group.as_bytes(), " in XREADGROUP with GROUP option")
        };
        for (words, error) in [
            ("COUNT 1 BLOCK 0 STREAMS s >", Error::STREAM_MISSING_GROUP),
            ("GROUP g a STREAMS s t >", Error::STREAM_UNBALANCED_GROUP),
            ("GROUP g a FOO STREAMS s >", Error::SYNTAX),
            ("GROUP nobody a STREAMS s $", missing("s", "nobody")),
            ("GROUP g a STREAMS s missing > >", missing("missing", "g")),
            ("GROUP g a STREAMS s $", Error::STREAM_LAST_OF_GROUP),
            ("GROUP g a STREAMS s +", Error::STREAM_NEWEST_OF_GROUP),
            ("GROUP g a STREAMS s x", Error::STREAM_ID),
            ("GROUP g a STREAMS text x", Error::WRONG_TYPE),
        ] {
            db.check_quiet(&format!("XREADGROUP {words}"), error);
        }
        db.check_quiet("XINFO CONSUMERS s g", "[]");
    }
}
