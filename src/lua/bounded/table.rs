//! `table`: what walks as far as a `__len` or an argument says.

use std::ffi::{CStr, c_int, c_longlong};
use std::mem::MaybeUninit;

use mlua::ffi::{self, lua_State, luaL_Buffer};

use super::{Replacement, charge, count, original, sort};

pub(super) const FUNCTIONS: &[Replacement] = &[
    (c"concat", concat),
    (c"insert", insert),
    (c"move", r#move),
    (c"pack", values),
    (c"remove", remove),
    (c"sort", sort::sort),
    (c"unpack", values),
];

/// Steps to read one element and to write it.
const ELEMENT: u64 = 16;

/// Metamethods that make another value do for a table.
const READ: &[&CStr] = &[c"__index"];
const WRITE: &[&CStr] = &[c"__newindex"];
const READ_LENGTH: &[&CStr] = &[c"__index", c"__len"];
pub(super) const ALL: &[&CStr] = &[c"__index", c"__newindex", c"__len"];

/// Raises unless the argument is a table, or has these metamethods.
pub(super) unsafe fn check_table(state: *mut lua_State, argument: c_int, metamethods: &[&CStr]) {
    if ffi::lua_type(state, argument) == ffi::LUA_TTABLE {
        return;
    }
    let top = ffi::lua_gettop(state);
    let mut usable = ffi::lua_getmetatable(state, argument) != 0;
    for name in metamethods {
        if usable {
            ffi::lua_pushstring(state, name.as_ptr());
            usable = ffi::lua_rawget(state, top + 1) != ffi::LUA_TNIL;
        }
    }
    ffi::lua_settop(state, top);
    if !usable {
        ffi::luaL_checktype(state, argument, ffi::LUA_TTABLE);
    }
}

/// Takes, or returns, many values.
unsafe extern "C-unwind" fn values(state: *mut lua_State) -> c_int {
    charge(state, 1 + 4 * ffi::lua_gettop(state) as u64);
    let results = original(state);
    charge(state, 8 * results as u64);
    results
}

unsafe extern "C-unwind" fn insert(state: *mut lua_State) -> c_int {
    charge(state, ELEMENT);
    check_table(state, 1, ALL);
    let end = ffi::luaL_len(state, 1).wrapping_add(1);
    let position = match ffi::lua_gettop(state) {
        2 => end,
        3 => {
            let position = ffi::luaL_checkinteger(state, 2);
            if (position as u64).wrapping_sub(1) >= end as u64 {
                ffi::luaL_argerror(state, 2, c"position out of bounds".as_ptr());
            }
            let budget = count(state);
            let mut i = end;
            while i > position {
                budget.charge(state, ELEMENT);
                ffi::lua_geti(state, 1, i - 1);
                ffi::lua_seti(state, 1, i);
                i -= 1;
            }
            position
        }
        _ => return ffi::luaL_error(state, c"wrong number of arguments to 'insert'".as_ptr()),
    };
    ffi::lua_seti(state, 1, position);
    0
}

unsafe extern "C-unwind" fn remove(state: *mut lua_State) -> c_int {
    charge(state, ELEMENT);
    check_table(state, 1, ALL);
    let size = ffi::luaL_len(state, 1);
    let mut position = ffi::luaL_optinteger(state, 2, size);
    if position != size && (position as u64).wrapping_sub(1) > size as u64 {
        ffi::luaL_argerror(state, 2, c"position out of bounds".as_ptr());
    }
    ffi::lua_geti(state, 1, position);
    let budget = count(state);
    while position < size {
        budget.charge(state, ELEMENT);
        ffi::lua_geti(state, 1, position + 1);
        ffi::lua_seti(state, 1, position);
        position += 1;
    }
    ffi::lua_pushnil(state);
    ffi::lua_seti(state, 1, position);
    1
}

unsafe extern "C-unwind" fn r#move(state: *mut lua_State) -> c_int {
    let from = ffi::luaL_checkinteger(state, 2);
    let end = ffi::luaL_checkinteger(state, 3);
    let to = ffi::luaL_checkinteger(state, 4);
    let target = if ffi::lua_isnoneornil(state, 5) != 0 { 1 } else { 5 };
    charge(state, ELEMENT);
    check_table(state, 1, READ);
    check_table(state, target, WRITE);
    if end >= from {
        if from <= 0 && end >= i64::MAX + from {
            ffi::luaL_argerror(state, 3, c"too many elements to move".as_ptr());
        }
        let elements = end - from + 1;
        if to > i64::MAX - elements + 1 {
            ffi::luaL_argerror(state, 4, c"destination wrap around".as_ptr());
        }
        // Upwards is kinder to a table that grows, where it does not overwrite what is still to be read.
        let apart = to > end || to <= from;
        let upwards = apart || (target != 1 && ffi::lua_compare(state, 1, target, ffi::LUA_OPEQ) == 0);
        let budget = count(state);
        for done in 0..elements {
            let i = if upwards { done } else { elements - 1 - done };
            budget.charge(state, ELEMENT);
            ffi::lua_geti(state, 1, from + i);
            ffi::lua_seti(state, target, to + i);
        }
    }
    ffi::lua_pushvalue(state, target);
    1
}

unsafe extern "C-unwind" fn concat(state: *mut lua_State) -> c_int {
    charge(state, ELEMENT);
    check_table(state, 1, READ_LENGTH);
    let length = ffi::luaL_len(state, 1);
    let mut separator_length = 0;
    let separator = ffi::luaL_optlstring(state, 2, c"".as_ptr(), &mut separator_length);
    let mut i = ffi::luaL_optinteger(state, 3, 1);
    let last = ffi::luaL_optinteger(state, 4, length);
    let mut here = MaybeUninit::<luaL_Buffer>::uninit();
    let buffer = here.as_mut_ptr();
    ffi::luaL_buffinit(state, buffer);
    let budget = count(state);
    while i <= last {
        budget.charge(state, ELEMENT);
        ffi::lua_geti(state, 1, i);
        if ffi::lua_isstring(state, -1) == 0 {
            let got = ffi::luaL_typename(state, -1);
            let message = c"invalid value (%s) at index %I in table for 'concat'";
            return ffi::luaL_error(state, message.as_ptr(), got, i as c_longlong);
        }
        ffi::luaL_addvalue(buffer);
        if i == last {
            break;
        }
        ffi::luaL_addlstring(buffer, separator, separator_length);
        i += 1;
    }
    charge(state, (*buffer).n as u64 / 8);
    ffi::luaL_pushresult(buffer);
    1
}
