//! One event loop's I/O: sockets, wake-ups and timers, over io_uring or epoll with one face.
//!
//! The face is completion style: the [`Reactor`] receives by itself and hands out what came, and it owns what is to be sent
//! until the kernel has it. All that a turn of the loop wants to send leaves with the one system call that waits for more.

#![expect(unsafe_code, reason = "system calls and memory shared with the kernel; every block says why it is sound")]

mod address;
mod buffers;
mod outbox;
mod poll;
pub mod process;
mod reactor;
mod ring;
mod slots;
mod socket;
mod system;
#[cfg(test)]
mod tests;
pub mod timers;
mod tls;
mod waker;

pub use address::Address;
pub use reactor::{Backend, Event, Handler, Options, Reactor};
pub use slots::Token;
pub use socket::{ListeningSocket, Socket, TcpOptions};
pub use timers::{TimerId, Timers};
pub use tls::{Acceptor, CertificateFacts, ClientCertificates, Summary as TlsSummary, TlsOptions};
pub use waker::Waker;
