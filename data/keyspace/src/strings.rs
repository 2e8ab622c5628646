//! String values: read as they are kept, edited in place where their size allows.

use crate::Entry;
use ochre_collections::Slot;
use ochre_collections::{Value, View};
use ochre_text::number;
use ochre_values::Object;

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
            View::Object(Object::String(bytes)) => Some(Text::Bytes(bytes)),
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

/// Edits the text in `slot` as a vector. In place for a long string; a short one is copied out and back.
pub(crate) fn edit_in_slot<R>(slot: &mut Slot<'_, Entry>, edit: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    if let Some(Object::String(bytes)) = slot.object_mut() {
        return edit(bytes);
    }
    let mut bytes = Text::of(slot.item().view()).map(|text| text.to_vec()).unwrap_or_default();
    let result = edit(&mut bytes);
    if bytes.len() <= INLINE_STRING_BYTES_MAX {
        slot.set_value(Value::Str { bytes: &bytes, raw: true });
    } else {
        slot.set_value(Value::Object(Object::String(bytes)));
    }
    result
}
