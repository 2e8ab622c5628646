//! What several sets have in common, have together, or have not; the members or their number.

use super::reply_empty_set;
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Command, Error, Key, Locked, Reply};
use ochre_values::Set;
use ochre_values::set::{SetRef, combine};

/// The sets at `keys`; `None` where there is no key.
///
/// # Errors
/// The wrong type of any key, also where an earlier one has settled the result.
pub(super) fn sets<'d, 'k>(
    data: &'d Locked<'_>,
    keys: impl Iterator<Item = Key<'k>>,
) -> Result<Vec<Option<SetRef<'d>>>, Error> {
    keys.map(|key| data.read::<Set>(&key).map_err(Error::from)).collect()
}

/// Whether the first key is among the others: then nothing is left of it.
pub(super) fn begins_twice<'k>(mut keys: impl Iterator<Item = Key<'k>>) -> bool {
    keys.next().is_some_and(|first| keys.any(|key| key == first))
}

/// All keys that are left among the words.
pub(super) fn rest_as_keys<'a>(args: &mut Args<'a>) -> impl Iterator<Item = Key<'a>> + Clone + use<'a> {
    args.rest().into_iter().map(Key::new)
}

/// Replies the members that `combine` visits, as a set.
fn reply_members(reply: &mut Reply<'_>, combine: impl FnOnce(combine::Visit<'_>)) {
    let set = reply.array_deferred();
    let mut members = 0;
    combine(&mut |item| {
        reply_item(reply, item);
        members += 1;
        true
    });
    reply.set_len_of_set(set, members);
}

/// Counts the members that `combine` visits, at most `limit` of them; 0 is no limit.
fn count_members(limit: usize, combine: impl FnOnce(combine::Visit<'_>)) -> usize {
    let mut members = 0;
    combine(&mut |_| {
        members += 1;
        members != limit
    });
    members
}

pub(super) const SMEMBERS: Command = Command::new(Group::Set, "SMEMBERS", "key", smembers)
    .summary("Replies all members of a set.")
    .cost("O(N), N members")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .tips(&["nondeterministic_output_order"]);

fn smembers(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match data.read::<Set>(&args.key())? {
        Some(set) => reply_set(set, reply),
        None => reply_empty_set(reply),
    }
    Ok(())
}

/// Replies a whole set.
pub(super) fn reply_set(set: SetRef<'_>, reply: &mut Reply<'_>) {
    reply.set(set.len());
    for item in set {
        reply_item(reply, item);
    }
}

pub(super) const SINTER: Command = Command::new(Group::Set, "SINTER", "key [key ...]", sinter)
    .summary("Replies the members that all given sets have.")
    .cost("O(N*M), N members of the smallest set, M sets")
    .keys(&[KeySpec::span(1, -1, 1, RO | ACCESS)])
    .flags(READONLY)
    .gathers(Gathers::Smallest)
    .tips(&["nondeterministic_output_order"]);

fn sinter(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let sets: Option<Vec<_>> = sets(data, rest_as_keys(args))?.into_iter().collect();
    match sets.as_deref() {
        Some([set]) => reply_set(*set, reply),
        Some(_) => {
            let mut sets = sets.unwrap_or_default();
            reply_members(reply, |visit| combine::intersection(&mut sets, visit));
        }
        None => reply_empty_set(reply),
    }
    Ok(())
}

pub(super) const SUNION: Command = Command::new(Group::Set, "SUNION", "key [key ...]", sunion)
    .summary("Replies the members that any of the given sets has.")
    .cost("O(N), N members of all sets")
    .keys(&[KeySpec::span(1, -1, 1, RO | ACCESS)])
    .flags(READONLY)
    .gathers(Gathers::All)
    .tips(&["nondeterministic_output_order"]);

fn sunion(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut sets: Vec<_> = sets(data, rest_as_keys(args))?.into_iter().flatten().collect();
    reply_members(reply, |visit| combine::union(&mut sets, visit));
    Ok(())
}

pub(super) const SDIFF: Command = Command::new(Group::Set, "SDIFF", "key [key ...]", sdiff)
    .summary("Replies the members of the first set that none of the others has.")
    .cost("O(N), N members of all sets")
    .keys(&[KeySpec::span(1, -1, 1, RO | ACCESS)])
    .flags(READONLY)
    .gathers(Gathers::All)
    .tips(&["nondeterministic_output_order"]);

fn sdiff(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys = rest_as_keys(args);
    let sets = sets(data, keys.clone())?;
    match difference_of(&sets, begins_twice(keys)) {
        Some((first, mut others)) => reply_members(reply, |visit| combine::difference(first, &mut others, visit)),
        None => reply_empty_set(reply),
    }
    Ok(())
}

/// The set to take from and those to take away; `None` when nothing can be left.
pub(super) fn difference_of<'d>(
    sets: &[Option<SetRef<'d>>],
    begins_twice: bool,
) -> Option<(SetRef<'d>, Vec<SetRef<'d>>)> {
    match sets.split_first() {
        Some((Some(first), others)) if !begins_twice => Some((*first, others.iter().copied().flatten().collect())),
        _ => None,
    }
}

/// Reads `[APPROX] [LIMIT limit]` up to the last word; 0 is no limit.
///
/// # Errors
/// A limit that is no number or below 0; anything else, APPROX too where `takes_approx` says that there is none.
fn limit(args: &mut Args<'_>, takes_approx: bool) -> Result<usize, Error> {
    let mut limit = 0;
    while args.remaining() > 0 {
        if args.option("LIMIT") {
            let most = args.peek().ok_or(Error::SYNTAX).and_then(|_| args.int_from(0, Error::NEGATIVE_LIMIT))?;
            limit = usize::try_from(most).unwrap_or(usize::MAX);
        } else if !(takes_approx && args.option("APPROX")) {
            return Err(Error::SYNTAX);
        }
    }
    Ok(limit)
}

pub(super) const SINTERCARD: Command =
    Command::new(Group::Set, "SINTERCARD", "numkeys key [key ...] [LIMIT limit]", sintercard)
        .summary("Replies how many members all given sets have in common, counting no further than the limit.")
        .cost("O(N*M), N members of the smallest set, M sets")
        .since("7.0.0")
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY)
        .gathers(Gathers::Smallest);

fn sintercard(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys = args.counted_keys(Error::TOO_MANY_KEYS)?;
    let limit = limit(args, false)?;
    let sets: Option<Vec<_>> = sets(data, keys)?.into_iter().collect();
    let count = sets.map_or(0, |mut sets| count_members(limit, |visit| combine::intersection(&mut sets, visit)));
    reply.count(count);
    Ok(())
}

/// The estimate that APPROX allows would cost as much time as the exact number; what it saves is memory, and nothing is copied
/// here either way.
pub(super) const SUNIONCARD: Command =
    Command::new(Group::Set, "SUNIONCARD", "numkeys key [key ...] [APPROX] [LIMIT limit]", sunioncard)
        .summary("Replies how many members the given sets have together, counting no further than the limit.")
        .cost("O(N), N members of all sets")
        .since("8.10.0")
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY);

fn sunioncard(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys = args.counted_keys(Error::TOO_MANY_KEYS)?;
    let limit = limit(args, true)?;
    let mut sets: Vec<_> = sets(data, keys)?.into_iter().flatten().collect();
    let count = match sets[..] {
        [set] if limit == 0 => set.len(),
        _ => count_members(limit, |visit| combine::union(&mut sets, visit)),
    };
    reply.count(count);
    Ok(())
}

pub(super) const SDIFFCARD: Command =
    Command::new(Group::Set, "SDIFFCARD", "numkeys key [key ...] [LIMIT limit]", sdiffcard)
        .summary(
            "Replies how many members of the first set none of the others has, counting no further than the limit.",
        )
        .cost("O(N), N members of all sets")
        .since("8.10.0")
        .keys(&[KeySpec::counted(1, RO | ACCESS)])
        .flags(READONLY);

fn sdiffcard(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keys = args.counted_keys(Error::TOO_MANY_KEYS)?;
    let limit = limit(args, false)?;
    let sets = sets(data, keys.clone())?;
    let count = difference_of(&sets, begins_twice(keys))
        .map_or(0, |(first, mut others)| count_members(limit, |visit| combine::difference(first, &mut others, visit)));
    reply.count(count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;
    use ochre_resp::Protocol;

    /// The sets a = 1 2 3 x, b = 2 3 4, c = 3 x (a packed list, integers, a packed list) and text, a string.
    fn db() -> Db {
        let mut db = Db::new();
        db.run("SADD a 1 2 3 x");
        db.run("SADD b 2 3 4");
        db.run("SADD c 3 x");
        db.run("SET text x");
        db
    }

    #[track_caller]
    fn check_members(db: &mut Db, command: &str, expected: &str) {
        let shown = db.run(command);
        let mut members: Vec<&str> = shown.trim_matches(['[', ']']).split_whitespace().collect();
        members.sort_unstable();
        assert_eq!(members.join(" "), expected, "{command}");
        assert_eq!(db.effects.changes, 0, "{command}");
    }

    #[test]
    fn sinter_replies_what_all_sets_have() {
        let mut db = db();
        check_members(&mut db, "SINTER a", "1 2 3 x");
        check_members(&mut db, "SINTER a b", "2 3");
        check_members(&mut db, "SINTER a b c", "3");
        check_members(&mut db, "SINTER a a", "1 2 3 x");
        check_members(&mut db, "SINTER a missing b", "");
        db.check_quiet("SINTER missing text", Error::WRONG_TYPE);
    }

    #[test]
    fn sunion_replies_what_any_set_has() {
        let mut db = db();
        check_members(&mut db, "SUNION a", "1 2 3 x");
        check_members(&mut db, "SUNION a b c missing", "1 2 3 4 x");
        check_members(&mut db, "SUNION missing", "");
        db.check_quiet("SUNION a text", Error::WRONG_TYPE);
    }

    #[test]
    fn sdiff_replies_what_the_first_set_has_alone() {
        let mut db = db();
        check_members(&mut db, "SDIFF a", "1 2 3 x");
        check_members(&mut db, "SDIFF a b", "1 x");
        check_members(&mut db, "SDIFF a b c", "1");
        check_members(&mut db, "SDIFF a missing", "1 2 3 x");
        check_members(&mut db, "SDIFF missing a", "");
        check_members(&mut db, "SDIFF a b a", "");
        db.check_quiet("SDIFF missing text", Error::WRONG_TYPE);
    }

    #[test]
    fn smembers_replies_all() {
        let mut db = db();
        check_members(&mut db, "SMEMBERS a", "1 2 3 x");
        check_members(&mut db, "SMEMBERS missing", "");
        db.check_quiet("SMEMBERS text", Error::WRONG_TYPE);
    }

    #[test]
    fn version_3_has_a_type_for_sets() {
        let mut db = db();
        db.protocol = Protocol::Resp3;
        for command in ["SMEMBERS c", "SINTER c", "SINTER c a", "SUNION c c", "SDIFF c b"] {
            let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            assert!(db.run_raw(&words).starts_with(b"~"), "{command}");
        }
        assert_eq!(db.run_raw(&[b"SINTER", b"missing"]), b"~0\r\n");
        assert_eq!(db.run_raw(&[b"SDIFF", b"b", b"missing", b"b"]), b"~0\r\n");
    }

    #[test]
    fn the_number_of_members_can_be_limited() {
        let mut db = db();
        db.check_quiet("SINTERCARD 2 a b", 2);
        db.check_quiet("SINTERCARD 2 a b LIMIT 0", 2);
        db.check_quiet("SINTERCARD 2 a b LIMIT 1 limit 9223372036854775807", 2);
        db.check_quiet("SINTERCARD 2 a b limit 1", 1);
        db.check_quiet("SINTERCARD 2 a missing", 0);
        db.check_quiet("SUNIONCARD 3 a b c", 5);
        db.check_quiet("SUNIONCARD 1 a APPROX", 4);
        db.check_quiet("SUNIONCARD 3 a b c LIMIT 3 approx", 3);
        db.check_quiet("SDIFFCARD 2 a b", 2);
        db.check_quiet("SDIFFCARD 2 a b LIMIT 1", 1);
        db.check_quiet("SDIFFCARD 2 a a", 0);
        db.check_quiet("SDIFFCARD 1 missing", 0);
    }

    #[test]
    fn counted_keys_must_be_there() {
        let mut db = db();
        for name in ["SINTERCARD", "SUNIONCARD", "SDIFFCARD"] {
            db.check_quiet(&format!("{name} 0 a"), Error::NUMKEYS);
            db.check_quiet(&format!("{name} x a"), Error::NUMKEYS);
            db.check_quiet(&format!("{name} -1 a"), Error::NUMKEYS);
            db.check_quiet(&format!("{name} 2 a"), Error::TOO_MANY_KEYS);
            db.check_quiet(&format!("{name} 9223372036854775807 a"), Error::TOO_MANY_KEYS);
            db.check_quiet(&format!("{name} 1 a LIMIT"), Error::SYNTAX);
            db.check_quiet(&format!("{name} 1 a LIMIT -1"), Error::NEGATIVE_LIMIT);
            db.check_quiet(&format!("{name} 1 a LIMIT x"), Error::NEGATIVE_LIMIT);
            db.check_quiet(&format!("{name} 1 a b"), Error::SYNTAX);
            db.check_quiet(&format!("{name} 2 missing text"), Error::WRONG_TYPE);
        }
        db.check_quiet("SINTERCARD 1 a APPROX", Error::SYNTAX);
    }
}
