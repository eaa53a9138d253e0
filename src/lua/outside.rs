//! Memory that Rust holds on a script's behalf, where Lua does not see it: counted towards the script's one limit.

use std::cell::Cell;
use std::rc::Rc;

use mlua::Lua;

/// What of a script's memory lies outside of its state.
pub(super) struct Outside {
    limit: usize,
    held: Rc<Cell<usize>>,
    /// What the state was last told that lies outside.
    told: Cell<usize>,
}

/// So many bytes, held until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bytes: usize,
    all: Rc<Cell<usize>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.set(self.all.get() - self.bytes);
    }
}

impl Outside {
    pub fn new(limit: usize) -> Outside {
        Outside { limit, held: Rc::default(), told: Cell::new(0) }
    }

    /// Counts so many bytes; the error is what the script is told where there is no room.
    pub fn hold(&self, lua: &Lua, bytes: usize) -> Result<Held, String> {
        let fits = || lua.used_memory().saturating_add(self.held.get()).saturating_add(bytes) <= self.limit;
        if !fits() {
            // What nobody uses any more may be all that is in the way.
            let collected = lua.gc_collect();
            if collected.is_err() || !fits() {
                return Err(format!("not enough memory: the limit is {} (limits.memory)", size(self.limit)));
            }
        }
        self.held.set(self.held.get() + bytes);
        self.tell(lua);
        Ok(Held { bytes, all: self.held.clone() })
    }

    /// Lets the state have what is not held outside of it.
    pub fn tell(&self, lua: &Lua) {
        let held = self.held.get();
        if self.told.replace(held) != held {
            // Zero would be no limit. The state has its own allocator, which is all that this can fail for.
            let _ = lua.set_memory_limit(self.limit.saturating_sub(held).max(1));
        }
    }

    pub fn held(&self) -> usize {
        self.held.get()
    }

    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// A number of bytes as people and the configuration write it.
pub(super) fn size(bytes: usize) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{} {name}", bytes / unit);
        }
    }
    if bytes < 1 << 20 { format!("{bytes} B") } else { format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_outside_is_taken_from_the_state() {
        let lua = Lua::new();
        let outside = Outside::new(8 << 20);
        outside.tell(&lua);
        let held = outside.hold(&lua, 6 << 20).unwrap();
        assert!(lua.load("return #('x'):rep(3 << 20)").eval::<i64>().is_err(), "2 MiB are left");
        assert!(outside.hold(&lua, 3 << 20).unwrap_err().contains("the limit is 8 MiB"));
        drop(held);
        outside.tell(&lua);
        assert_eq!(lua.load("return #('x'):rep(3 << 20)").eval::<i64>().unwrap(), 3 << 20);
    }

    #[test]
    fn garbage_makes_room() {
        let lua = Lua::new();
        let outside = Outside::new(8 << 20);
        let _garbage: i64 = lua.load("local s = ('x'):rep(5 << 20) return #s").eval().unwrap();
        assert!(outside.hold(&lua, 5 << 20).is_ok());
    }

    #[test]
    fn sizes_read_well() {
        for (bytes, shown) in [(64 << 20, "64 MiB"), (1500, "1500 B"), (3 << 10, "3 KiB"), ((1 << 20) + 512, "1.0 MiB")]
        {
            assert_eq!(size(bytes), shown);
        }
    }
}
