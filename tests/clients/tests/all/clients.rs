//! CLIENT: clients name, list, end, pause and silence each other.

use ochre_client_tests::{eventually, in_each_layout, on_each_backend};

/// The value of a field in a line of CLIENT LIST.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    word.unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn a_client_has_an_id_a_name_and_a_line() {
    in_each_layout(|server| {
        let (mut one, mut two) = (server.client(), server.client());
        let id = one.integer("CLIENT ID");
        assert!(two.integer("CLIENT ID") > id);
        one.check("CLIENT GETNAME", "nil");
        one.check("CLIENT SETNAME tester", "OK");
        one.check("CLIENT GETNAME", "tester");
        one.check("CLIENT SETINFO LIB-NAME lib", "OK");
        one.check("SELECT 3", "OK");
        let line = two.run(&format!("CLIENT LIST ID {id}"));
        assert_eq!((field(&line, "id"), field(&line, "name")), (id.to_string().as_str(), "tester"));
        assert_eq!((field(&line, "db"), field(&line, "lib-name"), field(&line, "cmd")), ("3", "lib", "select"));
        assert_eq!(field(&line, "laddr"), server.address());
        let own = one.run("CLIENT INFO");
        assert_eq!((field(&own, "cmd"), field(&own, "resp"), field(&own, "user")), ("client|info", "2", "default"));
        let refused = "-ERR Client names cannot contain spaces, newlines or special characters.";
        assert_eq!(one.run_words(&["CLIENT", "SETNAME", "a b"]), refused);
    });
}

#[test]
fn a_client_is_ended_by_id_address_or_kind() {
    on_each_backend("", |server| {
        let mut killer = server.client();
        let mut by_id = server.raw();
        by_id.send("CLIENT ID\n");
        let id = by_id.line().split_off(1);
        killer.check(&format!("CLIENT KILL ID {id}"), "1");
        assert_eq!(by_id.rest(), "");
        killer.check(&format!("CLIENT KILL ID {id}"), "0");

        let mut by_address = server.raw();
        by_address.send("PING\n").expect("+PONG\r\n");
        let address = by_address.stream.local_addr().expect("the socket is connected");
        killer.check(&format!("CLIENT KILL {address}"), "OK");
        assert_eq!(by_address.rest(), "");
        killer.check(&format!("CLIENT KILL {address}"), "-ERR No such client");

        let mut listener = server.raw();
        listener.send("SUBSCRIBE a\n").expect("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
        let mut normal = server.client();
        normal.check("PING", "PONG");
        killer.check("CLIENT KILL TYPE pubsub", "1");
        assert_eq!(listener.rest(), "");
        normal.check("PING", "PONG");

        let mut myself = server.raw();
        myself.send("CLIENT ID\n");
        let id = myself.line().split_off(1);
        myself.send(format!("CLIENT KILL ID {id} SKIPME no\nPING\n"));
        assert_eq!(myself.rest(), ":1\r\n");
    });
}

#[test]
fn a_pause_holds_clients_back_until_it_is_lifted() {
    on_each_backend("", |server| {
        let (mut boss, mut reader) = (server.client(), server.client());
        let mut writer = server.raw();
        boss.check("SET a 1", "OK");
        boss.check("CLIENT PAUSE 100000 WRITE", "OK");
        writer.send("INCR a\nGET a\n");
        // The writer waits, so the value stays; a reader gets through.
        for _ in 0..20 {
            reader.check("GET a", "1");
        }
        boss.check("CLIENT UNPAUSE", "OK");
        writer.expect(":2\r\n$1\r\n2\r\n");

        // What only reads is not held back, in whatever form it comes.
        boss.check("CLIENT PAUSE 100000 WRITE", "OK");
        reader.check("MULTI", "OK");
        reader.check("GET a", "QUEUED");
        reader.check("EXEC", "[2]");
        assert_eq!(reader.run_words(&["EVAL", "#!lua flags=no-writes\nreturn 1", "0"]), "1");
        writer.send("PFCOUNT sketch\n");
        let mut script = server.raw();
        script.send("EVAL 'return 1' 0\n");
        eventually("both wait", || boss.run("INFO clients").contains("blocked_clients:2"));
        boss.check("CLIENT UNPAUSE", "OK");
        writer.expect(":0\r\n");
        script.expect(":1\r\n");

        boss.check("CLIENT PAUSE 100000 ALL", "OK");
        writer.send("GET a\n");
        boss.check("CLIENT UNPAUSE", "OK");
        writer.expect("$1\r\n2\r\n");

        boss.check("CLIENT PAUSE 50 WRITE", "OK");
        writer.send("INCR a\n").expect(":3\r\n");
    });
}

#[test]
fn replies_can_be_turned_off() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        raw.send("CLIENT REPLY OFF\nSET a 1\nNONSENSE\nINCR a\nCLIENT REPLY ON\n").expect("+OK\r\n");
        raw.send("GET a\n").expect("$1\r\n2\r\n");
        raw.send("CLIENT REPLY SKIP\nINCR a\nGET a\n").expect("$1\r\n3\r\n");
    });
}

#[test]
fn reset_makes_a_client_new_again() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        raw.send("CLIENT SETNAME tester\nSELECT 5\nSUBSCRIBE a\n");
        raw.expect("+OK\r\n+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
        raw.send("RESET\nCLIENT GETNAME\nSET a 1\n").expect("+RESET\r\n$-1\r\n+OK\r\n");
        raw.send("MULTI\nRESET\nEXEC\n").expect("+OK\r\n+RESET\r\n-ERR EXEC without MULTI\r\n");
        server.client().check("GET a", "1");
    });
}

#[test]
fn databases_are_apart() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("SET a 0", "OK");
        client.check("SELECT 15", "OK");
        client.check("GET a", "nil");
        client.check("SET a 15", "OK");
        client.check("SELECT 16", "-ERR DB index is out of range");
        client.check("SWAPDB 0 15", "OK");
        client.check("GET a", "0");
        client.check("MOVE a 7", "1");
        client.check("FLUSHDB", "OK");
        client.check("SELECT 7", "OK");
        client.check("GET a", "0");
        client.check("FLUSHALL", "OK");
        client.check("DBSIZE", "0");
    });
}

#[test]
fn of_filters_of_one_kind_the_last_counts_and_ids_come_together() {
    in_each_layout(|server| {
        let (mut one, mut two) = (server.client(), server.client());
        let (first, second) = (one.integer("CLIENT ID"), two.integer("CLIENT ID"));
        one.check("CLIENT SETNAME one", "OK");
        two.check("CLIENT SETNAME two", "OK");
        let mut listed = |filters: &str| one.run(&format!("CLIENT LIST {filters}")).lines().count();
        assert_eq!(listed(&format!("ID {first} ID {second}")), 2);
        assert_eq!(listed("NAME none NAME two"), 1);
        assert_eq!(listed("TYPE pubsub TYPE normal"), 2);
        assert_eq!(listed("NOT-NAME one NOT-NAME none"), 2);
        one.check("CLIENT LIST FLAGS NQ", "-ERR Unknown flags found in the provided filter: NQ");
        one.check("CLIENT KILL NAME none NAME two", "1");
    });
}

#[test]
fn what_was_sent_is_not_shown_as_waiting() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("ECHO some", "some");
        assert_eq!(field(&client.run("CLIENT INFO"), "omem"), "0");
    });
}

#[test]
fn a_zone_is_announced_when_there_is_one() {
    let server = ochre_client_tests::Server::start("");
    let mut client = server.client();
    assert!(!client.run("HELLO 2").contains("availability_zone"));
    client.check("CONFIG SET availability-zone east-1", "OK");
    assert!(client.run("HELLO 2").ends_with(" availability_zone east-1]"));
}
