//! What killed others: input that was found to crash, hang or bloat servers of this kind is answered, and that is all. A row for
//! each such thing, under the numbers by which it is known (CVE), with the lines that try it or the tests that do.

use ochre_client_tests::in_each_layout;
use std::path::Path;

struct Row {
    /// What the input is and what it made of others.
    about: &'static str,
    known_as: &'static [&'static str],
    proofs: &'static [Proof],
}

enum Proof {
    /// Lines whose reply begins so. They follow one another in a database that is empty at first.
    Lines(&'static [(&'static str, &'static str)]),
    /// Scripts whose reply begins so.
    Scripts(&'static [(&'static str, &'static str)]),
    /// A test of its own: the file from the top of the repository on, and its name.
    Test(&'static str, &'static str),
}
use Proof::{Lines, Scripts, Test};

const ABUSE: &str = "tests/clients/tests/all/abuse.rs";
const PROTOCOL: &str = "tests/clients/tests/all/protocol.rs";
const FILES: &str = "tests/clients/tests/all/append_only.rs";

const ROWS: &[Row] = &[
    Row {
        about: "lengths, sizes and offsets beyond the bytes, for the packing libraries of scripts",
        known_as: &["2018-11218", "2018-11219", "2020-14147"],
        proofs: &[Scripts(&[
            ("return struct.unpack('>I2147483647', 'x')", "-ERR"),
            ("return struct.unpack('c0', 'x', 2147483647)", "-ERR"),
            ("return struct.unpack('>h', 'x', 2147483646)", "-ERR"),
            ("return struct.pack('>I2147483647', '10')", "-ERR"),
            ("return cmsgpack.unpack('\\220\\255\\255\\255\\255')", "-ERR"),
            ("return cmsgpack.unpack('\\221', 2147483647)", "-ERR"),
            ("return cmsgpack.unpack('\\219\\255\\255\\255\\255a')", "-ERR"),
            ("return cmsgpack.unpack_limit('\\1', -2147483648, 2147483647)", "-ERR"),
        ])],
    },
    Row {
        about: "replies that a client believes: lengths and depths",
        known_as: &["2018-12326", "2020-7105", "2021-32762"],
        proofs: &[Test("tests/abuse/tests/kept.rs", "every_promise_holds_for_the_inputs_that_are_kept")],
    },
    Row {
        about: "strings that pose as sketches, cut off or with runs past their end",
        known_as: &["2019-10192", "2019-10193", "2025-32023"],
        proofs: &[Test(ABUSE, "strings_that_pose_as_sketches_are_refused")],
    },
    Row {
        about: "products of lengths that overflow",
        known_as: &["2021-21309", "2021-29477", "2021-32625"],
        proofs: &[Test(ABUSE, "what_takes_the_product_of_two_lengths_is_refused")],
    },
    Row {
        about: "limits of small encodings that are set so high that their lengths overflow",
        known_as: &["2021-29478", "2021-32687", "2021-32628", "2021-32627", "2021-41099", "2021-32761"],
        proofs: &[
            Test(ABUSE, "small_encodings_may_be_made_large_and_still_hold_what_they_must"),
            Lines(&[
                ("SETBIT t 4294967296 1", "-ERR bit offset is not an integer or out of range"),
                ("BITFIELD t SET u8 #9223372036854775807 1", "-ERR bit offset is not an integer or out of range"),
                ("BITFIELD t GET u8 9223372036854775807", "-ERR bit offset is not an integer or out of range"),
            ]),
        ],
    },
    Row {
        about: "more values on the stack of Lua than it holds",
        known_as: &["2021-32626", "2025-46817"],
        proofs: &[Scripts(&[
            ("return unpack({}, -2147483648, 2147483647)", "-ERR"),
            ("return {unpack({}, 1, 2^53)}", "-ERR"),
            ("return redis.call(unpack({'SET', 'a'}, 1, 2^31))", "-ERR"),
            ("local t = {} for i = 1, 20000 do t[i] = 'a' end return redis.call(unpack(t))", "-ERR"),
        ])],
    },
    Row {
        about: "frames of the protocol of a debugger",
        known_as: &["2021-32672"],
        proofs: &[Lines(&[("SCRIPT DEBUG YES", "-ERR"), ("SCRIPT DEBUG SYNC", "-ERR")])],
    },
    Row {
        about: "lengths that a client announces before it has logged in",
        known_as: &["2021-32675"],
        proofs: &[Test(PROTOCOL, "a_client_without_a_password_may_announce_little")],
    },
    Row {
        about: "scripts that change what the scripts of others see",
        known_as: &["2022-24735", "2025-46818"],
        proofs: &[Scripts(&[
            ("getmetatable('').__index = function() return 1 end", "-ERR"),
            ("setmetatable(getmetatable(''), {})", "-ERR"),
            ("rawset(getmetatable(''), '__index', 1)", "-ERR"),
            ("string.rep = 1", "-ERR"),
            ("rawset(_G, 'print', 1)", "-ERR"),
            ("setmetatable(_G, {})", "-ERR"),
            ("setmetatable(redis, {})", "-ERR"),
            ("getmetatable(_G).__newindex = nil", "-ERR"),
            ("print = 1", "-ERR"),
            ("redis.call = nil", "-ERR"),
            ("return tostring(getmetatable(1))", "nil"),
            ("return tostring(debug)", "-ERR"),
        ])],
    },
    Row {
        about: "scripts that end where nobody looked",
        known_as: &["2022-24736"],
        proofs: &[Scripts(&[
            ("error()", "-ERR"),
            ("error({})", "-ERR"),
            ("error({err = {}})", "-ERR"),
            ("return {err = {}}", ""),
            ("return {ok = {}}", ""),
            ("return setmetatable({}, {__index = function() error({}) end})", ""),
            ("return redis.pcall()", "-ERR"),
            ("return redis.call('')", "-ERR"),
            ("return redis.call({})", "-ERR"),
            ("return redis.error_reply({})", "-ERR"),
            ("return {double = 'x', map = 1}", ""),
        ])],
    },
    Row {
        about: "values that are encoded as JSON or MessagePack and are too deep, or too large",
        known_as: &["2022-24834"],
        proofs: &[Scripts(&[
            ("return cjson.decode(string.rep('[', 100000))", "-ERR"),
            ("local t = {} for _ = 1, 2000 do t = {t} end return cjson.encode(t)", "-ERR"),
            ("return cjson.encode({[2147483647] = 1})", "-ERR"),
            ("local t = {} t.t = t return cjson.encode(t)", "-ERR"),
            ("local t = {} t.t = t return #cmsgpack.pack(t)", ""),
            ("return string.rep('x', 2^40)", ""),
            ("return string.format('%99999d', 1)", "-ERR"),
            ("return #tostring(string.gsub(string.rep('a', 10000), '.-b', ''))", "10000"),
        ])],
    },
    Row {
        about: "a count for XAUTOCLAIM beyond what is pending, with entries that are deleted",
        known_as: &["2022-31144", "2022-35951"],
        proofs: &[Lines(&[
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
        ])],
    },
    Row {
        about: "offsets and limits at the edge of what an integer holds",
        known_as: &["2022-35977"],
        proofs: &[Lines(&[
            ("SET t hello", "OK"),
            ("SETRANGE t 9223372036854775807 x", "-ERR string exceeds maximum allowed size"),
            ("SETRANGE t 536870912 x", "-ERR string exceeds maximum allowed size"),
            ("GETRANGE t -9223372036854775808 9223372036854775807", "hello"),
            ("BITCOUNT t -9223372036854775808 9223372036854775807 BIT", "21"),
            ("BITPOS t 1 -9223372036854775808 9223372036854775807", "1"),
            ("STRLEN t", "5"),
            ("RPUSH l 1 2 3", "3"),
            ("SORT l LIMIT 9223372036854775807 9223372036854775807", "[]"),
            ("SORT l LIMIT -9223372036854775808 -9223372036854775808", "[1 2 3]"),
            ("LPOS l 1 RANK -9223372036854775808", "-ERR"),
            ("LINDEX l -9223372036854775808", "nil"),
            ("LRANGE l -9223372036854775808 9223372036854775807", "[1 2 3]"),
            ("LTRIM l -9223372036854775808 9223372036854775807", "OK"),
            ("LREM l -9223372036854775808 4", "-ERR value is out of range"),
            ("LPOP l 9223372036854775807", "[1 2 3]"),
            ("ZADD z 1 a 2 b", "2"),
            ("ZRANGE z -9223372036854775808 9223372036854775807", "[a b]"),
            ("ZRANGEBYSCORE z -inf +inf LIMIT 9223372036854775807 9223372036854775807", "[]"),
            ("ZREMRANGEBYRANK z 9223372036854775807 -9223372036854775808", "0"),
        ])],
    },
    Row {
        about: "patterns that take exponential time or recur once a star",
        known_as: &["2022-36021", "2024-31228"],
        proofs: &[Test(ABUSE, "patterns_take_no_more_than_their_length_times_that_of_the_text")],
    },
    Row {
        about: "counts near the smallest integer for elements by chance, and for pops",
        known_as: &["2023-22458", "2023-25155"],
        proofs: &[Lines(&[
            ("SADD s a b c", "3"),
            ("SRANDMEMBER s -9223372036854775808", "-ERR value is out of range"),
            ("SPOP s 9223372036854775808", "-ERR value is out of range"),
            ("HSET h f 1 g 2", "2"),
            ("HRANDFIELD h -9223372036854775808 WITHVALUES", "-ERR value is out of range"),
            ("HRANDFIELD h -4611686018427387905 WITHVALUES", "-ERR value is out of range"),
            ("HRANDFIELD h 9223372036854775807 WITHVALUES", "-ERR value is out of range"),
            ("ZADD z 1 a 2 b", "2"),
            ("ZRANDMEMBER z -9223372036854775808 WITHSCORES", "-ERR value is out of range"),
            ("ZUNION 2147483647 z", "-ERR syntax error"),
            ("ZINTERCARD 9223372036854775807 z", "-ERR syntax error"),
            ("ZMPOP 9223372036854775807 z MIN", "-ERR syntax error"),
            ("LMPOP 9223372036854775807 l LEFT", "-ERR"),
            ("SINTERCARD 9223372036854775807 s", "-ERR"),
        ])],
    },
    Row {
        about: "a key that is written twice by one MSETNX, or is both source and destination",
        known_as: &["2023-28425"],
        proofs: &[Lines(&[
            ("MSETNX k 1 k 2", "1"),
            ("GET k", "2"),
            ("SADD s a", "1"),
            ("SMOVE s s a", "1"),
            ("RENAME s s", "OK"),
            ("LMOVE nothing nothing LEFT RIGHT", "nil"),
            ("RPUSH l a", "1"),
            ("LMOVE l l LEFT RIGHT", "a"),
            ("COPY s s", "-ERR source and destination objects are the same"),
            ("SUNIONSTORE s s s", "1"),
            ("PFMERGE p p p", "OK"),
            ("BITOP NOT b b", "0"),
            ("ZADD z 1 a", "1"),
            ("ZUNIONSTORE z 2 z z", "1"),
        ])],
    },
    Row {
        about: "numbers that are none, or become none",
        known_as: &["2023-28856"],
        proofs: &[Lines(&[
            ("HSET h f 1 big 1e308", "2"),
            ("HINCRBYFLOAT h f inf", "-ERR"),
            ("HINCRBYFLOAT h f nan", "-ERR"),
            ("HGET h f", "1"),
            ("SET t text", "OK"),
            ("INCRBYFLOAT t 1", "-ERR value is not a valid float"),
            ("ZADD z nan a", "-ERR value is not a valid float"),
            ("ZADD z inf i", "1"),
            ("ZINCRBY z nan i", "-ERR value is not a valid float"),
            ("ZINCRBY z -inf i", "-ERR resulting score is not a number (NaN)"),
            ("GEOADD g nan 0 a", "-ERR"),
            ("SETEX t inf v", "-ERR value is not an integer or out of range"),
            ("EXPIRE t 9223372036854775807", "-ERR invalid expire time"),
            ("EXPIRE t -9223372036854775808", "-ERR invalid expire time"),
            ("GETEX t EX 9223372036854775807", "-ERR invalid expire time"),
            ("RESTORE new 9223372036854775807 x", "-ERR"),
        ])],
    },
    Row {
        about: "keys that a number only claims, or hundreds of them",
        known_as: &["2023-36824"],
        proofs: &[
            Lines(&[
                ("COMMAND GETKEYS EVAL x 1000 k", "[]"),
                ("COMMAND GETKEYS ZUNION 2147483647 a", "-ERR Invalid"),
                ("COMMAND GETKEYS ZUNION -1 a", "-ERR Invalid"),
                ("COMMAND GETKEYS ZUNION a a", "-ERR Invalid"),
                ("COMMAND GETKEYS XREAD STREAMS a", "-ERR"),
                ("COMMAND GETKEYSANDFLAGS LMPOP 9223372036854775807 a LEFT", "-ERR"),
                ("ACL DRYRUN default EVAL x 2147483647 k", ""),
            ]),
            Test(ABUSE, "hundreds_of_keys_are_found"),
        ],
    },
    Row {
        about: "patterns of SORT that read keys which their user may not",
        known_as: &["2023-41053"],
        proofs: &[
            Test(ABUSE, "sort_reads_no_key_that_its_user_may_not"),
            Test("tests/clients/tests/all/acl.rs", "keys_are_told_apart_by_what_a_command_does_to_them"),
        ],
    },
    Row {
        about: "the buffer of a request that grows while its bytes come",
        known_as: &["2023-41056"],
        proofs: &[
            Test(PROTOCOL, "a_request_may_come_byte_by_byte"),
            Test(PROTOCOL, "a_client_that_sends_more_than_it_may_is_disconnected"),
        ],
    },
    Row {
        about: "a socket in the file system that is open to all for a moment",
        known_as: &["2023-45145"],
        proofs: &[Test("tests/clients/tests/all/connections.rs", "a_unix_socket_is_as_good_as_a_port")],
    },
    Row {
        about: "rules of access that end too early: nothing is made",
        known_as: &["2024-31227", "2024-51741"],
        proofs: &[Lines(&[
            ("ACL SETUSER ghost %", "-ERR Error in ACL SETUSER modifier"),
            ("ACL SETUSER ghost %~", "-ERR Error in ACL SETUSER modifier"),
            ("ACL SETUSER ghost (%)", "-ERR Error in ACL SETUSER modifier"),
            ("ACL SETUSER ghost (", "-ERR Unmatched parenthesis"),
            ("ACL SETUSER ghost ()) +get", "-ERR"),
            ("ACL SETUSER ghost )", "-ERR"),
            ("ACL SETUSER ghost +@", "-ERR"),
            ("ACL SETUSER ghost +|", "-ERR"),
            ("ACL SETUSER ghost #1", "-ERR"),
            ("ACL GETUSER ghost", "nil"),
        ])],
    },
    Row {
        about: "the smallest integer for a width",
        known_as: &["2024-31449"],
        proofs: &[Scripts(&[
            ("return bit.tohex(65535, -2147483648)", "0000FFFF"),
            ("return bit.tohex(65535, 2147483647)", "0000ffff"),
            ("return bit.lshift(1, 2147483648)", "1"),
        ])],
    },
    Row {
        about: "the collector driven against finalizers and the compiler, bytecode, doors out of the sandbox",
        known_as: &["2024-46981", "2025-49844"],
        proofs: &[Scripts(&[
            ("return tostring(newproxy)", "-ERR"),
            ("return tostring(pcall(load, '\\27Lua'))", "false"),
            ("return tostring(loadstring('\\27Lua'))", "nil"),
            ("return tostring(pcall(string.dump, function() end))", ""),
            ("local t = setmetatable({}, {__gc = function() error('x') end}) t = nil collectgarbage() return 1", "1"),
            (
                "for _ = 1, 100 do loadstring('return ' .. string.rep('{', 100))  collectgarbage('step') end return 1",
                "1",
            ),
            ("return tostring(io)", "-ERR"),
            ("return tostring(require)", "-ERR"),
            ("return tostring(dofile)", "-ERR"),
            ("return tostring(os.execute)", "nil"),
        ])],
    },
    Row {
        about: "scripts with hundreds of thousands of levels in one word",
        known_as: &["2025-46819"],
        proofs: &[Test(ABUSE, "scripts_of_endless_levels_are_errors")],
    },
    Row {
        about: "errors that a client provokes before it has logged in, and never reads",
        known_as: &["2025-21605"],
        proofs: &[Test(ABUSE, "who_has_not_logged_in_and_does_not_read_is_hung_up_on")],
    },
    Row {
        about: "a path of many kilobytes for the tool that checks files",
        known_as: &["2025-27151"],
        proofs: &[Test("tools/check/src/lib.rs", "a_path_of_many_kilobytes_is_an_error")],
    },
    Row {
        about: "connections that fail before they are served",
        known_as: &["2025-48367"],
        proofs: &[Test(ABUSE, "connections_that_are_dropped_at_once_keep_nobody_out")],
    },
    Row {
        about: "more ids than an array on the stack holds",
        known_as: &["2025-62507"],
        proofs: &[Test(ABUSE, "thousands_of_ids_are_taken")],
    },
    Row {
        about: "line ends in replies that a script makes",
        known_as: &["2025-67733"],
        proofs: &[Scripts(&[
            ("return redis.error_reply('x\\r\\n+y')", "-ERR x  +y"),
            ("return redis.status_reply('x\\r\\n+y')", "x  +y"),
            ("return {err = 'A\\r\\n+B'}", "-A  +B"),
            ("return {ok = 'A\\r\\n+B'}", "A  +B"),
            ("error('A\\r\\n+B')", "-ERR user_script:1: A  +B"),
            ("error({err = 'A\\r\\n+B'})", "-A  +B"),
            ("return redis.call('x\\r\\n+y')", "-ERR"),
        ])],
    },
    Row {
        about: "a request of nothing, then a line",
        known_as: &["2026-27623"],
        proofs: &[Test(ABUSE, "a_request_of_nothing_leaves_nothing_behind")],
    },
    Row {
        about: "clients that end while the command on which they wait is run again",
        known_as: &["2026-23479"],
        proofs: &[Test(ABUSE, "who_waits_may_be_killed_at_any_moment")],
    },
    Row {
        about: "clients with TLS that are killed while bytes wait to be deciphered, or to leave",
        known_as: &["2026-56684"],
        proofs: &[Test(
            "tests/python/test_tls.py",
            "test_a_client_may_be_killed_while_bytes_are_on_their_way_in_both_directions",
        )],
    },
    Row {
        about: "messages on the bus of a cluster: there is none",
        known_as: &["2026-21863"],
        proofs: &[Lines(&[("CLUSTER INFO", "-ERR This instance has cluster support disabled")])],
    },
    Row {
        about: "a full copy of another server that arrives while a script runs",
        known_as: &["2026-23631"],
        proofs: &[Test(ABUSE, "a_server_that_begins_to_follow_another_waits_for_the_script_that_runs")],
    },
    Row {
        about: "payloads with lengths that lie, or parts that contradict each other",
        known_as: &["2026-25243", "2026-25589", "2026-25588", "2026-62356", "2026-63639"],
        proofs: &[
            Test("data/rdb/tests/all/hostile.rs", "what_does_not_check_out_is_refused"),
            Test("data/rdb/tests/all/hostile.rs", "a_pending_entry_has_one_owner"),
            Test("tests/abuse/tests/kept.rs", "every_promise_holds_for_the_inputs_that_are_kept"),
        ],
    },
    Row {
        about: "an append-only file without its list, or with a byte that changed",
        known_as: &[],
        proofs: &[Test(FILES, "a_changed_byte_is_refused_with_its_place_and_a_cut_end_is_loaded")],
    },
    Row {
        about: "a power cut that takes the end of one file and leaves the next",
        known_as: &[],
        proofs: &[Test(FILES, "a_cut_file_before_an_empty_one_is_mended_before_that_is_written_to")],
    },
    Row {
        about: "a snapshot with damage anywhere",
        known_as: &[],
        proofs: &[Test("tests/clients/tests/all/loading.rs", "a_file_that_is_damaged_ends_the_start_with_its_place")],
    },
    Row {
        about: "cursors of nobody",
        known_as: &[],
        proofs: &[Lines(&[
            ("SCAN 18446744073709551615", "["),
            ("SCAN 18446744073709551616", "-ERR invalid cursor"),
            ("SADD s a", "1"),
            ("SSCAN s 18446744073709551615", "["),
            ("HSET h f v", "1"),
            ("HSCAN h 9223372036854775807 COUNT 9223372036854775807", "["),
        ])],
    },
    Row {
        about: "libraries of functions that are loaded and flushed by turns",
        known_as: &[],
        proofs: &[Test(ABUSE, "libraries_come_and_go")],
    },
];

#[test]
fn every_row_is_answered() {
    in_each_layout(|server| {
        let mut client = server.client();
        let mut wrong = Vec::new();
        for Row { about, known_as, proofs } in ROWS {
            client.check("FLUSHALL", "OK");
            let mut note = |sent: &str, expected: &str, reply: String| {
                if !reply.starts_with(expected) {
                    wrong.push(format!("{about} {known_as:?}: {sent}: {reply}"));
                }
            };
            for proof in *proofs {
                match proof {
                    Lines(lines) => lines.iter().for_each(|(line, expected)| note(line, expected, client.run(line))),
                    Scripts(scripts) => scripts.iter().for_each(|(script, expected)| {
                        note(script, expected, client.run_words(&["EVAL", script, "0"]));
                    }),
                    Test(..) => {}
                }
            }
            client.check("PING", "PONG");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn every_row_has_a_proof_that_there_is() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for Row { about, proofs, .. } in ROWS {
        assert!(!proofs.is_empty(), "{about}");
        for proof in *proofs {
            if let Test(file, name) = proof {
                let text = std::fs::read_to_string(top.join(file)).expect("the file is there");
                let words = [format!("fn {name}()"), format!("def {name}(")];
                assert!(words.iter().any(|words| text.contains(words)), "{about}: {name} is not in {file}");
            }
        }
    }
}
