//! Data that survives: the log and its files.

pub mod aof;
pub mod commands_format;
pub mod folder;
pub mod load;
pub mod load_file;
pub mod loading;
pub mod log;
pub mod rdb_format;
pub mod replay;
pub mod rewrite;
pub mod save;
pub mod save_file;
pub mod shutdown;
pub mod snapshot;
pub mod writer;
