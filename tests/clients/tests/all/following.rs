//! A server that follows another: it has its data, changes nothing by itself, and can take its place.

use crate::replicas::field;
use ochre_client_tests::{Client, Server, eventually, in_each_layout, in_each_layout_with};
use std::process::{Child, Command, Stdio};

/// Options of servers that lose no time.
const QUICK: &str = "--repl-diskless-sync-delay 0 --repl-ping-replica-period 1000";

/// Lets `server` follow another, and waits until it has its data.
fn follow(server: &Server, port: u16) -> Client {
    let mut client = server.client();
    client.check(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
    wait_for_link(&mut client);
    client
}

fn wait_for_link(client: &mut Client) {
    eventually("the link is up", || client.run("INFO replication").contains("master_link_status:up"));
}

/// Waits until both have the same stream and the same data.
#[track_caller]
fn agree(primary: &mut Client, replica: &mut Client) {
    let offset = |client: &mut Client| field(&client.run("INFO replication"), "master_repl_offset");
    eventually("both have the same", || {
        offset(primary) == offset(replica) && primary.run("DEBUG DIGEST") == replica.run("DEBUG DIGEST")
    });
}

/// Some of each type.
fn fill(client: &mut Client, round: usize) {
    for at in 0..20 {
        client.run(&format!("SET string{at} {round}"));
        client.run(&format!("RPUSH list{} {at}", at % 3));
        client.run(&format!("SADD set {at} member{at}"));
        client.run(&format!("ZADD sorted {at} member{}", at * round));
        client.run(&format!("HSET hash field{at} {round}"));
        client.run(&format!("XADD stream * field {at}"));
        client.run(&format!("SET soon{at} 1 PX 1"));
        client.run(&format!("SET later{at} 1 EX 1000"));
    }
    client.run("SPOP set 3");
    client.run("LPOP list1");
    client.run("HEXPIRE hash 1000 FIELDS 1 field3");
    client.run("EVAL redis.call('incr','script')redis.call('lpush','list2','x') 0");
}

/// As `fill`, but nothing expires: a peer's digest tells of keys that only wait to be removed.
fn fill_for_long(client: &mut Client, round: usize) {
    fill(client, round);
    let keys: Vec<_> = (0..20).map(|at| format!("soon{at}")).collect();
    client.run(&format!("DEL {}", keys.join(" ")));
}

#[test]
fn a_replica_has_the_snapshot_and_every_change_after_it() {
    in_each_layout_with(QUICK, |server| {
        let primary = Server::start(&format!("--threads 2 {QUICK}"));
        let mut client = primary.client();
        fill(&mut client, 1);
        client.check("SELECT 5", "OK");
        client.check("SET other 1", "OK");
        let mut replica = follow(server, primary.port);
        fill(&mut client, 2);
        let mut raw = primary.raw();
        raw.send("MULTI\r\nINCR a\r\nSELECT 3\r\nINCR b\r\nEXEC\r\nINCR b\r\n");
        raw.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n+OK\r\n:1\r\n:2\r\n");
        agree(&mut client, &mut replica);
        replica.check("SELECT 3", "OK");
        replica.check("GET b", "2");
        client.check("WAIT 1 0", "1");
        client.check("FLUSHALL", "OK");
        client.check("SET last 1", "OK");
        agree(&mut client, &mut replica);
        let role = replica.run("ROLE");
        assert!(role.starts_with(&format!("[slave 127.0.0.1 {} connected", primary.port)), "{role}");
    });
}

#[test]
fn a_replica_changes_nothing_by_itself() {
    in_each_layout_with(QUICK, |server| {
        let primary = Server::start(&format!("--threads 1 {QUICK}"));
        let mut client = primary.client();
        client.check("DEBUG SET-ACTIVE-EXPIRE 0", "OK");
        client.check("SET a 1", "OK");
        client.check("SET short 1 PX 1", "OK");
        let mut waiting = server.raw();
        waiting.send("BLPOP nothing 0\r\n");
        eventually("it waits", || server.client().run("INFO clients").contains("blocked_clients:1"));
        let mut replica = follow(server, primary.port);
        waiting.expect(
            "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n",
        );
        const REFUSED: &str = "-READONLY You can't write against a read only replica.";
        replica.check("SET a 2", REFUSED);
        replica.check("EVAL return(redis.call('GET','a')) 0", "1");
        assert!(replica.run("EVAL redis.call('SET','a','2') 0").contains("READONLY"));
        replica.check("WAIT 0 0", "-ERR WAIT cannot be used with replica instances.");
        replica.check("GET a", "1");
        // It is not seen, but only the primary says that it is gone.
        eventually("it has expired", || replica.run("GET short") == "nil");
        replica.check("DBSIZE", "2");
        client.check("GET short", "nil");
        eventually("the primary has removed it", || replica.run("DBSIZE") == "1");
        agree(&mut client, &mut replica);
        replica.check("REPLICAOF NO ONE", "OK");
        replica.check("SET a 2", "OK");
        replica.check("GET a", "2");
        assert!(replica.run("ROLE").starts_with("[master"));
    });
}

#[test]
fn a_link_that_was_cut_goes_on_where_it_was() {
    in_each_layout_with(QUICK, |server| {
        let primary = Server::start(&format!("--threads 2 {QUICK}"));
        let mut client = primary.client();
        let mut replica = follow(server, primary.port);
        for round in 1..4 {
            fill(&mut client, round);
            client.check("CLIENT KILL TYPE replica", "1");
            fill(&mut client, round + 10);
            let partial = round.to_string();
            eventually("it is back", || field(&client.run("INFO stats"), "sync_partial_ok") == partial);
            agree(&mut client, &mut replica);
        }
        assert_eq!(field(&client.run("INFO stats"), "sync_full"), "1");
    });
}

#[test]
fn a_replica_takes_over_and_the_others_go_on_with_it() {
    in_each_layout_with(QUICK, |server| {
        let [first, last] = [(); 2].map(|()| Server::start(&format!("--threads 2 {QUICK}")));
        let mut old = first.client();
        // Its stream must not go on by itself once another server leads.
        old.check("DEBUG SET-ACTIVE-EXPIRE 0", "OK");
        fill(&mut old, 1);
        let mut middle = follow(server, first.port);
        let mut end = follow(&last, server.port);
        fill(&mut old, 2);
        agree(&mut old, &mut middle);
        agree(&mut old, &mut end);
        let id = field(&old.run("INFO replication"), "master_replid");
        assert_eq!(field(&end.run("INFO replication"), "master_replid"), id);
        middle.check("REPLICAOF NO ONE", "OK");
        fill(&mut middle, 3);
        wait_for_link(&mut end);
        let info = middle.run("INFO replication");
        assert_eq!(field(&info, "master_replid2"), id);
        assert_ne!(field(&info, "master_replid"), id);
        old.check(&format!("REPLICAOF 127.0.0.1 {}", server.port), "OK");
        wait_for_link(&mut old);
        fill(&mut middle, 4);
        agree(&mut middle, &mut end);
        agree(&mut middle, &mut old);
        // Both went on: the new primary has sent one snapshot, the first one of `last`.
        assert_eq!(field(&middle.run("INFO stats"), "sync_full"), "1");
        assert_eq!(field(&middle.run("INFO stats"), "sync_partial_ok"), "2");
    });
}

#[test]
fn a_primary_hands_over_to_a_replica_that_has_everything() {
    in_each_layout_with(QUICK, |server| {
        let first = Server::start(&format!("--threads 2 {QUICK}"));
        let mut old = first.client();
        old.check("FAILOVER", "-ERR FAILOVER requires connected replicas.");
        old.check("FAILOVER ABORT", "-ERR No failover in progress.");
        fill(&mut old, 1);
        let mut new = follow(server, first.port);
        new.check("FAILOVER", "-ERR FAILOVER is not valid when server is a replica.");
        old.check("FAILOVER TO 127.0.0.1 1", "-ERR FAILOVER target HOST and PORT is not a replica.");
        old.check(
            &format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 0", server.port),
            "-ERR FAILOVER timeout must be greater than 0",
        );
        fill(&mut old, 2);
        old.check(&format!("FAILOVER TO 127.0.0.1 {}", server.port), "OK");
        eventually("it leads", || new.run("ROLE").starts_with("[master"));
        wait_for_link(&mut old);
        assert_eq!(field(&old.run("INFO replication"), "master_failover_state"), "no-failover");
        old.check("SET a 1", "-READONLY You can't write against a read only replica.");
        fill(&mut new, 3);
        agree(&mut new, &mut old);
        assert_eq!(field(&new.run("INFO stats"), "sync_full"), "0");
    });
}

#[test]
fn a_replica_keeps_a_file_of_what_it_follows() {
    in_each_layout_with(&format!("--appendonly yes --appendfsync always {QUICK}"), |server| {
        let primary = Server::start(&format!("--threads 2 --appendonly yes {QUICK}"));
        let mut client = primary.client();
        fill(&mut client, 1);
        let mut replica = follow(server, primary.port);
        fill(&mut client, 2);
        client.check("SELECT 7", "OK");
        client.check("INCR counter", "1");
        eventually("the file is there", || field(&replica.run("INFO persistence"), "aof_rewrite_in_progress") == "0");
        client.check("WAITAOF 1 1 0", "[1 1]");
        agree(&mut client, &mut replica);
        let digest = replica.run("DEBUG DIGEST");
        replica.check("REPLICAOF NO ONE", "OK");
        replica.check("DEBUG LOADAOF", "OK");
        replica.check("DEBUG DIGEST", &digest);
    });
}

#[test]
fn the_server_that_is_followed_may_want_a_password() {
    in_each_layout(|server| {
        let primary = Server::start(&format!("--requirepass secret {QUICK}"));
        let mut replica = server.client();
        replica.check("CONFIG SET replica-serve-stale-data no", "OK");
        replica.check("CONFIG SET masterauth wrong", "OK");
        replica.check(&format!("REPLICAOF 127.0.0.1 {}", primary.port), "OK");
        server.wait_for_log("Unable to AUTH to MASTER");
        const DOWN: &str = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
        replica.check("GET a", DOWN);
        replica.check("PING", DOWN);
        replica.check("CONFIG SET masterauth secret", "OK");
        wait_for_link(&mut replica);
        replica.check("GET a", "nil");
    });
}

#[test]
fn whom_to_follow_can_be_set_from_the_start() {
    let primary = Server::start(QUICK);
    fill(&mut primary.client(), 1);
    in_each_layout_with(&format!("--replicaof 127.0.0.1 {} {QUICK}", primary.port), |server| {
        let mut replica = server.client();
        wait_for_link(&mut replica);
        agree(&mut primary.client(), &mut replica);
        let shown = format!("[replicaof 127.0.0.1 {}]", primary.port);
        replica.check("CONFIG GET replicaof", &shown);
    });
}

/// A real server of a peer, if one is installed.
struct Peer {
    child: Child,
    port: u16,
}

impl Peer {
    fn start() -> Option<Peer> {
        let port = ochre_client_tests::server::free_port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]);
        command.args(["--enable-debug-command", "yes"]).args(QUICK.split(' '));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()?;
        let peer = Peer { child, port };
        eventually("the peer listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(peer)
    }

    fn client(&self) -> Client {
        Client::connect(&format!("redis://127.0.0.1:{}/", self.port)).expect("the peer accepts connections")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_peer_is_followed_and_follows() {
    let Some(peer) = Peer::start() else { return };
    in_each_layout_with(QUICK, |server| {
        let mut theirs = peer.client();
        theirs.check("REPLICAOF NO ONE", "OK");
        theirs.check("DEBUG SET-ACTIVE-EXPIRE 0", "OK");
        fill_for_long(&mut theirs, 1);
        let mut ours = follow(server, peer.port);
        fill_for_long(&mut theirs, 2);
        agree(&mut theirs, &mut ours);
        ours.check("REPLICAOF NO ONE", "OK");
        theirs.check(&format!("REPLICAOF 127.0.0.1 {}", server.port), "OK");
        wait_for_link(&mut theirs);
        for round in 3..5 {
            for at in 0..20 {
                ours.run(&format!("SET string{at} {round}"));
                ours.run(&format!("SPOP set{at}"));
                ours.run(&format!("LMOVE list{at} list0 LEFT RIGHT"));
                ours.run(&format!("SET soon{at} 1 PX 1"));
            }
        }
        agree(&mut ours, &mut theirs);
        assert_eq!(field(&ours.run("INFO stats"), "sync_partial_ok"), "1");
    });
}

#[test]
fn scripts_do_not_read_what_may_be_old_unless_they_say_so() {
    let server = Server::start("--replica-serve-stale-data no --replica-read-only no");
    let mut client = server.client();
    // Nobody listens there.
    client.check(&format!("REPLICAOF 127.0.0.1 {}", ochre_client_tests::server::free_port()), "OK");
    const DOWN: &str = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    let mut eval = |script: &str| client.run_words(&["EVAL", script, "0"]);
    assert_eq!(eval("return 1"), DOWN);
    assert_eq!(eval("#!lua\nreturn 1"), DOWN);
    assert_eq!(eval("#!lua flags=allow-stale\nreturn 1"), "1");
    let refused = eval("#!lua flags=allow-stale\nreturn redis.call('get', 'a')");
    assert!(refused.starts_with("-ERR Can not execute the command on a stale replica script: "), "{refused}");
    assert_eq!(eval("#!lua flags=allow-stale\nreturn redis.call('echo', 'b')"), "b");
}
