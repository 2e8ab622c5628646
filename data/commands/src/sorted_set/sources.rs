//! What sorted sets are combined from: sorted sets, and sets, whose members all count as 1.

use super::replies::{announce, reply_pair};
use crate::reply_item::reply_item;
use crate::{Error, Key, Locked, Reply};
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item};
use ochre_keyspace::{WrongType, collection_of};
use ochre_values::set::{Probe, SetRef};
use ochre_values::sorted_set::SortedSetRef;
use ochre_values::{Limits, Set, SortedSet};
use std::cmp::Ordering;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// One input of a combination.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Missing,
    Set(SetRef<'a>),
    Scored(SortedSetRef<'a>),
}

impl<'a> Source<'a> {
    /// The value at `key`.
    pub(super) fn read(data: &'a Locked<'_>, key: &Key<'_>) -> Result<Source<'a>, Error> {
        let Some(entry) = data.lookup(key) else { return Ok(Source::Missing) };
        let scored = collection_of::<SortedSet>(entry.view()).map(Source::Scored);
        let source = scored.or_else(|| collection_of::<Set>(entry.view()).map(Source::Set));
        source.ok_or(WrongType.into())
    }

    /// Number of members.
    pub(super) fn len(self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Set(set) => set.len(),
            Source::Scored(set) => set.len(),
        }
    }

    /// The score of a member, if it is there.
    #[inline]
    pub(super) fn score(self, probe: &mut Probe<'_>) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Set(set) => set.has(probe).then_some(1.0),
            Source::Scored(set) => set.score(probe.text()),
        }
    }

    /// Shows all members with their scores to `visit`, in the source's own order, until it says stop.
    pub(super) fn visit(self, mut visit: impl FnMut(Item<'a>, f64) -> bool) {
        match self {
            Source::Missing => {}
            Source::Set(set) => {
                set.iter().all(|member| visit(member, 1.0));
            }
            Source::Scored(set) => {
                set.iter().all(|item| visit(item.member, item.score()));
            }
        }
    }
}

/// A member as a key of a map. Equal texts are equal members, from whichever encoding they come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Member<'a>(Item<'a>);

impl<'a> Member<'a> {
    pub(super) fn new(item: Item<'a>) -> Self {
        match item {
            // Packed lists keep decimal texts as integers, trees do not.
            Item::Bytes(text) => Member(Item::from_text(text)),
            int => Member(int),
        }
    }
}

impl Hash for Member<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(match self.0 {
            Item::Int(value) => ochre_collections::hash(&value.to_le_bytes()),
            Item::Bytes(text) => ochre_collections::hash(text),
        });
    }
}

/// Takes the hash that `Member` computes, which nobody outside can foretell, as it is.
#[derive(Default)]
pub(super) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a member writes one word")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

pub(super) type MemberMap<'a, V> = std::collections::HashMap<Member<'a>, V, BuildHasherDefault<AsIs>>;

/// Members with their scores, all different.
#[derive(Default)]
pub(crate) struct Combined<'a>(pub(super) Vec<(f64, Item<'a>)>);

impl<'a> Combined<'a> {
    pub(crate) fn new(members: Vec<(f64, Item<'a>)>) -> Self {
        Combined(members)
    }

    /// Puts the members in order.
    pub(super) fn sort(&mut self) {
        // What was filtered out of one sorted set is in order already.
        if !self.0.is_sorted_by(|left, right| order(left, right).is_le()) {
            self.0.sort_unstable_by(order);
        }
    }

    /// Replies the members, which are in order.
    pub(super) fn reply(&self, with_scores: bool, reply: &mut Reply<'_>) {
        announce(reply, self.0.len(), with_scores);
        for (score, member) in &self.0 {
            if with_scores {
                reply_pair(reply, *member, *score);
            } else {
                reply_item(reply, *member);
            }
        }
    }

    /// The sorted set of the members.
    pub(crate) fn into_set(mut self, limits: &Limits) -> SortedSet {
        self.sort();
        SortedSet::from_ordered(self.0.iter().map(|(score, member)| (*member, *score)), limits)
    }
}

fn order(left: &(f64, Item<'_>), right: &(f64, Item<'_>)) -> Ordering {
    let by_score = left.0.partial_cmp(&right.0).unwrap_or(Ordering::Equal);
    by_score.then_with(|| match (left.1, right.1) {
        (Item::Bytes(left), Item::Bytes(right)) => left.cmp(right),
        (left, right) => left.as_bytes(&mut [0; INTEGER_TEXT_MAX]).cmp(right.as_bytes(&mut [0; INTEGER_TEXT_MAX])),
    })
}
