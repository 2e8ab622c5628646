//! The door through which a collection is changed: in place when it is large, through a copy when it lies inline.
//!
//! The copy is made at the first change that needs it: to look (`Edit::view`) or to overwrite bytes (`Edit::packed_mut`) does not.

use crate::Entry;
use crate::snapshot::TableCut;
use ochre_collections::{ObjectSlot, Slot, VacantSlot};
use ochre_collections::{Value, View};
use ochre_values::{Collection, Object, Packing};
use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};

/// Packed collections up to this length, in bytes, lie inside their entry.
pub(crate) const INLINE_PACKED_BYTES_MAX: usize = 256;

enum Place<'a> {
    /// The collection is an object in its entry, edited where it is.
    Object(ObjectSlot<'a, Object>),
    /// The collection lies in its entry; once there is a copy, that goes back when the edit ends.
    Inline(Slot<'a, Entry>),
    /// The key does not exist yet: it is made when the edit ends with something in it.
    Vacant { slot: VacantSlot<'a, Entry>, key: &'a [u8], clock: u32, epoch: u8 },
}

/// A collection being edited. When the edit ends, a new key is made, an empty one removed, a small one packed inline.
pub struct Edit<'a, C: Collection> {
    place: Option<Place<'a>>,
    /// The collection as it is being changed, unless that happens where it is.
    copy: OnceCell<C>,
    deadlines: &'a mut usize,
    /// What a snapshot has still to see: an emptied collection may be on its way there.
    cut: &'a mut TableCut,
}

impl<'a, C: Collection> Edit<'a, C> {
    /// Edits the collection in `slot`; `None` when the value is of another type.
    #[inline]
    pub(crate) fn of(slot: Slot<'a, Entry>, deadlines: &'a mut usize, cut: &'a mut TableCut) -> Option<Self> {
        match slot.into_object() {
            Ok(object) => {
                C::in_object(&object)?;
                Some(Edit { place: Some(Place::Object(object)), copy: OnceCell::new(), deadlines, cut })
            }
            Err(slot) => {
                let View::Packed { kind, bytes } = slot.item().view() else { return None };
                C::packed_ref(Packing::from_byte(kind)?, bytes)?;
                Some(Edit { place: Some(Place::Inline(slot)), copy: OnceCell::new(), deadlines, cut })
            }
        }
    }

    /// Edits a new collection under `key`, whose entry is to have this clock and snapshot epoch.
    pub(crate) fn new(
        slot: VacantSlot<'a, Entry>,
        key: &'a [u8],
        clock: u32,
        epoch: u8,
        deadlines: &'a mut usize,
        cut: &'a mut TableCut,
    ) -> Self {
        Edit { place: Some(Place::Vacant { slot, key, clock, epoch }), copy: OnceCell::new(), deadlines, cut }
    }

    /// The collection as it is now, to read. Copies nothing.
    #[inline]
    pub fn view(&self) -> C::Ref<'_> {
        match (self.copy.get(), &self.place) {
            (None, Some(Place::Inline(slot))) => inline_in::<C>(slot),
            _ => self.deref().as_ref(),
        }
    }

    /// The bytes of a collection that lies inline and has not been changed otherwise in this edit. They may be overwritten,
    /// but must stay a valid packing.
    #[inline]
    pub fn packed_mut(&mut self) -> Option<(Packing, &mut [u8])> {
        match (self.copy.get(), &mut self.place) {
            (None, Some(Place::Inline(slot))) => {
                let (kind, bytes) = slot.packed_mut()?;
                Some((Packing::from_byte(kind)?, bytes))
            }
            _ => None,
        }
    }

    /// Ends the edit and says whether the key exists no more (or never came to be).
    pub fn finish(mut self) -> bool {
        self.store()
    }

    /// Ends an edit that turned out to change nothing: what lies inline is not written again.
    pub fn cancel(mut self) {
        self.place = None;
    }

    /// Ends the edit, unless it has ended.
    #[inline]
    fn store(&mut self) -> bool {
        match &self.place {
            None => false,
            // The usual case of a large collection: it stays where it is.
            Some(Place::Object(object))
                if C::in_object(object).is_some_and(|c| !c.is_empty() && c.next_expiry_ms().is_none()) =>
            {
                self.place = None;
                false
            }
            Some(Place::Inline(_)) if self.copy.get().is_none() => {
                self.place = None;
                false
            }
            Some(_) => self.store_elsewhere(),
        }
    }

    fn store_elsewhere(&mut self) -> bool {
        let Some(place) = self.place.take() else { return false };
        let changed = match (&place, self.copy.get()) {
            (_, Some(copy)) => Some(copy),
            (Place::Object(object), None) => C::in_object(object),
            _ => None,
        };
        let empty = changed.is_some_and(C::is_empty);
        // The active expiry looks at the collection by then.
        let next_expiry_ms = changed.and_then(C::next_expiry_ms);
        let (mut slot, copy) = match (place, self.copy.take()) {
            (Place::Object(object), _) => (object.into_slot(), None),
            (Place::Inline(slot), copy) => (slot, copy),
            (Place::Vacant { slot, key, clock, epoch }, Some(copy)) if !empty => {
                let mut entry = match small_pack(&copy) {
                    Some((packing, bytes)) => Entry::new(key, Value::Packed { kind: packing as u8, bytes }, None),
                    None => Entry::new(key, Value::Object(copy.into_object()), None),
                };
                entry.as_ref().touch(clock);
                entry.as_mut().set_epoch(epoch);
                note_expiry(&mut slot.insert(entry), next_expiry_ms);
                return false;
            }
            (Place::Vacant { .. }, _) => return true,
        };
        if empty {
            *self.deadlines -= usize::from(slot.item().expiry_ms().is_some());
            let hash = slot.hash();
            // Only what is being shown to a snapshot is kept.
            drop(self.cut.offer(hash, slot.remove()));
        } else {
            if let Some(copy) = copy {
                store_in(&mut slot, copy);
            }
            note_expiry(&mut slot, next_expiry_ms);
        }
        empty
    }
}

#[inline]
fn note_expiry(slot: &mut Slot<'_, Entry>, next_expiry_ms: Option<u64>) {
    if let Some(deadline_ms) = next_expiry_ms {
        slot.note_deadline(deadline_ms);
    }
}

/// Keeps `collection` as the value of `slot`: inline when it is packed and small.
fn store_in<C: Collection>(slot: &mut Slot<'_, Entry>, collection: C) {
    match small_pack(&collection) {
        Some((packing, bytes)) => slot.set_value(Value::Packed { kind: packing as u8, bytes }),
        None => slot.set_value(Value::Object(collection.into_object())),
    }
}

/// The bytes of a collection that is to lie inline.
pub(crate) fn small_pack<C: Collection>(collection: &C) -> Option<(Packing, &[u8])> {
    collection.pack().filter(|(_, bytes)| bytes.len() <= INLINE_PACKED_BYTES_MAX)
}

/// The collection that lies in the entry of `slot`.
#[inline]
fn inline_in<'s, C: Collection>(slot: &'s Slot<'_, Entry>) -> C::Ref<'s> {
    match slot.item().view() {
        View::Packed { kind, bytes } => Packing::from_byte(kind).and_then(|packing| C::packed_ref(packing, bytes)),
        _ => None,
    }
    .expect("the type was checked when the edit began")
}

/// The collection to change: what lies inline is copied out, for a key that is not there a new one is made.
fn copy_for<C: Collection>(place: &Option<Place<'_>>) -> C {
    match place {
        Some(Place::Inline(slot)) => match slot.item().view() {
            View::Packed { kind, bytes } => Packing::from_byte(kind).and_then(|packing| C::unpack(packing, bytes)),
            _ => None,
        }
        .expect("the type was checked when the edit began"),
        _ => C::new(),
    }
}

impl<C: Collection> Deref for Edit<'_, C> {
    type Target = C;

    #[inline]
    fn deref(&self) -> &C {
        match &self.place {
            Some(Place::Object(object)) => C::in_object(object).expect("the type was checked when the edit began"),
            place => self.copy.get_or_init(|| copy_for(place)),
        }
    }
}

impl<C: Collection> DerefMut for Edit<'_, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut C {
        match &mut self.place {
            Some(Place::Object(object)) => C::in_object_mut(object).expect("the type was checked when the edit began"),
            place => {
                self.copy.get_or_init(|| copy_for(place));
                self.copy.get_mut().expect("it was just made")
            }
        }
    }
}

impl<C: Collection> Drop for Edit<'_, C> {
    fn drop(&mut self) {
        self.store();
    }
}
