//! Group server: the server about itself.

pub mod slowlog;

use super::Command;

pub const COMMANDS: &[Command] = &[];
