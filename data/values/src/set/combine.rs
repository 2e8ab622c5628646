//! Intersection, union and difference of sets, member by member and without copying any.
//!
//! Each function shows its members to `visit` one after the other, every one once, until `visit` says that it has enough (`false`).

use super::{Probe, SetRef};
use ochre_collections::hash;
use ochre_collections::listpack::Item;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What is told each member; says whether it wants more.
pub type Visit<'v> = &'v mut dyn FnMut(Item<'_>) -> bool;

/// Visits the members that are in all sets: O(smallest × sets). Sorts `sets` by size.
pub fn intersection(sets: &mut [SetRef<'_>], visit: Visit<'_>) {
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for item in *smallest {
        let mut probe = Probe::new(item);
        if others.iter().all(|set| set.has(&mut probe)) && !visit(item) {
            return;
        }
    }
}

/// Visits the members that are in any set: O(all members). Sorts `sets` by size, the largest first.
pub fn union(sets: &mut [SetRef<'_>], visit: Visit<'_>) {
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    if looking_back_is_cheap(sets) {
        for (at, set) in sets.iter().enumerate() {
            for item in *set {
                let mut probe = Probe::new(item);
                if !sets[..at].iter().any(|earlier| earlier.has(&mut probe)) && !visit(item) {
                    return;
                }
            }
        }
    } else {
        let mut seen = Seen::default();
        for item in sets.iter().copied().flatten() {
            if seen.insert(Text::of(item)) && !visit(item) {
                return;
            }
        }
    }
}

/// Whether it costs less to look each member up in the sets before its own than to note all that were seen.
fn looking_back_is_cheap(sets: &[SetRef<'_>]) -> bool {
    let (mut members, mut steps, mut steps_back) = (0_usize, 0_usize, 0_usize);
    for set in sets {
        members = members.saturating_add(set.len());
        steps = steps.saturating_add(set.len().saturating_mul(steps_back));
        // A look into a packed list goes past half of it, some members in the time that a table takes.
        steps_back += match set {
            SetRef::Packed(pack) => 1 + pack.len() / 16,
            _ => 1,
        };
    }
    steps <= members.saturating_mul(3)
}

/// Visits the members of `first` that are in none of `others`: O(first × others) or O(all members), whichever is less.
/// Sorts `others` by size, the largest first.
pub fn difference(first: SetRef<'_>, others: &mut [SetRef<'_>], visit: Visit<'_>) {
    if looks_up_each(first, others) {
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        for item in first {
            let mut probe = Probe::new(item);
            if !others.iter().any(|set| set.has(&mut probe)) && !visit(item) {
                return;
            }
        }
        return;
    }
    let mut left: Seen<'_> = first.iter().map(Text::of).collect();
    for item in others.iter().copied().flatten() {
        left.remove(&Text::of(item));
        if left.is_empty() {
            return;
        }
    }
    for text in left {
        if !visit(text.0) {
            return;
        }
    }
}

/// How SDIFF decides, as in the peers: whether the members of the first set are looked up in the others, or those of the others
/// are taken away from the first.
pub fn looks_up_each(first: SetRef<'_>, others: &[SetRef<'_>]) -> bool {
    let each = first.len().saturating_mul(others.len() + 1) / 2;
    let all = others.iter().fold(first.len(), |sum, set| sum.saturating_add(set.len()));
    each <= all
}

/// Members that were seen, by their text; they stay where they are.
type Seen<'a> = HashSet<Text<'a>, BuildHasherDefault<Computed>>;

/// A member such that equal ones are equal: an integer is always `Item::Int`, also when a table holds its text.
#[derive(PartialEq, Eq)]
struct Text<'a>(Item<'a>);

impl<'a> Text<'a> {
    fn of(item: Item<'a>) -> Text<'a> {
        match item {
            Item::Int(_) => Text(item),
            Item::Bytes(bytes) => Text(Item::from_text(bytes)),
        }
    }
}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(match self.0 {
            Item::Int(value) => hash(&value.to_ne_bytes()),
            Item::Bytes(bytes) => hash(bytes),
        });
    }
}

/// Passes on a hash that was computed elsewhere.
#[derive(Default)]
struct Computed(u64);

impl Hasher for Computed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a text writes its hash as one number")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
