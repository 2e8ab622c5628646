//! What a server needs to accept TLS: made from files, and made anew when they change.

use super::certificate::CertificateFacts;
use super::sessions::Sessions;
use super::{ciphers, keys};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    None,
    /// Those that are shown must be valid.
    Optional,
    #[default]
    Required,
}

/// Files and choices, in the words of the directives. Empty texts are what was not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    pub certificate_file: String,
    pub key_file: String,
    pub key_password: Vec<u8>,
    /// Shown to other servers; empty when there is none of that kind.
    pub client_certificate_file: String,
    pub authorities_file: String,
    pub authorities_folder: String,
    pub client_certificates: ClientCertificates,
    pub protocols: String,
    pub ciphers: String,
    pub ciphersuites: String,
    pub prefer_server_ciphers: bool,
    /// Sessions that clients may resume, and for how many seconds; `None` for no resumption.
    pub sessions: Option<(usize, u64)>,
}

/// Makes TLS connections out of accepted sockets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    summary: Arc<Summary>,
}

/// What INFO tells about the certificates in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub server: CertificateFacts,
    /// What is shown to other servers, when that is another certificate.
    pub client: Option<CertificateFacts>,
    /// The authority whose certificate expires first.
    pub authority: Option<CertificateFacts>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    /// A text that names the directive or the file and says what is wrong.
    pub fn new(options: &TlsOptions) -> Result<Self, String> {
        if options.certificate_file.is_empty() {
            return Err("No tls-cert-file configured!".into());
        }
        if options.key_file.is_empty() {
            return Err("No tls-key-file configured!".into());
        }
        let chain = certificates(Path::new(&options.certificate_file), "certificate")?;
        let Some(first) = chain.first() else {
            return Err(format!("Failed to load certificate: {}: there is none in it", options.certificate_file));
        };
        let server = CertificateFacts::read(first).unwrap_or_default();
        let client = match options.client_certificate_file.as_str() {
            "" => None,
            file => certificates(Path::new(file), "client certificate")?
                .first()
                .and_then(|certificate| CertificateFacts::read(certificate)),
        };
        let key_problem = |error: String| format!("Failed to load private key: {}: {error}", options.key_file);
        let pem = fs::read(&options.key_file).map_err(|error| key_problem(error.to_string()))?;
        let key = keys::read(&pem, &options.key_password).map_err(key_problem)?;

        let mut provider = rustls::crypto::ring::default_provider();
        ciphers::choose(&mut provider, &options.ciphers, &options.ciphersuites)?;
        let versions = ciphers::versions(&options.protocols)?;
        let signing = provider.key_provider.load_private_key(key).map_err(|error| key_problem(error.to_string()))?;
        let certified = CertifiedKey::new(chain, signing);
        if let Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) = certified.keys_match() {
            return Err(key_problem("it is not the key of the certificate".into()));
        }
        let (roots, authority) = authorities(options)?;
        let provider = Arc::new(provider);
        let verifier = match options.client_certificates {
            ClientCertificates::None => WebPkiClientVerifier::no_client_auth(),
            _ if roots.is_empty() => {
                return Err("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-auth-clients is \
                            enabled!"
                    .into());
            }
            wanted => {
                let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
                let is_optional = wanted == ClientCertificates::Optional;
                let builder = if is_optional { builder.allow_unauthenticated() } else { builder };
                builder.build().map_err(|error| format!("Failed to configure CA certificate(s): {error}"))?
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| format!("Failed to configure TLS: {error}"))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.ignore_client_order = options.prefer_server_ciphers;
        match options.sessions {
            Some((most, seconds)) => {
                config.session_storage = Arc::new(Sessions::new(most, Duration::from_secs(seconds)));
            }
            None => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
        }
        Ok(Self { config: Arc::new(config), summary: Arc::new(Summary { server, client, authority }) })
    }

    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// Every certificate of a PEM file.
fn certificates(file: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let problem = |error: &dyn std::fmt::Display| format!("Failed to load {what}: {}: {error}", file.display());
    let pem = fs::read(file).map_err(|error| problem(&error))?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| problem(&error))
}

/// The authorities of the file and of all files in the folder, and the facts of the one that expires first.
fn authorities(options: &TlsOptions) -> Result<(RootCertStore, Option<CertificateFacts>), String> {
    let mut roots = RootCertStore::empty();
    let mut first: Option<CertificateFacts> = None;
    let mut trust = |certificate: CertificateDer<'static>| {
        if let Some(facts) = CertificateFacts::read(&certificate)
            && first.as_ref().is_none_or(|first| facts.expires_s < first.expires_s)
        {
            first = Some(facts);
        }
        roots.add(certificate)
    };
    if !options.authorities_file.is_empty() {
        let all = certificates(Path::new(&options.authorities_file), "CA certificate(s)")?;
        if all.is_empty() {
            return Err(format!("Failed to configure CA certificate(s): none in {}", options.authorities_file));
        }
        for certificate in all {
            trust(certificate).map_err(|error| format!("Failed to configure CA certificate(s): {error}"))?;
        }
    }
    if !options.authorities_folder.is_empty() {
        let folder = &options.authorities_folder;
        let problem =
            |error: std::io::Error| format!("Failed to configure CA certificate(s) directory: {folder}: {error}");
        let mut files: Vec<_> = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(problem)?;
        files.sort();
        // A folder of authorities holds other files, too, and links to the same ones.
        for file in files.into_iter().filter(|file| file.is_file()) {
            for certificate in certificates(&file, "CA certificate").unwrap_or_default() {
                let _ = trust(certificate);
            }
        }
    }
    Ok((roots, first))
}
