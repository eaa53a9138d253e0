//! Lua's own library with a bound on each call: what neither the count hook nor the memory limit of a state stops.
//!
//! Hooks do not fire inside of C, so one call like `string.find(s, pattern)`, `table.move(t, 1, 1 << 40, 2)` or
//! `string.rep("", 1 << 40)` could hold a script's thread for hours. [`install`] replaces such functions in a state, or
//! wraps them where one call is linear in what it is given, so that each charges a [`Budget`]: about one step a
//! nanosecond. They mean what they mean in Lua 5.4, down to the texts of their errors, with these differences:
//!
//! * `string.gsub`, `table.sort` and `tostring` let the functions they call yield.
//! * A budget that is used up is an error, `CPU limit`, as are all further charges until it is filled again. A script can
//!   catch it, and gets no further than to the scheduler's next look at [`Budget::exhausted`].
//!
//! The functions are C functions written in Rust: their arguments, errors and results never leave the Lua state, so
//! what they build counts towards its memory limit, and a short match costs what it costs in Lua. An error in Lua is a
//! `longjmp`: no Rust value with a destructor may be alive in a frame that calls a Lua function that can raise. That is
//! the one rule of the files in this folder, and why they hold nothing but integers, slices and pointers.
//!
//! A script must not have `debug.getupvalue` and its like: the functions find their budget in an upvalue.

// Bodies of Lua's C functions consist of calls to Lua's C API.
#![allow(unsafe_code, unsafe_op_in_unsafe_fn)]

mod convert;
mod gsub;
mod pattern;
mod search;
mod sort;
mod string;
mod table;
mod utf8;

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::rc::Rc;

use mlua::ffi::{self, lua_CFunction, lua_State};
use mlua::{Lua, LuaString, Table, Value};

/// The message of the error that a charge raises when the budget is used up.
pub const CPU_LIMIT: &str = "CPU limit";

/// Steps that one resume of a script may use inside of library functions, about a nanosecond each. A handle: clones
/// share one count. It is kept in the state's app data; [`Budget::of`] finds it there.
#[derive(Clone, Debug)]
pub struct Budget(Rc<Count>);

#[derive(Debug)]
struct Count {
    granted: Cell<u64>,
    /// Zero is used up, for each charge, even of nothing.
    left: Cell<u64>,
}

impl Budget {
    pub fn new(steps: u64) -> Budget {
        Budget(Rc::new(Count { granted: Cell::new(steps), left: Cell::new(steps) }))
    }

    /// The budget that was given to [`install`].
    pub fn of(lua: &Lua) -> Option<Budget> {
        lua.app_data_ref::<Budget>().map(|budget| budget.clone())
    }

    /// Begins anew with so many steps; what was exhausted no longer is.
    pub fn refill(&self, steps: u64) {
        self.0.granted.set(steps);
        self.0.left.set(steps);
    }

    /// Steps charged since the last [`refill`](Budget::refill).
    pub fn spent(&self) -> u64 {
        self.0.granted.get() - self.0.left.get()
    }

    /// Whether a charge was refused since the last [`refill`](Budget::refill). It may have been caught by the script:
    /// whoever runs the script has to end it.
    pub fn exhausted(&self) -> bool {
        self.0.left.get() == 0
    }

    /// For functions of the host that do work by the size of what a script gives them.
    pub fn charge(&self, steps: u64) -> mlua::Result<()> {
        if self.0.take(steps) { Ok(()) } else { Err(mlua::Error::runtime(CPU_LIMIT)) }
    }
}

impl Count {
    #[inline]
    fn take(&self, steps: u64) -> bool {
        let left = self.left.get().saturating_sub(steps);
        self.left.set(left);
        left > 0
    }

    /// Does not return if the budget is used up.
    #[inline]
    unsafe fn charge(&self, state: *mut lua_State, steps: u64) {
        if !self.take(steps) {
            raise_cpu_limit(state);
        }
    }
}

/// Replaces what is unbounded in `string`, `table`, `utf8`, `os.date`, `load`, `tostring`, `tonumber` and in the
/// arithmetic of strings. Libraries the state does not have are passed over.
///
/// It belongs before any other code that keeps or replaces library functions, and only once into a state.
pub fn install(lua: &Lua, budget: Budget) -> mlua::Result<()> {
    if Budget::of(lua).is_some() {
        return Err(mlua::Error::runtime("this state has a budget already"));
    }
    let count = Rc::as_ptr(&budget.0).cast_mut().cast::<c_void>();
    // The functions have a bare pointer to the count. A state that closes runs finalizers in reverse order of creation,
    // so nothing that was made later can outlive this.
    let anchor = lua.create_any_userdata(budget.clone())?;
    lua.set_named_registry_value("moongram.budget", anchor)?;

    let globals = lua.globals();
    let places = [
        (Some(globals.clone()), convert::GLOBALS),
        (library(&globals, "os")?, convert::OS),
        (library(&globals, "string")?, string::FUNCTIONS),
        (library(&globals, "table")?, table::FUNCTIONS),
        (library(&globals, "utf8")?, utf8::FUNCTIONS),
        (lua.type_metatable::<LuaString>(), convert::ARITHMETIC),
    ];
    for (place, functions) in places {
        let Some(place) = place else { continue };
        for replacement in functions {
            replace(lua, &place, replacement, count)?;
        }
    }
    lua.set_app_data(budget);
    Ok(())
}

/// A function of the library and what takes its place, as a closure over the count and the function it replaces.
type Replacement = (&'static CStr, lua_CFunction);

fn replace(lua: &Lua, place: &Table, (name, function): &Replacement, count: *mut c_void) -> mlua::Result<()> {
    let name = name.to_string_lossy();
    let original: Value = place.raw_get(&*name)?;
    if original.is_nil() {
        return Ok(());
    }
    let function = *function;
    // SAFETY: the stack holds the one argument; what is pushed is the closure's two upvalues.
    let closure: Value = unsafe {
        lua.exec_raw(original, |state| {
            let is_plain = ffi::lua_iscfunction(state, 1) != 0 && ffi::lua_getupvalue(state, 1, 1).is_null();
            if !is_plain {
                ffi::lua_settop(state, 0);
                ffi::lua_pushnil(state);
                return;
            }
            ffi::lua_pushlightuserdata(state, count);
            ffi::lua_insert(state, 1);
            ffi::lua_pushcclosure(state, function, 2);
        })?
    };
    if closure.is_nil() {
        return Err(mlua::Error::runtime(format!("{name} is not the one of Lua")));
    }
    place.raw_set(&*name, closure)
}

fn library(globals: &Table, name: &str) -> mlua::Result<Option<Table>> {
    globals.raw_get(name)
}

/// The count of the function that runs.
///
/// # Safety
/// `state` runs a function that [`install`] made; the reference must not be kept beyond the call.
#[inline]
unsafe fn count<'a>(state: *mut lua_State) -> &'a Count {
    &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Count>()
}

/// Charges the budget; does not return if it is used up.
///
/// # Safety
/// As for [`count`]; raises.
#[inline]
unsafe fn charge(state: *mut lua_State, steps: u64) {
    count(state).charge(state, steps);
}

#[cold]
unsafe fn raise_cpu_limit(state: *mut lua_State) -> c_int {
    ffi::luaL_error(state, c"CPU limit".as_ptr())
}

/// Runs the function that was replaced, in the frame of the one that runs.
///
/// # Safety
/// As for [`count`]; raises.
#[inline]
unsafe fn original(state: *mut lua_State) -> c_int {
    match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(2)) {
        Some(function) => function(state),
        None => 0,
    }
}

/// The bytes of the string argument, converted if it is a number; raises if it is neither. They live while the value
/// is on the stack.
#[inline]
unsafe fn check_bytes<'a>(state: *mut lua_State, argument: c_int) -> &'a [u8] {
    let mut length = 0;
    let start = ffi::luaL_checklstring(state, argument, &mut length);
    std::slice::from_raw_parts(start.cast::<u8>(), length)
}

/// The length of the argument if it is a string, else 0.
#[inline]
unsafe fn string_length(state: *mut lua_State, argument: c_int) -> u64 {
    if ffi::lua_type(state, argument) == ffi::LUA_TSTRING { ffi::lua_rawlen(state, argument) as u64 } else { 0 }
}

/// A position as `string.find` takes it, from 1, or from the end if negative: as an offset from 0, which may lie behind
/// the end.
#[inline]
fn start_offset(position: i64, length: usize) -> usize {
    match position {
        1.. => (position - 1) as usize,
        0 => 0,
        _ => length.saturating_sub(position.unsigned_abs() as usize),
    }
}

#[cfg(test)]
mod tests;
