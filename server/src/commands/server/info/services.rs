//! Persistence, replication, modules, cluster and the keyspace.

use super::{Facts, Page};
use crate::replication::{Contact, Following, Link, Stage};
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn persistence(page: &mut Page, facts: &Facts) {
    let saves = facts.shared.saves.state();
    let seconds = |ms: u64| facts.now_ms.saturating_sub(ms) / 1000;
    let current = saves.current.as_ref();
    let job = current.and_then(|current| current.job.as_ref());
    let extra_bytes = job.map_or(0, |job| job.memory_bytes());
    let in_background = current.filter(|_| facts.shared.saves.is_background_saving());
    page.field("loading", u8::from(facts.shared.loading.is_active()));
    page.zeros(&["async_loading"]);
    page.field("current_cow_peak", current.map_or(0, |current| current.extra_bytes_peak.max(extra_bytes)));
    page.field("current_cow_size", extra_bytes);
    page.zeros(&["current_cow_size_age"]);
    let (written, total) = job.map_or((0, 0), |job| (job.keys_written(), job.keys()));
    page.field("current_fork_perc", format_args!("{:.2}", written as f64 * 100.0 / total.max(1) as f64));
    page.field("current_save_keys_processed", written);
    page.field("current_save_keys_total", total);
    page.field("rdb_changes_since_last_save", crate::persistence::save::changes_since_save(facts.shared));
    page.field("rdb_bgsave_in_progress", u8::from(in_background.is_some()));
    page.field("rdb_last_save_time", saves.last_save_ms / 1000);
    page.field("rdb_last_bgsave_status", if saves.last_background_failed { "err" } else { "ok" });
    page.field("rdb_last_bgsave_time_sec", saves.last_background_s.map_or(-1, |seconds| seconds as i64));
    page.field("rdb_current_bgsave_time_sec", in_background.map_or(-1, |current| seconds(current.began_ms) as i64));
    page.field("rdb_saves", saves.saves);
    page.field("rdb_last_cow_size", saves.last_extra_bytes);
    let (loaded, expired) = facts.shared.loading.keys();
    page.field("rdb_last_load_keys_expired", expired);
    page.field("rdb_last_load_keys_loaded", loaded);
    append_only(page, facts);
    page.zeros(&["module_fork_in_progress", "module_fork_last_cow_size"]);
    append_only_sizes(page, facts);
    loading(page, facts);
}

fn append_only(page: &mut Page, facts: &Facts) {
    let (aof, log) = (&facts.shared.aof, &facts.shared.log);
    let status = |failed: bool| if failed { "err" } else { "ok" };
    let is_rewriting = aof.rewriting.load(Ordering::Relaxed);
    let running_s = (facts.now_ms / 1000).saturating_sub(aof.rewrite_began_s.load(Ordering::Relaxed)) as i64;
    page.field("aof_enabled", u8::from(aof.is_on.load(Ordering::Relaxed)));
    page.field("aof_rewrite_in_progress", u8::from(is_rewriting));
    page.field("aof_rewrite_scheduled", u8::from(aof.scheduled.load(Ordering::Relaxed)));
    page.field("aof_last_rewrite_time_sec", aof.last_rewrite_s.load(Ordering::Relaxed));
    page.field("aof_current_rewrite_time_sec", if is_rewriting { running_s } else { -1 });
    page.field("aof_last_bgrewrite_status", status(aof.last_rewrite_failed.load(Ordering::Relaxed)));
    page.field("aof_rewrites", aof.rewrites.load(Ordering::Relaxed));
    page.field("aof_rewrites_consecutive_failures", aof.rewrites_failed.load(Ordering::Relaxed));
    page.field("aof_last_write_status", status(log.has_failed()));
    page.zeros(&["aof_last_cow_size"]);
}

fn append_only_sizes(page: &mut Page, facts: &Facts) {
    let (aof, log) = (&facts.shared.aof, &facts.shared.log);
    if !aof.is_on.load(Ordering::Relaxed) {
        return;
    }
    page.field("aof_current_size", log.numbers.size_bytes.load(Ordering::Relaxed));
    page.field("aof_base_size", log.numbers.base_size_bytes.load(Ordering::Relaxed));
    page.field("aof_pending_rewrite", u8::from(aof.scheduled.load(Ordering::Relaxed)));
    page.field("aof_buffer_length", log.pending_bytes());
    page.field("aof_pending_bio_fsync", u8::from(log.numbers.sync_began_ms.load(Ordering::Relaxed) > 0));
    page.field("aof_delayed_fsync", log.numbers.delayed_syncs.load(Ordering::Relaxed));
}

/// How far loading has come.
fn loading(page: &mut Page, facts: &Facts) {
    if let Some(progress) = facts.shared.loading.progress() {
        page.field("loading_start_time", progress.began_ms / 1000);
        page.field("loading_total_bytes", progress.total_bytes);
        page.field("loading_rdb_used_mem", progress.used_memory_bytes);
        page.field("loading_loaded_bytes", progress.loaded_bytes);
        page.field("loading_loaded_perc", format!("{:.2}", progress.percent()));
        page.field("loading_eta_seconds", progress.remaining_s(ochre_clock::now_ms()));
    }
}

pub(super) fn replication(page: &mut Page, facts: &Facts) {
    let shared = facts.shared;
    let settings = &shared.settings.replication;
    let history = shared.replication.history().clone();
    let links = shared.replication.links();
    match shared.replication.following() {
        Some(following) => following_fields(page, facts, &following),
        None => page.field("role", "master"),
    }
    page.field("connected_slaves", links.len());
    if settings.min_replicas_to_write.get() > 0 && settings.min_replicas_max_lag_s.get() > 0 {
        page.field("min_slaves_good_slaves", crate::replication::good_replicas(shared));
    }
    for (number, link) in links.iter().enumerate() {
        page.field(&format!("slave{number}"), replica(link, facts.now_ms));
    }
    page.field("master_failover_state", crate::replication::failover::state_name(shared));
    page.field("master_replid", history.id());
    page.field("master_replid2", history.id_before());
    page.field("master_repl_offset", shared.log.end());
    page.field("second_repl_offset", history.before_holds_to());
    let kept = shared.log.kept_for_replicas();
    page.field("repl_backlog_active", u8::from(kept.is_some()));
    page.field("repl_backlog_size", settings.repl_backlog_size_bytes.get());
    page.field("repl_backlog_first_byte_offset", kept.map_or(0, |(start, _)| start + 1));
    page.field("repl_backlog_histlen", kept.map_or(0, |(start, end)| end - start));
}

/// The server that is followed.
fn following_fields(page: &mut Page, facts: &Facts, following: &Following) {
    let shared = facts.shared;
    let settings = &shared.settings.replication;
    let contact = following.contact();
    let seconds_since = |since: &AtomicU64| facts.now_ms.saturating_sub(since.load(Ordering::Relaxed)) / 1000;
    let is_online = contact == Contact::Online;
    page.field("role", "slave");
    page.field("master_host", &following.host);
    page.field("master_port", following.port);
    page.field("master_link_status", if is_online { "up" } else { "down" });
    let silence_s = if is_online { seconds_since(&following.heard_ms) as i64 } else { -1 };
    page.field("master_last_io_seconds_ago", silence_s);
    page.field("master_sync_in_progress", u8::from(contact == Contact::Sync));
    page.field("slave_read_repl_offset", shared.log.end());
    page.field("slave_repl_offset", shared.log.end());
    if contact == Contact::Sync {
        let total = following.snapshot_bytes.load(Ordering::Relaxed);
        let received = following.received_bytes.load(Ordering::Relaxed);
        page.field("master_sync_total_bytes", total);
        page.field("master_sync_read_bytes", received);
        page.field("master_sync_left_bytes", total.saturating_sub(received));
        page.field("master_sync_perc", format_args!("{:.2}", received as f64 * 100.0 / total.max(1) as f64));
        page.field("master_sync_last_io_seconds_ago", seconds_since(&following.heard_in_sync_ms));
    }
    if !is_online {
        page.field("master_link_down_since_seconds", seconds_since(&following.down_since_ms));
    }
    page.field("slave_priority", settings.replica_priority.get());
    page.field("slave_read_only", u8::from(settings.replica_read_only.get()));
    page.field("replica_announced", u8::from(settings.replica_announced.get()));
}

/// One replica in INFO.
fn replica(link: &Link, now_ms: u64) -> String {
    let (state, kind) = match link.stage() {
        Stage::Waits => ("wait_bgsave", "replica"),
        Stage::Loads | Stage::Loaded => ("send_bulk", "replica"),
        Stage::Online => ("online", "replica"),
        Stage::Done => ("rdb_transmitted", "rdb-only"),
    };
    let lag_s = if link.is_online() { link.silence_ms(now_ms) / 1000 } else { 0 };
    let (ip, port, offset) = (link.ip(), link.facts.port, link.acknowledged(false));
    format!("ip={ip},port={port},state={state},offset={offset},lag={lag_s},type={kind}")
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
