//! What runs the commands of a script: the same functions as for a client, with a script's list of guards.

use super::gate::Overdue;
use super::run::{Name, Work};
use super::thread::log;
use crate::admission;
use crate::aftermath;
use crate::alerts::Alert;
use crate::blocking;
use crate::commands::SessionCall;
use crate::dispatch::{Flow, reaches_data, shards_of};
use crate::shared::{CommandRow, Message, Run};
use crate::tracking;
use ochre_collections::{ShardSet, hash};
use ochre_commands::spec::{DENYOOM, MAY_REPLICATE, NOSCRIPT, STALE, WRITE};
use ochre_commands::{Args, Error, Locked};
use ochre_resp::{Args as Words, Protocol, Reply};
use ochre_scripting::{Called, Flags, Host, LogLevel};
use std::sync::atomic::Ordering;

/// While a script is overdue, its loop serves its other clients about so often.
const SERVE_EVERY_NS: u64 = 1_000_000;

/// One run of a script.
pub struct ScriptHost<'h, 'c, 'd> {
    call: &'h mut SessionCall<'c>,
    data: &'h mut Locked<'d>,
    work: &'h Work,
    read_only: bool,
    /// Keys that became ready: those who wait for them are served when the script is over.
    pub ready: Vec<(usize, Box<[u8]>)>,
    pub is_overdue: bool,
    started_ns: u64,
    served_ns: u64,
    /// Whether effects are logged (`redis.set_repl`).
    logs: bool,
}

impl<'h, 'c, 'd> ScriptHost<'h, 'c, 'd> {
    pub fn new(call: &'h mut SessionCall<'c>, data: &'h mut Locked<'d>, work: &'h Work, read_only: bool) -> Self {
        let started_ns = call.worker.last_tick_ns;
        ScriptHost {
            call,
            data,
            work,
            read_only,
            ready: Vec::new(),
            is_overdue: false,
            started_ns,
            served_ns: 0,
            logs: true,
        }
    }

    /// Whether a script may run this command now.
    fn admit(&mut self, row: &CommandRow, words: Words<'_>) -> Result<(), Error> {
        let worker = &*self.call.worker;
        let shared = worker.shared;
        if row.flags.has(NOSCRIPT) && !shared.debug.allow_all_in_scripts.load(Ordering::Relaxed) {
            return Err(Error::fixed("ERR This Redis command is not allowed from script"));
        }
        if self.read_only && has_effects(row) {
            return Err(Error::fixed("ERR Write commands are not allowed from read-only scripts."));
        }
        if !self.call.session.unrestricted {
            crate::access::check_of_script(shared, self.call.session, row, words, self.call.session.db)?;
        }
        if !row.flags.has(STALE) && admission::is_stale(worker, self.call.session) {
            return Err(Error::fixed("ERR Can not execute the command on a stale replica"));
        }
        if worker.pressure.out_of_memory && row.flags.has(DENYOOM) {
            let may_grow = self.work.flags.has(Flags::ALLOW_OOM) || shared.scripts.gate.has_written();
            if !may_grow {
                return Err(Error::OUT_OF_MEMORY);
            }
        }
        if row.flags.has(WRITE) && !shared.alerts.none() {
            admission::may_write(shared)?;
        }
        Ok(())
    }

    /// Locks what the command needs beyond what is held. The script cannot be undone, so it waits.
    fn lock(&mut self, row: &CommandRow, words: Words<'_>, key: Option<u64>) {
        let holds_all = match key {
            Some(hash) => self.data.holds(self.data.keyspace().shard_of_hash(hash)),
            None => false,
        };
        if holds_all && (!row.flags.has(WRITE) || self.data.nobody_waits()) {
            return;
        }
        self.lock_more(row, words);
    }

    #[inline(never)]
    fn lock_more(&mut self, row: &CommandRow, words: Words<'_>) {
        let before = self.data.held().len();
        let needed = shards_of(self.data.keyspace(), row, words);
        if !self.data.held().contains_all(&needed) {
            self.wait_for(&needed);
        }
        while row.flags.has(WRITE)
            && !self.data.nobody_waits()
            && let Some(more) = blocking::shards_to_serve(self.data, row, words)
        {
            self.wait_for(&more);
        }
        if self.is_overdue && self.data.held().len() > before {
            let held = self.data.held();
            self.call.worker.shared.scripts.gate.with_overdue(|overdue| {
                if let Some(overdue) = overdue {
                    overdue.shards.extend_from(&held);
                }
            });
        }
    }

    /// Locks more shards, however long others hold them. If that is long, this loop's other clients are served meanwhile, as far as
    /// they do not want what the script holds.
    fn wait_for(&mut self, shards: &ShardSet) {
        let ScriptHost { call, data, is_overdue, .. } = self;
        let (mut served_ns, mut is_paused) = (None, false);
        data.extend_waiting(shards, || {
            let now_ns = ochre_clock::monotonic_ns();
            if now_ns - *served_ns.get_or_insert(now_ns) < SERVE_EVERY_NS {
                return;
            }
            if !*is_overdue && !is_paused {
                // What this client sends meanwhile is for later.
                call.reactor.pause_receive(call.session.token);
                is_paused = true;
            }
            serve_others(call);
            served_ns = Some(ochre_clock::monotonic_ns());
        });
        if is_paused {
            call.reactor.resume_receive(call.session.token);
        }
    }

    fn run(&mut self, row: &CommandRow, words: Words<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        let key = (row.only_key != 0 && row.only_key < words.len()).then(|| hash(words.at(row.only_key)));
        let mut args = match key {
            Some(hash) => Args::with_key_hash(words, row.only_key, hash),
            None => Args::new(words),
        };
        args.seek(row.name_words);
        self.data.effects.clear();
        match row.run {
            Some(Run::Data(function)) => {
                self.lock(row, words, key);
                self.data.select(self.call.session.db);
                let result = function(self.data, &mut args, reply);
                self.data.finish();
                if let Some(block) = self.data.effects.block.take() {
                    if block.null_is_array { reply.null_array() } else { reply.null() }
                }
                result
            }
            Some(Run::Session(function)) => {
                if reaches_data(row) {
                    self.lock_more(row, words);
                }
                let call = &mut *self.call;
                let mut nested = SessionCall {
                    worker: call.worker,
                    reactor: call.reactor,
                    session: call.session,
                    row,
                    words,
                    flow: Flow::Done,
                    held: Some(self.data),
                };
                function(&mut nested, &mut args, reply)
            }
            None => Err(Error::fixed("ERR Unknown Redis command called from script")),
        }
    }

    /// Others are told from now on that this script takes too long.
    #[cold]
    fn become_overdue(&mut self) {
        let session = &*self.call.session;
        let shared = self.call.worker.shared;
        self.is_overdue = true;
        let elapsed_ms = (ochre_clock::monotonic_ns() - self.started_ns) / 1_000_000;
        crate::log::warning(format_args!(
            "Slow script detected: still in execution after {elapsed_ms} milliseconds. You can try killing the script \
             using the SCRIPT KILL command."
        ));
        let function = match &self.work.name {
            Name::Script(_) => None,
            Name::Function(name) => Some(name.clone()),
        };
        shared.scripts.gate.set_overdue(Some(Overdue {
            function,
            command: self.call.words.iter().map(<[u8]>::to_vec).collect(),
            since_ms: ochre_clock::now_ms().saturating_sub(elapsed_ms),
            shards: self.data.held().clone(),
        }));
        shared.alerts.set(Alert::ScriptOverdue, true);
        // What this client sends meanwhile is for later.
        self.call.reactor.pause_receive(session.token);
        shared.tell_all(|| Message::ScriptOverdue);
    }
}

/// A short turn for the other clients of the loop.
#[cold]
fn serve_others(call: &mut SessionCall<'_>) {
    if let Err(error) = call.worker.serve_meanwhile(call.reactor) {
        crate::log::warning(format_args!("The event loop failed while a script ran: {error}"));
    }
}

/// Whether the command changes data or reaches other clients.
fn has_effects(row: &CommandRow) -> bool {
    row.flags.any(WRITE | MAY_REPLICATE) || matches!(row.full_name.as_str(), "publish" | "spublish")
}

impl Host for ScriptHost<'_, '_, '_> {
    fn call(&mut self, words: Words<'_>, protocol: Protocol, reply: &mut Vec<u8>) -> Called {
        let shared = self.call.worker.shared;
        let mut reply = Reply::new(reply, protocol);
        let mark = reply.mark();
        let row = match admission::resolve(shared.commands.find(words.at(0)), words) {
            Ok(row) => row,
            Err(error) => {
                let text = if error.as_str().starts_with("ERR wrong number of arguments") {
                    "ERR Wrong number of args calling Redis command from script"
                } else {
                    "ERR Unknown Redis command called from script"
                };
                self.call.worker.count_error("ERR");
                reply.error(text);
                return Called::Done;
            }
        };
        if let Err(error) = self.admit(row, words) {
            self.call.worker.counters().commands[row.id].rejected.add(1);
            self.call.worker.count_error(error.code());
            reply.error(error.as_str());
            return Called::Done;
        }
        if has_effects(row) {
            if !shared.scripts.gate.begin_write() {
                return Called::Abort;
            }
            // A panic from here on finds a worker that has changed data.
            self.call.worker.effects.touched = true;
        }
        let result = self.run(row, words, &mut reply);
        self.ready.append(&mut self.data.effects.ready);
        if !self.logs {
            self.data.log_nothing();
        }
        aftermath::commit(shared, self.call.worker.id, self.data, words);
        if self.call.session.tracked.is_some() {
            tracking::remember(shared, self.call.session, row, words);
        }
        let failed = result.is_err();
        if let Err(error) = result {
            reply.truncate(mark);
            reply.error(error.as_str());
            self.call.worker.count_error(error.code());
        }
        aftermath::account_of_script(self.call.worker, self.call.session, row, words, failed);
        Called::Done
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        log(level, text);
    }

    fn may_call(&mut self, words: Words<'_>) -> Option<bool> {
        let shared = self.call.worker.shared;
        let row = admission::resolve(shared.commands.find(words.at(0)), words).ok()?;
        let session = &*self.call.session;
        Some(crate::access::may_call(shared, session, row, words, session.db))
    }

    fn tick(&mut self) -> Option<&'static str> {
        let shared = self.call.worker.shared;
        if shared.scripts.gate.is_killed() {
            return Some(match self.work.name {
                Name::Script(_) => "Script killed by user with SCRIPT KILL.",
                Name::Function(_) => "Script killed by user with FUNCTION KILL.",
            });
        }
        if shared.shutting_down.load(Ordering::SeqCst) {
            return Some("Script killed because the server ends.");
        }
        let now_ns = ochre_clock::monotonic_ns();
        if !self.is_overdue {
            let threshold_ms = shared.settings.security.busy_reply_threshold_ms.get();
            if threshold_ms == 0 || now_ns.saturating_sub(self.started_ns) < threshold_ms.saturating_mul(1_000_000) {
                return None;
            }
            self.become_overdue();
        }
        if now_ns.saturating_sub(self.served_ns) >= SERVE_EVERY_NS {
            self.served_ns = now_ns;
            serve_others(self.call);
        }
        None
    }

    fn set_replication(&mut self, to_log: bool, to_replicas: bool) {
        self.logs = to_log || to_replicas;
    }
}
