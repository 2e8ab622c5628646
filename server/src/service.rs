//! The server as a service of the system: in the background, with a pid file and a title, and known to who watches over it.

use crate::log;
use crate::settings::Settings;
use crate::settings::process::Supervised;
use crate::shared::Shared;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Who watches over the process, as far as it has said so in the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supervisor {
    #[default]
    Nobody,
    Systemd,
    Upstart,
}

impl Supervisor {
    /// As INFO calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "no",
            Self::Systemd => "systemd",
            Self::Upstart => "upstart",
        }
    }

    /// What `supervised` and the environment come to.
    pub fn of(settings: &Settings) -> Self {
        let systemd = std::env::var_os("NOTIFY_SOCKET").is_some();
        let upstart = std::env::var_os("UPSTART_JOB").is_some();
        match settings.process.supervised.get() {
            Supervised::No => Self::Nobody,
            Supervised::Systemd | Supervised::Auto if systemd => Self::Systemd,
            Supervised::Upstart | Supervised::Auto if upstart => Self::Upstart,
            Supervised::Systemd => {
                log::warning(format_args!(
                    "systemd supervision requested or auto-detected, but NOTIFY_SOCKET is not set!"
                ));
                Self::Nobody
            }
            Supervised::Upstart => {
                log::warning(format_args!("Upstart supervision requested, but UPSTART_JOB is not set!"));
                Self::Nobody
            }
            Supervised::Auto => Self::Nobody,
        }
    }

    /// Tells that the server serves.
    fn ready(self) {
        match self {
            Self::Nobody => {}
            Self::Systemd => notify("READY=1\nSTATUS=Ready to accept connections\n"),
            // Upstart takes a process that stops itself for one that is ready, and lets it go on.
            Self::Upstart => {
                let stopped = signal_hook::low_level::raise(signal_hook::consts::SIGSTOP);
                if let Err(error) = stopped {
                    log::warning(format_args!("Can't tell Upstart that the server is ready: {error}"));
                }
            }
        }
    }

    /// Tells that the server is about to end.
    pub fn stopping(self) {
        if self == Self::Systemd {
            notify("STOPPING=1\n");
        }
    }
}

/// The data is there and connections are served: says so to the log, to the admin port and to who watches over the process.
pub fn ready(shared: &'static Shared) {
    if let Some((host, port)) = &*shared.settings.replication.replicaof.get()
        && let Err(error) = crate::replication::follow(shared, host, *port)
    {
        log::warning(format_args!("{error}"));
    }
    log::notice(format_args!("Ready to accept connections"));
    shared.is_serving.store(true, Ordering::Relaxed);
    shared.supervisor.ready();
}

/// Sends systemd a message.
fn notify(message: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound().and_then(|socket| match name.to_string_lossy().strip_prefix('@') {
        Some(name) => socket.send_to_addr(message.as_bytes(), &SocketAddr::from_abstract_name(name)?),
        None => socket.send_to(message.as_bytes(), Path::new(&name)),
    });
    if let Err(error) = sent {
        log::warning(format_args!("Can't send a notification to systemd: {error}"));
    }
}

/// The pid file, if there is to be one: a daemon has one in any case.
fn pid_file(settings: &Settings) -> Option<PathBuf> {
    let named = settings.process.pidfile.get();
    match named.as_str() {
        "" => settings.process.daemonize.get().then(|| PathBuf::from(PID_FILE)),
        path => Some(PathBuf::from(path)),
    }
}

/// Writes the number of the process to the pid file. The server runs without it, too.
pub fn write_pid_file(settings: &Settings) {
    let Some(path) = pid_file(settings) else { return };
    let written = std::fs::File::create(&path).and_then(|mut file| writeln!(file, "{}", std::process::id()));
    if let Err(error) = written {
        log::warning(format_args!("Failed to write PID file {}: {error}", path.display()));
    }
}

/// Removes what the start left behind in the file system.
pub fn remove_pid_file(settings: &Settings) {
    if let Some(path) = pid_file(settings) {
        // It may have been removed already.
        let _ = std::fs::remove_file(path);
    }
}

/// Moves the process to the background if that is wanted and nobody watches over it.
///
/// # Errors
/// A text that says why it cannot be.
pub fn go_to_background(settings: &Settings) -> Result<(), String> {
    if !settings.process.daemonize.get() {
        return Ok(());
    }
    let is_supervised =
        settings.process.supervised.get() != Supervised::No && Supervisor::of(settings) != Supervisor::Nobody;
    if is_supervised {
        return Ok(());
    }
    ochre_reactor::process::daemonize().map_err(|error| format!("Can't run in the background: {error}"))
}

/// Where the pid file of a daemon is when nothing else was said.
const PID_FILE: &str = "/var/run/ochre.pid";

/// The title that `proc-title-template` makes.
pub fn title(settings: &Settings, program: &str) -> String {
    let network = &settings.network;
    let socket = network.unixsocket.get();
    let port = crate::settings_view::shown_port(settings);
    let bound = network.bind.get();
    let address = match bound.first() {
        _ if port == 0 => socket.to_string(),
        Some(first) => format!("{}:{port}", first.trim_start_matches('-')),
        None => format!("*:{port}"),
    };
    let mode = if settings.is_sentinel() {
        "[sentinel]"
    } else if settings.cluster.cluster_enabled.get() {
        "[cluster]"
    } else {
        ""
    };
    let file = settings.file().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let value = |name: &str| match name {
        "title" => program.to_owned(),
        "listen-addr" => address.clone(),
        "server-mode" => mode.to_owned(),
        "port" => network.port.get().to_string(),
        "tls-port" => settings.tls.tls_port.get().to_string(),
        "unixsocket" => socket.to_string(),
        "config-file" => file.clone(),
        _ => String::new(),
    };
    let template = settings.process.proc_title_template.get();
    let (mut title, mut rest) = (String::new(), template.as_str());
    while let Some((before, after)) = rest.split_once('{') {
        title.push_str(before);
        // `{{` stands for a brace; the settings have checked that every other one is closed.
        match after.strip_prefix('{') {
            Some(after) => {
                title.push('{');
                rest = after;
            }
            None => {
                let (name, after) = after.split_once('}').unwrap_or((after, ""));
                title.push_str(&value(name));
                rest = after;
            }
        }
    }
    title.push_str(rest);
    title.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    #[test]
    fn the_title_is_what_the_template_says() {
        assert_eq!(title(&settings("port 7000"), "ochre-server"), "ochre-server *:7000");
        let lines = "port 7000\nbind 127.0.0.1 -::1\nproc-title-template \"{{x {title} at {listen-addr}, {tls-port}\"";
        assert_eq!(title(&settings(lines), "o"), "{x o at 127.0.0.1:7000, 0");
        assert_eq!(
            title(&settings("port 0\nunixsocket /run/o.sock\ncluster-enabled yes"), "o"),
            "o /run/o.sock [cluster]"
        );
    }

    #[test]
    fn a_daemon_has_a_pid_file() {
        assert_eq!(pid_file(&settings("")), None);
        assert_eq!(pid_file(&settings("daemonize yes")), Some(PathBuf::from(PID_FILE)));
        assert_eq!(pid_file(&settings("pidfile /tmp/x.pid")), Some(PathBuf::from("/tmp/x.pid")));
    }
}
