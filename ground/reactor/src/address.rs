//! Addresses of sockets, in the words that users see.

use crate::system::check;
use std::{
    fmt, io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::{
        fd::{AsRawFd, BorrowedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// One end of a connection. Shown as Redis shows it: `127.0.0.1:6379`, `[::1]:6379`, `/run/ochre.sock:0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    Internet(SocketAddr),
    /// Empty for the end that has no name.
    Unix(PathBuf),
}

impl Address {
    /// The numeric IP address, without brackets; nothing for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Internet(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }

    /// The port; 0 for a Unix socket.
    pub fn port(&self) -> u16 {
        match self {
            Self::Internet(address) => address.port(),
            Self::Unix(_) => 0,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet(address) if address.is_ipv4() => write!(f, "{}:{}", address.ip(), address.port()),
            Self::Internet(address) => write!(f, "[{}]:{}", address.ip(), address.port()),
            Self::Unix(path) => write!(f, "{}:0", path.display()),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Internet(address)
    }
}

/// An address in the kernel's form.
pub(crate) struct RawAddress {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

type AddressCall = unsafe extern "C" fn(RawFd, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

impl RawAddress {
    pub(crate) fn empty() -> Self {
        // SAFETY: all bytes zero is a `sockaddr_storage` (of no family).
        Self { storage: unsafe { mem::zeroed() }, length: size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    pub(crate) fn of(address: &SocketAddr) -> Self {
        let mut raw = Self::empty();
        let start = &raw mut raw.storage;
        match address {
            SocketAddr::V4(address) => {
                let short = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                    sin_zero: [0; 8],
                };
                // SAFETY: the storage is large enough and aligned for every kind of address.
                unsafe { start.cast::<libc::sockaddr_in>().write(short) };
                raw.length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(address) => {
                let long = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                };
                // SAFETY: as above.
                unsafe { start.cast::<libc::sockaddr_in6>().write(long) };
                raw.length = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        raw
    }

    /// An error when the path is too long for a socket (107 bytes) or holds a zero byte.
    pub(crate) fn of_path(path: &Path) -> io::Result<Self> {
        let bytes = path.as_os_str().as_bytes();
        // SAFETY: all bytes zero is a `sockaddr_un`.
        let mut local: libc::sockaddr_un = unsafe { mem::zeroed() };
        if bytes.len() >= local.sun_path.len() || bytes.contains(&0) || bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path of a Unix socket has 1 to 107 bytes"));
        }
        local.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in local.sun_path.iter_mut().zip(bytes) {
            *to = *from as libc::c_char;
        }
        let mut raw = Self::empty();
        // SAFETY: the storage is large enough and aligned for every kind of address.
        unsafe { (&raw mut raw.storage).cast::<libc::sockaddr_un>().write(local) };
        raw.length = (mem::offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + 1) as libc::socklen_t;
        Ok(raw)
    }

    /// What `getsockname` or `getpeername` says.
    pub(crate) fn asked(fd: BorrowedFd<'_>, call: AddressCall) -> io::Result<Self> {
        let mut raw = Self::empty();
        // SAFETY: both pointers are valid for the call, and `length` says how large the storage is.
        check(unsafe { call(fd.as_raw_fd(), (&raw mut raw.storage).cast(), &raw mut raw.length) })?;
        Ok(raw)
    }

    pub(crate) fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(crate) fn length(&self) -> libc::socklen_t {
        self.length
    }

    pub(crate) fn address(&self) -> Option<Address> {
        let start = &raw const self.storage;
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that this is what the storage holds.
                let short = unsafe { start.cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from(short.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(short.sin_port))).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let long = unsafe { start.cast::<libc::sockaddr_in6>().read() };
                let (ip, port) = (Ipv6Addr::from(long.sin6_addr.s6_addr), u16::from_be(long.sin6_port));
                Some(SocketAddr::V6(SocketAddrV6::new(ip, port, long.sin6_flowinfo, long.sin6_scope_id)).into())
            }
            libc::AF_UNIX => {
                // SAFETY: as above.
                let local = unsafe { start.cast::<libc::sockaddr_un>().read() };
                let length = (self.length as usize).saturating_sub(mem::offset_of!(libc::sockaddr_un, sun_path));
                let name = local.sun_path.iter().take(length).take_while(|&&byte| byte != 0);
                let bytes: Vec<u8> = name.map(|&byte| byte as u8).collect();
                Some(Address::Unix(std::ffi::OsStr::from_bytes(&bytes).into()))
            }
            _ => None,
        }
    }
}
