//! Which crate may import which: a crate of one floor knows its own floor and those below.

use std::path::{Path, PathBuf};

/// From the ground up; what lies in a folder of this name belongs to that floor.
const FLOORS: &[&str] = &["ground", "data", "services", "server", "tools"];

/// The crates of the repository that others may import, as (floor, name, manifest).
fn crates() -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    for (floor, folder) in FLOORS.iter().enumerate() {
        for manifest in manifests(Path::new(folder)) {
            let text = std::fs::read_to_string(&manifest).expect("the manifest was just listed");
            let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
            found.push((floor, name.unwrap_or_default().to_owned(), text));
        }
    }
    found
}

/// The manifest of a folder, or those of the folders in it.
fn manifests(folder: &Path) -> Vec<PathBuf> {
    let own = folder.join("Cargo.toml");
    if own.exists() {
        return vec![own];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut manifests: Vec<_> =
        entries.map(|entry| entry.path().join("Cargo.toml")).filter(|path| path.exists()).collect();
    manifests.sort();
    manifests
}

/// Imports that go up, services that know each other, and lints that a crate does not take from the workspace.
pub fn complaints() -> Vec<String> {
    let crates = crates();
    let floor_of = |name: &str| crates.iter().find(|(_, of, _)| of == name).map(|(floor, ..)| *floor);
    let services = FLOORS.iter().position(|floor| *floor == "services");
    let mut complaints = Vec::new();
    for (floor, name, manifest) in &crates {
        for imported in imports(manifest) {
            match floor_of(imported) {
                None => complaints.push(format!("{name} imports {imported}, which stands on no floor")),
                Some(above) if above > *floor => {
                    complaints.push(format!("{name} ({}) imports {imported} ({})", FLOORS[*floor], FLOORS[above]));
                }
                Some(same) if same == *floor && services == Some(same) => {
                    complaints.push(format!("{name} imports {imported}: no service knows another"));
                }
                Some(_) => {}
            }
        }
        if !manifest.contains("[lints]\nworkspace = true") {
            complaints.push(format!("{name} does not take its lints from the workspace"));
        }
    }
    if crates.is_empty() {
        complaints.push("no crate was found".to_owned());
    }
    complaints
}

/// The crates of this repository that a manifest names as dependencies, for tests too.
fn imports(manifest: &str) -> impl Iterator<Item = &str> {
    let name_of = |line: &'_ str| line.find(['.', ' ', '=']).map(|end| line[..end].len());
    manifest.lines().filter(|line| line.starts_with("ochre-")).filter_map(move |line| Some(&line[..name_of(line)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_the_lines_that_name_our_crates() {
        let manifest = "[package]\nname = \"ochre-x\"\n[dependencies]\nochre-text.workspace = true\nlibc = \"1\"\nochre-clock = { path = \"\" }\n";
        assert_eq!(imports(manifest).collect::<Vec<_>>(), ["ochre-text", "ochre-clock"]);
    }
}
