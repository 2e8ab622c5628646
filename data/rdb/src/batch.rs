//! Entries on their way from the thread that reads to one that builds.

use crate::format::Version;
use crate::parse::{RawEntry, RawValue};

/// Copies of entries, in the order in which they were read.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    heads: Vec<Head>,
}

/// An entry, but for its bytes.
#[derive(Debug)]
struct Head {
    expiry_ms: Option<u64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
    kind: u8,
    version: Version,
    db: usize,
    offset: u64,
    /// Where its key ends, and its value.
    key_end: usize,
    end: usize,
}

impl Batch {
    /// Adds an entry of database `db` that stands at `offset` in the file.
    pub fn push(&mut self, entry: &RawEntry<'_>, db: usize, offset: u64) {
        self.bytes.extend_from_slice(entry.key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(entry.value.bytes);
        self.heads.push(Head {
            expiry_ms: entry.expiry_ms,
            idle_s: entry.idle_s,
            frequency: entry.frequency,
            kind: entry.value.kind,
            version: entry.value.version,
            db,
            offset,
            key_end,
            end: self.bytes.len(),
        });
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Takes all entries out, and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.heads.clear();
    }

    /// The entries, each with its database and its place in the file.
    pub fn iter(&self) -> impl Iterator<Item = (RawEntry<'_>, usize, u64)> {
        let mut start = 0;
        self.heads.iter().map(move |head| {
            let value = RawValue { kind: head.kind, version: head.version, bytes: &self.bytes[head.key_end..head.end] };
            let key = &self.bytes[start..head.key_end];
            start = head.end;
            let (expiry_ms, idle_s, frequency) = (head.expiry_ms, head.idle_s, head.frequency);
            (RawEntry { expiry_ms, idle_s, frequency, key, value }, head.db, head.offset)
        })
    }
}
