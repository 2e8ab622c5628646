//! Snapshots in the format that Redis and Valkey load.

use super::snapshot::{Encoder, Format};
use crate::settings::Settings;
use crate::settings::memory::EvictionPolicy;
use crate::shared::Shared;
use ochre_collections::EntryRef;
use ochre_digest::Crc64;
use ochre_keyspace::{AccessClock, Cut, LargeHead};
use ochre_rdb::{Access, Dialect, Shape, Writer};
use ochre_values::{Element, Object, WalkShape};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A snapshot file.
    Save,
    /// The base of an append-only file.
    AppendOnlyBase,
    /// A replica's data.
    Replication,
}

/// RDB, as the settings of this moment want it.
pub struct RdbFormat {
    shared: &'static Shared,
    dialect: Dialect,
    compresses: bool,
    sums: bool,
    access: Uses,
    clock: AccessClock,
    purpose: Purpose,
    /// The database that the stream behind it is about, when it does not say so itself; -1 when it does.
    stream_db: Arc<AtomicI64>,
}

/// What of the use of keys is written.
#[derive(Clone, Copy)]
enum Uses {
    Nothing,
    IdleTime,
    Frequency,
}

/// The last byte before the checksum.
const END: u8 = 255;

impl RdbFormat {
    pub fn new(shared: &'static Shared, purpose: Purpose) -> RdbFormat {
        let settings = &shared.settings;
        let policy = crate::settings_view::access_policy(settings);
        RdbFormat {
            shared,
            dialect: crate::settings_view::dialect(settings),
            compresses: settings.persistence.rdbcompression.get(),
            sums: settings.persistence.rdbchecksum.get(),
            access: uses(settings),
            clock: AccessClock::new(policy, ochre_clock::now_ms(), 1),
            purpose,
            stream_db: Arc::new(AtomicI64::new(-1)),
        }
    }

    /// Whose types are written, whatever the settings say.
    pub fn with_dialect(mut self, dialect: Dialect) -> RdbFormat {
        self.dialect = dialect;
        self
    }

    /// Tells which database the stream behind the snapshot is about; -1 when that tells itself. Looked at when the first bytes
    /// are made.
    pub fn with_stream_db(mut self, stream_db: Arc<AtomicI64>) -> RdbFormat {
        self.stream_db = stream_db;
        self
    }

    fn writer(&self) -> Writer {
        // The checksum is that of the whole file, which many writers write together.
        Writer::new(self.dialect).compressing(self.compresses).with_checksum(false)
    }
}

fn uses(settings: &Settings) -> Uses {
    match settings.memory.maxmemory_policy.get() {
        EvictionPolicy::AllkeysLfu | EvictionPolicy::VolatileLfu => Uses::Frequency,
        EvictionPolicy::AllkeysLru | EvictionPolicy::VolatileLru => Uses::IdleTime,
        _ => Uses::Nothing,
    }
}

impl Format for RdbFormat {
    fn begin(&self, cut: &Cut, out: &mut Vec<u8>) {
        let mut writer = self.writer();
        let created = (ochre_clock::now_ms() / 1000).to_string();
        let memory = ochre_collections::allocated_bytes().to_string();
        let is_base = if self.purpose == Purpose::AppendOnlyBase { "1" } else { "0" };
        let stream_db = self.stream_db.load(Ordering::Relaxed).to_string();
        let mut aux: Vec<(&[u8], &[u8])> = vec![
            // Tools of the peers read the version of a peer here.
            (b"redis-ver", b"7.4.0"),
            (b"ochre-ver", env!("CARGO_PKG_VERSION").as_bytes()),
            (b"redis-bits", b"64"),
            (b"ctime", created.as_bytes()),
            (b"used-mem", memory.as_bytes()),
            (b"aof-base", is_base.as_bytes()),
        ];
        if stream_db != "-1" {
            aux.push((b"repl-stream-db", stream_db.as_bytes()));
        }
        writer.header(&aux);
        for source in self.shared.saves.function_sources() {
            writer.function(&source);
        }
        // Databases take turns later on; how large each is going to be is told here once.
        for (db, size) in cut.sizes().iter().enumerate().filter(|(_, size)| size.keys > 0) {
            writer.select_db(db);
            writer.resize_db(size.keys, size.deadlines);
        }
        writer.drain_into(out);
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(RdbEncoder { is_list: false, writer: self.writer(), access: self.access, clock: self.clock })
    }

    fn end(&self, mut checksum: Crc64, out: &mut Vec<u8>) {
        checksum.update(&[END]);
        let sum = if self.sums { checksum.value() } else { 0 };
        out.push(END);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    fn has_checksum(&self) -> bool {
        self.sums
    }
}

/// One piece of a large value, which `is_list` or is not.
pub(super) fn write_element(writer: &mut Writer, is_list: bool, element: Element<'_>) {
    match element {
        Element::Member(member) => writer.member(member),
        Element::Field(pair) => writer.field(pair),
        Element::Scored(member, score) => writer.scored(member, score),
        Element::Node(node) => writer.node(node),
        Element::Part { bytes, at, total } if is_list => writer.node_part(bytes, at, total),
        Element::Part { bytes, at, total } => writer.part(bytes, at, total),
        Element::StreamNode(id, bytes) => writer.stream_node(id, bytes),
        Element::StreamTotals { totals, groups } => writer.stream_totals(totals, groups),
        Element::Group { name, last_id, entries_read, pending } => {
            writer.begin_group(name, last_id, entries_read, pending);
        }
        Element::Pending { id, delivered_ms, deliveries } => writer.pending(id, delivered_ms, deliveries),
        Element::Consumers(consumers) => writer.consumers(consumers),
        Element::Consumer { name, seen_ms, active_ms, pending } => {
            writer.begin_consumer(name, seen_ms, active_ms, pending);
        }
        Element::ConsumerPending(id) => writer.consumer_pending(id),
    }
}

struct RdbEncoder {
    /// Whether the large value that is being written is a list.
    is_list: bool,
    writer: Writer,
    access: Uses,
    clock: AccessClock,
}

impl RdbEncoder {
    fn use_of(&self, clock: u32) -> Option<Access> {
        match self.access {
            Uses::Nothing => None,
            Uses::IdleTime => Some(Access::Idle(u64::from(self.clock.idle_seconds(clock)))),
            Uses::Frequency => Some(Access::Frequency(self.clock.frequency(clock) as u8)),
        }
    }
}

impl Encoder for RdbEncoder {
    fn select(&mut self, db: usize) {
        self.writer.select_db(db);
    }

    fn entry(&mut self, entry: EntryRef<'_, Object>) {
        self.writer.entry(entry.key(), entry.expiry_ms(), self.use_of(entry.clock()), entry.view());
    }

    fn large(&mut self, head: &LargeHead) {
        let shape = match head.shape {
            WalkShape::Text { .. } => Shape::Text,
            WalkShape::List { nodes } => Shape::List { nodes },
            WalkShape::Stream { nodes } => Shape::Stream { nodes },
            WalkShape::Set { members } => Shape::Set { members },
            WalkShape::SortedSet { members } => Shape::SortedSet { members },
            WalkShape::Hash { fields, earliest_ms: None } => Shape::Hash { fields },
            WalkShape::Hash { fields, earliest_ms: Some(earliest_ms) } => {
                Shape::HashWithDeadlines { fields, earliest_ms }
            }
        };
        self.is_list = matches!(head.shape, WalkShape::List { .. });
        self.writer.begin_entry(&head.key, head.expiry_ms, self.use_of(head.clock), shape);
    }

    fn element(&mut self, element: Element<'_>) {
        write_element(&mut self.writer, self.is_list, element);
    }

    fn large_end(&mut self) {}

    fn len(&self) -> usize {
        self.writer.len()
    }

    fn take(&mut self) -> Vec<u8> {
        self.writer.take()
    }
}
