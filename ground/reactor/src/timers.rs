//! Timers: a queue of deadlines that the owner of an event loop asks what is due.
//!
//! The clock is the caller's. A binary heap, because a server has few kinds of timers and cancels rarely: adding and taking
//! cost O(log n). A cancelled timer leaves its entry in the heap until its deadline, or until such entries are the majority.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

/// Deadlines in milliseconds on the caller's clock, each with a value. Values with the same deadline come in the order in
/// which they were added.
#[derive(Debug)]
pub struct Timers<T> {
    heap: BinaryHeap<Reverse<(u64, TimerId)>>,
    /// Invariant: the heap has an entry for each of these (and perhaps for some that are no longer here).
    waiting: HashMap<TimerId, T>,
    next: u64,
}

/// Names a timer, never a second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(u64);

impl<T> Timers<T> {
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), waiting: HashMap::new(), next: 0 }
    }

    pub fn add(&mut self, deadline_ms: u64, value: T) -> TimerId {
        let id = TimerId(self.next);
        self.next += 1;
        self.heap.push(Reverse((deadline_ms, id)));
        self.waiting.insert(id, value);
        id
    }

    /// Takes a timer back; nothing when it has already come or been taken.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        let value = self.waiting.remove(&id)?;
        if self.heap.len() > 64 && self.heap.len() > 2 * self.waiting.len() {
            self.heap.retain(|Reverse((_, id))| self.waiting.contains_key(id));
        }
        Some(value)
    }

    /// The earliest value whose deadline is not after `now_ms`; to be asked until there is none.
    pub fn pop_due(&mut self, now_ms: u64) -> Option<T> {
        while self.heap.peek()?.0.0 <= now_ms {
            let Reverse((_, id)) = self.heap.pop()?;
            if let Some(value) = self.waiting.remove(&id) {
                return Some(value);
            }
        }
        None
    }

    /// The earliest deadline, for the timeout of a turn. It may be that of a timer which has been cancelled.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((deadline_ms, _))| *deadline_ms)
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;

    #[test]
    fn timers_come_in_the_order_of_their_deadlines_and_then_of_their_making() {
        let mut timers = Timers::new();
        for (deadline_ms, name) in [(30, 'c'), (10, 'a'), (30, 'd'), (20, 'b')] {
            timers.add(deadline_ms, name);
        }
        assert_eq!(timers.next_deadline_ms(), Some(10));
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(std::iter::from_fn(|| timers.pop_due(30)).collect::<String>(), "abcd");
        assert!(timers.is_empty());
    }

    #[test]
    fn a_cancelled_timer_does_not_come() {
        let mut timers = Timers::new();
        let ids: Vec<_> = (0..200).map(|number| timers.add(number, number)).collect();
        for id in &ids[..150] {
            assert!(timers.cancel(*id).is_some());
        }
        assert_eq!(timers.cancel(ids[0]), None);
        assert_eq!(timers.len(), 50);
        assert!(timers.heap.len() < 150, "what was cancelled does not pile up");
        assert_eq!(timers.pop_due(1000), Some(150));
    }
}
