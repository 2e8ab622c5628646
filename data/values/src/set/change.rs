//! Adding and removing members, and the changes of encoding that follow.

use super::{Set, SetRef};
use crate::{Collection, Limits};
use ochre_collections::listpack::{BYTES_MAX, INTEGER_TEXT_MAX, Item, Listpack};
use ochre_collections::{IntSet, Lookup, Member, Table, hash};

/// An int set never holds more, whatever the setting says: its bytes stay within one block.
const INTS_MAX: usize = 1 << 26;

impl Set {
    /// Readies the set for `count` more members: a small encoding that could not hold even these gives way at once.
    pub fn prepare(&mut self, count: usize, limits: &Limits) {
        let too_many = match self {
            Set::Ints(_) => count > limits.set_max_intset_entries,
            Set::Packed(_) => count > limits.set_max_listpack_entries,
            Set::Table(_) => false,
        };
        if too_many {
            self.become_table();
        }
    }

    /// Adds a member and says whether it is new.
    #[inline]
    pub fn insert(&mut self, member: &[u8], limits: &Limits) -> bool {
        match self {
            Set::Table(table) => insert_in(table, member),
            Set::Packed(pack) => {
                if pack.view().find(member, 0).is_some() {
                    return false;
                }
                if fits_packed(pack, member.len(), limits) {
                    pack.push_back(member);
                } else {
                    insert_in(self.become_table(), member);
                }
                true
            }
            Set::Ints(_) => self.insert_item(Item::from_text(member), limits),
        }
    }

    /// As `insert`, for a member that another set gave.
    pub fn insert_item(&mut self, item: Item<'_>, limits: &Limits) -> bool {
        match (&mut *self, item) {
            (Set::Ints(ints), Item::Int(value)) => {
                let is_new = ints.insert(value);
                if is_new && ints.len() > limits.set_max_intset_entries.min(INTS_MAX) {
                    self.become_table();
                }
                is_new
            }
            (Set::Ints(_), Item::Bytes(text)) => match Item::from_text(text) {
                int @ Item::Int(_) => self.insert_item(int, limits),
                Item::Bytes(text) => {
                    self.insert_text_among_ints(text, limits);
                    true
                }
            },
            _ => self.insert(item.as_bytes(&mut [0; INTEGER_TEXT_MAX]), limits),
        }
    }

    /// Adds a member that is no integer to integers: they become a packed list if all of it fits, else a table.
    #[cold]
    fn insert_text_among_ints(&mut self, text: &[u8], limits: &Limits) {
        let Set::Ints(ints) = &*self else { return };
        let view = ints.view();
        let length_max = [view.min(), view.max()].into_iter().flatten().map(|value| Item::Int(value).len()).max();
        let fits = ints.len() < limits.set_max_listpack_entries
            && text.len().max(length_max.unwrap_or(0)) <= limits.set_max_listpack_value_bytes
            && ints.len() * 10 + text.len() + 32 <= BYTES_MAX;
        if fits {
            let mut pack = Listpack::new();
            ints.iter().for_each(|value| pack.push_back_int(value));
            pack.push_back(text);
            *self = Set::Packed(pack);
        } else {
            insert_in(self.become_table(), text);
        }
    }

    /// Removes a member and says whether it was there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Table(table) => table.remove(hash(member), member).is_some(),
            Set::Packed(pack) => match pack.view().find(member, 0) {
                Some(position) => {
                    pack.remove(position, 1);
                    true
                }
                None => false,
            },
            Set::Ints(ints) => match Item::from_text(member) {
                Item::Int(value) => ints.remove(value),
                Item::Bytes(_) => false,
            },
        }
    }

    /// As `remove`, for a member that another set gave.
    #[inline]
    pub fn remove_item(&mut self, item: Item<'_>) -> bool {
        match (&mut *self, item) {
            (Set::Ints(ints), Item::Int(value)) => ints.remove(value),
            _ => self.remove(item.as_bytes(&mut [0; INTEGER_TEXT_MAX])),
        }
    }

    /// Goes over to integers alone if every member is one and there are few enough: for a set that has been built anew.
    pub fn become_ints_if_possible(&mut self, limits: &Limits) {
        if matches!(self, Set::Ints(_)) || self.len() > limits.set_max_intset_entries.min(INTS_MAX) {
            return;
        }
        let ints: Option<IntSet> =
            self.iter().map(|item| item.as_int()).collect::<Option<Vec<i64>>>().map(|mut values| {
                // In order, each goes to the end of the row.
                values.sort_unstable();
                values.into_iter().collect()
            });
        if let Some(ints) = ints {
            *self = Set::Ints(ints);
        }
    }

    /// Gives back the slack that changes have left in a packed encoding.
    pub fn shrink_to_fit(&mut self) {
        match self {
            Set::Ints(ints) => ints.shrink_to_fit(),
            Set::Packed(pack) => pack.shrink_to_fit(),
            Set::Table(_) => {}
        }
    }

    /// Changes the encoding to a table, and returns that.
    #[cold]
    pub(super) fn become_table(&mut self) -> &mut Table<Member> {
        if !matches!(self, Set::Table(_)) {
            *self = Set::Table(Box::new(table_of(self.view())));
        }
        match self {
            Set::Table(table) => table,
            _ => unreachable!("it was just made a table"),
        }
    }
}

/// Whether a packed list may take one more member of this length.
fn fits_packed(pack: &Listpack, length: usize, limits: &Limits) -> bool {
    length <= limits.set_max_listpack_value_bytes
        && pack.len() < limits.set_max_listpack_entries
        && pack.has_room(length)
}

#[inline]
fn insert_in(table: &mut Table<Member>, member: &[u8]) -> bool {
    match table.entry(hash(member), member) {
        Lookup::Found(_) => false,
        Lookup::Vacant(slot) => {
            slot.insert(Member::new(member));
            true
        }
    }
}

fn table_of(set: SetRef<'_>) -> Table<Member> {
    let mut table = Table::with_capacity(set.len() + 1);
    for item in set {
        let buffer = &mut [0; INTEGER_TEXT_MAX];
        let member = item.as_bytes(buffer);
        table.insert_new(hash(member), Member::new(member));
    }
    table
}
