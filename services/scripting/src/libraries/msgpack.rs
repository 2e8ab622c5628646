//! `cmsgpack`: MessagePack.

use super::{Call, one, table_of};
use crate::natives::State;
use mlua::{Lua, MultiValue, Table, Value};
use std::rc::Rc;

/// Tables nested deeper than this become nil, as the library that scripts know has it.
const NESTING_MAX: usize = 16;
/// Values nested deeper than this are not read.
const READ_DEPTH_MAX: usize = 180;
/// Values that one call may answer: what fits the stack of Lua.
const VALUES_MAX: usize = 7000;

pub(super) fn library(lua: &Lua, state: &Rc<State>) -> mlua::Result<Table> {
    let table = table_of(
        lua,
        state,
        &[
            ("pack", pack),
            ("unpack", |call| unpack(call, 0, 0, false)),
            ("unpack_one", |call| {
                let offset = optional(call, 1)?;
                unpack(call, 1, offset, true)
            }),
            ("unpack_limit", |call| {
                let (limit, offset) = (call.number(1)? as i64, optional(call, 2)?);
                unpack(call, limit, offset, true)
            }),
        ],
    )?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "")?;
    table.raw_set("_DESCRIPTION", "MessagePack for scripts")?;
    Ok(table)
}

fn optional(call: &Call<'_>, at: usize) -> mlua::Result<i64> {
    if call.value(at).is_none_or(Value::is_nil) { Ok(0) } else { Ok(call.number(at)? as i64) }
}

fn pack(call: &Call<'_>) -> mlua::Result<MultiValue> {
    if call.arguments.is_empty() {
        return Err(call.bad(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in &call.arguments {
        write(&mut out, value, 0)?;
    }
    one(Value::String(call.lua.create_string(out)?))
}

fn write(out: &mut Vec<u8>, value: &Value, depth: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => write_text(out, &text.as_bytes()),
        Value::Boolean(flag) => out.push(if *flag { 0xC3 } else { 0xC2 }),
        Value::Integer(number) => write_integer(out, *number),
        Value::Number(number) => write_number(out, *number),
        Value::Table(table) if depth < NESTING_MAX => return write_table(out, table, depth),
        _ => out.push(0xC0),
    }
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    header(out, text.len(), (0xA0, 31), Some(0xD9), 0xDA, 0xDB);
    out.extend_from_slice(text);
}

/// How many there are of something: in the marker itself, or in one, two or four bytes behind it.
fn header(out: &mut Vec<u8>, count: usize, (fixed, fixed_max): (u8, usize), one: Option<u8>, two: u8, four: u8) {
    match (count, one) {
        (count, _) if count <= fixed_max => out.push(fixed | count as u8),
        (..=0xFF, Some(one)) => out.extend_from_slice(&[one, count as u8]),
        (..=0xFFFF, _) => {
            out.push(two);
            out.extend_from_slice(&(count as u16).to_be_bytes());
        }
        _ => {
            out.push(four);
            out.extend_from_slice(&(count as u32).to_be_bytes());
        }
    }
}

fn write_integer(out: &mut Vec<u8>, number: i64) {
    match number {
        -32..=127 => out.push(number as u8),
        128..=0xFF => out.extend_from_slice(&[0xCC, number as u8]),
        0x100..=0xFFFF => marked(out, 0xCD, (number as u16).to_be_bytes()),
        0x1_0000..=0xFFFF_FFFF => marked(out, 0xCE, (number as u32).to_be_bytes()),
        0x1_0000_0000.. => marked(out, 0xCF, number.to_be_bytes()),
        -128.. => out.extend_from_slice(&[0xD0, number as u8]),
        -32_768.. => marked(out, 0xD1, (number as i16).to_be_bytes()),
        -2_147_483_648.. => marked(out, 0xD2, (number as i32).to_be_bytes()),
        _ => marked(out, 0xD3, number.to_be_bytes()),
    }
}

fn marked<const N: usize>(out: &mut Vec<u8>, marker: u8, bytes: [u8; N]) {
    out.push(marker);
    out.extend_from_slice(&bytes);
}

fn write_number(out: &mut Vec<u8>, number: f64) {
    if number.fract() == 0.0 && (-9.3e18..9.2e18).contains(&number) {
        return write_integer(out, number as i64);
    }
    let short = number as f32;
    if f64::from(short) == number {
        marked(out, 0xCA, short.to_be_bytes());
    } else {
        marked(out, 0xCB, number.to_be_bytes());
    }
}

fn write_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> mlua::Result<()> {
    let (mut count, mut most) = (0_i64, 0_i64);
    let mut is_array = true;
    for pair in table.pairs::<Value, Value>() {
        count += 1;
        match pair?.0 {
            Value::Integer(index) if index > 0 => most = most.max(index),
            _ => is_array = false,
        }
    }
    if is_array && most == count {
        header(out, count as usize, (0x90, 15), None, 0xDC, 0xDD);
        for index in 1..=count {
            write(out, &table.raw_get::<Value>(index)?, depth + 1)?;
        }
        return Ok(());
    }
    header(out, count as usize, (0x80, 15), None, 0xDE, 0xDF);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(out, &key, depth + 1)?;
        write(out, &value, depth + 1)?;
    }
    Ok(())
}

enum Bad {
    Format,
    Missing,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Bad {
    fn from(error: mlua::Error) -> Self {
        Bad::Lua(error)
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
    lua: &'a Lua,
}

/// `limit`: how many values, 0 for all; `tells_offset`: whether the place of the next one comes first.
fn unpack(call: &Call<'_>, limit: i64, offset: i64, tells_offset: bool) -> mlua::Result<MultiValue> {
    let data = call.text(0)?;
    if offset < 0 || limit < 0 {
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {limit}.");
        return Err(call.error(&text));
    }
    if offset as usize > data.len() {
        let text = format!("Start offset {offset} greater than input length {}.", data.len());
        return Err(call.error(&text));
    }
    let most = if limit == 0 { usize::MAX } else { limit as usize };
    let mut cursor = Cursor { rest: &data[offset as usize..], lua: call.lua };
    let mut values = Vec::new();
    while !cursor.rest.is_empty() && values.len() < most {
        if values.len() >= VALUES_MAX {
            return Err(call.error("too many results to unpack"));
        }
        match cursor.read(0) {
            Ok(value) => values.push(value),
            Err(Bad::Format) => return Err(call.error("Bad data format in input.")),
            Err(Bad::Missing) => return Err(call.error("Missing bytes in input.")),
            Err(Bad::Lua(error)) => return Err(error),
        }
    }
    if tells_offset {
        let next = if cursor.rest.is_empty() { -1 } else { (data.len() - cursor.rest.len()) as i64 };
        values.insert(0, Value::Integer(next));
    }
    Ok(MultiValue::from_vec(values))
}

impl Cursor<'_> {
    fn bytes(&mut self, count: usize) -> Result<&[u8], Bad> {
        if self.rest.len() < count {
            return Err(Bad::Missing);
        }
        let (bytes, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        Ok(self.bytes(N)?.try_into().expect("as many bytes as were asked for"))
    }

    fn read(&mut self, depth: usize) -> Result<Value, Bad> {
        if depth > READ_DEPTH_MAX {
            return Err(Bad::Format);
        }
        let [marker] = self.array()?;
        Ok(match marker {
            0x00..=0x7F => Value::Integer(marker.into()),
            0x80..=0x8F => return self.map(usize::from(marker & 15), depth),
            0x90..=0x9F => return self.list(usize::from(marker & 15), depth),
            0xA0..=0xBF => return self.string(usize::from(marker & 31)),
            0xC0 => Value::Nil,
            0xC2 | 0xC3 => Value::Boolean(marker == 0xC3),
            0xC4 | 0xD9 => {
                let [length] = self.array()?;
                return self.string(length.into());
            }
            0xC5 | 0xDA => {
                let length = u16::from_be_bytes(self.array()?);
                return self.string(length.into());
            }
            0xC6 | 0xDB => {
                let length = u32::from_be_bytes(self.array()?);
                return self.string(length as usize);
            }
            0xCA => Value::Number(f32::from_be_bytes(self.array()?).into()),
            0xCB => Value::Number(f64::from_be_bytes(self.array()?)),
            0xCC => Value::Integer(u8::from_be_bytes(self.array()?).into()),
            0xCD => Value::Integer(u16::from_be_bytes(self.array()?).into()),
            0xCE => Value::Integer(u32::from_be_bytes(self.array()?).into()),
            0xCF => Value::Number(u64::from_be_bytes(self.array()?) as f64),
            0xD0 => Value::Integer(i8::from_be_bytes(self.array()?).into()),
            0xD1 => Value::Integer(i16::from_be_bytes(self.array()?).into()),
            0xD2 => Value::Integer(i32::from_be_bytes(self.array()?).into()),
            0xD3 => Value::Number(i64::from_be_bytes(self.array()?) as f64),
            0xDC => {
                let count = u16::from_be_bytes(self.array()?);
                return self.list(count.into(), depth);
            }
            0xDD => {
                let count = u32::from_be_bytes(self.array()?);
                return self.list(count as usize, depth);
            }
            0xDE => {
                let count = u16::from_be_bytes(self.array()?);
                return self.map(count.into(), depth);
            }
            0xDF => {
                let count = u32::from_be_bytes(self.array()?);
                return self.map(count as usize, depth);
            }
            0xE0..=0xFF => Value::Integer((marker as i8).into()),
            _ => return Err(Bad::Format),
        })
    }

    fn string(&mut self, length: usize) -> Result<Value, Bad> {
        let lua = self.lua;
        Ok(Value::String(lua.create_string(self.bytes(length)?)?))
    }

    fn list(&mut self, count: usize, depth: usize) -> Result<Value, Bad> {
        // Each element takes a byte at least, so a count is believed only as far as there are bytes.
        let table = self.lua.create_table_with_capacity(count.min(self.rest.len()), 0)?;
        for index in 1..=count {
            let value = self.read(depth + 1)?;
            if !value.is_nil() {
                table.raw_set(index, value)?;
            }
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, pairs: usize, depth: usize) -> Result<Value, Bad> {
        let table = self.lua.create_table_with_capacity(0, pairs.min(self.rest.len() / 2))?;
        for _ in 0..pairs {
            let key = self.read(depth + 1)?;
            let value = self.read(depth + 1)?;
            match key {
                Value::Nil => return Err(Bad::Format),
                Value::Number(number) if number.is_nan() => return Err(Bad::Format),
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}
