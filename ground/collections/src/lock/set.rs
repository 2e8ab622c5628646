//! A set of shard numbers that allocates nothing.

use std::fmt;

/// A keyspace has at most this many shards.
pub const SHARDS_MAX: usize = 1024;

/// A set of shards, a bit for each; walking it visits only the words that hold something, in ascending order.
#[derive(Clone, PartialEq, Eq)]
pub struct ShardSet {
    /// Invariant: bit `i` is set exactly when `words[i]` is not zero.
    filled: u16,
    words: [u64; SHARDS_MAX / 64],
}

impl ShardSet {
    #[inline]
    pub const fn new() -> Self {
        Self { filled: 0, words: [0; SHARDS_MAX / 64] }
    }

    /// The set of one shard.
    #[inline]
    pub fn of(shard: usize) -> Self {
        let mut set = Self::new();
        set.insert(shard);
        set
    }

    /// The shards `0..count`.
    ///
    /// Panics when `count` is above [`SHARDS_MAX`].
    pub fn all(count: usize) -> Self {
        (0..count).collect()
    }

    /// Adds a shard; false when it was there.
    ///
    /// Panics when `shard` is not below [`SHARDS_MAX`].
    #[inline]
    pub fn insert(&mut self, shard: usize) -> bool {
        let (word, bit) = (&mut self.words[shard / 64], 1 << (shard % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        self.filled |= 1 << (shard / 64);
        is_new
    }

    /// Whether the shard is in the set; false for a number beyond the last possible shard.
    #[inline]
    pub fn contains(&self, shard: usize) -> bool {
        self.words.get(shard / 64).is_some_and(|word| word >> (shard % 64) & 1 == 1)
    }

    /// Adds all shards of another set.
    pub fn extend_from(&mut self, other: &Self) {
        for index in bits(other.filled.into()) {
            self.words[index] |= other.words[index];
        }
        self.filled |= other.filled;
    }

    /// The shards of this set that are not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        let mut rest = Self::new();
        for index in bits(self.filled.into()) {
            rest.words[index] = self.words[index] & !other.words[index];
            rest.filled |= u16::from(rest.words[index] != 0) << index;
        }
        rest
    }

    pub fn contains_all(&self, other: &Self) -> bool {
        bits(other.filled.into()).all(|index| other.words[index] & !self.words[index] == 0)
    }

    #[inline]
    pub fn clear(&mut self) {
        for index in bits(self.filled.into()) {
            self.words[index] = 0;
        }
        self.filled = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The shard of a set of one.
    #[inline]
    pub fn only(&self) -> Option<usize> {
        if !self.filled.is_power_of_two() {
            return None;
        }
        let index = self.filled.trailing_zeros() as usize;
        let word = self.words[index];
        word.is_power_of_two().then(|| index * 64 + word.trailing_zeros() as usize)
    }

    pub fn len(&self) -> usize {
        bits(self.filled.into()).map(|index| self.words[index].count_ones() as usize).sum()
    }

    /// The highest shard of the set.
    pub fn last(&self) -> Option<usize> {
        let index = self.filled.checked_ilog2()? as usize;
        Some(index * 64 + self.words[index].ilog2() as usize)
    }

    /// The shards, ascending.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { words: &self.words, filled: self.filled, index: 0, word: 0 }
    }
}

/// Walks a [`ShardSet`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    words: &'a [u64; SHARDS_MAX / 64],
    /// The words that are still to come.
    filled: u16,
    index: usize,
    /// What is left of `words[index]`.
    word: u64,
}

impl Iterator for Iter<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.word == 0 {
            if self.filled == 0 {
                return None;
            }
            self.index = self.filled.trailing_zeros() as usize;
            self.filled &= self.filled - 1;
            self.word = self.words[self.index];
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.index * 64 + bit)
    }
}

impl Default for ShardSet {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<usize> for ShardSet {
    fn from_iter<I: IntoIterator<Item = usize>>(shards: I) -> Self {
        let mut set = Self::new();
        shards.into_iter().for_each(|shard| _ = set.insert(shard));
        set
    }
}

impl fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The numbers of the bits that are set, ascending.
#[inline]
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        let is_some = word != 0;
        word &= word.wrapping_sub(1);
        is_some.then_some(bit)
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{SHARDS_MAX, ShardSet};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_behaves_like_an_ordered_set(
            left in proptest::collection::btree_set(0..SHARDS_MAX, 0..40),
            right in proptest::collection::btree_set(0..SHARDS_MAX, 0..40),
        ) {
            let set = |numbers: &BTreeSet<usize>| numbers.iter().copied().collect::<ShardSet>();
            let (mut one, other) = (set(&left), set(&right));
            prop_assert_eq!(one.iter().collect::<Vec<_>>(), left.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(one.len(), left.len());
            prop_assert_eq!(one.last(), left.last().copied());
            prop_assert_eq!(one.is_empty(), left.is_empty());
            prop_assert_eq!(one.only(), left.first().copied().filter(|_| left.len() == 1));
            prop_assert_eq!(one.contains_all(&other), left.is_superset(&right));
            prop_assert_eq!(one.without(&other), set(&left.difference(&right).copied().collect()));
            prop_assert!((0..SHARDS_MAX).all(|shard| one.contains(shard) == left.contains(&shard)));
            one.extend_from(&other);
            prop_assert_eq!(&one, &set(&left.union(&right).copied().collect()));
            one.clear();
            prop_assert_eq!(one, ShardSet::new());
        }
    }

    #[test]
    fn a_number_beyond_the_last_shard_is_in_no_set() {
        assert!(!ShardSet::all(SHARDS_MAX).contains(SHARDS_MAX));
    }
}
