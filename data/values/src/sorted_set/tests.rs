//! A sorted set in either encoding against a plain sorted vector.

use super::{LexBound, ScoredItem, SortedSet, SortedSetRef};
use crate::{Collection, Encoding, Limits};
use ochre_collections::listpack::{Item, Listpack};
use proptest::prelude::*;
use std::ops::Bound;

type Model = Vec<(f64, Vec<u8>)>;

const PACKED_MAX: usize = 12;

fn limits() -> Limits {
    Limits { sorted_set_max_listpack_entries: PACKED_MAX, sorted_set_max_listpack_value_bytes: 8, ..Limits::default() }
}

fn model_insert(model: &mut Model, member: &[u8], score: f64) {
    model.retain(|(_, other)| other != member);
    // A packed set keeps no minus zero, and no command can tell it apart in a tree but by its text.
    model.push((score + 0.0, member.to_vec()));
    model.sort_by(|left, right| left.partial_cmp(right).expect("scores are never NaN"));
}

fn pair(item: ScoredItem<'_>) -> (f64, Vec<u8>) {
    (item.score() + 0.0, item.member.to_vec())
}

fn members(set: SortedSetRef<'_>) -> Model {
    set.iter().map(pair).collect()
}

fn audit(set: &SortedSet, model: &Model) {
    let set = set.as_ref();
    assert_eq!(set.len(), model.len());
    assert_eq!(&members(set), model);
    for (rank, (score, member)) in model.iter().enumerate() {
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.rank(member), Some((rank, *score)));
        assert_eq!(set.by_rank(rank).map(pair).as_ref(), Some(&model[rank]));
        assert!(set.contains(member));
    }
    assert!(set.by_rank(model.len()).is_none() && set.by_rank(usize::MAX).is_none());
    assert_eq!(set.score(b"not there"), None);
    let mut seen = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = set.scan(cursor, |item| seen.push(pair(item)));
        if cursor == 0 {
            break;
        }
    }
    seen.sort_by(|left, right| left.partial_cmp(right).expect("scores are never NaN"));
    assert_eq!(&seen, model);
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-5i32..5).prop_map(f64::from),
        2 => any::<f64>().prop_filter("scores are never NaN", |score| !score.is_nan()),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.1, 4e18, 5e18, 9e18, -9.3e18, 1e300]),
    ]
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-c]{0,2}".prop_map(String::into_bytes),
        3 => (-20i64..20).prop_map(|number| number.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 7..9),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, f64),
    Add(Vec<u8>, f64),
    Leave(Vec<u8>),
    Remove(Vec<u8>),
    RemoveRanks(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (member(), score()).prop_map(|(member, score)| Step::Insert(member, score)),
        2 => (member(), -3i32..3).prop_map(|(member, by)| Step::Add(member, f64::from(by))),
        1 => member().prop_map(Step::Leave),
        2 => member().prop_map(Step::Remove),
        1 => (0usize..20, 0usize..6).prop_map(|(from, count)| Step::RemoveRanks(from, from + count)),
    ]
}

fn find(model: &Model, member: &[u8]) -> Option<f64> {
    model.iter().find(|(_, other)| other == member).map(|(score, _)| *score)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn changes_are_those_of_a_sorted_vector(steps in prop::collection::vec(step(), 1..60)) {
        let limits = limits();
        let (mut set, mut model) = (SortedSet::new(), Model::new());
        let mut was_tree = false;
        for step in steps {
            match step {
                Step::Insert(member, score) => {
                    set.insert(&member, score, &limits);
                    model_insert(&mut model, &member, score);
                }
                Step::Add(member, by) => {
                    let old = find(&model, &member);
                    let sum = old.unwrap_or(0.0) + by;
                    let (seen, new) = set.upsert(&member, &limits, |old| Some(old.unwrap_or(0.0) + by));
                    prop_assert_eq!((seen, new), (old, Some(sum)));
                    model_insert(&mut model, &member, sum);
                }
                Step::Leave(member) => {
                    let old = find(&model, &member);
                    prop_assert_eq!(set.upsert(&member, &limits, |_| None), (old, None));
                }
                Step::Remove(member) => {
                    prop_assert_eq!(set.remove(&member), find(&model, &member));
                    model.retain(|(_, other)| *other != member);
                }
                Step::RemoveRanks(from, to) => {
                    let (from, to) = (from.min(model.len()), to.min(model.len()));
                    prop_assert_eq!(set.remove_ranks(from..to), to - from);
                    model.drain(from..to);
                }
            }
            let is_tree = set.encoding() == Encoding::Skiplist;
            prop_assert!(is_tree || model.len() <= PACKED_MAX);
            prop_assert!(is_tree || model.iter().all(|(_, member)| member.len() <= 8));
            prop_assert!(is_tree || !was_tree, "a tree never goes back");
            was_tree = is_tree;
            audit(&set, &model);
        }
    }

    #[test]
    fn ranges_are_those_of_a_sorted_vector(
        added in prop::collection::vec((member(), score()), 0..30),
        scores in prop::collection::vec((score(), score(), any::<(bool, bool)>()), 8),
        ranks in prop::collection::vec((0usize..32, 0usize..32), 8),
    ) {
        let (limits, mut model) = (limits(), Model::new());
        added.iter().for_each(|(member, score)| model_insert(&mut model, member, *score));
        let items = model.iter().map(|(score, member)| (Item::Bytes(member), *score));
        let set = SortedSet::from_ordered(items, &limits);
        audit(&set, &model);
        audit(&set.clone(), &model);
        let set = set.as_ref();
        for (from, to) in ranks {
            let inside = from.min(model.len())..to.min(model.len()).max(from.min(model.len()));
            prop_assert_eq!(set.range(from..to).map(pair).collect::<Model>(), model[inside.clone()].to_vec());
            let reversed: Model = model[inside].iter().rev().cloned().collect();
            prop_assert_eq!(set.range_rev(from..to).map(pair).collect::<Model>(), reversed);
        }
        for (min, max, (min_open, max_open)) in scores {
            let bound = |score, open| if open { Bound::Excluded(score) } else { Bound::Included(score) };
            let found = set.ranks_by_score(bound(min, min_open), bound(max, max_open));
            let inside = |score: f64| (score > min || score == min && !min_open) && (score < max || score == max && !max_open);
            let expected: Model = model.iter().filter(|(score, _)| inside(*score)).cloned().collect();
            prop_assert_eq!(set.range(found).map(pair).collect::<Model>(), expected);
        }
    }

    #[test]
    fn lexical_ranges_are_those_of_a_sorted_vector(
        added in prop::collection::vec(member(), 0..30),
        bounds in prop::collection::vec((member(), member(), 0..4, 0..4), 16),
    ) {
        let (limits, mut model) = (limits(), Model::new());
        added.iter().for_each(|member| model_insert(&mut model, member, 1.0));
        let items = model.iter().map(|(score, member)| (Item::Bytes(member), *score));
        let set = SortedSet::from_ordered(items, &limits);
        for (min, max, min_kind, max_kind) in &bounds {
            let bound = |bytes, kind| match kind {
                0 => LexBound::Lowest,
                1 => LexBound::Highest,
                2 => LexBound::Included(bytes),
                _ => LexBound::Excluded(bytes),
            };
            let (min, max) = (bound(min.as_slice(), *min_kind), bound(max.as_slice(), *max_kind));
            let inside = |member: &[u8]| min.admits_from_below(member) && max.admits_from_above(member);
            let expected: Model = model.iter().filter(|(_, member)| inside(member)).cloned().collect();
            for reverse in [false, true] {
                let found = set.as_ref().ranks_by_lex(min, max, reverse);
                prop_assert_eq!(set.as_ref().range(found).map(pair).collect::<Model>(), expected.clone());
            }
        }
    }
}

#[test]
fn a_packed_set_is_the_peers_bytes() {
    let mut set = SortedSet::new();
    for (member, score) in [("b", 1.0), ("a", 1.0), ("12", 3.5), ("c", -0.0), ("d", 4.7e18)] {
        set.insert(member.as_bytes(), score, &Limits::default());
    }
    let SortedSet::Packed(list) = &set else { panic!("five members stay packed") };
    let items: Vec<String> = list.iter().map(|item| format!("{item:?}")).collect();
    let text = |text: &str| format!("{:?}", Item::Bytes(text.as_bytes()));
    let int = |value| format!("{:?}", Item::Int(value));
    let expected =
        [text("c"), int(0), text("a"), int(1), text("b"), int(1), int(12), text("3.5"), text("d"), text("4.7e+18")];
    assert_eq!(items, expected);
}

#[test]
fn where_scores_differ_a_lexical_range_depends_on_the_end_it_is_looked_for_from() {
    let mut set = SortedSet::new();
    for (member, score) in [("b", 1.0), ("d", 2.0), ("a", 3.0), ("c", 4.0)] {
        set.insert(member.as_bytes(), score, &Limits::default());
    }
    let ranks =
        |min, max, reverse| set.as_ref().ranks_by_lex(LexBound::Included(min), LexBound::Included(max), reverse);
    assert_eq!(ranks(b"b", b"c", false), 0..1);
    assert_eq!(ranks(b"b", b"c", true), 3..4);
    assert_eq!(ranks(b"c", b"d", false), 1..4);
    assert_eq!(ranks(b"d", b"d", false), 0..0, "the last member lies below the range");
}

#[test]
fn a_listpack_from_a_file_must_be_a_sorted_set() {
    let list = |items: &[&str]| -> Listpack { items.iter().map(|item| item.as_bytes()).collect() };
    let load = |items: &[&str]| SortedSet::from_listpack(list(items), &limits()).map(|set| set.len());
    assert_eq!(load(&["a", "1", "b", "1", "c", "2.5"]), Some(3));
    assert_eq!(load(&["a", "-inf", "b", "inf"]), Some(2));
    assert_eq!(load(&["a much longer member", "1"]), Some(1));
    for damaged in [
        &["a"][..],
        &[],
        &["a", "x"],
        &["a", "nan"],
        &["b", "1", "a", "1"],
        &["a", "2", "b", "1"],
        &["a", "1", "a", "2"],
    ] {
        assert_eq!(load(damaged), None, "{damaged:?}");
    }
}
