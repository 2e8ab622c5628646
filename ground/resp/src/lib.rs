//! The Redis protocol, versions 2 and 3, without input and output: bytes in, requests or values out, and replies as bytes.

pub mod reader;
pub mod reply;
pub mod request;
pub mod typed;

pub use reader::{Reader, Value};
pub use reply::{Deferred, Mark, Protocol, Reply};
pub use request::{Args, Batch, Command, Limits, Parsed, Parser, ProtocolError};
