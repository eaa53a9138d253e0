//! CPU time: a handler that computes too long without waiting is ended.
//!
//! A count hook looks at the thread's CPU clock. Past the limit it yields the coroutine away, which no `pcall` can
//! swallow. Where Lua cannot yield (a metamethod called from C) nothing happens, so the hook raises when it fires again,
//! and in the end raises at every instruction.
//!
//! The hook does not fire inside of Lua's library. That charges the same limit by what it does ([`bounded`]), and its error,
//! should a script catch it, gets the script no further than to the next firing of the hook.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mlua::debug::HookTriggers;
use mlua::{Lua, VmState};

use super::bounded;

/// Instructions between two firings of the hook, each of which sees whether the library's share is used up.
const INTERVAL: u32 = 100;
/// Firings between two looks at the clock, which is a system call: some 10 µs of Lua.
const LOOK_EVERY: u32 = 10;
/// When so much time went by since the last firing, the instructions between were long ones (two strings of megabytes
/// joined): then every firing looks at the clock.
const LONG: Duration = Duration::from_millis(1);
/// After that many attempts to stop the script the hook fires at every instruction.
const PATIENCE: u32 = 8;

/// The budget of the coroutine that runs now.
pub(super) struct Budget {
    limit: Duration,
    /// The library's share: one step is a nanosecond or two.
    steps: bounded::Budget,
    /// How often the hook has fired for this handler.
    fired: Cell<u32>,
    /// The coarse clock at the last firing; zero where there was none for this handler.
    fired_at: Cell<Duration>,
    /// The CPU clock when it was first looked at.
    since: Cell<Option<Duration>>,
    /// How often the script was told to stop.
    attempts: Cell<u32>,
    beat: Arc<Beat>,
}

/// A number that changes whenever the script's thread begins something; what watches it sees whether the thread is stuck.
/// Zero while it has nothing to do.
#[derive(Default)]
pub(super) struct Beat {
    shown: AtomicU64,
    last: AtomicU64,
}

impl Beat {
    /// Something begins. Only the script's thread calls this: no read-modify-write is needed.
    fn strike(&self) {
        let next = self.last.load(Ordering::Relaxed) + 1;
        self.last.store(next, Ordering::Relaxed);
        self.shown.store(next, Ordering::Relaxed);
    }

    /// There is nothing to do.
    pub fn rest(&self) {
        self.shown.store(0, Ordering::Relaxed);
    }

    /// What it is about now, if anything.
    pub fn get(&self) -> Option<u64> {
        Some(self.shown.load(Ordering::Relaxed)).filter(|beat| *beat > 0)
    }
}

impl Budget {
    pub fn new(limit: Duration, beat: Arc<Beat>) -> Rc<Budget> {
        Rc::new(Budget {
            limit,
            steps: bounded::Budget::with_clock(steps(limit), limit, cpu_time),
            fired: Cell::new(0),
            fired_at: Cell::new(Duration::ZERO),
            since: Cell::new(None),
            attempts: Cell::new(0),
            beat,
        })
    }

    /// A new handler begins, or goes on after a wait.
    pub fn renew(&self) {
        self.fired.set(0);
        self.fired_at.set(Duration::ZERO);
        self.since.set(None);
        self.steps.refill(steps(self.limit));
        self.beat.strike();
    }

    /// The place where the limit was met, if it was, and a fresh budget.
    pub fn take_overrun(&self, lua: &Lua, this: &Rc<Budget>) -> Option<String> {
        let attempts = self.attempts.replace(0);
        if attempts == 0 && !self.steps.exhausted() {
            return None;
        }
        if attempts > PATIENCE {
            // The hook was set to every instruction; the next coroutines get the usual one.
            let _ = Budget::install(this, lua);
        }
        // What the library refused, the script may have caught, and returned before the hook fired: it is over the limit.
        let place = self.steps.place().unwrap_or_default();
        self.renew();
        Some(place)
    }

    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// What the state's library is to charge.
    pub fn steps(&self) -> bounded::Budget {
        self.steps.clone()
    }

    /// Sets the hook for every coroutine that is made from now on.
    pub fn install(this: &Rc<Budget>, lua: &Lua) -> mlua::Result<()> {
        Budget::hook(this.clone(), lua, INTERVAL)
    }

    fn hook(this: Rc<Budget>, lua: &Lua, interval: u32) -> mlua::Result<()> {
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(interval), move |lua, debug| {
            if !this.steps.exhausted() {
                if this.goes_on() {
                    return Ok(VmState::Continue);
                }
                let source = debug.source().short_src.unwrap_or_default().into_owned();
                let line = debug.current_line().unwrap_or(0);
                // The library refuses from now on, too: no coroutine is begun, and none resumed.
                this.steps.exhaust(format!("{source}:{line}"));
            }
            let attempts = this.attempts.get() + 1;
            this.attempts.set(attempts);
            if attempts % 2 == 1 {
                return Ok(VmState::Yield);
            }
            if attempts == PATIENCE {
                Budget::hook(this.clone(), lua, 1)?;
            }
            Err(mlua::Error::runtime("the script is stopped: it used its CPU time up"))
        })
    }

    /// Whether the handler still has time, as far as the hook is to know. Handlers are short, and looking at the CPU clock is
    /// not: most end before the first look.
    fn goes_on(&self) -> bool {
        let fired = self.fired.get().wrapping_add(1);
        self.fired.set(fired);
        let coarse = coarse_time();
        let last = self.fired_at.replace(coarse);
        let is_long = last > Duration::ZERO && coarse.saturating_sub(last) >= LONG;
        if !is_long && !fired.is_multiple_of(LOOK_EVERY) {
            return true;
        }
        let now = cpu_time();
        let Some(since) = self.since.get() else {
            self.since.set(Some(now));
            return true;
        };
        now.saturating_sub(since) < self.limit
    }
}

fn steps(limit: Duration) -> u64 {
    u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time of this thread.
#[cfg(unix)]
pub(super) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of this thread; where the system does not tell, every look counts as a hundredth of a millisecond.
#[cfg(not(unix))]
pub(super) fn cpu_time() -> Duration {
    thread_local!(static LOOKS: Cell<u32> = const { Cell::new(0) });
    LOOKS.with(|looks| {
        looks.set(looks.get().wrapping_add(1));
        Duration::from_micros(10) * looks.get()
    })
}

/// A clock that is not exact and costs nothing to look at; where there is none, zero.
fn coarse_time() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}
