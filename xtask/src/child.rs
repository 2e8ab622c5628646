//! Programs that a step runs: their output goes on to the terminal, and the tests that they report are counted.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// What became of some checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
}

impl Tally {
    /// One check that has passed or failed.
    pub fn one(passed: bool) -> Self {
        Tally { passed: usize::from(passed), failed: usize::from(!passed) }
    }

    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Prints the closing line; the exit code says whether all is well. That nothing was checked is not.
    pub fn report(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A program with its arguments, its environment and the time it may take.
pub struct Child {
    command: Command,
    words: String,
}

impl Child {
    /// `line` is split at spaces; what must hold one goes through [`Child::arg`].
    pub fn new(minutes_max: u32, line: &str) -> Self {
        // coreutils' timeout ends the whole process group, a hanging test with its server included.
        let mut command = Command::new("timeout");
        command.arg("--kill-after=10").arg(format!("{minutes_max}m")).args(line.split_whitespace());
        command.stdin(Stdio::null());
        // What cargo tells a program that it runs would make the inner cargo build some crates again.
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CFLAGS" {
                command.env_remove(name);
            }
        }
        Child { command, words: line.to_owned() }
    }

    pub fn arg(mut self, word: &str) -> Self {
        self.command.arg(word);
        self.words = format!("{} {word}", self.words);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.words = format!("{name}='{value}' {}", self.words);
        self
    }

    /// Runs a program that is one check: it passes when it exits with 0.
    pub fn check(mut self) -> Tally {
        let started = Instant::now();
        println!("$ {}", self.words);
        let passed = self.command.status().is_ok_and(|status| status.success());
        self.finish(started, passed);
        Tally::one(passed)
    }

    /// Runs a test runner: its tests are counted from what it prints. One that fails without a failed test counts as one.
    pub fn tests(mut self) -> Tally {
        let started = Instant::now();
        println!("$ {}", self.words);
        let mut tally = Tally::default();
        let passed = match self.command.stdout(Stdio::piped()).spawn() {
            Ok(mut child) => {
                let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
                for line in output.split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line);
                    println!("{line}");
                    tally.add(counted(&line));
                }
                child.wait().is_ok_and(|status| status.success())
            }
            Err(_) => false,
        };
        self.finish(started, passed);
        if !passed && tally.failed == 0 || tally == Tally::default() {
            tally.failed += 1;
        }
        tally
    }

    fn finish(&self, started: Instant, passed: bool) {
        let verdict = if passed { "passed" } else { "FAILED" };
        println!("{verdict} in {} s: {}", started.elapsed().as_secs(), self.words);
    }
}

/// The tests that a closing line of cargo test or of pytest speaks of.
fn counted(line: &str) -> Tally {
    let ours = line.starts_with("test result: ")
        || (line.trim_end_matches(['=', ' ']).ends_with('s') && line.contains(" in "));
    if !ours || line.starts_with("$ ") {
        return Tally::default();
    }
    let words: Vec<&str> = line.split([' ', ',', ';', '=']).filter(|word| !word.is_empty()).collect();
    let mut tally = Tally::default();
    for pair in words.windows(2) {
        let Ok(count) = pair[0].parse::<usize>() else { continue };
        match pair[1] {
            "passed" => tally.passed += count,
            "failed" | "error" | "errors" => tally.failed += count,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_others_are_not() {
        let check = |line: &str, passed, failed| assert_eq!(counted(line), Tally { passed, failed }, "{line}");
        check("test result: ok. 8 passed; 0 failed; 0 ignored; 0 measured; 65 filtered out; finished in 23.27s", 8, 0);
        check(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            3,
            2,
        );
        check("12 passed in 3.04s", 12, 0);
        check("==== 1 failed, 12 passed, 1 warning in 3.04s ====", 12, 1);
        check("2 errors in 0.10s", 0, 2);
        check("test a_test_with_3_passed ... ok", 0, 0);
        check("running 8 tests", 0, 0);
    }
}
