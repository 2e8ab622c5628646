//! Rules for source files.

use std::path::Path;

/// Lines that a file may have.
const LINES_MAX: usize = 800;

/// Longer files, each with its reason.
const LONGER: &[(&str, &str)] = &[];

/// Crates that may hold unsafe code.
const UNSAFE: &[&str] = &["ground/collections/", "ground/reactor/"];

/// Files that may sleep, each with its reason.
const SLEEPING: &[(&str, &str)] = &[
    ("ground/collections/src/lock/shards.rs", "who waits for shards without a client to park backs off"),
    ("server/src/admin.rs", "short of descriptors, trying again at once would only keep a core busy"),
    ("server/src/commands/server/debug.rs", "DEBUG SLEEP is there to sleep"),
    ("server/src/persistence/writer.rs", "DEBUG AOF-FLUSH-SLEEP is there to sleep"),
    ("server/src/listen.rs", "a port that a killed process still holds is waited for"),
    ("tests/clients/src/wait.rs", "the one place where tests wait for what a server does by itself"),
];

/// All Rust sources, as (path from the top, text).
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["ground", "data", "services", "server", "tools", "tests", "fuzz", "benches", "xtask"] {
        collect(Path::new(folder), &mut found);
    }
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
            found.push((path.display().to_string(), text));
        }
    }
}

/// Complaints about single lines, as `path:line: what`; comments are left out, and so is this crate, which names what it forbids.
fn lines(complain: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| !path.starts_with("xtask/")) {
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(complaint) = complain(path, code) {
                complaints.push(format!("{path}:{number}: {complaint}"));
            }
        }
    }
    complaints
}

/// The compiler refuses unsafe code where nobody allows it, so it is enough to look for who allows it.
pub fn unsafe_elsewhere() -> Vec<String> {
    lines(|path, code| {
        let allows = code.contains("(unsafe_code") && !code.contains("deny(") && !code.contains("forbid(");
        let may = UNSAFE.iter().any(|home| path.starts_with(home));
        (allows && !may).then(|| "allows unsafe code".to_owned())
    })
}

/// Files that have outgrown a page, and exceptions that are none any more.
pub fn too_long() -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let count = text.lines().count();
        match LONGER.iter().any(|(longer, _)| *longer == path) {
            false if count > LINES_MAX => {
                complaints.push(format!("{path} has {count} lines; look for the two ideas in it"))
            }
            true if count <= LINES_MAX => {
                complaints.push(format!("{path} is no longer too long: strike it from the list"))
            }
            _ => {}
        }
    }
    complaints
}

/// Files that do not say what they are.
pub fn without_a_sentence() -> Vec<String> {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    silent.map(|(path, _)| format!("{path} does not begin with `//!` and a sentence")).collect()
}

/// Code to be written later, and tests that do not run.
pub fn unfinished() -> Vec<String> {
    const WORDS: &[&str] = &["todo!(", "unimplemented!(", "dbg!(", "#[ignore"];
    lines(|_, code| WORDS.iter().find(|word| code.contains(**word)).map(|word| format!("holds {word}")))
}

/// Sleeping outside of the places that must.
pub fn sleeping() -> Vec<String> {
    lines(|path, code| {
        let may = SLEEPING.iter().any(|(of, _)| *of == path);
        (code.contains("thread::sleep(") && !may).then(|| "sleeps; wait for an event instead".to_owned())
    })
}
