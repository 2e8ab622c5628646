//! Group set.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
