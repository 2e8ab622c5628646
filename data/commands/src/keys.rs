//! Where a command's keys stand among its words, and what it does to each.

use crate::error::Error;
use crate::spec::bits;
use ochre_resp::Args as Words;

bits! {
    /// What is done to a key, in the words of COMMAND INFO's key specifications.
    KeyFlags: u16 {
        RO = 0, "RO";
        RW = 1, "RW";
        OW = 2, "OW";
        RM = 3, "RM";
        ACCESS = 4, "access";
        UPDATE = 5, "update";
        INSERT = 6, "insert";
        DELETE = 7, "delete";
        NOT_KEY = 8, "not_key";
        INCOMPLETE = 9, "incomplete";
        VARIABLE = 10, "variable_flags";
    }
}

/// Where a run of keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this word; the command's name is word 0.
    Index(i32),
    /// After this keyword, searched from word `from` (backwards from the end when negative).
    Keyword {
        word: &'static str,
        from: i32,
    },
    Unknown,
}

/// How the keys follow the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` words after the first (negative: from the end), every `step`-th; `limit` 2 means the first half.
    Range {
        last: i32,
        step: i32,
        limit: i32,
    },
    /// As many as the word at `count` says, from word `first` on (both relative to the beginning), every `step`-th.
    Count {
        count: i32,
        first: i32,
        step: i32,
    },
    Unknown,
}

/// One key specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    pub begin: Begin,
    pub find: Find,
    pub flags: KeyFlags,
    pub notes: &'static str,
}

impl KeySpec {
    /// The one key at word `index`.
    pub const fn at(index: i32, flags: u16) -> KeySpec {
        KeySpec::span(index, 0, 1, flags)
    }

    /// The keys from word `index` to `last` (relative to the first; negative counts from the end), every `step`-th.
    pub const fn span(index: i32, last: i32, step: i32, flags: u16) -> KeySpec {
        KeySpec {
            begin: Begin::Index(index),
            find: Find::Range { last, step, limit: 0 },
            flags: KeyFlags(flags),
            notes: "",
        }
    }

    /// The number of keys stands at word `index`, the keys right behind it.
    pub const fn counted(index: i32, flags: u16) -> KeySpec {
        KeySpec::counted_by(index, 1, flags)
    }

    /// As `counted`, each key followed by `step - 1` other words.
    pub const fn counted_by(index: i32, step: i32, flags: u16) -> KeySpec {
        KeySpec {
            begin: Begin::Index(index),
            find: Find::Count { count: 0, first: 1, step },
            flags: KeyFlags(flags),
            notes: "",
        }
    }

    /// The key after `word`, which is searched from word `from` on.
    pub const fn after(word: &'static str, from: i32, flags: u16) -> KeySpec {
        KeySpec {
            begin: Begin::Keyword { word, from },
            find: Find::Range { last: 0, step: 1, limit: 0 },
            flags: KeyFlags(flags),
            notes: "",
        }
    }

    /// Keys that only the command's function can tell.
    pub const fn unknown(flags: u16) -> KeySpec {
        KeySpec { begin: Begin::Unknown, find: Find::Unknown, flags: KeyFlags(flags), notes: "" }
    }

    /// The same with another way of following the beginning.
    pub const fn find(mut self, find: Find) -> KeySpec {
        self.find = find;
        self
    }

    /// The words that are keys by this spec: first index, number of keys, step. `None` for an unknown place.
    ///
    /// # Errors
    /// `Error::INVALID_KEYS` when a count or range does not fit the words.
    pub fn locate(&self, argv: Words<'_>) -> Result<Option<(usize, usize, usize)>, Error> {
        let words = argv.len() as i64;
        let first = match self.begin {
            Begin::Index(index) => i64::from(index),
            Begin::Keyword { word, from } => {
                let matches = |at: &usize| ochre_text::case::eq_ignore_case(argv.at(*at), word.as_bytes());
                let found = if from >= 0 && self.is_single() {
                    // Of an option that comes again (`STORE a STORE b`) the last one counts.
                    (from as usize..argv.len()).rev().find(matches)
                } else if from >= 0 {
                    (from as usize..argv.len()).find(matches)
                } else {
                    let last = words + i64::from(from);
                    (1..=last.max(0) as usize).rev().find(matches)
                };
                match found {
                    Some(at) => at as i64 + 1,
                    None => return Ok(Some((0, 0, 1))),
                }
            }
            Begin::Unknown => return Ok(None),
        };
        match self.find {
            Find::Range { last, step, limit } => {
                let mut last = if last >= 0 { first + i64::from(last) } else { words + i64::from(last) };
                if limit > 1 && self.find_is_to_the_end() {
                    last = first + (words - first) / i64::from(limit) + i64::from(self.end_offset());
                }
                if first >= words || last >= words {
                    return Err(Error::INVALID_KEYS);
                }
                if last < first {
                    return Ok(Some((first as usize, 0, 1)));
                }
                let step = i64::from(step);
                Ok(Some((first as usize, ((last - first) / step + 1) as usize, step as usize)))
            }
            Find::Count { count, first: skip, step } => {
                let at = first + i64::from(count);
                if at >= words {
                    return Err(Error::INVALID_KEYS);
                }
                let count = ochre_text::number::parse_i64(argv.at(at as usize)).unwrap_or(-1);
                let first = first + i64::from(skip);
                let step = i64::from(step);
                let end = count.checked_sub(1).and_then(|n| n.checked_mul(step)).and_then(|n| n.checked_add(first));
                match end {
                    Some(end) if count >= 0 && end < words => Ok(Some((first as usize, count as usize, step as usize))),
                    _ => Err(Error::INVALID_KEYS),
                }
            }
            Find::Unknown => Ok(None),
        }
    }

    fn is_single(&self) -> bool {
        matches!(self.find, Find::Range { last: 0, .. })
    }

    fn find_is_to_the_end(&self) -> bool {
        matches!(self.find, Find::Range { last, .. } if last < 0)
    }

    fn end_offset(&self) -> i32 {
        match self.find {
            Find::Range { last, .. } => last,
            _ => 0,
        }
    }
}

/// The legacy triple of COMMAND INFO: first key, last key, step.
///
/// As in the peers: it covers a leading run of specs that are plain ranges.
pub fn legacy_range(keys: &[KeySpec]) -> (i32, i32, i32) {
    let mut first = i32::MAX;
    let mut last = 0i32;
    let mut step = 0;
    for key in keys {
        let (Begin::Index(index), Find::Range { last: key_last, step: key_step, .. }) = (key.begin, key.find) else {
            continue;
        };
        let key_last = if key_last >= 0 { index + key_last } else { key_last };
        if last != 0 && index != last + 1 && last >= 0 && key_last >= 0 && index > last {
            break;
        }
        first = first.min(index);
        // A negative end counts from the end of the words, so it lies behind every positive one.
        last = match (last, key_last) {
            (a, b) if a < 0 && b < 0 => a.max(b),
            (a, b) if a < 0 || b < 0 => a.min(b),
            (a, b) => a.max(b),
        };
        step = key_step;
    }
    if first == i32::MAX { (0, 0, 0) } else { (first, last, step) }
}
