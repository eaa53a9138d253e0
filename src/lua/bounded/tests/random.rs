use mlua::{Function, Lua, MultiValue};
use proptest::prelude::*;

use super::{PLENTY, bounded, show};

/// The elements of a table around its beginning.
const SHOWN: &str = "local function shown(t)
    local r = {}
    for i = -20, 30 do r[#r + 1] = tostring(t[i]) end
    return table.concat(r, ' ')
end";

/// One function of the arguments, in a bounded state and in a plain one.
struct Both {
    ours: Function,
    theirs: Function,
    _states: (Lua, Lua),
}

impl Both {
    fn new(code: &str) -> Both {
        let (lua, _budget) = bounded(PLENTY);
        let oracle = Lua::new();
        let wrapped =
            format!("{SHOWN} local call = function(...) {code} end return function(...) return pcall(call, ...) end");
        let compile = |lua: &Lua| lua.load(&wrapped).set_name("=case").eval::<Function>().unwrap();
        Both { ours: compile(&lua), theirs: compile(&oracle), _states: (lua, oracle) }
    }

    fn check<A: mlua::IntoLuaMulti + Clone>(&self, arguments: A) -> Result<(), TestCaseError> {
        let run = |function: &Function, arguments: A| -> Vec<String> {
            function.call::<MultiValue>(arguments).unwrap().iter().map(show).collect()
        };
        prop_assert_eq!(run(&self.ours, arguments.clone()), run(&self.theirs, arguments));
        Ok(())
    }
}

/// A string of bytes, as Lua has them.
#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

impl mlua::IntoLua for Bytes {
    fn into_lua(self, lua: &Lua) -> mlua::Result<mlua::Value> {
        lua.create_string(&self.0).map(mlua::Value::String)
    }
}

fn joined(parts: Vec<Vec<u8>>) -> Bytes {
    Bytes(parts.concat())
}

fn token(text: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    Just(text.as_bytes().to_vec())
}

/// Most of what it makes is a pattern, and some is almost one.
fn pattern() -> impl Strategy<Value = Bytes> {
    let literal = prop::sample::select(b"aab(1] -\0\xe4A^$.".to_vec()).prop_map(|byte| vec![byte]);
    let escape = prop::sample::select(b"acdglpsuwxzACDGLPSUWXZ%.(e[]-\0".to_vec()).prop_map(|byte| vec![b'%', byte]);
    let member = prop_oneof![
        4 => prop::sample::select(b"ab1^]-%\0\xe4".to_vec()).prop_map(|byte| vec![byte]),
        2 => prop::sample::select(vec!["a-z", "0-9", "%a", "%s", "%]", "%-", "a-", "--a", "b-a", "^", "%W"]).prop_map(|s| s.as_bytes().to_vec()),
    ];
    let set = (any::<bool>(), prop::collection::vec(member, 0..4), prop::bool::weighted(0.95)).prop_map(
        |(negated, members, closed)| {
            let mut set = if negated { b"[^".to_vec() } else { b"[".to_vec() };
            set.extend(members.concat());
            if closed {
                set.push(b']');
            }
            set
        },
    );
    let class = prop_oneof![4 => literal, 2 => token("."), 3 => escape, 2 => set];
    let item = (class, prop::sample::select(vec!["", "", "", "*", "+", "-", "?"])).prop_map(|(mut class, suffix)| {
        class.extend_from_slice(suffix.as_bytes());
        class
    });
    let special = prop::sample::select(vec![
        "(", "(", ")", ")", "()", "%1", "%2", "%0", "%b()", "%bab", "%baa", "%f[a]", "%f[^%w]", "%f[%z]", "%f", "%b",
        "^", "$", "%",
    ])
    .prop_map(|s| s.as_bytes().to_vec());
    let captured = item.clone().prop_map(|item| [b"(".as_slice(), &item, b")"].concat());
    prop::collection::vec(prop_oneof![6 => item, 3 => special, 2 => captured], 0..8).prop_map(joined)
}

fn subject() -> impl Strategy<Value = Bytes> {
    let byte = prop::sample::select(b"aaab(()1] -\0\xe4A^$.%\n".to_vec());
    prop::collection::vec(byte, 0..20).prop_map(Bytes)
}

fn replacement() -> impl Strategy<Value = Bytes> {
    let part = prop::sample::select(vec!["x", "%0", "%1", "%2", "%%", "<", "", "\0", "%9", "%a", "%"]);
    prop::collection::vec(part.prop_map(|s| s.as_bytes().to_vec()), 0..4).prop_map(joined)
}

/// Small numbers, and those where arithmetic overflows.
fn position() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => -6..10i64,
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, 1 << 40]),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: ProptestConfig::default().cases.max(1000),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

macro_rules! both {
    ($code:expr) => {{
        thread_local!(static BOTH: Both = Both::new($code));
        &BOTH
    }};
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn find_and_match_are_those_of_lua(subject in subject(), pattern in pattern(), from in position()) {
        both!("local s, p, i = ... return s:find(p, i)")
            .with(|both| both.check((subject.clone(), pattern.clone(), from)))?;
        both!("local s, p, i = ... return s:match(p, i)")
            .with(|both| both.check((subject.clone(), pattern.clone(), from)))?;
        both!("local s, p, i = ... return s:find(p, i, true)")
            .with(|both| both.check((subject.clone(), pattern.clone(), from)))?;
    }

    #[test]
    fn gmatch_is_that_of_lua(subject in subject(), pattern in pattern(), from in position()) {
        both!("local s, p, i = ... local t = {} for a, b in s:gmatch(p, i) do t[#t + 1] = a t[#t + 1] = b end return table.unpack(t)")
            .with(|both| both.check((subject.clone(), pattern.clone(), from)))?;
    }

    #[test]
    fn gsub_is_that_of_lua(subject in subject(), pattern in pattern(), with in replacement(), most in position()) {
        both!("local s, p, r = ... return s:gsub(p, r)")
            .with(|both| both.check((subject.clone(), pattern.clone(), with.clone())))?;
        both!("local s, p, n = ... return s:gsub(p, function(a, b) if a ~= 'a' then return '<' .. a .. (b or '') .. '>' end end, n)")
            .with(|both| both.check((subject.clone(), pattern.clone(), most)))?;
        both!("local s, p, n = ... return s:gsub(p, {a = 'A', b = 2, [''] = 'empty', [2] = 'two', ['1'] = false}, n)")
            .with(|both| both.check((subject.clone(), pattern.clone(), most)))?;
    }

    #[test]
    fn rep_and_sub_are_those_of_lua(subject in subject(), separator in subject(), i in position(), j in position()) {
        // The oracle would take a quarter of an hour for nothing.
        prop_assume!(i < 1000 || !subject.0.is_empty() || !separator.0.is_empty());
        both!("local s, sep, n = ... return s:rep(n, sep)")
            .with(|both| both.check((subject.clone(), separator.clone(), i)))?;
        both!("local s, i, j = ... return s:sub(i, j)").with(|both| both.check((subject.clone(), i, j)))?;
        both!("local s, i, j = ... return s:byte(i, j)").with(|both| both.check((subject.clone(), i, j)))?;
    }

    #[test]
    fn utf8_is_that_of_lua(text in prop::collection::vec(any::<u8>(), 0..6), tail in "[aä€😀]{0,5}", i in position(), j in position()) {
        let text = Bytes([&text[..], tail.as_bytes()].concat());
        both!("local s, i, j = ... return utf8.len(s, i, j)").with(|both| both.check((text.clone(), i, j)))?;
        both!("local s, i, j = ... return utf8.codepoint(s, i, j, true)").with(|both| both.check((text.clone(), i, j)))?;
        both!("local s, i, j = ... return utf8.offset(s, i, j)").with(|both| both.check((text.clone(), i, j)))?;
        both!("local s, i = ... return utf8.offset(s, i)").with(|both| both.check((text.clone(), i)))?;
    }

    #[test]
    fn tables_are_moved_as_in_lua(values in prop::collection::vec(0..10i64, 0..8), i in position(), j in position(), k in position()) {
        // What is long enough to be hostile is not for the oracle.
        prop_assume!(j.saturating_sub(i) < 1000);
        both!("local t, i, j, k = ... table.move(t, i, j, k) return shown(t)").with(|both| both.check((values.clone(), i, j, k)))?;
        both!("local t, i, j, k = ... return shown(table.move(t, i, j, k, {7}))").with(|both| both.check((values.clone(), i, j, k)))?;
        both!("local t, i, j = ... table.insert(t, i, j) return shown(t)").with(|both| both.check((values.clone(), i, j)))?;
        both!("local t, i = ... return table.remove(t, i), shown(t)").with(|both| both.check((values.clone(), i)))?;
        both!("local t, i, j = ... return table.concat(t, ',', i, j)").with(|both| both.check((values.clone(), i, j)))?;
        both!("local t, i, j = ... return table.unpack(t, i, j)").with(|both| both.check((values.clone(), i, j)))?;
    }

    #[test]
    fn sort_asks_and_answers_as_in_lua(values in prop::collection::vec(0..40i64, 0..110), order in 0..5i64) {
        both!(r#"
            local t, order = ...
            local asked = {}
            local orders = {
                function(a, b) return a < b end,
                function(a, b) return a > b end,
                function(a, b) return a <= b end,
                function(a, b) return (a * 31 + b * 17) % 5 < 2 end,
                function(a, b) return a % 7 < b % 7 end,
            }
            local ok, message = pcall(table.sort, t, function(a, b)
                asked[#asked + 1] = a .. '<' .. b
                return orders[order + 1](a, b)
            end)
            return ok, message, table.concat(t, ' ', 1, #t), table.concat(asked, ' ')
        "#).with(|both| both.check((values.clone(), order)))?;
        both!("local t = ... table.sort(t) return table.concat(t, ' ')").with(|both| both.check(values.clone()))?;
    }
}
