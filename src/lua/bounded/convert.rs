//! What turns values into text and text into values: `tostring`, `tonumber`, arithmetic on strings, `load`, `os.date`.

use std::ffi::c_int;

use mlua::ffi::{self, lua_KContext, lua_State};

use super::string::name_length;
use super::{Replacement, charge, count, original, raise_cpu_limit, string_length};

pub(super) const GLOBALS: &[Replacement] = &[(c"load", load), (c"tonumber", tonumber), (c"tostring", tostring)];

pub(super) const OS: &[Replacement] = &[(c"date", date)];

/// In the metatable of strings.
pub(super) const ARITHMETIC: &[Replacement] = &[
    (c"__add", arithmetic),
    (c"__div", arithmetic),
    (c"__idiv", arithmetic),
    (c"__mod", arithmetic),
    (c"__mul", arithmetic),
    (c"__pow", arithmetic),
    (c"__sub", arithmetic),
    (c"__unm", arithmetic),
];

/// `__tostring` may yield.
unsafe extern "C-unwind" fn tostring(state: *mut lua_State) -> c_int {
    charge(state, 1);
    ffi::luaL_checkany(state, 1);
    match ffi::lua_type(state, 1) {
        ffi::LUA_TTABLE | ffi::LUA_TUSERDATA | ffi::LUA_TSTRING => {}
        _ => return original(state),
    }
    if ffi::luaL_getmetafield(state, 1, c"__tostring".as_ptr()) == ffi::LUA_TNIL {
        charge(state, name_length(state, 1));
        return original(state);
    }
    ffi::lua_pushvalue(state, 1);
    ffi::lua_callk(state, 1, 1, 0, Some(check_text));
    check_text(state, ffi::LUA_OK, 0)
}

unsafe extern "C-unwind" fn check_text(state: *mut lua_State, _status: c_int, _context: lua_KContext) -> c_int {
    if ffi::lua_isstring(state, -1) == 0 {
        return ffi::luaL_error(state, c"'__tostring' must return a string".as_ptr());
    }
    // A number becomes the string it stands for.
    ffi::lua_tolstring(state, -1, std::ptr::null_mut());
    1
}

/// White space before and after a number may be long.
unsafe extern "C-unwind" fn tonumber(state: *mut lua_State) -> c_int {
    charge(state, 1 + 2 * string_length(state, 1));
    original(state)
}

unsafe extern "C-unwind" fn arithmetic(state: *mut lua_State) -> c_int {
    charge(state, 1 + 2 * (string_length(state, 1) + string_length(state, 2)));
    original(state)
}

/// The compiler's time for a text: most are quick, and what is dearer than its length is seen by the clock.
unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    charge(state, 100 + COMPILED * string_length(state, 1));
    if ffi::lua_type(state, 1) == ffi::LUA_TFUNCTION {
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushcclosure(state, piece, 2);
        ffi::lua_replace(state, 1);
    }
    let results = original(state);
    if !count(state).look() {
        raise_cpu_limit(state);
    }
    results
}

/// Steps to compile a byte.
const COMPILED: u64 = 16;

/// Asks the function that supplies a text in pieces for the next one. Its second upvalue is that function.
unsafe extern "C-unwind" fn piece(state: *mut lua_State) -> c_int {
    ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
    ffi::lua_call(state, 0, 1);
    charge(state, COMPILED * (1 + string_length(state, -1)));
    1
}

/// Each conversion calls `strftime`.
unsafe extern "C-unwind" fn date(state: *mut lua_State) -> c_int {
    charge(state, 200 + 200 * string_length(state, 1));
    original(state)
}
