//! Functions that Lua's own library calls cannot yield; those that this one calls can.

use mlua::debug::HookTriggers;
use mlua::{Function, Lua, Thread, VmState};

use super::{PLENTY, bounded};

/// Runs the code as a coroutine, resumed with 1, 2, 3, …; its result, and how often it yielded.
fn run(lua: &Lua, code: &str) -> (String, i64) {
    let function: Function = lua.load(code).into_function().unwrap();
    let thread = lua.create_thread(function).unwrap();
    let mut yields = 0;
    loop {
        let result: mlua::Value = thread.resume(yields).unwrap();
        if !thread.is_resumable() {
            return (result.to_string().unwrap(), yields);
        }
        yields += 1;
        lua.gc_collect().unwrap();
    }
}

#[test]
fn a_replacement_function_may_wait() {
    let (lua, _budget) = bounded(PLENTY);
    let code = "return (('a-b-c'):gsub('%w', function(c) return c .. coroutine.yield() end))";
    assert_eq!(run(&lua, code), ("a1-b2-c3".into(), 3));
    let code = "return (('a-b'):gsub('^%w', function(c) return c .. coroutine.yield() end))";
    assert_eq!(run(&lua, code), ("a1-b".into(), 1));
    let code = "return (('a-b'):gsub('%w', function(c) coroutine.yield() end))";
    assert_eq!(run(&lua, code), ("a-b".into(), 2));
    let code = "return #(('x'):rep(3000):gsub('x', function(c) coroutine.yield() return 'xy' end))";
    assert_eq!(run(&lua, code), ("6000".into(), 3000));
    let code = r#"return (('ab'):gsub('.', function(c)
        return (('cd'):gsub('.', function(d) return c .. d .. coroutine.yield() end))
    end))"#;
    assert_eq!(run(&lua, code), ("ac1ad2bc3bd4".into(), 4));
}

#[test]
fn an_error_after_a_wait_goes_to_pcall() {
    let (lua, _budget) = bounded(PLENTY);
    let code = r#"return select(2, pcall(string.gsub, 'ab', '.', function() coroutine.yield() error('late', 0) end))"#;
    assert_eq!(run(&lua, code), ("late".into(), 1));
    let code = r#"return select(2, pcall(table.sort, {2, 1}, function() coroutine.yield() error('late', 0) end))"#;
    assert_eq!(run(&lua, code), ("late".into(), 1));
}

#[test]
fn a_comparator_may_wait() {
    let (lua, _budget) = bounded(PLENTY);
    let code = r#"
        local t = {}
        for i = 1, 50 do t[i] = i * 37 % 53 end
        local plain = table.move(t, 1, #t, 1, {})
        table.sort(plain, function(a, b) return a < b end)
        table.sort(t, function(a, b) coroutine.yield() return a < b end)
        return table.concat(t, ' ') == table.concat(plain, ' ')
    "#;
    let (sorted, yields) = run(&lua, code);
    assert_eq!(sorted, "true");
    assert!(yields > 100);
}

#[test]
fn a_tostring_may_wait() {
    let (lua, _budget) = bounded(PLENTY);
    let code = "return tostring(setmetatable({}, {__tostring = function() return 'after ' .. coroutine.yield() end}))";
    assert_eq!(run(&lua, code), ("after 1".into(), 1));
}

#[test]
fn a_hook_stops_an_endless_callback_by_yielding() {
    for code in [
        "('a'):gsub('a', function() while true do end end)",
        "table.sort({1, 2}, function() while true do pcall(error) end end)",
        "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    ] {
        let (lua, _budget) = bounded(PLENTY);
        let thread: Thread = lua.create_thread(lua.load(code).into_function().unwrap()).unwrap();
        thread.set_hook(HookTriggers::new().every_nth_instruction(1000), |_, _| Ok(VmState::Yield)).unwrap();
        for _ in 0..3 {
            thread.resume::<()>(()).unwrap();
            assert!(thread.is_resumable(), "{code}");
        }
    }
}

#[test]
fn what_waits_may_be_dropped() {
    let (lua, _budget) = bounded(PLENTY);
    lua.load(
        r#"
        for i = 1, 100 do
            local co = coroutine.create(function()
                return (('a'):rep(5000) .. 'b'):gsub('b?', function() coroutine.yield() end)
            end)
            coroutine.resume(co)
            local sorting = coroutine.create(function() table.sort({3, 2, 1}, function() coroutine.yield() end) end)
            coroutine.resume(sorting)
            if i % 2 == 0 then coroutine.close(co) end
        end
        collectgarbage()
        kept = coroutine.create(function() ('a'):gsub('a', function() coroutine.yield() end) end)
        coroutine.resume(kept)
        "#,
    )
    .exec()
    .unwrap();
    drop(lua);
}
