//! MIGRATE: keys move to another server.

use super::server::command_keys::words_of_migrate;
use super::{Command, SessionCall};
use crate::dispatch::Flow;
use crate::migration::{self, Migration, Parcel, Target};
use crate::session::Wait;
use ochre_commands::keys::*;
use ochre_commands::spec::*;
use ochre_commands::{Args, Class, Error, Key, Locked};
use ochre_resp::{Args as Words, Reply};
use ochre_text::number;
use std::time::Duration;

pub const COMMANDS: &[Command] = &[MIGRATE];

const SYNOPSIS: &str = "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username \
                        password] [KEYS key [key ...]]";

const MIGRATE: Command = Command::new(Group::Generic, "MIGRATE", SYNOPSIS, migrate)
    .summary("Moves keys to another server, or copies them.")
    .cost("Time in proportion to the values, here and there")
    .since("2.6.0")
    .history(&[
        ("3.0.0", "Takes `COPY` and `REPLACE`."),
        ("3.0.6", "Takes `KEYS`."),
        ("4.0.7", "Takes `AUTH`."),
        ("6.0.0", "Takes `AUTH2`."),
    ])
    .keys(&[KeySpec::at(3, RW | ACCESS | DELETE), AFTER_KEYS])
    .locks(Locks::Words(|words| Some(words_of_migrate(words).collect())))
    .flags(WRITE | MOVABLEKEYS)
    .categories(CAT_DANGEROUS)
    .tips(&["nondeterministic_output"]);

const AFTER_KEYS: KeySpec =
    KeySpec::after("KEYS", -2, RW | ACCESS | DELETE | INCOMPLETE).find(Find::Range { last: -1, step: 1, limit: 0 });

/// What the words say.
struct Request {
    target: Target,
    copy: bool,
}

/// A timeout of zero or less.
const TIMEOUT_MS: i64 = 1000;

fn read(args: &mut Args<'_>) -> Result<Request, Error> {
    let (host, port, key) = (args.word(), args.word(), args.word());
    let (db, timeout) = (args.word(), args.word());
    let (mut copy, mut replace) = (false, false);
    let (mut name, mut password) = (None, None);
    while args.remaining() > 0 {
        if args.option("COPY") {
            copy = true;
        } else if args.option("REPLACE") {
            replace = true;
        } else if args.remaining() > 1 && args.option("AUTH") {
            password = Some(args.word());
        } else if args.remaining() > 2 && args.option("AUTH2") {
            (name, password) = (Some(args.word()), Some(args.word()));
        } else if args.option("KEYS") {
            if !key.is_empty() {
                return Err(Error::fixed(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                ));
            }
            args.rest();
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let timeout_ms = number::parse_i64(timeout).ok_or(Error::NOT_AN_INTEGER)?;
    let db = number::parse_i64(db).ok_or(Error::NOT_AN_INTEGER)?;
    let timeout_ms = if timeout_ms > 0 { timeout_ms } else { TIMEOUT_MS };
    let target = Target {
        host: String::from_utf8_lossy(host).into_owned(),
        port: number::parse_u64(port).and_then(|port| u16::try_from(port).ok()),
        db,
        timeout: Duration::from_millis(timeout_ms.unsigned_abs().min(TIMEOUT_MS_MAX)),
        login: name.into_iter().chain(password).map(<[u8]>::to_vec).collect(),
        replace,
    };
    Ok(Request { target, copy })
}

/// The system's calls take no more.
const TIMEOUT_MS_MAX: u64 = i32::MAX as u64;

/// Runs twice: first the values are taken and sent away while the client waits, then those keys are removed that have arrived
/// and are what they were.
fn migrate(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if let Some(migration) = call.session.migration.take() {
        return finish(call, migration, reply);
    }
    let request = read(args)?;
    if call.held.is_some() {
        return Err(Error::fixed(
            "ERR MIGRATE waits for another server, so it is not allowed in a transaction or a script",
        ));
    }
    let words = call.words;
    let keyspace = &call.shared().keyspace;
    let shards = words_of_migrate(words).map(|at| keyspace.shard_of(&Key::new(words.at(at)))).collect();
    let Some(parcels) = call.with_data(shards, |data| pack(data, words, request.copy)) else { return Ok(()) };
    if parcels.is_empty() {
        reply.status("NOKEY");
        return Ok(());
    }
    let migration = Migration { db: call.session.db, parcels, failure: None };
    let client = (call.worker.id, call.session.id());
    migration::start(call.shared(), client, request.target, migration)?;
    call.session.wait = Wait::Answer;
    call.flow = Flow::Wait;
    Ok(())
}

/// The values of those keys that exist. From now on it is known whether they change.
fn pack(data: &mut Locked<'_>, words: Words<'_>, stays: bool) -> Vec<Parcel> {
    let mut parcels = Vec::new();
    for at in words_of_migrate(words) {
        let key = Key::new(words.at(at));
        let Some(entry) = data.lookup(&key) else { continue };
        let payload = ochre_rdb::dump(entry.view(), data.context().dialect);
        let parcel = Parcel::new(key.bytes(), payload, entry.expiry_ms(), stays);
        if let Some(flag) = &parcel.flag {
            data.watch(&key, flag);
        }
        parcels.push(parcel);
    }
    parcels
}

const CHANGED: Error =
    Error::fixed("ERR A key has changed while it was sent: it stays here, and the target has what it was before");

fn finish(call: &mut SessionCall<'_>, mut migration: Box<Migration>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keyspace = &call.shared().keyspace;
    let watched = migration.parcels.iter().filter(|parcel| parcel.flag.is_some());
    let shards = watched.map(|parcel| keyspace.shard_of(&Key::new(&parcel.key))).collect();
    let Some(have_stayed) = call.with_data(shards, |data| remove(data, &migration.parcels)) else {
        call.session.migration = Some(migration);
        return Ok(());
    };
    if let Some(failure) = migration.failure.take() {
        return Err(failure);
    }
    if have_stayed {
        return Err(CHANGED);
    }
    reply.ok();
    Ok(())
}

/// Removes what has arrived; says whether a key has to stay because it is not what was sent.
fn remove(data: &mut Locked<'_>, parcels: &[Parcel]) -> bool {
    let mut removed: Vec<&[u8]> = vec![b"DEL"];
    let mut have_stayed = false;
    for parcel in parcels {
        let Some(flag) = &parcel.flag else { continue };
        let key = Key::new(&parcel.key);
        data.unwatch(data.db(), &parcel.key, flag);
        if !parcel.arrived {
            continue;
        }
        if flag.is_raised() {
            // What has expired meanwhile expires there as well.
            let has_expired = parcel.expiry_ms.is_some_and(|at| at <= data.now_ms());
            have_stayed |= !has_expired || data.peek(&key).is_some();
        } else if data.remove(&key) {
            data.changed(&key, Class::GENERIC, "del");
            removed.push(&parcel.key);
        }
    }
    if removed.len() > 1 {
        data.log(&removed);
    }
    have_stayed
}
