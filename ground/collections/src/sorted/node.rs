//! The nodes of the ordered tree: leaves, and inner nodes that count what is below them.

use super::leaf::{self, Leaf};
use super::probe::{Probe, look};
use crate::item::ScoredPointer;

/// Children of a full inner node. With the two words of a reference count, it fills a block of 1,280 bytes.
pub(super) const CAPACITY: usize = if cfg!(test) { 8 } else { 31 };

/// A subtree, never empty but for a root while it is being changed. All leaves are at the same depth.
pub(super) enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

/// Invariant: the first `len` places are used in all four rows and belong together: a child, the number of members in it, and its first member
/// with that member's score.
pub(super) struct Inner {
    len: usize,
    scores: [f64; CAPACITY],
    sizes: [usize; CAPACITY],
    firsts: [Option<ScoredPointer>; CAPACITY],
    nodes: [Option<Node>; CAPACITY],
}

const _: () = assert!(size_of::<Inner>() + 16 <= 1280);

/// At which edges of the whole tree a node stands: there, runs of ascending or descending insertions are expected.
#[derive(Clone, Copy)]
pub(super) struct Edges {
    pub(super) left: bool,
    pub(super) right: bool,
}

impl Node {
    /// Members of a leaf, children of an inner node.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.len,
        }
    }

    #[inline]
    fn capacity(&self) -> usize {
        match self {
            Node::Leaf(_) => leaf::CAPACITY,
            Node::Inner(_) => CAPACITY,
        }
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// The number of members below.
    pub(super) fn size(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.sizes[..inner.len].iter().sum(),
        }
    }

    fn first(&self) -> ScoredPointer {
        match self {
            Node::Leaf(leaf) => leaf.members()[0],
            Node::Inner(inner) => inner.first(0),
        }
    }

    /// Shows every member, in order.
    pub(super) fn for_each(&self, sink: &mut dyn FnMut(ScoredPointer)) {
        match self {
            Node::Leaf(leaf) => leaf.members().iter().for_each(|&member| sink(member)),
            Node::Inner(inner) => inner.nodes[..inner.len].iter().flatten().for_each(|node| node.for_each(sink)),
        }
    }

    /// Bytes of all nodes below and this one.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Node::Leaf(_) => size_of::<Leaf>(),
            Node::Inner(inner) => match &inner.nodes[0] {
                Some(Node::Leaf(_)) => size_of::<Inner>() + inner.len * size_of::<Leaf>(),
                _ => size_of::<Inner>() + inner.nodes.iter().flatten().map(Node::memory_bytes).sum::<usize>(),
            },
        }
    }

    /// Removes the members from rank `from` to rank `to` (at least one stays, or the caller drops the node), after showing them.
    pub(super) fn remove(&mut self, from: usize, to: usize, sink: &mut dyn FnMut(ScoredPointer)) {
        match self {
            Node::Leaf(leaf) => {
                leaf.members()[from..to].iter().for_each(|&member| sink(member));
                leaf.remove(from, to);
            }
            Node::Inner(inner) => inner.remove(from, to, sink),
        }
    }

    /// Moves the last `count` entries to the start of the next node of the same level, which has room.
    fn give(&mut self, next: &mut Node, count: usize) {
        match (self, next) {
            (Node::Leaf(leaf), Node::Leaf(next)) => leaf.give(next, count),
            (Node::Inner(inner), Node::Inner(next)) => {
                for _ in 0..count {
                    let child = inner.take_child(inner.len - 1);
                    next.put_child(0, child);
                }
            }
            _ => unreachable!("all leaves are at the same depth"),
        }
    }

    /// Moves the first `count` entries of the next node of the same level to the end of this one, which has room.
    fn take(&mut self, next: &mut Node, count: usize) {
        match (self, next) {
            (Node::Leaf(leaf), Node::Leaf(next)) => leaf.take(next, count),
            (Node::Inner(inner), Node::Inner(next)) => {
                for _ in 0..count {
                    let child = next.take_child(0);
                    inner.put_child(inner.len, child);
                }
            }
            _ => unreachable!("all leaves are at the same depth"),
        }
    }

    /// Cuts the last `count` entries off into a node of their own.
    fn split_off(&mut self, count: usize) -> Node {
        match self {
            Node::Leaf(leaf) => {
                let kept = leaf.len() - count;
                let next = Leaf::of(&leaf.members()[kept..]);
                leaf.remove(kept, kept + count);
                Node::Leaf(next)
            }
            Node::Inner(inner) => {
                let mut next = Box::new(Inner::empty());
                for _ in 0..count {
                    let child = inner.take_child(inner.len - 1);
                    next.put_child(0, child);
                }
                Node::Inner(next)
            }
        }
    }

    /// How many entries to cut off a full node at an edge of the tree, so that a run of insertions leaves full nodes behind.
    fn run_at_edge(&self, probe: &Probe<'_>, edges: Edges) -> Option<usize> {
        let (at_start, at_end) = match self {
            Node::Leaf(leaf) => {
                let at = leaf.position(probe);
                (at == 0, at == leaf.len())
            }
            Node::Inner(inner) => {
                let at = inner.child_for(probe);
                (at == 0, at + 1 == inner.len)
            }
        };
        if edges.right && at_end {
            Some(1)
        } else if edges.left && at_start {
            Some(self.len() - 1)
        } else {
            None
        }
    }
}

impl Inner {
    fn empty() -> Inner {
        Inner {
            len: 0,
            scores: [0.0; CAPACITY],
            sizes: [0; CAPACITY],
            firsts: [None; CAPACITY],
            nodes: [const { None }; CAPACITY],
        }
    }

    /// An inner node of these children, which are in order and fit.
    pub(super) fn of(children: impl IntoIterator<Item = Node>) -> Box<Inner> {
        let mut inner = Box::new(Inner::empty());
        for child in children {
            inner.put_child(inner.len, child);
        }
        inner
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn first(&self, index: usize) -> ScoredPointer {
        self.firsts[index].expect("a used place has a first member")
    }

    #[inline]
    pub(super) fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().expect("a used place has a child")
    }

    #[inline]
    pub(super) fn node_mut(&mut self, index: usize) -> &mut Node {
        self.nodes[index].as_mut().expect("a used place has a child")
    }

    fn put_child(&mut self, index: usize, node: Node) {
        let end = self.len;
        self.scores.copy_within(index..end, index + 1);
        self.sizes.copy_within(index..end, index + 1);
        self.firsts.copy_within(index..end, index + 1);
        self.nodes[end] = Some(node);
        self.nodes[index..=end].rotate_right(1);
        self.len += 1;
        self.describe(index);
    }

    /// Removes a child; the caller describes its former neighbours if they change.
    pub(super) fn take_child(&mut self, index: usize) -> Node {
        let end = self.len;
        self.scores.copy_within(index + 1..end, index);
        self.sizes.copy_within(index + 1..end, index);
        self.firsts.copy_within(index + 1..end, index);
        self.nodes[index..end].rotate_left(1);
        self.len -= 1;
        self.nodes[end - 1].take().expect("a used place has a child")
    }

    /// Writes down what a child holds, after it has changed.
    fn describe(&mut self, index: usize) {
        let node = self.node(index);
        let (size, first) = (node.size(), node.first());
        self.sizes[index] = size;
        self.firsts[index] = Some(first);
        self.scores[index] = look(first).score();
    }

    /// The child where a member at the probe's place is or would be: the last that begins before it, or the first of all.
    #[inline]
    pub(super) fn child_for(&self, probe: &Probe<'_>) -> usize {
        let scores = &self.scores[..self.len];
        let mut before = scores.partition_point(|&score| score < probe.score);
        while before < self.len
            && scores[before] == probe.score
            && probe.is_after_scored(scores[before], || look(self.first(before)).member())
        {
            before += 1;
        }
        before.saturating_sub(1)
    }

    /// The number of members in the children before this one.
    #[inline]
    pub(super) fn rank_of_child(&self, index: usize) -> usize {
        self.sizes[..index].iter().sum()
    }

    /// The child that holds the member of this rank, and the rank of its first member.
    #[inline]
    pub(super) fn child_at_rank(&self, rank: usize) -> (usize, usize) {
        let mut start = 0;
        for (index, size) in self.sizes[..self.len].iter().enumerate() {
            if rank < start + size {
                return (index, start);
            }
            start += size;
        }
        unreachable!("a rank is below the number of members")
    }

    /// Counts a member that is being inserted, and returns the child that it goes to, which is not full, and where that stands.
    #[inline]
    pub(super) fn enter(&mut self, probe: &Probe<'_>, member: ScoredPointer, edges: Edges) -> (&mut Node, Edges) {
        let mut index = self.child_for(probe);
        if self.node(index).is_full() {
            self.make_room(index, probe, edges);
            index = self.child_for(probe);
        }
        self.sizes[index] += 1;
        if index == 0 && !probe.is_after_scored(self.scores[0], || look(self.first(0)).member()) {
            self.firsts[0] = Some(member);
            self.scores[0] = probe.score;
        }
        let edges = Edges { left: edges.left && index == 0, right: edges.right && index + 1 == self.len };
        (self.node_mut(index), edges)
    }

    /// Makes room in a full child: a neighbour takes some of it if that has enough room to be worth it, else the child is split. This
    /// node is not full.
    #[cold]
    fn make_room(&mut self, index: usize, probe: &Probe<'_>, edges: Edges) {
        let edges = Edges { left: edges.left && index == 0, right: edges.right && index + 1 == self.len };
        let child = self.node(index);
        let run = child.run_at_edge(probe, edges);
        let (len, worth) = (child.len(), child.len() - (child.len() / 8).max(2));
        let left = if index > 0 { self.node(index - 1).len() } else { len };
        let right = if index + 1 < self.len { self.node(index + 1).len() } else { len };
        if let Some(count) = run {
            let next = self.node_mut(index).split_off(count);
            self.put_child(index + 1, next);
            self.describe(index);
        } else if left.min(right) <= worth {
            if left <= right {
                let (node, child) = self.neighbours(index - 1);
                node.take(child, (len - left) / 2);
                self.describe(index - 1);
                self.describe(index);
            } else {
                let (child, node) = self.neighbours(index);
                child.give(node, (len - right) / 2);
                self.describe(index);
                self.describe(index + 1);
            }
        } else {
            self.split(index);
        }
    }

    /// Splits a full child whose neighbours are full too. Of two leaves become three, so that leaves stay at least two thirds full.
    fn split(&mut self, index: usize) {
        let left = if index + 1 < self.len { index } else { index.saturating_sub(1) };
        if let Ok([Some(Node::Leaf(one)), Some(Node::Leaf(two))]) = self.nodes.get_disjoint_mut([left, left + 1]) {
            let all = [one.members(), two.members()].concat();
            let third = all.len() / 3;
            one.refill(&all[..third]);
            two.refill(&all[2 * third..]);
            let middle = Node::Leaf(Leaf::of(&all[third..2 * third]));
            self.put_child(left + 1, middle);
            self.describe(left);
            self.describe(left + 2);
        } else {
            let half = self.node(index).len() / 2;
            let next = self.node_mut(index).split_off(half);
            self.put_child(index + 1, next);
            self.describe(index);
        }
    }

    fn neighbours(&mut self, index: usize) -> (&mut Node, &mut Node) {
        match self.nodes.get_disjoint_mut([index, index + 1]) {
            Ok([Some(left), Some(right)]) => (left, right),
            _ => unreachable!("both places are used"),
        }
    }

    fn remove(&mut self, from: usize, to: usize, sink: &mut dyn FnMut(ScoredPointer)) {
        let (seam, mut start) = self.child_at_rank(from);
        let mut index = seam;
        while start < to {
            let size = self.sizes[index];
            let (child_from, child_to) = (from.max(start) - start, to.min(start + size) - start);
            if child_from == 0 && child_to == size {
                self.take_child(index).for_each(sink);
            } else {
                self.node_mut(index).remove(child_from, child_to, sink);
                self.sizes[index] -= child_to - child_from;
                if child_from == 0 {
                    let first = self.node(index).first();
                    self.firsts[index] = Some(first);
                    self.scores[index] = look(first).score();
                }
                index += 1;
            }
            start += size;
        }
        // At most the two children at the ends of the range have lost members and are still here.
        for index in [seam + 1, seam] {
            self.merge_if_small(index);
        }
    }

    /// Joins a child that has become small with a neighbour, if one has room for all of it and some more.
    #[inline]
    fn merge_if_small(&mut self, index: usize) {
        if index >= self.len {
            return;
        }
        let child = self.node(index);
        let (len, room) = (child.len(), child.capacity() - child.capacity() / 8);
        if len > child.capacity() / 3 {
            return;
        }
        let left = if index + 1 < self.len && len + self.node(index + 1).len() <= room {
            index
        } else if index > 0 && len + self.node(index - 1).len() <= room {
            index - 1
        } else {
            return;
        };
        let (node, next) = self.neighbours(left);
        node.take(next, next.len());
        self.take_child(left + 1);
        self.describe(left);
    }
}

#[cfg(test)]
impl Node {
    /// Checks what inner nodes say about their children, and that all leaves are at the same depth, which is returned.
    pub(super) fn audit(&self, members: &mut Vec<ScoredPointer>, leaves: &mut usize) -> usize {
        assert!(self.len() > 0 && self.len() <= self.capacity());
        match self {
            Node::Leaf(leaf) => {
                members.extend(leaf.members());
                leaf.audit();
                *leaves += 1;
                0
            }
            Node::Inner(inner) => {
                let mut depth = None;
                for index in 0..inner.len {
                    let before = members.len();
                    let below = inner.node(index).audit(members, leaves);
                    assert_eq!(*depth.get_or_insert(below), below);
                    assert_eq!(inner.sizes[index], members.len() - before);
                    assert_eq!(inner.first(index), members[before]);
                    assert!(inner.scores[index] == look(members[before]).score());
                }
                depth.expect("an inner node has children") + 1
            }
        }
    }
}
