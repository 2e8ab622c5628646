//! Taking the lowest or the highest members, waiting for some if there are none.

use super::pops::{End, Listing, PopRequest, pop};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Key, Locked, Reply, timeout};

pub(super) const BZPOPMIN: Command = Command::new(Group::SortedSet, "BZPOPMIN", "key [key ...] timeout", bzpopmin)
    .summary("Takes the lowest member out of the first sorted set that has any, waiting for one if need be.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("5.0.0")
    .history(&[("6.0.0", "The timeout may have a fraction.")])
    .keys(&[KeySpec::span(1, -2, 1, RW | ACCESS | DELETE)])
    .flags(WRITE | BLOCKING | FAST);

fn bzpopmin(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop_or_wait(data, args, End::Min, reply)
}

pub(super) const BZPOPMAX: Command = Command::new(Group::SortedSet, "BZPOPMAX", "key [key ...] timeout", bzpopmax)
    .summary("Takes the highest member out of the first sorted set that has any, waiting for one if need be.")
    .cost("O(log(N)), N being the size of the sorted set")
    .since("5.0.0")
    .history(&[("6.0.0", "The timeout may have a fraction.")])
    .keys(&[KeySpec::span(1, -2, 1, RW | ACCESS | DELETE)])
    .flags(WRITE | BLOCKING | FAST);

fn bzpopmax(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    pop_or_wait(data, args, End::Max, reply)
}

fn pop_or_wait(data: &mut Locked<'_>, args: &mut Args<'_>, end: End, reply: &mut Reply<'_>) -> Result<(), Error> {
    let first = args.position();
    let keys = args.remaining() - 1;
    args.seek(first + keys);
    let timeout_ms = timeout::seconds(args, data.now_ms())?;
    args.seek(first);
    for _ in 0..keys {
        let key = args.key();
        if pop(data, &key, end, 1, Listing::KeyedFlat, reply)?.is_some() {
            data.log(&[end.command().as_bytes(), key.bytes()]);
            return Ok(());
        }
    }
    args.seek(first);
    let keys: Vec<Key<'_>> = (0..keys).map(|_| args.key()).collect();
    data.block(&keys, timeout_ms, true);
    Ok(())
}

pub(super) const BZMPOP: Command = Command::new(
    Group::SortedSet,
    "BZMPOP",
    "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    bzmpop,
)
.summary("Takes the lowest or highest members out of the first sorted set that has any, waiting for one if need be.")
.cost("O(K)+O(M*log(N)), K being the number of keys, N the size of the sorted set and M the number of members taken")
.since("7.0.0")
.keys(&[KeySpec::counted(2, RW | ACCESS | DELETE)])
.flags(WRITE | BLOCKING);

fn bzmpop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let timeout_ms = timeout::seconds(args, data.now_ms())?;
    let request = PopRequest::read(args)?;
    if !request.serve(data, args, reply)? {
        let keys: Vec<Key<'_>> = request.keys(args).collect();
        data.block(&keys, timeout_ms, true);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;
    use ochre_resp::Protocol;

    #[test]
    fn pops_take_from_the_first_key_that_has_any() {
        let mut db = Db::new();
        db.run("ZADD z 1 a 2.5 b 3 c");
        db.check("BZPOPMIN missing z 0", ["z", "a", "1"]);
        assert_eq!((db.events(), db.logged()), (vec!["zpopmin z".into()], "ZPOPMIN z".into()));
        db.check("BZPOPMAX z 0", ["z", "c", "3"]);
        assert_eq!(db.logged(), "ZPOPMAX z");
        db.protocol = Protocol::Resp3;
        assert_eq!(db.run_raw(&[b"BZPOPMIN", b"z", b"0"]), b"*3\r\n$1\r\nz\r\n$1\r\nb\r\n,2.5\r\n");
        assert_eq!(db.events(), ["zpopmin z", "del z"]);
    }

    #[test]
    fn bzmpop_takes_several() {
        let mut db = Db::new();
        db.run("ZADD z 1 a 2 b 3 c");
        db.check("BZMPOP 0 2 missing z MAX COUNT 2", "[z [[c 3] [b 2]]]");
        assert_eq!((db.events(), db.logged()), (vec!["zpopmax z".into()], "ZPOPMAX z 2".into()));
    }

    #[test]
    fn pops_wait_where_there_is_nothing() {
        let mut db = Db::new();
        db.check_quiet("BZPOPMIN a b 0.25", "waits for a b, 250 ms");
        db.check_quiet("BZPOPMAX a 0", "waits for a, 0 ms");
        db.check_quiet("BZMPOP 1 2 a b MIN", "waits for a b, 1000 ms");
    }

    #[test]
    fn words_and_types_are_judged_at_once() {
        let mut db = Db::new();
        db.run("SET text x");
        db.check_quiet("BZPOPMIN missing text 0", Error::WRONG_TYPE);
        db.check_quiet("BZMPOP 0 1 text MIN", Error::WRONG_TYPE);
        db.check_quiet("BZPOPMAX text x", Error::TIMEOUT_NOT_A_FLOAT);
        db.check_quiet("BZPOPMIN text -0.1", Error::TIMEOUT_NEGATIVE);
        db.check_quiet("BZMPOP inf 0 text MIN", Error::TIMEOUT_OUT_OF_RANGE);
        db.check_quiet("BZMPOP 0 0 text MIN", Error::NUMKEYS);
        db.check_quiet("BZMPOP 0 1 text LOW", Error::SYNTAX);
        db.check_quiet("BZMPOP 0 1 text MIN COUNT 0", Error::COUNT);
    }
}
