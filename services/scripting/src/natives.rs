//! The functions of `redis.*` and those of Lua's own libraries that are written anew, because Lua's could not be interrupted.

use crate::engine::{Compiled, Registered, goes_on, hook_every_instruction, is_aborted};
use crate::format::write_general;
use crate::host::{HOST, LogLevel};
use crate::patterns::{self, Capture, Match, PatternError};
use crate::replies;
use crate::shebang::{BAD_NAME, Flags, is_name};
use mlua::{Function, Lua, MultiValue, Table, Value};
use ochre_resp::{Batch, Protocol};
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// What the functions of a state share.
pub(crate) struct State {
    /// The version in which the script wants replies.
    pub protocol: Cell<Protocol>,
    batch: RefCell<Batch>,
    reply: RefCell<Vec<u8>>,
    /// The value that a native function threw: `mlua` can throw only values of its own, so the right one waits here.
    pub thrown: RefCell<Option<Value>>,
    /// The script has to end.
    pub aborted: Cell<bool>,
    /// The host wants no reply.
    pub host_aborted: Cell<bool>,
    pub abort_reason: RefCell<&'static str>,
    /// Where the script was when it had to end.
    pub abort_place: RefCell<Option<String>>,
    /// A panic of the host, which goes on once Lua is left.
    pub panic: RefCell<Option<Box<dyn Any + Send>>>,
    /// Functions of the library that is being loaded.
    pub registering: RefCell<Option<Vec<Registered>>>,
    /// Strings that most scripts need.
    tags: Tags,
    random: Cell<u64>,
}

/// The strings of the reply `OK`, which would be looked up again for each.
#[derive(Default)]
struct Tags(OnceCell<(mlua::String, mlua::String)>);

impl Tags {
    /// A new table for the reply `OK`.
    fn ok(&self, lua: &Lua) -> mlua::Result<Value> {
        let (tag, text) = match self.0.get() {
            Some(strings) => strings,
            None => {
                let strings = (lua.create_string("ok")?, lua.create_string("OK")?);
                self.0.get_or_init(|| strings)
            }
        };
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(tag, text)?;
        Ok(Value::Table(table))
    }
}

impl Default for State {
    fn default() -> Self {
        State {
            protocol: Cell::new(Protocol::Resp2),
            batch: RefCell::default(),
            reply: RefCell::default(),
            thrown: RefCell::default(),
            aborted: Cell::new(false),
            host_aborted: Cell::new(false),
            abort_reason: RefCell::new(""),
            abort_place: RefCell::default(),
            panic: RefCell::default(),
            registering: RefCell::default(),
            tags: Tags::default(),
            random: Cell::new(RANDOM_START),
        }
    }
}

impl State {
    /// Before a run.
    pub fn begin(&self) {
        self.protocol.set(Protocol::Resp2);
    }

    /// Throws a value of Lua.
    pub fn throw(&self, value: Value) -> mlua::Error {
        *self.thrown.borrow_mut() = Some(value);
        mlua::Error::RuntimeError(String::new())
    }

    /// Throws a text, with the place of the script in front if `placed`.
    pub fn throw_text(&self, lua: &Lua, text: &str, placed: bool) -> mlua::Error {
        let place = if placed { caller(lua) } else { String::new() };
        match lua.create_string(format!("{place}{text}")) {
            Ok(text) => self.throw(Value::String(text)),
            Err(error) => error,
        }
    }

    /// Throws an error as `redis.call` does: a table with the text in `err`.
    pub fn throw_table(&self, lua: &Lua, text: &str) -> mlua::Error {
        match lua.create_string(text).and_then(|text| replies::tagged(lua, "err", Value::String(text))) {
            Ok(table) => self.throw(Value::Table(table)),
            Err(error) => error,
        }
    }

    pub fn throw_abort(&self, lua: &Lua) -> mlua::Error {
        let mut place = self.abort_place.borrow_mut();
        if place.is_none() {
            *place = source_and_line(lua, 0).map(|(source, line)| format!("{source}:{line}"));
        }
        mlua::Error::RuntimeError(String::new())
    }
}

/// `user_script:3: `, the place from which the running native function was called.
fn caller(lua: &Lua) -> String {
    for level in 0..3 {
        let place = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let line = debug.current_line()?;
            (source.what != "C").then(|| format!("{}:{line}: ", source.short_src.unwrap_or_default()))
        });
        match place {
            Some(None) => {}
            Some(Some(place)) => return place,
            None => break,
        }
    }
    String::new()
}

pub(crate) fn install(lua: &Lua, state: &Rc<State>, native: &Table) -> mlua::Result<()> {
    let redis = lua.create_table()?;
    let share = || Rc::clone(state);
    let define = |table: &Table, name: &str, function: Native| {
        let state = share();
        table.raw_set(name, lua.create_function(move |lua, arguments: MultiValue| function(lua, &state, arguments))?)
    };
    for (name, throws) in [("call", true), ("pcall", false)] {
        let state = share();
        redis.raw_set(name, lua.create_function(move |lua, words: MultiValue| call(lua, &state, &words, throws))?)?;
    }
    define(&redis, "error_reply", |lua, state, words| single_field(lua, state, words, "err"))?;
    define(&redis, "status_reply", |lua, state, words| single_field(lua, state, words, "ok"))?;
    define(&redis, "sha1hex", sha1hex)?;
    define(&redis, "log", log)?;
    define(&redis, "setresp", setresp)?;
    define(&redis, "replicate_commands", |_, _, _| one(Value::Boolean(true)))?;
    define(&redis, "set_repl", set_repl)?;
    define(&redis, "breakpoint", |_, _, _| one(Value::Boolean(false)))?;
    define(&redis, "debug", |_, _, _| Ok(MultiValue::new()))?;
    define(&redis, "acl_check_cmd", acl_check_cmd)?;
    native.raw_set("redis", redis)?;
    native.raw_set("constants", constants(lua)?)?;

    define(native, "register_function", register_function)?;
    define(native, "caught", caught)?;
    define(native, "is_ending", |_, state, _| one(Value::Boolean(state.aborted.get())))?;
    define(native, "where", |lua, _, _| place(lua))?;
    define(native, "find", |lua, state, arguments| find(lua, state, arguments, true))?;
    define(native, "match", |lua, state, arguments| find(lua, state, arguments, false))?;
    define(native, "scan", scan)?;
    define(native, "chunk_name", chunk_name)?;
    define(native, "random", random)?;
    define(native, "randomseed", randomseed)?;
    Ok(())
}

type Native = fn(&Lua, &Rc<State>, MultiValue) -> mlua::Result<MultiValue>;

fn one(value: Value) -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_vec(vec![value]))
}

fn constants(lua: &Lua) -> mlua::Result<Table> {
    let constants = lua.create_table()?;
    for (name, value) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        // The version of Redis whose scripts run here.
        ("REDIS_VERSION_NUM", 0x0007_0402),
    ] {
        constants.raw_set(name, value)?;
    }
    constants.raw_set("REDIS_VERSION", "7.4.2")?;
    Ok(constants)
}

// ---- commands ----

fn call(lua: &Lua, state: &Rc<State>, words: &MultiValue, throws: bool) -> mlua::Result<Value> {
    let mut batch = state.batch.borrow_mut();
    batch.clear();
    let command = match take_words(&mut batch, words) {
        Ok(command) => command,
        Err(text) if throws => return Err(state.throw_table(lua, text)),
        Err(text) => return error_table(lua, text),
    };
    let mut reply = state.reply.borrow_mut();
    reply.clear();
    let arguments = batch.args(&command, &[]);
    let protocol = state.protocol.get();
    let result = catch_unwind(AssertUnwindSafe(|| HOST.with(|host| host.call(arguments, protocol, &mut reply))));
    let called = match result {
        Ok(called) => called,
        Err(panic) => {
            *state.panic.borrow_mut() = Some(panic);
            crate::host::Called::Abort
        }
    };
    if is_aborted(called) {
        state.host_aborted.set(true);
        state.aborted.set(true);
        hook_every_instruction(lua, state)?;
        return Err(state.throw_abort(lua));
    }
    // A limit would make each of the steps below a protected call; what is too much now is noticed afterwards.
    let limit = lua.set_memory_limit(0)?;
    let value = match &**reply {
        b"+OK\r\n" => state.tags.ok(lua),
        reply => replies::to_lua(lua, reply, &mut 0),
    };
    lua.set_memory_limit(limit)?;
    if reply.capacity() > REPLY_BYTES_KEPT_MAX {
        *reply = Vec::new();
    }
    let value = value?;
    if limit > 0 && lua.used_memory() > limit {
        return Err(state.throw_text(lua, "not enough memory", false));
    }
    if reply.first() == Some(&b'-')
        && let Value::Table(error) = &value
    {
        // Whoever returns this error to the client does not count it again.
        error.raw_set("ignore_error_stats_update", true)?;
        if throws {
            return Err(state.throw(value));
        }
    }
    Ok(value)
}

/// A buffer for replies that has grown beyond this is given back.
const REPLY_BYTES_KEPT_MAX: usize = 256 * 1024;

fn failed(lua: &Lua, state: &Rc<State>, text: &str, throws: bool) -> mlua::Result<MultiValue> {
    if throws {
        return Err(state.throw_table(lua, text));
    }
    one(error_table(lua, text)?)
}

fn error_table(lua: &Lua, text: &str) -> mlua::Result<Value> {
    Ok(Value::Table(replies::tagged(lua, "err", Value::String(lua.create_string(text)?))?))
}

fn take_words(batch: &mut Batch, words: &MultiValue) -> Result<ochre_resp::Command, &'static str> {
    if words.is_empty() {
        return Err("ERR Please specify at least one argument for this redis lib call");
    }
    let first = batch.start();
    let mut digits = Vec::new();
    for word in words {
        match word {
            Value::String(text) => batch.word(&text.as_bytes()),
            Value::Integer(number) => {
                digits.clear();
                ochre_text::number::write_i64(&mut digits, *number);
                batch.word(&digits);
            }
            Value::Number(number) => {
                digits.clear();
                write_argument(&mut digits, *number);
                batch.word(&digits);
            }
            _ => return Err("ERR Lua redis lib command arguments must be strings or integers"),
        }
    }
    Ok(batch.finish(first))
}

/// A number as commands get it: the shortest text that means it.
fn write_argument(out: &mut Vec<u8>, number: f64) {
    let number = if number == 0.0 { 0.0 } else { number };
    if number.is_finite() { ochre_text::number::write_f64(out, number) } else { write_general(out, number, 17) }
}

fn single_field(lua: &Lua, state: &Rc<State>, words: MultiValue, field: &str) -> mlua::Result<MultiValue> {
    let (1, Some(text @ Value::String(_))) = (words.len(), words.front()) else {
        return failed(lua, state, "ERR wrong number or type of arguments", false);
    };
    if field == "ok" {
        return one(Value::Table(replies::tagged(lua, field, text.clone())?));
    }
    let Value::String(text) = text else { return one(Value::Nil) };
    let bytes = text.as_bytes();
    // Without a code of its own an error gets the usual one.
    let text = match bytes.strip_prefix(b"-") {
        Some(rest) => rest.to_vec(),
        None if bytes.contains(&b' ') => bytes.to_vec(),
        None => [b"ERR ", &*bytes].concat(),
    };
    one(Value::Table(replies::tagged(lua, field, Value::String(lua.create_string(text)?))?))
}

fn sha1hex(lua: &Lua, state: &Rc<State>, words: MultiValue) -> mlua::Result<MultiValue> {
    if words.len() != 1 {
        return Err(state.throw_table(lua, "ERR wrong number of arguments"));
    }
    let text = text_of(words.front()).unwrap_or_default();
    one(Value::String(lua.create_string(ochre_digest::sha1_hex(&text))?))
}

fn log(lua: &Lua, state: &Rc<State>, words: MultiValue) -> mlua::Result<MultiValue> {
    if words.len() < 2 {
        return Err(state.throw_table(lua, "ERR redis.log() requires two arguments or more."));
    }
    let level = match number_of(words.front()) {
        Some(level) => level as i64,
        None => return Err(state.throw_table(lua, "ERR First argument must be a number (log level).")),
    };
    let level = match level {
        0 => LogLevel::Debug,
        1 => LogLevel::Verbose,
        2 => LogLevel::Notice,
        3 => LogLevel::Warning,
        _ => return Err(state.throw_table(lua, "ERR Invalid log level.")),
    };
    let parts: Vec<Vec<u8>> = words.iter().skip(1).filter_map(|word| text_of(Some(word))).collect();
    if HOST.is_set() {
        HOST.with(|host| host.log(level, &parts.join(&b' ')));
    }
    Ok(MultiValue::new())
}

fn setresp(lua: &Lua, state: &Rc<State>, words: MultiValue) -> mlua::Result<MultiValue> {
    if words.len() != 1 {
        return Err(state.throw_table(lua, "ERR redis.setresp() requires one argument."));
    }
    state.protocol.set(match number_of(words.front()).map(|version| version as i64) {
        Some(2) => Protocol::Resp2,
        Some(3) => Protocol::Resp3,
        _ => return Err(state.throw_table(lua, "ERR RESP version must be 2 or 3.")),
    });
    Ok(MultiValue::new())
}

fn set_repl(lua: &Lua, state: &Rc<State>, words: MultiValue) -> mlua::Result<MultiValue> {
    if words.len() != 1 {
        return Err(state.throw_table(lua, "ERR redis.set_repl() requires one argument."));
    }
    let flags = number_of(words.front()).map_or(-1, |flags| flags as i64);
    if !(0..=3).contains(&flags) {
        return Err(
            state.throw_table(lua, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
        );
    }
    HOST.with(|host| host.set_replication(flags & 1 != 0, flags & 2 != 0));
    Ok(MultiValue::new())
}

fn acl_check_cmd(lua: &Lua, state: &Rc<State>, words: MultiValue) -> mlua::Result<MultiValue> {
    let mut batch = state.batch.borrow_mut();
    batch.clear();
    let command = match take_words(&mut batch, &words) {
        Ok(command) => command,
        Err(text) => {
            let text = text.replace("Lua redis lib command", "redis.acl_check_cmd() require");
            return Err(state.throw_table(lua, &text));
        }
    };
    match HOST.with(|host| host.may_call(batch.args(&command, &[]))) {
        Some(may) => one(Value::Boolean(may)),
        None => Err(state.throw_table(lua, "ERR Invalid command passed to redis.acl_check_cmd()")),
    }
}

/// The bytes of a string, or of a number as `tostring` writes it.
pub(crate) fn text_of(value: Option<&Value>) -> Option<Vec<u8>> {
    Some(match value? {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Integer(number) => crate::format::general(*number as f64, 14),
        Value::Number(number) => crate::format::general(*number, 14),
        _ => return None,
    })
}

/// A number, or a string that says one.
pub(crate) fn number_of(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => std::str::from_utf8(&text.as_bytes()).ok()?.trim().parse().ok(),
        _ => None,
    }
}

pub(crate) fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "no value",
        Some(Value::Integer(_)) => "number",
        Some(value) => value.type_name(),
    }
}

// ---- errors ----

/// The value that was thrown, where Lua has caught an error of a native function.
fn caught(lua: &Lua, state: &Rc<State>, arguments: MultiValue) -> mlua::Result<MultiValue> {
    let value = arguments.into_iter().next().unwrap_or(Value::Nil);
    match value {
        Value::Error(error) => match state.thrown.borrow_mut().take() {
            Some(thrown) => one(thrown),
            None => {
                let text = error.to_string();
                let text = text.lines().next().unwrap_or_default().replace("runtime error: ", "");
                one(Value::String(lua.create_string(text)?))
            }
        },
        value => one(value),
    }
}

/// Where the error happened that a handler looks into.
fn place(lua: &Lua) -> mlua::Result<MultiValue> {
    let Some((source, line)) = source_and_line(lua, 2) else { return Ok(MultiValue::new()) };
    Ok(MultiValue::from_vec(vec![Value::String(lua.create_string(source)?), Value::Integer(line as i64)]))
}

/// Source and line of the first function from `level` on that belongs to a script.
fn source_and_line(lua: &Lua, level: usize) -> Option<(String, usize)> {
    for level in level..level + 12 {
        let found = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.map(|name| name.into_owned()).unwrap_or_default();
            let belongs = source.what != "C" && name != "=prelude" && !name.starts_with("=(tail");
            debug.current_line().filter(|_| belongs).map(|line| (name, line))
        });
        if let Some(place) = found? {
            return Some(place);
        }
    }
    None
}

// ---- functions of libraries ----

fn register_function(lua: &Lua, state: &Rc<State>, arguments: MultiValue) -> mlua::Result<MultiValue> {
    let fail = |text: &str| Err(state.throw_table(lua, &format!("ERR {text}")));
    if state.registering.borrow().is_none() {
        return fail("redis.register_function can only be called on FUNCTION LOAD command");
    }
    let registered = match arguments.len() {
        0 | 4.. => Err("wrong number of arguments to redis.register_function".to_owned()),
        1 => match &arguments[0] {
            Value::Table(table) => named_arguments(table)?,
            _ => Err("calling redis.register_function with a single argument is only applicable to Lua table \
                 (representing named arguments)."
                .to_owned()),
        },
        _ => positional_arguments(&arguments),
    };
    let registered = match registered {
        Ok(registered) => registered,
        Err(text) => return fail(&text),
    };
    if !is_name(registered.name.as_bytes()) {
        return fail(BAD_NAME);
    }
    let mut list = state.registering.borrow_mut();
    let list = list.as_mut().expect("it was looked at above");
    if list.iter().any(|known| known.name == registered.name) {
        return fail("Function already exists in the library");
    }
    list.push(registered);
    Ok(MultiValue::new())
}

fn positional_arguments(arguments: &MultiValue) -> Result<Registered, String> {
    if arguments.len() > 2 {
        return Err("wrong number of arguments to redis.register_function".into());
    }
    let Some(name) = text_of(arguments.front()) else {
        return Err("first argument to redis.register_function must be a string".into());
    };
    let Some(Value::Function(function)) = arguments.get(1) else {
        return Err("second argument to redis.register_function must be a function".into());
    };
    Ok(new_function(name, function))
}

fn new_function(name: Vec<u8>, function: &Function) -> Registered {
    let name = String::from_utf8(name).unwrap_or_default();
    Registered { name, description: None, flags: Flags::default(), function: Compiled::new(function.clone()) }
}

fn named_arguments(table: &Table) -> mlua::Result<Result<Registered, String>> {
    let (mut name, mut function, mut description, mut flags) = (None, None, None, Flags::default());
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Value::String(key) = key else {
            return Ok(Err("named argument key given to redis.register_function is not a string".into()));
        };
        let key = key.as_bytes().to_ascii_lowercase();
        match &*key {
            b"function_name" => match text_of(Some(&value)) {
                Some(text) => name = Some(text),
                None => {
                    return Ok(Err("function_name argument given to redis.register_function must be a string".into()));
                }
            },
            b"description" => match text_of(Some(&value)) {
                Some(text) => description = Some(text),
                None => {
                    return Ok(Err("description argument given to redis.register_function must be a string".into()));
                }
            },
            b"callback" => match value {
                Value::Function(callback) => function = Some(callback),
                _ => {
                    return Ok(Err("callback argument given to redis.register_function must be a function".into()));
                }
            },
            b"flags" => {
                let Value::Table(list) = value else {
                    return Ok(Err(
                        "flags argument to redis.register_function must be a table representing function flags".into(),
                    ));
                };
                for flag in list.sequence_values::<Value>() {
                    let flag = flag?;
                    let known = match &flag {
                        Value::String(word) => Flags::parse(&word.as_bytes()),
                        _ => None,
                    };
                    let Some(known) = known else { return Ok(Err("unknown flag given".into())) };
                    flags = flags.with(known);
                }
            }
            _ => return Ok(Err("unknown argument given to redis.register_function".into())),
        }
    }
    let Some(name) = name else {
        return Ok(Err("redis.register_function must get a function name argument".into()));
    };
    let Some(function) = function else {
        return Ok(Err("redis.register_function must get a callback argument".into()));
    };
    Ok(Ok(Registered { description, flags, ..new_function(name, &function) }))
}

// ---- strings ----

fn bad_argument(lua: &Lua, state: &Rc<State>, number: usize, name: &str, problem: &str) -> mlua::Error {
    state.throw_text(lua, &format!("bad argument #{number} to '{name}' ({problem})"), true)
}

fn argument_text(
    lua: &Lua,
    state: &Rc<State>,
    arguments: &MultiValue,
    at: usize,
    name: &str,
) -> mlua::Result<mlua::String> {
    match arguments.get(at) {
        Some(Value::String(text)) => Ok(text.clone()),
        value => match text_of(value) {
            Some(text) => lua.create_string(text),
            None => {
                let problem = format!("string expected, got {}", type_name(value));
                Err(bad_argument(lua, state, at + 1, name, &problem))
            }
        },
    }
}

/// `string.find` and `string.match`.
fn find(lua: &Lua, state: &Rc<State>, arguments: MultiValue, wants_place: bool) -> mlua::Result<MultiValue> {
    let name = if wants_place { "find" } else { "match" };
    let text = argument_text(lua, state, &arguments, 0, name)?;
    let pattern = argument_text(lua, state, &arguments, 1, name)?;
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let start = match arguments.get(2) {
        None | Some(Value::Nil) => 1,
        value => match number_of(value) {
            Some(start) => replies::to_integer(start),
            None => {
                let problem = format!("number expected, got {}", type_name(value));
                return Err(bad_argument(lua, state, 3, name, &problem));
            }
        },
    };
    let length = text.len() as i64;
    let start = if start < 0 { (start.saturating_add(length)).max(0) } else { (start - 1).clamp(0, length) } as usize;
    let plain = wants_place && !matches!(arguments.get(3), None | Some(Value::Nil | Value::Boolean(false)));
    if wants_place && (plain || patterns::is_plain(&pattern)) {
        let Some(from) = find_plain(&text[start..], &pattern) else { return one(Value::Nil) };
        let from = (start + from) as i64;
        let ends = [Value::Integer(from + 1), Value::Integer(from + pattern.len() as i64)];
        return Ok(MultiValue::from_vec(ends.into()));
    }
    let Some(found) = search(lua, state, &text, &pattern, start, true)? else { return one(Value::Nil) };
    let mut values = Vec::with_capacity(2 + found.captures.len());
    if wants_place {
        values.push(Value::Integer(found.from as i64 + 1));
        values.push(Value::Integer(found.to as i64));
    }
    push_captures(lua, &text, &found, !wants_place, &mut values)?;
    Ok(MultiValue::from_vec(values))
}

/// The next match of a pattern: from, to, and its captures, or the whole of it where it has none. Arguments: text, pattern, where to
/// begin, and whether `^` is an anchor.
fn scan(lua: &Lua, state: &Rc<State>, arguments: MultiValue) -> mlua::Result<MultiValue> {
    let (Some(Value::String(text)), Some(Value::String(pattern))) = (arguments.front(), arguments.get(1)) else {
        return one(Value::Nil);
    };
    let start = number_of(arguments.get(2)).unwrap_or(1.0) as usize;
    let anchors = matches!(arguments.get(3), Some(Value::Boolean(true)));
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let start = start.saturating_sub(1).min(text.len());
    let Some(found) = search(lua, state, &text, &pattern, start, anchors)? else { return one(Value::Nil) };
    let mut values = Vec::with_capacity(3 + found.captures.len());
    values.push(Value::Integer(found.from as i64 + 1));
    values.push(Value::Integer(found.to as i64));
    push_captures(lua, &text, &found, true, &mut values)?;
    Ok(MultiValue::from_vec(values))
}

fn search(
    lua: &Lua,
    state: &Rc<State>,
    text: &[u8],
    pattern: &[u8],
    start: usize,
    anchors: bool,
) -> mlua::Result<Option<Match>> {
    patterns::find(text, pattern, start, anchors, &mut || goes_on(lua, state)).map_err(|error| match error {
        PatternError::Malformed(problem) => state.throw_text(lua, problem, true),
        PatternError::Stopped => state.throw_abort(lua),
    })
}

fn push_captures(lua: &Lua, text: &[u8], found: &Match, whole: bool, values: &mut Vec<Value>) -> mlua::Result<()> {
    if found.captures.is_empty() && whole {
        values.push(Value::String(lua.create_string(&text[found.from..found.to])?));
    }
    for capture in &found.captures {
        values.push(match *capture {
            Capture::Text { from, to } => Value::String(lua.create_string(&text[from..to])?),
            Capture::Position(place) => Value::Integer(place as i64),
        });
    }
    Ok(())
}

/// The first place of `wanted` in `text`, in time proportional to the text.
fn find_plain(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

/// How errors call a chunk whose name is its source: `[string "x = 1"]`.
fn chunk_name(lua: &Lua, _: &Rc<State>, arguments: MultiValue) -> mlua::Result<MultiValue> {
    let name = text_of(arguments.front()).unwrap_or_default();
    let line = name.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let shown = match name.first() {
        Some(b'=' | b'@') => name[1..].to_vec(),
        _ => {
            // A C string ends at its first zero.
            let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
            let dots: &[u8] = if line.len() < name.len() && name.contains(&b'\n') { b"..." } else { b"" };
            [b"[string \"", &line[..line.len().min(40)], dots, b"\"]"].concat()
        }
    };
    one(Value::String(lua.create_string(shown)?))
}

// ---- random numbers ----

/// The state with which `lrand48` begins: scripts draw the same numbers on every server.
const RANDOM_START: u64 = 0x1234_ABCD_330E;
const RANDOM_MAX: f64 = 2_147_483_647.0;

fn next_random(state: &State) -> f64 {
    let next = (state.random.get().wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB)) & ((1 << 48) - 1);
    state.random.set(next);
    ((next >> 17) % 2_147_483_647) as f64 / RANDOM_MAX
}

fn random(lua: &Lua, state: &Rc<State>, arguments: MultiValue) -> mlua::Result<MultiValue> {
    let chance = next_random(state);
    let number = |at: usize| match number_of(arguments.get(at)) {
        Some(number) => Ok(number.trunc()),
        None => {
            let problem = format!("number expected, got {}", type_name(arguments.get(at)));
            Err(bad_argument(lua, state, at + 1, "random", &problem))
        }
    };
    let value = match arguments.len() {
        0 => chance,
        1 => {
            let upper = number(0)?;
            if upper < 1.0 {
                return Err(bad_argument(lua, state, 1, "random", "interval is empty"));
            }
            (chance * upper).floor() + 1.0
        }
        2 => {
            let (lower, upper) = (number(0)?, number(1)?);
            if lower > upper {
                return Err(bad_argument(lua, state, 2, "random", "interval is empty"));
            }
            (chance * (upper - lower + 1.0)).floor() + lower
        }
        _ => return Err(state.throw_text(lua, "wrong number of arguments", true)),
    };
    one(Value::Number(value))
}

fn randomseed(lua: &Lua, state: &Rc<State>, arguments: MultiValue) -> mlua::Result<MultiValue> {
    let Some(seed) = number_of(arguments.front()) else {
        let problem = format!("number expected, got {}", type_name(arguments.front()));
        return Err(bad_argument(lua, state, 1, "randomseed", &problem));
    };
    let seed = replies::to_integer(seed) as i32 as u32;
    state.random.set((u64::from(seed) << 16) | 0x330E);
    Ok(MultiValue::new())
}
