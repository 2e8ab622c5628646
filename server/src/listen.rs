//! The sockets that the server listens on: every address of `bind`, and the Unix socket.

use crate::settings::Settings;
use crate::shared::{Message, Shared};
use crate::{log, settings_view};
use ochre_reactor::{ListeningSocket, TcpOptions};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The TCP listeners that are open, for CONFIG SET to close them from any thread.
#[derive(Default)]
pub struct OpenListeners(Mutex<Vec<OwnedFd>>);

impl OpenListeners {
    /// Stops listening at once.
    pub fn close(&self) {
        for listener in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A socket of the other end's kind, but what is shut down here is any socket: it stops listening at once and frees its
            // port, whenever its loop gets to close it. If it listens no more already, that is as well.
            let _ = TcpStream::from(listener).shutdown(Shutdown::Both);
        }
    }
}

/// A TCP listener, and what those who connect to it speak.
pub struct Listener {
    pub socket: ListeningSocket,
    pub is_tls: bool,
}

/// Opens the listeners of the start and hands those of TCP to the first loop; the answer is the Unix socket, if there is one.
///
/// # Errors
/// A text with the address and the reason when one cannot be opened.
pub fn open(shared: &Shared) -> Result<Option<ListeningSocket>, String> {
    listen_anew(shared)?;
    let unix = open_unix(&shared.settings)?;
    if unix.is_none() && settings_view::shown_port(&shared.settings) == 0 {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    Ok(unix)
}

/// Closes the TCP listeners and opens those that the settings ask for now.
///
/// # Errors
/// As `open`; nothing listens on TCP then.
pub fn listen_anew(shared: &Shared) -> Result<(), String> {
    shared.listeners.close();
    let mut open = shared.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
    let listeners = open_tcp(&shared.settings)?;
    for listener in &listeners {
        let copy = listener.socket.as_fd().try_clone_to_owned();
        open.push(copy.map_err(|error| format!("Can't keep a listener open: {error}"))?);
    }
    shared.desks[0].post(Message::Listen(listeners));
    Ok(())
}

fn open_tcp(settings: &Settings) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    for (port, is_tls) in [(settings.network.port.get(), false), (settings.tls.tls_port.get(), true)] {
        if port != 0 {
            let sockets = open_port(settings, port)?;
            listeners.extend(sockets.into_iter().map(|socket| Listener { socket, is_tls }));
        }
    }
    Ok(listeners)
}

/// A listener for each address of `bind`. One marked with `-` that this machine does not have is left out.
fn open_port(settings: &Settings, port: u16) -> Result<Vec<ListeningSocket>, String> {
    let backlog = settings.network.tcp_backlog.get() as i32;
    let options = TcpOptions { backlog, mark: settings.network.socket_mark_id.get() as u32, ..TcpOptions::default() };
    let mut listeners = Vec::new();
    for address in settings.network.bind.get().iter() {
        let (optional, address) = match address.strip_prefix('-') {
            Some(rest) => (true, rest.to_owned()),
            None => (false, address.clone()),
        };
        match resolve(&address, port).and_then(|address| listen_patiently(address, options)) {
            Ok(listener) => listeners.push(listener),
            Err(error) if optional && is_absent(&error) => {}
            Err(error) => {
                log::warning(format_args!(
                    "Warning: Could not create server TCP listening socket {address}:{port}: {error}"
                ));
                return Err(format!("Failed listening on port {port} (tcp), aborting."));
            }
        }
    }
    Ok(listeners)
}

fn open_unix(settings: &Settings) -> Result<Option<ListeningSocket>, String> {
    let Some((path, mode)) = settings_view::unix_socket(settings) else { return Ok(None) };
    let backlog = settings.network.tcp_backlog.get() as i32;
    let listener = ListeningSocket::unix(Path::new(&path), (mode != 0).then_some(mode), backlog);
    let listener = listener.map_err(|error| format!("Failed opening Unix socket: bind: {path}: {error}"))?;
    let group = settings.network.unixsocketgroup.get();
    if !group.is_empty() {
        // The group may connect a moment after everybody else who may: nobody can who must not.
        let given = group_number(&group)
            .and_then(|number| std::os::unix::fs::chown(&path, None, Some(number)).map_err(|error| error.to_string()));
        given.map_err(|error| format!("Can't give the Unix socket {path} to the group {group}: {error}"))?;
    }
    Ok(Some(listener))
}

/// The number of a group, which may be given as a number already.
fn group_number(group: &str) -> Result<u32, String> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let groups = std::fs::read_to_string("/etc/group").map_err(|error| format!("/etc/group: {error}"))?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(group));
    let number = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
    number.ok_or_else(|| "there is no such group".to_owned())
}

/// So long a port may still belong to a process that has just ended, ms.
const RELEASE_MS_MAX: u64 = 500;

/// Listens on a port that a killed server may be about to leave: the kernel closes the sockets of an io_uring on a thread of its
/// own, ≈6 ms after the process is gone, and whoever starts it again at once must not fail.
fn listen_patiently(address: SocketAddr, options: TcpOptions) -> std::io::Result<ListeningSocket> {
    let started = std::time::Instant::now();
    loop {
        match ListeningSocket::tcp(address, options) {
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrInUse
                    && started.elapsed().as_millis() < u128::from(RELEASE_MS_MAX) =>
            {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            outcome => return outcome,
        }
    }
}

/// The address that a word of `bind` names: `*` is every IPv4 address, `::*` every IPv6 one.
pub fn resolve(word: &str, port: u16) -> std::io::Result<SocketAddr> {
    let host = match word {
        "*" => "0.0.0.0",
        "::*" => "::",
        other => other,
    };
    (host, port).to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("the name has no address"))
}

pub fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | Unsupported) || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Removes the Unix socket's file at the end.
pub fn remove_unix_socket(settings: &Settings) {
    if let Some((path, _)) = settings_view::unix_socket(settings) {
        // It may have been removed already.
        let _ = std::fs::remove_file(path);
    }
}
