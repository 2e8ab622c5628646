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

/// Ends both directions of a socket, which is closed when its requests have ended. Those read what has come meanwhile; closed
/// with that unread, the connection would have been reset, and so it is: a peer that waits for room to send learns that it is over.
pub(crate) fn shut_down(fd: RawFd) {
    let mut unread: libc::c_int = 0;
    // SAFETY: the pointer leads to one integer, which is what this request writes.
    let is_known = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut unread) } == 0;
    if is_known && unread > 0 {
        let reset = libc::linger { l_onoff: 1, l_linger: 0 };
        let size = size_of::<libc::linger>() as libc::socklen_t;
        // SAFETY: the pointer leads to a `linger`, of which `size` is the size.
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const reset).cast(), size) };
    }
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
