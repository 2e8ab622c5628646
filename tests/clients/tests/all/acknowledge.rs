//! Waiting for copies of the data where there are none.

use ochre_client_tests::{eventually, in_each_layout};

#[test]
fn wait_replies_at_once_when_nothing_is_wanted() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("WAIT 0 0", "0");
        client.check("WAIT -1 0", "0");
        client.check("WAIT x -1", "-ERR value is not an integer or out of range");
        client.check("WAIT 0 1.5", "-ERR timeout is not an integer or out of range");
        client.check("WAIT 0 -1", "-ERR timeout is negative");
        client.check("WAIT 1 9223372036854775807", "-ERR timeout is out of range");
        client.check("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1");
        client.check("WAITAOF 1 -1 -1", "-ERR value is out of range, must be positive");
        client.check("WAITAOF 1 1 -1", "-ERR timeout is negative");
        client.check("WAITAOF 1 0 0", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
        let mut raw = server.raw();
        raw.send("WAITAOF 0 0 0\r\n").expect("*2\r\n:0\r\n:0\r\n");
        raw.send("MULTI\r\nWAIT 1 0\r\nWAITAOF 0 1 0\r\nEXEC\r\n");
        raw.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:0\r\n*2\r\n:0\r\n:0\r\n");
    });
}

#[test]
fn a_wait_ends_with_its_time_or_when_it_is_unblocked() {
    in_each_layout(|server| {
        let (mut client, mut raw) = (server.client(), server.raw());
        // What was sent meanwhile is answered afterwards.
        raw.send("WAIT 1 20\r\nPING\r\nWAITAOF 0 1 20\r\n").expect(":0\r\n+PONG\r\n*2\r\n:0\r\n:0\r\n");
        let id = raw.send("CLIENT ID\r\n").line()[1..].to_owned();
        for (command, how, reply) in [
            ("WAIT 1 0", "TIMEOUT", ":0\r\n"),
            ("WAITAOF 0 1 0", "TIMEOUT", "*2\r\n:0\r\n:0\r\n"),
            ("WAIT 1 0", "ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"),
        ] {
            raw.send(format!("{command}\r\n"));
            eventually("the client waits", || client.run(&format!("CLIENT UNBLOCK {id} {how}")) == "1");
            raw.expect(reply);
        }
        raw.send("PING\r\n").expect("+PONG\r\n");
    });
}
