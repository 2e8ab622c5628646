//! System calls that report their error as `io::Error`.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

/// The answer of a system call that reports an error as a negative number in `errno`.
pub(crate) fn check(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

pub(crate) fn check_size(answer: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

/// Owns the descriptor that a system call has just opened.
pub(crate) fn opened(answer: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the caller passes on the answer of a call that opens a descriptor, so nobody else owns it.
    check(answer).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Stops both directions of a socket; whoever waits on it hears of it. An error means that it was not connected any longer.
pub(crate) fn shut_down(fd: RawFd) {
    // SAFETY: takes no pointers.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Whether trying again later may help, because the process or the system is short of something.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS))
}

/// Hands the kernel as much as it takes now; what it does not take is lost.
pub(crate) fn send_at_once(fd: RawFd, bytes: &[u8]) {
    // SAFETY: the pointer leads to as many bytes as the third argument says.
    unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
}
