//! A set from the parts of a file.

use super::Set;
use crate::Limits;
use ochre_collections::IntSet;
use ochre_collections::listpack::Listpack;

impl Set {
    /// The set of these integers, as a table if there are more than the limits allow.
    pub fn from_ints(ints: IntSet, limits: &Limits) -> Set {
        let count = ints.len();
        let mut set = Set::Ints(ints);
        if count > limits.set_max_intset_entries {
            set.become_table();
        }
        set
    }

    /// The set of a packed list from a file, whose elements are in their canonical forms; `None` when a member is there twice.
    pub fn from_listpack(list: Listpack, limits: &Limits) -> Option<Set> {
        if crate::repeats::any(list.iter()) {
            return None;
        }
        let fits = list.len() <= limits.set_max_listpack_entries
            && list.iter().all(|item| item.len() <= limits.set_max_listpack_value_bytes);
        let mut set = Set::Packed(list);
        if !fits {
            set.become_table();
        }
        Some(set)
    }
}
