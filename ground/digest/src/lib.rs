//! Checksums and hashes that files, clusters and replies are made of.

mod crc16;
mod crc64;
mod hash;
mod murmur;

pub use crc16::{SLOTS, crc16, key_slot};
pub use crc64::{Crc64, crc64};
pub use hash::{hex, sha1, sha1_hex, sha256, sha256_hex, xxh3_64};
pub use murmur::murmur64a;
