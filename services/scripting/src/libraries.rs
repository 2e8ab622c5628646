//! The libraries that scripts have beside Lua's own: `bit`, `struct`, `cjson` and `cmsgpack`.

mod bits;
mod json;
mod json_decode;
mod msgpack;
mod structs;

use crate::natives::{State, number_of, text_of, type_name};
use mlua::{Lua, MultiValue, Table, Value};
use std::rc::Rc;

pub(crate) fn install(lua: &Lua, state: &Rc<State>, native: &Table) -> mlua::Result<()> {
    native.raw_set("bit", bits::library(lua, state)?)?;
    native.raw_set("struct", structs::library(lua, state)?)?;
    native.raw_set("cjson", json::library(lua, state)?)?;
    native.raw_set("cmsgpack", msgpack::library(lua, state)?)?;
    Ok(())
}

/// The arguments of one call of a library's function, and how it complains about them.
pub(crate) struct Call<'a> {
    pub lua: &'a Lua,
    pub state: &'a Rc<State>,
    pub name: &'static str,
    pub arguments: MultiValue,
}

impl Call<'_> {
    pub fn error(&self, text: &str) -> mlua::Error {
        self.state.throw_text(self.lua, text, true)
    }

    /// `number` counts from 1.
    pub fn bad(&self, number: usize, problem: &str) -> mlua::Error {
        self.error(&format!("bad argument #{number} to '{}' ({problem})", self.name))
    }

    pub fn value(&self, at: usize) -> Option<&Value> {
        self.arguments.get(at)
    }

    pub fn number(&self, at: usize) -> mlua::Result<f64> {
        number_of(self.value(at)).ok_or_else(|| self.expected(at, "number"))
    }

    pub fn text(&self, at: usize) -> mlua::Result<Vec<u8>> {
        text_of(self.value(at)).ok_or_else(|| self.expected(at, "string"))
    }

    fn expected(&self, at: usize, what: &str) -> mlua::Error {
        self.bad(at + 1, &format!("{what} expected, got {}", type_name(self.value(at))))
    }
}

pub(crate) type LibraryFn = fn(&Call<'_>) -> mlua::Result<MultiValue>;

/// A table of functions.
pub(crate) fn table_of(lua: &Lua, state: &Rc<State>, functions: &[(&'static str, LibraryFn)]) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for &(name, function) in functions {
        let state = Rc::clone(state);
        let native = lua.create_function(move |lua, arguments: MultiValue| {
            function(&Call { lua, state: &state, name, arguments })
        })?;
        table.raw_set(name, native)?;
    }
    Ok(table)
}

pub(crate) fn one(value: Value) -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_vec(vec![value]))
}

/// The number, as an integer of Lua where it is one.
pub(crate) fn number_value(number: f64) -> Value {
    Value::Number(number)
}
