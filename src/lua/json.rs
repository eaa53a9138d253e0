//! JSON for scripts. Integers stay integers of 64 bits; a table with the keys 1 to n is a list.

use mlua::{IntoLua, Lua, Table, Value};
use serde_json::{Map, Number, Value as Json};

use super::bounded::Budget;

/// Nested deeper than this is a table that holds itself.
const MAX_DEPTH: usize = 100;

pub(super) fn encode(value: &Value, pretty: bool, budget: &Budget) -> Result<String, String> {
    let json = from_lua(value, 0, budget).map_err(|problem| format!("json.encode: {problem}"))?;
    let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
    text.map_err(|error| format!("json.encode: {error}"))
}

/// Steps, and bytes, for one value.
const VALUE: u64 = 200;

fn from_lua(value: &Value, depth: usize, budget: &Budget) -> Result<Json, String> {
    budget.charge(VALUE).map_err(|_| "too large".to_owned())?;
    if depth > MAX_DEPTH {
        return Err("nested too deep, or a table that holds itself".into());
    }
    Ok(match value {
        Value::Nil => Json::Null,
        value if value.is_null() => Json::Null,
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::Number((*number).into()),
        Value::Number(number) => {
            Json::Number(Number::from_f64(*number).ok_or_else(|| format!("{number} cannot be written in JSON"))?)
        }
        Value::String(text) => match text.to_str() {
            Ok(text) => Json::String(text.to_owned()),
            Err(_) => return Err("a string that is not UTF-8 cannot be written in JSON".into()),
        },
        Value::Table(table) => from_table(table, depth, budget)?,
        other => return Err(format!("a {} cannot be written in JSON", other.type_name())),
    })
}

fn from_table(table: &Table, depth: usize, budget: &Budget) -> Result<Json, String> {
    let mut pairs = Vec::new();
    let each = |key: Value, value: Value| {
        pairs.push((key, value));
        Ok(())
    };
    each_pair(table, each).map_err(|error| error.to_string())?;
    let length = table.raw_len();
    if length > 0 && pairs.len() == length && pairs.iter().all(|(key, _)| matches!(key, Value::Integer(_))) {
        pairs.sort_by_key(|(key, _)| key.as_integer());
        let items: Result<Vec<Json>, String> =
            pairs.iter().map(|(_, value)| from_lua(value, depth + 1, budget)).collect();
        return Ok(Json::Array(items?));
    }
    let mut map = Map::new();
    for (key, value) in &pairs {
        let key = match key {
            Value::String(key) => key.to_string_lossy(),
            Value::Integer(key) => key.to_string(),
            other => return Err(format!("a key of type {} cannot be written in JSON", other.type_name())),
        };
        map.insert(key, from_lua(value, depth + 1, budget)?);
    }
    Ok(Json::Object(map))
}

/// The pairs as `pairs` shows them: an object of ours has fields that it decodes only then.
fn each_pair(table: &Table, mut each: impl FnMut(Value, Value) -> mlua::Result<()>) -> mlua::Result<()> {
    let all = table.metatable().and_then(|metatable| metatable.raw_get::<mlua::Function>("__all").ok());
    match all {
        Some(all) => all.call::<Table>(table)?.for_each(each),
        None => table.for_each(&mut each),
    }
}

pub(super) fn to_lua(lua: &Lua, json: &Json) -> mlua::Result<Value> {
    match json {
        Json::Null => Ok(Value::NULL),
        Json::Bool(flag) => flag.into_lua(lua),
        Json::Number(number) => match number.as_i64() {
            Some(number) => number.into_lua(lua),
            None => number.as_f64().into_lua(lua),
        },
        Json::String(text) => text.as_str().into_lua(lua),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (i, item) in items.iter().enumerate() {
                table.raw_seti(i + 1, to_lua(lua, item)?)?;
            }
            table.into_lua(lua)
        }
        Json::Object(map) => {
            let table = lua.create_table_with_capacity(0, map.len())?;
            for (key, value) in map {
                table.raw_set(key.as_str(), to_lua(lua, value)?)?;
            }
            table.into_lua(lua)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trips() {
        fn check(text: &str) {
            let lua = Lua::new();
            let value = to_lua(&lua, &serde_json::from_str(text).unwrap()).unwrap();
            assert_eq!(encode(&value, false, &Budget::new(1 << 20)).unwrap(), text);
        }
        check("[1,2.5,true,null,\"é\"]");
        check("{\"a\":{\"b\":[9007199254740993,-9223372036854775808]}}");
        check("[[],1]".replace("[]", "{}").as_str());
    }

    #[test]
    fn what_json_cannot_say_is_an_error() {
        fn check(code: &str, expected: &str) {
            let lua = Lua::new();
            let problem = encode(&lua.load(code).eval().unwrap(), false, &Budget::new(1 << 20)).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
        check("return print", "a function cannot");
        check("return 0/0", "NaN");
        check("return '\\255'", "UTF-8");
        check("local t = {} t[1] = t return t", "holds itself");
    }
}
