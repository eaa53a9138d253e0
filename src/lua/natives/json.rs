//! Natives of `prelude/json.lua`.

use mlua::{LuaString, Table, Value};

use super::{Answer, Natives};
use crate::lua::json::{self, Options};

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    natives.value("null", Value::NULL)?;
    natives.add("json_encode", |lua, runtime, (value, marks, pretty): (Value, Table, bool)| -> Answer<LuaString> {
        let options = Options { pretty, limit: super::room(lua, runtime) };
        match json::encode(&value, &marks, &runtime.budget.steps(), options) {
            Ok(text) => Ok(Ok(lua.create_string(text)?)),
            Err(problem) => Ok(Err(problem)),
        }
    })?;
    natives.add("json_decode", |lua, runtime, (text, marks): (LuaString, Table)| -> Answer<Value> {
        Ok(json::decode(lua, &text.as_bytes(), &marks, &runtime.budget.steps()))
    })
}
