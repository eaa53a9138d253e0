//! JSON for scripts: Lua tables to text and back, without a tree in between that no limit of the script would count.
//!
//! Integers stay integers of 64 bits. A table with the keys 1 to n is a list; which empty table is one is told by a mark,
//! in a table with weak keys that the prelude keeps.

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::{Options, encode};

use mlua::{IntoLua, Lua, Table, Value};
use serde_json::Value as Json;

/// Nested deeper than this is refused, both ways.
const MAX_DEPTH: usize = 127;

/// What the host has as JSON, as a script finds it: its configuration.
pub(super) fn to_lua(lua: &Lua, json: &Json) -> mlua::Result<Value> {
    match json {
        Json::Null => Ok(Value::NULL),
        Json::Bool(flag) => flag.into_lua(lua),
        Json::Number(number) => match number.as_i64() {
            Some(number) => number.into_lua(lua),
            None => number.as_f64().into_lua(lua),
        },
        Json::String(text) => text.as_str().into_lua(lua),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (i, item) in items.iter().enumerate() {
                table.raw_seti(i + 1, to_lua(lua, item)?)?;
            }
            table.into_lua(lua)
        }
        Json::Object(map) => {
            let table = lua.create_table_with_capacity(0, map.len())?;
            for (key, value) in map {
                table.raw_set(key.as_str(), to_lua(lua, value)?)?;
            }
            table.into_lua(lua)
        }
    }
}

/// What the script has said a table is, if anything: a list, or an object.
fn mark(marks: &Table, table: &Table) -> mlua::Result<Option<bool>> {
    marks.raw_get(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::bounded::Budget;

    fn world() -> (Lua, Table, Budget) {
        let lua = Lua::new();
        let marks = lua.create_table().unwrap();
        (lua, marks, Budget::new(1 << 40))
    }

    fn encoded(code: &str) -> Result<String, String> {
        let (lua, marks, budget) = world();
        lua.globals().raw_set("null", Value::NULL).unwrap();
        let array = {
            let marks = marks.clone();
            lua.create_function(move |_, (table, flag): (Table, bool)| {
                marks.raw_set(&table, flag)?;
                Ok(table)
            })
        };
        lua.globals().raw_set("marked", array.unwrap()).unwrap();
        let value = lua.load(code).eval().unwrap();
        let options = Options { pretty: false, limit: 1 << 20 };
        encode(&value, &marks, &budget, options).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_was_read_is_written_the_same() {
        fn check(text: &str) {
            let (lua, marks, budget) = world();
            let value = decode(&lua, text.as_bytes(), &marks, &budget).unwrap();
            let options = Options { pretty: false, limit: 1 << 20 };
            assert_eq!(encode(&value, &marks, &budget, options).unwrap(), text.as_bytes(), "{text}");
        }
        check("[1,2.5,true,null,\"é\\n\\u0001\"]");
        check("{\"a\":{\"b\":[9007199254740993,-9223372036854775808,9223372036854775807]}}");
        check("[[],{},[[]],{\"a\":[]}]");
        check("[1.0,-0.0,1e+300,5e-324,0.1,123456789.12345678]");
        check("[null]");
        check("{\"\":1,\"1\":true}");
        check("\"text\"");
        check("0");
    }

    #[test]
    fn every_float_survives() {
        let (lua, marks, budget) = world();
        for bits in (0..20_000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
            let number = f64::from_bits(bits);
            if !number.is_finite() {
                continue;
            }
            let options = Options { pretty: false, limit: 1 << 20 };
            let text = encode(&Value::Number(number), &marks, &budget, options).unwrap();
            let Value::Number(back) = decode(&lua, &text, &marks, &budget).unwrap() else { panic!("{number}") };
            assert_eq!(back.to_bits(), bits);
        }
    }

    #[test]
    fn lists_and_objects_are_told_apart() {
        fn check(code: &str, expected: &str) {
            assert_eq!(encoded(code).as_deref(), Ok(expected), "{code}");
        }
        check("return {1, 2}", "[1,2]");
        check("return {}", "{}");
        check("return marked({}, true)", "[]");
        check("return marked({}, false)", "{}");
        check("return marked({'x'}, false)", "{\"1\":\"x\"}");
        check("return {[10] = 1, [9] = 2, b = 3, a = 4}", "{\"10\":1,\"9\":2,\"a\":4,\"b\":3}");
        check("return {1, nil, 3}", "{\"1\":1,\"3\":3}");
        check("return {null}", "[null]");
        check("local t = {5} return {t, t}", "[[5],[5]]");
    }

    #[test]
    fn what_json_cannot_say_is_an_error_with_its_path() {
        fn check(code: &str, expected: &str) {
            assert_eq!(encoded(code).unwrap_err(), expected, "{code}");
        }
        check("return print", "the value is a function, which JSON does not have");
        check("return {a = {1, {b = print}}}", "value.a[2].b is a function, which JSON does not have");
        check("return {['a b'] = {[7] = 0/0}}", "value[\"a b\"][7] is nan, which JSON does not have");
        check("return {x = 1/0}", "value.x is inf, which JSON does not have");
        check(
            "return {x = '\\255'}",
            "value.x is a string that is not UTF-8; crypto.base64_encode makes any bytes a text",
        );
        check("local t = {a = {}} t.a.b = t return t", "value.a.b is a table that holds itself");
        check("return {[1.5] = 1}", "value has a key that is a number with a fraction; a key in JSON is a text");
        check("return {[true] = 1}", "value has a key that is a boolean; a key in JSON is a text");
        check("return {[1] = 1, ['1'] = 2}", "value has the key 1 both as a number and as a text");
        check("return marked({x = 1}, true)", "value is marked as a list and has the key x");
        check(
            "return marked({1, nil, 3}, true)",
            "value is marked as a list and its item 2 is missing; json.null is null",
        );
        check(
            "return marked({[1 << 40] = 1}, true)",
            "value is marked as a list and its item 1 is missing; json.null is null",
        );
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = |n: usize| format!("local t = {{}} for _ = 1, {} do t = {{t}} end return t", n - 1);
        assert!(encoded(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(encoded(&deep(MAX_DEPTH + 1)).unwrap_err().split(' ').next_back(), Some("deep"));
        let doubling = "local t = {'0123456789'} for _ = 1, 100 do t = {t, t} end return t";
        assert!(encoded(doubling).unwrap_err().contains("memory"));
        let (lua, marks, budget) = world();
        let brackets = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(decode(&lua, brackets(MAX_DEPTH).as_bytes(), &marks, &budget).is_ok());
        let problem = decode(&lua, brackets(MAX_DEPTH + 1).as_bytes(), &marks, &budget).unwrap_err();
        assert!(problem.contains("recursion limit exceeded at line 1 column 128"), "{problem}");
    }

    #[test]
    fn the_work_is_charged() {
        let (lua, marks, _) = world();
        let budget = Budget::new(50_000);
        let text = "[".to_owned() + &"1,".repeat(10_000) + "1]";
        assert_eq!(decode(&lua, text.as_bytes(), &marks, &budget).unwrap_err(), "CPU limit");
        let list = lua.create_sequence_from(0..10_000).unwrap();
        let budget = Budget::new(50_000);
        let options = Options { pretty: false, limit: 1 << 20 };
        assert_eq!(encode(&Value::Table(list), &marks, &budget, options).unwrap_err(), "CPU limit");
    }

    #[test]
    fn a_text_that_is_no_json_is_an_error_with_line_and_column() {
        fn check(text: &[u8], expected: &str) {
            let (lua, marks, budget) = world();
            let problem = decode(&lua, text, &marks, &budget).unwrap_err();
            assert_eq!(problem, expected, "{}", String::from_utf8_lossy(text));
        }
        check(b"", "the text ends where a value should begin, at line 1 column 0");
        check(b"[1,\n 2,]", "trailing comma at line 2 column 4");
        check(b"{\"a\" 1}", "expected `:` at line 1 column 6");
        check(b"1 2", "trailing characters at line 1 column 3");
        check(b"[\"\xff\"]", "invalid unicode code point at line 1 column 3");
        check(b"\"\\ud800\"", "unexpected end of hex escape at line 1 column 8");
        check(b"[1e999]", "number out of range at line 1 column 6");
        check(b"nul", "EOF while parsing a value at line 1 column 3");
        check(b"<html>", "expected value at line 1 column 1");
    }

    #[test]
    fn integers_beyond_64_bits_are_floats_and_a_byte_order_mark_is_passed_over() {
        let (lua, marks, budget) = world();
        let read = |text: &[u8]| decode(&lua, text, &marks, &budget).unwrap();
        assert_eq!(read(b"9223372036854775808"), Value::Number(9_223_372_036_854_775_808.0));
        assert_eq!(read(b"9223372036854775807"), Value::Integer(i64::MAX));
        assert_eq!(read(b"\xef\xbb\xbf1"), Value::Integer(1));
    }
}
