//! TLS for clients: what the listeners of `tls-port` accept with, made from the settings and made anew when files change.

use crate::log;
use crate::settings::Settings;
use crate::settings::tls::{TlsAuthClients, TlsClientUser};
use crate::shared::Shared;
use ochre_reactor::{Acceptor, CertificateFacts, ClientCertificates, TlsOptions, TlsSummary};
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::SystemTime;

/// What connections are accepted with now.
#[derive(Default)]
pub struct Tls {
    acceptor: RwLock<Option<Acceptor>>,
    /// The files that it was made from, as they were then.
    files: Mutex<Vec<FileState>>,
}

/// A file as far as a change of it can be noticed.
type FileState = (String, Option<SystemTime>, u64);

impl Tls {
    /// Nothing while there is no port for TLS.
    pub fn acceptor(&self) -> Option<Acceptor> {
        self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn summary(&self) -> Option<TlsSummary> {
        self.acceptor().map(|acceptor| acceptor.summary().clone())
    }

    /// Reads the files and takes over what they and the settings say; connections that are there keep what they have.
    ///
    /// # Errors
    /// A text that says what is wrong; everything is as before then.
    pub fn reload(&self, settings: &Settings) -> Result<(), String> {
        let states = file_states(settings);
        let acceptor = match settings.tls.tls_port.get() {
            0 => None,
            _ => Some(Acceptor::new(&options(settings))?),
        };
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = states;
        Ok(())
    }

    /// Reloads when one of the files has changed, and says so in the log.
    pub fn reload_if_changed(&self, settings: &Settings) {
        if *self.files.lock().unwrap_or_else(PoisonError::into_inner) == file_states(settings) {
            log::debug(format_args!("TLS materials unchanged, nothing to reload"));
            return;
        }
        match self.reload(settings) {
            Ok(()) => log::notice(format_args!("TLS materials reloaded successfully")),
            Err(error) => log::warning(format_args!("TLS materials could not be reloaded, the old ones stay: {error}")),
        }
    }
}

/// Looks at the files on a thread of its own: disks may be slow.
pub fn look_for_changes(shared: &'static Shared) {
    let look = || shared.tls.reload_if_changed(&shared.settings);
    if let Err(error) = std::thread::Builder::new().name("tls-reload".into()).spawn(look) {
        log::warning(format_args!("Can't look for new TLS materials: {error}"));
    }
}

/// Takes over a change of the settings.
///
/// # Errors
/// The reply to the client; the log says more.
pub fn apply(shared: &Shared) -> Result<(), String> {
    shared.tls.reload(&shared.settings).map_err(|error| {
        log::warning(format_args!("{error}"));
        "Unable to update TLS configuration. Check server logs.".to_owned()
    })
}

/// The names under which the owner of a certificate may be known as a user, in the order in which they are to be tried.
pub fn user_names(settings: &Settings, peer: CertificateFacts) -> Vec<Vec<u8>> {
    match settings.tls.tls_auth_clients_user.get() {
        TlsClientUser::Off => Vec::new(),
        TlsClientUser::CommonName => peer.common_name.into_iter().collect(),
        TlsClientUser::Uri => peer.uris.into_iter().map(String::into_bytes).collect(),
    }
}

fn options(settings: &Settings) -> TlsOptions {
    let tls = &settings.tls;
    TlsOptions {
        certificate_file: tls.tls_cert_file.get().to_string(),
        key_file: tls.tls_key_file.get().to_string(),
        key_password: tls.tls_key_file_pass.get().to_vec(),
        client_certificate_file: tls.tls_client_cert_file.get().to_string(),
        authorities_file: tls.tls_ca_cert_file.get().to_string(),
        authorities_folder: tls.tls_ca_cert_dir.get().to_string(),
        client_certificates: match tls.tls_auth_clients.get() {
            TlsAuthClients::No => ClientCertificates::None,
            TlsAuthClients::Optional => ClientCertificates::Optional,
            TlsAuthClients::Yes => ClientCertificates::Required,
        },
        protocols: tls.tls_protocols.get().to_string(),
        ciphers: tls.tls_ciphers.get().to_string(),
        ciphersuites: tls.tls_ciphersuites.get().to_string(),
        prefer_server_ciphers: tls.tls_prefer_server_ciphers.get(),
        sessions: tls
            .tls_session_caching
            .get()
            .then(|| (tls.tls_session_cache_size.get(), tls.tls_session_cache_timeout_s.get())),
    }
}

fn file_states(settings: &Settings) -> Vec<FileState> {
    let tls = &settings.tls;
    let mut paths: Vec<String> = [&tls.tls_cert_file, &tls.tls_key_file, &tls.tls_ca_cert_file]
        .iter()
        .map(|file| file.get().to_string())
        .filter(|file| !file.is_empty())
        .collect();
    let folder = tls.tls_ca_cert_dir.get();
    if !folder.is_empty() {
        let entries = std::fs::read_dir(Path::new(folder.as_str())).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path().to_string_lossy().into_owned()).collect();
        files.sort();
        paths.append(&mut files);
    }
    let state = |path: String| {
        let file = std::fs::metadata(&path).ok();
        let length = file.as_ref().map_or(0, std::fs::Metadata::len);
        (path, file.and_then(|file| file.modified().ok()), length)
    };
    paths.into_iter().map(state).collect()
}

/// Whether a client's certificate may name its user.
pub fn names_users(settings: &Settings) -> bool {
    settings.tls.tls_auth_clients_user.get() != TlsClientUser::Off
}
