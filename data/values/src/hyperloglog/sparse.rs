//! The sparse encoding: registers as runs of equal ones.
//!
//! ```text
//! 00llllll            l + 1 registers are 0
//! 01llllll llllllll   l + 1 registers are 0
//! 1rrrrrll            l + 1 registers have rank r + 1
//! ```
//!
//! Where runs are split and joined follows the peers step by step: then the bytes are the same as theirs, not only the registers.

use super::{Damage, HEADER_BYTES, REGISTERS, Registers};

const SHORT_ZEROS_MAX: usize = 64;
const RANKED_MAX: usize = 4;
/// The highest rank that a run holds.
const RANK_MAX: u8 = 32;
/// How many runs around a change are looked at for equal neighbours to join.
const JOIN_STEPS: usize = 5;

/// Registers in a row that are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// 0 for registers that nothing has raised.
    pub rank: u8,
    /// Number of registers.
    pub length: usize,
    /// Whether the run takes two bytes.
    pub wide: bool,
}

impl Run {
    /// The run at the beginning of `bytes`; `None` when they end before it does.
    fn read(bytes: &[u8]) -> Option<Run> {
        let first = *bytes.first()?;
        Some(match first >> 6 {
            0 => Run { rank: 0, length: usize::from(first) + 1, wide: false },
            1 => {
                let length = usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?);
                Run { rank: 0, length: length + 1, wide: true }
            }
            _ => Run { rank: (first >> 2 & 31) + 1, length: usize::from(first & 3) + 1, wide: false },
        })
    }

    fn bytes(&self) -> usize {
        1 + usize::from(self.wide)
    }
}

/// The runs in `body`, up to one that is cut off.
pub(super) fn runs(body: &[u8]) -> impl Iterator<Item = Run> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let run = Run::read(rest)?;
        rest = &rest[run.bytes()..];
        Some(run)
    })
}

/// Raises `registers` to those in `body`, whose runs must cover them exactly.
pub(super) fn raise(body: &[u8], registers: &mut Registers) -> Result<(), Damage> {
    let (mut at, mut first) = (0, 0);
    while at < body.len() {
        let run = Run::read(&body[at..]).ok_or(Damage::Corrupt)?;
        let covered = registers.get_mut(first..first + run.length).ok_or(Damage::Corrupt)?;
        if run.rank > 0 {
            covered.iter_mut().for_each(|register| *register = run.rank.max(*register));
        }
        at += run.bytes();
        first += run.length;
    }
    if first == REGISTERS { Ok(()) } else { Err(Damage::Corrupt) }
}

/// Writes the ranks of the registers of `places` into `ranks`, each at the same position. The runs must cover all registers exactly.
pub(super) fn find_ranks(body: &[u8], places: &[(usize, u8)], ranks: &mut [u8]) -> Result<(), Damage> {
    let (mut at, mut first) = (0, 0);
    while at < body.len() {
        let run = Run::read(&body[at..]).ok_or(Damage::Corrupt)?;
        let behind = first + run.length;
        for ((index, _), rank) in places.iter().zip(&mut *ranks) {
            if (first..behind).contains(index) {
                *rank = run.rank;
            }
        }
        at += run.bytes();
        first = behind;
        if first > REGISTERS {
            return Err(Damage::Corrupt);
        }
    }
    if first == REGISTERS { Ok(()) } else { Err(Damage::Corrupt) }
}

/// Appends a run of `length` zeros, in the shorter of its two forms.
pub(super) fn push_zeros(bytes: &mut Vec<u8>, length: usize) {
    debug_assert!((1..=REGISTERS).contains(&length));
    let last = length - 1;
    if length > SHORT_ZEROS_MAX {
        bytes.push(0x40 | (last >> 8) as u8);
    }
    bytes.push(last as u8);
}

/// A run of `length` registers of rank `rank`.
fn ranked(rank: u8, length: usize) -> u8 {
    debug_assert!((1..=RANK_MAX).contains(&rank) && (1..=RANKED_MAX).contains(&length));
    0x80 | (rank - 1) << 2 | (length - 1) as u8
}

/// A place between two runs: where the later one begins, and its first register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: usize,
    first: usize,
}

impl Default for Cursor {
    fn default() -> Self {
        Cursor { at: HEADER_BYTES, first: 0 }
    }
}

/// A run that was searched.
struct Found {
    run: Run,
    place: Cursor,
    /// The run before it, and the one before that, as far as the search came past them.
    previous: Option<Cursor>,
    before_previous: Option<Cursor>,
}

/// The run of register `index`, searched from `from` on.
fn find(bytes: &[u8], index: usize, from: Cursor) -> Found {
    let (mut place, mut previous, mut before_previous) = (from, None, None);
    loop {
        let run = Run::read(&bytes[place.at..]).expect("the runs of a sound sketch cover its registers");
        let behind = place.first + run.length;
        if index < behind {
            return Found { run, place, previous, before_previous };
        }
        before_previous = previous;
        previous = Some(place);
        place = Cursor { at: place.at + run.bytes(), first: behind };
    }
}

/// Gives register `index` the rank `rank`, which is higher than what it has. False, with nothing changed, when the sketch would
/// grow past `bytes_max` or cannot hold the rank.
pub(super) fn set(bytes: &mut Vec<u8>, index: usize, rank: u8, bytes_max: usize, cursor: &mut Cursor) -> bool {
    if rank > RANK_MAX {
        return false;
    }
    let mut found = find(bytes, index, *cursor);
    if found.previous.is_none() && *cursor != Cursor::default() {
        // The run before it may have to be joined with it, and only a search from the beginning meets that one.
        *cursor = Cursor::default();
        found = find(bytes, index, *cursor);
    }
    let Found { run, place, previous, before_previous } = found;
    debug_assert!(run.rank < rank, "only a higher rank is set");
    if run.length == 1 && !run.wide {
        bytes[place.at] = ranked(rank, 1);
    } else {
        let mut pieces = Vec::with_capacity(5);
        push_run(&mut pieces, run.rank, index - place.first);
        pieces.push(ranked(rank, 1));
        push_run(&mut pieces, run.rank, place.first + run.length - 1 - index);
        let grown = bytes.len() - run.bytes() + pieces.len();
        if grown > bytes.len() && grown > bytes_max {
            return false;
        }
        bytes.splice(place.at..place.at + run.bytes(), pieces);
    }
    join(bytes, previous.unwrap_or(place).at);
    // What lies before the joined runs keeps its place.
    *cursor = before_previous.unwrap_or(*cursor);
    true
}

/// Appends a part of a run that was cut in pieces; nothing when nothing is left of it.
fn push_run(pieces: &mut Vec<u8>, rank: u8, length: usize) {
    match (length, rank) {
        (0, _) => {}
        (_, 0) => push_zeros(pieces, length),
        _ => pieces.push(ranked(rank, length)),
    }
}

/// Joins neighbours of equal rank, from `at` on, a few runs far.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_STEPS {
        let Some(run) = Run::read(&bytes[at..]) else { return };
        match Run::read(&bytes[at + run.bytes()..]) {
            Some(next) if run.rank > 0 && run.rank == next.rank && run.length + next.length <= RANKED_MAX => {
                bytes[at] = ranked(run.rank, run.length + next.length);
                bytes.remove(at + 1);
            }
            _ => at += run.bytes(),
        }
    }
}
