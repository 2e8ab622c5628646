//! Group bitmap: strings as rows of bits, the first bit of a byte its highest.

mod bits;
mod combine;
mod count;
mod fields;
mod offset;
mod population;

use crate::Command;

pub const COMMANDS: &[Command] = &[
    bits::SETBIT,
    bits::GETBIT,
    count::BITCOUNT,
    count::BITPOS,
    combine::BITOP,
    fields::BITFIELD,
    fields::BITFIELD_RO,
];
