//! The manual's page of settings, made from the table.

use std::fmt::Write;

use ochre_config::{Change, Kind, Unit, memory_in_units};

use super::not_yet::is_not_yet;
use super::{IGNORED, Row, THEMES};

/// `docs/configuration.md`.
pub(crate) fn configuration_page() -> String {
    let mut page = INTRODUCTION.to_string();
    for (theme, rows) in THEMES {
        let _ =
            write!(page, "\n## {theme}\n\n| Directive | Value | Default | Change | Meaning |\n|---|---|---|---|---|\n");
        for row in *rows {
            page.push_str(&line(theme, row));
        }
    }
    let ignored: Vec<_> = IGNORED.iter().map(|name| format!("`{name}`")).collect();
    let _ = write!(page, "\n## Read over\n\nAccepted in files and otherwise unknown: {}.\n", ignored.join(", "));
    page
}

fn line(theme: &str, row: &Row) -> String {
    let names: Vec<_> = std::iter::once(&row.name).chain(row.aliases).map(|name| format!("`{name}`")).collect();
    let default = if row.default.is_empty() { "–".to_string() } else { format!("`{}`", row.default) };
    let change = match row.change {
        Change::AnyTime => "any time",
        Change::AtStart => "at the start",
        Change::Protected => "protected",
    };
    let effect = match row.has_effect {
        true if is_not_yet(theme, row) => "**Not yet.** ",
        true => "",
        false => "**Without effect.** ",
    };
    let hidden = if row.is_hidden { " Hidden from patterns." } else { "" };
    let value = value_of(row).replace('|', "\\|");
    format!("| {} | {value} | {default} | {change} | {effect}{}{hidden} |\n", names.join(", "), row.about)
}

fn value_of(row: &Row) -> String {
    match row.kind {
        Kind::Switch => "yes, no".to_string(),
        Kind::Choice(names) => names.join(", "),
        Kind::Flags(names) => format!("any of {}", names.join(", ")),
        Kind::Text { .. } => "text".to_string(),
        Kind::List(list) => list.form().to_string(),
        Kind::Number(number) => {
            let (least, most) = (end(number.least, number.unit), end(number.most, number.unit));
            let range = match (number.least, most.is_empty()) {
                (_, false) if number.unit == Unit::BytesOrPercent => format!("up to {most}"),
                (_, false) => format!("{least} to {most}"),
                (_, true) if least.is_empty() => "any".to_string(),
                (_, true) => format!("from {least}"),
            };
            match number.unit {
                Unit::Plain => range,
                Unit::Bytes => format!("bytes, {range}"),
                Unit::SignedBytes => format!("bytes, {range}"),
                Unit::BytesOrPercent => "bytes or percent".to_string(),
                Unit::Octal => format!("octal, {range}"),
            }
        }
    }
}

/// An end of a range; nothing where the type of the number ends.
fn end(number: i128, unit: Unit) -> String {
    let is_end = number == i128::from(i32::MIN) || number >= i128::from(i32::MAX);
    match unit {
        _ if is_end => String::new(),
        Unit::Bytes | Unit::SignedBytes => u64::try_from(number).map_or_else(|_| number.to_string(), memory_in_units),
        Unit::Octal => format!("{number:o}"),
        _ => number.to_string(),
    }
}

const INTRODUCTION: &str = "\
# Configuration

This page is made from the table in `server/src/settings`: `ochre-server --print-directives > docs/configuration.md`.

A setting comes from the config file, then from the environment (`OCHRE_*`), then from standard input (`-`), then from the command line (`--directive value`), and the last one
wins. CONFIG SET changes those that may change at any time; protected ones only where `enable-protected-configs` allows it. CONFIG
REWRITE writes what differs from the defaults back to the file. What another server needs and this one does not is accepted and shown,
so that files and clients work unchanged; it is marked as without effect. What is marked as not yet will do what it says in a later version;
the log names such settings at the start when somebody has changed them.

In files there are also `include` (a path or pattern), `user` and `rename-command`. `loadmodule` ends the start, but for the modules that
come with Redis 8: what its `redis-full.conf` says of them (`search-*`, `ts-*`, `bf-*`, `cf-*`) is read over with a warning. Bytes may be
written with b, k, kb, m, mb, g or gb; k is 1000 and kb is 1024.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let page = std::fs::read_to_string(path).expect("the manual has a page of settings");
        assert!(page == configuration_page(), "run ochre-server --print-directives > docs/configuration.md");
    }
}
