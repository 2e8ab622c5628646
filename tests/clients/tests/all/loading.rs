//! Data from files: of real servers at the start, of one's own again, and of this server in a real one.

use ochre_client_tests::server::{Folder, free_port, in_each_layout, in_each_layout_with, run_to_the_end};
use ochre_client_tests::{Client, Server, eventually};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const FILES: &[&str] = &["redis-7.0.15.rdb", "redis-8.0.6.rdb", "valkey-9.1.2.rdb"];

/// A file that a real server wrote; `data/rdb/tests` tells what is in it.
fn file_of(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/rdb/tests/files").join(name)
}

/// A folder with that file as the snapshot.
fn folder_with(name: &str) -> Folder {
    let folder = Folder::new();
    std::fs::copy(file_of(name), folder.path.join("dump.rdb")).expect("the file can be copied");
    folder
}

#[test]
fn files_of_real_servers_are_loaded_at_the_start() {
    for file in FILES {
        let folder = folder_with(file);
        in_each_layout_with(&format!("--dir {}", folder.path.display()), |server| {
            let mut client = server.client();
            let keys = if file.starts_with("redis-7") { 17 } else { 19 };
            assert_eq!(client.integer("DBSIZE"), keys, "{file}");
            client.check("GET int64", "12345678901");
            client.check("PEXPIRETIME due", "4000000000000");
            client.check("LRANGE list 0 -1", "[a b 3]");
            client.check("ZRANGE sorted 0 -1 WITHSCORES", "[a 1 b 2.5 c inf]");
            client.check("XPENDING stream group", "[2 1-1 4-1 [[alice 1] [bob 1]]]");
            client.check("XADD stream 8-0 a b", &client_error("The ID specified in XADD is equal or smaller"));
            client.check("SELECT 3", "OK");
            client.check("GET other", "database");
            assert!(server.log().contains("DB loaded from disk"), "{}", server.log());
            let info = client.run("INFO persistence");
            assert!(info.contains("loading:0") && info.contains("rdb_changes_since_last_save:0"), "{info}");
            assert!(info.contains(&format!("rdb_last_load_keys_loaded:{}", keys + 1)), "{info}");
        });
    }
}

fn client_error(text: &str) -> String {
    format!("-ERR {text} than the target stream top item")
}

#[test]
fn a_file_that_is_damaged_ends_the_start_with_its_place() {
    let refused = |change: &dyn Fn(&mut Vec<u8>), reason: &str| {
        let folder = Folder::new();
        let mut bytes = std::fs::read(file_of(FILES[0])).expect("the file is there");
        change(&mut bytes);
        let path = folder.path.join("dump.rdb");
        std::fs::write(&path, &bytes).expect("the folder can be written");
        let (port, dir) = (free_port().to_string(), folder.path.display().to_string());
        let (code, text) = run_to_the_end(&["--port", &port, "--bind", "127.0.0.1", "--dir", &dir]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("dump.rdb, offset ") && text.contains(reason), "{text}");
        assert!(text.contains("Fatal error loading the DB"), "{text}");
        assert_eq!(std::fs::read(&path).expect("it is still there"), bytes, "nobody writes over it");
    };
    refused(&|bytes| bytes.truncate(500), "Unexpected EOF reading RDB file");
    refused(&|bytes| *bytes.last_mut().expect("bytes") ^= 1, "Wrong RDB checksum");
    refused(&|bytes| bytes[8] = b'9', "Can't handle RDB format version 19");
    refused(&|bytes| bytes[0] = b'r', "Wrong signature");
}

#[test]
fn data_is_saved_and_loaded_again() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("DEBUG RELOAD NOSAVE", "-ERR Error trying to load the RDB dump, check server logs");
        client.check("DEBUG POPULATE 5000", "OK");
        for number in 0..200 {
            client.check(&format!("HSET hash f{number} v{number}"), "1");
            client.check(&format!("ZADD tree {number}.5 m{number}"), "1");
            client.run(&format!("RPUSH list {}", "x".repeat(number)));
        }
        client.check("HPEXPIREAT hash 4000000000000 FIELDS 1 f7", "[1]");
        client.check("XADD stream 1-1 a b", "1-1");
        client.check("XGROUP CREATE stream g 0", "OK");
        client.run("XREADGROUP GROUP g c STREAMS stream >");
        client.run("XNACK stream g FAIL IDS 1 1-1");
        let (digest, pending) = (client.run("DEBUG DIGEST"), client.run("XPENDING stream g"));
        for dialect in ["portable", "redis8", "valkey9"] {
            client.check(&format!("CONFIG SET rdb-dialect {dialect}"), "OK");
            client.check("DEBUG RELOAD", "OK");
            assert_eq!(client.run("DEBUG DIGEST"), digest, "{dialect}");
            assert_eq!(client.run("XPENDING stream g"), pending, "{dialect}");
        }
        client.check("DEBUG RELOAD NOSAVE NOFLUSH MERGE", "OK");
        assert_eq!(client.run("DEBUG DIGEST"), digest);
        client.check("FLUSHALL", "OK");
        client.check("DEBUG RELOAD NOSAVE", "OK");
        assert_eq!(client.run("DEBUG DIGEST"), digest);
        client.check("DEBUG RELOAD WHAT", "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    });
}

#[test]
fn clients_are_told_to_wait_while_data_is_loaded() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("DEBUG POPULATE 3000", "OK");
        client.check("SAVE", "OK");
        client.check("CONFIG SET key-load-delay 300", "OK");
        let mut loader = server.client();
        let reload = std::thread::spawn(move || loader.run("DEBUG RELOAD NOSAVE"));
        eventually("somebody is told to wait", || {
            client.run("GET key:1") == "-LOADING Redis is loading the dataset in memory"
        });
        client.check("MULTI", "OK");
        client.check("GET a", "-LOADING Redis is loading the dataset in memory");
        client.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        let info = client.run("INFO persistence");
        assert!(info.contains("loading:1") && info.contains("loading_loaded_perc:"), "{info}");
        client.check("CONFIG SET key-load-delay 0", "OK");
        assert_eq!(reload.join().expect("the client lives"), "OK");
        client.check("GET key:1", "value:1");
        assert_eq!(client.integer("DBSIZE"), 3000);
    });
}

/// A real server on a copy of our file, when there is one.
#[test]
fn a_real_server_loads_our_file() {
    let program = std::env::var("REDIS_SERVER").unwrap_or("redis-server".into());
    if Command::new(&program).arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: a_real_server_loads_our_file, because there is no {program}");
        return;
    }
    let server = Server::start("--threads 4");
    let mut client = server.client();
    for number in 0..300 {
        client.run(&format!("SET string{number} {}", "ab".repeat(number)));
        client.run(&format!("RPUSH list x{number}"));
        client.run(&format!("SADD set m{number}"));
        client.run(&format!("SADD ints {number}"));
        client.run(&format!("HSET hash f{number} v{number}"));
        client.run(&format!("ZADD tree {number}.25 m{number}"));
        client.run(&format!("XADD stream {}-1 f v{number}", number + 1));
    }
    for line in ["SADD few a b", "HSET small f v", "ZADD pack 1 a 2 b", "SADD one 1", "SETEX due 10000 x"] {
        client.run(line);
    }
    client.run("XGROUP CREATE stream g 0");
    client.run("XREADGROUP GROUP g c COUNT 10 STREAMS stream >");
    client.check("SAVE", "OK");
    let port = free_port();
    let mut real = Command::new(program);
    real.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(&server.folder.path);
    let mut real = real.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it was there a moment ago");
    let mut other = None;
    eventually("the real server has loaded the file", || {
        other = Client::connect(&format!("redis://127.0.0.1:{port}/")).ok();
        other.as_mut().is_some_and(|other| other.run("PING") == "PONG" && !other.run("DBSIZE").starts_with('-'))
    });
    let mut other = other.expect("it was just there");
    for line in [
        "DBSIZE",
        "GET string299",
        "LRANGE list 0 -1",
        "SCARD set",
        "SMEMBERS ints",
        "HGET hash f123",
        "HLEN hash",
        "ZRANGE tree 0 -1 WITHSCORES",
        "ZRANGE pack 0 -1 WITHSCORES",
        "XRANGE stream - +",
        "XPENDING stream g",
        "SISMEMBER few b",
        "HGETALL small",
        "PEXPIRETIME due",
    ] {
        assert_eq!(other.run(line), client.run(line), "{line}");
    }
    // It is ours, and has nothing to say any more.
    let _ = real.kill();
    let _ = real.wait();
}
