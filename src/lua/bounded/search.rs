//! `string.find`, `string.match` and `string.gmatch`.

use std::ffi::c_int;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi::{self, lua_State, lua_upvalueindex};

use super::pattern::{Capture, Matcher, PatternError};
use super::{charge, check_bytes, count, raise_cpu_limit, start_offset};

pub(super) unsafe extern "C-unwind" fn find(state: *mut lua_State) -> c_int {
    let subject = check_bytes(state, 1);
    let pattern = check_bytes(state, 2);
    let from = start_offset(ffi::luaL_optinteger(state, 3, 1), subject.len());
    if from > subject.len() {
        ffi::lua_pushnil(state);
        return 1;
    }
    if ffi::lua_toboolean(state, 4) != 0 || is_plain(pattern) {
        return find_plain(state, subject, pattern, from);
    }
    let mut matcher = Matcher::new(subject, pattern, count(state));
    let Some(found) = search(state, &mut matcher, from, None) else {
        ffi::lua_pushnil(state);
        return 1;
    };
    ffi::lua_pushinteger(state, found.start as i64 + 1);
    ffi::lua_pushinteger(state, found.end as i64);
    if matcher.captures() == 0 { 2 } else { 2 + push_captures(state, &matcher, found) }
}

unsafe fn find_plain(state: *mut lua_State, subject: &[u8], wanted: &[u8], from: usize) -> c_int {
    charge(state, 1 + wanted.len() as u64);
    let rest = &subject[from..];
    let found = memchr::memmem::find(rest, wanted);
    charge(state, found.unwrap_or(rest.len()) as u64 / 2);
    let Some(at) = found else {
        ffi::lua_pushnil(state);
        return 1;
    };
    ffi::lua_pushinteger(state, (from + at) as i64 + 1);
    ffi::lua_pushinteger(state, (from + at + wanted.len()) as i64);
    2
}

/// Whether the pattern stands for itself.
fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'^' | b'$' | b'*' | b'+' | b'?' | b'.' | b'(' | b'[' | b'%' | b'-'))
}

pub(super) unsafe extern "C-unwind" fn r#match(state: *mut lua_State) -> c_int {
    let subject = check_bytes(state, 1);
    let pattern = check_bytes(state, 2);
    let from = start_offset(ffi::luaL_optinteger(state, 3, 1), subject.len());
    let mut matcher = Matcher::new(subject, pattern, count(state));
    match search(state, &mut matcher, from, None) {
        Some(found) => push_captures(state, &matcher, found),
        None => {
            ffi::lua_pushnil(state);
            1
        }
    }
}

/// What an iterator of `gmatch` keeps between its calls.
struct Iteration {
    from: usize,
    last_end: Option<usize>,
}

pub(super) unsafe extern "C-unwind" fn gmatch(state: *mut lua_State) -> c_int {
    let subject = check_bytes(state, 1);
    check_bytes(state, 2);
    let from = start_offset(ffi::luaL_optinteger(state, 3, 1), subject.len());
    ffi::lua_settop(state, 2);
    ffi::lua_pushlightuserdata(state, std::ptr::from_ref(count(state)).cast_mut().cast());
    ffi::lua_insert(state, 1);
    let iteration = ffi::lua_newuserdatauv(state, size_of::<Iteration>(), 0).cast::<Iteration>();
    iteration.write(Iteration { from, last_end: None });
    ffi::lua_pushcclosure(state, gmatch_next, 4);
    1
}

unsafe extern "C-unwind" fn gmatch_next(state: *mut lua_State) -> c_int {
    let subject = string_at(state, lua_upvalueindex(2));
    let pattern = string_at(state, lua_upvalueindex(3));
    let iteration = &mut *ffi::lua_touserdata(state, lua_upvalueindex(4)).cast::<Iteration>();
    let mut matcher = Matcher::without_anchor(subject, pattern, count(state));
    match search(state, &mut matcher, iteration.from, iteration.last_end) {
        Some(found) => {
            iteration.from = found.end;
            iteration.last_end = Some(found.end);
            push_captures(state, &matcher, found)
        }
        None => 0,
    }
}

/// The bytes of what is known to be a string and to stay where it is.
pub(super) unsafe fn string_at<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    let start = ffi::lua_tolstring(state, index, &mut length);
    std::slice::from_raw_parts(start.cast::<u8>(), length)
}

/// [`Matcher::search`] on the state's budget; its errors are raised.
pub(super) unsafe fn search(
    state: *mut lua_State,
    matcher: &mut Matcher,
    from: usize,
    last_end: Option<usize>,
) -> Option<Range<usize>> {
    let found = guarded_search(matcher, from, last_end);
    matcher.settle();
    match found {
        Ok(found) => found,
        Err(error) => {
            raise(state, error);
            None
        }
    }
}

/// A panic must not unwind through the frames of Lua.
fn guarded_search(
    matcher: &mut Matcher,
    from: usize,
    last_end: Option<usize>,
) -> Result<Option<Range<usize>>, PatternError> {
    catch_unwind(AssertUnwindSafe(|| matcher.search(from, last_end))).unwrap_or(Err(PatternError::Panicked))
}

/// Pushes what a pattern captured, or the whole match if it captures nothing: how many values that is.
pub(super) unsafe fn push_captures(state: *mut lua_State, matcher: &Matcher, whole: Range<usize>) -> c_int {
    let captures = matcher.captures().max(1) as c_int;
    ffi::luaL_checkstack(state, captures, c"too many captures".as_ptr());
    for index in 0..captures {
        push_capture(state, matcher, index as usize, whole.clone());
    }
    captures
}

pub(super) unsafe fn push_capture(state: *mut lua_State, matcher: &Matcher, index: usize, whole: Range<usize>) {
    match matcher.capture(index, whole) {
        Ok(Capture::Bytes(range)) => {
            let bytes = &matcher.subject()[range];
            ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
        }
        Ok(Capture::Position(position)) => ffi::lua_pushinteger(state, position as i64),
        Err(error) => {
            raise(state, error);
        }
    }
}

/// Raises the error in Lua's words; does not return.
#[cold]
pub(super) unsafe fn raise(state: *mut lua_State, error: PatternError) -> c_int {
    let message = match error {
        PatternError::OutOfFuel => return raise_cpu_limit(state),
        PatternError::InvalidCaptureIndex(index) => {
            return ffi::luaL_error(state, c"invalid capture index %%%d".as_ptr(), c_int::from(index));
        }
        PatternError::EndsWithPercent => c"malformed pattern (ends with '%')",
        PatternError::MissingBracket => c"malformed pattern (missing ']')",
        PatternError::MissingBalanceArguments => c"malformed pattern (missing arguments to '%b')",
        PatternError::MissingFrontierSet => c"missing '[' after '%f' in pattern",
        PatternError::InvalidCapture => c"invalid pattern capture",
        PatternError::UnfinishedCapture => c"unfinished capture",
        PatternError::TooManyCaptures => c"too many captures",
        PatternError::TooComplex => c"pattern too complex",
        PatternError::Panicked => c"the pattern matcher failed, which is a fault of moongram",
    };
    ffi::luaL_error(state, c"%s".as_ptr(), message.as_ptr())
}
