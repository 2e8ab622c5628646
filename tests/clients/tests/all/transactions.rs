//! MULTI, EXEC and WATCH, alone and under load.

use crate::dice::Dice;
use ochre_client_tests::{Server, in_each_layout};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn queued_commands_run_together() {
    in_each_layout(|server| {
        let (mut one, mut other) = (server.client(), server.client());
        one.check("MULTI", "OK");
        one.check("SET a 1", "QUEUED");
        one.check("INCR a", "QUEUED");
        one.check("GET a", "QUEUED");
        other.check("GET a", "nil");
        one.check("EXEC", "[OK 2 2]");
        other.check("GET a", "2");
        one.check("MULTI", "OK");
        one.check("EXEC", "[]");
    });
}

#[test]
fn a_command_that_fails_does_not_stop_those_behind_it() {
    in_each_layout(|server| {
        let mut raw = server.raw();
        raw.send("MULTI\nSET a x\nLPUSH a y\nINCR a\nGET a\nEXEC\n").expect("+OK\r\n").expect("+QUEUED\r\n".repeat(4));
        raw.expect("*4\r\n+OK\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
        raw.expect("-ERR value is not an integer or out of range\r\n$1\r\nx\r\n");
    });
}

#[test]
fn a_command_that_cannot_be_queued_ends_the_transaction() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("EXEC", "-ERR EXEC without MULTI");
        client.check("DISCARD", "-ERR DISCARD without MULTI");
        client.check("MULTI", "OK");
        client.check("MULTI", "-ERR MULTI calls can not be nested");
        client.check("SET a 1", "QUEUED");
        client.check("SET a", "-ERR wrong number of arguments for 'set' command");
        client.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        client.check("MULTI", "OK");
        client.check("NONSENSE", "-ERR unknown command 'NONSENSE', with args beginning with: ");
        client.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        client.check("MULTI", "OK");
        client.check("SET a 1", "QUEUED");
        client.check("DISCARD", "OK");
        client.check("EXISTS a", "0");
        client.check("MULTI", "OK");
        client.check("WATCH a", "-ERR WATCH inside MULTI is not allowed");
        client.check("DISCARD", "OK");
        // EXEC with a word too many ends it, and is refused with the same error where there is none.
        let refused = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command";
        client.check("MULTI", "OK");
        client.check("EXEC now", refused);
        client.check("EXEC now", refused);
        client.check("EXEC", "-ERR EXEC without MULTI");
    });
}

#[test]
fn a_transaction_runs_only_when_what_is_watched_stayed() {
    in_each_layout(|server| {
        let (mut one, mut other) = (server.client(), server.client());
        let mut outcome = |between: &str| {
            one.check("FLUSHALL", "OK");
            one.check("MSET a 1 b 2", "OK");
            one.check("WATCH a missing", "OK");
            other.run(between);
            one.check("MULTI", "OK");
            one.check("SET done 1", "QUEUED");
            one.run("EXEC")
        };
        assert_eq!(outcome("PING"), "[OK]");
        assert_eq!(outcome("SET b 3"), "[OK]");
        assert_eq!(outcome("GET a"), "[OK]");
        assert_eq!(outcome("SET a 1"), "nil");
        assert_eq!(outcome("DEL a"), "nil");
        assert_eq!(outcome("EXPIRE a 100"), "nil");
        assert_eq!(outcome("SET missing 1"), "nil");
        assert_eq!(outcome("RENAME b missing"), "nil");
        assert_eq!(outcome("FLUSHALL"), "nil");
        assert_eq!(outcome("SWAPDB 0 1"), "nil");
        assert_eq!(outcome("PEXPIRE a -1"), "nil");
    });
}

#[test]
fn what_is_no_longer_watched_may_change() {
    in_each_layout(|server| {
        let (mut one, mut other) = (server.client(), server.client());
        one.check("WATCH a", "OK");
        other.check("SET a 1", "OK");
        one.check("UNWATCH", "OK");
        one.check("MULTI", "OK");
        one.check("GET a", "QUEUED");
        one.check("EXEC", "[1]");
        // EXEC ended the watch, too.
        one.check("WATCH a", "OK");
        one.check("MULTI", "OK");
        one.check("EXEC", "[]");
        other.check("SET a 2", "OK");
        one.check("MULTI", "OK");
        one.check("GET a", "QUEUED");
        one.check("EXEC", "[2]");
    });
}

#[test]
fn a_transaction_over_all_keys_is_whole() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("MULTI", "OK");
        for line in ["MSET a 1 b 2 c 3", "DBSIZE", "KEYS b", "FLUSHDB", "DBSIZE", "SET d 4", "RANDOMKEY"] {
            client.check(line, "QUEUED");
        }
        client.check("EXEC", "[OK 3 [b] OK 0 OK d]");
    });
}

const ACCOUNTS: u64 = 40;
const MONEY: i64 = 1000;

/// What all accounts hold together, seen in one transaction.
fn total(server: &Server) -> i64 {
    let keys = (0..ACCOUNTS).map(|number| format!("account:{number}"));
    let held: Vec<i64> =
        redis::cmd("MGET").arg(keys.collect::<Vec<_>>()).query(&mut server.client().connection).expect("all exist");
    held.iter().sum()
}

#[test]
fn money_that_moves_between_accounts_is_neither_made_nor_lost() {
    in_each_layout(|server| {
        let mut client = server.client();
        for number in 0..ACCOUNTS {
            client.check(&format!("SET account:{number} {MONEY}"), "OK");
        }
        let all = ACCOUNTS as i64 * MONEY;
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let movers: Vec<_> = (1..=4_u64)
                .map(|seed| {
                    scope.spawn(move || {
                        let mut dice = Dice::new(seed);
                        let mut connection = server.client().connection;
                        for _ in 0..1500 {
                            let (from, to) = (dice.below(ACCOUNTS), dice.below(ACCOUNTS));
                            let amount = dice.below(50);
                            redis::pipe()
                                .atomic()
                                .cmd("DECRBY")
                                .arg(format!("account:{from}"))
                                .arg(amount)
                                .cmd("INCRBY")
                                .arg(format!("account:{to}"))
                                .arg(amount)
                                .exec(&mut connection)
                                .expect("the transaction runs");
                        }
                    })
                })
                .collect();
            let auditor = scope.spawn(|| {
                let mut audits = 0;
                while !done.load(Ordering::Relaxed) || audits == 0 {
                    assert_eq!(total(server), all);
                    audits += 1;
                }
            });
            let moved: Vec<_> = movers.into_iter().map(|mover| mover.join()).collect();
            done.store(true, Ordering::Relaxed);
            auditor.join().expect("the auditor saw all money at all times");
            assert!(moved.iter().all(Result::is_ok), "a mover did not finish its work");
        });
        assert_eq!(total(server), all);
    });
}

#[test]
fn increments_by_watch_lose_nothing() {
    in_each_layout(|server| {
        const EACH: i64 = 200;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut connection = server.client().connection;
                    for _ in 0..EACH {
                        redis::transaction(&mut connection, &["n"], |connection, pipe| {
                            let value: Option<i64> = redis::cmd("GET").arg("n").query(connection)?;
                            pipe.cmd("SET").arg("n").arg(value.unwrap_or(0) + 1).query::<Option<()>>(connection)
                        })
                        .expect("the transaction runs in the end");
                    }
                });
            }
        });
        assert_eq!(server.client().integer("GET n"), 4 * EACH);
    });
}
