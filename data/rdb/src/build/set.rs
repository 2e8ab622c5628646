//! Sets: texts one by one, integers, or a packed list.

use super::{count, listpack};
use crate::error::Fault;
use crate::input::Input;
use ochre_collections::IntSet;
use ochre_values::{Limits, Set};

const TWICE: Fault = Fault::Malformed("Duplicate set members detected");

pub(super) fn of_texts(input: &mut Input<'_>, limits: &Limits) -> Result<Set, Fault> {
    let count = count(input)?;
    let mut space = Vec::new();
    let first = input.text()?.read_into(&mut space)?;
    let mut set = Set::for_members(first, count, limits);
    set.insert(first, limits);
    for _ in 1..count {
        if !set.insert(input.text()?.read_into(&mut space)?, limits) {
            return Err(TWICE);
        }
    }
    Ok(set)
}

pub(super) fn of_intset(input: &mut Input<'_>, limits: &Limits) -> Result<Set, Fault> {
    let text = input.text()?;
    let ints = IntSet::from_untrusted(text.read_into(&mut Vec::new())?);
    match ints.map_err(|_| Fault::Malformed("Intset integrity check failed."))? {
        ints if ints.is_empty() => Err(Fault::Empty),
        ints => Ok(Set::from_ints(ints, limits)),
    }
}

pub(super) fn of_listpack(input: &mut Input<'_>, limits: &Limits) -> Result<Set, Fault> {
    let list = listpack(input)?;
    if list.is_empty() {
        return Err(Fault::Empty);
    }
    Set::from_listpack(list, limits).ok_or(TWICE)
}
