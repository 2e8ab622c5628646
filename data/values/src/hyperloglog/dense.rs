//! The dense encoding: registers of 6 bits side by side, the lowest bits of a byte first.

use super::{REGISTERS, Registers};

const BITS: usize = 6;
const MASK: u8 = (1 << BITS) - 1;

/// Length of all registers, in bytes.
pub(super) const BYTES: usize = REGISTERS * BITS / 8;

/// Raises `registers` to those in `body`.
pub(super) fn raise(body: &[u8], registers: &mut Registers) {
    // Four registers fill three bytes.
    let (threes, _) = body.as_chunks::<3>();
    let (fours, _) = registers.as_chunks_mut::<4>();
    for (registers, [a, b, c]) in fours.iter_mut().zip(threes) {
        let ranks = [a & MASK, (a >> 6 | b << 2) & MASK, (b >> 4 | c << 4) & MASK, c >> 2];
        for (register, rank) in registers.iter_mut().zip(ranks) {
            *register = rank.max(*register);
        }
    }
}

/// Sets register `index` in `body` to the lower 6 bits of `rank`.
pub(super) fn set(body: &mut [u8], index: usize, rank: u8) {
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    let (mask, rank) = (u16::from(MASK) << shift, u16::from(rank & MASK) << shift);
    body[at] = body[at] & !(mask as u8) | rank as u8;
    // A register that begins late in its byte goes on in the next.
    if mask >> 8 != 0 {
        body[at + 1] = body[at + 1] & !((mask >> 8) as u8) | (rank >> 8) as u8;
    }
}
