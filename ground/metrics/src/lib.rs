//! Counts and latencies that cost a few instructions to record and are summed only when somebody asks.

mod counters;
mod histogram;

pub use counters::Counters;
pub use histogram::{Bucket, Histogram, Recorder};
