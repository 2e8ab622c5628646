//! What the programs that check data files do; the programs themselves only read their arguments.

pub mod aof;
pub mod rdb;
