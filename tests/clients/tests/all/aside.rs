//! Long commands, which run beside their event loop: what their client and others see of it.

use ochre_client_tests::{Client, Server, eventually, in_each_layout, in_each_layout_with};

/// Fills a set with so many members, from a number on.
fn fill(client: &mut Client, key: &str, from: usize, count: usize) {
    for first in (from..from + count).step_by(5000) {
        let members: Vec<String> =
            (first..(first + 5000).min(from + count)).map(|member| format!("m{member}")).collect();
        let mut words = vec!["SADD", key];
        words.extend(members.iter().map(String::as_str));
        assert_eq!(client.run_words(&words), (words.len() - 2).to_string());
    }
}

/// How often a command was called, and how often it failed.
fn calls(client: &mut Client, command: &str) -> (String, String) {
    let stats = client.run("INFO commandstats");
    let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:"))).expect("it was called");
    let field =
        |name: &str| line.split(',').find_map(|part| part.split_once(name)).expect("the field is there").1.to_owned();
    (field("calls="), field("failed_calls="))
}

#[test]
fn what_comes_behind_a_long_command_waits_for_it() {
    in_each_layout(|server| {
        let mut client = server.client();
        fill(&mut client, "a", 0, 15_000);
        fill(&mut client, "b", 10_000, 15_000);
        client.check("SET text x", "OK");
        let mut raw = server.raw();
        raw.send(
            "SUNIONSTORE c a b\nSCARD c\nSUNIONSTORE d a text\nSDIFFSTORE c b a\nSINTERCARD 2 a b\nSCARD c\nPING\n",
        );
        raw.expect(":25000\r\n:25000\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
        raw.expect(":10000\r\n:5000\r\n:10000\r\n+PONG\r\n");
        assert_eq!(calls(&mut client, "sunionstore"), ("2".into(), "1".into()));
        assert_eq!(calls(&mut client, "sdiffstore"), ("1".into(), "0".into()));
        // In a transaction and in a script there is nobody to wait.
        raw.send("MULTI\nSUNIONSTORE c a b\nSCARD c\nEXEC\n");
        raw.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:25000\r\n:25000\r\n");
        raw.send("*6\r\n$4\r\nEVAL\r\n$56\r\nreturn redis.call('SUNIONSTORE',KEYS[3],KEYS[1],KEYS[2])\r\n$1\r\n3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
        raw.expect(":25000\r\n");
    });
}

#[test]
fn others_see_what_a_long_command_did_as_they_see_anything() {
    in_each_layout(|server| {
        let mut client = server.client();
        fill(&mut client, "a", 0, 15_000);
        fill(&mut client, "b", 10_000, 15_000);
        // Whoever watches its key is told.
        let mut watcher = server.client();
        watcher.check("WATCH c", "OK");
        let mut waiter = server.raw();
        waiter.send("BZPOPMIN z 0\n");
        eventually("the client waits", || client.run("CLIENT LIST").contains("cmd=bzpopmin"));
        client.check("CONFIG SET notify-keyspace-events KEA", "OK");
        let mut listener = server.raw();
        listener.send("SUBSCRIBE __keyevent@0__:sunionstore\n").line();
        client.check("SUNIONSTORE c a b", "25000");
        watcher.check("MULTI", "OK");
        watcher.check("PING", "QUEUED");
        watcher.check("EXEC", "nil");
        // So is whoever waits for it.
        client.check("ZUNIONSTORE z 2 a b", "25000");
        assert_eq!(waiter.line(), "*3");
        client.check("ZCARD z", "24999");
        // Five lines of the reply to SUBSCRIBE are left; then the event comes.
        let lines: Vec<String> = (0..12).map(|_| listener.line()).collect();
        assert_eq!(lines.last().map(String::as_str), Some("c"), "{lines:?}");
    });
}

#[test]
fn a_long_command_is_in_the_log_as_a_short_one() {
    in_each_layout_with("--appendonly yes --appendfsync always", |server| {
        let mut client = server.client();
        fill(&mut client, "a", 0, 15_000);
        fill(&mut client, "b", 10_000, 15_000);
        client.check("SUNIONSTORE c a b", "25000");
        client.check("SREM c m1", "1");
        let digest = client.run("DEBUG DIGEST");
        client.check("DEBUG LOADAOF", "OK");
        client.check("SCARD c", "24999");
        assert_eq!(client.run("DEBUG DIGEST"), digest);
    });
}

#[test]
fn a_client_may_leave_before_its_long_command_is_over() {
    let server = Server::start("--threads 4");
    let mut client = server.client();
    fill(&mut client, "a", 0, 15_000);
    fill(&mut client, "b", 10_000, 15_000);
    for _ in 0..20 {
        server.raw().send("SUNIONSTORE c a b\n");
    }
    eventually("one has run", || client.run("SCARD c") == "25000");
    client.check("PING", "PONG");
}

#[test]
fn a_script_that_waits_for_a_long_command_holds_up_nobody_for_ever() {
    let server = Server::start("--threads 4");
    let mut client = server.client();
    fill(&mut client, "a", 0, 40_000);
    fill(&mut client, "b", 40_000, 40_000);
    let mut others: Vec<_> = (0..8).map(|_| server.raw()).collect();
    let mut scripts = server.client();
    for _ in 0..10 {
        let mut union = server.raw();
        union.send("SUNIONSTORE c a b\nDEL c\n");
        others.iter_mut().for_each(|other| _ = other.send("PING\n"));
        // The script does not name its key, so it runs already when it finds it busy.
        let members = scripts.run_words(&["EVAL", "return redis.call('SCARD', 'c')", "0"]);
        assert!(members == "0" || members == "80000", "{members}");
        others.iter_mut().for_each(|other| _ = other.expect("+PONG\r\n"));
        union.expect(":80000\r\n:1\r\n");
    }
}
