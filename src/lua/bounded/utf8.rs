//! `utf8`: each call is linear, and charges what it walked over, for loops call it again and again on one long string.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::{Replacement, charge, original, string_length};

pub(super) const FUNCTIONS: &[Replacement] =
    &[(c"char", char), (c"codepoint", codepoint), (c"len", len), (c"offset", offset)];

unsafe extern "C-unwind" fn char(state: *mut lua_State) -> c_int {
    charge(state, 16 * ffi::lua_gettop(state) as u64);
    original(state)
}

unsafe extern "C-unwind" fn codepoint(state: *mut lua_State) -> c_int {
    let results = original(state);
    charge(state, 1 + 8 * results as u64);
    results
}

/// Returns the number of characters, or nil and the position of what is none.
unsafe extern "C-unwind" fn len(state: *mut lua_State) -> c_int {
    let start = position(state, 2, 1);
    let results = original(state);
    let result = ffi::lua_tointeger(state, -1) as u64;
    let walked = if results == 1 { 2 * result } else { result.saturating_sub(start) };
    charge(state, 1 + 2 * walked);
    results
}

/// Returns a position; nil if it walked to an end of the string.
unsafe extern "C-unwind" fn offset(state: *mut lua_State) -> c_int {
    let length = string_length(state, 1);
    let backwards = ffi::lua_tointeger(state, 2) < 0;
    let start = position(state, 3, if backwards { length + 1 } else { 1 });
    let results = original(state);
    let end = match ffi::lua_type(state, -1) {
        ffi::LUA_TNUMBER => ffi::lua_tointeger(state, -1) as u64,
        _ if backwards => 0,
        _ => length,
    };
    charge(state, 1 + 2 * end.abs_diff(start));
    results
}

/// A position from 1, or from the end if negative.
unsafe fn position(state: *mut lua_State, argument: c_int, default: u64) -> u64 {
    if ffi::lua_isnoneornil(state, argument) != 0 {
        return default;
    }
    match ffi::lua_tointeger(state, argument) {
        from_start @ 0.. => from_start as u64,
        from_end => (string_length(state, 1) + 1).saturating_sub(from_end.unsigned_abs()),
    }
}
