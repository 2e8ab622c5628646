//! Group string: values as bytes, as counters, as ranges.

mod bounded;
mod conditional;
mod counters;
mod lcs;
mod many;
mod ranges;
mod set;
mod structured;
mod values;

use crate::Command;

pub use structured::SET_STRUCTURED;

pub const COMMANDS: &[Command] = &[
    values::GET,
    values::GETEX,
    values::GETDEL,
    values::GETSET,
    values::STRLEN,
    set::SET,
    set::SETNX,
    set::SETEX,
    set::PSETEX,
    conditional::DELEX,
    conditional::DELIFEQ,
    conditional::DIGEST,
    many::MGET,
    many::MSET,
    many::MSETNX,
    many::MSETEX,
    counters::INCR,
    counters::DECR,
    counters::INCRBY,
    counters::DECRBY,
    counters::INCRBYFLOAT,
    bounded::INCREX,
    ranges::APPEND,
    ranges::GETRANGE,
    ranges::SUBSTR,
    ranges::SETRANGE,
    lcs::LCS,
];
