//! What the tests over real sockets need: a server of their own, a real client, a raw socket, and waiting.

pub mod client;
pub mod linear;
pub mod raw;
pub mod server;
pub mod wait;

pub use client::Client;
pub use raw::Raw;
pub use server::{Server, in_each_layout, in_each_layout_with, on_each_backend};
pub use wait::eventually;
