//! Random operations against a map of entries, nodes to bytes and back, and what groups have pending.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const LIMITS: Limits = Limits { stream_node_max_entries: 5, stream_node_max_bytes: 120, ..crate::limits::DEFAULT };

type Words = Vec<Vec<u8>>;

fn add(stream: &mut Stream, id: StreamId, words: &[Vec<u8>]) {
    stream.add(id, words.iter().map(Vec::as_slice), &LIMITS).expect("it is small");
}

fn words(texts: &[&str]) -> Words {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

fn words_of(entry: &Entry<'_>) -> Words {
    entry.pairs().flat_map(|(field, value)| [field.to_vec(), value.to_vec()]).collect()
}

fn ids(stream: &Stream) -> Vec<u64> {
    stream.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id.ms).collect()
}

#[derive(Clone, Debug)]
enum Change {
    /// So far behind the last id.
    Add(u64, Words),
    /// One of those that are there, or not.
    Delete(u64),
    MaxLen(u64, bool),
    MinId(u64, bool),
    Reload,
}

fn change() -> impl Strategy<Value = Change> {
    let text = prop_oneof![
        Just(b"a".to_vec()),
        Just(b"bb".to_vec()),
        (-70_000_i64..70_000).prop_map(|number| number.to_string().into_bytes()),
        (0_usize..90).prop_map(|length| vec![b'x'; length]),
    ];
    let own = prop::collection::vec((text.clone(), text.clone()), 1..4);
    let own = own.prop_map(|pairs| pairs.into_iter().flat_map(|(field, value)| [field, value]).collect());
    let usual = (text.clone(), text).prop_map(|(one, two)| vec![b"field".to_vec(), one, b"other".to_vec(), two]);
    prop_oneof![
        8 => (1_u64..4, prop_oneof![usual, own]).prop_map(|(step, words)| Change::Add(step, words)),
        4 => any::<u64>().prop_map(Change::Delete),
        1 => (0_u64..30, any::<bool>()).prop_map(|(len, approximate)| Change::MaxLen(len, approximate)),
        1 => (0_u64..60, any::<bool>()).prop_map(|(ms, approximate)| Change::MinId(ms, approximate)),
        1 => Just(Change::Reload),
    ]
}

fn reload(stream: &Stream) -> Stream {
    let mut copy = Stream::new();
    for (master, bytes) in stream.node_bytes() {
        copy.push_node(master, bytes).expect("a node's own bytes are well formed");
    }
    copy.set_totals(&stream.totals()).expect("a stream's own totals fit it");
    copy
}

proptest! {
    // The whole content is compared after every step.
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn a_stream_is_a_map_of_entries(changes in prop::collection::vec(change(), 1..200)) {
        let mut stream = Stream::new();
        let mut model: BTreeMap<StreamId, Words> = BTreeMap::new();
        let (mut last, mut added) = (StreamId::MIN, 0);
        let mut reader = Group::new(StreamId::MIN, None);
        for (step, change) in changes.into_iter().enumerate() {
            match change {
                Change::Add(step, words) => {
                    last = if step == 3 { StreamId::new(last.ms, last.seq + 1) } else { id(last.ms + step) };
                    added += 1;
                    add(&mut stream, last, &words);
                    model.insert(last, words);
                }
                Change::Delete(nth) => {
                    let nth = model.keys().nth(nth as usize % (model.len() + 1)).copied();
                    let doomed = nth.unwrap_or(StreamId::new(last.ms, 1000));
                    prop_assert_eq!(stream.delete(doomed), model.remove(&doomed).is_some());
                }
                Change::MaxLen(most, approximate) => {
                    let trim = Trim { threshold: Threshold::MaxLen(most), approximate, limit: 0, references: References::Keep };
                    let removed = stream.trim(&trim);
                    prop_assert!(approximate || model.len() - removed == model.len().min(most as usize));
                    prop_assert!(model.len() - removed >= model.len().min(most as usize));
                    for _ in 0..removed {
                        model.pop_first();
                    }
                }
                Change::MinId(ms, approximate) => {
                    let lowest = id(ms);
                    let trim = Trim { threshold: Threshold::MinId(lowest), approximate, limit: 0, references: References::Keep };
                    let removed = stream.trim(&trim);
                    let lower = model.range(..lowest).count();
                    prop_assert!(removed == lower || approximate && removed < lower);
                    for _ in 0..removed {
                        model.pop_first();
                    }
                }
                Change::Reload => (stream, reader.place) = (reload(&stream), None),
            }
            // A group that reads on by itself, most of the time.
            let mut news = stream.news(&reader);
            let read: Vec<StreamId> = news.by_ref().take(step % 3).map(|entry| entry.id).collect();
            let unread = model.keys().filter(|id| **id > reader.last_id).take(step % 3);
            prop_assert!(read.iter().eq(unread));
            if let Some(newest) = read.last() {
                reader.place = news.place(&stream, *newest);
                reader.last_id = *newest;
            } else if step % 17 == 0 {
                reader.last_id = id(last.ms / 2);
            }
            prop_assert_eq!(stream.len(), model.len());
            prop_assert_eq!(stream.first_id(), model.keys().next().copied().unwrap_or_default());
            prop_assert_eq!((stream.last_id(), stream.entries_added()), (last, added));
            let shown: Vec<_> = stream.range(StreamId::MIN, StreamId::MAX).map(|entry| (entry.id, words_of(&entry))).collect();
            prop_assert!(shown.iter().map(|(id, words)| (id, words)).eq(&model));
            let (low, high) = (id(last.ms / 3), StreamId::new(last.ms * 2 / 3, 1));
            let there = stream.range(low, high).map(|entry| entry.id);
            prop_assert!(there.eq(model.range(low..=high).map(|(id, _)| *id)));
            let back = stream.range_rev(low, high).map(|entry| entry.id);
            prop_assert!(back.eq(model.range(low..=high).rev().map(|(id, _)| *id)));
            let newest = StreamId::new(last.ms, last.seq.saturating_sub(1));
            prop_assert!(stream.range(newest, StreamId::MAX).map(|entry| entry.id).eq(model.range(newest..).map(|(id, _)| *id)));
        }
    }

    #[test]
    fn groups_know_who_has_what(changes in prop::collection::vec((0_u64..12, 0_usize..6, any::<bool>()), 1..100)) {
        let mut group = Group::new(StreamId::MIN, None);
        let mut model: BTreeMap<u64, (Option<usize>, u64)> = BTreeMap::new();
        let names: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
        for (time, (ms, what, again)) in changes.into_iter().enumerate() {
            match what {
                0..4 => {
                    let known = group.find_consumer(names[what]);
                    let number = known.or_else(|| group.create_consumer(names[what], 0)).expect("found or made");
                    group.assign(id(ms), number, time as u64, 1);
                    model.insert(ms, (Some(what), time as u64));
                }
                4 if again => {
                    prop_assert_eq!(group.acknowledge(id(ms)), model.remove(&ms).is_some());
                }
                4 => {
                    group.release(id(ms), 7);
                    model.insert(ms, (None, 0));
                }
                _ => {
                    let doomed = (ms % 4) as usize;
                    let had = group.find_consumer(names[doomed]).map(|number| group.consumer(number).pending_len());
                    prop_assert_eq!(group.delete_consumer(names[doomed]), had);
                    model.retain(|_, (consumer, _)| *consumer != Some(doomed));
                }
            }
            let shown = group.pending(..).map(|(id, pending)| {
                let name = pending.consumer().map(|number| group.consumer(number).name());
                (id.ms, (name.and_then(|name| names.iter().position(|known| *known == name)), pending.delivered_ms))
            });
            prop_assert!(shown.eq(model.iter().map(|(ms, pending)| (*ms, *pending))));
            if time > 20 {
                let mut times: Vec<(u64, u64)> = model.iter().map(|(ms, (_, time))| (*time, *ms)).collect();
                times.sort_unstable();
                prop_assert!(group.pending_by_time().map(|(id, _)| id.ms).eq(times.iter().map(|(_, ms)| *ms)));
            }
            prop_assert_eq!(group.released_len(), model.values().filter(|(consumer, _)| consumer.is_none()).count());
            for consumer in group.consumers() {
                let own = model.iter().filter(|(_, (owner, _))| owner.is_some_and(|owner| names[owner] == consumer.name()));
                prop_assert!(consumer.pending(..).map(|id| id.ms).eq(own.map(|(ms, _)| *ms)));
            }
        }
    }
}

#[test]
fn nodes_have_the_bytes_that_redis_gives_them() {
    let mut stream = Stream::new();
    add(&mut stream, StreamId::new(1, 1), &words(&["f", "1", "g", "x"]));
    add(&mut stream, StreamId::new(1, 2), &words(&["f", "2", "g", "yy"]));
    add(&mut stream, StreamId::new(2, 0), &words(&["h", "3"]));
    assert!(stream.delete(StreamId::new(1, 2)));
    let (master, bytes) = stream.node_bytes().next().expect("there is a node");
    assert_eq!(master, StreamId::new(1, 1));
    // As DUMP of Redis 7.0 has it for the same commands.
    let expected: &[u8] = &[
        64, 0, 0, 0, 25, 0, // bytes, elements
        2, 1, 1, 1, 2, 1, 0x81, b'f', 2, 0x81, b'g', 2, 0, 1, // two live entries, one deleted, fields f and g
        2, 1, 0, 1, 0, 1, 1, 1, 0x81, b'x', 2, 5, 1, // 1-1, with these fields
        3, 1, 0, 1, 1, 1, 2, 1, 0x82, b'y', b'y', 3, 5, 1, // 1-2, deleted
        0, 1, 1, 1, 0xDF, 0xFF, 2, 1, 1, 0x81, b'h', 2, 3, 1, 6, 1, // 2-0, with its own field
        255,
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn a_node_is_full_by_entries_or_by_bytes() {
    let mut stream = Stream::new();
    (1..=11).for_each(|ms| add(&mut stream, id(ms), &words(&["f", "v"])));
    assert_eq!(stream.nodes(), 3);
    let mut stream = Stream::new();
    (1..=3).for_each(|ms| add(&mut stream, id(ms), &[b"f".to_vec(), vec![b'x'; 100]]));
    assert_eq!(stream.nodes(), 3);
    let large = vec![b'x'; NODE_BYTES_MAX];
    let words = [b"f".as_slice(), &large];
    assert_eq!(stream.add(id(4), words.into_iter(), &LIMITS), Err(TooLarge));
    assert_eq!((stream.len(), stream.last_id()), (3, id(3)));
}

#[test]
fn deleted_entries_leave_the_nodes_in_the_end() {
    let limits = Limits { stream_node_max_entries: 100, ..LIMITS };
    let mut stream = Stream::new();
    for ms in 1..=200 {
        stream
            .add(id(ms), [b"f".as_slice(), b"v"].into_iter(), &Limits { stream_node_max_bytes: 0, ..limits })
            .expect("small");
    }
    let before = stream.memory_bytes();
    (1..=95).for_each(|ms| assert!(stream.delete(id(ms))));
    assert!(stream.memory_bytes() < before * 3 / 4);
    assert_eq!(ids(&stream), (96..=200).collect::<Vec<_>>());
    (96..=100).for_each(|ms| assert!(stream.delete(id(ms))));
    assert_eq!(stream.nodes(), 1);
}

#[test]
fn approximate_trimming_takes_whole_nodes_up_to_a_limit() {
    let mut stream = Stream::new();
    (1..=20).for_each(|ms| add(&mut stream, id(ms), &words(&["f", "v"])));
    let trim = |threshold, limit| Trim { threshold, approximate: true, limit, references: References::Keep };
    assert_eq!(stream.trim(&trim(Threshold::MaxLen(3), 9)), 5);
    assert_eq!(stream.trim(&trim(Threshold::MinId(id(13)), 0)), 5);
    assert_eq!(stream.trim(&trim(Threshold::MaxLen(6), 0)), 0);
    assert_eq!(ids(&stream), (11..=20).collect::<Vec<_>>());
}

#[test]
fn entries_that_a_group_needs_can_stay() {
    let mut stream = Stream::new();
    (1..=12).for_each(|ms| add(&mut stream, id(ms), &words(&["f", "v"])));
    assert!(stream.create_group(b"g", id(10), None) && !stream.create_group(b"g", id(1), None));
    let group = stream.group_mut(b"g").expect("it was made");
    let consumer = group.create_consumer(b"c", 0).expect("it is new");
    [2, 7].iter().for_each(|ms| group.assign(id(*ms), consumer, 5, 1));
    let trim = |approximate, references| Trim { threshold: Threshold::MaxLen(1), approximate, limit: 0, references };
    assert_eq!(stream.clone().trim(&trim(true, References::Acknowledged)), 0);
    assert_eq!(stream.trim(&trim(false, References::Acknowledged)), 8);
    assert_eq!(ids(&stream), [2, 7, 11, 12]);
    assert_eq!(stream.trim(&trim(false, References::Delete)), 3);
    assert_eq!((ids(&stream), stream.group(b"g").map(Group::pending_len)), (vec![12], Some(0)));
}

#[test]
fn damaged_nodes_are_refused() {
    let mut stream = Stream::new();
    (1..=4).for_each(|ms| add(&mut stream, id(ms), &words(&["f", "v"])));
    stream.delete(id(2));
    let (master, bytes) = stream.node_bytes().map(|(master, bytes)| (master, bytes.to_vec())).next().expect("a node");
    assert!(Stream::new().push_node(master, &bytes).is_ok());
    for at in 0..bytes.len() {
        for value in [0, 1, 2, 3, 100, 255] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let mut copy = Stream::new();
            if copy.push_node(master, &damaged).is_ok() {
                // What is accepted can be read and changed.
                let all = ids(&copy);
                assert_eq!(all.len(), copy.len());
                assert!(all.iter().all(|ms| copy.contains(StreamId::new(*ms, 0)) || *ms > 4 || at > 6));
                copy.trim(&Trim {
                    threshold: Threshold::MaxLen(1),
                    approximate: false,
                    limit: 0,
                    references: References::Keep,
                });
            }
        }
    }
}

#[test]
fn a_group_counts_what_it_has_read_while_nothing_is_missing() {
    let mut stream = Stream::new();
    (1..=5).for_each(|ms| add(&mut stream, id(ms), &words(&["f", "v"])));
    stream.create_group(b"g", StreamId::MIN, Some(0));
    let group = |stream: &Stream| stream.group(b"g").expect("it was made").clone();
    assert_eq!(stream.lag(&group(&stream)), Some(5));
    let read = stream.entries_read_after(StreamId::MIN, Some(0), id(1));
    let own = stream.group_mut(b"g").expect("it was made");
    (own.last_id, own.entries_read) = (id(1), read);
    assert_eq!((read, stream.lag(&group(&stream))), (Some(1), Some(4)));
    // With an entry missing ahead nobody can tell, but at the end one can.
    stream.delete(id(3));
    assert_eq!(stream.lag(&group(&stream)), None);
    assert_eq!(stream.entries_up_to(id(4)), None);
    assert_eq!(stream.entries_up_to(id(5)), Some(5));
    // Trimmed past the gap, the beginning counts again.
    stream.trim(&Trim { threshold: Threshold::MaxLen(1), approximate: false, limit: 0, references: References::Keep });
    assert_eq!(stream.entries_up_to(id(4)), Some(4));
}
