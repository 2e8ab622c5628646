//! Memory: what is used, by whom, and how much there may be.

use super::{Facts, Page};
use crate::shared::Shared;
use crate::system;
use ochre_text::size::human;

/// Memory of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryUse {
    /// In use, as `maxmemory` counts it.
    pub used_bytes: u64,
    pub used_bytes_max: u64,
    /// Held from the system.
    pub resident_bytes: u64,
    /// In use before the first client came.
    pub startup_bytes: u64,
    /// Clients, their buffers above all.
    pub clients_bytes: u64,
    /// The databases' tables, without keys and values.
    pub tables_bytes: u64,
    /// Buffers of the log and of replicas.
    pub buffers_bytes: u64,
}

impl MemoryUse {
    /// Everything but keys and values.
    pub fn overhead_bytes(&self) -> u64 {
        self.startup_bytes + self.clients_bytes + self.tables_bytes + self.buffers_bytes
    }

    pub fn dataset_bytes(&self) -> u64 {
        self.used_bytes.saturating_sub(self.overhead_bytes())
    }

    /// The data's share of what was added since the start, percent.
    pub fn dataset_percent(&self) -> f64 {
        let added = self.used_bytes.saturating_sub(self.startup_bytes);
        if added == 0 { 0.0 } else { self.dataset_bytes() as f64 * 100.0 / added as f64 }
    }

    pub fn peak_percent(&self) -> f64 {
        self.used_bytes as f64 * 100.0 / self.used_bytes_max.max(1) as f64
    }

    pub fn fragmentation_ratio(&self) -> f64 {
        self.resident_bytes as f64 / self.used_bytes.max(1) as f64
    }
}

/// What the process uses now.
/// `tables_bytes`: what the tables of all databases take besides their entries.
pub fn memory_use(shared: &Shared, tables_bytes: u64) -> MemoryUse {
    let used_bytes = ochre_collections::allocated_bytes() as u64;
    let taken = |client: &crate::clients::Client| client.memory_bytes.load(std::sync::atomic::Ordering::Relaxed);
    MemoryUse {
        used_bytes,
        used_bytes_max: (ochre_collections::allocated_bytes_peak() as u64).max(used_bytes),
        resident_bytes: system::resident_bytes(),
        startup_bytes: shared.startup_bytes.min(used_bytes),
        tables_bytes,
        buffers_bytes: crate::pressure::uncounted_bytes(shared) as u64,
        clients_bytes: shared.registry.all().iter().map(|client| taken(client) as u64).sum(),
    }
}

pub(super) fn memory(page: &mut Page, facts: &Facts) {
    let shared = facts.shared;
    let memory = facts.memory;
    let settings = &shared.settings;
    let maxmemory = settings.memory.maxmemory_bytes.get();
    let policy = settings.get("maxmemory-policy").unwrap_or_default();
    let machine_bytes = system::machine_memory_bytes();
    let both = |page: &mut Page, name: &str, bytes: u64| {
        page.field(name, bytes);
        page.field(&format!("{name}_human"), human(bytes));
    };
    both(page, "used_memory", memory.used_bytes);
    both(page, "used_memory_rss", memory.resident_bytes);
    both(page, "used_memory_peak", memory.used_bytes_max);
    page.field("used_memory_peak_perc", format_args!("{:.2}%", memory.peak_percent()));
    page.field("used_memory_overhead", memory.overhead_bytes());
    page.field("used_memory_startup", memory.startup_bytes);
    page.field("used_memory_dataset", memory.dataset_bytes());
    page.field("used_memory_dataset_perc", format_args!("{:.2}%", memory.dataset_percent()));
    page.field("allocator_allocated", memory.used_bytes);
    page.field("allocator_active", memory.resident_bytes);
    page.field("allocator_resident", memory.resident_bytes);
    page.field("allocator_muzzy", 0);
    both(page, "total_system_memory", machine_bytes);
    let scripts = &shared.scripts;
    let (cached, cached_bytes) = scripts.cache.size();
    let libraries = scripts.functions.all();
    let code_bytes: usize = libraries.values().map(|library| library.code.len()).sum();
    let state_bytes: usize =
        scripts.state_bytes.iter().map(|bytes| bytes.load(std::sync::atomic::Ordering::Relaxed)).sum();
    both(page, "used_memory_lua", state_bytes as u64);
    page.field("used_memory_vm_eval", state_bytes);
    page.field("used_memory_scripts_eval", cached_bytes);
    page.field("number_of_cached_scripts", cached);
    page.field("number_of_functions", libraries.values().map(|library| library.functions.len()).sum::<usize>());
    page.field("number_of_libraries", libraries.len());
    page.field("used_memory_vm_functions", 0);
    both(page, "used_memory_vm_total", state_bytes as u64);
    page.field("used_memory_functions", code_bytes);
    both(page, "used_memory_scripts", (cached_bytes + code_bytes) as u64);
    both(page, "maxmemory", maxmemory);
    page.field("maxmemory_policy", String::from_utf8_lossy(&policy));
    page.field("allocator_frag_ratio", "1.00");
    page.field("allocator_frag_bytes", 0);
    page.field("allocator_rss_ratio", format_args!("{:.2}", memory.fragmentation_ratio()));
    page.field("allocator_rss_bytes", memory.resident_bytes.saturating_sub(memory.used_bytes));
    page.field("rss_overhead_ratio", "1.00");
    page.field("rss_overhead_bytes", 0);
    page.field("mem_fragmentation_ratio", format_args!("{:.2}", memory.fragmentation_ratio()));
    page.field("mem_fragmentation_bytes", memory.resident_bytes.saturating_sub(memory.used_bytes));
    page.field("mem_not_counted_for_evict", crate::pressure::uncounted_bytes(shared));
    let backlog_bytes = shared.log.kept_for_replicas().map_or(0, |(start, end)| end - start);
    page.field("mem_replication_backlog", backlog_bytes);
    page.field("mem_total_replication_buffers", backlog_bytes);
    page.zeros(&["mem_replicas_repl_buffer", "mem_clients_slaves"]);
    page.field("mem_clients_normal", memory.clients_bytes);
    page.field("mem_cluster_links", 0);
    page.field("mem_aof_buffer", crate::pressure::log_buffer_bytes(shared));
    page.field("mem_allocator", "mimalloc");
    page.zeros(&["mem_overhead_db_hashtable_rehashing", "active_defrag_running"]);
    page.field("lazyfree_pending_objects", shared.lazyfree.pending_keys());
    page.field("lazyfreed_objects", shared.lazyfree.freed_keys());
}
