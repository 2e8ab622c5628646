//! The system's log: datagrams to `/dev/log`, in the form that every syslog daemon and journald take.

use super::Level;
use crate::calendar;
use crate::settings::logging::SyslogFacility;
use std::os::unix::net::UnixDatagram;

const SOCKET: &str = "/dev/log";
/// Longer messages are cut, as syslog(3) says daemons may do.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// A connection to the system's log, made again when the daemon was started anew.
pub struct Syslog {
    ident: String,
    facility: u8,
    path: String,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub fn new(ident: &str, facility: u8) -> Self {
        Self { ident: ident.to_owned(), facility, path: SOCKET.to_owned(), socket: None }
    }

    /// Sends a line; what cannot be sent is lost, and only the server's own log has it.
    pub fn send(&mut self, level: Level, now_ms: u64, message: &str) {
        let severity = match level {
            Level::Debug => 7,
            Level::Verbose => 6,
            Level::Notice => 5,
            Level::Warning | Level::Nothing => 4,
        };
        let mut line = format!(
            "<{}>{} {}[{}]: {message}",
            u32::from(self.facility) * 8 + severity,
            calendar::syslog_text(now_ms),
            self.ident,
            std::process::id()
        )
        .into_bytes();
        line.truncate(MESSAGE_BYTES_MAX);
        // Once more with a new connection, if the old one leads nowhere.
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connected(&self.path).ok();
            }
            match self.socket.as_ref().map(|socket| socket.send(&line)) {
                Some(Err(error)) if error.kind() != std::io::ErrorKind::WouldBlock => self.socket = None,
                _ => return,
            }
        }
    }
}

fn connected(path: &str) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A daemon that does not keep up must not hold up the event loops.
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// The number of a facility.
pub fn facility(facility: SyslogFacility) -> u8 {
    match facility {
        SyslogFacility::User => 1,
        SyslogFacility::Local0 => 16,
        SyslogFacility::Local1 => 17,
        SyslogFacility::Local2 => 18,
        SyslogFacility::Local3 => 19,
        SyslogFacility::Local4 => 20,
        SyslogFacility::Local5 => 21,
        SyslogFacility::Local6 => 22,
        SyslogFacility::Local7 => 23,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reaches_the_daemon_also_after_it_was_started_anew() {
        let path = std::env::temp_dir().join(format!("ochre-syslog-{}", std::process::id()));
        let text = path.to_string_lossy().into_owned();
        let mut syslog = Syslog { path: text, ..Syslog::new("ochre", facility(SyslogFacility::Local0)) };
        syslog.send(Level::Warning, 0, "nobody listens");
        for _ in 0..2 {
            let _ = std::fs::remove_file(&path);
            let daemon = UnixDatagram::bind(&path).expect("the folder is writable");
            syslog.send(Level::Warning, 1_795_200_125_123, "hello");
            let mut buffer = [0; 200];
            let length = daemon.recv(&mut buffer).expect("a line has been sent");
            let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
            assert_eq!(line, format!("<132>Nov 20 18:42:05 ochre[{}]: hello", std::process::id()));
        }
        let _ = std::fs::remove_file(&path);
    }
}
