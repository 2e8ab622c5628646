//! Tables against a plain map, and what splits, merges and walks promise.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use proptest::prelude::*;

use super::directory::is_sparse;
use super::segment::BUCKETS_FULL;
use super::*;
use crate::{Member, hash};

/// A member whose hash is what the test wants: to see what happens when hashes collide. The first byte of the key chooses.
struct Clash(Member);

fn clash_hash(key: &[u8]) -> u64 {
    match key.first() {
        Some(b'a') => 0,
        Some(b'b') => u64::MAX,
        // All in the first of 2⁴⁰ parts of all hashes.
        Some(b'c') => hash(key) >> 40,
        _ => hash(key),
    }
}

// SAFETY: all but the hash is what `Member` does, and the hash depends on the key only.
unsafe impl Keyed for Clash {
    type Ref<'a> = &'a [u8];
    fn into_raw(self) -> NonNull<u8> {
        self.0.into_raw()
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        // SAFETY: the same promise.
        Clash(unsafe { Member::from_raw(raw) })
    }
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the same promise.
        unsafe { Member::view(raw) }
    }
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the same promise.
        unsafe { Member::key(raw) }
    }
    unsafe fn hash(raw: NonNull<u8>) -> u64 {
        // SAFETY: the same promise.
        clash_hash(unsafe { Member::key(raw) })
    }
}

fn key(number: u32) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

fn put(table: &mut Table<Member>, number: u32) {
    let key = key(number);
    table.insert_new(hash(&key), Member::new(&key));
}

fn filled(count: u32) -> Table<Member> {
    let mut table = Table::new();
    (0..count).for_each(|number| put(&mut table, number));
    table
}

/// The table holds exactly `keys`, its counts are right, and every item is where a look-up finds it.
fn check<T: for<'a> Keyed<Ref<'a> = &'a [u8]>>(
    table: &Table<T>,
    keys: &BTreeSet<Vec<u8>>,
    hash: impl Fn(&[u8]) -> u64,
) {
    assert_eq!(table.len(), keys.len());
    let mut seen = 0;
    let mut bytes = 0;
    table.directory.for_each_segment(|path| {
        let mut items = 0;
        // SAFETY: the table is not changed.
        unsafe { path.node.segment().for_each(|_| items += 1) };
        assert_eq!(table.directory.items(&path), items);
        seen += items;
        if table.directory.bytes > 0 {
            bytes += path.node.segment_bytes();
        }
    });
    assert_eq!(seen, keys.len());
    assert!(bytes <= table.memory_bytes());
    assert_eq!(table.iter().map(<[u8]>::to_vec).collect::<BTreeSet<_>>(), *keys);
    for key in keys {
        assert_eq!(table.get(hash(key), key), Some(key.as_slice()));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert { first: u32, count: u32 },
    Remove { first: u32, count: u32 },
    Retain { modulus: u32 },
    Scan { steps: usize },
    Random(u64),
    Clear,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let range = || (0..3000_u32, prop_oneof![3 => 1..10_u32, 2 => 10..200_u32, 2 => 200..2000_u32]);
    let step = prop_oneof![
        8 => range().prop_map(|(first, count)| Step::Insert { first, count }),
        6 => range().prop_map(|(first, count)| Step::Remove { first, count }),
        1 => (2..9_u32).prop_map(|modulus| Step::Retain { modulus }),
        10 => (0..40_usize).prop_map(|steps| Step::Scan { steps }),
        3 => any::<u64>().prop_map(Step::Random),
        1 => (0..20_u32).prop_map(|chance| match chance { 0 => Step::Clear, 1 => Step::Drain, _ => Step::Random(7) }),
    ];
    prop::collection::vec(step, 1..40)
}

/// Runs `steps` against a plain set. A scan goes on all the while: what stays from its beginning to its end must be seen.
fn run<T: for<'a> Keyed<Ref<'a> = &'a [u8]>>(
    steps: Vec<Step>,
    name: impl Fn(u32) -> Vec<u8>,
    new: impl Fn(&[u8]) -> T,
    hash: impl Fn(&[u8]) -> u64,
) {
    let mut table = Table::<T>::new();
    let mut model = BTreeSet::new();
    let (mut cursor, mut unseen) = (0, BTreeSet::new());
    for step in steps {
        match step {
            Step::Insert { first, count } => {
                for key in (first..first + count).map(&name) {
                    match table.entry(hash(&key), &key) {
                        Lookup::Found(slot) => {
                            assert!(model.contains(&key));
                            assert_eq!(slot.item(), key);
                        }
                        Lookup::Vacant(vacant) => {
                            assert!(model.insert(key.clone()));
                            assert_eq!(vacant.insert(new(&key)).item(), key);
                        }
                    }
                }
            }
            Step::Remove { first, count } => {
                for key in (first..first + count).map(&name) {
                    assert_eq!(table.remove(hash(&key), &key).is_some(), model.remove(&key));
                    unseen.remove(&key);
                }
            }
            Step::Retain { modulus } => {
                let stays = |key: &[u8]| {
                    !clash_hash(key).wrapping_mul(31).wrapping_add(key.len() as u64).is_multiple_of(u64::from(modulus))
                };
                table.retain(|item| {
                    let raw = std::mem::replace(item, new(b"another")).into_raw();
                    // SAFETY: just given up, and taken back once.
                    *item = unsafe { T::from_raw(raw) };
                    // SAFETY: `item` owns the block.
                    stays(unsafe { T::key(raw) })
                });
                model.retain(|key| stays(key));
                unseen.retain(|key: &Vec<u8>| stays(key));
            }
            Step::Scan { steps } => {
                for _ in 0..steps {
                    if cursor == 0 {
                        unseen = model.clone();
                    }
                    let mut shown = Vec::new();
                    let next = table.scan(cursor, &mut |key| shown.push(key.to_vec()));
                    for key in shown {
                        assert!(model.contains(&key));
                        unseen.remove(&key);
                    }
                    assert!(next == 0 || next > cursor, "a scan goes forward");
                    cursor = next;
                    if cursor == 0 {
                        assert!(unseen.is_empty(), "the scan missed {unseen:?}");
                    }
                }
            }
            Step::Random(random) => match table.random(random) {
                Some(key) => assert!(model.contains(key)),
                None => assert!(model.is_empty()),
            },
            Step::Clear => {
                table.clear();
                model.clear();
                unseen.clear();
            }
            Step::Drain => {
                let out: Vec<T> = table.drain().take(model.len() / 2).collect();
                assert_eq!(out.len(), model.len() / 2);
                model.clear();
                unseen.clear();
            }
        }
        assert_eq!(table.len(), model.len());
    }
    check(&table, &model, hash);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_table_is_a_set(steps in steps()) {
        run(steps, key, Member::new, hash);
    }

    #[test]
    fn hashes_that_collide_are_only_slower(steps in steps()) {
        let name = |number: u32| {
            let kind = if number.is_multiple_of(5) { ["a", "b", "c"][number as usize / 5 % 3] } else { "d" };
            format!("{kind}{number}").into_bytes()
        };
        run(steps, name, |key| Clash(Member::new(key)), clash_hash);
    }

    #[test]
    fn a_table_made_for_a_number_takes_it(count in 0..40_000_u32) {
        let mut table = Table::with_capacity(count as usize);
        let before = table.memory_bytes();
        (0..count).for_each(|number| put(&mut table, number));
        prop_assert_eq!(table.len(), count as usize);
        // Chance may make a segment fuller than the mean, but hardly any: of a small table one or two are many.
        let two_segments = 2 * 64 * BUCKETS_FULL;
        prop_assert!(table.memory_bytes() <= before + before / 20 + two_segments);
    }
}

#[test]
fn a_table_grows_and_shrinks_through_all_sizes() {
    let mut table = filled(0);
    let mut model = BTreeSet::new();
    assert_eq!(table.memory_bytes(), 0);
    for number in 0..60_000 {
        put(&mut table, number);
        model.insert(key(number));
        if number < 1500 || number % 10_000 == 0 {
            assert!(table.directory.deadline_ms() == u64::MAX);
            check(&table, &model, hash);
        }
    }
    check(&table, &model, hash);
    assert!(table.memory_bytes() < 60_000 * 12, "{} bytes", table.memory_bytes());
    for number in 0..60_000 {
        table.remove(hash(&key(number)), &key(number)).expect("it was inserted");
        model.remove(&key(number));
        if number % 10_000 == 0 || number > 58_500 {
            check(&table, &model, hash);
        }
        // A table that was large keeps some slabs that are not full.
        let bytes_max = 24 * table.len() + if table.len() < 100 { 1000 } else { 200_000 };
        assert!(table.memory_bytes() < bytes_max, "{} bytes for {}", table.memory_bytes(), table.len());
    }
    assert_eq!(table.memory_bytes(), 0);
}

#[test]
fn small_tables_are_small() {
    assert_eq!([1, 9, 10, 16].map(|count| filled(count).memory_bytes()), [64, 64, 128, 128]);
    // Beyond that chance decides when a segment is full; on the average at two thirds to nine tenths.
    for count in [50, 100, 200, 400] {
        let bytes = (0..20).map(|_| filled(count).memory_bytes()).sum::<usize>() / 20;
        assert!(bytes <= 16 * count as usize, "{bytes} bytes for {count}");
    }
}

#[test]
fn keys_of_every_length_are_told_apart() {
    let text: Vec<u8> = (0..40).collect();
    for length in 0..text.len() {
        let key = &text[..length];
        let mut table = Table::new();
        table.insert_new(hash(key), Member::new(key));
        assert_eq!(table.get(hash(key), key), Some(key));
        assert!(same(key, key));
        for at in 0..length {
            let mut other = key.to_vec();
            other[at] ^= 1;
            assert!(!same(key, &other) && !same(&other, key));
        }
        assert!(!same(key, &text[..length + 1]));
    }
}

#[test]
fn a_thousand_equal_hashes_are_found() {
    let mut table = Table::new();
    let mut model = BTreeSet::new();
    for number in 0..2000_u32 {
        let key = format!("a{number}").into_bytes();
        table.insert_new(clash_hash(&key), Clash(Member::new(&key)));
        model.insert(key);
    }
    check(&table, &model, clash_hash);
    let mut seen = BTreeSet::new();
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, &mut |key| {
            seen.insert(key.to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, model);
    for key in &model {
        assert!(table.remove(clash_hash(key), key).is_some());
    }
    assert_eq!((table.len(), table.memory_bytes()), (0, 0));
}

#[test]
fn a_scan_shows_each_item_once_when_nothing_changes() {
    for count in [1, 8, 100, 700, 5000] {
        let table = filled(count);
        let (mut seen, mut cursor, mut most) = (Vec::new(), 0, 0);
        loop {
            let before = seen.len();
            cursor = table.scan(cursor, &mut |key| seen.push(key.to_vec()));
            assert!(cursor < 1 << 48);
            most = most.max(seen.len() - before);
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), count as usize);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), count as usize);
        assert!(most <= 25, "{most} items in one step");
    }
}

/// A snapshot is loaded in the order of hashes: buckets are filled to the brim, and some items stand far from home.
#[test]
fn a_scan_and_a_walk_show_each_item_once_when_they_came_in_the_order_of_hashes() {
    for count in [60, 700, 20_000_u32] {
        let mut keys: Vec<_> = (0..count).map(key).collect();
        keys.sort_by_key(|key| hash(key));
        let mut table = Table::new();
        for (at, key) in keys.iter().enumerate() {
            table.insert_new(hash(key), Member::new(key));
            if !at.is_multiple_of(count as usize / 60) {
                continue;
            }
            let (mut scanned, mut cursor, mut position) = (Vec::new(), 0, 0);
            loop {
                let next = table.scan(cursor, &mut |item| {
                    assert!(hash(item) >> 16 >= position, "it was to come before");
                    assert!(scanned.len() <= at, "more is shown than there is");
                    scanned.push(item.to_vec());
                });
                (cursor, position) = (next, next);
                if next == 0 {
                    break;
                }
            }
            let mut walked = Vec::new();
            table.begin_walk(Member::new);
            while !table.walk_on(&mut 1, &mut |item| {
                walked.push(item.to_vec());
                1
            }) {}
            table.end_walk();
            for mut shown in [scanned, walked] {
                shown.sort_by_key(|key| hash(key));
                assert_eq!(shown, keys[..=at], "of {count}");
            }
        }
    }
}

#[test]
fn any_number_is_a_cursor() {
    let table = filled(3000);
    for cursor in [1, 77, (1 << 48) - 1, 1 << 48, u64::MAX - 1, u64::MAX] {
        let next = table.scan(cursor, &mut |_| {});
        assert!(next < 1 << 48);
    }
}

#[test]
fn random_reaches_everything_about_equally() {
    for count in [1_u32, 5, 300, 2000] {
        let table = filled(count);
        let mut times = BTreeMap::new();
        for draw in 0..count * 50 {
            *times.entry(table.random(u64::from(draw)).expect("there are items").to_vec()).or_insert(0_u32) += 1;
        }
        assert_eq!(times.len(), count as usize);
        // Mean 50; the spread of 2,000 draws is about 7, and a segment is rarely 20 % off.
        assert!(times.values().all(|&times| (10..=110).contains(&times)), "{count}: {times:?}");
    }
}

#[test]
fn random_finds_the_last_items_of_a_table_that_was_large() {
    let mut table = filled(50_000);
    table.retain(|member| member.bytes() == key(41_000) || member.bytes() == key(17));
    let seen: BTreeSet<Vec<u8>> = (0..200).filter_map(|draw| table.random(draw)).map(<[u8]>::to_vec).collect();
    assert_eq!(seen, BTreeSet::from([key(17), key(41_000)]));
}

#[test]
fn a_slot_replaces_updates_and_removes() {
    let mut table = filled(100);
    let mut slot = table.find(hash(b"key:7"), b"key:7").expect("it is there");
    assert_eq!(slot.hash(), hash(b"key:7"));
    assert_eq!(slot.replace(Member::new(b"key:7")).bytes(), b"key:7");
    assert_eq!(slot.update(|member| member.bytes().len()), 5);
    assert_eq!(slot.into_item(), b"key:7");
    assert_eq!(table.remove(hash(b"key:7"), b"key:7").expect("it is there").bytes(), b"key:7");
    assert!(table.get(hash(b"key:7"), b"key:7").is_none());
    assert_eq!(table.len(), 99);
    table.prefetch(hash(b"key:8")).prefetch_item();
    table.prefetch(hash(b"no such key")).prefetch_item();
}

#[test]
fn the_likely_item_is_one_that_is_there() {
    assert!(Table::<Member>::new().prefetch(hash(b"key:8")).likely_item().is_none());
    let mut table = Table::new();
    table.insert_new(hash(b"key:8"), Member::new(b"key:8"));
    assert_eq!(table.prefetch(hash(b"key:8")).likely_item(), Some(&b"key:8"[..]));
    let table = filled(3_000);
    let likely = |number: u32| {
        let key = format!("key:{number}");
        table.prefetch(hash(key.as_bytes())).likely_item()
    };
    assert!((0..6_000).filter_map(likely).all(|key| table.get(hash(key), key).is_some()));
}

#[test]
fn a_panic_while_an_item_changes_loses_nothing() {
    let mut table = filled(700);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut slot = table.find(hash(b"key:7"), b"key:7").expect("it is there");
        slot.update(|member| {
            *member = Member::new(b"key:7");
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    let mut visits = 0;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        table.retain(|_| {
            visits += 1;
            assert!(visits < 600, "on purpose");
            visits % 2 == 0
        });
    }));
    assert!(panicked.is_err());
    let keys: BTreeSet<_> = table.iter().map(<[u8]>::to_vec).collect();
    assert_eq!(keys.len(), 400);
    check(&table, &keys, hash);
}

/// Keeps deadlines in a map beside the table, as entries keep them inside.
struct Expire<'a> {
    deadlines: &'a mut BTreeMap<Vec<u8>, u64>,
    now_ms: u64,
    /// One expired key that refuses to go.
    stuck: Option<Vec<u8>>,
}

impl Sweep<Member> for Expire<'_> {
    fn keep(&mut self, item: &[u8]) -> Option<u64> {
        match self.deadlines.get(item) {
            None => Some(u64::MAX),
            Some(&deadline_ms) => {
                (deadline_ms > self.now_ms || self.stuck.as_deref() == Some(item)).then_some(deadline_ms)
            }
        }
    }

    fn removed(&mut self, item: Member) {
        assert!(self.deadlines.remove(item.bytes()).expect("only what expires goes") <= self.now_ms);
    }
}

#[test]
fn what_expires_is_swept_in_time_and_nothing_else() {
    let mut table = filled(0);
    let mut deadlines = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for number in 0..30_000_u32 {
        put(&mut table, number);
        keys.insert(key(number));
        if !number.is_multiple_of(3) {
            let deadline_ms = 1000 + u64::from(number * 7919 % 10_000);
            deadlines.insert(key(number), deadline_ms);
            table.note_deadline(hash(&key(number)), deadline_ms);
        }
    }
    let mut visited = 0;
    for now_ms in (0..12_000).step_by(250) {
        let mut resume = 0;
        let mut sweep = Expire { deadlines: &mut deadlines, now_ms, stuck: Some(key(1)) };
        while let Some(items) = table.sweep_due(now_ms, &mut resume, &mut sweep) {
            visited += items;
        }
        assert_eq!(resume, 0);
        assert!(deadlines.iter().all(|(own, &deadline_ms)| deadline_ms > now_ms || *own == key(1)));
        keys.retain(|key| deadlines.contains_key(key) || table.get(hash(key), key).is_some());
        assert!(table.earliest_deadline_ms() <= deadlines.values().copied().min().unwrap_or(u64::MAX));
        check(&table, &keys, hash);
    }
    assert_eq!(table.len(), 10_001);
    assert!(visited < 30_000 * 48, "{visited}");
    // Nothing is due, and only one segment thinks otherwise.
    assert_eq!(deadlines.len(), 1);
    let mut resume = 0;
    let mut sweep = Expire { deadlines: &mut deadlines, now_ms: u64::MAX, stuck: None };
    let last = std::iter::from_fn(|| table.sweep_due(u64::MAX, &mut resume, &mut sweep)).count();
    assert!(last <= 2, "{last} segments visited for one key");
    assert_eq!(table.earliest_deadline_ms(), u64::MAX);
}

#[test]
fn deadlines_survive_growth() {
    let mut table = filled(0);
    put(&mut table, 0);
    table.note_deadline(hash(&key(0)), 5);
    (1..3000).for_each(|number| put(&mut table, number));
    assert_eq!(table.earliest_deadline_ms(), 5);
    let mut deadlines = BTreeMap::from([(key(0), 5)]);
    let (mut resume, mut visits) = (0, 0);
    let mut sweep = Expire { deadlines: &mut deadlines, now_ms: 5, stuck: None };
    while table.sweep_due(5, &mut resume, &mut sweep).is_some() {
        visits += 1;
    }
    assert!(deadlines.is_empty());
    assert_eq!(table.len(), 2999);
    assert!(visits > 1, "every part of the segment that split inherited the bound");
}

#[test]
fn every_item_is_freed_once() {
    /// Counts its owners in an `Rc` beside the key.
    struct Counted(Box<(Rc<()>, Vec<u8>, u64)>);
    // SAFETY: a `Box` of a 40-byte tuple is aligned to 8 and lies in user space; the key never changes.
    unsafe impl Keyed for Counted {
        type Ref<'a> = &'a [u8];
        fn into_raw(self) -> NonNull<u8> {
            NonNull::from(Box::leak(self.0)).cast()
        }
        unsafe fn from_raw(raw: NonNull<u8>) -> Self {
            // SAFETY: it came from `into_raw`.
            Counted(unsafe { Box::from_raw(raw.cast().as_ptr()) })
        }
        unsafe fn view<'a>(raw: NonNull<u8>) -> &'a [u8] {
            // SAFETY: the same promise.
            unsafe { Self::key(raw) }
        }
        unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
            // SAFETY: it came from `into_raw` and is alive.
            unsafe { &raw.cast::<(Rc<()>, Vec<u8>, u64)>().as_ref().1 }
        }
    }
    let owners = Rc::new(());
    let fill = |count: u32| {
        let mut table = Table::new();
        for number in 0..count {
            table.insert_new(hash(&key(number)), Counted(Box::new((owners.clone(), key(number), 0))));
        }
        assert_eq!(Rc::strong_count(&owners), 1 + count as usize);
        table
    };
    drop(fill(2000));
    assert_eq!(Rc::strong_count(&owners), 1);
    let mut rest = fill(2000).into_iter();
    let half: Vec<_> = rest.by_ref().take(1000).collect();
    assert_eq!((rest.len(), Rc::strong_count(&owners)), (1000, 2001));
    drop(rest);
    assert_eq!(Rc::strong_count(&owners), 1001);
    drop(half);
    let mut table = fill(2000);
    table.retain(|item| item.0.1.ends_with(b"1"));
    assert_eq!(Rc::strong_count(&owners), 201);
    table.clear();
    assert_eq!(Rc::strong_count(&owners), 1);
}

#[test]
fn tables_stay_full_enough() {
    let mut table = filled(20_000);
    for number in 0..20_000_u32 {
        if !number.is_multiple_of(10) {
            table.remove(hash(&key(number)), &key(number));
        }
    }
    table.directory.for_each_segment(|path| {
        assert!(!is_sparse(path.node.segment(), table.directory.items(&path)) || path.node.segment().count == 1);
    });
}

#[test]
fn samples_show_as_many_as_are_wanted_and_reach_every_item_in_the_end() {
    assert!(sampled(&filled(0), 1, 5).is_empty());
    assert_eq!(sampled(&filled(3), 1, 5).len(), 3);
    let table = filled(5000);
    let mut seen = BTreeSet::new();
    for random in 0..20_000 {
        let shown = sampled(&table, random, 5);
        assert!((5..60).contains(&shown.len()), "{}", shown.len());
        seen.extend(shown);
    }
    assert_eq!(seen.len(), 5000);
}

fn sampled(table: &Table<Member>, random: u64, wanted: usize) -> Vec<Vec<u8>> {
    let mut shown = Vec::new();
    table.sample(random, wanted, &mut |member| {
        shown.push(member.to_vec());
        true
    });
    shown
}

#[test]
fn samples_of_what_expires_find_the_one_segment_that_has_it() {
    let mut table = filled(20_000);
    let one = key(77);
    table.note_deadline(hash(&one), 1000);
    for random in 0..100 {
        let mut found = false;
        table.sample_expiring(random, 1, &mut |member| {
            found |= *member == *one;
            *member == *one
        });
        assert!(found);
    }
    let mut shown = 0;
    filled(500).sample_expiring(1, 1, &mut |_| {
        shown += 1;
        true
    });
    assert_eq!(shown, 0, "nothing expires");
}
