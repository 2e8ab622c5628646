//! What comes from outside: why it is here, and under which licence.

use std::collections::BTreeSet;
use std::process::Command;

const PAGE: &str = "docs/dependencies.md";

/// Licences that let anybody use, change and sell what is made with them.
const PERMISSIVE: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "Unlicense",
    "Unicode-3.0",
    "Zlib",
    "0BSD",
    "CC0-1.0",
];

/// Dependencies of the workspace that [`PAGE`] does not explain, and lines of it that explain what is gone.
pub fn without_a_reason() -> Vec<String> {
    let (Ok(manifest), Ok(page)) = (std::fs::read_to_string("Cargo.toml"), std::fs::read_to_string(PAGE)) else {
        return vec![format!("Cargo.toml or {PAGE} is missing")];
    };
    let used: BTreeSet<&str> =
        table(&manifest, "[workspace.dependencies]").filter(|name| !name.starts_with("ochre-")).collect();
    let explained: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let missing = used.difference(&explained).map(|name| format!("{PAGE} says nothing of {name}"));
    let gone = explained.difference(&used).map(|name| format!("{PAGE} explains {name}, which nothing uses"));
    missing.chain(gone).collect()
}

/// The names in a table of a manifest.
fn table<'a>(manifest: &'a str, header: &str) -> impl Iterator<Item = &'a str> {
    let inside = manifest.lines().skip_while(move |line| *line != header).skip(1);
    inside.take_while(|line| !line.starts_with('[')).filter_map(|line| Some(line.split_once(" = ")?.0))
}

/// Packages of all platforms whose licence does not let them in.
pub fn with_a_foreign_licence() -> Vec<String> {
    let words =
        ["tree", "--workspace", "--edges", "all", "--target", "all", "--prefix", "none", "--format", "{p}\t{l}"];
    let output = match Command::new("cargo").args(words).output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => return vec![String::from_utf8_lossy(&output.stderr).into_owned()],
        Err(error) => return vec![format!("cargo tree: {error}")],
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let packages: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(of, licence)| (of, licence.trim_end_matches(" (*)")))
        .collect();
    if packages.is_empty() {
        return vec!["cargo tree lists no package".to_owned()];
    }
    let foreign = packages.into_iter().filter(|(_, licence)| !is_permissive(licence));
    foreign.map(|(package, licence)| format!("{package}: '{licence}'")).collect()
}

/// Whether the terms of an SPDX expression can be met: of alternatives one must be permissive, of what is joined by AND all.
fn is_permissive(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let term = |term: &str| PERMISSIVE.contains(&term.trim().split(" WITH ").next().unwrap_or_default());
    // Parentheses are dropped, so that AND binds less: an expression may be refused that one could accept, never the reverse.
    expression.split(" AND ").all(|joined| joined.split(" OR ").any(term))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_must_leave_a_permissive_choice() {
        for good in ["MIT", "MIT/Apache-2.0", "Apache-2.0 OR GPL-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert!(is_permissive(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-2.0", "SSPL-1.0 OR AGPL-3.0", "RSALv2"] {
            assert!(!is_permissive(bad), "{bad}");
        }
    }

    #[test]
    fn a_table_ends_where_the_next_begins() {
        let manifest = "[a]\nx = 1\n[b]\ny = 2\nz = { version = \"1\" }\n\n[c]\nw = 1\n";
        assert_eq!(table(manifest, "[b]").collect::<Vec<_>>(), ["y", "z"]);
    }
}
