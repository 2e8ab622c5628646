//! The same combinations of sets, kept as the value of a key.

use super::combine::{begins_twice, difference_of, rest_as_keys, sets};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply};
use ochre_collections::listpack::Listpack;
use ochre_values::set::{SetRef, combine};
use ochre_values::{Collection, Limits, Set};

pub(super) const SINTERSTORE: Command =
    Command::new(Group::Set, "SINTERSTORE", "destination key [key ...]", sinterstore)
        .summary("Makes the members that all given sets have the set at a key; replies how many they are.")
        .cost("O(N*M), N members of the smallest set, M sets")
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::span(2, -1, 1, RO | ACCESS)])
        .flags(WRITE | DENYOOM)
        .gathers(Gathers::Smallest);

fn sinterstore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let destination = args.key();
    let sets: Option<Vec<_>> = sets(data, rest_as_keys(args))?.into_iter().collect();
    let result = sets.map_or_else(Set::new, |mut sets| intersection(&mut sets, data.limits()));
    store(data, &destination, result, "sinterstore", reply);
    Ok(())
}

fn intersection(sets: &mut [SetRef<'_>], limits: &Limits) -> Set {
    let smallest_is_ints = sets.iter().min_by_key(|set| set.len()).is_some_and(|set| matches!(set, SetRef::Ints(_)));
    // Whatever they are, a packed list takes members faster at first; in the end integers may turn out to do.
    let mut result = if smallest_is_ints { Set::new() } else { Set::Packed(Listpack::new()) };
    combine::intersection(sets, &mut |item| {
        result.insert_item(item, limits);
        true
    });
    result.become_ints_if_possible(limits);
    result
}

pub(super) const SUNIONSTORE: Command =
    Command::new(Group::Set, "SUNIONSTORE", "destination key [key ...]", sunionstore)
        .summary("Makes the members that any of the given sets has the set at a key; replies how many they are.")
        .cost("O(N), N members of all sets")
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::span(2, -1, 1, RO | ACCESS)])
        .flags(WRITE | DENYOOM)
        .gathers(Gathers::All);

fn sunionstore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let destination = args.key();
    let limits = data.limits();
    let sets: Vec<_> = sets(data, rest_as_keys(args))?.into_iter().flatten().collect();
    let mut result = Set::new();
    // What a small encoding could not hold in the end begins as a table.
    result.prepare(sets.iter().map(|set| set.len()).max().unwrap_or(0), &large(limits));
    for item in sets.into_iter().flatten() {
        result.insert_item(item, limits);
    }
    store(data, &destination, result, "sunionstore", reply);
    Ok(())
}

/// Limits by which only a set that is too large for every small encoding is a table.
fn large(limits: &Limits) -> Limits {
    let most = limits.set_max_intset_entries.max(limits.set_max_listpack_entries);
    Limits { set_max_intset_entries: most, ..*limits }
}

pub(super) const SDIFFSTORE: Command = Command::new(Group::Set, "SDIFFSTORE", "destination key [key ...]", sdiffstore)
    .summary(
        "Makes the members of the first set that none of the others has the set at a key; replies how many they are.",
    )
    .cost("O(N), N members of all sets")
    .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::span(2, -1, 1, RO | ACCESS)])
    .flags(WRITE | DENYOOM)
    .gathers(Gathers::All);

fn sdiffstore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let destination = args.key();
    let keys = rest_as_keys(args);
    let sets = sets(data, keys.clone())?;
    let result = difference_of(&sets, begins_twice(keys))
        .map_or_else(Set::new, |(first, mut others)| difference(first, &mut others, data.limits()));
    store(data, &destination, result, "sdiffstore", reply);
    Ok(())
}

fn difference(first: SetRef<'_>, others: &mut [SetRef<'_>], limits: &Limits) -> Set {
    let mut result = Set::new();
    if combine::looks_up_each(first, others) {
        combine::difference(first, others, &mut |item| {
            result.insert_item(item, limits);
            true
        });
    } else {
        first.iter().for_each(|item| _ = result.insert_item(item, limits));
        for item in others.iter().copied().flatten() {
            result.remove_item(item);
            if result.is_empty() {
                break;
            }
        }
    }
    result
}

/// Makes `result` the value of `destination`, or removes that when there is nothing to keep, and replies the number of members.
fn store(data: &mut Locked<'_>, destination: &Key<'_>, result: Set, event: &'static str, reply: &mut Reply<'_>) {
    let members = result.len();
    if members > 0 {
        data.put(destination, result, Expiry::Clear);
        data.changed(destination, Class::SET, event);
    } else if data.remove(destination) {
        data.changed(destination, Class::GENERIC, "del");
    }
    reply.count(members);
}

#[cfg(test)]
mod tests {
    use crate::testing::Db;
    use crate::{Error, Key};
    use ochre_collections::lock::ShardSet;

    fn db() -> Db {
        let mut db = Db::new();
        db.run("SADD a 1 2 3 x");
        db.run("SADD b 2 3 4");
        db.run("SET text x");
        db
    }

    /// What OBJECT ENCODING shows of a set.
    fn encoding(db: &mut Db, key: &str) -> &'static str {
        let key = Key::new(key.as_bytes());
        let mut locks = ShardSet::of(db.keyspace.shard_of(&key));
        let guard = db.keyspace.shards().try_lock_set(&mut locks).expect("nobody else uses the keyspace");
        let data = db.keyspace.view(guard, &db.context, &mut db.effects, 0);
        let set = data.read::<ochre_values::Set>(&key).ok().flatten();
        set.expect("the set is there").encoding().name()
    }

    #[test]
    fn a_result_replaces_what_was_there() {
        let mut db = db();
        db.check("SINTERSTORE to a b", 2);
        assert_eq!(db.events(), ["sinterstore to"]);
        assert_eq!((db.logged().as_str(), db.effects.changes), ("verbatim", 1));
        db.check("SMEMBERS to", ["2", "3"]);
        assert_eq!(encoding(&mut db, "to"), "intset");
        db.check("SUNIONSTORE to b b missing", 3);
        assert_eq!(db.events(), ["sunionstore to"]);
        db.check("SMEMBERS to", ["2", "3", "4"]);
        db.check("SDIFFSTORE text a b", 2);
        assert_eq!(db.events(), ["sdiffstore text"]);
        db.check("SMEMBERS text", ["1", "x"]);
        db.check("SUNIONSTORE a a b", 5);
        db.check("SCARD a", 5);
    }

    #[test]
    fn an_empty_result_removes_the_key() {
        let mut db = db();
        for command in ["SINTERSTORE text a missing", "SUNIONSTORE text missing", "SDIFFSTORE text a a"] {
            db.run("SET text x");
            db.check(command, 0);
            assert_eq!(db.events(), ["del text"], "{command}");
            assert_eq!((db.logged().as_str(), db.effects.changes), ("verbatim", 1));
            db.check_quiet(command, 0);
        }
    }

    #[test]
    fn a_source_of_the_wrong_type_leaves_all_as_it_is() {
        let mut db = db();
        for name in ["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"] {
            db.check_quiet(&format!("{name} b missing text"), Error::WRONG_TYPE);
        }
        db.check("SCARD b", 3);
    }

    #[test]
    fn a_result_is_kept_in_the_encoding_that_the_peers_choose() {
        let mut db = Db::new();
        let words = |name: &str, from: usize, to: usize, prefix: &str| {
            (from..to).fold(name.to_string(), |words, number| format!("{words} {prefix}{number}"))
        };
        db.run(&words("SADD ints", 0, 600, ""));
        db.run(&words("SADD few", 0, 300, ""));
        db.run(&words("SADD texts", 0, 200, "m"));
        db.run(&words("SADD hundred", 0, 100, "m"));
        db.run("SADD one m0");
        for (command, expected) in [
            ("SINTERSTORE to ints few", "intset"),
            ("SINTERSTORE to texts hundred", "listpack"),
            ("SINTERSTORE to ints ints", "hashtable"),
            ("SUNIONSTORE to few", "intset"),
            ("SUNIONSTORE to hundred", "listpack"),
            ("SUNIONSTORE to few hundred", "hashtable"),
            ("SUNIONSTORE to texts", "hashtable"),
            ("SDIFFSTORE to texts hundred", "listpack"),
            ("SDIFFSTORE to ints few", "intset"),
            // So many sets are taken away from a copy of the first one, which is a table by then.
            ("SDIFFSTORE to texts hundred one one one one one", "hashtable"),
        ] {
            db.run(command);
            assert_eq!(encoding(&mut db, "to"), expected, "{command}");
        }
    }
}
