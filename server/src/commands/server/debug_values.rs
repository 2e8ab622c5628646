//! DEBUG's looks into keys and values: how they are kept, and their signatures.

use super::digest;
use crate::commands::SessionCall;
use crate::log;
use ochre_collections::lock::ShardSet;
use ochre_collections::{EntryRef, View};
use ochre_commands::{Args, Error, Key, encoding_of};
use ochre_resp::Reply;
use ochre_text::number;
use ochre_values::{Collection, Encoding, List, Object};
use std::fmt::Write;

/// Runs `look` on the entry of the next word's key. `None` when the client has to wait.
fn at_key<R>(
    call: &mut SessionCall<'_>,
    args: &mut Args<'_>,
    look: impl FnOnce(EntryRef<'_, Object>) -> Result<R, Error>,
) -> Result<Option<R>, Error> {
    let key = args.key();
    let locks = ShardSet::of(call.shared().keyspace.shard_of(&key));
    let found = call.with_data(locks, |data| match data.peek(&key) {
        Some(entry) => look(entry),
        None => Err(Error::NO_SUCH_KEY),
    });
    found.transpose()
}

pub fn object(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let access = call.worker.context.access;
    let list_size = call.worker.context.limits.list_max_listpack_size;
    // Nothing is compressed, but whether it would be is what tests ask for.
    let is_compressed = call.worker.context.limits.list_compress_depth != 0;
    let text = at_key(call, args, |entry| {
        let encoding = encoding_of(entry.view());
        let mut text = format!(
            "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
            entry.key().as_ptr(),
            encoding.name(),
            serialized_bytes(entry.view()),
            entry.clock(),
            access.idle_seconds(entry.clock())
        );
        if encoding == Encoding::Quicklist {
            describe_nodes(entry.view(), list_size, is_compressed, &mut text);
        }
        Ok(text)
    })?;
    if let Some(text) = text {
        reply.status(&text);
    }
    Ok(())
}

/// Nodes of a long list, in the words of Redis.
fn describe_nodes(view: View<'_, Object>, list_size: i64, is_compressed: bool, text: &mut String) {
    if let View::Object(Object::List(List::Chunked(list))) = view {
        let nodes = list.nodes().len();
        let average = list.len() as f64 / nodes.max(1) as f64;
        let _ = write!(
            text,
            " ql_nodes:{nodes} ql_avg_node:{average:.2} ql_listpack_max:{list_size} ql_compressed:{} \
             ql_uncompressed_size:{}",
            u8::from(is_compressed),
            list.memory_bytes()
        );
    }
}

/// About how many bytes the value takes in a file.
fn serialized_bytes(view: View<'_, Object>) -> usize {
    match view {
        View::Int(-128..=127) => 2,
        View::Int(-32_768..=32_767) => 3,
        View::Int(value) if i32::try_from(value).is_ok() => 5,
        View::Int(value) => 1 + number::digits(value.unsigned_abs()) + usize::from(value < 0),
        View::Str { bytes, .. } | View::Packed { bytes, .. } => length_bytes(bytes.len()) + bytes.len(),
        View::Object(Object::String(bytes)) => length_bytes(bytes.len()) + bytes.len(),
        View::Object(Object::WalkedString(text)) => length_bytes(text.bytes().len()) + text.bytes().len(),
        View::Object(object) => object.memory_bytes(),
    }
}

/// Bytes of a length in a file.
fn length_bytes(length: usize) -> usize {
    match length {
        0..64 => 1,
        64..16_384 => 2,
        _ => 5,
    }
}

pub fn listpack(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    log_packed(call, args, reply, Encoding::Listpack, "listpack")
}

pub fn quicklist(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    log_packed(call, args, reply, Encoding::Quicklist, "quicklist")
}

fn log_packed(
    call: &mut SessionCall<'_>,
    args: &mut Args<'_>,
    reply: &mut Reply<'_>,
    encoding: Encoding,
    name: &str,
) -> Result<(), Error> {
    let found = at_key(call, args, |entry| {
        if encoding_of(entry.view()) != encoding {
            return Err(Error::text(format!("ERR Not a {name} encoded object.")));
        }
        let bytes = match entry.view() {
            View::Packed { bytes, .. } => bytes.len(),
            View::Object(object) => object.memory_bytes(),
            _ => 0,
        };
        log::notice(format_args!("DEBUG {name}: {bytes} bytes"));
        Ok(())
    })?;
    if found.is_some() {
        let mut title = name.to_owned();
        title[..1].make_ascii_uppercase();
        reply.status(&format!("{title} structure printed in the log"));
    }
    Ok(())
}

pub fn string_sizes(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let text = at_key(call, args, |entry| {
        let (length, spare) = match entry.view() {
            View::Str { bytes, .. } => (bytes.len(), 0),
            View::Object(Object::String(bytes)) => (bytes.len(), bytes.capacity() - bytes.len()),
            View::Object(Object::WalkedString(text)) => (text.bytes().len(), 0),
            _ => return Err(Error::fixed("ERR Not an sds encoded string.")),
        };
        Ok(format!(
            "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {}, val_sds_len:{length}, val_sds_avail:{spare}, val_zmalloc: {}",
            entry.key().len(),
            entry.memory_bytes(),
            length + spare
        ))
    })?;
    if let Some(text) = text {
        reply.status(&text);
    }
    Ok(())
}

pub fn table_stats(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let databases = shared.keyspace.databases();
    let db = usize::try_from(args.int()?).ok().filter(|db| *db < databases);
    let db = db.ok_or(Error::fixed("ERR Out of range database"))?;
    let size = call.with_data(shared.keyspace.all_shards(), |data| data.size(db));
    if let Some(size) = size {
        let text = format!(
            "[Dictionary HT]\n{}[Expires HT]\n{}",
            table_text("main hash table", size.keys),
            table_text("main hash table", size.deadlines)
        );
        reply.verbatim("txt", text.as_bytes());
    }
    Ok(())
}

pub fn table_stats_of_key(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let found = at_key(call, args, |entry| match (encoding_of(entry.view()), entry.view()) {
        (Encoding::Hashtable | Encoding::Skiplist, View::Object(object)) => {
            Ok(table_text("main hash table", members(object)))
        }
        _ => Err(Error::fixed("ERR The value stored at the specified key is not represented using an hash table")),
    })?;
    if let Some(text) = found {
        reply.verbatim("txt", text.as_bytes());
    }
    Ok(())
}

fn members(object: &Object) -> usize {
    match object {
        Object::String(bytes) => bytes.len(),
        Object::WalkedString(text) => text.bytes().len(),
        Object::List(list) => list.len(),
        Object::Set(set) => set.len(),
        Object::Hash(hash) => hash.len(),
        Object::SortedSet(set) => set.len(),
        Object::Stream(stream) => stream.len(),
        Object::Structured(bytes) => bytes.len(),
    }
}

fn table_text(name: &str, items: usize) -> String {
    if items == 0 {
        return format!("Hash table 0 stats ({name}):\nNo stats available for empty dictionaries\n");
    }
    format!("Hash table 0 stats ({name}):\n table size: {items}\n number of elements: {items}\n")
}

pub fn struct_sizes(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let text = format!(
        "bits:{} entry:{} object:{} key:{}",
        usize::BITS,
        size_of::<ochre_keyspace::Entry>(),
        size_of::<Object>(),
        size_of::<Key<'_>>()
    );
    reply.bulk(text.as_bytes());
    Ok(())
}

pub fn digest(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let locks = call.shared().keyspace.all_shards();
    if let Some(digest) = call.with_data(locks, digest::of_all) {
        reply.status(&digest.text());
    }
    Ok(())
}

pub fn digest_value(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let keyspace = &call.shared().keyspace;
    let keys: Vec<Key<'_>> = args.rest().iter().map(Key::new).collect();
    let mut locks = ShardSet::new();
    for key in &keys {
        locks.insert(keyspace.shard_of(key));
    }
    let digests: Option<Vec<_>> =
        call.with_data(locks, |data| keys.iter().map(|key| digest::of_value(data, key)).collect());
    if let Some(digests) = digests {
        reply.array(digests.len());
        digests.iter().for_each(|digest| reply.status(&digest.text()));
    }
    Ok(())
}
