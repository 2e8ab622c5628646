//! What is written is read again: every type and encoding, in every dialect, at once and piece by piece.

use ochre_collections::View;
use ochre_rdb::testing::{show, view};
use ochre_rdb::{Access, Built, Dialect, Item, ReadOptions, Reader, Shape, Writer, dump, restore};
use ochre_values::hash::Deadline;
use ochre_values::list::End;
use ochre_values::{Collection, Hash, Limits, List, Object, Set, SortedSet, Stream, StreamId};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

const DIALECTS: [Dialect; 3] = [Dialect::Portable, Dialect::Redis8, Dialect::Valkey9];

fn limits() -> Limits {
    Limits {
        hash_max_listpack_entries: 6,
        hash_max_listpack_value_bytes: 20,
        set_max_intset_entries: 6,
        set_max_listpack_entries: 6,
        sorted_set_max_listpack_entries: 6,
        list_max_listpack_size: 5,
        stream_node_max_entries: 4,
        ..Limits::default()
    }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-200_000_i64..200_000).prop_map(|number| number.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        4 => prop::collection::vec(any::<u8>(), 0..30),
        1 => (0_usize..3000).prop_map(|length| vec![b'x'; length]),
        1 => Just(b"007".to_vec()),
    ]
}

/// A value that a failure can show.
#[derive(Clone)]
struct Made(Built<'static>);

impl std::fmt::Debug for Made {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&show(&self.0))
    }
}

fn list() -> impl Strategy<Value = Made> {
    prop::collection::vec(text(), 1..20).prop_map(|texts| {
        let mut list = List::new();
        for text in texts {
            list.prepare(1, text.len(), &limits());
            list.push(End::Right, &text);
        }
        Made(Built::Object(list.into_object()))
    })
}

fn set() -> impl Strategy<Value = Made> {
    let ints = prop::collection::vec(any::<i64>().prop_map(|number| number.to_string().into_bytes()), 1..12);
    let texts = prop::collection::vec(text(), 1..12);
    prop_oneof![ints, texts].prop_map(|members| {
        let mut set = Set::new();
        members.iter().for_each(|member| _ = set.insert(member, &limits()));
        Made(Built::Object(set.into_object()))
    })
}

fn hash() -> impl Strategy<Value = Made> {
    let deadline = prop::option::weighted(0.2, 1_u64..5_000_000_000_000);
    prop::collection::vec((text(), text(), deadline), 1..12).prop_map(|fields| {
        let mut hash = Hash::new();
        // A field that is set again may leave the hash in a form that is larger than it needs.
        let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, value, at)| (name, (value, at))).collect();
        for (name, (value, deadline)) in fields {
            hash.set(&name, &value, deadline.map_or(Deadline::Clear, Deadline::At), 0, &limits());
        }
        Made(Built::Object(hash.into_object()))
    })
}

fn sorted_set() -> impl Strategy<Value = Made> {
    let score = prop_oneof![
        // Small sets keep whole numbers as such, and so no negative zero.
        any::<f64>().prop_filter("scores are numbers", |score| !score.is_nan()).prop_map(|score| score + 0.0),
        (-5_i32..5).prop_map(f64::from),
        Just(f64::INFINITY),
    ];
    prop::collection::vec((text(), score), 1..12).prop_map(|members| {
        let mut set = SortedSet::new();
        members.iter().for_each(|(member, score)| set.insert(member, *score, &limits()));
        Made(Built::Object(set.into_object()))
    })
}

fn stream() -> impl Strategy<Value = Made> {
    let entries = prop::collection::vec((1_u64..4, prop::collection::vec(text(), 1..4)), 0..15);
    (entries, prop::collection::vec(0_usize..15, 0..5), prop::collection::vec((0_usize..15, 0_u8..4), 0..12)).prop_map(
        |(entries, deleted, pending)| {
            let mut stream = Stream::new();
            stream.make();
            let mut ids = Vec::new();
            for (step, words) in entries {
                let id = StreamId::new(stream.last_id().ms + step, step);
                let pairs: Vec<&[u8]> = words.iter().flat_map(|word| [&b"name"[..], word]).collect();
                stream.add(id, pairs.iter().copied(), &limits()).expect("entries are small");
                ids.push(id);
            }
            deleted.iter().filter_map(|at| ids.get(*at)).for_each(|id| _ = stream.delete(*id));
            stream.create_group(b"empty", StreamId::MIN, None);
            stream.create_group(b"group", stream.last_id(), Some(3));
            let group = stream.group_mut(b"group").expect("it was just made");
            let consumers = [b"a", b"b", b"c"].map(|name| group.create_consumer(name, 77).expect("it is new"));
            for (at, owner) in pending {
                let Some(id) = ids.get(at) else { continue };
                match consumers.get(usize::from(owner)) {
                    Some(consumer) => group.assign(*id, *consumer, 1000 + at as u64, 1 + at as u64),
                    None => group.release(*id, at as u64),
                }
            }
            Made(Built::Object(stream.into_object()))
        },
    )
}

fn built() -> impl Strategy<Value = Made> {
    prop_oneof![
        any::<i64>().prop_map(|value| Made(Built::Int(value))),
        text().prop_map(|text| Made(Built::Text(Cow::Owned(text)))),
        list(),
        set(),
        hash(),
        sorted_set(),
        stream(),
    ]
}

/// Writes the value in pieces, where it has any.
fn write_in_pieces(writer: &mut Writer, key: &[u8], view: View<'_, Object>) {
    let View::Object(object) = view else { return writer.entry(key, None, None, view) };
    match object {
        Object::List(List::Chunked(list)) => {
            writer.begin_entry(key, None, None, Shape::List { nodes: list.nodes().len() });
            list.nodes().for_each(|node| writer.node(node));
        }
        Object::Set(set) => {
            writer.begin_entry(key, None, None, Shape::Set { members: set.len() });
            set.iter().for_each(|member| writer.member(member));
        }
        Object::SortedSet(set) => {
            writer.begin_entry(key, None, None, Shape::SortedSet { members: set.len() });
            set.as_ref().iter().for_each(|scored| writer.scored(scored.member, scored.score()));
        }
        Object::Hash(hash) if hash.view().deadlines() == 0 => {
            writer.begin_entry(key, None, None, Shape::Hash { fields: hash.len() });
            hash.view().iter().for_each(|pair| writer.field(pair));
        }
        Object::Hash(hash) => {
            let shape = Shape::HashWithDeadlines { fields: hash.len(), earliest_ms: 1 };
            writer.begin_entry(key, None, None, shape);
            hash.view().iter().for_each(|pair| writer.field(pair));
        }
        Object::Stream(stream) => {
            writer.begin_entry(key, None, None, Shape::Stream { nodes: stream.nodes() });
            stream.node_bytes().for_each(|(id, bytes)| writer.stream_node(id, bytes));
            writer.stream_end(stream);
        }
        _ => writer.entry(key, None, None, view),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_payload_is_the_value_again(value in built()) {
        for dialect in DIALECTS {
            let payload = dump(view(&value.0), dialect);
            let read = restore(&payload, false, &limits()).expect("it was just written");
            prop_assert_eq!(show(&read), show(&value.0));
            // In the same encoding, which the type of the payload tells.
            prop_assert_eq!(dump(view(&read), dialect)[0], payload[0]);
            let wide = restore(&payload, false, &Limits::default()).expect("it was just written");
            prop_assert_eq!(show(&wide), show(&value.0));
        }
    }

    #[test]
    fn a_file_is_what_was_written(
        values in prop::collection::vec((text(), built(), prop::option::of(1_u64..5_000_000_000_000)), 0..20),
        dialect in prop::sample::select(DIALECTS.to_vec()),
        compresses in any::<bool>(),
        sums in any::<bool>(),
    ) {
        let mut writer = Writer::new(dialect).compressing(compresses).with_checksum(sums);
        let mut file = Vec::new();
        writer.header(&[(b"ochre-ver", b"0")]);
        writer.select_db(7);
        writer.resize_db(values.len(), 0);
        for (at, (key, value, expiry_ms)) in values.iter().enumerate() {
            let access = [None, Some(Access::Idle(at as u64 * 1000)), Some(Access::Frequency(at as u8))][at % 3];
            writer.entry(key, *expiry_ms, access, view(&value.0));
            write_in_pieces(&mut writer, key, view(&value.0));
            if at % 4 == 0 {
                writer.drain_into(&mut file);
            }
        }
        writer.function(b"source");
        writer.end();
        prop_assert_eq!(writer.total(), (file.len() + writer.len()) as u64);
        writer.drain_into(&mut file);
        file.extend_from_slice(b"something else");
        // In small pieces, as from a socket.
        let mut reader = Reader::new(Slowly(&file), ReadOptions::default()).expect("it was just written");
        prop_assert_eq!(reader.version(), dialect.version());
        let (mut at, mut functions) = (0, 0);
        loop {
            match reader.next().expect("it was just written") {
                Item::Entry(entry) => {
                    let (key, value, expiry_ms) = &values[at / 2];
                    prop_assert_eq!(&*entry.key().expect("it was just written"), &key[..]);
                    let read = entry.value.build(&limits()).expect("it was just written");
                    prop_assert_eq!(show(&read), show(&value.0));
                    if at % 2 == 0 {
                        prop_assert_eq!(entry.expiry_ms, *expiry_ms);
                        let idle_s = (at / 2 % 3 == 1).then_some(at as u64 / 2 * 1000);
                        let frequency = (at / 2 % 3 == 2).then_some(at as u8 / 2);
                        prop_assert_eq!((entry.idle_s, entry.frequency), (idle_s, frequency));
                    }
                    at += 1;
                }
                Item::Function(source) => {
                    prop_assert_eq!(&*source, b"source");
                    functions += 1;
                }
                Item::SelectDb(db) => prop_assert_eq!(db, 7),
                Item::End => break,
                _ => {}
            }
        }
        prop_assert_eq!((at, functions), (values.len() * 2, 1));
        let (mut rest, source) = reader.into_rest();
        rest.extend_from_slice(source.0);
        prop_assert_eq!(rest, b"something else");
    }
}

/// Gives a few bytes at a time.
struct Slowly<'a>(&'a [u8]);

impl std::io::Read for Slowly<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let few = to.len().min(97);
        self.0.read(&mut to[..few])
    }
}
