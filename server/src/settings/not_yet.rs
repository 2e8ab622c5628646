//! Settings whose part of the server is not there yet. They are accepted and shown, so that files of other servers work, but
//! the manual and the log say that they do nothing: nobody is to believe that data is kept, copied or hidden when it is not.

use super::{Row, Settings};

/// Themes of which nothing works yet.
const THEMES: &[&str] = &["Persistence", "Replication", "Cluster"];

/// What works of them all the same.
const WORKS: &[&str] = &[
    "dir",
    "save",
    "dbfilename",
    "rdbcompression",
    "rdbchecksum",
    "rdb-dialect",
    "sanitize-dump-payload",
    "rdb-save-incremental-fsync",
    "rdb-version-check",
    "key-load-delay",
    "loading-process-events-interval-bytes",
    "rdb-key-save-delay",
    "stop-writes-on-bgsave-error",
    "appendonly",
    "appendfilename",
    "appenddirname",
    "appendfsync",
    "aof-load-truncated",
    "aof-timestamp-enabled",
    "aof-disable-auto-gc",
    "auto-aof-rewrite-percentage",
    "auto-aof-rewrite-min-size",
    "aof-use-rdb-preamble",
    "no-appendfsync-on-rewrite",
    "aof-rewrite-incremental-fsync",
    "replicaof",
    "masteruser",
    "masterauth",
    "replica-read-only",
    "replica-serve-stale-data",
    "replica-priority",
    "replica-announced",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-ignore-maxmemory",
    "repl-diskless-load",
    "availability-zone",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-timeout",
    "repl-ping-replica-period",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-diskless-sync-max-replicas",
    "min-replicas-to-write",
    "min-replicas-max-lag",
];

/// Single settings of the other themes.
const NAMES: &[&str] = &[
    "tls-replication",
    "tls-cluster",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "bind-source-addr",
    "client-default-resp",
    "active-expire-effort",
];

/// Whether a setting of `theme` does nothing yet.
pub(super) fn is_not_yet(theme: &str, row: &Row) -> bool {
    row.has_effect && !WORKS.contains(&row.name) && (THEMES.contains(&theme) || NAMES.contains(&row.name))
}

impl Settings {
    /// The settings that somebody has changed and that do nothing yet.
    pub(crate) fn changed_but_not_yet(&self) -> impl Iterator<Item = &'static str> {
        let rows = super::THEMES.iter().flat_map(|(theme, rows)| rows.iter().map(move |row| (*theme, row)));
        let idle = rows.filter(|(theme, row)| is_not_yet(theme, row)).map(|(_, row)| row);
        idle.filter(|row| self.store().value(row.name) != Some(row.default_value())).map(|row| row.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn every_name_is_that_of_a_setting_that_should_do_something() {
        let rows: Vec<_> = super::super::THEMES.iter().flat_map(|(_, rows)| rows.iter()).collect();
        for name in NAMES.iter().chain(WORKS) {
            assert!(rows.iter().any(|row| row.name == *name && row.has_effect), "{name}");
        }
        assert!(THEMES.iter().all(|theme| super::super::THEMES.iter().any(|(name, _)| name == theme)));
    }

    #[test]
    fn what_is_set_in_vain_is_named() {
        let named = |lines: &str| settings(lines).changed_but_not_yet().collect::<Vec<_>>();
        assert!(named("").is_empty());
        assert!(named("port 1\ndir /tmp\nappendonly no\ndisable-thp no\n").is_empty());
        assert_eq!(named("appendonly yes\nmaxmemory 1gb\ntls-cluster yes\n"), ["tls-cluster"]);
    }
}
