//! The real functions of Lua are the oracle: the same call in a plain state has the same results, or the same error.

mod hostile;
mod like_lua;
mod random;
mod waiting;

use mlua::{Lua, MultiValue, Value};

use super::{Budget, install};

const PLENTY: u64 = 1 << 50;

fn bounded(steps: u64) -> (Lua, Budget) {
    let lua = Lua::new();
    let budget = Budget::new(steps);
    install(&lua, budget.clone()).unwrap();
    (lua, budget)
}

/// The results of the code, or its error, in a form that can be compared.
fn outcome(lua: &Lua, code: &str) -> Vec<String> {
    let wrapped = format!("return pcall(function() {code} end)");
    let results: MultiValue = lua.load(wrapped).set_name("=case").eval().unwrap();
    results.iter().map(show).collect()
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", text.as_bytes().escape_ascii().to_string()),
        Value::Integer(n) => n.to_string(),
        // Equal bits, or both are no number.
        Value::Number(n) => format!("{n:?} (float)"),
        Value::Boolean(b) => b.to_string(),
        Value::Nil => "nil".into(),
        other => other.type_name().into(),
    }
}
