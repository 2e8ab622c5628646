//! Group server: the server about itself.

mod access_log;
mod command;
mod command_docs;
pub(crate) mod command_keys;
mod config;
mod debug;
mod debug_values;
mod digest;
mod ends;
mod hotkeys;
mod info;
mod latency;
mod memory;
mod reload;
mod saving;
mod slowlog;
mod small;
mod user_files;
mod users;

pub use info::{InfoField, each_command, info_fields, latencies};
pub use reload::flush as empty_databases;

use super::Command;
use ochre_commands::Error;

pub const COMMANDS: &[Command] = &[
    command::COMMAND,
    config::CONFIG,
    debug::DEBUG,
    hotkeys::HOTKEYS,
    info::INFO,
    latency::LATENCY,
    memory::MEMORY,
    slowlog::COMMANDLOG,
    slowlog::SLOWLOG,
    saving::BGREWRITEAOF,
    saving::BGSAVE,
    saving::LASTSAVE,
    saving::SAVE,
    small::LOLWUT,
    small::MODULE,
    small::MONITOR,
    small::TIME,
    ends::SHUTDOWN,
    users::ACL,
];

/// Refuses a command that a setting keeps from this client.
fn not_allowed(command: &str, setting: &str) -> Error {
    Error::text(format!(
        "ERR {command} command not allowed. If the {setting} option is set to \"local\", you can run it from a local \
         connection, otherwise you need to set this option in the configuration file, and then restart the server."
    ))
}
