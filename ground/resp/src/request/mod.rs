//! Requests: the parser for arrays of bulk strings and for inline commands, and the arguments it finds.

mod arguments;
mod error;
mod parser;

pub use arguments::{Args, ArgsIter, Batch, Command, TYPED};
pub use error::ProtocolError;
pub use parser::{Limits, Parsed, Parser};
