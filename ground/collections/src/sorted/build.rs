//! A sorted set in one go, for loading and copying.

use super::SortedSet;
use super::probe::look;
use super::tree::Tree;
use crate::item::{Scored, ScoredPointer};
use crate::table::{Lookup, Table};

/// Collects members in any order and builds the tree at the end. Ascending and descending order (which files hold) cost O(n).
pub struct Builder {
    set: SortedSet,
    /// Every member of the set, whose tree is still empty.
    members: Vec<ScoredPointer>,
}

impl Builder {
    /// A builder with room for about this many members.
    pub fn with_capacity(members: usize) -> Builder {
        let set = SortedSet { table: Table::with_capacity(members), tree: Tree::new(), members_bytes: 0 };
        Builder { set, members: Vec::with_capacity(members) }
    }

    /// Adds a member; `false` if it is there already (its score stays the first) or the score is NaN.
    pub fn push(&mut self, member: &[u8], score: f64) -> bool {
        match self.set.table.entry(crate::hash(member), member) {
            Lookup::Vacant(vacant) if !score.is_nan() => {
                let scored = Scored::new(score, member);
                self.set.members_bytes += scored.memory_bytes();
                self.members.push(vacant.insert(scored).item().pointer());
                true
            }
            _ => false,
        }
    }

    /// The set of all members that were added.
    pub fn finish(self) -> SortedSet {
        let Builder { mut set, mut members } = self;
        if members.is_sorted_by(|left, right| order(*right, *left).is_le()) {
            members.reverse();
        } else if !members.is_sorted_by(|left, right| order(*left, *right).is_le()) {
            members.sort_unstable_by(|left, right| order(*left, *right));
        }
        // SAFETY: the members are in the set's table, which keeps each until it has left the tree.
        set.tree = unsafe { Tree::build(&members) };
        set
    }
}

fn order(left: ScoredPointer, right: ScoredPointer) -> std::cmp::Ordering {
    let (left, right) = (look(left), look(right));
    let by_score = left.score().partial_cmp(&right.score()).expect("scores are never NaN");
    by_score.then_with(|| left.member().cmp(right.member()))
}
