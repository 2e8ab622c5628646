//! Which fields of INFO are metrics, and what redis_exporter calls them.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A field of INFO as a metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    field: &'static str,
    /// Without `redis_`.
    pub name: &'static str,
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
}

/// The metric that a field of INFO is, if it is one.
pub fn of_info(field: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.field == field)
}

/// The number of a field's value: its words of success are one, those of failure zero.
pub fn number(value: &str) -> Option<f64> {
    match value {
        "ok" | "yes" => Some(1.0),
        "err" | "fail" | "no" => Some(0.0),
        value => value.trim_end_matches('%').parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

const fn gauge(field: &'static str, name: &'static str, help: &'static str) -> Metric {
    Metric { field, name, kind: Kind::Gauge, help }
}

const fn counter(field: &'static str, name: &'static str, help: &'static str) -> Metric {
    Metric { field, name, kind: Kind::Counter, help }
}

const METRICS: &[Metric] = &[
    gauge("uptime_in_seconds", "uptime_in_seconds", "Time since the start, seconds."),
    gauge("process_id", "process_id", "Number of the process."),
    gauge("io_threads_active", "io_threads_active", "Whether there are several event loops."),
    gauge("connected_clients", "connected_clients", "Clients that are connected."),
    gauge("blocked_clients", "blocked_clients", "Clients that wait for a key."),
    gauge("maxclients", "max_clients", "Clients that may be connected."),
    gauge("tracking_clients", "tracking_clients", "Clients that are told when keys change that they have read."),
    gauge("pubsub_clients", "pubsub_clients", "Clients that listen to channels."),
    gauge("watching_clients", "watching_clients", "Clients that watch keys for a transaction."),
    gauge("clients_in_timeout_table", "clients_in_timeout_table", "Clients in a table of timeouts."),
    gauge("total_watched_keys", "total_watched_keys", "Keys that are watched."),
    gauge("total_blocking_keys", "total_blocking_keys", "Keys that blocked clients wait for."),
    gauge("total_blocking_keys_on_nokey", "total_blocking_keys_on_nokey", "Those of them whose loss is told, too."),
    gauge("cluster_connections", "cluster_connections", "Connections of the cluster bus."),
    gauge(
        "client_recent_max_input_buffer",
        "client_recent_max_input_buffer_bytes",
        "Longest input of a client lately.",
    ),
    gauge(
        "client_recent_max_output_buffer",
        "client_recent_max_output_buffer_bytes",
        "Longest output of a client lately.",
    ),
    gauge("allocator_active", "allocator_active_bytes", "Memory in the allocator's pages."),
    gauge("allocator_allocated", "allocator_allocated_bytes", "Memory that is allocated."),
    gauge("allocator_resident", "allocator_resident_bytes", "Memory that the allocator holds from the system."),
    gauge("allocator_muzzy", "allocator_muzzy_bytes", "Memory that the system may take back."),
    gauge("allocator_frag_ratio", "allocator_frag_ratio", "Fragmentation within the allocator."),
    gauge("allocator_frag_bytes", "allocator_frag_bytes", "Fragmentation within the allocator, bytes."),
    gauge("allocator_rss_ratio", "allocator_rss_ratio", "Resident memory over that in use."),
    gauge("allocator_rss_bytes", "allocator_rss_bytes", "Resident memory that is not in use."),
    gauge("used_memory", "memory_used_bytes", "Memory in use."),
    gauge("used_memory_rss", "memory_used_rss_bytes", "Resident memory."),
    gauge("used_memory_peak", "memory_used_peak_bytes", "The most memory that was in use."),
    gauge("used_memory_overhead", "memory_used_overhead_bytes", "Memory for everything but keys and values."),
    gauge("used_memory_startup", "memory_used_startup_bytes", "Memory in use before the first client."),
    gauge("used_memory_dataset", "memory_used_dataset_bytes", "Memory for keys and values."),
    gauge("used_memory_lua", "memory_used_lua_bytes", "Memory of the script engine."),
    gauge("used_memory_vm_eval", "memory_used_vm_eval_bytes", "Memory of the engine for EVAL."),
    gauge("used_memory_vm_functions", "memory_used_vm_functions_bytes", "Memory of the engine for functions."),
    gauge("used_memory_vm_total", "memory_used_vm_total", "Memory of both engines."),
    gauge("used_memory_functions", "memory_used_functions_bytes", "Memory for functions."),
    gauge("used_memory_scripts", "memory_used_scripts_bytes", "Memory for scripts and functions."),
    gauge("used_memory_scripts_eval", "memory_used_scripts_eval_bytes", "Memory for scripts."),
    gauge("number_of_cached_scripts", "number_of_cached_scripts", "Scripts that are cached."),
    gauge("number_of_functions", "number_of_functions", "Functions."),
    gauge("number_of_libraries", "number_of_libraries", "Libraries of functions."),
    gauge("maxmemory", "memory_max_bytes", "Memory that may be used; 0 for any."),
    gauge("total_system_memory", "total_system_memory_bytes", "Memory of the machine."),
    gauge("mem_fragmentation_ratio", "mem_fragmentation_ratio", "Resident memory over that in use."),
    gauge("mem_fragmentation_bytes", "mem_fragmentation_bytes", "Resident memory beyond that in use."),
    gauge(
        "mem_not_counted_for_evict",
        "mem_not_counted_for_eviction_bytes",
        "Memory that does not count for maxmemory.",
    ),
    gauge("mem_clients_normal", "mem_clients_normal", "Memory of clients."),
    gauge("mem_clients_slaves", "mem_clients_slaves", "Memory of replicas."),
    gauge("mem_cluster_links", "mem_cluster_links_bytes", "Memory of the cluster bus."),
    gauge("mem_aof_buffer", "mem_aof_buffer_bytes", "Memory of the append-only file's buffers."),
    gauge("mem_replication_backlog", "replication_backlog_bytes", "Memory of the replication backlog."),
    gauge("mem_total_replication_buffers", "mem_total_replication_buffers_bytes", "Memory of all replication buffers."),
    gauge(
        "mem_overhead_db_hashtable_rehashing",
        "mem_overhead_db_hashtable_rehashing_bytes",
        "Memory of tables that grow.",
    ),
    gauge("lazyfree_pending_objects", "lazyfree_pending_objects", "Values that wait to be freed."),
    gauge("lazyfreed_objects", "lazyfreed_objects", "Values that were freed in the background."),
    gauge("active_defrag_running", "active_defrag_running", "Whether memory is being defragmented."),
    gauge("expired_stale_perc", "expired_stale_percentage", "Share of keys whose deadline has passed, percent."),
    gauge(
        "expiry_lag_ms_p50",
        "expiry_lag_ms_p50",
        "How late half of the keys went after their deadlines, milliseconds.",
    ),
    gauge("expiry_lag_ms_p99", "expiry_lag_ms_p99", "How late 99 in a hundred keys went at most."),
    gauge("expiry_lag_ms_max", "expiry_lag_ms_max", "How late a key went at most."),
    gauge("loading", "loading_dump_file", "Whether a file is being loaded."),
    gauge("async_loading", "async_loading", "Whether a file is being loaded beside the old data."),
    gauge("rdb_changes_since_last_save", "rdb_changes_since_last_save", "Changes since the last snapshot."),
    gauge("rdb_bgsave_in_progress", "rdb_bgsave_in_progress", "Whether a snapshot is being written."),
    gauge("rdb_last_save_time", "rdb_last_save_timestamp_seconds", "When the last snapshot was written, Unix time."),
    gauge("rdb_last_bgsave_status", "rdb_last_bgsave_status", "Whether that went well."),
    gauge("rdb_last_bgsave_time_sec", "rdb_last_bgsave_duration_sec", "How long it took."),
    gauge("rdb_current_bgsave_time_sec", "rdb_current_bgsave_duration_sec", "How long the present one has taken."),
    gauge("rdb_last_cow_size", "rdb_last_cow_size_bytes", "Memory that it took."),
    gauge(
        "rdb_last_load_keys_expired",
        "rdb_last_load_expired_keys",
        "Keys that were out of date when they were loaded.",
    ),
    gauge("rdb_last_load_keys_loaded", "rdb_last_load_loaded_keys", "Keys that were loaded."),
    gauge("current_cow_size", "current_cow_size_bytes", "Memory that the present snapshot takes."),
    gauge("current_save_keys_processed", "current_save_keys_processed", "Keys that the present snapshot has written."),
    gauge("current_save_keys_total", "current_save_keys_total", "Keys that it will have."),
    gauge("aof_enabled", "aof_enabled", "Whether there is an append-only file."),
    gauge("aof_rewrite_in_progress", "aof_rewrite_in_progress", "Whether it is being rewritten."),
    gauge("aof_rewrite_scheduled", "aof_rewrite_scheduled", "Whether a rewrite waits."),
    gauge("aof_last_rewrite_time_sec", "aof_last_rewrite_duration_sec", "How long the last rewrite took."),
    gauge("aof_current_rewrite_time_sec", "aof_current_rewrite_duration_sec", "How long the present one has taken."),
    gauge("aof_last_cow_size", "aof_last_cow_size_bytes", "Memory that the last rewrite took."),
    gauge("aof_current_size", "aof_current_size_bytes", "Size of the append-only file."),
    gauge("aof_base_size", "aof_base_size_bytes", "Size after the last rewrite."),
    gauge("aof_pending_rewrite", "aof_pending_rewrite", "Whether a rewrite waits for a snapshot."),
    gauge("aof_buffer_length", "aof_buffer_length", "Bytes that wait to be written to it."),
    gauge("aof_pending_bio_fsync", "aof_pending_bio_fsync", "Times that it waits to be synced."),
    gauge("aof_delayed_fsync", "aof_delayed_fsync", "Times that syncing was late."),
    gauge("aof_last_bgrewrite_status", "aof_last_bgrewrite_status", "Whether the last rewrite went well."),
    gauge("aof_last_write_status", "aof_last_write_status", "Whether the last write went well."),
    gauge("module_fork_in_progress", "module_fork_in_progress", "Whether a module has a child."),
    gauge("module_fork_last_cow_size", "module_fork_last_cow_size_bytes", "Memory that it took."),
    gauge("pubsub_channels", "pubsub_channels", "Channels that somebody listens to."),
    gauge("pubsub_patterns", "pubsub_patterns", "Patterns that somebody listens to."),
    gauge("pubsubshard_channels", "pubsubshard_channels", "Channels of shards that somebody listens to."),
    gauge("latest_fork_usec", "latest_fork_usec", "How long the last fork took."),
    gauge("tracking_total_keys", "tracking_total_keys", "Keys that clients are told of."),
    gauge("tracking_total_items", "tracking_total_items", "Pairs of such a key and a client."),
    gauge("tracking_total_prefixes", "tracking_total_prefixes", "Prefixes that clients are told of."),
    gauge("connected_slaves", "connected_slaves", "Replicas."),
    gauge("repl_backlog_active", "repl_backlog_is_active", "Whether there is a replication backlog."),
    gauge("repl_backlog_size", "repl_backlog_size_bytes", "Its size."),
    gauge("repl_backlog_first_byte_offset", "repl_backlog_first_byte_offset", "The first offset in it."),
    gauge("repl_backlog_histlen", "repl_backlog_history_bytes", "Bytes in it."),
    gauge("master_repl_offset", "master_repl_offset", "The offset of replication."),
    gauge("second_repl_offset", "second_repl_offset", "The offset up to which the second id holds."),
    gauge("slave_priority", "slave_priority", "Priority as a replica."),
    gauge("slave_repl_offset", "slave_repl_offset", "The offset as a replica."),
    gauge(
        "slave_expires_tracked_keys",
        "slave_expires_tracked_keys",
        "Keys with deadlines that a replica looks after.",
    ),
    gauge("cluster_enabled", "cluster_enabled", "Whether this is a node of a cluster."),
    gauge(
        "current_eviction_exceeded_time",
        "current_eviction_exceeded_time_ms",
        "How long memory has been beyond its limit.",
    ),
    gauge("instantaneous_ops_per_sec", "instantaneous_ops_per_sec", "Commands in the last second."),
    gauge("instantaneous_input_kbps", "instantaneous_input_kbps", "Kilobytes received in the last second."),
    gauge("instantaneous_output_kbps", "instantaneous_output_kbps", "Kilobytes sent in the last second."),
    gauge(
        "tls_server_cert_expires_in_seconds",
        "tls_server_cert_expires_in_seconds",
        "How long the server's certificate is valid.",
    ),
    gauge("tls_ca_cert_expires_in_seconds", "tls_ca_cert_expires_in_seconds", "How long that of the authority is."),
    gauge("event_loops", "event_loops", "Event loops."),
    gauge("shards", "shards", "Parts of the keyspace that lock apart."),
    counter("total_connections_received", "connections_received_total", "Connections that came."),
    counter("total_commands_processed", "commands_processed_total", "Commands that ran."),
    counter("rejected_connections", "rejected_connections_total", "Connections that were turned away."),
    counter("total_net_input_bytes", "net_input_bytes_total", "Bytes received."),
    counter("total_net_output_bytes", "net_output_bytes_total", "Bytes sent."),
    counter("total_net_repl_input_bytes", "net_repl_input_bytes_total", "Bytes received for replication."),
    counter("total_net_repl_output_bytes", "net_repl_output_bytes_total", "Bytes sent for replication."),
    counter("expired_keys", "expired_keys_total", "Keys that went at their deadline."),
    counter("expired_fields", "expired_fields_total", "Fields of hashes that went at theirs."),
    counter("expired_subkeys", "expired_subkeys_total", "The same, as Redis calls it."),
    counter(
        "expired_time_cap_reached_count",
        "expired_time_cap_reached_total",
        "Times that the expiry had to stop early.",
    ),
    counter("expire_cycle_cpu_milliseconds", "expire_cycle_cpu_time_ms_total", "Processor time of the expiry."),
    counter("evicted_keys", "evicted_keys_total", "Keys that went for maxmemory."),
    counter("evicted_clients", "evicted_clients_total", "Clients that went for maxmemory-clients."),
    counter("evicted_scripts", "evicted_scripts_total", "Scripts that went from the cache."),
    counter("total_eviction_exceeded_time", "eviction_exceeded_time_ms_total", "How long memory was beyond its limit."),
    counter("keyspace_hits", "keyspace_hits_total", "Reads that found a key."),
    counter("keyspace_misses", "keyspace_misses_total", "Reads that found none."),
    counter("migrate_cached_sockets", "migrate_cached_sockets_total", "Connections that MIGRATE keeps."),
    counter("active_defrag_hits", "defrag_hits", "Values that were moved."),
    counter("active_defrag_misses", "defrag_misses", "Values that were not."),
    counter("active_defrag_key_hits", "defrag_key_hits", "Keys that were moved."),
    counter("active_defrag_key_misses", "defrag_key_misses", "Keys that were not."),
    counter("used_cpu_sys", "cpu_sys_seconds_total", "Processor time in the kernel."),
    counter("used_cpu_user", "cpu_user_seconds_total", "Processor time in the program."),
    counter("used_cpu_sys_children", "cpu_sys_children_seconds_total", "The same of children."),
    counter("used_cpu_user_children", "cpu_user_children_seconds_total", "The same of children."),
    counter("used_cpu_sys_main_thread", "cpu_sys_main_thread_seconds_total", "The same of the first thread."),
    counter("used_cpu_user_main_thread", "cpu_user_main_thread_seconds_total", "The same of the first thread."),
    counter("rdb_saves", "rdb_saves_total", "Snapshots since the start."),
    counter("aof_rewrites", "aof_rewrites_total", "Rewrites of the append-only file since the start."),
    counter("sync_full", "replica_resyncs_full", "Full syncs with replicas."),
    counter("sync_partial_ok", "replica_partial_resync_accepted", "Partial syncs that were possible."),
    counter("sync_partial_err", "replica_partial_resync_denied", "Partial syncs that were not."),
    counter("unexpected_error_replies", "unexpected_error_replies", "Errors that nobody had reason to expect."),
    counter("total_error_replies", "total_error_replies", "Error replies."),
    counter("dump_payload_sanitizations", "dump_payload_sanitizations", "Payloads that were checked in depth."),
    counter("total_reads_processed", "total_reads_processed", "Pieces of input."),
    counter("total_writes_processed", "total_writes_processed", "Pieces of output."),
    counter("io_threaded_reads_processed", "io_threaded_reads_processed", "Reads by other threads."),
    counter("io_threaded_writes_processed", "io_threaded_writes_processed", "Writes by other threads."),
    counter(
        "client_query_buffer_limit_disconnections",
        "client_query_buffer_limit_disconnections",
        "Clients that sent too long a request.",
    ),
    counter(
        "client_output_buffer_limit_disconnections",
        "client_output_buffer_limit_disconnections",
        "Clients that did not read.",
    ),
    counter("reply_buffer_shrinks", "reply_buffer_shrinks", "Times that an output buffer shrank."),
    counter("reply_buffer_expands", "reply_buffer_expands", "Times that one grew."),
    counter("clients_parked", "clients_parked_total", "Times that a client had to wait for a busy shard."),
    counter("eventloop_cycles", "eventloop_cycles_total", "Turns of all event loops."),
    counter("eventloop_duration_sum", "eventloop_duration_usec_total", "Time that the loops were busy."),
    counter("eventloop_duration_cmd_sum", "eventloop_commands_duration_usec_total", "Of it, time for commands."),
    counter("acl_access_denied_auth", "acl_access_denied_auth_total", "Log-ins that failed."),
    counter("acl_access_denied_cmd", "acl_access_denied_cmd_total", "Commands that a user was refused."),
    counter("acl_access_denied_key", "acl_access_denied_key_total", "Keys that a user was refused."),
    counter("acl_access_denied_channel", "acl_access_denied_channel_total", "Channels that a user was refused."),
    counter("acl_access_denied_tls_cert", "acl_access_denied_tls_cert_total", "Certificates that named no user."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        for (place, metric) in METRICS.iter().enumerate() {
            let others = || METRICS[place + 1..].iter();
            assert!(others().all(|other| other.name != metric.name && other.field != metric.field), "{metric:?}");
        }
        assert_eq!(of_info("used_memory").map(|metric| metric.name), Some("memory_used_bytes"));
        assert!(of_info("executable").is_none());
    }

    #[test]
    fn values_are_numbers_or_words_for_them() {
        assert_eq!((number("ok"), number("err"), number("12.5%")), (Some(1.0), Some(0.0), Some(12.5)));
        assert_eq!((number("master"), number("nan")), (None, None));
    }
}
