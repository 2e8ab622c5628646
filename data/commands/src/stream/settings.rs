//! What a stream knows about itself, set from outside: XSETID.

use super::ids::parse_id;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_values::{Collection, Stream, StreamId};

pub(super) const XSETID: Command = Command::new(
    Group::Stream,
    "XSETID",
    "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    xsetid,
)
.summary("Says which id a stream has given last, and what else it counts.")
.cost("O(1)")
.since("5.0.0")
.history(&[("7.0.0", "`ENTRIESADDED` and `MAXDELETEDID`.")])
.keys(&[KeySpec::at(1, RW | UPDATE)])
.flags(WRITE | DENYOOM | FAST);

fn xsetid(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let id = parse_id(args.word(), 0)?;
    let (mut entries_added, mut max_deleted) = (None, StreamId::MIN);
    while args.remaining() > 0 {
        if args.remaining() >= 2 && args.option("ENTRIESADDED") {
            entries_added = Some(u64::try_from(args.int()?).map_err(|_| Error::STREAM_ENTRIES_ADDED)?);
        } else if args.remaining() >= 2 && args.option("MAXDELETEDID") {
            max_deleted = parse_id(args.word(), 0)?;
            if id < max_deleted {
                return Err(Error::STREAM_LAST_ID_BELOW_GIVEN_DELETED);
            }
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let mut stream = data.edit::<Stream>(&key)?.ok_or(Error::NO_SUCH_KEY)?;
    if id < stream.max_deleted_id() {
        return Err(Error::STREAM_LAST_ID_BELOW_DELETED);
    }
    if stream.last_live_id().is_some_and(|last| id < last) {
        return Err(Error::STREAM_LAST_ID_BELOW_TOP);
    }
    if entries_added.is_some_and(|added| added < stream.len() as u64) {
        return Err(Error::STREAM_ENTRIES_ADDED_TOO_FEW);
    }
    stream.set_last_id(id);
    if let Some(added) = entries_added {
        stream.set_entries_added(added);
    }
    if !max_deleted.is_zero() {
        stream.set_max_deleted_id(max_deleted);
    }
    stream.finish();
    data.changed(&key, Class::STREAM, "xsetid");
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn xsetid_says_what_a_stream_counts() {
        let mut db = Db::new();
        db.run("XADD s 5 f v");
        db.run("XADD s 7 f v");
        db.check("XSETID s 10-3", "OK");
        assert_eq!((db.events(), db.logged()), (vec!["xsetid s".into()], "verbatim".into()));
        db.check("XADD s 10-* f v", "10-4");
        db.check("XSETID s 20 ENTRIESADDED 50 MAXDELETEDID 15-1", "OK");
        let info = "[length 3 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 20-0 max-deleted-entry-id 15-1 \
                    entries-added 50 recorded-first-entry-id 5-0 groups 0 first-entry [5-0 [f v]] last-entry [10-4 [f v]]]";
        db.check_quiet("XINFO STREAM s", info);
    }

    #[test]
    fn xsetid_refuses_what_contradicts_the_stream() {
        let mut db = Db::new();
        db.run("XADD s 5 f v");
        db.run("XADD s 7 f v");
        db.run("SET text x");
        db.check_quiet("XSETID text x", Error::STREAM_ID);
        db.check_quiet("XSETID text 1 ENTRIESADDED", Error::SYNTAX);
        db.check_quiet("XSETID text 1 FOO 1", Error::SYNTAX);
        db.check_quiet("XSETID text 1 ENTRIESADDED -1", Error::STREAM_ENTRIES_ADDED);
        db.check_quiet("XSETID text 1 MAXDELETEDID 2", Error::STREAM_LAST_ID_BELOW_GIVEN_DELETED);
        db.check_quiet("XSETID text 1", Error::WRONG_TYPE);
        db.check_quiet("XSETID missing 1", Error::NO_SUCH_KEY);
        db.check_quiet("XSETID s 6-9", Error::STREAM_LAST_ID_BELOW_TOP);
        db.check_quiet("XSETID s 7 ENTRIESADDED 1", Error::STREAM_ENTRIES_ADDED_TOO_FEW);
        db.run("XDEL s 7");
        db.check_quiet("XSETID s 6", Error::STREAM_LAST_ID_BELOW_DELETED);
        db.check("XSETID s 7 ENTRIESADDED 1", "OK");
    }
}
