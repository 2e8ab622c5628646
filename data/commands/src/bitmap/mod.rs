//! Group bitmap.

use crate::Command;

pub const COMMANDS: &[Command] = &[];
