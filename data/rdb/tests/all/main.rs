//! Files and values through the public face: what real servers wrote, and what is written here read again.

mod files;
mod hostile;
mod round_trip;
