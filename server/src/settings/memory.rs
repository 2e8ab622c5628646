//! Settings of memory: its limit, what is evicted, how keys expire and how memory is given back.

use ochre_config::{Live, Value, choices};

use super::{INT, POSITIVE_INT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) maxmemory_bytes: Live<u64>,
    pub(crate) maxmemory_policy: Live<EvictionPolicy>,
    pub(crate) maxmemory_samples: Live<usize>,
    pub(crate) maxmemory_eviction_tenacity: Live<u64>,
    pub(crate) lfu_log_factor: Live<u64>,
    pub(crate) lfu_decay_time_minutes: Live<u64>,
    pub(crate) active_expire_effort: Live<u64>,
    pub(crate) lazyfree_lazy_eviction: Live<bool>,
    pub(crate) lazyfree_lazy_expire: Live<bool>,
    pub(crate) lazyfree_lazy_server_del: Live<bool>,
    pub(crate) lazyfree_lazy_user_del: Live<bool>,
    pub(crate) lazyfree_lazy_user_flush: Live<bool>,
}

choices! {
    /// Which keys go when memory is full.
    pub(crate) enum EvictionPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        VolatileLrm = "volatile-lrm",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        AllkeysLrm = "allkeys-lrm",
        NoEviction = "noeviction",
    }
}

pub(super) const ROWS: &[Row] = &[
    Row::bytes("maxmemory", 0..=u64::MAX as i128, "0", "Memory for data and clients; 0 for any.")
        .mirrored(|live| &live.memory.maxmemory_bytes),
    Row::choice::<EvictionPolicy>("maxmemory-policy", "noeviction", "Which keys go when memory is full.")
        .mirrored(|live| &live.memory.maxmemory_policy),
    Row::number(
        "maxmemory-samples",
        POSITIVE_INT,
        "5",
        "Keys that eviction compares to choose one; more than 64 are 64.",
    )
    .clamped(1..=64)
    .mirrored(|live| &live.memory.maxmemory_samples),
    Row::number("maxmemory-eviction-tenacity", 0..=100, "10", "How long eviction works before it lets clients in.")
        .mirrored(|live| &live.memory.maxmemory_eviction_tenacity),
    Row::number("lfu-log-factor", INT, "10", "How many hits it takes to count as often used.")
        .mirrored(|live| &live.memory.lfu_log_factor),
    Row::number("lfu-decay-time", INT, "1", "Minutes after which a count of hits goes down by one.")
        .mirrored(|live| &live.memory.lfu_decay_time_minutes),
    Row::number("active-expire-effort", 1..=10, "1", "How hard expired keys are looked for.")
        .mirrored(|live| &live.memory.active_expire_effort),
    Row::switch("lazyfree-lazy-eviction", true, "Free evicted values in the background.")
        .mirrored(|live| &live.memory.lazyfree_lazy_eviction),
    Row::switch("lazyfree-lazy-expire", true, "Free expired values in the background.")
        .mirrored(|live| &live.memory.lazyfree_lazy_expire),
    Row::switch("lazyfree-lazy-server-del", true, "Free overwritten values in the background.")
        .mirrored(|live| &live.memory.lazyfree_lazy_server_del),
    Row::switch("lazyfree-lazy-user-del", true, "Make DEL free in the background, as UNLINK does.")
        .mirrored(|live| &live.memory.lazyfree_lazy_user_del),
    Row::switch("lazyfree-lazy-user-flush", true, "Make FLUSHALL and FLUSHDB free in the background.")
        .mirrored(|live| &live.memory.lazyfree_lazy_user_flush),
    Row::switch("activerehashing", true, "Grow hash tables in the background.").without_effect(),
    Row::switch("activedefrag", false, "Defragment memory; needs an allocator that this server does not use.")
        .checked(no_defragmentation)
        .without_effect(),
    Row::number("active-defrag-cycle-min", 1..=99, "1", "Least share of a core for defragmentation.").without_effect(),
    Row::number("active-defrag-cycle-max", 1..=99, "25", "Largest share of a core for defragmentation.")
        .without_effect(),
    Row::number("active-defrag-cycle-us", 0..=100_000, "500", "Length of one round of it.").without_effect(),
    Row::bytes("active-defrag-ignore-bytes", 1..=i64::MAX as i128, "100mb", "Waste below which it rests.")
        .without_effect(),
    Row::number("active-defrag-max-scan-fields", 1..=i64::MAX as i128, "1000", "Members of a value it visits at once.")
        .without_effect(),
    Row::number("active-defrag-threshold-lower", 0..=1000, "10", "Percentage of waste at which it starts.")
        .without_effect(),
    Row::number("active-defrag-threshold-upper", 0..=1000, "100", "Percentage of waste at which it works hardest.")
        .without_effect(),
    Row::switch("jemalloc-bg-thread", true, "Let the allocator give memory back in a thread of its own.")
        .without_effect(),
    Row::switch("disable-thp", true, "Ask the kernel for no huge pages; Ochre never does.").at_start().without_effect(),
];

fn no_defragmentation(value: &Value) -> Result<(), String> {
    match value {
        Value::Switch(true) => Err(NO_DEFRAGMENTATION.to_string()),
        _ => Ok(()),
    }
}

const NO_DEFRAGMENTATION: &str =
    "Active defragmentation cannot be enabled: it requires a server whose allocator is a modified Jemalloc";
