//! What all event loops share: settings, the keyspace, the command table, the clients and the counters.

use crate::access::AccessControl;
use crate::alerts::{Alert, Alerts};
use crate::clients::Registry;
use crate::commands::SessionFn;
use crate::counters::{Counters, ErrorCounts};
use crate::latency::LatencyEvents;
use crate::lazyfree::Lazyfree;
use crate::listen::OpenListeners;
use crate::monitors::Monitors;
use crate::pause::Pause;
use crate::persistence::aof::Aof;
use crate::persistence::log::Log;
use crate::persistence::save::Saves;
use crate::persistence::shutdown::Ending;
use crate::persistence::snapshot::WritingThread;
use crate::pressure::SharedPressure;
use crate::rates::Rates;
use crate::settings::Settings;
use crate::slow_commands::CommandLogs;
use ochre_collections::lock::Ticket;
use ochre_collections::mailbox::Mailbox;
use ochre_commands::DataFn;
use ochre_commands::table::{Row, Table};
use ochre_keyspace::{Keyspace, Waiter};
use ochre_reactor::Waker;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// The function behind a command: on data, under locks, or on the session.
#[derive(Clone, Copy)]
pub enum Run {
    Data(DataFn),
    Session(SessionFn),
}

/// A command as dispatch sees it.
pub type CommandRow = Row<Run>;

/// Writes the reply of a command that another thread has finished.
pub type Answer = Box<dyn FnOnce(&mut ochre_resp::Reply<'_>) + Send>;

/// What one thread tells another.
pub enum Message {
    /// A parked client's shard has become free.
    Unpark(u64),
    /// Close this client, after it has been sent what is on its way when `flush` is set.
    Kill { client: u64, flush: bool },
    /// CLIENT PAUSE ended, or was changed: look at the clients that wait for it.
    PauseChanged,
    /// Users have changed.
    AccessChanged,
    /// Settings changed that this thread keeps a copy of.
    SettingsChanged,
    /// Listen on these sockets in place of those before.
    Listen(Vec<crate::listen::Listener>),
    /// Take over a connection that another thread accepted.
    Adopt { socket: ochre_reactor::Socket, is_tls: bool },
    /// A command that ran, for a client that monitors.
    Monitored { client: u64, line: Arc<[u8]> },
    /// A message to subscribers that this loop serves.
    Deliver(Arc<crate::publish::Published>, ochre_pubsub::Delivery),
    /// A client may not use what it holds of these keys any more, or anything when there are none.
    Invalidate { client: u64, is_redirected: bool, keys: Option<Vec<Box<[u8]>>> },
    /// The client that gets this one's tracking messages has gone.
    RedirectionBroken { client: u64 },
    /// A blocked client got its reply.
    Unblocked { waiter: Arc<Waiter>, reply: Vec<u8> },
    /// Those who wait for this key may be served, but needed locks that were busy.
    Ready { db: usize, key: Box<[u8]> },
    /// Take a snapshot as soon as all shards are free.
    Cut(Box<crate::persistence::snapshot::Request>),
    /// A snapshot is being taken: walk through the keyspace.
    Walk(Arc<crate::persistence::snapshot::Job>),
    /// What waits to be written is less again: walk on.
    WalkOn,
    /// The reply of a command whose client waits for another thread's work.
    Answer { client: u64, write: Answer },
    /// A command that ran on a thread of its own.
    Ran(Box<crate::aside::Ran>),
    /// Whoever sent it waits until every loop has ended the command that it ran.
    Quiet(Arc<crate::persistence::shutdown::QuietPoint>),
    /// The log has got further, and replies or replicas wait for that.
    LogProgress,
    /// Serve the connection to the server that is followed; `rest` has come through it already.
    Follow { socket: ochre_reactor::Socket, following: Arc<crate::replication::Following>, rest: Vec<u8> },
    /// Show a replica that waits for its snapshot that somebody is there.
    SignOfLife { client: u64 },
    /// Work for the thread of a loop: with one thread, only that may touch the keyspace.
    Do(Task),
    /// A script takes too long: clients that are parked may be told so.
    ScriptOverdue,
    /// Give free memory back to the system.
    ReleaseMemory,
    /// Stop the loop.
    Stop,
}

/// Work for the thread of a loop.
pub type Task = Box<dyn FnOnce(&mut crate::worker::Worker) + Send>;

/// How other threads reach an event loop.
pub struct Desk {
    pub mailbox: Mailbox<Message>,
    pub waker: OnceLock<Waker>,
    pub counters: Counters,
    /// Number of connections that the loop serves.
    pub connections: AtomicU64,
    /// What these take of the memory that `maxmemory-clients` limits, bytes. The loop alone writes.
    pub client_bytes: AtomicUsize,
    /// Whether replies of the loop wait for the log.
    pub waits_for_log: AtomicBool,
    /// The version of the settings that the loop works with.
    pub settings_version: AtomicU64,
    /// Whether it serves replicas.
    pub feeds_replicas: AtomicBool,
    /// Whether it will look at the end of the stream before it sleeps, so that nobody need tell it of more.
    pub knows_of_more: AtomicBool,
}

impl Desk {
    fn new(commands: usize) -> Self {
        Desk {
            mailbox: Mailbox::new(),
            waker: OnceLock::new(),
            counters: Counters::new(commands),
            connections: AtomicU64::new(0),
            client_bytes: AtomicUsize::new(0),
            waits_for_log: AtomicBool::new(false),
            settings_version: AtomicU64::new(0),
            feeds_replicas: AtomicBool::new(false),
            knows_of_more: AtomicBool::new(false),
        }
    }

    /// Posts a message and wakes the loop if it sleeps.
    pub fn post(&self, message: Message) {
        if self.mailbox.post(message)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }
}

/// Shared by all threads of the server.
pub struct Shared {
    pub settings: Settings,
    /// Commands that run on threads of their own.
    pub aside: AtomicUsize,
    pub keyspace: Keyspace,
    pub commands: Table<Run>,
    pub typed: crate::small_clients::TypedRows,
    pub desks: Arc<[Desk]>,
    pub access: AccessControl,
    pub registry: Registry,
    pub pause: Pause,
    pub errors: ErrorCounts,
    pub pubsub: RwLock<ochre_pubsub::Registry>,
    pub tracking: crate::tracking::Tracking,
    /// Unix time in ms at which the server started.
    pub started_ms: u64,
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    pub replication: crate::replication::Replication,
    pub shutting_down: AtomicBool,
    /// Cleared by DEBUG SET-ACTIVE-EXPIRE 0.
    pub active_expire: AtomicBool,
    pub debug: DebugSwitches,
    pub executable: String,
    /// Memory that was allocated before the first client came.
    pub startup_bytes: u64,
    /// Grows with each CONFIG SET: a loop whose copies are older takes them anew before it runs another command.
    pub settings_version: AtomicU64,
    /// Told whenever a loop has taken them.
    pub settings_taken: SettingsTaken,
    pub listeners: OpenListeners,
    pub lazyfree: Lazyfree,
    pub command_logs: CommandLogs,
    pub latency_events: LatencyEvents,
    pub hot_keys: crate::hot_keys::HotKeys,
    pub monitors: Monitors,
    pub log: Log,
    pub saves: Saves,
    pub ending: Ending,
    pub snapshot_thread: WritingThread,
    pub alerts: Alerts,
    /// The log's thread is to end.
    pub log_closed: AtomicBool,
    pub aof: Aof,
    pub loading: crate::persistence::loading::Loading,
    pub rates: Rates,
    pub scripts: crate::scripts::Scripts,
    pub tls: crate::tls::Tls,
    pub pressure: SharedPressure,
    pub supervisor: crate::service::Supervisor,
    /// Set once connections are accepted.
    pub is_serving: AtomicBool,
}

/// Where one waits until the loops work with new settings.
#[derive(Default)]
pub struct SettingsTaken {
    lock: Mutex<()>,
    changed: Condvar,
}

/// What DEBUG turns on and off.
#[derive(Default)]
pub struct DebugSwitches {
    /// Nothing is done by the clock (PAUSE-CRON).
    pub cron_paused: AtomicBool,
    /// RDB files and RESTORE's payloads are read without a look at their checksums.
    pub skip_checksums: AtomicBool,
    /// Elements of at least so many bytes have a node of their own in long lists; 0 is the default.
    pub list_plain_node_bytes: AtomicUsize,
    /// Scripts may call commands that are marked as not for scripts.
    pub allow_all_in_scripts: AtomicBool,
}

impl Shared {
    pub fn desks(threads: usize, commands: usize) -> Arc<[Desk]> {
        (0..threads).map(|_| Desk::new(commands)).collect()
    }

    /// The function that wakes parked clients, for the keyspace's locks.
    pub fn waker_of(desks: &Arc<[Desk]>) -> impl Fn(Ticket) + Send + Sync + 'static {
        let desks = Arc::clone(desks);
        move |ticket: Ticket| {
            if let Some(desk) = desks.get(ticket.thread as usize) {
                desk.post(Message::Unpark(ticket.client));
            }
        }
    }

    /// Sends every loop the message that `make` makes.
    pub fn tell_all(&self, make: impl Fn() -> Message) {
        for desk in self.desks.iter() {
            desk.post(make());
        }
    }

    /// A loop says that it works with the settings of this version.
    #[inline]
    pub fn note_settings_taken(&self, desk: &Desk, version: u64) {
        if desk.settings_version.load(Ordering::Relaxed) != version {
            // Under the lock, so that who is about to wait for it does not miss it.
            let _guard = self.settings_taken.lock.lock().unwrap_or_else(PoisonError::into_inner);
            desk.settings_version.store(version, Ordering::Release);
            self.settings_taken.changed.notify_all();
        }
    }

    /// Waits until every loop works with the settings of now, or the server ends. Not for a loop's own thread.
    pub fn wait_for_loops(&self) {
        let version = self.settings_version.load(Ordering::Acquire);
        let is_behind = |desk: &Desk| desk.settings_version.load(Ordering::Acquire) < version;
        let mut guard = self.settings_taken.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.desks.iter().any(is_behind) && !self.shutting_down.load(Ordering::Relaxed) {
            // Loops that have ended say nothing any more.
            let waited = self.settings_taken.changed.wait_timeout(guard, Duration::from_millis(100));
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes every loop take over the settings that it keeps copies of, before its next command.
    pub fn settings_changed(&self) {
        self.settings_version.fetch_add(1, Ordering::Release);
        self.tell_all(|| Message::SettingsChanged);
    }

    /// Makes commands look at the log's state when it has failed, and only then.
    pub fn note_log_state(&self) {
        let has_failed = self.log.has_failed();
        if has_failed != self.alerts.is_on(Alert::LogFailed) {
            self.alerts.set(Alert::LogFailed, has_failed);
        }
    }

    /// Tells the loops whose replies wait for it that the log has got further.
    pub fn log_progressed(&self) {
        self.note_log_state();
        fence(Ordering::SeqCst);
        for desk in self.desks.iter() {
            if desk.waits_for_log.swap(false, Ordering::SeqCst) {
                desk.post(Message::LogProgress);
            }
        }
    }

    /// The sum of a counter of all loops.
    pub fn total(&self, counter: impl Fn(&Counters) -> u64) -> u64 {
        self.desks.iter().map(|desk| counter(&desk.counters)).sum()
    }

    /// Asks every loop to end.
    pub fn stop(&self) {
        self.shutting_down.store(true, Ordering::SeqCst);
        // Nobody may come in who finds nobody at home.
        self.listeners.close();
        self.tell_all(|| Message::Stop);
    }
}

/// The table of all commands of the server.
pub fn command_table() -> Table<Run> {
    let mut ids = 0;
    let data = ochre_commands::FAMILIES.iter().flat_map(|family| family.iter());
    let mut rows: Vec<CommandRow> = data.map(|command| Row::new(command, None, &mut ids, Run::Data)).collect();
    let session = crate::commands::FAMILIES.iter().flat_map(|family| family.iter());
    rows.extend(session.map(|command| Row::new(command, None, &mut ids, Run::Session)));
    Table::new(rows, ids)
}
