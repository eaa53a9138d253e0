//! What Rust gives to the prelude: a table of functions, which scripts never see.
//!
//! A native that can refuse returns `nil` and a message, so that the prelude raises it with the script's own line:
//! what Rust raises reaches Lua as an object without fields.

mod base;
mod calls;
mod handlers;
mod objects;
pub(super) mod tasks;
mod texts;

use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Function, IntoLua, Lua, Table, Value};

use super::runtime::{self, Prelude, Runtime};

/// A native's answer: a value, or what the script is told.
type Answer<T> = mlua::Result<Result<T, String>>;

/// The modules of the prelude, in the order they are run.
const MODULES: [(&str, &str); 6] = [
    ("base", include_str!("../prelude/base.lua")),
    ("errors", include_str!("../prelude/errors.lua")),
    ("filters", include_str!("../prelude/filters.lua")),
    ("tg", include_str!("../prelude/tg.lua")),
    ("message", include_str!("../prelude/message.lua")),
    ("timer", include_str!("../prelude/timer.lua")),
];

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
    let make = Natives { lua, runtime, table: &native };
    base::install(&make)?;
    handlers::install(&make)?;
    calls::install(&make)?;
    tasks::install(&make)?;
    objects::install(&make)?;
    texts::install(&make)?;
    for (name, text) in MODULES {
        let chunk = lua.load(text).set_name(format!("={PRELUDE_SOURCE}/{name}")).set_mode(ChunkMode::Text);
        chunk.call::<()>(&native)?;
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
