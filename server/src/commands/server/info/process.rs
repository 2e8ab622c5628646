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
    page.field("process_supervised", "no");
    page.field("run_id", &facts.shared.run_id);
    page.field("tcp_port", settings.network.port.get());
    page.field("server_time_usec", ochre_clock::now_us());
    page.field("uptime_in_seconds", uptime_s);
    page.field("uptime_in_days", uptime_s / 86_400);
    page.field("hz", settings.process.hz.get());
    page.field("configured_hz", settings.process.hz.get());
    page.field("clients_hz", settings.process.hz.get());
    page.field("lru_clock", (facts.now_ms / 1000) & 0xFF_FFFF);
    page.field("executable", &facts.shared.executable);
    page.field("config_file", config_file);
    page.field("io_threads_active", u8::from(facts.shared.desks.len() > 1));
    page.field("event_loops", facts.shared.desks.len());
    page.field("shards", facts.shared.keyspace.shard_count());
    listeners(page, facts);
}

fn listeners(page: &mut Page, facts: &Facts) {
    let network = &facts.shared.settings.network;
    let mut number = 0;
    if network.port.get() != 0 {
        let addresses: String = network.bind.get().iter().map(|address| format!(",bind={address}")).collect();
        page.field("listener0", format_args!("name=tcp{addresses},port={}", network.port.get()));
        number = 1;
    }
    let path = network.unixsocket.get();
    if !path.is_empty() {
        page.field(&format!("listener{number}"), format_args!("name=unix,bind={path}"));
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
