//! One `check` for all command tests: words in as a client types them, the reply out.

use crate::spec::Locks;
use crate::table::{Row, Table};
use crate::{Args, DataFn, Error, FAMILIES, Key, Locked};
use ochre_collections::lock::ShardSet;
use ochre_keyspace::{Context, Effects, Event, Keyspace, LogMode, Options};
use ochre_resp::{Args as Words, Batch, Protocol, Reply};
use std::sync::OnceLock;

/// A keyspace of its own for a test, with the commands on data.
pub struct Db {
    pub keyspace: Keyspace,
    pub context: Context,
    pub effects: Effects,
    pub db: usize,
    pub protocol: Protocol,
}

/// A reply, written as `redis-cli` would show it on one line: see `Db::run`.
pub type Shown = String;

/// What a test expects: numbers, strings and lists of them; strings beginning with `-` are errors.
pub struct Expected(Shown);

/// The null reply.
pub struct Null;

impl From<i64> for Expected {
    fn from(value: i64) -> Self {
        Expected(value.to_string())
    }
}

impl From<&str> for Expected {
    fn from(text: &str) -> Self {
        Expected(text.into())
    }
}

impl From<Error> for Expected {
    fn from(error: Error) -> Self {
        Expected(format!("-{error}"))
    }
}

impl From<Null> for Expected {
    fn from(_: Null) -> Self {
        Expected("nil".into())
    }
}

impl<T: Into<Expected>, const N: usize> From<[T; N]> for Expected {
    fn from(items: [T; N]) -> Self {
        let items: Vec<String> = items.into_iter().map(|item| item.into().0).collect();
        Expected(format!("[{}]", items.join(" ")))
    }
}

/// All commands on data.
pub fn table() -> &'static Table<DataFn> {
    static TABLE: OnceLock<Table<DataFn>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut ids = 0;
        let commands = FAMILIES.iter().flat_map(|family| family.iter());
        let rows = commands.map(|command| Row::new(command, None, &mut ids, |run| run)).collect();
        Table::new(rows, ids)
    })
}

impl Default for Db {
    fn default() -> Self {
        Db::new()
    }
}

impl Db {
    /// An empty keyspace of 16 shards and 16 databases, at a fixed time, with all events and the log wanted.
    pub fn new() -> Self {
        Db::with_shards(16)
    }

    /// As `new`, with so many shards: a power of two.
    pub fn with_shards(shards: usize) -> Self {
        let options = Options { shards, single_threaded: false, databases: 16 };
        let mut context = Context { now_ms: 1_700_000_000_000, log_wanted: true, ..Context::default() };
        context.notify = ochre_keyspace::Class(u32::MAX);
        Db {
            keyspace: Keyspace::new(options, |_| ()),
            context,
            effects: Effects::default(),
            db: 0,
            protocol: Protocol::Resp2,
        }
    }

    /// Runs a command, its words split as on an inline request, and shows the reply on one line: integers and doubles as
    /// they are, strings as their text, null as `nil`, arrays (also sets and maps) in brackets, errors behind a `-`. A command
    /// that waits is shown with its keys and its timeout.
    pub fn run(&mut self, command: &str) -> Shown {
        let words = ochre_text::quote::split_args(command.as_bytes()).expect("the test's quotes match");
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.run_words(&words)
    }

    /// As `run`, for words of any bytes.
    pub fn run_words(&mut self, words: &[&[u8]]) -> Shown {
        let bytes = self.run_raw(words);
        if let Some(block) = &self.effects.block {
            assert_eq!(bytes, b"", "a command that waits replies nothing yet");
            let keys: Vec<_> = block.keys.iter().map(|key| String::from_utf8_lossy(key)).collect();
            return format!("waits for {}, {} ms", keys.join(" "), block.timeout_ms);
        }
        let mut at = 0;
        let shown = show(&bytes, &mut at);
        assert_eq!(at, bytes.len(), "one reply to {words:?}, not {:?}", String::from_utf8_lossy(&bytes));
        shown
    }

    /// As `run_words`, giving the reply as it goes over the wire.
    pub fn run_raw(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut batch = Batch::default();
        let command = batch.push(words.iter().copied());
        let words = batch.args(&command, &[]);
        let (row, _) = row_of(words);
        self.effects.clear();
        let mut locks = self.shards_of(row, words);
        let guard = self.keyspace.shards().try_lock_set(&mut locks).expect("nobody else uses the keyspace");
        let mut data = self.keyspace.view(guard, &self.context, &mut self.effects, self.db);
        let bytes = run_in(&mut data, words, self.protocol);
        drop(data);
        self.effects.collect_misses();
        bytes
    }

    /// Runs commands as a transaction or a script does, all under the same locks.
    pub fn run_together(&mut self, commands: &[Vec<&[u8]>]) {
        let mut locks = self.keyspace.all_shards();
        let guard = self.keyspace.shards().try_lock_set(&mut locks).expect("nobody else uses the keyspace");
        self.effects.clear();
        let mut data = self.keyspace.view(guard, &self.context, &mut self.effects, self.db);
        for words in commands {
            let mut batch = Batch::default();
            let command = batch.push(words.iter().copied());
            data.effects.clear();
            data.select(self.db);
            run_in(&mut data, batch.args(&command, &[]), self.protocol);
        }
    }

    /// The shards that a command needs, as the server locks them.
    fn shards_of(&self, row: &Row<DataFn>, words: Words<'_>) -> ShardSet {
        let shard_of = |at: usize| self.keyspace.shard_of(&Key::new(words.at(at)));
        match row.spec.locks {
            Locks::Keys if !row.spec.keys.is_empty() => {
                let mut locks = ShardSet::new();
                for spec in row.spec.keys {
                    match spec.locate(words) {
                        Ok(Some((first, count, step))) => {
                            (0..count).for_each(|at| _ = locks.insert(shard_of(first + at * step)));
                        }
                        Ok(None) => return self.keyspace.all_shards(),
                        Err(_) => {}
                    }
                }
                locks
            }
            Locks::Words(find) => match find(words) {
                Some(found) => found.into_iter().map(shard_of).collect(),
                None => self.keyspace.all_shards(),
            },
            _ => self.keyspace.all_shards(),
        }
    }

    /// Runs a command and compares its reply.
    #[track_caller]
    pub fn check(&mut self, command: &str, expected: impl Into<Expected>) {
        assert_eq!(self.run(command), expected.into().0, "{command}");
    }

    /// Runs a command that must change nothing: nothing is logged, nobody is told.
    #[track_caller]
    pub fn check_quiet(&mut self, command: &str, expected: impl Into<Expected>) {
        self.check(command, expected);
        assert_eq!(self.effects.changes, 0, "{command} counts a change");
        assert!(self.effects.log.is_empty(), "{command} logs {:?}", self.effects.log);
    }

    /// The events of the last command: `event key`, in order. Key misses and new keys are left out.
    pub fn events(&self) -> Vec<String> {
        let wanted = |event: &&Event| event.name != "keymiss" && event.name != "new";
        let text = |event: &Event| format!("{} {}", event.name, String::from_utf8_lossy(&event.key));
        self.effects.events.iter().filter(wanted).map(text).collect()
    }

    /// What the last command put into the log: `verbatim`, nothing, or its rewritten form, commands joined by `; `.
    pub fn logged(&self) -> String {
        let words = |words: &Vec<Box<[u8]>>| {
            words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join(" ")
        };
        match self.effects.log_mode {
            LogMode::Verbatim if self.effects.changes > 0 => "verbatim".into(),
            LogMode::Verbatim | LogMode::Nothing => String::new(),
            LogMode::Rewritten => {
                self.effects.log.iter().map(|(_, command)| words(command)).collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// RESTORE reads over wrong checksums from here on.
    pub fn skip_checksums(&mut self) {
        self.context.skip_checksums = true;
    }

    /// Lets time pass.
    pub fn sleep_ms(&mut self, ms: u64) {
        self.context.now_ms += ms;
    }
}

/// The row of a command, or of its subcommand, and how many words name it.
fn row_of(words: Words<'_>) -> (&'static Row<DataFn>, usize) {
    let found = table().find(words.at(0)).expect("the command is in the lists");
    let (row, words_of_name) = match found.run {
        Some(_) => (found, 1),
        None => (found.subcommand(words.at(1)).expect("the subcommand is in the lists"), 2),
    };
    assert!(row.accepts(words.len()), "{} takes another number of words", row.full_name);
    (row, words_of_name)
}

/// Runs a command whose locks are held; its reply, or its error.
fn run_in(data: &mut Locked<'_>, words: Words<'_>, protocol: Protocol) -> Vec<u8> {
    let (row, words_of_name) = row_of(words);
    let run = row.run.expect("containers were resolved");
    let mut args = Args::new(words);
    args.seek(words_of_name);
    let mut bytes = Vec::new();
    let result = run(data, &mut args, &mut Reply::new(&mut bytes, protocol));
    data.finish();
    if let Err(error) = result {
        bytes.clear();
        Reply::new(&mut bytes, protocol).error(error.as_str());
    }
    bytes
}

/// Shows one reply and moves `at` behind it.
fn show(bytes: &[u8], at: &mut usize) -> Shown {
    let end = *at + bytes[*at..].windows(2).position(|pair| pair == b"\r\n").expect("a reply ends its line");
    let line = String::from_utf8_lossy(&bytes[*at + 1..end]).into_owned();
    let kind = bytes[*at];
    *at = end + 2;
    let count = || line.parse::<i64>().expect("a length");
    match kind {
        b'+' | b':' | b',' | b'(' | b'#' => line,
        b'-' => format!("-{line}"),
        b'_' => "nil".into(),
        b'$' | b'=' | b'*' if line == "-1" => "nil".into(),
        b'$' | b'=' => {
            let start = *at;
            *at += count() as usize + 2;
            String::from_utf8_lossy(&bytes[start..*at - 2]).into_owned()
        }
        b'*' | b'~' | b'>' => {
            let items: Vec<String> = (0..count()).map(|_| show(bytes, at)).collect();
            format!("[{}]", items.join(" "))
        }
        b'%' => {
            let items: Vec<String> = (0..count() * 2).map(|_| show(bytes, at)).collect();
            format!("[{}]", items.join(" "))
        }
        other => panic!("no reply begins with {:?}", char::from(other)),
    }
}
