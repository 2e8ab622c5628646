//! What can be wrong with the bytes of a file or a payload.

use std::fmt;

/// What is wrong, without the place.
#[derive(Debug)]
pub enum Fault {
    /// The bytes end before what they say is complete.
    Truncated,
    /// The bytes could not be read at all.
    Io(std::io::Error),
    /// The first bytes are not those of a file of this kind.
    Signature([u8; 9]),
    /// A version that is not known, or belongs to the other family.
    Version(u32),
    /// A type or opcode that is not known in this version.
    Kind(u8),
    /// A value or data of a module, named here.
    Module(String),
    /// Functions as release candidates of Redis 7.0 wrote them.
    EarlyFunctions,
    /// A collection without elements, which no key can hold.
    Empty,
    Checksum {
        stored: u64,
        computed: u64,
    },
    /// Something else does not check out.
    Malformed(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Truncated => out.write_str("Unexpected EOF reading RDB file"),
            Fault::Io(error) => write!(out, "{error}"),
            Fault::Signature(_) => out.write_str("Wrong signature trying to load DB from file"),
            Fault::Version(version) => write!(out, "Can't handle RDB format version {version}"),
            Fault::Kind(kind) => write!(out, "Invalid object type or opcode: {kind}"),
            Fault::Module(name) => write!(out, "The data of module '{name}' cannot be read: there are no modules here"),
            Fault::EarlyFunctions => out.write_str("Pre-release function format not supported"),
            Fault::Empty => out.write_str("A collection has no elements"),
            Fault::Checksum { stored, computed } => {
                write!(out, "RDB CRC error: Wrong RDB checksum: expected {stored:016x}, got {computed:016x}")
            }
            Fault::Malformed(what) => out.write_str(what),
        }
    }
}

/// What is wrong, and where.
#[derive(Debug)]
pub struct Error {
    /// Bytes before it, counted from the beginning of the file.
    pub offset: u64,
    pub fault: Fault,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "offset {}: {}", self.offset, self.fault)
    }
}

impl std::error::Error for Error {}
