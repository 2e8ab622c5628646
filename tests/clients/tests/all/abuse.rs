//! Abuse that takes more than a line: what killed others and needs a program to try, beside the lines of `hostile.rs`.

use ochre_client_tests::{Client, Server, eventually, in_each_layout, in_each_layout_with, on_each_backend};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn patterns_take_no_more_than_their_length_times_that_of_the_text() {
    in_each_layout(|server| {
        let mut client = server.client();
        let text = "a".repeat(2_000);
        client.check(&format!("SET {text} 1"), "OK");
        let bombs = [format!("{}b", "a*".repeat(1_000)), format!("{}b", "*".repeat(1_000_000)), "[".repeat(100_000)];
        for bomb in &bombs {
            client.check(&format!("KEYS {bomb}"), "[]");
            assert!(client.run(&format!("SCAN 0 MATCH {bomb}")).starts_with('['));
            assert!(client.run(&format!("CONFIG GET {bomb}")).starts_with('['));
            assert!(client.run(&format!("PUBSUB CHANNELS {bomb}")).starts_with('['));
            assert!(client.run(&format!("COMMAND LIST FILTERBY PATTERN {bomb}")).starts_with('['));
            assert!(client.run(&format!("FUNCTION LIST LIBRARYNAME {bomb}")).starts_with('['));
        }
        client.check("PING", "PONG");
    });
}

#[test]
fn strings_that_pose_as_sketches_are_refused() {
    in_each_layout(|server| {
        let mut client = server.client();
        let mut random = dice();
        for turn in 0..200 {
            // Dense ones are cut off, sparse ones say what no sketch says.
            let mut sketch = b"HYLL".to_vec();
            sketch.extend([(turn % 3) as u8, 0, 0, 0]);
            sketch.extend((0..8 + random(300)).map(|_| random(256) as u8));
            assert_eq!(client.run_words(&[&b"SET"[..], b"hll", &sketch]), "OK");
            for line in ["PFCOUNT hll", "PFADD hll a", "PFMERGE hll hll", "PFCOUNT hll hll"] {
                let reply = client.run(line);
                let is_answer = reply.starts_with("-INVALIDOBJ") || reply.starts_with("-WRONGTYPE");
                assert!(is_answer || turn % 3 == 1, "{line}: {reply}");
            }
        }
        client.check("PING", "PONG");
    });
}

/// Random numbers below a bound, the same in every run.
fn dice() -> impl FnMut(usize) -> usize {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn small_encodings_may_be_made_large_and_still_hold_what_they_must() {
    in_each_layout(|server| {
        let mut client = server.client();
        for name in ["hash-max-listpack", "zset-max-listpack", "set-max-listpack"] {
            client.check(&format!("CONFIG SET {name}-entries 1000000 {name}-value 1000000000"), "OK");
        }
        client.check("CONFIG SET list-max-listpack-size 32767 set-max-intset-entries 1000000", "OK");
        let value = "v".repeat(100_000);
        for at in 0..50 {
            client.check(&format!("HSET h f{at} {value}"), "1");
            client.check(&format!("ZADD z {at} {at}{value}"), "1");
            client.check(&format!("SADD s {at}{value}"), "1");
            assert!(client.integer(&format!("RPUSH l {value}")) > 0);
        }
        for key in ["h", "z", "s", "l"] {
            client.check(&format!("COPY {key} {key}2"), "1");
        }
        client.check("HSTRLEN h2 f49", "100000");
        client.check("ZCARD z2", "50");
        client.check("SCARD s2", "50");
        client.check("LLEN l2", "50");
    });
}

#[test]
fn nobody_is_harmed_by_bytes_at_random() {
    on_each_backend("", |server| {
        static SEED: AtomicUsize = AtomicUsize::new(1);
        let mut random = dice();
        (0..SEED.fetch_add(1, Ordering::Relaxed)).for_each(|_| {
            random(2);
        });
        let words: &[&[u8]] =
            &[b"*", b"$", b"\r\n", b"1", b"3", b"SET", b"GET", b"-1", b"\"", b"\0", b"2147483647", b" "];
        for _ in 0..200 {
            let mut raw = server.raw();
            let bytes: Vec<u8> = (0..60).flat_map(|_| words[random(words.len())]).copied().collect();
            // It may be hung up on at any byte.
            let _ = raw.try_send(&bytes);
        }
        still_serves(&mut server.client());
    });
}

fn still_serves(client: &mut Client) {
    client.check("SET still here", "OK");
    client.check("GET still", "here");
}

#[test]
fn scripts_of_endless_levels_are_errors() {
    in_each_layout(|server| {
        let mut client = server.client();
        let levels = format!("return [{}[", "=".repeat(100_000));
        assert!(client.run_words(&["EVAL", &levels, "0"]).starts_with("-ERR"));
        let nested = format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(client.run_words(&["EVAL", &nested, "0"]).starts_with("-ERR"));
        client.check("PING", "PONG");
    });
}

#[test]
fn what_takes_the_product_of_two_lengths_is_refused() {
    in_each_layout(|server| {
        let mut client = server.client();
        let long = "a".repeat(200_000);
        client.check(&format!("SET a {long}"), "OK");
        client.check(&format!("SET b {long}"), "OK");
        let reply = client.run("LCS a b");
        assert!(reply.starts_with("-ERR"), "{}", &reply[..reply.len().min(100)]);
        client.check("PING", "PONG");
    });
}

#[test]
fn hundreds_of_keys_are_found() {
    in_each_layout(|server| {
        let mut client = server.client();
        let keys: Vec<String> = (0..1000).map(|at| format!("k{at}")).collect();
        let keys = keys.join(" ");
        client.check(&format!("COMMAND GETKEYS MGET {keys}"), &format!("[{keys}]"));
        client.check(&format!("COMMAND GETKEYS ZUNION 1000 {keys}"), &format!("[{keys}]"));
        client.check(&format!("DEL {keys}"), "0");
        assert!(client.run("ACL SETUSER some on nopass ~k* +@all").starts_with("OK"));
        client.check("AUTH some any", "OK");
        client.check(&format!("EXISTS {keys}"), "0");
        client.check(&format!("EXISTS {keys} other"), "-NOPERM No permissions to access a key");
    });
}

#[test]
fn sort_reads_no_key_that_its_user_may_not() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("MSET other:1 secret w:1 1", "OK");
        client.check("RPUSH list 1", "1");
        client.check("ACL SETUSER some on nopass ~list ~w:* +@all", "OK");
        client.check("AUTH some any", "OK");
        client.check("SORT_RO list", "[1]");
        for line in ["SORT_RO list GET other:*", "SORT list BY other:*", "SORT list GET # GET other:* STORE w:2"] {
            let reply = client.run(line);
            assert!(reply.starts_with("-ERR") || reply.starts_with("-NOPERM"), "{line}: {reply}");
        }
    });
}

#[test]
fn who_has_not_logged_in_and_does_not_read_is_hung_up_on() {
    in_each_layout_with("--requirepass secret", |server| {
        let mut raw = server.raw();
        let many = "GET a\n".repeat(10_000);
        // Who waits for room to send is told of the end, too.
        let ended = loop {
            if let Err(error) = raw.try_send(&many) {
                break error.kind();
            }
        };
        assert!(matches!(ended, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{ended}");
        let mut client = server.client();
        client.check("AUTH secret", "OK");
        client.check("PING", "PONG");
    });
}

#[test]
fn connections_that_are_dropped_at_once_keep_nobody_out() {
    on_each_backend("--requirepass secret", |server| {
        for turn in 0..300 {
            let mut raw = server.raw();
            if turn % 3 == 0 {
                // What is not read makes its end a reset.
                let _ = raw.try_send("PING\nAUTH secret\nPING\n");
            }
            drop(raw);
        }
        let mut client = server.client();
        client.check("AUTH secret", "OK");
        still_serves(&mut client);
    });
}

#[test]
fn thousands_of_ids_are_taken() {
    in_each_layout(|server| {
        let mut client = server.client();
        for at in 1..=5 {
            client.check(&format!("XADD x {at}-1 f v"), &format!("{at}-1"));
        }
        client.check("XGROUP CREATE x g 0", "OK");
        assert!(client.run("XREADGROUP GROUP g c STREAMS x >").starts_with("[[x"));
        let ids: Vec<String> = (1..=3000).map(|at| format!("{at}-1")).collect();
        let ids = ids.join(" ");
        let told = |there: usize| [vec!["1"; there], vec!["-1"; 3000 - there]].concat().join(" ");
        client.check(&format!("XACKDEL x g DELREF IDS 3000 {ids}"), &format!("[{}]", told(5)));
        client.check(&format!("XDELEX x DELREF IDS 3000 {ids}"), &format!("[{}]", told(0)));
        client.check(&format!("XACK x g {ids}"), "0");
        client.check(&format!("XDEL x {ids}"), "0");
        client.check(&format!("XCLAIM x g c 0 {ids}"), "[]");
        assert!(client.run("XACKDEL x g IDS 3000 1-1").starts_with("-ERR"));
    });
}

#[test]
fn a_request_of_nothing_leaves_nothing_behind() {
    on_each_backend("", |server| {
        for nothing in ["*0\r\n", "*-1\r\n", "\r\n"] {
            let mut raw = server.raw();
            raw.send(format!("{nothing}PING\r\n")).expect("+PONG\r\n");
            raw.send(format!("{nothing}*1\r\n$4\r\nPING\r\n{nothing}PING\r\n")).expect("+PONG\r\n+PONG\r\n");
        }
    });
}

#[test]
fn who_waits_may_be_killed_at_any_moment() {
    in_each_layout(|server| {
        let mut client = server.client();
        for _ in 0..20 {
            let mut waiting = server.raw();
            waiting.send("CLIENT ID\r\n");
            let id = waiting.line().trim_start_matches(':').to_owned();
            waiting.send("BLMOVE from to LEFT RIGHT 0\r\n");
            eventually("the wait", || client.run("INFO clients").contains("blocked_clients:1"));
            // It is woken by the first command, and its own runs again; the second one ends it.
            let transaction = [
                "MULTI".to_owned(),
                "RPUSH from a".to_owned(),
                format!("CLIENT KILL ID {id}"),
                "DEL from".to_owned(),
                "EXEC".to_owned(),
            ];
            transaction.iter().for_each(|line| _ = client.run(line));
            assert_eq!(waiting.rest(), "");
            client.check("DEL to from", "0");
        }
        still_serves(&mut client);
    });
}

#[test]
fn libraries_come_and_go() {
    in_each_layout(|server| {
        let mut client = server.client();
        for turn in 0..20 {
            for name in ["a", "b"] {
                let code =
                    format!("#!lua name={name}\nredis.register_function('{name}', function() return {turn} end)");
                assert_eq!(client.run_words(&["FUNCTION", "LOAD", "REPLACE", &code]), name);
            }
            client.check("FCALL a 0", &turn.to_string());
            let flush = ["FUNCTION FLUSH", "FUNCTION FLUSH ASYNC", "FUNCTION DELETE a"][turn % 3];
            client.check(flush, "OK");
            assert!(client.run("FCALL a 0").starts_with("-ERR Function not found"));
        }
    });
}

#[test]
fn a_server_that_begins_to_follow_another_waits_for_the_script_that_runs() {
    in_each_layout(|server| {
        let leader = Server::start("--threads 2");
        leader.client().check("MSET a 1 b 2", "OK");
        let mut client = server.client();
        client.check("SET own value", "OK");
        std::thread::scope(|scope| {
            let script = scope.spawn(|| {
                server.client().run_words(&["EVAL", "while true do redis.call('GET', KEYS[1]) end", "1", "own"])
            });
            let mut other = server.client();
            client.check(&format!("REPLICAOF 127.0.0.1 {}", leader.port), "OK");
            // The script may not have begun yet.
            eventually("the script's end", || other.run("SCRIPT KILL") == "OK" || script.is_finished());
            let reply = script.join().expect("the client gets a reply");
            assert!(reply.starts_with("-ERR Script killed") || reply.starts_with("-LOADING"), "{reply}");
        });
        eventually("the end of the copy", || client.run("INFO replication").contains("master_link_status:up"));
        client.check("MGET a b own", "[1 2 nil]");
    });
}
