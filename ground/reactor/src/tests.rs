//! Both back ends with real sockets.

use crate::{Address, Backend, Event, ListeningSocket, Options, Reactor, Socket, TcpOptions, Token};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

const BACKENDS: [Backend; 2] = [Backend::IoUring, Backend::Epoll];

/// A reactor that listens on a free port of the loopback interface.
fn listening(backend: Backend) -> (Reactor, Token, SocketAddr) {
    let mut reactor = Reactor::new(Options { backend, ..Options::default() }).expect("the back end works here");
    let (socket, address) = listener();
    let listener = reactor.add_listener(socket);
    (reactor, listener, address)
}

fn listener() -> (ListeningSocket, SocketAddr) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = ListeningSocket::tcp(any, TcpOptions::default()).expect("a port is free");
    let Ok(Address::Internet(address)) = socket.address() else { panic!("it listens on an internet address") };
    (socket, address)
}

/// Takes turns until the handler says that it is done.
fn run(reactor: &mut Reactor, mut handler: impl FnMut(&mut Reactor, Event<'_>) -> bool) {
    let mut is_done = false;
    while !is_done {
        let mut handle = |reactor: &mut Reactor, event: Event<'_>| is_done |= handler(reactor, event);
        reactor.turn(None, &mut handle).expect("the kernel works with us");
    }
}

/// Sends everything back, answers the end with the end, and is done after so many connections.
fn echo(reactor: &mut Reactor, connections: usize) {
    let mut ended = 0;
    run(reactor, |reactor, event| {
        match event {
            Event::Accepted { socket, .. } => _ = reactor.add_socket(socket),
            Event::Received { token, bytes } => reactor.send(token, bytes.to_vec()),
            Event::PeerClosed { token } => reactor.close_after_flush(token),
            Event::Closed { .. } => ended += 1,
            Event::Sent { buffer, .. } => assert!(buffer.is_empty() && buffer.capacity() > 0),
            event => panic!("{event:?}"),
        }
        ended == connections
    });
}

/// Bytes that do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the other end closes in order");
    bytes
}

#[test]
fn what_is_sent_comes_back() {
    for backend in BACKENDS {
        let (mut reactor, _, address) = listening(backend);
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            for word in ["one", "two", "three"] {
                stream.write_all(word.as_bytes()).expect("the other end reads");
                let mut answer = vec![0; word.len()];
                stream.read_exact(&mut answer).expect("the other end answers");
                assert_eq!(answer, word.as_bytes());
            }
            stream.shutdown(Shutdown::Write).expect("the connection stands");
            assert_eq!(read_all(&mut stream), b"");
        });
        echo(&mut reactor, 1);
        client.join().expect("the client is content");
        assert_eq!(reactor.sockets(), 1, "only the listener is left");
    }
}

#[test]
fn large_transfers_in_both_directions_arrive_whole() {
    for backend in BACKENDS {
        let (mut reactor, _, address) = listening(backend);
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let mut writer = stream.try_clone().expect("descriptors are free");
            let bytes = noise(20_000_000);
            let sent = bytes.clone();
            let writing = thread::spawn(move || {
                writer.write_all(&sent).expect("the other end reads");
                writer.shutdown(Shutdown::Write).expect("the connection stands");
            });
            assert!(read_all(&mut stream) == bytes, "the bytes differ");
            writing.join().expect("the writer is content");
        });
        echo(&mut reactor, 1);
        client.join().expect("the client is content");
    }
}

#[test]
fn buffers_leave_in_order_however_slowly_the_peer_reads() {
    for backend in BACKENDS {
        let (mut reactor, _, address) = listening(backend);
        let bytes = noise(8_000_000);
        let expected = bytes.clone();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let mut received = Vec::new();
            let mut piece = [0; 1000];
            while let length @ 1.. = stream.read(&mut piece).expect("the other end sends") {
                received.extend_from_slice(&piece[..length]);
            }
            assert!(received == expected, "the bytes differ");
        });
        let (mut sizes, mut rest) = ([1, 100, 10_000, 70_000, 1_000_000].into_iter().cycle(), &bytes[..]);
        let (mut given_back, mut given) = (0, 0);
        run(&mut reactor, |reactor, event| {
            match event {
                Event::Accepted { socket, .. } => {
                    let token = reactor.add_socket(socket);
                    while !rest.is_empty() {
                        let (now, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                        reactor.send(token, now.to_vec());
                        rest = later;
                        given += 1;
                    }
                    assert_eq!(reactor.unsent_bytes(token), bytes.len());
                }
                Event::Sent { token, .. } => {
                    given_back += 1;
                    if given_back == given {
                        assert_eq!(reactor.unsent_bytes(token), 0);
                        reactor.close_now(token);
                        return true;
                    }
                }
                event => panic!("{event:?}"),
            }
            false
        });
        drop(reactor);
        client.join().expect("the client is content");
    }
}

#[test]
fn after_the_peers_end_we_may_still_send() {
    for backend in BACKENDS {
        let (mut reactor, _, address) = listening(backend);
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.write_all(b"question").expect("the other end reads");
            stream.shutdown(Shutdown::Write).expect("the connection stands");
            read_all(&mut stream)
        });
        let mut received = Vec::new();
        run(&mut reactor, |reactor, event| {
            match event {
                Event::Accepted { socket, .. } => _ = reactor.add_socket(socket),
                Event::Received { bytes, .. } => received.extend_from_slice(bytes),
                Event::PeerClosed { token } => {
                    reactor.send(token, b"ans".to_vec());
                    reactor.send(token, b"wer".to_vec());
                    reactor.close_after_flush(token);
                    reactor.send(token, b"too late".to_vec());
                }
                Event::Closed { .. } => return true,
                Event::Sent { .. } => {}
                event => panic!("{event:?}"),
            }
            false
        });
        assert_eq!(received, b"question");
        assert_eq!(client.join().expect("the client is content"), b"answer");
    }
}

#[test]
fn two_thousand_connections_are_served() {
    const CONNECTIONS: usize = 2000;
    for backend in BACKENDS {
        let (mut reactor, _, address) = listening(backend);
        let client = thread::spawn(move || {
            let mut streams: Vec<_> =
                (0..CONNECTIONS).map(|_| TcpStream::connect(address).expect("it listens")).collect();
            for round in 0..3 {
                for (number, stream) in streams.iter_mut().enumerate() {
                    stream.write_all(format!("{round}:{number:05}").as_bytes()).expect("the other end reads");
                }
                for (number, stream) in streams.iter_mut().enumerate() {
                    let mut answer = [0; 7];
                    stream.read_exact(&mut answer).expect("the other end answers");
                    assert_eq!(answer[..], *format!("{round}:{number:05}").as_bytes());
                }
            }
        });
        echo(&mut reactor, CONNECTIONS);
        client.join().expect("the client is content");
    }
}

/// Fewer buffers than sockets that receive: the requests that find none are repeated.
#[test]
fn a_shortage_of_buffers_loses_nothing() {
    let options = Options { backend: Backend::IoUring, buffers: 2, buffer_bytes: 64 };
    let mut reactor = Reactor::new(options).expect("the back end works here");
    let (socket, address) = listener();
    reactor.add_listener(socket);
    let client = thread::spawn(move || {
        let mut streams: Vec<_> = (0..50).map(|_| TcpStream::connect(address).expect("it listens")).collect();
        let bytes = noise(1000);
        streams.iter_mut().for_each(|stream| stream.write_all(&bytes).expect("the other end reads"));
        for stream in &mut streams {
            stream.shutdown(Shutdown::Write).expect("the connection stands");
            assert!(read_all(stream) == bytes, "the bytes differ");
        }
    });
    echo(&mut reactor, 50);
    client.join().expect("the client is content");
}

#[test]
fn a_socket_may_be_closed_while_it_sends_and_its_token_is_void() {
    for backend in BACKENDS {
        let (mut reactor, listener, address) = listening(backend);
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            // The other end closes after a part; depending on what was under way, that is an end or an error.
            let mut bytes = Vec::new();
            _ = stream.read_to_end(&mut bytes);
            let mut second = TcpStream::connect(address).expect("it listens");
            assert_eq!(read_all(&mut second), b"second");
            bytes.len()
        });
        let mut first = None;
        run(&mut reactor, |reactor, event| {
            match event {
                Event::Accepted { socket, .. } => {
                    let token = reactor.add_socket(socket);
                    if first.is_none() {
                        first = Some(token);
                        reactor.send(token, vec![7; 10]);
                        reactor.send(token, vec![8; 50_000_000]);
                    } else {
                        reactor.send(token, b"second".to_vec());
                        reactor.close_after_flush(token);
                    }
                }
                Event::Sent { token, .. } if Some(token) == first => {
                    reactor.close_now(token);
                    assert_eq!(reactor.unsent_bytes(token), 0);
                    reactor.send(token, b"into the void".to_vec());
                    reactor.close_now(token);
                }
                Event::Closed { token } => {
                    assert_ne!(Some(token), first);
                    return true;
                }
                Event::Sent { .. } => {}
                event => panic!("{event:?}"),
            }
            false
        });
        reactor.close_now(listener);
        assert!(client.join().expect("the client is content") < 50_000_000);
    }
}

#[test]
fn the_waker_ends_a_turn_from_another_thread() {
    for backend in BACKENDS {
        let (mut reactor, ..) = listening(backend);
        let (waker, (sender, receiver)) = (reactor.waker(), mpsc::channel());
        let other = thread::spawn(move || {
            for number in 0..1000 {
                sender.send(number).expect("the loop listens");
                waker.wake();
            }
        });
        let mut last = None;
        while last != Some(999) {
            let mut is_called = false;
            let mut handle = |_: &mut Reactor, event: Event<'_>| is_called |= matches!(event, Event::Woken);
            reactor.turn(None, &mut handle).expect("the kernel works with us");
            if is_called {
                last = receiver.try_iter().last().or(last);
            }
        }
        other.join().expect("the other thread is content");
        // A call before the turn is not lost, and counts once.
        reactor.waker().wake();
        reactor.waker().wake();
        let mut calls = 0;
        for _ in 0..3 {
            let mut handle = |_: &mut Reactor, event: Event<'_>| calls += u32::from(matches!(event, Event::Woken));
            reactor.turn(Some(Duration::ZERO), &mut handle).expect("the kernel works with us");
        }
        assert_eq!(calls, 1);
    }
}

#[test]
fn a_turn_without_events_ends_at_its_timeout() {
    for backend in BACKENDS {
        let (mut reactor, ..) = listening(backend);
        let mut nothing = |_: &mut Reactor, event: Event<'_>| panic!("{event:?}");
        reactor.turn(Some(Duration::ZERO), &mut nothing).expect("the kernel works with us");
        reactor.turn(Some(Duration::from_millis(2)), &mut nothing).expect("the kernel works with us");
    }
}

#[test]
fn nothing_is_received_in_a_pause_and_nothing_is_lost() {
    for backend in BACKENDS {
        let (mut reactor, _, address) = listening(backend);
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.write_all(&noise(1_000_000)).expect("the other end reads");
        });
        let (mut received, mut paused, mut turns) = (Vec::new(), None, 0);
        let mut ended = false;
        while !ended {
            let timeout = if paused.is_some() { Some(Duration::ZERO) } else { None };
            let mut handle = |reactor: &mut Reactor, event: Event<'_>| match event {
                Event::Accepted { socket, .. } => _ = reactor.add_socket(socket),
                Event::Received { token, bytes } => {
                    assert_eq!(paused, None, "nothing is received in a pause");
                    received.extend_from_slice(bytes);
                    reactor.pause_receive(token);
                    paused = Some(token);
                }
                Event::PeerClosed { .. } => {
                    assert_eq!(paused, None, "the end is not told in a pause");
                    ended = true;
                }
                event => panic!("{event:?}"),
            };
            reactor.turn(timeout, &mut handle).expect("the kernel works with us");
            turns += 1;
            // Some pauses last a few turns, some none at all.
            if turns % 3 == 0
                && let Some(token) = paused.take()
            {
                reactor.resume_receive(token);
            }
        }
        client.join().expect("the client is content");
        assert!(received == noise(1_000_000), "the bytes differ");
    }
}

#[test]
fn one_reactor_connects_to_another_and_a_refusal_is_told() {
    for backend in BACKENDS {
        let (mut server, _, address) = listening(backend);
        let serving = thread::spawn(move || echo(&mut server, 1));
        let mut reactor = Reactor::new(Options { backend, ..Options::default() }).expect("the back end works here");
        let socket = Socket::connect_tcp(address, Some(address.ip())).expect("connecting begins");
        let token = reactor.add_socket(socket);
        reactor.send(token, b"hello".to_vec());
        let mut answer = Vec::new();
        run(&mut reactor, |reactor, event| {
            if let Event::Received { token, bytes } = event {
                answer.extend_from_slice(bytes);
                if answer == b"hello" {
                    reactor.close_now(token);
                    return true;
                }
            }
            false
        });
        // What is closed here ends there; the turn lets the kernel know.
        while reactor.sockets() > 0 {
            reactor.turn(None, &mut |_: &mut Reactor, _: Event<'_>| ()).expect("the kernel works with us");
        }
        serving.join().expect("the server is content");

        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
        let socket = Socket::connect_tcp(free, None).expect("connecting begins");
        let token = reactor.add_socket(socket);
        reactor.send(token, b"hello".to_vec());
        run(&mut reactor, |_, event| match event {
            Event::Failed { token: failed, error } => {
                assert_eq!((failed, error.kind()), (token, ErrorKind::ConnectionRefused));
                true
            }
            event => panic!("{event:?}"),
        });
    }
}

#[test]
fn a_listener_that_is_closed_accepts_no_more() {
    for backend in BACKENDS {
        let (mut reactor, listener, address) = listening(backend);
        reactor.turn(Some(Duration::ZERO), &mut |_: &mut Reactor, _: Event<'_>| ()).expect("the kernel works with us");
        reactor.close_now(listener);
        while reactor.sockets() > 0 {
            reactor.turn(None, &mut |_: &mut Reactor, _: Event<'_>| ()).expect("the kernel works with us");
        }
        assert_eq!(TcpStream::connect(address).expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn unix_sockets_have_their_permissions_and_their_path_as_address() {
    use std::os::unix::{fs::PermissionsExt, net::UnixStream};
    for backend in BACKENDS {
        let path = std::env::temp_dir().join(format!("ochre-reactor-{}-{backend:?}.sock", std::process::id()));
        drop(ListeningSocket::unix(&path, None, 10).expect("the folder is writable"));
        let listener = ListeningSocket::unix(&path, Some(0o700), 10).expect("the old socket is replaced");
        let mode = std::fs::metadata(&path).expect("the socket has a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let mut reactor = Reactor::new(Options { backend, ..Options::default() }).expect("the back end works here");
        reactor.add_listener(listener);
        let mut stream = UnixStream::connect(&path).expect("it listens");
        stream.write_all(b"hello").expect("the other end reads");
        run(&mut reactor, |reactor, event| match event {
            Event::Accepted { socket, .. } => {
                let name = format!("{}:0", path.display());
                assert_eq!(socket.peer_address().expect("it is connected").to_string(), name);
                assert_eq!(socket.local_address().expect("it is connected").to_string(), name);
                socket.set_nodelay(true).expect("without effect");
                socket.set_keepalive(Duration::from_secs(300)).expect("without effect");
                reactor.add_socket(socket);
                false
            }
            Event::Received { bytes, .. } => bytes == b"hello",
            event => panic!("{event:?}"),
        });
        std::fs::remove_file(&path).expect("the socket has a file");
    }
}

#[test]
fn addresses_are_shown_as_redis_shows_them() {
    let (listener, address) = listener();
    assert_eq!(listener.address().expect("it listens").to_string(), format!("127.0.0.1:{}", address.port()));
    let socket = Socket::connect_tcp(address, None).expect("connecting begins");
    socket.set_nodelay(true).expect("it is a TCP socket");
    socket.set_keepalive(Duration::from_secs(300)).expect("it is a TCP socket");
    assert_eq!(socket.peer_address().expect("it is connected").to_string(), address.to_string());
    let long = Address::from(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 6379)));
    assert_eq!((long.to_string().as_str(), long.port()), ("[::1]:6379", 6379));
}

/// A reset is told as a failure, once, and what was to be sent is dropped.
#[test]
fn a_reset_is_a_failure() {
    for backend in BACKENDS {
        let (mut reactor, _, address) = listening(backend);
        let stream = TcpStream::connect(address).expect("it listens");
        let fd = OwnedFd::from(stream);
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the pointer leads to as many bytes as the last argument says.
        let answer = unsafe {
            use std::os::fd::AsRawFd;
            let length = size_of::<libc::linger>() as libc::socklen_t;
            libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), length)
        };
        assert_eq!(answer, 0);
        let mut fd = Some(fd);
        let mut failures = HashMap::new();
        run(&mut reactor, |reactor, event| {
            match event {
                Event::Accepted { socket, .. } => {
                    let token = reactor.add_socket(socket);
                    reactor.send(token, vec![1; 30_000_000]);
                }
                Event::Failed { token, .. } => {
                    *failures.entry(token).or_insert(0) += 1;
                    assert_eq!(reactor.unsent_bytes(token), 0);
                    return true;
                }
                event => panic!("{event:?}"),
            }
            drop(fd.take()); // closing with this linger resets the connection
            false
        });
        for _ in 0..3 {
            let mut nothing = |_: &mut Reactor, event: Event<'_>| panic!("{event:?}");
            reactor.turn(Some(Duration::ZERO), &mut nothing).expect("the kernel works with us");
        }
        assert_eq!(failures.into_values().collect::<Vec<_>>(), [1]);
    }
}

/// The process of [`a_listener_without_descriptors_goes_on_when_there_are_some`] that has too few; alone it does nothing.
#[test]
fn a_server_with_thirty_descriptors() {
    let Ok(backend) = std::env::var("OCHRE_REACTOR_BACKEND") else { return };
    let backend = if backend == "Epoll" { Backend::Epoll } else { Backend::IoUring };
    let limit = libc::rlimit { rlim_cur: 30, rlim_max: 30 };
    // SAFETY: the pointer is valid for the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let (mut reactor, listener, address) = listening(backend);
    println!("\nport={}", address.port());
    run(&mut reactor, |reactor, event| {
        match event {
            Event::Accepted { socket, .. } => _ = reactor.add_socket(socket),
            Event::Received { token, bytes } => reactor.send(token, bytes.to_vec()),
            Event::PeerClosed { token } => reactor.close_now(token),
            Event::Failed { token, .. } if token != listener => reactor.close_now(token),
            _ => {}
        }
        false
    });
}

#[test]
fn a_listener_without_descriptors_goes_on_when_there_are_some() {
    for backend in BACKENDS {
        let mut child = Command::new(std::env::current_exe().expect("the test has a file"))
            .args(["--exact", "tests::a_server_with_thirty_descriptors", "--nocapture"])
            .env("OCHRE_REACTOR_BACKEND", format!("{backend:?}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process can be started");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("port=")?.parse::<u16>().ok());
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("the child says its port")));
        let mut streams: Vec<_> = (0..60).map(|_| TcpStream::connect(address).expect("it listens")).collect();
        streams.iter_mut().for_each(|stream| stream.write_all(b"x").expect("the system buffers it"));
        // They are accepted in the order in which they came, the later ones when the earlier ones are gone.
        for mut stream in streams {
            stream.read_exact(&mut [0]).expect("the child answers");
        }
        child.kill().and_then(|()| child.wait()).expect("the child runs");
    }
}
