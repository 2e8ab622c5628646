//! Keys as a whole: removed, counted, touched, asked for their type.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};

pub(super) const DEL: Command = Command::new(Group::Generic, "DEL", "key [key ...]", del)
    .summary("Removes keys; replies how many there were.")
    .cost("O(N) where N is the number of keys; a large value is freed in the background")
    .keys(&[KeySpec::span(1, -1, 1, RM | DELETE)])
    .flags(WRITE)
    .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]);

fn del(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut removed = 0;
    while args.remaining() > 0 {
        let key = args.key();
        if data.remove(&key) {
            data.changed(&key, Class::GENERIC, "del");
            removed += 1;
        }
    }
    reply.integer(removed);
    Ok(())
}

pub(super) const UNLINK: Command = Command::new(Group::Generic, "UNLINK", "key [key ...]", del)
    .summary("Removes keys, as DEL does; replies how many there were.")
    .cost("O(N) where N is the number of keys; a large value is freed in the background")
    .since("4.0.0")
    .keys(&[KeySpec::span(1, -1, 1, RM | DELETE)])
    .flags(WRITE | FAST)
    .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]);

pub(super) const EXISTS: Command = Command::new(Group::Generic, "EXISTS", "key [key ...]", exists)
    .summary("Replies how many of the keys exist; one that is named twice counts twice.")
    .cost("O(N) where N is the number of keys to check.")
    .history(&[("3.0.3", "Several keys.")])
    .keys(&[KeySpec::span(1, -1, 1, RO)])
    .flags(READONLY | FAST)
    .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]);

fn exists(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut found = 0;
    while args.remaining() > 0 {
        found += i64::from(data.exists(&args.key()));
    }
    reply.integer(found);
    Ok(())
}

pub(super) const TOUCH: Command = Command::new(Group::Generic, "TOUCH", "key [key ...]", touch)
    .summary("Counts as an access to keys; replies how many exist.")
    .cost("O(N) where N is the number of keys that will be touched.")
    .since("3.2.1")
    .keys(&[KeySpec::span(1, -1, 1, RO)])
    .flags(READONLY | FAST)
    .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]);

fn touch(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let access = data.context().access;
    let mut found = 0;
    while args.remaining() > 0 {
        // The one command that touches even for a client that has CLIENT NO-TOUCH on.
        if let Some(entry) = data.lookup(&args.key()) {
            entry.touch(access.touched(entry.clock()));
            found += 1;
        }
    }
    reply.integer(found);
    Ok(())
}

pub(super) const TYPE: Command = Command::new(Group::Generic, "TYPE", "key", type_of)
    .summary("Replies the type of a key's value.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn type_of(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key: Key<'_> = args.key();
    reply.status(data.kind(&key).map_or("none", |kind| kind.name()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Db;

    #[test]
    fn del_and_unlink_reply_how_many_keys_there_were() {
        let mut db = Db::new();
        db.check("SET a 1", "OK");
        db.check("SET b 1", "OK");
        db.check("DEL a b c a", 2);
        assert_eq!(db.events(), ["del a", "del b"]);
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("UNLINK a", 0);
    }

    #[test]
    fn exists_and_touch_count_each_naming() {
        let mut db = Db::new();
        db.check("SET a 1", "OK");
        db.check_quiet("EXISTS a a b", 2);
        db.check_quiet("TOUCH a b", 1);
        db.check_quiet("TYPE a", "string");
        db.check_quiet("TYPE b", "none");
    }

    #[test]
    fn what_frees_slowly_is_left_to_another_thread() {
        let mut db = Db::new();
        let fill = |db: &mut Db, key: &str, members: usize| {
            (0..members).for_each(|member| drop(db.run(&format!("SADD {key} member-{member}"))));
        };
        fill(&mut db, "small", 60);
        db.run("DEL small");
        db.run(&format!("SET text {}", "x".repeat(100_000)));
        db.run("DEL text");
        assert!(db.effects.garbage.is_empty(), "what is small is freed where it is");

        for (n, command) in ["DEL k", "SET k v", "EXPIRE k 0", "RENAME other k", "SPOP k 1000", "SUNIONSTORE k other"]
            .iter()
            .enumerate()
        {
            fill(&mut db, "k", 200);
            db.run("SADD other a");
            db.run(command);
            assert_eq!(db.effects.garbage.len(), n + 1, "{command}");
            db.run("DEL k other");
        }
        fill(&mut db, "k", 200);
        db.run("EXPIRE k 10");
        db.sleep_ms(10_000);
        db.check("EXISTS k", 0);
        assert_eq!(db.effects.garbage.len(), 7);
        db.run(&format!("SET text {}", "x".repeat(2 << 20)));
        db.run("UNLINK text");
        assert_eq!(db.effects.garbage.len(), 8);
        assert!(db.effects.garbage.iter().all(|garbage| garbage.keys() == 1));
    }
}
