//! A new Lua state with what a script may have, and nothing else.

use mlua::state::{GcIncParams, GcMode};
use mlua::{Lua, LuaOptions, StdLib, Value};

use super::bounded;

/// What stays of `os`; `time` and `date` are replaced by the prelude, to follow the host's clock.
const OS: [&str; 4] = ["time", "date", "clock", "difftime"];

/// Globals of the base library that a script must not have.
const REMOVED: [&str; 3] = ["dofile", "loadfile", "warn"];

/// A collection begins when the memory in use is so many percent of what the last one left. Handlers leave little behind, so
/// a state is small and may grow further before it is worth looking at; near its limit Lua collects anyway.
const PAUSE: i32 = 400;

/// Makes a state of at most `memory` bytes, whose library charges `steps`, without `io`, `package`, `debug`, and most of `os`.
pub(super) fn new_state(memory: usize, steps: bounded::Budget) -> mlua::Result<Lua> {
    let libs = StdLib::COROUTINE | StdLib::TABLE | StdLib::STRING | StdLib::UTF8 | StdLib::MATH | StdLib::OS;
    let lua = Lua::new_with(libs, LuaOptions::default())?;
    lua.set_memory_limit(memory)?;
    lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(PAUSE)));
    // First of all: what the prelude keeps of the library is the bounded one, too.
    bounded::install(&lua, steps)?;
    if let Some(of_strings) = lua.type_metatable::<mlua::LuaString>() {
        // Every string shares it, those of the prelude, too.
        of_strings.raw_set("__metatable", false)?;
    }
    let globals = lua.globals();
    for name in REMOVED {
        globals.raw_set(name, Value::Nil)?;
    }
    let string: mlua::Table = globals.raw_get("string")?;
    string.raw_set("dump", Value::Nil)?;
    let os: mlua::Table = globals.raw_get("os")?;
    let kept = lua.create_table()?;
    for name in OS {
        kept.raw_set(name, os.raw_get::<Value>(name)?)?;
    }
    globals.raw_set("os", kept)?;
    Ok(lua)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_no_way_out() {
        let lua = new_state(1 << 20, bounded::Budget::new(1 << 30)).unwrap();
        let found: String = lua
            .load(
                "local names = {'io', 'package', 'dofile', 'loadfile', 'debug', 'warn', 'require'}
                local found = {}
                for _, name in ipairs(names) do if _G[name] then found[#found + 1] = name end end
                for name in pairs(os) do found[#found + 1] = 'os.' .. name end
                if string.dump then found[#found + 1] = 'string.dump' end
                table.sort(found)
                return table.concat(found, ' ')",
            )
            .eval()
            .unwrap();
        assert_eq!(found, "os.clock os.date os.difftime os.time");
    }

    #[test]
    fn memory_has_a_limit_that_the_state_survives() {
        let lua = new_state(4 << 20, bounded::Budget::new(1 << 30)).unwrap();
        assert!(lua.load("return ('x'):rep(1 << 30)").eval::<Value>().is_err());
        assert_eq!(lua.load("return 1 + 1").eval::<i64>().unwrap(), 2);
    }
}
