//! Scripts and functions: replies, atomicity over threads, and the end of those that run for too long.

use ochre_client_tests::{Client, eventually, in_each_layout, in_each_layout_with};
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs a script with these keys and arguments.
fn eval(client: &mut Client, script: &str, keys: &[&str], arguments: &[&str]) -> String {
    let count = keys.len().to_string();
    client.run_words(&[&["EVAL", script, &count], keys, arguments].concat())
}

#[test]
fn scripts_reply_as_commands_do() {
    in_each_layout(|server| {
        let client = &mut server.client();
        assert_eq!(eval(client, "return {KEYS[1], ARGV[1], 3.7, true}", &["k"], &["a"]), "[k a 3 1]");
        assert_eq!(eval(client, "return redis.call('set', KEYS[1], ARGV[1])", &["k"], &["v"]), "OK");
        client.check("GET k", "v");
        assert_eq!(eval(client, "return redis.call('get', 'k')", &[], &[]), "v");
        assert_eq!(client.run_words(&["SCRIPT", "LOAD", "return 5"]), "4ca238f611c9d0ae4e9a75a5dbac22aedc379801");
        for _ in 0..8 {
            server.client().check("EVALSHA 4CA238F611C9D0AE4E9A75A5DBAC22AEDC379801 0", "5");
        }
        client.check("SCRIPT FLUSH", "OK");
        for _ in 0..8 {
            let reply = server.client().run("EVALSHA 4ca238f611c9d0ae4e9a75a5dbac22aedc379801 0");
            assert!(reply.starts_with("-NOSCRIPT"), "{reply}");
        }
        eval(client, "redis.call('select', 1) return redis.call('set', 'other', '1')", &[], &[]);
        client.check("GET other", "nil");
        let reply = eval(client, "return redis.call('incr', 'k')", &[], &[]);
        assert!(reply.starts_with("-ERR value is not an integer or out of range script: "), "{reply}");
    });
}

#[test]
fn functions_are_known_on_every_thread() {
    in_each_layout(|server| {
        let mut client = server.client();
        let library = "#!lua name=lib\nredis.register_function('f', \
                       function(keys, args) return redis.call('incrby', keys[1], args[1]) end)";
        assert_eq!(client.run_words(&["FUNCTION", "LOAD", library]), "lib");
        for turn in 1..=8 {
            server.client().check("FCALL f 1 n 2", &(2 * turn).to_string());
        }
        client.check("FCALL_RO f 1 n 2", "-ERR Can not execute a script with write flag using *_ro command.");
        client.check("FUNCTION DELETE lib", "OK");
        for _ in 0..8 {
            server.client().check("FCALL f 1 n 2", "-ERR Function not found");
        }
    });
}

#[test]
fn a_script_in_a_transaction_runs_under_its_locks() {
    in_each_layout(|server| {
        let client = &mut server.client();
        client.check("MULTI", "OK");
        client.check("SET a 1", "QUEUED");
        let script = "return redis.call('incr', 'a') + redis.call('incr', 'b')";
        assert_eq!(eval(client, script, &[], &[]), "QUEUED");
        client.check("GET b", "QUEUED");
        client.check("EXEC", "[OK 3 1]");
    });
}

#[test]
fn whoever_waits_is_served_when_the_script_is_over() {
    in_each_layout(|server| {
        let (mut waiter, client) = (server.raw(), &mut server.client());
        waiter.send("BLPOP list 0\n");
        eventually("the client waits", || client.run("INFO clients").contains("blocked_clients:1"));
        let script = "redis.call('rpush', 'list', 'a') return redis.call('llen', 'list')";
        assert_eq!(eval(client, script, &["list"], &[]), "1");
        waiter.expect("*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
        assert_eq!(eval(client, "return redis.call('blpop', 'list', 0)", &[], &[]), "nil");
    });
}

/// Scripts that name no key, and reach for several in every order, after they have written: they take turns, and nobody waits
/// for ever.
#[test]
fn scripts_that_reach_for_keys_in_adverse_orders_never_deadlock() {
    const KEYS: usize = 24;
    const ROUNDS: usize = 150;
    in_each_layout(|server| {
        let mut client = server.client();
        for key in 0..KEYS {
            client.check(&format!("SET k{key} 1000"), "OK");
        }
        let is_over = AtomicBool::new(false);
        let move_money = |worker: usize| {
            let client = &mut server.client();
            let script = "redis.call('decr', ARGV[1]) redis.call('incr', ARGV[2]) return 1";
            for round in 0..ROUNDS {
                let from = (worker * 7 + round) % KEYS;
                let to = (from + 1 + (worker * 11 + round * 5) % (KEYS - 1)) % KEYS;
                let (from, to) = if worker.is_multiple_of(2) { (from, to) } else { (to, from) };
                assert_eq!(eval(client, script, &[], &[&format!("k{from}"), &format!("k{to}")]), "1");
            }
        };
        let watch_sum = || {
            let mut client = server.client();
            let keys: Vec<String> = (0..KEYS).map(|key| format!("k{key}")).collect();
            while !is_over.load(Ordering::Relaxed) {
                let all = client.run(&format!("MGET {}", keys.join(" ")));
                let numbers = all.trim_matches(|letter| letter == '[' || letter == ']').split(' ');
                let sum: i64 = numbers.map(|number| number.parse::<i64>().expect("a number")).sum();
                assert_eq!(sum, 1000 * KEYS as i64, "a script is seen whole or not at all");
            }
        };
        std::thread::scope(|scope| {
            let movers: Vec<_> = (0..4).map(|worker| scope.spawn(move || move_money(worker))).collect();
            let watchers = [scope.spawn(watch_sum), scope.spawn(watch_sum)];
            let moved = movers.into_iter().all(|mover| mover.join().is_ok());
            is_over.store(true, Ordering::Relaxed);
            let watched = watchers.into_iter().all(|watcher| watcher.join().is_ok());
            assert!(moved && watched);
        });
    });
}

#[test]
fn a_script_that_runs_for_too_long_can_be_ended() {
    in_each_layout_with("--busy-reply-threshold 20", |server| {
        let (mut script, client) = (server.raw(), &mut server.client());
        client.check("SET x 1", "OK");
        script.send("*4\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n1\r\n$1\r\nx\r\nPING\r\n");
        eventually("others are told", || server.client().run("GET x").starts_with("-BUSY"));
        assert!(eval(client, "return 1", &[], &[]).starts_with("-BUSY"));
        assert!(client.run("FUNCTION KILL").starts_with("-BUSY"));
        client.check("SCRIPT KILL", "OK");
        script.expect(
            "-ERR Script killed by user with SCRIPT KILL. script: 694a5fe1ddb97a4c6a1bf299d9537c7d3d0f84e7, \
             on @user_script:1.\r\n+PONG\r\n",
        );
        client.check("GET x", "1");
        client.check("SCRIPT KILL", "-NOTBUSY No scripts in execution right now.");
    });
}

#[test]
fn a_script_that_has_written_is_not_ended() {
    in_each_layout_with("--busy-reply-threshold 20", |server| {
        let body = "redis.call('set', 'x', '1') local n = 0 while n < 5e8 do n = n + 1 end return 'done'";
        let mut server_client = server.client();
        let mut script = server.raw();
        script.send(format!("*4\r\n$4\r\nEVAL\r\n${}\r\n{body}\r\n$1\r\n1\r\n$1\r\nx\r\n", body.len()));
        eventually("others are told", || server.client().run("GET x").starts_with("-BUSY"));
        let reply = server_client.run("SCRIPT KILL");
        assert!(reply.starts_with("-UNKILLABLE"), "{reply}");
        server_client.run("SHUTDOWN NOSAVE");
        script.rest();
    });
}

#[test]
fn a_script_sees_one_time() {
    in_each_layout(|server| {
        let mut client = server.client();
        let asked_twice = "local first = redis.call('TIME') for i = 1, 10000 do redis.call('PING') end \
                           local second = redis.call('TIME') return {first[1] == second[1], first[2] == second[2]}";
        let reply = client.run_words(&["EVAL", asked_twice, "0"]);
        assert_eq!(reply, "[1 1]");
    });
}
