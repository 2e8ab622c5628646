//! A snapshot file: written beside the old one, synced bit by bit, and renamed once it is whole and on the disk.

use super::snapshot::Sink;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is written bit by bit is synced each time it has grown by so much, bytes.
const SYNC_BYTES: u64 = 4 << 20;

/// A file that takes the place of another one when it is finished.
pub struct SaveFile {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<File>,
    is_synced_bit_by_bit: bool,
    unsynced_bytes: u64,
}

/// The name under which a snapshot is written, in the folder that the server works in.
pub fn temporary_path() -> PathBuf {
    PathBuf::from(format!("temp-{}.rdb", std::process::id()))
}

impl SaveFile {
    /// The file that is to be `path` in the end; nothing is done before the first bytes come.
    pub fn new(path: &str, is_synced_bit_by_bit: bool) -> SaveFile {
        SaveFile { path: path.into(), temporary: temporary_path(), file: None, is_synced_bit_by_bit, unsynced_bytes: 0 }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => {
                let file = File::create(&self.temporary).map_err(|error| {
                    let dir = std::env::current_dir().unwrap_or_default();
                    let (name, dir) = (self.temporary.display(), dir.display());
                    let text =
                        format!("Failed opening the temp RDB file {name} (in server root dir {dir}) for saving: ");
                    io::Error::new(error.kind(), text + &error.to_string())
                })?;
                Ok(none.insert(file))
            }
        }
    }
}

impl Sink for SaveFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file()?.write_all(bytes)?;
        self.unsynced_bytes += bytes.len() as u64;
        if self.is_synced_bit_by_bit && self.unsynced_bytes >= SYNC_BYTES {
            self.unsynced_bytes = 0;
            self.file()?.sync_data()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file()?.sync_all()?;
        self.file = None;
        fs::rename(&self.temporary, &self.path)?;
        sync_folder_of(&self.path)
    }

    fn discard(&mut self) {
        if self.file.take().is_some() {
            // What is not there any more needs no removing.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a rename in the folder of `path` last.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}
