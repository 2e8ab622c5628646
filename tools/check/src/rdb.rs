//! A snapshot file, read from end to end, and told about in the lines of redis-check-rdb.

use ochre_rdb::{Error, Fault, Item, ReadOptions, Reader, kind_name};
use ochre_values::Limits;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// What has been seen of a file.
#[derive(Default)]
struct Seen {
    keys: u64,
    deadlines: u64,
    expired: u64,
    functions: u64,
    /// A snapshot that was written piece by piece comes to a database many times; it is told about once.
    databases: HashSet<u64>,
    /// The key that was being read, and its type.
    reading: Option<(Vec<u8>, u8)>,
    doing: &'static str,
}

/// Checks a file and says whether it is sound.
///
/// # Errors
/// When the file cannot be read, or nothing can be written to `out`.
pub fn check_file(path: &Path, out: &mut dyn Write) -> io::Result<bool> {
    writeln!(out, "[offset 0] Checking RDB file {}", path.display())?;
    check(File::open(path)?, out)
}

/// As [`check_file`], for a file that is open.
///
/// # Errors
/// When nothing can be written to `out`.
pub fn check(source: impl Read, out: &mut dyn Write) -> io::Result<bool> {
    let mut seen = Seen { doing: "start", ..Seen::default() };
    match read(source, &mut seen, out)? {
        Ok(offset) => {
            writeln!(out, "[offset {offset}] Checksum OK")?;
            writeln!(out, "[offset {offset}] \\o/ RDB looks OK! \\o/")?;
            tell(&seen, out)?;
            Ok(true)
        }
        Err(error) => {
            writeln!(out, "--- RDB ERROR DETECTED ---")?;
            match &error.fault {
                Fault::Checksum { .. } => {
                    seen.doing = "check-sum";
                    writeln!(out, "[offset {}] {}", error.offset, error.fault)?;
                }
                fault => writeln!(out, "[offset {}] {fault}", error.offset)?,
            }
            writeln!(out, "[additional info] While doing: {}", seen.doing)?;
            if let Some((key, kind)) = &seen.reading {
                writeln!(out, "[additional info] Reading key '{}'", String::from_utf8_lossy(key))?;
                writeln!(out, "[additional info] Reading type {kind} ({})", kind_name(*kind))?;
            }
            tell(&seen, out)?;
            Ok(false)
        }
    }
}

fn tell(seen: &Seen, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "[info] {} keys read", seen.keys)?;
    writeln!(out, "[info] {} expires", seen.deadlines)?;
    writeln!(out, "[info] {} already expired", seen.expired)?;
    if seen.functions > 0 {
        writeln!(out, "[info] {} functions", seen.functions)?;
    }
    Ok(())
}

/// Reads the whole file; answers how long it is, or what is wrong with it.
fn read(source: impl Read, seen: &mut Seen, out: &mut dyn Write) -> io::Result<Result<u64, Error>> {
    let mut reader = match Reader::new(source, ReadOptions::default()) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error)),
    };
    let (limits, now_ms) = (Limits::default(), ochre_clock::now_ms());
    let mut line = String::new();
    loop {
        seen.doing = "read-type";
        seen.reading = None;
        let start = reader.offset();
        let item = match reader.next() {
            Ok(item) => item,
            Err(error) => return Ok(Err(error)),
        };
        match item {
            Item::End => return Ok(Ok(reader.offset())),
            Item::Aux { name, value } => {
                let (name, value) = (String::from_utf8_lossy(&name), String::from_utf8_lossy(&value));
                line = format!("AUX FIELD {name} = '{value}'");
            }
            Item::SelectDb(db) if seen.databases.insert(db) => line = format!("Selecting DB ID {db}"),
            Item::SelectDb(_) => {}
            Item::ModuleAux(name) => line = format!("MODULE AUX for: {name}"),
            Item::Function(_) => seen.functions += 1,
            Item::ResizeDb { .. } | Item::SlotInfo { .. } => {}
            Item::Entry(entry) => {
                seen.doing = "read-key";
                let key = match entry.key() {
                    Ok(key) => key,
                    Err(fault) => return Ok(Err(Error { offset: start, fault })),
                };
                seen.doing = "read-object-value";
                seen.reading = Some((key.into_owned(), entry.value.kind));
                match entry.value.build(&limits) {
                    Ok(_) | Err(Fault::Empty) => {}
                    Err(fault) => return Ok(Err(Error { offset: start, fault })),
                }
                seen.keys += 1;
                seen.deadlines += u64::from(entry.expiry_ms.is_some());
                seen.expired += u64::from(entry.expiry_ms.is_some_and(|at| at < now_ms));
            }
        }
        if !line.is_empty() {
            writeln!(out, "[offset {}] {line}", reader.offset())?;
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use ochre_rdb::{Dialect, Writer};

    fn file() -> Vec<u8> {
        let mut writer = Writer::new(Dialect::Portable);
        writer.header(&[(b"redis-bits", b"64")]);
        writer.select_db(3);
        writer.entry(b"key", Some(1), None, ochre_rdb_view(b"value"));
        writer.select_db(3);
        writer.end();
        writer.take()
    }

    fn ochre_rdb_view(text: &[u8]) -> ochre_rdb::ValueView<'_> {
        ochre_rdb::ValueView::Str { bytes: text, raw: false }
    }

    fn run(bytes: &[u8]) -> (bool, String) {
        let mut out = Vec::new();
        let sound = check(bytes, &mut out).expect("memory can be written to");
        (sound, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_sound_file_is_told_about() {
        let (sound, text) = run(&file());
        assert!(sound);
        let expected = "[offset 23] AUX FIELD redis-bits = '64'\n[offset 25] Selecting DB ID 3\n\
                        [offset 56] Checksum OK\n[offset 56] \\o/ RDB looks OK! \\o/\n\
                        [info] 1 keys read\n[info] 1 expires\n[info] 1 already expired\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let mut bytes = file();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let (sound, text) = run(&bytes);
        assert!(!sound && text.contains("RDB CRC error") && text.contains("While doing: check-sum"), "{text}");
        let (sound, text) = run(&bytes[..last - 12]);
        assert!(!sound && text.contains("Unexpected EOF reading RDB file"), "{text}");
        let (sound, text) = run(b"hello world");
        assert!(!sound && text.contains("[offset 0] Wrong signature"), "{text}");
    }
}
