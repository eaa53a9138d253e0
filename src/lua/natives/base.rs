//! Natives of `prelude/base.lua`.

use std::borrow::Cow;

use mlua::{Function, LuaString, Table, Thread, Value};

use super::{Answer, Natives, place};
use crate::lua::{fault, json, thread};
use crate::tl;

/// Functions that a version may run at its end.
const MAX_UNLOAD: usize = 1_000;
/// Longer texts are cut in the log.
const MAX_LOGGED: usize = 16 << 10;

pub(super) fn install(natives: &Natives) -> mlua::Result<()> {
    let runtime = natives.runtime;
    natives.value("name", runtime.name())?;
    natives.value("null", Value::NULL)?;
    let config = match &runtime.spec.config {
        serde_json::Value::Null => Value::Table(natives.lua.create_table()?),
        given => json::to_lua(natives.lua, given)?,
    };
    natives.value("config", config)?;
    let state = natives.lua.create_table()?;
    natives.value("state", &state)?;
    // Set once, here.
    let _ = runtime.state.set(state);

    natives.add("next", |lua, runtime, (ok, value): (Option<bool>, Value)| runtime.next(lua, ok, value))?;
    // Of what a script made, too, and past its `__metatable`.
    #[allow(unsafe_code)]
    // SAFETY: it is a function of Lua's API, called by Lua.
    let metatable_of = unsafe { natives.lua.create_c_function(metatable_of)? };
    natives.value("getmetatable", metatable_of)?;
    natives.add("note_memory", |lua, runtime, coroutine: Thread| {
        *runtime.memory_place.borrow_mut() = thread::place_of(lua, &coroutine);
        Ok(())
    })?;
    natives.add("where", |lua, _, ()| Ok(place(lua)))?;
    natives.add("traceback", |lua, _, (message, level): (LuaString, usize)| {
        let text = lua.traceback(Some(&message.to_string_lossy()), level)?.to_string_lossy();
        Ok(thread::of_script(&text))
    })?;
    natives.add("log", |_, runtime, (level, text, fields): (LuaString, LuaString, Option<LuaString>)| {
        let (text, fields) = (text.to_string_lossy(), fields.map(|fields| fields.to_string_lossy()));
        let (script, text) = (runtime.name(), printable(cut(&text)));
        let fields = fields.as_deref().map(|fields| printable(cut(fields)));
        if !runtime.may_log(text.len() + fields.as_deref().map_or(0, str::len)) {
            return Ok(());
        }
        let fields = fields.as_deref().map(tracing::field::display);
        match &*level.as_bytes() {
            b"debug" => tracing::debug!(target: "script", script, fields, "{text}"),
            b"warn" => tracing::warn!(target: "script", script, fields, "{text}"),
            b"error" => tracing::error!(target: "script", script, fields, "{text}"),
            _ => tracing::info!(target: "script", script, fields, "{text}"),
        }
        Ok(())
    })?;
    natives.add("log_fields", |lua, runtime, fields: Table| -> Answer<String> {
        let options = json::Options { pretty: false, limit: 1 << 20 };
        let text = json::encode(&Value::Table(fields), &lua.create_table()?, &runtime.budget.steps(), options);
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
    })?;
    natives.add("now", |_, runtime, ()| Ok(runtime.env.clock.now().unix.as_secs()))?;
    natives.add("used_memory", |lua, _, ()| Ok(lua.used_memory()))?;
    natives.add("on_unload", |_, runtime, function: Function| -> Answer<bool> {
        let mut unload = runtime.unload.borrow_mut();
        if unload.len() >= MAX_UNLOAD {
            return Ok(Err(format!("script.on_unload: the script has {MAX_UNLOAD} of them already")));
        }
        unload.push(function);
        Ok(Ok(true))
    })?;
    natives.add("find_module", |_, runtime, name: String| -> Answer<String> {
        Ok(runtime.files.find(&name).map(|module| module.name))
    })?;
    natives.add("load_module", |lua, runtime, (name, library): (String, Table)| -> Answer<Function> {
        let module = match runtime.files.find(&name) {
            Ok(module) => module,
            Err(problem) => return Ok(Err(problem)),
        };
        let env = module.is_library.then_some(library);
        Ok(runtime.files.load_module(lua, &module, env))
    })?;
    natives.add("unknown_global", |lua, _, name: Value| {
        let Value::String(name) = name else {
            return Ok(format!("a global of type {} is not defined", name.type_name()));
        };
        let name = name.to_string_lossy();
        let mut known: Vec<String> = super::LAZY.iter().map(|(name, ..)| (*name).to_owned()).collect();
        lua.globals().for_each(|key: Value, _: Value| {
            if let Value::String(key) = key {
                known.push(key.to_string_lossy());
            }
            Ok(())
        })?;
        let near = tl::nearest(&name, known.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        Ok(format!("'{name}' is not defined{hint}"))
    })?;
    natives.add("describe", |lua, _, raised: Value| Ok(fault::describe(lua, &raised)))?;
    natives.add("nearest", |_, _, (name, names): (String, Vec<String>)| {
        Ok(tl::nearest(&name, names.iter().map(String::as_str)).map(str::to_owned))
    })
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(MAX_LOGGED) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

/// The metatable of the argument, or nil.
///
/// # Safety
/// To be called by Lua.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn metatable_of(state: *mut mlua::lua_State) -> std::ffi::c_int {
    // SAFETY: one slot is free in every function that Lua calls.
    unsafe {
        if mlua::ffi::lua_gettop(state) == 0 || mlua::ffi::lua_getmetatable(state, 1) == 0 {
            mlua::ffi::lua_pushnil(state);
        }
    }
    1
}

/// What a script prints may be what a stranger wrote to it: no control character of theirs reaches the operator's terminal.
fn printable(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}
