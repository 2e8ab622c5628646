//! Deadlines of fields: set, asked for, taken away.

use super::named::{count_expired, counted_fields, find_fields, log_with_fields, named_fields};
use crate::expire_option::{ExpireCondition, deadline_ms, is_past};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Locked, Reply};
use ochre_values::Hash;

const SET_DEADLINE: &[KeySpec] = &[KeySpec::at(1, RW | UPDATE)];
const ASK_DEADLINE: &[KeySpec] = &[KeySpec::at(1, RO | ACCESS)];
const COST: &str = "O(N), N being the number of fields given";

pub(super) const HEXPIRE: Command = Command::new(
    Group::Hash,
    "HEXPIRE",
    "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    |data, args, reply| set_deadline(data, args, reply, SECONDS, true, "hexpire"),
)
.summary("Lets fields of a hash expire in so many seconds.")
.cost(COST)
.since("9.0.0")
.keys(SET_DEADLINE)
.flags(WRITE | FAST);

pub(super) const HPEXPIRE: Command = Command::new(
    Group::Hash,
    "HPEXPIRE",
    "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    |data, args, reply| set_deadline(data, args, reply, MILLISECONDS, true, "hpexpire"),
)
.summary("Lets fields of a hash expire in so many milliseconds.")
.cost(COST)
.since("9.0.0")
.keys(SET_DEADLINE)
.flags(WRITE | FAST);

pub(super) const HEXPIREAT: Command = Command::new(
    Group::Hash,
    "HEXPIREAT",
    "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    |data, args, reply| set_deadline(data, args, reply, SECONDS, false, "hexpireat"),
)
.summary("Lets fields of a hash expire at a Unix time in seconds.")
.cost(COST)
.since("9.0.0")
.keys(SET_DEADLINE)
.flags(WRITE | FAST);

pub(super) const HPEXPIREAT: Command = Command::new(
    Group::Hash,
    "HPEXPIREAT",
    "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    |data, args, reply| set_deadline(data, args, reply, MILLISECONDS, false, "hpexpireat"),
)
.summary("Lets fields of a hash expire at a Unix time in milliseconds.")
.cost(COST)
.since("9.0.0")
.keys(SET_DEADLINE)
.flags(WRITE | FAST);

/// Units of time, in ms.
const SECONDS: i64 = 1000;
const MILLISECONDS: i64 = 1;

/// What the commands here reply for a field.
const NO_SUCH_FIELD: i64 = -2;
const NO_DEADLINE: i64 = -1;
const NOT_ALLOWED: i64 = 0;
const DONE: i64 = 1;
const EXPIRED: i64 = 2;

fn set_deadline(
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    unit_ms: i64,
    from_now: bool,
    name: &str,
) -> Result<(), Error> {
    let key = args.key();
    let time = args.word();
    let fields_at = find_fields(args).ok_or(Error::NUMFIELDS)?;
    let condition = ExpireCondition::read(args, fields_at)?;
    args.seek(fields_at + 1);
    let fields = counted_fields(args, 1, Error::NUMFIELDS)?;
    let base_ms = if from_now { data.now_ms() } else { 0 };
    let deadline = deadline_ms(time, 0, unit_ms, base_ms, name)?;
    let past = is_past(data, deadline);
    let now_ms = data.expiry_clock_ms();
    reply.array(fields.len());
    let Some(mut hash) = data.edit::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.integer(NO_SUCH_FIELD));
        return Ok(());
    };
    let mut changed = Vec::new();
    for field in fields.iter() {
        let result = match hash.view().pair(field, now_ms) {
            None => NO_SUCH_FIELD,
            Some(pair) if !condition.allows(pair.deadline_ms, deadline) => NOT_ALLOWED,
            Some(_) if past => {
                hash.remove(field, now_ms);
                EXPIRED
            }
            Some(_) => {
                hash.set_deadline(field, Some(deadline), now_ms);
                DONE
            }
        };
        if result > NOT_ALLOWED {
            changed.push(field);
        }
        reply.integer(result);
    }
    let emptied = hash.finish();
    if changed.is_empty() {
        return Ok(());
    }
    if past {
        count_expired(data, changed.len() as u64);
        data.log(&[&[b"HDEL", key.bytes()], &changed[..]].concat());
        data.changed_times(&key, Class::HASH, "hexpired", changed.len() as u64);
    } else {
        // Only what had an effect, at an absolute time; the conditions hold wherever the log is read.
        let deadline = deadline.to_string();
        let mut words = vec![&b"HPEXPIREAT"[..], key.bytes(), deadline.as_bytes()];
        words.extend((3..=fields_at).map(|at| args.argv().at(at)));
        log_with_fields(data, &words, &changed);
        data.changed_times(&key, Class::HASH, "hexpire", changed.len() as u64);
    }
    if emptied {
        data.deleted(&key);
    }
    Ok(())
}

pub(super) const HTTL: Command =
    Command::new(Group::Hash, "HTTL", "key FIELDS numfields field [field ...]", |data, args, reply| {
        ask_deadline(data, args, reply, SECONDS, true)
    })
    .summary("Replies in how many seconds fields of a hash expire: -1 is never, -2 means that there is no such field.")
    .cost(COST)
    .since("9.0.0")
    .keys(ASK_DEADLINE)
    .flags(READONLY | FAST);

pub(super) const HPTTL: Command =
    Command::new(Group::Hash, "HPTTL", "key FIELDS numfields field [field ...]", |data, args, reply| {
        ask_deadline(data, args, reply, MILLISECONDS, true)
    })
    .summary("As `HTTL`, in milliseconds.")
    .cost(COST)
    .since("9.0.0")
    .keys(ASK_DEADLINE)
    .flags(READONLY | FAST);

pub(super) const HEXPIRETIME: Command = Command::new(
    Group::Hash,
    "HEXPIRETIME",
    "key FIELDS numfields field [field ...]",
    |data, args, reply| ask_deadline(data, args, reply, SECONDS, false),
)
.summary(
    "Replies when fields of a hash expire, as Unix time in seconds: -1 is never, -2 means that there is no such field.",
)
.cost(COST)
.since("9.0.0")
.keys(ASK_DEADLINE)
.flags(READONLY | FAST);

pub(super) const HPEXPIRETIME: Command =
    Command::new(Group::Hash, "HPEXPIRETIME", "key FIELDS numfields field [field ...]", |data, args, reply| {
        ask_deadline(data, args, reply, MILLISECONDS, false)
    })
    .summary("As `HEXPIRETIME`, in milliseconds.")
    .cost(COST)
    .since("9.0.0")
    .keys(ASK_DEADLINE)
    .flags(READONLY | FAST);

fn ask_deadline(
    data: &mut Locked<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    unit_ms: i64,
    from_now: bool,
) -> Result<(), Error> {
    let key = args.key();
    let fields = named_fields(args, Error::SYNTAX)?;
    let hash = data.read::<Hash>(&key)?;
    let base_ms = if from_now { data.now_ms() } else { 0 };
    reply.array(fields.len());
    for field in fields.iter() {
        let pair = hash.and_then(|hash| hash.pair(field, data.expiry_clock_ms()));
        reply.integer(match pair.map(|pair| pair.deadline_ms) {
            None => NO_SUCH_FIELD,
            Some(None) => NO_DEADLINE,
            Some(Some(deadline)) => {
                let ms = i64::try_from(deadline.saturating_sub(base_ms)).unwrap_or(i64::MAX);
                // To the nearest, without overflow at the end of time.
                if unit_ms == SECONDS { ms / SECONDS + i64::from(ms % SECONDS >= SECONDS / 2) } else { ms }
            }
        });
    }
    Ok(())
}

pub(super) const HPERSIST: Command =
    Command::new(Group::Hash, "HPERSIST", "key FIELDS numfields field [field ...]", hpersist)
        .summary("Takes the deadlines of fields away; replies -1 for a field that had none, -2 for a missing one.")
        .cost(COST)
        .since("9.0.0")
        .keys(SET_DEADLINE)
        .flags(WRITE | FAST);

fn hpersist(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let fields = named_fields(args, Error::NUMFIELDS)?;
    let now_ms = data.expiry_clock_ms();
    reply.array(fields.len());
    let Some(mut hash) = data.edit::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.integer(NO_SUCH_FIELD));
        return Ok(());
    };
    let mut changed = Vec::new();
    for field in fields.iter() {
        reply.integer(match hash.view().pair(field, now_ms).map(|pair| pair.deadline_ms) {
            None => NO_SUCH_FIELD,
            Some(None) => NO_DEADLINE,
            Some(Some(_)) => {
                hash.set_deadline(field, None, now_ms);
                changed.push(field);
                DONE
            }
        });
    }
    drop(hash);
    if !changed.is_empty() {
        log_with_fields(data, &[b"HPERSIST", key.bytes(), b"FIELDS"], &changed);
        data.changed_times(&key, Class::HASH, "hpersist", changed.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn db() -> Db {
        let mut db = Db::new();
        db.check("HSET h a 1 b 2 c 3", 3);
        db
    }

    #[test]
    fn the_four_commands_differ_in_unit_and_base() {
        let mut db = db();
        for (command, ms, event) in [
            ("HEXPIRE h 10 FIELDS 1 a", 10_000, NOW_MS + 10_000),
            ("HPEXPIRE h 20 fields 1 a", 20, NOW_MS + 20),
            ("HEXPIREAT h 1700000030 FIELDS 1 a", 30_000, NOW_MS + 30_000),
            ("HPEXPIREAT h 1700000000040 FIELDS 1 a", 40, NOW_MS + 40),
        ] {
            db.check(command, [1]);
            assert_eq!(db.events(), ["hexpire h"]);
            let word = if command.contains("fields") { "fields" } else { "FIELDS" };
            assert_eq!(db.logged(), format!("HPEXPIREAT h {event} {word} 1 a"));
            db.check_quiet("HPTTL h FIELDS 3 a b x", [ms, -1, -2]);
            db.check_quiet("HPEXPIRETIME h FIELDS 3 a b x", [event, -1, -2]);
        }
        db.check("HPEXPIRE h 1499 FIELDS 2 a x", [1, -2]);
        assert_eq!(db.logged(), format!("HPEXPIREAT h {} FIELDS 1 a", NOW_MS + 1499));
        db.check_quiet("HTTL h FIELDS 1 a", [1]);
        db.check("HPEXPIRE h 1500 FIELDS 1 a", [1]);
        db.check_quiet("HTTL h FIELDS 1 a", [2]);
        db.check_quiet("HEXPIRETIME h FIELDS 1 a", [NOW_MS / 1000 + 2]);
        for command in ["HEXPIRE m 1 FIELDS 2 a b", "HTTL m FIELDS 2 a b", "HPERSIST m FIELDS 2 a b"] {
            db.check_quiet(command, [-2, -2]);
        }
    }

    #[test]
    fn conditions_compare_with_the_deadline_that_is_there() {
        let mut db = db();
        db.check("HEXPIRE h 100 NX FIELDS 2 a b", [1, 1]);
        db.check("HEXPIRE h 200 nx FIELDS 2 a c", [0, 1]);
        assert_eq!(db.logged(), format!("HPEXPIREAT h {} nx FIELDS 1 c", NOW_MS + 200_000));
        db.check("HPERSIST h FIELDS 1 c", [1]);
        db.check_quiet("HEXPIRE h 300 XX FIELDS 2 c x", [0, -2]);
        db.check("HEXPIRE h 300 XX FIELDS 2 a c", [1, 0]);
        db.check_quiet("HEXPIRE h 100 GT FIELDS 3 a b c", [0, 0, 0]);
        db.check("HEXPIRE h 200 GT FIELDS 3 a b c", [0, 1, 0]);
        db.check("HEXPIRE h 250 LT FIELDS 3 a b c", [1, 0, 1]);
        db.check("HEXPIRE h 300 GT XX GT FIELDS 3 a b c", [1, 1, 1]);
        db.check_quiet("HEXPIRE h 0 GT FIELDS 1 a", [0]);
    }

    #[test]
    fn a_deadline_in_the_past_removes_the_field() {
        let mut db = db();
        db.check("HEXPIRE h 0 FIELDS 3 a x a", [2, -2, -2]);
        assert_eq!(db.events(), ["hexpired h"]);
        assert_eq!(db.logged(), "HDEL h a");
        assert_eq!(db.effects.stats.expired_fields.get(), 1);
        db.check("HPEXPIREAT h 1 FIELDS 2 b c", [2, 2]);
        assert_eq!(db.events(), ["hexpired h", "del h"]);
        assert_eq!(db.logged(), "HDEL h b c");
        db.check_quiet("EXISTS h", 0);
    }

    #[test]
    fn where_nothing_expires_by_itself_a_past_deadline_is_kept() {
        let mut db = db();
        db.context.expire = false;
        db.check("HPEXPIREAT h 1 FIELDS 1 a", [1]);
        db.check_quiet("HGET h a", "1");
        db.check_quiet("HPTTL h FIELDS 1 a", [0]);
    }

    #[test]
    fn hpersist_takes_deadlines_away() {
        let mut db = db();
        db.check_quiet("HPERSIST h FIELDS 2 a x", [-1, -2]);
        db.check("HEXPIRE h 10 FIELDS 2 a b", [1, 1]);
        db.check("HPERSIST h FIELDS 3 a c x", [1, -1, -2]);
        assert_eq!(db.events(), ["hpersist h"]);
        assert_eq!(db.logged(), "HPERSIST h FIELDS 1 a");
        db.check_quiet("HTTL h FIELDS 2 a b", [-1, 10]);
        db.sleep_ms(10_000);
        db.check_quiet("HPERSIST h FIELDS 1 b", [-2]);
    }

    #[test]
    fn the_encoding_is_that_of_valkey() {
        let mut db = db();
        db.check_quiet("OBJECT ENCODING h", "listpack");
        db.check("HEXPIRE h 10 FIELDS 1 a", [1]);
        db.check_quiet("OBJECT ENCODING h", "hashtable");
        db.check("HPERSIST h FIELDS 1 a", [1]);
        db.check_quiet("OBJECT ENCODING h", "hashtable");
    }

    #[test]
    fn words_are_judged_in_the_peers_order() {
        let mut db = db();
        db.check("SET s 1", "OK");
        for words in
            ["10 FOO 1 a b", "10 FIELDS 2 a", "10 FIELDS 1 a b", "x FIELDS 0 a", "-1 FIELDS -1 a", "1 FIELDS 1 a NX"]
        {
            db.check_quiet(&format!("HEXPIRE s {words}"), Error::NUMFIELDS);
        }
        db.check_quiet("HEXPIRE s 10 FOO NX FIELDS x a", "-ERR Unsupported option FOO");
        let text = "-ERR NX and XX, GT or LT options at the same time are not compatible";
        db.check_quiet("HEXPIRE s x NX GT FIELDS x a", text);
        let text = "-ERR GT and LT options at the same time are not compatible";
        db.check_quiet("HEXPIRE s x GT LT FIELDS x a", text);
        db.check_quiet("HEXPIRE s 10 FIELDS x a", Error::NOT_AN_INTEGER);
        db.check_quiet("HEXPIRE s x FIELDS 1 a", Error::NOT_AN_INTEGER);
        for (command, time) in [
            ("hexpire", "-1"),
            ("hexpire", "9223372036854775"),
            ("hpexpire", "9223372036854775807"),
            ("hexpireat", "9223372036854776"),
        ] {
            db.check_quiet(&format!("{command} s {time} FIELDS 1 a"), Error::invalid_expire(command));
        }
        db.check_quiet("HEXPIRE s 1 FIELDS 1 a", Error::WRONG_TYPE);
        for command in ["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME"] {
            for words in ["FOO 1 a", "FIELDS 2 a", "FIELDS 0 a", "FIELDS 1 a b"] {
                db.check_quiet(&format!("{command} s {words}"), Error::SYNTAX);
            }
            db.check_quiet(&format!("{command} s FIELDS x a"), Error::NOT_AN_INTEGER);
            db.check_quiet(&format!("{command} s FIELDS 1 a"), Error::WRONG_TYPE);
        }
        db.check_quiet("HPERSIST s FOO 1 a", Error::SYNTAX);
        db.check_quiet("HPERSIST s FIELDS 2 a", Error::NUMFIELDS);
        db.check_quiet("HPERSIST s FIELDS x a", Error::NOT_AN_INTEGER);
        db.check_quiet("HPERSIST s FIELDS 1 a", Error::WRONG_TYPE);
    }

    /// Lets the active expiry look at everything once.
    fn expire(db: &mut Db) {
        db.effects.clear();
        for shard in 0..db.keyspace.shard_count() {
            db.keyspace.expire_shard(shard, &db.context, &mut db.effects, &mut 1000, &mut |_| {}, &mut |_| {});
        }
    }

    #[test]
    fn due_fields_are_removed_in_the_background() {
        let mut db = db();
        db.check("HPEXPIRE h 10 FIELDS 2 a b", [1, 1]);
        db.check("HPEXPIRE h 20 FIELDS 1 c", [1]);
        db.sleep_ms(9);
        expire(&mut db);
        db.check_quiet("HLEN h", 3);
        db.sleep_ms(1);
        expire(&mut db);
        assert_eq!(db.events(), ["hexpired h"]);
        let words: Vec<&[u8]> = db.effects.log[0].1.iter().map(|word| &**word).collect();
        assert!(words == [b"HDEL", &b"h"[..], b"a", b"b"] || words == [b"HDEL", &b"h"[..], b"b", b"a"], "{words:?}");
        assert_eq!((db.effects.log.len(), db.effects.stats.expired_fields.get()), (1, 2));
        db.check_quiet("HLEN h", 1);
        db.sleep_ms(10);
        expire(&mut db);
        assert_eq!(db.events(), ["hexpired h", "del h"]);
        db.check_quiet("EXISTS h", 0);
    }

    #[test]
    fn deadlines_of_fields_go_where_the_key_goes() {
        for (command, key) in [("RENAME h other", "other"), ("COPY h other", "other"), ("MOVE h 1", "h")] {
            let mut db = db();
            db.check("HPEXPIRE h 10 FIELDS 1 a", [1]);
            db.run(command);
            db.db = usize::from(command.starts_with("MOVE"));
            db.check_quiet(&format!("HPTTL {key} FIELDS 2 a b"), [10, -1]);
            db.sleep_ms(10);
            expire(&mut db);
            db.check_quiet(&format!("HLEN {key}"), 2);
        }
    }

    #[test]
    fn deadlines_reach_the_end_of_time() {
        let mut db = db();
        db.check("HPEXPIREAT h 9223372036854775807 FIELDS 1 a", [1]);
        db.check_quiet("HPEXPIRETIME h FIELDS 1 a", [i64::MAX]);
        db.check_quiet("HEXPIRETIME h FIELDS 1 a", [i64::MAX / 1000 + 1]);
    }
}
