//! Members one by one: adding, removing, moving, asking.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_values::{Collection, Set};

pub(super) const SADD: Command = Command::new(Group::Set, "SADD", "key member [member ...]", sadd)
    .summary("Adds members to a set and replies how many of them were new.")
    .cost("O(1) for each member")
    .history(&[("2.4.0", "Takes several members.")])
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .member(2)
    .flags(WRITE | DENYOOM | FAST);

fn sadd(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let members = args.rest();
    let limits = data.limits();
    let mut set = data.edit_or_new::<Set>(&key)?;
    if set.is_empty() {
        *set = Set::for_members(members.at(0), members.len(), limits);
    } else {
        set.prepare(members.len(), limits);
    }
    let added = members.iter().filter(|member| set.insert(member, limits)).count();
    if added == 0 {
        set.cancel();
    } else {
        set.finish();
        data.changed_times(&key, Class::SET, "sadd", added as u64);
    }
    reply.count(added);
    Ok(())
}

pub(super) const SREM: Command = Command::new(Group::Set, "SREM", "key member [member ...]", srem)
    .summary("Removes members from a set and replies how many of them were there.")
    .cost("O(1) for each member")
    .history(&[("2.4.0", "Takes several members.")])
    .keys(&[KeySpec::at(1, RW | DELETE)])
    .member(2)
    .flags(WRITE | FAST);

fn srem(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let Some(mut set) = data.edit::<Set>(&key)? else {
        reply.count(0);
        return Ok(());
    };
    let removed = args.rest().iter().filter(|member| set.remove(member)).count();
    if removed == 0 {
        set.cancel();
    } else {
        let emptied = set.finish();
        data.changed_times(&key, Class::SET, "srem", removed as u64);
        if emptied {
            data.deleted(&key);
        }
    }
    reply.count(removed);
    Ok(())
}

pub(super) const SMOVE: Command = Command::new(Group::Set, "SMOVE", "source destination member", smove)
    .summary("Moves a member from one set to another; replies 1 if it was there, else 0.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
    .flags(WRITE | FAST);

fn smove(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (source, destination, member) = (args.key(), args.key(), args.word());
    let limits = data.limits();
    // Looked at first: once the member is out, nothing may go wrong.
    let destination_kind = data.kind(&destination);
    let Some(mut set) = data.edit::<Set>(&source)? else {
        reply.count(0);
        return Ok(());
    };
    if destination_kind.is_some_and(|kind| kind != Set::KIND) {
        set.cancel();
        return Err(Error::WRONG_TYPE);
    }
    if source == destination {
        reply.count(usize::from(set.contains(member)));
        set.cancel();
        return Ok(());
    }
    if !set.remove(member) {
        set.cancel();
        reply.count(0);
        return Ok(());
    }
    let emptied = set.finish();
    data.changed(&source, Class::SET, "srem");
    if emptied {
        data.deleted(&source);
    }
    let mut set = data.edit_or_new::<Set>(&destination)?;
    if set.insert(member, limits) {
        set.finish();
        data.changed(&destination, Class::SET, "sadd");
    } else {
        set.cancel();
    }
    reply.count(1);
    Ok(())
}

pub(super) const SISMEMBER: Command = Command::new(Group::Set, "SISMEMBER", "key member", sismember)
    .summary("Replies 1 if a set has a member, else 0.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RO)])
    .member(2)
    .flags(READONLY | FAST);

fn sismember(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<Set>(&args.key())?;
    let member = args.word();
    reply.count(usize::from(set.is_some_and(|set| set.contains(member))));
    Ok(())
}

pub(super) const SMISMEMBER: Command = Command::new(Group::Set, "SMISMEMBER", "key member [member ...]", smismember)
    .summary("Replies 1 or 0 for each member asked for: whether a set has it.")
    .cost("O(1) for each member")
    .since("6.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn smismember(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<Set>(&args.key())?;
    let members = args.rest();
    reply.array(members.len());
    for member in members {
        reply.count(usize::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

pub(super) const SCARD: Command = Command::new(Group::Set, "SCARD", "key", scard)
    .summary("Replies the number of members of a set.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn scard(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<Set>(&args.key())?;
    reply.count(set.map_or(0, |set| set.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;
    use ochre_keyspace::MemberPlace;

    #[test]
    fn sadd_replies_how_many_members_were_new() {
        let mut db = Db::new();
        db.check("SADD s a b", 2);
        assert_eq!(db.events(), ["sadd s"]);
        assert_eq!(db.logged(), "verbatim");
        assert_eq!(db.effects.changes, 2);
        db.check("SADD s b c c", 1);
        db.check_quiet("SADD s c", 0);
        db.check("SADD numbers 3 1 2 1", 3);
        db.check("SMEMBERS numbers", ["1", "2", "3"]);
        db.check("SADD numbers x", 1);
        db.check("SCARD numbers", 4);
        db.check("SET text x", "OK");
        db.check_quiet("SADD text a", Error::WRONG_TYPE);
    }

    #[test]
    fn a_set_keeps_its_members_through_every_encoding() {
        let mut db = Db::new();
        for number in 0..600 {
            db.check(&format!("SADD s {number}"), 1);
        }
        db.check("SADD s text", 1);
        for number in 0..600 {
            db.check(&format!("SISMEMBER s {number}"), 1);
            db.check(&format!("SREM s {number}"), 1);
        }
        db.check("SMEMBERS s", ["text"]);
    }

    #[test]
    fn srem_of_the_last_member_removes_the_key() {
        let mut db = Db::new();
        db.check_quiet("SREM s a", 0);
        db.check("SADD s a b c", 3);
        db.check_quiet("SREM s x", 0);
        db.check("SREM s a x b", 2);
        assert_eq!((db.events(), db.effects.changes), (vec!["srem s".into()], 2));
        db.check("SREM s c d", 1);
        assert_eq!(db.events(), ["srem s", "del s"]);
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("SCARD s", 0);
        db.check("SET text x", "OK");
        db.check_quiet("SREM text a", Error::WRONG_TYPE);
    }

    #[test]
    fn smove_moves_a_member_that_is_there() {
        let mut db = Db::new();
        db.check("SADD a 1 x", 2);
        db.check("SADD b 2", 1);
        db.check("SMOVE a b x", 1);
        assert_eq!(db.events(), ["srem a", "sadd b"]);
        assert_eq!((db.logged().as_str(), db.effects.changes), ("verbatim", 2));
        db.check_quiet("SMOVE a b x", 0);
        db.check("SMOVE a c 1", 1);
        assert_eq!(db.events(), ["srem a", "del a", "sadd c"]);
        db.check_quiet("SMOVE a b x", 0);
        db.check_quiet("SMOVE missing b x", 0);
        db.check("SMEMBERS c", ["1"]);
    }

    #[test]
    fn smove_to_a_set_that_has_the_member_only_removes_it() {
        let mut db = Db::new();
        db.check("SADD a 1 2", 2);
        db.check("SADD b 2", 1);
        db.check("SMOVE a b 2", 1);
        assert_eq!((db.events(), db.effects.changes), (vec!["srem a".into()], 1));
        db.check_quiet("SMOVE b b 2", 1);
        db.check_quiet("SMOVE b b 3", 0);
    }

    #[test]
    fn smove_looks_at_types_once_there_is_a_source() {
        let mut db = Db::new();
        db.check("SADD s a", 1);
        db.check("SET text x", "OK");
        db.check_quiet("SMOVE missing text a", 0);
        db.check_quiet("SMOVE s text a", Error::WRONG_TYPE);
        db.check_quiet("SMOVE text s a", Error::WRONG_TYPE);
        db.check_quiet("SMOVE text text a", Error::WRONG_TYPE);
        db.check("SISMEMBER s a", 1);
    }

    #[test]
    fn members_are_asked_for_one_by_one_or_together() {
        let mut db = Db::new();
        db.check_quiet("SISMEMBER s a", 0);
        db.check_quiet("SMISMEMBER s a b", [0, 0]);
        db.check("SADD s a 1", 2);
        db.check_quiet("SISMEMBER s a", 1);
        db.check_quiet("SISMEMBER s 01", 0);
        db.check_quiet("SMISMEMBER s b 1 a", [0, 1, 1]);
        db.check_quiet("SCARD s", 2);
        db.check("SET text x", "OK");
        for command in ["SISMEMBER text a", "SMISMEMBER text a", "SCARD text"] {
            db.check_quiet(command, Error::WRONG_TYPE);
        }
    }

    /// What is fetched ahead is a hint: keys of any type, members that are not there and scores that are none do no harm.
    #[test]
    fn members_are_fetched_ahead_whatever_there_is() {
        let mut db = Db::new();
        for number in 0..5_000 {
            db.run(&format!("SADD s member:{number}"));
            db.run(&format!("HSET h member:{number} value"));
            db.run(&format!("ZADD z {number} member:{number}"));
        }
        db.run("SADD small a b");
        db.run("SET text x");
        let members: Vec<String> = (4_900..5_100).map(|number| format!("member:{number}")).collect();
        for key in ["s", "h", "z", "small", "text", "missing"] {
            let hash = ochre_keyspace::Key::new(key.as_bytes()).hash();
            for score in [None, Some(&b"17"[..]), Some(b"-inf"), Some(b"nan"), Some(b"NX")] {
                let places: Vec<_> = members
                    .iter()
                    .map(|member| MemberPlace { db: 0, hash, member: member.as_bytes(), score })
                    .collect();
                db.keyspace.prefetch_members(places.iter().copied());
            }
        }
        db.check("SISMEMBER s member:4999", 1);
        db.check("ZSCORE z member:4999", "4999");
    }
}
