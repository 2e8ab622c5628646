//! Fields read or set together with their deadlines, or read and removed.

use super::fields::reply_values;
use super::named::{count_expired, counted_fields, fields_expired, find_fields, log_with_fields, named_fields};
use crate::expire_option::{self, ExpireOption, Takes, is_past};
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_resp::Args as Words;
use ochre_values::hash::{Before, Deadline};
use ochre_values::{Hash, Kind};

pub(super) const HGETEX: Command = Command::new(
    Group::Hash,
    "HGETEX",
    "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] \
     FIELDS numfields field [field ...]",
    hgetex,
)
.summary("Replies the values of fields of a hash and sets their deadlines or takes them away.")
.cost("O(N), N being the number of fields given")
.since("9.0.0")
.keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
.flags(WRITE | FAST);

fn hgetex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let fields_at = find_fields(args).ok_or(Error::NUMFIELDS)?;
    let mut option = ExpireOption::default();
    while args.position() < fields_at {
        if !option.read(args, Takes::Persist)? {
            return Err(Error::SYNTAX);
        }
    }
    let fields = fields_behind(args, fields_at, 1)?;
    data.read::<Hash>(&key)?;
    let deadline_ms = match option.deadline_from(0, data.now_ms(), "hgetex")? {
        expire_option::Deadline::Unsaid | expire_option::Deadline::KeepTtl => {
            return reply_values(data, &key, fields, reply);
        }
        expire_option::Deadline::Persist => None,
        expire_option::Deadline::At(deadline_ms) => Some(deadline_ms),
    };
    let past = deadline_ms.is_some_and(|deadline_ms| is_past(data, deadline_ms));
    let now_ms = data.expiry_clock_ms();
    reply.array(fields.len());
    let Some(mut hash) = data.edit::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.null());
        return Ok(());
    };
    let mut changed = Vec::new();
    for field in fields.iter() {
        let Some(pair) = hash.view().pair(field, now_ms) else {
            reply.null();
            continue;
        };
        reply_item(reply, pair.value);
        if deadline_ms.is_none() && pair.deadline_ms.is_none() {
            continue;
        }
        if past {
            hash.remove(field, now_ms);
        } else {
            hash.set_deadline(field, deadline_ms, now_ms);
        }
        changed.push(field);
    }
    let emptied = hash.finish();
    if changed.is_empty() {
        return Ok(());
    }
    let times = changed.len() as u64;
    match deadline_ms {
        Some(_) if past => {
            count_expired(data, times);
            data.log(&[&[b"HDEL", key.bytes()], &changed[..]].concat());
            data.changed_times(&key, Class::HASH, "hexpired", times);
        }
        Some(deadline_ms) => {
            let deadline = deadline_ms.to_string();
            log_with_fields(data, &[b"HPEXPIREAT", key.bytes(), deadline.as_bytes(), b"FIELDS"], &changed);
            data.changed_times(&key, Class::HASH, "hexpire", times);
        }
        None => {
            log_with_fields(data, &[b"HPERSIST", key.bytes(), b"FIELDS"], &changed);
            data.changed_times(&key, Class::HASH, "hpersist", times);
        }
    }
    if emptied {
        data.deleted(&key);
    }
    Ok(())
}

/// Reads the fields behind the word FIELDS at `fields_at`, which the options must have left alone.
fn fields_behind<'a>(args: &mut Args<'a>, fields_at: usize, width: usize) -> Result<Words<'a>, Error> {
    if args.position() > fields_at {
        return Err(Error::SYNTAX);
    }
    args.seek(fields_at + 1);
    counted_fields(args, width, Error::NUMFIELDS)
}

pub(super) const HSETEX: Command = Command::new(
    Group::Hash,
    "HSETEX",
    "key [NX | XX] [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
     PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]",
    hsetex,
)
.summary("Sets fields of a hash with a deadline, all or none of them; replies which.")
.cost("O(N), N being the number of fields given")
.since("9.0.0")
.keys(&[KeySpec::at(1, RW | INSERT)])
.flags(WRITE | DENYOOM | FAST);

/// The conditions of HSETEX: on the key (NX, XX) and on all fields (FNX, FXX).
#[derive(Clone, Copy, Default)]
struct Conditions {
    key_exists: Option<bool>,
    fields_exist: Option<bool>,
}

impl Conditions {
    /// Reads the next word if it is a condition; says whether it was.
    fn read(&mut self, args: &mut Args<'_>) -> Result<bool, Error> {
        let (place, wanted) = if args.option("NX") {
            (&mut self.key_exists, false)
        } else if args.option("XX") {
            (&mut self.key_exists, true)
        } else if args.option("FNX") {
            (&mut self.fields_exist, false)
        } else if args.option("FXX") {
            (&mut self.fields_exist, true)
        } else {
            return Ok(false);
        };
        if place.is_some_and(|before| before != wanted) {
            return Err(Error::SYNTAX);
        }
        *place = Some(wanted);
        Ok(true)
    }

    fn are_typed(self) -> bool {
        self.key_exists.is_some() || self.fields_exist.is_some()
    }
}

fn hsetex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let fields_at = find_fields(args).ok_or(Error::NUMFIELDS)?;
    let mut option = ExpireOption::default();
    let mut conditions = Conditions::default();
    while args.position() < fields_at {
        if !conditions.read(args)? && !option.read(args, Takes::KeepTtl)? {
            return Err(Error::SYNTAX);
        }
    }
    let words = fields_behind(args, fields_at, 2)?;
    let exists = match data.kind(&key) {
        Some(Kind::Hash) => true,
        Some(_) => return Err(Error::WRONG_TYPE),
        None => false,
    };
    if conditions.key_exists.is_some_and(|wanted| wanted != exists) {
        reply.integer(0);
        return Ok(());
    }
    let deadline = match option.deadline_from(0, data.now_ms(), "hsetex")? {
        expire_option::Deadline::KeepTtl => Deadline::Keep,
        expire_option::Deadline::At(deadline_ms) => Deadline::At(deadline_ms),
        expire_option::Deadline::Unsaid | expire_option::Deadline::Persist => Deadline::Clear,
    };
    let set = Set { key: &key, words, deadline };
    if conditions.fields_exist.is_some_and(|wanted| !set.finds_fields(data, wanted)) {
        reply.integer(0);
        return Ok(());
    }
    reply.integer(1);
    match deadline {
        Deadline::At(deadline_ms) if is_past(data, deadline_ms) => set.expire_at_once(data),
        _ => set.run(data, conditions.are_typed() || option.is_relative()),
    }
    Ok(())
}

/// What HSETEX sets once nothing stands against it.
struct Set<'s, 'k> {
    key: &'s Key<'k>,
    /// Names and values by turns.
    words: Words<'k>,
    deadline: Deadline,
}

impl<'k> Set<'_, 'k> {
    fn names(&self) -> impl Iterator<Item = &'k [u8]> {
        let words = self.words;
        (0..words.len() / 2).map(move |at| words.at(2 * at))
    }

    /// Whether all fields exist, or none of them.
    fn finds_fields(&self, data: &mut Locked<'_>, exist: bool) -> bool {
        let now_ms = data.expiry_clock_ms();
        let hash = data.edit_or_new::<Hash>(self.key).expect("the type was checked under the same locks");
        self.names().all(|name| hash.view().get(name, now_ms).is_some() == exist)
    }

    /// Sets the fields. `rewrites`: whether the log needs other words than the client's.
    fn run(&self, data: &mut Locked<'_>, rewrites: bool) {
        let (now_ms, limits) = (data.expiry_clock_ms(), data.limits());
        let mut hash = data.edit_or_new::<Hash>(self.key).expect("the type was checked under the same locks");
        let pairs = self.words.len() / 2;
        hash.prepare(pairs, self.words.bytes(), limits);
        let mut expired = Vec::new();
        for at in 0..pairs {
            let (name, value) = (self.words.at(2 * at), self.words.at(2 * at + 1));
            if hash.set(name, value, self.deadline, now_ms, limits) == Before::Expired {
                expired.push(name);
            }
        }
        drop(hash);
        fields_expired(data, self.key, expired.len() as u64);
        // Where the log is read the fields may seem to live still, and their deadlines would be kept.
        let forgets = self.deadline == Deadline::Keep && !expired.is_empty();
        if forgets && data.log_wanted() {
            data.log(&[&[b"HDEL", self.key.bytes()], &expired[..]].concat());
        }
        if rewrites || forgets {
            self.log(data, pairs);
        }
        data.changed_times(self.key, Class::HASH, "hset", pairs as u64);
        if matches!(self.deadline, Deadline::At(_)) {
            data.event(Class::HASH, "hexpire", self.key);
        }
    }

    /// Logs the fields without conditions, which hold, at an absolute time.
    fn log(&self, data: &mut Locked<'_>, pairs: usize) {
        if !data.log_wanted() {
            return;
        }
        let deadline;
        let count = pairs.to_string();
        let mut words: Vec<&[u8]> = vec![b"HSETEX", self.key.bytes()];
        match self.deadline {
            Deadline::Clear => {}
            Deadline::Keep => words.push(b"KEEPTTL"),
            Deadline::At(deadline_ms) => {
                deadline = deadline_ms.to_string();
                words.extend([b"PXAT", deadline.as_bytes()]);
            }
        }
        words.extend([b"FIELDS", count.as_bytes()]);
        words.extend(self.words.iter());
        data.log(&words);
    }

    /// Fields that are set with a deadline in the past expire in the same moment.
    fn expire_at_once(&self, data: &mut Locked<'_>) {
        let mut hash = data.edit_or_new::<Hash>(self.key).expect("the type was checked under the same locks");
        // Time 0: also those that are due already.
        let removed: Vec<&[u8]> = self.names().filter(|name| hash.remove(name, 0)).collect();
        let emptied = hash.finish();
        count_expired(data, self.names().count() as u64);
        if removed.is_empty() {
            data.log_nothing();
        } else {
            data.log(&[&[b"HDEL", self.key.bytes()], &removed[..]].concat());
        }
        data.changed_times(self.key, Class::HASH, "hset", removed.len() as u64);
        data.event(Class::HASH, "hexpire", self.key);
        data.event(Class::HASH, "hexpired", self.key);
        if emptied {
            data.deleted(self.key);
        }
    }
}

pub(super) const HGETDEL: Command =
    Command::new(Group::Hash, "HGETDEL", "key FIELDS numfields field [field ...]", hgetdel)
        .summary("Removes fields from a hash and replies the values that they had; the key goes with its last field.")
        .cost("O(N), N being the number of fields given")
        .since("9.1.0")
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST);

fn hgetdel(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let fields = named_fields(args, Error::NUMFIELDS)?;
    let now_ms = data.expiry_clock_ms();
    reply.array(fields.len());
    let Some(mut hash) = data.edit::<Hash>(&key)? else {
        fields.iter().for_each(|_| reply.null());
        return Ok(());
    };
    let mut removed = Vec::new();
    for field in fields.iter() {
        match hash.view().get(field, now_ms) {
            Some(value) => reply_item(reply, value),
            None => {
                reply.null();
                continue;
            }
        }
        hash.remove(field, now_ms);
        removed.push(field);
    }
    let emptied = hash.finish();
    if !removed.is_empty() {
        if data.log_wanted() {
            data.log(&[&[b"HDEL", key.bytes()], &removed[..]].concat());
        }
        data.changed_times(&key, Class::HASH, "hdel", removed.len() as u64);
        if emptied {
            data.deleted(&key);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    const NOW_MS: i64 = 1_700_000_000_000;

    fn db() -> Db {
        let mut db = Db::new();
        db.check("HSET h a 1 b 2 c 3", 3);
        db
    }

    #[test]
    fn hgetex_replies_values_and_sets_deadlines() {
        let mut db = db();
        db.check_quiet("HGETEX h FIELDS 2 a x", ["1", "nil"]);
        for (option, ms) in [("EX 10", 10_000), ("px 20", 20), ("EXAT 1700000030", 30_000), ("PXAT 1700000000040", 40)]
        {
            db.check(&format!("HGETEX h {option} FIELDS 2 a x"), ["1", "nil"]);
            assert_eq!(db.events(), ["hexpire h"]);
            assert_eq!(db.logged(), format!("HPEXPIREAT h {} FIELDS 1 a", NOW_MS + ms));
            db.check_quiet("HPTTL h FIELDS 2 a b", [ms, -1]);
        }
        db.check("HGETEX h PERSIST FIELDS 3 a b x", ["1", "2", "nil"]);
        assert_eq!(db.events(), ["hpersist h"]);
        assert_eq!(db.logged(), "HPERSIST h FIELDS 1 a");
        db.check_quiet("HGETEX h PERSIST FIELDS 2 a b", ["1", "2"]);
        db.check_quiet("HGETEX h EX 10 FIELDS 1 x", ["nil"]);
        db.check_quiet("HGETEX m EX 10 FIELDS 2 a b", ["nil", "nil"]);
        db.check_quiet("HGETEX m FIELDS 1 a", ["nil"]);
    }

    #[test]
    fn hgetex_with_a_past_time_removes_the_fields() {
        let mut db = db();
        db.check("HGETEX h EX 0 FIELDS 3 a a x", ["1", "nil", "nil"]);
        assert_eq!(db.events(), ["hexpired h"]);
        assert_eq!(db.logged(), "HDEL h a");
        db.check("HGETEX h PXAT 1 FIELDS 2 b c", ["2", "3"]);
        assert_eq!(db.events(), ["hexpired h", "del h"]);
        db.check_quiet("EXISTS h", 0);
    }

    #[test]
    fn hgetex_judges_its_words_in_the_peers_order() {
        let mut db = Db::new();
        db.check("SET s 1", "OK");
        for words in ["FOO 1 a", "FIELDS 2 a", "FIELDS 0 a", "EX 10 FIELDS 1", "FIELDS 1 a EX 10"] {
            db.check_quiet(&format!("HGETEX s {words}"), Error::NUMFIELDS);
        }
        for words in ["EX 10 PX 10", "EX 10 PERSIST", "KEEPTTL", "NX", "EX", "EX x PX"] {
            db.check_quiet(&format!("HGETEX s {words} FIELDS x a"), Error::SYNTAX);
        }
        db.check_quiet("HGETEX s FIELDS x a", Error::NOT_AN_INTEGER);
        db.check_quiet("HGETEX s EX x FIELDS 1 a", Error::WRONG_TYPE);
        db.check_quiet("HGETEX s FIELDS 1 a", Error::WRONG_TYPE);
        db.check_quiet("HGETEX m EX x FIELDS 1 a", Error::NOT_AN_INTEGER);
        for time in ["EX -1", "EX 9223372036854775807", "PX 9223372036854775807", "EXAT -1"] {
            db.check_quiet(&format!("HGETEX m {time} FIELDS 1 a"), Error::invalid_expire("hgetex"));
        }
        db.check_quiet("HGETEX m EX 10 EX 20 FIELDS 1 a", ["nil"]);
    }

    #[test]
    fn hsetex_sets_values_and_deadlines() {
        let mut db = Db::new();
        db.check("HSETEX h FIELDS 2 a 1 b 2", 1);
        assert_eq!((db.events(), db.logged()), (vec!["hset h".to_string()], "verbatim".into()));
        for (option, ms) in [("EX 10", 10_000), ("px 20", 20), ("EXAT 1700000030", 30_000)] {
            db.check(&format!("HSETEX h {option} FIELDS 1 a 3"), 1);
            assert_eq!(db.events(), ["hset h", "hexpire h"]);
            assert_eq!(db.logged(), format!("HSETEX h PXAT {} FIELDS 1 a 3", NOW_MS + ms));
            db.check_quiet("HPTTL h FIELDS 2 a b", [ms, -1]);
        }
        db.check("HSETEX h PXAT 1700000000040 FIELDS 1 a 4", 1);
        assert_eq!(db.logged(), "verbatim");
        db.check("HSETEX h KEEPTTL FIELDS 2 a 5 d 6", 1);
        assert_eq!((db.events(), db.logged()), (vec!["hset h".to_string()], "verbatim".into()));
        db.check_quiet("HPTTL h FIELDS 2 a d", [40, -1]);
        db.check("HSETEX h FIELDS 1 a 7", 1);
        db.check_quiet("HPTTL h FIELDS 1 a", [-1]);
        db.check_quiet("HMGET h a b d", ["7", "2", "6"]);
    }

    #[test]
    fn hsetex_sets_all_fields_or_none() {
        let mut db = db();
        for words in ["NX FIELDS 1 x 1", "FNX FIELDS 2 x 1 a 1", "FXX FIELDS 2 a 1 x 1", "XX FXX EX 1 FIELDS 1 x 1"] {
            db.check_quiet(&format!("HSETEX h {words}"), 0);
        }
        for words in ["XX FIELDS 1 x 1", "FXX FIELDS 1 x 1", "EX 1 XX FIELDS 1 x 1"] {
            db.check_quiet(&format!("HSETEX m {words}"), 0);
        }
        db.check_quiet("EXISTS m", 0);
        db.check("HSETEX h XX FNX fnx FIELDS 2 x 1 y 2", 1);
        assert_eq!(db.logged(), "HSETEX h FIELDS 2 x 1 y 2");
        db.check("HSETEX h FXX KEEPTTL FIELDS 2 x 3 y 4", 1);
        assert_eq!(db.logged(), "HSETEX h KEEPTTL FIELDS 2 x 3 y 4");
        db.check("HSETEX m nx FNX EX 10 FIELDS 1 x 1", 1);
        assert_eq!(db.logged(), format!("HSETEX m PXAT {} FIELDS 1 x 1", NOW_MS + 10_000));
    }

    #[test]
    fn hsetex_with_a_past_time_leaves_no_field() {
        let mut db = db();
        db.check("HSETEX h PXAT 1 FIELDS 2 a 5 x 6", 1);
        assert_eq!(db.events(), ["hset h", "hexpire h", "hexpired h"]);
        assert_eq!(db.logged(), "HDEL h a");
        db.check_quiet("HMGET h a b x", ["nil", "2", "nil"]);
        // Nothing was there: nothing changed, but whoever listens hears of it, as in Valkey.
        db.check_quiet("HSETEX m EX 0 FIELDS 1 x 6", 1);
        assert_eq!(db.events(), ["hset m", "hexpire m", "hexpired m", "del m"]);
        db.check_quiet("EXISTS m", 0);
        db.check_quiet("HSETEX m EX 0 XX FIELDS 1 x 6", 0);
    }

    #[test]
    fn hsetex_over_fields_that_are_due_begins_anew() {
        let mut db = db();
        db.check("HPEXPIRE h 10 FIELDS 3 a b c", [1, 1, 1]);
        db.sleep_ms(10);
        db.check_quiet("HSETEX h FXX FIELDS 1 a 5", 0);
        db.check("HSETEX h KEEPTTL FIELDS 1 a 5", 1);
        assert_eq!(db.events(), ["hexpired h", "hset h"]);
        assert_eq!(db.logged(), "HDEL h a; HSETEX h KEEPTTL FIELDS 1 a 5");
        db.check("HSETEX h FNX FIELDS 1 b 5", 1);
        assert_eq!(db.logged(), "HSETEX h FIELDS 1 b 5");
        db.check_quiet("HTTL h FIELDS 3 a b c", [-1, -1, -2]);
    }

    #[test]
    fn hsetex_judges_its_words_in_the_peers_order() {
        let mut db = Db::new();
        db.check("SET s 1", "OK");
        for words in
            ["FOO 1 a 1", "FIELDS 2 a 1", "FIELDS 0 a 1", "FIELDS -1 a 1", "FIELDS 1 a 1 x", "FIELDS 1 a 1 EX 10"]
        {
            db.check_quiet(&format!("HSETEX s {words}"), Error::NUMFIELDS);
        }
        for words in ["EX 10 PX 10", "EX 10 KEEPTTL", "PERSIST", "FNX FXX", "NX XX", "EX", "FOO"] {
            db.check_quiet(&format!("HSETEX s {words} FIELDS x a 1"), Error::SYNTAX);
        }
        db.check_quiet("HSETEX s FIELDS x a 1", Error::NOT_AN_INTEGER);
        for words in ["EX x", "EX 0", "NX", "XX", "FNX"] {
            db.check_quiet(&format!("HSETEX s {words} FIELDS 1 a 1"), Error::WRONG_TYPE);
        }
        db.check_quiet("HSETEX m EX x FIELDS 1 a 1", Error::NOT_AN_INTEGER);
        db.check_quiet("HSETEX m XX EX x FIELDS 1 a 1", 0);
        for time in ["EX -1", "EX 9223372036854775807", "PX 9223372036854775807", "EXAT -1"] {
            db.check_quiet(&format!("HSETEX m FXX {time} FIELDS 1 a 1"), Error::invalid_expire("hsetex"));
        }
    }

    #[test]
    fn hgetdel_replies_values_and_removes_the_fields() {
        let mut db = db();
        db.check_quiet("HGETDEL h FIELDS 1 x", ["nil"]);
        db.check("HGETDEL h FIELDS 3 a x a", ["1", "nil", "nil"]);
        assert_eq!(db.events(), ["hdel h"]);
        assert_eq!(db.logged(), "HDEL h a");
        db.check("HGETDEL h FIELDS 2 b c", ["2", "3"]);
        assert_eq!(db.events(), ["hdel h", "del h"]);
        db.check_quiet("HGETDEL h FIELDS 2 b c", ["nil", "nil"]);
        db.check_quiet("HGET h b", Null);
        db.check("SET s 1", "OK");
        db.check_quiet("HGETDEL s FOO 1 a", Error::SYNTAX);
        for words in ["FIELDS 2 a", "FIELDS 0 a", "FIELDS -1 a", "FIELDS 1 a b"] {
            db.check_quiet(&format!("HGETDEL s {words}"), Error::NUMFIELDS);
        }
        db.check_quiet("HGETDEL s FIELDS x a", Error::NOT_AN_INTEGER);
        db.check_quiet("HGETDEL s FIELDS 1 a", Error::WRONG_TYPE);
    }
}
