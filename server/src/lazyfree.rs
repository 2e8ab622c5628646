//! Freeing what is large in the background: no event loop waits for the allocator to walk through a million keys.

use ochre_keyspace::Garbage;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The thread gives free memory back to the system this often.
const RELEASE_PERIOD: Duration = Duration::from_secs(1);

/// The way to the thread that frees.
pub struct Lazyfree {
    sender: mpsc::Sender<Garbage>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Keys handed over and not yet freed.
    pending: AtomicU64,
    /// Bytes of values handed over and not yet freed, about.
    pending_bytes: AtomicUsize,
    /// Databases handed over and not yet freed.
    databases: AtomicUsize,
    /// Keys freed in the background since the start or the last reset.
    freed: AtomicU64,
}

impl Progress {
    fn free(&self, garbage: Garbage) {
        let (keys, bytes) = (garbage.keys() as u64, garbage.value_bytes());
        let is_database = matches!(garbage, Garbage::Table(_));
        drop(garbage);
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.databases.fetch_sub(usize::from(is_database), Ordering::Relaxed);
        self.pending.fetch_sub(keys, Ordering::Relaxed);
        self.freed.fetch_add(keys, Ordering::Relaxed);
    }
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
            let mut released = Instant::now();
            loop {
                match receiver.recv_timeout(RELEASE_PERIOD) {
                    Ok(garbage) => theirs.free(garbage),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if released.elapsed() >= RELEASE_PERIOD {
                    ochre_collections::release_free_memory(false);
                    released = Instant::now();
                }
            }
        })?;
        Ok(Lazyfree { sender, progress })
    }

    /// Frees `garbage`, in the background if it is much.
    pub fn free(&self, garbage: Garbage) {
        if !garbage.frees_slowly() {
            return drop(garbage);
        }
        let progress = &self.progress;
        progress.pending.fetch_add(garbage.keys() as u64, Ordering::Relaxed);
        progress.pending_bytes.fetch_add(garbage.value_bytes(), Ordering::Relaxed);
        progress.databases.fetch_add(usize::from(matches!(garbage, Garbage::Table(_))), Ordering::Relaxed);
        // The thread lives as long as this sender does, so it takes everything.
        let _ = self.sender.send(garbage);
    }

    /// Keys that wait to be freed.
    pub fn pending_keys(&self) -> u64 {
        self.progress.pending.load(Ordering::Relaxed)
    }

    /// Bytes of single values that wait to be freed, about.
    pub fn pending_bytes(&self) -> usize {
        self.progress.pending_bytes.load(Ordering::Relaxed)
    }

    /// Whether a whole database waits to be freed: nobody knows how many bytes that are.
    pub fn frees_databases(&self) -> bool {
        self.progress.databases.load(Ordering::Relaxed) > 0
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
