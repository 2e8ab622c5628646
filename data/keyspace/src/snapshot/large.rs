//! Large values, which a snapshot shows piece by piece while they change, move to other keys, or go.
//!
//! The table that a value was in at the cut asks for its pieces; the table that it is in now knows it as a guest. Where that is says a
//! place that both share: a shard, or, once the value has left the keyspace, the value itself.

use super::Visitor;
use crate::Entry;
use crate::keyspace::Shard;
use ochre_collections::Slot;
use ochre_collections::lock::Guard;
use ochre_values::stream::Producers;
use ochre_values::{Element, Object, WalkShape};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What stands before the pieces of a large value.
#[derive(Clone, Debug)]
pub struct LargeHead {
    pub key: Box<[u8]>,
    pub expiry_ms: Option<u64>,
    /// The access clock at the cut.
    pub clock: u32,
    pub shape: WalkShape,
    /// What a stream remembers of its producers.
    pub producers: Option<Box<Producers>>,
}

/// Receives the pieces of one large value.
pub trait Show: Send + Sync {
    /// Whether there is room for more.
    fn has_room(&self) -> bool;
    /// The next piece. Answers how much of the step's room that took.
    fn element(&self, element: Element<'_>) -> usize;
    /// All pieces have been shown, or nobody wants the rest.
    fn end(&self);
}

/// A large value that is to be shown.
pub(super) struct Large {
    head: LargeHead,
    /// Once it has been begun.
    show: Option<Arc<dyn Show>>,
    place: Arc<Place>,
}

/// Where a large value is. Only looked at and changed by whoever holds the shard that it names.
pub(crate) struct Place(Mutex<Whereabouts>);

enum Whereabouts {
    /// In a table of this shard that has it as a guest.
    Shard(usize),
    /// It has left the keyspace.
    Own(Entry),
    /// It was there to be shown and is gone.
    Shown,
}

/// A large value in a table.
pub(super) struct Guest {
    pub(super) hash: u64,
    pub(super) key: Box<[u8]>,
    pub(super) place: Arc<Place>,
}

/// What came of a step through a large value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LargeStep {
    Ended,
    More,
    Full,
    Elsewhere(usize),
}

impl LargeHead {
    /// Begins the walk through the value of an entry; `None` when it is not large.
    pub(super) fn begin(slot: &mut Slot<'_, Entry>, elements_min: usize) -> Option<LargeHead> {
        let item = slot.item();
        let (key, expiry_ms, clock): (Box<[u8]>, _, _) = (item.key().into(), item.expiry_ms(), item.clock());
        let object = slot.object_mut()?;
        let shape = object.begin_walk(elements_min)?;
        let producers = match object {
            Object::Stream(stream) => stream.producers().cloned().map(Box::new),
            _ => None,
        };
        Some(LargeHead { key, expiry_ms, clock, shape, producers })
    }
}

impl Place {
    pub(super) fn at(shard: usize) -> Arc<Place> {
        Arc::new(Place(Mutex::new(Whereabouts::Shard(shard))))
    }

    pub(super) fn move_to(&self, shard: usize) {
        *self.lock() = Whereabouts::Shard(shard);
    }

    pub(super) fn adopt(&self, entry: Entry) {
        *self.lock() = Whereabouts::Own(entry);
    }

    fn lock(&self) -> MutexGuard<'_, Whereabouts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Large {
    pub(super) fn new(head: LargeHead, place: Arc<Place>) -> Large {
        Large { head, show: None, place }
    }

    pub(super) fn is_begun(&self) -> bool {
        self.show.is_some()
    }

    /// Whether it has left the keyspace.
    pub(super) fn is_own(&self) -> bool {
        matches!(*self.place.lock(), Whereabouts::Own(_))
    }

    /// Shows the next pieces, if the value is in a shard that `guard` holds or has left the keyspace.
    pub(super) fn walk(
        &mut self,
        guard: Option<&mut Guard<'_, Shard>>,
        given_up: bool,
        db: usize,
        room: &mut usize,
        visitor: &mut dyn Visitor,
    ) -> LargeStep {
        let place = Arc::clone(&self.place);
        let mut whereabouts = place.lock();
        let step = match &mut *whereabouts {
            Whereabouts::Own(entry) => {
                let object = entry.as_mut().object().expect("a walk goes through an object");
                self.show(object, given_up, db, room, visitor)
            }
            Whereabouts::Shown => LargeStep::Ended,
            Whereabouts::Shard(shard) => {
                let Some(guard) = guard.filter(|guard| guard.holds(*shard)) else {
                    return LargeStep::Elsewhere(*shard);
                };
                let of = |guest: &Guest| Arc::ptr_eq(&guest.place, &place);
                let databases = &mut guard.get_mut(*shard).databases;
                let database = databases.iter_mut().find(|database| database.cut.guests.iter().any(of));
                let database = database.expect("who takes a value that is being shown says where it is");
                let at = database.cut.guests.iter().position(of).expect("it was just seen");
                let guest = &database.cut.guests[at];
                let mut slot = database.table.find(guest.hash, &guest.key).expect("a guest is in its table");
                let object = slot.object_mut().expect("a walk goes through an object");
                let step = self.show(object, given_up, db, room, visitor);
                if step == LargeStep::Ended {
                    database.cut.guests.swap_remove(at);
                    database.cut.settle();
                }
                step
            }
        };
        if step == LargeStep::Ended
            && let Whereabouts::Own(entry) = std::mem::replace(&mut *whereabouts, Whereabouts::Shown)
        {
            visitor.free(entry);
        }
        step
    }

    fn show(
        &mut self,
        object: &mut Object,
        given_up: bool,
        db: usize,
        room: &mut usize,
        visitor: &mut dyn Visitor,
    ) -> LargeStep {
        if self.show.is_none() && !given_up {
            self.show = if visitor.is_full() { None } else { visitor.large(db, &self.head) };
        }
        let ended = match &self.show {
            _ if given_up => true,
            None => return LargeStep::Full,
            Some(show) if !show.has_room() => return LargeStep::Full,
            Some(show) => object.walk_on(room, &mut |element| show.element(element)),
        };
        if !ended {
            return LargeStep::More;
        }
        object.end_walk();
        if let Some(show) = self.show.take() {
            show.end();
        }
        LargeStep::Ended
    }
}
