//! Snapshots of a server whose data is on the move: money goes from account to account, of every type, and none is made or lost.

use crate::dice::Dice;
use ochre_client_tests::{Client, Server, eventually, in_each_layout_with};
use std::sync::atomic::{AtomicBool, Ordering};

/// So many accounts of each type, with so much on each.
const ACCOUNTS: i64 = 40;
const BALANCE: i64 = 100;
const TOTAL: i64 = 3 * ACCOUNTS * BALANCE;
const SNAPSHOTS: usize = 3;
const MOVERS: u64 = 3;

/// Sums up the accounts: strings, fields of one hash, scores of one sorted set, each once wherever it has been moved to.
const SUM: &str = "
    local sum = 0
    for at = 0, 39 do
        sum = sum + (redis.call('GET', 'string:' .. at) or 0) + (redis.call('GET', 'moved:' .. at) or 0)
    end
    for _, balance in ipairs(redis.call('HVALS', 'hash')) do sum = sum + balance end
    local scores = redis.call('ZRANGE', 'sorted', 0, -1, 'WITHSCORES')
    for at = 2, #scores, 2 do sum = sum + scores[at] end
    return sum";

/// Takes from one account and gives to another; a script that names no keys.
const TRANSFER: &str = "
    redis.call('INCRBY', 'string:' .. ARGV[1], -ARGV[3])
    redis.call('HINCRBY', 'hash', 'f' .. ARGV[2], ARGV[3])
    return 1";

fn fill(client: &mut Client) {
    for at in 0..ACCOUNTS {
        client.check(&format!("SET string:{at} {BALANCE}"), "OK");
        client.check(&format!("HSET hash f{at} {BALANCE}"), "1");
        client.check(&format!("ZADD sorted {BALANCE} m{at}"), "1");
    }
    // What a snapshot has to go through meanwhile.
    for at in 0..20 {
        let keys: Vec<String> = (0..100).map(|key| format!("filler:{at}:{key} x")).collect();
        client.check(&format!("MSET {}", keys.join(" ")), "OK");
    }
}

/// One move of money, as the lines of a transaction or as a script.
fn move_money(client: &mut Client, dice: &mut Dice) {
    let accounts = ACCOUNTS as u64;
    let (one, other, amount) = (dice.below(accounts), dice.below(accounts), 1 + dice.below(20));
    let mut transaction = |lines: &[String]| {
        client.check("MULTI", "OK");
        lines.iter().for_each(|line| client.check(line, "QUEUED"));
        let reply = client.run("EXEC");
        assert!(reply.starts_with('['), "{lines:?}: {reply}");
    };
    match dice.below(6) {
        0 => transaction(&[format!("INCRBY string:{one} {amount}"), format!("HINCRBY hash f{other} -{amount}")]),
        1 => transaction(&[format!("ZINCRBY sorted {amount} m{one}"), format!("DECRBY string:{other} {amount}")]),
        2 => transaction(&[format!("HINCRBY hash f{one} -{amount}"), format!("ZINCRBY sorted {amount} m{other}")]),
        // A balance goes to another key unless one lies there, and a whole collection to another name and back.
        3 => transaction(&[
            format!("INCRBY string:{one} 0"),
            format!("RENAMENX string:{one} moved:{one}"),
            "RENAME hash moved".to_owned(),
            format!("HINCRBY moved f{one} {amount}"),
            format!("ZINCRBY sorted -{amount} m{other}"),
            "COPY moved hash".to_owned(),
            "UNLINK moved".to_owned(),
        ]),
        4 => {
            let gather = format!(
                "local moved = redis.call('GETDEL', 'moved:{one}') if moved then redis.call('INCRBY', 'string:{one}', moved) end"
            );
            assert_eq!(client.run_words(&["EVAL", &gather, "0"]), "nil");
        }
        _ => {
            let (one, other, amount) = (one.to_string(), other.to_string(), amount.to_string());
            assert_eq!(client.run_words(&["EVAL", TRANSFER, "0", &one, &other, &amount]), "1");
        }
    }
}

/// Moves money until it is told to stop.
fn move_until(server: &Server, seed: u64, is_over: &AtomicBool) {
    let (mut client, mut dice) = (server.client(), Dice::new(seed));
    while !is_over.load(Ordering::Relaxed) {
        move_money(&mut client, &mut dice);
    }
}

#[test]
fn a_snapshot_holds_whole_transactions_and_scripts() {
    in_each_layout_with("--rdb-key-save-delay 20", |server| {
        let mut client = server.client();
        fill(&mut client);
        assert_eq!(client.run_words(&["EVAL", SUM, "0"]), TOTAL.to_string());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for seed in 0..MOVERS {
                let is_over = &is_over;
                scope.spawn(move || move_until(server, seed, is_over));
            }
            for at in 0..SNAPSHOTS {
                client.check("BGSAVE", "Background saving started");
                eventually("the end of the snapshot", || {
                    client.run("INFO persistence").contains("rdb_bgsave_in_progress:0")
                });
                let kept = server.folder.path.join(format!("kept-{at}.rdb"));
                std::fs::copy(server.folder.path.join("dump.rdb"), &kept).expect("it was just written");
                let arguments = format!("--dir {} --dbfilename kept-{at}.rdb", server.folder.path.display());
                let loaded = Server::start(&arguments);
                assert_eq!(loaded.client().run_words(&["EVAL", SUM, "0"]), TOTAL.to_string());
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(client.run_words(&["EVAL", SUM, "0"]), TOTAL.to_string());
    });
}
