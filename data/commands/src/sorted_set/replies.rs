//! Members and scores as they are replied.

use crate::Reply;
use crate::reply_item::reply_item;
use ochre_collections::listpack::Item;
use ochre_values::sorted_set::{Members, ScoredItem};

/// Announces `len` members, with their scores perhaps. Version 2 lists member and score by turns, version 3 in pairs.
#[inline]
pub(super) fn announce(reply: &mut Reply<'_>, len: usize, with_scores: bool) {
    reply.array(if with_scores && !reply.is_resp3() { len * 2 } else { len });
}

/// Replies one of the members that `announce` announced.
#[inline]
pub(super) fn reply_scored(reply: &mut Reply<'_>, item: ScoredItem<'_>, with_score: bool) {
    if with_score {
        reply_pair(reply, item.member, item.score());
    } else {
        reply_item(reply, item.member);
    }
}

/// As `reply_scored`, for a member and a score at hand.
#[inline]
pub(super) fn reply_pair(reply: &mut Reply<'_>, member: Item<'_>, score: f64) {
    if reply.is_resp3() {
        reply.array(2);
    }
    reply_item(reply, member);
    reply.double(score);
}

/// Replies these members, with their scores perhaps.
pub(super) fn reply_members(reply: &mut Reply<'_>, members: Members<'_>, with_scores: bool) {
    announce(reply, members.len(), with_scores);
    members.for_each(|item| reply_scored(reply, item, with_scores));
}
