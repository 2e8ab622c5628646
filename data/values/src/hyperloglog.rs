//! HyperLogLog: how many different elements were seen, told from 16,384 small numbers that are kept in a string.
//!
//! ```text
//! byte  0–3   HYLL
//!       4     encoding: 0 dense, 1 sparse
//!       5–7   not used
//!       8–15  the last count, little-endian; its top bit says that registers were raised since
//!       16–   dense: registers of 6 bits each, the lowest bits first; sparse: runs of equal registers
//! ```
//!
//! The bytes, the hash and the estimate are Redis's, so that sketches go from server to server and count the same. A client can set
//! any string, so every sketch is judged when it is read: [`Sketch::read`] its header, [`Sketch::raise`] all the rest.

use ochre_digest::murmur64a;

mod dense;
mod estimate;
mod sparse;

pub use estimate::estimate;
pub use sparse::{Cursor, Run};

/// Number of registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;

const INDEX_BITS: u32 = 14;
/// Bits of the hash that are left for the rank.
const RANK_BITS: u32 = 64 - INDEX_BITS;
const HASH_SEED: u64 = 0xadc8_3b19;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const COUNT_AT: usize = 8;
const HEADER_BYTES: usize = 16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// In the last byte of the count: registers were raised since it was taken.
const STALE: u8 = 0x80;

/// Up to so many registers of a sparse sketch are looked up in it; for more it is unpacked.
const FEW_PLACES: usize = 4;

/// All registers, unpacked.
pub type Registers = [u8; REGISTERS];

/// Why bytes are no sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The header is not one of a sketch.
    NotASketch,
    /// The header is, but the registers are not whole.
    Corrupt,
}

/// The register that an element belongs to, and the rank that it raises it to: 1 to 51.
pub fn place_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, HASH_SEED);
    let index = hash as usize % REGISTERS;
    // A bit behind the last one ends the search.
    let rest = hash >> INDEX_BITS | 1 << RANK_BITS;
    (index, rest.trailing_zeros() as u8 + 1)
}

/// The bytes of a sketch that has seen nothing: sparse, 18 bytes.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[ENCODING_AT] = SPARSE;
    bytes[HEADER_BYTES - 1] = STALE;
    sparse::push_zeros(&mut bytes, REGISTERS);
    bytes
}

/// A sketch to read. Its header is sound; its registers are judged when they are read.
#[derive(Clone, Copy, Debug)]
pub struct Sketch<'a> {
    bytes: &'a [u8],
}

impl<'a> Sketch<'a> {
    /// The sketch in `bytes`.
    ///
    /// # Errors
    /// `Damage::NotASketch`.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Damage> {
        let sound = bytes.len() >= HEADER_BYTES
            && bytes.starts_with(MAGIC)
            && match bytes[ENCODING_AT] {
                DENSE => bytes.len() == HEADER_BYTES + dense::BYTES,
                encoding => encoding == SPARSE,
            };
        if sound { Ok(Sketch { bytes }) } else { Err(Damage::NotASketch) }
    }

    pub fn is_sparse(&self) -> bool {
        self.bytes[ENCODING_AT] == SPARSE
    }

    /// The last count, if no register was raised since.
    pub fn count_if_fresh(&self) -> Option<u64> {
        let bytes = self.bytes[COUNT_AT..HEADER_BYTES].try_into().expect("a header is 16 bytes");
        (self.bytes[HEADER_BYTES - 1] & STALE == 0).then(|| u64::from_le_bytes(bytes))
    }

    /// Raises each of `registers` to the sketch's own where that is higher.
    ///
    /// # Errors
    /// `Damage::Corrupt`; some registers may have been raised by then.
    pub fn raise(&self, registers: &mut Registers) -> Result<(), Damage> {
        let body = &self.bytes[HEADER_BYTES..];
        if self.is_sparse() {
            sparse::raise(body, registers)
        } else {
            dense::raise(body, registers);
            Ok(())
        }
    }

    /// The registers.
    ///
    /// # Errors
    /// `Damage::Corrupt`.
    pub fn registers(&self) -> Result<Registers, Damage> {
        let mut registers = [0; REGISTERS];
        self.raise(&mut registers)?;
        Ok(registers)
    }

    /// Leaves of `places` those whose rank is higher than the sketch's, and than that of the places before them.
    ///
    /// # Errors
    /// `Damage::Corrupt`.
    pub fn keep_higher(&self, places: &mut Vec<(usize, u8)>) -> Result<(), Damage> {
        let body = &self.bytes[HEADER_BYTES..];
        if self.is_sparse() && places.len() <= FEW_PLACES {
            let mut ranks = [0; FEW_PLACES];
            sparse::find_ranks(body, places, &mut ranks)?;
            let mut kept: Vec<(usize, u8)> = Vec::with_capacity(places.len());
            for ((index, rank), old) in places.iter().zip(ranks) {
                let before = kept.iter().rev().find(|(kept, _)| kept == index).map_or(old, |(_, rank)| *rank);
                if *rank > before {
                    kept.push((*index, *rank));
                }
            }
            *places = kept;
            return Ok(());
        }
        let mut registers = self.registers()?;
        places.retain(|(index, rank)| {
            let higher = *rank > registers[*index];
            registers[*index] = registers[*index].max(*rank);
            higher
        });
        Ok(())
    }

    /// The runs of a sparse sketch, as far as they are sound.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        sparse::runs(if self.is_sparse() { &self.bytes[HEADER_BYTES..] } else { &[] })
    }
}

/// Writes a count into the header of a sketch.
pub fn note_count(bytes: &mut [u8], count: u64) {
    bytes[COUNT_AT..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
}

/// Says in the header of a sketch that its count is out of date.
pub fn forget_count(bytes: &mut [u8]) {
    bytes[HEADER_BYTES - 1] |= STALE;
}

/// Gives register `index` of a sound sketch the higher rank `rank`. A sparse sketch becomes a dense one when it would grow past
/// `sparse_bytes_max` (header included), or when the rank is one that it cannot hold.
///
/// `cursor` remembers where a sparse sketch was changed last: registers that are raised in ascending order with one cursor, which
/// starts as `Cursor::default()`, are found in constant time.
pub fn set_register(bytes: &mut Vec<u8>, index: usize, rank: u8, sparse_bytes_max: usize, cursor: &mut Cursor) {
    if bytes[ENCODING_AT] == SPARSE {
        if sparse::set(bytes, index, rank, sparse_bytes_max, cursor) {
            return forget_count(bytes);
        }
        make_dense(bytes);
    }
    dense::set(&mut bytes[HEADER_BYTES..], index, rank);
    forget_count(bytes);
}

/// Raises registers of a dense sketch in place; answers how many of `places` were higher than what was there.
pub fn raise_dense(bytes: &mut [u8], places: &[(usize, u8)]) -> usize {
    debug_assert_eq!(bytes[ENCODING_AT], DENSE);
    let body = &mut bytes[HEADER_BYTES..];
    let mut raised = 0;
    for (index, rank) in places {
        if *rank > dense::get(body, *index) {
            dense::set(body, *index, *rank);
            raised += 1;
        }
    }
    if raised > 0 {
        forget_count(bytes);
    }
    raised
}

/// Makes a sound sketch dense, if it is not; says whether it was sparse. Its count stays.
pub fn make_dense(bytes: &mut Vec<u8>) -> bool {
    if bytes[ENCODING_AT] == DENSE {
        return false;
    }
    let mut body = vec![0; dense::BYTES];
    let mut first = 0;
    for run in sparse::runs(&bytes[HEADER_BYTES..]) {
        if run.rank > 0 {
            (first..(first + run.length).min(REGISTERS)).for_each(|index| dense::set(&mut body, index, run.rank));
        }
        first += run.length;
    }
    bytes[ENCODING_AT] = DENSE;
    bytes.truncate(HEADER_BYTES);
    bytes.reserve_exact(dense::BYTES);
    bytes.extend_from_slice(&body);
    true
}

#[cfg(test)]
mod tests;
