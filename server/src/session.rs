//! One connection: its buffers, what it has said about itself, and what it waits for.

use crate::access;
use crate::clients::{Client, traits};
use crate::commands::hash_import::Fieldsets;
use crate::commands::pubsub::Subscriptions;
use crate::migration::Migration;
use crate::shared::Shared;
use crate::tracking::Tracked;
use crate::transaction::{Transaction, Watch};
use ochre_acl::User;
use ochre_collections::lock::Attempt;
use ochre_reactor::{TimerId, Token};
use ochre_resp::request::Parser;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What keeps a client's next command from running.
#[derive(Debug, Default)]
pub enum Wait {
    #[default]
    Nothing,
    /// A busy shard: the lock that it was last parked on wakes it.
    Shard(Attempt),
    /// CLIENT PAUSE.
    Pause,
    /// The disk: more replies wait for it than may.
    Disk,
    /// Another thread's work, whose end brings the reply.
    Answer,
    /// Its command, which runs on a thread of its own.
    Aside,
    /// A key with something to take.
    Key { waiter: Arc<ochre_keyspace::Waiter>, timer: Option<TimerId> },
}

/// Which replies a client wants (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// The reply of the command that runs is dropped, and the next one's too.
    SkipNext,
    /// The reply of the command that runs is dropped.
    Skip,
}

/// What an event loop knows of a client.
pub struct Session {
    pub token: Token,
    pub client: Arc<Client>,
    pub parser: Parser,
    /// Bytes received and not yet parsed; empty (and unallocated) between whole commands.
    pub input: Vec<u8>,
    /// Replies not yet handed to the reactor.
    pub output: Vec<u8>,
    /// Number of outputs that wait for the log.
    pub held: u32,
    /// Bytes of these.
    pub held_bytes: usize,
    pub wait: Wait,
    /// The attempt at a busy shard that goes on with the next command.
    pub resumed_attempt: Option<Attempt>,
    pub db: usize,
    /// RESP version, 2 or 3.
    pub protocol: u8,
    /// The client may run commands: it has logged in, or need not.
    pub authenticated: bool,
    /// It may run commands, and any of them.
    pub unrestricted: bool,
    /// It gave a password, or none was needed when it came.
    pub logged_in: bool,
    /// Who it is; what that user was at `access_version`.
    pub user: Arc<User>,
    pub access_version: u64,
    pub reply_mode: ReplyMode,
    /// Set by QUIT and fatal errors: close once the replies are sent, and run nothing more.
    pub closing: bool,
    /// It leaves more unread than it may: close now, and send nothing more.
    pub overflows: bool,
    /// What it takes of the memory that `maxmemory-clients` limits, as far as the loop's sum knows, bytes.
    pub charged_bytes: usize,
    /// The client has said that it will send nothing more.
    pub input_ended: bool,
    /// What was sent to it last did not fit a buffer of the usual size.
    pub replies_are_large: bool,
    /// Since when it has left more unread than the soft limit of its class, Unix ms.
    pub over_limit_since_ms: Option<u64>,
    /// What it listens to, when it listens to anything.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// Between MULTI and EXEC.
    pub transaction: Option<Box<Transaction>>,
    pub watch: Option<Box<Watch>>,
    /// How it is told of changes to what it has read, when it is.
    pub tracked: Option<Box<Tracked>>,
    /// What it is as a replica, when it is one or about to be.
    pub replica: Option<Box<crate::replication::Replica>>,
    /// Fields that it has named for HIMPORT.
    pub fieldsets: Option<Box<Fieldsets>>,
    /// Keys that MIGRATE has sent, when it is about to remove them.
    pub migration: Option<Box<Migration>>,
    /// Set when it is the server that is followed.
    pub stream: Option<Box<crate::worker::Stream>>,
}

impl Session {
    pub fn new(token: Token, client: Arc<Client>, shared: &Shared) -> Self {
        let user = Arc::clone(shared.access.users().default_user());
        let mut session = Session {
            token,
            client,
            parser: Parser::default(),
            input: Vec::new(),
            output: Vec::new(),
            held: 0,
            held_bytes: 0,
            wait: Wait::Nothing,
            resumed_attempt: None,
            db: 0,
            protocol: 2,
            authenticated: false,
            unrestricted: false,
            logged_in: false,
            user,
            access_version: 0,
            reply_mode: ReplyMode::On,
            closing: false,
            overflows: false,
            charged_bytes: 0,
            input_ended: false,
            replies_are_large: false,
            over_limit_since_ms: None,
            subscriptions: None,
            transaction: None,
            watch: None,
            tracked: None,
            replica: None,
            fieldsets: None,
            migration: None,
            stream: None,
        };
        access::log_out(shared, &mut session);
        session
    }

    /// Keeps bytes of a command that is not complete. The buffer grows with what is there, as vectors do, but not beyond what
    /// the command says that it needs.
    pub fn keep_input(&mut self, bytes: &[u8]) {
        let input = &mut self.input;
        let needed = input.len() + bytes.len();
        if needed > input.capacity() {
            let grown = needed.max(2 * input.capacity());
            let end = self.parser.announced_end().filter(|end| *end >= needed);
            input.reserve_exact(end.map_or(grown, |end| grown.min(end)) - input.len());
        }
        input.extend_from_slice(bytes);
    }

    pub fn id(&self) -> u64 {
        self.client.id
    }

    /// Whether the session runs no command for now.
    pub fn is_waiting(&self) -> bool {
        !matches!(self.wait, Wait::Nothing)
    }

    /// Selects a database; its number was checked.
    pub fn select(&mut self, db: usize) {
        self.db = db;
        self.client.db.store(db, Ordering::Relaxed);
    }

    /// Changes the protocol version.
    pub fn set_protocol(&mut self, version: u8) {
        self.protocol = version;
        self.client.protocol.store(u32::from(version), Ordering::Relaxed);
    }

    /// Goes back to what a fresh connection is (RESET).
    pub fn reset(&mut self, shared: &Shared) {
        self.select(0);
        self.set_protocol(2);
        self.reply_mode = ReplyMode::On;
        self.client.set(traits::NO_EVICT | traits::NO_TOUCH | traits::MONITOR, false);
        self.client.texts().name.clear();
        self.fieldsets = None;
        access::log_out(shared, self);
    }
}
