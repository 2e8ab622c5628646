//! Changing a sorted set, and going from packed to tree where the limits say so.

use super::{SortedSet, Tree, packed};
use crate::{Collection, Limits};
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item, Listpack};
use ochre_collections::sorted::Builder;
use std::ops::Range;

impl SortedSet {
    /// Lets `decide` choose a member's score by the one that it has, if it is there; with `None` all stays as it is. Returns both.
    /// O(log n) for a tree.
    ///
    /// `decide` never answers NaN.
    #[inline]
    pub fn upsert(
        &mut self,
        member: &[u8],
        limits: &Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> (Option<f64>, Option<f64>) {
        match self {
            SortedSet::Tree(tree) => tree.upsert(member, decide),
            SortedSet::Packed(list) => match list.view().find_pair(member) {
                Some((at, score_at)) => {
                    let old = packed::score_of(list.view().at(score_at));
                    let new = decide(Some(old));
                    if let Some(score) = new.filter(|score| *score != old) {
                        packed::rescore(list, at, member, score);
                    }
                    (Some(old), new)
                }
                None => {
                    let new = decide(None);
                    if let Some(score) = new {
                        self.insert_new(member, score, limits);
                    }
                    (None, new)
                }
            },
        }
    }

    /// Adds a member that is not there to a packed set.
    fn insert_new(&mut self, member: &[u8], score: f64, limits: &Limits) {
        self.prepare(self.len() + 1, member.len(), limits);
        match self {
            SortedSet::Packed(list) => packed::insert(list, member, score),
            SortedSet::Tree(tree) => {
                tree.insert(member, score);
            }
        }
    }

    /// Adds a member or changes its score: O(log n) for a tree.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: &Limits) {
        self.upsert(member, limits, |_| Some(score));
    }

    /// Becomes a tree if `members` members, one of `longest_bytes` bytes, are more than stay packed.
    pub fn prepare(&mut self, members: usize, longest_bytes: usize, limits: &Limits) {
        if let SortedSet::Packed(list) = self {
            let fits = members <= limits.sorted_set_max_listpack_entries
                && longest_bytes <= limits.sorted_set_max_listpack_value_bytes
                && list.has_room(longest_bytes);
            if !fits {
                self.become_tree();
            }
        }
    }

    /// Changes the encoding of a packed set.
    #[cold]
    fn become_tree(&mut self) {
        let set = self.as_ref();
        let members = set.iter().map(|item| (item.member, item.score()));
        *self = SortedSet::Tree(Box::new(tree_of(set.len(), members)));
    }

    /// The set of these members, which are in order and all different; packed if the limits allow it.
    pub fn from_ordered<'m>(
        members: impl ExactSizeIterator<Item = (Item<'m>, f64)> + Clone,
        limits: &Limits,
    ) -> SortedSet {
        let longest_bytes = members.clone().map(|(member, _)| member.len()).max().unwrap_or(0);
        let mut set = SortedSet::new();
        set.prepare(members.len(), longest_bytes, limits);
        match &mut set {
            SortedSet::Packed(list) => members.for_each(|(member, score)| packed::push(list, member, score)),
            SortedSet::Tree(tree) => **tree = tree_of(members.len(), members),
        }
        set
    }

    /// Removes a member and returns its score: O(log n) for a tree.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            SortedSet::Packed(list) => packed::remove(list, member),
            SortedSet::Tree(tree) => tree.remove(member),
        }
    }

    /// Removes the members of these ranks and returns how many there were: O(log n + removed) for a tree.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        match self {
            SortedSet::Packed(list) => {
                if ranks.is_empty() {
                    return 0;
                }
                match list.view().position((ranks.start * 2) as isize) {
                    Some(position) => list.remove(position, ranks.len().saturating_mul(2)) / 2,
                    None => 0,
                }
            }
            SortedSet::Tree(tree) => tree.remove_ranks(ranks, |_| {}),
        }
    }

    /// The set of a packed list from a file, which was checked to be one.
    ///
    /// Answers `None` if the list is no sorted set: a score is missing or no number, a member is there twice, or the order is
    /// wrong.
    pub fn from_listpack(list: Listpack, limits: &Limits) -> Option<SortedSet> {
        let mut set = SortedSet::Packed(list);
        set.check_packed()?;
        let longest_bytes = set.as_ref().iter().map(|item| item.member.len()).max().unwrap_or(0);
        set.prepare(set.len(), longest_bytes, limits);
        Some(set)
    }

    fn check_packed(&self) -> Option<()> {
        let SortedSet::Packed(list) = self else { return Some(()) };
        if list.len() % 2 != 0 || list.is_empty() {
            return None;
        }
        let mut before: Option<(f64, Vec<u8>)> = None;
        let mut seen = std::collections::HashSet::new();
        for (member, score) in list.view().iter_pairs() {
            let here = (packed::checked_score_of(score)?, member.to_vec());
            if before.is_some_and(|before| before > here) || !seen.insert(here.1.clone()) {
                return None;
            }
            before = Some(here);
        }
        Some(())
    }
}

fn tree_of<'m>(len: usize, members: impl Iterator<Item = (Item<'m>, f64)>) -> Tree {
    let mut builder = Builder::with_capacity(len);
    for (member, score) in members {
        builder.push(member.as_bytes(&mut [0; INTEGER_TEXT_MAX]), score);
    }
    builder.finish()
}
