//! Whether a packed value from a file holds an element twice.

use ochre_collections::Item;

/// Up to so many elements each is compared with all before it, without taking memory.
const COMPARED_MAX: usize = 12;

/// Whether two of these items, in their canonical forms, are the same. O(n log n).
pub(crate) fn any<'a>(items: impl Iterator<Item = Item<'a>> + Clone) -> bool {
    if items.clone().nth(COMPARED_MAX).is_none() {
        return items.clone().enumerate().any(|(at, item)| items.clone().take(at).any(|before| before == item));
    }
    let order = |item: &Item<'a>| match *item {
        Item::Int(value) => (value, None),
        Item::Bytes(text) => (0, Some(text)),
    };
    let mut sorted: Vec<_> = items.map(|item| order(&item)).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
