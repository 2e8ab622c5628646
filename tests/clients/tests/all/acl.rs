//! Users and what they may do: logins, refusals, and what happens to those who are connected when rights change.

use ochre_client_tests::server::{Folder, in_each_layout_with, run_to_the_end};
use ochre_client_tests::{Client, Raw, Server, eventually, in_each_layout};

/// Makes a user with these rules, and a client that is logged in as it.
fn logged_in(server: &Server, name: &str, rules: &str) -> Client {
    server.client().check(&format!("ACL SETUSER {name} reset on >pw {rules}"), "OK");
    let mut client = server.client();
    client.check(&format!("AUTH {name} pw"), "OK");
    client
}

fn raw_logged_in(server: &Server, name: &str) -> Raw {
    let mut raw = server.raw();
    raw.send(format!("AUTH {name} pw\n")).expect("+OK\r\n");
    raw
}

/// Whether a line is refused for the reason that the text tells.
#[track_caller]
fn refused(client: &mut Client, line: &str, reason: &str) {
    let reply = client.run(line);
    assert!(reply.starts_with("-NOPERM") && reply.contains(reason), "{line}: {reply}");
}

const KEY: &str = "No permissions to access a key";
const CHANNEL: &str = "No permissions to access a channel";
const DATABASE: &str = "No permissions to access database";

#[test]
fn users_log_in_with_their_passwords_and_failures_are_told_and_counted() {
    in_each_layout(|server| {
        let mut admin = server.client();
        admin.check("ACL SETUSER ann on >one >two +@all ~* &*", "OK");
        let mut client = server.client();
        let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
        client.check("AUTH ann three", wrong);
        client.check("AUTH nobody one", wrong);
        client.check("ACL WHOAMI", "default");
        client.check("AUTH ann two", "OK");
        client.check("ACL WHOAMI", "ann");
        assert!(client.run("CLIENT INFO").contains(" user=ann "));
        admin.check("ACL SETUSER ann <two off", "OK");
        // Who is logged in stays so.
        client.check("PING", "PONG");
        client.check("AUTH ann one", wrong);
        admin.check("ACL SETUSER ann on", "OK");
        client.check("HELLO 2 AUTH ann two", wrong);
        assert!(client.run("HELLO 2 AUTH ann one SETNAME x").contains("proto 2"));
        client.check("RESET", "RESET");
        client.check("ACL WHOAMI", "default");
        let log = admin.run("ACL LOG");
        assert!(log.contains("reason auth context toplevel object AUTH username nobody"), "{log}");
        assert!(log.contains("object HELLO username ann"), "{log}");
        assert!(admin.run("INFO stats").contains("acl_access_denied_auth:4\r\n"));
    });
}

#[test]
fn whoever_has_not_logged_in_can_do_nothing_but_that() {
    in_each_layout_with("--requirepass secret", |server| {
        let mut client = server.client();
        client.check("GET x", "-NOAUTH Authentication required.");
        client.check("MULTI", "-NOAUTH Authentication required.");
        client.check("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.");
        client.check("AUTH secret", "OK");
        client.check("SET x 1", "OK");
        client.check("CONFIG SET requirepass other", "OK");
        // Only newcomers need the new password.
        client.check("GET x", "1");
        let mut other = server.client();
        other.check("GET x", "-NOAUTH Authentication required.");
        other.check("AUTH default other", "OK");
        client.run_words(&["CONFIG", "SET", "requirepass", ""]);
        server.client().check("GET x", "1");
        let no_password = client.run("AUTH other");
        assert!(no_password.starts_with("-ERR AUTH <password> called without any password"), "{no_password}");
    });
}

#[test]
fn commands_are_allowed_by_name_category_subcommand_and_first_argument() {
    in_each_layout(|server| {
        let mut client = logged_in(server, "u", "~* -@all +@read -mget +client|id +select|1 +multi +exec +ping");
        client.check("GET x", "nil");
        refused(&mut client, "MGET x", "User u has no permissions to run the 'mget' command");
        refused(&mut client, "SET x 1", "User u has no permissions to run the 'set' command");
        refused(&mut client, "CLIENT LIST", "User u has no permissions to run the 'client|list' command");
        assert!(client.integer("CLIENT ID") > 0);
        client.check("SELECT 1", "OK");
        refused(&mut client, "SELECT 2", "the 'select' command");
        client.check("NOSUCH x", "-ERR unknown command 'NOSUCH', with args beginning with: 'x' ");
        // What needs no login needs no right.
        client.check("AUTH u pw", "OK");
        let mut admin = server.client();
        admin.check("ACL GETUSER u", &admin_view(&mut server.client()));
    });
}

/// What ACL GETUSER shows of the user of the test above.
fn admin_view(client: &mut Client) -> String {
    let shown = client.run("ACL GETUSER u");
    assert!(shown.contains("commands -@all +@read -mget +client|id +select|1 +multi +exec +ping keys ~* "), "{shown}");
    shown
}

#[test]
fn keys_are_told_apart_by_what_a_command_does_to_them() {
    in_each_layout(|server| {
        let mut client = logged_in(server, "u", "+@all %R~r* %W~w* ~b*");
        server.client().check("MSET r1 1 w1 2 b1 3 x 4", "OK");
        client.check("GET r1", "1");
        client.check("SET w1 5", "OK");
        client.check("SET b1 6 GET", "3");
        client.check("COPY r1 w2", "1");
        client.check("EXISTS r1 w1", "2");
        client.check("TYPE w1", "string");
        client.check("BITFIELD r1 GET u8 0", "[49]");
        for line in [
            "GET w1",
            "SET r1 5",
            "SET w1 5 GET",
            "COPY w1 r1",
            "COPY w1 b2",
            "MGET r1 x",
            "EXISTS r1 x",
            "MSET w1 1 x 2",
            "BITFIELD r1 SET u8 0 1",
            "SORT r1 STORE r2",
            "ZUNIONSTORE r2 1 r1",
            "ZUNION 2 r1 w1",
            "XREAD STREAMS x 0",
            "BLPOP b9 x 0",
            "GEORADIUS r1 1 1 1 km STORE r2",
            "OBJECT ENCODING x",
            "WATCH x",
        ] {
            refused(&mut client, line, KEY);
        }
        let denied = "-ERR BY option of SORT denied due to insufficient ACL permissions.";
        client.check("SORT r1 BY r*", denied);
        assert!(server.client().run("INFO stats").contains("acl_access_denied_key:17\r\n"));
    });
}

#[test]
fn one_selector_must_allow_all_of_a_command() {
    in_each_layout(|server| {
        let mut client = logged_in(server, "u", "+get ~a (+set ~b) (+mget ~c)");
        client.check("GET a", "nil");
        client.check("SET b 1", "OK");
        refused(&mut client, "SET a 1", KEY);
        refused(&mut client, "MGET a c", KEY);
        server.client().check("ACL SETUSER u clearselectors", "OK");
        refused(&mut client, "SET b 1", "'set' command");
    });
}

#[test]
fn databases_are_allowed_by_number() {
    in_each_layout(|server| {
        let mut client = logged_in(server, "u", "+@all ~* &* db=1,2");
        refused(&mut client, "GET x", DATABASE);
        refused(&mut client, "SELECT 3", DATABASE);
        client.check("PING", "PONG");
        client.check("SELECT 1", "OK");
        client.check("SET x 1", "OK");
        client.check("COPY x y DB 2", "1");
        for line in ["COPY x y DB 3", "COPY x y DB 2 DB 3", "MOVE x 0", "SWAPDB 1 0", "FLUSHALL"] {
            refused(&mut client, line, DATABASE);
        }
        // The database that a queued SELECT selects counts.
        client.check("MULTI", "OK");
        client.check("SELECT 2", "QUEUED");
        client.check("GET y", "QUEUED");
        client.check("EXEC", "[OK 1]");
    });
}

#[test]
fn a_transaction_is_judged_when_it_is_queued_and_again_when_it_runs() {
    in_each_layout(|server| {
        let mut client = logged_in(server, "u", "+@all -incr ~a");
        client.check("MULTI", "OK");
        refused(&mut client, "INCR a", "'incr' command");
        client.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        client.check("MULTI", "OK");
        client.check("SET a 1", "QUEUED");
        client.check("GET a", "QUEUED");
        let mut admin = server.client();
        admin.check("ACL SETUSER u -set", "OK");
        let reply = client.run("EXEC");
        assert!(reply.contains("ACLs rules changed between the moment"), "{reply}");
        assert!(reply.contains("no permission to execute the command or subcommand"), "{reply}");
        admin.check("EXISTS a", "0");
        let log = admin.run("ACL LOG");
        assert!(log.contains("reason command context multi object set username u"), "{log}");
        assert!(log.contains("reason command context multi object incr username u"), "{log}");
    });
}

#[test]
fn a_changed_right_holds_from_the_next_command_on() {
    in_each_layout(|server| {
        let mut clients: Vec<Client> = (0..8).map(|_| logged_in(server, "u", "+@all ~*")).collect();
        let mut admin = server.client();
        for _ in 0..20 {
            admin.check("ACL SETUSER u -set", "OK");
            clients.iter_mut().for_each(|client| refused(client, "SET a 1", "'set' command"));
            admin.check("ACL SETUSER u +set", "OK");
            clients.iter_mut().for_each(|client| client.check("SET a 1", "OK"));
        }
        // One's own rights, within one pipeline.
        let mut raw = raw_logged_in(server, "u");
        raw.send("ACL SETUSER u -get\nGET a\n");
        raw.expect("+OK\r\n-NOPERM User u has no permissions to run the 'get' command\r\n");
    });
}

#[test]
fn connections_of_a_user_that_is_removed_are_closed() {
    in_each_layout(|server| {
        let mut admin = server.client();
        admin.check("ACL SETUSER u on >pw +@all ~* &*", "OK");
        let mut clients: Vec<Raw> = (0..4).map(|_| raw_logged_in(server, "u")).collect();
        clients[0].send("BLPOP list 0\n");
        eventually("one waits", || admin.run("CLIENT LIST USER u").contains(" flags=b "));
        admin.check("ACL DELUSER u nobody", "1");
        admin.check("CLIENT LIST USER u", "-ERR No such user 'u'");
        assert!(!admin.run("CLIENT LIST").contains(" user=u "));
        admin.check("RPUSH list 1", "1");
        clients.iter_mut().for_each(|client| assert_eq!(client.rest(), ""));
        admin.check("LLEN list", "1");
        admin.check("ACL DELUSER default", "-ERR The 'default' user cannot be removed");
        // One's own connection ends behind the reply.
        admin.check("ACL SETUSER v on >pw +@all", "OK");
        let mut own = raw_logged_in(server, "v");
        own.send("ACL DELUSER v\n");
        assert_eq!(own.rest(), ":1\r\n");
    });
}

#[test]
fn channels_are_allowed_and_subscribers_that_lose_theirs_are_closed() {
    in_each_layout(|server| {
        let mut client = logged_in(server, "u", "+@all ~* &news:* &p*");
        client.check("PUBLISH news:1 x", "0");
        refused(&mut client, "PUBLISH other x", CHANNEL);
        refused(&mut client, "SUBSCRIBE news:1 other", CHANNEL);
        refused(&mut client, "SSUBSCRIBE other", CHANNEL);
        refused(&mut client, "PSUBSCRIBE *", CHANNEL);
        let listen = |line: &str| {
            let mut raw = raw_logged_in(server, "u");
            raw.send(format!("{line}\n"));
            assert_eq!(raw.line(), "*3");
            raw
        };
        let mut lost = [listen("SUBSCRIBE news:1"), listen("SSUBSCRIBE news:2"), listen("PSUBSCRIBE news:*")];
        let kept = listen("PSUBSCRIBE p*");
        let mut admin = server.client();
        admin.check("ACL SETUSER u resetchannels &p*", "OK");
        assert_eq!(admin.run("CLIENT LIST TYPE pubsub").lines().count(), 1);
        lost.iter_mut().for_each(|raw| assert!(raw.rest().contains("news:")));
        admin.check("PUBLISH px 1", "1");
        drop(kept);
    });
}

#[test]
fn a_wait_ends_when_its_right_is_taken() {
    in_each_layout(|server| {
        let mut admin = server.client();
        admin.check("ACL SETUSER u on >pw +@all ~list", "OK");
        let mut raw = raw_logged_in(server, "u");
        raw.send("BLPOP list 0\n");
        eventually("it waits", || admin.run("CLIENT LIST USER u").contains(" flags=b "));
        admin.check("ACL SETUSER u resetkeys", "OK");
        admin.check("RPUSH list 1", "1");
        raw.expect("-NOPERM No permissions to access a key\r\n");
        admin.check("LLEN list", "1");
        raw.send("PING\n").expect("+PONG\r\n");
    });
}

#[test]
fn the_log_of_refusals_groups_forgets_and_is_limited() {
    in_each_layout_with("--acllog-max-len 3", |server| {
        let mut client = logged_in(server, "u", "+get ~a");
        let mut admin = server.client();
        for _ in 0..3 {
            refused(&mut client, "GET b", KEY);
        }
        for line in ["SET a 1", "DEL a", "INCR a", "TTL a"] {
            refused(&mut client, line, "command");
        }
        let objects = |log: &str| {
            let places = log.match_indices(" object ").map(|(at, word)| &log[at + word.len()..]);
            places.map(|rest| rest.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(objects(&admin.run("ACL LOG")), ["ttl", "incr", "del"]);
        refused(&mut client, "DEL a", "command");
        let log = admin.run("ACL LOG 1");
        assert!(log.contains(" cmd=del "), "{log}");
        assert!(
            log.starts_with("[[count 2 reason command context toplevel object del username u age-seconds 0"),
            "{log}"
        );
        admin.check("ACL LOG RESET", "OK");
        admin.check("ACL LOG", "[]");
        admin.check("CONFIG SET acllog-max-len 0", "OK");
        refused(&mut client, "DEL a", "command");
        admin.check("ACL LOG", "[]");
    });
}

#[test]
fn a_dry_run_tells_what_would_be_refused() {
    in_each_layout(|server| {
        let mut admin = server.client();
        admin.check("ACL SETUSER u +get +publish +config|get +select ~a &c db=0", "OK");
        admin.check("ACL DRYRUN u GET a", "OK");
        admin.check("ACL DRYRUN u GET b", "User u has no permissions to access the 'b' key");
        admin.check("ACL DRYRUN u SET a 1", "User u has no permissions to run the 'set' command");
        admin.check("ACL DRYRUN u PUBLISH d 1", "User u has no permissions to access the 'd' channel");
        admin.check("ACL DRYRUN u CONFIG SET a b", "User u has no permissions to run the 'config|set' command");
        admin.check("ACL DRYRUN u SELECT 1", "User u has no permissions to access database 1");
        admin.check("ACL DRYRUN u GET", "-ERR wrong number of arguments for 'get' command");
        admin.check("ACL DRYRUN u NOSUCH", "-ERR Command 'NOSUCH' not found");
        admin.check("ACL DRYRUN v GET a", "-ERR User 'v' not found");
        admin.check("ACL LOG", "[]");
    });
}

#[test]
fn users_are_kept_in_the_config_file() {
    let folder = Folder::new();
    let config =
        folder.write("ochre.conf", "user ann on >pw +get ~a (+set ~b)\nuser default on nopass ~* +@all -flushall\n");
    let server = Server::start(&format!("{config} --threads 2"));
    let mut client = server.client();
    refused(&mut client, "FLUSHALL", "'flushall' command");
    refused(&mut client, "PUBLISH a b", CHANNEL);
    client.check("ACL SETUSER bob on nopass", "OK");
    client.check("CONFIG REWRITE", "OK");
    let before = client.run("ACL LIST");
    let text = std::fs::read_to_string(&config).expect("the file is there");
    assert!(!text.contains("pw") && text.contains("user bob on nopass resetchannels -@all"), "{text}");
    let again = Server::start(&config);
    again.client().check("ACL LIST", &before);
}

#[test]
fn users_are_kept_in_a_file_of_their_own() {
    let folder = Folder::new();
    let file = folder.write("users.acl", "user ann on >pw +@all ~* &*\nuser bob on >pw +@all ~* &*\n");
    let server = Server::start(&format!("--threads 2 --aclfile {file}"));
    let mut admin = server.client();
    let mut ann = raw_logged_in(&server, "ann");
    let mut bob = raw_logged_in(&server, "bob");
    admin.check("ACL SETUSER eve on nopass +get ~e", "OK");
    admin.check("ACL SAVE", "OK");
    let list = admin.run("ACL LIST");
    admin.check("ACL DELUSER eve", "1");
    admin.check("ACL LOAD", "OK");
    admin.check("ACL LIST", &list);
    std::fs::write(&file, "user ann on >pw +ping\nuser x +nosuch\nuser x on\n").expect("the file can be written");
    let error = admin.run("ACL LOAD");
    for part in [":2: Error in applying operation '+nosuch'", "Duplicate user 'x' found on line 3", "no change"] {
        assert!(error.contains(part), "{error}");
    }
    admin.check("ACL LIST", &list);
    std::fs::write(&file, "user ann on >pw +ping\n").expect("the file can be written");
    admin.check("ACL LOAD", "OK");
    assert_eq!(bob.rest(), "");
    ann.send("PING\nGET a\n").expect("+PONG\r\n-NOPERM User ann has no permissions to run the 'get' command\r\n");
    admin.check("CONFIG REWRITE", "-ERR The server is running without a config file");
}

#[test]
fn users_that_are_wrong_keep_the_server_from_starting() {
    let folder = Folder::new();
    let refuses = |arguments: &[&str], part: &str| {
        let (code, text) = run_to_the_end(arguments);
        assert!(code == Some(1) && text.contains(part), "{code:?} {text}");
    };
    let config = folder.write("a.conf", "port 0\nuser a on +nosuch\n");
    refuses(&[&config], "at line 2\n>>> 'user a on +nosuch'\n");
    refuses(&["--user", "a", "on", "--user", "a", "on"], "Duplicate user");
    let file = folder.write("a.acl", "user a on\n# a comment\n");
    refuses(&["--aclfile", &file], "a.acl:2 should start with user keyword");
    refuses(&["--aclfile", &file, "--user", "b", "on"], "not both");
    refuses(&["--aclfile", "/nonexistent/users.acl"], "opening file '/nonexistent/users.acl'");
}

#[test]
fn new_users_have_the_channels_that_the_setting_says() {
    in_each_layout_with("--acl-pubsub-default allchannels", |server| {
        let mut admin = server.client();
        admin.check("ACL SETUSER a", "OK");
        assert!(admin.run("ACL LIST").contains("user a off &* -@all"));
        admin.check("CONFIG SET acl-pubsub-default resetchannels", "OK");
        admin.check("ACL SETUSER b", "OK");
        assert!(admin.run("ACL LIST").contains("user b off resetchannels -@all"));
    });
}
