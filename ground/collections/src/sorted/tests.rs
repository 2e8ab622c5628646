//! Random operations against a plain ordered vector, and the size of a large set.

use proptest::prelude::*;

use super::*;

/// Members and scores in order: the slow and obvious sorted set.
#[derive(Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn at(&self, member: &[u8]) -> Option<usize> {
        self.0.iter().position(|(_, own)| own == member)
    }

    fn insert(&mut self, member: &[u8], score: f64) -> Inserted {
        let old = self.at(member).map(|rank| self.0.remove(rank).0);
        // A score that is equal is not taken, which shows in the sign of zero.
        let score = old.filter(|old| *old == score).unwrap_or(score);
        let rank = self.0.partition_point(|(other, own)| (*other, own.as_slice()) < (score, member));
        self.0.insert(rank, (score, member.to_vec()));
        old.map_or(Inserted::New, Inserted::Updated)
    }

    fn ranks(&self, within: impl Fn(&(f64, Vec<u8>)) -> bool) -> Vec<usize> {
        (0..self.0.len()).filter(|rank| within(&self.0[*rank])).collect()
    }
}

fn seen(scored: ScoredRef<'_>) -> (f64, Vec<u8>) {
    (scored.score(), scored.member().to_vec())
}

fn check(set: &SortedSet, model: &Model) {
    set.tree.audit();
    assert_eq!(set.len(), model.0.len());
    assert!(set.iter().map(seen).eq(model.0.iter().cloned()));
    assert!(set.iter().rev().map(seen).eq(model.0.iter().rev().cloned()));
    assert_eq!(set.members_bytes, set.table.iter().map(|scored| scored.memory_bytes()).sum::<usize>());
    for (rank, (score, member)) in model.0.iter().enumerate() {
        set.prefetch(crate::hash(member)).prefetch_item();
        set.prefetch_score(*score);
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.rank(member, false), Some(rank));
        assert_eq!(set.rank(member, true), Some(model.0.len() - 1 - rank));
        assert_eq!(set.by_rank(rank).map(seen).as_ref(), Some(&model.0[rank]));
    }
    assert!(set.by_rank(model.0.len()).is_none());
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-6i32..6).prop_map(f64::from),
        2 => any::<f64>().prop_filter("scores are never NaN", |score| !score.is_nan()),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]),
    ]
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0u32..150).prop_map(|number| number.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Vec<u8>, f64),
    Add(Vec<u8>, f64),
    Remove(Vec<u8>),
    PopMin,
    PopMax,
    RemoveRanks(usize, usize),
    Copy,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => (member(), score()).prop_map(|(member, score)| Change::Insert(member, score)),
        2 => (member(), score()).prop_map(|(member, score)| Change::Add(member, score)),
        4 => member().prop_map(Change::Remove),
        1 => Just(Change::PopMin),
        1 => Just(Change::PopMax),
        1 => (0usize..100, 0usize..30).prop_map(|(from, count)| Change::RemoveRanks(from, count)),
        1 => Just(Change::Copy),
    ]
}

fn apply(set: &mut SortedSet, model: &mut Model, change: Change) {
    match change {
        Change::Insert(member, score) => assert_eq!(set.insert(&member, score), model.insert(&member, score)),
        Change::Add(member, add) => {
            let (old, new) = set.upsert(&member, |old| Some(old? + add).filter(|new| !new.is_nan()));
            assert_eq!(old, model.at(&member).map(|rank| model.0[rank].0));
            if let Some(new) = new {
                model.insert(&member, new);
            }
        }
        Change::Remove(member) => {
            let removed = model.at(&member).map(|rank| model.0.remove(rank).0);
            assert_eq!(set.remove(&member), removed);
        }
        Change::PopMin => {
            let expected = if model.0.is_empty() { None } else { Some(model.0.remove(0)) };
            assert_eq!(set.pop_min().map(|scored| (scored.score(), scored.member().to_vec())), expected);
        }
        Change::PopMax => {
            assert_eq!(set.pop_max().map(|scored| (scored.score(), scored.member().to_vec())), model.0.pop());
        }
        Change::RemoveRanks(from, count) => {
            let to = (from + count).min(model.0.len());
            let expected: Vec<_> = model.0.drain(from.min(to)..to).collect();
            let mut removed = Vec::new();
            let visit = |scored: &Scored| removed.push((scored.score(), scored.member().to_vec()));
            assert_eq!(set.remove_ranks(from..from + count, visit), expected.len());
            assert_eq!(removed, expected);
        }
        Change::Copy => *set = set.clone(),
    }
}

fn check_ranges(set: &SortedSet, model: &Model, low: f64, high: f64) {
    for (min, min_exclusive) in [(Bound::Included(low), false), (Bound::Excluded(low), true)] {
        for (max, max_exclusive) in [(Bound::Included(high), false), (Bound::Excluded(high), true)] {
            let above = |score: f64| if min_exclusive { score > low } else { score >= low };
            let below = |score: f64| if max_exclusive { score < high } else { score <= high };
            let expected = model.ranks(|(score, _)| above(*score) && below(*score));
            assert_eq!(set.ranks_by_score(min, max).collect::<Vec<_>>(), expected);
            assert_eq!(
                set.first_at_or_above(low, min_exclusive),
                model.ranks(|(score, _)| above(*score)).first().copied()
            );
            assert_eq!(
                set.last_at_or_below(high, max_exclusive),
                model.ranks(|(score, _)| below(*score)).last().copied()
            );
        }
    }
}

/// What a bound means.
type Within<'a> = &'a dyn Fn(&[u8]) -> bool;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn changes_agree_with_an_ordered_vector(
        changes in prop::collection::vec(change(), 1..500),
        bounds in prop::collection::vec((score(), score()), 8),
    ) {
        let (mut set, mut model) = (SortedSet::new(), Model::default());
        for (index, change) in changes.into_iter().enumerate() {
            apply(&mut set, &mut model, change);
            if index % 16 == 0 {
                check(&set, &model);
            }
        }
        check(&set, &model);
        for (low, high) in bounds {
            check_ranges(&set, &model, low, high);
        }
    }

    #[test]
    fn ranges_by_bytes_are_those_of_a_vector(
        members in prop::collection::btree_set(member(), 0..200),
        low in member(),
        high in member(),
    ) {
        let mut builder = Builder::with_capacity(0);
        members.iter().for_each(|member| assert!(builder.push(member, 7.0) && !builder.push(member, 8.0)));
        let set = builder.finish();
        set.tree.audit();
        let mins: [(Bound<&[u8]>, Within<'_>); 3] = [
            (Bound::Unbounded, &|_| true),
            (Bound::Included(&low), &|member| *member >= *low),
            (Bound::Excluded(&low), &|member| *member > *low),
        ];
        let maxs: [(Bound<&[u8]>, Within<'_>); 3] = [
            (Bound::Unbounded, &|_| true),
            (Bound::Included(&high), &|member| *member <= *high),
            (Bound::Excluded(&high), &|member| *member < *high),
        ];
        for (min, above) in mins {
            for (max, below) in maxs {
                let found: Vec<_> = set.range(set.ranks_by_lex(min, max)).map(|scored| scored.member().to_vec()).collect();
                let expected: Vec<_> = members.iter().filter(|member| above(member) && below(member)).cloned().collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn ranges_can_be_walked_from_both_ends(
        count in 0usize..300,
        from in 0usize..320,
        length in 0usize..320,
        steps in prop::collection::vec((any::<bool>(), 0usize..4), 0..400),
    ) {
        let mut set = SortedSet::new();
        for number in 0..count {
            set.insert(format!("{number:04}").as_bytes(), 1.0);
        }
        let numbers: Vec<_> = (0..count).collect();
        let to = (from + length).min(count);
        let mut expected = numbers[from.min(to)..to].iter().copied();
        let mut range = set.range(from..from + length);
        for (back, skipped) in steps {
            prop_assert_eq!(range.len(), expected.len());
            let (seen, number) = if back {
                (range.nth_back(skipped), expected.nth_back(skipped))
            } else {
                (range.nth(skipped), expected.nth(skipped))
            };
            prop_assert_eq!(seen.map(|scored| scored.member().to_vec()), number.map(|number| format!("{number:04}").into_bytes()));
        }
    }

    #[test]
    fn a_set_is_built_from_any_order(mut members in prop::collection::vec((member(), score()), 0..200), order in 0..3) {
        members.dedup_by(|left, right| left.0 == right.0);
        match order {
            0 => members.sort_by(|left, right| left.partial_cmp(right).expect("not NaN")),
            1 => members.sort_by(|left, right| (right.1, &right.0).partial_cmp(&(left.1, &left.0)).expect("not NaN")),
            _ => {}
        }
        let (mut builder, mut model) = (Builder::with_capacity(members.len()), Model::default());
        for (member, score) in members {
            let new = model.at(&member).is_none();
            prop_assert_eq!(builder.push(&member, score), new);
            if new {
                model.insert(&member, score);
            }
        }
        prop_assert!(!builder.push(b"never", f64::NAN));
        check(&builder.finish(), &model);
    }
}

#[test]
fn a_scan_shows_every_member() {
    let mut set = SortedSet::new();
    for number in 0..1000 {
        set.insert(format!("member {number}").as_bytes(), f64::from(number));
    }
    let (mut cursor, mut shown) = (0, std::collections::BTreeSet::new());
    loop {
        cursor = set.scan(cursor, &mut |scored| {
            shown.insert(scored.member().to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(shown.len(), 1000);
}

#[test]
fn a_random_number_reaches_every_member() {
    let mut set = SortedSet::new();
    assert!(set.random(u64::MAX).is_none());
    for number in 0..100u64 {
        set.insert(&number.to_le_bytes(), number as f64);
    }
    let reached =
        (0..100).filter_map(|step| set.random(step * (u64::MAX / 100) + 1000)).map(|scored| scored.score() as u64);
    assert!(reached.eq(0..100));
}
