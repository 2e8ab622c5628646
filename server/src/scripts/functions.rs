//! The libraries of functions that are loaded: shared by all loops, which compile them when they first call into them.

use ochre_scripting::Library;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Libraries by name.
pub type Libraries = BTreeMap<String, Arc<Library>>;

#[derive(Default)]
pub struct Functions {
    libraries: RwLock<Arc<Libraries>>,
    /// Grows with each change.
    version: AtomicU64,
}

impl Functions {
    /// The libraries as they are now.
    pub fn all(&self) -> Arc<Libraries> {
        Arc::clone(&self.libraries.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Puts these libraries in place of those that are there.
    pub fn replace(&self, libraries: Libraries) {
        *self.libraries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(libraries);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The serialized form, as FUNCTION DUMP and snapshots have it: the codes of all libraries.
    pub fn codes(&self) -> Vec<Vec<u8>> {
        self.all().values().map(|library| library.code.clone()).collect()
    }
}

/// Adds a library.
///
/// # Errors
/// The text of the error reply, when its name or one of its functions is taken; then nothing has changed.
pub fn add(libraries: &mut Libraries, library: Library, replace: bool) -> Result<(), String> {
    if libraries.contains_key(&library.name) && !replace {
        return Err(format!("ERR Library '{}' already exists", library.name));
    }
    let others = libraries.values().filter(|other| other.name != library.name);
    let mut taken = others.flat_map(|other| &other.functions);
    if let Some(function) =
        taken.find(|taken| library.functions.iter().any(|function| function.name.eq_ignore_ascii_case(&taken.name)))
    {
        return Err(format!("ERR Function {} already exists", function.name));
    }
    libraries.insert(library.name.clone(), Arc::new(library));
    Ok(())
}
