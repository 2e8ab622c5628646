//! MIGRATE's way to the other server: values are sent by a thread of their own, while nobody but the client waits.
//!
//! What is sent is the value of one moment. Its keys are watched from then on, so that one that changes meanwhile is not taken
//! for one that has moved: it stays.

use crate::blocking::Leftover;
use crate::session::{Session, Wait};
use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_commands::Error;
use ochre_keyspace::WatchFlag;
use ochre_resp::{Protocol, Reply};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Where to, and how.
pub struct Target {
    pub host: String,
    /// `None` when the client's word is no port.
    pub port: Option<u16>,
    pub db: i64,
    /// The longest that the other server may be silent.
    pub timeout: Duration,
    /// What to say to AUTH: a password, or a name and a password.
    pub login: Vec<Vec<u8>>,
    pub replace: bool,
}

/// A key on its way.
pub struct Parcel {
    pub key: Box<[u8]>,
    /// Raised when the key has changed here since; not there when the key stays in any case.
    pub flag: Option<Arc<WatchFlag>>,
    pub expiry_ms: Option<u64>,
    payload: Vec<u8>,
    /// The other server has it.
    pub arrived: bool,
}

impl Parcel {
    pub fn new(key: &[u8], payload: Vec<u8>, expiry_ms: Option<u64>, stays: bool) -> Parcel {
        let flag = (!stays).then(Arc::default);
        Parcel { key: key.into(), flag, expiry_ms, payload, arrived: false }
    }
}

/// Keys that have been sent, and why not all of them have arrived.
pub struct Migration {
    pub db: usize,
    pub parcels: Vec<Parcel>,
    pub failure: Option<Error>,
}

impl Migration {
    /// Ends the watches of keys that nobody will look at again.
    pub fn give_up(self, leftovers: &mut Vec<Leftover>) {
        for parcel in self.parcels {
            if let Some(flag) = parcel.flag {
                leftovers.push(Leftover::Watch { flag, keys: vec![(self.db, parcel.key)] });
            }
        }
    }
}

/// Forgets what a client has sent whose command does not come to its end.
#[cold]
pub fn forget(session: &mut Session, leftovers: &mut Vec<Leftover>) {
    if let Some(migration) = session.migration.take() {
        migration.give_up(leftovers);
    }
}

/// Sends `migration` by a thread of its own. When that is done the command of the client runs again and finds it in its session.
///
/// # Errors
/// When no thread can be had.
pub fn start(
    shared: &'static Shared,
    (thread, client): (usize, u64),
    target: Target,
    mut migration: Migration,
) -> Result<(), Error> {
    let body = move || {
        migration.failure = send(&target, &mut migration.parcels).err();
        let task = move |worker: &mut Worker| come_back(worker, client, migration);
        shared.desks[thread].post(Message::Do(Box::new(task)));
    };
    let spawned = std::thread::Builder::new().name("migrate".into()).stack_size(STACK_BYTES).spawn(body);
    spawned.map(drop).map_err(|error| Error::text(format!("ERR Can't start a thread: {error}")))
}

const STACK_BYTES: usize = 256 * 1024;

fn come_back(worker: &mut Worker, client: u64, migration: Migration) {
    match worker.session_of(client) {
        Some(session) if matches!(session.wait, Wait::Answer) => {
            session.migration = Some(Box::new(migration));
            worker.run_again(client);
        }
        // It has gone: its keys are here and there.
        _ => migration.give_up(&mut worker.leftovers),
    }
}

const NOT_FOUND: Error = Error::fixed("IOERR error or timeout connecting to the client");
const NOT_WRITTEN: Error = Error::fixed("IOERR error or timeout writing to target instance");
const NOT_READ: Error = Error::fixed("IOERR error or timeout reading to target instance");

/// Sends all parcels and reads what the other server says. Its first error is the error; what comes behind it may arrive.
fn send(target: &Target, parcels: &mut [Parcel]) -> Result<(), Error> {
    let stream = connect(target)?;
    let mut replies = BufReader::new(&stream);
    // A server that refuses these must not see the values: they would get into another database.
    for words in preparation(target) {
        write_command(&mut &stream, &words.iter().map(|word| &**word).collect::<Vec<_>>()).map_err(|_| NOT_WRITTEN)?;
        read_reply(&mut replies)??;
    }
    write(&stream, target, parcels).map_err(|_| NOT_WRITTEN)?;
    let mut result = Ok(());
    for parcel in parcels {
        let reply = read_reply(&mut replies)?;
        parcel.arrived = reply.is_ok();
        result = result.and(reply);
    }
    result
}

/// What is said before the values: AUTH, and SELECT unless the database is the one that every connection begins with.
fn preparation(target: &Target) -> Vec<Vec<Vec<u8>>> {
    let command = |name: &[u8], words: &[Vec<u8>]| [&[name.to_vec()], words].concat();
    let login = (!target.login.is_empty()).then(|| command(b"AUTH", &target.login));
    let select = (target.db != 0).then(|| command(b"SELECT", &[target.db.to_string().into_bytes()]));
    login.into_iter().chain(select).collect()
}

/// Reads a reply: no error, or the other server's.
///
/// # Errors
/// When none comes.
fn read_reply(replies: &mut impl BufRead) -> Result<Result<(), Error>, Error> {
    let line = read_line(replies).map_err(|_| NOT_READ)?;
    Ok(match line.strip_prefix(b"-") {
        None => Ok(()),
        Some(text) => {
            let text = String::from_utf8_lossy(text);
            Err(Error::text(format!("ERR Target instance replied with error: {text}")))
        }
    })
}

fn connect(target: &Target) -> Result<TcpStream, Error> {
    let port = target.port.ok_or(NOT_WRITTEN)?;
    let addresses = (&*target.host, port).to_socket_addrs().map_err(|_| NOT_FOUND)?;
    let connected = addresses.filter_map(|address| TcpStream::connect_timeout(&address, target.timeout).ok()).next();
    let stream = connected.ok_or(NOT_WRITTEN)?;
    let options = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(target.timeout)));
    options.and_then(|()| stream.set_write_timeout(Some(target.timeout))).map_err(|_| NOT_WRITTEN)?;
    Ok(stream)
}

fn write(stream: &TcpStream, target: &Target, parcels: &[Parcel]) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, stream);
    for parcel in parcels {
        // What was about to expire when it was taken expires there.
        let left_ms = parcel.expiry_ms.map_or(0, |at| at.saturating_sub(ochre_clock::now_ms()).max(1)).to_string();
        let mut words: Vec<&[u8]> = vec![b"RESTORE", &parcel.key, left_ms.as_bytes(), &parcel.payload];
        if target.replace {
            words.push(b"REPLACE");
        }
        write_command(&mut out, &words)?;
    }
    out.flush()
}

fn write_command(out: &mut impl Write, words: &[&[u8]]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    // A request has the form of a reply.
    let mut request = Reply::new(&mut bytes, Protocol::Resp2);
    request.array(words.len());
    words.iter().for_each(|word| request.bulk(word));
    out.write_all(&bytes)
}

/// Replies to what is sent are lines; a longer one is none.
const LINE_BYTES_MAX: u64 = 64 * 1024;

fn read_line(replies: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    replies.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(text) => Ok(text.to_vec()),
        None => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}
