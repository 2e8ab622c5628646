//! MIGRATE: keys move to another server while everybody else goes on.

use ochre_client_tests::{Client, Raw, Server, in_each_layout};
use std::io::Read;
use std::net::TcpListener;

/// A key's value of each type, and what to ask it.
const VALUES: &[(&str, &str)] = &[
    ("SET text value", "GET text"),
    ("SET timed value PXAT 99999999999999", "PEXPIRETIME timed"),
    ("RPUSH list a b c", "LRANGE list 0 -1"),
    ("SADD ints 1 2 3", "SMEMBERS ints"),
    ("ZADD sorted 1 a 2 b", "ZRANGE sorted 0 -1 WITHSCORES"),
    ("HSET hash f v", "HGETALL hash"),
    ("XADD stream 1-1 f v", "XLEN stream"),
];

fn migrate(to: &Server, words: &str) -> String {
    format!("MIGRATE 127.0.0.1 {} {words}", to.port)
}

#[test]
fn values_of_all_types_arrive() {
    let target = Server::start("--threads 2");
    in_each_layout(|source| {
        let (mut here, mut there) = (source.client(), target.client());
        there.check("FLUSHALL", "OK");
        for (make, ask) in VALUES {
            here.run(make);
            let shown = here.run(ask);
            let key = make.split(' ').nth(1).expect("a key");
            here.check(&migrate(&target, &format!("{key} 3 5000")), "OK");
            here.check(&format!("EXISTS {key}"), "0");
            there.check("SELECT 3", "OK");
            // The time that is left travels, not the moment, so a few ms are lost.
            if key == "timed" {
                assert!(there.integer("PTTL timed") > 1_000_000);
            } else {
                there.check(ask, &shown);
            }
        }
    });
}

#[test]
fn several_keys_move_at_once_and_copies_stay() {
    let target = Server::start("--threads 1");
    in_each_layout(|source| {
        let (mut here, mut there) = (source.client(), target.client());
        there.check("FLUSHALL", "OK");
        let run = |client: &mut Client, words: &[&str]| {
            let port = target.port.to_string();
            client.run_words(&[&["MIGRATE", "127.0.0.1", &port], words].concat())
        };
        here.check("MSET a 1 b 2 c 3", "OK");
        assert_eq!(run(&mut here, &["", "0", "5000", "COPY", "KEYS", "a", "b", "missing"]), "OK");
        here.check("EXISTS a b c", "3");
        there.check("MGET a b c", "[1 2 nil]");
        // What is there already is not replaced unless asked; what can move moves.
        let busy = "-ERR Target instance replied with error: BUSYKEY Target key name already exists.";
        assert_eq!(run(&mut here, &["", "0", "5000", "KEYS", "a", "c"]), busy);
        here.check("EXISTS a b c", "2");
        there.check("MGET a b c", "[1 2 3]");
        here.check("SET a new", "OK");
        assert_eq!(run(&mut here, &["", "0", "5000", "REPLACE", "KEYS", "a", "b"]), "OK");
        there.check("MGET a b", "[new 2]");
        here.check("DBSIZE", "0");
        assert_eq!(run(&mut here, &["", "0", "5000", "KEYS", "a", "b"]), "NOKEY");
        assert_eq!(run(&mut here, &["", "0", "5000"]), "NOKEY");
        assert_eq!(run(&mut here, &["a", "0", "5000"]), "NOKEY");
    });
}

#[test]
fn errors_are_those_of_the_peers() {
    in_each_layout(|source| {
        let target = Server::start("--threads 1 --requirepass secret");
        let mut here = source.client();
        here.check("SET a 1", "OK");
        let mut check = |words: &str, expected: &str| here.check(&migrate(&target, words), expected);
        check("a x 5000", "-ERR value is not an integer or out of range");
        check("a 0 x", "-ERR value is not an integer or out of range");
        check("a x 5000 WHAT", "-ERR syntax error");
        check("a 0 5000 AUTH", "-ERR syntax error");
        check("a 0 5000 AUTH2 name", "-ERR syntax error");
        let keys = "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
        check("a 0 5000 KEYS b", keys);
        check("a 0 5000", "-ERR Target instance replied with error: NOAUTH Authentication required.");
        let password = "WRONGPASS invalid username-password pair or user is disabled.";
        check("a 0 5000 AUTH wrong", &format!("-ERR Target instance replied with error: {password}"));
        // Nothing gets into another database.
        check("a 99 5000 AUTH secret", "-ERR Target instance replied with error: ERR DB index is out of range");
        check("a 0 5000 AUTH secret", "OK");

        here.check("SET a 1", "OK");
        here.check(&migrate(&target, "a 0 5000 REPLACE AUTH2 default secret"), "OK");
        here.check("SET a 1", "OK");
        here.check("MIGRATE 127.0.0.1 1 a 0 5000", "-IOERR error or timeout writing to target instance");
        here.check("MIGRATE 127.0.0.1 port a 0 5000", "-IOERR error or timeout writing to target instance");
        // No name is so long, so nobody is asked for its address.
        let unknown = format!("MIGRATE {} 1 a 0 5000", "x".repeat(300));
        here.check(&unknown, "-IOERR error or timeout connecting to the client");
        here.check("GET a", "1");
        here.check("MULTI", "OK");
        here.check(&migrate(&target, "a 0 5000 REPLACE AUTH secret"), "QUEUED");
        let refused = "-ERR MIGRATE waits for another server, so it is not allowed in a transaction or a script";
        assert!(here.run("EXEC").contains(&refused[1..]));
    });
}

/// A server that says what the test wants it to say.
struct Scripted {
    listener: TcpListener,
}

impl Scripted {
    fn new() -> Scripted {
        Scripted { listener: TcpListener::bind("127.0.0.1:0").expect("a free port") }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().expect("an address").port()
    }

    /// Accepts the connection of a MIGRATE and reads what it sends for these keys.
    fn receive(&self, keys: &[&str]) -> Raw {
        let (stream, _) = self.listener.accept().expect("a connection");
        let mut raw = Raw { stream };
        for key in keys {
            let words = request(&mut raw);
            assert_eq!((&*words[0], &*words[1]), (&b"RESTORE"[..], key.as_bytes()));
        }
        raw
    }
}

/// Reads the words of a request.
fn request(raw: &mut Raw) -> Vec<Vec<u8>> {
    let count = number(&raw.line(), '*');
    let mut word = |_| {
        let mut bytes = vec![0; number(&raw.line(), '$') + 2];
        raw.stream.read_exact(&mut bytes).expect("a word");
        bytes.truncate(bytes.len() - 2);
        bytes
    };
    (0..count).map(&mut word).collect()
}

fn number(line: &str, mark: char) -> usize {
    line.strip_prefix(mark).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{line} is no number"))
}

const CHANGED: &str =
    "-ERR A key has changed while it was sent: it stays here, and the target has what it was before\r\n";

#[test]
fn a_key_that_changes_meanwhile_stays_and_nobody_else_waits() {
    in_each_layout(|source| {
        let target = Scripted::new();
        let (mut raw, mut other) = (source.raw(), source.client());
        let changes =
            [("SET a new", "OK", "GET a", "new"), ("DEL a", "1", "EXISTS a", "0"), ("FLUSHALL", "OK", "DBSIZE", "0")];
        for (change, reply, ask, shown) in changes {
            other.check("SET a old", "OK");
            raw.send(format!("MIGRATE 127.0.0.1 {} a 0 60000\r\nPING\r\n", target.port()));
            let mut connection = target.receive(&["a"]);
            other.check("GET a", "old");
            other.check(change, reply);
            connection.send("+OK\r\n");
            raw.expect(CHANGED).expect("+PONG\r\n");
            other.check(ask, shown);
        }
        // Reads are no changes.
        other.check("SET a old", "OK");
        raw.send(format!("MIGRATE 127.0.0.1 {} a 0 60000\r\n", target.port()));
        let mut connection = target.receive(&["a"]);
        other.check("GET a", "old");
        connection.send("+OK\r\n");
        raw.expect("+OK\r\n");
        other.check("EXISTS a", "0");
    });
}

#[test]
fn what_has_not_arrived_stays() {
    in_each_layout(|source| {
        let target = Scripted::new();
        let (mut raw, mut other) = (source.raw(), source.client());
        let unread = "-IOERR error or timeout reading to target instance\r\n";
        other.check("MSET a 1 b 2", "OK");
        raw.send(format!("MIGRATE 127.0.0.1 {} a 0 50\r\n", target.port()));
        let silent = target.receive(&["a"]);
        raw.expect(unread);
        other.check("GET a", "1");
        drop(silent);
        // It ends after the first key.
        raw.send(format!("MIGRATE 127.0.0.1 {} \"\" 0 60000 KEYS a b\r\n", target.port()));
        target.receive(&["a", "b"]).send("+OK\r\n");
        raw.expect(unread);
        other.check("MGET a b", "[nil 2]");
        // It does not end its line.
        raw.send(format!("MIGRATE 127.0.0.1 {} b 0 60000\r\n", target.port()));
        target.receive(&["b"]).send("+".repeat(70_000));
        raw.expect(unread);
        other.check("GET b", "2");
    });
}

#[test]
fn whoever_is_disconnected_meanwhile_loses_nothing() {
    in_each_layout(|source| {
        let target = Scripted::new();
        let (mut raw, mut other) = (source.raw(), source.client());
        other.check("SET a 1", "OK");
        raw.send("CLIENT ID\r\n");
        let id = raw.line().replace(':', "");
        raw.send(format!("MIGRATE 127.0.0.1 {} a 0 60000\r\n", target.port()));
        let mut connection = target.receive(&["a"]);
        other.check(&format!("CLIENT KILL ID {id}"), "1");
        assert_eq!(raw.rest(), "");
        connection.send("+OK\r\n");
        other.check("GET a", "1");
        other.check("SET a 2", "OK");
    });
}

#[test]
fn a_key_that_has_moved_does_not_come_back() {
    let target = Server::start("--threads 1");
    for layout in ["--threads 1", "--threads 4"] {
        let mut source = Server::start(&format!("{layout} --appendonly yes --appendfsync always"));
        let mut here = source.client();
        here.check("MSET a 1 b 2", "OK");
        here.check("CONFIG SET notify-keyspace-events KEA", "OK");
        let mut listener = source.raw();
        listener.send("PSUBSCRIBE __keyevent*\r\n").expect("*3\r\n$10\r\npsubscribe\r\n$11\r\n__keyevent*\r\n:1\r\n");
        here.check(&migrate(&target, "a 0 5000 REPLACE"), "OK");
        listener.expect("*4\r\n$8\r\npmessage\r\n$11\r\n__keyevent*\r\n$18\r\n__keyevent@0__:del\r\n$1\r\na\r\n");
        source.signal("KILL");
        source.wait();
        let again = Server::start(&format!("{} --dir {}", source.arguments, source.folder.path.display()));
        again.client().check("MGET a b", "[nil 2]");
    }
}
