//! A snapshot on its way to replicas: who reads slowly holds up nobody, since what memory does not take goes to a file.

use super::{lock, nudge};
use crate::persistence::snapshot::{Job, Sink};
use crate::shared::Shared;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What waits in memory at most, bytes.
const MEMORY_BYTES_MAX: usize = 16 << 20;

/// A snapshot for some replicas, and where each of them is in it.
pub struct Transfer {
    /// Whose stream goes on behind it, and from where.
    pub id: String,
    pub offset: u64,
    /// What stands behind it; else its length is told before it.
    pub end_mark: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Piece>,
    memory_bytes: usize,
    file: Option<File>,
    file_bytes: u64,
    total_bytes: u64,
    is_whole: bool,
    has_failed: bool,
    /// How far each replica has read.
    readers: HashMap<u64, u64>,
    job: Option<Arc<Job>>,
}

struct Piece {
    start: u64,
    length: usize,
    place: Place,
}

enum Place {
    Memory(Arc<[u8]>),
    /// From here on in the file.
    File(u64),
}

/// What a replica is to be sent next.
pub enum Next {
    Bytes(Vec<u8>),
    /// There is more to come.
    Later,
    /// That was all.
    End,
    /// There will be no more.
    Failed,
}

impl Transfer {
    pub fn new(id: String, offset: u64, end_mark: Option<String>) -> Transfer {
        Transfer { id, offset, end_mark, state: Mutex::default() }
    }

    /// The clients that read it, and what makes it.
    pub fn begin(&self, readers: impl Iterator<Item = u64>, job: &Arc<Job>) {
        let mut state = lock(&self.state);
        state.readers = readers.map(|client| (client, 0)).collect();
        state.job = Some(Arc::clone(job));
        if state.readers.is_empty() {
            job.cancel();
        }
    }

    /// The length, once all is there.
    pub fn length(&self) -> Option<u64> {
        let state = lock(&self.state);
        state.is_whole.then_some(state.total_bytes)
    }

    pub fn has_failed(&self) -> bool {
        lock(&self.state).has_failed
    }

    /// A client reads no more. Once nobody does, there is no use in going on.
    pub fn forget(&self, client: u64) {
        let mut state = lock(&self.state);
        state.readers.remove(&client);
        if state.readers.is_empty()
            && let Some(job) = state.job.take()
            && !state.is_whole
        {
            job.cancel();
        }
        state.drop_read();
    }

    /// What follows the `from` bytes that the client has taken, at most so many bytes.
    pub fn read(&self, client: u64, from: u64, most: usize) -> Next {
        let mut state = lock(&self.state);
        if state.has_failed {
            return Next::Failed;
        }
        if let Some(place) = state.readers.get_mut(&client) {
            *place = from;
            state.drop_read();
        }
        let first = state.pieces.front().map_or(from, |piece| piece.start);
        let at = state.pieces.partition_point(|piece| piece.start + piece.length as u64 <= from);
        match state.pieces.get(at) {
            _ if first > from => Next::Failed,
            None if state.is_whole => Next::End,
            None => Next::Later,
            Some(piece) => {
                let skipped = (from - piece.start) as usize;
                let count = (piece.length - skipped).min(most);
                match &piece.place {
                    Place::Memory(bytes) => Next::Bytes(bytes[skipped..skipped + count].to_vec()),
                    Place::File(offset) => {
                        let mut bytes = vec![0; count];
                        let file = state.file.as_ref();
                        let read = file.map(|file| file.read_exact_at(&mut bytes, offset + skipped as u64));
                        if matches!(read, Some(Ok(()))) { Next::Bytes(bytes) } else { Next::Failed }
                    }
                }
            }
        }
    }
}

impl State {
    /// Drops what all have read.
    fn drop_read(&mut self) {
        let needed = self.readers.values().min().copied().unwrap_or(u64::MAX);
        while let Some(piece) = self.pieces.pop_front_if(|piece| piece.start + piece.length as u64 <= needed) {
            if let Place::Memory(bytes) = piece.place {
                self.memory_bytes -= bytes.len();
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (start, length) = (self.total_bytes, bytes.len());
        let place = if self.memory_bytes + length <= MEMORY_BYTES_MAX {
            self.memory_bytes += length;
            Place::Memory(bytes.into())
        } else {
            let file = match &self.file {
                Some(file) => file,
                None => self.file.insert(nameless_file()?),
            };
            file.write_all_at(bytes, self.file_bytes)?;
            self.file_bytes += length as u64;
            Place::File(self.file_bytes - length as u64)
        };
        self.total_bytes += length as u64;
        self.pieces.push_back(Piece { start, length, place });
        Ok(())
    }
}

/// A file in the server's folder that is gone when it is closed.
pub fn nameless_file() -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("temp-sync-{}-{}.rdb", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let file = File::options().read(true).write(true).create_new(true).open(&name)?;
    std::fs::remove_file(name)?;
    Ok(file)
}

/// Where the snapshot's bytes come in. Knows its transfer from the cut on.
pub struct SpoolSink {
    pub shared: &'static Shared,
    pub transfer: Arc<Mutex<Option<Arc<Transfer>>>>,
}

impl SpoolSink {
    fn with(&self, change: impl FnOnce(&mut State) -> io::Result<()>) -> io::Result<()> {
        let transfer = lock(&self.transfer).clone();
        let Some(transfer) = transfer else { return Ok(()) };
        let result = change(&mut lock(&transfer.state));
        nudge(self.shared);
        result
    }
}

impl Sink for SpoolSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|state| state.push(bytes))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.with(|state| {
            state.is_whole = true;
            state.job = None;
            Ok(())
        })
    }

    fn discard(&mut self) {
        let _ = self.with(|state| {
            state.has_failed = true;
            state.job = None;
            state.pieces.clear();
            state.memory_bytes = 0;
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(transfer: &Transfer, client: u64, from: u64) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            match transfer.read(client, from + all.len() as u64, 1 << 20) {
                Next::Bytes(bytes) => all.extend_from_slice(&bytes),
                Next::End => return all,
                Next::Later | Next::Failed => panic!("it is whole"),
            }
        }
    }

    #[test]
    fn slow_and_fast_readers_get_the_same() {
        let transfer = Transfer::new("id".into(), 0, None);
        let (slow, fast) = (1, 2);
        lock(&transfer.state).readers = HashMap::from([(slow, 0), (fast, 0)]);
        let mut all = Vec::new();
        let mut received = 0;
        for round in 0..40u8 {
            let piece = vec![round; 1 << 20];
            lock(&transfer.state).push(&piece).expect("the folder can be written");
            all.extend_from_slice(&piece);
            if round == 5 {
                while let Next::Bytes(bytes) = transfer.read(fast, received, 300_000) {
                    received += bytes.len() as u64;
                }
                assert_eq!(received, all.len() as u64);
            }
        }
        lock(&transfer.state).is_whole = true;
        assert!(lock(&transfer.state).memory_bytes <= MEMORY_BYTES_MAX);
        assert_eq!(transfer.length(), Some(all.len() as u64));
        assert_eq!(read_all(&transfer, fast, received), all[received as usize..]);
        assert_eq!(read_all(&transfer, slow, 0), all);
        assert_eq!(lock(&transfer.state).memory_bytes, 0);
    }
}
