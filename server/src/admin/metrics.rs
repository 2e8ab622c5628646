//! `/metrics`: what INFO tells, in the text format of Prometheus, with the names that redis_exporter gives.

use super::names::{self, Kind};
use crate::commands::server::{InfoField, each_command, info_fields, latencies};
use crate::counters::CommandCounters;
use crate::shared::{CommandRow, Shared};
use crate::slow_commands::Reason;
use ochre_keyspace::DatabaseSize;
use std::collections::HashMap;
use std::fmt::{Display, Write};

/// The whole page.
pub fn page(shared: &'static Shared, sizes: Vec<DatabaseSize>) -> String {
    let mut page = Page(String::with_capacity(64 * 1024));
    let fields = info_fields(shared);
    page.one("up", Kind::Gauge, "Whether the server answers.", 1);
    page.one("start_time_seconds", Kind::Gauge, "When the server started, Unix time.", shared.started_ms / 1000);
    instance(&mut page, &fields);
    for field in &fields {
        if let Some(metric) = names::of_info(&field.name)
            && let Some(value) = names::number(&field.value)
        {
            page.one(metric.name, metric.kind, metric.help, value);
        }
    }
    databases(&mut page, &sizes);
    errors(&mut page, shared);
    commands(&mut page, shared);
    settings(&mut page, shared);
    slow_log(&mut page, shared);
    latency_events(&mut page, shared);
    page.0
}

/// The text as it grows.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP redis_{name} {help}\n# TYPE redis_{name} {kind}\n");
    }

    /// A metric without labels.
    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.head(name, kind.name(), help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "redis_{name}");
        for (number, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if number == 0 { '{' } else { ',' }, escaped(text));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn instance(page: &mut Page, fields: &[InfoField]) {
    let values: HashMap<&str, &str> = fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
    let labels = [
        "role",
        "redis_version",
        "ochre_version",
        "redis_build_id",
        "redis_mode",
        "os",
        "maxmemory_policy",
        "tcp_port",
        "run_id",
        "process_id",
        "master_replid",
    ];
    let labels: Vec<_> = labels.iter().map(|name| (*name, values.get(name).copied().unwrap_or_default())).collect();
    page.head("instance_info", "gauge", "What the server is.");
    page.sample("instance_info", &labels, 1);
}

fn databases(page: &mut Page, sizes: &[DatabaseSize]) {
    let with_keys = || sizes.iter().enumerate().filter(|(number, size)| size.keys > 0 || *number == 0);
    for (name, help, value) in [
        ("db_keys", "Keys of a database.", (|size| size.keys) as fn(&DatabaseSize) -> usize),
        ("db_keys_expiring", "Keys of a database that have a deadline.", |size| size.deadlines),
    ] {
        page.head(name, "gauge", help);
        for (number, size) in with_keys() {
            page.sample(name, &[("db", &format!("db{number}"))], value(size));
        }
    }
}

fn errors(page: &mut Page, shared: &Shared) {
    page.head("errors_total", "counter", "Error replies by their code.");
    for (code, count) in shared.errors.all() {
        page.sample("errors_total", &[("err", &code)], count);
    }
}

/// Counts, times and latencies of the commands that were called.
fn commands(page: &mut Page, shared: &'static Shared) {
    let mut rows: Vec<&CommandRow> = Vec::new();
    each_command(shared.commands.rows(), &mut |row| {
        let total = |counter: fn(&CommandCounters) -> u64| shared.total(|all| counter(&all.commands[row.id]));
        if total(|command| command.calls.get() + command.rejected.get() + command.failed.get()) > 0 {
            rows.push(row);
        }
    });
    let total =
        |row: &CommandRow, counter: fn(&CommandCounters) -> u64| shared.total(|all| counter(&all.commands[row.id]));
    type Value = fn(&CommandCounters) -> u64;
    for (name, help, value) in [
        ("commands_total", "Calls of a command.", (|command| command.calls.get()) as Value),
        ("commands_rejected_calls_total", "Calls that were refused before they ran.", |command| command.rejected.get()),
        ("commands_failed_calls_total", "Calls that replied with an error.", |command| command.failed.get()),
    ] {
        page.head(name, "counter", help);
        for row in &rows {
            page.sample(name, &[("cmd", &row.full_name)], total(row, value));
        }
    }
    page.head("commands_duration_seconds_total", "counter", "Time that a command ran, all calls together.");
    for row in &rows {
        let seconds = total(row, |command| command.nanoseconds.get()) as f64 / 1e9;
        page.sample("commands_duration_seconds_total", &[("cmd", &row.full_name)], seconds);
    }
    if shared.settings.logging.latency_tracking.get() {
        histograms(page, shared, &rows);
    }
}

fn histograms(page: &mut Page, shared: &'static Shared, rows: &[&CommandRow]) {
    let percentiles = shared.settings.logging.latency_tracking_info_percentiles.get();
    let recorded: Vec<_> = rows.iter().map(|row| (row.full_name.as_str(), latencies(shared, row))).collect();
    let recorded = || recorded.iter().filter(|(_, latencies)| latencies.count() > 0);
    const SUMMARY: &str = "latency_percentiles_usec";
    page.head(SUMMARY, "summary", "Percentiles of how long the calls of a command took, microseconds.");
    for (command, latencies) in recorded() {
        for percent in percentiles.iter() {
            let quantile = (percent / 100.0).to_string();
            let value = latencies.percentile_ns(*percent) as f64 / 1000.0;
            page.sample(SUMMARY, &[("cmd", command), ("quantile", &quantile)], value);
        }
        page.sample("latency_percentiles_usec_sum", &[("cmd", command)], latencies.sum_ns() as f64 / 1000.0);
        page.sample("latency_percentiles_usec_count", &[("cmd", command)], latencies.count());
    }
    const HISTOGRAM: &str = "commands_latencies_usec";
    page.head(HISTOGRAM, "histogram", "How long the calls of a command took, microseconds.");
    for (command, latencies) in recorded() {
        for bucket in latencies.powers_of_two() {
            let most = (bucket.upto_ns as f64 / 1000.0).to_string();
            page.sample("commands_latencies_usec_bucket", &[("cmd", command), ("le", &most)], bucket.count);
        }
        page.sample("commands_latencies_usec_bucket", &[("cmd", command), ("le", "+Inf")], latencies.count());
        page.sample("commands_latencies_usec_sum", &[("cmd", command)], latencies.sum_ns() as f64 / 1000.0);
        page.sample("commands_latencies_usec_count", &[("cmd", command)], latencies.count());
    }
}

fn settings(page: &mut Page, shared: &Shared) {
    let settings = &shared.settings;
    page.one("config_maxclients", Kind::Gauge, "The setting maxclients.", settings.network.maxclients.get());
    page.one("config_maxmemory", Kind::Gauge, "The setting maxmemory.", settings.memory.maxmemory_bytes.get());
    page.one("config_io_threads", Kind::Gauge, "Event loops.", shared.desks.len());
}

fn slow_log(page: &mut Page, shared: &Shared) {
    let newest = shared.command_logs.newest(Reason::Slow, 1);
    let newest = newest.first();
    let seconds = newest.map_or(0.0, |entry| entry.amount as f64 / 1e6);
    page.one("slowlog_length", Kind::Gauge, "Entries of the slow log.", shared.command_logs.len(Reason::Slow));
    page.one("slowlog_last_id", Kind::Gauge, "Number of its newest entry.", newest.map_or(0, |entry| entry.id));
    page.one("last_slow_execution_duration_seconds", Kind::Gauge, "How long that command took.", seconds);
}

fn latency_events(page: &mut Page, shared: &Shared) {
    let events = shared.latency_events.all();
    let last = || events.iter().filter_map(|(name, series)| Some((*name, series.samples.back()?)));
    page.head("latency_spike_last", "gauge", "When a latency was last noted, Unix time.");
    for (name, sample) in last() {
        page.sample("latency_spike_last", &[("event_name", name)], sample.time_s);
    }
    page.head("latency_spike_duration_seconds", "gauge", "How long it was.");
    for (name, sample) in last() {
        page.sample("latency_spike_duration_seconds", &[("event_name", name)], sample.latency_ms as f64 / 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_escaped_labels() {
        let mut page = Page(String::new());
        page.one("up", Kind::Gauge, "Whether.", 1);
        page.sample("x_total", &[("a", "b\"c\\"), ("d", "e\nf")], 2.5);
        let text = "# HELP redis_up Whether.\n# TYPE redis_up gauge\nredis_up 1\n\
                    redis_x_total{a=\"b\\\"c\\\\\",d=\"e\\nf\"} 2.5\n";
        assert_eq!(page.0, text);
    }
}
