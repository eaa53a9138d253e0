//! `table.sort`, with a comparator that may yield. The order of its questions is that of Lua's own quicksort
//! (Sedgewick's, in place, median of three), so that it gives the same result even where the order leaves a choice.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use mlua::ffi::{self, lua_KContext, lua_State};

use super::table::{ALL, check_table};
use super::{charge, count};

/// Steps for one comparison, beside what a comparator does.
const COMPARISON: u64 = 40;
/// Intervals from this size on may have their pivot chosen at random.
const LARGE: u32 = 100;

#[derive(Clone, Copy)]
struct Interval {
    low: u32,
    high: u32,
    /// Zero: the pivot is the element in the middle.
    random: u32,
}

/// Which question was asked last.
#[derive(Clone, Copy)]
enum Asked {
    Nothing,
    HighBelowLow,
    MiddleBelowLow,
    HighBelowMiddle,
    LeftBelowPivot,
    PivotBelowRight,
}

/// Whether the value at the first index is below that at the second, both counted from the top of the stack.
type Question = (c_int, c_int);

/// One call under way. With a comparator, it is a userdata, for the frame of a C function does not survive a yield.
struct Sort {
    now: Interval,
    asked: Asked,
    pivot: u32,
    left: u32,
    right: u32,
    /// Always the larger part is put off, so there are never more than there are bits in a length.
    later: [MaybeUninit<Interval>; 32],
    waiting: usize,
}

pub(super) unsafe extern "C-unwind" fn sort(state: *mut lua_State) -> c_int {
    charge(state, COMPARISON);
    check_table(state, 1, ALL);
    let length = ffi::luaL_len(state, 1);
    if length < 2 {
        return 0;
    }
    if length >= i64::from(i32::MAX) {
        ffi::luaL_argerror(state, 1, c"array too big".as_ptr());
    }
    let has_comparator = ffi::lua_isnoneornil(state, 2) == 0;
    if has_comparator {
        ffi::luaL_checktype(state, 2, ffi::LUA_TFUNCTION);
    }
    ffi::lua_settop(state, 2);
    let mut here = MaybeUninit::<Sort>::uninit();
    let call = if has_comparator {
        ffi::lua_newuserdatauv(state, size_of::<Sort>(), 0).cast::<Sort>()
    } else {
        here.as_mut_ptr()
    };
    call.write(Sort {
        now: Interval { low: 1, high: length as u32, random: 0 },
        asked: Asked::Nothing,
        pivot: 0,
        left: 0,
        right: 0,
        later: [MaybeUninit::uninit(); 32],
        waiting: 0,
    });
    if has_comparator { with_comparator(state, call, false) } else { by_value(state, call) }
}

unsafe fn by_value(state: *mut lua_State, call: *mut Sort) -> c_int {
    let mut answer = false;
    while let Some((a, b)) = (*call).next(state, answer) {
        charge(state, COMPARISON);
        charge_strings(state, a, b);
        answer = ffi::lua_compare(state, a, b, ffi::LUA_OPLT) != 0;
    }
    0
}

/// Long strings are compared to their ends, if they are equal so far.
unsafe fn charge_strings(state: *mut lua_State, a: c_int, b: c_int) {
    if ffi::lua_type(state, a) == ffi::LUA_TSTRING && ffi::lua_type(state, b) == ffi::LUA_TSTRING {
        let shorter = ffi::lua_rawlen(state, a).min(ffi::lua_rawlen(state, b));
        charge(state, shorter as u64);
    }
}

unsafe fn with_comparator(state: *mut lua_State, call: *mut Sort, mut answer: bool) -> c_int {
    while let Some((a, b)) = (*call).next(state, answer) {
        charge(state, COMPARISON);
        ffi::lua_pushvalue(state, 2);
        ffi::lua_pushvalue(state, a - 1);
        ffi::lua_pushvalue(state, b - 2);
        ffi::lua_callk(state, 2, 1, call as lua_KContext, Some(resume));
        answer = take_answer(state);
    }
    0
}

/// The comparator has returned after a yield.
unsafe extern "C-unwind" fn resume(state: *mut lua_State, _status: c_int, context: lua_KContext) -> c_int {
    let answer = take_answer(state);
    with_comparator(state, context as *mut Sort, answer)
}

unsafe fn take_answer(state: *mut lua_State) -> bool {
    let answer = ffi::lua_toboolean(state, -1) != 0;
    ffi::lua_pop(state, 1);
    answer
}

impl Sort {
    /// Goes on with the answer to the last question until the next one, or to the end.
    unsafe fn next(&mut self, state: *mut lua_State, answer: bool) -> Option<Question> {
        let Interval { low, high, random } = self.now;
        match self.asked {
            Asked::Nothing => self.begin(state),
            Asked::HighBelowLow => {
                swap_or_drop(state, answer, low, high);
                if high - low == 1 {
                    return self.begin_later(state);
                }
                self.pivot = if high - low < LARGE || random == 0 {
                    low + (high - low) / 2
                } else {
                    let quarter = (high - low) / 4;
                    low + quarter + random % (quarter * 2)
                };
                ffi::lua_geti(state, 1, self.pivot.into());
                ffi::lua_geti(state, 1, low.into());
                self.ask(Asked::MiddleBelowLow, (-2, -1))
            }
            Asked::MiddleBelowLow if answer => {
                set_two(state, self.pivot, low);
                self.partition(state)
            }
            Asked::MiddleBelowLow => {
                ffi::lua_pop(state, 1);
                ffi::lua_geti(state, 1, high.into());
                self.ask(Asked::HighBelowMiddle, (-1, -2))
            }
            Asked::HighBelowMiddle => {
                swap_or_drop(state, answer, self.pivot, high);
                self.partition(state)
            }
            Asked::LeftBelowPivot if answer => {
                if self.left == high - 1 {
                    ffi::luaL_error(state, c"invalid order function for sorting".as_ptr());
                }
                ffi::lua_pop(state, 1);
                self.go_right(state)
            }
            Asked::LeftBelowPivot => self.go_left(state),
            Asked::PivotBelowRight if answer => {
                if self.right < self.left {
                    ffi::luaL_error(state, c"invalid order function for sorting".as_ptr());
                }
                ffi::lua_pop(state, 1);
                self.go_left(state)
            }
            Asked::PivotBelowRight if self.right < self.left => {
                ffi::lua_pop(state, 1);
                set_two(state, high - 1, self.left);
                self.split(state)
            }
            Asked::PivotBelowRight => {
                set_two(state, self.left, self.right);
                self.go_right(state)
            }
        }
    }

    fn ask(&mut self, asked: Asked, question: Question) -> Option<Question> {
        self.asked = asked;
        Some(question)
    }

    unsafe fn begin(&mut self, state: *mut lua_State) -> Option<Question> {
        let Interval { low, high, .. } = self.now;
        if low >= high {
            return self.begin_later(state);
        }
        ffi::lua_geti(state, 1, low.into());
        ffi::lua_geti(state, 1, high.into());
        self.ask(Asked::HighBelowLow, (-1, -2))
    }

    unsafe fn begin_later(&mut self, state: *mut lua_State) -> Option<Question> {
        while self.waiting > 0 {
            self.waiting -= 1;
            self.now = self.later[self.waiting].assume_init();
            if self.now.low < self.now.high {
                return self.begin(state);
            }
        }
        None
    }

    /// The pivot is between its neighbours: it goes to the last place but one, and stays on the stack.
    unsafe fn partition(&mut self, state: *mut lua_State) -> Option<Question> {
        let Interval { low, high, .. } = self.now;
        if high - low == 2 {
            return self.begin_later(state);
        }
        ffi::lua_geti(state, 1, self.pivot.into());
        ffi::lua_pushvalue(state, -1);
        ffi::lua_geti(state, 1, i64::from(high) - 1);
        set_two(state, self.pivot, high - 1);
        self.left = low;
        self.right = high - 1;
        self.go_right(state)
    }

    unsafe fn go_right(&mut self, state: *mut lua_State) -> Option<Question> {
        self.left += 1;
        ffi::lua_geti(state, 1, self.left.into());
        self.ask(Asked::LeftBelowPivot, (-1, -2))
    }

    unsafe fn go_left(&mut self, state: *mut lua_State) -> Option<Question> {
        self.right = self.right.wrapping_sub(1);
        ffi::lua_geti(state, 1, self.right.into());
        self.ask(Asked::PivotBelowRight, (-3, -1))
    }

    /// The pivot is in its place, `left`: the smaller part is next.
    unsafe fn split(&mut self, state: *mut lua_State) -> Option<Question> {
        let Interval { low, high, mut random } = self.now;
        let pivot = self.left;
        let below = Interval { low, high: pivot - 1, random };
        let above = Interval { low: pivot + 1, high, random };
        let (next, mut later, smaller) =
            if pivot - low < high - pivot { (below, above, pivot - low) } else { (above, below, high - pivot) };
        if later.high.wrapping_sub(later.low) / 128 > smaller {
            random = another_random(state, random);
        }
        later.random = random;
        self.later[self.waiting].write(later);
        self.waiting += 1;
        self.now = next;
        self.begin(state)
    }
}

/// Chance against a table that is made to be slow to sort; what it costs is charged in any case.
unsafe fn another_random(state: *mut lua_State, random: u32) -> u32 {
    let left = count(state).left.get();
    (left ^ (left >> 32)) as u32 ^ random.rotate_left(7) ^ (state as usize >> 4) as u32 | 1
}

/// Takes two values off the stack: the upper to index i, the other to j.
unsafe fn set_two(state: *mut lua_State, i: u32, j: u32) {
    ffi::lua_seti(state, 1, i.into());
    ffi::lua_seti(state, 1, j.into());
}

unsafe fn swap_or_drop(state: *mut lua_State, swap: bool, i: u32, j: u32) {
    if swap {
        set_two(state, i, j);
    } else {
        ffi::lua_pop(state, 2);
    }
}
