//! What XREAD and XREADGROUP have in common: their words, and how much they reply.

use super::entries::reply_pairs;
use super::ids::{parse_id, reply_id};
use crate::{Args, Error, Key, Reply, timeout};
use ochre_resp::{Args as Words, Deferred, Mark};
use ochre_text::number;
use ochre_values::StreamId;
use ochre_values::stream::Entry;

/// What is asked for.
#[derive(Default)]
pub(super) struct ReadRequest<'a> {
    argv: Option<Words<'a>>,
    /// Wait so long when there is nothing, ms; 0 is for ever.
    pub(super) block_ms: Option<u64>,
    /// At most so many entries of each stream.
    pub(super) count: Option<usize>,
    /// At most so many entries of all streams.
    max_count: Option<usize>,
    /// No entry but the first that makes the reply longer than this, in bytes.
    max_size: Option<usize>,
    /// The group and the consumer.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    pub(super) noack: bool,
    /// Take over what has been pending for so long, ms.
    pub(super) claim_ms: Option<u64>,
    /// The word of the first key, and how many keys there are.
    first_key: usize,
    streams: usize,
}

/// From where on a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Id(StreamId),
    /// `$`: from what is the last entry now.
    Last,
    /// `+`: the last entry alone.
    Newest,
    /// `>`: from what the group has read.
    Group,
}

impl<'a> ReadRequest<'a> {
    /// Reads all words of XREAD, or of XREADGROUP when `for_group` is set.
    pub(super) fn read(args: &mut Args<'a>, for_group: bool, now_ms: u64) -> Result<Self, Error> {
        let mut request = ReadRequest { argv: Some(args.argv()), ..ReadRequest::default() };
        while args.remaining() > 0 {
            // A word can only be an option if its value follows.
            let has_value = args.remaining() >= 2;
            if has_value && args.option("BLOCK") {
                request.block_ms = Some(timeout::milliseconds(args, now_ms)?);
            } else if has_value && args.option("COUNT") {
                request.count = usize::try_from(args.int()?).ok().filter(|count| *count > 0);
            } else if has_value && args.option("MAXCOUNT") {
                request.max_count = Some(positive(args, Error::STREAM_MAXCOUNT)?);
            } else if has_value && args.option("MAXSIZE") {
                request.max_size = Some(positive(args, Error::STREAM_MAXSIZE)?);
            } else if has_value && for_group && args.option("CLAIM") {
                let idle_ms = number::parse_i64(args.word()).ok_or(Error::STREAM_CLAIM_NOT_AN_INTEGER)?;
                request.claim_ms = Some(u64::try_from(idle_ms).map_err(|_| Error::STREAM_CLAIM_NEGATIVE)?);
            } else if has_value && args.option("STREAMS") {
                request.first_key = args.position();
                if args.remaining() % 2 == 1 {
                    return Err(if for_group { Error::STREAM_UNBALANCED_GROUP } else { Error::STREAM_UNBALANCED });
                }
                request.streams = args.remaining() / 2;
                break;
            } else if args.remaining() >= 3 && args.option("GROUP") {
                if !for_group {
                    return Err(Error::STREAM_GROUP_OF_XREAD);
                }
                request.group = Some((args.word(), args.word()));
            } else if args.option("NOACK") {
                if !for_group {
                    return Err(Error::STREAM_NOACK_OF_XREAD);
                }
                request.noack = true;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if request.streams == 0 {
            return Err(Error::SYNTAX);
        }
        if for_group && request.group.is_none() {
            return Err(Error::STREAM_MISSING_GROUP);
        }
        if request.max_count.zip(request.count).is_some_and(|(most, count)| most < count) {
            return Err(Error::STREAM_MAXCOUNT_BELOW_COUNT);
        }
        Ok(request)
    }

    fn argv(&self) -> Words<'a> {
        self.argv.expect("a request is read from words")
    }

    /// The keys with the words that say from where on each is read.
    pub(super) fn streams(&self) -> impl ExactSizeIterator<Item = (Key<'a>, &'a [u8])> + use<'a> {
        let (argv, streams) = (self.argv(), self.streams);
        let first = self.first_key;
        (first..first + streams).map(move |at| (Key::new(argv.at(at)), argv.at(at + streams)))
    }

    /// The command's words, ids replaced where `ids` has one.
    pub(super) fn words_with(&self, ids: &[Option<StreamId>]) -> Vec<Box<[u8]>> {
        let first_id = self.first_key + self.streams;
        let replaced = |at: usize| at.checked_sub(first_id).and_then(|nth| *ids.get(nth)?);
        let word = |(at, word): (usize, &[u8])| match replaced(at) {
            Some(id) => id.to_vec().into(),
            None => Box::from(word),
        };
        self.argv().iter().enumerate().map(word).collect()
    }

    /// Whether as much is replied as there is, or as COUNT says.
    pub(super) fn is_unlimited(&self) -> bool {
        self.max_count.is_none() && self.max_size.is_none()
    }

    /// How much may still be replied.
    pub(super) fn budget(&self, reply: &Reply<'_>) -> Budget {
        Budget {
            entries: self.max_count.unwrap_or(usize::MAX),
            bytes_end: self.max_size.map(|size| (reply.mark(), size)),
            any: false,
        }
    }
}

fn positive(args: &mut Args<'_>, error: Error) -> Result<usize, Error> {
    Ok(args.int_from(1, error)? as usize)
}

/// From where on the stream is read that this word stands for.
pub(super) fn parse_after(word: &[u8]) -> Result<After, Error> {
    match word {
        b"$" => Ok(After::Last),
        b"+" => Ok(After::Newest),
        b">" => Ok(After::Group),
        id => parse_id(id, 0).map(After::Id),
    }
}

/// How much may be replied for all streams together.
pub(super) struct Budget {
    entries: usize,
    /// The reply's beginning, and its length from which on no entry but the first is added.
    bytes_end: Option<(Mark, usize)>,
    any: bool,
}

impl Budget {
    /// Whether nothing more may be replied.
    pub(super) fn is_spent(&self) -> bool {
        self.entries == 0
    }

    /// Writes an entry with `write`, unless it is too much: then what was written is taken back, and no other will fit.
    pub(super) fn write(&mut self, reply: &mut Reply<'_>, write: impl FnOnce(&mut Reply<'_>)) -> bool {
        if self.entries == 0 {
            return false;
        }
        let mark = reply.mark();
        write(reply);
        if self.any && self.bytes_end.is_some_and(|(start, most)| reply.since(start).len() > most) {
            reply.truncate(mark);
            self.entries = 0;
            return false;
        }
        self.any = true;
        self.entries -= 1;
        true
    }
}

/// The reply for several streams, whose number is known only afterwards.
pub(super) struct StreamsReply {
    deferred: Deferred,
    streams: usize,
}

impl StreamsReply {
    pub(super) fn new(reply: &mut Reply<'_>) -> Self {
        StreamsReply { deferred: reply.array_deferred(), streams: 0 }
    }

    /// Adds a stream with those of its entries that the budget allows, and answers how many. Without any the stream is left out.
    pub(super) fn stream<E>(
        &mut self,
        reply: &mut Reply<'_>,
        key: &Key<'_>,
        budget: &mut Budget,
        entries: impl Iterator<Item = E>,
        mut write: impl FnMut(&mut Reply<'_>, &E),
    ) -> usize {
        let mut entries = entries.peekable();
        if budget.is_spent() || entries.peek().is_none() {
            return 0;
        }
        let mark = reply.mark();
        let array = self.begin(reply, key);
        let mut written = 0;
        while let Some(entry) = entries.next()
            && budget.write(reply, |reply| write(reply, &entry))
        {
            written += 1;
        }
        if written == 0 {
            reply.truncate(mark);
            self.streams -= 1;
        } else {
            reply.set_len(array, written);
        }
        written
    }

    /// Begins a stream; the array of its entries is to be given its length.
    pub(super) fn begin(&mut self, reply: &mut Reply<'_>, key: &Key<'_>) -> Deferred {
        if !reply.is_resp3() {
            reply.array(2);
        }
        reply.bulk(key.bytes());
        self.streams += 1;
        reply.array_deferred()
    }

    /// Ends the reply, and says whether there was any stream in it; if not, what was written is to be taken back.
    pub(super) fn finish(self, reply: &mut Reply<'_>) -> bool {
        if reply.is_resp3() {
            reply.set_len_of_map(self.deferred, self.streams);
        } else {
            reply.set_len(self.deferred, self.streams);
        }
        self.streams > 0
    }
}

/// Replies an entry with what XREADGROUP with CLAIM adds: how long ago it was delivered before, in ms, and how often.
pub(super) fn reply_claimed(reply: &mut Reply<'_>, entry: &Entry<'_>, idle_ms: u64, deliveries: u64) {
    reply.array(4);
    reply_id(reply, entry.id);
    reply_pairs(reply, entry);
    reply.integer(i64::try_from(idle_ms).unwrap_or(i64::MAX));
    reply.integer(i64::try_from(deliveries).unwrap_or(i64::MAX));
}
