//! The start: from the command line to settings, or to what is printed instead.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use ochre_config::{Arguments, FileOnly, Invocation, LoadError, Origin, Source, Value, reason_of};

use super::{IGNORED, Settings, configuration_page, environment};

/// The end of a program that does not run: what it prints, and whether that is what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) text: String,
    pub(crate) is_failure: bool,
}

impl Exit {
    /// Refuses to start because of the settings.
    pub(crate) fn of_line(error: &LoadError) -> Self {
        Exit { text: error.report(concat!("Ochre ", env!("CARGO_PKG_VERSION"))), is_failure: true }
    }

    /// Refuses to start, with this text.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Exit { text: text.into(), is_failure: true }
    }

    fn with(text: impl Into<String>) -> Self {
        Exit { text: text.into(), is_failure: false }
    }

    /// Prints the text, to standard error if something is wrong.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_failure {
            eprint!("{}", self.text);
            return ExitCode::FAILURE;
        }
        print!("{}", self.text);
        ExitCode::SUCCESS
    }
}

impl Settings {
    /// Reads the settings that a command line asks for, the program's name first: one that holds `sentinel` asks for a Sentinel.
    ///
    /// Goes to the folder that `dir` names, and opens the log file to see that it can be written.
    pub(crate) fn from_args(arguments: &[OsString]) -> Result<Settings, Exit> {
        let (program, options) =
            arguments.split_first().map_or((Default::default(), arguments), |(program, options)| {
                (Path::new(program).file_name().unwrap_or_default().to_string_lossy(), options)
            });
        if options.first().is_some_and(|first| first == "--print-directives") {
            return Err(Exit::with(configuration_page()));
        }
        match Invocation::parse(options) {
            Invocation::Version => Err(Exit::with(version())),
            Invocation::Help => Err(Exit::with(HELP)),
            Invocation::TestMemory(_) => Err(Exit { text: NO_MEMORY_TEST.to_string(), is_failure: true }),
            Invocation::CheckSystem => Err(Exit { text: NO_SYSTEM_CHECK.to_string(), is_failure: true }),
            Invocation::Run(run) if run.is_sentinel || program.contains("sentinel") => Err(Exit::refused(NO_SENTINEL)),
            Invocation::Run(run) => read(&run).map_err(|error| Exit::of_line(&error)),
        }
    }
}

fn read(arguments: &Arguments) -> Result<Settings, LoadError> {
    let file = arguments.file.as_ref().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    let is_sentinel = arguments.is_sentinel;
    let settings = Settings::new(file, is_sentinel);
    let environment = environment::read(settings.store(), std::env::vars_os());
    let on_line = |name: &'static str, value: &Value| enter_folder(name, value);
    let rules = FileOnly { ignored: IGNORED, of_modules: OF_MODULES, is_sentinel, on_line: &on_line };
    let lines = settings.store().load(&sources(arguments, environment.lines)?, &rules)?;
    settings.note_folder();
    settings
        .on_change(&["dir"], |changed| changed.iter().try_for_each(|change| enter_folder(change.name, &change.new)));
    if let Some(line) = lines.modules.iter().find(|line| !is_bundled_module(&line.words[1])) {
        return Err(line.error("This server cannot load modules"));
    }
    if let Some(line) = lines.module_settings.iter().find(|line| line.words[0].contains(&b'.')) {
        return Err(line.error("This server cannot load modules, so their settings are unknown"));
    }
    check_together(&settings)?;
    read_password(&settings)?;
    Ok(settings.with_lines(lines).with_ignored_variables(environment.ignored))
}

/// The lines of the file, of the environment, of standard input and of the options, in this order: the last one wins.
fn sources(arguments: &Arguments, environment: Vec<u8>) -> Result<Vec<Source>, LoadError> {
    let mut sources = match &arguments.file {
        Some(file) => Source::read(&file.to_string_lossy())?,
        None => Vec::new(),
    };
    sources.push(Source { origin: Origin::Environment, text: environment });
    if arguments.reads_stdin {
        let mut text = Vec::new();
        let unreadable = |error| LoadError::Unreadable { path: "-".to_string(), reason: reason_of(&error) };
        std::io::stdin().read_to_end(&mut text).map_err(unreadable)?;
        sources.push(Source { origin: Origin::Input, text });
    }
    sources.push(Source { origin: Origin::Options, text: arguments.options.clone() });
    Ok(sources)
}

/// Whether a module is one of those that come with Redis 8: its `redis-full.conf` names them, and is to work as it is.
fn is_bundled_module(path: &[u8]) -> bool {
    let stem = Path::new(std::ffi::OsStr::from_bytes(path)).file_stem().unwrap_or_default();
    BUNDLED_MODULES.iter().any(|module| stem == *module)
}

/// Goes to the folder that `dir` names, at once: paths of later lines start there.
fn enter_folder(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Text(folder) if name == "dir" => {
            let folder = Path::new(std::ffi::OsStr::from_bytes(folder));
            std::env::set_current_dir(folder).map_err(|error| reason_of(&error))
        }
        _ => Ok(()),
    }
}

/// What no single line can tell.
fn check_together(settings: &Settings) -> Result<(), LoadError> {
    let log = settings.logging.logfile.get();
    if !log.is_empty() {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(log.as_str());
        opened.map_err(|error| LoadError::Overall(format!("Can't open the log file: {}", reason_of(&error))))?;
    }
    if settings.cluster.cluster_enabled.get() && settings.replication.replicaof.get().is_some() {
        return Err(LoadError::Overall("replicaof directive not allowed in cluster mode".to_string()));
    }
    Ok(())
}

/// Takes the password from its file.
fn read_password(settings: &Settings) -> Result<(), LoadError> {
    let file = settings.security.requirepass_file.get();
    if file.is_empty() {
        return Ok(());
    }
    let unreadable = |reason: String| LoadError::Overall(format!("Can't read requirepass-file {file}: {reason}"));
    let text = std::fs::read(file.as_str()).map_err(|error| unreadable(reason_of(&error)))?;
    let password = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    if password.is_empty() {
        return Err(unreadable("its first line is empty".to_string()));
    }
    settings.put("requirepass", Value::Text(password.to_vec()));
    Ok(())
}

fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("Ochre server v={version} sha=00000000:0 malloc=mimalloc bits={} build=0\n", usize::BITS)
}

const HELP: &str = "\
Usage: ochre-server [/path/to/ochre.conf] [options] [-]
       ochre-server -                   (reads settings from standard input)
       ochre-server -v or --version
       ochre-server -h or --help
       ochre-server --print-directives  (all settings, as a page of the manual)

Every setting of a config file is an option, too; later ones win. OCHRE_MAXMEMORY=1gb in the environment is `maxmemory 1gb`.

Examples:
       ochre-server                     (with defaults)
       echo 'maxmemory 128mb' | ochre-server -
       ochre-server /etc/ochre/6379.conf
       ochre-server --port 7777
       ochre-server --port 7777 --replicaof 127.0.0.1 8888
       ochre-server /etc/ochre/6379.conf --loglevel verbose -
";

const NO_SENTINEL: &str =
    "This version cannot run as a Sentinel; redis-sentinel and valkey-sentinel can watch over it.\n";

const BUNDLED_MODULES: &[&str] = &["redisbloom", "redisearch", "rejson", "redistimeseries"];

/// How the names of their settings begin.
const OF_MODULES: &[&str] = &["search-", "ts-", "bf-", "cf-"];

const NO_MEMORY_TEST: &str =
    "This server does not test memory. memtest86+ or memtester do, and find more than a server could.\n";

const NO_SYSTEM_CHECK: &str =
    "This server has no checks of the system to run on their own: what it misses, it logs when it starts.\n";
