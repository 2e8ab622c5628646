//! Group connection: who the client is, what it speaks, and how it is treated.

mod basics;
mod control;
mod filters;
mod help;
mod list;
mod login;
mod names;
mod tracking;

use super::Command;
use ochre_commands::spec::{CAT_CONNECTION, Group};

pub use list::{describe, kill};

pub const COMMANDS: &[Command] =
    &[basics::PING, basics::ECHO, basics::QUIT, basics::SELECT, basics::RESET, login::AUTH, login::HELLO, CLIENT];

const CLIENT: Command = Command::container(Group::Connection, "CLIENT", CLIENT_SUBCOMMANDS)
    .summary("Holds the commands about connections.")
    .cost("Depends on subcommand.")
    .since("2.4.0")
    .not_in(CAT_CONNECTION);

const CLIENT_SUBCOMMANDS: &[Command] = &[
    names::CLIENT_ID,
    names::CLIENT_SETNAME,
    names::CLIENT_GETNAME,
    names::CLIENT_SETINFO,
    names::CLIENT_CAPA,
    list::CLIENT_INFO,
    list::CLIENT_LIST,
    list::CLIENT_KILL,
    control::CLIENT_PAUSE,
    control::CLIENT_UNPAUSE,
    control::CLIENT_UNBLOCK,
    control::CLIENT_REPLY,
    control::CLIENT_NO_EVICT,
    control::CLIENT_NO_TOUCH,
    control::CLIENT_IMPORT_SOURCE,
    tracking::CLIENT_TRACKING,
    tracking::CLIENT_CACHING,
    tracking::CLIENT_GETREDIR,
    tracking::CLIENT_TRACKINGINFO,
    help::CLIENT_HELP,
];
