//! The first line of a script or library: `#!lua name=mylib flags=no-writes,allow-oom`.

use std::borrow::Cow;

/// What a script says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    pub const NO_WRITES: Flags = Flags(1);
    pub const ALLOW_OOM: Flags = Flags(2);
    pub const ALLOW_STALE: Flags = Flags(4);
    pub const NO_CLUSTER: Flags = Flags(8);
    pub const ALLOW_CROSS_SLOT_KEYS: Flags = Flags(16);
    /// A script without a first line of its own: nothing is known about it, and it may do what scripts always could.
    pub const COMPATIBLE: Flags = Flags(32);

    /// Every flag beside its word, in the order in which replies list them.
    const WORDS: [(Flags, &'static str); 5] = [
        (Flags::NO_WRITES, "no-writes"),
        (Flags::ALLOW_OOM, "allow-oom"),
        (Flags::ALLOW_STALE, "allow-stale"),
        (Flags::NO_CLUSTER, "no-cluster"),
        (Flags::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
    ];

    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The flag that is called `word`.
    pub fn parse(word: &[u8]) -> Option<Flags> {
        Self::WORDS.iter().find(|(_, known)| known.as_bytes() == word).map(|(flag, _)| *flag)
    }

    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, word)| *word)
    }
}

/// What the first line of a library says.
#[derive(Debug, PartialEq, Eq)]
pub struct LibraryHead {
    pub engine: Vec<u8>,
    pub name: Vec<u8>,
}

/// The flags of a script, and the script with an empty first line where it had one of its own, so that lines keep their numbers.
///
/// # Errors
/// The text of the error reply, when the first line is not understood.
pub fn script_head(body: &[u8]) -> Result<(Flags, &[u8]), String> {
    if !body.starts_with(b"#!") {
        return Ok((Flags::COMPATIBLE, body));
    }
    let Some(end) = body.iter().position(|byte| *byte == b'\n') else {
        return Err("ERR Invalid script shebang".into());
    };
    let (engine, words) = words_of(&body[..end]).ok_or("ERR Invalid engine in script shebang")?;
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("ERR Unexpected engine in script shebang: #!{}", text(&engine)));
    }
    let mut flags = Flags::default();
    for word in words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(format!("ERR Unknown lua shebang option: {}", text(&word)));
        };
        for flag in list.split(|byte| *byte == b',').filter(|_| !list.is_empty()) {
            let known = Flags::parse(flag);
            flags = flags.with(known.ok_or_else(|| format!("ERR Unexpected flag in script shebang: {}", text(flag)))?);
        }
    }
    Ok((flags, &body[end..]))
}

/// The first line of a library, and the library with an empty one in its place.
///
/// # Errors
/// The text of the error reply.
pub fn library_head(code: &[u8]) -> Result<(LibraryHead, &[u8]), String> {
    if !code.starts_with(b"#!") {
        return Err("ERR Missing library metadata".into());
    }
    let Some(end) = code.iter().position(|byte| *byte == b'\n') else {
        return Err("ERR Invalid library metadata".into());
    };
    let (engine, words) = words_of(&code[..end]).ok_or("ERR Invalid library metadata")?;
    let mut name: Option<Vec<u8>> = None;
    for word in words {
        let Some(value) = word.strip_prefix(b"name=") else {
            return Err(format!("ERR Invalid metadata value given: {}", text(&word)));
        };
        if name.replace(value.to_vec()).is_some() {
            return Err("ERR Invalid metadata value, name argument was given multiple times".into());
        }
    }
    let Some(name) = name else { return Err("ERR Library name was not given".into()) };
    if !is_name(&name) {
        return Err(format!("ERR {BAD_NAME}"));
    }
    Ok((LibraryHead { engine, name }, &code[end..]))
}

pub(crate) const BAD_NAME: &str =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether libraries and functions may be called so.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The engine and the other words of a first line; words may stand in quotes.
fn words_of(line: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut words = ochre_text::quote::split_args(line).ok()?;
    let engine = words.first()?.get(2..)?.to_vec();
    words.remove(0);
    Some((engine, words))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
