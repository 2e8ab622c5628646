//! All fields of a hash, or a step of a walk over them.

use crate::keys::*;
use crate::reply_item::reply_item;
use crate::scan_options::{ScanOptions, Walks, cursor};
use crate::scan_step::{reply_nothing, reply_step};
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_collections::listpack::Item;
use ochre_values::Hash;
use ochre_values::hash::Pair;

pub(super) const HGETALL: Command = Command::new(Group::Hash, "HGETALL", "key", hgetall)
    .summary("Replies all fields of a hash with their values.")
    .cost("O(N), N being the number of fields")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .tips(&["nondeterministic_output_order"]);

fn hgetall(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let now_ms = data.expiry_clock_ms();
    let Some(hash) = data.read::<Hash>(&args.key())? else {
        reply.map(0);
        return Ok(());
    };
    reply.map(hash.living_len(now_ms));
    for pair in hash.living(now_ms) {
        reply_item(reply, pair.name);
        reply_item(reply, pair.value);
    }
    Ok(())
}

pub(super) const HKEYS: Command =
    Command::new(Group::Hash, "HKEYS", "key", |data, args, reply| reply_all(data, args, reply, |pair| pair.name))
        .summary("Replies the names of all fields of a hash.")
        .cost("O(N), N being the number of fields")
        .since("2.0.0")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .tips(&["nondeterministic_output_order"]);

pub(super) const HVALS: Command =
    Command::new(Group::Hash, "HVALS", "key", |data, args, reply| reply_all(data, args, reply, |pair| pair.value))
        .summary("Replies the values of all fields of a hash.")
        .cost("O(N), N being the number of fields")
        .since("2.0.0")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .tips(&["nondeterministic_output_order"]);

/// Replies what `part` takes from each field.
fn reply_all(
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    part: impl Fn(Pair<'_>) -> Item<'_>,
) -> Result<(), Error> {
    let now_ms = data.expiry_clock_ms();
    let Some(hash) = data.read::<Hash>(&args.key())? else {
        reply.array(0);
        return Ok(());
    };
    reply.array(hash.living_len(now_ms));
    hash.living(now_ms).for_each(|pair| reply_item(reply, part(pair)));
    Ok(())
}

pub(super) const HSCAN: Command =
    Command::new(Group::Hash, "HSCAN", "key cursor [MATCH pattern] [COUNT count] [NOVALUES]", hscan)
        .summary("Walks over the fields of a hash in steps; replies some and the cursor of the next step.")
        .cost("O(1) for each step, O(N) for a whole walk over N fields")
        .since("2.8.0")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .tips(&["nondeterministic_output"]);

fn hscan(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let cursor = cursor(args.word())?;
    let now_ms = data.expiry_clock_ms();
    let Some(hash) = data.read::<Hash>(&key)? else {
        reply_nothing(reply);
        return Ok(());
    };
    let options = ScanOptions::read(args, Walks::Fields)?;
    reply_step(reply, &options, cursor, |cursor, step| {
        hash.scan(cursor, now_ms, &mut |pair| {
            step.visit(pair.name, Some(|reply: &mut Reply<'_>| reply_item(reply, pair.value)));
        })
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;
    use ochre_resp::Protocol;
    use std::collections::BTreeSet;

    #[test]
    fn all_fields_are_replied_in_their_order() {
        let mut db = Db::new();
        for command in ["HGETALL h", "HKEYS h", "HVALS h"] {
            db.check_quiet(command, "[]");
        }
        db.check("HSET h a 1 b x", 2);
        db.check_quiet("HGETALL h", ["a", "1", "b", "x"]);
        db.check_quiet("HKEYS h", ["a", "b"]);
        db.check_quiet("HVALS h", ["1", "x"]);
        assert_eq!(db.run_raw(&[b"HGETALL", b"h"]), b"*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n");
        db.protocol = Protocol::Resp3;
        assert_eq!(db.run_raw(&[b"HGETALL", b"h"]), b"%2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n");
        assert_eq!(db.run_raw(&[b"HGETALL", b"missing"]), b"%0\r\n");
        db.check("SET s 1", "OK");
        for command in ["HGETALL s", "HKEYS s", "HVALS s"] {
            db.check_quiet(command, Error::WRONG_TYPE);
        }
    }

    #[test]
    fn due_fields_are_left_out() {
        let mut db = Db::new();
        db.check("HSET h a 1 b 2", 2);
        db.check("HPEXPIRE h 10 FIELDS 1 a", [1]);
        db.sleep_ms(10);
        db.check_quiet("HGETALL h", ["b", "2"]);
        db.check_quiet("HKEYS h", ["b"]);
        db.check_quiet("HVALS h", ["2"]);
        db.check_quiet("HSCAN h 0", "[0 [b 2]]");
    }

    #[test]
    fn a_small_hash_is_scanned_at_once() {
        let mut db = Db::new();
        db.check_quiet("HSCAN h 0", "[0 []]");
        db.check("HSET h 1 a 2 b x c", 3);
        db.check_quiet("HSCAN h 0 COUNT 1", "[0 [1 a 2 b x c]]");
        db.check_quiet("HSCAN h 7 MATCH [12] NOVALUES", "[0 [1 2]]");
        db.check_quiet("HSCAN h 0 match x", "[0 [x c]]");
    }

    #[test]
    fn a_walk_shows_every_field() {
        let mut db = Db::new();
        let fields: BTreeSet<String> = (0..2000).map(|number| format!("f{number}")).collect();
        for field in &fields {
            db.run(&format!("HSET h {field} v"));
        }
        let (mut shown, mut cursor) = (BTreeSet::new(), "0".to_string());
        loop {
            let step = db.run(&format!("HSCAN h {cursor} COUNT 50 NOVALUES"));
            let (next, found) = step.trim_matches(['[', ']']).split_once(" [").expect("a cursor and fields");
            assert!(found.split(' ').count() < 100, "{step}");
            shown.extend(found.split_whitespace().map(String::from));
            cursor = next.into();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(shown, fields);
    }

    #[test]
    fn the_cursor_is_judged_before_the_key_and_that_before_the_options() {
        let mut db = Db::new();
        db.check("SET text x", "OK");
        db.check("HSET h a 1", 1);
        db.check_quiet("HSCAN text x", Error::INVALID_CURSOR);
        db.check_quiet("HSCAN text 0 WHAT", Error::WRONG_TYPE);
        db.check_quiet("HSCAN missing 0 WHAT", "[0 []]");
        db.check_quiet("HSCAN h 0 WHAT", Error::SYNTAX);
        db.check_quiet("HSCAN h 0 TYPE hash", Error::SYNTAX);
    }
}
