//! The process as a whole: moving it to the background, and what it is called.

use crate::system::check;
use std::{fs, io, os::unix::fs::FileExt};

/// Goes on as a child of the system's first process, without a terminal: the process that was started ends at once. Standard
/// input, output and error lead nowhere from then on.
///
/// # Errors
/// When there are threads already, which the child would lack, or the system refuses.
pub fn daemonize() -> io::Result<()> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("only a process with one thread can be moved to the background"));
    }
    let nowhere = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: there is one thread, this one, so that the child finds every lock as its own thread left it.
    match check(unsafe { libc::fork() })? {
        0 => {}
        // SAFETY: ends the process without running what belongs to the child, too.
        _ => unsafe { libc::_exit(0) },
    }
    // SAFETY: takes no pointers.
    check(unsafe { libc::setsid() })?;
    for standard in 0..3 {
        // SAFETY: both are descriptors; that of the file stays open through the calls.
        check(unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&nowhere), standard) })?;
    }
    Ok(())
}

/// Copies the variables of the environment, so that nothing points to where they were. Says no when there are other threads.
fn move_environment() -> bool {
    if !fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1) {
        return false;
    }
    let variables: Vec<_> = std::env::vars_os().collect();
    // SAFETY: there is one thread, this one, so nobody reads the environment meanwhile.
    if unsafe { libc::clearenv() } != 0 {
        return false;
    }
    for (name, value) in variables {
        // A name that begins with the sign could not be set.
        if !name.as_encoded_bytes().contains(&b'=') {
            // SAFETY: as above.
            unsafe { std::env::set_var(name, value) };
        }
    }
    true
}

/// The command line that `ps` shows for the process.
#[derive(Debug)]
pub struct Title {
    /// Where the arguments of the process lie, as the kernel says, and behind them its environment.
    start: u64,
    bytes: usize,
}

impl Title {
    /// Finds the place; nothing when the kernel does not tell. What the arguments were must have been read by then.
    ///
    /// As long as there is one thread only, the environment is moved elsewhere, for its place is behind the arguments: the kernel
    /// reads on there when they fill theirs.
    pub fn find() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may hold spaces; the state, field 3, follows it.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(45);
        let start: u64 = fields.next()?.parse().ok()?;
        let end: u64 = fields.next()?.parse().ok()?;
        let (environment, environment_end): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let end = if environment == end && move_environment() { environment_end } else { end };
        (start != 0 && end > start).then_some(Self { start, bytes: usize::try_from(end - start).ok()? })
    }

    /// Shows `title`, cut to the room that arguments and environment of the start took. The kernel writes it there, as a debugger would.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn show(&self, title: &str) -> io::Result<()> {
        let mut place = vec![0; self.bytes];
        let length = title.len().min(self.bytes - 1);
        place[..length].copy_from_slice(&title.as_bytes()[..length]);
        fs::OpenOptions::new().write(true).open("/proc/self/mem")?.write_all_at(&place, self.start)
    }
}
