//! The steps of `cargo xtask test`, in the order in which they run: what is quick to fail comes first.

use crate::child::{Child, Tally};
use crate::tidy;
use std::process::ExitCode;
use std::time::Instant;

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Tally,
}

const STEPS: &[Step] = &[
    Step { name: "format", about: "rustfmt finds nothing to change", run: format },
    Step { name: "tidy", about: "the repository keeps its own rules", run: tidy::run },
    Step { name: "lints", about: "clippy has no warning", run: lints },
    Step { name: "unit", about: "the tests beside the code", run: unit },
    Step { name: "clients", about: "a real client at a real server, in every layout", run: clients },
    Step { name: "python", about: "redis-py at the same server", run: python },
    Step { name: "examples", about: "what people build on it: real web servers, workers and browsers", run: examples },
    Step { name: "loom", about: "all orders in which threads meet at locks and mailboxes", run: loom },
    Step { name: "address", about: "AddressSanitizer watches the crate that holds unsafe code", run: address },
];

/// Prints the steps.
pub fn list() {
    for step in STEPS {
        println!("{:9} {}", step.name, step.about);
    }
}

/// Runs the steps with these names, or all of them, and sums up what passed and what failed.
pub fn run(names: &[&str]) -> ExitCode {
    if let Some(stranger) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        eprintln!("there is no step '{stranger}'; the steps are:");
        list();
        return ExitCode::from(2);
    }
    let mut results = Vec::new();
    for step in STEPS.iter().filter(|step| names.is_empty() || names.contains(&step.name)) {
        println!("\n=== {}: {}", step.name, step.about);
        let started = Instant::now();
        results.push((step.name, (step.run)(), started.elapsed().as_secs()));
    }
    println!("\n=== summary");
    let mut total = Tally::default();
    for (name, tally, seconds) in results {
        let mark = if tally.failed > 0 { "  <-- FAILED" } else { "" };
        println!("{name:9} {:5} ok {:3} not ok {seconds:5} s{mark}", tally.passed, tally.failed);
        total.add(tally);
    }
    total.report()
}

/// The server that the client tests talk to: optimised, with the checks of debug builds.
const SERVER: &str = "target/checked/ochre-server";

fn format() -> Tally {
    Child::new(2, "cargo fmt --all --check").check()
}

fn lints() -> Tally {
    Child::new(10, "cargo clippy --workspace --all-targets --quiet -- -D warnings").check()
}

fn unit() -> Tally {
    Child::new(15, "cargo test --workspace --exclude ochre-client-tests --no-fail-fast --quiet").tests()
}

fn clients() -> Tally {
    with_server(|server| {
        Child::new(15, "cargo test --package ochre-client-tests --no-fail-fast").env("OCHRE_SERVER", server).tests()
    })
}

fn build_server() -> Tally {
    Child::new(15, "cargo build --profile checked --package ochre-server").check()
}

fn python() -> Tally {
    with_server(crate::python::clients)
}

fn examples() -> Tally {
    with_server(crate::python::examples)
}

/// Runs tests that start the server themselves.
fn with_server(tests: fn(&str) -> Tally) -> Tally {
    let built = build_server();
    if built.failed > 0 { built } else { tests(&absolute(SERVER)) }
}

fn loom() -> Tally {
    Child::new(15, "cargo test --package ochre-collections --profile checked --target-dir target/loom loom_")
        .env("RUSTFLAGS", "--cfg loom")
        .tests()
}

/// The sanitizer needs an unstable flag, which the stable compiler takes when it is told to.
fn address() -> Tally {
    let target = "x86_64-unknown-linux-gnu";
    Child::new(15, "cargo test --package ochre-collections --lib --quiet --target-dir target/address")
        .arg("--target")
        .arg(target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("ASAN_OPTIONS", "detect_leaks=1")
        .tests()
}

fn absolute(path: &str) -> String {
    crate::root().join(path).display().to_string()
}
