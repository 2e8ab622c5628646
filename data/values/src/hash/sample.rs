//! Fields by chance.

use super::{Fields, HashRef, Pair};
use ochre_collections::{Random, Sample};
use std::collections::HashSet;

/// A table that has at least so many times the wanted fields is not walked: they are drawn one by one.
const DRAW_RATIO: usize = 3;
/// So many draws in a row that hit fields which are due make it likely that hardly any other is there.
const DRAWS_MAX: usize = 100;

impl<'a> HashRef<'a> {
    /// A living field by chance, each as likely as the others (in large tables but for a few percent); `None` when none lives.
    pub fn random(self, now_ms: u64, random: &mut Random) -> Option<Pair<'a>> {
        let mut chosen = None;
        self.choose(1, now_ms, random, &mut |pair| chosen = Some(pair));
        chosen
    }

    /// Visits `count` living fields by chance, one as often as it is drawn; nothing when none lives.
    pub fn choose(self, count: usize, now_ms: u64, random: &mut Random, visit: &mut dyn FnMut(Pair<'a>)) {
        match self {
            HashRef::Packed(pack) if count == 1 => {
                let Some(position) = pack.position(2 * random.below(pack.len() / 2) as isize) else { return };
                if let Some(value) = pack.next(position) {
                    visit(Pair { name: pack.at(position), value: pack.at(value), deadline_ms: None });
                }
            }
            HashRef::Packed(_) => choose_from(self.iter().collect(), count, random, visit),
            HashRef::Table(fields) => {
                for drawn in 0..count {
                    let Some(pair) = fields.draw(now_ms, random) else {
                        return choose_from(self.living(now_ms).collect(), count - drawn, random, visit);
                    };
                    visit(pair);
                }
            }
        }
    }

    /// Visits `count` different living fields by chance (all when there are fewer), in the hash's own order unless they are few.
    ///
    /// O(n), but O(count) when a table has more than three times as many and few are due; then it notes what it has visited.
    pub fn sample(self, count: usize, now_ms: u64, random: &mut Random, visit: &mut dyn FnMut(Pair<'a>)) {
        if let HashRef::Table(fields) = self
            && count < self.len() / DRAW_RATIO
            && fields.sample_few(count, now_ms, random, visit)
        {
            return;
        }
        let mut sample = Sample::new(count, self.living_len(now_ms), random.fork());
        for pair in self.living(now_ms) {
            if sample.is_complete() {
                break;
            }
            if sample.takes_next() {
                visit(pair);
            }
        }
    }
}

/// Visits `count` of `pairs`, one as often as it is drawn.
fn choose_from<'a>(pairs: Vec<Pair<'a>>, count: usize, random: &mut Random, visit: &mut dyn FnMut(Pair<'a>)) {
    if !pairs.is_empty() {
        (0..count).for_each(|_| visit(pairs[random.below(pairs.len())]));
    }
}

impl Fields {
    /// A living field by chance; `None` when too many draws hit others.
    fn draw(&self, now_ms: u64, random: &mut Random) -> Option<Pair<'_>> {
        (0..DRAWS_MAX).map_while(|_| self.table.random(random.next())).map(Pair::of).find(|pair| pair.lives(now_ms))
    }

    /// Visits `count` different living fields of many more; says whether chance found them. If not, nothing was visited.
    fn sample_few<'a>(
        &'a self,
        count: usize,
        now_ms: u64,
        random: &mut Random,
        visit: &mut dyn FnMut(Pair<'a>),
    ) -> bool {
        // A field is known by where its name stands in memory.
        let mut known = HashSet::with_capacity(count);
        let mut drawn = Vec::with_capacity(count);
        // Far more draws than chance needs when most fields live.
        for _ in 0..count.saturating_mul(8).saturating_add(DRAWS_MAX) {
            let Some(field) = self.table.random(random.next()) else { return false };
            let pair = Pair::of(field);
            if pair.lives(now_ms) && known.insert(field.name().as_ptr().addr()) {
                drawn.push(pair);
            }
            if drawn.len() == count {
                drawn.into_iter().for_each(visit);
                return true;
            }
        }
        false
    }
}
