//! Every command against what Valkey 9.1 and Redis 8 say of it in COMMAND INFO.

#![cfg(test)]

use crate::shared::{CommandRow, command_table};
use ochre_commands::keys::{Begin, Find, KeySpec};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// One line of `testdata/commands.tsv`: name, group, arity, flags, categories, first key, last key, step, key
/// specifications as JSON, since, deprecated since, tips.
type Reference = Vec<&'static str>;

fn reference() -> HashMap<&'static str, Reference> {
    let lines = include_str!("testdata/commands.tsv").lines().skip(1);
    lines.map(|line| line.split('\t').collect::<Reference>()).map(|columns| (columns[0], columns)).collect()
}

#[test]
fn commands_are_described_as_the_peers_describe_them() {
    let reference = reference();
    let mut differences = String::new();
    let table = command_table();
    for row in table.rows() {
        compare(row, &reference, &mut differences);
    }
    assert_eq!(differences, "");
}

/// Commands of the peers that are not here, nor are their subcommands: they take part in what this server has not got.
const MISSING: &[&str] =
    &["BACKUP", "FAILOVER", "HOTKEYS", "PSYNC", "REPLCONF", "SENTINEL", "SFLUSH", "SYNC", "TRIMSLOTS"];

#[test]
fn no_command_of_the_peers_is_forgotten() {
    let table = command_table();
    let mut forgotten: Vec<&str> = Vec::new();
    for name in reference().into_keys() {
        let (command, subcommand) = name.split_once('|').unwrap_or((name, ""));
        let row = table.find(command.as_bytes());
        let is_there = row.is_some_and(|row| subcommand.is_empty() || row.subcommand(subcommand.as_bytes()).is_some());
        if !is_there && !MISSING.contains(&command) {
            forgotten.push(name);
        }
    }
    forgotten.sort_unstable();
    assert_eq!(forgotten, [""; 0]);
}

fn compare(row: &CommandRow, reference: &HashMap<&str, Reference>, differences: &mut String) {
    let name = row.full_name.to_ascii_uppercase();
    let Some(expected) = reference.get(name.as_str()) else {
        let _ = writeln!(differences, "{name} is unknown to the peers");
        return;
    };
    let (first, last, step) = row.legacy_keys;
    let (deprecated_since, _) = row.spec.deprecated;
    let found = [
        ("group", row.spec.group.name().replace('-', "_"), 1),
        ("arity", row.arity.to_string(), 2),
        ("flags", sorted(row.flags.words()), 3),
        ("categories", sorted(row.categories.words()), 4),
        ("first key", first.to_string(), 5),
        ("last key", last.to_string(), 6),
        ("step", step.to_string(), 7),
        ("key specs", row.spec.keys.iter().map(key_spec).collect::<Vec<_>>().join(","), 8),
        ("since", row.spec.since.to_owned(), 9),
        ("deprecated since", deprecated_since.to_owned(), 10),
        ("tips", sorted(row.spec.tips.iter().copied()), 11),
    ];
    for (what, found, column) in found {
        let wanted = expected.get(column).copied().unwrap_or_default();
        let wanted = match column {
            3 | 4 | 11 => sorted(wanted.split(',').filter(|word| !word.is_empty())),
            8 => wanted.strip_prefix('[').and_then(|list| list.strip_suffix(']')).unwrap_or(wanted).to_owned(),
            _ => wanted.to_owned(),
        };
        if found != wanted {
            let _ = writeln!(differences, "{name}, {what}: {found}, not {wanted}");
        }
    }
    row.subcommands.iter().for_each(|row| compare(row, reference, differences));
}

fn sorted<'t>(words: impl Iterator<Item = &'t str>) -> String {
    words.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",")
}

/// A key specification as the reference writes it.
fn key_spec(key: &KeySpec) -> String {
    let flags: Vec<String> = key.flags.words().map(|word| format!("\"{word}\"")).collect();
    let begin = match key.begin {
        Begin::Index(index) => format!(r#"{{"index":{{"index":{index}}}}}"#),
        Begin::Keyword { word, from } => format!(r#"{{"keyword":{{"keyword":"{word}","startfrom":{from}}}}}"#),
        Begin::Unknown => r#""unknown""#.to_owned(),
    };
    let find = match key.find {
        Find::Range { last, step, limit } => {
            format!(r#"{{"range":{{"lastkey":{last},"keystep":{step},"limit":{limit}}}}}"#)
        }
        Find::Count { count, first, step } => {
            format!(r#"{{"keynum":{{"keynumidx":{count},"firstkey":{first},"keystep":{step}}}}}"#)
        }
        Find::Unknown => r#""unknown""#.to_owned(),
    };
    format!(r#"{{"flags":[{}],"begin":{begin},"find":{find}}}"#, flags.join(","))
}
