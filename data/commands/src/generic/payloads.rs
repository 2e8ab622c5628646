//! Values as payloads: taken out for another server, and put in from one.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_rdb::PayloadError;

pub(super) const DUMP: Command = Command::new(Group::Generic, "DUMP", "key", dump)
    .summary("Replies the value at a key as bytes that RESTORE takes, here and on other servers.")
    .cost("O(1) to find the key, and time in proportion to the value")
    .since("2.6.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn dump(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match data.lookup(&args.key()) {
        Some(entry) => reply.bulk(&ochre_rdb::dump(entry.view(), data.context().dialect)),
        None => reply.null(),
    }
    Ok(())
}

const SYNOPSIS: &str = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]";

pub(super) const RESTORE: Command = Command::new(Group::Generic, "RESTORE", SYNOPSIS, restore)
    .summary("Makes a key of what DUMP replied.")
    .cost("Time in proportion to the value")
    .since("2.6.0")
    .keys(&[KeySpec::at(1, OW | UPDATE)])
    .flags(WRITE | DENYOOM)
    .categories(CAT_DANGEROUS);

pub(super) const RESTORE_ASKING: Command = Command::new(Group::Server, "RESTORE-ASKING", SYNOPSIS, restore)
    .summary("As RESTORE, for a slot that is being imported.")
    .cost("Time in proportion to the value")
    .since("3.0.0")
    .keys(&[KeySpec::at(1, OW | UPDATE)])
    .flags(WRITE | DENYOOM | ASKING)
    .categories(CAT_DANGEROUS | CAT_KEYSPACE);

/// What may follow the payload.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_s: Option<u32>,
    frequency: Option<u8>,
}

impl Options {
    fn read(args: &mut Args<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        while args.remaining() > 0 {
            if args.option("REPLACE") {
                options.replace = true;
            } else if args.option("ABSTTL") {
                options.absolute = true;
            } else if args.remaining() > 1 && options.frequency.is_none() && args.option("IDLETIME") {
                let seconds = args.int_from(0, Error::RESTORE_IDLE_TIME)?;
                options.idle_s = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
            } else if args.remaining() > 1 && options.idle_s.is_none() && args.option("FREQ") {
                let frequency = args.int_from(0, Error::RESTORE_FREQUENCY)?;
                options.frequency = Some(u8::try_from(frequency).map_err(|_| Error::RESTORE_FREQUENCY)?);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn restore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (ttl, payload) = (args.word(), args.word());
    let options = Options::read(args)?;
    data.expire_if_due(&key);
    let exists = data.peek(&key).is_some();
    if exists && !options.replace {
        return Err(Error::TARGET_EXISTS);
    }
    let ttl = ochre_text::number::parse_i64(ttl).ok_or(Error::NOT_AN_INTEGER)?;
    let ttl = u64::try_from(ttl).map_err(|_| Error::RESTORE_TTL)?;
    let built = ochre_rdb::restore(payload, data.context().skip_checksums, data.limits());
    let built = match built {
        Ok(built) => built,
        Err(PayloadError::Footer) => return Err(Error::PAYLOAD_FOOTER),
        Err(PayloadError::Value(fault)) => {
            let key = ochre_text::quote::quoted(&key.bytes()[..key.bytes().len().min(128)]);
            data.effects.notes.push(format!("RESTORE of key {key} is refused: {fault}"));
            return Err(Error::PAYLOAD_VALUE);
        }
    };
    let expiry_ms = match ttl {
        0 => None,
        at if options.absolute => Some(at),
        ttl => Some(data.now_ms().checked_add(ttl).filter(|at| i64::try_from(*at).is_ok()).ok_or(Error::RESTORE_TTL)?),
    };
    if data.context().expire && expiry_ms.is_some_and(|at| at <= data.now_ms()) {
        // It has expired on its way here: what it would have replaced is gone all the same.
        if exists {
            data.remove(&key);
            data.changed(&key, Class::GENERIC, "del");
            data.log(&[b"DEL", key.bytes()]);
        }
        reply.ok();
        return Ok(());
    }
    let access = data.context().access;
    let clock = match (options.idle_s, options.frequency) {
        (_, Some(frequency)) => access.from_frequency(frequency),
        (Some(seconds), _) => access.from_idle_seconds(seconds),
        _ => access.initial(),
    };
    data.put_built(&key, built, expiry_ms, clock);
    data.changed(&key, Class::GENERIC, "restore");
    if let Some(at) = expiry_ms.filter(|_| !options.absolute)
        && data.log_wanted()
    {
        log_absolute(data, &key, at, payload, &options);
    }
    reply.ok();
    Ok(())
}

/// Logs the command with the moment of the deadline in place of the time until then.
fn log_absolute(data: &mut Locked<'_>, key: &Key<'_>, at_ms: u64, payload: &[u8], options: &Options) {
    let at = at_ms.to_string();
    let (idle, frequency) = (options.idle_s.unwrap_or(0).to_string(), options.frequency.unwrap_or(0).to_string());
    let mut words: Vec<&[u8]> = vec![b"RESTORE", key.bytes(), at.as_bytes(), payload];
    if options.replace {
        words.push(b"REPLACE");
    }
    if options.idle_s.is_some() {
        words.extend([&b"IDLETIME"[..], idle.as_bytes()]);
    }
    if options.frequency.is_some() {
        words.extend([&b"FREQ"[..], frequency.as_bytes()]);
    }
    words.push(b"ABSTTL");
    data.log(&words);
}

#[cfg(test)]
mod tests {
    use crate::testing::Db;

    /// The bulk string of a raw reply.
    fn payload(db: &mut Db, key: &str) -> Vec<u8> {
        let raw = db.run_raw(&[b"DUMP", key.as_bytes()]);
        let head = raw.iter().position(|byte| *byte == b'\n').expect("a head") + 1;
        raw[head..raw.len() - 2].to_vec()
    }

    fn restore(db: &mut Db, words: &[&[u8]]) -> String {
        String::from_utf8_lossy(&db.run_raw(&[&[&b"RESTORE"[..]], words].concat())).into_owned()
    }

    #[test]
    fn a_payload_is_the_value_again() {
        let mut db = Db::new();
        for command in [
            "SET s hello",
            "SET i 12345",
            "RPUSH l a b 3",
            "SADD ints 1 2 3",
            "SADD set a b",
            "HSET h f v g 1",
            "ZADD z 1 a 2.5 b",
            "XADD x 1-1 f v",
        ] {
            db.run(command);
            let key = command.split(' ').nth(1).expect("a key");
            let bytes = payload(&mut db, key);
            assert_eq!(restore(&mut db, &[b"copy", b"0", &bytes, b"REPLACE"]), "+OK\r\n", "{command}");
            assert_eq!(payload(&mut db, "copy"), bytes, "{command}");
        }
        db.check("DUMP missing", "nil");
    }

    #[test]
    fn the_payload_is_redis_s() {
        let mut db = Db::new();
        db.run("SET key 1");
        // DUMP of Redis 6.2, which wrote version 9.
        assert_eq!(payload(&mut db, "key"), b"\x00\xc0\x01\x09\x00\xf6\x8a\xb6\x7a\x85\x87\x72\x4d");
    }

    #[test]
    fn errors_come_in_redis_s_order() {
        let mut db = Db::new();
        db.run("SET key 1");
        let bytes = payload(&mut db, "key");
        let mut run = |words: &[&[u8]]| restore(&mut db, words);
        assert_eq!(run(&[b"key", b"x", b"y"]), "-BUSYKEY Target key name already exists.\r\n");
        assert_eq!(run(&[b"key", b"x", b"y", b"what"]), "-ERR syntax error\r\n");
        assert_eq!(run(&[b"new", b"x", b"y"]), "-ERR value is not an integer or out of range\r\n");
        assert_eq!(run(&[b"new", b"-1", b"y"]), "-ERR Invalid TTL value, must be >= 0\r\n");
        assert_eq!(run(&[b"new", b"0", b"y"]), "-ERR DUMP payload version or checksum are wrong\r\n");
        assert_eq!(
            run(&[b"new", b"0", &bytes, b"FREQ", b"256"]),
            "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"
        );
        assert_eq!(run(&[b"new", b"0", &bytes, b"IDLETIME", b"-1"]), "-ERR Invalid IDLETIME value, must be >= 0\r\n");
        assert_eq!(run(&[b"new", b"0", &bytes, b"FREQ", b"1", b"IDLETIME", b"1"]), "-ERR syntax error\r\n");
        let mut changed = bytes.clone();
        changed[2] = 2;
        assert_eq!(run(&[b"new", b"0", &changed]), "-ERR DUMP payload version or checksum are wrong\r\n");
        let mut later = bytes[..3].to_vec();
        later.extend_from_slice(&[14, 0]);
        later.extend_from_slice(&ochre_digest::crc64(0, &later).to_le_bytes());
        assert_eq!(run(&[b"new", b"0", &later]), "-ERR DUMP payload version or checksum are wrong\r\n");
        let mut unknown = vec![99, 0xc0, 1, 9, 0];
        unknown.extend_from_slice(&ochre_digest::crc64(0, &unknown).to_le_bytes());
        assert_eq!(run(&[b"new", b"0", &unknown]), "-ERR Bad data format\r\n");
    }

    #[test]
    fn deadlines_are_logged_as_moments() {
        let mut db = Db::new();
        db.run("SET key 1");
        let bytes = payload(&mut db, "key");
        restore(&mut db, &[b"new", b"1000", &bytes]);
        db.check("PTTL new", 1000);
        restore(&mut db, &[b"new", b"1", &bytes, b"REPLACE", b"ABSTTL"]);
        assert_eq!(db.logged(), "DEL new");
        db.check("EXISTS new", 0);
        restore(&mut db, &[b"new", b"1", &bytes, b"ABSTTL"]);
        assert_eq!(db.logged(), "");
    }
}
