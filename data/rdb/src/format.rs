//! The numbers of the format: versions, types and opcodes, and which of them a dialect writes.

/// Whose files are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Version 10 with types up to 19, which Redis from 7.0 on and every Valkey load. A hash whose fields have deadlines cannot be
    /// said in those types: it is written in Redis's type 24, which Redis from 7.4 on and this server load, and which others
    /// refuse by name rather than lose the deadlines.
    #[default]
    Portable,
    /// Version 12, for Redis from 7.4 on.
    Redis8,
    /// Version 80, for Valkey from 9.0 on.
    Valkey9,
}

impl Dialect {
    /// The version that the head of a file names.
    pub const fn version(self) -> Version {
        match self {
            Dialect::Portable => Version(10),
            Dialect::Redis8 => Version(12),
            Dialect::Valkey9 => Version(80),
        }
    }

    /// The version that ends a payload of DUMP. The portable one is 9, because what reads types up to 19 reads it as well.
    pub const fn payload_version(self) -> Version {
        match self {
            Dialect::Portable => Version(9),
            other => other.version(),
        }
    }

    /// Whether the types that Redis 7.2 brought may be written: sets in packed lists, and streams that know when a consumer last
    /// got something.
    pub(crate) const fn has_types_of_7_2(self) -> bool {
        !matches!(self, Dialect::Portable)
    }
}

/// The version of a file or payload. Redis counts from 1, Valkey went on at 80 after 11; what 12 to 79 mean is Redis's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

/// The first version of Valkey's own.
const VALKEY_MIN: u32 = 80;
/// The newest versions that are read.
const REDIS_MAX: u32 = 13;
const VALKEY_MAX: u32 = 80;

impl Version {
    /// Whether it is one of Valkey's own versions.
    pub fn is_valkey(self) -> bool {
        self.0 >= VALKEY_MIN
    }

    /// Whether all that it may hold is known.
    pub fn is_known(self) -> bool {
        (1..=REDIS_MAX).contains(&self.0) || (VALKEY_MIN..=VALKEY_MAX).contains(&self.0)
    }

    /// The first nine bytes of a file.
    pub(crate) fn signature(self) -> [u8; 9] {
        let number = self.0.min(9999);
        let text = if self.is_valkey() { format!("VALKEY{number:03}") } else { format!("REDIS{number:04}") };
        text.as_bytes().try_into().expect("nine bytes in both forms")
    }

    /// The version in the first nine bytes of a file.
    pub(crate) fn from_signature(signature: [u8; 9]) -> Option<Version> {
        let (digits, is_valkey) = match &signature {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (&digits[..], false),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (&digits[..], true),
            _ => return None,
        };
        let number = digits
            .iter()
            .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))?;
        let version = Version(number);
        (version.is_valkey() == is_valkey).then_some(version)
    }
}

pub(crate) mod opcode {
    /// In Valkey: a slot that is being imported. In Redis: what modules know of the next key.
    pub(crate) const SLOT_IMPORT: u8 = 243;
    pub(crate) const KEY_META: u8 = 243;
    pub(crate) const SLOT_INFO: u8 = 244;
    pub(crate) const FUNCTION: u8 = 245;
    pub(crate) const EARLY_FUNCTION: u8 = 246;
    pub(crate) const MODULE_AUX: u8 = 247;
    pub(crate) const IDLE: u8 = 248;
    pub(crate) const FREQUENCY: u8 = 249;
    pub(crate) const AUX: u8 = 250;
    pub(crate) const RESIZE_DB: u8 = 251;
    pub(crate) const EXPIRY_MS: u8 = 252;
    pub(crate) const EXPIRY_S: u8 = 253;
    pub(crate) const SELECT_DB: u8 = 254;
    pub(crate) const END: u8 = 255;
}

pub(crate) mod kind {
    pub(crate) const STRING: u8 = 0;
    pub(crate) const LIST: u8 = 1;
    pub(crate) const SET: u8 = 2;
    pub(crate) const SORTED_SET_TEXT: u8 = 3;
    pub(crate) const HASH: u8 = 4;
    pub(crate) const SORTED_SET: u8 = 5;
    pub(crate) const MODULE_EARLY: u8 = 6;
    pub(crate) const MODULE: u8 = 7;
    pub(crate) const HASH_ZIPMAP: u8 = 9;
    pub(crate) const LIST_ZIPLIST: u8 = 10;
    pub(crate) const SET_INTSET: u8 = 11;
    pub(crate) const SORTED_SET_ZIPLIST: u8 = 12;
    pub(crate) const HASH_ZIPLIST: u8 = 13;
    pub(crate) const LIST_ZIPLISTS: u8 = 14;
    pub(crate) const STREAM: u8 = 15;
    pub(crate) const HASH_LISTPACK: u8 = 16;
    pub(crate) const SORTED_SET_LISTPACK: u8 = 17;
    pub(crate) const LIST_NODES: u8 = 18;
    pub(crate) const STREAM_2: u8 = 19;
    pub(crate) const SET_LISTPACK: u8 = 20;
    pub(crate) const STREAM_3: u8 = 21;
    /// Fields with deadlines: Valkey's, and what release candidates of Redis 7.4 wrote.
    pub(crate) const HASH_2: u8 = 22;
    pub(crate) const HASH_LISTPACK_DUE_EARLY: u8 = 23;
    /// Fields with deadlines, as Redis writes them from 7.4 on.
    pub(crate) const HASH_DUE: u8 = 24;
    pub(crate) const HASH_LISTPACK_DUE: u8 = 25;
    /// With idempotent producers (Redis 8.6).
    pub(crate) const STREAM_4: u8 = 26;
    /// With entries that were given back.
    pub(crate) const STREAM_5: u8 = 27;
}

/// Structured values stand in files as those of a module `structure`, version 1: peers refuse them by that name.
pub(crate) const STRUCTURED: u64 = module_id(b"structure", 1);

/// The letters of modules' names, six bits each.
pub(crate) const MODULE_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Before a text in the data of a module; 0 ends them.
pub(crate) const MODULE_TEXT: u64 = 5;

const fn module_id(name: &[u8; 9], version: u64) -> u64 {
    let mut id = 0;
    let mut at = 0;
    while at < name.len() {
        let mut letter = 0;
        while MODULE_LETTERS[letter] != name[at] {
            letter += 1;
        }
        id = id << 6 | letter as u64;
        at += 1;
    }
    id << 10 | version
}

/// The name of a type, as redis-check-rdb shows it.
pub fn kind_name(kind: u8) -> &'static str {
    match kind {
        kind::STRING => "string",
        kind::LIST => "list-linked",
        kind::SET => "set-hashtable",
        kind::SORTED_SET_TEXT => "zset-v1",
        kind::HASH => "hash-hashtable",
        kind::SORTED_SET => "zset-v2",
        kind::MODULE_EARLY => "module-pre-release",
        kind::MODULE => "module-value",
        kind::HASH_ZIPMAP => "hash-zipmap",
        kind::LIST_ZIPLIST => "list-ziplist",
        kind::SET_INTSET => "set-intset",
        kind::SORTED_SET_ZIPLIST => "zset-ziplist",
        kind::HASH_ZIPLIST => "hash-ziplist",
        kind::LIST_ZIPLISTS => "quicklist",
        kind::STREAM => "stream",
        kind::HASH_LISTPACK => "hash-listpack",
        kind::SORTED_SET_LISTPACK => "zset-listpack",
        kind::LIST_NODES => "quicklist-v2",
        kind::STREAM_2 => "stream-v2",
        kind::SET_LISTPACK => "set-listpack",
        kind::STREAM_3 => "stream-v3",
        kind::HASH_2 => "hash-hashtable-v2",
        kind::HASH_LISTPACK_DUE_EARLY => "hash-listpack-md-pre-release",
        kind::HASH_DUE => "hash-hashtable-md",
        kind::HASH_LISTPACK_DUE => "hash-listpack-md",
        kind::STREAM_4 => "stream-v4",
        kind::STREAM_5 => "stream-v5",
        _ => "unknown",
    }
}
