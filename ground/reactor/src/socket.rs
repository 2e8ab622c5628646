//! Making sockets and setting their options.

use crate::{
    address::{Address, RawAddress},
    system::{check, opened},
};
use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::fs::{FileTypeExt, PermissionsExt},
    },
    path::Path,
    time::Duration,
};

/// A socket that accepts connections once a [`crate::Reactor`] has it.
#[derive(Debug)]
pub struct ListeningSocket(OwnedFd);

/// A connected (or connecting) stream socket.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// How a TCP listener is made.
#[derive(Clone, Copy, Debug)]
pub struct TcpOptions {
    /// Connections that may wait to be accepted; the system may allow fewer.
    pub backlog: i32,
    /// Let several listeners share the port, among which the kernel spreads new connections: one for each event loop.
    pub share_port: bool,
    /// Mark on all traffic (`SO_MARK`), or 0 for none; needs privileges.
    pub mark: u32,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { backlog: 511, share_port: false, mark: 0 }
    }
}

impl ListeningSocket {
    /// Listens on an address. Port 0 means that the system chooses one: see [`Self::address`]. An IPv6 listener takes no
    /// IPv4 connections, so that both families can listen on one port.
    pub fn tcp(address: SocketAddr, options: TcpOptions) -> io::Result<Self> {
        let socket = stream(family(&address))?;
        set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
        if address.is_ipv6() {
            set(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        }
        if options.share_port {
            set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
        }
        if options.mark != 0 {
            set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_MARK, options.mark as libc::c_int)?;
        }
        bind(&socket, &RawAddress::of(&address))?;
        listen(&socket, options.backlog)?;
        Ok(Self(socket))
    }

    /// Listens on a Unix socket, replacing a socket (but no other file) of that name. Its permissions are set before anyone
    /// can connect; without any, they follow the umask.
    pub fn unix(path: &Path, permissions: Option<u32>, backlog: i32) -> io::Result<Self> {
        let address = RawAddress::of_path(path)?;
        if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let socket = stream(libc::AF_UNIX)?;
        bind(&socket, &address)?;
        if let Some(mode) = permissions {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        // Until here, connecting is refused.
        listen(&socket, backlog)?;
        Ok(Self(socket))
    }

    /// The address that it listens on, with the port that was chosen.
    pub fn address(&self) -> io::Result<Address> {
        address_of(self.0.as_fd(), libc::getsockname)
    }
}

impl Socket {
    /// Begins to connect, from the local address `from` if there is one, and does not wait. Give the socket to a
    /// [`crate::Reactor`] and send: what is sent leaves when the connection stands, and `Failed` comes when it does not.
    pub fn connect_tcp(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Self> {
        let socket = stream(family(&to))?;
        if let Some(ip) = from {
            set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
            bind(&socket, &RawAddress::of(&SocketAddr::new(ip, 0)))?;
        }
        connect(socket, &RawAddress::of(&to))
    }

    /// Connects to a Unix socket.
    pub fn connect_unix(path: &Path) -> io::Result<Self> {
        connect(stream(libc::AF_UNIX)?, &RawAddress::of_path(path)?)
    }

    /// The other end. For a Unix socket this is the path that it was accepted on, because the other end has no name.
    pub fn peer_address(&self) -> io::Result<Address> {
        match address_of(self.0.as_fd(), libc::getpeername)? {
            Address::Unix(path) if path.as_os_str().is_empty() => self.local_address(),
            address => Ok(address),
        }
    }

    /// This end.
    pub fn local_address(&self) -> io::Result<Address> {
        match address_of(self.0.as_fd(), libc::getsockname)? {
            Address::Unix(path) if path.as_os_str().is_empty() => address_of(self.0.as_fd(), libc::getpeername),
            address => Ok(address),
        }
    }

    /// Sends small pieces at once. Without effect on a Unix socket.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        tolerate_unix(set(self.0.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, on.into()))
    }

    /// Asks the other end for a sign of life after `idle` without traffic and gives it up after as long again; zero turns
    /// that off. Without effect on a Unix socket.
    pub fn set_keepalive(&self, idle: Duration) -> io::Result<()> {
        let seconds = libc::c_int::try_from(idle.as_secs()).unwrap_or(libc::c_int::MAX);
        set(self.0.as_fd(), libc::SOL_SOCKET, libc::SO_KEEPALIVE, (seconds > 0).into())?;
        if seconds == 0 {
            return Ok(());
        }
        let times =
            [(libc::TCP_KEEPIDLE, seconds), (libc::TCP_KEEPINTVL, (seconds / 3).max(1)), (libc::TCP_KEEPCNT, 3)];
        times
            .into_iter()
            .try_for_each(|(option, value)| tolerate_unix(set(self.0.as_fd(), libc::IPPROTO_TCP, option, value)))
    }

    /// Asks the kernel for buffers of these sizes; 0 leaves one as it is.
    pub fn set_buffer_bytes(&self, receive: i32, send: i32) -> io::Result<()> {
        if receive > 0 {
            set(self.0.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, receive)?;
        }
        if send > 0 {
            set(self.0.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, send)?;
        }
        Ok(())
    }
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for ListeningSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<ListeningSocket> for OwnedFd {
    fn from(socket: ListeningSocket) -> Self {
        socket.0
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.0
    }
}

/// Any connected stream socket will do; it need not be non-blocking.
impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

fn family(address: &SocketAddr) -> libc::c_int {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

fn stream(family: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    opened(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) })
}

fn bind(socket: &OwnedFd, address: &RawAddress) -> io::Result<()> {
    // SAFETY: the pointer and the length describe one address.
    check(unsafe { libc::bind(socket.as_raw_fd(), address.pointer(), address.length()) }).map(drop)
}

fn listen(socket: &OwnedFd, backlog: i32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

fn connect(socket: OwnedFd, address: &RawAddress) -> io::Result<Socket> {
    // SAFETY: the pointer and the length describe one address.
    match check(unsafe { libc::connect(socket.as_raw_fd(), address.pointer(), address.length()) }) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(Socket(socket)),
    }
}

fn set(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the pointer is valid for `length` bytes.
    let answer = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) };
    check(answer).map(drop)
}

fn tolerate_unix(answer: io::Result<()>) -> io::Result<()> {
    match answer {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT)) => Ok(()),
        answer => answer,
    }
}

fn address_of(
    socket: BorrowedFd<'_>,
    call: unsafe extern "C" fn(RawFd, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int,
) -> io::Result<Address> {
    let unknown = || io::Error::new(io::ErrorKind::Unsupported, "neither an internet nor a Unix socket");
    RawAddress::asked(socket, call)?.address().ok_or_else(unknown)
}
