//! Settings of the process: how it runs in the system, how it ends, and the odds and ends of other servers.

use ochre_config::{Integers, Kind, Live, Shared, choices};

use super::checks::{hash_seed, process_title, shutdown_flags};
use super::{INT, POSITIVE_INT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Process {
    pub(crate) daemonize: Live<bool>,
    pub(crate) pidfile: Shared<String>,
    pub(crate) supervised: Live<Supervised>,
    pub(crate) set_proc_title: Live<bool>,
    pub(crate) proc_title_template: Shared<String>,
    pub(crate) databases: Live<usize>,
    pub(crate) hz: Live<u64>,
    pub(crate) shutdown_timeout_s: Live<u64>,
    /// Bits of [`ShutdownFlags`](SHUTDOWN_SAVE).
    pub(crate) shutdown_on_sigint: Live<u32>,
    pub(crate) shutdown_on_sigterm: Live<u32>,
    pub(crate) oom_score_adj: Live<OomScoreAdjustment>,
    pub(crate) oom_score_adj_values: Shared<Vec<i64>>,
    pub(crate) extended_redis_compatibility: Live<bool>,
    pub(crate) hash_seed: Shared<Vec<u8>>,
    pub(crate) use_exit_on_panic: Live<bool>,
}

choices! {
    /// Who watches over the process.
    pub(crate) enum Supervised {
        Upstart = "upstart",
        Systemd = "systemd",
        /// Whoever the environment names.
        Auto = "auto",
        No = "no",
    }
}

choices! {
    /// Whether the kernel is told how readily to kill the process for its memory.
    pub(crate) enum OomScoreAdjustment {
        No = "no",
        Yes = "yes",
        /// The same as yes.
        Relative = "relative",
        Absolute = "absolute",
    }
}

/// Bits of `shutdown-on-sigint` and `shutdown-on-sigterm`.
pub(crate) const SHUTDOWN_SAVE: u32 = 1;
/// See [`SHUTDOWN_SAVE`].
pub(crate) const SHUTDOWN_NOSAVE: u32 = 1 << 1;
/// See [`SHUTDOWN_SAVE`].
pub(crate) const SHUTDOWN_NOW: u32 = 1 << 2;
/// See [`SHUTDOWN_SAVE`].
pub(crate) const SHUTDOWN_FORCE: u32 = 1 << 3;
/// See [`SHUTDOWN_SAVE`].
pub(crate) const SHUTDOWN_SAFE: u32 = 1 << 4;
/// See [`SHUTDOWN_SAVE`].
pub(crate) const SHUTDOWN_FAILOVER: u32 = 1 << 5;

pub(super) const ROWS: &[Row] = &[
    Row::switch("daemonize", false, "Run in the background.").at_start().mirrored(|live| &live.process.daemonize),
    Row::optional("pidfile", "File for the number of the process.").at_start().mirrored(|live| &live.process.pidfile),
    Row::choice::<Supervised>("supervised", "no", "Who watches over the process.")
        .at_start()
        .mirrored(|live| &live.process.supervised),
    Row::switch("set-proc-title", true, "Show address and mode as the title of the process.")
        .at_start()
        .mirrored(|live| &live.process.set_proc_title),
    Row::text("proc-title-template", "{title} {listen-addr} {server-mode}", "Form of that title.")
        .checked(process_title)
        .mirrored(|live| &live.process.proc_title_template),
    Row::number("databases", POSITIVE_INT, "16", "Databases that SELECT can choose.")
        .at_start()
        .mirrored(|live| &live.process.databases),
    Row::number("hz", INT, "10", "Rounds of background work in a second.")
        .clamped(1..=500)
        .mirrored(|live| &live.process.hz),
    Row::switch("dynamic-hz", true, "More of them with more clients.").without_effect(),
    Row::number("shutdown-timeout", INT, "10", "Seconds to wait for replicas at the end.")
        .mirrored(|live| &live.process.shutdown_timeout_s),
    Row::new("shutdown-on-sigint", SHUTDOWN, "default", "What SHUTDOWN does on an interrupt.")
        .checked(shutdown_flags)
        .mirrored(|live| &live.process.shutdown_on_sigint),
    Row::new("shutdown-on-sigterm", SHUTDOWN, "default", "What SHUTDOWN does on a request to end.")
        .checked(shutdown_flags)
        .mirrored(|live| &live.process.shutdown_on_sigterm),
    Row::choice::<OomScoreAdjustment>("oom-score-adj", "no", "Tell the kernel what to kill first for memory.")
        .mirrored(|live| &live.process.oom_score_adj),
    Row::list("oom-score-adj-values", &OOM_VALUES, "0 200 800", "Its scores for primary, replica and background work.")
        .mirrored(|live| &live.process.oom_score_adj_values),
    Row::switch("extended-redis-compatibility", false, "Call oneself Redis where Valkey does then.")
        .mirrored(|live| &live.process.extended_redis_compatibility),
    Row::optional("hash-seed", "Seed of hash functions, for the same order on every start.")
        .at_start()
        .checked(hash_seed)
        .mirrored(|live| &live.process.hash_seed),
    Row::switch("use-exit-on-panic", false, "End without a signal after a broken invariant, for tests.")
        .hidden()
        .mirrored(|live| &live.process.use_exit_on_panic),
    Row::text("ignore-warnings", "", "Warnings of the start that are not to stop it.").without_effect(),
    Row::text("locale-collate", "", "Language by which SORT ALPHA orders.").without_effect(),
    Row::number("watchdog-period", INT, "0", "Milliseconds after which a slow turn is logged.")
        .hidden()
        .without_effect(),
    Row::switch("enable-debug-assert", false, "Check costly invariants.").at_start().hidden().without_effect(),
    Row::text("debug-context", "", "Text for crash reports.").hidden().without_effect(),
    Row::optional("req-res-logfile", "File of requests and replies, for tests of schemas.")
        .at_start()
        .hidden()
        .without_effect(),
];

const SHUTDOWN: Kind = Kind::Flags(&["default", "save", "nosave", "now", "force", "safe", "failover"]);

const OOM_VALUES: Integers = Integers {
    count: 3,
    least: -2000,
    most: 2000,
    error: "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
};
