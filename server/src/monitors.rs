//! MONITOR: clients that are shown every command that runs.

use crate::clients::traits;
use crate::session::Session;
use crate::shared::{CommandRow, Message, Shared};
use crate::slow_commands::is_secret;
use ochre_commands::spec::{ADMIN, SKIP_MONITOR};
use ochre_resp::Args as Words;
use ochre_text::quote::write_quoted;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The clients that monitor.
#[derive(Default)]
pub struct Monitors {
    /// How many there are: looked at after every command.
    count: AtomicUsize,
    /// Their event loops by their ids.
    clients: Mutex<BTreeMap<u64, u32>>,
}

impl Monitors {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, u32>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows this client all commands from now on.
    pub fn add(&self, session: &mut Session) {
        let mut clients = self.clients();
        clients.insert(session.id(), session.client.thread);
        self.count.store(clients.len(), Ordering::Relaxed);
        session.client.set(traits::MONITOR, true);
    }

    /// Shows this client nothing more.
    pub fn remove(&self, session: &mut Session) {
        if session.client.has(traits::MONITOR) {
            let mut clients = self.clients();
            clients.remove(&session.id());
            self.count.store(clients.len(), Ordering::Relaxed);
            session.client.set(traits::MONITOR, false);
        }
    }

    /// Whether anybody monitors.
    #[inline]
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }
}

/// Shows a command that ran to all who monitor.
#[cold]
pub fn show(shared: &Shared, session: &Session, row: &CommandRow, words: Words<'_>) {
    if !row.flags.any(ADMIN | SKIP_MONITOR) {
        show_from(shared, session, &address_of(session), row, words);
    }
}

/// Shows a script that is about to run, before the commands that it calls.
#[cold]
pub fn show_script(shared: &Shared, session: &Session, row: &CommandRow, words: Words<'_>) {
    show_from(shared, session, &address_of(session), row, words);
}

/// Shows a command that a script called.
#[cold]
pub fn show_of_script(shared: &Shared, session: &Session, row: &CommandRow, words: Words<'_>) {
    if !row.flags.any(ADMIN | SKIP_MONITOR) {
        show_from(shared, session, "lua", row, words);
    }
}

fn address_of(session: &Session) -> String {
    let client = &session.client;
    if client.has(traits::UNIX_SOCKET) {
        format!("unix:{}", client.local_address.trim_end_matches(":0"))
    } else {
        client.address.clone()
    }
}

fn show_from(shared: &Shared, session: &Session, address: &str, row: &CommandRow, words: Words<'_>) {
    let line = Arc::from(line(ochre_clock::now_us(), session.db, address, words, |at| {
        is_secret(&shared.settings, row, words, at)
    }));
    for (client, thread) in shared.monitors.clients().iter() {
        shared.desks[*thread as usize].post(Message::Monitored { client: *client, line: Arc::clone(&line) });
    }
}

fn line(now_us: u64, db: usize, address: &str, words: Words<'_>, is_secret: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut line = Vec::with_capacity(64);
    let (seconds, microseconds) = (now_us / 1_000_000, now_us % 1_000_000);
    write!(line, "+{seconds}.{microseconds:06} [{db} {address}]").expect("writing to a vector does not fail");
    for (at, word) in words.iter().enumerate() {
        line.push(b' ');
        write_quoted(&mut line, if is_secret(at) { b"(redacted)" } else { word });
    }
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::line;
    use ochre_resp::Batch;

    #[test]
    fn a_line_has_the_form_that_redis_cli_prints() {
        let mut batch = Batch::default();
        let command = batch.push([b"auth".as_slice(), b"secret", b"\x01\"x"]);
        let shown = line(1_700_000_000_000_042, 9, "127.0.0.1:5", batch.args(&command, &[]), |at| at == 1);
        let expected = b"+1700000000.000042 [9 127.0.0.1:5] \"auth\" \"(redacted)\" \"\\x01\\\"x\"\r\n";
        assert_eq!(shown, expected);
    }
}
