//! The wire: pipelines, inline commands, values of all sizes, both protocol versions, and what breaks them.

use ochre_client_tests::server::in_each_layout_with;
use ochre_client_tests::{Raw, Server, eventually, in_each_layout, on_each_backend};

#[test]
fn a_value_comes_back() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("SET greeting hello", "OK");
        client.check("GET greeting", "hello");
        client.check("GET nothing", "nil");
        client.check("INCR greeting", "-ERR value is not an integer or out of range");
    });
}

#[test]
fn a_hundred_thousand_commands_in_one_pipeline_are_answered_in_order() {
    on_each_backend("", |server| {
        let mut pipeline = redis::pipe();
        for number in 0..50_000 {
            pipeline.cmd("SET").arg(format!("key:{}", number % 1000)).arg(number).ignore();
            pipeline.cmd("INCR").arg("counter");
        }
        let mut client = server.client();
        let counts: Vec<i64> = pipeline.query(&mut client.connection).expect("all commands succeed");
        assert!(counts.into_iter().eq(1..=50_000));
        client.check("GET key:999", "49999");
    });
}

#[test]
fn a_pipeline_whose_replies_nobody_reads_meanwhile_is_answered_whole() {
    on_each_backend("", |server| {
        let mut raw = server.raw();
        let value = "x".repeat(100_000);
        raw.send(format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$100000\r\n{value}\r\n")).expect("+OK\r\n");
        // 30 MB of replies, more than the sockets hold: the server must go on when the client begins to read.
        raw.send("GET big\r\n".repeat(300)).send("PING\r\n");
        let reply = format!("$100000\r\n{value}\r\n");
        for _ in 0..300 {
            raw.expect(&reply);
        }
        raw.expect("+PONG\r\n");
    });
}

#[test]
fn values_of_ten_megabytes_travel_both_ways() {
    on_each_backend("", |server| {
        let value: Vec<u8> = (0..10_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut client = server.client();
        assert_eq!(client.run_words(&[b"SET", &b"big"[..], &value]), "OK");
        assert_eq!(client.integer("STRLEN big"), 10_000_000);
        let back: Vec<u8> = redis::cmd("GET").arg("big").query(&mut client.connection).expect("the value is there");
        assert!(back == value, "the value came back changed");
    });
}

#[test]
fn a_request_may_come_byte_by_byte() {
    on_each_backend("", |server| {
        let mut raw = server.raw();
        raw.stream.set_nodelay(true).expect("TCP can");
        for byte in b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\nGET a\r\n" {
            raw.send([*byte]);
        }
        raw.expect("+OK\r\n$5\r\nhello\r\n");
    });
}

#[test]
fn commands_may_be_typed() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        raw.send("SET a 1\r\nget a\nping\n").expect("+OK\r\n$1\r\n1\r\n+PONG\r\n");
        raw.send("SET \"a b\" 'c d'\n\r\n\nGET 'a b'\n").expect("+OK\r\n$3\r\nc d\r\n");
        raw.send("SET bytes \"\\x00\\xff\\n\"\nSTRLEN bytes\n").expect("+OK\r\n:3\r\n");
        raw.send("*0\r\n*-1\r\nECHO done\n").expect("$4\r\ndone\r\n");
        raw.send("QUIT\n");
        assert_eq!(raw.rest(), "+OK\r\n");
    });
}

#[test]
fn a_client_that_has_sent_all_still_gets_its_replies() {
    on_each_backend("", |server| {
        let mut raw = server.raw();
        raw.send("SET a 1\nINCR a\n".repeat(1000)).send("GET a\n").finish_sending();
        assert_eq!(raw.rest(), format!("{}$1\r\n2\r\n", "+OK\r\n:2\r\n".repeat(1000)));
    });
}

/// Sends bytes on a connection of their own: the server must answer with this error and close.
#[track_caller]
fn refused(server: &Server, bytes: impl AsRef<[u8]>, error: &str) {
    assert_eq!(server.raw().send(bytes).rest(), format!("-ERR Protocol error: {error}\r\n"));
}

#[test]
fn what_breaks_the_protocol_is_told_and_ends_the_connection() {
    on_each_backend("", |server| {
        refused(server, "*x\r\n", "invalid multibulk length");
        refused(server, "*2147483648\r\n", "invalid multibulk length");
        refused(server, "*1\r\n:4\r\n", "expected '$', got ':'");
        refused(server, "*1\r\nPING\r\n", "expected '$', got 'P'");
        refused(server, "*1\r\n$-1\r\n", "invalid bulk length");
        refused(server, "*1\r\n$x\r\n", "invalid bulk length");
        refused(server, "*1\r\n$999999999999\r\n", "invalid bulk length");
        refused(server, "*1\r\n$536870913\r\n", "invalid bulk length");
        refused(server, "SET 'a\r\n", "unbalanced quotes in request");
        refused(server, "x".repeat(65_537), "too big inline request");
        refused(server, format!("*{}", "1".repeat(65_536)), "too big mbulk count string");
        refused(server, format!("*1\r\n${}", "1".repeat(65_536)), "too big bulk count string");
        // What came before is answered, what comes behind is not looked at.
        let mut raw = server.raw();
        raw.send("PING\r\n*1\r\n$x\r\nPING\r\n");
        assert_eq!(raw.rest(), "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
        server.client().check("PING", "PONG");
    });
}

#[test]
fn a_browser_that_is_made_to_speak_is_hung_up_on() {
    in_each_layout(|server| {
        assert_eq!(server.raw().send("POST / HTTP/1.1\r\nSET a 1\r\n").rest(), "");
        server.raw().send("GET / HTTP/1.1\r\nHost: localhost\r\nSET a 1\r\n").rest();
        server.wait_for_log("Possible SECURITY ATTACK detected");
        server.client().check("EXISTS a", "0");
    });
}

#[test]
fn a_client_without_a_password_may_announce_little() {
    in_each_layout_with("--requirepass secret", |server| {
        refused(server, "*11\r\n", "unauthenticated multibulk length");
        refused(server, "*2\r\n$4\r\nECHO\r\n$16385\r\n", "unauthenticated bulk length");
        let mut raw = server.raw();
        raw.send("PING\n").expect("-NOAUTH Authentication required.\r\n");
        raw.send("AUTH secret\n").expect("+OK\r\n");
        let value = "x".repeat(20_000);
        raw.send(format!("*2\r\n$4\r\nECHO\r\n$20000\r\n{value}\r\n")).expect(format!("$20000\r\n{value}\r\n"));
    });
}

#[test]
fn a_client_that_sends_more_than_it_may_is_disconnected() {
    on_each_backend("--client-query-buffer-limit 1mb --proto-max-bulk-len 10mb", |server| {
        let mut raw = server.raw();
        raw.send("*2\r\n$4\r\nECHO\r\n$8000000\r\n");
        // The server may hang up in the middle of it.
        let _ = raw.try_send("x".repeat(4_000_000));
        assert_eq!(raw.rest(), "");
        server.wait_for_log("Closing client that reached max query buffer length");
        server.client().check("PING", "PONG");
    });
}

#[test]
fn a_subscriber_that_does_not_read_is_disconnected() {
    in_each_layout_with("--client-output-buffer-limit pubsub 1mb 0 0", |server| {
        let mut deaf = server.raw();
        deaf.send("SUBSCRIBE news\n").expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
        let mut client = server.client();
        let news = vec![b'x'; 500_000];
        eventually("nobody listens any more", || client.run_words(&[b"PUBLISH", &b"news"[..], &news]) == "0");
        client.check("PING", "PONG");
    });
}

#[test]
fn hello_chooses_the_protocol() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        raw.send("HSET h f v\nHGETALL h\nGET nothing\n").expect(":1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n$-1\r\n");
        raw.send("HELLO 3\n");
        assert_eq!(hello(&mut raw, "%7")[..6], ["server", "redis", "version", "7.4.2", "proto", "3"]);
        raw.send("HGETALL h\nGET nothing\n").expect("%1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n");
        raw.send("HELLO 2\n");
        assert_eq!(hello(&mut raw, "*14")[4..6], ["proto", "2"]);
        raw.send("GET nothing\n").expect("$-1\r\n");
        raw.send("HELLO 4\n").expect("-NOPROTO unsupported protocol version\r\n");
        raw.send("HELLO x\n").expect("-ERR Protocol version is not an integer or out of range\r\n");
        raw.send("HELLO 3 NONSENSE\n").expect("-ERR Syntax error in HELLO option 'NONSENSE'\r\n");
    });
}

/// Reads the reply to HELLO: names and values one after the other.
fn hello(raw: &mut Raw, header: &str) -> Vec<String> {
    assert_eq!(raw.line(), header);
    let mut words = Vec::new();
    while words.len() < 13 {
        let header = raw.line();
        words.push(match header.strip_prefix(':') {
            Some(number) => number.to_owned(),
            None => raw.line(),
        });
    }
    assert_eq!(raw.line(), "*0", "the list of modules is empty");
    words
}

#[test]
fn replies_have_the_types_of_their_protocol() {
    in_each_layout(|server| {
        let (mut two, mut three) = (server.client(), server.client_of_resp3());
        let mut check = |line: &str, in_two: &str, in_three: &str| {
            two.check(line, in_two);
            three.check(line, in_three);
        };
        check("SADD s a", "1", "0");
        check("SMEMBERS s", "[a]", "{a}");
        check("HSET h f v", "1", "0");
        check("HGETALL h", "[f v]", "{f: v}");
        check("HRANDFIELD h 1 WITHVALUES", "[f v]", "[[f v]]");
        check("ZADD z 1.5 m", "1", "0");
        check("ZSCORE z m", "1.5", "1.5");
        check("ZRANGE z 0 -1 WITHSCORES", "[m 1.5]", "[[m 1.5]]");
        check("GET nothing", "nil", "nil");
        check("CONFIG GET port", &format!("[port {}]", server.port), &format!("{{port: {}}}", server.port));
        check("DEBUG PROTOCOL true", "1", "true");
        check("DEBUG PROTOCOL map", "[0 0 1 1 2 0]", "{0: false, 1: true, 2: false}");
    });
}
