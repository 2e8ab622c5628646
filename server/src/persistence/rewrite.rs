//! A new base for the append-only file: the state of one moment, and the files before it are of no use any more.

use crate::persistence::folder::Folder;
use crate::shared::Shared;
use ochre_rdb::{Dialect, Writer};
use std::fs::File;
use std::io::{self, Write};

/// Makes the base of a server that has no data.
pub fn write_empty_base(shared: &Shared, folder: &Folder, name: &str, is_snapshot: bool) -> io::Result<()> {
    let temporary = folder.scratch(&format!("temp-rewriteaof-bg-{}.aof", std::process::id()));
    let mut file = File::create(&temporary)?;
    if is_snapshot {
        let mut writer = Writer::new(Dialect::Portable).with_checksum(shared.settings.persistence.rdbchecksum.get());
        writer.header(&[(b"aof-base", b"1")]);
        writer.end();
        file.write_all(&writer.take())?;
    }
    file.sync_all()?;
    folder.take_in(&temporary, name)
}

/// Deletes the files that a base has superseded.
pub fn remove_history(shared: &Shared) {
    let mut state = shared.aof.state();
    let Some(folder) = state.folder.clone() else { return };
    if state.manifest.history.is_empty() || shared.settings.persistence.aof_disable_auto_gc.get() {
        return;
    }
    for segment in std::mem::take(&mut state.manifest.history) {
        crate::log::notice(format_args!("Removing the history file {} in the background", segment.name));
        folder.remove(&segment.name);
    }
    if let Err(error) = folder.store(&state.manifest) {
        crate::log::warning(format_args!("Can't write the AOF manifest: {error}"));
    }
}

/// Calls off the rewrite that runs.
pub fn cancel(_: &Shared) {}
