//! A run of entries in one packed list, in the form that Redis keeps in memory and in its files:
//!
//! ```text
//! head:  live entries │ deleted entries │ number of fields │ field … │ 0
//! entry: flags │ ms │ seq │ value …                            with the fields of the head (flag 2)
//!        flags │ ms │ seq │ number of fields │ field │ value … with fields of its own
//!        each followed by the number of elements that it has so far, to walk backwards
//! ```
//!
//! The node is known by the id of the first entry that it was made for; the entries' `ms` and `seq` are differences from that.
//! A deleted entry keeps its place and gets flag 1.

use super::StreamId;
use ochre_collections::listpack::{Item, Iter, Listpack, ListpackRef};

/// Flags of an entry.
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// A node without its id.
#[derive(Clone)]
pub(super) struct Node {
    pack: Listpack,
}

impl Node {
    /// A node for an entry with these fields (fields and values by turns), which is yet to be added.
    pub(super) fn new<'w>(words: impl ExactSizeIterator<Item = &'w [u8]> + Clone, capacity: usize) -> Node {
        let mut pack = Listpack::with_capacity(capacity);
        pack.push_back_int(0);
        pack.push_back_int(0);
        pack.push_back_int((words.len() / 2) as i64);
        words.step_by(2).for_each(|field| pack.push_back(field));
        pack.push_back_int(0);
        Node { pack }
    }

    /// A node from the bytes of a file.
    ///
    /// Answers `None` unless every element can be read as the head or an entry, and the head's numbers are right: O(elements).
    pub(super) fn from_untrusted(master: StreamId, bytes: &[u8]) -> Option<Node> {
        let node = Node { pack: Listpack::from_untrusted(bytes).ok()? };
        let view = node.view(master);
        let head = view.head?;
        let (mut live, mut deleted, mut at) = (0, 0, head.first);
        let mut last = None;
        while at != view.pack.end() {
            let place = view.read(at)?;
            // The number that leads backwards must lead here.
            if view.before(place.next) != Some(at) || last.is_some_and(|last| last >= place.entry.id) {
                return None;
            }
            last = Some(place.entry.id);
            live += usize::from(!place.is_deleted);
            deleted += usize::from(place.is_deleted);
            at = place.next;
        }
        ((live, deleted) == (head.live, head.deleted)).then_some(node)
    }

    /// The bytes as they go to a file.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.pack.as_bytes()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.pack.memory_bytes()
    }

    /// Gives back the slack at the end: nothing will be added any more.
    pub(super) fn shrink_to_fit(&mut self) {
        self.pack.shrink_to_fit();
    }

    #[inline]
    pub(super) fn view(&self, master: StreamId) -> NodeView<'_> {
        NodeView::new(master, self.pack.view())
    }

    /// Whether another entry with words of so many bytes belongs into this node.
    pub(super) fn has_room(&self, bytes: usize, bytes_max: usize, entries_max: usize) -> bool {
        if self.pack.bytes() + bytes >= bytes_max {
            return false;
        }
        let (live, deleted) = self.counts();
        entries_max == 0 || live + deleted < entries_max
    }

    /// Live and deleted entries.
    pub(super) fn counts(&self) -> (usize, usize) {
        let mut items = self.pack.iter();
        (size(items.next()), size(items.next()))
    }

    /// Appends an entry; its id is higher than that of any before.
    pub(super) fn push<'w>(
        &mut self,
        master: StreamId,
        id: StreamId,
        words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    ) {
        let fields = words.len() / 2;
        let head = self.view(master).head.expect("a node has a head");
        let same = head.fields == fields && {
            let known = self.pack.view().iter_from(head.fields_at);
            known.zip(words.clone().step_by(2)).all(|(known, field)| known.eq_bytes(field))
        };
        let pack = &mut self.pack;
        pack.push_back_int(if same { SAME_FIELDS } else { 0 });
        pack.push_back_int(id.ms.wrapping_sub(master.ms) as i64);
        pack.push_back_int(id.seq.wrapping_sub(master.seq) as i64);
        if same {
            words.skip(1).step_by(2).for_each(|value| pack.push_back(value));
            pack.push_back_int(fields as i64 + 3);
        } else {
            pack.push_back_int(fields as i64);
            words.for_each(|word| pack.push_back(word));
            pack.push_back_int(fields as i64 * 2 + 4);
        }
        let live = head.live as i64 + 1;
        let at = pack.view().first_position().expect("a node has a head");
        pack.replace_item(at, Item::Int(live));
    }

    /// Marks the live entries at these places as deleted, and says how many are left.
    pub(super) fn delete(&mut self, places: &[usize]) -> usize {
        for place in places {
            // All flags take the same room, so that the other entries stay where they are.
            let flags = self.pack.view().at(*place).as_int().unwrap_or(0);
            self.pack.replace_item(*place, Item::Int(flags | DELETED));
        }
        let (live, deleted) = self.counts();
        let live = live.saturating_sub(places.len());
        let at = self.pack.view().first_position().expect("a node has a head");
        self.pack.replace_item(at, Item::Int(live as i64));
        let at = self.pack.view().next(at).expect("a head has two numbers");
        self.pack.replace_item(at, Item::Int((deleted + places.len()) as i64));
        live
    }

    /// Writes the node anew without its deleted entries, when these are many. Says whether it did.
    pub(super) fn tidy(&mut self, master: StreamId) -> bool {
        let (live, deleted) = self.counts();
        let is_untidy = deleted > live.max(super::DELETED_MIN);
        if is_untidy {
            *self = self.compacted(master);
        }
        is_untidy
    }

    fn compacted(&self, master: StreamId) -> Node {
        let view = self.view(master);
        let head = view.head.expect("a node has a head");
        let mut pack = Listpack::with_capacity(self.pack.bytes() / 2);
        pack.push_back_int(head.live as i64);
        pack.push_back_int(0);
        let mut copy = |from: usize, to: usize| {
            let mut items = view.pack.iter_from(from);
            while items.position() < to
                && let Some(item) = items.next()
            {
                match item {
                    Item::Int(value) => pack.push_back_int(value),
                    Item::Bytes(bytes) => pack.push_back(bytes),
                }
            }
        };
        let number_of_fields = view.pack.prev(head.fields_at).expect("the fields follow their number");
        copy(number_of_fields, head.first);
        let mut at = head.first;
        while let Some(place) = view.read(at) {
            if !place.is_deleted {
                copy(at, place.next);
            }
            at = place.next;
        }
        Node { pack }
    }
}

/// An element as a size; 0 when it is none.
fn size(item: Option<Item<'_>>) -> usize {
    item.and_then(|item| item.as_int()).and_then(|value| usize::try_from(value).ok()).unwrap_or(0)
}

/// What stands before the entries.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) live: usize,
    pub(super) deleted: usize,
    fields: usize,
    /// Where the first field stands.
    fields_at: usize,
    /// Where the first entry stands.
    pub(super) first: usize,
}

/// A node to read.
#[derive(Clone, Copy)]
pub(super) struct NodeView<'a> {
    master: StreamId,
    pack: ListpackRef<'a>,
    /// `None` where the bytes are not those of a node: then it reads as empty.
    pub(super) head: Option<Head>,
}

/// An entry and its place.
pub(super) struct Place<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) is_deleted: bool,
    /// Where the next entry stands.
    pub(super) next: usize,
}

impl<'a> NodeView<'a> {
    #[inline]
    fn new(master: StreamId, pack: ListpackRef<'a>) -> Self {
        let head = || {
            let mut items = pack.iter();
            let (live, deleted) = (items.next()?.as_int()?, items.next()?.as_int()?);
            let fields = usize::try_from(items.next()?.as_int()?).ok()?;
            let fields_at = items.position();
            items.nth(fields)?;
            let (live, deleted) = (usize::try_from(live).ok()?, usize::try_from(deleted).ok()?);
            Some(Head { live, deleted, fields, fields_at, first: items.position() })
        };
        NodeView { master, pack, head: head() }
    }

    /// The id that the node is known by.
    pub(super) fn master(&self) -> StreamId {
        self.master
    }

    /// Where the entries end.
    pub(super) fn end(&self) -> usize {
        self.pack.end()
    }

    /// The entry at `position`; `None` at the end.
    #[inline]
    pub(super) fn read(&self, position: usize) -> Option<Place<'a>> {
        let head = self.head?;
        let mut items = self.pack.iter_from(position);
        let flags = items.next()?.as_int()?;
        let (ms, seq) = (items.next()?.as_int()?, items.next()?.as_int()?);
        let id = StreamId::new(self.master.ms.wrapping_add(ms as u64), self.master.seq.wrapping_add(seq as u64));
        let same = flags & SAME_FIELDS != 0;
        let pairs = if same { head.fields } else { usize::try_from(items.next()?.as_int()?).ok()? };
        let values = items.clone();
        items.nth(if same { pairs } else { pairs.checked_mul(2)? })?;
        let fields = same.then(|| self.pack.iter_from(head.fields_at));
        let entry = Entry { id, pairs, fields, values };
        Some(Place { entry, is_deleted: flags & DELETED != 0, next: items.position() })
    }

    /// Where the entry before `position` stands; `None` before the first.
    #[inline]
    pub(super) fn before(&self, position: usize) -> Option<usize> {
        let mut items = self.pack.iter_rev_from(position);
        // The head ends with 0.
        let elements = usize::try_from(items.next()?.as_int()?).ok()?.checked_sub(1)?;
        items.nth(elements)?;
        (items.position() >= self.head?.first).then(|| items.position())
    }

    /// The id of the entry at `position` and where the next entry stands, its words unread; `None` at the end.
    #[inline]
    fn pass(&self, position: usize) -> Option<(StreamId, usize)> {
        let (flags, at) = self.pack.read(position)?;
        let (ms, at) = self.pack.read(at)?;
        let (seq, mut at) = self.pack.read(at)?;
        let elements = if flags.as_int()? & SAME_FIELDS != 0 {
            self.head?.fields
        } else {
            let (pairs, behind) = self.pack.read(at)?;
            at = behind;
            usize::try_from(pairs.as_int()?).ok()?.checked_mul(2)?
        };
        let (ms, seq) = (ms.as_int()? as u64, seq.as_int()? as u64);
        let id = StreamId::new(self.master.ms.wrapping_add(ms), self.master.seq.wrapping_add(seq));
        Some((id, self.pack.skip(at, elements.checked_add(1)?)))
    }

    /// Where the first entry stands whose id is not below `id`, found from the beginning.
    pub(super) fn seek(&self, id: StreamId) -> usize {
        let mut at = self.head.map_or(self.end(), |head| head.first);
        while let Some((found, next)) = self.pass(at)
            && found < id
        {
            at = next;
        }
        at
    }

    /// Where the first entry stands whose id is not below `id`, found from the end: quick when it is near.
    pub(super) fn seek_from_end(&self, id: StreamId) -> usize {
        let mut at = self.end();
        while let Some(before) = self.before(at)
            && self.pass(before).is_some_and(|(found, _)| found >= id)
        {
            at = before;
        }
        at
    }

    /// The live entry with this id, and where it stands.
    pub(super) fn find(&self, id: StreamId) -> Option<(usize, Entry<'a>)> {
        let at = self.seek(id);
        let place = self.read(at)?;
        (place.entry.id == id && !place.is_deleted).then_some((at, place.entry))
    }

    /// The id of the last entry, deleted or not.
    pub(super) fn last_id(&self) -> Option<StreamId> {
        Some(self.read(self.before(self.end())?)?.entry.id)
    }

    /// The live entries in order, each with its place.
    pub(super) fn live(self) -> impl Iterator<Item = (usize, Entry<'a>)> {
        let mut at = self.head.map_or(self.end(), |head| head.first);
        std::iter::from_fn(move || {
            loop {
                let position = at;
                let place = self.read(position)?;
                at = place.next;
                if !place.is_deleted {
                    return Some((position, place.entry));
                }
            }
        })
    }
}

/// An entry of a stream: its id, and fields with their values in the order in which they were given.
#[derive(Clone)]
pub struct Entry<'a> {
    pub id: StreamId,
    pairs: usize,
    /// The fields, when they are those of the node.
    fields: Option<Iter<'a>>,
    /// The values, or fields and values by turns.
    values: Iter<'a>,
}

impl<'a> Entry<'a> {
    /// Number of fields.
    pub fn len(&self) -> usize {
        self.pairs
    }

    /// Whether the entry has no field, which XADD does not allow.
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// The fields with their values.
    pub fn pairs(&self) -> impl Iterator<Item = (Item<'a>, Item<'a>)> + use<'a> {
        let (mut fields, mut values) = (self.fields.clone(), self.values.clone());
        (0..self.pairs).map_while(move |_| match &mut fields {
            Some(fields) => Some((fields.next()?, values.next()?)),
            None => Some((values.next()?, values.next()?)),
        })
    }
}
