//! Persistence, replication, modules, cluster and the keyspace.

use super::{Facts, Page};

pub(super) fn persistence(page: &mut Page, facts: &Facts) {
    page.zeros(&["loading", "async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    page.field("current_fork_perc", "0.00");
    page.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    page.field("rdb_changes_since_last_save", facts.shared.total(|counters| counters.changes.get()));
    page.field("rdb_bgsave_in_progress", 0);
    page.field("rdb_last_save_time", facts.shared.started_ms / 1000);
    page.field("rdb_last_bgsave_status", "ok");
    page.field("rdb_last_bgsave_time_sec", -1);
    page.field("rdb_current_bgsave_time_sec", -1);
    page.zeros(&["rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"]);
    page.zeros(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    page.field("aof_last_rewrite_time_sec", -1);
    page.field("aof_current_rewrite_time_sec", -1);
    page.field("aof_last_bgrewrite_status", "ok");
    page.zeros(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    page.field("aof_last_write_status", "ok");
    page.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
}

pub(super) fn replication(page: &mut Page, facts: &Facts) {
    let id = facts.shared.replication_id.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    page.field("role", "master");
    page.field("connected_slaves", 0);
    page.field("master_failover_state", "no-failover");
    page.field("master_replid", id);
    page.field("master_replid2", "0".repeat(40));
    page.field("master_repl_offset", 0);
    page.field("second_repl_offset", -1);
    page.field("repl_backlog_active", 0);
    page.field("repl_backlog_size", facts.shared.settings.replication.repl_backlog_size_bytes.get());
    page.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

/// There are no loadable modules here.
pub(super) fn modules(_: &mut Page, _: &Facts) {}

pub(super) fn cluster(page: &mut Page, facts: &Facts) {
    page.field("cluster_enabled", u8::from(facts.shared.settings.cluster.cluster_enabled.get()));
}

pub(super) fn keyspace(page: &mut Page, facts: &Facts) {
    for (db, size) in facts.databases.iter().enumerate().filter(|(_, size)| size.keys > 0) {
        page.field(&format!("db{db}"), format_args!("keys={},expires={},avg_ttl=0", size.keys, size.deadlines));
    }
}
