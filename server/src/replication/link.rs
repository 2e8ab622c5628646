//! One replica: what it has said about itself, and how far it has got.

use super::lock;
use super::spool::Transfer;
use crate::clients::Client;
use crate::persistence::log::Position;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a replica says about itself before it asks for the data (REPLCONF).
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Where it listens; else the address that it comes from, and 0.
    pub ip: Option<String>,
    pub port: u16,
    /// It knows where a snapshot of unknown length ends.
    pub knows_end_mark: bool,
    /// It understands a new id when it goes on.
    pub knows_new_ids: bool,
    /// It is one of ours.
    pub is_ochre: bool,
    /// What Valkey's replicas say of their version: major, minor, patch in one number.
    pub version: u32,
    /// It wants a snapshot and nothing after it.
    pub only_snapshot: bool,
}

/// What a session has that is, or is about to be, a replica.
#[derive(Default)]
pub struct Replica {
    pub facts: Facts,
    /// Set once it has asked for the data.
    pub link: Option<Arc<Link>>,
    /// What of the snapshot has been handed to the reactor.
    pub(super) progress: Progress,
}

/// How much of a full synchronisation a replica has been sent.
#[derive(Default)]
pub(super) struct Progress {
    /// The line that says whose stream it is, and where that is.
    pub told: bool,
    /// What stands before the snapshot.
    pub head: bool,
    /// Bytes of the snapshot.
    pub bytes: u64,
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// It waits for a snapshot to begin.
    Waits,
    /// It is sent one.
    Loads,
    /// It has been sent one, and says when it has loaded it.
    Loaded,
    /// It is sent the stream.
    Online,
    /// It has what it wanted, which was no stream.
    Done,
}

/// A replica, as all threads see it.
pub struct Link {
    pub client: Arc<Client>,
    pub facts: Facts,
    /// It came with PSYNC, and says how far it has got.
    pub is_modern: bool,
    /// The next byte of the stream that it is sent.
    pub position: Position,
    stage: AtomicU8,
    acknowledged: AtomicU64,
    on_disk: AtomicU64,
    /// When it was heard of last, Unix ms.
    pub heard_ms: AtomicU64,
    pub attached_ms: u64,
    transfer: Mutex<Option<Arc<Transfer>>>,
    is_gone: AtomicBool,
}

impl Link {
    pub(super) fn new(client: Arc<Client>, facts: Facts, is_modern: bool, now_ms: u64) -> Link {
        Link {
            client,
            facts,
            is_modern,
            position: Position::default(),
            stage: AtomicU8::new(Stage::Waits as u8),
            acknowledged: 0.into(),
            on_disk: 0.into(),
            heard_ms: now_ms.into(),
            attached_ms: now_ms,
            transfer: Mutex::default(),
            is_gone: AtomicBool::new(false),
        }
    }

    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Waits,
            1 => Stage::Loads,
            2 => Stage::Loaded,
            3 => Stage::Online,
            _ => Stage::Done,
        }
    }

    pub(super) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    pub fn is_online(&self) -> bool {
        self.stage() == Stage::Online
    }

    /// The offset up to which it has the stream, in memory or in its file.
    pub fn acknowledged(&self, on_disk: bool) -> u64 {
        if on_disk { self.on_disk.load(Ordering::Acquire) } else { self.acknowledged.load(Ordering::Acquire) }
    }

    /// It says how far it has got.
    pub fn note_acknowledged(&self, offset: u64, on_disk: Option<u64>, now_ms: u64) {
        self.acknowledged.fetch_max(offset, Ordering::AcqRel);
        if let Some(on_disk) = on_disk {
            self.on_disk.fetch_max(on_disk, Ordering::AcqRel);
        }
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    /// For how long nothing has been heard of it, ms.
    pub fn silence_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.heard_ms.load(Ordering::Relaxed))
    }

    /// Its address without the port.
    pub fn ip(&self) -> &str {
        let host = self.client.address.rsplit_once(':').map_or(self.client.address.as_str(), |(host, _)| host);
        self.facts.ip.as_deref().unwrap_or(host.trim_matches(['[', ']']))
    }

    /// Its name in the log.
    pub fn name(&self) -> String {
        match self.facts.port {
            0 => format!("client id #{}", self.client.id),
            port => format!("{}:{port}", self.ip()),
        }
    }

    pub(super) fn transfer(&self) -> Option<Arc<Transfer>> {
        lock(&self.transfer).clone()
    }

    pub(super) fn set_transfer(&self, transfer: Option<Arc<Transfer>>) {
        *lock(&self.transfer) = transfer;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Its connection has ended.
    pub(super) fn leave(&self) {
        self.is_gone.store(true, Ordering::Release);
        if let Some(transfer) = lock(&self.transfer).take() {
            transfer.forget(self.client.id);
        }
    }
}
