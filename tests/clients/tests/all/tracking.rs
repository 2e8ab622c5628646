//! Client-side caching: whoever holds a copy is told when it is out of date, after the replies that it has coming.

use ochre_client_tests::in_each_layout;

/// What a client of RESP3 is told.
fn invalidated(keys: &[&str]) -> String {
    let keys: String = keys.iter().map(|key| format!("${}\r\n{key}\r\n", key.len())).collect();
    format!(">2\r\n$10\r\ninvalidate\r\n*{}\r\n{keys}", keys.matches('$').count())
}

#[test]
fn what_was_read_is_invalidated_once() {
    in_each_layout(|server| {
        let (mut reader, mut writer) = (server.raw(), server.client());
        reader.send("HELLO 3\r\n").line();
        // The rest of HELLO's reply ends where the next one begins.
        reader.send("CLIENT TRACKING ON\r\n");
        while reader.line() != "+OK" {}
        reader.send("GET a\r\nHGETALL h\r\n").expect("_\r\n%0\r\n");
        writer.check("MSET a 1 b 2", "OK");
        reader.expect(invalidated(&["a"]));
        writer.check("SET a 2", "OK");
        writer.check("HSET h f v", "1");
        reader.expect(invalidated(&["h"]));
        reader.send("MULTI\r\nGET a\r\nINCR a\r\nGET b\r\nEXEC\r\n");
        reader.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$1\r\n2\r\n:3\r\n$1\r\n2\r\n");
        reader.expect(invalidated(&["a"]));
        writer.check("FLUSHALL", "OK");
        reader.expect(">2\r\n$10\r\ninvalidate\r\n_\r\n");
        reader.send("CLIENT TRACKING OFF\r\nGET a\r\n").expect("+OK\r\n_\r\n");
        writer.check("SET a 1", "OK");
        reader.send("PING\r\n").expect("+PONG\r\n");
    });
}

#[test]
fn what_expires_is_invalidated() {
    in_each_layout(|server| {
        let (mut reader, mut writer) = (server.raw(), server.client());
        reader.send("HELLO 3\r\nCLIENT TRACKING ON\r\n");
        while reader.line() != "+OK" {}
        writer.check("SET a 1 PX 20", "OK");
        reader.send("GET a\r\n").expect("$1\r\n1\r\n").expect(invalidated(&["a"]));
    });
}

#[test]
fn prefixes_are_announced_by_unit_and_redirected() {
    in_each_layout(|server| {
        let (mut listener, mut client) = (server.raw(), server.client());
        listener.send("CLIENT ID\r\n");
        let id = listener.line()[1..].to_owned();
        listener.send("SUBSCRIBE __redis__:invalidate\r\n");
        listener.expect("*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n");
        client.check(&format!("CLIENT TRACKING ON BCAST REDIRECT {id} PREFIX a: PREFIX b:"), "OK");
        client.check("CLIENT GETREDIR", &id);
        client.check("MULTI", "OK");
        for key in ["a:2", "c", "a:1", "a:2"] {
            client.check(&format!("INCR {key}"), "QUEUED");
        }
        client.check("EXEC", "[1 1 1 2]");
        listener.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*2\r\n$3\r\na:1\r\n$3\r\na:2\r\n");
        client.check("CLIENT TRACKING OFF", "OK");
        client.check("INCR a:1", "2");
        listener.send("PING\r\n").expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    });
}

#[test]
fn the_table_is_limited() {
    in_each_layout(|server| {
        let mut client = server.client_of_resp3();
        client.check("CONFIG SET tracking-table-max-keys 10", "OK");
        client.check("CLIENT TRACKING ON", "OK");
        for number in 0..100 {
            client.run(&format!("GET {number}"));
        }
        let info = client.run("INFO stats");
        assert!(info.contains("tracking_total_keys:10\r\n"), "{info}");
    });
}

#[test]
fn what_is_opted_in_is_tracked_once() {
    in_each_layout(|server| {
        let (mut reader, mut writer) = (server.raw(), server.client());
        reader.send("HELLO 3\r\nCLIENT TRACKING ON OPTIN\r\n");
        while reader.line() != "+OK" {}
        reader.send("GET a\r\n").expect("_\r\n");
        writer.check("SET a 1", "OK");
        reader.send("CLIENT CACHING YES\r\nGET a\r\nGET b\r\n").expect("+OK\r\n$1\r\n1\r\n_\r\n");
        writer.check("MSET b 1 a 2", "OK");
        reader.expect(invalidated(&["a"])).send("PING\r\n").expect("+PONG\r\n");
    });
}
