//! The admin port: an HTTP server for those who watch, with `/metrics`, `/healthz` and `/readyz`.
//!
//! It has threads of its own, one for each request, because there are few; nothing of it runs on an event loop but the count of
//! keys, which only a loop may ask for.

mod metrics;
mod names;

use crate::log;
use crate::shared::{Message, Shared};
use crate::worker::Worker;
use ochre_keyspace::{DatabaseSize, Effects};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Requests that are answered at the same time; more are turned away.
const REQUESTS_MAX: usize = 16;
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// What is read, and thrown away, of a request that has been refused.
const UNREAD_BYTES_MAX: u64 = 64 * 1024;
const HEADERS_MAX: usize = 64;
/// How long a client may take for each read and write.
const PATIENCE: Duration = Duration::from_secs(5);

/// The sizes of all databases as they are counted, shard by shard, because one may be busy.
struct Measurement {
    sizes: Vec<DatabaseSize>,
    shards_done: usize,
    answer: Sender<Vec<DatabaseSize>>,
}

impl Measurement {
    /// Goes on counting on an event loop; where a shard is busy, the loop serves its clients first.
    fn go_on(mut self, worker: &mut Worker) {
        let keyspace = &worker.shared.keyspace;
        let mut effects = Effects::default();
        while self.shards_done < keyspace.shard_count() {
            let Some(guard) = keyspace.shards().try_lock_one(self.shards_done) else {
                return worker.shared.desks[worker.id].post(Message::Do(Box::new(|worker| self.go_on(worker))));
            };
            let mut data = keyspace.view(guard, &worker.context, &mut effects, 0);
            for (db, total) in self.sizes.iter_mut().enumerate() {
                let size = data.size(db);
                total.keys += size.keys;
                total.deadlines += size.deadlines;
            }
            data.finish();
            self.shards_done += 1;
        }
        // Nobody may be waiting any more.
        let _ = self.answer.send(self.sizes);
    }
}

/// Opens the port, if there is to be one, and answers on threads of its own from then on.
///
/// # Errors
/// A text with the address and the reason when it cannot be opened.
pub fn start(shared: &'static Shared) -> Result<(), String> {
    let port = shared.settings.network.admin_port.get();
    if port == 0 {
        return Ok(());
    }
    for address in shared.settings.network.admin_bind.get().iter() {
        let (optional, address) = match address.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, address.as_str()),
        };
        let opened = crate::listen::resolve(address, port).and_then(TcpListener::bind);
        let listener = match opened {
            Ok(listener) => listener,
            Err(error) if optional && crate::listen::is_absent(&error) => continue,
            Err(error) => return Err(format!("Can't open the admin port {address}:{port}: {error}")),
        };
        let serve = move || listen(shared, &listener);
        let thread = std::thread::Builder::new().name("admin".into()).spawn(serve);
        thread.map_err(|error| format!("Can't start the thread of the admin port: {error}"))?;
    }
    Ok(())
}

fn listen(shared: &'static Shared, listener: &TcpListener) {
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Short of descriptors, most likely: there is no use in trying again at once.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if REQUESTS.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
            REQUESTS.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let serve = move || {
            // A client that goes away in the middle is its own business.
            let _ = serve(shared, stream);
            REQUESTS.fetch_sub(1, Ordering::Relaxed);
        };
        if let Err(error) = std::thread::Builder::new().name("admin-request".into()).spawn(serve) {
            REQUESTS.fetch_sub(1, Ordering::Relaxed);
            log::warning(format_args!("Can't answer on the admin port: {error}"));
        }
    }
}

/// Answers one request.
fn serve(shared: &'static Shared, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let request = loop {
        let mut chunk = [0; 1024];
        let length = stream.read(&mut chunk)?;
        head.extend_from_slice(&chunk[..length]);
        match Request::read(&head) {
            Ok(Some(request)) => break request,
            Ok(None) if length > 0 && head.len() < HEAD_BYTES_MAX => {}
            Ok(None) if length == 0 => return Ok(()),
            Ok(None) => return refuse(&mut stream, &Answer::text(431, "Request Header Fields Too Large")),
            Err(()) => return refuse(&mut stream, &Answer::text(400, "Bad Request")),
        }
    };
    answer(shared, &request).write(&mut stream, request.method != "HEAD")
}

/// Answers a client that may still be sending: closing while there is something unread would take the answer from it.
fn refuse(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    answer.write(stream, true)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    std::io::copy(&mut stream.take(UNREAD_BYTES_MAX), &mut std::io::sink())?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    path: String,
}

impl Request {
    /// Nothing while the head is not complete.
    fn read(head: &[u8]) -> Result<Option<Self>, ()> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        if request.parse(head).map_err(drop)?.is_partial() {
            return Ok(None);
        }
        let path = request.path.unwrap_or_default();
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Ok(Some(Self { method: request.method.unwrap_or_default().to_owned(), path: path.to_owned() }))
    }
}

fn answer(shared: &'static Shared, request: &Request) -> Answer {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Answer::text(405, "Method Not Allowed");
    }
    match request.path.as_str() {
        "/metrics" => match measure(shared).recv_timeout(PATIENCE) {
            Ok(sizes) => Answer {
                status: 200,
                kind: "text/plain; version=0.0.4; charset=utf-8",
                body: metrics::page(shared, sizes),
            },
            Err(_) => Answer::text(503, "The server is busy or starting."),
        },
        "/healthz" => Answer::text(200, "ok"),
        "/readyz" => match reason_not_ready(shared) {
            None => Answer::text(200, "ok"),
            Some(reason) => Answer::text(503, reason),
        },
        "/" => Answer::text(200, "Ochre: /metrics, /healthz, /readyz"),
        _ => Answer::text(404, "Not Found"),
    }
}

fn reason_not_ready(shared: &Shared) -> Option<&'static str> {
    if shared.shutting_down.load(Ordering::Relaxed) {
        return Some("shutting down");
    }
    if !shared.is_serving.load(Ordering::Relaxed) {
        return Some("starting");
    }
    shared.loading.is_active().then_some("loading")
}

/// Asks the first event loop for what only a loop may see.
fn measure(shared: &'static Shared) -> Receiver<Vec<DatabaseSize>> {
    let (answer, receiver) = channel();
    let sizes = vec![DatabaseSize::default(); shared.keyspace.databases()];
    let measurement = Measurement { sizes, shards_done: 0, answer };
    shared.desks[0].post(Message::Do(Box::new(|worker| measurement.go_on(worker))));
    receiver
}

struct Answer {
    status: u16,
    kind: &'static str,
    body: String,
}

impl Answer {
    fn text(status: u16, text: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: format!("{text}\n") }
    }

    fn write(&self, stream: &mut TcpStream, with_body: bool) -> std::io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        let mut text = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body.len()
        );
        if with_body {
            text.push_str(&self.body);
        }
        stream.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_method_and_its_path() {
        let request = |text: &str| Request::read(text.as_bytes());
        let get = |path: &str| Ok(Some(Request { method: "GET".into(), path: path.into() }));
        assert_eq!(request("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"), get("/metrics"));
        assert_eq!(request("GET / HTTP/1.0\r\n\r\n"), get("/"));
        assert_eq!(request("GET /metrics HTTP/1.1\r\nHost"), Ok(None));
        assert_eq!(request("*1\r\n$4\r\nPING\r\n"), Err(()));
        assert_eq!(request("GET /\0 HTTP/1.1\r\n\r\n"), Err(()));
    }
}
