//! Lua scripts and functions: the sandbox, its libraries, and the way of replies to and from Lua. Knows no key and no socket: whoever
//! runs a script is its [`Host`].

mod engine;
mod format;
mod functions;
mod host;
mod libraries;
mod natives;
mod patterns;
mod replies;
mod shebang;
#[cfg(test)]
mod tests;

pub use engine::{Compiled, Engine, Failure, Options, Outcome, Registered};
pub use functions::{FunctionInfo, Library, Restore, dump, libraries_of_dump};
pub use host::{Called, Host, LogLevel};
pub use shebang::{Flags, LibraryHead, library_head, script_head};
