//! Entries are deleted one by one, with or without regard to groups: XDEL, XDELEX and XACKDEL.

use super::ids::{parse_id, parse_ids};
use super::trimming::read_references;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_values::stream::References;
use ochre_values::{Stream, StreamId};

pub(super) const XDEL: Command = Command::new(Group::Stream, "XDEL", "key id [id ...]", xdel)
    .summary("Deletes entries of a stream; replies how many there were.")
    .cost("O(log(N)) for each id, N nodes of the stream")
    .since("5.0.0")
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .flags(WRITE | FAST);

fn xdel(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let mut deleted = 0;
    if let Some(mut stream) = data.edit::<Stream>(&key)? {
        deleted = parse_ids(args.rest())?.into_iter().filter(|id| stream.delete(*id)).count();
    }
    if deleted > 0 {
        data.changed_times(&key, Class::STREAM, "xdel", deleted as u64);
    }
    reply.count(deleted);
    Ok(())
}

pub(super) const XDELEX: Command =
    Command::new(Group::Stream, "XDELEX", "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]", xdelex)
        .summary(
            "Deletes entries of a stream, with regard to groups that have them pending; replies what became of each.",
        )
        .cost("O(log(N)) for each id and group, N nodes of the stream or pending entries")
        .since("8.2.0")
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST);

fn xdelex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (references, ids) = read_ids(args)?;
    delete(data, &key, None, references, &ids, reply)
}

pub(super) const XACKDEL: Command = Command::new(
    Group::Stream,
    "XACKDEL",
    "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
    xackdel,
)
.summary("Acknowledges entries for a group and deletes them, with regard to other groups; replies what became of each.")
.cost("O(log(N)) for each id and group, N nodes of the stream or pending entries")
.since("8.2.0")
.keys(&[KeySpec::at(1, RW | UPDATE | DELETE)])
.flags(WRITE | FAST);

fn xackdel(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, group) = (args.key(), args.word());
    let (references, ids) = read_ids(args)?;
    delete(data, &key, Some(group), references, &ids, reply)
}

/// What became of an entry.
const NOT_THERE: i64 = -1;
const DELETED: i64 = 1;
const KEPT: i64 = 2;

/// Deletes entries, acknowledged for `group` before if one is given, and replies what became of each.
fn delete(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    group: Option<&[u8]>,
    references: References,
    ids: &[StreamId],
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let mut stream = match data.edit::<Stream>(key)? {
        Some(stream) if group.is_none_or(|group| stream.group(group).is_some()) => stream,
        _ => {
            reply.array(ids.len());
            ids.iter().for_each(|_| reply.integer(NOT_THERE));
            return Ok(());
        }
    };
    reply.array(ids.len());
    let (mut deleted, mut forgotten) = (0, 0);
    for id in ids {
        let acknowledged = group.and_then(|group| stream.group_mut(group)).map(|group| group.acknowledge(*id));
        forgotten += u64::from(acknowledged == Some(true));
        if references == References::Delete {
            // Also what is pending without its entry.
            forgotten += u64::from(stream.forget_pending(*id));
        }
        let spared =
            references == References::Acknowledged && (stream.groups().len() == 0 || !stream.is_acknowledged(*id));
        reply.integer(if acknowledged == Some(false) || !stream.contains(*id) {
            NOT_THERE
        } else if spared {
            KEPT
        } else {
            stream.delete(*id);
            deleted += 1;
            DELETED
        });
    }
    stream.finish();
    if deleted > 0 {
        data.changed_times(key, Class::STREAM, "xdel", deleted);
    }
    data.effects.changes += forgotten;
    Ok(())
}

/// Reads `[KEEPREF | DELREF | ACKED] IDS numids id [id ...]` in any order, up to the last word.
fn read_ids(args: &mut Args<'_>) -> Result<(References, Vec<StreamId>), Error> {
    let (mut references, mut ids) = (References::Keep, None);
    while args.remaining() > 0 {
        if args.remaining() >= 2 && args.option("IDS") {
            ids = Some(counted_ids(args)?);
        } else if !read_references(args, &mut references) {
            return Err(Error::SYNTAX);
        }
    }
    Ok((references, ids.ok_or(Error::SYNTAX)?))
}

/// The number of ids at the next word, and those ids.
pub(super) fn counted_ids(args: &mut Args<'_>) -> Result<Vec<StreamId>, Error> {
    let count = args.int_from(1, Error::STREAM_NUMIDS)?;
    match usize::try_from(count) {
        Ok(count) if count <= args.remaining() => (0..count).map(|_| parse_id(args.word(), 0)).collect(),
        _ => Err(Error::STREAM_NUMIDS_MATCH),
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    /// Entries 1 to 4 and groups g and h: 1 and 2 are pending with both, and h has read 3 as well.
    fn db() -> Db {
        let mut db = Db::new();
        for n in 1..=4 {
            db.run(&format!("XADD s {n} f {n}"));
        }
        db.run("XGROUP CREATE s g 0");
        db.run("XGROUP CREATE s h 0");
        db.run("XREADGROUP GROUP g c COUNT 2 STREAMS s >");
        db.run("XREADGROUP GROUP h c COUNT 3 STREAMS s >");
        db
    }

    #[test]
    fn xdel_replies_how_many_there_were() {
        let mut db = db();
        db.check("XDEL s 1 1 9 3", 2);
        assert_eq!((db.events(), db.effects.changes), (vec!["xdel s".into()], 2));
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("XDEL s 1", 0);
        db.check_quiet("XDEL s 2 x", Error::STREAM_ID);
        db.check_quiet("XDEL missing x", 0);
        db.check("XDEL s 2 4", 2);
        db.check("EXISTS s", 1);
        db.check_quiet("XPENDING s g", "[2 1-0 2-0 [[c 2]]]");
        db.run("SET text x");
        db.check_quiet("XDEL text x", Error::WRONG_TYPE);
    }

    #[test]
    fn xdelex_says_what_became_of_each() {
        let mut db = db();
        db.check("XDELEX s IDS 2 1 9", [1, -1]);
        assert_eq!((db.events(), db.logged()), (vec!["xdel s".into()], "verbatim".into()));
        db.check_quiet("XDELEX s ACKED IDS 3 2 3 1", [2, 2, -1]);
        db.run("XACK s g 2");
        db.run("XACK s h 2");
        db.check("XDELEX s ACKED IDS 2 2 4", [1, 2]);
        // What is gone may still be pending.
        db.check("XDELEX s IDS 1 1 DELREF", [-1]);
        assert_eq!((db.events().len(), db.effects.changes), (0, 1));
        db.check_quiet("XPENDING s g", "[0 nil nil nil]");
        db.check("XDELEX s DELREF IDS 1 3", [1]);
        db.check_quiet("XPENDING s h", "[0 nil nil nil]");
        db.check_quiet("XDELEX missing ACKED IDS 2 1 2", [-1, -1]);
        db.run("XADD lonely 1 f v");
        db.check_quiet("XDELEX lonely ACKED IDS 1 1", [2]);
    }

    #[test]
    fn xackdel_acknowledges_first() {
        let mut db = db();
        db.check("XACKDEL s g ACKED IDS 2 1 2", [2, 2]);
        assert_eq!((db.events().len(), db.effects.changes, db.logged().as_str()), (0, 2, "verbatim"));
        db.check("XACKDEL s h ACKED IDS 2 1 3", [1, 2]);
        assert_eq!(db.events(), ["xdel s"]);
        db.check_quiet("XACKDEL s g IDS 2 1 2", [-1, -1]);
        db.check("XACKDEL s h IDS 1 2", [1]);
        db.check_quiet("XACKDEL s nobody IDS 1 3", [-1]);
        db.check_quiet("XACKDEL missing g IDS 1 3", [-1]);
        db.check_quiet("XRANGE s - +", "[[3-0 [f 3]] [4-0 [f 4]]]");
    }

    #[test]
    fn words_are_judged_first() {
        let mut db = db();
        db.run("SET text x");
        for (words, error) in [
            ("IDS 0 1", Error::STREAM_NUMIDS),
            ("IDS x 1", Error::STREAM_NUMIDS),
            ("IDS 3 1 2", Error::STREAM_NUMIDS_MATCH),
            ("IDS 1 x", Error::STREAM_ID),
            ("IDS 1 1 2", Error::SYNTAX),
            ("KEEPREF ACKED DELREF", Error::SYNTAX),
            ("IDS 1 1 KEEPREF", Error::WRONG_TYPE),
        ] {
            db.check_quiet(&format!("XDELEX text {words}"), error.clone());
            db.check_quiet(&format!("XACKDEL text g {words}"), error);
        }
    }
}
