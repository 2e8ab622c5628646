//! A key with the hash that finds its shard and its place in the table.

use ochre_collections::hash;

/// A key's bytes and their hash, computed once for a command.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    bytes: &'a [u8],
    hash: u64,
}

impl<'a> Key<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Key { bytes, hash: hash(bytes) }
    }

    /// The same with a hash computed before; it must be the hash of `bytes`.
    pub fn with_hash(bytes: &'a [u8], hash: u64) -> Self {
        debug_assert_eq!(hash, self::hash(bytes));
        Key { bytes, hash }
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.bytes == other.bytes
    }
}
