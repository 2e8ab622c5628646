//! The scripts that clients have sent, by their SHA-1 digests.

use ochre_scripting::Flags;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub type Digest = [u8; 20];

/// A table by digests, which are as good as any hash of theirs.
pub type ByDigest<T> = HashMap<Digest, T, BuildHasherDefault<DigestHasher>>;

#[derive(Default)]
pub struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }
}

/// Scripts that came with EVAL, of which the cache keeps the last ones; those that were loaded stay.
const EVALUATED_MAX: usize = 500;

/// A script that was sent.
pub struct Source {
    pub digest: Digest,
    /// As it was sent.
    pub body: Box<[u8]>,
    pub flags: Flags,
    /// Whether the cache still has it.
    alive: AtomicBool,
    loaded: AtomicBool,
}

impl Source {
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct Inner {
    scripts: ByDigest<Arc<Source>>,
    /// Scripts of EVAL, oldest first.
    evaluated: VecDeque<Digest>,
    bytes: usize,
}

#[derive(Default)]
pub struct Cache {
    inner: Mutex<Inner>,
    evicted: AtomicU64,
}

/// Beyond its own bytes a cached script takes about so many.
const OVERHEAD_BYTES: usize = 160;

impl Cache {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, digest: &Digest) -> Option<Arc<Source>> {
        self.inner().scripts.get(digest).cloned()
    }

    /// Keeps a script that compiles. `loaded`: by SCRIPT LOAD, for good.
    pub fn put(&self, digest: Digest, body: &[u8], flags: Flags, loaded: bool) -> Arc<Source> {
        let mut inner = self.inner();
        if let Some(known) = inner.scripts.get(&digest).cloned() {
            if loaded && !known.loaded.swap(true, Ordering::Relaxed) {
                inner.evaluated.retain(|other| *other != digest);
            }
            return known;
        }
        if !loaded {
            if inner.evaluated.len() >= EVALUATED_MAX
                && let Some(oldest) = inner.evaluated.pop_front()
            {
                inner.remove(&oldest);
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            inner.evaluated.push_back(digest);
        }
        let source = Arc::new(Source {
            digest,
            body: body.into(),
            flags,
            alive: AtomicBool::new(true),
            loaded: AtomicBool::new(loaded),
        });
        inner.bytes += body.len() + OVERHEAD_BYTES;
        inner.scripts.insert(digest, Arc::clone(&source));
        source
    }

    pub fn flush(&self) {
        let mut inner = self.inner();
        inner.scripts.values().for_each(|source| source.alive.store(false, Ordering::Release));
        *inner = Inner::default();
    }

    /// Number of scripts, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.scripts.len(), inner.bytes)
    }

    /// Scripts that gave way to others.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

impl Inner {
    fn remove(&mut self, digest: &Digest) {
        if let Some(source) = self.scripts.remove(digest) {
            source.alive.store(false, Ordering::Release);
            self.bytes -= source.body.len() + OVERHEAD_BYTES;
        }
    }
}

/// The digest that 40 hexadecimal digits say.
pub fn parse_digest(hex: &[u8]) -> Option<Digest> {
    let mut digest = [0; 20];
    if hex.len() != 40 {
        return None;
    }
    let mut wrong = 0;
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        let (high, low) = (HEX_DIGITS[pair[0] as usize], HEX_DIGITS[pair[1] as usize]);
        wrong |= high | low;
        *byte = high << 4 | low & 15;
    }
    (wrong < 16).then_some(digest)
}

/// What each byte means as a hexadecimal digit; 255 for what is none.
const HEX_DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digits[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

pub fn hex_of(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
