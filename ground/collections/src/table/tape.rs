//! A walk that shows a table as it was when the walk began, while it goes on to change.
//!
//! The walk has a position in the order of hashes. An item behind it that is about to change or to leave is copied first, and
//! its key noted, as are the keys of new items: the walk passes over those. While no walk is on, a change costs one test.

use std::collections::HashSet;
use std::ptr::NonNull;

use super::Table;
use super::directory::pointer;
use crate::Keyed;

/// The walk that is on.
pub(super) struct Tape<T: Keyed> {
    /// Hashes from here on, without their last 16 bits, are still to be shown.
    from: u64,
    /// Keys from the position on that are not to be shown by the walk, because they are saved or new.
    touched: HashSet<Box<[u8]>>,
    saved: Vec<T>,
    copy: fn(T::Ref<'_>) -> T,
}

const SHIFT: u32 = 16;
const END: u64 = u64::MAX;

impl<T: Keyed> Table<T> {
    /// Begins a walk that will show all items that are there now; `copy` makes another item like one. One walk at a time.
    pub fn begin_walk(&mut self, copy: fn(T::Ref<'_>) -> T) {
        assert!(self.tape.is_none(), "one walk at a time");
        self.tape = Some(Box::new(Tape { from: 0, touched: HashSet::new(), saved: Vec::new(), copy }));
    }

    /// Whether a walk has begun and not been ended.
    #[inline]
    pub fn is_walked(&self) -> bool {
        self.tape.is_some()
    }

    /// Forgets the walk.
    pub fn end_walk(&mut self) {
        self.tape = None;
    }

    /// Bytes that the walk takes beside the table, about.
    pub fn walk_bytes(&self) -> usize {
        self.tape.as_ref().map_or(0, |tape| (tape.touched.len() + tape.saved.len()) * BYTES_PER_TOUCH)
    }

    /// Shows the next items until `room` (what `show` answers, summed) is used up, the rest of a bucket more at most. Says whether
    /// all have been shown.
    pub fn walk_on(&mut self, room: &mut usize, show: &mut dyn FnMut(T::Ref<'_>) -> usize) -> bool {
        let Some(mut tape) = self.tape.take() else { return true };
        while *room > 0
            && let Some(item) = tape.saved.pop()
        {
            let raw = item.into_raw();
            // SAFETY: the block was just given up, and is taken back after the look.
            unsafe {
                *room = room.saturating_sub(show(T::view(raw)));
                drop(T::from_raw(raw));
            }
        }
        while *room > 0 && tape.from != END {
            let from = tape.from;
            let position = from << SHIFT;
            let (path, _) = self.directory.segment_at(position);
            let segment = path.node.segment();
            let home = segment.home(path.rest);
            // SAFETY: taken slots hold items of type `T`, and `&mut self` keeps them unchanged.
            unsafe {
                segment.for_each_of_home(
                    home,
                    |address| self.home_of(address),
                    |address| {
                        let raw = pointer(address);
                        if T::hash(raw) >> SHIFT >= from && !tape.touched.contains(T::key(raw)) {
                            *room = room.saturating_sub(show(T::view(raw)));
                        }
                    },
                );
            }
            let end = u128::from(path.start(position)) + ((u128::from(segment.end_of(home)) * path.size()) >> 24);
            // The end of all hashes is 2⁶⁴.
            tape.from = if end >> 64 != 0 { END } else { end as u64 >> SHIFT };
        }
        let ended = tape.from == END && tape.saved.is_empty();
        self.tape = Some(tape);
        ended
    }

    /// Must be called before an item of the table is changed or leaves.
    #[inline]
    pub(super) fn before_change(&mut self, hash: u64, raw: NonNull<u8>) {
        if let Some(tape) = &mut self.tape {
            tape.save(hash, raw);
        }
    }

    /// Must be called for an item that joins the table.
    #[inline]
    pub(super) fn before_insertion(&mut self, hash: u64, raw: NonNull<u8>) {
        if let Some(tape) = &mut self.tape {
            tape.note_new(hash, raw);
        }
    }
}

/// A key, its place in the set and an item, about.
const BYTES_PER_TOUCH: usize = 64;

impl<T: Keyed> Tape<T> {
    #[cold]
    fn save(&mut self, hash: u64, raw: NonNull<u8>) {
        // SAFETY: whoever is about to change the item has it unchanged in the table still.
        let (key, item) = unsafe { (T::key(raw), T::view(raw)) };
        if hash >> SHIFT >= self.from && self.touched.insert(key.into()) {
            self.saved.push((self.copy)(item));
        }
    }

    #[cold]
    fn note_new(&mut self, hash: u64, raw: NonNull<u8>) {
        if hash >> SHIFT >= self.from {
            // SAFETY: the item was given up a moment ago, to go into the table.
            self.touched.insert(unsafe { T::key(raw) }.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Member, Random, Table, hash};
    use std::collections::BTreeSet;

    fn insert(table: &mut Table<Member>, member: &str) {
        let member = member.as_bytes();
        if table.get(hash(member), member).is_none() {
            table.insert_new(hash(member), Member::new(member));
        }
    }

    #[test]
    fn a_walk_shows_what_was_there_when_it_began() {
        for seed in 0..25 {
            let random = &mut Random::new(seed);
            let mut table = Table::new();
            let range = 1 + random.below(1200);
            for _ in 0..random.below(1200) {
                insert(&mut table, &random.below(range).to_string());
            }
            let text = |member: &[u8]| String::from_utf8(member.to_vec()).expect("digits");
            let expected: BTreeSet<String> = table.iter().map(text).collect();
            table.begin_walk(Member::new);
            let mut seen = Vec::new();
            let hurry = 1 + random.below(40);
            while !table.walk_on(&mut (1 + random.below(hurry)), &mut |member| {
                seen.push(text(member));
                1
            }) {
                for _ in 0..random.below(30) {
                    let member = random.below(range).to_string();
                    match random.below(60) {
                        0..30 => insert(&mut table, &member),
                        30 => table.retain(|own| own.bytes() != member.as_bytes()),
                        _ => drop(table.remove(hash(member.as_bytes()), member.as_bytes())),
                    }
                }
            }
            assert_eq!(seen.len(), expected.len(), "seed {seed}");
            assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected, "seed {seed}");
        }
    }
}
