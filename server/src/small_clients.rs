//! What the clients of tutorials send and no peer understands: two other names of commands, and arguments with types.

use crate::dispatch::{self, Call, Flow};
use crate::session::Session;
use crate::shared::{CommandRow, Run};
use crate::worker::{Worker, protocol_of};
use ochre_commands::spec::Command;
use ochre_commands::table::{Row, Table};
use ochre_commands::{DataFn, SET_STRUCTURED};
use ochre_reactor::Reactor;
use ochre_resp::request::TYPED;
use ochre_resp::{Args as Words, Batch, ProtocolError, Reply};
use ochre_text::case;

/// Other names of commands, unless `command-aliases` says no. Replies, logs and statistics know the real ones only.
const ALIASES: &[(&str, &str)] = &[("DELETE", "DEL"), ("FLUSH", "FLUSHDB")];

/// SET and MSET with typed arguments. They stand in no table: nobody can name them.
pub struct TypedRows {
    set: CommandRow,
    mset: CommandRow,
}

impl TypedRows {
    /// They count as the commands whose names they have.
    pub fn new(table: &Table<Run>) -> Self {
        let row = |command: &'static Command<DataFn>| {
            let mut id = table.find(command.spec.name.as_bytes()).map_or(0, |row| row.id);
            Row::new(command, None, &mut id, Run::Data)
        };
        TypedRows { set: row(&SET_STRUCTURED[0]), mset: row(&SET_STRUCTURED[1]) }
    }
}

/// Runs a command that is in no table, if it is one of these.
#[cold]
pub fn execute(
    worker: &mut Worker,
    reactor: &mut Reactor,
    session: &mut Session,
    call: &Call,
    words: Words<'_>,
    output: &mut Vec<u8>,
) -> Option<Flow> {
    if call.command.is_typed {
        return Some(execute_typed(worker, reactor, session, call, words, output));
    }
    if !worker.shared.settings.security.command_aliases.get() {
        return None;
    }
    let (_, name) = ALIASES.iter().find(|(alias, _)| case::is(words.at(0), alias))?;
    let mut batch = Batch::default();
    let mut command = batch.push(std::iter::once(name.as_bytes()).chain(words.from(1)));
    command.consumed = call.command.consumed;
    let words = batch.args(&command, &[]);
    let call = Call::new(&worker.shared.commands, command, call.start, words);
    Some(dispatch::execute(worker, reactor, session, &call, words, output))
}

/// Runs SET and MSET; with any other command it is the protocol error that it is everywhere.
fn execute_typed(
    worker: &mut Worker,
    reactor: &mut Reactor,
    session: &mut Session,
    call: &Call,
    words: Words<'_>,
    output: &mut Vec<u8>,
) -> Flow {
    let shared = worker.shared;
    // After the name there are pairs of a mark and an argument.
    let arguments = (words.len() - 1) / 2;
    let is_plain = |number: usize| words.at(1 + number * 2) != TYPED;
    let has_plain_keys = (0..arguments).step_by(2).all(is_plain);
    let row = if case::is(words.at(0), "SET") && arguments == 2 {
        Some(&shared.typed.set)
    } else if case::is(words.at(0), "MSET") && arguments.is_multiple_of(2) {
        Some(&shared.typed.mset)
    } else {
        None
    };
    let Some(row) = row.filter(|_| has_plain_keys) else {
        let first = (0..arguments).find(|number| !is_plain(*number)).map_or(0, |number| words.at(2 + number * 2)[0]);
        worker.counters().protocol_errors.add(1);
        worker.count_error("ERR");
        let error = ProtocolError::ExpectedBulk(first);
        Reply::new(output, protocol_of(session)).error_fmt(format_args!("ERR {error}"));
        return Flow::Close;
    };
    if let Some(transaction) = &mut session.transaction {
        transaction.failed = true;
        worker.count_error("ERR");
        Reply::new(output, protocol_of(session))
            .error("ERR Arguments with types cannot be queued between MULTI and EXEC");
        return Flow::Done;
    }
    let mut batch = Batch::default();
    // The keys' marks are left out.
    let pairs =
        (0..arguments).step_by(2).flat_map(|at| [words.at(2 + at * 2), words.at(3 + at * 2), words.at(4 + at * 2)]);
    let mut command = batch.push(std::iter::once(words.at(0)).chain(pairs));
    command.consumed = call.command.consumed;
    let words = batch.args(&command, &[]);
    let call = Call::of_row(row, command, call.start);
    dispatch::execute(worker, reactor, session, &call, words, output)
}
