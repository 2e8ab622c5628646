//! Zipmap, the packed hash before Redis 2.6.
//!
//! ```text
//! fields (254: more) │ length │ name │ length │ unused bytes │ value │ unused … │ … │ 0xFF
//! length: 1 byte up to 253, or 0xFE and u32
//! ```

use crate::error::Fault;
use crate::input::Input;
use ochre_collections::listpack::{BYTES_MAX, Listpack};

const WRONG: Fault = Fault::Malformed("Zipmap integrity check failed.");
const END: u8 = 0xFF;

/// The same names and values by turns as a packed list. Every length is checked.
pub(crate) fn to_listpack(bytes: &[u8]) -> Result<Listpack, Fault> {
    if bytes.len() > BYTES_MAX / 2 {
        return Err(WRONG);
    }
    read(bytes).map_err(|fault| if matches!(fault, Fault::Truncated) { WRONG } else { fault })
}

fn read(bytes: &[u8]) -> Result<Listpack, Fault> {
    let mut input = Input::new(bytes);
    let count = input.byte()?;
    let mut list = Listpack::with_capacity(bytes.len());
    let mut fields = 0usize;
    while let Some(length) = length(&mut input)? {
        list.push_back(input.take(length)?);
        let length = self::length(&mut input)?.ok_or(WRONG)?;
        let unused = usize::from(input.byte()?);
        list.push_back(input.take(length)?);
        input.take(unused)?;
        fields += 1;
    }
    if input.left() != 0 || (count < 254 && usize::from(count) != fields) {
        return Err(WRONG);
    }
    Ok(list)
}

/// A length; `None` at the end.
fn length(input: &mut Input<'_>) -> Result<Option<usize>, Fault> {
    Ok(match input.byte()? {
        END => None,
        0xFE => Some(u32::from_le_bytes(input.array()?) as usize),
        length => Some(length.into()),
    })
}
