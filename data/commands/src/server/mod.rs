//! Group server, the part that works on data: whole databases.

mod databases;

use crate::Command;

pub const COMMANDS: &[Command] = &[databases::DBSIZE, databases::FLUSHDB, databases::FLUSHALL, databases::SWAPDB];
