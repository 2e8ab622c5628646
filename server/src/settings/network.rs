//! Settings of the network: where to listen, how many clients, how much each may send and be sent.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ochre_config::{Addresses, BufferLimit, BufferLimits, Live, Mirror, Shared, Unit, Value};

use super::{INT, LONG, PORT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) bind: Shared<Vec<String>>,
    pub(crate) port: Live<u16>,
    pub(crate) admin_port: Live<u16>,
    pub(crate) admin_bind: Shared<Vec<String>>,
    pub(crate) unixsocket: Shared<String>,
    pub(crate) unixsocketperm: Live<u64>,
    pub(crate) unixsocketgroup: Shared<String>,
    pub(crate) bind_source_addr: Shared<String>,
    pub(crate) tcp_backlog: Live<usize>,
    pub(crate) tcp_keepalive_s: Live<u64>,
    pub(crate) socket_mark_id: Live<u64>,
    pub(crate) timeout_s: Live<u64>,
    pub(crate) maxclients: Live<usize>,
    pub(crate) protected_mode: Live<bool>,
    pub(crate) client_query_buffer_limit_bytes: Live<usize>,
    pub(crate) client_output_buffer_limit: OutputLimits,
    /// A percentage of maxmemory when below zero; 0 for none.
    pub(crate) maxmemory_clients: Live<i64>,
    pub(crate) proto_max_bulk_len_bytes: Live<usize>,
    pub(crate) tracking_table_max_keys: Live<usize>,
    pub(crate) client_default_resp: Live<u64>,
}

pub(super) const ROWS: &[Row] = &[
    Row::list("bind", &Addresses, "* -::*", "Addresses to listen on; one with a leading minus may be missing.")
        .mirrored(|live| &live.network.bind),
    Row::number("port", PORT, "6379", "TCP port for clients; 0 for none.").mirrored(|live| &live.network.port),
    Row::number("admin-port", PORT, "0", "Port of the HTTP server with /metrics, /healthz and /readyz; 0 for none.")
        .at_start()
        .mirrored(|live| &live.network.admin_port),
    Row::list("admin-bind", &Addresses, "127.0.0.1", "Addresses that the admin port listens on.")
        .at_start()
        .mirrored(|live| &live.network.admin_bind),
    Row::optional("unixsocket", "Path of a Unix socket for clients.")
        .at_start()
        .mirrored(|live| &live.network.unixsocket),
    Row::in_unit("unixsocketperm", Unit::Octal, 0..=0o777, "0", "Permissions of the Unix socket; 0 leaves them alone.")
        .at_start()
        .mirrored(|live| &live.network.unixsocketperm),
    Row::optional("unixsocketgroup", "Group that owns the Unix socket.")
        .at_start()
        .mirrored(|live| &live.network.unixsocketgroup),
    Row::optional("bind-source-addr", "Address from which connections to other servers are made.")
        .mirrored(|live| &live.network.bind_source_addr),
    Row::number("tcp-backlog", INT, "511", "Connections that may wait to be accepted.")
        .at_start()
        .mirrored(|live| &live.network.tcp_backlog),
    Row::number(
        "tcp-keepalive",
        INT,
        "300",
        "Seconds of silence before TCP asks a client for a sign of life; 0 never.",
    )
    .mirrored(|live| &live.network.tcp_keepalive_s),
    Row::number("socket-mark-id", UINT, "0", "Mark on listening sockets for the system's packet filter.")
        .at_start()
        .mirrored(|live| &live.network.socket_mark_id),
    Row::number("timeout", INT, "0", "Seconds after which an idle client is disconnected; 0 never.")
        .mirrored(|live| &live.network.timeout_s),
    Row::number("maxclients", 1..=u32::MAX as i128, "10000", "Clients that may be connected at once.")
        .mirrored(|live| &live.network.maxclients),
    Row::switch("protected-mode", true, "Serve only this machine while nobody has set a password or an address.")
        .mirrored(|live| &live.network.protected_mode),
    Row::bytes(
        "client-query-buffer-limit",
        1 << 20..=i64::MAX as i128,
        "1gb",
        "Input that one client may have pending.",
    )
    .mirrored(|live| &live.network.client_query_buffer_limit_bytes),
    Row::list(
        "client-output-buffer-limit",
        &BufferLimits,
        "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
        "Output that may wait for a client of each class: at most, and for how many seconds how much.",
    )
    .mirrored(|live| &live.network.client_output_buffer_limit),
    Row::in_unit(
        "maxmemory-clients",
        Unit::BytesOrPercent,
        -100..=i64::MAX as i128,
        "0",
        "Memory for all clients together, above which the largest are disconnected; 0 for any.",
    )
    .mirrored(|live| &live.network.maxmemory_clients),
    Row::bytes("proto-max-bulk-len", 1 << 20..=i64::MAX as i128, "512mb", "Longest single argument or string value.")
        .mirrored(|live| &live.network.proto_max_bulk_len_bytes),
    Row::number(
        "tracking-table-max-keys",
        LONG,
        "1000000",
        "Keys remembered for client-side caching; 0 for any number.",
    )
    .mirrored(|live| &live.network.tracking_table_max_keys),
    Row::number("client-default-resp", 2..=3, "2", "Protocol version of a new connection, for tests of clients.")
        .at_start()
        .hidden()
        .mirrored(|live| &live.network.client_default_resp),
    Row::number("max-new-connections-per-cycle", 1..=1000, "10", "Connections accepted in one turn of an event loop.")
        .without_effect(),
    Row::number("max-new-tls-connections-per-cycle", 1..=1000, "1", "TLS connections accepted in one turn.")
        .without_effect(),
    Row::switch("mptcp", false, "Listen with multipath TCP.").at_start().without_effect(),
    Row::list("rdma-bind", &Addresses, "", "Addresses to listen on for RDMA.").without_effect(),
    Row::number("rdma-port", PORT, "0", "Port for RDMA.").without_effect(),
    Row::number("rdma-rx-size", 64 << 10..=16 << 20, "1048576", "Receive buffer of an RDMA connection.")
        .at_start()
        .without_effect(),
    Row::number("rdma-completion-vector", -1..=1024, "-1", "Completion vector of RDMA.").at_start().without_effect(),
];

/// `client-output-buffer-limit`, by class: normal, replica, pubsub.
#[derive(Default)]
pub(crate) struct OutputLimits([OutputLimit; 3]);

/// Hard bytes, soft bytes, soft seconds.
type OutputLimit = [AtomicU64; 3];

/// The classes of clients that have output limits of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputClass {
    Normal,
    Replica,
    Pubsub,
}

impl OutputLimits {
    /// The limit of a class; its three numbers are read one after the other.
    pub(crate) fn get(&self, class: OutputClass) -> BufferLimit {
        let [hard, soft, seconds] = &self.0[class as usize];
        BufferLimit {
            hard_bytes: hard.load(Relaxed),
            soft_bytes: soft.load(Relaxed),
            soft_seconds: seconds.load(Relaxed),
        }
    }
}

impl Mirror for OutputLimits {
    fn put(&self, value: &Value) {
        let Value::BufferLimits(limits) = value else { unreachable!("the row's kind is a list of buffer limits") };
        for (live, limit) in self.0.iter().zip(limits) {
            live[0].store(limit.hard_bytes, Relaxed);
            live[1].store(limit.soft_bytes, Relaxed);
            live[2].store(limit.soft_seconds, Relaxed);
        }
    }
}

const UINT: RangeInclusive<i128> = 0..=u32::MAX as i128;
