//! Numbers as text, read as strictly and written in the same digits as Redis does it.

mod big;
mod double;
mod grisu;
mod hexadecimal;
mod integer;
mod long_double;

pub use double::{parse_f64, write_f64, write_f64_17, write_fixed};
pub use integer::{I64_TEXT_LEN_MAX, digits, format_i64, parse_i64, parse_u64, write_i64, write_u64};
pub use long_double::{LongDouble, write_long_double};
