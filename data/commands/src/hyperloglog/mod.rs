//! Group hyperloglog.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
