//! No write path misses the snapshot's hook: random commands of every write spec run while a walk stands at random places, and
//! what it sees must be exactly what was there at the cut.

use ochre_collections::chunked::{Node, NodeRef};
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item};
use ochre_collections::lock::ShardSet;
use ochre_collections::{EntryRef, Listpack, Random, Value};
use ochre_commands::spec::WRITE;
use ochre_commands::testing::Db;
use ochre_commands::{FAMILIES, Key};
use ochre_keyspace::{
    Cut, Detached, Entry, EvictionPool, EvictionRules, LargeHead, Order, Saved, Search, Show, Step, Visitor, duplicate,
};
use ochre_values::hash::Deadline;
use ochre_values::{Collection, Element, Hash, Limits, List, Object, Set, SortedSet, Stream, StreamId, WalkShape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// At least one line for each command that writes. `T`, `L`, `S`, `H`, `Z`, `X`, `P`, `G` stand for a key that mostly holds a
/// string, list, set, hash, sorted set, stream, sketch or places; `K` for any key, `m` for a member, `n` for a small number,
/// `i` for an id of a stream.
const TEMPLATES: &[&str] = &[
    // strings
    "SET T m",
    "SET K n",
    "SET T n KEEPTTL",
    "SET T m PX n00",
    "SETNX T m",
    "SETEX T n0 m",
    "PSETEX T n00 m",
    "GETSET T m",
    "GETDEL T",
    "GETEX T PX n00",
    "GETEX T PERSIST",
    "APPEND T m",
    "SETRANGE T n m",
    "MSET T m T n K m",
    "MSETNX T m T m",
    "MSETEX 2 T m T m PX n00",
    "INCR T",
    "DECR T",
    "INCRBY T n",
    "DECRBY T n",
    "INCRBYFLOAT T 0.n",
    "INCREX T BYINT n",
    "DELEX T",
    "DELEX T IFEQ n",
    "DELIFEQ T n",
    // bitmaps and sketches
    "SETBIT T n 1",
    "BITOP XOR T T T",
    "BITOP NOT K T",
    "BITFIELD T SET u8 n n INCRBY i5 n n",
    "PFADD P m m n",
    "PFMERGE P P P",
    "PFDEBUG TODENSE P",
    "PFCOUNT P P",
    "PFCOUNT P",
    // keys
    "DEL K",
    "DEL K K K",
    "UNLINK K K",
    // The string `m` as a payload; nobody looks at its checksum here.
    "RESTORE K n00 \0\u{1}m\t\0checksum REPLACE",
    "RESTORE-ASKING K 0 \0\u{1}m\t\0checksum REPLACE",
    "EXPIRE K n",
    "PEXPIRE K n00",
    "EXPIREAT K 1700000n00",
    "PEXPIREAT K 1700000000n00",
    "EXPIRE K -1",
    "PERSIST K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K REPLACE",
    "COPY K K DB n REPLACE",
    "MOVE K n",
    "SORT L ALPHA STORE L",
    "SORT S BY nosort STORE K",
    "TOUCH K",
    "GET T",
    "EXISTS K",
    "TYPE K",
    // lists
    "LPUSH L m m n",
    "RPUSH L m n m",
    "LPUSHX L m",
    "RPUSHX L m",
    "LPOP L",
    "RPOP L n",
    "LSET L 0 m",
    "RENAME L L",
    "RENAME X X",
    "MOVE L n",
    "LINSERT L BEFORE n m",
    "LREM L 1 n",
    "LTRIM L 0 n",
    "LMOVE L L LEFT RIGHT",
    "RPOPLPUSH L L",
    "LMPOP 2 L L LEFT COUNT n",
    "BLPOP L L 0",
    "BRPOP L 0",
    "BLMPOP 0 1 L RIGHT",
    "BLMOVE L L LEFT LEFT 0",
    "BRPOPLPUSH L L 0",
    "LMOVEM L L LEFT RIGHT COUNT 2 OBO",
    "BLMOVEM L L LEFT RIGHT 0 COUNT 2 BULK",
    "RPUSH L m m m m m m m m m m m m m m m m m m m",
    // sets
    "SADD S m n m",
    "SADD S n n n",
    "SREM S m n",
    "SMOVE S S n",
    "SPOP S",
    "SPOP S n",
    "SINTERSTORE S S S",
    "SUNIONSTORE S S S",
    "SDIFFSTORE S S S",
    "SADD S m m m m m m m m m m m m m m m m m m",
    // hashes
    "HSET H m n n m",
    "HMSET H n m",
    "HSETNX H n m",
    "HDEL H n m",
    "HINCRBY H n n",
    "HINCRBYFLOAT H n 1.5",
    "HEXPIRE H n FIELDS 1 n",
    "HPEXPIRE H n00 FIELDS 2 n n",
    "HEXPIREAT H 1700000n00 FIELDS 1 n",
    "HPEXPIREAT H 1700000000n00 FIELDS 1 n",
    "HPERSIST H FIELDS 1 n",
    "HGETDEL H FIELDS 1 n",
    "HGETEX H PX n00 FIELDS 1 n",
    "HSETEX H PX n00 FIELDS 1 n m",
    "HSET H m m m m m m m m m m m m m m m m m m",
    // sorted sets and places
    "ZADD Z n m n n",
    "ZADD Z INCR n n",
    "ZADD Z n m n m n m n m n m n m n m n m n m",
    "ZINCRBY Z n n",
    "ZREM Z n m",
    "ZREMRANGEBYRANK Z 0 0",
    "ZREMRANGEBYSCORE Z n n",
    "ZREMRANGEBYLEX Z - [a",
    "ZRANGESTORE Z Z 0 n",
    "ZUNIONSTORE Z 2 Z Z",
    "ZINTERSTORE Z 2 Z Z",
    "ZDIFFSTORE Z 2 Z Z",
    "ZPOPMIN Z",
    "ZPOPMAX Z n",
    "ZMPOP 2 Z Z MIN",
    "BZPOPMIN Z 0",
    "BZPOPMAX Z 0",
    "BZMPOP 0 1 Z MAX",
    "GEOADD G 1n.5 1n.5 m 2n.1 3n.1 n",
    "GEOSEARCHSTORE G G FROMLONLAT 15 15 BYRADIUS n000 km",
    "GEORADIUS G 15 15 n000 km STORE G",
    "GEORADIUSBYMEMBER G n 5000 km STORE G",
    // streams
    "XCFGSET X IDMP-DURATION 1n0 IDMP-MAXSIZE 1n",
    "XIDMPRECORD X p m i",
    "XADD X IDMP p m * m n",
    "XADD X * m n",
    "XADD X MAXLEN n * n m n m",
    "XTRIM X MAXLEN n",
    "XDEL X i i",
    "XDELEX X DELREF IDS 1 i",
    "XSETID X 1900000000000-0",
    "XGROUP CREATE X g 0 MKSTREAM",
    "XGROUP SETID X g 0",
    "XGROUP DESTROY X g",
    "XGROUP CREATECONSUMER X g m",
    "XGROUP DELCONSUMER X g c",
    "XREADGROUP GROUP g c COUNT n STREAMS X >",
    "XREADGROUP GROUP g c NOACK STREAMS X >",
    "XACK X g i i",
    "XACKDEL X g ACKED IDS 1 i",
    "XNACK X g FAIL IDS 1 i",
    "XCLAIM X g d 0 i",
    "XAUTOCLAIM X g d 0 0",
    "XREADGROUP GROUP g c STREAMS X 0",
    "XADD X IDMP p m * m n",
    "XCFGSET X IDMP-DURATION 1n",
    "XIDMPRECORD X p m i",
    // everything
    "FLUSHDB",
    "FLUSHALL",
    "SWAPDB 0 n",
];

/// Writes that have no line above because other crates hold them, or that need a state that is not to be had here.
const ELSEWHERE: &[&str] = &["migrate"];

fn random_line(random: &mut Random) -> Vec<String> {
    let template = loop {
        let at = random.below(TEMPLATES.len());
        // Emptying is rare, or there would be nothing left to look at.
        if at + 3 < TEMPLATES.len() || random.below(12) == 0 {
            break TEMPLATES[at];
        }
    };
    template.split(' ').enumerate().map(|(at, word)| if at == 0 { word.into() } else { filled(word, random) }).collect()
}

fn filled(word: &str, random: &mut Random) -> String {
    match word {
        "T" | "L" | "S" | "H" | "Z" | "X" | "P" | "G" => format!("{}{}", word.to_lowercase(), random.below(8)),
        "K" => format!("{}{}", ["t", "l", "s", "h", "z", "x", "p", "g"][random.below(8)], random.below(8)),
        // Some are too long for a packed encoding.
        "m" if random.below(20) == 0 => format!("{}{}", "long".repeat(300), random.below(8)),
        "m" => format!("m{}", random.below(60)),
        "i" => format!("{}-{}", 1_700_000_000_000_u64 + random.below(20) as u64, random.below(2)),
        word if word.bytes().any(|byte| byte.is_ascii_digit()) || word == "n" => {
            word.replace('n', &random.below(8).to_string())
        }
        word => word.into(),
    }
}

/// Puts together what a walk shows.
#[derive(Default)]
struct Collector {
    seen: Arc<Mutex<Vec<Saved>>>,
    /// Large values only go on; none is begun, and nothing else is shown.
    is_full: bool,
}

/// A large value that is being shown.
struct Shown {
    db: usize,
    head: LargeHead,
    built: Mutex<Built>,
    to: Arc<Mutex<Vec<Saved>>>,
}

struct Built {
    object: Object,
    /// Elements that are still to come, as the head says.
    left: usize,
    /// Nodes of a list.
    nodes: Vec<Node>,
    /// The text or element of a list that comes in parts.
    text: Vec<u8>,
    group: Box<[u8]>,
    deliveries: BTreeMap<StreamId, (u64, u64)>,
    consumer: Option<Box<[u8]>>,
    /// Groups, deliveries and consumers that are still to come.
    counts: [usize; 4],
    random: u64,
}

impl Visitor for Collector {
    fn entry(&mut self, db: usize, entry: EntryRef<'_, Object>) -> usize {
        assert!(!self.is_full, "there was no room");
        self.seen.lock().unwrap().push((db, duplicate(entry)));
        1
    }

    fn copied(&mut self, db: usize, entry: Entry) {
        self.seen.lock().unwrap().push((db, entry));
    }

    fn large(&mut self, db: usize, head: &LargeHead) -> Option<Arc<dyn Show>> {
        let (object, left) = match head.shape {
            WalkShape::Text { .. } => (Object::String(Vec::new()), 1),
            WalkShape::List { nodes } => (List::new().into_object(), nodes),
            WalkShape::Set { members } => (Set::new().into_object(), members),
            WalkShape::SortedSet { members } => (SortedSet::new().into_object(), members),
            WalkShape::Hash { fields, .. } => (Hash::new().into_object(), fields),
            WalkShape::Stream { nodes } => (Stream::new().into_object(), nodes),
        };
        let built = Built {
            object,
            left,
            nodes: Vec::new(),
            text: Vec::new(),
            group: Box::default(),
            deliveries: BTreeMap::new(),
            consumer: None,
            counts: [0; 4],
            random: head.key.len() as u64,
        };
        Some(Arc::new(Shown { db, head: head.clone(), built: Mutex::new(built), to: Arc::clone(&self.seen) }))
    }

    fn is_full(&mut self) -> bool {
        self.is_full
    }

    fn free(&mut self, _: Entry) {}
}

impl Show for Shown {
    fn has_room(&self) -> bool {
        let random = &mut self.built.lock().unwrap().random;
        *random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        !random.rotate_left(20).is_multiple_of(8)
    }

    fn element(&self, element: Element<'_>) -> usize {
        self.built.lock().unwrap().add(element, &self.head);
        1
    }

    fn end(&self) {
        let mut built = self.built.lock().unwrap();
        if built.left > 0 || built.counts != [0; 4] {
            // It was given up.
            return;
        }
        let mut object = std::mem::replace(&mut built.object, Object::String(Vec::new()));
        match self.head.shape {
            WalkShape::Text { bytes } => {
                assert_eq!(built.text.len(), bytes, "as long as the head says");
                object = Object::String(std::mem::take(&mut built.text));
            }
            WalkShape::List { .. } => {
                object = List::from_nodes(std::mem::take(&mut built.nodes), &Limits::default()).into_object();
            }
            _ => {}
        }
        if let (Object::Stream(stream), Some(producers)) = (&mut object, &self.head.producers) {
            stream.set_producers(producers.clone());
        }
        self.to.lock().unwrap().push((self.db, Entry::new(&self.head.key, Value::Object(object), self.head.expiry_ms)));
    }
}

impl Built {
    fn count_down(&mut self, what: usize) {
        self.counts[what] = self.counts[what].checked_sub(1).expect("as many as were said");
    }

    fn add(&mut self, element: Element<'_>, head: &LargeHead) {
        let limits = Limits::default();
        let text = |item: Item<'_>| item.as_bytes(&mut [0; INTEGER_TEXT_MAX]).to_vec();
        let counts = match element {
            Element::Part { bytes, at, total } => at + bytes.len() == total,
            Element::Member(_) | Element::Field(_) | Element::Scored(..) => true,
            Element::Node(_) | Element::StreamNode(..) => true,
            _ => false,
        };
        if counts {
            self.left = self.left.checked_sub(1).expect("as many elements as the head says");
        }
        match element {
            Element::Node(NodeRef::Packed(pack)) => {
                return self.nodes.push(Node::Packed(Listpack::from_bytes(pack.as_bytes())));
            }
            Element::Node(NodeRef::Plain(text)) => return self.nodes.push(Node::Plain(text.into())),
            Element::Part { bytes, at, total } => {
                assert_eq!(at, self.text.len(), "parts follow each other");
                self.text.extend_from_slice(bytes);
                if at + bytes.len() == total && matches!(head.shape, WalkShape::List { .. }) {
                    self.nodes.push(Node::Plain(std::mem::take(&mut self.text).into()));
                }
                return;
            }
            Element::Group { pending, .. } => {
                self.count_down(0);
                self.counts[1] = pending;
                self.counts[3] = pending;
            }
            Element::Pending { .. } => self.count_down(1),
            Element::Consumers(consumers) => self.counts[2] = consumers,
            Element::Consumer { .. } => self.count_down(2),
            Element::ConsumerPending(_) => self.count_down(3),
            Element::StreamTotals { groups, .. } => self.counts[0] = groups,
            _ => {}
        }
        match (&mut self.object, element) {
            (Object::Set(set), Element::Member(member)) => drop(set.insert(&text(member), &limits)),
            (Object::SortedSet(set), Element::Scored(member, score)) => {
                set.upsert(&text(member), &limits, |_| Some(score));
            }
            (Object::Hash(hash), Element::Field(pair)) => {
                let deadline = pair.deadline_ms.map_or(Deadline::Clear, Deadline::At);
                let WalkShape::Hash { earliest_ms, .. } = head.shape else { panic!("a hash") };
                assert!(pair.deadline_ms.is_none_or(|own| earliest_ms.is_some_and(|earliest| earliest <= own)));
                hash.set(&text(pair.name), &text(pair.value), deadline, 0, &limits);
            }
            (Object::Stream(stream), Element::StreamNode(id, bytes)) => {
                stream.push_node(id, bytes).expect("nodes are shown in their order");
            }
            (Object::Stream(stream), Element::StreamTotals { totals, .. }) => {
                stream.set_totals(totals).expect("the totals are those of the nodes");
            }
            (Object::Stream(stream), Element::Group { name, last_id, entries_read, .. }) => {
                assert!(stream.create_group(name, last_id, entries_read), "a group is shown once");
                self.group = name.into();
            }
            (Object::Stream(_), Element::Pending { id, delivered_ms, deliveries }) => {
                self.deliveries.insert(id, (delivered_ms, deliveries));
            }
            (Object::Stream(_), Element::Consumers(_)) => {}
            (Object::Stream(stream), Element::Consumer { name, seen_ms, active_ms, .. }) => {
                self.consumer = name.map(Box::from);
                if let Some(name) = name {
                    let group = stream.group_mut(&self.group).expect("its group was shown before");
                    let number = group.create_consumer(name, seen_ms).expect("a consumer is shown once");
                    group.consumer_mut(number).active_ms = active_ms;
                }
            }
            (Object::Stream(stream), Element::ConsumerPending(id)) => {
                let group = stream.group_mut(&self.group).expect("its group was shown before");
                let (delivered_ms, deliveries) = self.deliveries.remove(&id).expect("it is pending once");
                match &self.consumer {
                    Some(name) => {
                        let number = group.find_consumer(name).expect("it was just made");
                        group.assign(id, number, delivered_ms, deliveries);
                    }
                    None => group.release(id, deliveries),
                }
            }
            _ => panic!("an element of another type than {:?}", head.shape),
        }
    }
}

/// The snapshot as it comes together.
struct Walk {
    cut: Arc<Cut>,
    ended: Vec<bool>,
    detached: Vec<Detached>,
    seen: Collector,
}

impl Walk {
    fn begin(db: &Db) -> Walk {
        let mut all = db.keyspace.all_shards();
        let mut guard = db.keyspace.shards().try_lock_set(&mut all).expect("nobody else uses the keyspace");
        let cut = db.keyspace.cut(&mut guard).expect("no other snapshot is being taken");
        let shards = db.keyspace.shard_count();
        Walk { cut, ended: vec![false; shards], detached: Vec::new(), seen: Collector::default() }
    }

    fn step(&mut self, db: &Db, shard: usize, room: usize) {
        let mut locks = ShardSet::of(shard);
        let mut guard = db.keyspace.shards().try_lock_set(&mut locks).expect("nobody else uses the keyspace");
        let (room, mut saved) = (room, Vec::new());
        let mut step = db.keyspace.walk(&mut guard, shard, &mut { room }, &mut saved, &mut self.seen);
        if let Step::Elsewhere(other) = step {
            drop(guard);
            let mut locks = ShardSet::of(shard);
            locks.insert(other);
            let mut guard = db.keyspace.shards().try_lock_set(&mut locks).expect("nobody else uses the keyspace");
            step = db.keyspace.walk(&mut guard, shard, &mut { room }, &mut saved, &mut self.seen);
            assert!(!matches!(step, Step::Elsewhere(again) if again == other), "the value is where it is said to be");
        }
        self.ended[shard] = step == Step::Ended;
        self.seen.seen.lock().unwrap().append(&mut saved);
    }

    fn step_detached(&mut self) {
        self.detached.extend(self.cut.take_detached());
        let mut saved = Vec::new();
        let seen = &mut self.seen;
        self.detached.retain_mut(|table| table.walk(&mut 3, &mut saved, seen) != Step::Ended);
        self.seen.seen.lock().unwrap().append(&mut saved);
    }

    fn finish(mut self, db: &Db) -> Vec<Saved> {
        self.seen.is_full = false;
        while let Some(shard) = self.ended.iter().position(|ended| !ended) {
            self.step(db, shard, 5);
        }
        self.step_detached();
        while !self.detached.is_empty() {
            self.step_detached();
        }
        assert_eq!(self.cut.saved_bytes(), 0, "all that was saved has been taken");
        db.keyspace.end_cut();
        std::mem::take(&mut *self.seen.seen.lock().unwrap())
    }
}

/// Copies of everything that is there.
fn everything(db: &Db) -> Vec<Saved> {
    let mut all = db.keyspace.all_shards();
    let guard = db.keyspace.shards().try_lock_set(&mut all).expect("nobody else uses the keyspace");
    let of = |db| move |entry| (db, duplicate(entry));
    let shards = (0..db.keyspace.shard_count()).map(|shard| &guard.get(shard).databases);
    shards.flat_map(|dbs| dbs.iter().enumerate().flat_map(move |(db, d)| d.table.iter().map(of(db)))).collect()
}

/// What entries hold, told by the commands that read, so that nothing but the content counts.
fn told(entries: Vec<Saved>) -> BTreeMap<(usize, String), String> {
    let mut db = Db::new();
    db.skip_checksums();
    db.context.expire = false;
    let mut keys = Vec::new();
    for (number, entry) in entries {
        let key = String::from_utf8(entry.as_ref().key().to_vec()).expect("keys are text here");
        put(&mut db, number, &key, entry);
        keys.push((number, key));
    }
    let mut told = BTreeMap::new();
    for (number, key) in keys {
        db.db = number;
        let mut run = |command: &str, rest: &str| db.run_words(&words(&format!("{command} {key} {rest}")));
        let kind = run("TYPE", "");
        let content = match kind.as_str() {
            "string" => run("GET", ""),
            "list" => run("LRANGE", "0 -1"),
            "set" => run("SORT", "ALPHA"),
            "zset" => run("ZRANGE", "0 -1 WITHSCORES"),
            "stream" => run("XINFO STREAM", "FULL COUNT 0"),
            "hash" => {
                let fields = run("HKEYS", "");
                let fields: BTreeSet<&str> = fields.trim_matches(['[', ']']).split(' ').collect();
                let field = |field: &&str| {
                    let value = run("HGET", field);
                    format!("{field}={value} {}", run("HPEXPIRETIME", &format!("FIELDS 1 {field}")))
                };
                fields.iter().map(field).collect::<Vec<_>>().join(", ")
            }
            other => panic!("{key} is a {other}"),
        };
        let deadline = run("PEXPIRETIME", "");
        let known = told.insert((number, key.clone()), format!("{kind} until {deadline}: {content}"));
        assert!(known.is_none(), "{key} of database {number} came twice");
    }
    told
}

fn put(db: &mut Db, number: usize, key: &str, entry: Entry) {
    let key = Key::new(key.as_bytes());
    let mut locks = ShardSet::of(db.keyspace.shard_of(&key));
    let guard = db.keyspace.shards().try_lock_set(&mut locks).expect("nobody else uses the keyspace");
    db.keyspace.view(guard, &db.context, &mut db.effects, number).put_entry(number, &key, entry);
}

fn words(line: &str) -> Vec<&[u8]> {
    line.split_ascii_whitespace().map(str::as_bytes).collect()
}

/// Runs random commands, the sweep that expires, evicts a key, or lets time pass.
fn disturb(db: &mut Db, random: &mut Random) -> String {
    match random.below(40) {
        0 => {
            db.sleep_ms(random.below(300) as u64);
            "time passes".into()
        }
        1 => {
            let mut budget = 100;
            for shard in 0..db.keyspace.shard_count() {
                db.effects.clear();
                db.keyspace.expire_shard(shard, &db.context, &mut db.effects, &mut budget, &mut |_| (), &mut |_| ());
            }
            "keys expire".into()
        }
        2 => evict(db, random),
        3 | 4 => {
            let lines: Vec<_> = (0..2 + random.below(5)).map(|_| random_line(random)).collect();
            db.context.in_script = random.below(2) == 0;
            db.run_together(&lines.iter().map(|line| line.iter().map(String::as_bytes).collect()).collect::<Vec<_>>());
            db.context.in_script = false;
            db.effects.garbage.clear();
            format!("together: {}", lines.iter().map(|line| line.join(" ")).collect::<Vec<_>>().join("; "))
        }
        _ => {
            let line = random_line(random);
            db.db = if random.below(4) == 0 { random.below(8) } else { 0 };
            let words: Vec<&[u8]> = line.iter().map(String::as_bytes).collect();
            db.run_raw(&words);
            db.effects.garbage.clear();
            line.join(" ")
        }
    }
}

/// Removes the key that some policy finds.
fn evict(db: &mut Db, random: &mut Random) -> String {
    let order = [Order::Clock, Order::Chance, Order::Deadline][random.below(3)];
    let expiring_only = random.below(2) == 0;
    let rules = EvictionRules { order, expiring_only, samples: 5, logged_as_unlink: false, ghost_bytes: 4096 };
    let Search::Found(candidate) = EvictionPool::default().search(&db.keyspace, &rules, &db.context) else {
        return "nothing is evicted".into();
    };
    let mut locks = ShardSet::of(db.keyspace.shard_of_hash(candidate.hash));
    let guard = db.keyspace.shards().try_lock_set(&mut locks).expect("nobody else uses the keyspace");
    db.effects.clear();
    let mut data = db.keyspace.view(guard, &db.context, &mut db.effects, candidate.db);
    data.evict(&candidate, &rules);
    drop(data);
    db.effects.garbage.clear();
    format!("{} of database {} is evicted", String::from_utf8_lossy(&candidate.key), candidate.db)
}

fn scenario(seed: u64) {
    let random = &mut Random::new(seed);
    let mut db = Db::new();
    db.skip_checksums();
    *db.effects.random.get_mut() = Random::new(seed);
    // Half of the time nearly every table counts as large.
    db.keyspace.show_in_pieces_from(if random.below(2) == 0 { 2 } else { 1000 });
    for _ in 0..random.below(600) {
        disturb(&mut db, random);
    }
    for _ in 0..3 {
        let at_the_cut = told(everything(&db));
        let mut walk = Walk::begin(&db);
        let keys: usize = walk.cut.sizes().iter().map(|size| size.keys).sum();
        assert_eq!(keys, at_the_cut.len(), "seed {seed}: sizes at the cut");
        let mut history = Vec::new();
        let (commands, hurry) = (random.below(500), 1 + random.below(20));
        for _ in 0..commands {
            history.push(disturb(&mut db, random));
            if random.below(hurry) == 0 {
                let shard = random.below(db.keyspace.shard_count());
                walk.seen.is_full = random.below(4) == 0;
                walk.step(&db, shard, random.below(5));
                history.push(format!("-- a step in shard {shard}"));
            }
            if random.below(20) == 0 {
                walk.step_detached();
            }
        }
        if random.below(8) == 0 {
            walk.cut.give_up();
            walk.finish(&db);
        } else {
            let seen = told(walk.finish(&db));
            for (key, content) in &at_the_cut {
                assert_eq!(seen.get(key), Some(content), "seed {seed}: {key:?} after\n{}", history.join("\n"));
            }
            assert_eq!(seen.len(), at_the_cut.len(), "seed {seed}: more than was there, after\n{}", history.join("\n"));
        }
        let marked = everything_marked(&db);
        assert!(marked.is_empty(), "seed {seed}: marks are left on {marked:?}, after\n{}", history.join("\n"));
    }
}

/// Keys whose entries bear a mark of a snapshot that is over.
fn everything_marked(db: &Db) -> Vec<String> {
    let mut all = db.keyspace.all_shards();
    let guard = db.keyspace.shards().try_lock_set(&mut all).expect("nobody else uses the keyspace");
    let shards = (0..db.keyspace.shard_count()).map(|shard| &guard.get(shard).databases);
    let entries = shards.flat_map(|databases| databases.iter().flat_map(|database| database.table.iter()));
    entries.filter(|entry| entry.epoch() != 0).map(|entry| String::from_utf8_lossy(entry.key()).into_owned()).collect()
}

#[test]
fn a_snapshot_shows_the_moment_of_its_cut_whatever_is_written_meanwhile() {
    for seed in 0..60 {
        scenario(seed);
    }
}

#[test]
fn every_command_that_writes_is_among_the_lines() {
    let named: BTreeSet<String> = TEMPLATES
        .iter()
        .flat_map(|line| {
            let mut words = line.split(' ');
            let first = words.next().unwrap_or_default().to_lowercase();
            [format!("{first}|{}", words.next().unwrap_or_default().to_lowercase()), first]
        })
        .collect();
    let mut missing = Vec::new();
    for command in FAMILIES.iter().flat_map(|family| family.iter()) {
        let name = command.spec.name.to_lowercase();
        if command.spec.flags.has(WRITE) && !named.contains(&name) && !ELSEWHERE.contains(&name.as_str()) {
            missing.push(name.clone());
        }
        for sub in command.subcommands {
            let full = format!("{name}|{}", sub.spec.name.to_lowercase());
            if sub.spec.flags.has(WRITE) && !named.contains(&full) {
                missing.push(full);
            }
        }
    }
    assert!(missing.is_empty(), "no line runs {missing:?}");
}
