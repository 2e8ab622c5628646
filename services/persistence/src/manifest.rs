//! The manifest: the list of the files that make up an append-only file, in the order in which they are loaded.

use crate::Names;
use ochre_text::quote;
use std::fmt;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The state at some moment.
    Base,
    /// Superseded, and about to be deleted.
    History,
    /// What happened since the base.
    Incremental,
}

/// A file of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub name: String,
    pub sequence: u64,
    pub role: Role,
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<Segment>,
    pub history: Vec<Segment>,
    pub incremental: Vec<Segment>,
    /// The highest numbers that were given out.
    pub base_sequence: u64,
    pub incremental_sequence: u64,
}

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// From 1 on; 0 when it is about the whole file.
    pub line: usize,
    /// The line itself.
    pub text: String,
    pub reason: &'static str,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => out.write_str(self.reason),
            line => write!(out, "{}, at line {line}: '{}'", self.reason, self.text),
        }
    }
}

/// A line is shorter than this: the longest name that a file may have fits with each of its bytes escaped.
const LINE_BYTES_MAX: usize = 1100;
const NAME_BYTES_MAX: usize = 255;

// Tools and tests look for these words of Redis.
const FORMAT: &str = "Invalid AOF manifest file format";
const TOO_LONG: &str = "The AOF manifest file contains too long line";

impl Manifest {
    /// Reads the list.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        if bytes.is_empty() {
            return Err(ManifestError { line: 0, text: String::new(), reason: "Found an empty AOF manifest" });
        }
        let mut manifest = Manifest::default();
        for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            manifest.read_line(line).map_err(|reason| ManifestError {
                line: at + 1,
                text: String::from_utf8_lossy(&line[..line.len().min(LINE_BYTES_MAX)]).trim_end().to_owned(),
                reason,
            })?;
        }
        Ok(manifest)
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        if line.starts_with(b"#") {
            return Ok(());
        }
        if line.len() >= LINE_BYTES_MAX || !line.ends_with(b"\n") {
            return Err(TOO_LONG);
        }
        let words = quote::split_args(line).map_err(|_| FORMAT)?;
        if words.len() < 6 || words.len() % 2 != 0 {
            return Err(FORMAT);
        }
        let (mut name, mut sequence, mut role) = (None, None, None);
        // Keys that a later version may add are passed over.
        for pair in words.chunks_exact(2) {
            match pair[0].to_ascii_lowercase().as_slice() {
                b"file" => name = Some(String::from_utf8(pair[1].clone()).map_err(|_| FORMAT)?),
                b"seq" => sequence = ochre_text::number::parse_u64(&pair[1]),
                b"type" => role = pair[1].first().copied(),
                _ => {}
            }
        }
        let (Some(name), Some(sequence), Some(role)) = (name, sequence, role) else { return Err(FORMAT) };
        if name.is_empty() || name.len() > NAME_BYTES_MAX || sequence == 0 {
            return Err(FORMAT);
        }
        if name.contains('/') {
            return Err("File can't be a path, just a filename");
        }
        match role {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => {
                self.base = Some(Segment { name, sequence, role: Role::Base });
                self.base_sequence = sequence;
            }
            b'h' => self.history.push(Segment { name, sequence, role: Role::History }),
            b'i' if sequence <= self.incremental_sequence => return Err("Found a non-monotonic sequence number"),
            b'i' => {
                self.incremental.push(Segment { name, sequence, role: Role::Incremental });
                self.incremental_sequence = sequence;
            }
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// The list as it is kept.
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for segment in self.base.iter().chain(&self.history).chain(&self.incremental) {
            out.extend_from_slice(b"file ");
            match quote::needs_quotes(segment.name.as_bytes()) {
                true => quote::write_quoted(&mut out, segment.name.as_bytes()),
                false => out.extend_from_slice(segment.name.as_bytes()),
            }
            let role = match segment.role {
                Role::Base => 'b',
                Role::History => 'h',
                Role::Incremental => 'i',
            };
            out.extend_from_slice(format!(" seq {} type {role}\n", segment.sequence).as_bytes());
        }
        out
    }

    /// The files that hold data, in the order in which they are loaded.
    pub fn loaded(&self) -> impl Iterator<Item = &Segment> {
        self.base.iter().chain(&self.incremental)
    }

    /// Whether the list names no file that holds data.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incremental.is_empty()
    }

    /// The number of the next file and its name. What is about to be deleted keeps its names to itself: a list without an
    /// incremental file, as a rewrite leaves it while no file is kept, says nothing of the numbers that were given out.
    fn next(&self, last: u64, name: impl Fn(u64) -> String) -> (u64, String) {
        let mut sequence = last + 1;
        let is_taken = |name: &str| self.history.iter().any(|segment| segment.name == name);
        while is_taken(&name(sequence)) {
            sequence += 1;
        }
        (sequence, name(sequence))
    }

    /// Adds the next incremental file; answers its name.
    pub fn add_incremental(&mut self, names: &Names) -> String {
        let (sequence, name) = self.next(self.incremental_sequence, |sequence| names.incremental(sequence));
        self.incremental_sequence = sequence;
        self.incremental.push(Segment { name: name.clone(), sequence, role: Role::Incremental });
        name
    }

    /// Takes the file of an older version for the base.
    pub fn adopt(&mut self, name: &str) {
        self.base_sequence = 1;
        self.base = Some(Segment { name: name.to_owned(), sequence: 1, role: Role::Base });
    }

    /// A new base takes the place of the old one and of all incremental files but the last `kept`, which become history.
    /// Answers the new base's name.
    pub fn supersede(&mut self, names: &Names, snapshot: bool, kept: usize) -> String {
        let (sequence, name) = self.next(self.base_sequence, |sequence| names.base(sequence, snapshot));
        self.base_sequence = sequence;
        let superseded = self.incremental.len().saturating_sub(kept);
        let old = self.base.take().into_iter().chain(self.incremental.drain(..superseded));
        self.history.extend(old.map(|segment| Segment { role: Role::History, ..segment }));
        self.base = Some(Segment { name: name.clone(), sequence, role: Role::Base });
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> &'static str {
        Manifest::parse(text.as_bytes()).expect_err("it is wrong").reason
    }

    #[test]
    fn a_list_reads_back_as_it_was_written() {
        let names = Names::new("my append.aof");
        let mut manifest = Manifest::default();
        manifest.supersede(&names, true, 0);
        manifest.add_incremental(&names);
        let text = "file \"my append.aof.1.base.rdb\" seq 1 type b\nfile \"my append.aof.1.incr.aof\" seq 1 type i\n";
        assert_eq!(String::from_utf8_lossy(&manifest.to_text()), text);
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest.clone()));
        manifest.add_incremental(&names);
        manifest.supersede(&names, false, 1);
        let text = "file \"my append.aof.2.base.aof\" seq 2 type b\nfile \"my append.aof.1.base.rdb\" seq 1 type h\n\
                    file \"my append.aof.1.incr.aof\" seq 1 type h\nfile \"my append.aof.2.incr.aof\" seq 2 type i\n";
        assert_eq!(String::from_utf8_lossy(&manifest.to_text()), text);
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest));
    }

    #[test]
    fn a_file_that_is_about_to_be_deleted_lends_its_name_to_no_other() {
        let names = Names::new("a");
        let text = b"file a.3.base.rdb seq 3 type b\nfile a.2.base.rdb seq 2 type h\nfile a.1.incr.aof seq 1 type h\n";
        let mut manifest = Manifest::parse(text).expect("fine");
        assert_eq!(manifest.add_incremental(&names), "a.2.incr.aof");
        let mut manifest = Manifest::parse(b"file a.1.base.rdb seq 1 type h\n").expect("fine");
        assert_eq!(manifest.supersede(&names, true, 0), "a.2.base.rdb");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(reason(""), "Found an empty AOF manifest");
        for text in ["\n", "file a seq\n", "file a seq 1 type b x\n", "seq 1 type b x y\n", "file a seq 0 type b\n"] {
            assert_eq!(reason(text), FORMAT, "{text:?}");
        }
        assert_eq!(reason("file a seq 1 type b\nfile b seq 2 type b\n"), "Found duplicate base file information");
        assert_eq!(reason("file a seq 2 type i\nfile b seq 2 type i\n"), "Found a non-monotonic sequence number");
        assert_eq!(reason("file a seq 2 type x\n"), "Unknown AOF file type");
        assert_eq!(reason("file ../a seq 2 type i\n"), "File can't be a path, just a filename");
        assert_eq!(reason("file a seq 2 type i"), TOO_LONG);
        assert_eq!(reason(&format!("file {} seq 2 type i\n", "a".repeat(2000))), TOO_LONG);
        let error = Manifest::parse(b"file a seq 1 type b\n\n").expect_err("a blank line");
        assert_eq!(error.to_string(), "Invalid AOF manifest file format, at line 2: ''");
    }

    #[test]
    fn the_longest_name_of_escaped_bytes_is_read_as_it_was_written() {
        let mut manifest = Manifest::default();
        manifest.adopt(&"\u{1}".repeat(NAME_BYTES_MAX));
        assert_eq!(Manifest::parse(&manifest.to_text()), Ok(manifest.clone()));
        manifest.adopt(&"a".repeat(NAME_BYTES_MAX + 1));
        assert!(Manifest::parse(&manifest.to_text()).is_err());
    }

    #[test]
    fn later_versions_may_add_keys_and_comments() {
        let manifest = Manifest::parse(b"# x\nfile a seq 3 type i new thing\n").expect("fine");
        assert_eq!((manifest.incremental_sequence, manifest.incremental.len()), (3, 1));
    }
}
