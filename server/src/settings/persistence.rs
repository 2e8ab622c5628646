//! Settings of persistence: snapshots, the append-only file, where they lie and how they are loaded.

use ochre_config::{Live, SavePoint, SavePoints, Shared, choices};

use super::checks::{append_folder_name, append_name, snapshot_name};
use super::{ANY_INT, INT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Persistence {
    /// Absolute.
    pub(crate) dir: Shared<String>,
    pub(crate) save: Shared<Vec<SavePoint>>,
    pub(crate) dbfilename: Shared<String>,
    pub(crate) rdbcompression: Live<bool>,
    pub(crate) rdbchecksum: Live<bool>,
    pub(crate) rdb_dialect: Live<RdbDialect>,
    pub(crate) rdb_save_incremental_fsync: Live<bool>,
    pub(crate) rdb_version_check: Live<RdbVersionCheck>,
    pub(crate) sanitize_dump_payload: Live<SanitizePayload>,
    pub(crate) stop_writes_on_bgsave_error: Live<bool>,
    pub(crate) appendonly: Live<bool>,
    pub(crate) appendfilename: Shared<String>,
    pub(crate) appenddirname: Shared<String>,
    pub(crate) appendfsync: Live<AppendFsync>,
    pub(crate) no_appendfsync_on_rewrite: Live<bool>,
    pub(crate) auto_aof_rewrite_percentage: Live<u64>,
    pub(crate) auto_aof_rewrite_min_size_bytes: Live<u64>,
    pub(crate) aof_load_truncated: Live<bool>,
    pub(crate) aof_use_rdb_preamble: Live<bool>,
    pub(crate) aof_timestamp_enabled: Live<bool>,
    pub(crate) aof_rewrite_incremental_fsync: Live<bool>,
    pub(crate) aof_disable_auto_gc: Live<bool>,
    pub(crate) rdb_key_save_delay_us: Live<i64>,
    pub(crate) key_load_delay_us: Live<i64>,
    pub(crate) loading_process_events_interval_bytes: Live<u64>,
}

choices! {
    /// Whose types snapshots and DUMP use.
    pub(crate) enum RdbDialect {
        /// Those that Redis from 7.0 on and every Valkey read.
        Portable = "portable",
        Redis8 = "redis8",
        Valkey9 = "valkey9",
    }
}

choices! {
    /// When the append-only file is synced to the disk.
    pub(crate) enum AppendFsync {
        EverySecond = "everysec",
        /// Before a write is acknowledged.
        Always = "always",
        /// When the system likes to.
        No = "no",
    }
}

choices! {
    /// What is done with a snapshot of a version that is not known.
    pub(crate) enum RdbVersionCheck {
        Strict = "strict",
        Relaxed = "relaxed",
    }
}

choices! {
    /// Whose RESTORE payloads are checked entry by entry.
    pub(crate) enum SanitizePayload {
        No = "no",
        Yes = "yes",
        Clients = "clients",
    }
}

pub(super) const ROWS: &[Row] = &[
    Row::text("dir", "./", "Folder for data files; the server works in it.")
        .protected()
        .after_loading()
        .mirrored(|live| &live.persistence.dir),
    Row::list("save", &SavePoints, "3600 1 300 100 60 10000", "Seconds and changes after which a snapshot is taken.")
        .mirrored(|live| &live.persistence.save),
    Row::text("dbfilename", "dump.rdb", "Name of the snapshot file.")
        .protected()
        .checked(snapshot_name)
        .mirrored(|live| &live.persistence.dbfilename),
    Row::switch("rdbcompression", true, "Compress strings in snapshots.")
        .mirrored(|live| &live.persistence.rdbcompression),
    Row::switch("rdbchecksum", true, "End snapshots with a checksum, and check it when loading.")
        .at_start()
        .mirrored(|live| &live.persistence.rdbchecksum),
    Row::choice::<RdbDialect>("rdb-dialect", "portable", "Which servers read snapshots and what DUMP replies.")
        .mirrored(|live| &live.persistence.rdb_dialect),
    Row::switch("rdb-save-incremental-fsync", true, "Sync a snapshot bit by bit while it is written.")
        .mirrored(|live| &live.persistence.rdb_save_incremental_fsync),
    Row::choice::<RdbVersionCheck>("rdb-version-check", "strict", "Whether snapshots of unknown versions are refused.")
        .mirrored(|live| &live.persistence.rdb_version_check),
    Row::choice::<SanitizePayload>(
        "sanitize-dump-payload",
        "no",
        "Whose RESTORE payloads are checked in depth; here all are.",
    )
    .mirrored(|live| &live.persistence.sanitize_dump_payload),
    Row::switch("stop-writes-on-bgsave-error", true, "Refuse writes while the last snapshot has failed.")
        .mirrored(|live| &live.persistence.stop_writes_on_bgsave_error),
    Row::switch("appendonly", false, "Keep an append-only file.")
        .after_loading()
        .mirrored(|live| &live.persistence.appendonly),
    Row::text("appendfilename", "appendonly.aof", "First part of the names of append-only files.")
        .at_start()
        .checked(append_name)
        .mirrored(|live| &live.persistence.appendfilename),
    Row::text("appenddirname", "appendonlydir", "Folder of append-only files, below `dir`.")
        .at_start()
        .checked(append_folder_name)
        .mirrored(|live| &live.persistence.appenddirname),
    Row::choice::<AppendFsync>("appendfsync", "everysec", "When the append-only file is synced to the disk.")
        .mirrored(|live| &live.persistence.appendfsync),
    Row::switch("no-appendfsync-on-rewrite", false, "Do not sync while a snapshot or a rewrite runs.")
        .mirrored(|live| &live.persistence.no_appendfsync_on_rewrite),
    Row::number("auto-aof-rewrite-percentage", INT, "100", "Growth after which the file is rewritten; 0 never.")
        .mirrored(|live| &live.persistence.auto_aof_rewrite_percentage),
    Row::bytes("auto-aof-rewrite-min-size", 0..=i64::MAX as i128, "64mb", "Size below which it is not.")
        .mirrored(|live| &live.persistence.auto_aof_rewrite_min_size_bytes),
    Row::switch("aof-load-truncated", true, "Load a file whose end is missing, and cut it there.")
        .mirrored(|live| &live.persistence.aof_load_truncated),
    Row::switch("aof-use-rdb-preamble", true, "Rewrite as a snapshot rather than as commands.")
        .mirrored(|live| &live.persistence.aof_use_rdb_preamble),
    Row::switch("aof-timestamp-enabled", false, "Note the time in the file, for recovery up to a moment.")
        .mirrored(|live| &live.persistence.aof_timestamp_enabled),
    Row::switch("aof-rewrite-incremental-fsync", true, "Sync a rewrite bit by bit while it is written.")
        .mirrored(|live| &live.persistence.aof_rewrite_incremental_fsync),
    Row::switch("aof-disable-auto-gc", false, "Keep append-only files that are no longer needed.")
        .hidden()
        .mirrored(|live| &live.persistence.aof_disable_auto_gc),
    Row::number("rdb-key-save-delay", ANY_INT, "0", "Microseconds to wait for each key saved, for tests.")
        .hidden()
        .mirrored(|live| &live.persistence.rdb_key_save_delay_us),
    Row::number("key-load-delay", ANY_INT, "0", "Microseconds to wait for each key loaded, for tests.")
        .hidden()
        .mirrored(|live| &live.persistence.key_load_delay_us),
    Row::number(
        "loading-process-events-interval-bytes",
        1024..=i32::MAX as i128,
        "2097152",
        "Larger files are loaded while clients are answered -LOADING.",
    )
    .hidden()
    .mirrored(|live| &live.persistence.loading_process_events_interval_bytes),
];
