//! The steps of `cargo xtask test`, in the order in which they run: what is quick to fail comes first.

use crate::child::{Child, Tally};
use crate::tidy;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
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
    let built = build_server();
    if built.failed > 0 {
        return built;
    }
    let server = absolute(SERVER);
    Child::new(15, "cargo test --package ochre-client-tests --no-fail-fast").env("OCHRE_SERVER", &server).tests()
}

fn build_server() -> Tally {
    Child::new(15, "cargo build --profile checked --package ochre-server").check()
}

fn python() -> Tally {
    let built = build_server();
    if built.failed > 0 {
        return built;
    }
    if !python_is_ready() {
        return Tally::one(false);
    }
    Child::new(10, ".cache/python/bin/python -m pytest -q -p no:cacheprovider tests/python")
        .env("OCHRE_SERVER", &absolute(SERVER))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .tests()
}

/// Makes the virtual environment when it is missing or older than what it is to hold.
fn python_is_ready() -> bool {
    let wanted = std::fs::read_to_string("tests/python/requirements.txt").unwrap_or_default();
    let stamp = Path::new(".cache/python/ready.txt");
    if std::fs::read_to_string(stamp).is_ok_and(|ready| ready == wanted) {
        return true;
    }
    let _ = std::fs::remove_dir_all(".cache/python");
    let made = Child::new(2, "python3 -m venv .cache/python").check().failed == 0
        || (install("python3-venv") && Child::new(2, "python3 -m venv --clear .cache/python").check().failed == 0);
    let install = ".cache/python/bin/python -m pip install --quiet --disable-pip-version-check -r";
    made && Child::new(5, install).arg("tests/python/requirements.txt").check().failed == 0
        && std::fs::write(stamp, wanted).is_ok()
}

/// Installs a Debian package; whoever is not root does so through sudo.
fn install(package: &str) -> bool {
    let is_root = Command::new("id").arg("-u").stderr(Stdio::null()).output().is_ok_and(|id| id.stdout == b"0\n");
    let sudo = if is_root { "" } else { "sudo " };
    Child::new(5, &format!("{sudo}apt-get update -qq")).check().failed == 0
        && Child::new(10, &format!("{sudo}apt-get install -y -qq {package}")).check().failed == 0
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
