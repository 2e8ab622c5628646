//! Databases as a whole: counting, emptying and exchanging them.

use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_keyspace::Garbage;
use ochre_text::number;

pub(super) const DBSIZE: Command = Command::new(Group::Server, "DBSIZE", "", dbsize)
    .summary("Replies how many keys the selected database holds.")
    .cost("O(1) for each shard")
    .categories(CAT_KEYSPACE)
    .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
    .locks(Locks::All)
    .flags(READONLY | FAST);

fn dbsize(data: &mut Locked<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(data.size(data.db()).keys);
    Ok(())
}

pub(super) const FLUSHDB: Command = Command::new(Group::Server, "FLUSHDB", "[ASYNC | SYNC]", flushdb)
    .summary("Removes every key of the selected database.")
    .cost("O(1) for each shard; memory is freed in the background")
    .history(&[("4.0.0", "`ASYNC` is understood."), ("6.2.0", "`SYNC` is understood.")])
    .categories(CAT_DANGEROUS | CAT_KEYSPACE)
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
    .locks(Locks::All)
    .flags(WRITE);

fn flushdb(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    flush(data, args, data.db()..data.db() + 1)?;
    reply.ok();
    Ok(())
}

pub(super) const FLUSHALL: Command = Command::new(Group::Server, "FLUSHALL", "[ASYNC | SYNC]", flushall)
    .summary("Removes every key of every database.")
    .cost("O(1) for each shard and database; memory is freed in the background")
    .history(&[("4.0.0", "`ASYNC` is understood."), ("6.2.0", "`SYNC` is understood.")])
    .categories(CAT_DANGEROUS | CAT_KEYSPACE)
    .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
    .locks(Locks::All)
    .flags(WRITE);

fn flushall(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    flush(data, args, 0..data.databases())?;
    reply.ok();
    Ok(())
}

/// Empties these databases. ASYNC and SYNC are the same here: no event loop ever frees a database.
fn flush(data: &mut Locked<'_>, args: &mut Args<'_>, databases: std::ops::Range<usize>) -> Result<(), Error> {
    let _ = args.option("ASYNC") || args.option("SYNC");
    args.finish()?;
    for db in databases {
        for table in data.empty(db) {
            data.effects.changes += table.len() as u64;
            data.free_later(Garbage::Table(table));
        }
    }
    // Logged even when there was nothing: what reads the log may hold keys that have expired here.
    let words: Vec<&[u8]> = args.argv().iter().collect();
    data.log(&words);
    Ok(())
}

pub(super) const SWAPDB: Command = Command::new(Group::Server, "SWAPDB", "index1 index2", swapdb)
    .summary("Exchanges the keys of two databases, for all clients at once.")
    .cost("O(1) for each shard")
    .since("4.0.0")
    .categories(CAT_DANGEROUS | CAT_KEYSPACE)
    .locks(Locks::All)
    .flags(WRITE | FAST);

fn swapdb(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let one = number::parse_i64(args.word()).ok_or(Error::fixed("ERR invalid first DB index"))?;
    let other = number::parse_i64(args.word()).ok_or(Error::fixed("ERR invalid second DB index"))?;
    let existing = |db: i64| usize::try_from(db).ok().filter(|db| *db < data.databases()).ok_or(Error::DB_INDEX);
    let (one, other) = (existing(one)?, existing(other)?);
    if one != other {
        data.swap(one, other);
    }
    data.effects.changes += 1;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn dbsize_counts_the_selected_database() {
        let mut db = Db::new();
        db.check_quiet("DBSIZE", 0);
        for n in 0..100 {
            db.run(&format!("SET k{n} v"));
        }
        db.check_quiet("DBSIZE", 100);
        db.db = 1;
        db.check_quiet("DBSIZE", 0);
    }

    #[test]
    fn flushdb_empties_one_database_and_flushall_all() {
        let mut db = Db::new();
        for at in [0, 1, 2] {
            db.db = at;
            db.run("SET a v");
            db.run("SET b v");
        }
        db.check("FLUSHDB SYNC", "OK");
        assert_eq!(db.effects.changes, 2);
        assert_eq!(db.logged(), "FLUSHDB SYNC");
        db.check("DBSIZE", 0);
        db.db = 0;
        db.check("DBSIZE", 2);
        db.check("FLUSHALL async", "OK");
        assert_eq!(db.effects.changes, 4);
        db.check("DBSIZE", 0);
    }

    #[test]
    fn flushing_nothing_is_logged_but_changes_nothing() {
        let mut db = Db::new();
        db.check("FLUSHALL", "OK");
        assert_eq!((db.effects.changes, db.logged()), (0, "FLUSHALL".to_owned()));
    }

    #[test]
    fn flushes_know_no_other_words() {
        let mut db = Db::new();
        db.run("SET a v");
        for line in ["FLUSHALL x", "FLUSHALL ASYNC SYNC", "FLUSHDB SYNC x"] {
            db.check_quiet(line, Error::SYNTAX);
        }
        db.check("DBSIZE", 1);
    }

    #[test]
    fn swapdb_exchanges_two_databases() {
        let mut db = Db::new();
        db.run("SET k zero");
        db.check("SWAPDB 0 15", "OK");
        assert_eq!((db.effects.changes, db.logged()), (1, "verbatim".to_owned()));
        db.check("GET k", Null);
        db.check("SWAPDB 3 3", "OK");
        db.db = 15;
        db.check("GET k", "zero");
        db.check_quiet("SWAPDB x 99", Error::fixed("ERR invalid first DB index"));
        db.check_quiet("SWAPDB 99 x", Error::fixed("ERR invalid second DB index"));
        db.check_quiet("SWAPDB 0 16", Error::DB_INDEX);
        db.check_quiet("SWAPDB -1 0", Error::DB_INDEX);
    }
}
