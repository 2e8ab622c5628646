//! HIMPORT: hashes whose fields the connection has named before.

use ochre_client_tests::server::Folder;
use ochre_client_tests::{Server, in_each_layout};

#[test]
fn a_prepared_list_of_fields_makes_hashes() {
    in_each_layout(|server| {
        let (mut one, mut other) = (server.client(), server.client());
        one.check("HIMPORT PREPARE user name email age", "OK");
        one.check("HIMPORT SET u:1 user alice a@x 30", "OK");
        one.check("HIMPORT SET u:2 user bob b@x 25", "OK");
        other.check("HMGET u:1 name email age", "[alice a@x 30]");
        other.check("HGET u:2 age", "25");
        // Other connections do not know it.
        other.check("HIMPORT SET u:3 user a b c", "-ERR no such fieldset");
        one.check(
            "HIMPORT SET u:1 user just one",
            "-ERR number of values does not match the number of fields in the fieldset",
        );
        one.check("HIMPORT PREPARE user a a", "-ERR duplicate field name in fieldset");
        one.check("HIMPORT SET u:2 user carol c@x 20", "OK");
        one.check("HIMPORT DISCARD user", "1");
        one.check("HIMPORT DISCARD user", "0");
        one.check("HIMPORT SET u:2 user a b c", "-ERR no such fieldset");
        one.check("HIMPORT PREPARE a f", "OK");
        one.check("HIMPORT PREPARE b f g", "OK");
        one.check("HIMPORT DISCARDALL", "2");
        one.check("HIMPORT PREPARE a f", "OK");
        one.check("RESET", "RESET");
        one.check("HIMPORT SET u:2 a v", "-ERR no such fieldset");
        one.check("HIMPORT", "-ERR wrong number of arguments for 'himport' command");
    });
}

#[test]
fn the_hash_that_was_there_goes_and_other_values_stay() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("HSET h old 1", "1");
        client.check("EXPIRE h 100", "1");
        client.check("SET text value", "OK");
        client.check("HIMPORT PREPARE p f g", "OK");
        client.check("HIMPORT SET h p 1 2", "OK");
        client.check("HLEN h", "2");
        client.check("TTL h", "-1");
        client.check("HIMPORT SET text p 1 2", "-WRONGTYPE Operation against a key holding the wrong kind of value");
        client.check("GET text", "value");
    });
}

#[test]
fn it_works_in_transactions_and_scripts() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("MULTI", "OK");
        client.check("HIMPORT PREPARE p f g", "QUEUED");
        client.check("HIMPORT SET a p 1 2", "QUEUED");
        client.check("HIMPORT SET b p 3 4", "QUEUED");
        client.check("HGET b g", "QUEUED");
        client.check("EXEC", "[OK OK OK 4]");
        let script = "return redis.call('HIMPORT', 'SET', KEYS[1], 'p', '5', '6')";
        assert_eq!(client.run_words(&["EVAL", script, "1", "c"]), "OK");
        client.check("HMGET c f g", "[5 6]");
    });
}

#[test]
fn the_log_has_hashes_that_everybody_can_read() {
    let kept = "--appendonly yes --appendfsync always";
    for layout in ["--threads 1", "--threads 4"] {
        let mut server = Server::start(&format!("{layout} {kept}"));
        let mut client = server.client();
        client.check("HSET h old 1", "1");
        client.check("HIMPORT PREPARE p f g", "OK");
        client.check("HIMPORT SET h p 1 2", "OK");
        client.check("HIMPORT SET new p 3 4", "OK");
        server.signal("KILL");
        server.wait();
        let log = std::fs::read(log_of(&server.folder)).expect("a log");
        assert!(!String::from_utf8_lossy(&log).contains("HIMPORT"));
        let server = Server::start(&format!("{} --dir {}", server.arguments, server.folder.path.display()));
        let mut client = server.client();
        client.check("HMGET h f g old", "[1 2 nil]");
        client.check("HMGET new f g", "[3 4]");
    }
}

fn log_of(folder: &Folder) -> std::path::PathBuf {
    folder.path.join("appendonlydir").join("appendonly.aof.1.incr.aof")
}

#[test]
fn what_a_connection_has_named_counts_as_its_memory() {
    let server = Server::start("--threads 1");
    let mut client = server.client();
    let memory = |client: &mut ochre_client_tests::Client| {
        let line = client.run("CLIENT INFO");
        let field = line.split_whitespace().find_map(|field| field.strip_prefix("tot-mem=").map(str::to_owned));
        field.and_then(|bytes| bytes.parse::<usize>().ok()).expect("a number of bytes")
    };
    let before = memory(&mut client);
    let field = "f".repeat(100_000);
    client.check(&format!("HIMPORT PREPARE p {field}"), "OK");
    assert!(memory(&mut client) > before + 90_000);
    client.check("HIMPORT DISCARDALL", "1");
    client.check("PING", "PONG");
    assert!(memory(&mut client) < before + 90_000);
}
