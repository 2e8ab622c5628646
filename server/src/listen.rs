//! The sockets that the server listens on: every address of `bind`, and the Unix socket.

use crate::settings::Settings;
use crate::{log, settings_view};
use ochre_reactor::{ListeningSocket, TcpOptions};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

/// Opens all listeners.
///
/// # Errors
/// A text with the address and the reason when one cannot be opened. An address marked with `-` that this machine does not
/// have is left out.
pub fn open(settings: &Settings) -> Result<Vec<ListeningSocket>, String> {
    let mut listeners = Vec::new();
    let port = settings.network.port.get();
    let backlog = settings.network.tcp_backlog.get() as i32;
    let options = TcpOptions { backlog, mark: settings.network.socket_mark_id.get() as u32, ..TcpOptions::default() };
    if port != 0 {
        for address in settings.network.bind.get().iter() {
            let (optional, address) = match address.strip_prefix('-') {
                Some(rest) => (true, rest.to_owned()),
                None => (false, address.clone()),
            };
            match resolve(&address, port).and_then(|address| ListeningSocket::tcp(address, options)) {
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
    }
    if let Some((path, mode)) = settings_view::unix_socket(settings) {
        let listener = ListeningSocket::unix(Path::new(&path), (mode != 0).then_some(mode), backlog);
        listeners.push(listener.map_err(|error| format!("Failed opening Unix socket: bind: {path}: {error}"))?);
    }
    if listeners.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    Ok(listeners)
}

/// The address that a word of `bind` names: `*` is every IPv4 address, `::*` every IPv6 one.
fn resolve(word: &str, port: u16) -> std::io::Result<SocketAddr> {
    let host = match word {
        "*" => "0.0.0.0",
        "::*" => "::",
        other => other,
    };
    (host, port).to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("the name has no address"))
}

fn is_absent(error: &std::io::Error) -> bool {
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
