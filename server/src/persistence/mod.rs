//! Data that survives: the log and its files.

pub mod log;
