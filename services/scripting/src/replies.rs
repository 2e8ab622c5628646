//! Replies of commands become values of Lua, and what a script returns becomes its reply.

use mlua::{Lua, Table, Value};
use ochre_resp::Reply;

/// Tables that a script returns may be nested so deep.
const DEPTH_MAX: usize = 400;

/// The value of a reply that begins at `at`, which moves behind it.
pub(crate) fn to_lua(lua: &Lua, bytes: &[u8], at: &mut usize) -> mlua::Result<Value> {
    let line = line_at(bytes, at);
    let Some((&marker, rest)) = line.split_first() else { return Ok(Value::Nil) };
    Ok(match marker {
        b':' => Value::Integer(number(rest)),
        b'$' => match number(rest) {
            ..0 => Value::Boolean(false),
            length => Value::String(lua.create_string(bulk_at(bytes, at, length as usize))?),
        },
        b'+' => Value::Table(tagged(lua, "ok", Value::String(lua.create_string(rest)?))?),
        b'-' => Value::Table(tagged(lua, "err", Value::String(lua.create_string(rest)?))?),
        b'*' | b'>' => match number(rest) {
            ..0 => Value::Boolean(false),
            length => {
                let table = lua.create_table_with_capacity(length as usize, 0)?;
                for index in 1..=length {
                    let value = to_lua(lua, bytes, at)?;
                    if !value.is_nil() {
                        table.raw_set(index, value)?;
                    }
                }
                Value::Table(table)
            }
        },
        b'_' => Value::Nil,
        b'#' => Value::Boolean(rest == b"t"),
        b',' => Value::Table(tagged(lua, "double", Value::Number(double(rest)))?),
        b'(' => Value::Table(tagged(lua, "big_number", Value::String(lua.create_string(rest)?))?),
        b'=' => {
            let text = bulk_at(bytes, at, number(rest).max(0) as usize);
            let (format, text) = text.split_at(text.len().min(3));
            let parts = lua.create_table_with_capacity(0, 2)?;
            parts.raw_set("string", lua.create_string(text.get(1..).unwrap_or_default())?)?;
            parts.raw_set("format", lua.create_string(format)?)?;
            Value::Table(tagged(lua, "verbatim_string", Value::Table(parts))?)
        }
        b'%' | b'|' => {
            let pairs = number(rest).max(0);
            let map = lua.create_table_with_capacity(0, pairs as usize)?;
            for _ in 0..pairs {
                let key = to_lua(lua, bytes, at)?;
                let value = to_lua(lua, bytes, at)?;
                if !key.is_nil() {
                    map.raw_set(key, value)?;
                }
            }
            if marker == b'|' {
                // Attributes stand before the value that they are about, and scripts do not see them.
                return to_lua(lua, bytes, at);
            }
            Value::Table(tagged(lua, "map", Value::Table(map))?)
        }
        b'~' => {
            let length = number(rest).max(0);
            let set = lua.create_table_with_capacity(0, length as usize)?;
            for _ in 0..length {
                let member = to_lua(lua, bytes, at)?;
                if !member.is_nil() {
                    set.raw_set(member, true)?;
                }
            }
            Value::Table(tagged(lua, "set", Value::Table(set))?)
        }
        _ => Value::Nil,
    })
}

/// A table with one field.
pub(crate) fn tagged(lua: &Lua, tag: &str, value: Value) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(tag, value)?;
    Ok(table)
}

/// The line at `at` without its end; `at` moves behind it.
fn line_at<'a>(bytes: &'a [u8], at: &mut usize) -> &'a [u8] {
    let rest = bytes.get(*at..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
    *at += (end + 2).min(rest.len());
    &rest[..end]
}

fn bulk_at<'a>(bytes: &'a [u8], at: &mut usize, length: usize) -> &'a [u8] {
    let text = bytes.get(*at..*at + length).unwrap_or_default();
    *at += length + 2;
    text
}

fn number(digits: &[u8]) -> i64 {
    ochre_text::number::parse_i64(digits).unwrap_or(0)
}

fn double(text: &[u8]) -> f64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// Replies with what a script returned. `resp3`: the version that the script has chosen for itself.
pub(crate) fn reply_with(value: &Value, script_resp3: bool, reply: &mut Reply<'_>) -> mlua::Result<()> {
    write(value, script_resp3, reply, 0)
}

fn write(value: &Value, script_resp3: bool, reply: &mut Reply<'_>, depth: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(number) => reply.integer(*number),
        // As the processor converts: what does not fit is the smallest integer.
        Value::Number(number) => reply.integer(to_integer(*number)),
        Value::Boolean(flag) if script_resp3 => reply.boolean(*flag),
        Value::Boolean(true) => reply.integer(1),
        Value::Table(table) => return write_table(table, script_resp3, reply, depth),
        _ => reply.null(),
    }
    Ok(())
}

pub(crate) fn to_integer(number: f64) -> i64 {
    if (-9223372036854775808.0..9223372036854775808.0).contains(&number) { number as i64 } else { i64::MIN }
}

fn write_table(table: &Table, script_resp3: bool, reply: &mut Reply<'_>, depth: usize) -> mlua::Result<()> {
    if depth >= DEPTH_MAX {
        reply.error("ERR reached lua stack limit");
        return Ok(());
    }
    if let Value::String(text) = table.raw_get::<Value>("err")? {
        reply.error_bytes(&text.as_bytes());
        return Ok(());
    }
    if let Value::String(text) = table.raw_get::<Value>("ok")? {
        reply.status(&String::from_utf8_lossy(&text.as_bytes()));
        return Ok(());
    }
    match table.raw_get::<Value>("double")? {
        Value::Number(number) => {
            reply.double(number);
            return Ok(());
        }
        Value::Integer(number) => {
            reply.double(number as f64);
            return Ok(());
        }
        _ => {}
    }
    if let Value::Table(map) = table.raw_get::<Value>("map")? {
        let header = reply.array_deferred();
        let mut pairs = 0;
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            write(&key, script_resp3, reply, depth + 1)?;
            write(&value, script_resp3, reply, depth + 1)?;
            pairs += 1;
        }
        reply.set_len_of_map(header, pairs);
        return Ok(());
    }
    if let Value::Table(set) = table.raw_get::<Value>("set")? {
        let header = reply.array_deferred();
        let mut members = 0;
        for pair in set.pairs::<Value, Value>() {
            write(&pair?.0, script_resp3, reply, depth + 1)?;
            members += 1;
        }
        reply.set_len_of_set(header, members);
        return Ok(());
    }
    if let Value::String(digits) = table.raw_get::<Value>("big_number")? {
        let digits = String::from_utf8_lossy(&digits.as_bytes()).replace(['\r', '\n'], " ");
        reply.big_number(&digits);
        return Ok(());
    }
    if let Value::Table(parts) = table.raw_get::<Value>("verbatim_string")?
        && let Value::String(text) = parts.raw_get::<Value>("string")?
        && let Value::String(format) = parts.raw_get::<Value>("format")?
    {
        let format = String::from_utf8_lossy(&format.as_bytes()).into_owned();
        let format = if format.len() == 3 { format.as_str() } else { "txt" };
        reply.verbatim(format, &text.as_bytes());
        return Ok(());
    }
    let header = reply.array_deferred();
    let mut length = 0;
    loop {
        let value = table.raw_get::<Value>(length + 1)?;
        if value.is_nil() {
            break;
        }
        write(&value, script_resp3, reply, depth + 1)?;
        length += 1;
    }
    reply.set_len(header, length);
    Ok(())
}
