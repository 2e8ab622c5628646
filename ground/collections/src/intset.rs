//! Int set: a sorted row of integers of one width, for small sets of integers.
//!
//! The bytes are exactly those of Redis's files: `u32` bytes per integer (2, 4 or 8), `u32` integers, then the integers in ascending
//! order, all little-endian. The width is that of the widest integer ever added; it does not shrink when that one is removed.

use crate::block::Block;
use crate::listpack::Malformed;

/// Bytes before the integers.
const HEADER: usize = 8;
/// The block keeps the total length in front of the bytes.
const LENGTH: usize = 4;

/// An int set that is read where it lies. Copying it copies the reference.
///
/// Invariant: a width of 2, 4 or 8, and as many integers as the header says.
#[derive(Clone, Copy)]
pub struct IntSetRef<'a> {
    bytes: &'a [u8],
}

impl<'a> IntSetRef<'a> {
    /// Reads bytes that are known to be an int set. If they are not, reading may panic or give nonsense, but stays inside them.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> IntSetRef<'a> {
        IntSetRef { bytes }
    }

    /// Reads bytes from outside, after a check of size, width and order: O(n). An empty set passes.
    pub fn from_untrusted(bytes: &'a [u8]) -> Result<IntSetRef<'a>, Malformed> {
        let header = bytes.first_chunk::<HEADER>().ok_or(Malformed)?;
        let width = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let count = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let size = u64::from(width) * u64::from(count) + HEADER as u64;
        if !matches!(width, 2 | 4 | 8) || size != bytes.len() as u64 || bytes.len() > crate::listpack::BYTES_MAX {
            return Err(Malformed);
        }
        let set = IntSetRef { bytes };
        if set.iter().is_sorted_by(|left, right| left < right) { Ok(set) } else { Err(Malformed) }
    }

    /// The bytes themselves, header included.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number of integers.
    #[inline]
    pub fn len(&self) -> usize {
        u32::from_le_bytes([self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]]) as usize
    }

    /// Whether there is no integer.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes per integer.
    #[inline]
    fn width(&self) -> usize {
        usize::from(self.bytes[0])
    }

    #[inline]
    fn integers(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }

    /// The integer at `index` in ascending order.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        match self.width() {
            2 => self.integers().as_chunks().0.get(index).map(|&bytes| i16::from_le_bytes(bytes).into()),
            4 => self.integers().as_chunks().0.get(index).map(|&bytes| i32::from_le_bytes(bytes).into()),
            _ => self.integers().as_chunks().0.get(index).map(|&bytes| i64::from_le_bytes(bytes)),
        }
    }

    /// The smallest integer.
    #[inline]
    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    /// The largest integer.
    #[inline]
    pub fn max(&self) -> Option<i64> {
        self.get(self.len().wrapping_sub(1))
    }

    /// Whether the set has this integer: O(log n).
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// The index of the integer, or the one at which it would be inserted.
    #[inline]
    fn search(&self, value: i64) -> Result<usize, usize> {
        // An integer that is too wide for the set is before or after all of it.
        let outside = if value < 0 { Err(0) } else { Err(self.len()) };
        let integers = self.integers();
        match self.width() {
            2 => i16::try_from(value).map_or(outside, |value| {
                integers.as_chunks().0.binary_search_by(|&bytes| i16::from_le_bytes(bytes).cmp(&value))
            }),
            4 => i32::try_from(value).map_or(outside, |value| {
                integers.as_chunks().0.binary_search_by(|&bytes| i32::from_le_bytes(bytes).cmp(&value))
            }),
            _ => integers.as_chunks().0.binary_search_by(|&bytes| i64::from_le_bytes(bytes).cmp(&value)),
        }
    }

    /// An integer chosen by a random number, each with the same chance.
    #[inline]
    pub fn random(&self, random: u64) -> Option<i64> {
        self.get(((u128::from(random) * self.len() as u128) >> 64) as usize)
    }

    /// The integers in ascending order.
    #[inline]
    pub fn iter(&self) -> Iter<'a> {
        Iter { set: *self, indices: 0..self.len() }
    }
}

impl std::fmt::Debug for IntSetRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for IntSetRef<'a> {
    type Item = i64;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The integers of a set in ascending order, from either end.
#[derive(Clone)]
pub struct Iter<'a> {
    set: IntSetRef<'a>,
    indices: std::ops::Range<usize>,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        self.set.get(self.indices.next()?)
    }

    #[inline]
    fn nth(&mut self, skipped: usize) -> Option<i64> {
        self.set.get(self.indices.nth(skipped)?)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<i64> {
        self.set.get(self.indices.next_back()?)
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl std::iter::FusedIterator for Iter<'_> {}

/// An int set that is owned: one pointer to one heap block. It holds up to 2^27 integers; sets become tables long before.
#[derive(Clone)]
pub struct IntSet {
    /// Invariant: after the length that belongs to the block, its content is a valid int set.
    block: Block,
}

impl IntSet {
    /// An empty set.
    pub fn new() -> IntSet {
        IntSet::with_header(2, 0)
    }

    /// A set of this width that has room for `count` integers and holds none.
    fn with_header(width: usize, count: usize) -> IntSet {
        let content = [(LENGTH + HEADER) as u8, 0, 0, 0, width as u8, 0, 0, 0, 0, 0, 0, 0];
        IntSet { block: Block::with_content(&content, width * count) }
    }

    /// A copy of bytes that are known to be an int set.
    pub fn from_bytes(bytes: &[u8]) -> IntSet {
        debug_assert!(IntSetRef::from_untrusted(bytes).is_ok());
        let total = u32::try_from(bytes.len() + LENGTH).expect("an int set is kept far below 4 GiB");
        IntSet { block: Block::with_content(&[&total.to_le_bytes(), bytes].concat(), 0) }
    }

    /// A copy of bytes from outside, after a check of size, width and order: O(n).
    pub fn from_untrusted(bytes: &[u8]) -> Result<IntSet, Malformed> {
        IntSetRef::from_untrusted(bytes)?;
        Ok(IntSet::from_bytes(bytes))
    }

    /// The bytes, header included: what a file holds.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.block.bytes()[LENGTH..]
    }

    /// The set for reading: everything that does not change it is there.
    #[inline]
    pub fn view(&self) -> IntSetRef<'_> {
        IntSetRef { bytes: self.as_bytes() }
    }

    /// The size of the heap block, in bytes.
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.block.capacity()
    }

    /// The number of integers.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no integer.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Whether the set has this integer: O(log n).
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.view().contains(value)
    }

    /// The integer at `index` in ascending order.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        self.view().get(index)
    }

    /// The integers in ascending order.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        self.view().iter()
    }

    /// Adds an integer and returns whether it is new. O(n) bytes moved, O(1) for a new smallest or largest one.
    pub fn insert(&mut self, value: i64) -> bool {
        let view = self.view();
        let width = view.width();
        if width < width_of(value) {
            self.widen(width_of(value));
            return self.insert(value);
        }
        let count = view.len();
        let index = match view.max() {
            Some(max) if value <= max => match view.search(value) {
                Ok(_) => return false,
                Err(index) => index,
            },
            _ => count,
        };
        self.block.splice(LENGTH + HEADER + index * width, 0, width).copy_from_slice(&value.to_le_bytes()[..width]);
        self.set_len(count + 1);
        true
    }

    /// Removes an integer and returns whether it was there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.view().search(value) else { return false };
        let (width, count) = (self.view().width(), self.len());
        self.block.splice(LENGTH + HEADER + index * width, width, 0);
        self.set_len(count - 1);
        true
    }

    /// Gives back the slack that changes have left.
    pub fn shrink_to_fit(&mut self) {
        self.block.resize(0);
    }

    #[cold]
    fn widen(&mut self, width: usize) {
        let mut wider = IntSet::with_header(width, self.len() + 1);
        let row = wider.block.splice(LENGTH + HEADER, 0, width * self.len());
        for (place, value) in row.chunks_exact_mut(width).zip(self.iter()) {
            place.copy_from_slice(&value.to_le_bytes()[..width]);
        }
        wider.set_len(self.len());
        *self = wider;
    }

    #[inline]
    fn set_len(&mut self, count: usize) {
        // The header's second half; the block's own length is not part of `body_mut`.
        self.block.body_mut()[4..8].copy_from_slice(&(count as u32).to_le_bytes());
    }
}

/// The bytes that this integer needs.
#[inline]
fn width_of(value: i64) -> usize {
    match value {
        -0x8000..=0x7FFF => 2,
        -0x8000_0000..=0x7FFF_FFFF => 4,
        _ => 8,
    }
}

impl Default for IntSet {
    fn default() -> IntSet {
        IntSet::new()
    }
}

impl PartialEq for IntSet {
    fn eq(&self, other: &IntSet) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for IntSet {}

impl std::fmt::Debug for IntSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

impl<'a> IntoIterator for &'a IntSet {
    type Item = i64;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl FromIterator<i64> for IntSet {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> IntSet {
        let mut set = IntSet::new();
        set.extend(values);
        set
    }
}

impl Extend<i64> for IntSet {
    fn extend<I: IntoIterator<Item = i64>>(&mut self, values: I) {
        for value in values {
            self.insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What `DUMP` of Redis 7.0.15 holds for these sets.
    #[test]
    fn bytes_are_those_of_redis() {
        let narrow: &[u8] = &[2, 0, 0, 0, 4, 0, 0, 0, 0xFD, 0xFF, 1, 0, 5, 0, 100, 0];
        let middle: &[u8] = &[4, 0, 0, 0, 3, 0, 0, 0, 0xFF, 0x7F, 0xFF, 0xFF, 1, 0, 0, 0, 5, 0, 0, 0];
        let wide: &[u8] = &[
            8, 0, 0, 0, 4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0,
            0, 0, 0, 0, 0xFF, 0x7F, 0, 0, 0, 0, 0, 0,
        ];
        for (values, bytes) in
            [(&[5, 1, -3, 100][..], narrow), (&[5, 1, -32769], middle), (&[5, 1, -2147483649, 32767], wide)]
        {
            assert_eq!(values.iter().copied().collect::<IntSet>().as_bytes(), bytes);
            assert!(
                IntSet::from_untrusted(bytes)
                    .expect("Redis wrote it")
                    .iter()
                    .eq(values.iter().copied().collect::<BTreeSet<_>>())
            );
        }
    }

    #[test]
    fn what_is_not_an_int_set_is_refused() {
        let good = [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0];
        assert!(IntSet::from_untrusted(&good).is_ok());
        for (at, byte) in [(0, 3), (0, 4), (0, 0), (3, 1), (4, 1), (4, 3), (7, 0x80), (8, 2), (8, 3), (11, 0x80)] {
            let mut bad = good;
            bad[at] = byte;
            assert!(IntSet::from_untrusted(&bad).is_err(), "byte {at} = {byte}");
        }
        for length in 0..good.len() {
            assert!(IntSet::from_untrusted(&good[..length]).is_err());
        }
        assert!(IntSet::from_untrusted(&[0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(IntSet::from_untrusted(&[2, 0, 0, 0, 0, 0, 0, 0]).is_ok_and(|set| set.is_empty()));
    }

    #[test]
    fn a_random_number_reaches_every_integer() {
        let set: IntSet = (0..7).collect();
        let reached: BTreeSet<_> = (0..70).filter_map(|step| set.view().random(step * (u64::MAX / 70))).collect();
        assert_eq!(reached.len(), 7);
        assert_eq!(set.view().random(u64::MAX), Some(6));
        assert_eq!(IntSet::new().view().random(u64::MAX), None);
    }

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => -20i64..20,
            2 => prop::sample::select(vec![i64::from(i16::MIN), i64::from(i16::MAX), -32_769, 32_768]),
            1 => prop::sample::select(vec![i64::from(i32::MIN), i64::from(i32::MAX), -2_147_483_649, 2_147_483_648]),
            1 => prop::sample::select(vec![i64::MIN, i64::MAX]),
            1 => any::<i64>(),
        ]
    }

    proptest! {
        #[test]
        fn changes_agree_with_a_btree_set(changes in prop::collection::vec((any::<bool>(), value()), 1..200)) {
            let (mut set, mut model) = (IntSet::new(), BTreeSet::new());
            for (insert, value) in changes {
                prop_assert_eq!(set.contains(value), model.contains(&value));
                if insert {
                    prop_assert_eq!(set.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.len(), model.len());
            }
            let copy = IntSet::from_untrusted(set.as_bytes()).expect("every change leaves a valid set");
            prop_assert!(copy.iter().eq(model.iter().copied()));
            prop_assert!(set.iter().rev().eq(model.iter().rev().copied()));
            prop_assert_eq!(set.view().min(), model.first().copied());
            prop_assert_eq!(set.view().max(), model.last().copied());
            for (index, value) in model.iter().enumerate() {
                prop_assert_eq!(set.get(index), Some(*value));
            }
            prop_assert_eq!(set.get(model.len()), None);
        }
    }
}
