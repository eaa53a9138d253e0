//! `script.state` on its way from one version to the next, by value.

use std::fmt;

use mlua::{Lua, Table, Value};

/// Deeper than this is taken for a table that holds itself.
const MAX_DEPTH: usize = 100;

/// A table by value. Made by [`Version::state`](super::Version::state), given to [`load`](super::load).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(Vec<(Carried, Carried)>);

#[derive(Clone, Debug, PartialEq)]
enum Carried {
    /// `json.null`.
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Vec<u8>),
    Table(Vec<(Carried, Carried)>),
}

/// What cannot be carried, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NotCarried {
    path: String,
    what: &'static str,
}

impl fmt::Display for NotCarried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotCarried { path, what } = self;
        write!(f, "{path} is {what}, which cannot be carried over a reload")
    }
}

impl State {
    pub(super) fn take_from(table: &Table) -> Result<State, NotCarried> {
        Ok(State(carry_table(table, "script.state", 0)?))
    }

    /// For tests and tools: lists where the keys are 1 to n, bytes that are not UTF-8 replaced.
    pub fn to_json(&self) -> serde_json::Value {
        json_of(&self.0)
    }

    pub(super) fn put_into(&self, lua: &Lua, table: &Table) -> mlua::Result<()> {
        for (key, value) in &self.0 {
            table.raw_set(key.to_lua(lua)?, value.to_lua(lua)?)?;
        }
        Ok(())
    }
}

fn carry_table(table: &Table, path: &str, depth: usize) -> Result<Vec<(Carried, Carried)>, NotCarried> {
    if depth > MAX_DEPTH {
        return Err(NotCarried { path: path.to_owned(), what: "a table that holds itself, or is nested too deep" });
    }
    let mut pairs = Vec::new();
    let visit = table.for_each(|key: Value, value: Value| {
        pairs.push((key, value));
        Ok(())
    });
    if visit.is_err() {
        return Err(NotCarried { path: path.to_owned(), what: "a table that cannot be read" });
    }
    let mut carried = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let at = match &key {
            Value::Integer(n) => format!("{path}[{n}]"),
            Value::String(s) => format!("{path}.{}", s.to_string_lossy()),
            _ => format!("a key of {path}"),
        };
        carried.push((carry(&key, &at, depth)?, carry(&value, &at, depth)?));
    }
    Ok(carried)
}

fn carry(value: &Value, path: &str, depth: usize) -> Result<Carried, NotCarried> {
    let what = match value {
        null if null.is_null() => return Ok(Carried::Null),
        Value::Boolean(b) => return Ok(Carried::Bool(*b)),
        Value::Integer(n) => return Ok(Carried::Int(*n)),
        Value::Number(n) => return Ok(Carried::Float(*n)),
        Value::String(s) => return Ok(Carried::Str(s.as_bytes().to_vec())),
        Value::Table(table) if !table.has_metatable() => {
            return Ok(Carried::Table(carry_table(table, path, depth + 1)?));
        }
        Value::Table(_) => "an object (a table with a metatable)",
        Value::Function(_) => "a function",
        Value::Thread(_) => "a coroutine",
        _ => "a value of the host",
    };
    Err(NotCarried { path: path.to_owned(), what })
}

fn json_of(pairs: &[(Carried, Carried)]) -> serde_json::Value {
    let is_list = pairs.iter().enumerate().all(|(i, (key, _))| *key == Carried::Int(i as i64 + 1));
    if is_list && !pairs.is_empty() {
        return pairs.iter().map(|(_, value)| value.to_json()).collect();
    }
    let text = |key: &Carried| match key {
        Carried::Str(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_json().to_string(),
    };
    pairs.iter().map(|(key, value)| (text(key), value.to_json())).collect()
}

impl Carried {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Carried::Null => serde_json::Value::Null,
            Carried::Bool(flag) => (*flag).into(),
            Carried::Int(number) => (*number).into(),
            Carried::Float(number) => (*number).into(),
            Carried::Str(bytes) => String::from_utf8_lossy(bytes).into(),
            Carried::Table(pairs) => json_of(pairs),
        }
    }

    fn to_lua(&self, lua: &Lua) -> mlua::Result<Value> {
        Ok(match self {
            Carried::Null => Value::NULL,
            Carried::Bool(b) => Value::Boolean(*b),
            Carried::Int(n) => Value::Integer(*n),
            Carried::Float(n) => Value::Number(*n),
            Carried::Str(s) => Value::String(lua.create_string(s)?),
            Carried::Table(pairs) => {
                let table = lua.create_table_with_capacity(0, pairs.len())?;
                for (key, value) in pairs {
                    table.raw_set(key.to_lua(lua)?, value.to_lua(lua)?)?;
                }
                Value::Table(table)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lua: &Lua, code: &str) -> Table {
        lua.load(code).eval().unwrap()
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let lua = Lua::new();
        let from = table(&lua, "return {1, 2.5, true, name = 'x', [-9007199254740993] = {deep = {'a\\0b'}}}");
        let state = State::take_from(&from).unwrap();
        let other = Lua::new();
        let to = other.create_table().unwrap();
        state.put_into(&other, &to).unwrap();
        assert_eq!(State::take_from(&to).unwrap().0.len(), state.0.len());
        let deep: Table = to.get(-9007199254740993i64).unwrap();
        assert_eq!(deep.get::<Table>("deep").unwrap().get::<String>(1).unwrap(), "a\0b");
    }

    #[test]
    fn what_cannot_be_carried_is_named() {
        fn check(code: &str, expected: &str) {
            let lua = Lua::new();
            let error = State::take_from(&table(&lua, code)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        check("return {a = {b = print}}", "script.state.a.b is a function");
        check("return {[3] = coroutine.create(print)}", "script.state[3] is a coroutine");
        check("return {[{}] = setmetatable({}, {})}", "a key of script.state is");
        check("local t = {} t.t = t return t", "script.state.t.t");
        check("return {m = setmetatable({}, {})}", "script.state.m is an object");
    }
}
