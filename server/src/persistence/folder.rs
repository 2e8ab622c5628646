//! The folder of the append-only files: what is in it, and how it changes so that a crash at any moment leaves it whole.

use crate::persistence::writer::Segment;
use crate::settings::Settings;
use ochre_persistence::{Annotator, Manifest, Names};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the files of one server lie.
#[derive(Clone, Debug)]
pub struct Folder {
    /// `dir`.
    parent: PathBuf,
    /// `appenddirname` below it.
    path: PathBuf,
    pub names: Names,
}

impl Folder {
    pub fn of(settings: &Settings) -> Folder {
        let parent = PathBuf::from(settings.persistence.dir.get().as_str());
        let path = parent.join(settings.persistence.appenddirname.get().as_str());
        Folder { parent, path, names: Names::new(&settings.persistence.appendfilename.get()) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where a file is made that is not one of the folder's yet: on the same disk, beside it.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.parent.join(name)
    }

    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// The path and what the system says.
    pub fn create(&self) -> Result<(), String> {
        match fs::create_dir(&self.path) {
            Ok(()) => sync_folder(&self.parent).map_err(|error| self.blame(&self.parent, &error)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && self.path.is_dir() => Ok(()),
            Err(error) => Err(format!("Can't open or create append-only dir {}: {error}", self.path.display())),
        }
    }

    fn blame(&self, path: &Path, error: &io::Error) -> String {
        format!("{}: {error}", path.display())
    }

    /// The list of the files; `None` when there is none, which is fine only when there are no files that it should name.
    ///
    /// # Errors
    /// When it cannot be read or is wrong, or files lie there that no list names.
    pub fn read_manifest(&self) -> Result<Option<Manifest>, String> {
        let path = self.path(&self.names.manifest());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.refuse_unlisted().map(|()| None);
            }
            Err(error) => {
                return Err(format!(
                    "Fatal error: can't open the AOF manifest file {} for reading: {error}",
                    path.display()
                ));
            }
        };
        let manifest = Manifest::parse(&bytes);
        manifest.map(Some).map_err(|error| format!("Fatal error reading the AOF manifest {}: {error}", path.display()))
    }

    /// Data without a list is not loaded by guess, and not ignored either.
    fn refuse_unlisted(&self) -> Result<(), String> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Ok(()) };
        // Left behind when the first files were being made: they have not been in use yet.
        let is_unfinished = self.path(&self.names.incremental_temporary()).exists();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_unfinished || !self.names.is_segment(&name) || entry.metadata().is_ok_and(|meta| meta.len() == 0) {
                continue;
            }
            return Err(format!(
                "Fatal error: {} holds data, but the manifest {} that should list it is missing. Bring the manifest back, \
                 or move the file away.",
                entry.path().display(),
                self.names.manifest()
            ));
        }
        Ok(())
    }

    /// Puts a list in place of the last one.
    ///
    /// # Errors
    /// When it could not be written: then the last one is still in place.
    pub fn store(&self, manifest: &Manifest) -> io::Result<()> {
        let temporary = self.path(&self.names.manifest_temporary());
        let mut file = File::create(&temporary)?;
        file.write_all(&manifest.to_text())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path(&self.names.manifest()))?;
        sync_folder(&self.path)
    }

    /// Makes an empty file to append to.
    pub fn create_segment(&self, name: &str) -> io::Result<Segment> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(self.path(name))?;
        file.sync_all()?;
        sync_folder(&self.path)?;
        Ok(Segment { file: Arc::new(file), annotator: Annotator::default() })
    }

    /// Cuts off what is behind `size` of a file.
    pub fn cut(&self, name: &str, size: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path(name))?;
        file.set_len(size)?;
        file.sync_all()
    }

    /// Brings a file to the disk, whoever wrote it.
    pub fn sync(&self, name: &str) -> io::Result<()> {
        File::open(self.path(name))?.sync_all()
    }

    /// Opens a file to append to it at `size`, its end. `annotator` knows what is before.
    pub fn open_segment(&self, name: &str, size: u64, annotator: Annotator) -> io::Result<Segment> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(self.path(name))?;
        file.seek(SeekFrom::Start(size))?;
        sync_folder(&self.path)?;
        Ok(Segment { file: Arc::new(file), annotator })
    }

    /// Moves a file that is complete and synced into the folder.
    pub fn take_in(&self, from: &Path, name: &str) -> io::Result<()> {
        fs::rename(from, self.path(name))?;
        sync_folder(&self.path)
    }

    /// Gives a file of the folder a second name.
    pub fn link(&self, name: &str, second: &str) -> io::Result<()> {
        match fs::remove_file(self.path(second)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::hard_link(self.path(name), self.path(second))?;
        sync_folder(&self.path)
    }

    /// Deletes a file that nothing names any more.
    pub fn remove(&self, name: &str) {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                crate::log::warning(format_args!("Can't delete {}: {error}", self.path(name).display()));
            }
            _ => {}
        }
    }

    /// The one file of older versions, in `dir`.
    pub fn old_file(&self) -> PathBuf {
        self.parent.join(self.names.stem())
    }

    /// Makes the one file of older versions the base. The list comes first: whoever is interrupted goes on there.
    ///
    /// # Errors
    /// The path and what the system says.
    pub fn upgrade(&self, manifest: &Manifest) -> Result<(), String> {
        let old = self.old_file();
        self.create()?;
        self.store(manifest).map_err(|error| self.blame(&self.path, &error))?;
        self.take_in(&old, self.names.stem()).map_err(|error| {
            format!("Error trying to move the old AOF file {} into dir {}: {error}", old.display(), self.path.display())
        })?;
        sync_folder(&self.parent).map_err(|error| self.blame(&self.parent, &error))?;
        crate::log::notice(format_args!(
            "Successfully migrated an old-style AOF configuration ({}) into the AOF directory ({}).",
            self.names.stem(),
            self.path.display()
        ));
        Ok(())
    }

    /// Bytes of the files that hold data.
    pub fn size_bytes(&self, manifest: &Manifest) -> u64 {
        manifest.loaded().map(|segment| self.segment_bytes(&segment.name)).sum()
    }

    /// Size of one file; 0 when it is not there.
    pub fn segment_bytes(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).map_or(0, |meta| meta.len())
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// The path and what the system says.
    pub fn open(&self, name: &str) -> Result<File, String> {
        let path = self.path(name);
        File::open(&path).map_err(|error| {
            let reason = super::writer::system_text(&error);
            format!("Fatal error: can't open the append log file {} for reading: {reason}", path.display())
        })
    }
}

/// Brings the names in a folder to the disk.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether a file begins with a snapshot.
pub fn begins_with_snapshot(file: &mut File) -> io::Result<bool> {
    let mut head = [0; 6];
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..])? {
            0 => break,
            count => length += count,
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(head[..length].starts_with(b"REDIS") || head[..length].starts_with(b"VALKEY"))
}
