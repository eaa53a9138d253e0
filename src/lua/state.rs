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
    /// Takes no more than so many bytes; a table that stands in two places is carried twice.
    pub(super) fn take_from(table: &Table, limit: usize) -> Result<State, NotCarried> {
        let mut carrier = Carrier { left: limit, leaves_out: None };
        Ok(State(carrier.table(table, "script.state", 0)?))
    }

    /// The same without what cannot be carried, and what that is.
    pub(super) fn take_possible(table: &Table, limit: usize) -> (State, Vec<String>) {
        let mut carrier = Carrier { left: limit, leaves_out: Some(Vec::new()) };
        let state = carrier.table(table, "script.state", 0).map(State);
        let mut left_out = carrier.leaves_out.unwrap_or_default();
        let state = state.unwrap_or_else(|all| {
            left_out.push(all.to_string());
            State::default()
        });
        (state, left_out)
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

/// What one value takes at least.
const VALUE: usize = 64;
/// Longer keys are cut in the path.
const MAX_KEY: usize = 60;
/// Names of what is left out that anyone reads.
const MOST_NAMES: usize = 10;

/// A key as a path shows it.
fn shown(key: &mlua::LuaString) -> String {
    let bytes = key.as_bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_KEY)]).into_owned()
}

/// Carries a table over.
struct Carrier {
    /// Bytes that it may yet take.
    left: usize,
    /// Where it is to go on without what it cannot carry: what that was.
    leaves_out: Option<Vec<String>>,
}

impl Carrier {
    fn table(&mut self, table: &Table, path: &str, depth: usize) -> Result<Vec<(Carried, Carried)>, NotCarried> {
        if depth > MAX_DEPTH {
            return Err(NotCarried { path: path.to_owned(), what: "a table that holds itself, or is nested too deep" });
        }
        let mut carried = Vec::new();
        let mut problem = None;
        let visited = table.for_each(|key: Value, value: Value| {
            let at = match &key {
                Value::Integer(n) => format!("{path}[{n}]"),
                Value::String(s) => format!("{path}.{}", shown(s)),
                _ => format!("a key of {path}"),
            };
            let pair = self.value(&key, &at, depth).and_then(|key| Ok((key, self.value(&value, &at, depth)?)));
            match (pair, &mut self.leaves_out) {
                (Ok(pair), _) => carried.push(pair),
                (Err(other), Some(names)) if self.left > 0 => {
                    if names.len() < MOST_NAMES {
                        names.push(other.to_string());
                    }
                }
                (Err(other), _) => {
                    problem = Some(other);
                    return Err(mlua::Error::runtime("not carried"));
                }
            }
            Ok(())
        });
        match (visited, problem) {
            (_, Some(problem)) => Err(problem),
            (Err(_), None) => Err(NotCarried { path: path.to_owned(), what: "a table that cannot be read" }),
            (Ok(()), None) => Ok(carried),
        }
    }

    fn value(&mut self, value: &Value, path: &str, depth: usize) -> Result<Carried, NotCarried> {
        let bytes = VALUE + if let Value::String(text) = value { text.as_bytes().len() } else { 0 };
        self.left = self.left.saturating_sub(bytes);
        if self.left == 0 {
            return Err(NotCarried { path: path.to_owned(), what: "more than the script's memory" });
        }
        let what = match value {
            null if null.is_null() => return Ok(Carried::Null),
            Value::Boolean(b) => return Ok(Carried::Bool(*b)),
            Value::Integer(n) => return Ok(Carried::Int(*n)),
            Value::Number(n) => return Ok(Carried::Float(*n)),
            Value::String(s) => return Ok(Carried::Str(s.as_bytes().to_vec())),
            Value::Table(table) if !table.has_metatable() => {
                return Ok(Carried::Table(self.table(table, path, depth + 1)?));
            }
            Value::Table(_) => "an object (a table with a metatable)",
            Value::Function(_) => "a function",
            Value::Thread(_) => "a coroutine",
            _ => "a value of the host",
        };
        Err(NotCarried { path: path.to_owned(), what })
    }
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

    const LIMIT: usize = 1 << 20;

    fn table(lua: &Lua, code: &str) -> Table {
        lua.load(code).eval().unwrap()
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let lua = Lua::new();
        let from = table(&lua, "return {1, 2.5, true, name = 'x', [-9007199254740993] = {deep = {'a\\0b'}}}");
        let state = State::take_from(&from, LIMIT).unwrap();
        let other = Lua::new();
        let to = other.create_table().unwrap();
        state.put_into(&other, &to).unwrap();
        assert_eq!(State::take_from(&to, LIMIT).unwrap().0.len(), state.0.len());
        let deep: Table = to.get(-9007199254740993i64).unwrap();
        assert_eq!(deep.get::<Table>("deep").unwrap().get::<String>(1).unwrap(), "a\0b");
    }

    #[test]
    fn a_few_tables_that_stand_for_many_are_refused_in_time() {
        let lua = Lua::new();
        let bomb = table(&lua, "local t = {} for _ = 1, 60 do t = {t, t} end return t");
        let error = State::take_from(&bomb, LIMIT).unwrap_err().to_string();
        assert!(error.contains("more than the script's memory"), "{error}");
        let (_, left_out) = State::take_possible(&bomb, LIMIT);
        assert_eq!(left_out.len(), 1);
    }

    #[test]
    fn what_can_be_carried_goes_without_what_cannot() {
        let lua = Lua::new();
        let mixed = table(&lua, "return {a = 1, f = print, deep = {b = 2, c = coroutine.create(print)}}");
        let (state, mut left_out) = State::take_possible(&mixed, LIMIT);
        assert_eq!(state.to_json(), serde_json::json!({"a": 1, "deep": {"b": 2}}));
        left_out.sort();
        assert_eq!(left_out.len(), 2);
        assert!(left_out[0].starts_with("script.state.deep.c is a coroutine"), "{left_out:?}");
    }

    #[test]
    fn what_cannot_be_carried_is_named() {
        fn check(code: &str, expected: &str) {
            let lua = Lua::new();
            let error = State::take_from(&table(&lua, code), LIMIT).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        check("return {a = {b = print}}", "script.state.a.b is a function");
        check("return {[3] = coroutine.create(print)}", "script.state[3] is a coroutine");
        check("return {[{}] = setmetatable({}, {})}", "a key of script.state is");
        check("local t = {} t.t = t return t", "script.state.t.t");
        check("return {m = setmetatable({}, {})}", "script.state.m is an object");
    }
}
