//! What a table stores: thin owned pointers to heap blocks that know their key; and the member of a set.

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::{hash, memory};

mod field;
mod scored;

pub use field::{Field, FieldRef};
pub use scored::{Scored, ScoredPointer, ScoredRef};

/// An owner of one heap block, as thin as a pointer, that a [`crate::Table`] can keep in 48 bits.
///
/// # Safety
/// - `into_raw` gives a pointer into user space (below 2⁴⁸) that is a multiple of 8; it stays valid, and its key
///   unchanged, until `from_raw` takes it back.
/// - `from_raw(into_raw(item))` is the item again.
/// - `key` and `view` only read the block. `key` of one item is always the same bytes.
/// - `hash` of one item is always the same number.
pub unsafe trait Keyed: Sized + 'static {
    /// A shared reference to the item: what look-ups and walks hand out.
    type Ref<'a>: Copy;

    /// Gives the block up; only [`Keyed::from_raw`] frees it again.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes the block back.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and this is the only time that it is taken back.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// Looks at a block that is given up.
    ///
    /// # Safety
    /// `raw` came from `into_raw` and is neither taken back nor changed during `'a`.
    unsafe fn view<'a>(raw: NonNull<u8>) -> Self::Ref<'a>;

    /// The key by which the item is found.
    ///
    /// # Safety
    /// As for `view`.
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8];

    /// The hash of the key, by which the caller of the table looks it up too.
    ///
    /// # Safety
    /// As for `view`.
    #[inline]
    unsafe fn hash(raw: NonNull<u8>) -> u64 {
        // SAFETY: the caller's promise is the one that `key` asks for.
        hash::hash(unsafe { Self::key(raw) })
    }
}

/// Lengths up to this many bytes take one byte; longer ones take this escape and then four.
pub(crate) const LENGTH_ESCAPE: u8 = 255;

/// How many bytes a length takes.
#[inline]
pub(crate) fn length_bytes(length: usize) -> usize {
    if length < LENGTH_ESCAPE as usize { 1 } else { 5 }
}

/// A length as the four bytes of its long form.
#[inline]
pub(crate) fn long_length(length: usize) -> u32 {
    u32::try_from(length).expect("a key or value has fewer than 2³² bytes: the protocol's limit is 512 MB")
}

/// Writes a length at `at`; returns where the next thing goes.
///
/// # Safety
/// `length_bytes(length)` bytes can be written at `at`.
#[inline]
pub(crate) unsafe fn write_length(at: *mut u8, length: usize) -> *mut u8 {
    // SAFETY: the caller leaves room for exactly these bytes.
    unsafe {
        if length < LENGTH_ESCAPE as usize {
            at.write(length as u8);
            at.add(1)
        } else {
            at.write(LENGTH_ESCAPE);
            at.add(1).cast::<u32>().write_unaligned(long_length(length));
            at.add(5)
        }
    }
}

/// Reads a length that [`write_length`] wrote; returns it and where the next thing is.
///
/// # Safety
/// `at` is where `write_length` wrote.
#[inline]
pub(crate) unsafe fn read_length(at: *const u8) -> (usize, *const u8) {
    // SAFETY: the escape says whether four more bytes were written.
    unsafe {
        let short = at.read();
        if short < LENGTH_ESCAPE {
            (usize::from(short), at.add(1))
        } else {
            (at.add(1).cast::<u32>().read_unaligned() as usize, at.add(5))
        }
    }
}

/// A member of a set: its bytes in one heap block, with one byte of length (five from 255 bytes on).
pub struct Member {
    /// Invariant: a block of `size_class(length_bytes(n) + n)` with the length `n` and then that many bytes.
    block: NonNull<u8>,
}

// SAFETY: the block is owned and only read.
unsafe impl Send for Member {}
// SAFETY: as above.
unsafe impl Sync for Member {}

impl Member {
    /// Copies `bytes` (fewer than 2³²) into a block of their own.
    pub fn new(bytes: &[u8]) -> Member {
        let block = memory::allocate(length_bytes(bytes.len()) + bytes.len());
        // SAFETY: the block has room for the length and the bytes, and is new, so it cannot overlap `bytes`.
        unsafe {
            let at = write_length(block.as_ptr(), bytes.len());
            at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        Member { block }
    }

    /// The member's bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block lives as long as `self`.
        unsafe { Member::key(self.block) }
    }

    /// Bytes of memory that the member takes.
    pub fn memory_bytes(&self) -> usize {
        Member::memory_bytes_of(self.bytes())
    }

    /// Bytes of memory that a member of these bytes takes.
    pub fn memory_bytes_of(bytes: &[u8]) -> usize {
        memory::size_class(length_bytes(bytes.len()) + bytes.len())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let length = self.bytes().len();
        // SAFETY: by the invariant this is the size that `new` allocated.
        unsafe { memory::free(self.block, length_bytes(length) + length) }
    }
}

// SAFETY: `memory::allocate` gives user-space addresses aligned to 8; nothing changes a member after `new`.
unsafe impl Keyed for Member {
    type Ref<'a> = &'a [u8];

    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).block
    }

    #[inline]
    unsafe fn from_raw(block: NonNull<u8>) -> Self {
        Member { block }
    }

    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the same promise.
        unsafe { Self::key(raw) }
    }

    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: by the invariant the length is followed by that many bytes.
        unsafe {
            let (length, bytes) = read_length(raw.as_ptr());
            std::slice::from_raw_parts(bytes, length)
        }
    }
}

/// A shared reference to a block of type `T` for `'a`: the thin pointer itself, so that reading costs one hop.
pub(crate) struct Shared<'a, T> {
    pub(crate) block: NonNull<u8>,
    pub(crate) owner: PhantomData<&'a T>,
}

impl<T> Clone for Shared<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: it is a `&'a T` that skips one hop.
unsafe impl<T: Sync> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Shared<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_bytes_at_every_length() {
        for length in [0, 1, 7, 63, 254, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let member = Member::new(&bytes);
            assert_eq!(member.bytes(), bytes);
            assert!(member.memory_bytes() > length);
            let raw = member.into_raw();
            // SAFETY: `raw` was just given up and is taken back once.
            let member = unsafe { Member::from_raw(raw) };
            assert_eq!(member.bytes(), bytes);
        }
    }

    #[test]
    fn a_member_of_seven_bytes_takes_eight() {
        assert_eq!(Member::new(b"1234567").memory_bytes(), 8);
    }
}
