//! A snapshot as it comes from the server that is followed: of a length that is told before, or up to a mark.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Digits of the mark.
const MARK_BYTES: usize = 40;
/// How often the other side is shown that somebody is there.
const LIFE_PERIOD: Duration = Duration::from_secs(1);

/// How the end of a snapshot is known.
#[derive(Debug, PartialEq, Eq)]
pub enum Extent {
    Length(u64),
    Mark([u8; MARK_BYTES]),
}

impl Extent {
    /// What the line before a snapshot says, its end left out; `None` when it says nothing of the kind.
    pub fn read(line: &str) -> Option<Extent> {
        let rest = line.strip_prefix('$')?;
        match rest.strip_prefix("EOF:") {
            Some(mark) => mark.as_bytes().try_into().ok().map(Extent::Mark),
            None => rest.parse().ok().map(Extent::Length),
        }
    }
}

/// The bytes of a snapshot, and nothing of what follows it.
pub struct Intake<'a, R> {
    input: &'a mut R,
    extent: Extent,
    /// Received and not handed out: what may be the mark is held back.
    kept: Vec<u8>,
    handed: usize,
    has_ended: bool,
    /// Told how many bytes have come.
    progress: &'a mut dyn FnMut(u64),
    received: u64,
    /// Is shown signs of life.
    peer: Option<TcpStream>,
    shown: Instant,
}

impl<'a, R: Read> Intake<'a, R> {
    pub fn new(
        input: &'a mut R,
        extent: Extent,
        peer: Option<TcpStream>,
        progress: &'a mut dyn FnMut(u64),
    ) -> Intake<'a, R> {
        let (kept, shown) = (Vec::new(), Instant::now());
        Intake { input, extent, kept, handed: 0, has_ended: false, progress, received: 0, peer, shown }
    }

    /// Reads and drops what is left.
    ///
    /// # Errors
    /// When the connection ends before the snapshot does.
    pub fn finish(mut self) -> io::Result<()> {
        let mut rest = [0; 4096];
        while self.read(&mut rest)? > 0 {}
        Ok(())
    }

    fn show_life(&mut self) {
        if self.shown.elapsed() >= LIFE_PERIOD {
            self.shown = Instant::now();
            if let Some(peer) = &mut self.peer {
                // If that fails, so does the next read.
                let _ = peer.write_all(b"\n");
            }
        }
    }

    fn receive(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(out)?;
        if count == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection ended in the middle of the snapshot"));
        }
        self.received += count as u64;
        (self.progress)(self.received);
        Ok(count)
    }

    fn read_up_to_mark(&mut self, out: &mut [u8], mark: [u8; MARK_BYTES]) -> io::Result<usize> {
        loop {
            let safe = if self.has_ended { self.kept.len() } else { self.kept.len().saturating_sub(MARK_BYTES) };
            if self.handed < safe {
                let count = (safe - self.handed).min(out.len());
                out[..count].copy_from_slice(&self.kept[self.handed..self.handed + count]);
                self.handed += count;
                return Ok(count);
            }
            if self.has_ended {
                return Ok(0);
            }
            self.kept.drain(..self.handed);
            self.handed = 0;
            let before = self.kept.len();
            self.kept.resize(before + READ_BYTES, 0);
            let mut kept = std::mem::take(&mut self.kept);
            let result = self.receive(&mut kept[before..]);
            self.kept = kept;
            self.kept.truncate(before + *result.as_ref().unwrap_or(&0));
            result?;
            if self.kept.ends_with(&mark) {
                self.kept.truncate(self.kept.len() - MARK_BYTES);
                self.has_ended = true;
            }
        }
    }
}

/// Bytes that are received at once.
const READ_BYTES: usize = 64 * 1024;

impl<R: Read> Read for Intake<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        self.show_life();
        match self.extent {
            Extent::Length(0) => Ok(0),
            Extent::Length(left) => {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
                let count = self.receive(&mut out[..most])?;
                self.extent = Extent::Length(left - count as u64);
                Ok(count)
            }
            Extent::Mark(mark) => self.read_up_to_mark(out, mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(out.len()).min(self.0.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    const MARK: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn a_snapshot_ends_at_its_mark_or_its_length() {
        for size in [0, 1, 39, 40, 41, 5000] {
            for step in [1, 7, 40, 100_000] {
                let snapshot: Vec<u8> = (0..size).map(|at| MARK.as_bytes()[at % 7]).collect();
                let marked = [&snapshot[..], MARK.as_bytes()].concat();
                let (mut total, mut out) = (0, Vec::new());
                let mut input = Drip(&marked, step);
                let extent = Extent::read(&format!("$EOF:{MARK}")).expect("a mark");
                let mut progress = |bytes| total = bytes;
                Intake::new(&mut input, extent, None, &mut progress).read_to_end(&mut out).expect("it is whole");
                assert_eq!((out, total), (snapshot.clone(), marked.len() as u64));
                let mut out = Vec::new();
                let longer = [&snapshot[..], b"the stream"].concat();
                let mut input = Drip(&longer, step);
                let extent = Extent::read(&format!("${size}")).expect("a length");
                Intake::new(&mut input, extent, None, &mut |_| ()).read_to_end(&mut out).expect("it is whole");
                assert_eq!(out, snapshot);
                assert_eq!(input.0, b"the stream");
            }
        }
    }

    #[test]
    fn a_snapshot_that_is_cut_off_is_an_error() {
        let extent = || [Extent::Length(10), Extent::Mark([b'x'; MARK_BYTES])];
        for extent in extent() {
            let mut input = Drip(b"too few", 100);
            assert!(Intake::new(&mut input, extent, None, &mut |_| ()).finish().is_err());
        }
        for line in ["+OK", "$", "$-1", "$EOF:", "$EOF:x", "$1x", ""] {
            assert_eq!(Extent::read(line), None, "{line}");
        }
    }
}
