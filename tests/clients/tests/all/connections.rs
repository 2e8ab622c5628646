//! Who may connect, how, and for how long.

use ochre_client_tests::server::{in_each_layout_with, program};
use ochre_client_tests::{Client, Raw, Server, eventually, in_each_layout, on_each_backend};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

#[test]
fn a_hundred_clients_are_served_at_once() {
    on_each_backend("", |server| {
        let mut clients: Vec<Client> = (0..100).map(|_| server.client()).collect();
        for client in &mut clients {
            client.check("PING", "PONG");
        }
        for (number, client) in (1..).zip(&mut clients) {
            assert_eq!(client.integer("INCR visits"), number);
        }
        let lines = clients[0].run("CLIENT LIST").lines().count();
        assert_eq!(lines, 100);
        clients.truncate(1);
        eventually("99 clients are gone", || clients[0].run("CLIENT LIST").lines().count() == 1);
    });
}

#[test]
fn more_clients_than_allowed_are_turned_away() {
    in_each_layout_with("--maxclients 3", |server| {
        let mut clients: Vec<Client> = (0..3).map(|_| server.client()).collect();
        clients[0].check("PING", "PONG");
        assert_eq!(server.raw().rest(), "-ERR max number of clients reached\r\n");
        drop(clients.pop());
        eventually("a place becomes free", || {
            let mut raw = server.raw();
            // The server may have refused and closed before this arrives.
            raw.try_send("PING\r\nQUIT\r\n").is_ok() && raw.rest().starts_with("+PONG\r\n")
        });
        clients[0].check("CONFIG SET maxclients 4", "OK");
        server.client().check("PING", "PONG");
        assert!(clients[0].run("INFO stats").contains("rejected_connections:"));
    });
}

#[test]
fn idle_clients_are_disconnected_but_not_those_that_listen() {
    in_each_layout_with("--timeout 1", |server| {
        let mut listener = server.raw();
        listener.send("SUBSCRIBE news\n").expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
        let mut idle = server.raw();
        idle.send("PING\n").expect("+PONG\r\n");
        assert_eq!(idle.rest(), "");
        assert_eq!(server.client().run("PUBLISH news hello"), "1");
        listener.expect("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
    });
}

#[test]
fn a_unix_socket_is_as_good_as_a_port() {
    for backend in ["epoll", "io_uring"] {
        let mut server =
            Server::start(&format!("--io-backend {backend} --unixsocket {{folder}}/door --unixsocketperm 700"));
        let path = server.folder.path.join("door");
        let mode = std::fs::metadata(&path).expect("the socket is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let mut client = Client::connect(&format!("redis+unix://{}", path.display())).expect("the server listens");
        client.check("SET a 1", "OK");
        let line = client.run("CLIENT INFO");
        assert!(line.contains(&format!("addr={}:0", path.display())) && line.contains(" flags=U "), "{line}");
        server.client().check("GET a", "1");
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
        assert!(!path.exists(), "the socket is removed at the end");
    }
}

#[test]
fn a_server_may_listen_on_a_unix_socket_alone() {
    let folder = ochre_client_tests::server::Folder::new();
    let path = folder.path.join("door");
    let mut child = Command::new(program())
        .args(["--port", "0", "--unixsocket", &path.display().to_string(), "--logfile", &folder.write("log", "")])
        .spawn()
        .expect("the server starts");
    eventually("the socket appears", || UnixStream::connect(&path).is_ok());
    let mut stream = UnixStream::connect(&path).expect("the server listens");
    stream.write_all(b"SHUTDOWN NOSAVE\r\n").expect("the connection is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server closes the connection");
    assert_eq!(answer, "");
    assert!(child.wait().is_ok_and(|status| status.success()));
}

#[test]
fn a_server_listens_on_all_addresses_that_it_is_told() {
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let server = Server::start("--bind 127.0.0.1 127.0.0.2 -::1 -192.0.2.1");
    for address in ["127.0.0.1", "127.0.0.2"] {
        let mut raw = Raw::connect(&format!("{address}:{}", server.port));
        raw.send("PING\r\n").expect("+PONG\r\n");
    }
    assert!(std::net::TcpStream::connect(("127.0.0.3", server.port)).is_err(), "it was not told to listen there");
    if has_ipv6 {
        let mut raw = Raw::connect(&format!("[::1]:{}", server.port));
        raw.send("CLIENT INFO\r\n");
        raw.line();
        let line = raw.line();
        assert!(line.contains("addr=[::1]:"), "{line}");
    }
}

#[test]
fn an_address_that_is_not_there_stops_the_start() {
    let port = ochre_client_tests::server::free_port().to_string();
    let arguments = ["--port", &port, "--bind", "127.0.0.1", "192.0.2.1"];
    let (code, text) = ochre_client_tests::server::run_to_the_end(&arguments);
    assert_eq!(code, Some(1));
    assert!(text.contains("192.0.2.1"), "{text}");
}

#[test]
fn a_password_is_asked_for() {
    in_each_layout_with("--requirepass secret", |server| {
        let mut raw = server.raw();
        raw.send("GET a\n").expect("-NOAUTH Authentication required.\r\n");
        raw.send("NONSENSE\n").expect("-ERR unknown command 'NONSENSE', with args beginning with: \r\n");
        raw.send("AUTH wrong\n").expect("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
        raw.send("AUTH nobody secret\n").expect("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
        raw.send("HELLO 3\n").expect(
            "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time\r\n",
        );
        raw.send("AUTH secret\nGET a\n").expect("+OK\r\n$-1\r\n");
        raw.send("RESET\nGET a\n").expect("+RESET\r\n-NOAUTH Authentication required.\r\n");
        raw.send("AUTH default secret\nPING\n").expect("+OK\r\n+PONG\r\n");

        let url = format!("redis://:secret@{}/?protocol=resp3", server.address());
        let mut client = Client::connect(&url).expect("the password is right");
        client.check("CONFIG SET requirepass changed", "OK");
        assert!(Client::connect(&url).is_err(), "the password is no longer right");
        client.check("PING", "PONG");
        assert_eq!(client.run_words(&["CONFIG", "SET", "requirepass", ""]), "OK");
        server.client().check("PING", "PONG");
    });
}

#[test]
fn a_password_that_nobody_asked_for_is_an_error() {
    in_each_layout(|server| {
        server.client().check(
            "AUTH secret",
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
        );
    });
}

/// Only a connection from another address is refused, so the test makes a network of its own, where there is one.
#[test]
fn protected_mode_refuses_other_machines_until_there_is_a_password() {
    let script = r#"
        ip link set lo up && ip address add 192.0.2.7/32 dev lo || exit 77
        trap "" PIPE # the server may hang up before it has read anything
        "$0" --port 7777 --bind 0.0.0.0 --dir "$1" --logfile "$1/log" $2 > /dev/null & server=$!
        trap "kill $server" EXIT
        until grep -q "Ready to accept" "$1/log" 2>/dev/null; do kill -0 $server || exit 1; done
        for host in 127.0.0.1 192.0.2.7; do
            exec 3<>/dev/tcp/$host/7777
            printf 'PING\r\nQUIT\r\n' >&3 2>/dev/null
            head -n 1 <&3
        done
        trap "" EXIT
        kill $server
        wait $server
    "#;
    let with = |arguments: &str| {
        let folder = ochre_client_tests::server::Folder::new();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--fork", "--kill-child", "bash", "-c", script]);
        let output = command.arg(program()).arg(&folder.path).arg(arguments).output().expect("unshare is there");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, answers) = with("--protected-mode yes");
    if code != Some(0) && answers.is_empty() {
        eprintln!("protected mode is not tested, because this system gives us no network of our own");
        return;
    }
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers[0], "+PONG");
    assert!(answers[1].starts_with("-DENIED "), "{answers:?}");
    assert_eq!(with("--protected-mode no"), (Some(0), "+PONG\r\n+PONG\r\n".into()));
    let no_auth = "-NOAUTH Authentication required.\r\n";
    assert_eq!(with("--protected-mode yes --requirepass secret"), (Some(0), no_auth.repeat(2)));
}
