//! Libraries of functions as data: what is known of them, and their serialized form (FUNCTION DUMP).

use crate::Flags;
use ochre_digest::crc64;

/// A function of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    pub name: String,
    pub description: Option<Vec<u8>>,
    pub flags: Flags,
}

/// A library: its code as it was loaded, and what it registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    pub name: String,
    pub code: Vec<u8>,
    pub functions: Vec<FunctionInfo>,
}

/// What FUNCTION RESTORE does with the libraries that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// They go.
    Flush,
    /// They stay; one of the same name is an error.
    Append,
    /// They stay, but for those of the same names.
    Replace,
}

/// In an RDB file: a library's code follows.
const OPCODE: u8 = 245;
/// The version of RDB that has libraries, understood by all peers that have them.
const RDB_VERSION: u16 = 10;
const FOOTER_BYTES: usize = 10;
const BAD_FOOTER: &str = "ERR DUMP payload version or checksum are wrong";

/// The serialized form of libraries, given by their codes.
pub fn dump<'a>(codes: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(OPCODE);
        push_length(&mut out, code.len());
        out.extend_from_slice(code);
    }
    out.extend_from_slice(&RDB_VERSION.to_le_bytes());
    let sum = crc64(0, &out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..64 => out.push(length as u8),
        64..16_384 => out.extend_from_slice(&[0x40 | (length >> 8) as u8, length as u8]),
        _ if u32::try_from(length).is_ok() => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// The codes of the libraries in a serialized form.
///
/// # Errors
/// The text of the error reply.
pub fn libraries_of_dump(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let body_bytes = payload.len().checked_sub(FOOTER_BYTES).ok_or(BAD_FOOTER)?;
    let (body, footer) = payload.split_at(body_bytes);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let sum = u64::from_le_bytes(footer[2..].try_into().map_err(|_| BAD_FOOTER)?);
    // Beyond 80 are the versions of Valkey; libraries look the same in all.
    let known = version <= 13 || version == 80;
    if !known || sum != crc64(0, &payload[..body_bytes + 2]) {
        return Err(BAD_FOOTER);
    }
    let mut rest = body;
    let mut codes = Vec::new();
    while let Some((&opcode, after)) = rest.split_first() {
        if opcode != OPCODE {
            return Err("ERR given type is not a function");
        }
        let (code, after) = string(after).ok_or("ERR failed loading functions payload")?;
        codes.push(code);
        rest = after;
    }
    Ok(codes)
}

/// A string of RDB, and what follows it.
fn string(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    const COMPRESSED: u8 = 0xC3;
    if bytes.first() == Some(&COMPRESSED) {
        let (packed, rest) = length(&bytes[1..])?;
        let (plain, rest) = length(rest)?;
        let (packed, rest) = rest.split_at_checked(packed)?;
        return Some((decompress(packed, plain)?, rest));
    }
    let (length, rest) = length(bytes)?;
    let (text, rest) = rest.split_at_checked(length)?;
    Some((text.to_vec(), rest))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first >> 6 {
        0 => Some((usize::from(first & 0x3F), rest)),
        1 => {
            let (&second, rest) = rest.split_first()?;
            Some(((usize::from(first & 0x3F) << 8) | usize::from(second), rest))
        }
        2 if first == 0x80 => {
            let (number, rest) = rest.split_first_chunk::<4>()?;
            Some((u32::from_be_bytes(*number) as usize, rest))
        }
        2 if first == 0x81 => {
            let (number, rest) = rest.split_first_chunk::<8>()?;
            Some((usize::try_from(u64::from_be_bytes(*number)).ok()?, rest))
        }
        _ => None,
    }
}

/// LZF: literal runs and references back.
fn decompress(packed: &[u8], plain: usize) -> Option<Vec<u8>> {
    // Nothing is sized by the claim: three bytes make 264 at most.
    if plain > packed.len().checked_mul(88)? {
        return None;
    }
    let mut out = Vec::with_capacity(plain);
    let mut bytes = packed.iter().copied();
    while let Some(control) = bytes.next() {
        if control < 32 {
            for _ in 0..=control {
                out.push(bytes.next()?);
            }
            continue;
        }
        let mut count = usize::from(control >> 5);
        if count == 7 {
            count += usize::from(bytes.next()?);
        }
        let back = (usize::from(control & 31) << 8 | usize::from(bytes.next()?)) + 1;
        let from = out.len().checked_sub(back)?;
        if out.len() + count + 2 > plain {
            return None;
        }
        for at in from..from + count + 2 {
            out.push(out[at]);
        }
    }
    (out.len() == plain).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{dump, libraries_of_dump};

    #[test]
    fn what_was_dumped_is_read_again() {
        let long = vec![b'x'; 70_000];
        let codes: [&[u8]; 3] = [b"#!lua name=a\n", &[b'y'; 100], &long];
        let payload = dump(codes.into_iter());
        assert_eq!(libraries_of_dump(&payload).unwrap(), codes.map(<[u8]>::to_vec));
        assert_eq!(libraries_of_dump(&dump(std::iter::empty())).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_damaged_payload_is_refused() {
        let mut payload = dump([b"#!lua name=a\n".as_slice()].into_iter());
        for at in 0..payload.len() {
            payload[at] ^= 1;
            assert!(libraries_of_dump(&payload).is_err(), "byte {at}");
            payload[at] ^= 1;
        }
        assert!(libraries_of_dump(b"").is_err());
    }
}
