//! DUMP's payloads: one value with its version and checksum.

use crate::build::{self, Built};
use crate::error::Fault;
use crate::format::{Dialect, Version};
use crate::writer::Writer;
use ochre_collections::View;
use ochre_digest::crc64;
use ochre_values::{Limits, Object};

/// Bytes of the version and the checksum.
const FOOTER: usize = 2 + 8;

/// Why a payload is refused.
#[derive(Debug)]
pub enum PayloadError {
    /// Its version is not known, or the checksum is not that of the bytes.
    Footer,
    Value(Fault),
}

/// A value as DUMP replies it.
pub fn dump(view: View<'_, Object>, dialect: Dialect) -> Vec<u8> {
    let mut writer = Writer::new(dialect);
    writer.payload(view);
    finish_payload(&mut writer)
}

/// The payload of the value that `writer` has written.
pub fn finish_payload(writer: &mut Writer) -> Vec<u8> {
    let dialect = writer.dialect();
    let mut payload = writer.take();
    payload.extend_from_slice(&(dialect.payload_version().0 as u16).to_le_bytes());
    let checksum = crc64(0, &payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The value in a payload of any peer's DUMP. `skip_checksum` reads over a wrong checksum, not over what is wrong otherwise.
pub fn restore<'a>(payload: &'a [u8], skip_checksum: bool, limits: &Limits) -> Result<Built<'a>, PayloadError> {
    let split = payload.len().checked_sub(FOOTER).ok_or(PayloadError::Footer)?;
    let (value, footer) = payload.split_at(split);
    let version = Version(u32::from(u16::from_le_bytes([footer[0], footer[1]])));
    if !version.is_known() {
        return Err(PayloadError::Footer);
    }
    let stored: [u8; 8] = footer[2..].try_into().expect("a footer has ten bytes");
    if !skip_checksum && crc64(0, &payload[..split + 2]) != u64::from_le_bytes(stored) {
        return Err(PayloadError::Footer);
    }
    let (&kind, value) = value.split_first().ok_or(PayloadError::Value(Fault::Truncated))?;
    build::build(kind, version, value, limits).map_err(PayloadError::Value)
}
