//! A Lua state with everything that scripts see in it: one for each thread that runs scripts.

use crate::host::{Called, HOST, Host};
use crate::libraries;
use crate::natives::{self, State};
use crate::replies;
use mlua::{Either, Function, HookTriggers, IntoLua, Lua, LuaOptions, StdLib, Table, Value, Variadic, VmState};
use ochre_resp::{Args as Words, Protocol, Reply};
use std::panic::resume_unwind;
use std::rc::Rc;

/// How a state is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Scripts get "not enough memory" beyond this.
    pub memory_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { memory_bytes_max: 1 << 30 }
    }
}

/// Instructions between two looks at the clock.
const HOOK_INSTRUCTIONS: u32 = 10_000;
/// A state that holds more than this after a script collects its garbage at once.
const IDLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Keys and arguments beyond this come in tables, because Lua's stack ends somewhere.
const WORDS_ON_STACK_MAX: usize = 200;

/// One Lua state.
pub struct Engine {
    lua: Lua,
    state: Rc<State>,
    function_globals: Table,
    run_script: Function,
    run_script_of_one: Function,
    run_function: Function,
    load_library: Function,
    memory_bytes_max: usize,
}

/// A script or function that is ready to run, in the state that made it.
#[derive(Clone)]
pub struct Compiled(Function);

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The reply is written.
    Replied,
    /// The script failed.
    Failed(Failure),
    /// The host ended the run, and there is no reply.
    Aborted,
}

/// Why a script failed, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The text of the error, which begins with its code.
    pub text: Vec<u8>,
    /// `@user_script:3`
    pub place: Option<String>,
    /// The command whose error it is has counted it already.
    pub counted: bool,
}

/// A function that a library registered.
pub struct Registered {
    pub name: String,
    pub description: Option<Vec<u8>>,
    pub flags: crate::Flags,
    pub function: Compiled,
}

impl Engine {
    /// A state with all libraries in it. Takes about a millisecond.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(options: Options) -> Result<Engine, String> {
        Self::build(options).map_err(|error| format!("Can't start Lua: {error}"))
    }

    fn build(options: Options) -> mlua::Result<Engine> {
        let lua = Lua::new_with(StdLib::TABLE | StdLib::OS | StdLib::STRING | StdLib::MATH, LuaOptions::new())?;
        let state = Rc::new(State::default());
        let native = lua.create_table()?;
        natives::install(&lua, &state, &native)?;
        libraries::install(&lua, &state, &native)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude").into_function()?;
        let (globals, function_globals, run_script, run_script_of_one, run_function, load_library) =
            prelude.call::<(Table, Table, Function, Function, Function, Function)>(native)?;
        lua.set_globals(globals)?;
        let engine = Engine {
            lua,
            state,
            function_globals,
            run_script,
            run_script_of_one,
            run_function,
            load_library,
            memory_bytes_max: options.memory_bytes_max,
        };
        engine.set_hook(HOOK_INSTRUCTIONS)?;
        Ok(engine)
    }

    fn set_hook(&self, every: u32) -> mlua::Result<()> {
        let state = Rc::clone(&self.state);
        self.lua.set_global_hook(HookTriggers::new().every_nth_instruction(every), move |lua, _| {
            if state.aborted.get() {
                return Err(state.throw_abort(lua));
            }
            if !HOST.is_set() {
                return Ok(VmState::Continue);
            }
            match HOST.with(|host| host.tick()) {
                None => Ok(VmState::Continue),
                Some(reason) => {
                    state.aborted.set(true);
                    *state.abort_reason.borrow_mut() = reason;
                    // From now on every instruction fails, so that no `pcall` can go on.
                    hook_every_instruction(lua, &state)?;
                    Err(state.throw_abort(lua))
                }
            }
        })
    }

    /// Compiles a script, whose first line is no shebang any more.
    ///
    /// # Errors
    /// The compiler's text: `user_script:1: unexpected symbol near 'x'`.
    pub fn compile(&self, body: &[u8]) -> Result<Compiled, String> {
        self.compile_as(body, "@user_script", None)
    }

    fn compile_as(&self, body: &[u8], name: &str, environment: Option<&Table>) -> Result<Compiled, String> {
        if body.first() == Some(&27) {
            return Err(format!("{}:1: unexpected symbol near 'char(27)'", name.trim_start_matches('@')));
        }
        let mut chunk = self.lua.load(body).set_name(name).set_mode(mlua::ChunkMode::Text);
        if let Some(environment) = environment {
            chunk = chunk.set_environment(environment.clone());
        }
        let _limit = self.limited();
        chunk.into_function().map(Compiled).map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            other => other.to_string(),
        })
    }

    /// Runs a script with these keys and arguments.
    pub fn run_script(
        &self,
        host: &mut dyn Host,
        script: &Compiled,
        keys: Words<'_>,
        arguments: Words<'_>,
        reply: &mut Reply<'_>,
    ) -> Outcome {
        if keys.len() == 1 && arguments.len() < WORDS_ON_STACK_MAX {
            return self.run(host, Driver::OfOne(&self.run_script_of_one), script, keys, arguments, reply);
        }
        self.run(host, Driver::OfMany(&self.run_script), script, keys, arguments, reply)
    }

    /// Runs a function of a library with these keys and arguments.
    pub fn run_function(
        &self,
        host: &mut dyn Host,
        function: &Compiled,
        keys: Words<'_>,
        arguments: Words<'_>,
        reply: &mut Reply<'_>,
    ) -> Outcome {
        self.run(host, Driver::OfMany(&self.run_function), function, keys, arguments, reply)
    }

    fn run(
        &self,
        host: &mut dyn Host,
        driver: Driver<'_>,
        work: &Compiled,
        keys: Words<'_>,
        arguments: Words<'_>,
        reply: &mut Reply<'_>,
    ) -> Outcome {
        let result = self.call(host, driver, work, keys, arguments);
        let mark = reply.mark();
        let outcome = match result {
            _ if self.state.host_aborted.get() => Outcome::Aborted,
            // Its own handlers of errors ended, too, so they say nothing of use.
            _ if self.state.aborted.get() => Outcome::Failed(self.abortion()),
            Ok((true, value)) => {
                let resp3 = self.state.protocol.get() == Protocol::Resp3;
                match replies::reply_with(&value, resp3, reply) {
                    Ok(()) => Outcome::Replied,
                    Err(error) => {
                        reply.truncate(mark);
                        Outcome::Failed(Failure::plain(error.to_string()))
                    }
                }
            }
            Ok((false, described)) => Outcome::Failed(self.failure(&described)),
            Err(error) => Outcome::Failed(Failure::plain(first_line(&error))),
        };
        self.settle();
        outcome
    }

    fn call(
        &self,
        host: &mut dyn Host,
        driver: Driver<'_>,
        work: &Compiled,
        keys: Words<'_>,
        arguments: Words<'_>,
    ) -> mlua::Result<(bool, Value)> {
        self.state.begin();
        let unbounded = Unbounded(&self.lua);
        if keys.len() + arguments.len() > WORDS_ON_STACK_MAX {
            let (keys, arguments) = (self.strings(keys)?, self.strings(arguments)?);
            let _limit = self.limited();
            let (Driver::OfOne(driver) | Driver::OfMany(driver)) = driver;
            return HOST.set(host, || driver.call::<(bool, Value)>((&work.0, keys, arguments)));
        }
        let limit = self.memory_bytes_max;
        let mut left = keys.len() + arguments.len();
        if left == 0 {
            // Only a state with an allocator of its own cannot be bounded.
            let _ = self.lua.set_memory_limit(limit);
        }
        let mut words = Variadic::with_capacity(left);
        for word in keys.iter().chain(arguments) {
            left -= 1;
            words.push(match std::str::from_utf8(word) {
                Ok(text) if left > 0 => Either::Left(text),
                _ => Either::Right(Word { word, limit: (left == 0).then_some(limit) }),
            });
        }
        let result = HOST.set(host, || match driver {
            Driver::OfOne(driver) => driver.call::<(bool, Value)>((&work.0, words)),
            Driver::OfMany(driver) => driver.call::<(bool, Value)>((&work.0, keys.len(), words)),
        });
        drop(unbounded);
        result
    }

    fn strings(&self, words: Words<'_>) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(words.len(), 0)?;
        for word in words {
            table.raw_push(self.lua.create_string(word)?)?;
        }
        Ok(table)
    }

    /// Bounds the memory until the answer is dropped. Outside of scripts nothing is bounded, because calls are cheaper then.
    fn limited(&self) -> Unbounded<'_> {
        // Only a state with an allocator of its own cannot be bounded.
        let _ = self.lua.set_memory_limit(self.memory_bytes_max);
        Unbounded(&self.lua)
    }

    /// After a run: whatever it left behind that others must not see.
    fn settle(&self) {
        self.state.thrown.borrow_mut().take();
        self.state.host_aborted.set(false);
        if self.state.aborted.replace(false) {
            // It can only fail for want of memory, and then scripts run unbounded by the clock until it succeeds.
            let _ = self.set_hook(HOOK_INSTRUCTIONS);
        }
        if self.lua.used_memory() > IDLE_BYTES_MAX.min(self.memory_bytes_max / 4) {
            let _ = self.lua.gc_collect();
        }
        if let Some(panic) = self.state.panic.borrow_mut().take() {
            resume_unwind(panic);
        }
    }

    fn abortion(&self) -> Failure {
        let text = format!("ERR {}", self.state.abort_reason.borrow());
        let place = self.state.abort_place.borrow_mut().take();
        Failure { place, ..Failure::plain(text) }
    }

    fn failure(&self, described: &Value) -> Failure {
        let Value::Table(described) = described else {
            // The handler of errors failed itself, for want of memory or stack.
            let text = match described {
                Value::String(text) => format!("ERR {}", String::from_utf8_lossy(&text.as_bytes())),
                _ => "ERR not enough memory".into(),
            };
            return Failure::plain(text);
        };
        let text = described.raw_get::<mlua::String>("err").map(|text| text.as_bytes().to_vec());
        let source = described.raw_get::<Option<mlua::String>>("source").ok().flatten();
        let line = described.raw_get::<Option<i64>>("line").ok().flatten();
        let place = source.zip(line).map(|(source, line)| {
            let source = String::from_utf8_lossy(&source.as_bytes()).into_owned();
            format!("{source}:{line}")
        });
        let counted = described.raw_get::<Option<bool>>("counted").ok().flatten().unwrap_or(false);
        Failure { text: text.unwrap_or_else(|_| b"ERR unknown error".to_vec()), place, counted }
    }

    /// Runs the code of a library, without its first line, and answers the functions that it registers.
    ///
    /// # Errors
    /// The text of the error reply.
    pub fn load_library(&self, host: &mut dyn Host, code: &[u8]) -> Result<Vec<Registered>, Vec<u8>> {
        let chunk = self
            .compile_as(code, "@user_function", Some(&self.function_globals))
            .map_err(|error| format!("ERR Error compiling function: {error}").into_bytes())?;
        self.state.begin();
        *self.state.registering.borrow_mut() = Some(Vec::new());
        let result = {
            let _limit = self.limited();
            HOST.set(host, || self.load_library.call::<(bool, Value)>(&chunk.0))
        };
        let registered = self.state.registering.borrow_mut().take().unwrap_or_default();
        let outcome = match result {
            _ if self.state.aborted.get() => Err(self.abortion().text),
            Ok((true, _)) => Ok(registered),
            Ok((false, described)) => {
                let mut text = b"ERR Error registering functions: ".to_vec();
                text.extend_from_slice(&self.failure(&described).text);
                Err(text)
            }
            Err(error) => Err(format!("ERR Error registering functions: {}", first_line(&error)).into_bytes()),
        };
        self.settle();
        match outcome {
            Ok(functions) if functions.is_empty() => Err(b"ERR No functions registered".to_vec()),
            outcome => outcome,
        }
    }

    /// Memory of the state, bytes.
    pub fn used_bytes(&self) -> usize {
        self.lua.used_memory()
    }
}

/// A function of the prelude that runs a script: for one key that stands before its arguments, or for any number.
enum Driver<'e> {
    OfOne(&'e Function),
    OfMany(&'e Function),
}

/// A key or argument on its way to a script. The last one bounds the memory from then on, because as long as it has no bound,
/// a word is put on the stack in a tenth of the time.
struct Word<'w> {
    word: &'w [u8],
    limit: Option<usize>,
}

impl IntoLua for Word<'_> {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        let word = lua.create_string(self.word)?;
        if let Some(limit) = self.limit {
            lua.set_memory_limit(limit)?;
        }
        Ok(Value::String(word))
    }
}

/// Ends the bound on the memory when it is dropped.
struct Unbounded<'a>(&'a Lua);

impl Drop for Unbounded<'_> {
    fn drop(&mut self) {
        let _ = self.0.set_memory_limit(0);
    }
}

impl Compiled {
    pub(crate) fn new(function: Function) -> Self {
        Compiled(function)
    }
}

impl Failure {
    fn plain(text: impl Into<Vec<u8>>) -> Failure {
        Failure { text: text.into(), place: None, counted: false }
    }
}

fn first_line(error: &mlua::Error) -> String {
    let text = error.to_string();
    format!("ERR {}", text.lines().next().unwrap_or("unknown error"))
}

pub(crate) fn hook_every_instruction(lua: &Lua, state: &Rc<State>) -> mlua::Result<()> {
    let state = Rc::clone(state);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(1), move |lua, _| {
        if state.aborted.get() { Err(state.throw_abort(lua)) } else { Ok(VmState::Continue) }
    })
}

/// Asks the host whether to go on, in the middle of a function of ours that takes long.
pub(crate) fn goes_on(lua: &Lua, state: &Rc<State>) -> bool {
    if state.aborted.get() {
        return false;
    }
    if !HOST.is_set() {
        return true;
    }
    let Some(reason) = HOST.with(|host| host.tick()) else { return true };
    state.aborted.set(true);
    *state.abort_reason.borrow_mut() = reason;
    // If that fails for want of memory, the next look at the clock ends the script.
    let _ = hook_every_instruction(lua, state);
    false
}

/// What a host answers a script whose commands nobody runs: while a library is loaded.
pub(crate) fn is_aborted(called: Called) -> bool {
    called == Called::Abort
}
