//! INFO: what the server tells about itself, section by section.

mod activity;
mod memory;
mod process;
mod services;

use crate::commands::{Command, SessionCall};
use crate::shared::Shared;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_keyspace::DatabaseSize;
use ochre_resp::Reply;
use ochre_text::case;
use std::fmt::{Display, Write};

pub use activity::{each_command, latencies};
pub use memory::{MemoryUse, memory_use};

pub const INFO: Command = Command::new(Group::Server, "INFO", "[section [section ...]]", info)
    .summary("Replies facts and counters about the server, by sections.")
    .cost("O(1)")
    .history(&[("7.0.0", "Takes several sections at once.")])
    .categories(CAT_DANGEROUS)
    .locks(Locks::All)
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
    .flags(LOADING | STALE);

/// When a section is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// By INFO without arguments, and by `default`, `all` and `everything`.
    ByDefault,
    /// By `all` and `everything`.
    InAll,
    /// By default and by `everything`, but not by `all`.
    NotInAll,
    /// By its name alone.
    Named,
}

/// One section.
struct Section {
    /// What INFO's argument calls it, in upper case.
    name: &'static str,
    title: &'static str,
    shown: Shown,
    write: fn(&mut Page, &Facts),
}

/// In the order in which they are shown.
const SECTIONS: &[Section] = &[
    section("SERVER", "Server", Shown::ByDefault, process::server),
    section("CLIENTS", "Clients", Shown::ByDefault, activity::clients),
    section(MEMORY, "Memory", Shown::ByDefault, memory::memory),
    section("PERSISTENCE", "Persistence", Shown::ByDefault, services::persistence),
    section("THREADS", "Threads", Shown::InAll, activity::threads),
    section("STATS", "Stats", Shown::ByDefault, activity::stats),
    section("REPLICATION", "Replication", Shown::ByDefault, services::replication),
    section("CPU", "CPU", Shown::ByDefault, process::cpu),
    section("TLS", "TLS", Shown::InAll, process::tls),
    section("MODULES", "Modules", Shown::NotInAll, services::modules),
    section("COMMANDSTATS", "Commandstats", Shown::InAll, activity::command_stats),
    section("ERRORSTATS", "Errorstats", Shown::ByDefault, activity::error_stats),
    section("LATENCYSTATS", "Latencystats", Shown::InAll, activity::latency_stats),
    section("CLUSTER", "Cluster", Shown::ByDefault, services::cluster),
    section("DEBUG", "Debug", Shown::Named, activity::debug),
    section(KEYSPACE, "Keyspace", Shown::ByDefault, services::keyspace),
];

const KEYSPACE: &str = "KEYSPACE";
const MEMORY: &str = "MEMORY";

const fn section(name: &'static str, title: &'static str, shown: Shown, write: fn(&mut Page, &Facts)) -> Section {
    Section { name, title, shown, write }
}

/// What sections are made from.
struct Facts {
    shared: &'static Shared,
    now_ms: u64,
    /// How the event loops talk to the kernel.
    backend: &'static str,
    /// Sizes of all databases, if they are wanted.
    databases: Vec<DatabaseSize>,
    /// What was used before this page was begun.
    memory: MemoryUse,
}

/// The text as it grows: `name:value` lines.
struct Page(String);

impl Page {
    fn field(&mut self, name: &str, value: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    /// Fields that are always zero here: what they count does not exist.
    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }
}

/// One line of INFO.
pub struct InfoField {
    pub name: String,
    pub value: String,
}

/// All that INFO tells, for the other places that show it: the sections of `INFO all` without those that have a line for each
/// command.
pub fn info_fields(shared: &'static Shared) -> Vec<InfoField> {
    const BY_COMMAND: &[&str] = &["COMMANDSTATS", "LATENCYSTATS", "ERRORSTATS", KEYSPACE];
    // The databases' tables are not looked at: that would need their locks.
    let memory = memory_use(shared, 0);
    let facts = Facts { shared, now_ms: ochre_clock::now_ms(), backend: "", databases: Vec::new(), memory };
    let mut page = Page(String::with_capacity(8 * 1024));
    let all = SECTIONS.iter().filter(|section| section.shown != Shown::Named && !BY_COMMAND.contains(&section.name));
    all.for_each(|section| (section.write)(&mut page, &facts));
    let fields = page.0.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| InfoField { name: name.to_owned(), value: value.to_owned() }).collect()
}

fn info(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let wanted: Vec<&[u8]> = args.rest().iter().collect();
    let sections: Vec<&Section> = SECTIONS.iter().filter(|section| is_wanted(section, &wanted)).collect();
    let (mut databases, mut tables_bytes) = (Vec::new(), 0);
    if sections.iter().any(|section| [KEYSPACE, MEMORY].contains(&section.name)) {
        let locks = call.shared().keyspace.all_shards();
        let sizes = call.with_data(locks, |data| {
            let bytes: usize = (0..data.databases()).map(|db| data.table_bytes(db)).sum();
            ((0..data.databases()).map(|db| data.size(db)).collect(), bytes as u64)
        });
        let Some(sizes) = sizes else { return Ok(()) };
        (databases, tables_bytes) = sizes;
    }
    let memory = memory_use(call.shared(), tables_bytes);
    let facts = Facts {
        shared: call.shared(),
        now_ms: call.worker.context.now_ms,
        backend: call.reactor.backend_name(),
        databases,
        memory,
    };
    let mut page = Page(String::with_capacity(8 * 1024));
    for section in sections {
        if !page.0.is_empty() {
            page.0.push_str("\r\n");
        }
        let _ = write!(page.0, "# {}\r\n", section.title);
        (section.write)(&mut page, &facts);
    }
    reply.verbatim("txt", page.0.as_bytes());
    Ok(())
}

fn is_wanted(section: &Section, words: &[&[u8]]) -> bool {
    use Shown::{ByDefault, InAll, NotInAll};
    if words.is_empty() {
        return matches!(section.shown, ByDefault | NotInAll);
    }
    words.iter().any(|word| match section.shown {
        _ if case::is(word, section.name) => true,
        ByDefault | NotInAll if case::is(word, "DEFAULT") => true,
        ByDefault | InAll if case::is(word, "ALL") => true,
        ByDefault | InAll | NotInAll => case::is(word, "EVERYTHING"),
        Shown::Named => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{SECTIONS, is_wanted};

    #[test]
    fn sections_are_chosen_by_name_or_as_a_group() {
        let chosen = |words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            SECTIONS
                .iter()
                .filter(|section| is_wanted(section, &words))
                .map(|section| section.title)
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen(&["cpu", "KeySpace", "nothing"]), ["CPU", "Keyspace"]);
        assert_eq!(chosen(&[]), chosen(&["default"]));
        assert!(
            !chosen(&[]).contains(&"Commandstats") && chosen(&["default", "commandstats"]).contains(&"Commandstats")
        );
        assert!(!chosen(&["all"]).contains(&"Modules") && chosen(&["all"]).contains(&"Latencystats"));
        assert_eq!(chosen(&["everything"]).len(), SECTIONS.len() - 1);
        assert_eq!(chosen(&["debug"]), ["Debug"]);
        assert!(chosen(&["nothing"]).is_empty());
    }
}
