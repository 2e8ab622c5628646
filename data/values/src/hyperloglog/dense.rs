//! The dense encoding: registers of 6 bits side by side, the lowest bits of a byte first.

use super::{REGISTERS, Registers};

const BITS: usize = 6;
const MASK: u8 = (1 << BITS) - 1;

/// Length of all registers, in bytes.
pub(super) const BYTES: usize = REGISTERS * BITS / 8;

/// Raises `registers` to those in `body`.
pub(super) fn raise(body: &[u8], registers: &mut Registers) {
    // Eight registers fill six bytes.
    let (sixes, _) = body.as_chunks::<6>();
    let (eights, _) = registers.as_chunks_mut::<8>();
    for (registers, [a, b, c, d, e, f]) in eights.iter_mut().zip(sixes) {
        let ranks = spread(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, 0, 0])).to_le_bytes();
        for (register, rank) in registers.iter_mut().zip(ranks) {
            *register = rank.max(*register);
        }
    }
}

/// Moves each group of 6 of the lower 48 bits into a byte of its own: the halves apart, then the quarters, then the eighths.
fn spread(bits: u64) -> u64 {
    let halves = bits & 0xff_ffff | (bits & 0xffff_ff00_0000) << 8;
    let quarters = halves & 0x0000_0fff_0000_0fff | (halves & 0x00ff_f000_00ff_f000) << 4;
    quarters & 0x003f_003f_003f_003f | (quarters & 0x0fc0_0fc0_0fc0_0fc0) << 2
}

/// Register `index` in `body`.
pub(super) fn get(body: &[u8], index: usize) -> u8 {
    let (at, shift) = (index * BITS / 8, index * BITS % 8);
    // The last register ends with the last byte.
    let next = body.get(at + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([body[at], next]) >> shift) as u8 & MASK
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
