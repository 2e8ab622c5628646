//! The table of directives, by theme, and the running values of all of them.
//!
//! A setting is one row of a theme's `ROWS` and, where the server reads it often, one field of the theme's struct:
//! `settings.memory.maxmemory_bytes.get()` is a relaxed load. `docs/configuration.md` is made from the rows.

#![allow(dead_code, reason = "a setting is read once the part of the server that obeys it is there")]

mod checks;
pub(crate) mod cluster;
pub(crate) mod encoding;
mod environment;
pub(crate) mod logging;
pub(crate) mod memory;
pub(crate) mod network;
mod not_yet;
mod page;
pub(crate) mod persistence;
pub(crate) mod process;
mod reference;
pub(crate) mod replication;
mod running;
pub(crate) mod security;
pub(crate) mod start;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod threads;
pub(crate) mod tls;

use std::ops::RangeInclusive;

pub(crate) use page::configuration_page;
pub(crate) use running::Settings;

/// One directive.
pub(crate) type Row = ochre_config::Directive<Live>;

/// The live values of all themes.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) network: network::Network,
    pub(crate) threads: threads::Threads,
    pub(crate) memory: memory::Memory,
    pub(crate) encoding: encoding::Encoding,
    pub(crate) persistence: persistence::Persistence,
    pub(crate) replication: replication::Replication,
    pub(crate) cluster: cluster::Cluster,
    pub(crate) security: security::Security,
    pub(crate) tls: tls::Tls,
    pub(crate) logging: logging::Logging,
    pub(crate) process: process::Process,
}

/// Every row, by theme and with the theme's name, in the order of the manual.
const THEMES: &[(&str, &[Row])] = &[
    ("Network and clients", network::ROWS),
    ("Threads", threads::ROWS),
    ("Memory, eviction and expiry", memory::ROWS),
    ("Encodings", encoding::ROWS),
    ("Persistence", persistence::ROWS),
    ("Replication", replication::ROWS),
    ("Cluster", cluster::ROWS),
    ("Security and scripts", security::ROWS),
    ("TLS", tls::ROWS),
    ("Logs, latencies and events", logging::ROWS),
    ("Process", process::ROWS),
];

/// Directives of older servers that are read over: they have done nothing for years.
const IGNORED: &[&str] =
    &["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands", "events-per-io-thread"];

const ANY_INT: RangeInclusive<i128> = i32::MIN as i128..=i32::MAX as i128;
const INT: RangeInclusive<i128> = 0..=i32::MAX as i128;
const POSITIVE_INT: RangeInclusive<i128> = 1..=i32::MAX as i128;
const LONG: RangeInclusive<i128> = 0..=i64::MAX as i128;
const PORT: RangeInclusive<i128> = 0..=65_535;
