//! Settings of what the server tells: its log, slow and large commands, latencies, events of keys.

use ochre_config::{EventClasses, Live, Percentiles, Shared, choices};

use super::{LONG, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Logging {
    pub(crate) loglevel: Live<LogLevel>,
    pub(crate) logfile: Shared<String>,
    pub(crate) log_format: Live<LogFormat>,
    pub(crate) log_timestamp_format: Live<LogTimestamps>,
    pub(crate) hide_user_data_from_log: Live<bool>,
    pub(crate) syslog_enabled: Live<bool>,
    pub(crate) syslog_ident: Shared<String>,
    pub(crate) syslog_facility: Live<SyslogFacility>,
    pub(crate) always_show_logo: Live<bool>,
    pub(crate) crash_log_enabled: Live<bool>,
    /// Below zero for never.
    pub(crate) slowlog_log_slower_than_us: Live<i64>,
    pub(crate) slowlog_max_len: Live<usize>,
    /// Below zero for never.
    pub(crate) commandlog_request_larger_than_bytes: Live<i64>,
    pub(crate) commandlog_large_request_max_len: Live<usize>,
    /// Below zero for never.
    pub(crate) commandlog_reply_larger_than_bytes: Live<i64>,
    pub(crate) commandlog_large_reply_max_len: Live<usize>,
    pub(crate) latency_monitor_threshold_ms: Live<u64>,
    pub(crate) latency_tracking: Live<bool>,
    pub(crate) latency_tracking_info_percentiles: Shared<Vec<f64>>,
    /// Bits of [`EventClasses`].
    pub(crate) notify_keyspace_events: Live<u32>,
}

choices! {
    /// How much is logged.
    #[derive(PartialOrd, Ord)]
    pub(crate) enum LogLevel {
        Debug = "debug",
        Verbose = "verbose",
        Notice = "notice",
        Warning = "warning",
        Nothing = "nothing",
    }
}

choices! {
    /// The form of a line of the log.
    pub(crate) enum LogFormat {
        Legacy = "legacy",
        Logfmt = "logfmt",
        Json = "json",
    }
}

choices! {
    /// The form of the time in the log.
    pub(crate) enum LogTimestamps {
        Legacy = "legacy",
        Iso8601 = "iso8601",
        Milliseconds = "milliseconds",
    }
}

choices! {
    /// Where the system's log files the server under.
    pub(crate) enum SyslogFacility {
        User = "user",
        Local0 = "local0",
        Local1 = "local1",
        Local2 = "local2",
        Local3 = "local3",
        Local4 = "local4",
        Local5 = "local5",
        Local6 = "local6",
        Local7 = "local7",
    }
}

pub(super) const ROWS: &[Row] = &[
    Row::choice::<LogLevel>("loglevel", "notice", "How much is logged.").mirrored(|live| &live.logging.loglevel),
    Row::text("logfile", "", "File of the log; empty for standard output.")
        .at_start()
        .mirrored(|live| &live.logging.logfile),
    Row::choice::<LogFormat>("log-format", "legacy", "Form of a line of the log.")
        .mirrored(|live| &live.logging.log_format),
    Row::choice::<LogTimestamps>("log-timestamp-format", "legacy", "Form of the time in the log.")
        .mirrored(|live| &live.logging.log_timestamp_format),
    Row::switch("hide-user-data-from-log", true, "Keep keys and values out of the log.")
        .mirrored(|live| &live.logging.hide_user_data_from_log),
    Row::switch("syslog-enabled", false, "Log to the system's log, too.")
        .at_start()
        .mirrored(|live| &live.logging.syslog_enabled),
    Row::text("syslog-ident", "ochre", "Name there.").at_start().mirrored(|live| &live.logging.syslog_ident),
    Row::choice::<SyslogFacility>("syslog-facility", "local0", "Facility there.")
        .at_start()
        .mirrored(|live| &live.logging.syslog_facility),
    Row::switch("always-show-logo", false, "Log the logo even where no terminal shows it.")
        .at_start()
        .mirrored(|live| &live.logging.always_show_logo),
    Row::switch("crash-log-enabled", true, "Log where and why the server crashed.")
        .mirrored(|live| &live.logging.crash_log_enabled),
    Row::switch("crash-memcheck-enabled", true, "Test memory after a crash.").without_effect(),
    Row::number("slowlog-log-slower-than", FROM_MINUS_ONE, "10000", "Microseconds that make a command slow; -1 never.")
        .or(&["commandlog-execution-slower-than"])
        .mirrored(|live| &live.logging.slowlog_log_slower_than_us),
    Row::number("slowlog-max-len", LONG, "128", "Slow commands that are remembered.")
        .or(&["commandlog-slow-execution-max-len"])
        .mirrored(|live| &live.logging.slowlog_max_len),
    Row::number(
        "commandlog-request-larger-than",
        FROM_MINUS_ONE,
        "1048576",
        "Bytes that make a request large; -1 never.",
    )
    .mirrored(|live| &live.logging.commandlog_request_larger_than_bytes),
    Row::number("commandlog-large-request-max-len", LONG, "128", "Large requests that are remembered.")
        .mirrored(|live| &live.logging.commandlog_large_request_max_len),
    Row::number("commandlog-reply-larger-than", FROM_MINUS_ONE, "1048576", "Bytes that make a reply large; -1 never.")
        .mirrored(|live| &live.logging.commandlog_reply_larger_than_bytes),
    Row::number("commandlog-large-reply-max-len", LONG, "128", "Large replies that are remembered.")
        .mirrored(|live| &live.logging.commandlog_large_reply_max_len),
    Row::number(
        "latency-monitor-threshold",
        0..=i64::MAX as i128,
        "0",
        "Milliseconds that LATENCY remembers; 0 for off.",
    )
    .mirrored(|live| &live.logging.latency_monitor_threshold_ms),
    Row::switch("latency-tracking", true, "Count latencies by command.")
        .mirrored(|live| &live.logging.latency_tracking),
    Row::list(
        "latency-tracking-info-percentiles",
        &Percentiles,
        "50 99 99.9",
        "Percentiles of latency that INFO shows.",
    )
    .mirrored(|live| &live.logging.latency_tracking_info_percentiles),
    Row::list("notify-keyspace-events", &EventClasses, "", "Events of keys that are published, as letters.")
        .mirrored(|live| &live.logging.notify_keyspace_events),
];

const FROM_MINUS_ONE: std::ops::RangeInclusive<i128> = -1..=i64::MAX as i128;
