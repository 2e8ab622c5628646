//! Access control: users, their rules, and whether a user may run a command; no sockets, no keyspace.
//!
//! A [`User`] has passwords and selectors. A call is allowed when a single selector allows all of it: its command, its keys,
//! its channels and its databases. The rules are the words of ACL SETUSER; what a user prints is rules again.

mod call;
mod catalogue;
mod error;
mod log;
mod rules;
mod selector;
#[cfg(test)]
mod tests;
mod user;
mod users;

pub use call::{Access, Call, Denied, Reason};
pub use catalogue::{Catalogue, Entry};
pub use error::{RuleError, SetError};
pub use log::{Context, Incident, Log, LogEntry};
pub use rules::merge_selectors;
pub use selector::Selector;
pub use user::User;
pub use users::{DEFAULT, Users, is_valid_name};
