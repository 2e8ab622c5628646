//! Members and elements as they are kept, written into a reply without a detour.

use crate::Reply;
use ochre_collections::listpack::Item;

/// Replies the text of `item`.
#[inline]
pub(crate) fn reply_item(reply: &mut Reply<'_>, item: Item<'_>) {
    match item {
        Item::Bytes(bytes) => reply.bulk(bytes),
        Item::Int(value) => reply.bulk_i64(value),
    }
}
