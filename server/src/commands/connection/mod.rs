//! Group connection: who the client is, what it speaks, and how it is treated.

mod basics;

use super::Command;
use crate::clients::Client;
use crate::shared::Shared;

pub const COMMANDS: &[Command] = &[basics::PING, basics::ECHO, basics::QUIT, basics::SELECT];

/// The line of a client in CLIENT LIST, without its line end.
pub fn describe(client: &Client, _shared: &Shared, _now_ms: u64) -> String {
    format!("id={} addr={}", client.id, client.address)
}
