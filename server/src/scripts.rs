//! Scripts and functions: what all event loops share of them, and how one runs.

pub mod cache;
pub mod functions;
pub mod gate;
mod host;
pub mod run;
pub mod thread;

use crate::shared::Shared;
use ochre_scripting::{Flags, script_head};
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

/// Whether EVAL, EVALSHA or FCALL (its name in lower case) runs what says of itself that it does not write.
pub fn only_reads(shared: &Shared, command: &str, script: &[u8]) -> bool {
    let flags = match command {
        "eval" => script_head(script).ok().map(|(flags, _)| flags),
        "evalsha" => cache::parse_digest(script).and_then(|digest| shared.scripts.cache.get(&digest)).map(|s| s.flags),
        _ => {
            let libraries = shared.scripts.functions.all();
            let mut functions = libraries.values().flat_map(|library| &library.functions);
            functions.find(|function| function.name.as_bytes().eq_ignore_ascii_case(script)).map(|f| f.flags)
        }
    };
    flags.is_some_and(|flags| flags.has(Flags::NO_WRITES))
}
