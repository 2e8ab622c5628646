//! Group sorted set.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
