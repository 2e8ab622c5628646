//! A place in the order of a sorted set that is being looked for.

use crate::item::{ScoredPointer, ScoredRef};

/// A place between members: before or after all members of a score, or where one member stands or would stand.
#[derive(Clone, Copy)]
pub(super) struct Probe<'a> {
    /// Never NaN.
    pub(super) score: f64,
    pub(super) tie: Tie<'a>,
}

/// Where the place is among the members of the same score.
#[derive(Clone, Copy)]
pub(super) enum Tie<'a> {
    First,
    /// Just before this member.
    Before(&'a [u8]),
    /// Just after this member.
    After(&'a [u8]),
    Last,
}

impl Probe<'_> {
    /// Whether a member of a tree stands before this place.
    #[inline]
    pub(super) fn is_after(&self, member: ScoredPointer) -> bool {
        let member = look(member);
        self.is_after_scored(member.score(), || member.member())
    }

    /// As `is_after`, for a score that is at hand and bytes that are not.
    #[inline]
    pub(super) fn is_after_scored<'m>(&self, score: f64, member: impl FnOnce() -> &'m [u8]) -> bool {
        if score != self.score {
            return score < self.score;
        }
        match self.tie {
            Tie::First => false,
            Tie::Before(place) => member() < place,
            Tie::After(place) => member() <= place,
            Tie::Last => true,
        }
    }
}

/// A member of a tree. The reference must not outlive the borrow of the tree that the pointer came from.
#[inline]
pub(super) fn look<'a>(member: ScoredPointer) -> ScoredRef<'a> {
    // SAFETY: `Tree::insert` and `Tree::build` are promised that members stay alive and unchanged until they are taken out, and pointers
    // to members come only from a borrowed tree.
    unsafe { member.get() }
}
