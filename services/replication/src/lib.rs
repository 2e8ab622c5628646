//! Replication as states and bytes, without sockets: what of the stream is kept, who may go on with it, what is said first.

mod backlog;
mod handshake;
mod history;

pub use backlog::Backlog;
pub use handshake::{Handshake, Introduction, Verdict};
pub use history::{History, NO_ID, Resume};
