//! Chores of the repository: `cargo xtask test [step …]` and `cargo xtask tidy`.

mod child;
mod python;
mod steps;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask test [step ...]   run all checks, or the steps named
       cargo xtask tidy              check the repository's own rules
       cargo xtask steps             list the steps";

fn main() -> ExitCode {
    std::env::set_current_dir(root()).expect("the repository is there: this program was built in it");
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test", names @ ..] => steps::run(names),
        ["tidy"] => tidy::run().report(),
        ["steps"] => {
            steps::list();
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The repository's top folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_owned()
}
