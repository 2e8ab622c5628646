//! What killed others: commands that were found to crash, hang or bloat servers of this kind are answered, and that is all.

use ochre_client_tests::{Client, in_each_layout, on_each_backend};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lines whose reply begins so. They follow one another on one server.
const ANSWERS: &[(&str, &str)] = &[
    // Counts and offsets at the edge of what an integer holds.
    ("SADD s a b c", "3"),
    ("SRANDMEMBER s -9223372036854775808", "-ERR value is out of range"),
    ("SPOP s 9223372036854775808", "-ERR value is out of range"),
    ("HSET h f 1 g 2", "2"),
    ("HRANDFIELD h -9223372036854775808 WITHVALUES", "-ERR value is out of range"),
    ("HRANDFIELD h 9223372036854775807 WITHVALUES", "-ERR value is out of range"),
    ("ZADD z 1 a 2 b", "2"),
    ("ZRANDMEMBER z -9223372036854775808 WITHSCORES", "-ERR value is out of range"),
    ("ZRANGE z -9223372036854775808 9223372036854775807", "[a b]"),
    ("ZRANGEBYSCORE z -inf +inf LIMIT 9223372036854775807 9223372036854775807", "[]"),
    ("ZUNION 2147483647 z", "-ERR syntax error"),
    ("ZINTERCARD 9223372036854775807 z", "-ERR syntax error"),
    ("ZMPOP 9223372036854775807 z MIN", "-ERR syntax error"),
    ("RPUSH l 1 2 3", "3"),
    ("SORT l LIMIT 9223372036854775807 9223372036854775807", "[]"),
    ("SORT l LIMIT -9223372036854775808 -9223372036854775808", "[1 2 3]"),
    ("LPOS l 1 RANK -9223372036854775808", "-ERR"),
    ("LINDEX l -9223372036854775808", "nil"),
    ("LRANGE l -9223372036854775808 9223372036854775807", "[1 2 3]"),
    ("LPOP l 9223372036854775807", "[1 2 3]"),
    ("SET t hello", "OK"),
    ("SETRANGE t 9223372036854775807 x", "-ERR string exceeds maximum allowed size"),
    ("SETRANGE t 536870912 x", "-ERR string exceeds maximum allowed size"),
    ("GETRANGE t -9223372036854775808 9223372036854775807", "hello"),
    ("SETBIT t 4294967296 1", "-ERR bit offset is not an integer or out of range"),
    ("BITFIELD t SET u8 #9223372036854775807 1", "-ERR bit offset is not an integer or out of range"),
    ("BITCOUNT t -9223372036854775808 9223372036854775807 BIT", "21"),
    ("BITPOS t 1 -9223372036854775808 9223372036854775807", "1"),
    ("EXPIRE t 9223372036854775807", "-ERR invalid expire time"),
    ("EXPIRE t -9223372036854775808", "-ERR invalid expire time"),
    ("GETEX t EX 9223372036854775807", "-ERR invalid expire time"),
    ("RESTORE new 9223372036854775807 x", "-ERR"),
    ("STRLEN t", "5"),
    // Streams: counts beyond what is pending, ranges that wrap around.
    ("XADD x 1-1 f v", "1-1"),
    ("XADD x 1-2 f v", "1-2"),
    ("XGROUP CREATE x g 0", "OK"),
    ("XREADGROUP GROUP g c STREAMS x >", "[[x [[1-1 [f v]] [1-2 [f v]]]]]"),
    ("XDEL x 1-1", "1"),
    ("XAUTOCLAIM x g c 0 0 COUNT 1152921504606846976", "-ERR COUNT must be > 0"),
    ("XAUTOCLAIM x g c 0 0 COUNT 100000000", "[0-0 [[1-2 [f v]]] [1-1]]"),
    ("XPENDING x g - + 9223372036854775807", "[[1-2 c "),
    ("XRANGE x (18446744073709551615-18446744073709551615 +", "-ERR invalid start ID for the interval"),
    ("XREVRANGE x + - COUNT 9223372036854775807", "[[1-2 [f v]]]"),
    ("XADD x 18446744073709551615-18446744073709551615 f v", "18446744073709551615-18446744073709551615"),
    ("XADD x * f v", "-ERR"),
    // Numbers that are none.
    ("HINCRBYFLOAT h f inf", "-ERR"),
    ("HINCRBYFLOAT h f nan", "-ERR"),
    ("HSET h big 1e308", "1"),
    ("INCRBYFLOAT t 1", "-ERR value is not a valid float"),
    ("ZINCRBY z nan a", "-ERR value is not a valid float"),
    ("ZADD z inf i", "1"),
    ("ZINCRBY z -inf i", "-ERR resulting score is not a number (NaN)"),
    ("GEOADD g nan 0 a", "-ERR"),
    ("SETEX t inf v", "-ERR value is not an integer or out of range"),
    // Keys that are named twice, or claimed and not there.
    ("MSETNX k 1 k 2", "1"),
    ("GET k", "2"),
    ("COMMAND GETKEYS EVAL x 1000 k", "[]"),
    ("COMMAND GETKEYS ZUNION 2147483647 a", "-ERR Invalid"),
    ("COMMAND GETKEYS XREAD STREAMS a", "-ERR"),
    ("SMOVE s s a", "1"),
    ("RENAME s s", "OK"),
    ("LMOVE nothing nothing LEFT RIGHT", "nil"),
    ("COPY s s", "-ERR source and destination objects are the same"),
    // Rules of access that end too early: nothing is made.
    ("ACL SETUSER ghost %", "-ERR Error in ACL SETUSER modifier"),
    ("ACL SETUSER ghost %~", "-ERR Error in ACL SETUSER modifier"),
    ("ACL SETUSER ghost (%)", "-ERR Error in ACL SETUSER modifier"),
    ("ACL SETUSER ghost (", "-ERR Unmatched parenthesis"),
    ("ACL SETUSER ghost ()) +get", "-ERR"),
    ("ACL GETUSER ghost", "nil"),
    // Cursors of nobody.
    ("SCAN 18446744073709551615", "["),
    ("SCAN 18446744073709551616", "-ERR invalid cursor"),
    ("SSCAN s 18446744073709551615", "["),
    ("HSCAN h 9223372036854775807 COUNT 9223372036854775807", "["),
];

#[test]
fn commands_at_the_edge_are_answered() {
    in_each_layout(|server| {
        let mut client = server.client();
        for (line, expected) in ANSWERS {
            let reply = client.run(line);
            assert!(reply.starts_with(expected), "{line}: {reply}");
        }
    });
}

/// Scripts whose reply begins so.
const SCRIPTS: &[(&str, &str)] = &[
    ("return redis.error_reply('x\\r\\n+y')", "-ERR x  +y"),
    ("return redis.status_reply('x\\r\\n+y')", "x  +y"),
    ("return {err = 'A\\r\\n+B'}", "-A  +B"),
    ("return unpack({}, -2147483648, 2147483647)", "-ERR"),
    ("return {unpack({}, 1, 2^53)}", "-ERR"),
    ("return redis.call(unpack({'SET', 'a'}, 1, 2^31))", "-ERR"),
    ("return struct.unpack('>I2147483647', 'x')", "-ERR"),
    ("return struct.unpack('c0', 'x', 2147483647)", "-ERR"),
    ("return struct.pack('>I2147483647', '10')", "-ERR"),
    ("return cmsgpack.unpack('\\220\\255\\255\\255\\255')", "-ERR"),
    ("return cmsgpack.unpack('\\221', 2147483647)", "-ERR"),
    ("return bit.tohex(65535, -2147483648)", "0000FFFF"),
    ("return cjson.decode(string.rep('[', 100000))", "-ERR"),
    ("local t = {} for _ = 1, 2000 do t = {t} end return cjson.encode(t)", "-ERR"),
    ("return string.rep('x', 2^40)", ""),
    ("return string.format('%99999d', 1)", "-ERR"),
    ("return tostring(pcall(load, '\\27Lua'))", "false"),
    ("getmetatable('').__index = function() return 1 end", "-ERR"),
    ("print = 1", "-ERR"),
    ("redis.call = nil", "-ERR"),
    ("return tostring(newproxy)", "-ERR"),
    ("return #tostring(string.gsub(string.rep('a', 10000), '.-b', ''))", "10000"),
];

#[test]
fn scripts_that_reach_beyond_are_errors() {
    in_each_layout(|server| {
        let mut client = server.client();
        for (script, expected) in SCRIPTS {
            let reply = client.run_words(&["EVAL", script, "0"]);
            assert!(reply.starts_with(expected), "{script}: {reply}");
        }
        let levels = format!("return [{}[", "=".repeat(100_000));
        assert!(client.run_words(&["EVAL", &levels, "0"]).starts_with("-ERR"));
        let nested = format!("return {}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(client.run_words(&["EVAL", &nested, "0"]).starts_with("-ERR"));
        client.check("PING", "PONG");
    });
}

#[test]
fn patterns_take_no_more_than_their_length_times_that_of_the_text() {
    in_each_layout(|server| {
        let mut client = server.client();
        let text = "a".repeat(2_000);
        client.check(&format!("SET {text} 1"), "OK");
        let bombs = [format!("{}b", "a*".repeat(1_000)), format!("{}b", "*".repeat(1_000_000)), "[".repeat(100_000)];
        for bomb in &bombs {
            client.check(&format!("KEYS {bomb}"), "[]");
            assert!(client.run(&format!("SCAN 0 MATCH {bomb}")).starts_with('['));
            assert!(client.run(&format!("CONFIG GET {bomb}")).starts_with('['));
            assert!(client.run(&format!("PUBSUB CHANNELS {bomb}")).starts_with('['));
            assert!(client.run(&format!("COMMAND LIST FILTERBY PATTERN {bomb}")).starts_with('['));
            assert!(client.run(&format!("FUNCTION LIST LIBRARYNAME {bomb}")).starts_with('['));
        }
        client.check("PING", "PONG");
    });
}

#[test]
fn strings_that_pose_as_sketches_are_refused() {
    in_each_layout(|server| {
        let mut client = server.client();
        let mut random = dice();
        for turn in 0..200 {
            // Dense ones are cut off, sparse ones say what no sketch says.
            let mut sketch = b"HYLL".to_vec();
            sketch.extend([(turn % 3) as u8, 0, 0, 0]);
            sketch.extend((0..8 + random(300)).map(|_| random(256) as u8));
            assert_eq!(client.run_words(&[&b"SET"[..], b"hll", &sketch]), "OK");
            for line in ["PFCOUNT hll", "PFADD hll a", "PFMERGE hll hll", "PFCOUNT hll hll"] {
                let reply = client.run(line);
                let is_answer = reply.starts_with("-INVALIDOBJ") || reply.starts_with("-WRONGTYPE");
                assert!(is_answer || turn % 3 == 1, "{line}: {reply}");
            }
        }
        client.check("PING", "PONG");
    });
}

/// Random numbers below a bound, the same in every run.
fn dice() -> impl FnMut(usize) -> usize {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn small_encodings_may_be_made_large_and_still_hold_what_they_must() {
    in_each_layout(|server| {
        let mut client = server.client();
        for name in ["hash-max-listpack", "zset-max-listpack", "set-max-listpack"] {
            client.check(&format!("CONFIG SET {name}-entries 1000000 {name}-value 1000000000"), "OK");
        }
        client.check("CONFIG SET list-max-listpack-size 32767 set-max-intset-entries 1000000", "OK");
        let value = "v".repeat(100_000);
        for at in 0..50 {
            client.check(&format!("HSET h f{at} {value}"), "1");
            client.check(&format!("ZADD z {at} {at}{value}"), "1");
            client.check(&format!("SADD s {at}{value}"), "1");
            assert!(client.integer(&format!("RPUSH l {value}")) > 0);
        }
        for key in ["h", "z", "s", "l"] {
            client.check(&format!("COPY {key} {key}2"), "1");
        }
        client.check("HSTRLEN h2 f49", "100000");
        client.check("ZCARD z2", "50");
        client.check("SCARD s2", "50");
        client.check("LLEN l2", "50");
    });
}

#[test]
fn nobody_is_harmed_by_bytes_at_random() {
    on_each_backend("", |server| {
        static SEED: AtomicUsize = AtomicUsize::new(1);
        let mut random = dice();
        (0..SEED.fetch_add(1, Ordering::Relaxed)).for_each(|_| {
            random(2);
        });
        let words: &[&[u8]] =
            &[b"*", b"$", b"\r\n", b"1", b"3", b"SET", b"GET", b"-1", b"\"", b"\0", b"2147483647", b" "];
        for _ in 0..200 {
            let mut raw = server.raw();
            let bytes: Vec<u8> = (0..60).flat_map(|_| words[random(words.len())]).copied().collect();
            // It may be hung up on at any byte.
            let _ = raw.try_send(&bytes);
        }
        still_serves(&mut server.client());
    });
}

fn still_serves(client: &mut Client) {
    client.check("SET still here", "OK");
    client.check("GET still", "here");
}
