//! The process: its versions, files, threads and processor time.

use super::{Facts, Page};
use crate::system;

pub(super) fn server(page: &mut Page, facts: &Facts) {
    let settings = &facts.shared.settings;
    let mode = if settings.is_sentinel() {
        "sentinel"
    } else if settings.cluster.cluster_enabled.get() {
        "cluster"
    } else {
        "standalone"
    };
    let uptime_s = facts.now_ms.saturating_sub(facts.shared.started_ms) / 1000;
    let config_file = settings.file().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    page.field("redis_version", crate::REDIS_VERSION);
    page.field("server_name", "ochre");
    page.field("ochre_version", env!("CARGO_PKG_VERSION"));
    page.field("redis_git_sha1", "00000000");
    page.field("redis_git_dirty", 0);
    page.field("redis_build_id", "0000000000000000");
    page.field("redis_mode", mode);
    page.field("server_mode", mode);
    page.field("os", system::name());
    page.field("arch_bits", usize::BITS);
    page.field("monotonic_clock", "POSIX clock_gettime");
    page.field("multiplexing_api", facts.backend);
    page.field("process_id", std::process::id());
    page.field("process_supervised", facts.shared.supervisor.name());
    page.field("run_id", &facts.shared.run_id);
    page.field("tcp_port", crate::settings_view::shown_port(settings));
    page.field("server_time_usec", ochre_clock::now_us());
    page.field("uptime_in_seconds", uptime_s);
    page.field("uptime_in_days", uptime_s / 86_400);
    page.field("hz", settings.process.hz.get());
    page.field("configured_hz", settings.process.hz.get());
    page.field("clients_hz", settings.process.hz.get());
    page.field("lru_clock", (facts.now_ms / 1000) & 0xFF_FFFF);
    page.field("availability_zone", settings.cluster.availability_zone.get());
    page.field("executable", &facts.shared.executable);
    page.field("config_file", config_file);
    if let Some(left_ms) = facts.shared.ending.left_ms() {
        page.field("shutdown_in_milliseconds", left_ms);
    }
    page.field("io_threads_active", u8::from(facts.shared.desks.len() > 1));
    page.field("event_loops", facts.shared.desks.len());
    page.field("shards", facts.shared.keyspace.shard_count());
    listeners(page, facts);
}

fn listeners(page: &mut Page, facts: &Facts) {
    let settings = &facts.shared.settings;
    let mut number = 0;
    let mut listener = |text: String| {
        page.field(&format!("listener{number}"), text);
        number += 1;
    };
    let addresses: String = settings.network.bind.get().iter().map(|address| format!(",bind={address}")).collect();
    for (name, port) in [("tcp", settings.network.port.get()), ("tls", settings.tls.tls_port.get())] {
        if port != 0 {
            listener(format!("name={name}{addresses},port={port}"));
        }
    }
    let path = settings.network.unixsocket.get();
    if !path.is_empty() {
        listener(format!("name=unix,bind={path}"));
    }
}

/// The certificates in use.
pub(super) fn tls(page: &mut Page, facts: &Facts) {
    let summary = facts.shared.tls.summary();
    let server = summary.as_ref().map(|summary| &summary.server);
    let client = summary.as_ref().and_then(|summary| summary.client.as_ref());
    let authority = summary.as_ref().and_then(|summary| summary.authority.as_ref());
    for (name, certificate) in [("server", server), ("client", client), ("ca", authority)] {
        let left_s = certificate.map_or(0, |facts_of| (facts_of.expires_s - (facts.now_ms / 1000) as i64).max(0));
        let serial = certificate.map_or("none", |facts_of| facts_of.serial.as_str());
        page.field(&format!("tls_{name}_cert_serial"), serial);
        page.field(&format!("tls_{name}_cert_expires_in_seconds"), left_s);
    }
}

pub(super) fn cpu(page: &mut Page, facts: &Facts) {
    let process = system::cpu_time();
    let first = system::cpu_time_of_first_thread();
    for (name, seconds) in [
        ("used_cpu_sys", process.system_s),
        ("used_cpu_user", process.user_s),
        ("used_cpu_sys_children", process.children_system_s),
        ("used_cpu_user_children", process.children_user_s),
        ("used_cpu_sys_main_thread", first.system_s),
        ("used_cpu_user_main_thread", first.user_s),
    ] {
        page.field(name, format_args!("{seconds:.6}"));
    }
    for (number, desk) in facts.shared.desks.iter().enumerate() {
        let seconds = desk.counters.busy_nanoseconds.get() as f64 / 1e9;
        let name = if number == 0 { "main_thread".to_owned() } else { format!("io_thread_{number}") };
        page.field(&format!("used_active_time_{name}"), format_args!("{seconds:.6}"));
    }
}
