//! Members by chance: several different ones to read, or to take out.

use super::{Set, SetRef};
use crate::{Collection, Limits};
use ochre_collections::listpack::{Item, Listpack};
use ochre_collections::{IntSet, Member, Random, Sample, Table};
use std::collections::HashSet;

/// A table from which at least this many times the wanted members are to choose is not walked: they are drawn one by one.
const DRAW_RATIO: usize = 3;

/// A table of which at least this part is to go is not emptied by draws: what remains is copied instead.
const REBUILD_RATIO: usize = 5;

impl SetRef<'_> {
    /// Visits `count` different members by chance (all when there are fewer), in the set's own order unless they are few.
    ///
    /// O(n), but O(count) when a table has more than three times as many; then it notes what it has visited.
    pub fn sample(self, count: usize, random: &mut Random, visit: &mut dyn FnMut(Item<'_>)) {
        match self {
            SetRef::Table(table) if count < table.len() / DRAW_RATIO => draw(table, count, random, visit),
            SetRef::Ints(ints) if count < ints.len() / DRAW_RATIO => {
                let mut drawn = HashSet::with_capacity(count);
                while drawn.len() < count {
                    let index = random.below(ints.len());
                    if drawn.insert(index)
                        && let Some(value) = ints.get(index)
                    {
                        visit(Item::Int(value));
                    }
                }
            }
            _ => {
                let mut sample = Sample::new(count, self.len(), random.fork());
                for item in self {
                    if sample.is_complete() {
                        break;
                    }
                    if sample.takes_next() {
                        visit(item);
                    }
                }
            }
        }
    }
}

/// Visits `count` different members of a table that has many more.
fn draw(table: &Table<Member>, count: usize, random: &mut Random, visit: &mut dyn FnMut(Item<'_>)) {
    // A member is known by where it stands in memory.
    let mut drawn = HashSet::with_capacity(count);
    // Far more draws than chance needs; then whatever comes next is taken.
    let draws_max = count.saturating_mul(8).saturating_add(1000);
    let draws = (0..draws_max).map_while(|_| table.random(random.next()));
    for member in draws.chain(table) {
        if drawn.len() == count {
            return;
        }
        if drawn.insert(member.as_ptr().addr()) {
            visit(Item::Bytes(member));
        }
    }
}

impl Set {
    /// Takes one member by chance out, after `visit` has seen it; `None` in an empty set.
    pub fn pop_with<R>(&mut self, random: &mut Random, visit: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        match self {
            Set::Ints(ints) => {
                let value = ints.view().random(random.next())?;
                let result = visit(Item::Int(value));
                ints.remove(value);
                Some(result)
            }
            Set::Packed(pack) => {
                let position = pack.view().position(random.below(pack.len()) as isize)?;
                let result = visit(pack.view().at(position));
                pack.remove(position, 1);
                Some(result)
            }
            Set::Table(table) => {
                let member = table.random(random.next())?.to_vec();
                let result = visit(Item::Bytes(&member));
                table.remove(ochre_collections::hash(&member), &member);
                Some(result)
            }
        }
    }

    /// Takes `count` members by chance out, fewer than there are, after `visit` has seen each.
    ///
    /// When most of a table goes, the set is built anew from what remains, in the smallest encoding that holds it.
    pub fn pop_many(&mut self, count: usize, random: &mut Random, limits: &Limits, visit: &mut dyn FnMut(Item<'_>)) {
        debug_assert!(count < self.len(), "whoever takes all removes the key");
        let total = self.len();
        let mut sample = Sample::new(count, total, random.fork());
        match self {
            Set::Ints(ints) => {
                let mut kept = IntSet::new();
                for value in ints.iter() {
                    if sample.takes_next() {
                        visit(Item::Int(value));
                    } else {
                        kept.insert(value);
                    }
                }
                *ints = kept;
            }
            Set::Packed(pack) => pack.retain(|item| {
                let goes = sample.takes_next();
                if goes {
                    visit(item);
                }
                !goes
            }),
            Set::Table(_) if (total - count).saturating_mul(REBUILD_RATIO) > count => {
                for _ in 0..count {
                    self.pop_with(random, &mut *visit);
                }
            }
            Set::Table(table) => {
                let mut kept = Set::Packed(Listpack::new());
                for member in table.iter() {
                    if sample.takes_next() {
                        visit(Item::Bytes(member));
                    } else {
                        kept.insert(member, limits);
                    }
                }
                *self = kept;
            }
        }
    }
}
