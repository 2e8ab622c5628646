//! Group generic.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
