//! `string.gsub`. Its function may yield: all that a call needs lies in the Lua state.

use std::ffi::{c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr::addr_of_mut;

use mlua::ffi::{self, lua_KContext, lua_State, luaL_Buffer};

use super::pattern::{Capture, Matcher};
use super::search::{push_capture, push_captures, raise, search, string_at};
use super::{charge, check_bytes, count};

/// One call under way. Its buffer is Lua's, so that a result counts as memory of the state while it grows. With a
/// function, it is a userdata, for the frame of a C function does not survive a yield.
struct Gsub {
    buffer: luaL_Buffer,
    /// `LUA_TFUNCTION`, `LUA_TTABLE`, or anything else for a string.
    replacement: c_int,
    /// Where the next match is looked for, and what the buffer lacks begins.
    from: usize,
    last_end: Option<usize>,
    /// Where the match begins that is being replaced; it ends at `from`.
    start: usize,
    made: i64,
    most: i64,
    changed: bool,
}

pub(super) unsafe extern "C-unwind" fn gsub(state: *mut lua_State) -> c_int {
    let subject = check_bytes(state, 1);
    check_bytes(state, 2);
    let replacement = ffi::lua_type(state, 3);
    let most = ffi::luaL_optinteger(state, 4, subject.len() as i64 + 1);
    let known = [ffi::LUA_TNUMBER, ffi::LUA_TSTRING, ffi::LUA_TFUNCTION, ffi::LUA_TTABLE].contains(&replacement);
    if !known {
        return type_error(state, 3, c"string/function/table".as_ptr());
    }
    let mut here = MaybeUninit::<Gsub>::uninit();
    let call = if replacement == ffi::LUA_TFUNCTION {
        ffi::lua_newuserdatauv(state, size_of::<Gsub>(), 0).cast::<Gsub>()
    } else {
        // Converts a number once.
        ffi::lua_tolstring(state, 3, std::ptr::null_mut());
        here.as_mut_ptr()
    };
    addr_of_mut!((*call).replacement).write(replacement);
    addr_of_mut!((*call).from).write(0);
    addr_of_mut!((*call).last_end).write(None);
    addr_of_mut!((*call).start).write(0);
    addr_of_mut!((*call).made).write(0);
    addr_of_mut!((*call).most).write(most);
    addr_of_mut!((*call).changed).write(false);
    ffi::luaL_buffinit(state, addr_of_mut!((*call).buffer));
    advance(state, call)
}

/// The function has returned after a yield.
unsafe extern "C-unwind" fn resume(state: *mut lua_State, _status: c_int, context: lua_KContext) -> c_int {
    let call = context as *mut Gsub;
    add_result(state, call);
    advance(state, call)
}

unsafe fn advance(state: *mut lua_State, call: *mut Gsub) -> c_int {
    let subject = string_at(state, 1);
    let mut matcher = Matcher::new(subject, string_at(state, 2), count(state));
    while (*call).made < (*call).most && !(matcher.is_anchored() && (*call).made > 0) {
        let Some(found) = search(state, &mut matcher, (*call).from, (*call).last_end) else { break };
        add(call, &subject[(*call).from..found.start]);
        (*call).made += 1;
        (*call).start = found.start;
        (*call).from = found.end;
        (*call).last_end = Some(found.end);
        match (*call).replacement {
            ffi::LUA_TFUNCTION => {
                charge(state, 20);
                ffi::lua_pushvalue(state, 3);
                let captures = push_captures(state, &matcher, found);
                ffi::lua_callk(state, captures, 1, call as lua_KContext, Some(resume));
                add_result(state, call);
            }
            ffi::LUA_TTABLE => {
                charge(state, 20);
                push_capture(state, &matcher, 0, found);
                ffi::lua_gettable(state, 3);
                add_result(state, call);
            }
            _ => {
                add_replacement(state, call, &matcher);
                (*call).changed = true;
            }
        }
    }
    if (*call).changed {
        add(call, &subject[(*call).from..]);
        charge(state, (*call).buffer.n as u64 / 8);
        ffi::luaL_pushresult(addr_of_mut!((*call).buffer));
    } else {
        ffi::lua_pushvalue(state, 1);
    }
    ffi::lua_pushinteger(state, (*call).made);
    2
}

unsafe fn add(call: *mut Gsub, bytes: &[u8]) {
    if !bytes.is_empty() {
        ffi::luaL_addlstring(addr_of_mut!((*call).buffer), bytes.as_ptr().cast(), bytes.len());
    }
}

/// Adds the value on top of the stack in place of the match; nil and false leave the match as it is.
unsafe fn add_result(state: *mut lua_State, call: *mut Gsub) {
    if ffi::lua_toboolean(state, -1) == 0 {
        ffi::lua_pop(state, 1);
        add(call, &string_at(state, 1)[(*call).start..(*call).from]);
    } else if ffi::lua_isstring(state, -1) == 0 {
        let got = ffi::luaL_typename(state, -1);
        ffi::luaL_error(state, c"invalid replacement value (a %s)".as_ptr(), got);
    } else {
        ffi::luaL_addvalue(addr_of_mut!((*call).buffer));
        (*call).changed = true;
    }
}

/// Adds the replacement string, with what its `%0` to `%9` stand for.
unsafe fn add_replacement(state: *mut lua_State, call: *mut Gsub, matcher: &Matcher) {
    let mut rest = string_at(state, 3);
    charge(state, 1 + rest.len() as u64 / 4);
    let whole = (*call).start..(*call).from;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        add(call, &rest[..percent]);
        match rest.get(percent + 1) {
            Some(b'%') => add(call, b"%"),
            Some(b'0') => add(call, &matcher.subject()[whole.clone()]),
            Some(digit @ b'1'..=b'9') => match matcher.capture(usize::from(digit - b'1'), whole.clone()) {
                Ok(Capture::Bytes(range)) => add(call, &matcher.subject()[range]),
                Ok(Capture::Position(position)) => {
                    ffi::lua_pushinteger(state, position as i64);
                    ffi::luaL_addvalue(addr_of_mut!((*call).buffer));
                }
                Err(error) => {
                    raise(state, error);
                }
            },
            _ => {
                let percent = c_int::from(b'%');
                ffi::luaL_error(state, c"invalid use of '%c' in replacement string".as_ptr(), percent);
            }
        }
        rest = rest.get(percent + 2..).unwrap_or_default();
    }
    add(call, rest);
}

/// Lua's error for an argument of the wrong type; does not return.
#[cold]
unsafe fn type_error(state: *mut lua_State, argument: c_int, expected: *const c_char) -> c_int {
    let got = if ffi::luaL_getmetafield(state, argument, c"__name".as_ptr()) == ffi::LUA_TSTRING {
        ffi::lua_tolstring(state, -1, std::ptr::null_mut())
    } else if ffi::lua_type(state, argument) == ffi::LUA_TLIGHTUSERDATA {
        c"light userdata".as_ptr()
    } else {
        ffi::luaL_typename(state, argument)
    };
    let message = ffi::lua_pushfstring(state, c"%s expected, got %s".as_ptr(), expected, got);
    ffi::luaL_argerror(state, argument, message)
}
