//! What an event loop has of its own for scripts: a Lua state, and what is compiled in it.

use super::cache::{ByDigest, Cache, Digest, Source, parse_digest};
use super::functions::{Functions, Libraries, add};
use crate::shared::Shared;
use ochre_commands::Error;
use ochre_keyspace::Effects;
use ochre_resp::{Args as Words, Protocol};
use ochre_scripting::{
    Called, Compiled, Engine, Flags, FunctionInfo, Host, Library, LogLevel, Options, Registered, library_head,
    script_head,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Compiled scripts of which the cache knows nothing any more are dropped when there are more than this.
const COMPILED_MAX: usize = 1024;
/// A library whose loading takes longer is refused.
const LOADING_MAX: Duration = Duration::from_millis(500);

/// A digest as clients write it.
type Digits = [u8; 40];

/// One loop's Lua.
pub struct ThreadScripts {
    pub engine: Engine,
    compiled: ByDigest<(Arc<Source>, Compiled)>,
    /// The script that was named last, by these digits: whoever runs it again and again finds it with one comparison.
    recent: Option<(Digits, Arc<Source>, Compiled)>,
    functions: HashMap<String, (Compiled, Flags)>,
    functions_version: u64,
    /// Stands in for the worker's while these belong to the script that runs.
    pub effects: Effects,
}

impl ThreadScripts {
    /// # Errors
    /// When Lua cannot be started for want of memory.
    pub fn new() -> Result<Self, Error> {
        Ok(ThreadScripts {
            engine: Engine::new(Options::default()).map_err(|error| Error::text(format!("ERR {error}")))?,
            compiled: ByDigest::default(),
            recent: None,
            functions: HashMap::new(),
            functions_version: 0,
            effects: Effects::default(),
        })
    }

    /// The script with the digest that these hexadecimal digits say, if it was sent before.
    pub fn named(&mut self, cache: &Cache, digits: &[u8]) -> Result<Option<(&Source, &Compiled)>, Error> {
        let is_recent = |(of, source, _): &(Digits, Arc<Source>, Compiled)| *of == *digits && source.is_alive();
        if !self.recent.as_ref().is_some_and(is_recent) {
            let (Ok(digits), Some(digest)) = (digits.try_into(), parse_digest(digits)) else { return Ok(None) };
            let Some((source, compiled)) = self.known(cache, &digest)? else { return Ok(None) };
            self.recent = Some((digits, source, compiled));
        }
        Ok(self.recent.as_ref().map(|(_, source, compiled)| (&**source, compiled)))
    }

    /// The script with this digest, if it was sent before.
    pub fn known(&mut self, cache: &Cache, digest: &Digest) -> Result<Option<(Arc<Source>, Compiled)>, Error> {
        if let Some((source, compiled)) = self.compiled.get(digest)
            && source.is_alive()
        {
            return Ok(Some((Arc::clone(source), compiled.clone())));
        }
        let Some(source) = cache.get(digest) else { return Ok(None) };
        let compiled = self.compile(&source.body)?.1;
        self.keep(&source, &compiled);
        Ok(Some((source, compiled)))
    }

    /// Compiles a script and keeps it, here and for all.
    pub fn add(
        &mut self,
        cache: &Cache,
        digest: Digest,
        body: &[u8],
        loaded: bool,
    ) -> Result<(Arc<Source>, Compiled), Error> {
        let (flags, compiled) = self.compile(body)?;
        let source = cache.put(digest, body, flags, loaded);
        self.keep(&source, &compiled);
        Ok((source, compiled))
    }

    fn keep(&mut self, source: &Arc<Source>, compiled: &Compiled) {
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.retain(|_, (source, _)| source.is_alive());
        }
        self.compiled.insert(source.digest, (Arc::clone(source), compiled.clone()));
    }

    fn compile(&self, body: &[u8]) -> Result<(Flags, Compiled), Error> {
        let (flags, code) = script_head(body).map_err(Error::text)?;
        let compiled = self.engine.compile(code);
        let compiled =
            compiled.map_err(|error| Error::text(format!("ERR Error compiling script (new function): {error}")))?;
        Ok((flags, compiled))
    }

    /// The function that is called so, without regard to case.
    pub fn function(&mut self, functions: &Functions, name: &[u8]) -> Option<(String, Compiled, Flags)> {
        let version = functions.version();
        if version != self.functions_version {
            self.load_all(functions);
            self.functions_version = version;
        }
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        let (compiled, flags) = self.functions.get(&name)?;
        Some((name, compiled.clone(), *flags))
    }

    fn load_all(&mut self, functions: &Functions) {
        self.functions.clear();
        for library in functions.all().values() {
            // It was loaded before, on some loop, or it would not be there.
            match self.load(&library.code) {
                Ok((_, registered)) => self.functions.extend(
                    registered
                        .into_iter()
                        .map(|function| (function.name.to_ascii_lowercase(), (function.function, function.flags))),
                ),
                Err(error) => crate::log::warning(format_args!("Library {} can't be loaded: {error}", library.name)),
            }
        }
    }

    /// Runs the code of a library; answers what it is and the functions that it registered.
    ///
    /// # Errors
    /// The error reply.
    pub fn load(&self, code: &[u8]) -> Result<(Library, Vec<Registered>), Error> {
        let (head, body) = library_head(code).map_err(Error::text)?;
        if !head.engine.eq_ignore_ascii_case(b"lua") {
            return Err(Error::text(format!("ERR Engine '{}' not found", String::from_utf8_lossy(&head.engine))));
        }
        let name = String::from_utf8_lossy(&head.name).into_owned();
        let mut host = LoadingHost { until: Instant::now() + LOADING_MAX };
        let registered = self.engine.load_library(&mut host, body);
        let registered = registered.map_err(|text| Error::text(String::from_utf8_lossy(&text).into_owned()))?;
        let functions = registered.iter().map(|function| FunctionInfo {
            name: function.name.clone(),
            description: function.description.clone(),
            flags: function.flags,
        });
        Ok((Library { name, code: code.to_vec(), functions: functions.collect() }, registered))
    }
}

/// Loads the libraries of a file, beside and (when it `replaces`) in place of those that are there.
///
/// # Errors
/// When the code of one does not load, or it is there already.
pub fn load_libraries(shared: &Shared, codes: &[Vec<u8>], replaces: bool) -> Result<(), Error> {
    let scripts = ThreadScripts::new()?;
    let mut libraries = Libraries::clone(&shared.scripts.functions.all());
    for code in codes {
        let (library, _) = scripts.load(code)?;
        add(&mut libraries, library, replaces).map_err(Error::text)?;
    }
    shared.scripts.functions.replace(libraries);
    Ok(())
}

/// While a library is loaded it can log, and nothing else.
struct LoadingHost {
    until: Instant,
}

impl Host for LoadingHost {
    fn call(&mut self, _: Words<'_>, _: Protocol, reply: &mut Vec<u8>) -> Called {
        reply.extend_from_slice(b"-ERR redis.call can only be called inside a script invocation\r\n");
        Called::Done
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        log(level, text);
    }

    fn may_call(&mut self, _: Words<'_>) -> Option<bool> {
        None
    }

    fn tick(&mut self) -> Option<&'static str> {
        (Instant::now() > self.until).then_some("FUNCTION LOAD timeout")
    }
}

/// A script's line in the server's log.
pub fn log(level: LogLevel, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match level {
        LogLevel::Debug => crate::log::debug(format_args!("{text}")),
        LogLevel::Verbose => crate::log::verbose(format_args!("{text}")),
        LogLevel::Notice => crate::log::notice(format_args!("{text}")),
        LogLevel::Warning => crate::log::warning(format_args!("{text}")),
    }
}
