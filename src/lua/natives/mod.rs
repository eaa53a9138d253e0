//! What Rust gives to the prelude: a table of functions, which scripts never see.
//!
//! A native that can refuse returns `nil` and a message, so that the prelude raises it with the script's own line:
//! what Rust raises reaches Lua as an object without fields.

mod base;
mod calls;
mod crypto;
mod handlers;
mod http;
mod json;
mod objects;
mod re;
mod store;
pub(super) mod tasks;
mod texts;
mod timers;

use std::rc::Rc;

use mlua::chunk::{Chunk, ChunkMode};
use mlua::{Function, IntoLua, LightUserData, Lua, Table, Value};

use super::runtime::{self, Prelude, Runtime};

/// A native's answer: a value, or what the script is told.
type Answer<T> = mlua::Result<Result<T, String>>;

/// The modules of the prelude, in the order they are run.
const MODULES: &[(&str, &str)] = &[
    ("base", include_str!("../prelude/base.lua")),
    ("errors", include_str!("../prelude/errors.lua")),
    ("filters", include_str!("../prelude/filters.lua")),
    ("tg", include_str!("../prelude/tg.lua")),
    ("message", include_str!("../prelude/message.lua")),
    ("timer", include_str!("../prelude/timer.lua")),
];

type Install = fn(&Natives) -> mlua::Result<()>;

/// Modules that cost a state nothing until their global is read: the natives they need, and their source, which returns
/// the global's value.
const LAZY: [(&str, Install, &str); 6] = [
    ("crypto", crypto::install, include_str!("../prelude/crypto.lua")),
    ("http", http::install, include_str!("../prelude/http.lua")),
    ("json", json::install, include_str!("../prelude/json.lua")),
    ("keyboard", |_| Ok(()), include_str!("../prelude/keyboard.lua")),
    ("re", re::install, include_str!("../prelude/re.lua")),
    ("store", store::install, include_str!("../prelude/store.lua")),
];

/// The prelude's sources, by name.
pub(super) const PRELUDE: &[(&str, &str)] = MODULES;

/// What the prelude's own functions are called in tracebacks; lines with it are not shown to authors.
pub(super) const PRELUDE_SOURCE: &str = "[moongram]";

/// Fills a new state with the script's globals.
pub(super) fn install(lua: &Lua, runtime: &Rc<Runtime>) -> mlua::Result<()> {
    let native = lua.create_table()?;
    native.raw_set("WAIT", runtime::wait_mark())?;
    native.raw_set("IDLE", runtime::idle_mark())?;
    native.raw_set("EVENT", runtime::EVENT)?;
    native.raw_set("AGAIN", runtime::AGAIN)?;
    native.raw_set("PLAIN", runtime::PLAIN)?;
    native.raw_set("FAILED", runtime::FAILED)?;
    name_null(lua)?;
    let make = Natives { lua, runtime, table: &native };
    base::install(&make)?;
    handlers::install(&make)?;
    calls::install(&make)?;
    tasks::install(&make)?;
    objects::install(&make)?;
    texts::install(&make)?;
    timers::install(&make)?;
    make.add("lazy_module", lazy_module)?;
    for (name, text) in MODULES {
        prelude_chunk(lua, name, text).call::<()>(&native)?;
    }
    let function = |name: &str| native.raw_get::<Function>(name);
    let prelude = Prelude {
        worker: function("worker")?,
        make_message: function("make_message")?,
        make_update_message: function("make_update_message")?,
        set_how: function("set_how")?,
        make_callback: function("make_callback")?,
        make_deleted: function("make_deleted")?,
        make_error: function("make_error")?,
    };
    #[cfg(test)]
    if runtime.name() == "dies" {
        // A fault of ours, for the tests of what becomes of the host then.
        let die = lua.create_function(|_, ()| -> mlua::Result<()> { panic!("as it was told") })?;
        lua.globals().raw_set("die", die)?;
    }
    function("seal")?.call::<()>(())?;
    // Set once, here.
    let _ = runtime.prelude.set(prelude);
    Ok(())
}

/// `null` rather than an address, where `json.null` is printed. No other value of its type reaches a script.
fn name_null(lua: &Lua) -> mlua::Result<()> {
    let null = lua.create_table()?;
    null.raw_set("__name", "null")?;
    null.raw_set("__metatable", false)?;
    null.raw_set("__tostring", lua.create_function(|_, _: Value| Ok("null"))?)?;
    lua.set_type_metatable::<LightUserData>(Some(null));
    Ok(())
}

fn prelude_chunk(lua: &Lua, name: &str, text: &'static str) -> Chunk<'static> {
    lua.load(text).set_name(format!("={PRELUDE_SOURCE}/{name}")).set_mode(ChunkMode::Text)
}

/// The value of a global that is made when it is read; nil where there is none of that name.
fn lazy_module(lua: &Lua, runtime: &Rc<Runtime>, (native, name): (Table, Value)) -> mlua::Result<Value> {
    let Value::String(name) = name else { return Ok(Value::Nil) };
    let Some((name, install, text)) = LAZY.iter().find(|(known, ..)| name == *known) else { return Ok(Value::Nil) };
    install(&Natives { lua, runtime, table: &native })?;
    prelude_chunk(lua, name, text).call(native)
}

/// Registers natives that know the runtime.
struct Natives<'n> {
    lua: &'n Lua,
    runtime: &'n Rc<Runtime>,
    table: &'n Table,
}

impl Natives<'_> {
    fn value(&self, name: &str, value: impl IntoLua) -> mlua::Result<()> {
        self.table.raw_set(name, value)
    }

    fn add<A, R>(&self, name: &str, f: impl Fn(&Lua, &Rc<Runtime>, A) -> mlua::Result<R> + 'static) -> mlua::Result<()>
    where
        A: mlua::FromLuaMulti,
        R: mlua::IntoLuaMulti,
    {
        let runtime = self.runtime.clone();
        let function = self.lua.create_function(move |lua, args: A| f(lua, &runtime, args))?;
        self.table.raw_set(name, function)
    }
}

/// Bytes that a text may have which is put together here before it becomes a string: then it counts twice.
fn room(lua: &Lua, runtime: &Runtime) -> usize {
    let used = lua.used_memory() + runtime.outside.held();
    runtime.outside.limit().saturating_sub(used) / 2
}

/// `file:line: ` of the script's own line that is running, however many of our functions lie between; empty where none is.
fn place(lua: &Lua) -> String {
    for level in 1..60 {
        let found = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.short_src.unwrap_or_default();
            let is_script = source.what != "C" && !name.starts_with(PRELUDE_SOURCE);
            (is_script, format!("{name}:{}: ", debug.current_line().unwrap_or(0)))
        });
        match found {
            None => break,
            Some((true, place)) => return place,
            Some((false, _)) => {}
        }
    }
    String::new()
}

/// The type of a value as messages name it.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        other => other.type_name(),
    }
}
