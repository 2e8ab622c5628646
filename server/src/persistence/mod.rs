//! Data that survives: the log and its files.

pub mod log;
pub mod rdb_format;
pub mod save;
pub mod save_file;
pub mod shutdown;
pub mod snapshot;
