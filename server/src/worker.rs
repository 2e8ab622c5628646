//! An event loop: one thread, its connections, and the turn in which their commands run.

mod connections;
mod stream;
mod waiting;

pub use stream::Stream;

use crate::blocking::Leftover;
use crate::clients::{Client, traits};
use crate::counters::Counters;
use crate::dispatch::{Call, Flow};
use crate::held::HeldReplies;
use crate::persistence::snapshot;
use crate::pressure::{self, Pressure};
use crate::session::{Session, Wait};
use crate::settings::network::OutputClass;
use crate::shared::{Message, Shared};
use crate::{crash, cron, settings_view};
use ochre_keyspace::{Context, Effects, Waiter};
use ochre_reactor::{Event, Handler, Reactor, Timers, Token};
use ochre_resp::{Batch, Parsed, Parser, Protocol, Reply};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Commands parsed ahead and looked up together, so that their memory accesses overlap.
const BATCH_COMMANDS_MAX: usize = 64;
/// Output buffers kept for reuse, and the largest that is.
const POOL_BUFFERS_MAX: usize = 256;
const POOL_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Larger ones: a reply that grows from nothing to its size is copied about once on the way.
const LARGE_BUFFERS_MAX: usize = 64;
const LARGE_BUFFER_BYTES_MAX: usize = 512 * 1024;
/// Replies are handed to the reactor when they have grown to this size, even in the middle of a pipeline.
const OUTPUT_CHUNK_BYTES: usize = 256 * 1024;

/// One event loop.
pub struct Worker {
    pub id: usize,
    pub shared: &'static Shared,
    counters: &'static Counters,
    pub context: Context,
    pub effects: Effects,
    /// Sessions by the index of their token.
    sessions: Vec<Option<Box<Session>>>,
    /// Tokens by client id, for messages from other threads.
    tokens: HashMap<u64, Token, BuildHasherDefault<IdHasher>>,
    pool: Vec<Vec<u8>>,
    /// Larger buffers, for clients whose last replies were large; given up by and by when they are not used.
    large_pool: Vec<Vec<u8>>,
    /// Arguments of the commands of the batch that runs.
    batch: Batch,
    calls: Vec<Call>,
    /// Keys of requests that come later in this turn: database and hash.
    ahead: Vec<(usize, u64)>,
    ahead_batch: Batch,
    messages: Vec<Message>,
    /// Messages that came while a script took too long, for its end.
    deferred: Vec<Message>,
    /// Lua, once a client has used it.
    pub scripts: Option<Box<crate::scripts::thread::ThreadScripts>>,
    /// Clients whose commands may run now, though nothing new has come from them.
    runnable: Vec<u64>,
    /// Clients that wait for the end of CLIENT PAUSE.
    paused: Vec<u64>,
    /// When the waits of blocked clients end.
    pub timers: Timers<Arc<Waiter>>,
    pub leftovers: Vec<Leftover>,
    /// The memory of the last transaction's queue, for the next one.
    pub spare_queue: crate::transaction::Queue,
    /// This loop's part in the snapshot that is being taken.
    pub walker: Option<snapshot::Walker>,
    /// Snapshots that wait for all shards.
    pub cuts: std::collections::VecDeque<snapshot::PendingCut>,
    /// Keys that became ready while the locks to serve those who wait for them were not held: database and key.
    pub ready: Vec<(usize, Box<[u8]>)>,
    pub cron: cron::Cron,
    pub pressure: Pressure,
    /// While a script runs: what TIME has told it, Unix time in µs; 0 when it has not asked yet.
    pub script_time_us: Option<u64>,
    /// The server follows another: only that one writes.
    pub follows: bool,
    /// Replicas among this loop's clients.
    pub replicas: Vec<u64>,
    /// Replies that wait for the log.
    pub held: HeldReplies,
    /// End of the last command, ns of the monotonic clock: the next command's beginning.
    pub last_tick_ns: u64,
    /// Commands that take at least so long are looked at: for the slow log, for latency events, for hot keys (then all are), ns.
    pub slow_ns: u64,
    /// Whether how long commands take goes to their histograms.
    pub tracks_latency: bool,
    /// Requests and replies of at least so many bytes are looked at: for the command log, for hot keys (then all are).
    pub large_request_bytes: usize,
    pub large_reply_bytes: usize,
    /// The version of the settings that this loop's copies are from.
    settings_version: u64,
    /// The TCP listeners, on the first loop.
    listeners: Vec<Token>,
    /// Those of them whose clients speak TLS.
    tls_listeners: Vec<Token>,
    stopping: bool,
}

impl Worker {
    pub fn new(id: usize, shared: &'static Shared) -> Self {
        let mut worker = Worker {
            id,
            context: Context::default(),
            effects: Effects::default(),
            sessions: Vec::new(),
            tokens: HashMap::default(),
            pool: Vec::new(),
            large_pool: Vec::new(),
            batch: Batch::default(),
            calls: Vec::new(),
            ahead: Vec::new(),
            ahead_batch: Batch::default(),
            messages: Vec::new(),
            deferred: Vec::new(),
            scripts: None,
            runnable: Vec::new(),
            paused: Vec::new(),
            timers: Timers::new(),
            leftovers: Vec::new(),
            spare_queue: Default::default(),
            walker: None,
            cuts: Default::default(),
            ready: Vec::new(),
            cron: cron::Cron::new(id),
            pressure: Pressure::default(),
            script_time_us: None,
            follows: false,
            replicas: Vec::new(),
            held: HeldReplies::default(),
            last_tick_ns: ochre_clock::monotonic_ns(),
            slow_ns: u64::MAX,
            tracks_latency: true,
            large_request_bytes: usize::MAX,
            large_reply_bytes: usize::MAX,
            settings_version: 0,
            listeners: Vec::new(),
            tls_listeners: Vec::new(),
            stopping: false,
            counters: &shared.desks[id].counters,
            shared,
        };
        worker.read_clock();
        worker.apply_settings();
        worker
    }

    /// A client without a connection, for commands that come from elsewhere.
    pub fn stand_in_session(&self) -> Session {
        let client = Client::new(0, self.id as u32, String::new(), self.context.now_ms);
        let mut session = Session::new(Token::from_bits(u64::MAX), Arc::new(client), self.shared);
        session.authenticated = true;
        session.unrestricted = true;
        session
    }

    /// Serves until the server stops.
    pub fn run(mut self, mut reactor: Reactor) -> std::io::Result<()> {
        let desk = &self.shared.desks[self.id];
        let _ = desk.waker.set(reactor.waker());
        // Commands and busy time of all turns so far.
        let mut before = (0, 0);
        while !self.stopping {
            self.shared.note_settings_taken(desk, self.settings_version);
            let walks = self.walker.as_ref().is_some_and(snapshot::Walker::has_work);
            let has_work = !self.runnable.is_empty()
                || !self.ready.is_empty()
                || !self.leftovers.is_empty()
                || self.pressure.unfinished
                || walks;
            let timeout = match has_work {
                true => Duration::ZERO,
                false => self.cron.timeout(self.context.now_ms, self.timers.next_deadline_ms()),
            };
            reactor.turn(Some(timeout), &mut self)?;
            self.read_clock();
            self.drain_mailbox(&mut reactor);
            self.run_runnable(&mut reactor);
            cron::run(&mut self, &mut reactor);
            snapshot::step(&mut self);
            if self.pressure.unfinished {
                pressure::make_room(&mut self);
            }
            self.end_turn_of_log(&mut reactor);
            self.feed_replicas(&mut reactor);
            self.note_turn(&mut before);
        }
        Ok(())
    }

    /// Counts a turn, and how much of it there was.
    fn note_turn(&self, before: &mut (u64, u64)) {
        let counters = self.counters();
        counters.turns.add(1);
        let now = (counters.commands_processed.get(), counters.busy_nanoseconds.get());
        // A reset in between makes both smaller.
        counters.turn_commands_max.note(now.0.saturating_sub(before.0));
        counters.turn_nanoseconds_max.note(now.1.saturating_sub(before.1));
        *before = now;
    }

    #[inline]
    pub fn counters(&self) -> &'static Counters {
        self.counters
    }

    /// Reads the wall clock into the context.
    pub fn read_clock(&mut self) {
        let now_ms = ochre_clock::now_ms();
        // The clock may be set back; for a thread it never runs backwards.
        self.context.now_ms = self.context.now_ms.max(now_ms);
        let dice = self.last_tick_ns as u32;
        let policy = self.context.access.policy();
        self.context.access = ochre_keyspace::AccessClock::new(policy, self.context.now_ms, dice);
    }

    /// Takes over what this thread keeps a copy of.
    pub fn apply_settings(&mut self) {
        self.settings_version = self.shared.settings_version.load(Ordering::Acquire);
        self.context.limits = settings_view::limits(&self.shared.settings);
        self.context.limits.list_plain_node_bytes_min = self.shared.debug.list_plain_node_bytes.load(Ordering::Relaxed);
        self.context.skip_checksums = self.shared.debug.skip_checksums.load(Ordering::Relaxed);
        self.context.dialect = settings_view::dialect(&self.shared.settings);
        let policy = settings_view::access_policy(&self.shared.settings);
        self.context.access = ochre_keyspace::AccessClock::new(policy, self.context.now_ms, 1);
        self.context.notify = settings_view::notify(&self.shared.settings);
        // What a replica's log has is what the other server's has.
        self.follows = self.shared.replication.follows();
        self.context.log_wanted = self.shared.log.is_wanted() && !self.follows;
        self.context.removes_expired = !self.follows;
        self.held.set_policy(self.shared.log.policy());
        self.context.lazy_server_del = self.shared.settings.memory.lazyfree_lazy_server_del.get();
        self.slow_ns = settings_view::slow_ns(&self.shared.settings);
        self.tracks_latency = self.shared.settings.logging.latency_tracking.get();
        (self.large_request_bytes, self.large_reply_bytes) = settings_view::large_bytes(&self.shared.settings);
        if self.shared.hot_keys.is_active() {
            (self.slow_ns, self.large_request_bytes) = (0, 0);
        }
        self.cron.apply_settings(&self.shared.settings);
        crate::tracking::limit(self.shared, &mut self.shared.tracking.registry());
        self.pressure.apply_settings(&self.shared.settings);
        if self.follows && self.shared.settings.replication.replica_ignore_maxmemory.get() {
            self.pressure.ignore_limit();
        }
    }

    /// Every session of this loop.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().flatten().map(|session| &**session)
    }

    /// Takes the session of a client out of its place.
    pub fn take_client(&mut self, client: u64) -> Option<Box<Session>> {
        let token = *self.tokens.get(&client)?;
        self.take(token)
    }

    fn take(&mut self, token: Token) -> Option<Box<Session>> {
        let place = self.sessions.get_mut(token.index())?;
        place.take_if(|session| session.token == token)
    }

    pub fn put_back(&mut self, session: Box<Session>) {
        let index = session.token.index();
        self.sessions[index] = Some(session);
    }

    // ---- input ----

    fn received(&mut self, reactor: &mut Reactor, token: Token, bytes: &[u8]) {
        let Some(mut session) = self.take(token) else { return };
        self.read_clock();
        if self.settings_version != self.shared.settings_version.load(Ordering::Acquire) {
            self.apply_settings();
        }
        self.counters().reads.add(1);
        self.counters().net_input_bytes.add(bytes.len() as u64);
        let client = &session.client;
        client.net_input_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if session.closing {
            self.put_back(session);
            return;
        }
        if session.input.is_empty() && !session.is_waiting() {
            let consumed = self.process(reactor, &mut session, bytes);
            session.input.extend_from_slice(&bytes[consumed..]);
        } else {
            session.keep_input(bytes);
            self.process_input(reactor, &mut session);
        }
        self.settle(reactor, session);
    }

    /// Runs what has been received of a client before.
    pub fn process_input(&mut self, reactor: &mut Reactor, session: &mut Session) {
        if session.is_waiting() || session.closing {
            return;
        }
        let mut input = std::mem::take(&mut session.input);
        let consumed = self.process(reactor, session, &input);
        if consumed == input.len() {
            input.clear();
            // An idle connection keeps no buffer.
            if input.capacity() <= 16 * 1024 {
                return;
            }
            input = Vec::new();
        } else {
            input.drain(..consumed);
        }
        session.input = input;
    }

    /// After a client's commands ran: sends its replies, enforces its limits, and keeps or ends it.
    pub fn settle(&mut self, reactor: &mut Reactor, mut session: Box<Session>) {
        let queued = session.input.len();
        let understood = session.parser.understood().min(queued);
        session.client.query_buffer.store(queued - understood, Ordering::Relaxed);
        session.client.query_buffer_free.store(session.input.capacity() - queued, Ordering::Relaxed);
        session.client.argument_bytes.store(understood, Ordering::Relaxed);
        session.client.query_buffer_peak.fetch_max(queued, Ordering::Relaxed);
        // The server that is followed may send what it could take itself.
        if queued > self.shared.settings.network.client_query_buffer_limit_bytes.get() && session.stream.is_none() {
            let line = crate::commands::connection::describe(&session.client, self.shared, self.context.now_ms);
            crate::log::warning(format_args!("Closing client that reached max query buffer length: {line}"));
            self.counters().query_buffer_limit_disconnections.add(1);
            return self.end(reactor, session, false);
        }
        if session.overflows {
            return self.end_overflowing(reactor, session);
        }
        if session.closing || (session.input_ended && !session.is_waiting()) {
            return self.end(reactor, session, true);
        }
        self.send_output(reactor, &mut session);
        let unsent = session.unsent_bytes(reactor);
        session.client.output_bytes.store(unsent, Ordering::Relaxed);
        session.client.output_buffers.store(reactor.unsent_buffers(session.token), Ordering::Relaxed);
        let multi_bytes = session.transaction.as_deref().map_or(0, |transaction| transaction.bytes);
        session.client.multi_bytes.store(multi_bytes, Ordering::Relaxed);
        self.charge(&mut session, unsent);
        if unsent > 0 && self.exceeds_output_limit(&mut session, unsent) {
            return self.end_overflowing(reactor, session);
        }
        if !session.authenticated && unsent > 1024 {
            // Nobody who has not logged in may fill the server's memory with errors.
            return self.end(reactor, session, false);
        }
        self.put_back(session);
        self.limit_clients(reactor);
    }

    /// Ends the connection of a client that leaves too much unread.
    fn end_overflowing(&mut self, reactor: &mut Reactor, session: Box<Session>) {
        let line = crate::commands::connection::describe(&session.client, self.shared, self.context.now_ms);
        crate::log::warning(format_args!(
            "Client {line} scheduled to be closed ASAP for overcoming of output buffer limits."
        ));
        self.counters().output_buffer_limit_disconnections.add(1);
        self.end(reactor, session, false);
    }

    /// Whether a client leaves more unread than `client-output-buffer-limit` allows for its class.
    fn exceeds_output_limit(&self, session: &mut Session, unsent: usize) -> bool {
        // How far a replica is behind is looked at where it is sent the stream.
        if session.client.has(traits::REPLICA) {
            return false;
        }
        // Whoever monitors is sent what it did not ask for, as a subscriber is.
        let is_told = session.subscriptions.is_some() || session.client.has(traits::MONITOR);
        let class = if is_told { OutputClass::Pubsub } else { OutputClass::Normal };
        let limit = self.shared.settings.network.client_output_buffer_limit.get(class);
        if limit.hard_bytes > 0 && unsent as u64 > limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || (unsent as u64) <= limit.soft_bytes {
            session.over_limit_since_ms = None;
            return false;
        }
        let since_ms = *session.over_limit_since_ms.get_or_insert(self.context.now_ms);
        self.context.now_ms - since_ms > limit.soft_seconds * 1000
    }

    fn send_output(&mut self, reactor: &mut Reactor, session: &mut Session) {
        if !session.output.is_empty() {
            let output = std::mem::take(&mut session.output);
            self.send(reactor, session, output);
        }
    }

    fn send(&mut self, reactor: &mut Reactor, session: &mut Session, output: Vec<u8>) {
        let bytes = output.len() as u64;
        session.replies_are_large = output.len() > POOL_BUFFER_BYTES_MAX;
        self.counters().writes.add(1);
        self.counters().net_output_bytes.add(bytes);
        session.client.net_output_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.send_when_safe(reactor, session, output);
    }

    /// Writes to a client's output from outside its commands, and sends it.
    pub fn with_output(&mut self, reactor: &mut Reactor, client: u64, write: impl FnOnce(&mut Vec<u8>, Protocol)) {
        let Some(mut session) = self.take_client(client) else { return };
        if session.output.capacity() == 0 {
            session.output = self.fresh_buffer(&session);
        }
        let protocol = protocol_of(&session);
        write(&mut session.output, protocol);
        self.settle(reactor, session);
    }

    /// A large buffer has left: the client takes that much less.
    #[cold]
    fn note_sent(&mut self, reactor: &mut Reactor, token: Token) {
        if let Some(mut session) = self.take(token) {
            let unsent = session.unsent_bytes(reactor);
            session.client.output_bytes.store(unsent, Ordering::Relaxed);
            self.charge(&mut session, unsent);
            self.put_back(session);
        }
    }

    fn recycle(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        let (pool, buffers_max) = match bytes <= POOL_BUFFER_BYTES_MAX {
            true => (&mut self.pool, POOL_BUFFERS_MAX),
            false => (&mut self.large_pool, LARGE_BUFFERS_MAX),
        };
        if bytes > 0 && bytes <= LARGE_BUFFER_BYTES_MAX && pool.len() < buffers_max {
            buffer.clear();
            pool.push(buffer);
        }
    }

    /// An empty buffer for the replies of a client.
    #[inline]
    fn fresh_buffer(&mut self, session: &Session) -> Vec<u8> {
        let large = if session.replies_are_large { self.large_pool.pop() } else { None };
        large.or_else(|| self.pool.pop()).unwrap_or_default()
    }

    /// Gives up half of the large buffers that are not in use, once a second: an idle server keeps none.
    pub fn give_up_buffers(&mut self) {
        self.large_pool.truncate(self.large_pool.len() / 2);
    }

    /// Runs the whole commands at the beginning of `buffer`; the answer is how many bytes they took.
    fn process(&mut self, reactor: &mut Reactor, session: &mut Session, buffer: &[u8]) -> usize {
        if session.stream.is_some() {
            return self.process_stream(reactor, session, buffer);
        }
        // The first command begins now; each later one where the one before it ended.
        let began_ns = ochre_clock::monotonic_ns();
        self.last_tick_ns = began_ns;
        if session.access_version != self.shared.access.version() && !crate::access::refresh(self.shared, session) {
            session.closing = true;
            return buffer.len();
        }
        let mut batch = std::mem::take(&mut self.batch);
        let mut calls = std::mem::take(&mut self.calls);
        let mut output = std::mem::take(&mut session.output);
        if output.capacity() == 0 {
            output = self.fresh_buffer(session);
        }
        self.context.no_touch = session.client.has(traits::NO_TOUCH);
        (self.effects.origin, self.effects.listener) = (session.id(), session.id());
        self.before_commands();
        session.client.query_buffer.store(buffer.len(), Ordering::Relaxed);
        let mut consumed = 0;
        loop {
            batch.clear();
            calls.clear();
            let (parsed_to, more) = self.parse(session, &buffer[consumed..], &mut batch, &mut calls);
            self.prefetch(session, &calls, &batch, &buffer[consumed..]);
            let mut stopped = false;
            for call in &calls {
                let words = batch.args(&call.command, &buffer[consumed + call.start..]);
                match self.execute_safely(reactor, session, call, words, &mut output) {
                    Flow::Done => {}
                    Flow::Close => {
                        session.closing = true;
                        stopped = true;
                    }
                    Flow::Wait => {
                        consumed += call.start;
                        stopped = true;
                    }
                    Flow::Blocked => {
                        consumed += call.start + call.command.consumed;
                        stopped = true;
                    }
                }
                if stopped {
                    break;
                }
                if output.len() >= OUTPUT_CHUNK_BYTES {
                    session.replies_are_large = true;
                    let next = self.fresh_buffer(session);
                    self.send(reactor, session, std::mem::replace(&mut output, next));
                    let unsent = session.unsent_bytes(reactor);
                    if self.exceeds_output_limit(session, unsent) {
                        (session.overflows, session.closing, stopped) = (true, true, true);
                        break;
                    }
                    self.charge(session, unsent);
                    if session.is_waiting() {
                        // For the disk: it goes on from here when that has come along.
                        consumed += call.start + call.command.consumed;
                        stopped = true;
                        break;
                    }
                    if self.clients_take_too_much() {
                        // The rest has its turn once the largest are disconnected, if this is none of them.
                        consumed += call.start + call.command.consumed;
                        self.runnable.push(session.id());
                        stopped = true;
                        break;
                    }
                }
            }
            if stopped {
                // It may stand within a command that was parsed ahead; what is left is parsed anew.
                session.parser = Parser::new();
                if session.closing {
                    consumed = buffer.len();
                }
                break;
            }
            consumed += parsed_to;
            match more {
                More::Yes => {}
                More::Incomplete => break,
                More::Error(error) => {
                    self.protocol_error(session, &error, &mut output);
                    consumed = buffer.len();
                    break;
                }
            }
        }
        (self.effects.origin, self.effects.listener) = (0, 0);
        session.output = output;
        self.flush_stats(session);
        self.counters().busy_nanoseconds.add(self.last_tick_ns - began_ns);
        batch.trim();
        self.batch = batch;
        self.calls = calls;
        consumed
    }

    /// Parses commands from the beginning of `buffer`, up to the size of a batch. Answers how far it got and what follows.
    fn parse(
        &mut self,
        session: &mut Session,
        buffer: &[u8],
        batch: &mut Batch,
        calls: &mut Vec<Call>,
    ) -> (usize, More) {
        let limits = settings_view::request_limits(&self.shared.settings, session.authenticated);
        // Before a client has logged in, each command may change what the next one may do.
        let most = if session.authenticated { BATCH_COMMANDS_MAX } else { 1 };
        let mut at = 0;
        while calls.len() < most {
            match session.parser.next(&buffer[at..], batch, &limits) {
                Ok(Parsed::Command(command)) => {
                    let words = batch.args(&command, &buffer[at..]);
                    calls.push(Call::new(&self.shared.commands, command, at, words));
                    at += command.consumed;
                }
                Ok(Parsed::Empty { consumed }) => at += consumed,
                Ok(Parsed::Incomplete { .. }) => return (at, More::Incomplete),
                Err(error) => return (at, More::Error(error.to_string())),
            }
        }
        (at, More::Yes)
    }

    /// Brings the places of the batch's keys into the cache: first their buckets, then their entries, then what is looked for in
    /// large collections.
    fn prefetch(&self, session: &Session, calls: &[Call], batch: &Batch, buffer: &[u8]) {
        if calls.len() < 2 {
            return;
        }
        let keyspace = &self.shared.keyspace;
        let keyed = calls.iter().filter(|call| call.key_word != 0);
        keyspace.prefetch(keyed.map(|call| (session.db, call.key_hash)));
        if calls.iter().any(Call::has_member) {
            let with_member = calls.iter().filter(|call| call.has_member());
            keyspace
                .prefetch_members(with_member.filter_map(|call| {
                    call.member_place(session.db, batch.args(&call.command, &buffer[call.start..]))
                }));
        }
    }

    /// Runs one command; a panic in it ends at this door.
    fn execute_safely(
        &mut self,
        reactor: &mut Reactor,
        session: &mut Session,
        call: &Call,
        words: ochre_resp::Args<'_>,
        output: &mut Vec<u8>,
    ) -> Flow {
        let mark = output.len();
        self.effects.touched = false;
        let run = || crate::dispatch::execute(self, reactor, session, call, words, output);
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            self.counters().panics.add(1);
            crash::handler_panicked(&self.effects, words, &panic);
            self.effects.unit.clear();
            output.truncate(mark);
            Reply::new(output, protocol_of(session)).error(ochre_commands::Error::INTERNAL.as_str());
            Flow::Done
        })
    }

    #[cold]
    fn protocol_error(&mut self, session: &mut Session, text: &str, output: &mut Vec<u8>) {
        self.counters().protocol_errors.add(1);
        self.count_error("ERR");
        crate::log::verbose(format_args!("{text} from client id={} addr={}", session.id(), session.client.address));
        Reply::new(output, protocol_of(session)).error_fmt(format_args!("ERR {text}"));
        session.closing = true;
    }

    /// Counts an error reply by its code.
    pub fn count_error(&self, code: &str) {
        self.counters().error_replies.add(1);
        self.shared.errors.count(code);
    }

    /// Hands the counters of a batch to those that other threads read.
    fn flush_stats(&mut self, session: &Session) {
        let stats = &self.effects.stats;
        let counters = &self.shared.desks[self.id].counters;
        for (cell, counter) in [
            (&stats.keyspace_hits, &counters.keyspace_hits),
            (&stats.keyspace_misses, &counters.keyspace_misses),
            (&stats.expired_keys, &counters.expired_keys),
            (&stats.expired_fields, &counters.expired_fields),
        ] {
            let count = cell.take();
            if count > 0 {
                counter.add(count);
            }
        }
        session.client.last_used_ms.store(self.context.now_ms, Ordering::Relaxed);
    }
}

/// What follows the commands that were parsed.
enum More {
    /// Perhaps another command.
    Yes,
    Incomplete,
    Error(String),
}

/// The protocol version of a session, as the reply writer wants it.
pub fn protocol_of(session: &Session) -> Protocol {
    protocol_of_version(session.protocol)
}

/// A protocol version, 2 or 3, as the reply writer wants it.
pub fn protocol_of_version(version: u8) -> Protocol {
    if version == 3 { Protocol::Resp3 } else { Protocol::Resp2 }
}

/// Requests longer than this are not looked at ahead of their turn: a pipeline fetches for itself.
const AHEAD_BYTES_MAX: usize = 256;

impl Handler for Worker {
    /// Notes the key of a request that is about to come, so that the memory accesses of all clients' requests overlap.
    fn upcoming(&mut self, token: Token, bytes: &[u8]) {
        let Some(Some(session)) = self.sessions.get(token.index()) else { return };
        if bytes.len() > AHEAD_BYTES_MAX || !session.input.is_empty() || !session.authenticated {
            return;
        }
        self.ahead_batch.clear();
        let limits = ochre_resp::Limits::default();
        if let Ok(Parsed::Command(command)) = Parser::new().next(bytes, &mut self.ahead_batch, &limits) {
            let call = Call::new(&self.shared.commands, command, 0, self.ahead_batch.args(&command, bytes));
            if call.key_hash != 0 {
                self.ahead.push((session.db, call.key_hash));
            }
        }
    }

    fn upcoming_end(&mut self) {
        let ahead = &self.ahead;
        if ahead.len() > 1 {
            self.shared.keyspace.prefetch(ahead.iter().copied());
        }
        self.ahead.clear();
    }

    fn event(&mut self, reactor: &mut Reactor, event: Event<'_>) {
        match event {
            Event::Received { token, bytes } => self.received(reactor, token, bytes),
            Event::Accepted { listener, socket } => self.accepted(reactor, listener, socket),
            Event::Secured { token } => self.secured(reactor, token),
            Event::Sent { token, buffer } => {
                if buffer.capacity() > POOL_BUFFER_BYTES_MAX {
                    self.note_sent(reactor, token);
                }
                self.recycle(buffer);
            }
            Event::PeerClosed { token } => {
                if let Some(mut session) = self.take(token) {
                    session.input_ended = true;
                    if matches!(session.wait, Wait::Key { .. }) {
                        // Whoever is blocked and gone must not be served in place of one who is there.
                        return self.end(reactor, session, false);
                    }
                    self.settle(reactor, session);
                }
            }
            Event::Failed { token, error } => self.failed(reactor, token, &error),
            Event::Closed { .. } | Event::Woken => {}
        }
    }
}

/// The hash of a client's number, which nobody chooses but the server: one multiplication instead of a keyed hash.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // The table looks at the highest bits and the lowest, so both have to depend on the number.
        let product = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }
}
