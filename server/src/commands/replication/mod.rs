//! Commands about copies of the data: in files and on replicas.

mod acknowledge;
mod failover;
mod role;
mod sync;

pub use acknowledge::write_reached;

use super::{Command, SessionCall};

pub const COMMANDS: &[Command] = &[
    acknowledge::WAIT,
    acknowledge::WAITAOF,
    failover::FAILOVER,
    role::REPLICAOF,
    role::ROLE,
    role::SLAVEOF,
    sync::PSYNC,
    sync::REPLCONF,
    sync::SYNC,
];
