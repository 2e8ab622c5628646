//! Settings of replication: whom to follow, what replicas may do, how much of the log is kept for them.

use ochre_config::{Live, PrimaryAddress, Shared, choices};

use super::{INT, PORT, POSITIVE_INT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Replication {
    pub(crate) replicaof: Shared<Option<(String, u16)>>,
    pub(crate) masteruser: Shared<Vec<u8>>,
    pub(crate) masterauth: Shared<Vec<u8>>,
    pub(crate) replica_read_only: Live<bool>,
    pub(crate) replica_serve_stale_data: Live<bool>,
    pub(crate) replica_priority: Live<u64>,
    pub(crate) replica_announced: Live<bool>,
    pub(crate) replica_announce_ip: Shared<String>,
    pub(crate) replica_announce_port: Live<u16>,
    pub(crate) replica_ignore_maxmemory: Live<bool>,
    pub(crate) replica_ignore_disk_write_errors: Live<bool>,
    pub(crate) replica_lazy_flush: Live<bool>,
    pub(crate) replica_full_sync_buffer_limit_bytes: Live<u64>,
    pub(crate) repl_backlog_size_bytes: Live<u64>,
    pub(crate) repl_backlog_ttl_s: Live<u64>,
    pub(crate) repl_timeout_s: Live<u64>,
    pub(crate) repl_ping_replica_period_s: Live<u64>,
    pub(crate) repl_disable_tcp_nodelay: Live<bool>,
    pub(crate) repl_diskless_sync: Live<bool>,
    pub(crate) repl_diskless_sync_delay_s: Live<u64>,
    pub(crate) repl_diskless_sync_max_replicas: Live<usize>,
    pub(crate) repl_diskless_load: Live<DisklessLoad>,
    pub(crate) rdb_del_sync_files: Live<bool>,
    pub(crate) min_replicas_to_write: Live<usize>,
    pub(crate) min_replicas_max_lag_s: Live<u64>,
    pub(crate) propagation_error_behavior: Live<PropagationError>,
    pub(crate) import_mode: Live<bool>,
}

choices! {
    /// Whether a replica loads a snapshot from the socket rather than from a file.
    pub(crate) enum DisklessLoad {
        Disabled = "disabled",
        OnEmptyDb = "on-empty-db",
        /// Keeping the old data until the new has come.
        SwapDb = "swapdb",
        FlushBeforeLoad = "flush-before-load",
    }
}

choices! {
    /// What happens when a command of the log fails.
    pub(crate) enum PropagationError {
        Ignore = "ignore",
        Panic = "panic",
        PanicOnReplicas = "panic-on-replicas",
    }
}

pub(super) const ROWS: &[Row] = &[
    Row::list("replicaof", &PrimaryAddress, "no one", "The server to follow.")
        .or(&["slaveof"])
        .at_start()
        .mirrored(|live| &live.replication.replicaof),
    Row::optional("masteruser", "User to log in as at the server that is followed.")
        .or(&["primaryuser"])
        .secret()
        .mirrored(|live| &live.replication.masteruser),
    Row::optional("masterauth", "Password for it.")
        .or(&["primaryauth"])
        .secret()
        .mirrored(|live| &live.replication.masterauth),
    Row::switch("replica-read-only", true, "Refuse writes of clients while following.")
        .or(&["slave-read-only"])
        .mirrored(|live| &live.replication.replica_read_only),
    Row::switch("replica-serve-stale-data", true, "Answer while the link is down.")
        .or(&["slave-serve-stale-data"])
        .mirrored(|live| &live.replication.replica_serve_stale_data),
    Row::number("replica-priority", INT, "100", "Rank in a fail-over by Sentinel, the lowest first; 0 never.")
        .or(&["slave-priority"])
        .mirrored(|live| &live.replication.replica_priority),
    Row::switch("replica-announced", true, "Be listed by Sentinel.")
        .mirrored(|live| &live.replication.replica_announced),
    Row::optional("replica-announce-ip", "Address to announce to the server that is followed.")
        .or(&["slave-announce-ip"])
        .mirrored(|live| &live.replication.replica_announce_ip),
    Row::number("replica-announce-port", PORT, "0", "Port to announce; 0 for the one that is listened on.")
        .or(&["slave-announce-port"])
        .mirrored(|live| &live.replication.replica_announce_port),
    Row::switch("replica-ignore-maxmemory", true, "Leave eviction to the server that is followed.")
        .or(&["slave-ignore-maxmemory"])
        .mirrored(|live| &live.replication.replica_ignore_maxmemory),
    Row::switch("replica-ignore-disk-write-errors", false, "Go on following when the log cannot be written.")
        .mirrored(|live| &live.replication.replica_ignore_disk_write_errors),
    Row::switch("replica-lazy-flush", true, "Free the old data in the background before a full synchronisation.")
        .or(&["slave-lazy-flush"])
        .mirrored(|live| &live.replication.replica_lazy_flush),
    Row::bytes(
        "replica-full-sync-buffer-limit",
        0..=i64::MAX as i128,
        "0",
        "Log to keep during a full synchronisation.",
    )
    .mirrored(|live| &live.replication.replica_full_sync_buffer_limit_bytes),
    Row::bytes(
        "repl-backlog-size",
        1..=i64::MAX as i128,
        "10mb",
        "Log to keep for replicas that come back, at least 16kb.",
    )
    .clamped(16 << 10..=i64::MAX as i128)
    .mirrored(|live| &live.replication.repl_backlog_size_bytes),
    Row::number("repl-backlog-ttl", 0..=i64::MAX as i128, "3600", "Seconds to keep it without replicas; 0 forever.")
        .mirrored(|live| &live.replication.repl_backlog_ttl_s),
    Row::number("repl-timeout", POSITIVE_INT, "60", "Seconds of silence after which a link is given up.")
        .mirrored(|live| &live.replication.repl_timeout_s),
    Row::number("repl-ping-replica-period", POSITIVE_INT, "10", "Seconds between two signs of life to replicas.")
        .or(&["repl-ping-slave-period"])
        .mirrored(|live| &live.replication.repl_ping_replica_period_s),
    Row::switch("repl-disable-tcp-nodelay", false, "Send to replicas in fewer, later packets.")
        .mirrored(|live| &live.replication.repl_disable_tcp_nodelay),
    Row::switch("repl-diskless-sync", true, "Send snapshots to replicas without a file.")
        .mirrored(|live| &live.replication.repl_diskless_sync),
    Row::number("repl-diskless-sync-delay", INT, "5", "Seconds to wait for more replicas before that.")
        .mirrored(|live| &live.replication.repl_diskless_sync_delay_s),
    Row::number("repl-diskless-sync-max-replicas", INT, "0", "Replicas that end the wait; 0 for none.")
        .mirrored(|live| &live.replication.repl_diskless_sync_max_replicas),
    Row::choice::<DisklessLoad>("repl-diskless-load", "disabled", "Whether to load a snapshot straight from the link.")
        .after_loading()
        .mirrored(|live| &live.replication.repl_diskless_load),
    Row::switch("rdb-del-sync-files", false, "Remove snapshot files of synchronisations that nothing else needs.")
        .mirrored(|live| &live.replication.rdb_del_sync_files),
    Row::number("min-replicas-to-write", INT, "0", "Replicas without which writes are refused; 0 for none.")
        .or(&["min-slaves-to-write"])
        .mirrored(|live| &live.replication.min_replicas_to_write),
    Row::number("min-replicas-max-lag", INT, "10", "Seconds of silence after which a replica does not count.")
        .or(&["min-slaves-max-lag"])
        .mirrored(|live| &live.replication.min_replicas_max_lag_s),
    Row::choice::<PropagationError>(
        "propagation-error-behavior",
        "ignore",
        "What to do when a command of the log fails.",
    )
    .mirrored(|live| &live.replication.propagation_error_behavior),
    Row::switch("import-mode", false, "Keep expired keys while data is imported from elsewhere.")
        .mirrored(|live| &live.replication.import_mode),
    Row::switch("dual-channel-replication-enabled", false, "Synchronise over two connections.").without_effect(),
    Row::switch("repl-rdb-channel", true, "The same under the name that Redis gives it.").hidden().without_effect(),
    Row::switch("repl-mptcp", false, "Follow over multipath TCP.").at_start().without_effect(),
];
