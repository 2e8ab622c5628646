//! An append-only file, read from end to end, and told about in the lines of redis-check-aof.

use ochre_persistence::{Manifest, Scanner, Step};
use ochre_rdb::{Item, ReadOptions, Reader};
use ochre_resp::Batch;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What is done with a file that does not check out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing.
    Nothing,
    /// It is cut where it stops being right, if somebody agrees.
    Cut,
    /// It is cut where it begins to tell of later times; Unix time in seconds.
    CutAfter(u64),
}

/// What came of a file.
enum Verdict {
    Valid,
    Empty,
    Cut,
    CutAfter,
}

/// Why the check stops; the sentence has not been written yet.
pub enum Stop {
    Bad(String),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Io(error)
    }
}

const READ_BYTES: usize = 1 << 20;

/// Checks a manifest with all that it lists, or a single file. `agree` reads the answer to a question.
///
/// # Errors
/// What is wrong, or cannot be read or written.
pub fn check(path: &Path, repair: Repair, out: &mut dyn Write, agree: &mut dyn FnMut() -> bool) -> Result<(), Stop> {
    let mut file = File::open(path)
        .map_err(|error| Stop::Bad(format!("Cannot open file {}: {error}, aborting...", path.display())))?;
    let mut head = [0; 5];
    let count = file.read(&mut head)?;
    let is_manifest = path.extension().is_some_and(|kind| kind == "manifest") || head[..count].starts_with(b"file ");
    if is_manifest {
        return check_all(path, repair, out, agree);
    }
    writeln!(out, "Start checking Old-Style AOF")?;
    let name = path.display().to_string();
    match check_one(&name, path, true, repair, out, agree)? {
        Verdict::Valid => writeln!(out, "AOF {name} is valid")?,
        Verdict::Empty => writeln!(out, "AOF {name} is empty")?,
        Verdict::Cut => writeln!(out, "Successfully truncated AOF {name}")?,
        Verdict::CutAfter => told_cut_after(&name, repair, out)?,
    }
    Ok(())
}

fn told_cut_after(name: &str, repair: Repair, out: &mut dyn Write) -> io::Result<()> {
    let Repair::CutAfter(timestamp_s) = repair else { return Ok(()) };
    writeln!(out, "Successfully truncated AOF {name} to timestamp {timestamp_s}")
}

fn check_all(path: &Path, repair: Repair, out: &mut dyn Write, agree: &mut dyn FnMut() -> bool) -> Result<(), Stop> {
    writeln!(out, "Start checking Multi Part AOF")?;
    let manifest = Manifest::parse(&fs::read(path)?)
        .map_err(|error| Stop::Bad(format!("AOF manifest {} is not valid: {error}", path.display())))?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let count = manifest.loaded().count();
    let segments: Vec<_> = manifest.loaded().cloned().collect();
    for (at, segment) in segments.iter().enumerate() {
        let file = folder.join(&segment.name);
        let is_base = manifest.base.as_ref().is_some_and(|base| base == segment);
        let kind = if is_base { "BASE" } else { "INCR" };
        if is_base {
            let format = if begins_with_snapshot(&file)? { "RDB" } else { "RESP" };
            writeln!(out, "Start to check BASE AOF ({format} format).")?;
        } else if at == usize::from(manifest.base.is_some()) {
            writeln!(out, "Start to check INCR files.")?;
        }
        let name = &segment.name;
        match check_one(name, &file, at + 1 == count, repair, out, agree)? {
            Verdict::Valid => writeln!(out, "{kind} AOF {name} is valid")?,
            Verdict::Empty => writeln!(out, "{kind} AOF {name} is empty")?,
            Verdict::Cut => writeln!(out, "Successfully truncated AOF {name}")?,
            Verdict::CutAfter => told_cut_after(name, repair, out)?,
        }
    }
    writeln!(out, "All AOF files and manifest are valid")?;
    Ok(())
}

fn begins_with_snapshot(path: &Path) -> Result<bool, Stop> {
    let mut head = Vec::new();
    let file = File::open(path)
        .map_err(|error| Stop::Bad(format!("Cannot open file {}: {error}, aborting...", path.display())))?;
    file.take(6).read_to_end(&mut head)?;
    Ok(head.starts_with(b"REDIS") || head.starts_with(b"VALKEY"))
}

/// How far a file is right.
struct Extent {
    valid_bytes: u64,
    lines: u64,
    /// Where it tells of a time that is too late.
    late_at: Option<u64>,
}

/// Checks one file.
fn check_one(
    name: &str,
    path: &Path,
    is_last: bool,
    repair: Repair,
    out: &mut dyn Write,
    agree: &mut dyn FnMut() -> bool,
) -> Result<Verdict, Stop> {
    let is_snapshot = begins_with_snapshot(path)?;
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(Verdict::Empty);
    }
    let mut offset = 0;
    if is_snapshot {
        writeln!(out, "[offset 0] Checking RDB file {name}")?;
        if !crate::rdb::check(&mut file, out)? {
            return Err(Stop::Bad("RDB preamble of AOF file is not sane, aborting.".into()));
        }
        writeln!(out, "RDB preamble is OK, proceeding with AOF tail...")?;
        offset = end_of_snapshot(path)?;
        file.seek(SeekFrom::Start(offset))?;
    }
    let extent = scan(name, &mut file, offset, repair, out)?;
    let cut = |at: u64| -> Result<(), Stop> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(at)?;
        Ok(file.sync_all()?)
    };
    if let (Some(at), Repair::CutAfter(timestamp_s)) = (extent.late_at, repair) {
        if at == 0 {
            return Err(Stop::Bad(format!("AOF {name} has nothing before timestamp {timestamp_s}, aborting...")));
        }
        if !is_last {
            return Err(Stop::Bad(format!(
                "Failed to truncate AOF {name} to timestamp {timestamp_s} to offset {at} because it is not the last \
                 file.\nIf you insist, delete all files after it and their lines in the manifest, and run the check again."
            )));
        }
        cut(at)?;
        return Ok(Verdict::CutAfter);
    }
    let excess = size - extent.valid_bytes;
    if let (0, Repair::CutAfter(timestamp_s)) = (excess, repair) {
        writeln!(out, "Truncate nothing in AOF {name} to timestamp {timestamp_s}")?;
        return Ok(Verdict::Valid);
    }
    writeln!(
        out,
        "AOF analyzed: filename={name}, size={size}, ok_up_to={}, ok_up_to_line={}, diff={excess}",
        extent.valid_bytes, extent.lines
    )?;
    if excess == 0 {
        return Ok(Verdict::Valid);
    }
    if repair != Repair::Cut {
        return Err(Stop::Bad(format!("AOF {name} is not valid. Use the --fix option to try fixing it.")));
    }
    if !is_last {
        return Err(Stop::Bad(format!("Failed to truncate AOF {name} because it is not the last file")));
    }
    let kept = extent.valid_bytes;
    writeln!(out, "This will shrink the AOF {name} from {size} bytes, with {excess} bytes, to {kept} bytes")?;
    write!(out, "Continue? [y/N]: ")?;
    out.flush()?;
    if !agree() {
        return Err(Stop::Bad("Aborting...".into()));
    }
    cut(kept)?;
    Ok(Verdict::Cut)
}

fn end_of_snapshot(path: &Path) -> Result<u64, Stop> {
    let broken = |error: ochre_rdb::Error| Stop::Bad(error.to_string());
    let mut reader = Reader::new(File::open(path)?, ReadOptions::default()).map_err(broken)?;
    while !matches!(reader.next().map_err(broken)?, Item::End) {}
    Ok(reader.offset())
}

/// Reads the commands of a file from `offset` on, until something is wrong.
fn scan(name: &str, file: &mut File, offset: u64, repair: Repair, out: &mut dyn Write) -> Result<Extent, Stop> {
    let (mut scanner, mut batch) = (Scanner::new(offset), Batch::default());
    let mut buffer = Vec::new();
    // Inside a transaction: where it begins.
    let mut transaction = None;
    // Before this, checksums say that nothing has changed.
    let mut unchanged_bytes = offset;
    let mut extent = Extent { valid_bytes: offset, lines: 1, late_at: None };
    loop {
        let mut at = 0;
        loop {
            batch.clear();
            let began = scanner.offset();
            match scanner.next(&buffer[at..], &mut batch) {
                Ok(Step::Command(command)) => {
                    let words = batch.args(&command, &buffer[at..]);
                    let is = |word: &str| ochre_text::case::is(words.at(0), word);
                    if is("MULTI") && transaction.replace(began).is_some() {
                        writeln!(out, "0x{began:16x}: Unexpected MULTI in AOF {name}")?;
                        return Ok(extent);
                    }
                    if is("EXEC") && transaction.take().is_none() {
                        writeln!(out, "0x{began:16x}: Unexpected EXEC in AOF {name}")?;
                        return Ok(extent);
                    }
                    at += command.consumed;
                }
                Ok(Step::Line { consumed, timestamp_s }) => {
                    if let (Repair::CutAfter(limit_s), Some(timestamp_s)) = (repair, timestamp_s)
                        && timestamp_s > limit_s
                    {
                        extent.late_at = Some(began);
                        return Ok(extent);
                    }
                    at += consumed;
                    if scanner.is_covered() {
                        unchanged_bytes = transaction.unwrap_or(scanner.offset());
                    }
                }
                Ok(Step::Incomplete) => break,
                Err(damage) => {
                    writeln!(out, "AOF {name} format error: {damage}")?;
                    if damage.is_change {
                        extent.valid_bytes = unchanged_bytes;
                    }
                    return Ok(extent);
                }
            }
            if transaction.is_none() {
                extent.valid_bytes = scanner.offset();
            }
            extent.lines = scanner.lines() + 1;
        }
        buffer.drain(..at);
        let length = buffer.len();
        buffer.resize(length + READ_BYTES.max(length), 0);
        let count = file.read(&mut buffer[length..])?;
        buffer.truncate(length + count);
        if count == 0 {
            break;
        }
    }
    if !buffer.is_empty() {
        writeln!(out, "0x{:16x}: Reached the end of AOF {name} within a command", scanner.offset())?;
    } else if transaction.is_some() {
        writeln!(out, "0x{:16x}: Reached EOF before reading EXEC for MULTI", scanner.offset())?;
    }
    Ok(extent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOO: &str = "*3\r\n$3\r\nset\r\n$3\r\nfoo\r\n$5\r\nhello\r\n";

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("ochre-check-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder for the test");
            Folder(path)
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).expect("a file for the test");
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// What is told, the sentence that stops the check at the end, and whether all was well.
    fn told(path: &Path, repair: Repair) -> (String, bool) {
        let mut out = Vec::new();
        let result = check(path, repair, &mut out, &mut || true);
        let mut text = String::from_utf8(out).expect("text");
        match result {
            Ok(()) => (text, true),
            Err(Stop::Bad(reason)) => {
                text.push_str(&reason);
                (text, false)
            }
            Err(Stop::Io(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn a_file_is_right_up_to_a_line() {
        let folder = Folder::new("lines");
        let (text, ok) = told(&folder.file("a.aof", &format!("{FOO}!!!")), Repair::Nothing);
        assert!(!ok && text.contains("ok_up_to=33, ok_up_to_line=8, diff=3"), "{text}");
        let (text, ok) = told(&folder.file("a.aof", FOO), Repair::Nothing);
        assert!(ok && text.starts_with("Start checking Old-Style AOF") && text.ends_with("is valid\n"), "{text}");
        let unfinished = format!("{FOO}*1\r\n$5\r\nmulti\r\n{FOO}");
        let (text, ok) = told(&folder.file("a.aof", &unfinished), Repair::Nothing);
        assert!(!ok && text.contains("ok_up_to=33,"), "{text}");
    }

    #[test]
    fn only_the_last_file_of_a_list_is_cut() {
        let folder = Folder::new("parts");
        let list = "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n";
        let manifest = folder.file("a.manifest", list);
        folder.file("a.1.base.aof", FOO);
        let last = folder.file("a.1.incr.aof", &format!("{FOO}*1\r\n$4"));
        let (text, ok) = told(&manifest, Repair::Cut);
        assert!(ok && text.contains("Successfully truncated AOF a.1.incr.aof"), "{text}");
        assert_eq!(fs::read_to_string(&last).expect("it is there"), FOO);
        folder.file("a.1.base.aof", &FOO[..10]);
        let (text, ok) = told(&manifest, Repair::Cut);
        assert!(!ok && text.ends_with("because it is not the last file"), "{text}");
    }

    #[test]
    fn what_a_checksum_refuses_is_cut_off() {
        let folder = Folder::new("sums");
        let mut annotator = ochre_persistence::Annotator::default();
        annotator.note(FOO.as_bytes());
        let good = format!("{FOO}{}", annotator.cover());
        annotator.note(FOO.as_bytes());
        let path = folder.file("a.aof", &format!("{good}{}{}{FOO}", FOO.replace("hello", "hallo"), annotator.cover()));
        let (text, ok) = told(&path, Repair::Cut);
        assert!(ok && text.contains("checksum"), "{text}");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), good);
    }

    #[test]
    fn a_file_is_cut_where_a_later_time_begins() {
        let folder = Folder::new("times");
        let timed = format!("#TS:10\r\n{FOO}#TS:11\r\n{FOO}");
        let path = folder.file("a.aof", &timed);
        assert!(told(&path, Repair::CutAfter(11)).1);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), timed);
        assert!(told(&path, Repair::CutAfter(10)).1);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), format!("#TS:10\r\n{FOO}"));
        let (text, ok) = told(&path, Repair::CutAfter(9));
        assert!(!ok && text.ends_with("aborting..."), "{text}");
    }
}
