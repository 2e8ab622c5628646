//! Group list.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
