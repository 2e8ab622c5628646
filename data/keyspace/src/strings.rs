//! String values: read as they are kept, edited in place where their size allows.

use crate::{Class, Entry, Expiry, Key, Locked, WrongType};
use ochre_collections::{Lookup, Value, View};
use ochre_text::number;
use ochre_values::Object;
use std::ops::Range;

/// Strings up to this length, in bytes, lie inside their entry.
pub(crate) const INLINE_STRING_BYTES_MAX: usize = 1024;

/// A string value as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The text of an entry, unless it is of another type.
    pub(crate) fn of(view: View<'a, Object>) -> Option<Text<'a>> {
        match view {
            View::Int(value) => Some(Text::Int(value)),
            View::Str { bytes, .. } => Some(Text::Bytes(bytes)),
            View::Object(object) => object.text().map(Text::Bytes),
            _ => None,
        }
    }

    /// Length in bytes, as STRLEN counts it.
    #[expect(clippy::len_without_is_empty, reason = "an empty text has no meaning of its own")]
    pub fn len(&self) -> usize {
        match self {
            Text::Int(value) => number::digits(value.unsigned_abs()) + usize::from(*value < 0),
            Text::Bytes(bytes) => bytes.len(),
        }
    }

    /// The bytes; an integer is written into `buffer` first.
    pub fn bytes<'b>(&self, buffer: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Text::Int(value) => {
                buffer.clear();
                number::write_i64(buffer, *value);
                buffer
            }
            Text::Bytes(bytes) => bytes,
        }
    }

    /// An owned copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        match self {
            Text::Int(value) => {
                let mut bytes = Vec::with_capacity(20);
                number::write_i64(&mut bytes, *value);
                bytes
            }
            Text::Bytes(bytes) => bytes.to_vec(),
        }
    }

    /// Whether the text is `other`.
    pub fn is(&self, other: &[u8]) -> bool {
        match self {
            // The text of an integer is the only one that reads as it.
            Text::Int(value) => number::parse_i64(other) == Some(*value),
            Text::Bytes(bytes) => *bytes == other,
        }
    }

    /// The value as an integer, if its text is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Text::Int(value) => Some(*value),
            Text::Bytes(bytes) => number::parse_i64(bytes),
        }
    }
}

/// Where `bytes` are to be kept: an integer, inline, or an object of their own.
pub(crate) fn value_of(bytes: &[u8]) -> Value<'_, Object> {
    // Twenty digits and a sign are the longest integer.
    if bytes.len() <= 20
        && let Some(value) = number::parse_i64(bytes)
    {
        return Value::Int(value);
    }
    raw_value_of(bytes, false)
}

/// As `value_of`, but never an integer; `raw` marks a string that was edited (OBJECT ENCODING says so).
pub(crate) fn raw_value_of(bytes: &[u8], raw: bool) -> Value<'_, Object> {
    if bytes.len() <= INLINE_STRING_BYTES_MAX {
        Value::Str { bytes, raw }
    } else {
        Value::Object(Object::String(bytes.to_vec()))
    }
}

/// As `raw_value_of` for bytes that need not be kept.
fn owned_value_of(bytes: &mut Vec<u8>) -> Value<'_, Object> {
    if bytes.len() <= INLINE_STRING_BYTES_MAX {
        Value::Str { bytes, raw: true }
    } else {
        Value::Object(Object::String(std::mem::take(bytes)))
    }
}

/// A copy of a text that lies in its entry; `None` for one that is an object of its own.
fn copy_of_short(view: View<'_, Object>) -> Result<Option<Vec<u8>>, WrongType> {
    match view {
        View::Object(Object::String(_) | Object::WalkedString(_)) => Ok(None),
        view => Text::of(view).map(|text| Some(text.to_vec())).ok_or(WrongType),
    }
}

impl Locked<'_> {
    /// The string at `key` for a command that is about to write: the look-up is neither a hit nor a miss.
    pub fn peek_text(&self, key: &Key<'_>) -> Result<Option<Text<'_>>, WrongType> {
        match self.peek(key) {
            Some(entry) => Text::of(entry.view()).map(Some).ok_or(WrongType),
            None => Ok(None),
        }
    }

    /// As `set_text` without turning digits into an integer: OBJECT ENCODING says `embstr`.
    pub fn set_plain_text(&mut self, key: &Key<'_>, bytes: &[u8], expiry: Expiry) {
        self.set_value(key, raw_value_of(bytes, false), expiry);
    }

    /// As `set_text` for a string that was put together here: it is not copied when it is long, and marked as edited.
    pub fn set_raw_text(&mut self, key: &Key<'_>, mut bytes: Vec<u8>, expiry: Expiry) {
        self.set_value(key, owned_value_of(&mut bytes), expiry);
    }

    /// Makes what `change` answers the integer at `key`, with one look-up. `change` is given the string that is there; after an
    /// error nothing has changed.
    pub fn update_int<E: From<WrongType>>(
        &mut self,
        key: &Key<'_>,
        change: impl FnOnce(Option<Text<'_>>) -> Result<i64, E>,
    ) -> Result<i64, E> {
        self.expire_if_due(key);
        let access = self.context().access;
        let database = self.database_mut(key);
        match database.table.entry(key.hash(), key.bytes()) {
            Lookup::Found(mut slot) => {
                let new = change(Some(Text::of(slot.view()).ok_or(WrongType)?))?;
                database.cut.before_change(&mut slot);
                match slot.int_mut() {
                    Some(value) => *value = new,
                    None => slot.set_value(Value::Int(new)),
                }
                let clock = slot.item().clock();
                slot.set_clock(access.written(clock));
                Ok(new)
            }
            Lookup::Vacant(slot) => {
                let new = change(None)?;
                let mut entry = Entry::new(key.bytes(), Value::Int(new), None);
                entry.as_ref().touch(access.initial());
                entry.as_mut().set_epoch(database.cut.epoch(key.hash()));
                slot.insert(entry);
                self.event(Class::NEW, "new", key);
                Ok(new)
            }
        }
    }

    /// Edits the string at `key` as a vector of bytes; `None` when the key does not exist. A long string is edited where it is,
    /// a short one is copied out and back. Of the bytes that are there only those of `changed` may change.
    pub fn edit_text<R>(
        &mut self,
        key: &Key<'_>,
        changed: &[Range<usize>],
        edit: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> Result<Option<R>, WrongType> {
        let Some(mut slot) = self.find(key) else { return Ok(None) };
        match (copy_of_short(slot.view())?, slot.object_mut().and_then(|object| object.text_mut(changed))) {
            (Some(mut bytes), _) => {
                let result = edit(&mut bytes);
                slot.set_value(owned_value_of(&mut bytes));
                Ok(Some(result))
            }
            (None, Some(bytes)) => Ok(Some(edit(bytes))),
            _ => unreachable!("a text that is not inline is an object"),
        }
    }

    /// Lets `change` change the bytes of the string at `key` in the ranges of `changed`, but not their number; `None` when the key
    /// does not exist.
    pub fn change_text<R>(
        &mut self,
        key: &Key<'_>,
        changed: &[Range<usize>],
        change: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<Option<R>, WrongType> {
        let Some(mut slot) = self.find(key) else { return Ok(None) };
        if let View::Str { raw: true, .. } = slot.view() {
            return Ok(slot.str_mut().map(change));
        }
        // The first change of a short string goes through a copy, because it becomes a raw one by that.
        match (copy_of_short(slot.view())?, slot.object_mut().and_then(|object| object.text_mut(changed))) {
            (Some(mut bytes), _) => {
                let result = change(&mut bytes);
                slot.set_value(owned_value_of(&mut bytes));
                Ok(Some(result))
            }
            (None, Some(bytes)) => Ok(Some(change(bytes))),
            _ => unreachable!("a text that is not inline is an object"),
        }
    }

    /// Appends `more` to the string at `key` unless it would grow past `bytes_max`; answers its new length, `None` inside when it
    /// would, outside when the key does not exist. A long string grows in amortised constant time, a short one without an
    /// allocation of its own.
    pub fn append_text(
        &mut self,
        key: &Key<'_>,
        more: &[u8],
        bytes_max: usize,
    ) -> Result<Option<Option<usize>>, WrongType> {
        let Some(mut slot) = self.find(key) else { return Ok(None) };
        let Some(text) = Text::of(slot.view()) else { return Err(WrongType) };
        let total = text.len() + more.len();
        if total > bytes_max {
            return Ok(Some(None));
        }
        if total <= INLINE_STRING_BYTES_MAX && !matches!(slot.view(), View::Object(_)) {
            let mut digits = [0; number::I64_TEXT_LEN_MAX];
            let old = match text {
                Text::Int(value) => number::format_i64(value, &mut digits),
                Text::Bytes(bytes) => bytes,
            };
            let mut joined = [0; INLINE_STRING_BYTES_MAX];
            joined[..old.len()].copy_from_slice(old);
            joined[old.len()..total].copy_from_slice(more);
            slot.set_value(Value::Str { bytes: &joined[..total], raw: true });
        } else if let Some(bytes) = slot.object_mut().and_then(|object| object.text_mut(&[])) {
            bytes.extend_from_slice(more);
        } else if let Some(text) = Text::of(slot.view()) {
            let mut bytes = Vec::with_capacity(total);
            match text {
                Text::Int(value) => number::write_i64(&mut bytes, value),
                Text::Bytes(old) => bytes.extend_from_slice(old),
            }
            bytes.extend_from_slice(more);
            slot.set_value(owned_value_of(&mut bytes));
        }
        Ok(Some(Some(total)))
    }
}
