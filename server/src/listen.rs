//! The sockets that the server listens on: every address of `bind`, and the Unix socket.

use crate::settings::Settings;
use crate::{log, settings_view};
use ochre_reactor::ListeningSocket;

/// Opens all listeners.
///
/// # Errors
/// A text with the address and the reason when one cannot be opened. An address marked with `-` that this machine does not
/// have is left out.
pub fn open(settings: &Settings) -> Result<Vec<ListeningSocket>, String> {
    let mut listeners = Vec::new();
    let port = settings_view::port(settings);
    let backlog = settings_view::tcp_backlog(settings);
    if port != 0 {
        for address in settings_view::bind_addresses(settings) {
            let (optional, address) = match address.strip_prefix('-') {
                Some(rest) => (true, rest.to_owned()),
                None => (false, address),
            };
            match ListeningSocket::tcp(&address, port, backlog) {
                Ok(listener) => listeners.push(listener),
                Err(error) if optional && is_absent(&error) => {}
                Err(error) => {
                    log::warning(format_args!("Warning: Could not create server TCP listening socket {address}:{port}: {error}"));
                    return Err(format!("Failed listening on port {port} (tcp), aborting."));
                }
            }
        }
    }
    if let Some((path, mode)) = settings_view::unix_socket(settings) {
        let listener = ListeningSocket::unix(&path, mode, backlog);
        listeners.push(listener.map_err(|error| format!("Failed opening Unix socket: bind: {path}: {error}"))?);
    }
    if listeners.is_empty() {
        return Err("Configured to not listen anywhere, exiting.".into());
    }
    Ok(listeners)
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
