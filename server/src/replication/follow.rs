//! Following another server: a thread of its own connects, says who is there and loads the snapshot; then an event loop serves
//! the connection like a client's, with fewer questions asked (`worker::stream`).

use super::intake::{Extent, Intake};
use super::lock;
use crate::alerts::Alert;
use crate::clients::Client;
use crate::commands::server::empty_databases;
use crate::log;
use crate::persistence::aof;
use crate::persistence::load::{LoadOptions, Loaded, load_rdb};
use crate::settings::replication::DisklessLoad;
use crate::shared::{Message, Shared};
use ochre_keyspace::write_command;
use ochre_reactor::Socket;
use ochre_replication::{Handshake, Introduction, Verdict};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How far a connection to the server that is followed has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Contact {
    /// There is none; one is tried again soon.
    None,
    Connecting,
    Handshake,
    /// A snapshot is received or loaded.
    Sync,
    /// The stream comes.
    Online,
}

impl Contact {
    /// As ROLE calls it.
    pub fn name(self) -> &'static str {
        match self {
            Contact::None => "connect",
            Contact::Connecting => "connecting",
            Contact::Handshake => "handshake",
            Contact::Sync => "sync",
            Contact::Online => "connected",
        }
    }
}

/// A server that is followed, from REPLICAOF to the next one.
pub struct Following {
    pub host: String,
    pub port: u16,
    /// It was a replica of this server, and is asked to lead.
    hands_over: bool,
    contact: AtomicU8,
    /// Since when it has been so, Unix ms.
    contact_ms: AtomicU64,
    is_over: AtomicBool,
    /// The connection, so that whoever waits for it can be stopped.
    connection: Mutex<Option<TcpStream>>,
    /// The client that a loop has for the connection.
    client: Mutex<Option<Arc<Client>>>,
    changed: Condvar,
    changes: Mutex<()>,
    /// When it was heard of last, and since when there is no stream, Unix ms.
    pub heard_ms: AtomicU64,
    pub down_since_ms: AtomicU64,
    /// The database that the stream has selected.
    pub db: AtomicUsize,
    /// Bytes of the snapshot: all, as far as is known, and received.
    pub snapshot_bytes: AtomicU64,
    pub received_bytes: AtomicU64,
    pub heard_in_sync_ms: AtomicU64,
}

impl Following {
    fn new(host: String, port: u16, hands_over: bool) -> Following {
        let now_ms = ochre_clock::now_ms();
        Following {
            host,
            port,
            hands_over,
            contact: AtomicU8::new(Contact::None as u8),
            contact_ms: now_ms.into(),
            is_over: AtomicBool::new(false),
            connection: Mutex::default(),
            client: Mutex::default(),
            changed: Condvar::new(),
            changes: Mutex::default(),
            heard_ms: now_ms.into(),
            down_since_ms: now_ms.into(),
            db: 0.into(),
            snapshot_bytes: 0.into(),
            received_bytes: 0.into(),
            heard_in_sync_ms: 0.into(),
        }
    }

    pub fn contact(&self) -> Contact {
        match self.contact.load(Ordering::Acquire) {
            0 => Contact::None,
            1 => Contact::Connecting,
            2 => Contact::Handshake,
            3 => Contact::Sync,
            _ => Contact::Online,
        }
    }

    fn set_contact(&self, contact: Contact) {
        self.contact_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
        self.contact.store(contact as u8, Ordering::Release);
    }

    pub fn is_online(&self) -> bool {
        self.contact() == Contact::Online
    }

    /// Nobody follows it any more: what still comes from it is not looked at.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// The client of the connection, while there is one.
    pub fn client(&self) -> Option<Arc<Client>> {
        lock(&self.client).clone()
    }

    /// A loop serves the connection from now on.
    pub fn begin_stream(&self, client: Arc<Client>) {
        *lock(&self.client) = Some(client);
        *lock(&self.connection) = None;
        self.heard_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
        self.set_contact(Contact::Online);
    }

    /// The connection has ended: another one is tried.
    pub fn end_stream(&self) {
        *lock(&self.client) = None;
        self.down_since_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
        self.set_contact(Contact::None);
        let _guard = lock(&self.changes);
        self.changed.notify_all();
    }

    /// Gives the connection up when nothing has come for so long. The stream has its loop to look after it.
    pub fn end_if_silent(&self, now_ms: u64, timeout_ms: u64) {
        let since_ms = self.contact_ms.load(Ordering::Relaxed).max(self.heard_in_sync_ms.load(Ordering::Relaxed));
        let contact = self.contact();
        if !matches!(contact, Contact::Handshake | Contact::Sync) || now_ms.saturating_sub(since_ms) <= timeout_ms {
            return;
        }
        log::warning(format_args!(
            "Timeout {} MASTER... If the problem persists try to set the 'repl-timeout' parameter to a larger value.",
            if contact == Contact::Sync { "receiving bulk data from" } else { "connecting to the" }
        ));
        if let Some(connection) = lock(&self.connection).take() {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    fn end(&self, shared: &Shared) {
        self.is_over.store(true, Ordering::Release);
        if let Some(connection) = lock(&self.connection).take() {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        if let Some(client) = self.client() {
            shared.desks[client.thread as usize].post(Message::Kill { client: client.id, flush: false });
        }
        let _guard = lock(&self.changes);
        self.changed.notify_all();
    }

    /// Waits for so long, or until it is over or `is_so`.
    fn wait(&self, most: Option<Duration>, is_so: impl Fn() -> bool) {
        let mut guard = lock(&self.changes);
        let mut left = most;
        while !self.is_over() && !is_so() && left != Some(Duration::ZERO) {
            let step = Duration::from_millis(100).min(left.unwrap_or(Duration::MAX));
            guard = self.changed.wait_timeout(guard, step).unwrap_or_else(PoisonError::into_inner).0;
            left = left.map(|left| left - step);
        }
    }
}

/// So long after an attempt failed the next one is made.
const RETRY: Duration = Duration::from_secs(1);

/// Follows a server from now on, in place of another.
///
/// # Errors
/// When the system gives no thread.
pub fn follow(shared: &'static Shared, host: &str, port: u16) -> Result<(), String> {
    super::failover::end(shared);
    begin(shared, Following::new(host.to_owned(), port, false))
}

/// As [`follow`], for a replica of this server that is to lead.
///
/// # Errors
/// As `follow`.
pub fn follow_as_successor(shared: &'static Shared, host: &str, port: u16) -> Result<(), String> {
    begin(shared, Following::new(host.to_owned(), port, true))
}

fn begin(shared: &'static Shared, next: Following) -> Result<(), String> {
    let replication = &shared.replication;
    let (host, port) = (next.host.clone(), next.port);
    let next = Arc::new(next);
    let before = lock(&replication.following).replace(Arc::clone(&next));
    match before {
        Some(before) => before.end(shared),
        None => replication.follows.store(true, Ordering::SeqCst),
    }
    shared.alerts.set(Alert::Follows, true);
    shared.settings_changed();
    let address = Some((host.as_bytes().to_vec(), port));
    shared.settings.put("replicaof", ochre_config::Value::Address(address));
    unblock_clients(shared);
    super::note_replicas(shared);
    let spawned = std::thread::Builder::new().name("follow".into()).spawn(move || run(shared, &next));
    spawned.map(|_| ()).map_err(|error| format!("Can't start a thread: {error}"))
}

/// Follows nobody any more: the data is this server's own from here on.
pub fn lead(shared: &'static Shared) {
    let replication = &shared.replication;
    let Some(before) = lock(&replication.following).take() else { return };
    before.end(shared);
    let has_data = before.is_online() || replication.is_on();
    {
        let mut history = replication.history();
        let id = crate::start::random_hex_40();
        if has_data { history.go_on(id, shared.log.end()) } else { history.begin(id) }
    }
    // They come back and hear of the new id.
    super::disconnect_replicas(shared);
    shared.log.select_anew();
    replication.alone_since_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
    replication.follows.store(false, Ordering::SeqCst);
    shared.settings.put("replicaof", ochre_config::Value::Address(None));
    // The alert ends once all loops know, so that nobody writes past the log: see `settle_role`.
    shared.settings_changed();
}

/// Ends what is left of following once every loop knows that it is over.
pub fn settle_role(shared: &Shared) {
    let follows = shared.replication.follows.load(Ordering::SeqCst);
    if !follows && shared.alerts.is_on(Alert::Follows) && super::sync::loops_know(shared) {
        shared.alerts.set(Alert::Follows, false);
        // Somebody may have begun to follow meanwhile.
        if shared.replication.follows.load(Ordering::SeqCst) {
            shared.alerts.set(Alert::Follows, true);
        }
    }
}

/// Who waits for a key must not take it from a replica.
fn unblock_clients(shared: &Shared) {
    for client in shared.registry.all() {
        let waiter = client.blocked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waiter) = waiter.filter(|waiter| waiter.claim()) {
            let reply =
                b"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n";
            shared.desks[waiter.thread as usize].post(Message::Unblocked { waiter, reply: reply.to_vec() });
        }
    }
}

/// The thread that keeps a server followed.
fn run(shared: &'static Shared, following: &Arc<Following>) {
    // From here on nobody logs anything of this server's own.
    shared.wait_for_loops();
    while shared.aside.load(Ordering::SeqCst) > 0 && !following.is_over() {
        following.wait(Some(Duration::from_millis(10)), || false);
    }
    log::notice(format_args!("Connecting to MASTER {}:{}", following.host, following.port));
    while !following.is_over() && !shared.shutting_down.load(Ordering::Relaxed) {
        following.set_contact(Contact::Connecting);
        match synchronise(shared, following) {
            Ok(()) => {
                following.wait(None, || {
                    following.contact() == Contact::None || shared.shutting_down.load(Ordering::Relaxed)
                });
                if !following.is_over() {
                    log::notice(format_args!("Connection with master lost."));
                    log::notice(format_args!("Reconnecting to MASTER {}:{}", following.host, following.port));
                    continue;
                }
            }
            Err(reason) if !following.is_over() => log::warning(format_args!("{reason}")),
            Err(_) => {}
        }
        *lock(&following.connection) = None;
        if following.contact() != Contact::Online {
            following.set_contact(Contact::None);
        }
        following.wait(Some(RETRY), || false);
    }
}

fn text_of(error: &io::Error) -> String {
    crate::persistence::writer::system_text(error)
}

/// Connects and comes to where the stream begins; an event loop has the connection then.
fn synchronise(shared: &'static Shared, following: &Arc<Following>) -> Result<(), String> {
    let stream = connect(shared, following)
        .map_err(|error| format!("Error condition on socket for SYNC: {}", text_of(&error)))?;
    following.set_contact(Contact::Handshake);
    let is_asked = following.hands_over && super::failover::is_on(shared);
    let failed = |error: io::Error| format!("Failed to read response from the server: {}", text_of(&error));
    let writer = stream.try_clone().map_err(failed)?;
    let mut input = BufReader::with_capacity(64 * 1024, stream);
    match introduce(shared, &mut input, &writer, is_asked)? {
        Verdict::Refused(line) => {
            log::warning(format_args!("Failover target rejected psync request"));
            super::failover::abort(shared);
            return Err(format!("the replica does not take over: {line}"));
        }
        Verdict::Continue(id) => {
            go_on(shared, id);
            super::failover::end(shared);
        }
        Verdict::Full(place) => {
            // It leads, though it lacks something.
            super::failover::end(shared);
            following.set_contact(Contact::Sync);
            full_sync(shared, following, &mut input, &writer, place)?;
        }
        Verdict::Next => unreachable!("the conversation ends with a verdict"),
    }
    let rest = input.buffer().to_vec();
    let stream = input.into_inner();
    let socket = stream.set_nonblocking(true).map(|()| Socket::from(std::os::fd::OwnedFd::from(stream)));
    let socket = socket.map_err(failed)?;
    // With one thread only its loop may touch the data; with more, cuts are taken on the first, one after the other.
    shared.desks[0].connections.fetch_add(1, Ordering::Relaxed);
    following.set_contact(Contact::Online);
    shared.desks[0].post(Message::Follow { socket, following: Arc::clone(following), rest });
    Ok(())
}

fn connect(shared: &Shared, following: &Following) -> io::Result<TcpStream> {
    let settings = &shared.settings.replication;
    let timeout = Duration::from_secs(settings.repl_timeout_s.get().max(1));
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in (following.host.as_str(), following.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                *lock(&following.connection) = Some(stream.try_clone()?);
                // It may have been over just before.
                if following.is_over() {
                    return Err(ErrorKind::ConnectionAborted.into());
                }
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What a replica says about itself, up to the verdict.
fn introduce(
    shared: &Shared,
    input: &mut BufReader<TcpStream>,
    mut writer: &TcpStream,
    hands_over: bool,
) -> Result<Verdict, String> {
    let failed = |error: io::Error| format!("Failed to read response from the server: {}", text_of(&error));
    let settings = &shared.settings.replication;
    let password = settings.masterauth.get();
    let port = match settings.replica_announce_port.get() {
        0 => crate::settings_view::shown_port(&shared.settings),
        port => port,
    };
    let announced_ip = settings.replica_announce_ip.get();
    let history = shared.replication.history().clone();
    // Without a backlog nobody has counted what was done.
    let resume = shared.replication.is_on().then(|| (history.id().to_owned(), shared.log.end() + 1));
    match &resume {
        Some((id, next)) => log::notice(format_args!("Trying a partial resynchronization (request {id}:{next}).")),
        None => log::notice(format_args!("Partial resynchronization not possible (no cached master)")),
    }
    let mut handshake = Handshake::new(Introduction {
        login: (!password.is_empty()).then(|| (settings.masteruser.get().to_vec(), password.to_vec())),
        port,
        announced_ip: (!announced_ip.is_empty()).then(|| announced_ip.to_string()),
        resume,
        hands_over,
    });
    loop {
        let mut request = Vec::new();
        let words = handshake.request();
        write_command(&mut request, words.iter().map(Vec::as_slice));
        writer.write_all(&request).map_err(failed)?;
        if handshake.is_answered_by_snapshot() {
            return Ok(Verdict::Full(None));
        }
        let line = read_line(input).map_err(failed)?;
        match handshake.answer(&line)? {
            Verdict::Next => {}
            verdict => return Ok(verdict),
        }
    }
}

/// A line that is not empty, without its end. Empty ones are signs of life.
fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    loop {
        let mut line = Vec::new();
        let count = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if count == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed"));
        }
        if !line.ends_with(b"\n") {
            return Err(io::Error::new(ErrorKind::InvalidData, "a line has no end"));
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        if !line.is_empty() {
            return Ok(line.to_owned());
        }
    }
}

const LINE_BYTES_MAX: u64 = 4096;

/// The stream goes on where it was, perhaps under another name.
fn go_on(shared: &Shared, id: Option<String>) {
    log::notice(format_args!("Successful partial resynchronization with master."));
    let mut history = shared.replication.history();
    let Some(id) = id.filter(|id| *id != history.id()) else { return };
    log::notice(format_args!("Master replication ID changed to {id}"));
    history.go_on(id, shared.log.end());
    drop(history);
    super::disconnect_replicas(shared);
}

/// Puts the followed server's data in place of this one's.
fn full_sync(
    shared: &'static Shared,
    following: &Arc<Following>,
    input: &mut BufReader<TcpStream>,
    writer: &TcpStream,
    place: Option<(String, u64)>,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("I/O error reading the snapshot from MASTER: {}", text_of(&error));
    if let Some((id, offset)) = &place {
        log::notice(format_args!("Full resync from master: {id}:{offset}"));
    }
    let line = read_line(input).map_err(failed)?;
    if let Some(error) = line.strip_prefix('-') {
        return Err(format!("MASTER aborted replication with an error: {error}"));
    }
    let extent = Extent::read(&line).ok_or_else(|| format!("Bad protocol from MASTER: '{line}' is no snapshot"))?;
    let length = if let Extent::Length(length) = extent { length } else { 0 };
    following.snapshot_bytes.store(length, Ordering::Relaxed);
    following.received_bytes.store(0, Ordering::Relaxed);
    let mut progress = |bytes: u64| {
        following.received_bytes.store(bytes, Ordering::Relaxed);
        following.heard_in_sync_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
    };
    let peer = writer.try_clone().map_err(failed)?;
    let straight = match shared.settings.replication.repl_diskless_load.get() {
        DisklessLoad::Disabled | DisklessLoad::SwapDb => false,
        DisklessLoad::FlushBeforeLoad => true,
        DisklessLoad::OnEmptyDb => !place_is_taken(shared),
    };
    let mut intake = Intake::new(input, extent, Some(peer), &mut progress);
    if straight {
        log::notice(format_args!("MASTER <-> REPLICA sync: Loading DB in memory"));
        empty(shared, following, length)?;
        let loaded = load(shared, &mut intake);
        let loaded = loaded.and_then(|loaded| intake.finish().map_err(failed).map(|()| loaded));
        begin_history(shared, following, loaded, place)?;
    } else {
        log::notice(format_args!("MASTER <-> REPLICA sync: receiving the snapshot from master to disk"));
        let mut file = super::spool::nameless_file().map_err(failed)?;
        let length = io::copy(&mut intake, &mut file).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        log::notice(format_args!("MASTER <-> REPLICA sync: Flushing old data and loading {length} bytes"));
        empty(shared, following, length)?;
        log::notice(format_args!("MASTER <-> REPLICA sync: Loading DB in memory"));
        let peer = writer.try_clone().map_err(failed)?;
        let mut file = BufReader::new(file);
        let loaded = load(shared, &mut Intake::new(&mut file, Extent::Length(length), Some(peer), &mut |_| ()));
        begin_history(shared, following, loaded, place)?;
    }
    log::notice(format_args!("MASTER <-> REPLICA sync: Finished with success"));
    Ok(())
}

/// Whether there is any data.
fn place_is_taken(shared: &Shared) -> bool {
    let (keys, _) = shared.loading.keys();
    keys > 0 || crate::persistence::save::changes_since_save(shared) > 0 || shared.replication.is_on()
}

/// Empties the databases; clients are told to wait until `begin_history` has done its part.
fn empty(shared: &'static Shared, following: &Following, length: u64) -> Result<(), String> {
    {
        // REPLICAOF is refused from here on, until the data is there.
        let _guard = lock(&shared.replication.following);
        if following.is_over() {
            return Err("it is not followed any more".into());
        }
        shared.loading.begin(shared, length);
    }
    super::disconnect_replicas(shared);
    aof::turn_off(shared);
    shared.wait_for_loops();
    shared.log.settle();
    empty_databases(shared);
    shared.scripts.functions.replace(Default::default());
    Ok(())
}

fn load(shared: &'static Shared, source: &mut impl Read) -> Result<Loaded, String> {
    let options = LoadOptions { keeps_expired: true, ..LoadOptions::default() };
    let loaded = load_rdb(shared, source, options).and_then(|loaded| {
        crate::persistence::load_file::load_functions(shared, &loaded, true)?;
        Ok(loaded)
    });
    loaded.map_err(|error| format!("Failed trying to load the MASTER synchronization DB: {error}"))
}

/// The data is that of the stream at this place; or there is none, when it could not be loaded. Clients are served again.
fn begin_history(
    shared: &'static Shared,
    following: &Following,
    loaded: Result<Loaded, String>,
    place: Option<(String, u64)>,
) -> Result<(), String> {
    // That took as long as it took.
    following.heard_in_sync_ms.store(ochre_clock::now_ms(), Ordering::Relaxed);
    if loaded.is_err() {
        empty_databases(shared);
    }
    {
        let guard = lock(&shared.replication.following);
        // Whoever leads by now, or has nothing, has no part in the other server's history.
        let place = place.filter(|_| loaded.is_ok() && !following.is_over());
        let (id, offset) = place.unwrap_or_else(|| (crate::start::random_hex_40(), shared.log.end()));
        shared.replication.history().begin(id);
        shared.log.begin_at(offset, shared.settings.replication.repl_backlog_size_bytes.get());
        drop(guard);
    }
    {
        let _links = lock(&shared.replication.links);
        super::open(shared);
    }
    shared.saves.note_loaded(shared);
    shared.loading.end(shared);
    keep_file(shared);
    let loaded = loaded?;
    let aux = |wanted: &[u8]| loaded.aux.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let db = aux(b"repl-stream-db").and_then(|value| ochre_text::number::parse_u64(value)).unwrap_or(0);
    let db = usize::try_from(db).ok().filter(|db| *db < shared.keyspace.databases()).unwrap_or(0);
    following.db.store(db, Ordering::Relaxed);
    Ok(())
}

/// Begins the append-only file anew, if there is to be one.
fn keep_file(shared: &'static Shared) {
    if aof::is_wanted(shared)
        && let Err(error) = aof::turn_on(shared)
    {
        log::warning(format_args!("{error}"));
    }
}
