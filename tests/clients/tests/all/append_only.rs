//! The append-only file: nothing acknowledged is lost, and what does not check out is refused.

use ochre_client_tests::server::{Folder, free_port, in_each_layout, in_each_layout_with, run_to_the_end};
use ochre_client_tests::{Client, Server, eventually};
use std::io::Write;
use std::path::PathBuf;

const KEPT: &str = "--appendonly yes --appendfsync always";

fn fill(client: &mut Client) {
    client.check("SET text value", "OK");
    client.check("SET timed value PX 1000000", "OK");
    client.check("RPUSH list a b c", "3");
    client.check("BLPOP list 1", "[list a]");
    client.check("SADD set 1 2 3", "3");
    client.check("ZADD sorted 1 a 2 b", "2");
    client.check("HSET hash f v", "1");
    client.check("XADD stream 1-1 f v", "1-1");
    client.check("INCRBYFLOAT float 0.5", "0.5");
    client.check("SELECT 5", "OK");
    client.check("SET other database", "OK");
    client.check("SELECT 0", "OK");
    client.check("MULTI", "OK");
    client.check("INCR one", "QUEUED");
    client.check("INCR two", "QUEUED");
    client.check("EXEC", "[1 1]");
}

/// Ends a server as the system does when memory is short, and starts one in its folder.
fn killed_and_restarted(mut server: Server, then: impl FnOnce(&Server)) {
    server.signal("KILL");
    server.wait();
    let arguments = format!("{} --dir {}", server.arguments, server.folder.path.display());
    then(&Server::start(&arguments));
}

fn segment(folder: &Folder, name: &str) -> PathBuf {
    folder.path.join("appendonlydir").join(name)
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    for layout in ["--threads 1", "--threads 4"] {
        let server = Server::start(&format!("{layout} {KEPT}"));
        let mut client = server.client();
        fill(&mut client);
        let digest = client.run("DEBUG DIGEST");
        killed_and_restarted(server, |server| server.client().check("DEBUG DIGEST", &digest));
    }
}

#[test]
fn a_rewrite_keeps_the_data_and_deletes_what_it_supersedes() {
    in_each_layout_with(&format!("{KEPT} --auto-aof-rewrite-percentage 0"), |server| {
        let mut client = server.client();
        fill(&mut client);
        for (preamble, kind) in [("yes", "rdb"), ("no", "aof")] {
            client.check(&format!("CONFIG SET aof-use-rdb-preamble {preamble}"), "OK");
            client.check("BGREWRITEAOF", "Background append only file rewriting started");
            client.check("INCR after", if kind == "rdb" { "1" } else { "2" });
            eventually("the end of the rewrite", || {
                client.run("INFO persistence").contains("aof_rewrite_in_progress:0")
            });
            let digest = client.run("DEBUG DIGEST");
            client.check("DEBUG LOADAOF", "OK");
            client.check("DEBUG DIGEST", &digest);
            let number = if kind == "rdb" { 2 } else { 3 };
            assert!(segment(&server.folder, &format!("appendonly.aof.{number}.base.{kind}")).exists());
            assert!(!segment(&server.folder, &format!("appendonly.aof.{}.incr.aof", number - 1)).exists());
        }
    });
}

#[test]
fn the_file_is_switched_on_and_off_while_running() {
    in_each_layout(|server| {
        let mut client = server.client();
        fill(&mut client);
        client.check("WAITAOF 1 0 0", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
        client.check("CONFIG SET appendonly yes", "OK");
        eventually("the first base", || client.run("INFO persistence").contains("aof_rewrites:1"));
        client.check("SET late value", "OK");
        client.check("WAITAOF 1 0 0", "[1 0]");
        let digest = client.run("DEBUG DIGEST");
        client.check("CONFIG SET appendonly no", "OK");
        client.check("SET text lost", "OK");
        let arguments = format!("--appendonly yes --dir {}", server.folder.path.display());
        Server::start(&arguments).client().check("DEBUG DIGEST", &digest);
    });
}

#[test]
fn a_changed_byte_is_refused_with_its_place_and_a_cut_end_is_loaded() {
    let folder = Folder::new();
    let arguments = format!("{KEPT} --dir {}", folder.path.display());
    let mut server = Server::start(&arguments);
    fill(&mut server.client());
    server.signal("TERM");
    server.wait();
    let path = segment(&folder, "appendonly.aof.1.incr.aof");
    let good = std::fs::read(&path).expect("the file is there");
    let refusal = || {
        let (port, dir) = (free_port().to_string(), folder.path.display().to_string());
        let (code, text) =
            run_to_the_end(&["--port", &port, "--bind", "127.0.0.1", "--dir", &dir, "--appendonly", "yes"]);
        assert_eq!(code, Some(1), "{text}");
        text
    };
    let mut bad = good.clone();
    let at = good.windows(5).position(|word| word == b"value").expect("it was written");
    bad[at] = b'V';
    std::fs::write(&path, &bad).expect("the folder can be written");
    let text = refusal();
    assert!(text.contains("appendonly.aof.1.incr.aof: the checksum of the"), "{text}");
    let manifest = segment(&folder, "appendonly.aof.manifest");
    let list = std::fs::read(&manifest).expect("the file is there");
    std::fs::remove_file(&manifest).expect("the folder can be written");
    assert!(refusal().contains("but the manifest"));
    std::fs::write(&manifest, list).expect("the folder can be written");
    let exec = good.windows(4).position(|word| word == b"EXEC").expect("there is a transaction");
    std::fs::write(&path, &good[..exec]).expect("the folder can be written");
    let server = Server::start(&arguments);
    let mut client = server.client();
    client.check("EXISTS one two", "0");
    client.check("GET text", "value");
    assert!(server.log().contains("because aof-load-truncated is enabled"));
}

#[test]
fn a_cut_file_before_an_empty_one_is_mended_before_that_is_written_to() {
    // As a power cut in the middle of a rewrite's first moment leaves it: the next file is listed and nothing is in it yet.
    let folder = Folder::new();
    let arguments = format!("{KEPT} --dir {}", folder.path.display());
    let stopped = |mut server: Server| {
        server.signal("TERM");
        server.wait();
    };
    let server = Server::start(&arguments);
    fill(&mut server.client());
    stopped(server);
    let path = segment(&folder, "appendonly.aof.1.incr.aof");
    let bytes = std::fs::read(&path).expect("the file is there");
    let exec = bytes.windows(4).position(|word| word == b"EXEC").expect("there is a transaction");
    std::fs::write(&path, &bytes[..exec]).expect("the folder can be written");
    std::fs::write(segment(&folder, "appendonly.aof.2.incr.aof"), b"").expect("the folder can be written");
    let manifest = segment(&folder, "appendonly.aof.manifest");
    let list = std::fs::read_to_string(&manifest).expect("the file is there");
    std::fs::write(&manifest, format!("{list}file appendonly.aof.2.incr.aof seq 2 type i\n"))
        .expect("the folder can be written");
    let server = Server::start(&arguments);
    server.client().check("SET late value", "OK");
    stopped(server);
    let server = Server::start(&arguments);
    server.client().check("MGET late text one", "[value value nil]");
}

#[test]
fn replies_that_wait_for_the_disk_come_in_order_however_many_there_are() {
    in_each_layout_with(KEPT, |server| {
        let mut client = server.client();
        client.check(&format!("SET large {}", "x".repeat(100_000)), "OK");
        // Every sync takes a while, so that replies of several megabytes wait, and more is sent than is read meanwhile.
        client.check("DEBUG AOF-FLUSH-SLEEP 20000", "OK");
        let mut raw = server.raw();
        let rounds = 100;
        let request: String =
            (0..rounds).map(|round| format!("SET counter {round}\r\nGET large\r\nGET counter\r\n")).collect();
        let mut stream = raw.stream.try_clone().expect("a socket can be used twice");
        let writer = std::thread::spawn(move || stream.write_all(request.as_bytes()).expect("the server reads"));
        for round in 0..rounds {
            let digits = round.to_string();
            let large = "x".repeat(100_000);
            raw.expect(format!("+OK\r\n$100000\r\n{large}\r\n${}\r\n{digits}\r\n", digits.len()));
        }
        writer.join().expect("it ended");
        client.check("DEBUG AOF-FLUSH-SLEEP 0", "OK");
    });
}
