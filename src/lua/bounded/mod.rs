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
mod coroutine;
mod gsub;
mod pattern;
mod search;
mod sort;
mod string;
mod table;
mod utf8;

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int, c_void};
use std::rc::Rc;
use std::time::Duration;

use mlua::ffi::{self, lua_CFunction, lua_State};
use mlua::{Lua, LuaString, Table, Value};

/// The message of the error that a charge raises when the budget is used up.
pub const CPU_LIMIT: &str = "CPU limit";

/// Steps that one resume of a script may use inside of library functions, about a nanosecond each. A handle: clones
/// share one count. It is kept in the state's app data; [`Budget::of`] finds it there.
#[derive(Clone, Debug)]
pub struct Budget(Rc<Count>);

/// After so many steps the clock is looked at, where there is one: steps take longer in a build without optimisation, on a
/// slow machine, and in functions that are dearer than they say.
const LOOK_EVERY: u64 = 1 << 16;

#[derive(Debug)]
struct Count {
    granted: Cell<u64>,
    /// Zero is used up, for each charge, even of nothing.
    left: Cell<u64>,
    /// With no more than this left, it is time to look at the clock.
    look_at: Cell<u64>,
    clock: Option<Clock>,
    /// Where the script was when a charge was refused first.
    place: RefCell<Option<String>>,
}

/// Time that a resume may use, whatever its steps say.
#[derive(Debug)]
struct Clock {
    now: fn() -> Duration,
    limit: Duration,
    /// When it was first looked at since the budget was filled.
    since: Cell<Option<Duration>>,
}

impl Budget {
    pub fn new(steps: u64) -> Budget {
        Budget::make(steps, None)
    }

    /// One that is used up, too, once `now` has gone on by `limit` since it was first looked at: after [`LOOK_EVERY`]
    /// steps, or by [`Budget::look`].
    pub fn with_clock(steps: u64, limit: Duration, now: fn() -> Duration) -> Budget {
        Budget::make(steps, Some(Clock { now, limit, since: Cell::new(None) }))
    }

    fn make(steps: u64, clock: Option<Clock>) -> Budget {
        let count = Count {
            granted: Cell::new(0),
            left: Cell::new(0),
            look_at: Cell::new(0),
            clock,
            place: RefCell::new(None),
        };
        let budget = Budget(Rc::new(count));
        budget.refill(steps);
        budget
    }

    /// The budget that was given to [`install`].
    pub fn of(lua: &Lua) -> Option<Budget> {
        lua.app_data_ref::<Budget>().map(|budget| budget.clone())
    }

    /// Begins anew with so many steps; what was exhausted no longer is.
    pub fn refill(&self, steps: u64) {
        let count = &*self.0;
        if count.left.get() == 0 {
            count.place.replace(None);
        }
        count.granted.set(steps);
        count.left.set(steps);
        match &count.clock {
            Some(clock) => {
                clock.since.set(None);
                count.look_at.set(steps.saturating_sub(LOOK_EVERY));
            }
            None => count.look_at.set(0),
        }
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

    /// Uses it up: the script has used up, at that place, what this does not count.
    pub fn exhaust(&self, place: String) {
        self.0.left.set(0);
        self.0.place.borrow_mut().get_or_insert(place);
    }

    /// `file:line` where the script was when it was exhausted, where that is known.
    pub fn place(&self) -> Option<String> {
        self.0.place.borrow().clone()
    }

    /// Looks at the clock now; false, and exhausted, where the time is over.
    pub fn look(&self) -> bool {
        self.0.look()
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
        left > self.look_at.get() || self.look()
    }

    #[cold]
    fn look(&self) -> bool {
        if self.left.get() == 0 {
            return false;
        }
        if let Some(clock) = &self.clock {
            let now = (clock.now)();
            match clock.since.get() {
                None => clock.since.set(Some(now)),
                Some(since) if now.saturating_sub(since) >= clock.limit => {
                    self.left.set(0);
                    return false;
                }
                Some(_) => {}
            }
            self.look_at.set(self.left.get().saturating_sub(LOOK_EVERY));
        }
        true
    }

    /// Takes so many steps, and some beside, for one who counts by himself: how many these are.
    fn lease(&self, steps: u64) -> Option<u64> {
        if !self.take(steps) {
            return None;
        }
        let leased = LOOK_EVERY.min(self.left.get() - 1);
        self.left.set(self.left.get() - leased);
        Some(leased)
    }

    /// Gives back what was leased and not used.
    fn give_back(&self, unused: u64) {
        if self.left.get() > 0 {
            self.left.set(self.left.get() + unused);
        }
    }

    /// Does not return if the budget is used up.
    #[inline]
    unsafe fn charge(&self, state: *mut lua_State, steps: u64) {
        if !self.take(steps) {
            raise_cpu_limit(state);
        }
    }
}

/// Replaces what is unbounded in `string`, `table`, `utf8`, `coroutine`, `os.date`, `load`, `tostring`, `tonumber` and in the
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
        (library(&globals, "coroutine")?, coroutine::FUNCTIONS),
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
    note_place(state);
    ffi::luaL_error(state, c"CPU limit".as_ptr())
}

/// Notes the line of Lua code that called, the first time. It does not raise, and has dropped all it made on its return.
unsafe fn note_place(state: *mut lua_State) {
    let mut place = count(state).place.borrow_mut();
    if place.is_some() {
        return;
    }
    let mut level = std::mem::zeroed::<ffi::lua_Debug>();
    let mut number = 0;
    while ffi::lua_getstack(state, number, &mut level) != 0 && ffi::lua_getinfo(state, c"Sl".as_ptr(), &mut level) != 0
    {
        let name = CStr::from_ptr(level.short_src.as_ptr()).to_string_lossy();
        // The host's own modules are no place to look for what is wrong.
        if level.currentline > 0 && !name.starts_with('[') {
            *place = Some(format!("{name}:{}", level.currentline));
            return;
        }
        number += 1;
    }
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
