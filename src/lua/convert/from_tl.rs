//! TL values as Lua values: `_` names the constructor, absent fields are nil, `bytes` are strings.

use mlua::{IntoLua, Lua, Value as LuaValue};

use crate::tl::{Object, Value};

pub(in crate::lua) fn value_to_lua(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    match value {
        Value::Int(number) => Ok(LuaValue::Integer(*number)),
        Value::Double(number) => Ok(LuaValue::Number(*number)),
        Value::Bool(flag) => Ok(LuaValue::Boolean(*flag)),
        Value::String(text) => text.as_str().into_lua(lua),
        Value::Bytes(bytes) => lua.create_string(bytes)?.into_lua(lua),
        Value::Int128(bytes) => lua.create_string(bytes)?.into_lua(lua),
        Value::Int256(bytes) => lua.create_string(bytes)?.into_lua(lua),
        Value::Vector(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (i, item) in items.iter().enumerate() {
                table.raw_seti(i + 1, value_to_lua(lua, item)?)?;
            }
            table.into_lua(lua)
        }
        Value::Object(object) => object_to_lua(lua, object),
    }
}

pub(in crate::lua) fn object_to_lua(lua: &Lua, object: &Object) -> mlua::Result<LuaValue> {
    let table = lua.create_table_with_capacity(0, 8)?;
    table.raw_set("_", object.name())?;
    for (name, value) in object.fields() {
        table.raw_set(name, value_to_lua(lua, value)?)?;
    }
    table.into_lua(lua)
}
