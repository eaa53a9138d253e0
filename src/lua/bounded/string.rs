//! The rest of `string`: what is linear in what it is given, and charges for it.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use mlua::ffi::{self, lua_State, luaL_Buffer};

use super::{Replacement, charge, gsub, original, search, start_offset, string_length};

pub(super) const FUNCTIONS: &[Replacement] = &[
    (c"byte", values),
    (c"char", values),
    (c"find", search::find),
    (c"format", format),
    (c"gmatch", search::gmatch),
    (c"gsub", gsub::gsub),
    (c"lower", mapped),
    (c"match", search::r#match),
    (c"pack", pack),
    (c"packsize", mapped),
    (c"rep", rep),
    (c"reverse", mapped),
    (c"sub", sub),
    (c"unpack", unpack),
    (c"upper", mapped),
];

/// Reads its first argument from end to end.
unsafe extern "C-unwind" fn mapped(state: *mut lua_State) -> c_int {
    charge(state, 1 + string_length(state, 1));
    original(state)
}

/// Takes, or returns, one value for each byte.
unsafe extern "C-unwind" fn values(state: *mut lua_State) -> c_int {
    charge(state, ffi::lua_gettop(state) as u64);
    let results = original(state);
    charge(state, results as u64 * 4);
    results
}

unsafe extern "C-unwind" fn sub(state: *mut lua_State) -> c_int {
    let results = original(state);
    charge(state, 1 + string_length(state, -1) / 8);
    results
}

unsafe extern "C-unwind" fn rep(state: *mut lua_State) -> c_int {
    let mut length = 0;
    let start = ffi::luaL_checklstring(state, 1, &mut length);
    let times = ffi::luaL_checkinteger(state, 2);
    let mut separator_length = 0;
    let separator = ffi::luaL_optlstring(state, 3, c"".as_ptr(), &mut separator_length);
    let unit = length + separator_length;
    if times <= 0 || unit == 0 {
        ffi::lua_pushlstring(state, c"".as_ptr(), 0);
        return 1;
    }
    if unit as u64 > i32::MAX as u64 / times as u64 {
        return ffi::luaL_error(state, c"resulting string too large".as_ptr());
    }
    let total = unit * times as usize - separator_length;
    let mut buffer = MaybeUninit::<luaL_Buffer>::uninit();
    // Too much memory is an error before it is work.
    let bytes = ffi::luaL_buffinitsize(state, buffer.as_mut_ptr(), total);
    charge(state, 1 + total as u64 / 4);
    // One unit, then twice as much each time, from what is there.
    bytes.copy_from_nonoverlapping(start, length);
    let mut done = length;
    if times > 1 {
        bytes.add(length).copy_from_nonoverlapping(separator, separator_length);
        done = unit;
    }
    while done < total {
        let more = done.min(total - done);
        bytes.add(done).copy_from_nonoverlapping(bytes, more);
        done += more;
    }
    ffi::luaL_pushresultsize(buffer.as_mut_ptr(), total);
    1
}

/// Each `%s` reads its argument to the end, even if its precision wants less.
unsafe extern "C-unwind" fn format(state: *mut lua_State) -> c_int {
    let arguments = ffi::lua_gettop(state);
    let mut steps = 20 + 10 * string_length(state, 1);
    for argument in 2..=arguments {
        steps += match ffi::lua_type(state, argument) {
            ffi::LUA_TSTRING => ffi::lua_rawlen(state, argument) as u64,
            ffi::LUA_TTABLE | ffi::LUA_TUSERDATA => name_length(state, argument),
            _ => 0,
        };
    }
    charge(state, steps);
    let results = original(state);
    charge(state, string_length(state, -1) / 8);
    results
}

/// How long the `__name` of the value is, which is a part of what it is as a string.
pub(super) unsafe fn name_length(state: *mut lua_State, index: c_int) -> u64 {
    if ffi::luaL_getmetafield(state, index, c"__name".as_ptr()) == ffi::LUA_TNIL {
        return 0;
    }
    let length = string_length(state, -1);
    ffi::lua_pop(state, 1);
    length
}

unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    charge(state, 1 + 4 * string_length(state, 1));
    let results = original(state);
    charge(state, string_length(state, -1));
    results
}

/// Charges what it read, by the position it returns, for a parser calls it again and again on one long string.
unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    charge(state, 1 + 4 * string_length(state, 1));
    let start = start_offset(ffi::lua_tointeger(state, 3), string_length(state, 2) as usize);
    let results = original(state);
    let end = ffi::lua_tointeger(state, -1) as usize;
    charge(state, end.saturating_sub(start) as u64);
    results
}
