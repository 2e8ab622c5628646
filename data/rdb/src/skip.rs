//! How long a value is, found without building it.

use crate::error::Fault;
use crate::format::{MODULE_LETTERS, STRUCTURED, Version, kind};
use crate::input::Input;

/// Passes over a value of type `kind`. Time in proportion to its elements; texts are not looked at.
pub(crate) fn skip_value(kind: u8, version: Version, input: &mut Input<'_>) -> Result<(), Fault> {
    match kind {
        kind::STRING
        | kind::HASH_ZIPMAP
        | kind::LIST_ZIPLIST
        | kind::SET_INTSET
        | kind::SORTED_SET_ZIPLIST
        | kind::HASH_ZIPLIST
        | kind::HASH_LISTPACK
        | kind::SORTED_SET_LISTPACK
        | kind::SET_LISTPACK => input.skip_text(),
        kind::LIST | kind::SET | kind::LIST_ZIPLISTS => times(input, |input| input.skip_text()),
        kind::HASH => times(input, |input| {
            input.skip_text()?;
            input.skip_text()
        }),
        kind::SORTED_SET_TEXT => times(input, |input| {
            input.skip_text()?;
            match input.byte()? {
                NOT_A_NUMBER.. => Ok(()),
                length => input.skip(length.into()),
            }
        }),
        kind::SORTED_SET => times(input, |input| {
            input.skip_text()?;
            input.skip(8)
        }),
        kind::LIST_NODES => times(input, |input| {
            input.length()?;
            input.skip_text()
        }),
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => skip_stream(kind, input),
        kind::STREAM_4 | kind::STREAM_5 if !version.is_valkey() => skip_stream(kind, input),
        kind::HASH_2 if version.is_valkey() => times(input, |input| {
            input.skip_text()?;
            input.skip_text()?;
            input.skip(8)
        }),
        kind::HASH_2 | kind::HASH_DUE if !version.is_valkey() => {
            if kind == kind::HASH_DUE {
                input.skip(8)?;
            }
            times(input, |input| {
                input.length()?;
                input.skip_text()?;
                input.skip_text()
            })
        }
        kind::HASH_LISTPACK_DUE_EARLY if !version.is_valkey() => input.skip_text(),
        kind::HASH_LISTPACK_DUE if !version.is_valkey() => {
            input.skip(8)?;
            input.skip_text()
        }
        kind::MODULE => {
            let id = input.length()?;
            if id == STRUCTURED { skip_module_data(input) } else { Err(Fault::Module(module_name(id))) }
        }
        kind::MODULE_EARLY => Err(Fault::Module("of Redis 4.0's release candidates".into())),
        other => Err(Fault::Kind(other)),
    }
}

/// From this length on the score of an old sorted set is one of three words: no number, and the infinite ones.
pub(crate) const NOT_A_NUMBER: u8 = 253;

/// A count, and so many times what `skip` passes over.
fn times(input: &mut Input<'_>, mut skip: impl FnMut(&mut Input<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
    let count = input.length()?;
    (0..count).try_for_each(|_| skip(input))
}

fn skip_stream(kind: u8, input: &mut Input<'_>) -> Result<(), Fault> {
    times(input, |input| {
        input.skip_text()?;
        input.skip_text()
    })?;
    let has_totals = kind != kind::STREAM;
    let numbers = if has_totals { 3 + 5 } else { 3 };
    (0..numbers).try_for_each(|_| input.length().map(|_| ()))?;
    times(input, |input| {
        input.skip_text()?;
        let numbers = if has_totals { 3 } else { 2 };
        (0..numbers).try_for_each(|_| input.length().map(|_| ()))?;
        times(input, |input| {
            input.skip(16 + 8)?;
            input.length().map(|_| ())
        })?;
        times(input, |input| {
            input.skip_text()?;
            input.skip(if kind >= kind::STREAM_3 { 16 } else { 8 })?;
            times(input, |input| input.skip(16))
        })?;
        if kind >= kind::STREAM_5 { times(input, |input| input.skip(16)) } else { Ok(()) }
    })?;
    if kind >= kind::STREAM_4 { skip_producers(input) } else { Ok(()) }
}

/// Passes over what a stream knows of idempotent producers.
pub(crate) fn skip_producers(input: &mut Input<'_>) -> Result<(), Fault> {
    input.length()?;
    input.length()?;
    times(input, |input| {
        input.skip_text()?;
        times(input, |input| {
            input.skip_text()?;
            input.length()?;
            input.length().map(|_| ())
        })
    })?;
    input.length()?;
    input.length().map(|_| ())
}

/// Passes over what a module wrote: marked numbers and texts up to an end mark.
pub(crate) fn skip_module_data(input: &mut Input<'_>) -> Result<(), Fault> {
    loop {
        match input.length()? {
            0 => return Ok(()),
            1 | 2 => _ = input.length()?,
            3 => input.skip(4)?,
            4 => input.skip(8)?,
            5 => input.skip_text()?,
            _ => return Err(Fault::Malformed("Unknown mark in the data of a module")),
        }
    }
}

/// The name that the upper 54 bits of a module's id spell, six bits a letter.
pub(crate) fn module_name(id: u64) -> String {
    (0..9).map(|at| char::from(MODULE_LETTERS[(id >> (58 - 6 * at) & 63) as usize])).collect()
}
