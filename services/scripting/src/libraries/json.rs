//! `cjson`: JSON, written.

use super::{Call, LibraryFn, one, table_of};
use crate::format::write_general;
use crate::natives::State;
use mlua::{Lua, MultiValue, Table, Value};
use std::cell::Cell;
use std::rc::Rc;

/// What the functions of a state's `cjson` have been told.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    sparse_convert: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_depth_max: i64,
    pub decode_depth_max: i64,
    encode_invalid: Invalid,
    pub decode_invalid: bool,
    digits: i64,
    keep_buffer: bool,
}

/// What becomes of NaN and infinities.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

thread_local! {
    // A thread has one state; `cjson.new` shares its settings.
    pub(crate) static SETTINGS: Cell<Settings> = const { Cell::new(Settings {
        sparse_convert: false,
        sparse_ratio: 2,
        sparse_safe: 10,
        encode_depth_max: 1000,
        decode_depth_max: 1000,
        encode_invalid: Invalid::Refused,
        decode_invalid: true,
        digits: 14,
        keep_buffer: true,
    }) };
}

const FUNCTIONS: &[(&str, LibraryFn)] = &[
    ("encode", encode),
    ("decode", super::json_decode::decode),
    ("encode_sparse_array", encode_sparse_array),
    ("encode_max_depth", |call| number_setting(call, 1, i64::from(i32::MAX), |all| &mut all.encode_depth_max)),
    ("decode_max_depth", |call| number_setting(call, 1, i64::from(i32::MAX), |all| &mut all.decode_depth_max)),
    ("encode_number_precision", |call| number_setting(call, 1, 17, |all| &mut all.digits)),
    ("encode_keep_buffer", |call| flag_setting(call, |all| &mut all.keep_buffer)),
    ("encode_invalid_numbers", encode_invalid_numbers),
    ("decode_invalid_numbers", |call| flag_setting(call, |all| &mut all.decode_invalid)),
    ("new", |call| one(Value::Table(library(call.lua, call.state)?))),
];

pub(super) fn library(lua: &Lua, state: &Rc<State>) -> mlua::Result<Table> {
    let table = table_of(lua, state, FUNCTIONS)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

// ---- settings ----

fn given<'a>(call: &'a Call<'_>, at: usize) -> Option<&'a Value> {
    call.value(at).filter(|value| !value.is_nil())
}

fn no_more_than(call: &Call<'_>, most: usize) -> mlua::Result<()> {
    if call.arguments.len() > most { Err(call.bad(most + 1, "found too many arguments")) } else { Ok(()) }
}

fn number_setting(
    call: &Call<'_>,
    least: i64,
    most: i64,
    place: fn(&mut Settings) -> &mut i64,
) -> mlua::Result<MultiValue> {
    no_more_than(call, 1)?;
    let mut all = SETTINGS.get();
    if given(call, 0).is_some() {
        let number = call.number(0)? as i64;
        if !(least..=most).contains(&number) {
            return Err(call.bad(1, &format!("expected integer between {least} and {most}")));
        }
        *place(&mut all) = number;
        SETTINGS.set(all);
    }
    one(Value::Integer(*place(&mut all)))
}

fn flag(call: &Call<'_>, at: usize) -> mlua::Result<Option<bool>> {
    match given(call, at) {
        None => Ok(None),
        Some(Value::Boolean(flag)) => Ok(Some(*flag)),
        Some(Value::String(word)) if &*word.as_bytes() == b"on" => Ok(Some(true)),
        Some(Value::String(word)) if &*word.as_bytes() == b"off" => Ok(Some(false)),
        Some(_) => Err(call.bad(at + 1, "boolean expected")),
    }
}

fn flag_setting(call: &Call<'_>, place: fn(&mut Settings) -> &mut bool) -> mlua::Result<MultiValue> {
    no_more_than(call, 1)?;
    let mut all = SETTINGS.get();
    if let Some(flag) = flag(call, 0)? {
        *place(&mut all) = flag;
        SETTINGS.set(all);
    }
    one(Value::Boolean(*place(&mut all)))
}

fn encode_invalid_numbers(call: &Call<'_>) -> mlua::Result<MultiValue> {
    no_more_than(call, 1)?;
    let mut all = SETTINGS.get();
    if let Some(Value::String(word)) = given(call, 0)
        && &*word.as_bytes() == b"null"
    {
        all.encode_invalid = Invalid::Null;
    } else if let Some(flag) = flag(call, 0)? {
        all.encode_invalid = if flag { Invalid::Written } else { Invalid::Refused };
    }
    SETTINGS.set(all);
    one(match all.encode_invalid {
        Invalid::Null => Value::String(call.lua.create_string("null")?),
        other => Value::Boolean(other == Invalid::Written),
    })
}

fn encode_sparse_array(call: &Call<'_>) -> mlua::Result<MultiValue> {
    no_more_than(call, 3)?;
    let mut all = SETTINGS.get();
    if let Some(convert) = flag(call, 0)? {
        all.sparse_convert = convert;
    }
    for (at, place) in [(1, &mut all.sparse_ratio), (2, &mut all.sparse_safe)] {
        if given(call, at).is_some() {
            let number = call.number(at)? as i64;
            if !(0..=i64::from(i32::MAX)).contains(&number) {
                return Err(call.bad(at + 1, &format!("expected integer between 0 and {}", i32::MAX)));
            }
            *place = number;
        }
    }
    SETTINGS.set(all);
    Ok(MultiValue::from_vec(vec![
        Value::Boolean(all.sparse_convert),
        Value::Integer(all.sparse_ratio),
        Value::Integer(all.sparse_safe),
    ]))
}

// ---- writing ----

fn encode(call: &Call<'_>) -> mlua::Result<MultiValue> {
    if call.arguments.len() != 1 {
        return Err(call.bad(1, "expected 1 argument"));
    }
    let mut out = Vec::new();
    write(call, &SETTINGS.get(), &mut out, &call.arguments[0], 0)?;
    one(Value::String(call.lua.create_string(out)?))
}

/// Deeper than this our own stack would not hold, whatever was set.
const DEPTH_MAX: i64 = 1500;

fn write(call: &Call<'_>, settings: &Settings, out: &mut Vec<u8>, value: &Value, depth: i64) -> mlua::Result<()> {
    match value {
        Value::String(text) => write_text(out, &text.as_bytes()),
        Value::Integer(number) => write_number(call, settings, out, *number as f64)?,
        Value::Number(number) => write_number(call, settings, out, *number)?,
        Value::Boolean(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Nil => out.extend_from_slice(b"null"),
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        Value::Table(table) => {
            let depth = depth + 1;
            if depth > settings.encode_depth_max.min(DEPTH_MAX) {
                return Err(call.error(&format!("Cannot serialise, excessive depth ({depth})")));
            }
            return write_table(call, settings, out, table, depth);
        }
        other => {
            let text = format!("Cannot serialise {}: type not supported", other.type_name());
            return Err(call.error(&text));
        }
    }
    Ok(())
}

fn write_number(call: &Call<'_>, settings: &Settings, out: &mut Vec<u8>, number: f64) -> mlua::Result<()> {
    if !number.is_finite() {
        match settings.encode_invalid {
            Invalid::Refused => {
                return Err(call.error("Cannot serialise number: must not be NaN or Infinity"));
            }
            Invalid::Null => out.extend_from_slice(b"null"),
            Invalid::Written if number.is_nan() => out.extend_from_slice(b"nan"),
            Invalid::Written => out.extend_from_slice(if number < 0.0 { b"-inf" } else { b"inf" }),
        }
        return Ok(());
    }
    write_general(out, number, settings.digits as usize);
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 | 0x7F => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The highest index if the table is an array; else `None`.
fn array_length(call: &Call<'_>, settings: &Settings, table: &Table) -> mlua::Result<Option<i64>> {
    let (mut count, mut most) = (0, 0);
    for pair in table.pairs::<Value, Value>() {
        match pair?.0 {
            Value::Integer(index) if index >= 1 => {
                most = most.max(index);
                count += 1;
            }
            _ => return Ok(None),
        }
    }
    let is_sparse = settings.sparse_ratio > 0 && most > count * settings.sparse_ratio && most > settings.sparse_safe;
    if is_sparse {
        if !settings.sparse_convert {
            return Err(call.error("Cannot serialise table: excessively sparse array"));
        }
        return Ok(None);
    }
    Ok((most > 0).then_some(most))
}

fn write_table(call: &Call<'_>, settings: &Settings, out: &mut Vec<u8>, table: &Table, depth: i64) -> mlua::Result<()> {
    if let Some(length) = array_length(call, settings, table)? {
        out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                out.push(b',');
            }
            write(call, settings, out, &table.raw_get::<Value>(index)?, depth)?;
        }
        out.push(b']');
        return Ok(());
    }
    out.push(b'{');
    let mut first = true;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        match key {
            Value::String(key) => write_text(out, &key.as_bytes()),
            Value::Integer(key) => {
                out.push(b'"');
                write_number(call, settings, out, key as f64)?;
                out.push(b'"');
            }
            Value::Number(key) => {
                out.push(b'"');
                write_number(call, settings, out, key)?;
                out.push(b'"');
            }
            _ => return Err(call.error("Cannot serialise table: table key must be a number or string")),
        }
        out.push(b':');
        write(call, settings, out, &value, depth)?;
    }
    out.push(b'}');
    Ok(())
}
