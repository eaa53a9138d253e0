//! Text to Lua tables.

use std::cell::RefCell;
use std::fmt;

use mlua::{IntoLua, Lua, Table, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::lua::bounded::{Budget, CPU_LIMIT};

/// Steps for a value: what putting it into a table takes.
const VALUE: u64 = 150;

/// Reads one value. The error says what is wrong, with line and column. Lists are noted in `marks`.
pub(in crate::lua) fn decode(lua: &Lua, text: &[u8], marks: &Table, budget: &Budget) -> Result<Value, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let decoder = Decoder { lua, marks, budget, failed: RefCell::new(None) };
    budget.charge(text.len() as u64).map_err(|_| CPU_LIMIT.to_owned())?;
    let mut json = serde_json::Deserializer::from_slice(text);
    let result = decoder.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    result.map_err(|error: serde_json::Error| match decoder.failed.take() {
        Some(failed) => failed,
        None if error.is_eof() && text.trim_ascii().is_empty() => {
            format!("the text ends where a value should begin, at line {} column {}", error.line(), error.column())
        }
        None => error.to_string(),
    })
}

struct Decoder<'d> {
    lua: &'d Lua,
    marks: &'d Table,
    budget: &'d Budget,
    /// What was not the text's fault.
    failed: RefCell<Option<String>>,
}

impl Decoder<'_> {
    fn charge<E: Error>(&self, steps: u64) -> Result<(), E> {
        self.check(self.budget.charge(steps))
    }

    fn check<T, E: Error>(&self, result: mlua::Result<T>) -> Result<T, E> {
        result.map_err(|error| {
            let text = match error {
                mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
                mlua::Error::RuntimeError(message) => message,
                other => other.to_string(),
            };
            *self.failed.borrow_mut() = Some(text);
            E::custom("stopped")
        })
    }

    fn value<E: Error>(&self, value: impl IntoLua) -> Result<Value, E> {
        self.charge(VALUE)?;
        self.check(value.into_lua(self.lua))
    }
}

impl<'de> DeserializeSeed<'de> for &Decoder<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Decoder<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        self.value(flag)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.value(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        match i64::try_from(number) {
            Ok(number) => self.value(number),
            Err(_) => self.value(number as f64),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        self.value(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.value(text)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.value(Value::NULL)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.charge(4 * VALUE)?;
        let table = self.check(self.lua.create_table())?;
        self.check(self.marks.raw_set(&table, true))?;
        while let Some(item) = items.next_element_seed(self)? {
            self.check(table.raw_push(item))?;
        }
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        self.charge(2 * VALUE)?;
        let table = self.check(self.lua.create_table())?;
        // A key is a string, as any other.
        while let Some(key) = pairs.next_key_seed(self)? {
            let value = pairs.next_value_seed(self)?;
            self.check(table.raw_set(key, value))?;
        }
        Ok(Value::Table(table))
    }
}
