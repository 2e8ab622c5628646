//! `bit`: operations on 32 bits.

use super::{Call, one, table_of};
use crate::natives::State;
use mlua::{Lua, MultiValue, Table, Value};
use std::rc::Rc;

pub(super) fn library(lua: &Lua, state: &Rc<State>) -> mlua::Result<Table> {
    table_of(
        lua,
        state,
        &[
            ("tobit", |call| signed(word(call, 0)?)),
            ("bnot", |call| signed(!word(call, 0)?)),
            ("band", |call| fold(call, |a, b| a & b)),
            ("bor", |call| fold(call, |a, b| a | b)),
            ("bxor", |call| fold(call, |a, b| a ^ b)),
            ("lshift", |call| shift(call, |word, by| word << by)),
            ("rshift", |call| shift(call, |word, by| word >> by)),
            ("arshift", |call| shift(call, |word, by| (word as i32 >> by) as u32)),
            ("rol", |call| shift(call, u32::rotate_left)),
            ("ror", |call| shift(call, u32::rotate_right)),
            ("bswap", |call| signed(word(call, 0)?.swap_bytes())),
            ("tohex", tohex),
        ],
    )
}

/// The lowest 32 bits of a number that is rounded to the nearest integer.
fn word(call: &Call<'_>, at: usize) -> mlua::Result<u32> {
    // Adding 2^52 + 2^51 moves the integer part into the lowest bits of the fraction.
    Ok((call.number(at)? + 6_755_399_441_055_744.0).to_bits() as u32)
}

fn signed(word: u32) -> mlua::Result<MultiValue> {
    one(Value::Integer(i64::from(word as i32)))
}

fn fold(call: &Call<'_>, join: fn(u32, u32) -> u32) -> mlua::Result<MultiValue> {
    let mut result = word(call, 0)?;
    for at in 1..call.arguments.len() {
        result = join(result, word(call, at)?);
    }
    signed(result)
}

fn shift(call: &Call<'_>, shift: fn(u32, u32) -> u32) -> mlua::Result<MultiValue> {
    let (word, by) = (word(call, 0)?, word(call, 1)? & 31);
    signed(shift(word, by))
}

fn tohex(call: &Call<'_>) -> mlua::Result<MultiValue> {
    let word = word(call, 0)?;
    let digits = if call.value(1).is_none_or(Value::is_nil) { 8 } else { self::word(call, 1)? as i32 };
    let shown = (digits.unsigned_abs() as usize).min(8);
    let text = if digits < 0 { format!("{word:08X}") } else { format!("{word:08x}") };
    one(Value::String(call.lua.create_string(&text[8 - shown..])?))
}
