//! The longest step of a snapshot's walk through a huge value, and the longest command on it meanwhile: `cargo run --release --package
//! ochre-commands --example snapshot_steps -- 10000000`.
//!
//! A step holds the value's shard, so it is what a command may wait for; it includes what the pieces are compressed to. Steps and
//! commands that lost the processor to somebody else meanwhile are left out, so a busy machine shows the same.

use ochre_collections::EntryRef;
use ochre_collections::lock::ShardSet;
use ochre_commands::Key;
use ochre_commands::testing::Db;
use ochre_keyspace::{Entry, LargeHead, Show, Step, Visitor};
use ochre_rdb::{Dialect, Shape, Writer};
use ochre_values::{Element, Object, WalkShape};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Room of a step, as the server gives it.
const ROOM: usize = 16 * 1024;

struct Shown(Mutex<(Writer, usize)>);

impl Show for Shown {
    fn has_room(&self) -> bool {
        true
    }

    fn element(&self, element: Element<'_>) -> usize {
        let (writer, made) = &mut *self.0.lock().expect("nobody panicked");
        let before = writer.len();
        let read = match element {
            Element::Member(member) => (writer.member(member), 1).1,
            Element::Field(pair) => (writer.field(pair), 1).1,
            Element::Scored(member, score) => (writer.scored(member, score), 1).1,
            Element::Node(node) => (writer.node(node), 8192).1,
            Element::Part { bytes, at, total } => (writer.part(bytes, at, total), bytes.len()).1,
            Element::StreamNode(id, bytes) => (writer.stream_node(id, bytes), bytes.len()).1,
            Element::StreamTotals { totals, groups } => (writer.stream_totals(totals, groups), 1).1,
            _ => 1,
        };
        let growth = writer.len().saturating_sub(before);
        if writer.len() > 128 * 1024 {
            *made += writer.take().len();
        }
        growth.max(read)
    }

    fn end(&self) {}
}

#[derive(Default)]
struct Collector {
    shown: Option<Arc<Shown>>,
}

impl Visitor for Collector {
    fn entry(&mut self, _: usize, _: EntryRef<'_, Object>) -> usize {
        1
    }

    fn copied(&mut self, _: usize, _: Entry) {}

    fn large(&mut self, _: usize, head: &LargeHead) -> Option<Arc<dyn Show>> {
        let mut writer = Writer::new(Dialect::Portable).with_checksum(false);
        let shape = match head.shape {
            WalkShape::Text { .. } => Shape::Text,
            WalkShape::List { nodes } => Shape::List { nodes },
            WalkShape::Set { members } => Shape::Set { members },
            WalkShape::SortedSet { members } => Shape::SortedSet { members },
            WalkShape::Hash { fields, .. } => Shape::Hash { fields },
            WalkShape::Stream { nodes } => Shape::Stream { nodes },
        };
        writer.begin_entry(&head.key, head.expiry_ms, None, shape);
        let shown = Arc::new(Shown(Mutex::new((writer, 0))));
        self.shown = Some(Arc::clone(&shown));
        Some(shown)
    }

    fn free(&mut self, entry: Entry) {
        // The server frees it on another thread.
        std::mem::forget(entry);
    }
}

/// How often this thread has been given a processor.
fn turns() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.trim().rsplit(' ').next()?.parse().ok()
}

/// The longest time, µs, and what took it. Whoever lost the processor meanwhile does not count.
#[derive(Default)]
struct Longest(f64, String);

impl Longest {
    fn time<R>(&mut self, what: &str, run: impl FnOnce() -> R) -> R {
        let (turns_before, began) = (turns(), Instant::now());
        let result = run();
        let took_us = began.elapsed().as_secs_f64() * 1e6;
        if took_us > self.0 && turns() == turns_before {
            *self = Longest(took_us, what.into());
        }
        result
    }
}

fn run(db: &mut Db, line: &str) {
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    db.run_raw(&words);
    std::mem::take(&mut db.effects.garbage).into_iter().for_each(std::mem::forget);
}

fn measure(kind: &str, count: usize, add: &dyn Fn(usize) -> String, writes: &[&str], end: &str) {
    let mut db = Db::new();
    (0..count).for_each(|i| run(&mut db, &add(i)));
    let key = Key::new(b"key");
    let shard = db.keyspace.shard_of(&key);
    let (mut steps, mut commands, mut quiet) = (Longest::default(), Longest::default(), Longest::default());
    for i in 0..2000 {
        let line = writes[i % writes.len()].replace('#', &(i * 7919 % 100_000 + 1).to_string());
        quiet.time(&line, || run(&mut db, &line));
    }
    let mut cuts = Longest::default();
    let cut = cuts.time("cut", || {
        let mut all = db.keyspace.all_shards();
        let mut guard = db.keyspace.shards().try_lock_set(&mut all).expect("nobody else is here");
        db.keyspace.cut(&mut guard).expect("no other snapshot is taken")
    });
    let mut visitor = Collector::default();
    let (mut ended, mut turn, mut elsewhere) = (false, 0, shard);
    while !ended {
        let mut locks = ShardSet::of(shard);
        locks.insert(elsewhere);
        let mut guard = db.keyspace.shards().try_lock_set(&mut locks).expect("nobody else is here");
        let mut saved = Vec::new();
        let step = steps.time("step", || db.keyspace.walk(&mut guard, shard, &mut { ROOM }, &mut saved, &mut visitor));
        drop(guard);
        saved.into_iter().for_each(std::mem::forget);
        ended = step == Step::Ended;
        if let Step::Elsewhere(other) = step {
            elsewhere = other;
        }
        turn += 1;
        if turn % 3 == 0 {
            let line = writes[turn % writes.len()].replace('#', &(turn * 7919 % 100_000 + 1).to_string());
            commands.time(&line, || run(&mut db, &line));
        }
        if turn == 100 && !end.is_empty() {
            commands.time(end, || run(&mut db, end));
        }
    }
    assert!(visitor.shown.is_some(), "it is shown in pieces");
    drop(cut);
    println!(
        "{kind} of {count}, {turn} steps: cut {:.0} us, longest step {:.0} us, longest command {:.0} us ({}), without a snapshot {:.0} us ({})",
        cuts.0, steps.0, commands.0, commands.1, quiet.0, quiet.1
    );
}

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    for end in ["", "RENAME key other", "DEL key", "SET key new"] {
        println!("-- in the middle: {end:?}");
        let list: &[&str] = &["RPUSH key a", "LPOP key", "LSET key # x", "RPOP key", "LPUSH key b"];
        measure("list", count, &|i| format!("RPUSH key element:{i}"), list, end);
        let zset: &[&str] = &["ZADD key # member:#", "ZREM key member:#"];
        measure("zset", count, &|i| format!("ZADD key {} member:{i}", i * 7919 % 1_000_003), zset, end);
        let hash: &[&str] = &["HSET key field:# x", "HDEL key field:#"];
        measure("hash", count / 2, &|i| format!("HSET key field:{i} value:{i}"), hash, end);
        let stream: &[&str] = &["XADD key * a #", "XDEL key #-0"];
        measure("stream", count / 2, &|i| format!("XADD key {}-0 sensor {} value {i}", i + 1, i % 100), stream, end);
        let text: &[&str] = &["SETRANGE key # abc", "SETBIT key # 1", "APPEND key x"];
        measure(
            "string",
            count * 50 / 65_536,
            &|i| format!("SETRANGE key {} {}", i * 65_536, "abcdefgh".repeat(8192)),
            text,
            end,
        );
    }
}
