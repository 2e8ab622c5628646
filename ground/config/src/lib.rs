//! The mechanism of settings: rows that describe directives, the file and command line that set them, the values that run.
//!
//! A [`Directive`] is one row: name, kind, range, default, whether it may change while running. A [`Store`] holds the
//! values of a table of rows, answers CONFIG GET, SET and REWRITE, and mirrors hot values into atomics ([`Live`]) of a
//! struct of the program's own. Nothing here knows what a directive means.

mod arguments;
mod directive;
mod include;
mod kind;
mod lists;
mod live;
mod load;
mod number;
mod replace;
mod rewrite;
mod source;
mod store;
mod value;

pub use arguments::{Arguments, Invocation};
pub use directive::{Change, Check, Directive};
pub use kind::{Kind, List};
pub use lists::{Addresses, BufferLimits, EventClasses, Integers, Percentiles, PrimaryAddress, SavePoints};
pub use live::{Choices, FromValue, Live, Mirror, Shared, Word};
pub use load::{FileOnly, Loaded};
pub use number::{Number, Unit, memory_in_units};
pub use replace::replace_file;
pub use rewrite::ExtraLines;
pub use source::{Line, LoadError, Origin, Source, reason_of};
pub use store::{Caller, Changed, SetError, Store};
pub use value::{BufferLimit, SavePoint, Value};
