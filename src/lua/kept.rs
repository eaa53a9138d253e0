//! A Lua value as the bytes that the store keeps, and back.
//!
//! The form is our own, as none that was looked at tells integers from floats, strings of any bytes and mixed tables apart, and
//! is the same bytes for the same value (which `store.update` compares): MessagePack leaves open the order of a map and the
//! width of a number. A value is a tag and what follows it:
//!
//! ```text
//! 01, 02      false, true                         05    string: length as a varint, bytes
//! 03          integer: zigzag, as a varint        06    table: the values of 1, 2, … n, 00, then keys and values, 00
//! 04          float: 8 bytes, little end first    40…7f string of 0…63 bytes
//!                                                 80…ff integer 0…127
//! ```
//!
//! The keys behind the list are in the order of their bytes.

use std::ffi::c_void;
use std::fmt::Write as _;

use mlua::{Lua, Table, Value};

use super::bounded;
use crate::storage::store::MAX_VALUE;

const END: u8 = 0x00;
const FALSE: u8 = 0x01;
const TRUE: u8 = 0x02;
const INTEGER: u8 = 0x03;
const FLOAT: u8 = 0x04;
const STRING: u8 = 0x05;
const TABLE: u8 = 0x06;
const SHORT_STRING: u8 = 0x40;
const SMALL_INTEGER: u8 = 0x80;

/// Tables in tables, at most.
const MAX_DEPTH: usize = 100;
/// What an entry of a table costs of the script's CPU time, in steps, beside its bytes.
const STEPS: u64 = 100;

/// Why a value cannot be kept.
#[derive(Debug)]
pub(super) enum NotKept {
    /// The words for it, with the path of what is wrong.
    Wrong(String),
    /// The script's CPU time or memory is used up.
    Lua(mlua::Error),
}

/// The bytes of a value; charges `steps` by its size.
pub(super) fn encode(value: &Value, steps: &bounded::Budget) -> Result<Vec<u8>, NotKept> {
    let mut encoder = Encoder { out: Vec::new(), total: 0, ancestors: Vec::new(), steps };
    match encoder.value(value) {
        Ok(()) => Ok(encoder.out),
        Err(Problem::Lua(error)) => Err(NotKept::Lua(error)),
        Err(Problem::TooLong) => Err(NotKept::Wrong(format!("value takes more than {} MiB", MAX_VALUE >> 20))),
        Err(Problem::Wrong { what, mut path, is_key }) => {
            path.reverse();
            let of_key = if is_key { "a key of " } else { "" };
            Err(NotKept::Wrong(format!("{of_key}value{} is {what}", path.concat())))
        }
    }
}

/// The value of the bytes; `None` where they are none that [`encode`] wrote.
pub(super) fn decode(lua: &Lua, bytes: &[u8]) -> mlua::Result<Option<Value>> {
    let mut decoder = Decoder { lua, rest: bytes };
    match decoder.value(0) {
        Ok(value) if decoder.rest.is_empty() => Ok(Some(value)),
        Ok(_) | Err(Damage::Form) => Ok(None),
        Err(Damage::Lua(error)) => Err(error),
    }
}

enum Problem {
    Wrong {
        what: &'static str,
        /// From the inside out.
        path: Vec<String>,
        is_key: bool,
    },
    TooLong,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Problem {
    fn from(error: mlua::Error) -> Problem {
        Problem::Lua(error)
    }
}

impl Problem {
    fn at(mut self, key: &Value) -> Problem {
        if let Problem::Wrong { path, .. } = &mut self {
            path.push(step(key));
        }
        self
    }
}

/// A key as Lua would write it behind its table.
fn step(key: &Value) -> String {
    match key {
        Value::Integer(n) => format!("[{n}]"),
        Value::String(text) => {
            let text = text.to_string_lossy();
            let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let short: String = text.chars().take(40).collect();
            if is_name && short == text { format!(".{text}") } else { format!("[{short:?}]") }
        }
        Value::Boolean(flag) => format!("[{flag}]"),
        Value::Number(number) => format!("[{number:?}]"),
        _ => "[…]".to_owned(),
    }
}

struct Encoder<'b> {
    out: Vec<u8>,
    /// Bytes of what was written, wherever it stands by now.
    total: usize,
    /// The tables that the value is in.
    ancestors: Vec<*const c_void>,
    steps: &'b bounded::Budget,
}

impl Encoder<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.total += bytes.len();
        if self.total > MAX_VALUE {
            return Err(Problem::TooLong);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), Problem> {
        let what = match value {
            Value::Boolean(flag) => return self.put(&[if *flag { TRUE } else { FALSE }]),
            Value::Integer(number) => return self.integer(*number),
            Value::Number(number) => {
                self.put(&[FLOAT])?;
                return self.put(&number.to_le_bytes());
            }
            Value::String(text) => return self.string(&text.as_bytes()),
            Value::Table(table) => return self.table(table),
            Value::Nil => "nil",
            value if value.is_null() => "json.null; put false in its place, or leave it out",
            Value::Function(_) => "a function",
            Value::Thread(_) => "a coroutine",
            _ => "a value of the host",
        };
        Err(Problem::Wrong { what, path: Vec::new(), is_key: false })
    }

    fn integer(&mut self, number: i64) -> Result<(), Problem> {
        if let Ok(small @ 0..=0x7f) = u8::try_from(number) {
            return self.put(&[SMALL_INTEGER | small]);
        }
        self.put(&[INTEGER])?;
        self.varint((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned())
    }

    fn varint(&mut self, mut number: u64) -> Result<(), Problem> {
        let (mut bytes, mut length) = ([0u8; 10], 0);
        while number >= 0x80 {
            bytes[length] = number as u8 | 0x80;
            number >>= 7;
            length += 1;
        }
        bytes[length] = number as u8;
        self.put(&bytes[..=length])
    }

    fn string(&mut self, text: &[u8]) -> Result<(), Problem> {
        match u8::try_from(text.len()) {
            Ok(short @ 0..=63) => self.put(&[SHORT_STRING | short])?,
            _ => {
                self.put(&[STRING])?;
                self.varint(text.len() as u64)?;
            }
        }
        self.steps.charge(text.len() as u64)?;
        self.put(text)
    }

    fn table(&mut self, table: &Table) -> Result<(), Problem> {
        let here = table.to_pointer();
        let what = if table.has_metatable() {
            Some("an object (a table with a metatable); keep the fields that you need")
        } else if self.ancestors.contains(&here) {
            Some("a table that it is in: a table cannot hold itself")
        } else if self.ancestors.len() >= MAX_DEPTH {
            Some("nested too deep: more than 100 tables in one another")
        } else {
            None
        };
        if let Some(what) = what {
            return Err(Problem::Wrong { what, path: Vec::new(), is_key: false });
        }
        self.ancestors.push(here);
        self.put(&[TABLE])?;
        let length = self.list(table)?;
        self.put(&[END])?;
        self.pairs(table, length)?;
        self.put(&[END])?;
        self.ancestors.pop();
        Ok(())
    }

    /// The values from 1 up to the first that is nil; how many they are.
    fn list(&mut self, table: &Table) -> Result<i64, Problem> {
        let mut length = 0;
        loop {
            let value: Value = table.raw_get(length + 1)?;
            if value.is_nil() {
                return Ok(length);
            }
            length += 1;
            self.steps.charge(STEPS)?;
            self.value(&value).map_err(|problem| problem.at(&Value::Integer(length)))?;
        }
    }

    /// All but the keys up to `length`.
    fn pairs(&mut self, table: &Table, length: i64) -> Result<(), Problem> {
        // Each pair is written at once: to hold on to many values would take room that Lua does not count.
        let outer = std::mem::take(&mut self.out);
        let mut pairs = Vec::new();
        let mut problem = None;
        let visited = table.for_each(|key: Value, value: Value| {
            self.steps.charge(STEPS)?;
            if matches!(key, Value::Integer(n) if 1 <= n && n <= length) {
                return Ok(());
            }
            let start = self.out.len();
            if let Err(found) = self.pair(&key, &value, start, &mut pairs) {
                problem = Some(found);
                return Err(mlua::Error::runtime("a value that cannot be kept"));
            }
            Ok(())
        });
        let scratch = std::mem::replace(&mut self.out, outer);
        match (problem, visited) {
            (Some(problem), _) => return Err(problem),
            (None, Err(error)) => return Err(Problem::Lua(error)),
            (None, Ok(())) => {}
        }
        let key = |(start, middle, _): &(usize, usize, usize)| &scratch[*start..*middle];
        pairs.sort_unstable_by(|a, b| key(a).cmp(key(b)));
        for (start, _, end) in pairs {
            self.out.extend_from_slice(&scratch[start..end]);
        }
        Ok(())
    }

    fn pair(
        &mut self,
        key: &Value,
        value: &Value,
        start: usize,
        pairs: &mut Vec<(usize, usize, usize)>,
    ) -> Result<(), Problem> {
        if matches!(key, Value::Table(_)) {
            return Err(Problem::Wrong { what: "a table", path: Vec::new(), is_key: true });
        }
        self.value(key).map_err(|problem| match problem {
            Problem::Wrong { what, path, .. } => Problem::Wrong { what, path, is_key: true },
            other => other,
        })?;
        let middle = self.out.len();
        self.value(value).map_err(|problem| problem.at(key))?;
        pairs.push((start, middle, self.out.len()));
        Ok(())
    }
}

enum Damage {
    Form,
    Lua(mlua::Error),
}

impl From<mlua::Error> for Damage {
    fn from(error: mlua::Error) -> Damage {
        Damage::Lua(error)
    }
}

struct Decoder<'d> {
    lua: &'d Lua,
    rest: &'d [u8],
}

impl Decoder<'_> {
    fn take(&mut self, length: usize) -> Result<&[u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Damage::Form)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64, Damage> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Damage::Form);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Damage::Form)
    }

    fn string(&mut self, length: usize) -> Result<Value, Damage> {
        let lua = self.lua;
        Ok(Value::String(lua.create_string(self.take(length)?)?))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Damage> {
        let tag = self.byte()?;
        self.after(tag, depth)
    }

    fn after(&mut self, tag: u8, depth: usize) -> Result<Value, Damage> {
        match tag {
            FALSE => Ok(Value::Boolean(false)),
            TRUE => Ok(Value::Boolean(true)),
            INTEGER => {
                let number = self.varint()?;
                Ok(Value::Integer((number >> 1).cast_signed() ^ -(number & 1).cast_signed()))
            }
            FLOAT => {
                let bytes = self.take(8)?.try_into().map_err(|_| Damage::Form)?;
                Ok(Value::Number(f64::from_le_bytes(bytes)))
            }
            STRING => {
                let length = usize::try_from(self.varint()?).map_err(|_| Damage::Form)?;
                self.string(length)
            }
            TABLE if depth < MAX_DEPTH => self.table(depth + 1),
            SHORT_STRING..SMALL_INTEGER => self.string(usize::from(tag - SHORT_STRING)),
            SMALL_INTEGER.. => Ok(Value::Integer(i64::from(tag - SMALL_INTEGER))),
            _ => Err(Damage::Form),
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, Damage> {
        let table = self.lua.create_table()?;
        let mut length = 0;
        loop {
            match self.byte()? {
                END => break,
                tag => {
                    length += 1;
                    let value = self.after(tag, depth)?;
                    table.raw_seti(length, value)?;
                }
            }
        }
        loop {
            match self.byte()? {
                END => return Ok(Value::Table(table)),
                TABLE => return Err(Damage::Form),
                tag => {
                    let key = self.after(tag, depth)?;
                    if matches!(key, Value::Number(number) if number.is_nan()) {
                        return Err(Damage::Form);
                    }
                    let value = self.value(depth)?;
                    table.raw_set(key, value)?;
                }
            }
        }
    }
}

/// A key as messages show it.
pub(super) fn shown_key(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    let mut shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if shown.len() < text.len() && text.chars().count() > 60 {
        let _ = write!(shown, "…");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> bounded::Budget {
        bounded::Budget::new(1 << 40)
    }

    fn bytes_of(lua: &Lua, code: &str) -> Vec<u8> {
        encode(&lua.load(code).eval().unwrap(), &steps()).unwrap_or_else(|problem| panic!("{code}: {problem:?}"))
    }

    #[test]
    fn a_value_comes_back_as_it_was() {
        // Each is compared by Lua with what came back.
        const SAME: &str = "
            local same
            function same(a, b)
              if math.type(a) ~= math.type(b) or type(a) ~= type(b) then return false end
              if type(a) == 'number' and a ~= a then return b ~= b end
              if type(a) == 'number' then return a == b and 1 / a == 1 / b end
              if type(a) ~= 'table' then return a == b end
              for k, v in pairs(a) do if not same(v, b[k]) then return false end end
              for k in pairs(b) do if a[k] == nil then return false end end
              return true
            end
            return same";
        for code in [
            "false",
            "true",
            "0",
            "127",
            "128",
            "-1",
            "math.maxinteger",
            "math.mininteger",
            "9007199254740993",
            "1.0",
            "-0.0",
            "0/0",
            "1/0",
            "-1/0",
            "2^53",
            "''",
            "('x'):rep(63)",
            "('x'):rep(64)",
            "('\\0\\255'):rep(100000)",
            "{}",
            "{1, 2, 3}",
            "{1, nil, 3}",
            "{{}, {{}}, {a = {b = {1.5, 'x'}}}}",
            "{[1.5] = true, [-1] = 'minus', [true] = false, ['1'] = 1, [1] = '1', [0] = 0, [''] = 'empty'}",
            "{[math.mininteger] = 1, [math.maxinteger] = 2, [1 << 40] = 3, [1/0] = 4}",
            "(function() local t = {} for i = 1, 100 do t = {t} end return t[1] end)()",
        ] {
            let lua = Lua::new();
            let same: mlua::Function = lua.load(SAME).eval().unwrap();
            let value: Value = lua.load(format!("return {code}")).eval().unwrap();
            let bytes = encode(&value, &steps()).unwrap_or_else(|problem| panic!("{code}: {problem:?}"));
            let back = decode(&lua, &bytes).unwrap().unwrap_or_else(|| panic!("{code}: not decoded"));
            assert!(same.call::<bool>((value, back.clone())).unwrap(), "{code}");
            assert_eq!(encode(&back, &steps()).unwrap(), bytes, "{code}");
        }
    }

    #[test]
    fn the_same_value_is_the_same_bytes_however_it_came_about() {
        let lua = Lua::new();
        for (one, other) in [
            (
                "{a = 1, b = 2, c = 3}",
                "(function() local t = {c = 3} t.x = 1 t.b = 2 t.a = 1 t.x = nil return t end)()",
            ),
            ("{1, 2, 3}", "(function() local t = {} for i = 3, 1, -1 do t[i] = i end return t end)()"),
            ("{1, 2, nil, 4}", "(function() local t = {[4] = 4} t[2] = 2 t[1] = 1 return t end)()"),
            ("{[2.0] = 'x'}", "{[2] = 'x'}"),
        ] {
            assert_eq!(bytes_of(&lua, &format!("return {one}")), bytes_of(&lua, &format!("return {other}")), "{one}");
        }
        assert_ne!(bytes_of(&lua, "return 1"), bytes_of(&lua, "return 1.0"));
    }

    #[test]
    fn small_values_are_small() {
        let lua = Lua::new();
        for (code, length) in [("7", 1), ("-1", 2), ("1000000", 4), ("'hello'", 6), ("{1, 2, 3}", 6), ("{a = true}", 6)]
        {
            assert_eq!(bytes_of(&lua, &format!("return {code}")).len(), length, "{code}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_named_by_its_path() {
        let cases = [
            ("return print", "value is a function"),
            ("return {a = {1, 2, print}}", "value.a[3] is a function"),
            ("return {['no name'] = coroutine.create(print)}", "value[\"no name\"] is a coroutine"),
            ("return {{[1.5] = {[true] = io.stdout}}}", "value[1][1.5][true] is a value of the host"),
            ("return {a = {[{}] = 1}}", "a key of value.a is a table"),
            ("return {[print] = 1}", "a key of value is a function"),
            ("return {m = setmetatable({}, {})}", "value.m is an object"),
            ("local t = {} t.a = {b = {t}} return t", "value.a.b[1] is a table that it is in"),
            ("local t = {} for i = 1, 100 do t = {t} end return t", "nested too deep"),
            ("return ('x'):rep(17 << 20)", "value takes more than 16 MiB"),
            ("local t = {('x'):rep(1000)} for i = 1, 50 do t = {t, t} end return t", "value takes more than 16 MiB"),
        ];
        for (code, expected) in cases {
            let lua = Lua::new();
            match encode(&lua.load(code).eval().unwrap(), &steps()) {
                Err(NotKept::Wrong(problem)) => assert!(problem.contains(expected), "{problem}"),
                other => panic!("{code}: {other:?}"),
            }
        }
        // The same table twice is two tables, not a circle.
        let lua = Lua::new();
        bytes_of(&lua, "local t = {} return {t, t, {t}}");
    }

    #[test]
    fn cpu_time_is_charged() {
        let lua = Lua::new();
        let value = lua.load("local t = {} for i = 1, 1000 do t[i] = i end return t").eval().unwrap();
        assert!(matches!(encode(&value, &bounded::Budget::new(10_000)), Err(NotKept::Lua(_))));
    }

    #[test]
    fn bytes_that_nobody_wrote_are_no_value() {
        let lua = Lua::new();
        let whole = bytes_of(&lua, "return {1, 'two', {x = 3.5, [70000] = -70000}, ('long'):rep(20)}");
        for end in 0..whole.len() {
            assert!(decode(&lua, &whole[..end]).unwrap().is_none(), "cut at {end}");
        }
        assert!(decode(&lua, &[&whole[..], &[0]].concat()).unwrap().is_none());
        let deep = [TABLE].repeat(100_000);
        let huge = [&[STRING][..], &[0xff; 9], &[0x01]].concat();
        let nan_key = [&[TABLE, END, FLOAT][..], &f64::NAN.to_le_bytes(), &[TRUE, END]].concat();
        for damaged in [&deep[..], &huge, &nan_key, &[0x07], &[0x3f], &[END], &[INTEGER, 0x80]] {
            assert!(decode(&lua, damaged).unwrap().is_none(), "{:?}", &damaged[..damaged.len().min(12)]);
        }
        // Whatever the bytes are, there is an answer.
        let mut noise = 1u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..20)
                .map(|_| {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let byte = (noise >> 56) as u8;
                    if byte < 0xa0 { byte % 8 } else { byte }
                })
                .collect();
            let _ = decode(&lua, &bytes).unwrap();
        }
    }
}
