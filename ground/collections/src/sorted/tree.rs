//! The ordered tree of a sorted set: a B+ tree of addresses of members that knows the rank of each.

use super::leaf::{self, Leaf};
use super::node::{self, Edges, Inner, Node};
use super::probe::{Probe, Tie, look};
use crate::item::ScoredPointer;

/// The members of a sorted set by score and then bytes. It owns its nodes, not the members.
///
/// Invariant: what is in the tree is alive and in order. Nodes have no links to parents or neighbours, so that a
/// snapshot can share them later.
pub(super) struct Tree {
    root: Option<Node>,
    len: usize,
}

impl Tree {
    pub(super) const fn new() -> Tree {
        Tree { root: None, len: 0 }
    }

    /// A tree of members that are in order, without duplicates: O(n).
    ///
    /// # Safety
    ///
    /// Every member stays alive, and its score unchanged, until it is removed, rescored, or the tree is gone.
    pub(super) unsafe fn build(members: &[ScoredPointer]) -> Tree {
        // Not quite full, so that the first insertions need not split everything.
        let leaves = even_runs(members.len(), leaf::CAPACITY - leaf::CAPACITY / 16);
        let mut level: Vec<Node> = leaves.map(|run| Node::Leaf(Leaf::of(&members[run]))).collect();
        while level.len() > 1 {
            let runs = even_runs(level.len(), node::CAPACITY - node::CAPACITY / 16);
            let mut nodes = level.into_iter();
            level = runs.map(|run| Node::Inner(Inner::of(nodes.by_ref().take(run.len())))).collect();
        }
        Tree { root: level.pop(), len: members.len() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a member that is not there yet: O(log n).
    ///
    /// # Safety
    ///
    /// The member stays alive, and its score unchanged, until it is removed, rescored, or the tree is gone.
    pub(super) unsafe fn insert(&mut self, member: ScoredPointer) {
        let scored = look(member);
        let probe = Probe { score: scored.score(), tie: Tie::Before(scored.member()) };
        self.len += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Node::Leaf(Leaf::of(&[member])));
            return;
        };
        if root.is_full() {
            let child = self.root.take().expect("just seen");
            self.root = Some(Node::Inner(Inner::of([child])));
        }
        let mut node = self.root.as_mut().expect("just seen or put there");
        let mut edges = Edges { left: true, right: true };
        loop {
            match node {
                Node::Inner(inner) => (node, edges) = inner.enter(&probe, member, edges),
                Node::Leaf(leaf) => {
                    let index = leaf.position(&probe);
                    leaf.insert(index, member, probe.score);
                    return;
                }
            }
        }
    }

    /// The number of members before the probe: O(log n).
    pub(super) fn position(&self, probe: &Probe<'_>) -> usize {
        let Some(mut node) = self.root.as_ref() else { return 0 };
        let mut rank = 0;
        loop {
            match node {
                Node::Inner(inner) => {
                    let index = inner.child_for(probe);
                    rank += inner.rank_of_child(index);
                    node = inner.node(index);
                }
                Node::Leaf(leaf) => return rank + leaf.position(probe),
            }
        }
    }

    /// Asks the memory for the leaf of the first place of a score; the nodes above it are read.
    pub(super) fn prefetch(&self, score: f64) {
        let Some(mut node) = self.root.as_ref() else { return };
        loop {
            match node {
                Node::Inner(inner) => node = inner.node(inner.child_for(&Probe { score, tie: Tie::First })),
                Node::Leaf(leaf) => return leaf.prefetch(),
            }
        }
    }

    /// The members of the leaf that holds this rank, which is below `len`, and the index of the rank among them: O(log n).
    pub(super) fn leaf_at(&self, rank: usize) -> (&[ScoredPointer], usize) {
        let mut node = self.root.as_ref().expect("a rank below the number of members");
        let mut rank = rank;
        loop {
            match node {
                Node::Inner(inner) => {
                    let (index, start) = inner.child_at_rank(rank);
                    rank -= start;
                    node = inner.node(index);
                }
                Node::Leaf(leaf) => return (leaf.members(), rank),
            }
        }
    }

    /// Prepares the member at the probe's place, which is there, for a new score, if it keeps its place with it. The caller then
    /// changes the score. Else the answer is the member's rank.
    pub(super) fn rescore(&mut self, probe: &Probe<'_>, score: f64) -> Result<(), usize> {
        let mut node = self.root.as_mut().expect("a tree with a member");
        let mut rank = 0;
        loop {
            match node {
                Node::Inner(inner) => {
                    let index = inner.child_for(probe);
                    rank += inner.rank_of_child(index);
                    node = inner.node_mut(index);
                }
                Node::Leaf(leaf) => {
                    let index = leaf.position(probe);
                    return if leaf.rescore(index, score) { Ok(()) } else { Err(rank + index) };
                }
            }
        }
    }

    /// Removes the members from rank `from` to rank `to`, after showing each to `sink`: O(log n + removed).
    pub(super) fn remove(&mut self, from: usize, to: usize, sink: &mut dyn FnMut(ScoredPointer)) {
        assert!(from <= to && to <= self.len);
        if from == to {
            return;
        }
        if to - from == self.len {
            self.len = 0;
            if let Some(root) = self.root.take() {
                root.for_each(sink);
            }
            return;
        }
        self.root.as_mut().expect("the tree is not empty").remove(from, to, sink);
        self.len -= to - from;
        while let Some(Node::Inner(inner)) = &mut self.root
            && inner.len() == 1
        {
            self.root = Some(inner.take_child(0));
        }
    }

    /// Bytes of all nodes: O(n / 1,000).
    pub(super) fn memory_bytes(&self) -> usize {
        self.root.as_ref().map_or(0, Node::memory_bytes)
    }
}

/// Cuts `0..len` into the fewest runs of at most `most`, all of nearly the same length.
fn even_runs(len: usize, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let runs = len.div_ceil(most);
    (0..runs).map(move |run| len * run / runs..len * (run + 1) / runs)
}

#[cfg(test)]
impl Tree {
    /// Checks every invariant and returns the members in order, and how full leaves are on average.
    pub(super) fn audit(&self) -> (Vec<ScoredPointer>, f64) {
        let (mut members, mut leaves) = (Vec::new(), 0);
        if let Some(root) = &self.root {
            root.audit(&mut members, &mut leaves);
        }
        assert_eq!(members.len(), self.len);
        for pair in members.windows(2) {
            let probe = Probe { score: look(pair[1]).score(), tie: Tie::Before(look(pair[1]).member()) };
            assert!(probe.is_after(pair[0]), "members are in order");
        }
        (members, self.len as f64 / (leaves.max(1) * leaf::CAPACITY) as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::item::Scored;

    fn scored(number: u64, score: f64) -> Scored {
        Scored::new(score, format!("member:{number:07}").as_bytes())
    }

    fn insert_all(members: &[Scored]) -> Tree {
        let mut tree = Tree::new();
        for member in members {
            // SAFETY: the members outlive the tree in every test, and are not changed.
            unsafe { tree.insert(member.pointer()) };
        }
        tree
    }

    /// A number that looks random, the same in every run.
    fn mix(number: u64) -> u64 {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 20
    }

    #[test]
    fn leaves_stay_full_in_any_order_of_insertion() {
        let count = 20_000;
        for (name, least, score) in [
            ("ascending", 0.9, (|n| n as f64) as fn(u64) -> f64),
            ("descending", 0.9, |n| -(n as f64)),
            ("random", 0.75, |n| mix(n) as f64),
            ("equal", 0.9, |_| 1.0),
        ] {
            let members: Vec<_> = (0..count).map(|n| scored(n, score(n))).collect();
            let (_, fill) = insert_all(&members).audit();
            assert!(fill > least, "{name}: {fill}");
        }
    }

    #[test]
    fn a_built_tree_is_the_tree_of_its_members() {
        for count in [0, 1, 2, 57, 58, 61, 62, 1000, 5000] {
            let members: Vec<_> = (0..count).map(|n| scored(n, n as f64 / 3.0)).collect();
            let pointers: Vec<_> = members.iter().map(Scored::pointer).collect();
            // SAFETY: `members` outlives the tree and is not changed.
            let mut tree = unsafe { Tree::build(&pointers) };
            assert_eq!(tree.audit().0, pointers);
            let more: Vec<_> = (0..count).map(|n| scored(n + count, n as f64 / 3.0)).collect();
            for member in &more {
                // SAFETY: `more` outlives the use of the tree and is not changed.
                unsafe { tree.insert(member.pointer()) };
            }
            tree.audit();
        }
    }

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => (-50i32..50).prop_map(f64::from),
            3 => any::<f64>().prop_filter("scores are never NaN", |score| !score.is_nan()),
            1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN, 1e-320]),
            2 => (1_700_000_000_000u64..1_700_000_001_000).prop_map(|time_ms| time_ms as f64),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn members_are_found_at_their_rank(
            scores in prop::collection::vec(score(), 1..1500),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..300, any::<bool>()), 0..12),
            probes in prop::collection::vec(score(), 20),
        ) {
            let members: Vec<_> = scores.iter().enumerate().map(|(n, score)| scored(mix(n as u64), *score)).collect();
            let mut tree = insert_all(&members);
            let mut model: Vec<_> = members.iter().map(Scored::pointer).collect();
            model.sort_by(|left, right| {
                let (left, right) = (look(*left), look(*right));
                left.score().partial_cmp(&right.score()).expect("not NaN").then_with(|| left.member().cmp(right.member()))
            });
            for (at, count, again) in cuts {
                if model.is_empty() {
                    break;
                }
                let from = at.index(model.len());
                let to = (from + count).min(model.len());
                let mut removed = Vec::new();
                tree.remove(from, to, &mut |member| removed.push(member));
                prop_assert_eq!(&tree.audit().0, &[&model[..from], &model[to..]].concat());
                prop_assert_eq!(&removed, &model[from..to]);
                if again {
                    // SAFETY: as in `insert_all`.
                    removed.iter().rev().for_each(|member| unsafe { tree.insert(*member) });
                } else {
                    model.drain(from..to);
                }
            }
            prop_assert_eq!(&tree.audit().0, &model);
            for (rank, member) in model.iter().enumerate() {
                let seen = look(*member);
                prop_assert_eq!(tree.position(&Probe { score: seen.score(), tie: Tie::Before(seen.member()) }), rank);
                prop_assert_eq!(tree.position(&Probe { score: seen.score(), tie: Tie::After(seen.member()) }), rank + 1);
                let (leaf, index) = tree.leaf_at(rank);
                prop_assert_eq!(leaf[index], *member);
            }
            for score in probes {
                let below = model.partition_point(|member| look(*member).score() < score);
                let up_to = model.partition_point(|member| look(*member).score() <= score);
                prop_assert_eq!(tree.position(&Probe { score, tie: Tie::First }), below);
                prop_assert_eq!(tree.position(&Probe { score, tie: Tie::Last }), up_to);
            }
        }

        #[test]
        fn a_new_score_is_taken_in_place_only_where_the_order_stays(
            scores in prop::collection::vec(score(), 3..300),
            changes in prop::collection::vec((any::<prop::sample::Index>(), score()), 1..60),
        ) {
            let mut members: Vec<_> = scores.iter().enumerate().map(|(n, score)| scored(n as u64, *score)).collect();
            let mut tree = insert_all(&members);
            for (at, score) in changes {
                let member = &mut members[at.index(scores.len())];
                let place = Probe { score: member.score(), tie: Tie::Before(member.member()) };
                let rank = tree.position(&place);
                match tree.rescore(&place, score) {
                    Ok(()) => member.set_score(score),
                    Err(found) => {
                        prop_assert_eq!(found, rank);
                        tree.remove(rank, rank + 1, &mut |_| {});
                        member.set_score(score);
                        // SAFETY: as in `insert_all`; the score was changed while the member was out of the tree.
                        unsafe { tree.insert(member.pointer()) };
                    }
                }
                tree.audit();
            }
        }
    }
}
