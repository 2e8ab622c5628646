//! Walks over the keys of a database: KEYS, SCAN and RANDOMKEY.

use crate::scan_options::{ScanOptions, Walks};
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_keyspace::kind_of;
use ochre_text::glob;

pub(super) const KEYS: Command = Command::new(Group::Generic, "KEYS", "pattern", keys)
    .summary("Replies all keys that match a pattern.")
    .cost("O(N) with N being the number of keys in the database")
    .flags(READONLY)
    .categories(CAT_DANGEROUS)
    .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
    .locks(Locks::All);

fn keys(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let pattern = args.word();
    let everything = pattern == b"*";
    let deferred = reply.array_deferred();
    let mut count = 0;
    data.for_each(|entry| {
        if everything || glob::matches(pattern, entry.key(), false) {
            reply.bulk(entry.key());
            count += 1;
        }
    });
    reply.set_len(deferred, count);
    Ok(())
}

pub(super) const SCAN: Command =
    Command::new(Group::Generic, "SCAN", "cursor [MATCH pattern] [COUNT count] [TYPE type]", scan)
        .summary("Replies some of the keys and a cursor to go on with; 0 is the beginning and the end.")
        .cost("O(1) for every call. O(N) for a complete iteration, N being the number of keys")
        .since("2.8.0")
        .history(&[("6.0.0", "TYPE.")])
        .flags(READONLY)
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .locks(Locks::Cursor);

fn scan(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let cursor = crate::scan_options::cursor(args.word())?;
    let options = ScanOptions::read(args, Walks::Keys)?;
    reply.array(2);
    let mut found = Vec::new();
    let next = data.scan(cursor, options.count, |entry| {
        let wanted_kind = options.kind.is_none_or(|kind| kind_of(entry.view()) == kind);
        if wanted_kind && options.matches(entry.key()) {
            found.push(entry.key().to_vec());
        }
    });
    reply.bulk_fmt(format_args!("{next}"));
    reply.array(found.len());
    found.iter().for_each(|key| reply.bulk(key));
    Ok(())
}

pub(super) const RANDOMKEY: Command = Command::new(Group::Generic, "RANDOMKEY", "", randomkey)
    .summary("Replies a key by chance.")
    .cost("O(1)")
    .flags(READONLY)
    .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"])
    .locks(Locks::All);

fn randomkey(data: &mut Locked<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = data.random_key();
    reply.bulk_or_null(key.as_deref());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};
    use std::collections::BTreeSet;

    #[test]
    fn keys_replies_what_matches() {
        let mut db = Db::new();
        for key in ["one", "two", "three"] {
            db.check(&format!("SET {key} 1"), "OK");
        }
        db.check_quiet("KEYS o*", ["one"]);
        db.check_quiet("KEYS [ab]", "[]");
        db.sleep_ms(1);
        assert_eq!(db.run("KEYS *").split(' ').count(), 3);
    }

    #[test]
    fn scan_finds_every_key_across_all_shards() {
        let mut db = Db::new();
        for number in 0..1000 {
            db.check(&format!("SET key:{number} v"), "OK");
        }
        let (mut found, mut cursor) = (BTreeSet::new(), "0".to_owned());
        loop {
            let reply = db.run(&format!("SCAN {cursor} COUNT 20"));
            let (next, keys) = reply[1..].split_once(' ').expect("a cursor and a list");
            found.extend(keys.trim_matches(['[', ']']).split_whitespace().map(str::to_owned));
            cursor = next.to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 1000);
        db.check_quiet("SCAN x", Error::INVALID_CURSOR);
        db.check_quiet("SCAN 0 COUNT 0", Error::SYNTAX);
    }

    #[test]
    fn randomkey_is_null_when_there_is_none() {
        let mut db = Db::new();
        db.check_quiet("RANDOMKEY", Null);
        db.check("SET k 1", "OK");
        db.check_quiet("RANDOMKEY", "k");
    }
}
