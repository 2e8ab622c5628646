//! The table held against the reference servers: names, aliases, defaults, when they change, ranges and choices.
#![cfg(test)]

use std::collections::BTreeMap;

use ochre_config::{Change, Choices, Kind};

use super::memory::EvictionPolicy;
use super::{IGNORED, Row, Settings, THEMES};

/// A row of `testdata/reference.tsv`, which tells what the columns are.
struct Reference {
    name: &'static str,
    /// Valkey 9.1, Redis 8.0, Redis 7.0; `-` where the name is unknown.
    shown: [&'static str; 3],
    kind: &'static str,
    mutable: &'static str,
    range: &'static str,
    choices: &'static str,
    flags: &'static str,
    alias_of: &'static str,
}

fn references() -> Vec<Reference> {
    let lines = include_str!("testdata/reference.tsv").lines();
    let rows = lines.filter(|line| !line.starts_with('#')).skip(1).map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let field = |index: usize| *fields.get(index).unwrap_or(&"");
        Reference {
            name: field(0),
            shown: [field(1), field(2), field(3)],
            kind: field(4),
            mutable: field(5),
            range: field(6),
            choices: field(7),
            flags: field(8),
            alias_of: field(9),
        }
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 250, "the file has lost rows");
    rows
}

/// Every row that is a setting, with ours.
fn pairs() -> Vec<(Reference, &'static Row)> {
    let settings = Settings::new(None, false);
    let known = references().into_iter().filter_map(|reference| {
        let row = settings.store().directive(reference.name.as_bytes())?;
        Some((reference, row))
    });
    known.collect()
}

/// Compares what ours and theirs say, but for the exceptions; those must differ, so that the list stays true.
fn check_all(exceptions: &[&str], compare: impl Fn(&Reference, &'static Row) -> Option<(String, String)>) {
    let mut wrong = Vec::new();
    for (reference, row) in pairs() {
        let Some((ours, theirs)) = compare(&reference, row) else { continue };
        if (ours == theirs) == exceptions.contains(&reference.name) {
            wrong.push(format!("{}: ours {ours}, theirs {theirs}", reference.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_name_of_the_references_is_known_and_only_a_few_are_ours() {
    let settings = Settings::new(None, false);
    let is_setting = |name: &str| settings.store().directive(name.as_bytes()).is_some();
    let unknown = references().into_iter().map(|reference| reference.name).filter(|name| !is_setting(name));
    let file_only = ["include", "rename-command", "user", "loadmodule"];
    let unknown: Vec<_> = unknown.filter(|name| !IGNORED.contains(name) && !file_only.contains(name)).collect();
    assert_eq!(unknown, [""; 0]);

    let references = references();
    let names = THEMES.iter().flat_map(|(_, rows)| *rows).flat_map(|row| std::iter::once(&row.name).chain(row.aliases));
    let ours: Vec<_> = names.filter(|name| !references.iter().any(|reference| reference.name == **name)).collect();
    assert_eq!(
        ours,
        [
            "admin-port",
            "admin-bind",
            "threads",
            "shards",
            "io-backend",
            "rdb-dialect",
            "requirepass-file",
            "command-aliases"
        ]
        .iter()
        .collect::<Vec<_>>()
    );
}

#[test]
fn aliases_belong_to_the_same_rows() {
    let settings = Settings::new(None, false);
    for (reference, row) in pairs().into_iter().filter(|(reference, _)| !reference.alias_of.is_empty()) {
        let original = settings.store().directive(reference.alias_of.as_bytes()).expect("the alias is of a known name");
        assert!(std::ptr::eq(original, row), "{}", reference.name);
    }
}

#[test]
fn config_get_shows_the_defaults_that_valkey_shows_or_else_redis() {
    let settings = Settings::new(None, false);
    // Where the server works, and what it calls itself.
    check_all(&["dir", "syslog-ident"], |reference, _| {
        let theirs = reference.shown.iter().find(|shown| **shown != "-")?;
        let theirs = if *theirs == "\"\"" { "" } else { theirs };
        let ours = settings.get(reference.name).expect("the name is known");
        Some((String::from_utf8(ours).expect("defaults are text"), theirs.to_string()))
    });
}

#[test]
fn settings_change_when_those_of_the_references_do() {
    check_all(&[], |reference, row| {
        let ours = match row.change {
            Change::AnyTime => "yes",
            Change::AtStart => "no",
            Change::Protected => "protected",
        };
        Some((ours.to_string(), reference.mutable.to_string()))
    });
}

#[test]
fn numbers_have_the_ranges_of_the_references() {
    let ends: BTreeMap<&str, i128> = BTreeMap::from([
        ("INT_MIN", i32::MIN.into()),
        ("INT_MAX", i32::MAX.into()),
        ("UINT_MAX", u32::MAX.into()),
        ("LONG_MAX", i64::MAX.into()),
        ("LLONG_MAX", i64::MAX.into()),
        ("SSIZE_MAX", i64::MAX.into()),
        ("ULONG_MAX", u64::MAX.into()),
        ("ULLONG_MAX", u64::MAX.into()),
        ("IO_THREADS_MAX_NUM", 256),
        ("0777", 0o777),
    ]);
    let end = |text: &str| {
        let factor = |factor: &str| factor.parse().ok().or_else(|| ends.get(factor).copied()).expect("a known bound");
        // A leading zero means octal, which is in the list.
        ends.get(text).copied().unwrap_or_else(|| text.split(" * ").map(factor).product::<i128>())
    };
    // Redis 7 lets any number through, so a file may hold more than Valkey's 64.
    check_all(&["maxmemory-samples"], |reference, row| {
        let (least, most) = reference.range.split_once("..")?;
        let Kind::Number(number) = row.kind else {
            return Some(("no number".to_string(), reference.range.to_string()));
        };
        Some((format!("{}..{}", number.least, number.most), format!("{}..{}", end(least), end(most))))
    });
}

#[test]
fn choices_have_the_names_of_the_references_in_their_order() {
    check_all(&["maxmemory-policy"], |reference, row| {
        let (Kind::Choice(names) | Kind::Flags(names)) = row.kind else { return None };
        Some((names.join("|"), reference.choices.to_string()))
    });
    let more: Vec<_> = EvictionPolicy::NAMES.iter().filter(|name| name.ends_with("lrm")).collect();
    assert_eq!(more, [&"volatile-lrm", &"allkeys-lrm"]);
}

#[test]
fn flags_and_kinds_are_those_of_the_references() {
    check_all(&[], |reference, row| {
        let flags = [
            ("deny_loading", row.waits_for_loading),
            ("hidden", row.is_hidden),
            ("multi_arg", row.kind.takes_many_words()),
            ("sensitive", row.is_secret),
            ("volatile", row.always_applies),
        ];
        let ours = flags.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect::<Vec<_>>().join(",");
        let theirs = reference.flags.split(',').filter(|flag| flags.iter().any(|(name, _)| name == flag));
        let mut theirs: Vec<_> = theirs.collect();
        theirs.sort_unstable();
        Some((ours, theirs.join(",")))
    });
    check_all(&[], |reference, row| {
        let ours = match row.kind {
            Kind::Switch => "bool",
            Kind::Number(_) => "number",
            Kind::Choice(_) | Kind::Flags(_) => "enum",
            Kind::Text { .. } => "text",
            Kind::List(_) => "special",
        };
        let theirs = match reference.kind {
            "string" | "sds" => "text",
            "bool" | "enum" => reference.kind,
            // Its special part is that the process goes there.
            "special" if reference.name == "dir" => "text",
            "special" => "special",
            _ => "number",
        };
        Some((ours.to_string(), theirs.to_string()))
    });
}
