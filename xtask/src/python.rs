//! The steps that run Python's tests: each in a virtual environment with what its `requirements.txt` names.

use crate::child::{Child, Tally};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What pytest is told by both steps; `-rs` says by name what was left out, and why.
const PYTEST: &str = "-m pytest -q -rs -p no:cacheprovider";

/// redis-py at the server.
pub fn clients(server: &str) -> Tally {
    look_for(&[("openssl", "/usr/bin/openssl"), ("redis-tools", "/usr/bin/redis-cli")]);
    run(Path::new(".cache/python"), "tests/python/requirements.txt", "tests/python", server)
}

/// The examples, in an environment that all clones of the repository share.
pub fn examples(server: &str) -> Tally {
    look_for(PACKAGES);
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from(".cache"), PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    let place = caches.join("ochre/examples");
    run(&place, "examples/requirements.txt", "--import-mode=importlib --rootdir examples examples", server)
}

/// Installs those Debian packages whose file is not there.
fn look_for(packages: &[(&str, &str)]) {
    let missing = packages.iter().filter(|(_, file)| !Path::new(file).exists());
    let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
    if !missing.is_empty() && !install(&missing.join(" ")) {
        println!("Tests that need one of these will be left out: {}", missing.join(", "));
    }
}

/// Debian packages that examples need, and a file of each.
const PACKAGES: &[(&str, &str)] = &[
    ("nginx-light", "/usr/sbin/nginx"),
    ("libnginx-mod-http-lua", "/usr/lib/nginx/modules/ngx_http_lua_module.so"),
    ("chromium", "/usr/bin/chromium"),
    ("chromium-driver", "/usr/bin/chromedriver"),
];

fn run(place: &Path, requirements: &str, tests: &str, server: &str) -> Tally {
    if !is_ready(place, requirements) {
        return Tally::one(false);
    }
    Child::new(10, &format!("{} {PYTEST} {tests}", python_of(place)))
        .env("OCHRE_SERVER", server)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .tests()
}

fn python_of(place: &Path) -> String {
    place.join("bin/python").display().to_string()
}

/// Makes the virtual environment at `place` when it is missing or older than what it is to hold.
fn is_ready(place: &Path, requirements: &str) -> bool {
    let wanted = std::fs::read_to_string(requirements).unwrap_or_default();
    let stamp = place.join("ready.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|ready| ready == wanted) {
        return true;
    }
    let _ = std::fs::remove_dir_all(place);
    let shown = place.display();
    let made = Child::new(2, &format!("python3 -m venv {shown}")).check().failed == 0
        || (install("python3-venv") && Child::new(2, &format!("python3 -m venv --clear {shown}")).check().failed == 0);
    let install = format!("{} -m pip install --quiet --disable-pip-version-check -r {requirements}", python_of(place));
    made && Child::new(5, &install).check().failed == 0 && std::fs::write(stamp, wanted).is_ok()
}

/// Installs Debian packages; whoever is not root does so through sudo.
fn install(packages: &str) -> bool {
    let is_root = Command::new("id").arg("-u").stderr(Stdio::null()).output().is_ok_and(|id| id.stdout == b"0\n");
    let sudo = if is_root { "" } else { "sudo " };
    Child::new(5, &format!("{sudo}apt-get update -qq")).check().failed == 0
        && Child::new(10, &format!("{sudo}apt-get install -y -qq {packages}")).check().failed == 0
}
