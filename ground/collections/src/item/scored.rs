//! The member of a sorted set: a score and bytes in one heap block, which the ordered tree points to as well.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::{Keyed, Shared, length_bytes, read_length, write_length};
use crate::memory;

/// A member of a sorted set with its score.
///
/// The block never moves while the member lives, whatever its score becomes, so that an ordered tree may keep a
/// [`ScoredPointer`] to it.
pub struct Scored {
    /// Invariant: a block with the score (8 bytes), the length `n` and then that many bytes.
    block: NonNull<u8>,
}

/// Where the score ends and the length begins.
const LENGTH_AT: usize = 8;

// SAFETY: the block is owned; shared references only read.
unsafe impl Send for Scored {}
// SAFETY: as above.
unsafe impl Sync for Scored {}

impl Scored {
    /// Copies `member` (fewer than 2³² bytes) into a block of its own.
    pub fn new(score: f64, member: &[u8]) -> Scored {
        let block = memory::allocate(LENGTH_AT + length_bytes(member.len()) + member.len());
        // SAFETY: the block has room for all three, is aligned for the score, and is new, so it cannot overlap `member`.
        unsafe {
            block.cast::<f64>().write(score);
            let at = write_length(block.as_ptr().add(LENGTH_AT), member.len());
            at.copy_from_nonoverlapping(member.as_ptr(), member.len());
        }
        Scored { block }
    }

    /// The score.
    #[inline]
    pub fn score(&self) -> f64 {
        self.shared().score()
    }

    /// Changes the score in place. An ordered tree must have taken the member out before.
    #[inline]
    pub fn set_score(&mut self, score: f64) {
        // SAFETY: the block is owned, begins with the score, and `&mut` makes this the only access.
        unsafe { self.block.cast::<f64>().write(score) }
    }

    /// The member's bytes.
    #[inline]
    pub fn member(&self) -> &[u8] {
        // SAFETY: the block lives as long as `self`.
        unsafe { Scored::key(self.block) }
    }

    /// The stable address of the member.
    #[inline]
    pub fn pointer(&self) -> ScoredPointer {
        ScoredPointer(self.block)
    }

    /// Bytes of memory that the member takes.
    pub fn memory_bytes(&self) -> usize {
        self.shared().memory_bytes()
    }

    #[inline]
    fn shared(&self) -> ScoredRef<'_> {
        ScoredRef(Shared { block: self.block, owner: PhantomData })
    }
}

impl Drop for Scored {
    fn drop(&mut self) {
        let length = self.member().len();
        // SAFETY: by the invariant this is the size that `new` allocated.
        unsafe { memory::free(self.block, LENGTH_AT + length_bytes(length) + length) }
    }
}

/// A shared reference to a [`Scored`].
#[derive(Clone, Copy)]
pub struct ScoredRef<'a>(Shared<'a, Scored>);

impl<'a> ScoredRef<'a> {
    /// The score.
    #[inline]
    pub fn score(self) -> f64 {
        // SAFETY: the block is alive for `'a` and begins with the score.
        unsafe { self.0.block.cast::<f64>().read() }
    }

    /// The member's bytes.
    #[inline]
    pub fn member(self) -> &'a [u8] {
        // SAFETY: the block is alive and unchanged for `'a`.
        unsafe { Scored::key(self.0.block) }
    }

    /// The stable address of the member.
    #[inline]
    pub fn pointer(self) -> ScoredPointer {
        ScoredPointer(self.0.block)
    }

    /// Bytes of memory that the member takes.
    pub fn memory_bytes(self) -> usize {
        let length = self.member().len();
        memory::size_class(LENGTH_AT + length_bytes(length) + length)
    }
}

/// The address of a [`Scored`] that something else owns: what the ordered tree keeps. Eight bytes, never null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScoredPointer(NonNull<u8>);

// SAFETY: an address; whoever reads through it promises that the member is alive and not being changed.
unsafe impl Send for ScoredPointer {}
// SAFETY: as above.
unsafe impl Sync for ScoredPointer {}

impl ScoredPointer {
    /// Looks at the member.
    ///
    /// # Safety
    /// The member is alive, and its score is not changed, during `'a`.
    #[inline]
    pub unsafe fn get<'a>(self) -> ScoredRef<'a> {
        ScoredRef(Shared { block: self.0, owner: PhantomData })
    }

    /// The address as a number, to be packed with others.
    #[inline]
    pub fn as_ptr(self) -> NonNull<u8> {
        self.0
    }

    /// The reverse of [`ScoredPointer::as_ptr`].
    #[inline]
    pub fn from_ptr(pointer: NonNull<u8>) -> ScoredPointer {
        ScoredPointer(pointer)
    }
}

// SAFETY: `memory::allocate` gives user-space addresses aligned to 8; a member's bytes never change after `new`.
unsafe impl Keyed for Scored {
    type Ref<'a> = ScoredRef<'a>;

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).block
    }

    #[inline]
    unsafe fn from_raw(block: NonNull<u8>) -> Self {
        Scored { block }
    }

    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> ScoredRef<'a> {
        ScoredRef(Shared { block: raw, owner: PhantomData })
    }

    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: by the invariant the length after the score is followed by that many bytes.
        unsafe {
            let (length, bytes) = read_length(raw.as_ptr().add(LENGTH_AT));
            std::slice::from_raw_parts(bytes, length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scored_member_keeps_bytes_and_place_when_the_score_changes() {
        for length in [0, 1, 7, 254, 255, 5000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut scored = Scored::new(1.5, &bytes);
            let pointer = scored.pointer();
            scored.set_score(-0.0);
            assert!(scored.score() == 0.0 && scored.score().is_sign_negative());
            assert_eq!(scored.member(), bytes);
            assert_eq!(scored.pointer(), pointer);
            // SAFETY: `scored` is alive and not changed meanwhile.
            let seen = unsafe { pointer.get() };
            assert_eq!(seen.member(), bytes);
            assert_eq!(seen.memory_bytes(), scored.memory_bytes());
        }
    }
}
