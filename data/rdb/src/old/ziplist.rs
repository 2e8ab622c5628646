//! Ziplist, the packed list before Redis 7.
//!
//! ```text
//! u32 total bytes │ u32 offset of the last element │ u16 elements (65535: more) │ element … │ 0xFF
//! element: length of the one before (1 byte, or 0xFE and u32) │ encoding │ data
//! ```

use crate::error::Fault;
use crate::input::Input;
use ochre_collections::listpack::{BYTES_MAX, Listpack};

const WRONG: Fault = Fault::Malformed("Ziplist integrity check failed.");
const END: u8 = 0xFF;
const HEADER: usize = 10;

/// The same elements as a packed list of today. Every length is checked.
pub(crate) fn to_listpack(bytes: &[u8]) -> Result<Listpack, Fault> {
    if bytes.len() > BYTES_MAX / 2 {
        return Err(WRONG);
    }
    read(bytes).map_err(|fault| if matches!(fault, Fault::Truncated) { WRONG } else { fault })
}

fn read(bytes: &[u8]) -> Result<Listpack, Fault> {
    let mut input = Input::new(bytes);
    let total = u32::from_le_bytes(input.array()?);
    let tail = u32::from_le_bytes(input.array()?);
    let count = u16::from_le_bytes(input.array()?);
    if total as usize != bytes.len() {
        return Err(WRONG);
    }
    let mut list = Listpack::with_capacity(bytes.len());
    let (mut before, mut last, mut elements) = (0, HEADER, 0usize);
    loop {
        let start = input.position();
        let first = input.byte()?;
        if first == END {
            break;
        }
        let length_before = if first == 0xFE { u32::from_le_bytes(input.array()?) as usize } else { first.into() };
        if length_before != before {
            return Err(WRONG);
        }
        push_element(&mut input, &mut list)?;
        before = input.position() - start;
        last = start;
        elements += 1;
    }
    let is_counted = count == u16::MAX || usize::from(count) == elements;
    if input.left() != 0 || !is_counted || tail as usize != last {
        return Err(WRONG);
    }
    Ok(list)
}

fn push_element(input: &mut Input<'_>, list: &mut Listpack) -> Result<(), Fault> {
    let encoding = input.byte()?;
    let length = match encoding {
        0x00..=0x3F => usize::from(encoding),
        0x40..=0x7F => usize::from(encoding & 0x3F) << 8 | usize::from(input.byte()?),
        0x80 => u32::from_be_bytes(input.array()?) as usize,
        _ => {
            list.push_back_int(integer(encoding, input)?);
            return Ok(());
        }
    };
    list.push_back(input.take(length)?);
    Ok(())
}

fn integer(encoding: u8, input: &mut Input<'_>) -> Result<i64, Fault> {
    Ok(match encoding {
        0xC0 => i16::from_le_bytes(input.array()?).into(),
        0xD0 => i32::from_le_bytes(input.array()?).into(),
        0xE0 => i64::from_le_bytes(input.array()?),
        0xF0 => {
            let [low, middle, high] = input.array()?;
            (i32::from_le_bytes([0, low, middle, high]) >> 8).into()
        }
        0xFE => i8::from_le_bytes(input.array()?).into(),
        0xF1..=0xFD => i64::from(encoding & 0x0F) - 1,
        _ => return Err(WRONG),
    })
}
