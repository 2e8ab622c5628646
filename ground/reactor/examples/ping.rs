//! A server that answers every PING, to measure what the reactor itself costs:
//! `ping [--backend io_uring|epoll] [--port N]`, then `redis-benchmark -P 16 -c 50 -n 1000000 PING`.

use ochre_reactor::{Backend, Event, ListeningSocket, Options, Reactor, TcpOptions, Token};
use std::{io, net::SocketAddr, time::Duration};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value_of = |name: &str| Some(arguments.get(arguments.iter().position(|word| word == name)? + 1)?.as_str());
    let backend = match value_of("--backend") {
        Some("io_uring") => Backend::IoUring,
        Some("epoll") => Backend::Epoll,
        _ => Backend::Auto,
    };
    let port = value_of("--port").and_then(|port| port.parse().ok()).unwrap_or(6379);
    let mut reactor = Reactor::new(Options { backend, ..Options::default() })?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = reactor.add_listener(ListeningSocket::tcp(address, TcpOptions::default())?);
    println!("{} on port {port}", reactor.backend_name());

    let mut server = Server { listener, replies: Vec::new(), to_answer: Vec::new(), spare: Vec::new() };
    loop {
        let mut handle = |reactor: &mut Reactor, event: Event<'_>| server.event(reactor, event);
        reactor.turn(Some(Duration::from_millis(100)), &mut handle)?;
        // All that a socket asked in this turn is answered at once.
        for token in server.to_answer.drain(..) {
            let buffer = std::mem::take(&mut server.replies[token.index()]);
            reactor.send(token, buffer);
        }
    }
}

struct Server {
    listener: Token,
    replies: Vec<Vec<u8>>,
    to_answer: Vec<Token>,
    spare: Vec<Vec<u8>>,
}

impl Server {
    fn event(&mut self, reactor: &mut Reactor, event: Event<'_>) {
        match event {
            Event::Accepted { socket, .. } => {
                _ = socket.set_nodelay(true);
                let token = reactor.add_socket(socket);
                self.replies.resize_with(self.replies.len().max(token.index() + 1), Vec::new);
                self.replies[token.index()].clear();
            }
            Event::Received { token, bytes } => {
                // Every PING of either protocol has one I.
                let commands = bytes.iter().filter(|&&byte| byte == b'I').count();
                let reply = &mut self.replies[token.index()];
                if reply.is_empty() && commands > 0 {
                    self.to_answer.push(token);
                    *reply = self.spare.pop().unwrap_or_default();
                }
                (0..commands).for_each(|_| reply.extend_from_slice(b"+PONG\r\n"));
            }
            Event::Sent { buffer, .. } => self.spare.push(buffer),
            Event::Failed { token, error } if token == self.listener => eprintln!("cannot accept: {error}"),
            Event::PeerClosed { token } | Event::Failed { token, .. } => reactor.close_now(token),
            Event::Secured { .. } | Event::Closed { .. } | Event::Woken => {}
        }
    }
}
