//! Scripts and functions: what all event loops share of them, and how one runs.

pub mod cache;
pub mod functions;
pub mod gate;
mod host;
pub mod run;
pub mod thread;

use std::sync::atomic::AtomicUsize;

/// Shared by all event loops.
pub struct Scripts {
    pub gate: gate::Gate,
    pub cache: cache::Cache,
    pub functions: functions::Functions,
    /// Memory of each loop's Lua state, bytes.
    pub state_bytes: Box<[AtomicUsize]>,
}

impl Scripts {
    pub fn new(threads: usize) -> Self {
        Scripts {
            gate: gate::Gate::default(),
            cache: cache::Cache::default(),
            functions: functions::Functions::default(),
            state_bytes: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
        }
    }
}
