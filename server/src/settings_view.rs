//! Settings in the units and types that the loops want.

use crate::settings::Settings;
use crate::settings::memory::EvictionPolicy;
use crate::settings::persistence::RdbDialect;
use crate::settings::start::Exit;
use crate::settings::threads::IoBackend;
use crate::shared::Run;
use ochre_commands::table::Table;
use ochre_keyspace::{Class, Policy};
use ochre_reactor::Backend;
use ochre_values::Limits;

/// Encoding thresholds for the data floor.
pub fn limits(settings: &Settings) -> Limits {
    let encoding = settings.encoding_limits();
    Limits {
        hash_max_listpack_entries: encoding.hash_max_listpack_entries,
        hash_max_listpack_value_bytes: encoding.hash_max_listpack_value_bytes,
        list_max_listpack_size: encoding.list_max_listpack_size,
        list_compress_depth: encoding.list_compress_depth,
        set_max_intset_entries: encoding.set_max_intset_entries,
        set_max_listpack_entries: encoding.set_max_listpack_entries,
        set_max_listpack_value_bytes: encoding.set_max_listpack_value_bytes,
        sorted_set_max_listpack_entries: encoding.zset_max_listpack_entries,
        sorted_set_max_listpack_value_bytes: encoding.zset_max_listpack_value_bytes,
        hll_sparse_max_bytes: encoding.hll_sparse_max_bytes,
        stream_node_max_bytes: encoding.stream_node_max_bytes,
        stream_node_max_entries: encoding.stream_node_max_entries as usize,
        string_max_bytes: settings.network.proto_max_bulk_len_bytes.get(),
        ..Limits::default()
    }
}

/// What the access clocks of entries mean.
pub fn access_policy(settings: &Settings) -> Policy {
    match settings.memory.maxmemory_policy.get() {
        EvictionPolicy::AllkeysLfu | EvictionPolicy::VolatileLfu => Policy::Lfu {
            log_factor: settings.memory.lfu_log_factor.get() as u32,
            decay_minutes: settings.memory.lfu_decay_time_minutes.get() as u32,
        },
        EvictionPolicy::AllkeysLrm | EvictionPolicy::VolatileLrm => Policy::Lrm,
        _ => Policy::Lru,
    }
}

/// The event classes that somebody may be subscribed to; none unless they are published at all.
pub fn notify(settings: &Settings) -> Class {
    let classes = Class(settings.logging.notify_keyspace_events.get());
    if classes.any(Class(Class::KEYSPACE.0 | Class::KEYEVENT.0)) { classes } else { Class::NONE }
}

/// From how many ns on a command is slow for the slow log; never when that is off.
pub fn slow_log_ns(settings: &Settings) -> u64 {
    let limit_us = settings.logging.slowlog_log_slower_than_us.get();
    u64::try_from(limit_us).map_or(u64::MAX, |limit_us| limit_us.saturating_mul(1000))
}

/// From how many ns on a latency is an event; never when they are not monitored.
pub fn latency_event_ns(settings: &Settings) -> u64 {
    match settings.logging.latency_monitor_threshold_ms.get() {
        0 => u64::MAX,
        limit_ms => limit_ms.saturating_mul(1_000_000),
    }
}

/// From how many ns on a command has to be looked at: the lower of both limits.
pub fn slow_ns(settings: &Settings) -> u64 {
    slow_log_ns(settings).min(latency_event_ns(settings))
}

/// From how many bytes on requests and replies are large.
pub fn large_bytes(settings: &Settings) -> (usize, usize) {
    let limit = |bytes: i64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let logging = &settings.logging;
    (limit(logging.commandlog_request_larger_than_bytes.get()), limit(logging.commandlog_reply_larger_than_bytes.get()))
}

/// What a request may announce.
pub fn request_limits(settings: &Settings, authenticated: bool) -> ochre_resp::Limits {
    ochre_resp::Limits { bulk_len_max: settings.network.proto_max_bulk_len_bytes.get(), authenticated }
}

pub fn io_backend(settings: &Settings) -> Backend {
    match settings.threads.io_backend.get() {
        IoBackend::Auto => Backend::Auto,
        IoBackend::IoUring => Backend::IoUring,
        IoBackend::Epoll => Backend::Epoll,
    }
}

/// The port that INFO and the log call the server's: that without TLS, if there is one.
pub fn shown_port(settings: &Settings) -> u16 {
    match settings.network.port.get() {
        0 => settings.tls.tls_port.get(),
        port => port,
    }
}

/// Path and permissions of the Unix socket, if there is one.
pub fn unix_socket(settings: &Settings) -> Option<(String, u32)> {
    let path = settings.network.unixsocket.get();
    let mode = settings.network.unixsocketperm.get() as u32;
    (!path.is_empty()).then(|| (path.to_string(), mode))
}

/// Gives commands the names that `rename-command` lines say.
///
/// # Errors
/// The line and what is wrong with it.
pub fn rename_commands(settings: &Settings, commands: &mut Table<Run>) -> Result<(), Exit> {
    for line in &settings.lines().renamed {
        let new = line.words.get(2).map(Vec::as_slice).unwrap_or_default();
        commands.rename(&line.words[1], new).map_err(|reason| Exit::of_line(&line.error(reason)))?;
    }
    Ok(())
}

/// Whose types snapshots and DUMP use.
pub fn dialect(settings: &Settings) -> ochre_rdb::Dialect {
    match settings.persistence.rdb_dialect.get() {
        RdbDialect::Portable => ochre_rdb::Dialect::Portable,
        RdbDialect::Redis8 => ochre_rdb::Dialect::Redis8,
        RdbDialect::Valkey9 => ochre_rdb::Dialect::Valkey9,
    }
}
