//! HIMPORT: many hashes with the same fields, which a connection names once.

use super::{Command, SessionCall};
use ochre_collections::ShardSet;
use ochre_commands::keys::*;
use ochre_commands::spec::*;
use ochre_commands::{Args, Class, Error, Key, Locked};
use ochre_keyspace::Expiry;
use ochre_resp::{Args as Words, Reply};
use ochre_values::hash::Deadline;
use ochre_values::{Collection, Hash, Kind};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const COMMANDS: &[Command] = &[HIMPORT];

const HIMPORT: Command = Command::container(Group::Hash, "HIMPORT", &[PREPARE, SET, DISCARD, DISCARDALL])
    .summary("Makes hashes whose fields the connection has named before.")
    .cost("Depends on the subcommand")
    .since("8.10.0");

/// The lists of fields that a connection has prepared, by name.
#[derive(Default)]
pub struct Fieldsets {
    sets: BTreeMap<Box<[u8]>, Fields>,
    /// What they take, bytes about.
    pub bytes: usize,
}

/// Names of fields in their order, shared by the commands that use them.
type Fields = Arc<[Box<[u8]>]>;

/// What it takes to remember a list or a field, its text left out, bytes about.
const NAME_BYTES: usize = 32;

impl Fieldsets {
    fn insert(&mut self, name: &[u8], fields: Words<'_>) {
        self.remove(name);
        let fields: Fields = fields.iter().map(Box::from).collect();
        self.bytes += size_of_set(name, &fields);
        self.sets.insert(name.into(), fields);
    }

    fn remove(&mut self, name: &[u8]) -> bool {
        match self.sets.remove(name) {
            None => false,
            Some(fields) => {
                self.bytes -= size_of_set(name, &fields);
                true
            }
        }
    }
}

fn size_of_set(name: &[u8], fields: &[Box<[u8]>]) -> usize {
    NAME_BYTES + name.len() + fields.iter().map(|field| NAME_BYTES + field.len()).sum::<usize>()
}

const PREPARE: Command = Command::new(Group::Hash, "PREPARE", "fieldset-name field [field ...]", prepare)
    .summary("Gives a list of fields a name, which the connection knows until it ends.")
    .cost("O(N log N), N being the number of fields")
    .since("8.10.0")
    .flags(DENYOOM)
    .tips(&["request_policy:all_shards"]);

fn prepare(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (name, fields) = (args.word(), args.rest());
    let mut sorted: Vec<&[u8]> = fields.iter().collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::fixed("ERR duplicate field name in fieldset"));
    }
    call.session.fieldsets.get_or_insert_default().insert(name, fields);
    reply.ok();
    Ok(())
}

const SET: Command = Command::new(Group::Hash, "SET", "key fieldset-name value [value ...]", set)
    .summary("Makes a hash of prepared fields and these values, in the place of the hash that was there.")
    .cost("O(N), N being the number of fields")
    .since("8.10.0")
    .keys(&[KeySpec::at(2, OW | UPDATE)])
    .flags(WRITE | DENYOOM);

fn set(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name, values) = (args.key(), args.word(), args.rest());
    let fields = call.session.fieldsets.as_deref().and_then(|fieldsets| fieldsets.sets.get(name));
    let fields = Arc::clone(fields.ok_or(Error::fixed("ERR no such fieldset"))?);
    if fields.len() != values.len() {
        return Err(Error::fixed("ERR number of values does not match the number of fields in the fieldset"));
    }
    let shards = ShardSet::of(call.shared().keyspace.shard_of(&key));
    // Who finds the shard busy runs again.
    let Some(done) = call.with_data(shards, |data| put(data, &key, &fields, values)) else { return Ok(()) };
    done?;
    reply.ok();
    Ok(())
}

fn put(data: &mut Locked<'_>, key: &Key<'_>, fields: &[Box<[u8]>], values: Words<'_>) -> Result<(), Error> {
    let kind = data.kind(key);
    if kind.is_some_and(|kind| kind != Kind::Hash) {
        return Err(Error::WRONG_TYPE);
    }
    let (now_ms, limits) = (data.expiry_clock_ms(), data.limits());
    let mut hash = Hash::new();
    hash.prepare(fields.len(), values.bytes() + fields.iter().map(|field| field.len()).sum::<usize>(), limits);
    for (field, value) in fields.iter().zip(values.iter()) {
        hash.set(field, value, Deadline::Clear, now_ms, limits);
    }
    data.put(key, hash, Expiry::Clear);
    data.changed_times(key, Class::HASH, "hset", fields.len() as u64);
    if data.log_wanted() {
        // Whoever reads the log knows nothing of this connection.
        if kind.is_some() {
            data.log(&[b"DEL", key.bytes()]);
        }
        let mut words: Vec<&[u8]> = vec![b"HSET", key.bytes()];
        words.extend(fields.iter().zip(values.iter()).flat_map(|(field, value)| [&**field, value]));
        data.log(&words);
    }
    Ok(())
}

const DISCARD: Command = Command::new(Group::Hash, "DISCARD", "fieldset-name", discard)
    .summary("Forgets a prepared list of fields; replies whether there was one.")
    .cost("O(log N), N being the number of lists")
    .since("8.10.0")
    .tips(&["request_policy:all_shards"]);

fn discard(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = args.word();
    let was_there = call.session.fieldsets.as_mut().is_some_and(|fieldsets| fieldsets.remove(name));
    reply.integer(i64::from(was_there));
    Ok(())
}

const DISCARDALL: Command = Command::new(Group::Hash, "DISCARDALL", "", discard_all)
    .summary("Forgets all prepared lists of fields; replies how many there were.")
    .cost("O(N), N being the number of lists")
    .since("8.10.0")
    .tips(&["request_policy:all_shards"]);

fn discard_all(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.count(call.session.fieldsets.take().map_or(0, |fieldsets| fieldsets.sets.len()));
    Ok(())
}
