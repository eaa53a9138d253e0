//! A coroutine of the scheduler from outside: resumed so that what it raised is left as it is, and looked at where it stands.
//!
//! A coroutine that an error has ended keeps its stack. That is how the line of an error is known for which Lua calls no
//! message handler, as it does for none of memory.

// Consists of calls to Lua's C API.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

use mlua::ffi::{self, lua_Debug, lua_State};
use mlua::{IntoLuaMulti, Lua, Thread, Value};

use super::natives::PRELUDE_SOURCE;

/// Levels that are looked at for a line of the script.
const LEVELS: c_int = 200;
/// Results that anyone wants of a coroutine.
const RESULTS: c_int = 2;

/// How a coroutine gave control back.
pub(super) enum Resumed {
    /// With the first two values; both nil where the hook has taken it away.
    Yielded(Value, Value),
    Returned,
    /// With what was raised. It cannot go on.
    Raised(Value),
}

/// Resumes a coroutine with the arguments. `Err` is a fault of ours, or no memory to begin with.
pub(super) fn resume(lua: &Lua, thread: &Thread, args: impl IntoLuaMulti) -> mlua::Result<Resumed> {
    // SAFETY: the closure's stack holds the thread and the arguments. It runs protected, and owns nothing that a jump out
    // of it would leak. What the coroutine leaves is moved before anyone else looks at it.
    let (status, first, second): (c_int, Value, Value) = unsafe {
        lua.exec_raw((thread, args), |state| {
            let coroutine = ffi::lua_tothread(state, 1);
            let given = ffi::lua_gettop(state) - 1;
            if ffi::lua_checkstack(coroutine, given) == 0 {
                ffi::luaL_error(state, c"not enough memory".as_ptr());
            }
            ffi::lua_xmove(state, coroutine, given);
            let mut results = 0;
            let status = ffi::lua_resume(coroutine, state, given, &mut results);
            // All that is left here is the closure's result; the caller's handle keeps the coroutine.
            ffi::lua_settop(state, 0);
            ffi::lua_pushinteger(state, status.into());
            let moved = match status {
                ffi::LUA_OK | ffi::LUA_YIELD => {
                    let wanted = results.min(RESULTS);
                    ffi::lua_pop(coroutine, results - wanted);
                    wanted
                }
                _ => 1,
            };
            ffi::lua_xmove(coroutine, state, moved);
        })?
    };
    Ok(match status {
        ffi::LUA_OK => Resumed::Returned,
        ffi::LUA_YIELD => Resumed::Yielded(first, second),
        _ => Resumed::Raised(first),
    })
}

/// `file:line` of the script's own line that a coroutine stands at, alive or dead.
pub(super) fn place_of(lua: &Lua, thread: &Thread) -> Option<String> {
    let mut place = None;
    look(lua, thread, |coroutine| {
        // SAFETY: nothing here can raise: neither of the calls allocates.
        unsafe {
            let mut level = std::mem::zeroed::<lua_Debug>();
            for number in 0..LEVELS {
                if ffi::lua_getstack(coroutine, number, &mut level) == 0
                    || ffi::lua_getinfo(coroutine, c"Sl".as_ptr(), &mut level) == 0
                {
                    break;
                }
                let name = text(level.short_src.as_ptr());
                if text(level.what) != "C" && !name.starts_with(PRELUDE_SOURCE) {
                    place = Some(format!("{name}:{}", level.currentline));
                    break;
                }
            }
        }
    });
    place
}

/// Its traceback, without our own functions; `None` where there is no memory for it.
pub(super) fn trace_of(lua: &Lua, thread: &Thread) -> Option<String> {
    // SAFETY: the closure owns nothing; what it pushes is its result.
    let trace: mlua::Result<mlua::LuaString> = unsafe {
        lua.exec_raw(thread, |state| {
            let coroutine = ffi::lua_tothread(state, 1);
            ffi::lua_settop(state, 0);
            ffi::luaL_traceback(state, coroutine, c"".as_ptr(), 0);
        })
    };
    Some(of_script(&trace.ok()?.to_string_lossy()))
}

/// The lines of a traceback that are about the script: neither our functions nor the C functions that they call.
pub(super) fn of_script(trace: &str) -> String {
    let is_of_script = |line: &&str| !line.contains(PRELUDE_SOURCE) && !line.contains("in upvalue 'native_");
    trace.lines().filter(is_of_script).collect::<Vec<_>>().join("\n")
}

/// The first local variable of the function that the coroutine was made with.
pub(super) fn first_local(lua: &Lua, thread: &Thread) -> Value {
    // SAFETY: the closure owns nothing; what it pushes is its result.
    let value: mlua::Result<Value> = unsafe {
        lua.exec_raw(thread, |state| {
            let coroutine = ffi::lua_tothread(state, 1);
            ffi::lua_settop(state, 0);
            let mut level = std::mem::zeroed::<lua_Debug>();
            let found = ffi::lua_getstack(coroutine, depth(coroutine) - 1, &mut level) != 0
                && ffi::lua_checkstack(coroutine, 1) != 0
                && !ffi::lua_getlocal(coroutine, &level, 1).is_null();
            if found {
                ffi::lua_xmove(coroutine, state, 1);
            } else {
                ffi::lua_pushnil(state);
            }
        })
    };
    value.unwrap_or(Value::Nil)
}

/// How many functions are under way in it.
///
/// # Safety
/// It is a coroutine that does not run now.
unsafe fn depth(coroutine: *mut lua_State) -> c_int {
    // SAFETY: asking for a level that is not there is allowed.
    unsafe {
        let mut level = std::mem::zeroed::<lua_Debug>();
        let (mut there, mut above) = (0, 1);
        while ffi::lua_getstack(coroutine, above, &mut level) != 0 {
            there = above;
            above *= 2;
        }
        while above - there > 1 {
            let middle = there + (above - there) / 2;
            if ffi::lua_getstack(coroutine, middle, &mut level) != 0 { there = middle } else { above = middle }
        }
        there + 1
    }
}

fn look(lua: &Lua, thread: &Thread, f: impl FnOnce(*mut lua_State)) {
    // SAFETY: the closure leaves no result, and `f` does not raise.
    let looked: mlua::Result<()> = unsafe {
        lua.exec_raw(thread, |state| {
            f(ffi::lua_tothread(state, 1));
            ffi::lua_settop(state, 0);
        })
    };
    // Without memory for the look itself there is no place.
    drop(looked);
}

/// # Safety
/// The pointer is null or names a string that lives for the caller's use of it.
unsafe fn text<'a>(at: *const c_char) -> std::borrow::Cow<'a, str> {
    if at.is_null() {
        return "".into();
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(at).to_string_lossy() }
}

#[cfg(test)]
mod tests {
    use mlua::Function;

    use super::*;

    fn thread(lua: &Lua, code: &str) -> Thread {
        let function: Function = lua.load(code).set_name("@hello.lua").into_function().unwrap();
        lua.create_thread(function).unwrap()
    }

    #[test]
    fn what_was_raised_comes_as_it_is() {
        let lua = Lua::new();
        let thread = thread(&lua, "local a, b = ... coroutine.yield(a + b) error({code = 7})");
        assert!(matches!(resume(&lua, &thread, (1, 2)), Ok(Resumed::Yielded(Value::Integer(3), Value::Nil))));
        let Ok(Resumed::Raised(Value::Table(raised))) = resume(&lua, &thread, ()) else { panic!("a table") };
        assert_eq!(raised.get::<i64>("code").unwrap(), 7);
    }

    #[test]
    fn a_coroutine_that_ran_out_of_memory_still_tells_its_line() {
        let lua = Lua::new();
        lua.set_memory_limit(4 << 20).unwrap();
        let thread = thread(&lua, "local first = 5\nlocal s = 'x'\nwhile true do\n  s = s .. s\nend");
        let Ok(Resumed::Raised(Value::String(raised))) = resume(&lua, &thread, ()) else { panic!("an error") };
        assert_eq!(raised.to_string_lossy(), "not enough memory");
        assert_eq!(place_of(&lua, &thread).as_deref(), Some("hello.lua:4"));
        assert!(matches!(first_local(&lua, &thread), Value::Integer(5)));
        assert!(trace_of(&lua, &thread).is_some_and(|trace| trace.contains("hello.lua:4: in")));
    }

    #[test]
    fn the_bottom_of_a_deep_stack_is_found() {
        let lua = Lua::new();
        let thread = thread(
            &lua,
            "local first = 6\nlocal function f(n) if n == 0 then error('x') end f(n - 1) return 1 end f(777)",
        );
        assert!(matches!(resume(&lua, &thread, ()), Ok(Resumed::Raised(_))));
        assert!(matches!(first_local(&lua, &thread), Value::Integer(6)));
    }
}
