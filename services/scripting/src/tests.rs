//! Scripts typed in, replies read out, with a host that knows a few commands.

use crate::{Called, Compiled, Engine, Host, LogLevel, Options, Outcome};
use ochre_resp::{Args as Words, Batch, Protocol, Reply};

/// Answers what its commands say, and counts looks at the clock.
#[derive(Default)]
struct Fake {
    ticks_left: Option<u32>,
    logged: Vec<String>,
}

impl Host for Fake {
    fn call(&mut self, words: Words<'_>, protocol: Protocol, reply: &mut Vec<u8>) -> Called {
        let mut reply = Reply::new(reply, protocol);
        match words.at(0) {
            b"echo" => reply.bulk(words.at(1)),
            b"ok" => reply.ok(),
            b"int" => reply.integer(words.len() as i64),
            b"null" => reply.null(),
            b"double" => reply.double(1.5),
            b"map" => {
                reply.map(1);
                reply.bulk(b"k");
                reply.bulk(b"v");
            }
            b"set" => {
                reply.set(1);
                reply.bulk(b"m");
            }
            b"true" => reply.boolean(true),
            b"panic" => panic!("the host panics"),
            b"abort" => return Called::Abort,
            _ => reply.error("WRONG no such thing"),
        }
        Called::Done
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        self.logged.push(format!("{level:?} {}", String::from_utf8_lossy(text)));
    }

    fn may_call(&mut self, words: Words<'_>) -> Option<bool> {
        (words.at(0) != b"unknown").then_some(true)
    }

    fn tick(&mut self) -> Option<&'static str> {
        match &mut self.ticks_left {
            Some(0) => Some("Script killed by user with SCRIPT KILL."),
            Some(left) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }
}

struct Bench {
    engine: Engine,
    host: Fake,
}

impl Bench {
    fn new() -> Self {
        Bench { engine: Engine::new(Options::default()).unwrap(), host: Fake::default() }
    }

    fn compile(&self, script: &str) -> Compiled {
        self.engine.compile(script.as_bytes()).unwrap()
    }

    fn run_as(&mut self, protocol: Protocol, script: &str) -> String {
        let mut batch = Batch::default();
        let keys = batch.push([b"k1".as_slice(), b"k2"]);
        let arguments = batch.push([b"a1".as_slice()]);
        let compiled = match self.engine.compile(script.as_bytes()) {
            Ok(compiled) => compiled,
            Err(error) => return format!("compile: {error}"),
        };
        let mut out = Vec::new();
        let (keys, arguments) = (batch.args(&keys, &[]), batch.args(&arguments, &[]));
        let mut reply = Reply::new(&mut out, protocol);
        match self.engine.run_script(&mut self.host, &compiled, keys, arguments, &mut reply) {
            Outcome::Replied => String::from_utf8_lossy(&out).replace("\r\n", " ").trim_end().to_owned(),
            Outcome::Failed(failure) => {
                format!("{} @ {}", String::from_utf8_lossy(&failure.text), failure.place.unwrap_or_default())
            }
            Outcome::Aborted => "aborted".into(),
        }
    }

    fn check(&mut self, script: &str, expected: &str) {
        assert_eq!(self.run_as(Protocol::Resp2, script), expected, "{script}");
    }
}

#[test]
fn keys_and_arguments_arrive_however_many_there_are() {
    let mut bench = Bench::new();
    let script = "local sum = 0 for at = 1, #KEYS do sum = sum + #KEYS[at] end \
                  for at = 1, #ARGV do sum = sum + 1000 * #ARGV[at] end \
                  return {#KEYS, #ARGV, sum, KEYS[1] or 'none', KEYS[#KEYS] or 'none', ARGV[1] or 'none', ARGV[#ARGV] or 'none'}";
    let compiled = bench.compile(script);
    for keys in [0, 1, 2, 3, 150, 199, 200, 201, 3000] {
        for arguments in [0, 1, 2, 199, 200, 201, 3000] {
            // Words that are no text, and empty ones, too.
            let word = |at: usize, first: u8| [&[first, 0xff, 0][..], at.to_string().as_bytes()].concat();
            let keys: Vec<Vec<u8>> = (0..keys).map(|at| word(at, b'k')).collect();
            let mut arguments: Vec<Vec<u8>> = (0..arguments).map(|at| word(at, b'a')).collect();
            if let Some(last) = arguments.last_mut() {
                last.clear();
            }
            let mut batch = Batch::default();
            let key_words = batch.push(keys.iter().map(Vec::as_slice));
            let argument_words = batch.push(arguments.iter().map(Vec::as_slice));
            let mut out = Vec::new();
            let mut reply = Reply::new(&mut out, Protocol::Resp2);
            let (key_words, argument_words) = (batch.args(&key_words, &[]), batch.args(&argument_words, &[]));
            let outcome = bench.engine.run_script(&mut bench.host, &compiled, key_words, argument_words, &mut reply);
            assert_eq!(outcome, Outcome::Replied);
            let mut expected = Vec::new();
            let mut reply = Reply::new(&mut expected, Protocol::Resp2);
            let bytes = |words: &[Vec<u8>]| words.iter().map(Vec::len).sum::<usize>() as i64;
            reply.array(7);
            reply.integer(keys.len() as i64);
            reply.integer(arguments.len() as i64);
            reply.integer(bytes(&keys) + 1000 * bytes(&arguments));
            for word in [keys.first(), keys.last(), arguments.first(), arguments.last()] {
                reply.bulk(word.map_or(b"none", Vec::as_slice));
            }
            assert_eq!(out, expected, "{} keys and {} arguments", keys.len(), arguments.len());
        }
    }
}

#[test]
fn values_become_replies() {
    let mut bench = Bench::new();
    for (script, expected) in [
        ("return 1", ":1"),
        ("return 3.99", ":3"),
        ("return 'x'", "$1 x"),
        ("return true", ":1"),
        ("return false", "$-1"),
        ("return nil", "$-1"),
        ("return {1,2,nil,3}", "*2 :1 :2"),
        ("return {1,{2,'x'}}", "*2 :1 *2 :2 $1 x"),
        ("return {ok='fine'}", "+fine"),
        ("return {err='My err'}", "-My err"),
        ("return {double=3.5}", "$3 3.5"),
        ("return {KEYS, ARGV}", "*2 *2 $2 k1 $2 k2 *1 $2 a1"),
        ("return redis.error_reply('a')", "-ERR a"),
        ("return redis.status_reply('a')", "+a"),
        ("return 0/0", ":-9223372036854775808"),
    ] {
        bench.check(script, expected);
    }
}

#[test]
fn replies_become_values() {
    let mut bench = Bench::new();
    for (script, expected) in [
        ("return redis.call('echo', 12.5)", "$4 12.5"),
        ("return redis.call('ok').ok", "$2 OK"),
        ("local t = {} for i = 1, 7950 do t[i] = 1 end return redis.call('int', unpack(t))", ":7951"),
        ("local t = {} for i = 1, 7999 do t[i] = 1 end return select('#', unpack(t))", ":7999"),
        ("return redis.call('int', 1, 2)", ":3"),
        ("return type(redis.call('null'))", "$7 boolean"),
        ("redis.setresp(3) return type(redis.call('null'))", "$3 nil"),
        ("redis.setresp(3) return redis.call('map').map.k", "$1 v"),
        ("redis.setresp(3) return tostring(redis.call('set').set.m)", "$4 true"),
        ("redis.setresp(3) return tostring(redis.call('double').double)", "$3 1.5"),
        ("return redis.pcall('x').err", "$19 WRONG no such thing"),
        ("return redis.pcall('x')", "-WRONG no such thing"),
    ] {
        bench.check(script, expected);
    }
    assert_eq!(bench.run_as(Protocol::Resp3, "redis.setresp(3) return redis.call('map')"), "%1 $1 k $1 v");
    assert_eq!(bench.run_as(Protocol::Resp3, "redis.setresp(3) return true"), "#t");
}

#[test]
fn errors_tell_their_place() {
    let mut bench = Bench::new();
    for (script, expected) in [
        ("\nreturn redis.call('x')", "WRONG no such thing @ @user_script:2"),
        ("error('boo')", "ERR user_script:1: boo @ @user_script:1"),
        ("error({err='X boo'})", "X boo @ @user_script:1"),
        (
            "return foo",
            "ERR user_script:1: Script attempted to access nonexistent global variable 'foo' @ @user_script:1",
        ),
        ("foo = 1", "ERR user_script:1: Attempt to modify a readonly table @ @user_script:1"),
        ("redis.call = 1", "ERR user_script:1: Attempt to modify a readonly table @ @user_script:1"),
        ("rawset(redis, 'x', 1)", "ERR Attempt to modify a readonly table @ @user_script:1"),
        ("setmetatable(_G, {})", "ERR Attempt to modify a readonly table @ @user_script:1"),
        ("getmetatable(_G).__index = 1", "ERR user_script:1: Attempt to modify a readonly table @ @user_script:1"),
        ("getmetatable('').__index = 1", "ERR user_script:1: Attempt to modify a readonly table @ @user_script:1"),
        ("return 1 +", "compile: user_script:1: unexpected symbol near '<eof>'"),
        ("local ok, e = pcall(redis.call, 'x') return e", "$19 WRONG no such thing"),
        ("local ok, e = pcall(error, {1}) return e", "*1 :1"),
        (
            "local ok, e = xpcall(function() redis.call('x') end, function(e) return e.err end) return e",
            "$19 WRONG no such thing",
        ),
        (
            "local ok, e = coroutine.resume(coroutine.create(function() redis.call('x') end)) return e.err",
            "$19 WRONG no such thing",
        ),
        (
            "return math.random(0)",
            "ERR user_script:1: bad argument #1 to 'random' (interval is empty) @ @user_script:1",
        ),
    ] {
        bench.check(script, expected);
    }
}

#[test]
fn strings_are_searched_as_in_lua() {
    let mut bench = Bench::new();
    for (script, expected) in [
        ("return {string.find('hello world', 'o w')}", "*2 :5 :7"),
        ("return {string.find('a.b', '.', 1, true)}", "*2 :2 :2"),
        ("return {string.find('hello', 'l+')}", "*2 :3 :4"),
        ("return {('key=val'):match('(%w+)=(%w+)')}", "*2 $3 key $3 val"),
        ("return {string.gsub('hello world', 'o', '0')}", "*2 $11 hell0 w0rld :2"),
        ("return {string.gsub('abc', '%w', '%0%0')}", "*2 $6 aabbcc :3"),
        ("return {string.gsub('abc', '', '-')}", "*2 $7 -a-b-c- :4"),
        ("return {string.gsub('hello', 'l', {l='L'}, 1)}", "*2 $5 heLlo :1"),
        ("return {string.gsub('$name', '%$(%w+)', function(n) return n:upper() end)}", "*2 $4 NAME :1"),
        ("return {string.gsub('abc', '^a', 'x')}", "*2 $3 xbc :1"),
        ("local t = {} for w in string.gmatch('one two', '%a+') do t[#t+1] = w end return t", "*2 $3 one $3 two"),
        (
            "local t = {} for k, v in string.gmatch('a=1,b=2', '(%w+)=(%w+)') do t[#t+1] = k .. v end return t",
            "*2 $2 a1 $2 b2",
        ),
        ("return string.rep('ab', 3)", "$6 ababab"),
        ("return string.format('%5.2f|%s|%d', 3.14159, 'x', 7)", "$9  3.14|x|7"),
    ] {
        bench.check(script, expected);
    }
}

#[test]
fn libraries_do_what_their_names_say() {
    let mut bench = Bench::new();
    for (script, expected) in [
        ("return cjson.encode({1,2,{a='b/\\n'}})", "$19 [1,2,{\"a\":\"b\\/\\n\"}]"),
        ("return cjson.encode({})", "$2 {}"),
        ("return cjson.decode('[1,2,{\"a\":[true,null]}]')[3].a[1]", ":1"),
        ("return tostring(cjson.decode('[null]')[1] == cjson.null)", "$4 true"),
        ("return cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\"')", "$6 é😀"),
        (
            "return cjson.decode('{\"a\":}')",
            "ERR user_script:1: Expected value but found T_OBJ_END at character 6 @ @user_script:1",
        ),
        (
            "return cjson.encode(1/0)",
            "ERR user_script:1: Cannot serialise number: must not be NaN or Infinity @ @user_script:1",
        ),
        ("return cmsgpack.unpack(cmsgpack.pack({1,'x',{a=2.5}}))", "*3 :1 $1 x *0"),
        ("return cmsgpack.unpack(cmsgpack.pack(-12345678901))", ":-12345678901"),
        ("return {struct.unpack('>I2hs', struct.pack('>I2hs', 513, -2, 'hey'))}", "*4 :513 :-2 $3 hey :9"),
        ("return struct.size('!8bd')", ":16"),
        ("return bit.band(0xff, 0x0f)", ":15"),
        ("return bit.bnot(0)", ":-1"),
        ("return bit.tohex(65535, -4)", "$4 FFFF"),
        ("return redis.sha1hex('')", "$40 da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("return tostring(math.random())", "$16 0.39646477363839"),
    ] {
        bench.check(script, expected);
    }
}

#[test]
fn no_script_goes_on_when_it_is_told_to_end() {
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return pcall(f) end while true do f() end",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "return xpcall(function() while true do end end, function() while true do end end)",
        "return string.find(string.rep('a', 3000), '.-.-.-.-.-.-.-b')",
        "while true do string.gsub(string.rep('a', 3000), '.-.-.-.-.-.-b', 'x') end",
        "local t = {} for i = 1, 200000 do t[i] = i % 7 end table.sort(t, function(a, b) return true end) while true do end",
    ] {
        let mut bench = Bench::new();
        bench.host.ticks_left = Some(20);
        let end = bench.run_as(Protocol::Resp2, script);
        assert!(end.contains("Script killed by user"), "{script}: {end}");
        bench.host.ticks_left = None;
        bench.check("return 1", ":1");
    }
}

#[test]
fn the_host_may_end_a_script_without_a_reply() {
    let mut bench = Bench::new();
    bench.check("pcall(redis.call, 'abort') while true do end", "aborted");
    bench.check("return 1", ":1");
}

#[test]
fn a_panic_of_the_host_goes_through() {
    let mut bench = Bench::new();
    let run = std::panic::AssertUnwindSafe(|| bench.run_as(Protocol::Resp2, "pcall(redis.call, 'panic') return 1"));
    assert!(std::panic::catch_unwind(run).is_err());
    bench.check("return 1", ":1");
}

#[test]
fn memory_and_stack_are_bounded() {
    // The stack of an event loop; the frames of a build without optimisation are several times as large.
    let test = std::thread::Builder::new().stack_size(32 << 20).spawn(abuse_memory_and_stack);
    test.unwrap().join().unwrap();
}

fn abuse_memory_and_stack() {
    let mut bench =
        Bench { engine: Engine::new(Options { memory_bytes_max: 64 << 20 }).unwrap(), host: Fake::default() };
    for script in [
        "local s = 'x' while true do s = s .. s end",
        "return string.rep('x', 1e9)",
        "local t = {} while true do t[#t + 1] = {} end",
        "local function f() return 1 + f() end return f()",
        "local t = {} for i = 1, 100 do t = setmetatable({}, {__index = t}) end local function g(n) return string.gsub('x', 'x', g) end return g()",
        "return unpack({}, 1, 1e7)",
        "return unpack({1, 2, 3}, -2, 2147483647)",
        "return unpack({1, 2, 3}, 0, 2147483647)",
        "return unpack({1, 2, 3}, -2147483648, 2147483647)",
        "return unpack({1, 2, 3}, 1, 0 / 0)",
        "return unpack({1, 2, 3}, 1, 1 / 0)",
        "table.insert({}, -2147483648, 1)",
        "local f f = function() return coroutine.wrap(f)() end return f()",
        "return string.find(string.rep('a', 100000), string.rep('a?', 100000))",
        "return loadstring(string.rep('(', 100000) .. '1')()",
        "return cjson.decode(string.rep('[', 100000))",
        "return cmsgpack.unpack(string.rep('\\145', 100000))",
        "local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
    ] {
        let end = bench.run_as(Protocol::Resp2, script);
        assert!(end.starts_with("ERR") || end.contains('@'), "{script}: {end}");
        bench.check("return 1", ":1");
    }
    let deep = bench.run_as(Protocol::Resp2, "local t = {} t[1] = t return t");
    assert!(deep.contains("reached lua stack limit"));
}

#[test]
fn a_library_registers_functions() {
    let mut bench = Bench::new();
    let code = b"\nlocal n = 0\nredis.register_function('f', function(keys, args) n = n + 1 return {keys[1], args[1], n} end)\n\
        redis.register_function{function_name='g', callback=function() return redis.call('ok') end, flags={'no-writes'}, description='d'}";
    let functions = bench.engine.load_library(&mut bench.host, code).unwrap();
    let names: Vec<_> = functions.iter().map(|function| (function.name.as_str(), function.flags)).collect();
    assert_eq!(names, [("f", crate::Flags::default()), ("g", crate::Flags::NO_WRITES)]);
    let mut batch = Batch::default();
    let words = batch.push([b"x".as_slice()]);
    let words = batch.args(&words, &[]);
    let mut out = Vec::new();
    for function in &functions {
        let mut reply = Reply::new(&mut out, Protocol::Resp2);
        let end = bench.engine.run_function(&mut bench.host, &function.function, words, words, &mut reply);
        assert_eq!(end, Outcome::Replied);
    }
    assert_eq!(out, b"*3\r\n$1\r\nx\r\n$1\r\nx\r\n:1\r\n+OK\r\n");
    for (code, error) in [
        (
            "\nreturn redis.call('ping')",
            "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'call'",
        ),
        (
            "\nreturn math.random()",
            "ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'math'",
        ),
        ("\na = 1", "ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table"),
        ("\nlocal x", "ERR No functions registered"),
        ("\nx x", "ERR Error compiling function: user_function:2: '=' expected near 'x'"),
        (
            "\nredis.register_function('f1')",
            "ERR Error registering functions: ERR calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
        ),
    ] {
        let text = bench.engine.load_library(&mut bench.host, code.as_bytes()).err().expect(code);
        assert_eq!(String::from_utf8_lossy(&text), error);
    }
    let _ = bench.compile("return 1");
}

#[test]
fn logging_reaches_the_host() {
    let mut bench = Bench::new();
    bench.check("redis.log(redis.LOG_WARNING, 'a', 1)", "$-1");
    assert_eq!(bench.host.logged, ["Warning a 1"]);
}
