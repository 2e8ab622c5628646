//! Each family of commands through a real client: lines as one types them, and their replies in order.

use ochre_client_tests::in_each_layout;

/// Runs lines on an empty server, each with its reply behind `=>`.
fn script(text: &str) {
    in_each_layout(|server| {
        let mut client = server.client();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (line, reply) = line.split_once(" => ").expect("a line has a reply");
            client.check(line, reply);
        }
    });
}

#[test]
fn strings() {
    script(
        "SET a 1 EX 100 GET => nil
        SET a 2 KEEPTTL => OK
        TTL a => 100
        SET a 3 NX => nil
        SET a 3 XX GET => 2
        GETEX a PERSIST => 3
        TTL a => -1
        APPEND a 45 => 3
        STRLEN a => 3
        GETRANGE a 1 -1 => 45
        SETRANGE a 5 x => 6
        INCRBYFLOAT n 1.5 => 1.5
        INCRBY n 1 => -ERR value is not an integer or out of range
        MSET b 1 c 2 => OK
        MGET b nothing c => [1 nil 2]
        MSETNX c 3 d 4 => 0
        DECRBY b 11 => -10
        SET big 9223372036854775807 => OK
        INCR big => -ERR increment or decrement would overflow
        LCS b c LEN => 0
        GETDEL b => -10
        SETEX e 0 x => -ERR invalid expire time in 'setex' command
        OBJECT ENCODING c => int",
    );
}

#[test]
fn bits_and_sketches() {
    script(
        "SETBIT bits 7 1 => 0
        SETBIT bits 100 1 => 0
        BITCOUNT bits => 2
        BITCOUNT bits 0 0 => 1
        BITPOS bits 1 2 => 100
        BITOP NOT inverse bits => 13
        BITCOUNT inverse => 102
        BITFIELD f SET u8 0 255 INCRBY u8 0 10 GET i4 4 => [0 9 -7]
        BITFIELD f OVERFLOW FAIL INCRBY u8 0 250 => [nil]
        SETBIT bits 4294967296 1 => -ERR bit offset is not an integer or out of range
        PFADD sketch a b c => 1
        PFADD sketch a => 0
        PFCOUNT sketch => 3
        PFADD other c d => 1
        PFCOUNT sketch other => 4
        PFMERGE all sketch other => OK
        PFCOUNT all => 4",
    );
}

#[test]
fn lists() {
    script(
        "RPUSH l a b c => 3
        LPUSH l z => 4
        LRANGE l 0 -1 => [z a b c]
        LINDEX l -1 => c
        LSET l 0 y => OK
        LINSERT l BEFORE b x => 5
        LREM l 1 x => 1
        LPOS l c => 3
        LTRIM l 1 -1 => OK
        LMOVE l m LEFT RIGHT => a
        RPOPLPUSH l m => c
        LRANGE m 0 -1 => [c a]
        LMPOP 2 nothing m RIGHT COUNT 5 => [m [a c]]
        EXISTS m => 0
        LPOP l 5 => [b]
        LPOP l => nil
        LPUSHX l a => 0
        SORT l => []
        RPUSH n 3 1 2 => 3
        SORT n DESC => [3 2 1]",
    );
}

#[test]
fn hashes() {
    script(
        "HSET h a 1 b 2 => 2
        HSETNX h a 2 => 0
        HGET h a => 1
        HMGET h a nothing => [1 nil]
        HINCRBY h a 41 => 42
        HINCRBYFLOAT h b 0.5 => 2.5
        HLEN h => 2
        HKEYS h => [a b]
        HVALS h => [42 2.5]
        HSTRLEN h b => 3
        HEXISTS h c => 0
        HEXPIRE h 100 FIELDS 2 a c => [1 -2]
        HTTL h FIELDS 2 a b => [100 -1]
        HPERSIST h FIELDS 1 a => [1]
        HDEL h a b => 2
        EXISTS h => 0
        SET s x => OK
        HGET s a => -WRONGTYPE Operation against a key holding the wrong kind of value",
    );
}

#[test]
fn sets() {
    script(
        "SADD a 1 2 3 => 3
        SADD b 2 3 4 => 3
        SCARD a => 3
        SISMEMBER a 1 => 1
        SMISMEMBER a 1 9 => [1 0]
        SINTER a b => [2 3]
        SINTERCARD 2 a b LIMIT 1 => 1
        SDIFF a b => [1]
        SUNIONSTORE c a b => 4
        SMEMBERS c => [1 2 3 4]
        SMOVE a b 1 => 1
        SREM a 2 3 => 2
        EXISTS a => 0
        OBJECT ENCODING b => intset
        SADD b x => 1
        OBJECT ENCODING b => listpack
        SRANDMEMBER nothing 5 => []
        SPOP nothing => nil",
    );
}

#[test]
fn sorted_sets() {
    script(
        "ZADD z 1 a 2 b 3 c => 3
        ZADD z XX CH 5 a => 1
        ZADD z NX 9 a => 0
        ZADD z INCR 1 b => 3
        ZSCORE z b => 3
        ZRANGE z 0 -1 WITHSCORES => [b 3 c 3 a 5]
        ZRANGE z 0 1 REV => [a c]
        ZRANGEBYSCORE z (3 +inf => [a]
        ZRANK z a WITHSCORE => [2 5]
        ZCOUNT z 3 3 => 2
        ZINCRBY z 0.5 c => 3.5
        ZADD y 1 a 1 q => 2
        ZINTERSTORE x 2 z y WEIGHTS 1 10 => 1
        ZSCORE x a => 15
        ZUNION 2 z y AGGREGATE MAX WITHSCORES => [q 1 b 3 c 3.5 a 5]
        ZDIFF 2 z y => [b c]
        ZLEXCOUNT y - + => 2
        ZPOPMIN z => [b 3]
        ZMPOP 1 z MAX COUNT 9 => [z [[a 5] [c 3.5]]]
        EXISTS z => 0
        ZADD y nan a => -ERR value is not a valid float
        GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania => 2
        GEODIST g Palermo Catania km => 166.2742
        GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 100 km => [Catania]",
    );
}

#[test]
fn keys_of_any_kind() {
    script(
        "MSET a 1 b 2 => OK
        COPY a c => 1
        COPY a c => 0
        COPY a c REPLACE => 1
        RENAMENX a b => 0
        RENAME a d => OK
        EXISTS a b c d => 3
        TYPE d => string
        TOUCH b nothing => 1
        UNLINK b c => 2
        EXPIRE d 100 NX => 1
        EXPIRE d 50 GT => 0
        EXPIRE d -1 => 1
        EXISTS d => 0
        DEL nothing => 0
        RENAME nothing a => -ERR no such key
        EXPIRE nothing 1 => 0
        OBJECT ENCODING nothing => nil
        DBSIZE => 0
        RANDOMKEY => nil",
    );
}

#[test]
fn a_scan_shows_each_key_that_stays() {
    in_each_layout(|server| {
        let mut client = server.client();
        for number in 0..3000 {
            client.run(&format!("SET key:{number} x"));
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut cursor = String::from("0");
        for round in 0.. {
            let reply = client.run(&format!("SCAN {cursor} COUNT 20"));
            let mut words = reply.split(['[', ']', ' ']).filter(|word| !word.is_empty());
            cursor = words.next().expect("a cursor comes first").to_owned();
            seen.extend(words.map(str::to_owned));
            if cursor == "0" {
                break;
            }
            // Others come and go meanwhile.
            client.run(&format!("SET other:{round} x"));
            client.run(&format!("DEL other:{}", round / 2));
        }
        assert_eq!(seen.iter().filter(|key| key.starts_with("key:")).count(), 3000);
    });
}

#[test]
fn the_server_tells_of_itself() {
    in_each_layout(|server| {
        let mut client = server.client();
        client.check("ECHO hello", "hello");
        client.check("OBJECT FREQ nothing", "nil");
        let info = client.run("INFO");
        for field in ["redis_version:", "connected_clients:1\r\n", "used_memory:", "role:master\r\n", "# Keyspace"] {
            assert!(info.contains(field), "INFO lacks {field}");
        }
        client.check("SET a 1", "OK");
        assert!(client.run("INFO keyspace").contains("db0:keys=1,expires=0"));
        let stats = client.run("INFO commandstats");
        assert!(stats.contains("cmdstat_set:calls=1,"), "{stats}");
        client.check("COMMAND GETKEYS MSET a 1 b 2", "[a b]");
        client.check("CONFIG GET maxmem*polic[xy]", "[maxmemory-policy noeviction]");
        assert!(client.integer("COMMAND COUNT") > 200);
        client.check("CONFIG RESETSTAT", "OK");
        assert!(client.integer("MEMORY USAGE a") > 0);
        client.check("CONFIG SET slowlog-log-slower-than 0", "OK");
        client.check("PING", "PONG");
        assert!(client.run("SLOWLOG GET 5").contains("[PING]"));
    });
}

#[test]
fn hot_keys_are_found_while_somebody_asks() {
    in_each_layout(|server| {
        let mut client = server.client();
        let wide = "w".repeat(2000);
        // However busy the machine is, nothing is slow.
        client.check("CONFIG SET slowlog-log-slower-than 3600000000", "OK");
        client.check("HOTKEYS GET", "nil");
        client.check("HOTKEYS STOP", "nil");
        client.check("HOTKEYS RESET", "OK");
        client.check("HOTKEYS START COUNT 3", "-ERR METRICS parameter is required");
        client.check("HOTKEYS START METRICS 2 CPU CPU", "-ERR METRICS count does not match the metrics that are named");
        client
            .check("HOTKEYS START METRICS 1 NET SLOTS 1 5", "-ERR SLOTS parameter cannot be used in non-cluster mode");
        client.check("HOTKEYS START METRICS 2 CPU NET COUNT 2", "OK");
        client.check("HOTKEYS START METRICS 1 NET", "-ERR hotkeys tracking is already in progress");
        client.check("HOTKEYS RESET", "-ERR hotkeys tracking is in progress, stop it first");
        for _ in 0..50 {
            client.check(&format!("SET wide {wide}"), "OK");
            client.check("MSET narrow 1 small 2", "OK");
            client.check("GET narrow", "1");
        }
        // Other loops count, too.
        server.client().check("GET narrow", "1");
        let report = client.run("HOTKEYS GET");
        assert!(
            report.starts_with("[tracking-active 1 sample-ratio 1 selected-slots [] all-commands-all-slots-us "),
            "{report}"
        );
        let (_, by_net) = report.split_once("by-net-bytes ").expect("it was asked for");
        assert!(by_net.starts_with("[wide 10") && by_net.contains(" narrow ") && !by_net.contains("small"), "{report}");
        client.check("HOTKEYS STOP", "OK");
        client.check("SET later 1", "OK");
        let after = client.run("HOTKEYS GET");
        assert!(after.starts_with("[tracking-active 0 ") && after.ends_with(by_net), "{after}");
        client.check("HOTKEYS RESET", "OK");
        client.check("HOTKEYS GET", "nil");
        // Nothing of all this was slow or large.
        client.check("SLOWLOG LEN", "0");
        client.check("COMMANDLOG LEN large-request", "0");
    });
}

#[test]
fn monitor_shows_what_others_do() {
    in_each_layout(|server| {
        let mut monitor = server.raw();
        monitor.send("MONITOR\n").expect("+OK\r\n");
        server.client().check("SET a 1", "OK");
        loop {
            let line = monitor.line();
            if line.ends_with("] \"SET\" \"a\" \"1\"") {
                assert!(line.starts_with('+') && line.contains(" [0 127.0.0.1:"), "{line}");
                break;
            }
        }
        // A script comes before the commands that it calls.
        let script = "return redis.call('GET', KEYS[1])";
        assert_eq!(server.client().run_words(&["EVAL", script, "1", "a"]), "1");
        let next = |monitor: &mut ochre_client_tests::Raw| loop {
            let line = monitor.line();
            if !line.contains("CLIENT") {
                break line;
            }
        };
        assert!(next(&mut monitor).ends_with("] \"EVAL\" \"return redis.call('GET', KEYS[1])\" \"1\" \"a\""));
        assert!(next(&mut monitor).ends_with(" [0 lua] \"GET\" \"a\""));
    });
}
