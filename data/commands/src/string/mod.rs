//! Group string: values as bytes, as counters, as ranges.

mod counters;
mod values;

use crate::Command;

pub const COMMANDS: &[Command] = &[values::GET, values::SET, counters::INCR];
