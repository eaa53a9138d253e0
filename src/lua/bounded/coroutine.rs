//! `coroutine`: coroutines that begin coroutines. Each has a count of instructions of its own until the hook fires, so what
//! was stopped in one could be begun again and again in others; these charges end it in each at once.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::{Replacement, charge, original};

pub(super) const FUNCTIONS: &[Replacement] = &[(c"create", create), (c"resume", resume)];

unsafe extern "C-unwind" fn create(state: *mut lua_State) -> c_int {
    charge(state, 200);
    original(state)
}

/// What a coroutine has used up is used up for who resumed it.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    charge(state, 20 + 4 * ffi::lua_gettop(state) as u64);
    let results = original(state);
    charge(state, 4 * results as u64);
    results
}
