//! From the bytes of a value to the value, checked in every part.

mod hash;
mod list;
mod set;
mod sorted_set;
mod stream;

pub(crate) use list::{PACKED, PLAIN};

use crate::error::Fault;
use crate::format::{MODULE_TEXT, STRUCTURED, Version, kind};
use crate::input::{Encoded, Input};
use crate::lzf;
use ochre_collections::listpack::Listpack;
use ochre_values::{Limits, Object};
use std::borrow::Cow;

/// A value that has been built.
#[derive(Clone)]
pub enum Built<'a> {
    /// A string that is the decimal text of an integer.
    Int(i64),
    /// Any string; borrowed from the bytes where it stands there as it is.
    Text(Cow<'a, [u8]>),
    /// A list, set, hash, sorted set or stream.
    Object(Object),
}

/// Builds a value; see [`crate::RawValue::build`].
pub(crate) fn build<'a>(kind: u8, version: Version, bytes: &'a [u8], limits: &Limits) -> Result<Built<'a>, Fault> {
    let mut input = Input::new(bytes);
    let built = if kind == kind::STRING {
        string(input.text()?)?
    } else {
        Built::Object(object(kind, version, &mut input, limits)?)
    };
    input.finish()?;
    Ok(built)
}

fn string(text: Encoded<'_>) -> Result<Built<'_>, Fault> {
    Ok(match text {
        Encoded::Int(value) => Built::Int(value),
        Encoded::Plain(bytes) => Built::Text(Cow::Borrowed(bytes)),
        Encoded::Packed { bytes, length } => {
            let mut text = Vec::new();
            lzf::decompress(bytes, length, &mut text)?;
            Built::Text(Cow::Owned(text))
        }
    })
}

/// A nested value with types, the only thing that is in the form of a module's data.
fn structured(input: &mut Input<'_>) -> Result<Object, Fault> {
    let id = input.length()?;
    if id != STRUCTURED {
        return Err(Fault::Module(crate::skip::module_name(id)));
    }
    if input.length()? != MODULE_TEXT {
        return Err(Fault::Malformed("A structured value has no text"));
    }
    let bytes = match string(input.text()?)? {
        Built::Text(text) => text.into_owned(),
        _ => return Err(Fault::Malformed("A structured value has no text")),
    };
    if input.length()? != 0 || ochre_resp::typed::measure(&bytes) != Ok(Some(bytes.len())) {
        return Err(Fault::Malformed("The text of a structured value is wrong"));
    }
    Ok(Object::Structured(bytes.into()))
}

fn object(kind: u8, version: Version, input: &mut Input<'_>, limits: &Limits) -> Result<Object, Fault> {
    let is_redis = !version.is_valkey();
    Ok(match kind {
        kind::LIST => Object::List(list::of_texts(input, limits)?),
        kind::LIST_ZIPLIST => Object::List(list::of_ziplist(input, limits)?),
        kind::LIST_ZIPLISTS => Object::List(list::of_ziplists(input, limits)?),
        kind::LIST_NODES => Object::List(list::of_nodes(input, limits)?),
        kind::SET => Object::Set(set::of_texts(input, limits)?),
        kind::SET_INTSET => Object::Set(set::of_intset(input, limits)?),
        kind::SET_LISTPACK => Object::Set(set::of_listpack(input, limits)?),
        kind::SORTED_SET_TEXT | kind::SORTED_SET => Object::SortedSet(sorted_set::of_members(kind, input, limits)?),
        kind::SORTED_SET_ZIPLIST | kind::SORTED_SET_LISTPACK => {
            Object::SortedSet(sorted_set::of_packed(kind, input, limits)?)
        }
        kind::HASH => Object::Hash(hash::of_fields(input, hash::Times::None, limits)?),
        kind::HASH_ZIPMAP | kind::HASH_ZIPLIST | kind::HASH_LISTPACK => {
            Object::Hash(hash::of_packed(kind, input, limits)?)
        }
        kind::HASH_2 if is_redis => Object::Hash(hash::of_fields(input, hash::Times::Before { earliest: 1 }, limits)?),
        kind::HASH_2 => Object::Hash(hash::of_fields(input, hash::Times::After, limits)?),
        kind::HASH_DUE if is_redis => {
            let earliest = input.time_ms()?;
            Object::Hash(hash::of_fields(input, hash::Times::Before { earliest }, limits)?)
        }
        kind::HASH_LISTPACK_DUE_EARLY if is_redis => Object::Hash(hash::of_triples(input, limits)?),
        kind::HASH_LISTPACK_DUE if is_redis => {
            input.time_ms()?;
            Object::Hash(hash::of_triples(input, limits)?)
        }
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => stream::build(kind, input)?,
        kind::STREAM_4 | kind::STREAM_5 if is_redis => stream::build(kind, input)?,
        kind::MODULE => structured(input)?,
        kind::MODULE_EARLY => return Err(Fault::Module("of Redis 4.0's release candidates".into())),
        other => return Err(Fault::Kind(other)),
    })
}

/// A count of elements that take at least a byte each, so that it may be believed as far as there are bytes.
fn count(input: &mut Input<'_>) -> Result<usize, Fault> {
    match input.length()? {
        0 => Err(Fault::Empty),
        count if count > input.left() as u64 => Err(Fault::Truncated),
        count => Ok(count as usize),
    }
}

/// A packed list that a text holds, checked, and every element in the form in which it would be looked for.
fn listpack(input: &mut Input<'_>) -> Result<Listpack, Fault> {
    let text = input.text()?;
    let list = Listpack::from_untrusted(text.read_into(&mut Vec::new())?);
    list.map(Listpack::into_canonical).map_err(|_| Fault::Malformed("Listpack integrity check failed."))
}
