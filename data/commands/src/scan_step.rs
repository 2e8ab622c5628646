//! One step of HSCAN, SSCAN or ZSCAN, replied the same way by all of them.

use crate::Reply;
use crate::reply_item::reply_item;
use crate::scan_options::ScanOptions;
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item};

/// What a step has seen and shows.
pub(crate) struct Step<'a> {
    options: &'a ScanOptions<'a>,
    reply: Reply<'a>,
    visited: usize,
    shown: usize,
}

impl Step<'_> {
    /// Counts an element, and replies it if its name matches: the name, then what `value` writes unless names are all that is
    /// wanted.
    #[inline]
    pub(crate) fn visit(&mut self, name: Item<'_>, value: Option<impl FnOnce(&mut Reply<'_>)>) {
        self.visited += 1;
        if !self.options.matches(name.as_bytes(&mut [0; INTEGER_TEXT_MAX])) {
            return;
        }
        reply_item(&mut self.reply, name);
        self.shown += 1;
        if let Some(value) = value.filter(|_| !self.options.no_values) {
            value(&mut self.reply);
            self.shown += 1;
        }
    }
}

/// The reply when there is nothing to walk.
pub(crate) fn reply_nothing(reply: &mut Reply<'_>) {
    reply.array(2);
    reply.bulk(b"0");
    reply.array(0);
}

/// Replies a step that begins at `cursor`: `advance` visits the elements at a cursor and answers the next one.
pub(crate) fn reply_step(
    reply: &mut Reply<'_>,
    options: &ScanOptions<'_>,
    mut cursor: u64,
    mut advance: impl FnMut(u64, &mut Step<'_>) -> u64,
) {
    // The cursor stands before the elements but is known after them.
    let mut elements = Vec::new();
    let inner = Reply::new(&mut elements, reply.protocol());
    let mut step = Step { options, reply: inner, visited: 0, shown: 0 };
    // Empty buckets are passed over, too, but not without end.
    for _ in 0..options.count.saturating_mul(10) {
        cursor = advance(cursor, &mut step);
        if cursor == 0 || step.visited >= options.count {
            break;
        }
    }
    let shown = step.shown;
    reply.array(2);
    reply.bulk_fmt(format_args!("{cursor}"));
    reply.array(shown);
    reply.raw(&elements);
}
