//! A walk that shows a list's chunks as they were when the walk began, in order, while the list goes on to change.
//!
//! A chunk that is about to change for the first time since then is copied, and the copy put on a shelf before it; one that leaves the
//! list goes to the shelf of its successor, with all that stood on its own. So the shelves and the chunks that nobody has
//! touched are, read from the front to the back, what is still to be shown. While no walk is on, a change costs one test.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::{Chunk, ChunkedList, Node, NodeRef};

/// What a list knows of its walks. A copy of a list is not walked.
#[derive(Default)]
pub(super) struct Walk {
    tape: Option<Box<Tape>>,
    /// Walks that were ever begun; the number of the last one.
    number: u32,
}

impl Clone for Walk {
    fn clone(&self) -> Walk {
        Walk { tape: None, number: self.number }
    }
}

/// What a chunk knows of the walk.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    /// The number of the last walk that need not look at this chunk: it came later, was changed or has been shown.
    done: u32,
    /// The shelf before this chunk, if it was put up in the walk of this number.
    shelf: Option<(u32, u32)>,
}

/// The walk that is on.
struct Tape {
    /// Chunks with lower indices are done with, and have nothing on their shelves.
    next: usize,
    /// So much of the first node that is still to come has been shown, if it is shown in parts: bytes.
    shown_bytes: usize,
    shelves: HashMap<u32, VecDeque<Node>>,
    /// Shelves that were ever put up.
    shelf_number: u32,
    /// What stands behind the last chunk.
    tail: VecDeque<Node>,
}

/// Longer elements are shown in parts of so many bytes.
const PART_BYTES: usize = 16 * 1024;
/// What it costs to pass over a chunk, in a step's room.
const PASSING_COST: usize = 16;

/// What a walk shows.
#[derive(Clone, Copy)]
pub enum Shown<'a> {
    /// A whole chunk.
    Node(NodeRef<'a>),
    /// A part of a large element, which is `total` bytes long, from its byte `at` on.
    Part { bytes: &'a [u8], at: usize, total: usize },
}

impl Walk {
    /// The mark of a chunk that is made now.
    #[inline]
    pub(super) fn mark_of_new(&self) -> Mark {
        Mark { done: self.number, shelf: None }
    }
}

impl ChunkedList {
    /// Begins a walk that will show all chunks that are there now, and says how many. One walk at a time.
    pub fn begin_walk(&mut self) -> usize {
        assert!(self.walk.tape.is_none(), "one walk at a time");
        self.walk.number = self.walk.number.wrapping_add(1);
        let tape = Tape { next: 0, shown_bytes: 0, shelves: HashMap::new(), shelf_number: 0, tail: VecDeque::new() };
        self.walk.tape = Some(Box::new(tape));
        self.chunks.len()
    }

    /// Whether a walk has begun and not been ended.
    #[inline]
    pub fn is_walked(&self) -> bool {
        self.walk.tape.is_some()
    }

    /// Forgets the walk.
    pub fn end_walk(&mut self) {
        self.walk.tape = None;
    }

    /// Shows the next chunks until `room` (what `show` answers, summed) is used up; says whether all have been shown.
    pub fn walk_on(&mut self, room: &mut usize, show: &mut dyn FnMut(Shown<'_>) -> usize) -> bool {
        let number = self.walk.number;
        let Some(tape) = &mut self.walk.tape else { return true };
        while *room > 0 {
            let Some(chunk) = self.chunks.get_mut(tape.next) else {
                let Some(node) = tape.tail.front() else { return true };
                if show_node(node, &mut tape.shown_bytes, room, show) {
                    tape.tail.pop_front();
                }
                continue;
            };
            let shelf = chunk.mark.shelf.filter(|(walk, _)| *walk == number).map(|(_, shelf)| shelf);
            if let Some(shelf) = shelf
                && let Some(nodes) = tape.shelves.get_mut(&shelf)
            {
                if let Some(node) = nodes.front()
                    && show_node(node, &mut tape.shown_bytes, room, show)
                {
                    nodes.pop_front();
                }
                if nodes.is_empty() {
                    tape.shelves.remove(&shelf);
                    chunk.mark.shelf = None;
                }
            } else if chunk.mark.done != number {
                if show_node(&chunk.node, &mut tape.shown_bytes, room, show) {
                    chunk.mark.done = number;
                }
            } else {
                *room = room.saturating_sub(PASSING_COST);
                tape.next += 1;
            }
        }
        tape.next >= self.chunks.len() && tape.tail.is_empty()
    }

    /// Must be called before a large element is replaced. It goes to the shelf as it is.
    pub(super) fn before_replacement(&mut self, chunk: usize) {
        if let Walk { tape: Some(tape), number } = &mut self.walk
            && let Some(chunk) = self.chunks.get_mut(chunk)
            && chunk.mark.done != *number
        {
            chunk.mark.done = *number;
            let node = std::mem::replace(&mut chunk.node, Node::Plain(Box::default()));
            tape.shelf(chunk, *number).push_back(node);
        }
    }

    /// Must be called before the elements of a packed chunk change. A large element is only ever replaced, or leaves.
    #[inline]
    pub(super) fn before_change(&mut self, chunk: usize) {
        if self.walk.tape.is_some() {
            self.save(chunk);
        }
    }

    #[cold]
    fn save(&mut self, at: usize) {
        let Walk { tape: Some(tape), number } = &mut self.walk else { return };
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        if chunk.mark.done != *number && matches!(chunk.node, Node::Packed(_)) {
            chunk.mark.done = *number;
            let copy = chunk.node.clone();
            tape.shelf(chunk, *number).push_back(copy);
        }
    }

    /// Removes whole chunks; what of them is still to be shown goes on to the chunk after them. Does not touch coordinates.
    pub(super) fn drop_chunks(&mut self, numbers: Range<usize>) {
        self.hand_on(numbers.clone());
        if numbers == (0..1) {
            self.chunks.pop_front();
        } else {
            self.chunks.drain(numbers);
        }
    }

    /// Must be called before chunks leave the list: what of them is still to be shown goes on to the chunk after them.
    #[inline]
    pub(super) fn hand_on(&mut self, numbers: Range<usize>) {
        if self.walk.tape.is_some() {
            self.hand_on_all(numbers);
        }
    }

    #[cold]
    fn hand_on_all(&mut self, numbers: Range<usize>) {
        let Walk { tape: Some(tape), number } = &mut self.walk else { return };
        let mut leaving = VecDeque::new();
        for chunk in self.chunks.range_mut(numbers.clone()) {
            tape.unload(chunk, *number, &mut leaving);
        }
        tape.next = tape.next.saturating_sub(numbers.len());
        tape.load(self.chunks.get_mut(numbers.end), *number, leaving);
    }

    /// Removes the chunks that `keeps` does not keep, as [`ChunkedList::drop_chunks`] does.
    pub(super) fn retain_handing_on(&mut self, keeps: &mut dyn FnMut(&Chunk) -> bool) {
        let Walk { tape: Some(tape), number } = &mut self.walk else { return };
        let mut kept = VecDeque::with_capacity(self.chunks.len());
        let mut leaving = VecDeque::new();
        for mut chunk in std::mem::take(&mut self.chunks) {
            if keeps(&chunk) {
                tape.load(Some(&mut chunk), *number, std::mem::take(&mut leaving));
                kept.push_back(chunk);
            } else {
                tape.unload(&mut chunk, *number, &mut leaving);
            }
        }
        tape.load(None, *number, leaving);
        // Whatever was done with is passed over once more.
        tape.next = 0;
        self.chunks = kept;
    }
}

impl Tape {
    /// The shelf before a chunk, put up if there is none.
    fn shelf(&mut self, chunk: &mut Chunk, number: u32) -> &mut VecDeque<Node> {
        let shelf = match chunk.mark.shelf {
            Some((walk, shelf)) if walk == number => shelf,
            _ => {
                self.shelf_number += 1;
                chunk.mark.shelf = Some((number, self.shelf_number));
                self.shelf_number
            }
        };
        self.shelves.entry(shelf).or_default()
    }

    /// Takes from a chunk what of it is still to be shown.
    fn unload(&mut self, chunk: &mut Chunk, number: u32, to: &mut VecDeque<Node>) {
        if let Some((walk, shelf)) = chunk.mark.shelf.take()
            && walk == number
            && let Some(mut nodes) = self.shelves.remove(&shelf)
        {
            if to.is_empty() {
                *to = nodes;
            } else {
                to.append(&mut nodes);
            }
        }
        if chunk.mark.done != number {
            chunk.mark.done = number;
            to.push_back(std::mem::replace(&mut chunk.node, Node::Plain(Box::default())));
        }
    }

    /// Puts what is to be shown before all that is on the shelf of `chunk`, or behind the last chunk.
    fn load(&mut self, chunk: Option<&mut Chunk>, number: u32, mut nodes: VecDeque<Node>) {
        if nodes.is_empty() {
            return;
        }
        let shelf = match chunk {
            Some(chunk) => self.shelf(chunk, number),
            None => &mut self.tail,
        };
        if nodes.len() <= shelf.len() {
            nodes.into_iter().rev().for_each(|node| shelf.push_front(node));
        } else {
            nodes.append(shelf);
            *shelf = nodes;
        }
    }
}

/// Shows a node or a part of it; says whether that was all of it.
fn show_node(node: &Node, shown_bytes: &mut usize, room: &mut usize, show: &mut dyn FnMut(Shown<'_>) -> usize) -> bool {
    match node {
        Node::Plain(text) if text.len() > PART_BYTES => {
            let at = *shown_bytes;
            let end = text.len().min(at + PART_BYTES);
            *room = room.saturating_sub(show(Shown::Part { bytes: &text[at..end], at, total: text.len() }));
            *shown_bytes = if end == text.len() { 0 } else { end };
            end == text.len()
        }
        node => {
            *room = room.saturating_sub(show(Shown::Node(node.view())));
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;
    use crate::chunked::NodeRef;
    use crate::{ChunkedList, Random};

    fn texts(random: &mut Random) -> Vec<u8> {
        match random.below(30) {
            0 => vec![b'l'; 9000 + random.below(40_000)],
            1..5 => vec![b'm'; random.below(900)],
            _ => random.below(100).to_string().into_bytes(),
        }
    }

    fn disturb(list: &mut ChunkedList, random: &mut Random) {
        let text = texts(random);
        let at = random.below(list.len() + 1);
        match random.below(14) {
            0 | 1 => list.push_front(&text),
            2 | 3 => list.push_back(&text),
            4 => drop(list.pop_front()),
            5 => drop(list.pop_back()),
            6 | 7 => list.insert(at, &text),
            8 | 9 => _ = list.set(at as isize, &text),
            10 => _ = list.remove_range(at..at + random.below(30)),
            11 => _ = list.remove_equal(&text, 1 + random.below(5), random.below(2) == 0),
            12 if random.below(8) == 0 => list.trim(at / 2..at),
            12 => (0..random.below(20)).for_each(|_| drop(list.pop_front())),
            _ => (0..random.below(20)).for_each(|_| drop(list.pop_back())),
        }
    }

    fn of(list: &ChunkedList) -> Vec<Vec<u8>> {
        list.iter().map(|item| item.to_vec()).collect()
    }

    #[test]
    fn a_walk_shows_the_list_as_it_was_when_it_began() {
        for seed in 0..120 {
            let random = &mut Random::new(seed);
            let fill = [-1, -2, 1, 4, 60][random.below(5)];
            let mut list = ChunkedList::new(fill);
            for _ in 0..random.below(500) {
                list.push_back(&texts(random));
            }
            for _ in 0..3 {
                let expected = of(&list);
                let chunks = list.begin_walk();
                let (mut seen, mut nodes, mut part) = (Vec::new(), 0, Vec::new());
                let hurry = 1 + random.below(5);
                let mut ended = false;
                while !ended {
                    ended = list.walk_on(&mut (1 + random.below(hurry * 20)), &mut |shown| {
                        match shown {
                            Shown::Node(NodeRef::Packed(pack)) => seen.extend(pack.iter().map(|item| item.to_vec())),
                            Shown::Node(NodeRef::Plain(text)) => seen.push(text.to_vec()),
                            Shown::Part { bytes, at, total } => {
                                assert_eq!(at, part.len(), "parts follow each other");
                                part.extend_from_slice(bytes);
                                if part.len() < total {
                                    return 10;
                                }
                                seen.push(std::mem::take(&mut part));
                            }
                        }
                        nodes += 1;
                        10
                    });
                    (0..random.below(8)).for_each(|_| disturb(&mut list, random));
                }
                list.end_walk();
                assert!(seen == expected, "seed {seed}");
                assert_eq!(nodes, chunks, "seed {seed}");
            }
        }
    }
}
