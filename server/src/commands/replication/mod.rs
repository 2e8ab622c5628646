//! Commands about copies of the data: in files and on replicas.

mod acknowledge;

pub use acknowledge::write_reached;

use super::{Command, SessionCall};

pub const COMMANDS: &[Command] = &[acknowledge::WAIT, acknowledge::WAITAOF];
