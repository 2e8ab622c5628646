//! Settings of the cluster: taking part, names and addresses to announce, when to fail over and when to serve.

use ochre_config::{Live, Shared, Unit, choices};

use super::checks::{announced_address, announced_name, cluster_file, hostname, ipv4, ipv6};
use super::{INT, LONG, PORT, POSITIVE_INT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) cluster_enabled: Live<bool>,
    pub(crate) cluster_config_file: Shared<String>,
    pub(crate) cluster_config_save_behavior: Live<ClusterFileSaving>,
    pub(crate) cluster_port: Live<u16>,
    pub(crate) cluster_databases: Live<usize>,
    pub(crate) cluster_node_timeout_ms: Live<u64>,
    pub(crate) cluster_announce_ip: Shared<String>,
    pub(crate) cluster_announce_client_ipv4: Shared<String>,
    pub(crate) cluster_announce_client_ipv6: Shared<String>,
    pub(crate) cluster_announce_hostname: Shared<String>,
    pub(crate) cluster_announce_human_nodename: Shared<String>,
    pub(crate) cluster_announce_port: Live<u16>,
    pub(crate) cluster_announce_tls_port: Live<u16>,
    pub(crate) cluster_announce_bus_port: Live<u16>,
    pub(crate) cluster_announce_client_port: Live<u16>,
    pub(crate) cluster_announce_client_tls_port: Live<u16>,
    pub(crate) cluster_preferred_endpoint_type: Live<EndpointType>,
    pub(crate) cluster_require_full_coverage: Live<bool>,
    pub(crate) cluster_allow_reads_when_down: Live<bool>,
    pub(crate) cluster_allow_pubsubshard_when_down: Live<bool>,
    pub(crate) cluster_allow_replica_migration: Live<bool>,
    pub(crate) cluster_migration_barrier: Live<usize>,
    pub(crate) cluster_replica_no_failover: Live<bool>,
    pub(crate) cluster_replica_validity_factor: Live<u64>,
    pub(crate) cluster_manual_failover_timeout_ms: Live<u64>,
    pub(crate) cluster_blacklist_ttl_s: Live<u64>,
    pub(crate) cluster_link_sendbuf_limit_bytes: Live<u64>,
    pub(crate) cluster_ping_interval_ms: Live<u64>,
    pub(crate) cluster_message_gossip_percent: Live<u64>,
    pub(crate) cluster_slot_stats_enabled: Live<bool>,
    pub(crate) cluster_slot_migration_log_max_len: Live<usize>,
    pub(crate) slot_migration_max_failover_repl_bytes: Live<i64>,
    pub(crate) availability_zone: Shared<String>,
}

choices! {
    /// How a node names itself and others to clients.
    pub(crate) enum EndpointType {
        Ip = "ip",
        Hostname = "hostname",
        /// Not at all: the client goes on with the address it has.
        UnknownEndpoint = "unknown-endpoint",
    }
}

choices! {
    /// What happens when the cluster's file cannot be written.
    pub(crate) enum ClusterFileSaving {
        /// The server stops.
        Sync = "sync",
        BestEffort = "best-effort",
    }
}

pub(super) const ROWS: &[Row] = &[
    Row::switch("cluster-enabled", false, "Take part in a cluster.")
        .at_start()
        .mirrored(|live| &live.cluster.cluster_enabled),
    Row::text("cluster-config-file", "nodes.conf", "File in which the node keeps what it knows of the cluster.")
        .at_start()
        .checked(cluster_file)
        .mirrored(|live| &live.cluster.cluster_config_file),
    Row::choice::<ClusterFileSaving>("cluster-config-save-behavior", "sync", "What happens when it cannot be written.")
        .mirrored(|live| &live.cluster.cluster_config_save_behavior),
    Row::number("cluster-port", PORT, "0", "Port of the cluster bus; 0 for 10000 above the clients' port.")
        .at_start()
        .mirrored(|live| &live.cluster.cluster_port),
    Row::number("cluster-databases", POSITIVE_INT, "1", "Databases in cluster mode.")
        .at_start()
        .mirrored(|live| &live.cluster.cluster_databases),
    Row::number(
        "cluster-node-timeout",
        0..=i64::MAX as i128,
        "15000",
        "Milliseconds of silence that make a node suspect.",
    )
    .mirrored(|live| &live.cluster.cluster_node_timeout_ms),
    Row::optional("cluster-announce-ip", "Address to announce to other nodes.")
        .checked(announced_address)
        .mirrored(|live| &live.cluster.cluster_announce_ip),
    Row::optional("cluster-announce-client-ipv4", "Address to announce to clients that come by IPv4.")
        .checked(ipv4)
        .mirrored(|live| &live.cluster.cluster_announce_client_ipv4),
    Row::optional("cluster-announce-client-ipv6", "Address to announce to clients that come by IPv6.")
        .checked(ipv6)
        .mirrored(|live| &live.cluster.cluster_announce_client_ipv6),
    Row::optional("cluster-announce-hostname", "Host name to announce.")
        .checked(hostname)
        .mirrored(|live| &live.cluster.cluster_announce_hostname),
    Row::optional("cluster-announce-human-nodename", "Name of the node for logs.")
        .checked(announced_name)
        .mirrored(|live| &live.cluster.cluster_announce_human_nodename),
    Row::number("cluster-announce-port", PORT, "0", "Port to announce; 0 for the one that is listened on.")
        .mirrored(|live| &live.cluster.cluster_announce_port),
    Row::number("cluster-announce-tls-port", PORT, "0", "TLS port to announce.")
        .mirrored(|live| &live.cluster.cluster_announce_tls_port),
    Row::number("cluster-announce-bus-port", PORT, "0", "Port of the cluster bus to announce.")
        .mirrored(|live| &live.cluster.cluster_announce_bus_port),
    Row::number("cluster-announce-client-port", PORT, "0", "Port to announce to clients only.")
        .mirrored(|live| &live.cluster.cluster_announce_client_port),
    Row::number("cluster-announce-client-tls-port", PORT, "0", "TLS port to announce to clients only.")
        .mirrored(|live| &live.cluster.cluster_announce_client_tls_port),
    Row::choice::<EndpointType>("cluster-preferred-endpoint-type", "ip", "How nodes are named to clients.")
        .mirrored(|live| &live.cluster.cluster_preferred_endpoint_type),
    Row::switch("cluster-require-full-coverage", true, "Serve only while every slot has a node.")
        .mirrored(|live| &live.cluster.cluster_require_full_coverage),
    Row::switch("cluster-allow-reads-when-down", false, "Serve reads while the cluster is down.")
        .mirrored(|live| &live.cluster.cluster_allow_reads_when_down),
    Row::switch("cluster-allow-pubsubshard-when-down", true, "Serve sharded channels while the cluster is down.")
        .mirrored(|live| &live.cluster.cluster_allow_pubsubshard_when_down),
    Row::switch("cluster-allow-replica-migration", true, "Let replicas move to primaries that have none.")
        .mirrored(|live| &live.cluster.cluster_allow_replica_migration),
    Row::number("cluster-migration-barrier", INT, "1", "Replicas that a primary keeps when one moves.")
        .mirrored(|live| &live.cluster.cluster_migration_barrier),
    Row::switch("cluster-replica-no-failover", false, "Never take over by oneself.")
        .or(&["cluster-slave-no-failover"])
        .mirrored(|live| &live.cluster.cluster_replica_no_failover),
    Row::number("cluster-replica-validity-factor", INT, "10", "Node timeouts of silence after which data is too old.")
        .or(&["cluster-slave-validity-factor"])
        .mirrored(|live| &live.cluster.cluster_replica_validity_factor),
    Row::number(
        "cluster-manual-failover-timeout",
        POSITIVE_INT,
        "5000",
        "Milliseconds that CLUSTER FAILOVER may take.",
    )
    .mirrored(|live| &live.cluster.cluster_manual_failover_timeout_ms),
    Row::number(
        "cluster-blacklist-ttl",
        0..=u64::MAX as i128,
        "60",
        "Seconds for which a forgotten node stays forgotten.",
    )
    .mirrored(|live| &live.cluster.cluster_blacklist_ttl_s),
    Row::bytes("cluster-link-sendbuf-limit", 0..=u64::MAX as i128, "0", "Output that may wait for a node; 0 for any.")
        .mirrored(|live| &live.cluster.cluster_link_sendbuf_limit_bytes),
    Row::number(
        "cluster-ping-interval",
        0..=i64::MAX as i128,
        "0",
        "Milliseconds between pings; 0 for the usual ones.",
    )
    .hidden()
    .mirrored(|live| &live.cluster.cluster_ping_interval_ms),
    Row::number("cluster-message-gossip-perc", 1..=100, "10", "Percentage of nodes that a message tells about.")
        .hidden()
        .mirrored(|live| &live.cluster.cluster_message_gossip_percent),
    Row::switch("cluster-slot-stats-enabled", false, "Count network and processor use by slot.")
        .mirrored(|live| &live.cluster.cluster_slot_stats_enabled),
    Row::number("cluster-slot-migration-log-max-len", LONG, "1000", "Migrations of slots that are remembered.")
        .mirrored(|live| &live.cluster.cluster_slot_migration_log_max_len),
    Row::in_unit(
        "slot-migration-max-failover-repl-bytes",
        Unit::SignedBytes,
        -1..=i64::MAX as i128,
        "0",
        "Log that may be missing when a migrated slot changes hands; -1 for any.",
    )
    .mirrored(|live| &live.cluster.slot_migration_max_failover_repl_bytes),
    Row::text("availability-zone", "", "Zone to announce, so that clients find a near node.")
        .mirrored(|live| &live.cluster.availability_zone),
    Row::number(
        "cluster-compatibility-sample-ratio",
        0..=100,
        "0",
        "Percentage of commands checked for use in a cluster.",
    )
    .without_effect(),
];
