//! Group hyperloglog: counting different elements in little memory.

mod count;
mod debug;
mod elements;

use crate::{Command, Error, Text};
use ochre_values::hyperloglog::{Damage, Sketch};

pub const COMMANDS: &[Command] =
    &[elements::PFADD, count::PFCOUNT, elements::PFMERGE, debug::PFDEBUG, debug::PFSELFTEST];

/// A sketch is short, so that a snapshot may keep all of it.
const WHOLE: &[std::ops::Range<usize>] = std::slice::from_ref(&(0..usize::MAX));

/// The sketch in a string; a number is none.
fn sketch_in(text: Text<'_>) -> Result<Sketch<'_>, Error> {
    match text {
        Text::Bytes(bytes) => Sketch::read(bytes).map_err(damaged),
        Text::Int(_) => Err(damaged(Damage::NotASketch)),
    }
}

fn damaged(damage: Damage) -> Error {
    match damage {
        Damage::NotASketch => NOT_A_SKETCH,
        Damage::Corrupt => CORRUPT,
    }
}

const NOT_A_SKETCH: Error = Error::fixed("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPT: Error = Error::fixed("INVALIDOBJ Corrupted HLL object detected");
