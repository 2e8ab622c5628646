//! Clients, and what they have made the server do.

use super::{Facts, Page};
use crate::clients::{Client, traits};
use crate::counters::CommandCounters;
use crate::pause::Paused;
use crate::rates::Rate;
use crate::shared::{CommandRow, Shared};
use ochre_metrics::Histogram;
use ochre_pubsub::Kind;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

pub(super) fn clients(page: &mut Page, facts: &Facts) {
    let shared = facts.shared;
    let clients = shared.registry.all();
    let with = |which: u32| clients.iter().filter(|client| client.has(which)).count();
    let largest =
        |size: fn(&crate::clients::Client) -> usize| clients.iter().map(|client| size(client)).max().unwrap_or(0);
    page.field("connected_clients", clients.len());
    page.field("cluster_connections", 0);
    page.field("maxclients", shared.settings.network.maxclients.get());
    page.field("client_recent_max_input_buffer", largest(|client| client.query_buffer_peak.load(Relaxed)));
    page.field("client_recent_max_output_buffer", largest(|client| client.output_bytes.load(Relaxed)));
    page.field("blocked_clients", clients.iter().filter(|client| client.is_blocked()).count());
    page.field("tracking_clients", with(traits::TRACKING));
    page.field("pubsub_clients", with(traits::PUBSUB));
    page.field("watching_clients", clients.iter().filter(|client| client.watched.load(Relaxed) > 0).count());
    page.field("clients_in_timeout_table", 0);
    page.field("total_watched_keys", clients.iter().map(|client| client.watched.load(Relaxed)).sum::<usize>());
    let waited = waited_keys(&clients);
    page.field("total_blocking_keys", waited.len());
    page.field("total_blocking_keys_on_nokey", waited.values().filter(|notices_loss| **notices_loss).count());
    let (reason, actions) = match shared.pause.now(facts.now_ms) {
        Paused::Nothing => ("none", "none"),
        Paused::Writes => ("client_pause", "write"),
        Paused::All => ("client_pause", "all"),
    };
    let left_ms = if actions == "none" { 0 } else { shared.pause.end_ms().saturating_sub(facts.now_ms) };
    page.field("paused_reason", reason);
    page.field("paused_actions", actions);
    page.field("paused_timeout_milliseconds", left_ms);
}

/// The keys that blocked clients wait for, with their database, and whether any notices when the key is gone.
fn waited_keys(clients: &[Arc<Client>]) -> HashMap<(usize, Box<[u8]>), bool> {
    let mut keys = HashMap::new();
    for client in clients {
        let waiter = client.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (waiter, key) in waiter.iter().flat_map(|waiter| waiter.keys.iter().map(move |key| (waiter, key))) {
            *keys.entry((waiter.db, key.clone())).or_default() |= waiter.notices_loss;
        }
    }
    keys
}

pub(super) fn threads(page: &mut Page, facts: &Facts) {
    for (number, desk) in facts.shared.desks.iter().enumerate() {
        let counters = &desk.counters;
        page.field(
            &format!("io_thread_{number}"),
            format_args!(
                "clients={},reads={},writes={},commands={},parked={}",
                desk.connections.load(Relaxed),
                counters.reads.get(),
                counters.writes.get(),
                counters.commands_processed.get(),
                counters.parked.get()
            ),
        );
    }
}

pub(super) fn stats(page: &mut Page, facts: &Facts) {
    let shared = facts.shared;
    let busy_ns = shared.total(|counters| counters.busy_nanoseconds.get());
    let kilobits = |rate| shared.rates.per_second(rate) as f64 / 1024.0;
    page.field("total_connections_received", shared.total(|counters| counters.connections_received.get()));
    page.field("total_commands_processed", shared.total(|counters| counters.commands_processed.get()));
    page.field("instantaneous_ops_per_sec", shared.rates.per_second(Rate::Commands));
    page.field("total_net_input_bytes", shared.total(|counters| counters.net_input_bytes.get()));
    page.field("total_net_output_bytes", shared.total(|counters| counters.net_output_bytes.get()));
    let replication = &shared.replication.counts;
    page.field("total_net_repl_input_bytes", replication.input_bytes.load(Relaxed));
    page.field("total_net_repl_output_bytes", replication.output_bytes.load(Relaxed));
    page.field("instantaneous_input_kbps", format_args!("{:.2}", kilobits(Rate::InputBytes)));
    page.field("instantaneous_output_kbps", format_args!("{:.2}", kilobits(Rate::OutputBytes)));
    page.field("instantaneous_input_repl_kbps", "0.00");
    page.field("instantaneous_output_repl_kbps", "0.00");
    page.field("rejected_connections", shared.total(|counters| counters.connections_rejected.get()));
    page.field("sync_full", replication.full.load(Relaxed));
    page.field("sync_partial_ok", replication.partial.load(Relaxed));
    page.field("sync_partial_err", replication.refused_partial.load(Relaxed));
    page.field("expired_keys", shared.total(|counters| counters.expired_keys.get()));
    page.field("expired_fields", shared.total(|counters| counters.expired_fields.get()));
    page.field("expired_subkeys", shared.total(|counters| counters.expired_fields.get()));
    page.field("expired_stale_perc", "0.00");
    page.zeros(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"]);
    expiry_lag(page, shared);
    let (exceeded_ms, now_exceeded_ms) = shared.pressure.exceeded_ms();
    page.field("evicted_keys", shared.total(|counters| counters.evicted_keys.get()));
    page.field("evicted_clients", shared.total(|counters| counters.evicted_clients.get()));
    page.field("evicted_scripts", shared.scripts.cache.evicted());
    page.field("total_eviction_exceeded_time", exceeded_ms);
    page.field("current_eviction_exceeded_time", now_exceeded_ms);
    page.field("keyspace_hits", shared.total(|counters| counters.keyspace_hits.get()));
    page.field("keyspace_misses", shared.total(|counters| counters.keyspace_misses.get()));
    {
        let pubsub = shared.pubsub.read().unwrap_or_else(PoisonError::into_inner);
        page.field("pubsub_channels", pubsub.len(Kind::Channel));
        page.field("pubsub_patterns", pubsub.len(Kind::Pattern));
        page.field("pubsubshard_channels", pubsub.len(Kind::Shard));
    }
    page.field("slave_expires_tracked_keys", shared.replication.local_keys.len());
    page.zeros(&[
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    {
        let tracking = shared.tracking.registry();
        page.field("tracking_total_keys", tracking.keys());
        page.field("tracking_total_items", tracking.items());
        page.field("tracking_total_prefixes", tracking.prefixes());
    }
    page.field("unexpected_error_replies", shared.total(|counters| counters.unexpected_errors.get()));
    page.field("total_error_replies", shared.total(|counters| counters.error_replies.get()));
    page.field("dump_payload_sanitizations", 0);
    page.field("total_reads_processed", shared.total(|counters| counters.reads.get()));
    page.field("total_writes_processed", shared.total(|counters| counters.writes.get()));
    page.zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    let query_limit = shared.total(|counters| counters.query_buffer_limit_disconnections.get());
    let output_limit = shared.total(|counters| counters.output_buffer_limit_disconnections.get());
    page.field("client_query_buffer_limit_disconnections", query_limit);
    page.field("client_output_buffer_limit_disconnections", output_limit);
    page.zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]);
    let command_ns =
        |counters: &crate::counters::Counters| counters.commands.iter().map(|command| command.nanoseconds.get()).sum();
    let turns = shared.rates.per_second(Rate::Turns);
    page.field("eventloop_cycles", shared.total(|counters| counters.turns.get()));
    page.field("eventloop_duration_sum", busy_ns / 1000);
    page.field("eventloop_duration_cmd_sum", shared.total(command_ns) / 1000);
    page.field("instantaneous_eventloop_cycles_per_sec", turns);
    page.field("instantaneous_eventloop_duration_usec", shared.rates.turn_us());
    page.field("clients_parked", shared.total(|counters| counters.parked.get()));
    let denied = &shared.access.denied;
    for (name, count) in [
        ("acl_access_denied_auth", &denied.auth),
        ("acl_access_denied_cmd", &denied.command),
        ("acl_access_denied_key", &denied.key),
        ("acl_access_denied_channel", &denied.channel),
        ("acl_access_denied_db", &denied.database),
        ("acl_access_denied_tls_cert", &denied.certificate),
    ] {
        page.field(name, count.load(std::sync::atomic::Ordering::Relaxed));
    }
}

/// For those who look for what makes loops slow.
pub(super) fn debug(page: &mut Page, facts: &Facts) {
    let shared = facts.shared;
    let all = || shared.desks.iter().map(|desk| &desk.counters);
    let turn_ns_max = all().map(|counters| counters.turn_nanoseconds_max.get()).max().unwrap_or(0);
    let turn_commands_max = all().map(|counters| counters.turn_commands_max.get()).max().unwrap_or(0);
    page.field("eventloop_duration_aof_sum", 0);
    page.field("eventloop_duration_cron_sum", shared.total(|counters| counters.cron_nanoseconds.get()) / 1000);
    page.field("eventloop_duration_max", turn_ns_max / 1000);
    page.field("eventloop_cmd_per_cycle_max", turn_commands_max);
}

/// How late keys went after their deadlines, when nobody asked for them before.
fn expiry_lag(page: &mut Page, shared: &Shared) {
    let mut lag_ms = Histogram::default();
    shared.desks.iter().for_each(|desk| lag_ms.merge(&desk.counters.expiry_lag_ms.snapshot()));
    // The histogram's unit is whatever was recorded: here it is milliseconds.
    page.field("expiry_lag_ms_p50", lag_ms.percentile_ns(50.0));
    page.field("expiry_lag_ms_p99", lag_ms.percentile_ns(99.0));
    page.field("expiry_lag_ms_max", lag_ms.max_ns());
}

/// Every command and subcommand.
pub fn each_command(rows: &'static [CommandRow], visit: &mut dyn FnMut(&'static CommandRow)) {
    for row in rows {
        visit(row);
        each_command(&row.subcommands, visit);
    }
}

fn command_total(shared: &Shared, row: &CommandRow, counter: fn(&CommandCounters) -> u64) -> u64 {
    shared.total(|counters| counter(&counters.commands[row.id]))
}

pub(super) fn command_stats(page: &mut Page, facts: &Facts) {
    let shared = facts.shared;
    each_command(shared.commands.rows(), &mut |row| {
        let calls = command_total(shared, row, |command| command.calls.get());
        let nanoseconds = command_total(shared, row, |command| command.nanoseconds.get());
        let rejected = command_total(shared, row, |command| command.rejected.get());
        let failed = command_total(shared, row, |command| command.failed.get());
        if calls + rejected + failed > 0 {
            let usec = nanoseconds / 1000;
            let usec_per_call = if calls == 0 { 0.0 } else { nanoseconds as f64 / 1000.0 / calls as f64 };
            page.field(
                &format!("cmdstat_{}", row.full_name),
                format_args!(
                    "calls={calls},usec={usec},usec_per_call={usec_per_call:.2},rejected_calls={rejected},failed_calls={failed}"
                ),
            );
        }
    });
}

pub(super) fn error_stats(page: &mut Page, facts: &Facts) {
    for (code, count) in facts.shared.errors.all() {
        page.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// Latencies of a command on all loops together.
pub fn latencies(shared: &Shared, row: &CommandRow) -> Histogram {
    let mut all = Histogram::default();
    let recorders = shared.desks.iter().filter_map(|desk| desk.counters.commands[row.id].latency());
    recorders.for_each(|recorder| all.merge(&recorder.snapshot()));
    all
}

pub(super) fn latency_stats(page: &mut Page, facts: &Facts) {
    let shared = facts.shared;
    if !shared.settings.logging.latency_tracking.get() {
        return;
    }
    let percentiles = shared.settings.logging.latency_tracking_info_percentiles.get();
    each_command(shared.commands.rows(), &mut |row| {
        let latencies = latencies(shared, row);
        if latencies.count() > 0 {
            let shown = percentiles
                .iter()
                .map(|percent| format!("p{percent}={:.3}", latencies.percentile_ns(*percent) as f64 / 1000.0));
            let shown = shown.collect::<Vec<_>>().join(",");
            page.field(&format!("latency_percentiles_usec_{}", row.full_name), shown);
        }
    });
}
