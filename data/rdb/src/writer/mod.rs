//! Writing a file, item by item, into memory that the caller drains.

mod stream;
mod value;

pub use value::Shape;

use crate::format::{Dialect, opcode};
use crate::lzf::{self, Compressor};
use ochre_collections::View;
use ochre_collections::listpack::Item;
use ochre_digest::Crc64;
use ochre_text::number::{I64_TEXT_LEN_MAX, format_i64, parse_i64};
use ochre_values::Object;

/// The consumer that stands for nobody in types that know no entries that were given back to their group: peers see a consumer of
/// this name, this server reads it as what it was.
pub(crate) const RELEASED: &[u8] = b"\0released";

/// What is known of the use of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Seconds since it was used.
    Idle(u64),
    /// The logarithmic counter of its uses.
    Frequency(u8),
}

/// Writes a file. What is written lies in memory until [`Writer::take`] takes it, which may be at any time.
pub struct Writer {
    dialect: Dialect,
    compresses: bool,
    sums: bool,
    out: Vec<u8>,
    /// How much of `out` is in the checksum already.
    summed: usize,
    crc: Crc64,
    compressor: Compressor,
    /// Bytes that were taken so far.
    taken: u64,
    /// Where the deadlines of the fields of the hash that is being written are counted from, if they have any.
    earliest_ms: Option<u64>,
    /// What has come of a text that is compressed part by part.
    packed: Option<Vec<u8>>,
}

impl Writer {
    /// A writer that compresses texts and ends with a checksum.
    pub fn new(dialect: Dialect) -> Self {
        Writer {
            dialect,
            compresses: true,
            sums: true,
            out: Vec::new(),
            summed: 0,
            crc: Crc64::new(),
            compressor: Compressor::new(),
            taken: 0,
            earliest_ms: None,
            packed: None,
        }
    }

    /// Whether texts of more than 20 bytes are compressed (`rdbcompression`).
    pub fn compressing(mut self, compresses: bool) -> Self {
        self.compresses = compresses;
        self
    }

    /// Whether the end has a checksum (`rdbchecksum`).
    pub fn with_checksum(mut self, sums: bool) -> Self {
        self.sums = sums;
        self
    }

    /// Whose types are written.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The head of a file, and what is to be known of the file as a whole.
    pub fn header(&mut self, aux: &[(&[u8], &[u8])]) {
        self.out.extend_from_slice(&self.dialect.version().signature());
        aux.iter().for_each(|(name, value)| self.aux(name, value));
    }

    /// Something to be known of the file as a whole; readers pass over names that they do not know.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) {
        self.out.push(opcode::AUX);
        self.text(name);
        self.text(value);
    }

    /// What follows belongs to this database.
    pub fn select_db(&mut self, db: usize) {
        self.out.push(opcode::SELECT_DB);
        self.length(db as u64);
    }

    /// How many keys follow in this database, and how many of them have deadlines; a hint.
    pub fn resize_db(&mut self, keys: usize, deadlines: usize) {
        self.out.push(opcode::RESIZE_DB);
        self.length(keys as u64);
        self.length(deadlines as u64);
    }

    /// The source of a library of functions.
    pub fn function(&mut self, source: &[u8]) {
        self.out.push(opcode::FUNCTION);
        self.text(source);
    }

    /// A key with its value; takes time in proportion to the value.
    pub fn entry(&mut self, key: &[u8], expiry_ms: Option<u64>, access: Option<Access>, view: View<'_, Object>) {
        self.attributes(expiry_ms, access);
        self.out.push(self.kind_of(view));
        self.text(key);
        self.value(view);
    }

    /// A value as a payload begins.
    pub(crate) fn payload(&mut self, view: View<'_, Object>) {
        self.out.push(self.kind_of(view));
        self.value(view);
    }

    /// Begins a key whose value follows piece by piece: as many elements as `shape` says, each by the function that the shape
    /// names.
    pub fn begin_entry(&mut self, key: &[u8], expiry_ms: Option<u64>, access: Option<Access>, shape: Shape) {
        self.attributes(expiry_ms, access);
        self.out.push(shape.kind(self.dialect));
        self.text(key);
        self.begin(shape);
    }

    /// Begins a payload as DUMP makes it, whose value follows piece by piece.
    pub fn begin_payload(&mut self, shape: Shape) {
        self.out.push(shape.kind(self.dialect));
        self.begin(shape);
    }

    /// The end of the file.
    pub fn end(&mut self) {
        self.out.push(opcode::END);
        self.sum();
        let checksum = if self.sums { self.crc.value() } else { 0 };
        self.out.extend_from_slice(&checksum.to_le_bytes());
        self.summed = self.out.len();
    }

    /// Takes what was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        self.sum();
        self.summed = 0;
        self.taken += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    /// As [`Writer::take`], appending to `to`; the writer keeps its memory for what comes next.
    pub fn drain_into(&mut self, to: &mut Vec<u8>) {
        self.sum();
        self.summed = 0;
        self.taken += self.out.len() as u64;
        to.append(&mut self.out);
    }

    /// Bytes that wait to be taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Bytes that were written from the beginning on, taken or not.
    pub fn total(&self) -> u64 {
        self.taken + self.out.len() as u64
    }

    fn sum(&mut self) {
        if self.sums {
            self.crc.update(&self.out[self.summed..]);
        }
        self.summed = self.out.len();
    }

    fn attributes(&mut self, expiry_ms: Option<u64>, access: Option<Access>) {
        if let Some(expiry_ms) = expiry_ms {
            self.out.push(opcode::EXPIRY_MS);
            self.out.extend_from_slice(&expiry_ms.to_le_bytes());
        }
        match access {
            Some(Access::Idle(seconds)) => {
                self.out.push(opcode::IDLE);
                self.length(seconds);
            }
            Some(Access::Frequency(frequency)) => self.out.extend_from_slice(&[opcode::FREQUENCY, frequency]),
            None => {}
        }
    }

    // ---- numbers and texts ----

    #[inline]
    pub(crate) fn length(&mut self, length: u64) {
        match length {
            0..=0x3F => self.out.push(length as u8),
            0x40..=0x3FFF => self.out.extend_from_slice(&[0x40 | (length >> 8) as u8, length as u8]),
            0x4000..=0xFFFF_FFFF => {
                self.out.push(0x80);
                self.out.extend_from_slice(&(length as u32).to_be_bytes());
            }
            _ => {
                self.out.push(0x81);
                self.out.extend_from_slice(&length.to_be_bytes());
            }
        }
    }

    fn time_ms(&mut self, time_ms: i64) {
        self.out.extend_from_slice(&time_ms.to_le_bytes());
    }

    /// A text, as an integer or compressed if that is shorter.
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) {
        // The longest 32-bit integer has eleven characters.
        if text.len() <= 11
            && let Some(value) = parse_i64(text)
            && self.small_int(value)
        {
            return;
        }
        if self.compresses && text.len() >= lzf::BYTES_MIN && self.compressed(text) {
            return;
        }
        self.length(text.len() as u64);
        self.out.extend_from_slice(text);
    }

    /// The decimal text of an integer.
    fn int(&mut self, value: i64) {
        if !self.small_int(value) {
            let mut space = [0; I64_TEXT_LEN_MAX];
            let text = format_i64(value, &mut space);
            self.length(text.len() as u64);
            self.out.extend_from_slice(text);
        }
    }

    fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Int(value) => self.int(value),
            Item::Bytes(text) => self.text(text),
        }
    }

    /// Writes an integer of up to 32 bits; says no to others.
    #[inline]
    fn small_int(&mut self, value: i64) -> bool {
        if let Ok(value) = i8::try_from(value) {
            self.out.extend_from_slice(&[0xC0, value as u8]);
        } else if let Ok(value) = i16::try_from(value) {
            let [low, high] = value.to_le_bytes();
            self.out.extend_from_slice(&[0xC1, low, high]);
        } else if let Ok(value) = i32::try_from(value) {
            self.out.push(0xC2);
            self.out.extend_from_slice(&value.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    /// What stands before the bytes of a compressed text.
    fn packed_head(&mut self, count: usize, length: usize) {
        self.out.push(0xC3);
        self.length(count as u64);
        self.length(length as u64);
    }

    fn compressed(&mut self, text: &[u8]) -> bool {
        // The lengths before it take room that is only known afterwards, so it is compressed behind the place of the longest ones.
        const HEAD_MAX: usize = 1 + 9 + 9;
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEAD_MAX]);
        if !self.compressor.compress(text, &mut self.out) {
            self.out.truncate(start);
            return false;
        }
        let packed = start + HEAD_MAX..self.out.len();
        let count = packed.len();
        // The head is written at the end and moved: it is a few bytes.
        self.packed_head(count, text.len());
        let mut head = [0; HEAD_MAX];
        let head_length = self.out.len() - packed.end;
        head[..head_length].copy_from_slice(&self.out[packed.end..]);
        self.out[start..start + head_length].copy_from_slice(&head[..head_length]);
        self.out.copy_within(packed, start + head_length);
        self.out.truncate(start + head_length + count);
        true
    }
}
