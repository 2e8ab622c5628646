//! Group geo.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
