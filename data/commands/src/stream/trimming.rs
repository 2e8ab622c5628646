//! XTRIM, and the options that it shares with XADD.

use super::ids::parse_id;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_values::stream::{References, Threshold, Trim};
use ochre_values::{Collection, Stream, StreamId};

/// At most so many entries are looked at by default when trimming is approximate, in nodes.
const NODES_PER_TRIM: usize = 100;
const ENTRIES_PER_TRIM_MAX: usize = 1_000_000;
/// The same where nodes may have any number of entries.
const ENTRIES_PER_TRIM: usize = 10_000;

/// What XADD and XTRIM are told about trimming.
#[derive(Debug, Default)]
pub(super) struct TrimOptions {
    threshold: Option<Threshold>,
    approximate: bool,
    limit: Option<u64>,
    references: References,
    /// The words that say which entries are too many: first the optional operator, then the threshold.
    words: std::ops::Range<usize>,
    /// The words of LIMIT, which may be given more than once.
    limit_words: Vec<std::ops::Range<usize>>,
}

impl TrimOptions {
    /// Reads the next option if it is one about trimming.
    pub(super) fn read(&mut self, args: &mut Args<'_>) -> Result<bool, Error> {
        // A word can only be an option if its value follows.
        let has_value = args.remaining() >= 2;
        if has_value && args.option("MAXLEN") {
            self.read_threshold(args, |word| match ochre_text::number::parse_i64(word) {
                Some(len) => Ok(Threshold::MaxLen(u64::try_from(len).map_err(|_| Error::STREAM_MAXLEN)?)),
                None => Err(Error::NOT_AN_INTEGER),
            })?;
        } else if has_value && args.option("MINID") {
            self.read_threshold(args, |word| parse_id(word, 0).map(Threshold::MinId))?;
        } else if has_value && args.option("LIMIT") {
            self.limit = Some(u64::try_from(args.int()?).map_err(|_| Error::STREAM_LIMIT)?);
            self.limit_words.push(args.position() - 2..args.position());
        } else {
            return Ok(read_references(args, &mut self.references));
        }
        Ok(true)
    }

    fn read_threshold(
        &mut self,
        args: &mut Args<'_>,
        parse: impl Fn(&[u8]) -> Result<Threshold, Error>,
    ) -> Result<(), Error> {
        if self.threshold.is_some() {
            return Err(Error::STREAM_TWO_THRESHOLDS);
        }
        let from = args.position();
        self.approximate = args.remaining() >= 2 && args.option("~");
        if !self.approximate && args.remaining() >= 2 {
            args.option("=");
        }
        self.threshold = Some(parse(args.word())?);
        self.words = from..args.position();
        Ok(())
    }

    /// What is asked for, once all options are read.
    pub(super) fn finish(&self, entries_per_node: usize) -> Result<Option<Trim>, Error> {
        let Some(threshold) = self.threshold else {
            return match self.limit {
                Some(_) => Err(Error::STREAM_LIMIT_OF_NOTHING),
                None => Ok(None),
            };
        };
        let limit = match (self.limit, self.approximate) {
            (Some(_), false) => return Err(Error::STREAM_LIMIT_OF_EXACT),
            (Some(limit), true) => limit,
            (None, false) => 0,
            (None, true) if entries_per_node == 0 => ENTRIES_PER_TRIM as u64,
            (None, true) => entries_per_node.saturating_mul(NODES_PER_TRIM).min(ENTRIES_PER_TRIM_MAX) as u64,
        };
        Ok(Some(Trim { threshold, approximate: self.approximate, limit, references: self.references }))
    }

    /// Writes the command's words into `logged` from word `from` up to `to`, approximate trimming in the words of what it did:
    /// whoever reads the log may have other nodes.
    pub(super) fn log_words<'w>(
        &self,
        args: &Args<'w>,
        span: std::ops::Range<usize>,
        exact: &'w [u8],
        logged: &mut Vec<&'w [u8]>,
    ) {
        for at in span {
            let is_limit = self.limit_words.iter().any(|words| words.contains(&at));
            if self.approximate && (self.words.contains(&at) || is_limit) {
                if at == self.words.start {
                    logged.extend([b"=".as_slice(), exact]);
                }
            } else {
                logged.push(args.argv().at(at));
            }
        }
    }

    /// The threshold that says exactly what approximate trimming left in the stream.
    pub(super) fn exact_threshold(&self, stream: &Stream) -> Vec<u8> {
        match self.threshold {
            // Where nothing is left, no entry was high enough.
            Some(Threshold::MinId(_)) if stream.len() == 0 => StreamId::MAX.to_vec(),
            Some(Threshold::MinId(_)) => stream.first_id().to_vec(),
            _ => stream.len().to_string().into_bytes(),
        }
    }

    /// Whether the log must have other words.
    pub(super) fn is_approximate(&self) -> bool {
        self.approximate
    }
}

/// Reads KEEPREF, DELREF or ACKED.
pub(super) fn read_references(args: &mut Args<'_>, references: &mut References) -> bool {
    *references = if args.option("KEEPREF") {
        References::Keep
    } else if args.option("DELREF") {
        References::Delete
    } else if args.option("ACKED") {
        References::Acknowledged
    } else {
        return false;
    };
    true
}

pub(super) const XTRIM: Command = Command::new(
    Group::Stream,
    "XTRIM",
    "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
    xtrim,
)
.summary("Removes entries from the beginning of a stream and replies how many.")
.cost("O(N), N entries removed; where whole nodes go, few steps each")
.since("5.0.0")
.history(&[("6.2.0", "`MINID` and `LIMIT`."), ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`.")])
.keys(&[KeySpec::at(1, RW | DELETE)])
.flags(WRITE)
.tips(&["nondeterministic_output"]);

fn xtrim(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let mut options = TrimOptions::default();
    while args.remaining() > 0 {
        if !options.read(args)? {
            return Err(Error::SYNTAX);
        }
    }
    let trim = options.finish(data.limits().stream_node_max_entries)?.ok_or(Error::STREAM_NO_THRESHOLD)?;
    let Some(mut stream) = data.edit::<Stream>(&key)? else {
        reply.count(0);
        return Ok(());
    };
    let removed = stream.trim(&trim);
    let exact = options.exact_threshold(&stream);
    stream.finish();
    if removed > 0 {
        data.changed_times(&key, Class::STREAM, "xtrim", removed as u64);
        if options.is_approximate() {
            let mut words = Vec::new();
            options.log_words(args, 0..args.len(), &exact, &mut words);
            data.log(&words);
        }
    }
    reply.count(removed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    fn db(entries: usize) -> Db {
        let mut db = Db::new();
        db.context.limits.stream_node_max_entries = 10;
        for n in 1..=entries {
            db.run(&format!("XADD s {n} f {n}"));
        }
        db
    }

    #[test]
    fn exact_trimming_leaves_what_was_asked_for() {
        let mut db = db(35);
        db.check("XTRIM s MAXLEN 32", 3);
        assert_eq!((db.events(), db.logged(), db.effects.changes), (vec!["xtrim s".into()], "verbatim".into(), 3));
        db.check("XTRIM s MAXLEN = 20", 12);
        db.check("XTRIM s MINID 25", 9);
        db.check("XRANGE s - + COUNT 1", "[[25-0 [f 25]]]");
        db.check_quiet("XTRIM s MINID 25-0", 0);
        db.check_quiet("XTRIM s MAXLEN 100", 0);
        db.check("XTRIM s MAXLEN 0", 11);
        db.check("EXISTS s", 1);
        db.check_quiet("XTRIM missing MAXLEN 0", 0);
    }

    #[test]
    fn approximate_trimming_is_logged_as_what_it_did() {
        let mut db = db(55);
        db.check("XTRIM s MAXLEN ~ 12", 40);
        assert_eq!(db.logged(), "XTRIM s MAXLEN = 15");
        db.check_quiet("XTRIM s MAXLEN ~ 6", 0);
        db.check_quiet("XTRIM s MINID ~ 50", 0);
        db.check("XTRIM s MINID ~ 51 LIMIT 100", 10);
        assert_eq!(db.logged(), "XTRIM s MINID = 51-0");
        db.check("XADD new MAXLEN ~ 2 LIMIT 12 LIMIT 100 7-0 f v", "7-0");
        assert_eq!(db.logged(), "XADD new MAXLEN = 1 7-0 f v");
        db.check("XADD other MINID ~ 100 50 f v", "50-0");
        assert_eq!(db.logged(), format!("XADD other MINID = {0}-{0} 50-0 f v", u64::MAX));
        db.check("XLEN other", 0);
    }

    #[test]
    fn limits_bound_the_work() {
        let mut db = db(55);
        db.check_quiet("XTRIM s MAXLEN ~ 0 LIMIT 9", 0);
        db.check("XTRIM s MAXLEN ~ 0 LIMIT 29", 20);
        db.check("XTRIM s MAXLEN ~ 0 LIMIT 0", 35);
        let mut db = db_with_nodes_of_one();
        db.check("XTRIM s MAXLEN ~ 0", 100);
    }

    fn db_with_nodes_of_one() -> Db {
        let mut db = Db::new();
        db.context.limits.stream_node_max_entries = 1;
        for n in 1..=105 {
            db.run(&format!("XADD s {n} f {n}"));
        }
        db
    }

    #[test]
    fn entries_that_are_pending_can_be_spared_or_forgotten() {
        let mut db = db(5);
        db.run("XGROUP CREATE s g 0");
        db.run("XREADGROUP GROUP g c COUNT 2 STREAMS s >");
        db.run("XACK s g 1-0");
        db.check("XTRIM s MAXLEN 0 ACKED", 1);
        db.check("XTRIM s MAXLEN 1 DELREF", 3);
        db.check("XPENDING s g - + 10", "[]");
        db.run("XREADGROUP GROUP g c STREAMS s >");
        db.check("XTRIM s MAXLEN 0 KEEPREF", 1);
        db.check("XPENDING s g - + 10", "[[5-0 c 0 1]]");
    }

    #[test]
    fn options_must_fit_together() {
        let mut db = db(1);
        db.run("SET text x");
        for (words, error) in [
            ("LIMIT 3", Error::STREAM_LIMIT_OF_NOTHING),
            ("MAXLEN 3 LIMIT 3", Error::STREAM_LIMIT_OF_EXACT),
            ("MAXLEN ~ 3 LIMIT -1", Error::STREAM_LIMIT),
            ("MAXLEN ~ 3 LIMIT x", Error::NOT_AN_INTEGER),
            ("MAXLEN -1", Error::STREAM_MAXLEN),
            ("MAXLEN x", Error::NOT_AN_INTEGER),
            ("MINID x", Error::STREAM_ID),
            ("MAXLEN 1 MINID 1", Error::STREAM_TWO_THRESHOLDS),
            ("MAXLEN 1 x", Error::SYNTAX),
            ("MAXLEN ~ 1 LIMIT", Error::SYNTAX),
            ("NOMKSTREAM MAXLEN 1", Error::SYNTAX),
            ("KEEPREF ACKED", Error::STREAM_NO_THRESHOLD),
            ("MAXLEN 1", Error::WRONG_TYPE),
        ] {
            db.check_quiet(&format!("XTRIM text {words}"), error);
        }
    }
}
