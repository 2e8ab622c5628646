//! Replacing a file so that after a crash either the old or the new content is there, whole.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes `content` to a new file beside `path`, syncs it, renames it over `path` and syncs the folder. Mode 0644 and umask.
pub fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (mut file, temporary) = create_beside(&path)?;
    let written =
        file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&temporary, &path));
    if let Err(error) = written {
        // The first error is the one to report; a file that is left behind harms nobody.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// A new file whose name is that of `path` and a number that is not in use.
fn create_beside(path: &Path) -> Result<(File, PathBuf)> {
    let mut number = std::process::id();
    loop {
        let mut temporary = path.as_os_str().to_os_string();
        temporary.push(format!(".{number:06}.tmp"));
        match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&temporary) {
            Ok(file) => return Ok((file, temporary.into())),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number = number.wrapping_add(1),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_is_replaced_and_no_other_file_is_left() {
        let folder = std::env::temp_dir().join(format!("ochre-config-replace-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let path = folder.join("a.conf");
        for content in ["one", "two"] {
            replace_file(&path, content.as_bytes()).expect("the temporary folder can be written");
            assert_eq!(std::fs::read_to_string(&path).expect("the file was written"), content);
        }
        assert_eq!(std::fs::read_dir(&folder).expect("the folder is there").count(), 1);
        std::fs::remove_dir_all(&folder).expect("the temporary folder can be removed");
        assert!(replace_file(&path, b"three").is_err());
    }
}
