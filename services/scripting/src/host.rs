//! What a script needs from whoever runs it.

use ochre_resp::{Args as Words, Protocol};

/// Whoever runs a script: its commands, its log, and the clock that ends it.
pub trait Host {
    /// Runs a command and appends its reply, or its error, to `reply` in the given version of the protocol.
    fn call(&mut self, words: Words<'_>, protocol: Protocol, reply: &mut Vec<u8>) -> Called;

    /// Logs a text of the script.
    fn log(&mut self, level: LogLevel, text: &[u8]);

    /// Whether the user of the script may run this command; `None` when there is no such command.
    fn may_call(&mut self, words: Words<'_>) -> Option<bool>;

    /// Called now and then while the script runs, about every 50 µs. `Some` ends the script with that error.
    fn tick(&mut self) -> Option<&'static str>;

    /// What the script wants to be logged of its effects (`redis.set_repl`).
    fn set_replication(&mut self, to_log: bool, to_replicas: bool) {
        let _ = (to_log, to_replicas);
    }
}

/// What became of a command of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    Done,
    /// The script ends here, whatever it does about it: its run is over without a reply.
    Abort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug,
    Verbose,
    Notice,
    Warning,
}

scoped_tls_hkt::scoped_thread_local! {
    /// The host of the script that runs on this thread.
    pub(crate) static mut HOST: for<'a> &'a mut (dyn Host + 'a)
}
