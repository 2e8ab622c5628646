//! Bytes as people and protocols write them: numbers, patterns, words without case, quotes, sizes.

pub mod case;
pub mod glob;
pub mod number;
pub mod quote;
pub mod size;
