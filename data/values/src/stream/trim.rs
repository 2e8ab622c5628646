//! Cutting a stream at its beginning.

use super::{Stream, StreamId};

/// Which entries are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// All but the last so many.
    MaxLen(u64),
    /// Those with lower ids.
    MinId(StreamId),
}

/// What becomes of groups that have a removed entry pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They keep it, without the entry.
    #[default]
    Keep,
    /// It is taken from all of them.
    Delete,
    /// An entry is only removed once all groups have read and acknowledged it.
    Acknowledged,
}

/// How a stream is to be trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    pub threshold: Threshold,
    /// Only whole nodes are removed.
    pub approximate: bool,
    /// At most so many entries are looked at; 0 is without limit.
    pub limit: u64,
    pub references: References,
}

impl Stream {
    /// Removes entries at the beginning, and answers how many. Whole nodes cost O(log nodes) each while groups need not be asked.
    pub fn trim(&mut self, trim: &Trim) -> usize {
        let mut removed = 0;
        // Nodes before this one are done with.
        let mut from = StreamId::MIN;
        while let Some((&master, node)) = self.nodes.range(from..).next() {
            let (live, _) = node.counts();
            if !self.has_too_many(trim.threshold) || (trim.limit > 0 && (removed + live) as u64 > trim.limit) {
                break;
            }
            let view = node.view(master);
            let whole = match trim.threshold {
                Threshold::MaxLen(most) => (self.len - live) as u64 >= most,
                Threshold::MinId(lowest) => view.last_id().is_none_or(|last| last < lowest),
            };
            let ids = || view.live().map(|(_, entry)| entry.id);
            let droppable = trim.references != References::Acknowledged || ids().all(|id| self.is_acknowledged(id));
            if whole && droppable {
                if trim.references == References::Delete && !self.groups.is_empty() {
                    let ids: Vec<StreamId> = ids().collect();
                    for id in ids {
                        self.forget_pending(id);
                    }
                }
                if let Some(node) = self.nodes.remove(&master) {
                    self.walk.keep(master, node);
                }
                self.moves += 1;
                self.len -= live;
                removed += live;
                continue;
            }
            if trim.approximate {
                if droppable {
                    break;
                }
                // Somebody still needs an entry of this node, but perhaps none of the next.
            } else {
                removed += self.trim_node(master, trim);
                let goes_on =
                    trim.references == References::Acknowledged && matches!(trim.threshold, Threshold::MaxLen(_));
                if !whole && !goes_on {
                    break;
                }
            }
            let Some(next) = master.next() else { break };
            from = next;
        }
        if removed > 0 {
            self.find_first();
        }
        removed
    }

    fn has_too_many(&self, threshold: Threshold) -> bool {
        match threshold {
            Threshold::MaxLen(most) => self.len as u64 > most,
            Threshold::MinId(_) => self.len > 0,
        }
    }

    /// Removes entries one by one from the beginning of a node of which some entries stay.
    fn trim_node(&mut self, master: StreamId, trim: &Trim) -> usize {
        let view = self.nodes[&master].view(master);
        let excess = match trim.threshold {
            Threshold::MaxLen(most) => (self.len as u64).saturating_sub(most),
            Threshold::MinId(_) => u64::MAX,
        };
        let too_low = |id: StreamId| match trim.threshold {
            Threshold::MaxLen(_) => true,
            Threshold::MinId(lowest) => id < lowest,
        };
        let may_go = |id: StreamId| trim.references != References::Acknowledged || self.is_acknowledged(id);
        let entries = view.live().map(|(place, entry)| (place, entry.id)).take_while(|(_, id)| too_low(*id));
        let excess = usize::try_from(excess).unwrap_or(usize::MAX);
        let (places, ids): (Vec<usize>, Vec<StreamId>) = entries.filter(|(_, id)| may_go(*id)).take(excess).unzip();
        if places.is_empty() {
            return 0;
        }
        let is_last = self.nodes.last_key_value().is_some_and(|(last, _)| *last == master);
        let node = self.nodes.get_mut(&master).expect("the caller found it");
        self.walk.before_change(master, node);
        self.len -= places.len();
        if node.delete(&places) == 0 {
            self.nodes.remove(&master);
            self.moves += 1;
        } else if !is_last && node.tidy(master) {
            self.moves += 1;
        }
        if trim.references == References::Delete {
            for id in ids {
                self.forget_pending(id);
            }
        }
        places.len()
    }
}
