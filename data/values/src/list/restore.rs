//! A list from the parts of a file.

use super::List;
use crate::Limits;
use ochre_collections::chunked::Node;
use ochre_collections::{ChunkedList, listpack::Listpack};

impl List {
    /// The list of these nodes, packed if it is a single one within the limits. Empty nodes are left out.
    pub fn from_nodes(nodes: impl IntoIterator<Item = Node>, limits: &Limits) -> List {
        let mut chunked = ChunkedList::new(super::change::fill_of(limits));
        nodes.into_iter().for_each(|node| chunked.push_node(node));
        if chunked.is_empty() {
            return List::Packed(Listpack::new());
        }
        let (bytes_max, elements_max) = super::change::chunk_limits(limits.list_max_listpack_size);
        if chunked.as_packed().is_some_and(|pack| pack.len() <= elements_max) {
            match chunked.into_packed(bytes_max) {
                Ok(pack) => return List::Packed(pack),
                Err(large) => chunked = large,
            }
        }
        chunked.set_plain_from(limits.list_plain_node_bytes_min);
        List::Chunked(Box::new(chunked))
    }
}
