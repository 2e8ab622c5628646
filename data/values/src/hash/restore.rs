//! A hash from the parts of a file.

use super::Hash;
use crate::Limits;
use ochre_collections::listpack::Listpack;

impl Hash {
    /// The hash of a packed list of names and values by turns from a file, in their canonical forms; `None` when a value is missing or
    /// a name is there twice.
    pub fn from_listpack(list: Listpack, limits: &Limits) -> Option<Hash> {
        let fields = list.len() / 2;
        if !list.len().is_multiple_of(2) || crate::repeats::any(list.iter().step_by(2)) {
            return None;
        }
        let fits = fields <= limits.hash_max_listpack_entries
            && list.iter().all(|item| item.len() <= limits.hash_max_listpack_value_bytes);
        let mut hash = Hash::Packed(list);
        if !fits {
            hash.make_table(0);
        }
        Some(hash)
    }
}
