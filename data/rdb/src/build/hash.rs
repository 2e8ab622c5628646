//! Hashes: fields one by one, with or without deadlines, or a packed list.

use super::{count, listpack};
use crate::error::Fault;
use crate::format::kind;
use crate::input::Input;
use crate::old::{ziplist, zipmap};
use ochre_collections::listpack::INTEGER_TEXT_MAX;
use ochre_values::hash::{Before, Deadline};
use ochre_values::{Collection, Hash, Limits};

const TWICE: Fault = Fault::Malformed("Duplicate hash fields detected");
const WRONG_TIME: Fault = Fault::Malformed("A hash field has an impossible deadline");
/// Room is made ahead for at most so many fields; more come by themselves.
const FIELDS_AHEAD_MAX: usize = 1 << 20;

/// How the deadlines of fields are written.
#[derive(Clone, Copy)]
pub(super) enum Times {
    None,
    /// Before each field as a number: 0 for none, else what is to be added to one less than the earliest (Redis).
    Before {
        earliest: i64,
    },
    /// After each value, in 8 bytes: -1 for none (Valkey).
    After,
}

pub(super) fn of_fields(input: &mut Input<'_>, times: Times, limits: &Limits) -> Result<Hash, Fault> {
    let count = count(input)?;
    let mut hash = Hash::new();
    hash.prepare(count.min(FIELDS_AHEAD_MAX), 0, limits);
    let (mut name_space, mut value_space) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let before = match times {
            Times::Before { earliest } => deadline_from(earliest, input.length()?)?,
            _ => None,
        };
        let name = input.text()?.read_into(&mut name_space)?;
        let value = input.text()?.read_into(&mut value_space)?;
        let deadline_ms = match times {
            Times::After => match input.time_ms()? {
                -1 => None,
                time_ms => Some(u64::try_from(time_ms).map_err(|_| WRONG_TIME)?),
            },
            _ => before,
        };
        set(&mut hash, name, value, deadline_ms, limits)?;
    }
    Ok(hash)
}

fn deadline_from(earliest: i64, distance: u64) -> Result<Option<u64>, Fault> {
    let Some(distance) = distance.checked_sub(1) else { return Ok(None) };
    let time = i64::try_from(distance).ok().and_then(|distance| earliest.checked_add(distance));
    time.and_then(|time| u64::try_from(time).ok()).map(Some).ok_or(WRONG_TIME)
}

/// Adds a field that is not there.
fn set(hash: &mut Hash, name: &[u8], value: &[u8], deadline_ms: Option<u64>, limits: &Limits) -> Result<(), Fault> {
    let deadline = deadline_ms.map_or(Deadline::Clear, Deadline::At);
    match hash.set(name, value, deadline, 0, limits) {
        Before::Missing => Ok(()),
        Before::Living | Before::Expired => Err(TWICE),
    }
}

pub(super) fn of_packed(kind: u8, input: &mut Input<'_>, limits: &Limits) -> Result<Hash, Fault> {
    let list = match kind {
        kind::HASH_ZIPMAP => zipmap::to_listpack(input.text()?.read_into(&mut Vec::new())?)?,
        kind::HASH_ZIPLIST => ziplist::to_listpack(input.text()?.read_into(&mut Vec::new())?)?,
        _ => listpack(input)?,
    };
    if list.is_empty() {
        return Err(Fault::Empty);
    }
    Hash::from_listpack(list, limits).ok_or(Fault::Malformed("Hash integrity check failed."))
}

/// Name, value and deadline by turns in a packed list; a deadline of 0 is none.
pub(super) fn of_triples(input: &mut Input<'_>, limits: &Limits) -> Result<Hash, Fault> {
    const WRONG: Fault = Fault::Malformed("Hash integrity check failed.");
    let list = listpack(input)?;
    if list.is_empty() {
        return Err(Fault::Empty);
    }
    let mut hash = Hash::new();
    let mut items = list.iter();
    while let Some(name) = items.next() {
        let value = items.next().ok_or(WRONG)?;
        let time = items.next().and_then(|item| item.as_int()).ok_or(WRONG)?;
        let time = u64::try_from(time).map_err(|_| WRONG_TIME)?;
        let (mut name_space, mut value_space) = ([0; INTEGER_TEXT_MAX], [0; INTEGER_TEXT_MAX]);
        let deadline_ms = (time > 0).then_some(time);
        set(&mut hash, name.as_bytes(&mut name_space), value.as_bytes(&mut value_space), deadline_ms, limits)?;
    }
    Ok(hash)
}
