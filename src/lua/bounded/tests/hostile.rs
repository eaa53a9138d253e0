//! Each of these would hold a thread for seconds to ages; it ends once its steps are used up.

use mlua::Lua;

use super::{Budget, bounded, outcome};

/// About 50 ms.
const STEPS: u64 = 50_000_000;
const MEMORY: usize = 64 << 20;

fn state() -> (Lua, Budget) {
    let (lua, budget) = bounded(STEPS);
    lua.set_memory_limit(MEMORY).unwrap();
    (lua, budget)
}

/// `prepare` is free.
fn ends(prepare: &str, code: &str) {
    let (lua, budget) = state();
    budget.refill(u64::MAX);
    lua.load(prepare).exec().unwrap();
    budget.refill(STEPS);
    let result = outcome(&lua, code);
    assert_eq!(result[0], "false", "{code}: {result:?}");
    assert!(result[1].contains("CPU limit"), "{code}: {result:?}");
    assert!(budget.exhausted());
}

fn is_refused(code: &str, error: &str) {
    let (lua, budget) = state();
    let result = outcome(&lua, code);
    assert!(result[1].contains(error), "{code}: {result:?}");
    assert!(!budget.exhausted());
}

#[test]
fn a_pattern_that_backtracks_ends() {
    for (subject, pattern) in [
        ("('a'):rep(100000)", ".-.-.-.-.-.-b"),
        ("('a'):rep(100000)", "a*a*a*a*a*a*b"),
        ("('a'):rep(40)", "(a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?)*b"),
        ("('a'):rep(5000)", "((.-)(.-)(.-)(.-)(.-)(.-))%2%3%4x"),
        ("('('):rep(1000000)", "%b()"),
        ("('ab'):rep(1000000)", "%f[b]b.-%f[x]"),
        ("('x'):rep(100000)", "(.+)%1y"),
    ] {
        for call in ["find(s, p)", "match(s, p)", "gmatch(s, p)()", "gsub(s, p, '')", "gsub(s, p, print)"] {
            ends("", &format!("local s, p = {subject}, {pattern:?} return string.{call}"));
        }
    }
}

#[test]
fn a_set_is_paid_for_by_its_length() {
    ends("set = '[' .. ('b'):rep(1000000) .. ']' text = ('a'):rep(1000)", "return text:find(set)");
    ends("set = '%f[' .. ('b'):rep(1000000) .. ']' text = ('a'):rep(1000)", "return text:find(set)");
}

#[test]
fn a_plain_search_of_long_strings_ends() {
    let prepare = "a = ('a'):rep(20000000) b = ('a'):rep(10000000) .. 'b'";
    ends(prepare, "for i = 1, 1e9 do a:find(b, 1, true) end");
    ends(prepare, "for i = 1, 1e9 do a:find(b) end");
    ends(prepare, "for i = 1, 1e9 do a:find('b') end");
}

#[test]
fn loops_over_absent_elements_end() {
    ends("", "table.move({}, 1, 1 << 40, 2, {})");
    ends("", "table.move({}, 1, 1 << 40, 2)");
    ends("t = setmetatable({}, {__len = function() return 1 << 40 end})", "table.insert(t, 1, 1)");
    ends("t = setmetatable({}, {__len = function() return 1 << 40 end})", "table.remove(t, 1)");
    ends("t = setmetatable({}, {__index = function() return '' end})", "return table.concat(t, '', 1, 1 << 40)");
    ends("string[1] = nil t = setmetatable({}, {__index = rawlen})", "return #table.concat(t, '', 1, 1 << 25)");
}

#[test]
fn a_lying_comparator_ends() {
    let prepare = "n = 0 t = {} for i = 1, 300000 do t[i] = i * 7919 % 300007 end";
    ends(prepare, "table.sort(t)");
    ends(prepare, "table.sort(t, math.ult)");
    let coin = "function() return math.random(2) == 1 end";
    ends(prepare, &format!("for _ = 1, 1000 do pcall(table.sort, t, {coin}) end table.sort(t, {coin})"));
    ends("t = setmetatable({}, {__len = function() return 2^31 - 2 end, __index = rawlen})", "table.sort(t, math.ult)");
    ends("a = ('x'):rep(1000000) t = {} for i = 1, 1000 do t[i] = a end", "table.sort(t)");
}

#[test]
fn what_is_linear_is_paid_for() {
    let prepare = r#"
        big = ("x"):rep(4000000)
        spaces = (" "):rep(4000000)
        named = setmetatable({}, {__name = big})
        many = {} for i = 1, 200 do many[i] = named end
    "#;
    for call in [
        "big:lower()",
        "big:upper()",
        "big:reverse()",
        "big:sub(2)",
        "big:byte(1, 100000)",
        "utf8.len(big)",
        "utf8.offset(big, 3000000)",
        "utf8.offset(big, -3000000)",
        "utf8.codepoint(big, 1, 100000)",
        "string.format('%.1s', big)",
        "string.format('%.1s', named)",
        "tostring(named)",
        "tonumber(spaces)",
        "(spaces .. 1) + 1",
        "big:gsub('y', 'z')",
        "big:find('y')",
        "big:find('[y]')",
        "string.pack('c4000000', '')",
        "string.pack('s4', big)",
        "string.unpack('c4000000', big)",
        "table.unpack({}, 1, 100000)",
        "load(spaces)",
        "os.date(big)",
        "('%.1s'):rep(200):format(table.unpack(many))",
        "('x'):rep(4000000)",
    ] {
        let (lua, budget) = state();
        budget.refill(u64::MAX);
        lua.load(prepare).exec().unwrap();
        budget.refill(STEPS);
        let result = outcome(&lua, &format!("for i = 1, 1000 do local _ = {call} end"));
        assert!(result[1].contains("CPU limit"), "{call}: {result:?}");
        assert!(budget.exhausted(), "{call}");
    }
}

#[test]
fn nothing_repeated_is_nothing() {
    let (lua, budget) = state();
    assert_eq!(outcome(&lua, "return string.rep('', 1 << 40)"), ["true", "\"\""]);
    assert_eq!(outcome(&lua, "return string.rep('', math.maxinteger, '')"), ["true", "\"\""]);
    assert!(budget.spent() < 100);
}

#[test]
fn what_is_too_large_is_a_matter_of_memory() {
    is_refused("return ('x'):rep(1 << 30)", "not enough memory");
    is_refused("return ('x'):rep(1 << 40)", "resulting string too large");
    is_refused("local s = ('x'):rep(1 << 20) return s:gsub('x', s)", "not enough memory");
    is_refused("local s = ('x'):rep(1 << 20) return s:gsub('x', function() return s end)", "not enough memory");
    is_refused(
        "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1 << 20) end return table.concat(t)",
        "not enough memory",
    );
}

#[test]
fn every_further_charge_fails_until_it_is_filled_again() {
    let (lua, budget) = bounded(1_000);
    assert!(!budget.exhausted());
    assert_eq!(outcome(&lua, "return ('x'):rep(100000)")[0], "false");
    assert!(budget.exhausted());
    assert_eq!(budget.spent(), 1_000);
    for code in ["return ('a'):find('a')", "return ('a'):upper()", "return table.concat({})", "return tostring(1)"] {
        assert_eq!(outcome(&lua, code), ["false", "\"case:1: CPU limit\""], "{code}");
    }
    assert!(budget.charge(0).unwrap_err().to_string().contains("CPU limit"));
    budget.refill(1_000);
    assert_eq!(outcome(&lua, "return ('a'):find('a')"), ["true", "1", "1"]);
    assert!(budget.charge(1).is_ok());
    assert!((1..100).contains(&budget.spent()));
}

#[test]
fn a_loop_over_a_long_string_is_not_charged_for_its_length() {
    let (lua, budget) = state();
    budget.refill(u64::MAX);
    lua.load("big = ('ä'):rep(100000) packed = ('\\1\\2\\3\\4'):rep(50000)").exec().unwrap();
    for code in [
        "for i = 1, #packed - 4, 4 do string.unpack('<I4', packed, i) end",
        "for i = 1, #big, 2 do utf8.codepoint(big, i) utf8.offset(big, 1, i) utf8.len(big, i, i) end",
        "for i = 1, #big do big:sub(i, i) big:byte(i) end",
        "for c in big:gmatch(utf8.charpattern) do end",
        "local at = 1 while at do _, at = big:find('ä', at) at = at and at + 1 end",
        "local at = 1 while at do _, at = big:find('\\xa4', at, true) at = at and at + 1 end",
    ] {
        budget.refill(STEPS);
        assert_eq!(outcome(&lua, code), ["true"], "{code}");
        assert!(budget.spent() < 10_000_000, "{code}: {}", budget.spent());
    }
}

#[test]
fn a_second_installation_is_refused() {
    let (lua, _budget) = bounded(1_000);
    assert!(super::install(&lua, Budget::new(1)).is_err());
}

#[test]
fn a_state_without_some_libraries_gets_the_others() {
    let lua = Lua::new_with(mlua::StdLib::STRING, mlua::LuaOptions::new()).unwrap();
    super::install(&lua, Budget::new(1_000)).unwrap();
    assert_eq!(outcome(&lua, "return ('x'):find('x')"), ["true", "1", "1"]);
}
