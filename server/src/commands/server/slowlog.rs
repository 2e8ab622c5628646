//! SLOWLOG: the commands that took longest.

use crate::session::Session;
use crate::shared::CommandRow;
use crate::worker::Worker;
use ochre_resp::Args as Words;

/// Notes a command that took at least as long as the slow log wants.
#[cold]
pub fn note(_worker: &mut Worker, _session: &Session, _row: &CommandRow, _words: Words<'_>, _took_ns: u64) {}
