//! The beginning and the end: arguments, config files, signals.

use ochre_client_tests::server::{Folder, free_port, program, run_to_the_end};
use ochre_client_tests::{Client, Server, eventually};
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn the_program_tells_its_version() {
    let (code, text) = run_to_the_end(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("Ochre server v="), "{text}");
    assert_eq!(run_to_the_end(&["-v"]), (code, text));
}

#[test]
fn a_signal_ends_the_server_cleanly() {
    for layout in ["--threads 1 --io-backend epoll", "--threads 4 --io-backend io_uring"] {
        for signal in ["TERM", "INT"] {
            let mut server = Server::start(layout);
            let mut client = server.client();
            client.check("SET a 1", "OK");
            let mut raw = server.raw();
            raw.send("PING\n").expect("+PONG\r\n");
            server.signal(signal);
            assert_eq!(server.wait().code(), Some(0), "SIG{signal}");
            assert!(server.log().contains("Received SIG"), "{}", server.log());
            assert!(server.log().contains("bye bye"), "{}", server.log());
            assert_eq!(raw.rest(), "");
        }
    }
}

#[test]
fn shutdown_ends_the_server_cleanly() {
    let mut server = Server::start("--threads 4");
    let mut raw = server.raw();
    raw.send("SHUTDOWN NONSENSE\n").expect("-ERR syntax error\r\n");
    raw.send("SHUTDOWN NOSAVE\n");
    assert_eq!(raw.rest(), "");
    assert_eq!(server.wait().code(), Some(0));
}

/// Starts the program with a config file, which must be refused with these lines.
#[track_caller]
fn refused(file: &str, line: usize, shown: &str, reason: &str) {
    let folder = Folder::new();
    let path = folder.write("ochre.conf", file);
    let (code, text) = run_to_the_end(&[&path]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("*** FATAL CONFIG FILE ERROR (Ochre "), "{text}");
    let lines = format!("Reading the configuration file '{path}', at line {line}\n>>> '{shown}'\n{reason}\n");
    assert!(text.contains(&lines), "wanted:\n{lines}got:\n{text}");
}

#[test]
fn a_mistake_in_the_config_file_is_told_with_its_line() {
    refused("port 6379\nnonsense 1\n", 2, "nonsense 1", "Bad directive or wrong number of arguments");
    refused("# a comment\n\nport 1 2\n", 3, "port 1 2", "wrong number of arguments");
    refused("port many\n", 1, "port many", "argument couldn't be parsed into an integer");
    refused("appendonly maybe\n", 1, "appendonly maybe", "argument must be 'yes' or 'no'");
    refused("port 70000\n", 1, "port 70000", "argument must be between 0 and 65535 inclusive");
    refused("maxmemory 12q\n", 1, "maxmemory 12q", "argument must be a memory value");
    refused("rename-command NONSENSE x\n", 1, "rename-command NONSENSE x", "No such command in rename-command");
    refused("bind \"127.0.0.1\n", 1, "bind \"127.0.0.1", "Unbalanced quotes in configuration line");
    let (code, text) = run_to_the_end(&["/nowhere/ochre.conf"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("can't open config file '/nowhere/ochre.conf': No such file or directory"), "{text}");
}

#[test]
fn a_port_that_is_taken_stops_the_start() {
    let server = Server::start("");
    let (code, text) = run_to_the_end(&["--bind", "127.0.0.1", "--port", &server.port.to_string()]);
    assert_eq!(code, Some(1));
    assert!(text.contains(&format!("Failed listening on port {}", server.port)), "{text}");
}

/// A server that was started with a config file, or with standard input.
fn with_file(text: &str, more: &str) -> (Folder, String, u16) {
    let folder = Folder::new();
    let port = free_port();
    let text = format!("port {port}\nbind 127.0.0.1\ndir {}\n{text}", folder.path.display());
    folder.write("more.conf", more);
    let path = folder.write("ochre.conf", &text);
    (folder, path, port)
}

struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn connect(port: u16) -> Client {
    let mut client = None;
    ochre_client_tests::eventually("the server listens", || {
        client = Client::connect(&format!("redis://127.0.0.1:{port}/")).ok();
        client.is_some()
    });
    client.expect("it was made just now")
}

fn start(path: &str) -> Running {
    Running(Command::new(program()).arg(path).stdout(Stdio::null()).spawn().expect("the program runs"))
}

#[test]
fn a_config_file_includes_others_and_renames_commands() {
    let (folder, path, port) = with_file("include more*.conf\nmaxclients 100\n", "");
    folder.write("more.conf", "rename-command GET FETCH\nrename-command DEBUG \"\"\nmaxclients 50\n");
    let _server = Running(
        Command::new(program())
            .arg(&path)
            .args(["--databases", "4"])
            .current_dir(&folder.path)
            .stdout(Stdio::null())
            .spawn()
            .expect("the program runs"),
    );
    let mut client = connect(port);
    client.check("SET a 1", "OK");
    client.check("FETCH a", "1");
    client.check("GET a", "-ERR unknown command 'GET', with args beginning with: 'a' ");
    client.check("DEBUG SLEEP 0", "-ERR unknown command 'DEBUG', with args beginning with: 'SLEEP' '0' ");
    client.check("SELECT 4", "-ERR DB index is out of range");
    client.check("CONFIG GET maxclients", "[maxclients 100]");
}

#[test]
fn settings_come_from_standard_input_too() {
    let port = free_port();
    let mut server = Running(
        Command::new(program()).arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program runs"),
    );
    let mut stdin = server.0.stdin.take().expect("stdin is a pipe");
    write!(stdin, "port {port}\nbind 127.0.0.1\nmaxclients 77\n").expect("the program reads");
    drop(stdin);
    connect(port).check("CONFIG GET maxclients", "[maxclients 77]");
}

#[test]
fn what_was_changed_is_written_back_to_the_file() {
    let (_folder, path, port) = with_file("# kept\nmaxclients 100\n", "");
    let first = start(&path);
    let mut client = connect(port);
    client.check("CONFIG SET maxclients 200 timeout 7", "OK");
    client.check("CONFIG SET maxclients none", "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an integer");
    client.check("CONFIG REWRITE", "OK");
    drop((first, client));
    let text = std::fs::read_to_string(&path).expect("the file is there");
    assert!(text.contains("# kept\nmaxclients 200\n") && text.contains("\ntimeout 7\n"), "{text}");
    let _second = start(&path);
    connect(port).check("CONFIG GET maxclients", "[maxclients 200]");
}

#[test]
fn a_setting_that_does_nothing_yet_is_named_in_the_log() {
    let server = Server::start("--cluster-enabled yes");
    assert!(server.log().contains("WARNING 'cluster-enabled' is set, but does nothing yet"), "{}", server.log());
    assert!(!Server::start("").log().contains("WARNING"), "nothing was set");
}

#[test]
fn an_end_that_a_signal_asked_for_can_be_called_off_while_the_clock_stands_still() {
    let mut server = Server::start("");
    let mut client = server.client();
    client.check("SHUTDOWN ABORT", "-ERR No shutdown in progress.");
    client.check("DEBUG PAUSE-CRON 1", "OK");
    server.signal("TERM");
    eventually("the signal", || client.run("SHUTDOWN ABORT") == "OK");
    client.check("DEBUG PAUSE-CRON 0", "OK");
    client.check("SHUTDOWN ABORT", "-ERR No shutdown in progress.");
    client.check("PING", "PONG");
    server.signal("TERM");
    assert!(server.wait().success());
}
