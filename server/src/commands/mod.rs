//! Commands on sessions and on the server itself; those on data live below, in `ochre-commands`.

pub mod connection;
pub mod pubsub;
pub mod server;
pub mod transactions;

use crate::dispatch::Flow;
use crate::session::Session;
use crate::shared::CommandRow;
use crate::worker::Worker;
use ochre_commands::{Args, Error};
use ochre_reactor::Reactor;
use ochre_resp::Reply;

/// What a command on a session can reach: the loop that runs it and the client that sent it.
pub struct SessionCall<'a> {
    pub worker: &'a mut Worker,
    pub reactor: &'a mut Reactor,
    pub session: &'a mut Session,
    pub row: &'a CommandRow,
    /// What becomes of the connection afterwards.
    pub flow: Flow,
}

/// The function of a command on a session.
pub type SessionFn = fn(&mut SessionCall<'_>, &mut Args<'_>, &mut Reply<'_>) -> Result<(), Error>;

/// A command on a session.
pub type Command = ochre_commands::spec::Command<SessionFn>;

/// The lists of all families.
pub const FAMILIES: &[&[Command]] = &[connection::COMMANDS, server::COMMANDS, pubsub::COMMANDS, transactions::COMMANDS];
