//! Group hash.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
