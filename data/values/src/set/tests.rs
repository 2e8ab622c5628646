//! Random operations against a `BTreeSet`, the changes of encoding, and the fairness of chance.

use super::*;
use ochre_collections::Random;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: Limits = Limits {
    set_max_intset_entries: 8,
    set_max_listpack_entries: 5,
    set_max_listpack_value_bytes: 10,
    ..crate::limits::DEFAULT
};

fn set_of(members: &[&str], limits: &Limits) -> Set {
    let mut set = Set::new();
    for member in members {
        set.insert(member.as_bytes(), limits);
    }
    set
}

fn texts(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|item| item.to_vec()).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Vec<u8>),
    Remove(Vec<u8>),
    Pop(u64),
    PopMany(usize, u64),
    ReadAgain,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-6_i64..12).prop_map(|number| number.to_string().into_bytes()),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, 40_000]).prop_map(|number| number.to_string().into_bytes()),
        2 => (0_usize..13).prop_map(|length| vec![b'x'; length]),
        1 => Just(b"007".to_vec()),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => member().prop_map(Change::Insert),
        4 => member().prop_map(Change::Remove),
        1 => any::<u64>().prop_map(Change::Pop),
        1 => (0_usize..20, any::<u64>()).prop_map(|(count, seed)| Change::PopMany(count, seed)),
        1 => Just(Change::ReadAgain),
    ]
}

proptest! {
    #[test]
    fn a_set_is_what_a_btree_set_is(changes in prop::collection::vec(change(), 1..80)) {
        let (mut set, mut model) = (Set::new(), BTreeSet::new());
        for change in changes {
            match change {
                Change::Insert(member) => {
                    prop_assert_eq!(set.insert(&member, &LIMITS), model.insert(member));
                }
                Change::Remove(member) => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                Change::Pop(seed) => {
                    let popped = set.pop_with(&mut Random::new(seed), |item| item.to_vec());
                    prop_assert_eq!(popped.is_some(), !model.is_empty());
                    prop_assert!(popped.is_none_or(|member| model.remove(&member)));
                }
                Change::PopMany(count, seed) if count < model.len() => {
                    let mut popped = 0;
                    set.pop_many(count, &mut Random::new(seed), &LIMITS, &mut |item| {
                        popped += usize::from(model.remove(&item.to_vec()));
                    });
                    prop_assert_eq!(popped, count);
                }
                Change::PopMany(..) => {}
                Change::ReadAgain => {
                    if let Some((packing, bytes)) = set.pack() {
                        let copy = Set::unpack(packing, bytes).expect("these are a set's bytes");
                        prop_assert_eq!(copy.encoding(), set.encoding());
                        set = copy;
                    } else {
                        set = set.clone();
                    }
                }
            }
            prop_assert_eq!(texts(&set), model.clone());
            prop_assert_eq!(set.len(), model.len());
            match set.encoding() {
                Encoding::Intset => prop_assert!(set.len() <= 8),
                Encoding::Listpack => prop_assert!(set.len() <= 5),
                _ => {}
            }
            let mut scanned = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = set.view().scan(cursor, &mut |item| _ = scanned.insert(item.to_vec()));
                if cursor == 0 {
                    break;
                }
            }
            prop_assert_eq!(&scanned, &model);
            for member in &model {
                prop_assert!(set.contains(member));
                // The same member asked for as text, and as the number that it may be.
                prop_assert!(set.view().has(&mut Probe::new(Item::Bytes(member))));
                prop_assert!(set.view().has(&mut Probe::new(Item::from_text(member))));
            }
        }
    }
}

#[track_caller]
fn check_encoding(members: &[&str], expected: Encoding) {
    assert_eq!(set_of(members, &LIMITS).encoding(), expected, "{members:?}");
}

#[test]
fn the_encoding_is_the_smallest_that_members_and_limits_allow() {
    check_encoding(&["1", "2", "-3"], Encoding::Intset);
    check_encoding(&["1", "2", "3", "4", "5", "6", "7", "8"], Encoding::Intset);
    check_encoding(&["1", "2", "3", "4", "5", "6", "7", "8", "9"], Encoding::Hashtable);
    check_encoding(&["1", "2", "3", "4", "a"], Encoding::Listpack);
    check_encoding(&["1", "2", "3", "4", "5", "a"], Encoding::Hashtable);
    check_encoding(&["a", "1", "2", "3", "4"], Encoding::Listpack);
    check_encoding(&["a", "1", "2", "3", "4", "5"], Encoding::Hashtable);
    check_encoding(&["1", "0123456789"], Encoding::Listpack);
    check_encoding(&["1", "0123456789a"], Encoding::Hashtable);
    check_encoding(&["12345678901", "a"], Encoding::Hashtable);
    check_encoding(&["a", "0123456789a"], Encoding::Hashtable);
    check_encoding(&["9223372036854775808"], Encoding::Hashtable);
}

#[test]
fn many_members_at_once_begin_in_the_encoding_that_holds_them() {
    let encoding = |first: &str, count| Set::for_members(first.as_bytes(), count, &LIMITS).encoding();
    assert_eq!(encoding("1", 8), Encoding::Intset);
    assert_eq!(encoding("1", 9), Encoding::Hashtable);
    assert_eq!(encoding("a", 5), Encoding::Listpack);
    assert_eq!(encoding("a", 6), Encoding::Hashtable);
    let mut set = set_of(&["1"], &LIMITS);
    set.prepare(8, &LIMITS);
    assert_eq!(set.encoding(), Encoding::Intset);
    set.prepare(9, &LIMITS);
    assert_eq!((set.encoding(), set.len()), (Encoding::Hashtable, 1));
}

#[test]
fn a_set_built_anew_may_become_integers() {
    let mut set = set_of(&["a", "3", "1", "2"], &LIMITS);
    set.become_ints_if_possible(&LIMITS);
    assert_eq!(set.encoding(), Encoding::Listpack);
    set.remove(b"a");
    set.become_ints_if_possible(&LIMITS);
    assert_eq!((set.encoding(), set.len()), (Encoding::Intset, 3));
}

#[test]
fn when_most_of_a_table_goes_the_rest_is_small_again() {
    let members: Vec<String> = (0..100).map(|number| format!("m{number}")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let mut set = set_of(&members, &LIMITS);
    set.pop_many(50, &mut Random::new(3), &LIMITS, &mut |_| ());
    assert_eq!((set.encoding(), set.len()), (Encoding::Hashtable, 50));
    set.pop_many(46, &mut Random::new(3), &LIMITS, &mut |_| ());
    assert_eq!((set.encoding(), set.len()), (Encoding::Listpack, 4));
}

/// Sets of `count` members in each encoding that can hold them.
fn in_every_encoding(count: usize) -> Vec<Set> {
    let members: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let limits = |ints, packed| Limits {
        set_max_intset_entries: ints,
        set_max_listpack_entries: packed,
        ..crate::limits::DEFAULT
    };
    let build = |encoding: Encoding| {
        let limits = limits(count, count);
        let mut set = match encoding {
            Encoding::Intset => Set::for_members(b"1", 1, &limits),
            Encoding::Listpack => Set::for_members(b"a", 1, &limits),
            _ => Set::for_members(b"a", count + 1, &limits),
        };
        members.iter().for_each(|member| _ = set.insert(member.as_bytes(), &limits));
        assert_eq!(set.encoding(), encoding);
        set
    };
    [Encoding::Intset, Encoding::Listpack, Encoding::Hashtable].map(build).into()
}

#[test]
fn chance_favours_no_member() {
    for set in in_every_encoding(40) {
        let mut random = Random::new(11);
        for count in [1, 10, 30] {
            let mut seen: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            for _ in 0..4_000 / count {
                let mut different = BTreeSet::new();
                set.view().sample(count, &mut random, &mut |item| {
                    different.insert(item.to_vec());
                    *seen.entry(item.to_vec()).or_default() += 1;
                });
                assert_eq!(different.len(), count);
            }
            // Mean 100; six standard deviations either way.
            let spread: Vec<_> = seen.values().collect();
            assert!(seen.len() == 40 && spread.iter().all(|count| (40..=160).contains(*count)), "{spread:?}");
        }
        set.view().sample(100, &mut random, &mut |_| ());
        let mut seen: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        for _ in 0..4_000 {
            let item = set.view().random(&mut random).expect("the set has members");
            *seen.entry(item.to_vec()).or_default() += 1;
        }
        assert!(seen.len() == 40 && seen.values().all(|count| (40..=160).contains(count)), "{seen:?}");
    }
}

#[test]
fn nothing_comes_out_of_an_empty_set() {
    let mut set = Set::new();
    assert!(set.view().random(&mut Random::new(1)).is_none());
    assert!(set.pop_with(&mut Random::new(1), |_| ()).is_none());
    assert!(!set.remove(b"a") && !set.contains(b"a"));
    set.view().sample(3, &mut Random::new(1), &mut |_| panic!("there is no member"));
}

fn sets() -> impl Strategy<Value = Vec<(BTreeSet<Vec<u8>>, usize)>> {
    let members = prop_oneof![
        3 => prop::collection::btree_set((0_u32..60).prop_map(|number| number.to_string().into_bytes()), 0..40),
        2 => prop::collection::btree_set((0_u32..30).prop_map(|number| format!("m{number}").into_bytes()), 0..20),
        1 => prop::collection::btree_set((0_u32..600).prop_map(|number| number.to_string().into_bytes()), 300..400),
    ];
    prop::collection::vec((members, 0_usize..3), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn combined_sets_are_what_btree_sets_make_of_them(sets in sets()) {
        let owned: Vec<Set> = sets.iter().map(|(members, choice)| {
            let limits = [Limits::default(), LIMITS, Limits { set_max_intset_entries: 0, ..Limits::default() }][*choice];
            let mut set = Set::new();
            members.iter().for_each(|member| _ = set.insert(member, &limits));
            set
        }).collect();
        let views = || owned.iter().map(Set::view).collect::<Vec<_>>();
        let all = |combine: &dyn Fn(combine::Visit<'_>)| {
            let mut found = Vec::new();
            combine(&mut |item| { found.push(item.to_vec()); true });
            let mut limited = 0;
            combine(&mut |_| { limited += 1; limited < 3 });
            assert_eq!(limited, found.len().min(3));
            let count = found.len();
            let found: BTreeSet<_> = found.into_iter().collect();
            assert_eq!(found.len(), count, "no member is shown twice");
            found
        };
        let models: Vec<&BTreeSet<Vec<u8>>> = sets.iter().map(|(members, _)| members).collect();
        let intersection = models[0].iter().filter(|member| models.iter().all(|set| set.contains(*member)));
        prop_assert_eq!(all(&|visit| combine::intersection(&mut views(), visit)), intersection.cloned().collect());
        let union = models.iter().flat_map(|set| set.iter());
        prop_assert_eq!(all(&|visit| combine::union(&mut views(), visit)), union.cloned().collect());
        let difference = models[0].iter().filter(|member| !models[1..].iter().any(|set| set.contains(*member)));
        prop_assert_eq!(
            all(&|visit| combine::difference(owned[0].view(), &mut views()[1..], visit)),
            difference.cloned().collect()
        );
    }
}
