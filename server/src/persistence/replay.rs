//! Loading commands: a segment is read frame by frame, and its commands run as a client's would, with fewer questions asked.

use crate::admission;
use crate::commands::SessionCall;
use crate::dispatch::Flow;
use crate::session::Session;
use crate::shared::{Run, Shared};
use crate::worker::Worker;
use ochre_commands::Args;
use ochre_keyspace::{Context, Effects, Locked};
use ochre_persistence::{Annotator, Scanner, Step};
use ochre_reactor::Reactor;
use ochre_resp::{Args as Words, Batch, Protocol, Reply};
use std::fs::File;
use std::io::Read;

/// How the loading of a segment ended.
#[derive(Debug)]
pub struct Replayed {
    /// Where the last whole command, or transaction, ends; bytes from the beginning of the file.
    pub valid_bytes: u64,
    /// Something unfinished follows.
    pub is_cut: bool,
    /// What checksums are to cover from there on.
    pub annotator: Annotator,
}

/// Why a segment cannot be loaded.
#[derive(Debug)]
pub enum ReplayError {
    /// It could not be read.
    Read(std::io::Error),
    /// It is not what it should be; where and why.
    Format(String),
    /// It names a command that there is not; the name and the offset.
    UnknownCommand(String, u64),
}

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Runs the commands of segments.
pub struct Replayer {
    shared: &'static Shared,
    context: Context,
    effects: Effects,
    db: usize,
    /// Between MULTI and EXEC: the commands so far, and where the file and its checksums stood before.
    transaction: Option<Transaction>,
    reply: Vec<u8>,
    /// Commands on sessions want these.
    stand_in: Option<Box<StandIn>>,
    /// Commands that failed: what they were to change was not what it should have been.
    failed: u64,
}

struct Transaction {
    commands: Vec<Vec<Box<[u8]>>>,
    began: u64,
    annotator: Annotator,
}

/// The client that a command on sessions believes to have sent it.
struct StandIn {
    worker: Worker,
    reactor: Reactor,
    session: Session,
}

impl Replayer {
    pub fn new(shared: &'static Shared) -> Replayer {
        let mut worker = Worker::new(0, shared);
        worker.context.expire = false;
        worker.context.log_wanted = false;
        worker.context.notify = ochre_keyspace::Class::NONE;
        Replayer {
            shared,
            context: worker.context.clone(),
            effects: Effects::default(),
            db: 0,
            transaction: None,
            reply: Vec::new(),
            stand_in: None,
            failed: 0,
        }
    }

    /// Commands that replied with an error.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Runs the commands of a file from `offset` on; `rest` has been read from it already. `progress` is told how far it got.
    ///
    /// # Errors
    /// When the file is not what it should be. What came before has been done.
    pub fn run(
        &mut self,
        file: &mut File,
        rest: Vec<u8>,
        offset: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Replayed, ReplayError> {
        let (mut scanner, mut batch) = (Scanner::new(offset), Batch::default());
        let mut buffer = rest;
        self.db = 0;
        self.transaction = None;
        loop {
            let taken = self.run_buffer(&buffer, &mut scanner, &mut batch)?;
            buffer.drain(..taken);
            progress(scanner.offset());
            let length = buffer.len();
            // What stays is a command in pieces: large ones are read in larger ones.
            buffer.resize(length + READ_BYTES.max(length), 0);
            let count = file.read(&mut buffer[length..]).map_err(ReplayError::Read)?;
            buffer.truncate(length + count);
            if count == 0 {
                break;
            }
        }
        let is_cut = !buffer.is_empty() || self.transaction.is_some();
        let (valid_bytes, annotator) = match self.transaction.take() {
            Some(transaction) => (transaction.began, transaction.annotator),
            None => (scanner.offset(), scanner.annotator()),
        };
        Ok(Replayed { valid_bytes, is_cut, annotator })
    }

    /// Runs all whole commands of the buffer; answers how many bytes they took.
    fn run_buffer(&mut self, buffer: &[u8], scanner: &mut Scanner, batch: &mut Batch) -> Result<usize, ReplayError> {
        let keyspace = &self.shared.keyspace;
        let mut locks = keyspace.all_shards();
        let mut effects = std::mem::take(&mut self.effects);
        let mut context = self.context.clone();
        context.now_ms = ochre_clock::now_ms();
        let guard = keyspace.shards().lock_set_blocking(&mut locks);
        let mut data = keyspace.view(guard, &context, &mut effects, self.db);
        let mut at = 0;
        let result = loop {
            batch.clear();
            let (before, annotator) = (scanner.offset(), scanner.annotator());
            match scanner.next(&buffer[at..], batch) {
                Ok(Step::Command(command)) => {
                    let words = batch.args(&command, &buffer[at..]);
                    at += command.consumed;
                    if let Err(name) = self.take(&mut data, words, before, annotator) {
                        break Err(ReplayError::UnknownCommand(name, before));
                    }
                }
                Ok(Step::Line { consumed, .. }) => at += consumed,
                Ok(Step::Incomplete) => break Ok(at),
                Err(damage) => break Err(ReplayError::Format(damage.to_string())),
            }
        };
        drop(data);
        for garbage in effects.garbage.drain(..) {
            self.shared.lazyfree.free(garbage);
        }
        self.effects = effects;
        result
    }

    /// Runs a command, or keeps it until EXEC. An error is the name of a command that there is not.
    fn take(
        &mut self,
        data: &mut Locked<'_>,
        words: Words<'_>,
        offset: u64,
        annotator: Annotator,
    ) -> Result<(), String> {
        let is = |word: &str| ochre_text::case::is(words.at(0), word);
        if is("MULTI") {
            self.transaction = Some(Transaction { commands: Vec::new(), began: offset, annotator });
            return Ok(());
        }
        if is("EXEC") {
            let Some(transaction) = self.transaction.take() else { return Ok(()) };
            let mut batch = Batch::default();
            for words in &transaction.commands {
                batch.clear();
                let command = batch.push(words.iter().map(|word| &**word));
                self.execute(data, batch.args(&command, &[]))?;
            }
            return Ok(());
        }
        match &mut self.transaction {
            Some(transaction) => {
                transaction.commands.push(words.iter().map(Box::from).collect());
                Ok(())
            }
            None => self.execute(data, words),
        }
    }

    fn execute(&mut self, data: &mut Locked<'_>, words: Words<'_>) -> Result<(), String> {
        if ochre_text::case::is(words.at(0), "SELECT") {
            let db = words.get(1).and_then(ochre_text::number::parse_u64);
            match db.filter(|db| *db < data.databases() as u64) {
                Some(db) => self.db = db as usize,
                None => self.failed += 1,
            }
            return Ok(());
        }
        let name = || String::from_utf8_lossy(&words.at(0)[..words.at(0).len().min(64)]).into_owned();
        let row = self.shared.commands.find(words.at(0)).ok_or_else(name)?;
        let Ok(row) = admission::resolve(Some(row), words) else {
            self.failed += 1;
            return Ok(());
        };
        self.reply.clear();
        let mut args = Args::new(words);
        args.seek(row.name_words);
        data.effects.clear();
        data.select(self.db);
        let result = match row.run {
            Some(Run::Data(function)) => {
                let mut reply = Reply::new(&mut self.reply, Protocol::Resp2);
                function(data, &mut args, &mut reply)
            }
            Some(Run::Session(function)) => {
                let stand_in = self.stand_in.get_or_insert_with(|| Box::new(StandIn::new(self.shared)));
                stand_in.session.select(self.db);
                let mut call = SessionCall {
                    worker: &mut stand_in.worker,
                    reactor: &mut stand_in.reactor,
                    session: &mut stand_in.session,
                    row,
                    words,
                    flow: Flow::Done,
                    held: Some(data),
                };
                let mut reply = Reply::new(&mut self.reply, Protocol::Resp2);
                function(&mut call, &mut args, &mut reply)
            }
            None => Ok(()),
        };
        self.failed += u64::from(result.is_err());
        // Nobody is there who could wait, watch or listen.
        data.effects.unit.clear();
        data.effects.block = None;
        Ok(())
    }
}

impl StandIn {
    fn new(shared: &'static Shared) -> StandIn {
        let options = ochre_reactor::Options { backend: ochre_reactor::Backend::Epoll, ..Default::default() };
        let reactor = Reactor::new(options).expect("the system gives another event loop, as it did before");
        let mut worker = Worker::new(0, shared);
        worker.context.expire = false;
        worker.context.log_wanted = false;
        let session = worker.stand_in_session();
        StandIn { worker, reactor, session }
    }
}
