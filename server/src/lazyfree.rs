//! Freeing what is large in the background: no event loop waits for the allocator to walk through a million keys.

use ochre_keyspace::Garbage;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

/// The way to the thread that frees.
pub struct Lazyfree {
    sender: mpsc::Sender<Garbage>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Keys handed over and not yet freed.
    pending: AtomicU64,
    /// Keys freed in the background since the start or the last reset.
    freed: AtomicU64,
}

impl Lazyfree {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> std::io::Result<Lazyfree> {
        let (sender, receiver) = mpsc::channel::<Garbage>();
        let progress = Arc::new(Progress::default());
        let theirs = Arc::clone(&progress);
        std::thread::Builder::new().name("lazyfree".into()).spawn(move || {
            for garbage in receiver {
                let keys = garbage.keys() as u64;
                drop(garbage);
                theirs.pending.fetch_sub(keys, Ordering::Relaxed);
                theirs.freed.fetch_add(keys, Ordering::Relaxed);
            }
        })?;
        Ok(Lazyfree { sender, progress })
    }

    /// Frees `garbage`, in the background if it is much.
    pub fn free(&self, garbage: Garbage) {
        if !garbage.frees_slowly() {
            return drop(garbage);
        }
        self.progress.pending.fetch_add(garbage.keys() as u64, Ordering::Relaxed);
        // The thread lives as long as this sender does, so it takes everything.
        let _ = self.sender.send(garbage);
    }

    /// Keys that wait to be freed.
    pub fn pending_keys(&self) -> u64 {
        self.progress.pending.load(Ordering::Relaxed)
    }

    /// Keys that were freed in the background.
    pub fn freed_keys(&self) -> u64 {
        self.progress.freed.load(Ordering::Relaxed)
    }

    /// Counts the freed keys from zero (CONFIG RESETSTAT).
    pub fn reset(&self) {
        self.progress.freed.store(0, Ordering::Relaxed);
    }
}
