//! Signatures of values and of all data, equal to those of Redis for equal data (DEBUG DIGEST).

use ochre_collections::listpack::Item;
use ochre_collections::{EntryRef, View};
use ochre_digest::sha1;
use ochre_keyspace::{Key, Locked, Text, collection_of, kind_of};
use ochre_text::number;
use ochre_values::{Hash, Kind, List, Object, Set, SortedSet, Stream, StreamId};

/// A signature. Parts whose order is of no account are combined by exclusive or, others by hashing what came before.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Digest(pub [u8; 20]);

impl Digest {
    /// Combines with `part`, in any order with others.
    fn add(&mut self, part: &[u8]) {
        self.0.iter_mut().zip(sha1(part)).for_each(|(byte, other)| *byte ^= other);
    }

    /// Combines with `part` after everything so far.
    fn append(&mut self, part: &[u8]) {
        self.add(part);
        self.0 = sha1(&self.0);
    }

    fn append_item(&mut self, item: Item<'_>) {
        self.append(item.as_bytes(&mut [0; number::I64_TEXT_LEN_MAX]));
    }

    /// As 40 hexadecimal digits.
    pub fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The signature of everything in all databases. All shards must be held.
pub fn of_all(data: &mut Locked<'_>) -> Digest {
    let selected = data.db();
    let mut all = Digest::default();
    for db in 0..data.databases() {
        if data.size(db).keys == 0 {
            continue;
        }
        data.select(db);
        all.append(&(db as u32).to_be_bytes());
        data.for_each(|entry| {
            let mut digest = Digest::default();
            digest.append(entry.key());
            add_value(&mut digest, entry);
            all.add(&digest.0);
        });
    }
    data.select(selected);
    all
}

/// The signature of the value of `key` and its deadline; zero when there is none.
pub fn of_value(data: &Locked<'_>, key: &Key<'_>) -> Digest {
    let mut digest = Digest::default();
    if let Some(entry) = data.peek(key) {
        add_value(&mut digest, entry);
    }
    digest
}

fn add_value(digest: &mut Digest, entry: EntryRef<'_, Object>) {
    let view = entry.view();
    let kind = kind_of(view);
    digest.append(&type_number(kind).to_be_bytes());
    match kind {
        Kind::String => add_string(digest, view),
        Kind::Set => {
            let set = collection_of::<Set>(view).expect("the kind is a set's");
            for member in set.iter() {
                digest.add(member.as_bytes(&mut [0; number::I64_TEXT_LEN_MAX]));
            }
        }
        Kind::SortedSet => {
            let set = collection_of::<SortedSet>(view).expect("the kind is a sorted set's");
            let mut score = Vec::new();
            for scored in set.iter() {
                let mut member = Digest::default();
                member.append_item(scored.member);
                score.clear();
                number::write_f64_17(&mut score, scored.score());
                member.append(&score);
                digest.add(&member.0);
            }
        }
        Kind::List => {
            let list = collection_of::<List>(view).expect("the kind is a list's");
            list.iter().for_each(|element| digest.append_item(element));
        }
        Kind::Hash => {
            let hash = collection_of::<Hash>(view).expect("the kind is a hash's");
            for field in hash.iter() {
                let mut pair = Digest::default();
                pair.append_item(field.name);
                pair.append_item(field.value);
                if field.deadline_ms.is_some() {
                    pair.add(b"!!hexpire!!");
                }
                digest.add(&pair.0);
            }
        }
        Kind::Structured => {
            if let View::Object(Object::Structured(bytes)) = view {
                digest.append(bytes);
            }
        }
        Kind::Stream => {
            let stream = collection_of::<Stream>(view).expect("the kind is a stream's");
            for entry in stream.range(StreamId::MIN, StreamId::MAX) {
                digest.append(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                for (field, value) in entry.pairs() {
                    digest.append_item(field);
                    digest.append_item(value);
                }
            }
        }
    }
    if entry.expiry_ms().is_some() {
        digest.add(b"!!expire!!");
    }
}

fn add_string(digest: &mut Digest, view: View<'_, Object>) {
    let mut buffer = Vec::new();
    let text = match view {
        View::Int(value) => Text::Int(value),
        View::Str { bytes, .. } => Text::Bytes(bytes),
        View::Object(Object::String(bytes)) => Text::Bytes(bytes),
        View::Object(Object::WalkedString(text)) => Text::Bytes(text.bytes()),
        _ => unreachable!("the kind is a string's"),
    };
    digest.append(text.bytes(&mut buffer));
}

/// The numbers of types that signatures and files know.
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::SortedSet => 3,
        Kind::Hash => 4,
        // What modules' types have in the peers.
        Kind::Structured => 5,
        Kind::Stream => 6,
    }
}
