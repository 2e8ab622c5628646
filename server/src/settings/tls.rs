//! Settings of TLS.

use ochre_config::{Live, Shared, choices};

use super::{INT, PORT, Row};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Tls {
    pub(crate) tls_port: Live<u16>,
    pub(crate) tls_replication: Live<bool>,
    pub(crate) tls_cluster: Live<bool>,
    pub(crate) tls_auth_clients: Live<TlsAuthClients>,
    pub(crate) tls_auth_clients_user: Live<TlsClientUser>,
    pub(crate) tls_cert_file: Shared<String>,
    pub(crate) tls_key_file: Shared<String>,
    pub(crate) tls_key_file_pass: Shared<Vec<u8>>,
    pub(crate) tls_client_cert_file: Shared<String>,
    pub(crate) tls_client_key_file: Shared<String>,
    pub(crate) tls_client_key_file_pass: Shared<Vec<u8>>,
    pub(crate) tls_ca_cert_file: Shared<String>,
    pub(crate) tls_ca_cert_dir: Shared<String>,
    pub(crate) tls_protocols: Shared<String>,
    pub(crate) tls_ciphers: Shared<String>,
    pub(crate) tls_ciphersuites: Shared<String>,
    pub(crate) tls_prefer_server_ciphers: Live<bool>,
    pub(crate) tls_session_caching: Live<bool>,
    pub(crate) tls_session_cache_size: Live<usize>,
    pub(crate) tls_session_cache_timeout_s: Live<u64>,
    pub(crate) tls_auto_reload_interval_s: Live<u64>,
}

choices! {
    /// Whether clients must show a certificate.
    pub(crate) enum TlsAuthClients {
        No = "no",
        Yes = "yes",
        /// Not, but one that is shown must be valid.
        Optional = "optional",
    }
}

choices! {
    /// The part of a client's certificate that names its user.
    pub(crate) enum TlsClientUser {
        CommonName = "CN",
        Uri = "URI",
        Off = "off",
    }
}

/// All settings that change how TLS is set up, for [`super::Settings::on_change`].
pub(crate) const TLS_NAMES: &[&str] = &[
    "tls-port",
    "tls-replication",
    "tls-cluster",
    "tls-auth-clients",
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-protocols",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-prefer-server-ciphers",
    "tls-session-caching",
    "tls-session-cache-size",
    "tls-session-cache-timeout",
    "tls-auto-reload-interval",
];

pub(super) const ROWS: &[Row] = &[
    Row::number("tls-port", PORT, "0", "Port for clients that use TLS; 0 for none.")
        .mirrored(|live| &live.tls.tls_port),
    Row::switch("tls-replication", false, "Use TLS towards the server that is followed.")
        .mirrored(|live| &live.tls.tls_replication),
    Row::switch("tls-cluster", false, "Use TLS on the cluster bus.").mirrored(|live| &live.tls.tls_cluster),
    Row::choice::<TlsAuthClients>("tls-auth-clients", "yes", "Whether clients must show a certificate.")
        .mirrored(|live| &live.tls.tls_auth_clients),
    Row::choice::<TlsClientUser>("tls-auth-clients-user", "off", "Part of a certificate that logs its user in.")
        .mirrored(|live| &live.tls.tls_auth_clients_user),
    Row::optional("tls-cert-file", "Certificate of the server.")
        .applied_always()
        .mirrored(|live| &live.tls.tls_cert_file),
    Row::optional("tls-key-file", "Its private key.").applied_always().mirrored(|live| &live.tls.tls_key_file),
    Row::optional("tls-key-file-pass", "Password of the key.").secret().mirrored(|live| &live.tls.tls_key_file_pass),
    Row::optional("tls-client-cert-file", "Certificate for connections to other servers.")
        .applied_always()
        .mirrored(|live| &live.tls.tls_client_cert_file),
    Row::optional("tls-client-key-file", "Its private key.")
        .applied_always()
        .mirrored(|live| &live.tls.tls_client_key_file),
    Row::optional("tls-client-key-file-pass", "Password of that key.")
        .secret()
        .mirrored(|live| &live.tls.tls_client_key_file_pass),
    Row::optional("tls-ca-cert-file", "File of certificates to trust.")
        .applied_always()
        .mirrored(|live| &live.tls.tls_ca_cert_file),
    Row::optional("tls-ca-cert-dir", "Folder of certificates to trust.")
        .applied_always()
        .mirrored(|live| &live.tls.tls_ca_cert_dir),
    Row::optional("tls-dh-params-file", "Diffie-Hellman parameters; only elliptic curves are used here.")
        .applied_always()
        .without_effect(),
    Row::optional("tls-protocols", "Versions of TLS to accept.").mirrored(|live| &live.tls.tls_protocols),
    Row::optional("tls-ciphers", "Ciphers for TLS 1.2.").mirrored(|live| &live.tls.tls_ciphers),
    Row::optional("tls-ciphersuites", "Cipher suites for TLS 1.3.").mirrored(|live| &live.tls.tls_ciphersuites),
    Row::switch("tls-prefer-server-ciphers", false, "Choose the cipher by the server's order.")
        .mirrored(|live| &live.tls.tls_prefer_server_ciphers),
    Row::switch("tls-session-caching", true, "Let clients resume sessions.")
        .mirrored(|live| &live.tls.tls_session_caching),
    Row::number("tls-session-cache-size", INT, "20480", "Sessions that are remembered.")
        .mirrored(|live| &live.tls.tls_session_cache_size),
    Row::number("tls-session-cache-timeout", INT, "300", "Seconds for which they are.")
        .mirrored(|live| &live.tls.tls_session_cache_timeout_s),
    Row::number("tls-auto-reload-interval", INT, "0", "Seconds between looks at the files for new content; 0 never.")
        .mirrored(|live| &live.tls.tls_auto_reload_interval_s),
];
