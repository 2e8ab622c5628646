//! RDB: values and whole data sets as the bytes that Redis and Valkey keep in files and hand to each other.
//!
//! ```text
//! file:   REDIS0010 or VALKEY080 │ item … │ 0xFF │ CRC-64 of all before (0: not computed)
//! item:   opcode with its data, or a key: [expiry] [idle time or frequency] type │ key │ value
//! text:   length │ bytes, or 0b11 with an integer of 8, 16 or 32 bits, or LZF: packed length │ length │ packed bytes
//! length: 00 and 6 bits, 01 and 14 bits, 0x80 and 32 bits, 0x81 and 64 bits, the high byte first
//! DUMP:   type │ value │ version, 2 bytes │ CRC-64 of all before
//! ```
//!
//! Nothing here trusts its input: a length is believed only as far as there are bytes for it, every value is checked in depth
//! (order, duplicates, numbers), and what does not check out is an error with its place in the file.

mod batch;
mod build;
mod error;
mod format;
mod input;
mod lzf;
mod old;
mod parse;
mod payload;
mod reader;
mod skip;
pub mod testing;
mod writer;

pub use batch::Batch;
pub use build::Built;
pub use error::{Error, Fault};
pub use format::{Dialect, Version, kind_name};
pub use input::Encoded;
pub use parse::{RawEntry, RawValue};
pub use payload::{PayloadError, dump, finish_payload, restore};
pub use reader::{Item, ReadOptions, Reader};
pub use writer::{Access, Shape, Writer};

/// A value as the keyspace keeps it, to be written.
pub type ValueView<'a> = ochre_collections::View<'a, ochre_values::Object>;
