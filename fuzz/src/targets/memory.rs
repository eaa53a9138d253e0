//! Counts what each thread allocates: now, and the most since it was last asked.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn count(add: usize, remove: usize) {
    // A thread that ends frees after its counters are gone.
    let _ = LIVE.try_with(|live| {
        let now = (live.get() + add).saturating_sub(remove);
        live.set(now);
        PEAK.with(|peak| peak.set(peak.get().max(now)));
    });
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were allocated at once while `run` ran, beyond those that were before. May be nested.
pub fn peak(run: impl FnOnce()) -> usize {
    let before = LIVE.with(Cell::get);
    let outer = PEAK.with(|peak| peak.replace(before));
    run();
    let inner = PEAK.with(Cell::get);
    PEAK.with(|peak| peak.set(outer.max(inner)));
    inner.saturating_sub(before)
}
