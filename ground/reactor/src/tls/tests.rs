//! A real TLS client at a reactor, over both back ends.

use crate::{
    Acceptor, Backend, ClientCertificates, Event, ListeningSocket, Options, Reactor, TcpOptions, TlsOptions, Token,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

const BACKENDS: [Backend; 2] = [Backend::IoUring, Backend::Epoll];

/// An authority, and a folder with its certificate and a server's.
struct Place {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ochre-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder is writable");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        let key = KeyPair::generate().expect("there are random numbers");
        let authority = CertifiedIssuer::self_signed(params, key).expect("it signs itself");
        let place = Place { folder, authority };
        place.write("ca.crt", &place.authority.pem());
        let (certificate, key) = place.signed("server", &[]);
        place.write("server.crt", &certificate.pem());
        place.write("server.key", &key.serialize_pem());
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).expect("the folder is writable");
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn signed(&self, common_name: &str, uris: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("the name is fine");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("URIs are ASCII")));
        params.subject_alt_names.extend(uris);
        let key = KeyPair::generate().expect("there are random numbers");
        (params.signed_by(&key, &self.authority).expect("the authority signs"), key)
    }

    fn options(&self) -> TlsOptions {
        TlsOptions {
            certificate_file: self.file("server.crt"),
            key_file: self.file("server.key"),
            authorities_file: self.file("ca.crt"),
            sessions: Some((100, 300)),
            ..TlsOptions::default()
        }
    }

    fn client(&self, with_certificate: bool) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("it is an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("there are versions")
            .with_root_certificates(roots);
        let config = if with_certificate {
            let (certificate, key) = self.signed("some user", &["urn:first", "urn:second"]);
            let key = PrivatePkcs8KeyDer::from(key.serialize_der());
            builder.with_client_auth_cert(vec![certificate.der().clone()], key.into()).expect("they fit")
        } else {
            builder.with_no_client_auth()
        };
        Arc::new(config)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn connect(config: Arc<ClientConfig>, address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").expect("it is a name");
    let connection = ClientConnection::new(config, name).expect("the settings are fine");
    StreamOwned::new(connection, TcpStream::connect(address).expect("it listens"))
}

/// Serves until `on_event` answers true.
fn serve(
    backend: Backend,
    acceptor: &Acceptor,
    say_port: std::sync::mpsc::Sender<SocketAddr>,
    mut on_event: impl FnMut(&mut Reactor, &Event<'_>) -> bool,
) {
    let listener = ListeningSocket::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), TcpOptions::default());
    let listener = listener.expect("a port is free");
    let port = listener.address().expect("it listens").port();
    let mut reactor = Reactor::new(Options { backend, ..Options::default() }).expect("the back end works here");
    reactor.add_listener(listener);
    say_port.send(SocketAddr::from(([127, 0, 0, 1], port))).expect("somebody waits for it");
    let mut is_over = false;
    while !is_over {
        let mut handler = |reactor: &mut Reactor, event: Event<'_>| {
            is_over |= on_event(reactor, &event);
            match event {
                Event::Accepted { socket, .. } => _ = reactor.add_tls_socket(socket, acceptor).expect("TLS is set up"),
                Event::Received { token, bytes } => reactor.send(token, bytes.to_vec()),
                Event::PeerClosed { token } => reactor.close_after_flush(token),
                Event::Failed { token, .. } => reactor.close_now(token),
                _ => {}
            }
        };
        reactor.turn(None, &mut handler).expect("the kernel works with us");
    }
    while reactor.sockets() > 1 {
        reactor.turn(None, &mut |_: &mut Reactor, _: Event<'_>| ()).expect("the kernel works with us");
    }
}

fn with_server<T: Send>(
    backend: Backend,
    options: &TlsOptions,
    on_event: impl FnMut(&mut Reactor, &Event<'_>) -> bool + Send,
    client: impl FnOnce(SocketAddr) -> T,
) -> T {
    let acceptor = Acceptor::new(options).expect("the files are fine");
    let (say_port, port) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let acceptor = &acceptor;
        scope.spawn(move || serve(backend, acceptor, say_port, on_event));
        client(port.recv().expect("the server starts"))
    })
}

#[test]
fn an_echo_of_any_length_comes_back_and_the_end_is_told() {
    let place = Place::new("echo");
    for backend in BACKENDS {
        let mut seen = None;
        let mut told: Option<Token> = None;
        with_server(
            backend,
            &place.options(),
            move |reactor, event| {
                match event {
                    Event::Secured { token } => {
                        seen = reactor.tls_peer(*token);
                        assert!(reactor.tls_agreement(*token).expect("they agreed").starts_with("TLSv1.3 "));
                        told = Some(*token);
                    }
                    Event::Closed { token } => {
                        assert_eq!(told, Some(*token));
                        let peer = seen.take().expect("the client showed its certificate");
                        assert_eq!(peer.common_name.as_deref(), Some(&b"some user"[..]));
                        assert_eq!(peer.uris, ["urn:first", "urn:second"]);
                        return true;
                    }
                    _ => {}
                }
                false
            },
            |address| {
                let mut stream = connect(place.client(true), address);
                for length in [1, 100, 16 * 1024, 16 * 1024 + 1, 300_000] {
                    let sent: Vec<u8> = (0..length).map(|number| number as u8).collect();
                    let mut back = vec![0; length];
                    // What is not read while it is written fits the socket's buffers, or the server's.
                    stream.write_all(&sent).expect("the server reads");
                    stream.read_exact(&mut back).expect("the server answers");
                    assert!(back == sent);
                }
                stream.conn.send_close_notify();
                stream.flush().expect("the server reads");
                assert_eq!(stream.read(&mut [0]).expect("the end is told, not cut"), 0);
            },
        );
    }
}

#[test]
fn clients_without_certificate_or_without_tls_are_failures() {
    let place = Place::new("refused");
    for backend in BACKENDS {
        let mut failures = 0;
        with_server(
            backend,
            &place.options(),
            move |_, event| {
                if let Event::Failed { error, .. } = event {
                    assert_eq!(error.kind(), ErrorKind::InvalidData);
                    failures += 1;
                }
                failures == 2
            },
            |address| {
                let mut stream = connect(place.client(false), address);
                let answer = stream.write_all(b"x").and_then(|()| stream.read_exact(&mut [0]));
                // The alert, unless the connection is reset before it is read.
                answer.expect_err("it needs a certificate");
                let mut plain = TcpStream::connect(address).expect("it listens");
                plain.write_all(b"PING\r\n").expect("the server reads");
                let mut answer = Vec::new();
                let _ = plain.read_to_end(&mut answer); // the end, or the connection is reset
                assert!(answer.is_empty(), "an alert would look like a reply: {answer:?}");
            },
        );
    }
}

#[test]
fn what_is_sent_before_the_handshake_waits_for_it() {
    let place = Place::new("early");
    let options =
        TlsOptions { client_certificates: ClientCertificates::None, protocols: "TLSv1.2".into(), ..place.options() };
    for backend in BACKENDS {
        let acceptor = Acceptor::new(&options).expect("the files are fine");
        let listener = ListeningSocket::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), TcpOptions::default());
        let listener = listener.expect("a port is free");
        let address = SocketAddr::from(([127, 0, 0, 1], listener.address().expect("it listens").port()));
        let mut reactor = Reactor::new(Options { backend, ..Options::default() }).expect("the back end works here");
        reactor.add_listener(listener);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut stream = connect(place.client(false), address);
                let mut greeting = [0; 5];
                stream.read_exact(&mut greeting).expect("the server greets");
                assert_eq!(&greeting, b"hello");
            });
            let mut is_over = false;
            while !is_over {
                let mut handler = |reactor: &mut Reactor, event: Event<'_>| match event {
                    Event::Accepted { socket, .. } => {
                        let token = reactor.add_tls_socket(socket, &acceptor).expect("TLS is set up");
                        reactor.send(token, b"hello".to_vec());
                        assert_eq!(reactor.unsent_bytes(token), 5);
                    }
                    Event::PeerClosed { token } | Event::Failed { token, .. } => {
                        reactor.close_now(token);
                        is_over = true;
                    }
                    _ => {}
                };
                reactor.turn(None, &mut handler).expect("the kernel works with us");
            }
        });
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let place = Place::new("errors");
    let error = |change: &dyn Fn(&mut TlsOptions)| {
        let mut options = place.options();
        change(&mut options);
        Acceptor::new(&options).expect_err("something is wrong")
    };
    assert_eq!(error(&|options| options.certificate_file.clear()), "No tls-cert-file configured!");
    assert!(error(&|options| options.authorities_file.clear()).contains("tls-ca-cert-file"));
    assert!(error(&|options| options.key_file = place.file("server.crt")).contains("there is no private key"));
    let (_, other) = place.signed("other", &[]);
    place.write("other.key", &other.serialize_pem());
    assert!(error(&|options| options.key_file = place.file("other.key")).contains("not the key of the certificate"));
    assert!(error(&|options| options.protocols = "SSLv3".into()).contains("tls-protocols"));
    assert!(error(&|options| options.certificate_file = place.file("none.crt")).contains("none.crt"));
    let by_folder =
        TlsOptions { authorities_folder: place.file(""), authorities_file: String::new(), ..place.options() };
    let summary = Acceptor::new(&by_folder).expect("the authority is in the folder");
    assert!(summary.summary().authority.is_some() && !summary.summary().server.serial.is_empty());
}
