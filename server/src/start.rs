//! Start and end of the server: arguments, configuration, listeners, event loops.

use crate::access::AccessControl;
use crate::alerts::Alerts;
use crate::clients::Registry;
use crate::counters::ErrorCounts;
use crate::latency::LatencyEvents;
use crate::lazyfree::Lazyfree;
use crate::monitors::Monitors;
use crate::pause::Pause;
use crate::persistence::aof::{self, Aof};
use crate::persistence::log::Log;
use crate::persistence::save::{self, Saves};
use crate::persistence::snapshot::WritingThread;
use crate::pressure::SharedPressure;
use crate::rates::Rates;
use crate::service::Supervisor;
use crate::settings::Settings;
use crate::shared::{DebugSwitches, Run, SettingsTaken, Shared, command_table};
use crate::slow_commands::CommandLogs;
use crate::worker::Worker;
use crate::{admin, crash, listen, log, oom, service, settings_apply, settings_view, signals};
use ochre_commands::table::Table;
use ochre_keyspace::{Keyspace, Options};
use ochre_reactor::Reactor;
use ochre_reactor::process::Title;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

/// Runs the server with these arguments until it is told to stop.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let settings = match Settings::from_args(&arguments) {
        Ok(settings) => settings,
        Err(exit) => return exit.report(),
    };
    let mut commands = command_table();
    if let Err(exit) = settings_view::rename_commands(&settings, &mut commands) {
        return exit.report();
    }
    log::apply(&settings);
    let access = match AccessControl::at_start(&settings, &commands) {
        Ok(access) => access,
        Err(exit) => return exit.report(),
    };
    match serve(settings, commands, access, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::warning(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(
    settings: Settings,
    commands: Table<Run>,
    access: AccessControl,
    arguments: &[OsString],
) -> Result<(), String> {
    // Before there is any thread, for a child would lack it.
    service::go_to_background(&settings)?;
    let supervisor = Supervisor::of(&settings);
    crash::report_panics(&settings);
    let executable = executable(arguments);
    let title = if settings.process.set_proc_title.get() { Title::find() } else { None };

    let threads = settings.threads.count();
    let shards = settings.threads.shard_count();
    banner();
    for variable in settings.ignored_variables() {
        log::warning(format_args!("The environment variable {variable} names no setting and is ignored"));
    }
    for line in settings.lines().modules.iter().chain(&settings.lines().module_settings) {
        let line = String::from_utf8_lossy(&line.text);
        log::warning(format_args!(
            "WARNING '{line}' is read over: this server cannot load modules, and lacks what they do."
        ));
    }
    for name in settings.changed_but_not_yet() {
        log::warning(format_args!(
            "WARNING '{name}' is set, but does nothing yet: this version lacks what it is about."
        ));
    }

    let desks = Shared::desks(threads, commands.ids());
    let options =
        Options { shards, single_threaded: threads == 1 && shards == 1, databases: settings.process.databases.get() };
    let backend = settings_view::io_backend(&settings);
    // The loops borrow it on every command, and it lives as long as the process.
    let shared: &'static Shared = Box::leak(Box::new(Shared {
        aside: Default::default(),
        keyspace: Keyspace::new(options, Shared::waker_of(&desks)),
        typed: crate::small_clients::TypedRows::new(&commands),
        commands,
        desks,
        access,
        registry: Registry::default(),
        pause: Pause::default(),
        errors: ErrorCounts::default(),
        pubsub: Default::default(),
        tracking: Default::default(),
        started_ms: ochre_clock::now_ms(),
        run_id: random_hex_40(),
        replication: crate::replication::Replication::new(random_hex_40()),
        shutting_down: AtomicBool::new(false),
        active_expire: AtomicBool::new(true),
        debug: DebugSwitches::default(),
        executable,
        startup_bytes: ochre_collections::allocated_bytes() as u64,
        settings_version: 0.into(),
        settings_taken: SettingsTaken::default(),
        listeners: listen::OpenListeners::default(),
        lazyfree: Lazyfree::start().map_err(|error| format!("Can't start the thread that frees: {error}"))?,
        command_logs: CommandLogs::default(),
        latency_events: LatencyEvents::default(),
        hot_keys: crate::hot_keys::HotKeys::new(threads),
        monitors: Monitors::default(),
        log: Log::default(),
        saves: Saves::new(ochre_clock::now_ms()),
        ending: Default::default(),
        snapshot_thread: WritingThread::start()
            .map_err(|error| format!("Can't start the thread that writes snapshots: {error}"))?,
        alerts: Alerts::default(),
        log_closed: AtomicBool::new(false),
        aof: Aof::default(),
        loading: Default::default(),
        rates: Rates::default(),
        scripts: crate::scripts::Scripts::new(threads),
        tls: Default::default(),
        pressure: SharedPressure::default(),
        supervisor,
        is_serving: AtomicBool::new(false),
        settings,
    }));
    settings_apply::register(shared);
    shared.saves.set_function_sources(Box::new(|| shared.scripts.functions.codes()));
    if let Err(error) = oom::apply(&shared.settings) {
        log::warning(format_args!("{error}"));
    }
    admin::start(shared)?;
    shared.tls.reload(&shared.settings).map_err(|error| {
        log::warning(format_args!("{error}"));
        "Failed to configure TLS. Check logs for more info.".to_owned()
    })?;
    let unix_listener = listen::open(shared)?;
    // Whoever waits for this line may connect from now on.
    log::notice(format_args!(
        "Running mode=standalone, port={}, threads={threads}, shards={shards}. PID: {}",
        settings_view::shown_port(&shared.settings),
        std::process::id()
    ));
    signals::watch(shared).map_err(|error| format!("Can't handle signals: {error}"))?;

    let mut reactors = Vec::new();
    for _ in 0..threads {
        let options = ochre_reactor::Options { backend, ..ochre_reactor::Options::default() };
        let reactor = Reactor::new(options).map_err(|error| format!("Can't start the event loop: {error}"))?;
        reactors.push(reactor);
    }
    service::write_pid_file(&shared.settings);
    show_title(shared, title, arguments);
    log::notice(format_args!("Server initialized"));
    aof::start_thread(shared).map_err(|error| format!("Can't start the thread that writes the log: {error}"))?;
    if aof::is_wanted(shared) {
        aof::start(shared)?;
    } else {
        crate::persistence::load_file::start(shared)?;
    }
    // The first loop accepts for all; each connection goes to the least loaded one.
    if let Some(listener) = unix_listener {
        reactors[0].add_listener(listener);
    }
    run_loops(shared, reactors);
    supervisor.stopping();
    if let Err(error) = shared.log.close() {
        log::warning(format_args!("Can't write the append only file to its end: {error}"));
    }
    save::remove_temporary_file();
    listen::remove_unix_socket(&shared.settings);
    service::remove_pid_file(&shared.settings);
    log::warning(format_args!("Ochre is now ready to exit, bye bye..."));
    Ok(())
}

/// Shows the title of the process, now and whenever what it is made of changes.
fn show_title(shared: &'static Shared, title: Option<Title>, arguments: &[OsString]) {
    let Some(title) = title else { return };
    let program = arguments.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    let show = move || {
        let text = service::title(&shared.settings, &program);
        title.show(&text).map_err(|error| format!("failed to set the title of the process: {error}"))
    };
    if let Err(error) = show() {
        log::warning(format_args!("{error}"));
    }
    shared.settings.on_change(&["proc-title-template", "port", "tls-port", "bind"], move |_| show());
}

/// The stack of an event loop, as large as the main thread's: scripts may nest their values deeply.
const LOOP_STACK_BYTES: usize = 8 << 20;

/// Runs every loop on a thread of its own, the first on this one, until all have ended.
fn run_loops(shared: &'static Shared, reactors: Vec<Reactor>) {
    std::thread::scope(|scope| {
        for (id, reactor) in reactors.into_iter().enumerate().rev() {
            let body = move || {
                if let Err(error) = Worker::new(id, shared).run(reactor) {
                    log::warning(format_args!("Event loop {id} failed: {error}"));
                    shared.stop();
                }
            };
            if id == 0 {
                body();
            } else if let Err(error) = std::thread::Builder::new()
                .name(format!("loop-{id}"))
                .stack_size(LOOP_STACK_BYTES)
                .spawn_scoped(scope, body)
            {
                log::warning(format_args!("Can't start event loop {id}: {error}"));
                shared.stop();
            }
        }
    });
}

/// The program's file, absolute if the system tells.
fn executable(arguments: &[OsString]) -> String {
    let path = std::env::current_exe().map(std::path::PathBuf::into_os_string);
    path.ok().or_else(|| arguments.first().cloned()).unwrap_or_default().to_string_lossy().into_owned()
}

fn banner() {
    let version = env!("CARGO_PKG_VERSION");
    let pid = std::process::id();
    log::notice(format_args!("oO0OoO0OoO0Oo Ochre is starting oO0OoO0OoO0Oo"));
    log::notice(format_args!("Ochre version={version}, bits=64, pid={pid}, just started"));
}

/// 160 random bits as the 40 hexadecimal digits of a run id.
pub fn random_hex_40() -> String {
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
