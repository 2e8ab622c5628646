//! The commands on data: each a spec, a function and its tests, in a folder for each group of the manual.

pub mod args;
pub mod arguments;
pub mod error;
mod expire_option;
pub mod keys;
mod reply_item;
mod scan_options;
mod scan_step;
pub mod spec;
pub mod synopsis;
pub mod table;
pub mod testing;
pub mod timeout;

mod bitmap;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;

pub use args::Args;
pub use error::Error;
pub use generic::encoding_of;
pub use ochre_keyspace::{Class, Edit, Expiry, Key, Locked, Text};
pub use ochre_resp::Reply;
pub use string::SET_STRUCTURED;

/// The function of a command on data.
///
/// It reads its words from `Args` (arity has been checked), reaches keys through `Locked`, and writes one reply. When it
/// returns an error, whatever it wrote is taken back; it must not have changed anything by then.
pub type DataFn = fn(&mut Locked<'_>, &mut Args<'_>, &mut Reply<'_>) -> Result<(), Error>;

/// A command on data.
pub type Command = spec::Command<DataFn>;

/// The lists of all families.
pub const FAMILIES: &[&[Command]] = &[
    string::COMMANDS,
    generic::COMMANDS,
    hash::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    bitmap::COMMANDS,
    hyperloglog::COMMANDS,
    geo::COMMANDS,
    server::COMMANDS,
];

impl From<ochre_keyspace::WrongType> for Error {
    fn from(_: ochre_keyspace::WrongType) -> Error {
        Error::WRONG_TYPE
    }
}
