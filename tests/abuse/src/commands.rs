//! Commands on data, as lines that a client types: each gets one reply, an error has changed nothing, every value can be given out
//! and taken in again, and whoever does only what is logged has the same data in the end.

use ochre_commands::table::Row;
use ochre_commands::testing::{Db, table};
use ochre_commands::{DataFn, spec};
use ochre_rdb::testing::show;
use ochre_rdb::{Dialect, restore};
use ochre_resp::{Batch, Limits, Parsed, Parser, Protocol, Reader, Value};
use std::collections::BTreeMap;

/// So many lines are run.
const LINES_MAX: usize = 100;
/// What a client may ask for in one reply is not what this looks for.
const REPEATED_MAX: i64 = 2000;

/// Runs lines. The first byte says how: with small limits of encodings, in which version of the protocol, and how much later
/// the log is read. Beside commands there are `sleep ms`, `sweep`, which removes what has expired, and `select db`.
///
/// # Panics
/// When a promise is broken.
pub fn check(bytes: &[u8]) {
    let Some((seed, lines)) = bytes.split_first() else { return };
    let mut pair = Pair::new(*seed);
    for line in lines.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let Ok(words) = ochre_text::quote::split_args(line) else { continue };
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        pair.run(&words);
    }
    pair.sweep();
    pair.compare();
}

/// A keyspace, and another one that does what the first one logs.
struct Pair {
    leader: Db,
    follower: Db,
    /// What was logged, for who reads of a broken promise.
    history: String,
}

/// The row of a command with the right number of words.
fn row(words: &[&[u8]]) -> Option<&'static Row<DataFn>> {
    let found = table().find(words.first()?)?;
    let row = if found.run.is_some() { found } else { found.subcommand(words.get(1)?)? };
    row.accepts(words.len()).then_some(row)
}

/// Whether the command says how long its reply is to be, and it is to be long.
fn asks_for_much(words: &[&[u8]]) -> bool {
    let repeats = [&b"srandmember"[..], b"zrandmember", b"hrandfield"];
    let number = |word: &&[u8]| ochre_text::number::parse_i64(word);
    repeats.iter().any(|name| words[0].eq_ignore_ascii_case(name))
        && words[1..].iter().filter_map(number).any(|number| number < -REPEATED_MAX)
}

impl Pair {
    fn new(seed: u8) -> Pair {
        let mut pair = Pair { leader: Db::with_shards(2), follower: Db::with_shards(1), history: String::new() };
        for db in [&mut pair.leader, &mut pair.follower] {
            let limits = &mut db.context.limits;
            limits.string_max_bytes = 1 << 16;
            if seed & 1 == 1 {
                limits.hash_max_listpack_entries = 3;
                limits.list_max_listpack_size = 3;
                limits.set_max_intset_entries = 3;
                limits.set_max_listpack_entries = 4;
                limits.sorted_set_max_listpack_entries = 3;
                limits.hll_sparse_max_bytes = 40;
                limits.stream_node_max_entries = 3;
            }
            db.context.dialect = Dialect::Redis8;
            db.skip_checksums();
        }
        *pair.leader.effects.random.get_mut() = ochre_collections::Random::new(seed.into());
        if seed & 2 == 2 {
            pair.leader.protocol = Protocol::Resp3;
        }
        // Nothing expires by itself where the log is read, however late that is.
        pair.follower.context.expire = false;
        pair.follower.context.log_wanted = false;
        if seed & 4 == 4 {
            pair.follower.sleep_ms(100_000_000);
        }
        pair
    }

    fn run(&mut self, words: &[&[u8]]) {
        let number = |at: usize| words.get(at).and_then(|word| ochre_text::number::parse_u64(word)).unwrap_or(0);
        match words.first() {
            None => {}
            Some(&b"sleep") => {
                let ms = number(1).min(1_000_000);
                self.leader.sleep_ms(ms);
                self.follower.sleep_ms(ms);
            }
            Some(&b"sweep") => self.sweep(),
            Some(&b"select") => self.leader.db = number(1) as usize % 16,
            Some(_) => self.execute(words),
        }
    }

    fn execute(&mut self, words: &[&[u8]]) {
        let Some(row) = row(words) else { return };
        if asks_for_much(words) {
            return;
        }
        let reply = self.leader.run_raw(words);
        let effects = &mut self.leader.effects;
        if effects.block.is_some() {
            assert!(reply.is_empty(), "who waits has no reply yet");
        } else {
            let read = Reader::default().next(&reply);
            let Ok((length, Some(value))) = read else { panic!("no reply: {}", reply.escape_ascii()) };
            assert_eq!(length, reply.len(), "one reply: {}", reply.escape_ascii());
            if let Value::Error(text) = &value {
                let text = String::from_utf8_lossy(text);
                assert!(!text.contains("internal error"), "{text}");
                assert!(effects.changes == 0 && effects.log.is_empty(), "an error has changed nothing: {text}");
            }
        }
        // PFCOUNT keeps what it counted, and COMMAND calls it a command that reads.
        if !row.flags.has(spec::WRITE) && row.full_name != "pfcount" {
            assert_eq!(effects.changes, 0, "a command that only reads changes nothing");
        }
        effects.collect_log(b"DEL", self.leader.db, words.iter().copied());
        effects.garbage.clear();
        effects.block = None;
        self.follow();
    }

    /// Removes what has expired.
    fn sweep(&mut self) {
        let Db { keyspace, context, effects, .. } = &mut self.leader;
        effects.clear();
        for shard in 0..keyspace.shard_count() {
            let mut budget = usize::MAX;
            let mut commit = |effects: &mut ochre_keyspace::Effects| {
                effects.collect_log(b"DEL", 0, std::iter::empty());
                effects.clear();
            };
            keyspace.expire_shard(shard, context, effects, &mut budget, &mut |_| (), &mut commit);
        }
        self.follow();
    }

    /// The follower does what was logged.
    fn follow(&mut self) {
        let unit = &mut self.leader.effects.unit;
        if unit.is_empty() {
            return;
        }
        self.follower.db = unit.first_db();
        let (bytes, mut at) = (unit.bytes().to_vec(), 0);
        self.history += &format!("{}\n", bytes.escape_ascii());
        unit.clear();
        let (mut parser, mut batch) = (Parser::new(), Batch::default());
        while at < bytes.len() {
            batch.clear();
            let Ok(Parsed::Command(command)) = parser.next(&bytes[at..], &mut batch, &Limits::default()) else {
                panic!("what is logged are requests: {}", bytes.escape_ascii());
            };
            let words: Vec<&[u8]> = batch.args(&command, &bytes[at..]).iter().collect();
            at += command.consumed;
            if words[0] == b"SELECT" {
                let db = ochre_text::number::parse_u64(words[1]).expect("the log selects by number");
                self.follower.db = db as usize;
                continue;
            }
            assert!(row(&words).is_some(), "what is logged are commands: {}", bytes.escape_ascii());
            let reply = self.follower.run_raw(&words);
            assert!(!reply.starts_with(b"-"), "{} fails: {}", bytes.escape_ascii(), reply.escape_ascii());
            assert!(self.follower.effects.block.is_none(), "nobody waits in the log: {}", bytes.escape_ascii());
            self.follower.effects.garbage.clear();
        }
    }

    fn compare(&mut self) {
        self.leader.context.expire = false;
        let (leader, follower) = (told(&mut self.leader), told(&mut self.follower));
        for (key, value) in &leader {
            assert_eq!(Some(value), follower.get(key), "{key:?} as the log tells of it\n{}", self.history);
        }
        let more: Vec<_> = follower.keys().filter(|key| !leader.contains_key(*key)).collect();
        assert!(more.is_empty(), "{more:?} are there in the log only\n{}", self.history);
    }
}

/// All keys with their values and deadlines.
fn told(db: &mut Db) -> BTreeMap<(usize, String), String> {
    let mut keys = Vec::new();
    {
        let mut all = db.keyspace.all_shards();
        let guard = db.keyspace.shards().try_lock_set(&mut all).expect("nobody else uses the keyspace");
        for shard in 0..db.keyspace.shard_count() {
            for (number, database) in guard.get(shard).databases.iter().enumerate() {
                let key = |entry: ochre_collections::EntryRef<'_, _>| (number, entry.key().to_vec(), entry.expiry_ms());
                keys.extend(database.table.iter().map(key));
            }
        }
    }
    let mut told = BTreeMap::new();
    for (number, key, expiry_ms) in keys {
        db.db = number;
        let reply = db.run_raw(&[b"DUMP", &key]);
        let Ok((_, Some(Value::Bulk(payload)))) = Reader::default().next(&reply) else {
            panic!("no payload: {}", reply.escape_ascii());
        };
        let built = restore(&payload, false, &db.context.limits).expect("what is written can be read");
        let value = format!("{} until {expiry_ms:?}", show(&built));
        told.insert((number, key.escape_ascii().to_string()), value);
    }
    told
}
