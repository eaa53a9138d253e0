//! Lines that an operator types at `moongram repl`, and who waits for their answers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Value};
use tokio::sync::oneshot;

use super::fault::Fault;
use super::natives::PRELUDE_SOURCE;

/// Where the text of a line's results goes, or the error.
pub(super) type Answer = oneshot::Sender<Result<String, String>>;

/// The lines that run.
#[derive(Default)]
pub(super) struct Console {
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, Answer>>,
}

impl Console {
    /// The number under which the answer waits.
    pub fn open(&self, answer: Answer) -> u64 {
        self.next.set(self.next.get() + 1);
        self.waiting.borrow_mut().insert(self.next.get(), answer);
        self.next.get()
    }

    pub fn answer(&self, line: u64, result: Result<Value, Fault>) {
        let Some(answer) = self.waiting.borrow_mut().remove(&line) else { return };
        let text = match result {
            Ok(Value::String(text)) => Ok(text.to_string_lossy()),
            Ok(_) => Ok(String::new()),
            Err(fault) => Err(fault.message),
        };
        // Who asked may have gone away meanwhile.
        let _ = answer.send(text);
    }

    /// Nobody will be answered any more.
    pub fn close(&self) {
        self.waiting.borrow_mut().clear();
    }
}

/// The function that runs a line. It stays out of the prelude, as few states ever need it.
pub(super) fn load(lua: &Lua) -> mlua::Result<Function> {
    let text = include_str!("prelude/console.lua");
    lua.load(text).set_name(format!("={PRELUDE_SOURCE}/console")).set_mode(ChunkMode::Text).into_function()
}

/// Whether a line is the beginning of a statement or expression that goes on in the next: `function f()`.
pub fn is_unfinished(code: &str) -> bool {
    let lua = Lua::new_with(mlua::StdLib::NONE, mlua::LuaOptions::default());
    let Ok(lua) = lua else { return false };
    let compiles = |code: &str| lua.load(code).set_mode(ChunkMode::Text).into_function();
    if compiles(&format!("return {code}")).is_ok() {
        return false;
    }
    matches!(compiles(code), Err(mlua::Error::SyntaxError { incomplete_input: true, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_goes_on_is_told_from_one_that_is_wrong() {
        for (code, expected) in [
            ("for i = 1, 2 do", true),
            ("f(", true),
            ("x = [[", true),
            ("1 + 1", false),
            ("x = = 1", false),
            ("end", false),
        ] {
            assert_eq!(is_unfinished(code), expected, "{code}");
        }
    }
}
