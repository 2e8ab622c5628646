//! A limit of memory: keys are evicted as the policy says, or commands that need more are refused.

use ochre_client_tests::{Client, eventually, in_each_layout};

const MIB: i64 = 1 << 20;

fn figure(client: &mut Client, section: &str, name: &str) -> i64 {
    let info = client.run(&format!("INFO {section}"));
    let line = info.lines().find(|line| line.split(':').next() == Some(name));
    let value = line.and_then(|line| line.split(':').nth(1)).unwrap_or_else(|| panic!("no {name} in {info}"));
    value.trim().parse().expect("a number")
}

/// Writes strings of 1,000 bytes, `mib` MiB in all; answers which of them were accepted.
fn fill(client: &mut Client, mib: i64, options: &[&str]) -> Vec<bool> {
    let value = "v".repeat(1000);
    let numbers: Vec<i64> = (0..mib * 1000).collect();
    let mut replies = Vec::new();
    for numbers in numbers.chunks(100) {
        for number in numbers {
            let mut command = redis::cmd("SET");
            command.arg(format!("filled:{number}")).arg(&value).arg(options);
            client.connection.send_packed_command(&command.get_packed_command()).expect("the server listens");
        }
        replies.extend(numbers.iter().map(|_| matches!(client.connection.recv_response(), Ok(redis::Value::Okay))));
    }
    replies
}

fn limit(client: &mut Client, policy: &str, mib: i64) -> i64 {
    let bytes = figure(client, "memory", "used_memory") + mib * MIB;
    client.check(&format!("CONFIG SET maxmemory-policy {policy} maxmemory {bytes}"), "OK");
    bytes
}

#[test]
fn keys_are_evicted_to_stay_below_the_limit() {
    in_each_layout(|server| {
        let mut client = server.client();
        for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-lrm", "allkeys-random"] {
            client.check("FLUSHALL", "OK");
            eventually("all is freed", || figure(&mut client, "memory", "lazyfree_pending_objects") == 0);
            let bytes = limit(&mut client, policy, 4);
            assert!(fill(&mut client, 12, &[]).iter().all(|ok| *ok), "{policy}");
            let used = figure(&mut client, "memory", "used_memory");
            assert!(used < bytes + bytes / 100 + MIB, "{policy}: {used} of {bytes}");
            let keys = client.integer("DBSIZE");
            assert!((3000..4500).contains(&keys), "{policy}: {keys}");
            client.check("CONFIG SET maxmemory 0", "OK");
        }
        assert!(figure(&mut client, "stats", "evicted_keys") > 4 * 7000);
    });
}

#[test]
fn only_keys_with_a_deadline_go_by_volatile_policies() {
    in_each_layout(|server| {
        let mut client = server.client();
        for number in 0..200 {
            client.check(&format!("SET kept:{number} x"), "OK");
        }
        for policy in ["volatile-lru", "volatile-lfu", "volatile-lrm", "volatile-random", "volatile-ttl"] {
            limit(&mut client, policy, 2);
            assert!(fill(&mut client, 6, &["EX", "1000"]).iter().all(|ok| *ok), "{policy}");
            assert_eq!((0..200).map(|number| client.integer(&format!("EXISTS kept:{number}"))).sum::<i64>(), 200);
            client.check("CONFIG SET maxmemory 0", "OK");
        }
        // Without a deadline nothing can go, and writing ends.
        client.check("FLUSHALL", "OK");
        eventually("all is freed", || figure(&mut client, "memory", "lazyfree_pending_objects") == 0);
        limit(&mut client, "volatile-ttl", 2);
        assert!(fill(&mut client, 6, &[]).contains(&false));
    });
}

#[test]
fn what_needs_memory_is_refused_when_nothing_may_go() {
    in_each_layout(|server| {
        let mut client = server.client();
        const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
        limit(&mut client, "noeviction", 2);
        let replies = fill(&mut client, 6, &[]);
        assert!(replies.contains(&true) && replies.contains(&false));
        // From here on the limit is far below what is used, so that no figure trembles around it.
        client.check("CONFIG SET maxmemory 0", "OK");
        client.check("MULTI", "OK");
        client.check("SET queued x", "QUEUED");
        let mut other = server.client();
        other.check("CONFIG SET maxmemory 1", "OK");
        client.check(
            "EXEC",
            "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
        );
        for line in ["SET a x", "LPUSH l x", "APPEND filled:0 x"] {
            client.check(line, OOM);
        }
        for (line, reply) in [("EXISTS filled:0", "1"), ("DEL filled:0", "1"), ("EXPIRE filled:1 100", "1")] {
            client.check(line, reply);
        }
        client.check("MULTI", "OK");
        client.check("GET a", OOM);
        client.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        assert_eq!(figure(&mut client, "stats", "evicted_keys"), 0);
        client.check("CONFIG SET maxmemory 0", "OK");
        client.check("SET a x", "OK");
    });
}

#[test]
fn a_lower_limit_evicts_though_nobody_writes() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("CONFIG SET maxmemory-policy allkeys-lru maxmemory-eviction-tenacity 0", "OK");
        fill(&mut client, 6, &[]);
        let used = figure(&mut client, "memory", "used_memory");
        client.check(&format!("CONFIG SET maxmemory {}", used - 3 * MIB), "OK");
        eventually("keys are evicted", || figure(&mut client, "memory", "used_memory") < used - 2 * MIB);
        client.check("CONFIG SET maxmemory 1", "OK");
        eventually("all keys are evicted", || client.integer("DBSIZE") == 0);
    });
}

#[test]
fn watchers_and_subscribers_are_told_of_evictions() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("SET a x", "OK");
        client.check("CONFIG SET maxmemory-policy allkeys-random", "OK");
        client.check("WATCH a", "OK");
        client.check("MULTI", "OK");
        client.check("GET a", "QUEUED");
        let mut other = server.client();
        other.check("CONFIG SET maxmemory 1", "OK");
        eventually("the key is evicted", || other.integer("DBSIZE") == 0);
        other.check("CONFIG SET maxmemory 0", "OK");
        client.check("EXEC", "nil");
    });
}

#[test]
fn the_largest_clients_go_when_all_take_too_much() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("CLIENT NO-EVICT ON", "OK");
        client.check("CONFIG SET maxmemory-clients 2mb", "OK");
        let mut small = server.raw();
        small.send("*1\r\n$300000\r\n").send(vec![b'x'; 200_000]);
        let mut large = server.raw();
        // It is cut off while it sends.
        let _ = large.try_send("*1\r\n$3000000\r\n").and_then(|()| large.try_send(vec![b'x'; 3_000_000]));
        eventually("the large one is disconnected", || figure(&mut client, "stats", "evicted_clients") == 1);
        // Its loop may take what the small one sent only now.
        eventually("the small one is there", || {
            let list = client.run("CLIENT LIST");
            list.contains(" qbuf=200000 ") && list.contains(" argv-mem=13 ")
        });
        assert_eq!(figure(&mut client, "clients", "connected_clients"), 2);
        client.check("CONFIG SET maxmemory-clients 100kb", "OK");
        eventually("the small one, too", || figure(&mut client, "clients", "connected_clients") == 1);
    });
}

#[test]
fn who_does_not_read_is_disconnected_at_the_limit_of_its_class() {
    in_each_layout(|server| {
        let mut client = server.client();
        let set = |client: &mut Client, limits: &str| {
            assert_eq!(client.run_words(&["CONFIG", "SET", "client-output-buffer-limit", limits]), "OK");
        };
        // A pipeline's replies count as they come, not when all are there.
        set(&mut client, "normal 4mb 0 0");
        let value = "v".repeat(1_000_000);
        assert_eq!(client.run_words(&["SET", "large", value.as_str()]), "OK");
        let mut greedy = server.raw();
        let _ = greedy.try_send("GET large\r\n".repeat(2000));
        eventually("the greedy one is disconnected", || figure(&mut client, "clients", "connected_clients") == 1);
        assert!(figure(&mut client, "memory", "used_memory_peak") < 40 * MIB);
        // Subscribers and those who monitor, too.
        set(&mut client, "normal 0 0 0 pubsub 1mb 0 0");
        for words in ["SUBSCRIBE channel\r\n", "MONITOR\r\n"] {
            let before = figure(&mut client, "stats", "client_output_buffer_limit_disconnections");
            let mut silent = server.raw();
            silent.send(words);
            let message = "m".repeat(100_000);
            eventually("it is disconnected", || {
                client.run_words(&["PUBLISH", "channel", message.as_str()]);
                figure(&mut client, "stats", "client_output_buffer_limit_disconnections") == before + 1
            });
        }
    });
}

#[test]
fn the_soft_limit_is_enforced_though_nobody_writes() {
    in_each_layout(|server| {
        let mut client = server.client();
        let limits = "normal 0 1mb 1";
        assert_eq!(client.run_words(&["CONFIG", "SET", "client-output-buffer-limit", limits]), "OK");
        let value = "v".repeat(20_000_000);
        assert_eq!(client.run_words(&["SET", "large", value.as_str()]), "OK");
        let mut greedy = server.raw();
        greedy.send("GET large\r\n");
        eventually("it waits", || {
            client.run("CLIENT LIST").lines().any(|line| !line.contains(" omem=0 ") && line.contains("cmd=get"))
        });
        eventually("the greedy one is disconnected", || !client.run("CLIENT LIST").contains("cmd=get"));
    });
}
