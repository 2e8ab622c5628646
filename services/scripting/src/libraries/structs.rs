//! `struct`: numbers and strings as packed bytes.

use super::{Call, one, table_of};
use crate::natives::State;
use crate::replies::to_integer;
use mlua::{Lua, MultiValue, Table, Value};
use std::rc::Rc;

const INTEGER_BYTES_MAX: usize = 32;
const ALIGNMENT_MAX: usize = 8;

pub(super) fn library(lua: &Lua, state: &Rc<State>) -> mlua::Result<Table> {
    table_of(lua, state, &[("pack", pack), ("unpack", unpack), ("size", size)])
}

/// Walks over a format.
struct Format<'a> {
    text: &'a [u8],
    at: usize,
    big_endian: bool,
    alignment: usize,
}

/// One letter of a format, with its size in bytes.
struct Item {
    letter: u8,
    bytes: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Self {
        Format { text, at: 0, big_endian: false, alignment: 1 }
    }

    /// A number that follows, or `default` if none does.
    fn count(&mut self, call: &Call<'_>, default: usize) -> mlua::Result<usize> {
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let number = ochre_text::number::parse_u64(&self.text[self.at..self.at + digits]).or_else(|| {
            // Leading zeros are not a number to the strict parser.
            std::str::from_utf8(&self.text[self.at..self.at + digits]).ok()?.parse().ok()
        });
        self.at += digits;
        match number {
            Some(number) if number <= i32::MAX as u64 => Ok(number as usize),
            _ => Err(call.error("integral size overflow")),
        }
    }

    /// The next letter that stands for something; those that change how are obeyed on the way.
    fn next(&mut self, call: &Call<'_>) -> mlua::Result<Option<Item>> {
        while let Some(&letter) = self.text.get(self.at) {
            self.at += 1;
            let bytes = match letter {
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'l' | b'L' | b'T' | b'd' => 8,
                b'f' => 4,
                b'c' => self.count(call, 1)?,
                b's' => 0,
                b'i' | b'I' => {
                    let bytes = self.count(call, 4)?;
                    if bytes > INTEGER_BYTES_MAX {
                        let text = format!("integral size {bytes} is larger than limit of {INTEGER_BYTES_MAX}");
                        return Err(call.error(&text));
                    }
                    bytes
                }
                b' ' => continue,
                b'>' => {
                    self.big_endian = true;
                    continue;
                }
                b'<' => {
                    self.big_endian = false;
                    continue;
                }
                b'!' => {
                    let alignment = self.count(call, ALIGNMENT_MAX)?;
                    if !alignment.is_power_of_two() {
                        return Err(call.error("alignment is not a power of 2"));
                    }
                    self.alignment = alignment;
                    continue;
                }
                other => {
                    let text = format!("invalid format option '{}'", char::from(other));
                    return Err(call.bad(1, &text));
                }
            };
            return Ok(Some(Item { letter, bytes }));
        }
        Ok(None)
    }

    /// Bytes to skip before `item` stands where it should, `position` bytes from the beginning.
    fn padding(&self, item: &Item, position: usize) -> usize {
        if item.bytes == 0 || item.letter == b'c' || item.letter == b's' {
            return 0;
        }
        let size = item.bytes.min(self.alignment);
        // Alignments are powers of two; so are the sizes for which it matters.
        (size.wrapping_sub(position & size.wrapping_sub(1))) & size.wrapping_sub(1)
    }
}

fn pack(call: &Call<'_>) -> mlua::Result<MultiValue> {
    let text = call.text(0)?;
    let mut format = Format::new(&text);
    let mut out = Vec::new();
    let mut at = 1;
    while let Some(item) = format.next(call)? {
        out.resize(out.len() + format.padding(&item, out.len()), 0);
        match item.letter {
            b'x' => out.push(0),
            b'c' | b's' => {
                let text = call.text(at)?;
                let bytes = if item.bytes == 0 { text.len() } else { item.bytes };
                if text.len() < bytes {
                    return Err(call.bad(at + 1, "string too short"));
                }
                out.extend_from_slice(&text[..bytes]);
                if item.letter == b's' {
                    out.push(0);
                }
                at += 1;
            }
            b'f' => {
                push(&mut out, (call.number(at)? as f32).to_le_bytes(), format.big_endian);
                at += 1;
            }
            b'd' => {
                push(&mut out, call.number(at)?.to_le_bytes(), format.big_endian);
                at += 1;
            }
            _ => {
                let number = call.number(at)?;
                let word = if number < 0.0 { to_integer(number) as u64 } else { number as u64 };
                let mut bytes = [0; INTEGER_BYTES_MAX];
                bytes[..8].copy_from_slice(&word.to_le_bytes());
                let bytes = &mut bytes[..item.bytes];
                if format.big_endian {
                    bytes.reverse();
                }
                out.extend_from_slice(bytes);
                at += 1;
            }
        }
    }
    one(Value::String(call.lua.create_string(out)?))
}

fn push<const N: usize>(out: &mut Vec<u8>, mut bytes: [u8; N], big_endian: bool) {
    if big_endian {
        bytes.reverse();
    }
    out.extend_from_slice(&bytes);
}

/// Values that one call may answer: what fits the stack of Lua.
const VALUES_MAX: usize = 7000;

fn unpack(call: &Call<'_>) -> mlua::Result<MultiValue> {
    let text = call.text(0)?;
    let data = call.text(1)?;
    let mut position = match call.value(2) {
        None | Some(Value::Nil) => 0,
        _ => match call.number(2)? as i64 {
            position if position >= 1 => position as usize - 1,
            _ => return Err(call.bad(3, "offset must be 1 or greater")),
        },
    };
    let mut format = Format::new(&text);
    let mut values = Vec::new();
    while let Some(item) = format.next(call)? {
        if values.len() >= VALUES_MAX {
            return Err(call.error("too many results to unpack"));
        }
        position = position.saturating_add(format.padding(&item, position));
        let end = position.checked_add(item.bytes).filter(|end| *end <= data.len());
        let end = end.ok_or_else(|| call.bad(2, "data string too short"))?;
        let bytes = &data[position..end];
        position = end;
        match item.letter {
            b'x' => {}
            b's' => {
                let length = data[position..].iter().position(|byte| *byte == 0);
                let length = length.ok_or_else(|| call.error("unfinished string in data"))?;
                values.push(Value::String(call.lua.create_string(&data[position..position + length])?));
                position += length + 1;
            }
            b'c' if item.bytes == 0 => {
                // The number before is how long it is.
                let length = match values.pop() {
                    Some(Value::Number(number)) if number >= 0.0 => number as usize,
                    _ => return Err(call.error("format 'c0' needs a previous size")),
                };
                let end = position.checked_add(length).filter(|end| *end <= data.len());
                let end = end.ok_or_else(|| call.bad(2, "data string too short"))?;
                values.push(Value::String(call.lua.create_string(&data[position..end])?));
                position = end;
            }
            b'c' => values.push(Value::String(call.lua.create_string(bytes)?)),
            b'f' => values.push(Value::Number(f32::from_le_bytes(little(bytes, format.big_endian)).into())),
            b'd' => values.push(Value::Number(f64::from_le_bytes(little(bytes, format.big_endian)))),
            letter => {
                let word = integer(bytes, format.big_endian);
                let bits = 64 - 8 * bytes.len().min(8) as u32;
                values.push(Value::Number(if letter.is_ascii_lowercase() {
                    // The sign is that of the value's own size.
                    if bits == 64 { 0.0 } else { ((word << bits) as i64 >> bits) as f64 }
                } else {
                    word as f64
                }));
            }
        }
    }
    values.push(Value::Number(position as f64 + 1.0));
    Ok(MultiValue::from_vec(values))
}

fn little<const N: usize>(bytes: &[u8], big_endian: bool) -> [u8; N] {
    let mut array: [u8; N] = bytes.try_into().expect("the format says how many bytes there are");
    if big_endian {
        array.reverse();
    }
    array
}

/// The lowest 64 bits of an integer of any size.
fn integer(bytes: &[u8], big_endian: bool) -> u64 {
    let add = |word: u64, byte: &u8| (word << 8) | u64::from(*byte);
    if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
}

fn size(call: &Call<'_>) -> mlua::Result<MultiValue> {
    let text = call.text(0)?;
    let mut format = Format::new(&text);
    let mut position: usize = 0;
    while let Some(item) = format.next(call)? {
        position = position.saturating_add(format.padding(&item, position));
        match (item.letter, item.bytes) {
            (b's', _) => return Err(call.bad(1, "variable-size format in 'size'")),
            (b'c', 0) => return Err(call.bad(1, "variable-length format in 'size'")),
            (_, bytes) => position = position.saturating_add(bytes),
        }
    }
    one(Value::Number(position as f64))
}
