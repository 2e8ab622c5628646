//! Random operations against a `BTreeMap` with a clock, the changes of encoding, due fields, and the fairness of chance.

use super::*;
use crate::Limits;
use ochre_collections::Random;
use ochre_collections::listpack::Item;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn limits() -> Limits {
    Limits { hash_max_listpack_entries: 5, hash_max_listpack_value_bytes: 10, ..Limits::default() }
}

/// Name → value and deadline.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn contents<'a>(fields: impl Iterator<Item = Pair<'a>>) -> Model {
    let owned = |pair: Pair<'_>| (pair.name.to_vec(), (pair.value.to_vec(), pair.deadline_ms));
    fields.map(owned).collect()
}

fn living(model: &Model, now_ms: u64) -> Model {
    let lives = |(_, (_, deadline)): &(&Vec<u8>, &(Vec<u8>, Option<u64>))| deadline.is_none_or(|at| at > now_ms);
    model.iter().filter(lives).map(|(name, field)| (name.clone(), field.clone())).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Set(Vec<u8>, Vec<u8>, Deadline),
    Remove(Vec<u8>),
    SetDeadline(Vec<u8>, Option<u64>),
    Wait(u64),
    RemoveDue,
    Prepare(usize),
    ReadAgain,
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-3_i64..5).prop_map(|number| number.to_string().into_bytes()),
        2 => (0_usize..12).prop_map(|length| vec![b'x'; length]),
        1 => Just(b"007".to_vec()),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let deadline =
        || prop_oneof![4 => Just(Deadline::Clear), 2 => Just(Deadline::Keep), 1 => (1_u64..60).prop_map(Deadline::At)];
    prop_oneof![
        10 => (text(), text(), deadline()).prop_map(|(name, value, deadline)| Change::Set(name, value, deadline)),
        4 => text().prop_map(Change::Remove),
        1 => (text(), prop::option::of(1_u64..60)).prop_map(|(name, at)| Change::SetDeadline(name, at)),
        2 => (0_u64..10).prop_map(Change::Wait),
        1 => Just(Change::RemoveDue),
        1 => (0_usize..8).prop_map(Change::Prepare),
        1 => Just(Change::ReadAgain),
    ]
}

proptest! {
    #[test]
    fn a_hash_is_what_a_map_with_a_clock_is(changes in prop::collection::vec(change(), 1..100)) {
        let limits = limits();
        let (mut hash, mut model, mut now_ms) = (Hash::new(), Model::new(), 1);
        let mut is_table = false;
        for change in changes {
            match change {
                Change::Set(name, value, deadline) => {
                    let old = model.get(&name);
                    let before = match old {
                        None => Before::Missing,
                        Some((_, Some(at))) if *at <= now_ms => Before::Expired,
                        Some(_) => Before::Living,
                    };
                    let kept = old.and_then(|(_, at)| *at).filter(|at| *at > now_ms);
                    let new = match deadline {
                        Deadline::Clear => None,
                        Deadline::Keep => kept,
                        Deadline::At(at) => Some(at),
                    };
                    prop_assert_eq!(hash.set(&name, &value, deadline, now_ms, &limits), before);
                    model.insert(name, (value, new));
                }
                Change::Remove(name) => {
                    let lives = living(&model, now_ms).contains_key(&name);
                    prop_assert_eq!(hash.remove(&name, now_ms), lives);
                    if lives {
                        model.remove(&name);
                    }
                }
                Change::SetDeadline(name, at) => {
                    let lives = living(&model, now_ms).contains_key(&name);
                    prop_assert_eq!(hash.set_deadline(&name, at, now_ms), lives);
                    if lives {
                        model.get_mut(&name).expect("it lives").1 = at;
                    }
                }
                Change::Wait(ms) => now_ms += ms,
                Change::RemoveDue => {
                    let mut removed = BTreeSet::new();
                    let count = hash.remove_due_fields(now_ms, &mut 1000, &mut |name| _ = removed.insert(name.to_vec()));
                    let kept = living(&model, now_ms);
                    let due: BTreeSet<_> = model.keys().filter(|name| !kept.contains_key(*name)).cloned().collect();
                    prop_assert_eq!(count, due.len());
                    prop_assert_eq!(removed, due);
                    model = kept;
                    prop_assert!(hash.next_expiry_ms().is_none_or(|at| at > now_ms));
                }
                Change::Prepare(more) => hash.prepare(more, 8 * more, &limits),
                Change::ReadAgain => {
                    if let Some((packing, bytes)) = hash.pack() {
                        hash = Hash::unpack(packing, bytes).expect("these are a hash's bytes");
                    } else {
                        hash = hash.clone();
                    }
                }
            }
            let view = hash.view();
            let alive = living(&model, now_ms);
            prop_assert_eq!(contents(view.iter()), model.clone());
            prop_assert_eq!(contents(view.living(now_ms)), alive.clone());
            prop_assert_eq!((view.len(), view.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(view.living_len(now_ms), alive.len());
            let deadlines: Vec<u64> = model.values().filter_map(|(_, at)| *at).collect();
            prop_assert_eq!(view.deadlines(), deadlines.len());
            let earliest = deadlines.iter().min();
            prop_assert!(hash.next_expiry_ms().is_none_or(|at| earliest.is_some_and(|earliest| at <= *earliest)));
            prop_assert_eq!(hash.next_expiry_ms().is_some(), earliest.is_some());
            let mut scanned = Model::new();
            let mut cursor = 0;
            loop {
                cursor = view.scan(cursor, now_ms, &mut |pair| scanned.extend(contents(std::iter::once(pair))));
                if cursor == 0 {
                    break;
                }
            }
            prop_assert_eq!(&scanned, &alive);
            for name in model.keys() {
                let expected = alive.get(name);
                prop_assert_eq!(view.get(name, now_ms).map(|item| item.to_vec()), expected.map(|(value, _)| value.clone()));
                let pair = view.pair(name, now_ms).map(|pair| (pair.value.to_vec(), pair.deadline_ms));
                prop_assert_eq!(pair.as_ref(), expected);
                prop_assert_eq!(view.get(name, 0).map(|item| item.to_vec()), Some(model[name].0.clone()));
            }
            // Once a table, always a table; before that, nothing that calls for one.
            let packs = hash.encoding() == Encoding::Listpack;
            prop_assert!(!(is_table && packs));
            is_table = !packs;
            let is_long = |text: &Vec<u8>| text.len() > 10;
            prop_assert!(!packs || (model.len() <= 5 && deadlines.is_empty()));
            prop_assert!(!packs || !model.iter().any(|(name, (value, _))| is_long(name) || is_long(value)));
        }
    }
}

#[track_caller]
fn check_encoding(set: &[(&str, &str)], expected: Encoding) {
    let mut hash = Hash::new();
    for (name, value) in set {
        hash.set(name.as_bytes(), value.as_bytes(), Deadline::Keep, 0, &limits());
    }
    assert_eq!(hash.encoding(), expected, "{set:?}");
}

#[test]
fn limits_and_deadlines_make_a_table() {
    let fields = [("1", "x"), ("2", "x"), ("3", "x"), ("4", "x"), ("5", "x"), ("6", "x")];
    check_encoding(&fields[..5], Encoding::Listpack);
    check_encoding(&fields, Encoding::Hashtable);
    check_encoding(&[("ten bytes.", "ten bytes.")], Encoding::Listpack);
    check_encoding(&[("more bytes.", "")], Encoding::Hashtable);
    check_encoding(&[("", "more bytes.")], Encoding::Hashtable);
    let mut hash = Hash::new();
    hash.set(b"a", b"1", Deadline::Clear, 0, &limits());
    assert!(!hash.set_deadline(b"b", Some(9), 0) && hash.set_deadline(b"a", None, 0));
    assert_eq!(hash.encoding(), Encoding::Listpack);
    assert!(hash.set_deadline(b"a", Some(9), 0));
    assert_eq!(hash.encoding(), Encoding::Hashtable);
}

/// Fields `f0`, `f1`, … with the deadlines 1, 2, …
fn with_deadlines(count: usize) -> Hash {
    let mut hash = Hash::new();
    for index in 0..count {
        hash.set(format!("f{index}").as_bytes(), b"v", Deadline::At(index as u64 + 1), 0, &limits());
    }
    hash
}

#[test]
fn due_fields_of_a_large_hash_are_taken_out_within_a_budget() {
    let mut hash = with_deadlines(20_000);
    assert!(hash.next_expiry_ms().is_some_and(|at| at > 1), "a large hash is given some lag");
    let (mut budget, mut removed) = (1000, 0);
    removed += hash.remove_due_fields(100, &mut budget, &mut |_| {});
    assert_eq!((removed, hash.len()), (100, 19_900));
    assert!(hash.next_expiry_ms().is_some_and(|at| at > 100));
    // What the budget leaves for later is still known to be due.
    let mut calls = 0;
    while hash.next_expiry_ms().is_some_and(|at| at <= 15_000) {
        let mut budget = 3;
        removed += hash.remove_due_fields(15_000, &mut budget, &mut |_| {});
        calls += 1;
    }
    assert_eq!((removed, hash.len(), calls > 5), (15_000, 5_000, true));
    // Nothing is due: nothing is looked at.
    let mut budget = 1000;
    assert_eq!(hash.remove_due_fields(15_000, &mut budget, &mut |_| {}), 0);
    assert_eq!(budget, 1000);
}

#[test]
fn chance_is_fair_in_every_encoding() {
    let mut random = Random::new(7);
    for count in [5, 100] {
        let mut hash = Hash::new();
        for index in 0..count {
            hash.set(index.to_string().as_bytes(), b"v", Deadline::Clear, 0, &limits());
        }
        let mut hits = vec![0_usize; count];
        let mut hit = |pair: Pair<'_>| {
            hits[pair.name.to_vec().iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))] += 1;
        };
        for _ in 0..200 * count {
            hit(hash.view().random(0, &mut random).expect("there are fields"));
        }
        hash.view().choose(300 * count, 0, &mut random, &mut hit);
        for _ in 0..100 * count {
            hash.view().sample(5, 0, &mut random, &mut hit);
        }
        // 200, 300 and 500 of each field.
        assert!(hits.iter().all(|hits| hits.abs_diff(1000) < 200), "{hits:?}");
    }
}

#[test]
fn only_living_fields_are_chosen() {
    let mut random = Random::new(7);
    let names = |pairs: &mut Vec<Vec<u8>>, pair: Pair<'_>| pairs.push(pair.name.to_vec());
    for (now_ms, alive) in [(0, 1000), (900, 100), (999, 1), (1000, 0)] {
        let hash = with_deadlines(1000);
        let view = hash.view();
        let mut chosen = Vec::new();
        view.choose(50, now_ms, &mut random, &mut |pair| names(&mut chosen, pair));
        assert_eq!(chosen.len(), if alive > 0 { 50 } else { 0 });
        for count in [1, 20, 600, 2000] {
            let mut sampled = Vec::new();
            view.sample(count, now_ms, &mut random, &mut |pair| names(&mut sampled, pair));
            assert_eq!(sampled.len(), count.min(alive));
            assert_eq!(sampled.iter().collect::<BTreeSet<_>>().len(), sampled.len(), "each once");
            chosen.extend(sampled);
        }
        assert!(chosen.iter().all(|name| view.get(name, now_ms) == Some(Item::Bytes(b"v"))));
        assert_eq!(view.random(now_ms, &mut random).is_some(), alive > 0);
    }
    assert_eq!(Hash::new().view().random(0, &mut random), None);
}
