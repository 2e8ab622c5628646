//! The state of loading: how far it has come, for INFO and for those who are told to wait.

use crate::alerts::Alert;
use crate::shared::Shared;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far loading has come, and what the last one brought.
#[derive(Debug, Default)]
pub struct Loading {
    active: AtomicBool,
    began_ms: AtomicU64,
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    used_memory_bytes: AtomicU64,
    keys_loaded: AtomicU64,
    keys_expired: AtomicU64,
}

/// What INFO shows while data is loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    pub began_ms: u64,
    pub total_bytes: u64,
    pub loaded_bytes: u64,
    /// What the data took where it was saved, as far as the file says so.
    pub used_memory_bytes: u64,
}

impl Progress {
    /// How much has been loaded, in percent.
    pub fn percent(&self) -> f64 {
        match self.total_bytes {
            0 => 0.0,
            total => (self.loaded_bytes as f64 / total as f64 * 100.0).min(100.0),
        }
    }

    /// Seconds until it is done, if it goes on like this.
    pub fn remaining_s(&self, now_ms: u64) -> u64 {
        let elapsed_s = now_ms.saturating_sub(self.began_ms) / 1000;
        match self.loaded_bytes {
            0 => 1,
            loaded => (elapsed_s as f64 * self.total_bytes.saturating_sub(loaded) as f64 / loaded as f64) as u64,
        }
    }
}

impl Loading {
    /// Begins a load of so many bytes: from here on commands are refused that need the data.
    pub fn begin(&self, shared: &Shared, total_bytes: u64) {
        self.began_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.loaded_bytes.store(0, Ordering::Relaxed);
        self.used_memory_bytes.store(0, Ordering::Relaxed);
        self.active.store(true, Ordering::SeqCst);
        shared.alerts.set(Alert::Loading, true);
    }

    /// Ends it: all commands are served.
    pub fn end(&self, shared: &Shared) {
        shared.alerts.set(Alert::Loading, false);
        self.active.store(false, Ordering::SeqCst);
    }

    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// How far it has come, if data is being loaded.
    pub fn progress(&self) -> Option<Progress> {
        self.is_active().then(|| Progress {
            began_ms: self.began_ms.load(Ordering::Relaxed),
            total_bytes: self.total_bytes.load(Ordering::Relaxed),
            loaded_bytes: self.loaded_bytes.load(Ordering::Relaxed),
            used_memory_bytes: self.used_memory_bytes.load(Ordering::Relaxed),
        })
    }

    /// So many bytes are to be loaded altogether.
    pub fn note_total(&self, total_bytes: u64) {
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
    }

    pub fn note_bytes(&self, loaded_bytes: u64) {
        self.loaded_bytes.store(loaded_bytes, Ordering::Relaxed);
    }

    pub fn note_used_memory(&self, bytes: u64) {
        self.used_memory_bytes.store(bytes, Ordering::Relaxed);
    }

    pub fn note_keys(&self, loaded: u64, expired: u64) {
        self.keys_loaded.store(loaded, Ordering::Relaxed);
        self.keys_expired.store(expired, Ordering::Relaxed);
    }

    /// Keys that the last load brought, and those that it left out because they had expired.
    pub fn keys(&self) -> (u64, u64) {
        (self.keys_loaded.load(Ordering::Relaxed), self.keys_expired.load(Ordering::Relaxed))
    }
}
