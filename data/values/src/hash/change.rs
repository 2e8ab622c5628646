//! Changing a hash, and the changes of encoding that follow from it.

use super::{Fields, Hash};
use crate::{Limits, Packing};
use ochre_collections::listpack::{self, INTEGER_TEXT_MAX, Listpack, ListpackRef};
use ochre_collections::{Field, Lookup, hash};

/// What becomes of a field's deadline when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// The field has none afterwards.
    Clear,
    /// The old one stays, unless it has passed.
    Keep,
    /// Unix time in ms.
    At(u64),
}

/// What was there before a field was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Missing,
    Living,
    /// A field whose deadline had passed: for everybody else it was missing already.
    Expired,
}

impl Hash {
    /// Sets the field `name`.
    pub fn set(&mut self, name: &[u8], value: &[u8], deadline: Deadline, now_ms: u64, limits: &Limits) -> Before {
        match self {
            Hash::Packed(pack) => match set_packed(pack, name, value, deadline, limits) {
                Some(before) => before,
                None => self.make_table(1).set(name, value, deadline, now_ms),
            },
            Hash::Table(fields) => fields.set(name, value, deadline, now_ms),
        }
    }

    /// Sets the field `name` of a hash whose packed bytes lie anywhere, if it is there and the new value takes exactly as many
    /// bytes; says whether it did. Else nothing is changed.
    #[inline]
    pub fn overwrite(packing: Packing, bytes: &mut [u8], name: &[u8], value: &[u8], limits: &Limits) -> bool {
        if packing != Packing::Hash || value.len() > limits.hash_max_listpack_value_bytes {
            return false;
        }
        match ListpackRef::new(bytes).find_pair(name) {
            Some((_, at)) => listpack::overwrite(bytes, at, value),
            None => false,
        }
    }

    /// Takes the field `name` out; says whether it lived. One that is due is left to `remove_due_fields`, which tells of it.
    pub fn remove(&mut self, name: &[u8], now_ms: u64) -> bool {
        match self {
            Hash::Packed(pack) => match pack.view().find(name, 1) {
                Some(at) => {
                    pack.remove(at, 2);
                    true
                }
                None => false,
            },
            Hash::Table(fields) => fields.remove(name, now_ms),
        }
    }

    /// Sets or takes away the deadline of the field `name`; says whether it lives.
    pub fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<u64>, now_ms: u64) -> bool {
        match self {
            Hash::Packed(pack) => {
                let lives = pack.view().find(name, 1).is_some();
                if lives && deadline_ms.is_some() {
                    self.make_table(0).set_deadline(name, deadline_ms, now_ms);
                }
                lives
            }
            Hash::Table(fields) => fields.set_deadline(name, deadline_ms, now_ms),
        }
    }

    /// Prepares for `more` fields of `bytes` bytes of names and values together, which may turn out to be there already.
    #[inline]
    pub fn prepare(&mut self, more: usize, bytes: usize, limits: &Limits) {
        match self {
            Hash::Packed(_) if more > limits.hash_max_listpack_entries => {
                self.make_table(more);
            }
            // Two bytes around each short text; longer ones are rare here.
            Hash::Packed(pack) if more > 1 && pack.is_empty() => pack.reserve(bytes + 4 * more),
            _ => {}
        }
    }

    /// Changes to a table with room for `more` fields.
    #[cold]
    pub(super) fn make_table(&mut self, more: usize) -> &mut Fields {
        if let Hash::Packed(pack) = self {
            let mut fields = Fields::with_capacity(pack.len() / 2 + more);
            let (mut name_buffer, mut value_buffer) = ([0; INTEGER_TEXT_MAX], [0; INTEGER_TEXT_MAX]);
            for (name, value) in pack.view().iter_pairs() {
                fields.insert_new(name.as_bytes(&mut name_buffer), value.as_bytes(&mut value_buffer), None);
            }
            *self = Hash::Table(Box::new(fields));
        }
        match self {
            Hash::Table(fields) => fields,
            Hash::Packed(_) => unreachable!("it was just made a table"),
        }
    }
}

/// Sets a field in a packed list; `None` when it takes a table.
#[inline]
fn set_packed(pack: &mut Listpack, name: &[u8], value: &[u8], deadline: Deadline, limits: &Limits) -> Option<Before> {
    let bytes_max = limits.hash_max_listpack_value_bytes;
    if matches!(deadline, Deadline::At(_)) || name.len() > bytes_max || value.len() > bytes_max {
        return None;
    }
    if let Some((_, at)) = pack.view().find_pair(name) {
        if !pack.has_room(value.len()) {
            return None;
        }
        pack.replace(at, value);
        return Some(Before::Living);
    }
    if pack.len() / 2 >= limits.hash_max_listpack_entries || !pack.has_room(name.len() + value.len() + 10) {
        return None;
    }
    pack.push_back(name);
    pack.push_back(value);
    Some(Before::Missing)
}

impl Fields {
    fn set(&mut self, name: &[u8], value: &[u8], deadline: Deadline, now_ms: u64) -> Before {
        let hash = hash(name);
        match self.table.entry(hash, name) {
            Lookup::Found(mut slot) => {
                let old = slot.item().expiry_ms();
                if old.is_none() && !matches!(deadline, Deadline::At(_)) {
                    slot.update(|field| field.set_value(value));
                    return Before::Living;
                }
                let due = old.is_some_and(|at| at <= now_ms);
                let new = match deadline {
                    Deadline::Clear => None,
                    Deadline::Keep => old.filter(|_| !due),
                    Deadline::At(at) => Some(at),
                };
                slot.update(|field| {
                    if old.is_some() == new.is_some() {
                        field.set_expiry_ms(new);
                        field.set_value(value);
                    } else {
                        *field = Field::new(name, value, new);
                    }
                });
                if let Some(at) = new {
                    slot.note_deadline(at);
                }
                self.deadlines = self.deadlines + usize::from(new.is_some()) - usize::from(old.is_some());
                if due { Before::Expired } else { Before::Living }
            }
            Lookup::Vacant(slot) => {
                let deadline_ms = match deadline {
                    Deadline::At(at) => Some(at),
                    Deadline::Clear | Deadline::Keep => None,
                };
                let mut slot = slot.insert(Field::new(name, value, deadline_ms));
                if let Some(at) = deadline_ms {
                    slot.note_deadline(at);
                    self.deadlines += 1;
                }
                Before::Missing
            }
        }
    }

    fn remove(&mut self, name: &[u8], now_ms: u64) -> bool {
        let Some(slot) = self.table.find(hash(name), name) else { return false };
        let deadline_ms = slot.item().expiry_ms();
        if deadline_ms.is_some_and(|at| at <= now_ms) {
            return false;
        }
        slot.remove();
        self.deadlines -= usize::from(deadline_ms.is_some());
        true
    }

    fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<u64>, now_ms: u64) -> bool {
        let Some(mut slot) = self.table.find(hash(name), name) else { return false };
        let old = slot.item().expiry_ms();
        if old.is_some_and(|at| at <= now_ms) {
            return false;
        }
        slot.update(|field| field.set_expiry_ms(deadline_ms));
        if let Some(at) = deadline_ms {
            slot.note_deadline(at);
        }
        self.deadlines = self.deadlines + usize::from(deadline_ms.is_some()) - usize::from(old.is_some());
        true
    }
}
