//! A file, item by item, from anything that can be read.

use crate::error::{Error, Fault};
use crate::format::Version;
use crate::input::Input;
use crate::parse::{Parsed, RawEntry, parse, text_at};
use ochre_digest::Crc64;
use std::borrow::Cow;
use std::io::Read;

/// Bytes that are asked for at once.
const READ_BYTES: usize = 256 << 10;

/// How a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// The checksum at the end is read over.
    pub skip_checksum: bool,
    /// Newer versions than those that are known are tried, too.
    pub any_version: bool,
}

/// What a file consists of.
#[derive(Debug)]
pub enum Item<'a> {
    /// Something that the writer says about the file.
    Aux {
        name: Cow<'a, [u8]>,
        value: Cow<'a, [u8]>,
    },
    /// The keys that follow belong to this database.
    SelectDb(u64),
    /// How many keys follow in this database, says the writer.
    ResizeDb {
        keys: u64,
        deadlines: u64,
    },
    /// Something about a slot of a cluster.
    SlotInfo {
        slot: u64,
    },
    /// The source of a library of functions.
    Function(Cow<'a, [u8]>),
    /// Data of the module of this name, which was passed over.
    ModuleAux(String),
    Entry(RawEntry<'a>),
    /// The end of the file; the checksum, if there is one, is right.
    End,
}

/// Reads a file. Takes as much memory as the largest key with its value, as far as its bytes are there.
pub struct Reader<R> {
    source: R,
    options: ReadOptions,
    version: Version,
    /// What has been read and not yet been asked for is `at..end`; what is behind is room.
    buffer: Vec<u8>,
    end: usize,
    /// Where in the buffer the next item begins.
    at: usize,
    /// Where in the file the buffer begins.
    base: u64,
    /// Where the item that was read last begins, in the file.
    item_at: u64,
    crc: Crc64,
    /// How much of the buffer is in the checksum already.
    summed: usize,
    has_ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head of the file.
    pub fn new(source: R, options: ReadOptions) -> Result<Self, Error> {
        let mut reader = Reader {
            source,
            options,
            version: Version(0),
            buffer: Vec::new(),
            end: 0,
            at: 0,
            base: 0,
            item_at: 0,
            crc: Crc64::new(),
            summed: 0,
            has_ended: false,
        };
        let signature = loop {
            if let Some(signature) = reader.buffer[..reader.end].first_chunk::<9>() {
                break *signature;
            }
            reader.fill()?;
        };
        reader.version =
            Version::from_signature(signature).ok_or(Error { offset: 0, fault: Fault::Signature(signature) })?;
        let version = reader.version;
        let is_tried = options.any_version && version.0 > 0;
        if !version.is_known() && !is_tried {
            return Err(Error { offset: 0, fault: Fault::Version(version.0) });
        }
        reader.at = signature.len();
        Ok(reader)
    }

    /// The version of the file.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How much has been read: where the next item begins, in bytes from the beginning of the file.
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Where the item that was read last begins.
    pub fn item_offset(&self) -> u64 {
        self.item_at
    }

    /// The next item; after the end there is nothing more to ask for.
    #[expect(clippy::should_implement_trait, reason = "an item borrows from the reader, which no iterator can say")]
    pub fn next(&mut self) -> Result<Item<'_>, Error> {
        self.item_at = self.offset();
        let parsed = loop {
            let mut input = Input::new(&self.buffer[self.at..self.end]);
            match parse(self.version, &mut input) {
                Ok(parsed) => break (parsed, input.position()),
                Err(Fault::Truncated) => self.fill()?,
                Err(fault) => return Err(Error { offset: self.offset() + input.position() as u64, fault }),
            }
        };
        let (parsed, length) = parsed;
        let start = self.at;
        self.at += length;
        if let Parsed::End = parsed {
            self.check_end()?;
            return Ok(Item::End);
        }
        let offset = self.item_at;
        let bytes = &self.buffer[start..self.at];
        let text = |place| text_at(bytes, place).map_err(|fault| Error { offset, fault });
        Ok(match &parsed {
            Parsed::Aux { name, value } => Item::Aux { name: text(name)?, value: text(value)? },
            Parsed::SelectDb(db) => Item::SelectDb(*db),
            Parsed::ResizeDb { keys, deadlines } => Item::ResizeDb { keys: *keys, deadlines: *deadlines },
            Parsed::SlotInfo { slot } => Item::SlotInfo { slot: *slot },
            Parsed::Function(source) => Item::Function(text(source)?),
            Parsed::ModuleAux(name) => Item::ModuleAux(name.clone()),
            Parsed::Entry(places) => Item::Entry(places.entry(bytes, self.version)),
            Parsed::End => Item::End,
        })
    }

    /// What was read from the source behind the end of the file, and the source: something else may follow there.
    pub fn into_rest(mut self) -> (Vec<u8>, R) {
        self.buffer.truncate(self.end);
        (self.buffer.split_off(self.at), self.source)
    }

    fn check_end(&mut self) -> Result<(), Error> {
        if self.has_ended || self.version.0 < 5 {
            return Ok(());
        }
        while self.end - self.at < 8 {
            self.fill()?;
        }
        self.crc.update(&self.buffer[self.summed..self.at]);
        let stored = self.buffer[self.at..].first_chunk().expect("eight bytes are there");
        let (stored, computed) = (u64::from_le_bytes(*stored), self.crc.value());
        let offset = self.offset();
        self.at += 8;
        self.summed = self.at;
        self.has_ended = true;
        if stored != computed && stored != 0 && !self.options.skip_checksum {
            return Err(Error { offset, fault: Fault::Checksum { stored, computed } });
        }
        Ok(())
    }

    /// Reads more behind what is there: at least something, and as much again when an item is large, so that the time that is
    /// spent on looking at it again and again stays in proportion.
    fn fill(&mut self) -> Result<(), Error> {
        if self.at > 0 {
            self.crc.update(&self.buffer[self.summed..self.at]);
            self.buffer.copy_within(self.at..self.end, 0);
            self.base += self.at as u64;
            self.end -= self.at;
            (self.at, self.summed) = (0, 0);
        }
        let before = self.end;
        let wanted = if before < READ_BYTES { 1 } else { before };
        while self.end - before < wanted {
            if self.buffer.len() - self.end < READ_BYTES / 2 {
                self.buffer.resize(self.end + READ_BYTES.max(wanted.min(16 << 20)), 0);
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) if self.end > before => break,
                Ok(0) => return Err(Error { offset: self.base + before as u64, fault: Fault::Truncated }),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error { offset: self.base + self.end as u64, fault: Fault::Io(error) }),
            }
        }
        Ok(())
    }
}
