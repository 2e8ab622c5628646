//! A primary, seen by replicas: the snapshot, the stream behind it, what it waits for.

use ochre_client_tests::{Raw, Server, eventually, in_each_layout, in_each_layout_with};
use std::io::Read;

/// A replica that is nothing but a socket.
struct Follower {
    raw: Raw,
    /// Bytes of the stream so far.
    offset: u64,
    id: String,
}

impl Follower {
    /// Asks for all; answers the follower and the snapshot.
    fn begin(server: &Server, ask: &str) -> (Follower, Vec<u8>) {
        let mut raw = server.raw();
        raw.send(ask);
        let mut follower = Follower { raw, offset: 0, id: String::new() };
        let mut line = follower.line();
        while !line.starts_with(['+', '$']) || line == "+OK" {
            line = follower.line();
        }
        if let Some(rest) = line.strip_prefix("+FULLRESYNC ") {
            let (id, offset) = rest.split_once(' ').expect("an id and an offset");
            (follower.id, follower.offset) = (id.to_owned(), offset.parse().expect("a number"));
            line = follower.line();
        }
        let length = line.strip_prefix('$').expect("a length");
        let snapshot = match length.strip_prefix("EOF:") {
            Some(mark) => follower.up_to_mark(mark.as_bytes()),
            None => {
                let mut bytes = vec![0; length.parse().expect("a number")];
                follower.raw.stream.read_exact(&mut bytes).expect("the snapshot comes");
                bytes
            }
        };
        assert!(snapshot.starts_with(b"REDIS0"), "{}", String::from_utf8_lossy(&snapshot[..9.min(snapshot.len())]));
        (follower, snapshot)
    }

    /// A line, signs of life left out.
    fn line(&mut self) -> String {
        let mut byte = [0];
        let mut line = String::new();
        loop {
            self.raw.stream.read_exact(&mut byte).expect("a line comes");
            match byte[0] {
                b'\n' if line.ends_with('\r') => {
                    line.pop();
                    return line;
                }
                b'\n' => {}
                byte => line.push(byte.into()),
            }
        }
    }

    fn up_to_mark(&mut self, mark: &[u8]) -> Vec<u8> {
        let (mut bytes, mut byte) = (Vec::new(), [0]);
        while !bytes.ends_with(mark) {
            self.raw.stream.read_exact(&mut byte).expect("the mark comes");
            bytes.push(byte[0]);
        }
        bytes.truncate(bytes.len() - mark.len());
        bytes
    }

    /// The next command of the stream.
    fn command(&mut self) -> String {
        let mut words = Vec::new();
        let head = self.line();
        self.offset += head.len() as u64 + 2;
        for _ in 0..head[1..].parse().expect("a number of words") {
            let length = self.line();
            let mut word = vec![0; length[1..].parse::<usize>().expect("a length") + 2];
            self.raw.stream.read_exact(&mut word).expect("a word comes");
            self.offset += (length.len() + 2 + word.len()) as u64;
            words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
        }
        words.join(" ")
    }

    /// The next command that is no sign of life.
    fn next(&mut self) -> String {
        loop {
            let command = self.command();
            if command != "PING" {
                return command;
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, commands: &[&str]) {
        for command in commands {
            assert_eq!(self.next(), *command);
        }
    }

    fn acknowledge(&mut self) {
        let offset = self.offset.to_string();
        self.raw.send(format!("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n${}\r\n{offset}\r\n", offset.len()));
    }
}

const WITH_MARK: &str = "REPLCONF capa eof capa psync2\r\nPSYNC ? -1\r\n";

#[test]
fn a_replica_gets_a_snapshot_and_then_every_change() {
    in_each_layout_with("--repl-diskless-sync-delay 0", |server| {
        let mut client = server.client();
        client.check("SET before 1", "OK");
        let (mut old, snapshot) = Follower::begin(server, "SYNC\r\n");
        assert!(snapshot.windows(6).any(|bytes| bytes == b"before"));
        let (mut new, snapshot) = Follower::begin(server, WITH_MARK);
        assert!(snapshot.windows(6).any(|bytes| bytes == b"before"));
        // It is sent nothing until it has found the mark.
        new.acknowledge();
        let began = new.offset;
        client.check("SET a 1", "OK");
        client.check("SET a 1 NX", "nil");
        client.check("GET a", "1");
        let mut other = server.client();
        other.check("SELECT 3", "OK");
        other.check("SADD s x", "1");
        other.check("SPOP s", "x");
        client.check("INCRBYFLOAT f 0.5", "0.5");
        let commands = ["SELECT 0", "SET a 1", "SELECT 3", "SADD s x", "SREM s x", "SELECT 0"];
        for follower in [&mut old, &mut new] {
            // Emptying a set removes its key.
            let mut seen = Vec::new();
            while !seen.last().is_some_and(|command: &String| command.starts_with("SET f 0.5")) {
                seen.push(follower.next());
            }
            seen.retain(|command| !command.starts_with("UNLINK") && !command.starts_with("SREM"));
            assert_eq!(seen[..4], commands[..4]);
        }
        let end: u64 = field(&client.run("INFO replication"), "master_repl_offset").parse().expect("a number");
        assert!(new.offset > began && new.offset <= end);
    });
}

/// A field of INFO.
pub fn field(info: &str, name: &str) -> String {
    let line = info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} is in {info}")).to_owned()
}

#[test]
fn a_transaction_and_a_script_are_whole_in_the_stream() {
    in_each_layout(|server| {
        let (mut follower, _) = Follower::begin(server, "SYNC\r\n");
        let mut raw = server.raw();
        raw.send("MULTI\r\nSET a 1\r\nGET a\r\nSET b 2\r\nEXEC\r\nMULTI\r\nSET a 2\r\nEXEC\r\n");
        raw.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n$1\r\n1\r\n+OK\r\n");
        follower.expect(&["SELECT 0", "MULTI", "SET a 1", "SET b 2", "EXEC", "SET a 2"]);
        server.client().run_words(&["EVAL", "redis.call('SET','x',1) redis.call('INCR','x')", "0"]);
        follower.expect(&["MULTI", "SET x 1", "INCR x", "EXEC"]);
    });
}

#[test]
fn messages_reach_the_subscribers_of_replicas() {
    in_each_layout(|server| {
        let (mut follower, _) = Follower::begin(server, "SYNC\r\n");
        server.client().check("PUBLISH news hello", "0");
        follower.expect(&["SELECT 0", "PUBLISH news hello"]);
    });
}

#[test]
fn a_replica_that_comes_back_gets_what_it_lacks() {
    in_each_layout_with("--repl-diskless-sync-delay 0", |server| {
        let mut client = server.client();
        let (mut follower, _) = Follower::begin(server, "PSYNC ? -1\r\n");
        client.check("SET a 1", "OK");
        follower.expect(&["SELECT 0", "SET a 1"]);
        let (id, next) = (follower.id.clone(), follower.offset + 1);
        drop(follower);
        client.check("SET b 2", "OK");
        let mut raw = server.raw();
        raw.send(format!("REPLCONF capa psync2\r\nPSYNC {id} {next}\r\n"));
        raw.expect("+OK\r\n").expect(format!("+CONTINUE {id}\r\n"));
        let mut follower = Follower { raw, offset: next - 1, id: id.clone() };
        follower.expect(&["SET b 2"]);
        // Another stream, or one that is too far ahead, is none to go on with.
        let other = "f".repeat(40);
        for (id, next) in [(other, next), (id, next + 1_000_000)] {
            let (follower, _) = Follower::begin(server, &format!("PSYNC {id} {next}\r\n"));
            assert_eq!(follower.id, field(&client.run("INFO replication"), "master_replid"));
        }
        let info = client.run("INFO stats");
        assert_eq!(
            ["sync_full", "sync_partial_ok", "sync_partial_err"].map(|name| field(&info, name)),
            ["3", "1", "2"]
        );
    });
}

#[test]
fn wait_counts_replicas_that_have_all_writes() {
    in_each_layout(|server| {
        let mut client = server.client();
        let (mut follower, _) = Follower::begin(server, "PSYNC ? -1\r\n");
        client.check("SET a 1", "OK");
        client.check("WAIT 1 10", "0");
        let mut waiting = server.raw();
        waiting.send("WAIT 1 0\r\n");
        follower.expect(&["SELECT 0", "SET a 1", "REPLCONF GETACK *"]);
        follower.acknowledge();
        waiting.expect(":1\r\n");
        client.check("WAIT 1 0", "1");
        client.check("WAIT 2 1", "1");
        client.check("WAITAOF 0 1 1", "[0 0]");
        drop(follower);
        eventually("the replica is gone", || client.run("WAIT 0 0") == "0");
    });
}

#[test]
fn writes_are_refused_while_there_are_too_few_replicas() {
    in_each_layout_with("--min-replicas-to-write 1", |server| {
        let mut client = server.client();
        const REFUSED: &str = "-NOREPLICAS Not enough good replicas to write.";
        eventually("the first look", || client.run("SET a 1") == REFUSED);
        client.check("GET a", "nil");
        client.check("EVAL return(redis.call('GET','a')) 0", "nil");
        let (follower, _) = Follower::begin(server, "SYNC\r\n");
        eventually("the replica counts", || client.run("SET a 1") == "OK");
        drop(follower);
        eventually("the replica is gone", || client.run("SET a 2") == REFUSED);
        client.check("CONFIG SET min-replicas-to-write 0", "OK");
        client.check("SET a 3", "OK");
    });
}

#[test]
fn replicas_are_shown() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("ROLE", "[master 0 []]");
        let ask = "REPLCONF listening-port 7777 ip-address 10.0.0.9\r\nPSYNC ? -1\r\n";
        let (mut follower, _) = Follower::begin(server, ask);
        client.check("SET a 1", "OK");
        follower.expect(&["SELECT 0", "SET a 1"]);
        follower.acknowledge();
        let offset = follower.offset;
        let shown = format!("[10.0.0.9 7777 {offset}]");
        eventually("the acknowledgement has come", || client.run("ROLE").contains(&shown));
        let line = field(&client.run("INFO replication"), "slave0");
        assert!(line.starts_with(&format!("ip=10.0.0.9,port=7777,state=online,offset={offset},lag=")), "{line}");
        assert!(client.run("CLIENT LIST TYPE replica").contains("flags=S"));
        follower.raw.send("GET a\r\n");
        follower.raw.expect("-ERR Replica can't interact with the keyspace\r\n");
        client.check("CLIENT KILL TYPE replica", "1");
        eventually("it is gone", || field(&client.run("INFO replication"), "connected_slaves") == "0");
    });
}

#[test]
fn a_replica_that_is_too_far_behind_is_let_go() {
    in_each_layout_with("--client-output-buffer-limit replica 1mb 0 0 --repl-backlog-size 16kb", |server| {
        let mut client = server.client();
        // It reads nothing of what follows.
        let (_follower, _) = Follower::begin(server, "SYNC\r\n");
        let value = "x".repeat(1 << 20);
        eventually("it is let go", || {
            assert_eq!(client.run_words(&["SET", "a", &value]), "OK");
            server.log().contains("Closing the connection of replica")
        });
        // The log tells it a moment before.
        eventually("it is gone", || client.run("CLIENT LIST TYPE replica").is_empty());
        eventually("what it kept is free", || {
            let kept: u64 = field(&client.run("INFO replication"), "repl_backlog_histlen").parse().expect("a number");
            kept < 4 << 20
        });
    });
}

#[test]
fn a_backlog_that_nobody_comes_for_goes_and_the_stream_is_another() {
    in_each_layout_with("--repl-backlog-ttl 1", |server| {
        let mut client = server.client();
        let (follower, _) = Follower::begin(server, "PSYNC ? -1\r\n");
        drop(follower);
        let id = field(&client.run("INFO replication"), "master_replid");
        eventually("it is freed", || field(&client.run("INFO replication"), "repl_backlog_active") == "0");
        assert_ne!(field(&client.run("INFO replication"), "master_replid"), id);
    });
}
